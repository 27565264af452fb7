/* experiment_private.h: what the parts of an experiment share. Not for other folders. */
#ifndef PCT_EXPERIMENT_PRIVATE_H
#define PCT_EXPERIMENT_PRIVATE_H

#include "experiment/experiment.h"
#include "formats/json.h"
#include "train/run.h"

#define PCT_EXPERIMENT_SCHEMA     1
#define PCT_EXPERIMENT_MAX_RESULT ((size_t)16 << 20)

/* What a step of a configuration (a series of the list) costs. */
typedef struct pct_step_cost {
    bool known;
    uint64_t config; /* hash of its settings */
    double ratio;    /* to the reference's, median */
    double cpu_seconds;
    pct_train_cost numbers;
} pct_step_cost;

typedef struct pct_experiment {
    const pct_experiment_options *options;
    pct_experiment_list list;
    char *runs, *results, *calibration, *answers; /* paths */
    bool wanted[PCT_EXPERIMENT_MAX_RUNS], failed[PCT_EXPERIMENT_MAX_RUNS];
    json_t *found[PCT_EXPERIMENT_MAX_RUNS];       /* results that were there when it was opened; NULL: none */
    pct_step_cost costs[PCT_EXPERIMENT_MAX_RUNS]; /* at the first run of each series */
    percept_progress_fn *progress;                /* the caller's */
    void *context;
    pct_text message;  /* of progress */
    const char *doing; /* the run */
} pct_experiment;

/* experiment.c */
percept_status pct_experiment_open(pct_experiment *experiment, const pct_experiment_options *options,
                                   percept_error *error);
void pct_experiment_close(pct_experiment *experiment);
/* The caller's progress with the run's name before each message. */
bool pct_experiment_progress(void *experiment, const percept_progress *progress);
/* Whether the caller wants to stop; for waiting. */
bool pct_experiment_stopped(pct_experiment *experiment);
/* First run of this run's series. */
int pct_experiment_series(const pct_experiment *experiment, int run);
/* malloc'd "folder/NAME" and "results/NAME.json"; NULL: out of memory. */
char *pct_experiment_run_folder(const pct_experiment *experiment, int run);
char *pct_experiment_result_path(const pct_experiment *experiment, int run);
/* Its result is there. */
bool pct_experiment_done(const pct_experiment *experiment, int run);
/* What it begins with is done, and still there. */
bool pct_experiment_can_begin(const pct_experiment *experiment, int run);
/* Whether some run begins with this one: with its last checkpoint, or, where `model`, also with its model file alone.
 */
bool pct_experiment_is_begun_with(const pct_experiment *experiment, int run, bool model);

/* run.c: waits until no other process measures in the experiment's folder; close(*lock) ends the turn. */
percept_status pct_experiment_lock_measuring(pct_experiment *experiment, int *lock, percept_error *error);
/* Whether the run is still to be made: no result, or a result whose run somebody begins with and that is gone. */
bool pct_experiment_is_open(const pct_experiment *experiment, int run);

/* plan.c: a run as a training. */
typedef struct pct_experiment_plan {
    pct_arena arena;
    const char *settings[PCT_EXPERIMENT_MAX_SETTINGS + 32];
    size_t count;
    pct_train_options train; /* config, settings, threads; borrowed from here: do not copy the plan */
    int64_t steps;
    const char *base;   /* the language model file that it begins on; NULL: none */
    uint64_t config;    /* hash of what it learns, whatever its length, seed and folder */
    pct_text canonical; /* the text of that, with the seed */
} pct_experiment_plan;
/* `steps` 0: only to look at it. The newest checkpoint of what it begins with is named if it is there.
 * Zero-initialises; free in any case. */
percept_status pct_experiment_plan_make(pct_experiment_plan *plan, const pct_experiment *experiment, int run,
                                        int64_t steps, percept_error *error);
/* The same structure and data begun with random weights, and a context of `context` tokens. INPUT for a run that takes
 * its structure from another's model. */
percept_status pct_experiment_plan_untrained(pct_experiment_plan *plan, const pct_experiment_run *run, int32_t context,
                                             percept_error *error);
void pct_experiment_plan_free(pct_experiment_plan *plan);
/* INPUT when the folder's run (config.yaml) was made with other settings or another number of steps. */
percept_status pct_experiment_plan_check(const pct_experiment_plan *plan, const char *folder, percept_error *error);

/* calibrate.c: reads calibration.json; measures what is not in it of the wanted runs whose beginnings are there. */
percept_status pct_experiment_calibrate(pct_experiment *experiment, percept_error *error);
/* A run's steps: the list's, or its minutes' worth. 0: not calibrated yet. */
int64_t pct_experiment_steps(const pct_experiment *experiment, int run);
/* Its minutes; 0: it has steps instead. */
double pct_experiment_minutes(const pct_experiment *experiment, int run);

/* measured.c. Sorts the values. */
double pct_experiment_median(double *values, int count);
/* Indented, reals to six digits; NULL: what made it ran out of memory (RESOURCE). */
percept_status pct_experiment_write_json(const char *path, const json_t *root, percept_error *error);

/* answers_told.c: answers.json. NULL in *answers: nothing is measured yet. The caller gives it back. */
percept_status pct_answers_load(const char *path, json_t **answers, percept_error *error);
/* How many times faster `fast` gives `objects` objects with their masks than `slow`: the least over the numbers of
 * threads, by the clock and in processor time. form: "named" (each object has its name) or "listed" (one name has all).
 * False: not measured. */
bool pct_answers_lead(const json_t *answers, const char *form, const char *fast, const char *slow, int64_t objects,
                      double *wall, double *cpu);
/* A section of the page, its plot at folder/file. */
percept_status pct_answers_tell(const json_t *answers, const char *folder, const char *file, pct_text *text,
                                percept_error *error);

/* result.c: examines a finished run and writes its result. numbers->pictures 0: not known, found out. */
percept_status pct_experiment_result(pct_experiment *experiment, int run, const pct_experiment_plan *plan,
                                     pct_train_cost *numbers, percept_error *error);
/* The config by the name that it has beside the list. */
const char *pct_experiment_config_name(const pct_experiment *experiment, const pct_experiment_run *run);
/* "scenes:SPLIT:PICTURES:SEED", what finished runs are examined on. */
void pct_experiment_test_data(char *data, size_t size, enum pct_split split, int64_t pictures);

/* result_check.c: INPUT when a result is of other settings, another length or other test pictures than the list's run.
 */
percept_status pct_experiment_result_check(const pct_experiment *experiment, int run, const json_t *result,
                                           percept_error *error);
/* The same of answer times: of settings that a series no longer has. */
percept_status pct_experiment_answers_check(const pct_experiment *experiment, const json_t *answers,
                                            percept_error *error);
/* Reads and checks all that are there, into experiment->found. */
percept_status pct_experiment_load_results(pct_experiment *experiment, percept_error *error);

#endif
