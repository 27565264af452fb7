/* quantize.c: `quantize`: a model file again with its weights in another type. */
#include "cli/command.h"
#include "cli/print.h"
#include "cli/terminal.h"

static int run_quantize(const pct_cli_line *line) {
    const pct_cli_settings *s = &line->settings;
    percept_error error = {0};
    char *json = NULL, *table = NULL;
    percept_status status;
    percept_quantize_options options;
    percept_quantize_options_init(&options);
    options.out = s->out;
    options.threads = (int32_t)s->threads;
    if (s->type) options.type = s->type;
    if (line->argument_count != 1) {
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "%zu arguments; give one model file", line->argument_count);
    } else if (!s->out) {
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "no file is named; give -o FILE.gguf");
    } else {
        options.model = line->arguments[0];
        status = percept_quantize_run(&options, pct_cli_progress, NULL, s->json ? &json : NULL, s->json ? NULL : &table,
                                      &error);
    }
    pct_cli_progress_end();
    pct_cli_print_report(json, table);
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("quantize", &error);
}

const pct_cli_command pct_cli_quantize = {
    .name = "quantize",
    .arguments = "MODEL -o FILE",
    .summary = "a model file again with its weights in another type",
    .details = "Vectors and small tables stay F32; the table of words keeps at least 6 bits; rows that do not fit a\n"
               "type's blocks take the nearest that they fit. Take the file with the most bits: what one rounding\n"
               "lost, the next does not bring back.",
    .options = PCT_CLI_BIT(PCT_CLI_OUT) | PCT_CLI_BIT(PCT_CLI_TYPE) | PCT_CLI_BIT(PCT_CLI_JSON),
    .computes = true,
    .run = run_quantize,
};
