/* train.c: `train`: trains or fine-tunes a model. */
#include "cli/command.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends a word; of an absolute path the last component alone: a model that is passed on tells nothing of a machine.
 */
static void append(char *text, const char *word) {
    const char *equals = strchr(word, '='), *value = equals ? equals + 1 : word;
    const char *last = value[0] == '/' ? strrchr(value, '/') + 1 : value;
    strncat(text, word, (size_t)(value - word));
    strcat(text, last);
}

/* Whether a later setting of the same key takes its place. */
static bool replaced(const pct_cli_line *line, size_t setting) {
    size_t key = strcspn(line->config[setting], "=") + 1;
    for (size_t i = setting + 1; i < line->config_count; i++)
        if (!strncmp(line->config[i], line->config[setting], key)) return true;
    return false;
}

/* What stands in the model's card as the command that made it; malloc'd, NULL when memory is out. */
static char *command_text(const pct_cli_line *line) {
    size_t size = strlen("percept train") + 2;
    for (size_t i = 0; i < line->argument_count; i++) size += strlen(line->arguments[i]) + 1;
    for (size_t i = 0; i < line->config_count; i++) size += strlen(line->config[i]) + 3;
    char *text = malloc(size);
    if (!text) return NULL;
    strcpy(text, "percept train");
    for (size_t i = 0; i < line->argument_count; i++) {
        strcat(text, " ");
        append(text, line->arguments[i]);
    }
    for (size_t i = 0; i < line->config_count; i++) {
        if (replaced(line, i)) continue;
        strcat(text, " --");
        append(text, line->config[i]);
    }
    return text;
}

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
    options.log = pct_cli_log;
    char *command = command_text(line);
    options.command = command;
    percept_status status;
    if (line->argument_count != 1) {
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "%zu arguments; give one config file", line->argument_count);
    } else {
        options.config = line->arguments[0];
        status = percept_train_run(&options, pct_cli_progress, NULL, &error);
    }
    free(command);
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
    .computes = true,
    .run = run_train,
    .more = percept_train_keys,
};
