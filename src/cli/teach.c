/* teach.c: `teach`: a folder of named cut-outs becomes a model that finds them. */
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/print.h"
#include "cli/terminal.h"

#include <stdlib.h>

static percept_status teach(const pct_cli_line *line, char **json, char **table, percept_error *error) {
    const pct_cli_settings *s = &line->settings;
    char *model = NULL, *replay = NULL;
    if (line->argument_count != 1)
        return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "%zu arguments; give one folder of named cut-outs",
                            line->argument_count);
    if (!s->out) return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "no file is named; give -o MODEL.gguf");
    percept_status status = pct_cli_model_path(s, &model, error);
    if (status == PERCEPT_OK) status = pct_cli_share_path("teach/replay.pack", &replay, error);
    if (status == PERCEPT_OK) {
        percept_teach_options options;
        percept_teach_options_init(&options);
        options.folder = line->arguments[0];
        options.out = s->out;
        options.model = model;
        options.replay = replay;
        options.sheet = s->sheet;
        if (s->minutes > 0) options.minutes = s->minutes;
        options.steps = s->steps;
        options.seed = (uint64_t)s->seed;
        options.resume = s->resume;
        options.pictures = s->limit;
        options.threads = (int32_t)s->threads;
        options.cpu_mask = (uint32_t)s->cpu_mask;
        options.log = pct_cli_log;
        status =
            percept_teach_run(&options, pct_cli_progress, NULL, s->json ? json : NULL, s->json ? NULL : table, error);
    }
    free(model);
    free(replay);
    return status;
}

static int run_teach(const pct_cli_line *line) {
    percept_error error = {0};
    char *json = NULL, *table = NULL;
    percept_status status = teach(line, &json, &table, &error);
    pct_cli_progress_end();
    pct_cli_print_report(json, table);
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("teach", &error);
}

const pct_cli_command pct_cli_teach = {
    .name = "teach",
    .arguments = "DIR -o MODEL.gguf",
    .summary = "a folder of named cut-outs becomes a model that finds them",
    .details =
        "DIR holds pictures with transparent parts, two or more a name, three or more to be tested with one that\n"
        "is held back; named by a .txt beside them, their sub-folder or their file. Pictures in DIR/backgrounds\n"
        "are laid behind them. Ctrl-C stops; --resume goes on.",
    .options = PCT_CLI_BIT(PCT_CLI_MODEL) | PCT_CLI_BIT(PCT_CLI_OUT) | PCT_CLI_BIT(PCT_CLI_MINUTES) |
               PCT_CLI_BIT(PCT_CLI_STEPS) | PCT_CLI_BIT(PCT_CLI_SEED) | PCT_CLI_BIT(PCT_CLI_RESUME) |
               PCT_CLI_BIT(PCT_CLI_SHEET) | PCT_CLI_BIT(PCT_CLI_LIMIT) | PCT_CLI_BIT(PCT_CLI_JSON),
    .computes = true,
    .run = run_teach,
};
