/* run.h: a training run from its config to the model file.
 *
 * The folder run.out gets config.yaml, metrics.jsonl, loss.png, figures.png, checkpoints, and at the end model.gguf
 * with its figures (test-*.json). Scenes are composed as they are needed, on the same threads, and never seen twice. A
 * run that was interrupted and resumed ends with the same bits as one that was not, at the same thread count. */
#ifndef PCT_TRAIN_RUN_H
#define PCT_TRAIN_RUN_H

#include "base/log.h"
#include "percept/progress.h"
#include "train/config.h"

typedef struct pct_train_options {
    const char *config;          /* YAML; NULL: defaults and settings alone */
    const char *const *settings; /* "key=value", each beats the file */
    size_t setting_count;
    bool resume;         /* go on from the newest checkpoint of the run's folder */
    int32_t threads;     /* 0: run.threads */
    uint32_t cpu_mask;   /* narrows pct_cpu_flags() */
    const char *command; /* for the model card; NULL: "percept train" */
    uint64_t identity;   /* stands in the card in place of the config's hash, which knows of paths; 0: the hash */
    const pct_log *log;  /* NULL: warnings are dropped */
    bool locked;         /* the caller has the lock of run.out (pct_lock_directory) */
    bool dry;            /* nothing is written and run.out is not looked at (pct_train_measure) */
    int64_t guard_after; /* tests: steps after this many must not allocate, but for composing; 0: no guard */
} pct_train_options;

typedef struct pct_train_cost {
    int64_t parameters, trainable; /* numbers of the model, and those that learn */
    int64_t pictures;              /* a step */
} pct_train_cost;

typedef struct pct_train_result {
    int64_t steps; /* done */
    pct_train_cost numbers;
} pct_train_result;

/* USAGE: the folder holds a run already and resume was not asked, or the other way round; another process
 * trains in it. INPUT: config, data. WORK:
 * the loss or its gradient is not finite or stayed far above its running mean; the last good checkpoint stays.
 * INTERRUPTED: the callback asked to stop; a checkpoint of the last whole step was written. result may be NULL. */
percept_status pct_train_run(const pct_train_options *options, percept_progress_fn *progress, void *context,
                             pct_train_result *result, percept_error *error);

/* What runs cost, side by side: sets up all `count` of them at once, makes `warm` steps of each that do not count, then
 * `rounds` steps of each in turn, so that what else the machine does falls on all alike; and throws everything away.
 * Nothing is written. Runs of one seed step over the same pictures. cpu[round * count + run]: processor seconds.
 * INTERRUPTED when the callback asks to stop. */
percept_status pct_train_measure(const pct_train_options *options, int count, int warm, int rounds,
                                 percept_progress_fn *progress, void *context, pct_train_cost *costs, double *cpu,
                                 percept_error *error);

/* The model that a run begins with, before its first step, as a model file at `path` whose matrices are of `type`.
 * Nothing else is written, and run.out is not looked at. */
percept_status pct_train_begin(const pct_train_options *options, const char *path, pct_dtype type,
                               percept_error *error);

#endif
