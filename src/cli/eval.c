/* eval.c: `eval`: a model's figures on a data set. */
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/print.h"
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>

static percept_status evaluate(const pct_cli_line *line, char **json, char **table, percept_error *error) {
    const pct_cli_settings *s = &line->settings;
    if (line->argument_count != 1) {
        return pct_cli_fail(error, PERCEPT_ERROR_USAGE,
                            "%zu arguments; give one data set folder, or "
                            "scenes:SPLIT:COUNT:SEED[:SIDE]",
                            line->argument_count);
    }
    char *model = NULL, *pack = NULL;
    bool scenes = strncmp(line->arguments[0], "scenes:", 7) == 0;
    percept_status status = pct_cli_model_path(s, &model, error);
    if (status == PERCEPT_OK && scenes) status = pct_cli_pack_path(s, &pack, error);
    if (status != PERCEPT_OK) {
        free(model);
        return status;
    }
    percept_eval_options options;
    percept_eval_options_init(&options);
    options.model = model;
    options.data = line->arguments[0];
    options.pack = pack;
    options.threshold = (float)s->threshold;
    options.limit = s->limit;
    options.threads = (int32_t)s->threads;
    options.cpu_mask = (uint32_t)s->cpu_mask;
    status = percept_eval_run(&options, pct_cli_progress, NULL, s->json ? json : NULL, s->json ? NULL : table, error);
    free(model);
    free(pack);
    return status;
}

static int run_eval(const pct_cli_line *line) {
    percept_error error = {0};
    char *json = NULL, *table = NULL;
    percept_status status = evaluate(line, &json, &table, &error);
    pct_cli_progress_end();
    pct_cli_print_report(json, table);
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("eval", &error);
}

const pct_cli_command pct_cli_eval = {
    .name = "eval",
    .arguments = "DATA",
    .summary = "a model's figures on a data set",
    .details =
        "DATA is a data set folder (percept scenes writes one) or scenes:SPLIT:COUNT:SEED[:SIDE], which composes\n"
        "the pictures on the way; SPLIT is arrangements, cutouts, calibration or training, SIDE their pixels\n"
        "(the model's own). All lines of a folder are asked, whatever their split.",
    .options = PCT_CLI_BIT(PCT_CLI_MODEL) | PCT_CLI_BIT(PCT_CLI_JSON) | PCT_CLI_BIT(PCT_CLI_THRESHOLD) |
               PCT_CLI_BIT(PCT_CLI_LIMIT) | PCT_CLI_BIT(PCT_CLI_PACK),
    .computes = true,
    .run = run_eval,
};
