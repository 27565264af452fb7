/* help.c: `help` and `version`. */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print_all(void) {
    puts("percept asks a vision-language model about pictures; answers have words, boxes and masks.\n\n"
         "usage: percept COMMAND [options] [arguments]\n");
    for (const pct_cli_command *const *at = pct_cli_commands; *at; at++) {
        printf("  %-12s%s\n", (*at)->name, (*at)->summary);
    }
    puts("\npercept help COMMAND says more. Example: percept ask photo.jpg \"where is the red cup?\"");
    return PCT_EXIT_DONE;
}

static int print_one(const char *name) {
    const pct_cli_command *command = pct_cli_find_command(name);
    if (strcmp(name, "man") == 0) return pct_cli_print_manual(), PCT_EXIT_DONE;
    if (strcmp(name, "bash") == 0) return pct_cli_print_completion(), PCT_EXIT_DONE;
    if (!command) return pct_cli_refuse_command(name);
    printf("usage: percept %s%s%s [options]\n\n%s\n", command->name, *command->arguments ? " " : "", command->arguments,
           command->summary);
    if (command->details) printf("\n%s\n", command->details);
    puts("\noptions:");
    pct_cli_print_options(command->options);
    puts("\n" PCT_CLI_ENVIRONMENT);
    char *more = command->more ? command->more() : NULL;
    if (more) printf("\n%s", more);
    free(more);
    return PCT_EXIT_DONE;
}

static int run_help(const pct_cli_line *line) {
    return line->argument_count ? print_one(line->arguments[0]) : print_all();
}

static int run_version(const pct_cli_line *line) {
    (void)line;
    printf("percept %s\n", percept_version());
    return PCT_EXIT_DONE;
}

const pct_cli_command pct_cli_help = {
    .name = "help",
    .arguments = "[COMMAND|man|bash]",
    .summary = "what a command does and which options it takes",
    .details = "man prints all of it as a manual page, bash a completion script; both are installed with the program.",
    .run = run_help,
};

const pct_cli_command pct_cli_version = {
    .name = "version",
    .arguments = "",
    .summary = "the program's version",
    .run = run_version,
};
