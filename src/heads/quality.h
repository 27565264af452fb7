/* quality.h: how good a predicted region is: a logit whose sigmoid estimates the IoU with what was meant.
 *
 * It sees the mask's final query, the language model's state, and numbers that say how decided the mask is. Those
 * numbers carry no gradient: the head judges the mask and does not shape it. */
#ifndef PCT_HEADS_QUALITY_H
#define PCT_HEADS_QUALITY_H

#include "nn/layers.h"

#define PCT_QUALITY_STATISTICS 8

typedef struct pct_quality_head {
    pct_mlp mlp;
} pct_quality_head;
void pct_quality_build(pct_quality_head *head, pct_builder *builder, int64_t state_width, int64_t query_width,
                       int64_t hidden);
/* states (Q,D), query (Q,W), logits (Q,m,m), boxes (Q,4) -> (Q,1) */
pct_tensor *pct_quality_apply(pct_tape *tape, const pct_quality_head *head, pct_tensor *states, pct_tensor *query,
                              pct_tensor *logits, pct_tensor *boxes);

/* IoU of two boxes in x0,y0,x1,y1, corners ordered first; 0 when both are empty. */
double pct_region_box_iou(const pct_real *a, const pct_real *b);
/* IoU of logits > 0 with target > 0.5; 1 when both are empty. */
double pct_region_mask_iou(const pct_real *logits, const pct_real *target, int64_t count);

#endif
