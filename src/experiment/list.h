/* list.h: the plain list of runs that an experiment consists of: FOLDER/list.yaml.
 *
 *     about: what is compared, for the report
 *     pictures: 200         # of each test split that a finished run is examined on
 *     curve: 10             # validations on the way
 *     curve_pictures: 50    # of each
 *     runs:
 *       start: { group: start, config: tower.yaml, steps: 800, threads: 2, judge: false }
 *       token:
 *         group: main
 *         config: main.yaml # a training config, beside the list
 *         minutes: 60       # of one processor; or steps: 800
 *         seeds: [1, 2, 3]  # becomes token-1, token-2, token-3; or seed: 1
 *         pictures: 500     # where the list's would say too little
 *         warm: start       # that run's newest checkpoint becomes run.warm; or from: its model file becomes run.from
 *         set: { heads.box: plain }
 *
 * Unknown keys, runs that are not there and runs that wait for each other are refused with the line. What `set` says is
 * checked against the training config's keys by whoever loads it (run.h). */
#ifndef PCT_EXPERIMENT_LIST_H
#define PCT_EXPERIMENT_LIST_H

#include "base/arena.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define PCT_EXPERIMENT_MAX_RUNS     256
#define PCT_EXPERIMENT_MAX_SETTINGS 64 /* of a run */

typedef struct pct_experiment_run {
    const char *name;   /* letters, digits, - _ . */
    const char *series; /* what its seeds have in common: the name without "-SEED" */
    const char *group, *about;
    const char *config;          /* path; "" : defaults and settings alone */
    const char *const *settings; /* "key=value" */
    size_t setting_count;
    int needs;                    /* index of the run that must be there first, -1: none */
    bool from;                    /* it gives run.from, else run.warm */
    bool judge;                   /* answers are examined: on the way, and at the end on both test splits */
    int64_t seed, threads, steps; /* steps 0: as many as fit `minutes` */
    int64_t pictures;             /* of each test split; the list's unless it says its own */
    double minutes;
    int64_t line; /* in the list */
} pct_experiment_run;

typedef struct pct_experiment_list {
    const char *folder, *about;
    int64_t pictures, curve, curve_pictures;
    pct_experiment_run *runs;
    int count;
    pct_arena arena; /* all of the above */
} pct_experiment_list;

/* Reads folder/list.yaml. PERCEPT_ERROR_INPUT begins "path:LINE: ". Zero-initialises *list first; free it in any case.
 */
percept_status pct_experiment_list_load(pct_experiment_list *list, const char *folder, percept_error *error);
/* The same from memory; `path` stands in messages. */
percept_status pct_experiment_list_load_memory(pct_experiment_list *list, const char *folder, const char *path,
                                               const char *data, size_t size, percept_error *error);
void pct_experiment_list_free(pct_experiment_list *list);
/* Index of the run; -1. */
int pct_experiment_find(const pct_experiment_list *list, const char *name);

#endif
