/* losses.h: what a batch of predicted regions is charged for (docs/model.md, "Losses").
 *
 * Deviations from the released code, all on purpose: GIoU is taken on real corners (it read x0,y0,x1,y1 as centre and
 * size); dice is a mean over masks, not one for the whole batch, so that small things count; targets are at the side of
 * the logits, no resize. Added: binary cross entropy of the quality head against the IoU that was reached, as a number
 * without gradient. */
#ifndef PCT_HEADS_LOSSES_H
#define PCT_HEADS_LOSSES_H

#include "nn/layers.h"

typedef struct pct_region_targets {
    int64_t count;
    const pct_real *boxes;       /* (Q,4) */
    const pct_real *masks;       /* (Q,m*m), 0..1 */
    const pct_real *mask_weight; /* (Q): 0 where only the box is known; NULL: all known */
} pct_region_targets;

typedef struct pct_region_losses {
    pct_tensor *l1, *giou, *bce, *dice; /* scalars; bce and dice NULL when no mask is known */
    pct_tensor *quality;                /* NULL without that head */
    double mask_iou, box_iou;           /* means */
} pct_region_losses;

/* boxes (Q,4), logits (Q,m,m), quality (Q,1) or NULL. Targets are borrowed until the tape is cleared. */
pct_region_losses pct_region_losses_make(pct_tape *tape, pct_tensor *boxes, pct_tensor *logits, pct_tensor *quality,
                                         const pct_region_targets *targets);

#endif
