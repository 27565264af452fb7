/* experiment.c: what is wanted, what is done, and what a caller sees of it. See experiment.h. */
#include "base/cpu.h"
#include "base/file.h"
#include "base/size.h"
#include "experiment/experiment_private.h"
#include "train/checkpoint.h"

#include <stdlib.h>
#include <string.h>

int pct_experiment_series(const pct_experiment *experiment, int run) {
    const pct_experiment_list *list = &experiment->list;
    int first = 0;
    while (strcmp(list->runs[first].series, list->runs[run].series) != 0) first++;
    return first;
}

char *pct_experiment_run_folder(const pct_experiment *experiment, int run) {
    return pct_path_join(experiment->runs, experiment->list.runs[run].name);
}

char *pct_experiment_result_path(const pct_experiment *experiment, int run) {
    char name[96];
    snprintf(name, sizeof name, "%s.json", experiment->list.runs[run].name);
    return pct_path_join(experiment->results, name);
}

bool pct_experiment_done(const pct_experiment *experiment, int run) {
    char *path = pct_experiment_result_path(experiment, run);
    bool done = path && pct_file_exists(path);
    free(path);
    return done;
}

/* What another run begins with can be read: results are kept for good, runs' folders need not be. The model file is
 * written last, so a run that is being made again is not there before its end. */
static bool is_there(const pct_experiment *experiment, int run, bool from_model) {
    char *folder = pct_experiment_run_folder(experiment, run), *checkpoint = NULL;
    char *model = folder ? pct_path_join(folder, "model.gguf") : NULL;
    bool there = model && pct_file_exists(model);
    if (there && !from_model) {
        pct_checkpoint_newest(folder, &checkpoint, NULL);
        there = checkpoint != NULL;
    }
    free(checkpoint);
    free(model);
    free(folder);
    return there;
}

bool pct_experiment_can_begin(const pct_experiment *experiment, int run) {
    const pct_experiment_run *at = &experiment->list.runs[run];
    return at->needs < 0 || (pct_experiment_done(experiment, at->needs) && is_there(experiment, at->needs, at->from));
}

bool pct_experiment_is_begun_with(const pct_experiment *experiment, int run, bool model) {
    for (int i = 0; i < experiment->list.count; i++) {
        const pct_experiment_run *other = &experiment->list.runs[i];
        if (other->needs == run && (model || !other->from)) return true;
    }
    return false;
}

/* ---- what is wanted -------------------------------------------------------------------------------------------- */

static bool is_meant(const pct_experiment_run *run, const char *word) {
    return strcmp(run->name, word) == 0 || strcmp(run->series, word) == 0 || strcmp(run->group, word) == 0;
}

static percept_status mark_wanted(pct_experiment *experiment, percept_error *error) {
    const pct_experiment_options *options = experiment->options;
    const pct_experiment_list *list = &experiment->list;
    for (int i = 0; i < list->count; i++) experiment->wanted[i] = options->only_count == 0;
    for (size_t w = 0; w < options->only_count; w++) {
        bool found = false;
        for (int i = 0; i < list->count; i++) {
            if (!is_meant(&list->runs[i], options->only[w])) continue;
            experiment->wanted[i] = found = true;
        }
        if (found) continue;
        return pct_fail(error, PERCEPT_ERROR_USAGE, "'%.60s' is no run, series or group of %s/list.yaml",
                        options->only[w], list->folder);
    }
    for (int i = 0; i < list->count; i++) { /* and what they begin with, while that is still to be had */
        for (int at = i; experiment->wanted[i] && list->runs[at].needs >= 0; at = list->runs[at].needs) {
            if ((at == i && pct_experiment_done(experiment, at)) || pct_experiment_can_begin(experiment, at)) break;
            experiment->wanted[list->runs[at].needs] = true;
        }
    }
    return PERCEPT_OK;
}

/* Every config is read before the first run begins: a mistake in the last one is found now. */
static percept_status check_configs(const pct_experiment *experiment, percept_error *error) {
    for (int i = 0; i < experiment->list.count; i++) {
        if (!experiment->wanted[i] || pct_experiment_series(experiment, i) != i) continue;
        pct_experiment_plan plan;
        percept_status status = pct_experiment_plan_make(&plan, experiment, i, 0, error);
        pct_experiment_plan_free(&plan);
        if (status != PERCEPT_OK) return status;
    }
    return PERCEPT_OK;
}

percept_status pct_experiment_open(pct_experiment *experiment, const pct_experiment_options *options,
                                   percept_error *error) {
    *experiment = (pct_experiment){.options = options};
    percept_status status = pct_experiment_list_load(&experiment->list, options->folder, error);
    const char *out = options->out ? options->out : options->folder;
    experiment->runs = pct_path_join(out, "runs");
    experiment->results = pct_path_join(out, "results");
    experiment->calibration = pct_path_join(out, "calibration.json");
    experiment->answers = pct_path_join(out, "answers.json");
    if (status == PERCEPT_OK &&
        (!experiment->runs || !experiment->results || !experiment->calibration || !experiment->answers)) {
        status = pct_fail_memory(error, "experiment");
    }
    if (status == PERCEPT_OK) status = pct_experiment_load_results(experiment, error);
    if (status == PERCEPT_OK) status = mark_wanted(experiment, error);
    if (status == PERCEPT_OK) status = check_configs(experiment, error);
    return status;
}

void pct_experiment_close(pct_experiment *experiment) {
    for (int i = 0; i < PCT_EXPERIMENT_MAX_RUNS; i++) json_decref(experiment->found[i]);
    pct_experiment_list_free(&experiment->list);
    pct_text_free(&experiment->message);
    free(experiment->runs);
    free(experiment->results);
    free(experiment->calibration);
    free(experiment->answers);
    *experiment = (pct_experiment){0};
}

/* ---- what is seen of it ---------------------------------------------------------------------------------------- */

bool pct_experiment_progress(void *context, const percept_progress *progress) {
    pct_experiment *experiment = context;
    if (!experiment->progress) return false;
    percept_progress with = *progress;
    if (progress->message) {
        pct_text_clear(&experiment->message);
        pct_text_printf(&experiment->message, "%s: %s", experiment->doing, progress->message);
        with.message = experiment->message.data;
    }
    return experiment->progress(experiment->context, &with);
}

bool pct_experiment_stopped(pct_experiment *experiment) {
    const percept_progress still = {.stage = "wait", .unit = "run", .seconds_left = -1};
    return experiment->progress && experiment->progress(experiment->context, &still);
}

static void add_row(const pct_experiment *experiment, int index, pct_text *out) {
    const pct_experiment_run *run = &experiment->list.runs[index];
    char budget[40];
    const double minutes = pct_experiment_minutes(experiment, index);
    if (minutes > 0)
        snprintf(budget, sizeof budget, "%.4g min", minutes);
    else
        snprintf(budget, sizeof budget, "%lld steps", (long long)run->steps);
    pct_text_printf(out, "%-28s %-10s %12s  %-18s %s\n", run->name, run->group, budget,
                    run->needs >= 0 ? experiment->list.runs[run->needs].name : "-",
                    pct_experiment_done(experiment, index) ? "done" : "");
}

percept_status pct_experiment_table(const pct_experiment_options *options, pct_text *out, percept_error *error) {
    pct_experiment *experiment = calloc(1, sizeof *experiment);
    if (!experiment) return pct_fail_memory(error, "experiment");
    percept_status status = pct_experiment_open(experiment, options, error);
    if (status == PERCEPT_OK) {
        pct_text_printf(out, "%-28s %-10s %12s  %-18s\n", "run", "group", "budget", "begins with");
        for (int i = 0; i < experiment->list.count; i++) {
            if (experiment->wanted[i]) add_row(experiment, i, out);
        }
        if (out->failed) status = pct_fail_memory(error, "table");
    }
    pct_experiment_close(experiment);
    free(experiment);
    return status;
}
