/* metrics.h: what a run tells of itself: metrics.jsonl, a line a logging interval and one a validation, and two plots
 * (loss.png, figures.png). Lines carry times and are therefore not the same twice; checkpoints are. */
#ifndef PCT_TRAIN_METRICS_H
#define PCT_TRAIN_METRICS_H

#include "eval/run.h"
#include "train/losses.h"

#include <stdio.h>

/* Sums over the steps since the last line. */
typedef struct pct_metrics_sum {
    pct_loss_sum losses;
    int64_t steps, pictures, questions;
    double norm;
} pct_metrics_sum;

struct pct_metrics_curves;
typedef struct pct_metrics {
    char *folder;
    FILE *file;
    struct pct_metrics_curves *curves;
    pct_metrics_sum sum;
    double started, started_cpu; /* clocks at the last line */
    unsigned validated; /* splits with a line at the step that is gone on after, as pct_trainer_validate counts */
} pct_metrics;

/* Opens folder/metrics.jsonl: a new one, or, going on after `step`, the old one without later lines. */
percept_status pct_metrics_open(pct_metrics *metrics, const char *folder, bool resume, int64_t step,
                                percept_error *error);
void pct_metrics_close(pct_metrics *metrics);

void pct_metrics_add(pct_metrics *metrics, const pct_losses *losses, int64_t pictures, int64_t questions);
void pct_metrics_add_step(pct_metrics *metrics, double norm);
/* Writes the line of the steps added since the last one and starts anew; `message` gets it in short. */
percept_status pct_metrics_log(pct_metrics *metrics, int64_t step, double rate, char *message, size_t size,
                               percept_error *error);
/* A line of a validation set: generated answers (may be NULL) and teacher-forced losses (may be NULL). */
percept_status pct_metrics_validation(pct_metrics *metrics, int64_t step, const char *split,
                                      const pct_eval_report *report, const pct_losses *losses, percept_error *error);
/* So much of the time since the last line was no training (validation, checkpoints): wall and processor seconds. */
void pct_metrics_pause(pct_metrics *metrics, double seconds, double cpu_seconds);
/* The run is stopped between two lines: the time of its last steps is kept in a line without losses, so that times
 * still add up when it goes on. */
percept_status pct_metrics_stopped(pct_metrics *metrics, int64_t step, percept_error *error);
/* Draws the plots anew. Where cairo is missing nothing is drawn and nothing fails. */
percept_status pct_metrics_plot(pct_metrics *metrics, percept_error *error);

#endif
