/* train.c: `train`: trains or fine-tunes a model. */
#include "cli/command.h"
#include "cli/terminal.h"

static int run_train(const pct_cli_line *line) {
    const pct_cli_settings *s = &line->settings;
    percept_error error = {0};
    percept_train_options options;
    percept_train_options_init(&options);
    options.settings = line->config;
    options.setting_count = line->config_count;
    options.resume = s->resume;
    options.threads = (int32_t)s->threads;
    options.cpu_mask = (uint32_t)s->cpu_mask;
    percept_status status;
    if (line->argument_count != 1) {
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "%zu arguments; give one config file", line->argument_count);
    } else {
        options.config = line->arguments[0];
        status = percept_train_run(&options, pct_cli_progress, NULL, &error);
    }
    pct_cli_progress_end();
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("train", &error);
}

const pct_cli_command pct_cli_train = {
    .name = "train",
    .arguments = "CONFIG.yaml [--section.key VALUE]...",
    .summary = "trains or fine-tunes a model; --resume goes on",
    .details =
        "Ctrl-C stops after the step and leaves a checkpoint. Every key of the config can be given as an option,\n"
        "which beats the file.",
    .options = PCT_CLI_BIT(PCT_CLI_RESUME),
    .takes_config = true,
    .run = run_train,
    .more = percept_train_keys,
};
