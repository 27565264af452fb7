/* run.c: takes the runs of an experiment one after another, beside other processes that do the same. */
#include "base/file.h"
#include "base/size.h"
#include "experiment/experiment_private.h"
#include "train/checkpoint.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MARK "finished" /* in a run's folder: its steps, when all of training was done */

/* ---- one run --------------------------------------------------------------------------------------------------- */

/* What a run's folder holds. */
struct found {
    bool begun;    /* the run or another one: its settings are to be compared */
    bool resumes;  /* a checkpoint */
    bool finished; /* all of the run: our mark, or, of a run made by `train` alone that needs no calibration of its
                    * answers, a checkpoint of the last step and a model file */
};

static percept_status look(const pct_experiment *experiment, int index, const char *folder, int64_t steps,
                           struct found *found, percept_error *error) {
    const pct_experiment_run *run = &experiment->list.runs[index];
    char *mark = pct_path_join(folder, MARK), *model = pct_path_join(folder, "model.gguf"), *checkpoint = NULL;
    char *data = NULL, wanted[32];
    size_t size;
    pct_gguf *file = NULL;
    percept_status status = mark && model ? PERCEPT_OK : pct_fail_memory(error, "run");
    snprintf(wanted, sizeof wanted, "%lld\n", (long long)steps);
    if (status == PERCEPT_OK) status = pct_checkpoint_newest(folder, &checkpoint, error);
    *found = (struct found){.begun = checkpoint != NULL, .resumes = checkpoint != NULL};
    if (status == PERCEPT_OK && pct_file_exists(mark) && pct_file_exists(model)) {
        status = pct_file_read(mark, 64, &data, &size, error);
        found->begun = true;
        found->finished = status == PERCEPT_OK && strcmp(data, wanted) == 0 &&
                          (checkpoint || !pct_experiment_is_begun_with(experiment, index, false));
    } else if (status == PERCEPT_OK && checkpoint && !run->judge && pct_file_exists(model)) {
        const char *config;
        pct_checkpoint_state state;
        status = pct_checkpoint_open(&file, checkpoint, &state, &config, error);
        found->finished = status == PERCEPT_OK && state.step == steps;
        pct_gguf_close(&file);
    }
    free(data);
    free(mark);
    free(model);
    free(checkpoint);
    return status;
}

static percept_status write_mark(const char *folder, int64_t steps, percept_error *error) {
    char text[32], *path = pct_path_join(folder, MARK);
    if (!path) return pct_fail_memory(error, "run");
    int length = snprintf(text, sizeof text, "%lld\n", (long long)steps);
    percept_status status = pct_file_write(path, text, (size_t)length, error);
    free(path);
    return status;
}

/* Checkpoints are large; those that nobody begins with are not needed once the result is there. A run that was made
 * elsewhere, or that is elsewhere behind a link, is not ours to tidy. */
static void tidy(const pct_experiment *experiment, int index, const char *folder) {
    struct stat info;
    char *mark = pct_path_join(folder, MARK);
    bool ours = mark && pct_file_exists(mark) && lstat(folder, &info) == 0 && S_ISDIR(info.st_mode);
    free(mark);
    if (ours && !pct_experiment_is_begun_with(experiment, index, false)) pct_checkpoint_prune(folder, 0);
}

/* A run that is made anew is unfinished until its end, for those that wait for it too. */
static void clear_end(const char *folder) {
    static const char *const names[] = {MARK, "model.gguf"};
    for (size_t i = 0; i < PCT_COUNT(names); i++) {
        char *path = pct_path_join(folder, names[i]);
        if (path) remove(path);
        free(path);
    }
}

/* *numbers: of the model, when it was trained now; else they stay. */
static percept_status train(pct_experiment *experiment, int index, pct_experiment_plan *plan, const char *folder,
                            pct_train_cost *numbers, percept_error *error) {
    struct found found;
    PCT_TRY(look(experiment, index, folder, plan->steps, &found, error));
    if (found.begun) PCT_TRY(pct_experiment_plan_check(plan, folder, error));
    if (found.finished) return PERCEPT_OK;
    plan->train.resume = found.resumes;
    if (found.begun && !found.resumes) clear_end(folder);
    pct_train_result result;
    PCT_TRY(pct_train_run(&plan->train, pct_experiment_progress, experiment, &result, error));
    *numbers = result.numbers;
    return write_mark(folder, plan->steps, error);
}

/* Under the run's lock. */
static percept_status do_run(pct_experiment *experiment, int index, const char *folder, percept_error *error) {
    const int64_t steps = pct_experiment_steps(experiment, index);
    PCT_ASSERT(steps > 0);
    pct_experiment_plan plan;
    pct_train_cost numbers = {0};
    experiment->doing = experiment->list.runs[index].name;
    percept_status status = pct_experiment_plan_make(&plan, experiment, index, steps, error);
    if (status == PERCEPT_OK) status = train(experiment, index, &plan, folder, &numbers, error);
    if (status == PERCEPT_OK) status = pct_experiment_result(experiment, index, &plan, &numbers, error);
    if (status == PERCEPT_OK) tidy(experiment, index, folder);
    pct_experiment_plan_free(&plan);
    return status;
}

/* ---- the list -------------------------------------------------------------------------------------------------- */

enum taken { TAKEN_NONE, TAKEN_BY_OTHERS, TAKEN_DONE };

bool pct_experiment_is_open(const pct_experiment *experiment, int index) {
    if (!pct_experiment_done(experiment, index)) return true;
    for (int i = 0; i < experiment->list.count; i++) {
        bool waits = experiment->wanted[i] && experiment->list.runs[i].needs == index;
        if (waits && !pct_experiment_can_begin(experiment, i) && pct_experiment_is_open(experiment, i))
            return true; /* no circles */
    }
    return false;
}

static percept_status try_run(pct_experiment *experiment, int index, enum taken *taken, percept_error *error) {
    int lock;
    char *folder = pct_experiment_run_folder(experiment, index);
    if (!folder) return pct_fail_memory(error, "run");
    percept_status status = pct_lock_directory(folder, &lock, error);
    *taken = TAKEN_BY_OTHERS;
    if (status == PERCEPT_OK && lock >= 0) {
        *taken = TAKEN_DONE;
        if (pct_experiment_is_open(experiment, index)) status = do_run(experiment, index, folder, error);
        if (status != PERCEPT_OK && status != PERCEPT_ERROR_INTERRUPTED) {
            pct_error_prefix(error, "run '%s'", experiment->list.runs[index].name);
        }
        close(lock);
    }
    free(folder);
    return status;
}

/* Runs that failed are told and left alone; what stops everything goes up. */
static percept_status note_failure(pct_experiment *experiment, int index, percept_status status,
                                   const percept_error *now, percept_error *first) {
    if (status != PERCEPT_ERROR_WORK) return status;
    pct_log_write(experiment->options->log, PCT_LOG_WARNING, "%s", now->message);
    experiment->failed[index] = true;
    if (first->status == PERCEPT_OK) *first = *now;
    return PERCEPT_OK;
}

/* Half a second, unless the caller wants to stop. */
static percept_status rest(pct_experiment *experiment, percept_error *error) {
    if (pct_experiment_stopped(experiment)) {
        return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted; the same command goes on");
    }
    nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    return PERCEPT_OK;
}

percept_status pct_experiment_lock_measuring(pct_experiment *experiment, int *lock, percept_error *error) {
    const pct_experiment_options *options = experiment->options;
    for (*lock = -1; *lock < 0;) {
        PCT_TRY(pct_lock_directory(options->out ? options->out : options->folder, lock, error));
        if (*lock < 0) PCT_TRY(rest(experiment, error));
    }
    return PERCEPT_OK;
}

static percept_status calibrate(pct_experiment *experiment, percept_error *error) {
    int lock;
    PCT_TRY(pct_experiment_lock_measuring(experiment, &lock, error)); /* what another process finds is for us too */
    percept_status status = pct_experiment_calibrate(experiment, error);
    close(lock);
    return status;
}

/* One way through the list; *made: a run was made, so others may now begin. *waiting: some run waits for what another
 * process makes. A run that waits for what nobody makes is a failure. */
static percept_status pass(pct_experiment *experiment, bool *made, bool *waiting, percept_error *first,
                           percept_error *error) {
    int blocked = -1;
    bool busy = false;
    *made = *waiting = false;
    PCT_TRY(calibrate(experiment, error));
    for (int i = 0; i < experiment->list.count; i++) {
        if (!experiment->wanted[i] || experiment->failed[i] || !pct_experiment_is_open(experiment, i)) continue;
        if (!pct_experiment_can_begin(experiment, i) || pct_experiment_steps(experiment, i) == 0) {
            blocked = i;
            continue;
        }
        enum taken taken = TAKEN_NONE;
        percept_error now = {0};
        percept_status status = try_run(experiment, i, &taken, &now);
        if (status != PERCEPT_OK) {
            status = note_failure(experiment, i, status, &now, first);
            if (status == PERCEPT_OK) continue;
            if (error) *error = now;
            return status;
        }
        busy = busy || taken == TAKEN_BY_OTHERS;
        if (taken == TAKEN_DONE) {
            *made = true;
            return PERCEPT_OK; /* look again from the start: what waited for it comes first */
        }
    }
    *waiting = blocked >= 0 && busy;
    if (blocked < 0 || busy || first->status != PERCEPT_OK) return PERCEPT_OK;
    const pct_experiment_run *run = &experiment->list.runs[blocked];
    if (run->needs < 0)
        return pct_fail(error, PERCEPT_ERROR_WORK, "run '%s' cannot begin: its steps are not measured", run->name);
    return pct_fail(error, PERCEPT_ERROR_WORK, "run '%s' cannot begin: it waits for '%s'", run->name,
                    experiment->list.runs[run->needs].name);
}

/* A language model that nobody has fetched is found before the first run begins, not hours later. */
static percept_status check_bases(const pct_experiment *experiment, percept_error *error) {
    percept_status status = PERCEPT_OK;
    for (int i = 0; i < experiment->list.count && status == PERCEPT_OK; i++) {
        if (!experiment->wanted[i] || !pct_experiment_is_open(experiment, i)) continue;
        pct_experiment_plan plan;
        status = pct_experiment_plan_make(&plan, experiment, i, 0, error);
        if (status == PERCEPT_OK && plan.base && !pct_file_exists(plan.base))
            status =
                pct_fail(error, PERCEPT_ERROR_INPUT,
                         "run '%s': model.base: %s is not there; fetch it first (docs/experiments.md), or leave its "
                         "runs out with --only",
                         experiment->list.runs[i].name, plan.base);
        pct_experiment_plan_free(&plan);
    }
    return status;
}

static percept_status run_all(pct_experiment *experiment, percept_error *error) {
    percept_error first = {0};
    PCT_TRY(check_bases(experiment, error));
    for (bool made = true, waiting = false; made || waiting;) {
        PCT_TRY(pass(experiment, &made, &waiting, &first, error));
        if (!made && waiting) PCT_TRY(rest(experiment, error));
    }
    if (first.status == PERCEPT_OK) return PERCEPT_OK;
    if (error) *error = first;
    return first.status;
}

percept_status pct_experiment_rerun(const pct_experiment_options *options, percept_progress_fn *progress, void *context,
                                    percept_error *error) {
    pct_experiment *experiment = calloc(1, sizeof *experiment);
    if (!experiment) return pct_fail_memory(error, "experiment");
    percept_status status = pct_experiment_open(experiment, options, error);
    experiment->progress = progress;
    experiment->context = context;
    if (status == PERCEPT_OK) status = pct_make_directory(experiment->runs, error);
    if (status == PERCEPT_OK) status = pct_make_directory(experiment->results, error);
    if (status == PERCEPT_OK) status = run_all(experiment, error);
    pct_experiment_close(experiment);
    free(experiment);
    return status;
}
