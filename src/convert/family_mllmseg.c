/* MLLMSeg (MIT) on InternVL 2.5 with a Qwen2.5 language model: InternViT, pixel shuffle, mlp1, and its mask decoder.
 * Merged checkpoints and unmerged ones (use_llm_lora in the config) alike. */
#include "convert/family.h"

#include <string.h>

#define PART(target, source, part)                                                                                     \
    {target ".weight", source "_weight", PCT_RULE_PART, part, 3}, {                                                    \
        target ".bias", source "_bias", PCT_RULE_PART, part, 3                                                         \
    }
/* A transformer decoder of one layer. */
#define DECODER(target, source)                                                                                        \
    PART(target ".self.q", source ".decoder.layers.0.self_attn.in_proj", 0),                                           \
        PART(target ".self.k", source ".decoder.layers.0.self_attn.in_proj", 1),                                       \
        PART(target ".self.v", source ".decoder.layers.0.self_attn.in_proj", 2),                                       \
        PCT_RULE_BOTH(target ".self.out", source ".decoder.layers.0.self_attn.out_proj"),                              \
        PART(target ".cross.q", source ".decoder.layers.0.multihead_attn.in_proj", 0),                                 \
        PART(target ".cross.k", source ".decoder.layers.0.multihead_attn.in_proj", 1),                                 \
        PART(target ".cross.v", source ".decoder.layers.0.multihead_attn.in_proj", 2),                                 \
        PCT_RULE_BOTH(target ".cross.out", source ".decoder.layers.0.multihead_attn.out_proj"),                        \
        PCT_RULE_BOTH(target ".ffn_up", source ".decoder.layers.0.linear1"),                                           \
        PCT_RULE_BOTH(target ".ffn_down", source ".decoder.layers.0.linear2"),                                         \
        PCT_RULE_BOTH(target ".norm1", source ".decoder.layers.0.norm1"),                                              \
        PCT_RULE_BOTH(target ".norm2", source ".decoder.layers.0.norm2"),                                              \
        PCT_RULE_BOTH(target ".norm3", source ".decoder.layers.0.norm3"),                                              \
        PCT_RULE_BOTH(target ".norm", source ".decoder.norm")

static const pct_rule rules[] = {
    PCT_RULE_BOTH("mm.model.mlp.0", "mlp1.0"),
    PCT_RULE_BOTH("mm.model.mlp.1", "mlp1.1"),
    PCT_RULE_BOTH("mm.model.mlp.3", "mlp1.3"),
    PCT_RULE_BOTH("percept.res.text", "res_decoder.text_down"),
    PCT_RULE_BOTH("percept.res.image", "res_decoder.img_llm_down"),
    PCT_RULE_BOTH("percept.res.join", "res_decoder.text_out_adapter"),
    PCT_RULE_BOTH("percept.res.offset", "res_decoder.upsample_adapter_l.offset"),
    DECODER("percept.res.v2l", "res_decoder.ca_layer_v2l"),
    DECODER("percept.res.vl", "res_decoder.ca_layer_vl"),
    {"percept.res.conv1.weight", "res_decoder.conv1.0.weight", PCT_RULE_KERNEL, 0, 0},
    {"percept.res.conv1.bias", "res_decoder.conv1.0.bias", PCT_RULE_COPY, 0, 0},
    PCT_RULE_BOTH("percept.res.conv1_norm", "res_decoder.conv1.1"),
    {"percept.res.conv1_norm.mean", "res_decoder.conv1.1.running_mean", PCT_RULE_COPY, 0, 0},
    {"percept.res.conv1_norm.variance", "res_decoder.conv1.1.running_var", PCT_RULE_COPY, 0, 0},
    {"percept.res.conv2.weight", "res_decoder.conv2.weight", PCT_RULE_KERNEL, 0, 0},
    {"percept.res.conv2.bias", "res_decoder.conv2.bias", PCT_RULE_COPY, 0, 0},
    {NULL, NULL, PCT_RULE_COPY, 0, 0},
};

static bool recognises(const pct_converting *c) { return !strcmp(pct_family_type(c->config), "internvl_chat"); }

/* The tensor of that name must be there; what else would tell a plain InternVL from MLLMSeg? */
static percept_status wanted(const pct_converting *c, const char *name, const pct_foreign_tensor **out,
                             percept_error *error) {
    *out = pct_foreign_find(c->checkpoint, name);
    if (*out && (*out)->dims == 2) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_MODEL,
                    "%s: tensor '%s' is missing: an InternVL model without MLLMSeg's mask decoder; give MLLMSeg's own "
                    "checkpoint",
                    c->options->source, name);
}

static percept_status read_language(pct_converting *c, percept_error *error) {
    json_t *language;
    PCT_TRY(pct_json_get_object(c->config, "llm_config", &language, error));
    if (strcmp(pct_family_type(language), "qwen2") != 0)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "llm_config: model_type is \"%.40s\"; MLLMSeg is known on qwen2 (the 1B and 4B models)",
                        pct_family_type(language));
    PCT_TRY(pct_family_language(c, language, PCT_QWEN2, error));
    c->model.language.tied = 0; /* whatever the config says: InternVL unties them */
    c->model.language.connector = PCT_CONNECTOR_NORM_MLP;
    return PERCEPT_OK;
}

static percept_status read_tower(pct_converting *c, percept_error *error) {
    json_t *vision;
    double ratio;
    int64_t layer;
    const char *version;
    PCT_TRY(pct_json_get_object(c->config, "vision_config", &vision, error));
    PCT_TRY(pct_family_internvit(c, vision, error));
    PCT_TRY(pct_json_get_f64_or(c->config, "downsample_ratio", 0.1, 1, 0.5, &ratio, error));
    PCT_TRY(pct_json_get_i64_or(c->config, "select_layer", -64, 64, -1, &layer, error));
    PCT_TRY(pct_json_get_string_or(c->config, "ps_version", "v2", &version, error));
    if (ratio < 0.5 || ratio > 0.5 || layer != -1 || strcmp(version, "v2") != 0)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "downsample_ratio, select_layer and ps_version must be 0.5, -1 and \"v2\", as InternVL 2.5's");
    c->model.vision.shuffle = 2;
    c->model.vision.fine = PCT_FINE_NONE;
    c->model.image.fit = PCT_FIT_STRETCH;
    return PERCEPT_OK;
}

static percept_status describe(pct_converting *c, percept_error *error) {
    static const char *const tokens[] = {"[SEG]", "[REJ]"};
    const pct_foreign_tensor *up;
    int64_t rank;
    if (c->options->tower || c->options->heads || c->options->lora)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "an mllmseg checkpoint holds tower, heads and adapters; give its folder alone");
    PCT_TRY(wanted(c, "res_decoder.ca_layer_vl.decoder.layers.0.linear1.weight", &up, error));
    pct_family_begin(&c->model);
    PCT_TRY(read_language(c, error));
    PCT_TRY(read_tower(c, error));
    PCT_TRY(pct_json_get_i64_or(c->config, "use_llm_lora", 0, 4096, 0, &rank, error));
    c->model.heads.kind = PCT_HEADS_RES;
    c->model.heads.mask_width = c->model.vision.width;
    c->model.heads.mask_heads = 8;
    c->model.heads.mask_mlp = (int32_t)up->shape[0];
    c->model.heads.mask_stride = c->model.vision.stride;
    c->model.language.template = PCT_TEMPLATE_MLLMSEG;
    c->sources[0] = (pct_plan_source){.checkpoint = c->checkpoint,
                                      .rules = pct_family_language_rules(PCT_QWEN2),
                                      .prefixes = {"language_model.", "language_model.base_model.model."},
                                      .lora_inside = rank > 0,
                                      .lora_scale = 2, /* alpha is twice the rank */
                                      .ignored = {"*rotary_emb.inv_freq", "*init_pos", "*num_batches_tracked",
                                                  "res_decoder.ca_layer_vl.decoder.layers.0.multihead_attn.in_proj"}};
    c->sources[1] = (pct_plan_source){
        .checkpoint = c->checkpoint, .rules = pct_family_internvit_rules, .prefixes = {"vision_model."}};
    c->sources[2] = (pct_plan_source){.checkpoint = c->checkpoint, .rules = rules, .prefixes = {""}};
    c->source_count = 3;
    if (rank > 0 && c->options->keep_lora)
        PCT_TRY(pct_family_keep_lora(c, (int32_t)rank, 2 * (float)rank, NULL, error));
    c->threshold = 0.5f;
    c->domain = "photographs; finds what a phrase or a sentence refers to (MLLMSeg)";
    return pct_family_tokenizer(c, tokens, 2, error);
}

const pct_family pct_family_mllmseg = {"mllmseg", recognises, describe};
