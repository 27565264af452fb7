/* bench.c: `bench`: speed and memory of each stage. */
#include "cli/command.h"
#include "cli/print.h"
#include "cli/terminal.h"

static int run_bench(const pct_cli_line *line) {
    const pct_cli_settings *s = &line->settings;
    percept_error error = {0};
    char *json = NULL, *table = NULL;
    percept_bench_options options;
    percept_bench_options_init(&options);
    options.model = s->model;
    if (s->shape) options.shape = s->shape;
    options.stages = s->stages;
    options.seconds = s->seconds;
    options.threads = (int32_t)s->threads;
    options.cpu_mask = (uint32_t)s->cpu_mask;
    percept_status status;
    if (line->argument_count) {
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "\"%.60s\": bench takes no arguments", line->arguments[0]);
    } else {
        status = percept_bench_run(&options, pct_cli_progress, NULL, s->json ? &json : NULL, s->json ? NULL : &table,
                                   &error);
    }
    pct_cli_progress_end();
    pct_cli_print_report(json, table);
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("bench", &error);
}

const pct_cli_command pct_cli_bench = {
    .name = "bench",
    .arguments = "",
    .summary = "speed and memory of each stage, as a share of this machine's measured peak",
    .details = "Without -m, a model of the given shape with random weights is measured.",
    .options = PCT_CLI_BIT(PCT_CLI_MODEL) | PCT_CLI_BIT(PCT_CLI_JSON) | PCT_CLI_BIT(PCT_CLI_SHAPE) |
               PCT_CLI_BIT(PCT_CLI_STAGES) | PCT_CLI_BIT(PCT_CLI_SECONDS),
    .computes = true,
    .run = run_bench,
};
