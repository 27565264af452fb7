/* run.h: asks a model every question of a set of samples and judges its answers.
 *
 * All questions of a picture are answered as one batch; the second turn of a dialogue follows the model's own first
 * answer. Regions below the threshold are dropped before anything is judged, as `ask` does. Used by training for
 * validation and for the figures of the shipped file: it is the same code. */
#ifndef PCT_EVAL_RUN_H
#define PCT_EVAL_RUN_H

#include "eval/feed.h"
#include "eval/figures.h"
#include "eval/judge.h"
#include "kernels/kernels.h"
#include "model/model.h"

/* Called for every question once it is judged: `text` is the answer with its marks, the regions those that stayed above
 * the threshold, at the picture's size. All is borrowed until it returns. */
typedef percept_status pct_eval_judged(void *context, const pct_sample *sample, const pct_turn *turn, const char *text,
                                       const pct_judge_region *regions, int32_t count, const pct_eval_outcome *outcome,
                                       percept_error *error);

typedef struct pct_eval_options {
    float threshold;    /* negative: the model's own */
    int64_t limit;      /* at most so many pictures; 0: all of the feed */
    int32_t max_tokens; /* an answer; 0: 96, and where regions are text 96 beside their tokens, each region as one */
    bool keep;          /* keep questions and regions, for calibration and trades */
    pct_eval_judged *judged; /* NULL: nobody listens */
    void *judged_context;
} pct_eval_options;

typedef struct pct_eval_report {
    int64_t pictures, questions, cut, unparsable; /* cut: answers that a limit ended; unparsable: by what they said */
    int64_t regions_said, region_tokens;          /* of all answers, whatever the threshold */
    float threshold;                              /* that was used */
    pct_figures all;                              /* referring figures: PCT_TASK_REFER alone */
    pct_figures task[PCT_TASK_COUNT_];
    pct_figures style[PCT_STYLE_COUNT + 1]; /* by the style asked about; the last: none */
    pct_figures held_out;                   /* questions about cut-outs never trained on */
    double seconds;
    /* With options.keep; owned. */
    pct_eval_region *regions;
    int64_t region_count, region_capacity;
    pct_eval_question *question_list;
    int64_t question_count, question_capacity;
} pct_eval_report;

/* Generated tokens that belong to regions, a region; NAN when none was told. */
double pct_eval_tokens_per_object(const pct_eval_report *report);
/* Questions about the stamps (photographs and drawings), about the emoji. */
void pct_eval_stamps(const pct_eval_report *report, pct_figures *figures);
void pct_eval_emoji(const pct_eval_report *report, pct_figures *figures);

/* Zero-initialises *report first; the caller frees it in any case. `model` may be a model in training. */
percept_status pct_eval_run(pct_model *model, pct_compute *compute, const pct_feed *feed,
                            const pct_eval_options *options, percept_progress_fn *progress, void *context,
                            pct_eval_report *report, percept_error *error);
void pct_eval_report_free(pct_eval_report *report);

/* One JSON line (docs/interface.md): schema, model, model_hash, data, split, n, the figures, "tasks", "styles",
 * "held_out", "trade" when the report kept questions. model may be NULL. */
void pct_eval_report_json(const pct_eval_report *report, const pct_model *model, const char *data, const char *split,
                          pct_text *out);
/* The same as a table for people. */
void pct_eval_report_table(const pct_eval_report *report, const pct_model *model, const char *data, pct_text *out);

#endif
