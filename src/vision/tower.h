/* tower.h: the vision tower: pixels in, one merge of its hidden layers for the language model and one for the masks.
 *
 * Options make it percept's own tower, CLIP's or InternViT's (docs/model.md, "Picture"): one implementation.
 * stem -> class token and learned positions -> pre-norm transformer layers, whose hidden states H[0..L] are mixed with
 * learned weights, once for each of the two users (PerceptionGPT, arXiv 2311.06612). The stem is one convolution (as
 * in ViT) or a few strided ones, whose finer maps then also serve the masks. Unlike the paper's, a mix is followed by a
 * LayerNorm when merge_norm is set: a tower trained from scratch has residual streams of growing size. */
#ifndef PCT_VISION_TOWER_H
#define PCT_VISION_TOWER_H

#include "nn/layers.h"

#define PCT_TOWER_MAX_LAYERS 64
#define PCT_STEM_MAX_STAGES  5
#define PCT_STEM_MAX_BLOCKS  8

typedef struct pct_tower_options {
    int32_t side, stride, fine_stride, skip_stride; /* pixels; skip_stride: of the finest map handed out, 0 none */
    int32_t width, layers, heads, mlp;
    int32_t stem_width, stem_blocks;
    int32_t cell_blocks; /* conv stem: residual blocks at `stride`, before the transformer */
    bool conv_stem;
    bool second;     /* the mask's features come from a second pass at fine_stride (patch stem) */
    bool merge;      /* learned mix; else the last layer */
    bool merge_norm; /* LayerNorm after a mix */
    bool mask_merge; /* whether anything uses the mask's merge */
    bool no_pre_norm, patch_bias, layer_scale;
    bool qk_norm; /* RMSNorm of queries and keys over the whole width */
    enum pct_activation activation;
    double epsilon; /* of the norms */
} pct_tower_options;

/* conv -> LN2d -> GELU -> conv -> LN2d, added to its input. */
typedef struct pct_stem_block {
    pct_conv_block first, second;
} pct_stem_block;

typedef struct pct_tower_layer {
    pct_norm norm1, norm2;
    pct_norm norm_q, norm_k; /* qk_norm */
    pct_linear q, k, v, out, up, down;
    pct_parameter *scale1, *scale2; /* (width) of what attention and MLP add; NULL: 1 */
} pct_tower_layer;

typedef struct pct_tower {
    pct_tower_options options;
    pct_conv_block stage[PCT_STEM_MAX_STAGES]; /* strides 2, 4, ..., fine_stride */
    int stages;
    pct_stem_block block[PCT_STEM_MAX_BLOCKS];
    pct_conv_layer patch;                       /* patch stem: kernel = stride */
    pct_conv_block reduce[PCT_STEM_MAX_STAGES]; /* conv stem: from fine_stride to stride, the last without these */
    int reduces;
    pct_conv_layer last;
    pct_stem_block cell[PCT_STEM_MAX_BLOCKS]; /* at the stride */
    pct_parameter *class_token, *positions;   /* (1,width), (1+cells,width) */
    pct_norm pre;
    pct_tower_layer layer[PCT_TOWER_MAX_LAYERS];
    pct_parameter *mix_language, *mix_mask; /* (layers+1) */
    pct_norm norm_language, norm_mask;
    pct_real *fine_kernel, *fine_positions; /* pct_tower_prepare: (width,k,k,3), (1+fine cells,width); NULL before */
} pct_tower;

/* P pictures. Rows of merges stand picture by picture, the class token's row first, then the cells row by row. */
typedef struct pct_tower_output {
    pct_tensor *language; /* (P*(1+cells), width) */
    pct_tensor *mask;     /* the same for the masks; of the second pass: (P*(1+fine cells), width) */
    pct_tensor *fine;     /* conv stem: (P, fine, fine, stem_width), else NULL */
    pct_tensor *skip;     /* conv stem: (P, s, s, channels) at skip_stride, else NULL */
} pct_tower_output;

void pct_tower_build(pct_tower *tower, pct_builder *builder, const pct_tower_options *options);
/* For frozen weights, before anything is encoded: what the second pass makes of patch kernel and positions, once.
 * Memory is the set's, in which the weights are; does nothing where there is no such pass, it is done, or the weights
 * learn. Thread-safe. */
percept_status pct_tower_prepare(pct_tower *tower, pct_parameters *set, pct_compute *compute, percept_error *error);
/* Channels of the stem's map at a stride (2..fine_stride, a power of two). */
int64_t pct_tower_stem_channels(const pct_tower_options *options, int stride);
/* pixels (P, side, side, 3) */
pct_tower_output pct_tower_apply(pct_tape *tape, const pct_tower *tower, pct_tensor *pixels);
/* Rows of pictures*(1+cells) without the class rows -> (pictures*cells, width); and the class rows alone. */
pct_tensor *pct_tower_cells(pct_tape *tape, pct_tensor *rows, int64_t pictures);
pct_tensor *pct_tower_classes(pct_tape *tape, pct_tensor *rows, int64_t pictures);

/* ---- connector: cells to embeddings of the language model ---------------------------------------------------- */
typedef struct pct_connector_layers {
    pct_norm norm;
    pct_linear first, second;
    bool mlp;    /* two layers with GELU between; else one */
    bool normed; /* InternVL's mlp1: a LayerNorm before them, and GELU in its exact form */
} pct_connector_layers;
void pct_connector_build(pct_connector_layers *connector, pct_builder *builder, bool mlp, bool normed, int64_t in,
                         int64_t out);
pct_tensor *pct_connector_apply(pct_tape *tape, const pct_connector_layers *connector, pct_tensor *x);
/* Squares of factor x factor cells to one row each, of factor^2 times the width, their cells side by side row by row
 * (InternVL's pixel shuffle, version 2): (P*grid*grid, D) without class rows -> (P*(grid/factor)^2, factor^2*D) */
pct_tensor *pct_tower_gather(pct_tape *tape, pct_tensor *cells, int64_t pictures, int64_t grid, int factor);

/* ---- fine features for the masks --------------------------------------------------------------------------------
 * With a conv stem: the merge, projected and resized to the fine grid, plus the projected stem map. Else the merge. */
typedef struct pct_fine_layers {
    pct_linear merge, stem;
    bool joined;
} pct_fine_layers;
void pct_fine_build(pct_fine_layers *fine, pct_builder *builder, bool joined, int64_t merge_width, int64_t stem_width,
                    int64_t out);
/* -> (P*fine*fine, out) when joined, else (P*cells, width) */
pct_tensor *pct_fine_apply(pct_tape *tape, const pct_fine_layers *fine, const pct_tower_output *tower,
                           int64_t pictures);

#endif
