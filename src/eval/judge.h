/* judge.h: one answer against what was wanted. Knows no model: text and masks alone, so that it can be tested by hand.
 */
#ifndef PCT_EVAL_JUDGE_H
#define PCT_EVAL_JUDGE_H

#include "eval/figures.h"
#include "image/mask.h"

#define PCT_JUDGE_MAX_REGIONS 64 /* what is said after them is left out of the judgement */

/* A region as it was returned, at the picture's size. */
typedef struct pct_judge_region {
    pct_mask mask; /* borrowed; data NULL: empty */
    pct_box box;   /* pixels */
    bool boxed;    /* there is no mask but the box, filled: it is a hit by its box */
    float score, quality, token;
} pct_judge_region;

/* `text`: the answer with its marks. `broken`: it also pointed at something in a way that cannot be read, which is no
 * region, but no denial either. `kept`: room for `count` entries (at most PCT_JUDGE_MAX_REGIONS), filled and
 * pointed to by the outcome. */
percept_status pct_judge(const pct_sample *sample, const pct_turn *turn, const char *text,
                         const pct_judge_region *regions, int32_t count, bool broken, pct_eval_region *kept,
                         pct_eval_outcome *outcome, percept_error *error);

#endif
