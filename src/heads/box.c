#include "heads/box.h"

void pct_box_encoder_build(pct_box_encoder *encoder, pct_builder *builder, int64_t hidden, int64_t width) {
    pct_mlp_build(&encoder->mlp, builder, (int64_t[]){4, hidden, hidden, width}, 3, PCT_RELU, 1, "percept.box_encoder");
}

pct_tensor *pct_box_encoder_apply(pct_tape *tape, const pct_box_encoder *encoder, pct_tensor *boxes) {
    return pct_mlp_apply(tape, &encoder->mlp, boxes);
}

void pct_box_decoder_build(pct_box_decoder *decoder, pct_builder *builder, bool moments, int64_t width,
                           int64_t query_width, int64_t hidden) {
    decoder->moments = moments;
    int64_t in = moments ? width + query_width + 8 : width;
    /* The last layer starts at 0: a plain box starts in the middle, a moments box at the mask's extent. */
    pct_mlp_build(&decoder->mlp, builder, (int64_t[]){in, hidden, hidden, 4}, 3, PCT_RELU, 0, "percept.box_decoder");
}

pct_tensor *pct_box_decoder_apply(pct_tape *tape, const pct_box_decoder *decoder, pct_tensor *states, pct_tensor *query,
                                  pct_tensor *logits) {
    if (!decoder->moments) return pct_op_activate(tape, pct_mlp_apply(tape, &decoder->mlp, states), PCT_SIGMOID);
    pct_tensor *moments = pct_op_mask_moments(tape, logits);
    pct_tensor *seen = pct_op_concat_columns(tape, (pct_tensor *[]){states, query, moments}, 3);
    pct_tensor *correction = pct_mlp_apply(tape, &decoder->mlp, seen);
    pct_tensor *extent = pct_op_logit(tape, pct_op_slice_columns(tape, moments, 4, 8), (pct_real)0.002);
    return pct_op_activate(tape, pct_op_add(tape, extent, correction), PCT_SIGMOID);
}
