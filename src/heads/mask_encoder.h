/* mask_encoder.h: a mask to a token embedding: a small residual network (docs/model.md, "Regions in"), LayerNorm2d
 * everywhere, or as the released code has it: BatchNorm in each stage's second block, here with its statistics frozen.
 *
 * Names, and the released code's where they differ (prefixes percept.mask_encoder. and mask_encoder.); convolutions
 * without bias, (out,in,k,k) as (out,k,k,in):
 *   conv1, conv1_norm                      conv1, norm1
 *   stageS.B.conv{1,2,3}, .conv{1,2,3}_norm  dlayer(S+1).B.conv{1,2,3}, .norm{1,2,3}; of block 1 in the mixed form
 *                                          running_mean as .mean, running_var as .variance
 *   stageS.0.shortcut, .shortcut_norm      dlayer(S+1).0.downsample.0, .1
 *   linear_enc                             linear_enc, its columns from (C,H,W) to (H,W,C)
 *   linear_dec                             linear_dec */
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

/* side: of the masks, a multiple of 32; channels: of the bottlenecks' inside, twice that between them; mixed: as
 * released. */
void pct_mask_encoder_build(pct_mask_encoder *encoder, pct_builder *builder, int64_t side, int64_t channels,
                            int64_t hidden, int64_t width, bool mixed);
/* (Q, side, side, 1), 0..1 -> (Q, width) */
pct_tensor *pct_mask_encoder_apply(pct_tape *tape, const pct_mask_encoder *encoder, pct_tensor *masks);

#endif
