/* command.h: a command of the program: what help says of it, which options it takes, what it does.
 *
 * Each command is one file; main.c has the table. A command returns the process's exit code. */
#ifndef PCT_CLI_COMMAND_H
#define PCT_CLI_COMMAND_H

#include "cli/options.h"

typedef struct pct_cli_command {
    const char *name, *arguments, *summary;
    const char *details; /* more for `percept help NAME`; NULL: none */
    uint64_t options;    /* PCT_CLI_BIT of each, the general ones are added */
    bool takes_config;   /* --section.key options are config keys */
    bool computes;       /* on several threads */
    int (*run)(const pct_cli_line *line);
    char *(*more)(void); /* text made for help, malloc'd; NULL: none */
} pct_cli_command;

extern const pct_cli_command pct_cli_ask, pct_cli_find, pct_cli_describe, pct_cli_chat, pct_cli_info, pct_cli_eval,
    pct_cli_experiment, pct_cli_bench, pct_cli_convert, pct_cli_quantize, pct_cli_scenes, pct_cli_tokenize,
    pct_cli_complete, pct_cli_perplexity, pct_cli_train, pct_cli_teach, pct_cli_help, pct_cli_version;

/* NULL-terminated, in the order help lists them. */
extern const pct_cli_command *const pct_cli_commands[];
const pct_cli_command *pct_cli_find_command(const char *name);
/* Says that there is no such command and what was meant; returns the exit code. */
int pct_cli_refuse_command(const char *name);

/* What help and the manual say of the environment. */
#define PCT_CLI_ENVIRONMENT "Most options can also be set by the environment: PERCEPT_THREADS=2 is --threads 2."

/* `percept help man` and `percept help bash`: all of the above as a manual page and as a completion script, on stdout.
 */
void pct_cli_print_manual(void);
void pct_cli_print_completion(void);

/* Threads that wait sleep soon; returns where nothing is to be done, else the program begins anew. */
void pct_cli_spin_shortly(char **argv);

/* Exit codes (docs/interface.md). */
enum pct_cli_exit {
    PCT_EXIT_DONE = 0,
    PCT_EXIT_EMPTY = 1,
    PCT_EXIT_USAGE = 2,
    PCT_EXIT_INPUT = 3,
    PCT_EXIT_MODEL = 4,
    PCT_EXIT_RESOURCE = 5,
    PCT_EXIT_WORK = 6,
    PCT_EXIT_INTERRUPTED = 130,
};
int pct_cli_exit_code(percept_status status);
/* Prints the error's line on stderr, with a hint to help after wrong usage; returns the exit code. */
int pct_cli_report(const char *command, const percept_error *error);

#endif
