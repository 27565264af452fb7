/* experiment.h: reruns an experiment: every run of its list, each with its curve and its figures in one small file.
 *
 * OUT/runs/RUN is a run's folder (checkpoints, model), OUT/results/RUN.json its result, OUT/calibration.json what a
 * step of each configuration costs, OUT/answers.json what answers cost. A run is done when its result is there. Several
 * processes may share one list: each takes the next run that is neither done nor taken (flock on the run's folder). A
 * finished run's folder that is put, or linked, at OUT/runs/RUN counts if it was made with the same settings.
 *
 * Equal time: the minutes of a run are processor minutes at the speed that calibration found, so its steps are known
 * before it begins and do not depend on what else the machine does. Calibration makes steps of the configurations in
 * turn, beside those of a reference, and keeps the ratios. */
#ifndef PCT_EXPERIMENT_EXPERIMENT_H
#define PCT_EXPERIMENT_EXPERIMENT_H

#include "base/log.h"
#include "base/text.h"
#include "experiment/list.h"
#include "percept/progress.h"

typedef struct pct_experiment_options {
    const char *folder;      /* holds list.yaml */
    const char *out;         /* NULL: folder */
    const char *const *only; /* runs or series or groups, and what they begin with; none: all */
    size_t only_count;
    const char *pack;  /* takes the place of data.pack where a config names one; NULL: as the configs say */
    double minutes;    /* above 0: of every run, whatever the list says: a rehearsal */
    uint32_t cpu_mask; /* narrows pct_cpu_flags() */
    const pct_log *log;
} pct_experiment_options;

/* WORK: some runs failed (the first one's reason; the others were made); INTERRUPTED: stopped, the same call goes on;
 * INPUT: list, configs, or a folder that holds another run. */
percept_status pct_experiment_rerun(const pct_experiment_options *options, percept_progress_fn *progress, void *context,
                                    percept_error *error);
/* How long answers take with 1, 2, 4, ... 32 objects, with boxes and with masks, for every series that `only` names
 * (none: those of the group "main"): OUT/answers.json. The answers are prescribed, the weights random: time does not
 * depend on what is said. Nothing is trained. INTERRUPTED: stopped, nothing is written. */
percept_status pct_experiment_answers(const pct_experiment_options *options, percept_progress_fn *progress,
                                      void *context, percept_error *error);
/* The list for people, a run a line: group, budget, what it begins with, whether it is done. */
percept_status pct_experiment_table(const pct_experiment_options *options, pct_text *out, percept_error *error);
/* folder/NAME.md, folder/pictures/NAME-*.png and tables.json beside the results: what the results say. Trains nothing.
 */
percept_status pct_experiment_report(const pct_experiment_options *options, const char *folder, const char *name,
                                     percept_error *error);

#endif
