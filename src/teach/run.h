/* run.h: teaching a finished model a folder of named cut-outs.
 *
 * Things (data/things.h) are staged into a run folder; the model is fine-tuned on scenes that show them beside names it
 * knows (a small replay pack), with one picture held back of every name that has three or more; what it finds is then
 * measured on scenes with the pictures held back. The run is an ordinary one of train/run.h, so that it can be stopped
 * and resumed, and its result depends on folder, model, pack, steps, seed and threads alone. Nothing but the run folder
 * exists before the end. It refuses folders with anything wrong in them. */
#ifndef PCT_TEACH_RUN_H
#define PCT_TEACH_RUN_H

#include "base/log.h"
#include "base/text.h"
#include "percept/progress.h"

#include <stdint.h>

/* Steps a minute of the budget: two thirds of what two cores of the machine of docs/teach.md do, so that slower ones
 * keep to it too, with the measuring before and after. A budget is a number of steps, so that it gives the same model
 * everywhere. */
#define PCT_TEACH_STEPS_A_MINUTE 60

typedef struct pct_teach_options {
    const char *folder, *out, *model, *replay;
    const char *sheet; /* the contact sheet; NULL: "-sheet.png" in place of the ending of `out` */
    const char *run;   /* the run folder; NULL: `out` with ".run" */
    double minutes;
    int64_t steps; /* 0: as minutes say */
    uint64_t seed;
    bool resume;
    int32_t threads;
    uint32_t cpu_mask;
    int64_t pictures; /* of each test; 0: as many as the names ask for (tests take few) */
    const pct_log *log;
} pct_teach_options;

/* *json (one line without its end), *table: what was taught and what it finds. Either may be NULL. INPUT: the folder,
 * model or pack. USAGE: a run folder that is there without `resume`, or the other way round. INTERRUPTED: can be
 * resumed. */
percept_status pct_teach_run(const pct_teach_options *options, percept_progress_fn *progress, void *context,
                             pct_text *json, pct_text *table, percept_error *error);

#endif
