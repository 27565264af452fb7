/* mask_encoder.h: a mask to a token embedding: a small residual network (docs/model.md, "Regions in"), LayerNorm2d
 * everywhere, where the released code mixed in batch norms. */
#ifndef PCT_HEADS_MASK_ENCODER_H
#define PCT_HEADS_MASK_ENCODER_H

#include "nn/layers.h"

typedef struct pct_bottleneck {
    pct_conv_block in, middle, out, shortcut;
    bool projects; /* the shortcut is a convolution */
} pct_bottleneck;

typedef struct pct_mask_encoder {
    int64_t side;
    pct_conv_block stem;
    pct_bottleneck block[4][2];
    pct_linear encode, decode;
} pct_mask_encoder;

/* side: of the masks, a multiple of 32; channels: of the bottlenecks' inside, twice that between them. */
void pct_mask_encoder_build(pct_mask_encoder *encoder, pct_builder *builder, int64_t side, int64_t channels,
                            int64_t hidden, int64_t width);
/* (Q, side, side, 1), 0..1 -> (Q, width) */
pct_tensor *pct_mask_encoder_apply(pct_tape *tape, const pct_mask_encoder *encoder, pct_tensor *masks);

#endif
