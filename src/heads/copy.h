/* copy.h: words copied from what a region shows.
 *
 * The cells that the dense loss has taught to resemble their names' words (naming.h) name most things rightly; a small
 * language model that is given a region and has to find its way from those cells to the same words does not
 * (docs/training.md, "Naming"). So a state that has read a region gets the mean of the region's cells, each of length
 * 1, added before the output matrix, which, when tied, holds those words: their logits rise. How much of it, channel by
 * channel, the state decides: s + scale * (1 + gate(s)) * mean. Copying from the input to the output beside what the
 * decoder says itself: CopyNet (arXiv 1603.06393), pointer-generator networks (arXiv 1704.04368). Not in PerceptionGPT:
 * language.copying 0. */
#ifndef PCT_HEADS_COPY_H
#define PCT_HEADS_COPY_H

#include "nn/layers.h"

typedef struct pct_copy {
    pct_linear gate;      /* width -> width, begins as 0 */
    pct_parameter *scale; /* (1) */
} pct_copy;
void pct_copy_build(pct_copy *copy, pct_builder *builder, int64_t width);
/* states (n,width) after the final norm, seen (n,width): what the last region that each has read shows, 0 for none. */
pct_tensor *pct_copy_apply(pct_tape *tape, const pct_copy *copy, pct_tensor *states, pct_tensor *seen);

#endif
