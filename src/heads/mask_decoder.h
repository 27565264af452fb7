/* mask_decoder.h: the state that predicts an object token, and a picture's fine features, to a mask.
 *
 * The two-way transformer of PerceptionGPT (docs/model.md, "Regions out"; after SAM, arXiv 2304.02643): queries attend
 * to the grid and the grid to the queries; then the grid is upscaled and a small network made from the first query is
 * multiplied with every cell. Positions use the 2-D sine form that was evidently meant there, or what the released code
 * makes of it. Extensions: the state may be mapped to more than one query (with one, the grid's attention to it is
 * constant), the stem's finer map may be added while upscaling, and upscaling ends in a convolution of its own and uses
 * GELU, where `plain` does not ask for the released form. What depends on the picture alone is computed once a picture.
 *
 * Names, and the released code's where they differ (prefixes percept.mask_decoder. and mask_decoder.; T is
 * transformer., O is output_upscaling.); each with .weight and, but for convolutions, .bias:
 *   mapping                                    decoder_mapping (no prefix)
 *   adaptor.{shortcut,linear1,linear2}         visual_adaptor.* (no prefix)
 *   N.self.{q,k,v,out}                         T layers.N.self_attn.{q,k,v,out}_proj
 *   N.to_image.*, N.to_query.*                 T layers.N.cross_attn_token_to_image.*, .cross_attn_image_to_token.*
 *   N.ffn_up, N.ffn_down, N.norm{1,2,3,4}      T layers.N.mlp.lin1, .mlp.lin2, .norm{1,2,3,4}
 *   final.{q,k,v,out}, final.norm              T final_attn_token_to_image.*, T norm_final_attn
 *   up0, up0_norm, up1, ...                    O layer1.0, (out,in,3,3) as (out,3,3,in); O layer1.1; O layer2.0, ...
 *   pixel                                      O conv, (out,in,1,1) as (out,in)
 *   hyper.{0,1,2}                              output_hypernetworks_mlp.layers.{0,1,2} */
#ifndef PCT_HEADS_MASK_DECODER_H
#define PCT_HEADS_MASK_DECODER_H

#include "heads/cross.h"

#define PCT_MASK_MAX_LAYERS 8
#define PCT_MASK_MAX_UP     5

typedef struct pct_mask_decoder_options {
    int64_t state_width; /* of the language model's states */
    int64_t fine_width;  /* of the picture's features */
    int64_t skip_width;  /* channels of the stem's map that is added; 0: none */
    int64_t width, mlp;
    int64_t channels; /* of the upscaled map that the small network is multiplied with */
    int heads, layers, queries;
    int fine_stride, mask_stride, skip_stride;
    bool plain;    /* upscaling as released: ReLU, and no convolution after the last step */
    bool as_coded; /* positions as released, on a grid whose side divides by 4; else the 2-D sine form */
} pct_mask_decoder_options;

typedef struct pct_two_way {
    pct_cross self, to_image, to_query;
    pct_linear up, down;
    pct_norm norm1, norm2, norm3, norm4;
} pct_two_way;

typedef struct pct_mask_decoder {
    pct_mask_decoder_options options;
    pct_linear mapping, shortcut, adapt1, adapt2;
    pct_two_way layer[PCT_MASK_MAX_LAYERS];
    pct_cross last;
    pct_norm last_norm;
    pct_conv_block up[PCT_MASK_MAX_UP]; /* each followed by a doubling of the side */
    int ups;
    pct_conv_block refine; /* not when plain */
    pct_linear skip, pixel;
    pct_mlp hyper;
} pct_mask_decoder;

void pct_mask_decoder_build(pct_mask_decoder *decoder, pct_builder *builder, const pct_mask_decoder_options *options);

/* A batch of pictures, ready for any number of objects. */
typedef struct pct_mask_keys {
    int64_t pictures, side; /* of the fine grid */
    pct_tensor *grid;       /* (P*side*side, width) */
    pct_tensor *place;      /* (side*side, width) positions, constant */
    pct_tensor *k, *v, *q;  /* the first layer's projections of the grid */
    pct_tensor *skip;       /* (P, s, s, channels) at skip_stride, or NULL */
} pct_mask_keys;
/* fine (P*side*side, fine_width); skip (P, s, s, skip_width) or NULL */
pct_mask_keys pct_mask_decoder_prepare(pct_tape *tape, const pct_mask_decoder *decoder, pct_tensor *fine,
                                       pct_tensor *skip, int64_t pictures);

typedef struct pct_mask_output {
    pct_tensor *logits; /* (Q, m, m) */
    pct_tensor *query;  /* (Q, width), final */
} pct_mask_output;
/* states (Q, state_width); picture (Q) of the batch, borrowed until the tape is cleared */
pct_mask_output pct_mask_decoder_apply(pct_tape *tape, const pct_mask_decoder *decoder, const pct_mask_keys *keys,
                                       pct_tensor *states, const int32_t *picture);

#endif
