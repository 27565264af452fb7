#include "heads/mask_encoder.h"

/* Where a block stands, and what it is made of. */
typedef struct place {
    int stage, index;
    bool batch; /* BatchNorm, else LayerNorm2d */
} place;

static void build_conv(pct_conv_block *block, pct_builder *builder, const place *at, int64_t in, int64_t out,
                       int kernel, int stride, enum pct_activation activation, const char *name) {
    const char *format = "percept.mask_encoder.stage%d.%d.%s";
    const int pad = kernel / 2;
    if (at->batch)
        pct_conv_block_build_batch(block, builder, in, out, kernel, stride, pad, false, activation, format, at->stage,
                                   at->index, name);
    else
        pct_conv_block_build(block, builder, in, out, kernel, stride, pad, activation, format, at->stage, at->index,
                             name);
}

static void build_block(pct_bottleneck *block, pct_builder *builder, const place *at, int64_t in, int64_t inside,
                        int stride) {
    block->projects = at->index == 0;
    build_conv(&block->in, builder, at, in, inside, 1, 1, PCT_RELU, "conv1");
    build_conv(&block->middle, builder, at, inside, inside, 3, stride, PCT_RELU, "conv2");
    build_conv(&block->out, builder, at, inside, 2 * inside, 1, 1, PCT_RELU, "conv3");
    if (block->projects) build_conv(&block->shortcut, builder, at, in, 2 * inside, 1, stride, PCT_IDENTITY, "shortcut");
}

void pct_mask_encoder_build(pct_mask_encoder *encoder, pct_builder *builder, int64_t side, int64_t channels,
                            int64_t hidden, int64_t width, bool mixed) {
    PCT_ASSERT(side % 32 == 0);
    *encoder = (pct_mask_encoder){.side = side};
    pct_conv_block_build(&encoder->stem, builder, 1, channels, 7, 2, 3, PCT_RELU, "percept.mask_encoder.conv1");
    int64_t in = channels;
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < 2; i++) {
            int stride = stage > 0 && i == 0 ? 2 : 1;
            const place at = {stage, i, mixed && i > 0};
            build_block(&encoder->block[stage][i], builder, &at, in, channels, stride);
            in = 2 * channels;
        }
    int64_t cells = (side / 32) * (side / 32);
    pct_linear_build(&encoder->encode, builder, cells * in, hidden, true, 1, "percept.mask_encoder.linear_enc");
    pct_linear_build(&encoder->decode, builder, hidden, width, true, 1, "percept.mask_encoder.linear_dec");
}

static pct_tensor *apply_block(pct_tape *tape, const pct_bottleneck *block, pct_tensor *x) {
    pct_tensor *y = pct_conv_block_apply(tape, &block->in, x);
    y = pct_conv_block_apply(tape, &block->out, pct_conv_block_apply(tape, &block->middle, y));
    if (block->projects) x = pct_conv_block_apply(tape, &block->shortcut, x);
    return pct_op_activate(tape, pct_op_add(tape, x, y), PCT_RELU);
}

pct_tensor *pct_mask_encoder_apply(pct_tape *tape, const pct_mask_encoder *encoder, pct_tensor *masks) {
    int64_t count = masks->dim[0];
    pct_tensor *x = pct_conv_block_apply(tape, &encoder->stem, masks);
    x = pct_tape_step(tape, "mask_encoder.stem", pct_op_max_pool(tape, x, 3, 2, 1));
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < 2; i++)
            x = pct_tape_step(tape, "mask_encoder.block", apply_block(tape, &encoder->block[stage][i], x));
    x = pct_linear_apply(tape, &encoder->encode, pct_as_rows(tape, x, pct_tensor_count(x) / count));
    return pct_linear_apply(tape, &encoder->decode, x);
}
