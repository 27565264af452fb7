/* segment.h: what a plane of foreground probabilities says about a picture by itself: mask, box and score.
 *
 * For models whose answer is forced (MLLMSeg): no token tells whether anything was found, nor how surely. The score is
 * not calibrated, and absence is a matter of a threshold on it: a region without a pixel has the score 0. */
#ifndef PCT_IMAGE_SEGMENT_H
#define PCT_IMAGE_SEGMENT_H

#include "image/fit.h"

typedef struct pct_segment {
    pct_mask mask; /* of the picture's size; owned: pct_mask_free */
    pct_box box;   /* the mask's extent in pixel edges; zeros without a pixel */
    float score;   /* mean probability, 0..1, of the plane's cells that are foreground; 0 without a pixel */
} pct_segment;

/* probability[side][side], over the model's square, is resized bilinearly to the picture and compared there: foreground
 * is >= threshold. (Resizing logits instead would move the edges.) Cells in a padded square's margin do not count; NaN
 * is background. */
percept_status pct_segment_read(pct_segment *out, const pct_fit *fit, const float *probability, int side,
                                float threshold, pct_pool *pool, percept_error *error);

#endif
