/* CLIP's and InternViT's vision towers: the configs' numbers and the names of the tensors. */
#include "convert/family.h"

#include <string.h>

#define LAYER "encoder.layers.#."
#define THIRD(target, part)                                                                                            \
    {target ".weight", LAYER "attn.qkv.weight", PCT_RULE_PART, part, 3}, {                                             \
        target ".bias", LAYER "attn.qkv.bias", PCT_RULE_PART, part, 3                                                  \
    }
#define EMBEDDINGS                                                                                                     \
    {"v.class_embd", "embeddings.class_embedding", PCT_RULE_COPY, 0, 0},                                               \
        {"v.patch_embd.weight", "embeddings.patch_embedding.weight", PCT_RULE_KERNEL, 0, 0}, {                         \
        "v.position_embd.weight", "embeddings.position_embedding.weight|embeddings.position_embedding", PCT_RULE_COPY, \
            0, 0                                                                                                       \
    }
#define END                                                                                                            \
    { NULL, NULL, PCT_RULE_COPY, 0, 0 }

const pct_rule pct_family_clip_rules[] = {
    EMBEDDINGS,
    PCT_RULE_BOTH("v.pre_ln", "pre_layrnorm"), /* spelt so */
    PCT_RULE_BOTH("v.blk.#.ln1", LAYER "layer_norm1"),
    PCT_RULE_BOTH("v.blk.#.ln2", LAYER "layer_norm2"),
    PCT_RULE_BOTH("v.blk.#.attn_q", LAYER "self_attn.q_proj"),
    PCT_RULE_BOTH("v.blk.#.attn_k", LAYER "self_attn.k_proj"),
    PCT_RULE_BOTH("v.blk.#.attn_v", LAYER "self_attn.v_proj"),
    PCT_RULE_BOTH("v.blk.#.attn_out", LAYER "self_attn.out_proj"),
    PCT_RULE_BOTH("v.blk.#.ffn_up", LAYER "mlp.fc1"),
    PCT_RULE_BOTH("v.blk.#.ffn_down", LAYER "mlp.fc2"),
    END,
};

const pct_rule pct_family_internvit_rules[] = {
    EMBEDDINGS,
    {"v.patch_embd.bias", "embeddings.patch_embedding.bias", PCT_RULE_COPY, 0, 0},
    PCT_RULE_BOTH("v.blk.#.ln1", LAYER "norm1"),
    PCT_RULE_BOTH("v.blk.#.ln2", LAYER "norm2"),
    THIRD("v.blk.#.attn_q", 0),
    THIRD("v.blk.#.attn_k", 1),
    THIRD("v.blk.#.attn_v", 2),
    PCT_RULE_BOTH("v.blk.#.attn_out", LAYER "attn.proj"),
    PCT_RULE_BOTH("v.blk.#.ffn_up", LAYER "mlp.fc1"),
    PCT_RULE_BOTH("v.blk.#.ffn_down", LAYER "mlp.fc2"),
    {"v.blk.#.ls1.weight", LAYER "ls1", PCT_RULE_COPY, 0, 0},
    {"v.blk.#.ls2.weight", LAYER "ls2", PCT_RULE_COPY, 0, 0},
    {"v.blk.#.attn_q_norm.weight", LAYER "attn.q_norm.weight", PCT_RULE_COPY, 0, 0},
    {"v.blk.#.attn_k_norm.weight", LAYER "attn.k_norm.weight", PCT_RULE_COPY, 0, 0},
    END,
};

/* What both configs say alike. */
static percept_status read_sizes(pct_converting *c, const json_t *config, percept_error *error) {
    const struct {
        const char *key;
        int64_t max;
        int32_t *out;
    } sizes[] = {
        {"hidden_size", 4096, &c->model.vision.width},       {"num_hidden_layers", 64, &c->model.vision.layers},
        {"num_attention_heads", 64, &c->model.vision.heads}, {"intermediate_size", 16384, &c->model.vision.mlp},
        {"image_size", 1024, &c->model.image.side},          {"patch_size", 64, &c->model.vision.stride}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t value;
        PCT_TRY(pct_json_get_i64(config, sizes[i].key, 1, sizes[i].max, &value, error));
        *sizes[i].out = (int32_t)value;
    }
    c->model.vision.stem = PCT_STEM_PATCH;
    c->model.vision.fine_stride = c->model.vision.stride;
    c->model.vision.class_row = 0;
    c->model.vision.shuffle = 1;
    return PERCEPT_OK;
}

static percept_status read_activation(pct_converting *c, const json_t *config, const char *usual,
                                      percept_error *error) {
    const char *name;
    PCT_TRY(pct_json_get_string_or(config, "hidden_act", usual, &name, error));
    if (!strcmp(name, "quick_gelu"))
        c->model.vision.activation = PCT_VISION_QUICK_GELU;
    else if (!strcmp(name, "gelu"))
        c->model.vision.activation = PCT_VISION_GELU_ERF;
    else
        return pct_fail(error, PERCEPT_ERROR_MODEL, "hidden_act: \"%.40s\" is not known; known are gelu and quick_gelu",
                        name);
    return PERCEPT_OK;
}

percept_status pct_family_clip(pct_converting *c, const json_t *config, percept_error *error) {
    static const float mean[3] = {0.48145466f, 0.4578275f, 0.40821073f};
    static const float deviation[3] = {0.26862954f, 0.26130258f, 0.27577711f};
    double epsilon;
    PCT_TRY(read_sizes(c, config, error));
    PCT_TRY(read_activation(c, config, "quick_gelu", error));
    PCT_TRY(pct_json_get_f64_or(config, "layer_norm_eps", 1e-12, 0.1, 1e-5, &epsilon, error));
    c->model.vision.norm_epsilon = (float)epsilon;
    c->model.vision.pre_norm = 1;
    memcpy(c->model.image.mean, mean, sizeof mean);
    memcpy(c->model.image.deviation, deviation, sizeof deviation);
    return PERCEPT_OK;
}

percept_status pct_family_internvit(pct_converting *c, const json_t *config, percept_error *error) {
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
    const char *norm;
    double epsilon;
    bool qk, bias;
    PCT_TRY(read_sizes(c, config, error));
    PCT_TRY(read_activation(c, config, "gelu", error));
    PCT_TRY(pct_json_get_f64_or(config, "layer_norm_eps", 1e-12, 0.1, 1e-6, &epsilon, error));
    PCT_TRY(pct_json_get_bool_or(config, "qk_normalization", false, &qk, error));
    PCT_TRY(pct_json_get_bool_or(config, "qkv_bias", true, &bias, error));
    PCT_TRY(pct_json_get_string_or(config, "norm_type", "layer_norm", &norm, error));
    if (!bias || strcmp(norm, "layer_norm") != 0)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "%s is not known for InternViT here; the 300M tower has layer_norm and qkv_bias",
                        bias ? "a norm_type that is not \"layer_norm\"" : "qkv_bias: false");
    c->model.vision.norm_epsilon = (float)epsilon;
    c->model.vision.qk_norm = qk;
    c->model.vision.patch_bias = 1;
    c->model.vision.layer_scale = 1;
    memcpy(c->model.image.mean, mean, sizeof mean);
    memcpy(c->model.image.deviation, deviation, sizeof deviation);
    return PERCEPT_OK;
}
