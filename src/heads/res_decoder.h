/* res_decoder.h: MLLMSeg's mask decoder (RESDecoder): the state that predicts a mask token, the tower's cells and the
 * language model's states at the picture's tokens, to a mask. Not for percept's own models: mask_decoder.h.
 *
 * Two transformer decoder layers without positions, post-norm: the cells attend to the picture's states (A); cells, A
 * and the states at twice their side (DySample) are joined; what is joined attends to itself and to the one state; a
 * convolution gives each cell the pixels of its patch, which another smooths. Everything up to the last attention to
 * the state depends on the picture alone and is computed once a picture. That last attention has a memory of one row,
 * so that it adds out(v(state)) to every cell: its queries and keys do not matter and are not kept.
 *
 * Names, and the checkpoint's (prefix res_decoder.; D is ca_layer_v2l.decoder or ca_layer_vl.decoder for v2l and vl):
 *   percept.res.text, .image, .join         text_down, img_llm_down, text_out_adapter
 *   percept.res.offset                      upsample_adapter_l.offset, (out,in,1,1) as (out,in); init_pos is built in
 *   percept.res.{v2l,vl}.self.{q,k,v}       thirds of the rows of D.layers.0.self_attn.in_proj_weight and _bias
 *   percept.res.{v2l,vl}.self.out           D.layers.0.self_attn.out_proj
 *   percept.res.v2l.cross.{q,k,v,out}       D.layers.0.multihead_attn, cut alike
 *   percept.res.vl.cross.{v,out}            the same; its thirds q and k are left out
 *   percept.res.{v2l,vl}.ffn_up, .ffn_down  D.layers.0.linear1, .linear2
 *   percept.res.{v2l,vl}.norm{1,2,3}, .norm D.layers.0.norm{1,2,3}, D.norm
 *   percept.res.conv1, .conv1_norm          conv1.0, (out,in,3,3) as (out,3,3,in); conv1.1, running_mean as .mean and
 *                                           running_var as .variance (not folded: weight and bias may learn)
 *   percept.res.conv2                       conv2, (1,1,5,5) as (1,5,5,1)
 * each with .weight and .bias. */
#ifndef PCT_HEADS_RES_DECODER_H
#define PCT_HEADS_RES_DECODER_H

#include "heads/cross.h"

typedef struct pct_res_options {
    int64_t width;       /* of the tower's cells and of everything inside; heads and groups divide it */
    int64_t state_width; /* of the language model's states */
    int64_t mlp;         /* of the layers' MLPs */
    int heads, groups;   /* of attention; of DySample */
    int patch;           /* pixels a cell a side */
    pct_real dropout;    /* of what a layer adds, in training; attention's own weights are not dropped */
} pct_res_options;

/* Whether numbers that come from a file fit each other and a grid of `side` cells a side: INPUT, and the message names
 * the one that does not. Building and applying assert it. */
percept_status pct_res_options_check(const pct_res_options *options, int64_t side, percept_error *error);

/* A transformer decoder of one layer; norm: the decoder's own, after the layer's three. */
typedef struct pct_res_layer {
    pct_cross self, cross;
    pct_linear up, down;
    pct_norm norm1, norm2, norm3, norm;
} pct_res_layer;

typedef struct pct_res_decoder {
    pct_res_options options;
    pct_linear text, image, offset, join;
    pct_res_layer v2l, vl;
    pct_conv_block pixels; /* width -> patch*patch */
    pct_conv_layer smooth; /* 1 -> 1 */
} pct_res_decoder;

void pct_res_decoder_build(pct_res_decoder *decoder, pct_builder *builder, const pct_res_options *options);

/* A batch of pictures, ready for any number of objects. */
typedef struct pct_res_keys {
    int64_t pictures, side; /* of the cells' grid */
    pct_tensor *grid;       /* (P*side*side, width): what is joined, after its attention to itself */
} pct_res_keys;
/* cells (P*side*side, width), row by row, without a class row; states (P*side*side/4, state_width): the language
 * model's, for a grid of half the side. */
pct_res_keys pct_res_decoder_prepare(pct_tape *tape, const pct_res_decoder *decoder, pct_tensor *cells,
                                     pct_tensor *states, int64_t pictures);

/* states (Q, state_width); picture (Q) of the batch, borrowed until the tape is cleared -> logits (Q, m, m), m =
 * side*patch. The probability is their sigmoid; the checkpoint's users resize the probability, not the logits. */
pct_tensor *pct_res_decoder_apply(pct_tape *tape, const pct_res_decoder *decoder, const pct_res_keys *keys,
                                  pct_tensor *states, const int32_t *picture);

#endif
