/* cross.h: attention of some rows to others, as the decoders of regions use it: four linear layers, of which `inside`
 * may be narrower than the rows. A checkpoint's packed in_proj is cut into q, k, v, in this order, when it is
 * converted. */
#ifndef PCT_HEADS_CROSS_H
#define PCT_HEADS_CROSS_H

#include "nn/layers.h"

typedef struct pct_cross {
    pct_linear q, k, v, out;
} pct_cross;
/* Names: <name>.q, .k, .v, .out */
void pct_cross_build(pct_cross *cross, pct_builder *builder, int64_t width, int64_t inside, const char *name, ...)
    PCT_PRINTF(5, 6);
/* For memories of one row: the softmax is 1, so that v and out are all there is. */
void pct_cross_build_single(pct_cross *cross, pct_builder *builder, int64_t width, int64_t inside, const char *name,
                            ...) PCT_PRINTF(5, 6);
/* out(attention), added to start where there is one; q, k, v are what the layers of those names gave. q is given back.
 */
pct_tensor *pct_cross_attend(pct_tape *tape, const pct_cross *cross, pct_tensor *start, pct_tensor *q, pct_tensor *k,
                             pct_tensor *v, int heads, const pct_span *spans, int64_t span_count);
/* out(v(memory)) */
pct_tensor *pct_cross_single(pct_tape *tape, const pct_cross *cross, pct_tensor *memory);

#endif
