/* experiment.c: `experiment`: reruns an experiment. */
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/print.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most_only = 64 };

/* "a,b,c" into names of `copy`, which is cut up; how many, -1: too many. */
static int split_names(char *copy, const char **names) {
    int count = 0;
    char *rest = NULL;
    for (char *name = strtok_r(copy, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest)) {
        if (count == most_only) return -1;
        names[count++] = name;
    }
    return count;
}

/* Beside the results of -o or of the user's own experiment; the page of one that came with percept is published, in
 * docs/ of the source tree. */
static percept_status report(const pct_cli_line *line, const percept_experiment_options *options,
                             percept_error *error) {
    const char *slash = strrchr(options->folder, '/'), *name = slash ? slash + 1 : options->folder;
    const char *folder = line->settings.out ? line->settings.out : options->folder;
    char docs[4200];
    if (!line->settings.out && !strchr(line->arguments[0], '/')) {
        snprintf(docs, sizeof docs, "%.4000s/../../docs", options->folder);
        folder = docs;
    }
    return percept_experiment_report(options, folder, name, error);
}

static percept_status run_or_list(const pct_cli_line *line, const percept_experiment_options *options, char **table,
                                  percept_error *error) {
    const pct_cli_settings *s = &line->settings;
    if (s->report) return report(line, options, error);
    if (s->answers) return percept_experiment_answers(options, pct_cli_progress, NULL, error);
    if (s->list) return percept_experiment_list(options, table, error);
    return percept_experiment_run(options, pct_cli_progress, NULL, error);
}

static percept_status experiment(const pct_cli_line *line, char **table, percept_error *error) {
    const pct_cli_settings *s = &line->settings;
    if (line->argument_count != 1) {
        return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "%zu arguments; give the experiment's name, such as claims",
                            line->argument_count);
    }
    if (s->report + s->answers + s->list > 1)
        return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "--list, --answers, --report: give one of them");
    const char *names[most_only];
    char *only = s->only ? strdup(s->only) : NULL, *folder = NULL, *pack = NULL;
    percept_error no_pack = {0};
    percept_status status = PERCEPT_OK;
    int count = only ? split_names(only, names) : 0;
    if (s->only && !only) status = pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory");
    if (count < 0) status = pct_cli_fail(error, PERCEPT_ERROR_USAGE, "--only: more than %d names", most_only);
    if (status == PERCEPT_OK) status = pct_cli_experiment_path(line->arguments[0], &folder, error);
    if (status == PERCEPT_OK && s->pack) {
        status = pct_cli_pack_path(s, &pack, error);
    } else if (status == PERCEPT_OK && pct_cli_pack_path(s, &pack, &no_pack) != PERCEPT_OK) {
        pack = NULL; /* not every experiment wants it; one that does says which file is missing */
    }
    if (status == PERCEPT_OK) {
        percept_experiment_options options;
        percept_experiment_options_init(&options);
        options.folder = folder;
        options.out = s->out;
        options.only = names;
        options.only_count = (size_t)count;
        options.pack = pack;
        options.minutes = s->minutes;
        options.cpu_mask = (uint32_t)s->cpu_mask;
        options.log = pct_cli_log;
        status = run_or_list(line, &options, table, error);
    }
    free(only);
    free(folder);
    free(pack);
    return status;
}

static int run_experiment(const pct_cli_line *line) {
    percept_error error = {0};
    char *table = NULL;
    percept_status status = experiment(line, &table, &error);
    pct_cli_progress_end();
    pct_cli_print_report(NULL, table);
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("experiment", &error);
}

const pct_cli_command pct_cli_experiment = {
    .name = "experiment",
    .arguments = "NAME",
    .summary = "reruns a comparison: every run of its list, its curve and its figures",
    .details = "NAME is an experiment that came with percept (claims), or a folder with a list.yaml. Runs that have a\n"
               "result are passed over; Ctrl-C stops, the same command goes on. Started several times at once, the\n"
               "processes share the list. A run has the threads that the list gives it. Results go to results/ in -o,\n"
               "or in the experiment's own folder.",
    .options = PCT_CLI_BIT(PCT_CLI_OUT) | PCT_CLI_BIT(PCT_CLI_PACK) | PCT_CLI_BIT(PCT_CLI_LIST) |
               PCT_CLI_BIT(PCT_CLI_ONLY) | PCT_CLI_BIT(PCT_CLI_REPORT) | PCT_CLI_BIT(PCT_CLI_ANSWERS) |
               PCT_CLI_BIT(PCT_CLI_MINUTES),
    .computes = true,
    .run = run_experiment,
};
