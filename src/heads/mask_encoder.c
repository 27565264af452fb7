#include "heads/mask_encoder.h"

static void build_block(pct_bottleneck *block, pct_builder *builder, int64_t in, int64_t inside, int stride, bool first,
                        int stage, int index) {
    const char *format = "percept.mask_encoder.stage%d.%d.%s";
    block->projects = first;
    pct_conv_block_build(&block->in, builder, in, inside, 1, 1, 0, PCT_RELU, format, stage, index, "conv1");
    pct_conv_block_build(&block->middle, builder, inside, inside, 3, stride, 1, PCT_RELU, format, stage, index,
                         "conv2");
    pct_conv_block_build(&block->out, builder, inside, 2 * inside, 1, 1, 0, PCT_RELU, format, stage, index, "conv3");
    if (first)
        pct_conv_block_build(&block->shortcut, builder, in, 2 * inside, 1, stride, 0, PCT_IDENTITY, format, stage,
                             index, "shortcut");
}

void pct_mask_encoder_build(pct_mask_encoder *encoder, pct_builder *builder, int64_t side, int64_t channels,
                            int64_t hidden, int64_t width) {
    PCT_ASSERT(side % 32 == 0);
    *encoder = (pct_mask_encoder){.side = side};
    pct_conv_block_build(&encoder->stem, builder, 1, channels, 7, 2, 3, PCT_RELU, "percept.mask_encoder.conv1");
    int64_t in = channels;
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < 2; i++) {
            int stride = stage > 0 && i == 0 ? 2 : 1;
            build_block(&encoder->block[stage][i], builder, in, channels, stride, i == 0, stage, i);
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
    x = pct_op_max_pool(tape, x, 3, 2, 1);
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < 2; i++) x = apply_block(tape, &encoder->block[stage][i], x);
    x = pct_linear_apply(tape, &encoder->encode, pct_as_rows(tape, x, pct_tensor_count(x) / count));
    return pct_linear_apply(tape, &encoder->decode, x);
}
