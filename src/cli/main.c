/* main.c: the command table and the way into it. */
#include "cli/command.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <string.h>

const pct_cli_command *const pct_cli_commands[] = {
    &pct_cli_ask,
    &pct_cli_find,
    &pct_cli_describe,
    &pct_cli_chat,
    &pct_cli_complete,
    &pct_cli_tokenize,
    &pct_cli_perplexity,
    &pct_cli_info,
    &pct_cli_eval,
    &pct_cli_scenes,
    &pct_cli_train,
    &pct_cli_teach,
    &pct_cli_experiment,
    &pct_cli_convert,
    &pct_cli_quantize,
    &pct_cli_bench,
    &pct_cli_help,
    &pct_cli_version,
    NULL,
};

const pct_cli_command *pct_cli_find_command(const char *name) {
    for (const pct_cli_command *const *at = pct_cli_commands; *at; at++) {
        if (strcmp((*at)->name, name) == 0) return *at;
    }
    return NULL;
}

int pct_cli_refuse_command(const char *name) {
    const char *names[32];
    size_t count = 0;
    for (; pct_cli_commands[count]; count++) names[count] = pct_cli_commands[count]->name;
    const char *nearest = pct_cli_nearest(name, names, count);
    fprintf(stderr, "percept: unknown command \"%.60s\"", name);
    if (nearest)
        fprintf(stderr, "; did you mean %s?\n", nearest);
    else
        fputs("; see percept help\n", stderr);
    return PCT_EXIT_USAGE;
}

int pct_cli_exit_code(percept_status status) {
    switch (status) {
    case PERCEPT_OK:
        return PCT_EXIT_DONE;
    case PERCEPT_ERROR_USAGE:
        return PCT_EXIT_USAGE;
    case PERCEPT_ERROR_INPUT:
        return PCT_EXIT_INPUT;
    case PERCEPT_ERROR_MODEL:
        return PCT_EXIT_MODEL;
    case PERCEPT_ERROR_RESOURCE:
        return PCT_EXIT_RESOURCE;
    case PERCEPT_ERROR_WORK:
        return PCT_EXIT_WORK;
    case PERCEPT_ERROR_INTERRUPTED:
        return PCT_EXIT_INTERRUPTED;
    }
    return PCT_EXIT_WORK;
}

int pct_cli_report(const char *command, const percept_error *error) {
    pct_cli_progress_end();
    if (error->status == PERCEPT_ERROR_USAGE) {
        fprintf(stderr, "percept %s: %s (see percept help %s)\n", command, error->message, command);
    } else {
        fprintf(stderr, "percept: %s\n", error->message);
    }
    return pct_cli_exit_code(error->status);
}

static bool asks_for_version(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--version") == 0) return true;
    }
    return false;
}

/* Runs the command and makes sure that what it printed has arrived. */
static int run_command(const pct_cli_command *command, int argc, char **argv) {
    percept_error error = {0};
    pct_cli_line line;
    percept_status status = pct_cli_parse(&line, command->options, command->takes_config, argc, argv, &error);
    int code;
    if (status != PERCEPT_OK) {
        code = pct_cli_report(command->name, &error);
    } else if (line.settings.help) {
        line.argument_count = 1;
        line.arguments[0] = command->name;
        code = pct_cli_help.run(&line);
    } else {
        pct_cli_terminal_start(&line.settings);
        code = command->run(&line);
    }
    pct_cli_line_free(&line);
    if (pct_cli_flush(&error) != PERCEPT_OK && code <= PCT_EXIT_EMPTY) code = pct_cli_report(command->name, &error);
    return code;
}

int main(int argc, char **argv) {
    if (asks_for_version(argc, argv)) return run_command(&pct_cli_version, 0, argv);
    if (argc < 2) {
        fputs("percept: no command; see percept help\n", stderr);
        return PCT_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = pct_cli_help.name;
    const pct_cli_command *command = pct_cli_find_command(name);
    if (!command) return pct_cli_refuse_command(name);
    if (command->computes) pct_cli_spin_shortly(argv);
    return run_command(command, argc - 2, argv + 2);
}
