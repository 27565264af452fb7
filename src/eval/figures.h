/* figures.h: benchmark figures of generated answers, exactly as docs/interface.md names them.
 *
 * A question is judged once (pct_eval_outcome) and added to every group it belongs to: all questions, its task, its
 * style. Means are made at the end, so that groups can be merged. nan where a group has nothing to say. */
#ifndef PCT_EVAL_FIGURES_H
#define PCT_EVAL_FIGURES_H

#include "base/text.h"
#include "data/sample.h"
#include "eval/calibrate.h"

/* How one question went. Fields of other tasks stay zero. */
typedef struct pct_eval_outcome {
    enum pct_task task;
    uint8_t style; /* enum pct_style, or PCT_STYLE_COUNT */
    bool held_out;

    bool refers; /* one region was wanted: the answer's region of highest score against it, at the picture's size */
    double mask_iou, box_iou;
    int64_t intersection, union_area;

    bool absent, absent_right; /* right: no region, and words that say so */
    bool broken;               /* a region was told that cannot be read */
    bool present, found;       /* found: at least one region was returned */
    bool counted, count_right;
    bool named, name_right;

    bool set;                          /* several regions wanted; matched greedily by mask IoU */
    int32_t wanted, returned, matched; /* matched: pairs of IoU >= 0.5 */
    double set_iou;                    /* sum of matched pairs' IoU / max(wanted, returned) */

    const pct_eval_region *regions; /* all that were returned */
    int32_t region_count;
} pct_eval_outcome;

/* A referring question whose region was hit: box IoU of at least 0.5. False of other questions. */
bool pct_eval_is_hit(const pct_eval_outcome *outcome);

typedef struct pct_figures {
    int64_t n;
    int64_t refers;
    double mask_iou, hits, box_iou;
    int64_t intersection, union_area;
    int64_t generalised; /* referring and absent questions: gIoU as in gRefCOCO (absent: 1 without a region, else 0) */
    double generalised_iou;
    int64_t absent, absent_right, present, found, counted, count_right, named, name_right;
    int64_t sets, wanted, returned, matched;
    double set_iou;
    pct_calibration_bins bins;
} pct_figures;

void pct_figures_add(pct_figures *figures, const pct_eval_outcome *outcome);
void pct_figures_merge(pct_figures *into, const pct_figures *from);

/* A figure by its key: acc50, miou, ciou, giou, absent_acc, present_recall, count_acc, name_exact, ece, and beyond the
 * interface: box_iou, set_iou, set_f1. nan where there is none; asserts on another key. */
double pct_figures_get(const pct_figures *figures, const char *key);
/* The keys in order, NULL-terminated. */
extern const char *const pct_figures_keys[];

#endif
