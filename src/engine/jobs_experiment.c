/* jobs_experiment.c: percept_experiment_run: the public form of experiment/. */
#include "base/cpu.h"
#include "engine/options.h"
#include "experiment/experiment.h"
#include "percept/jobs.h"

#include <math.h>

void percept_experiment_options_init(percept_experiment_options *options) {
    *options = (percept_experiment_options){.size = sizeof *options, .cpu_mask = PCT_CPU_ALL};
}

/* The caller's options as ours; `log` is filled and borrowed. */
static percept_status take(const percept_experiment_options *given, percept_experiment_options *options,
                           pct_experiment_options *inner, const pct_log *log, percept_error *error) {
    percept_experiment_options_init(options);
    PCT_TRY(pct_options_take(options, sizeof *options, given, "percept_experiment_options", error));
    if (!options->folder) return pct_fail(error, PERCEPT_ERROR_USAGE, "folder is not given");
    if (!(options->minutes >= 0 && options->minutes <= 100000)) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "minutes: %g is out of range; give 0 to 100000", options->minutes);
    }
    if (options->minutes > 0 && !options->out) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "minutes: a rehearsal's results are not the experiment's; name a folder for them (out, -o)");
    }
    *inner = (pct_experiment_options){.folder = options->folder,
                                      .out = options->out,
                                      .only = options->only,
                                      .only_count = options->only_count,
                                      .pack = options->pack,
                                      .minutes = options->minutes,
                                      .cpu_mask = options->cpu_mask,
                                      .log = options->log ? log : NULL};
    return PERCEPT_OK;
}

static void forward_log(void *context, enum pct_log_level level, const char *message) {
    const percept_experiment_options *options = context;
    options->log(options->log_context, (percept_log_level)level, message);
}

percept_status percept_experiment_run(const percept_experiment_options *given, percept_progress_fn *progress,
                                      void *context, percept_error *error) {
    percept_experiment_options options;
    pct_experiment_options inner;
    pct_log log = {forward_log, &options};
    PCT_TRY(take(given, &options, &inner, &log, error));
    return pct_experiment_rerun(&inner, progress, context, error);
}

percept_status percept_experiment_answers(const percept_experiment_options *given, percept_progress_fn *progress,
                                          void *context, percept_error *error) {
    percept_experiment_options options;
    pct_experiment_options inner;
    pct_log log = {forward_log, &options};
    PCT_TRY(take(given, &options, &inner, &log, error));
    return pct_experiment_answers(&inner, progress, context, error);
}

percept_status percept_experiment_list(const percept_experiment_options *given, char **table, percept_error *error) {
    percept_experiment_options options;
    pct_experiment_options inner;
    pct_log log = {forward_log, &options};
    pct_text text = {0};
    PCT_TRY(take(given, &options, &inner, &log, error));
    percept_status status = pct_experiment_table(&inner, &text, error);
    if (status == PERCEPT_OK) {
        *table = pct_text_take(&text);
        if (!*table) status = pct_fail_memory(error, "table");
    }
    pct_text_free(&text);
    return status;
}

percept_status percept_experiment_report(const percept_experiment_options *given, const char *folder, const char *name,
                                         percept_error *error) {
    percept_experiment_options options;
    pct_experiment_options inner;
    pct_log log = {forward_log, &options};
    PCT_TRY(take(given, &options, &inner, &log, error));
    if (!folder || !name) return pct_fail(error, PERCEPT_ERROR_USAGE, "folder or name of the page is not given");
    return pct_experiment_report(&inner, folder, name, error);
}
