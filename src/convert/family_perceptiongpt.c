/* PerceptionGPT whole (arXiv 2311.06612) from its pieces: a LLaMA or Vicuna folder, a CLIP ViT-L/14 tower, and, where
 * there is one, the checkpoint of what was trained: merges, projector, heads, words, LoRA. No trained weights are
 * published; heads that nobody gives begin anew. */
#include "convert/family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL(target, source)                                                                                         \
    { target ".weight", source ".weight", PCT_RULE_KERNEL, 0, 0 }
#define CROSS(target, source)                                                                                          \
    PCT_RULE_BOTH(target ".q", source ".q_proj"), PCT_RULE_BOTH(target ".k", source ".k_proj"),                        \
        PCT_RULE_BOTH(target ".v", source ".v_proj"), PCT_RULE_BOTH(target ".out", source ".out_proj")
#define UP(index, layer)                                                                                               \
    KERNEL("percept.mask_decoder.up" index, "mask_decoder.output_upscaling." layer ".0"),                              \
        PCT_RULE_BOTH("percept.mask_decoder.up" index "_norm", "mask_decoder.output_upscaling." layer ".1")
#define LAYER "mask_decoder.transformer.layers.#."
/* A stage of the mask encoder: the first block with a shortcut, the second with BatchNorm. */
#define CONV(ours, theirs, conv, norm)                                                                                 \
    KERNEL("percept.mask_encoder." ours, "mask_encoder." theirs "." conv),                                             \
        PCT_RULE_BOTH("percept.mask_encoder." ours "_norm", "mask_encoder." theirs "." norm)
#define BATCH(ours, theirs, conv, norm)                                                                                \
    CONV(ours, theirs, conv, norm),                                                                                    \
        {"percept.mask_encoder." ours "_norm.mean", "mask_encoder." theirs "." norm ".running_mean", PCT_RULE_COPY, 0, \
         0},                                                                                                           \
    {                                                                                                                  \
        "percept.mask_encoder." ours "_norm.variance", "mask_encoder." theirs "." norm ".running_var", PCT_RULE_COPY,  \
            0, 0                                                                                                       \
    }
#define STAGE(ours, theirs)                                                                                            \
    CONV(ours ".0.conv1", theirs ".0", "conv1", "norm1"), CONV(ours ".0.conv2", theirs ".0", "conv2", "norm2"),        \
        CONV(ours ".0.conv3", theirs ".0", "conv3", "norm3"),                                                          \
        CONV(ours ".0.shortcut", theirs ".0", "downsample.0", "downsample.1"),                                         \
        BATCH(ours ".1.conv1", theirs ".1", "conv1", "norm1"), BATCH(ours ".1.conv2", theirs ".1", "conv2", "norm2"),  \
        BATCH(ours ".1.conv3", theirs ".1", "conv3", "norm3")
#define ENCODER_CHANNELS 64 /* of the mask encoder's last map */

static const pct_rule rules[] = {
    {"token_embd.weight", "embed_tokens.weight", PCT_RULE_TABLE, 0, 0},
    {"output.weight", "lm_head.weight", PCT_RULE_TABLE, 0, 0},
    {"percept.merge.language", "merge_coef_lower", PCT_RULE_COPY, 0, 0},
    {"percept.merge.mask", "merge_coef_higher", PCT_RULE_COPY, 0, 0},
    PCT_RULE_BOTH("mm.0", "mm_projector"),
    PCT_RULE_BOTH("percept.box_encoder.#", "bbox_encoder.layers.#"),
    PCT_RULE_BOTH("percept.box_decoder.#", "bbox_decoder.layers.#"),
    PCT_RULE_BOTH("percept.mask_decoder.mapping", "decoder_mapping"),
    PCT_RULE_BOTH("percept.mask_decoder.adaptor.shortcut", "visual_adaptor.shortcut"),
    PCT_RULE_BOTH("percept.mask_decoder.adaptor.linear#", "visual_adaptor.linear#"),
    CROSS("percept.mask_decoder.#.self", LAYER "self_attn"),
    CROSS("percept.mask_decoder.#.to_image", LAYER "cross_attn_token_to_image"),
    CROSS("percept.mask_decoder.#.to_query", LAYER "cross_attn_image_to_token"),
    PCT_RULE_BOTH("percept.mask_decoder.#.ffn_up", LAYER "mlp.lin1"),
    PCT_RULE_BOTH("percept.mask_decoder.#.ffn_down", LAYER "mlp.lin2"),
    PCT_RULE_BOTH("percept.mask_decoder.#.norm#", LAYER "norm#"),
    CROSS("percept.mask_decoder.final", "mask_decoder.transformer.final_attn_token_to_image"),
    PCT_RULE_BOTH("percept.mask_decoder.final.norm", "mask_decoder.transformer.norm_final_attn"),
    UP("0", "layer1"),
    UP("1", "layer2"),
    UP("2", "layer3"),
    PCT_RULE_BOTH("percept.mask_decoder.pixel", "mask_decoder.output_upscaling.conv"),
    PCT_RULE_BOTH("percept.mask_decoder.hyper.#", "mask_decoder.output_hypernetworks_mlp.layers.#"),
    KERNEL("percept.mask_encoder.conv1", "mask_encoder.conv1"),
    PCT_RULE_BOTH("percept.mask_encoder.conv1_norm", "mask_encoder.norm1"),
    STAGE("stage0", "dlayer1"),
    STAGE("stage1", "dlayer2"),
    STAGE("stage2", "dlayer3"),
    STAGE("stage3", "dlayer4"),
    {"percept.mask_encoder.linear_enc.weight", "mask_encoder.linear_enc.weight", PCT_RULE_KERNEL, 0, ENCODER_CHANNELS},
    {"percept.mask_encoder.linear_enc.bias", "mask_encoder.linear_enc.bias", PCT_RULE_COPY, 0, 0},
    PCT_RULE_BOTH("percept.mask_encoder.linear_dec", "mask_encoder.linear_dec"),
    {NULL, NULL, PCT_RULE_COPY, 0, 0},
};

static bool recognises(const pct_converting *c) {
    return c->options->tower && !strcmp(pct_family_type(c->config), "llama");
}

static percept_status read_tower(pct_converting *c, percept_error *error) {
    const char *type;
    json_t *vision = NULL;
    PCT_TRY(pct_family_json(c->options->tower, "config.json", &c->tower_config, error));
    type = pct_family_type(c->tower_config);
    if (strcmp(type, "clip") != 0 && strcmp(type, "clip_vision_model") != 0)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s/config.json: model_type \"%.40s\" is no CLIP tower",
                        c->options->tower, type);
    percept_status status = pct_json_get_object_or_null(c->tower_config, "vision_config", &vision, error);
    if (status == PERCEPT_OK) status = pct_family_clip(c, vision ? vision : c->tower_config, error);
    if (status != PERCEPT_OK) {
        pct_error_prefix(error, "%s/config.json", c->options->tower);
        return pct_error_of_model(status, error); /* the file is there */
    }
    const int32_t last = c->model.vision.layers - 1; /* what it makes is never used */
    snprintf(c->last_layer[0], sizeof c->last_layer[0], "vision_model.encoder.layers.%d.", last);
    snprintf(c->last_layer[1], sizeof c->last_layer[1], "encoder.layers.%d.", last);
    return pct_foreign_open(&c->tower, c->options->tower, error);
}

void pct_family_perceptiongpt_sizes(pct_model_config *m, bool trained) {
    m->image.fit = PCT_FIT_PAD;
    m->vision.layers--; /* what the last layer makes is never used */
    m->vision.fine = PCT_FINE_SECOND;
    m->vision.fine_stride = 8;
    m->vision.merge = 1;
    m->language.tied = 0; /* the words of the answer are trained apart */
    m->language.template = PCT_TEMPLATE_PERCEPTIONGPT;
    m->language.connector = PCT_CONNECTOR_LINEAR;
    m->heads.box = PCT_BOX_PLAIN;
    m->heads.box_width = 512;
    m->heads.mask_width = m->vision.width;
    m->heads.mask_heads = 8;
    m->heads.mask_layers = 2;
    m->heads.mask_mlp = 2 * m->vision.width;
    m->heads.mask_queries = 1;
    m->heads.mask_channels = 128;
    m->heads.mask_stride = 1;
    m->heads.mask_upscaling = PCT_UPSCALING_PLAIN;
    /* What was trained, was trained with the code's own positions; what begins anew takes those that were meant. */
    m->heads.mask_positions = trained ? PCT_POSITIONS_AS_CODED : PCT_POSITIONS_SINE;
    m->heads.mask_encoder_side = 256;
    m->heads.mask_encoder_width = ENCODER_CHANNELS / 2;
    m->heads.mask_encoder_norm = PCT_MASK_NORM_MIXED;
}

/* LoRA that was trained together with the heads, on queries and values: rank 16, alpha 64 in the released code. */
#define TRAINED_ALPHA 64.0
static percept_status take_trained_lora(pct_converting *c, pct_plan_source *language, percept_error *error) {
    const pct_foreign_tensor *a =
        pct_foreign_find(c->heads, "model.base_model.model.layers.0.self_attn.q_proj.lora_A.default.weight");
    if (!a || a->dims != 2 || a->shape[0] < 1) return PERCEPT_OK;
    language->lora = c->heads;
    language->lora_scale = TRAINED_ALPHA / (double)a->shape[0];
    if (!c->options->keep_lora) return PERCEPT_OK;
    json_t *modules = json_pack("[ss]", "q_proj", "v_proj");
    if (!modules) return pct_fail_memory(error, "LoRA");
    percept_status status = pct_family_keep_lora(c, (int32_t)a->shape[0], (float)TRAINED_ALPHA, modules, error);
    json_decref(modules);
    return status;
}

static percept_status describe(pct_converting *c, percept_error *error) {
    static const char *const tokens[] = {"<im_patch>",  "<im_start>",  "<im_end>",     "<loc>",
                                         "<obj_vis_s>", "<obj_vis_e>", "<obj_text_s>", "<obj_text_e>"};
    if (!c->options->tower)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "perceptiongpt needs its vision tower; give --tower CLIP_DIR");
    if (c->options->heads && c->options->lora)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "the heads' checkpoint has LoRA of its own; give --lora without it");
    pct_family_begin(&c->model);
    PCT_TRY(pct_family_language(c, c->config, PCT_LLAMA, error));
    PCT_TRY(read_tower(c, error));
    if (c->options->heads) PCT_TRY(pct_foreign_open(&c->heads, c->options->heads, error));
    pct_family_perceptiongpt_sizes(&c->model, c->heads != NULL);
    c->sources[0] = (pct_plan_source){.checkpoint = c->checkpoint,
                                      .rules = pct_family_language_rules(PCT_LLAMA),
                                      .prefixes = {""},
                                      /* trained anew, so the heads' checkpoint has its own */
                                      .ignored = {"*rotary_emb.inv_freq", c->heads ? "model.embed_tokens.weight" : NULL,
                                                  c->heads ? "lm_head.weight" : NULL}};
    c->sources[1] =
        (pct_plan_source){.checkpoint = c->tower,
                          .rules = pct_family_clip_rules,
                          .prefixes = {"vision_model.", ""},
                          .ignored = {"text_", "visual_projection", "logit_scale", "*post_layernorm.weight",
                                      "*post_layernorm.bias", "*position_ids", c->last_layer[0], c->last_layer[1]}};
    c->source_count = 2;
    if (c->heads) {
        c->sources[2] = (pct_plan_source){.checkpoint = c->heads,
                                          .rules = rules,
                                          .prefixes = {"", "model.", "model.base_model.model."},
                                          .first = true,
                                          .ignored = {"*num_batches_tracked", "*rotary_emb.inv_freq"}};
        c->source_count = 3;
        PCT_TRY(take_trained_lora(c, &c->sources[0], error));
    } else {
        PCT_TRY(pct_family_lora(c, error));
    }
    c->fresh = true;
    c->domain = c->heads ? "photographs" : "none yet: the heads are to be trained";
    return pct_family_tokenizer(c, tokens, 8, error);
}

const pct_family pct_family_perceptiongpt = {"perceptiongpt", recognises, describe};
