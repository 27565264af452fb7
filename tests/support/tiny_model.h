/* tiny_model.h: model structures small enough for tests, each with other switches set. */
#ifndef PCT_TESTS_TINY_MODEL_H
#define PCT_TESTS_TINY_MODEL_H

#include "model/config.h"

enum tiny_kind {
    TINY_NANO,   /* percept-nano's switches */
    TINY_PAPER,  /* PerceptionGPT's: patch stem, second pass, plain box head, one query, released forms, own output,
                 LoRA */
    TINY_COARSE, /* no finer features, last layer instead of merges, causal prefix, cells at rotary positions */
    TINY_INTERN, /* InternViT's and InternVL's: scaled layers, no norm before them, cells gathered in squares */
    TINY_KINDS
};

static inline pct_model_config tiny_config(enum tiny_kind kind) {
    pct_model_config c;
    pct_model_config_default(&c);
    c.image.side = 32;
    c.vision.stem_width = 16;
    c.vision.stem_blocks = 1;
    c.vision.cell_blocks = 1;
    c.vision.width = 16;
    c.vision.layers = 2;
    c.vision.heads = 2;
    c.vision.mlp = 24;
    c.language.vocabulary = 40;
    c.language.width = 16;
    c.language.layers = 2;
    c.language.heads = 4;
    c.language.kv_heads = 2;
    c.language.mlp = 24;
    c.language.context = 64;
    c.heads.box_width = 16;
    c.heads.mask_width = 16;
    c.heads.mask_heads = 2;
    c.heads.mask_mlp = 16;
    c.heads.mask_queries = 2;
    c.heads.mask_encoder_side = 32;
    c.heads.mask_encoder_width = 4;
    if (kind == TINY_PAPER) {
        c.vision.stem = PCT_STEM_PATCH;
        c.vision.fine = PCT_FINE_SECOND;
        c.vision.merge_norm = 0;
        c.language.connector = PCT_CONNECTOR_LINEAR;
        c.language.tied = 0;
        c.heads.box = PCT_BOX_PLAIN;
        c.heads.mask_queries = 1;
        c.heads.mask_upscaling = PCT_UPSCALING_PLAIN;
        c.heads.mask_positions = PCT_POSITIONS_AS_CODED;
        c.heads.mask_encoder_norm = PCT_MASK_NORM_MIXED;
        c.lora.rank = 2;
        c.lora.dropout = 0.25f;
        c.vision.activation = PCT_VISION_QUICK_GELU;
    } else if (kind == TINY_INTERN) {
        c.vision.stem = PCT_STEM_PATCH;
        c.vision.fine = PCT_FINE_NONE;
        c.vision.stride = 8;
        c.vision.merge = 0;
        c.vision.merge_norm = 0;
        c.vision.activation = PCT_VISION_GELU_ERF;
        c.vision.norm_epsilon = 1e-6f;
        c.vision.pre_norm = 0;
        c.vision.patch_bias = 1;
        c.vision.layer_scale = 1;
        c.vision.qk_norm = 1;
        c.vision.class_row = 0;
        c.vision.shuffle = 2;
        c.language.connector = PCT_CONNECTOR_NORM_MLP;
        c.language.prefix = PCT_PREFIX_CAUSAL;
        c.language.cell_positions = PCT_CELLS_ROTARY;
        c.language.grounding = 0;
        c.language.copying = 0;
        c.heads.naming = 0;
        c.heads.cell_box = 0;
    } else if (kind == TINY_COARSE) {
        c.vision.fine = PCT_FINE_NONE;
        c.vision.merge = 0;
        c.language.prefix = PCT_PREFIX_CAUSAL;
        c.language.cell_positions = PCT_CELLS_ROTARY;
        c.language.grounding = 0;
        c.language.copying = 0;
        c.heads.mask_stride = 8;
        c.heads.quality = 0;
        c.heads.presence = 0;
        c.heads.naming = 0;
        c.heads.cell_box = 0;
    }
    return c;
}

#endif
