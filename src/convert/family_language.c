/* LLaMA and Qwen2: the config's numbers, the names of the tensors, rotary scaling. */
#include "convert/family.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LAYER "model.layers.#."

#define LANGUAGE_RULES(how)                                                                                            \
    {"token_embd.weight", "model.embed_tokens.weight", PCT_RULE_TABLE, 0, 0},                                          \
        {"output.weight", "lm_head.weight", PCT_RULE_TABLE, 0, 0},                                                     \
        {"output_norm.weight", "model.norm.weight", PCT_RULE_COPY, 0, 0},                                              \
        {"blk.#.attn_norm.weight", LAYER "input_layernorm.weight", PCT_RULE_COPY, 0, 0},                               \
        {"blk.#.ffn_norm.weight", LAYER "post_attention_layernorm.weight", PCT_RULE_COPY, 0, 0},                       \
        {"blk.#.attn_q.weight", LAYER "self_attn.q_proj.weight", how, 0, 0},                                           \
        {"blk.#.attn_k.weight", LAYER "self_attn.k_proj.weight", how, 0, 0},                                           \
        {"blk.#.attn_q.bias", LAYER "self_attn.q_proj.bias", how, 0, 0},                                               \
        {"blk.#.attn_k.bias", LAYER "self_attn.k_proj.bias", how, 0, 0},                                               \
        {"blk.#.attn_v.weight", LAYER "self_attn.v_proj.weight", PCT_RULE_COPY, 0, 0},                                 \
        {"blk.#.attn_v.bias", LAYER "self_attn.v_proj.bias", PCT_RULE_COPY, 0, 0},                                     \
        {"blk.#.attn_output.weight", LAYER "self_attn.o_proj.weight", PCT_RULE_COPY, 0, 0},                            \
        {"blk.#.ffn_gate.weight", LAYER "mlp.gate_proj.weight", PCT_RULE_COPY, 0, 0},                                  \
        {"blk.#.ffn_up.weight", LAYER "mlp.up_proj.weight", PCT_RULE_COPY, 0, 0},                                      \
        {"blk.#.ffn_down.weight", LAYER "mlp.down_proj.weight", PCT_RULE_COPY, 0, 0}, {                                \
        NULL, NULL, PCT_RULE_COPY, 0, 0                                                                                \
    }

/* llama.cpp turns pairs of neighbours in LLaMA's files and halves in Qwen2's. */
static const pct_rule llama_rules[] = {LANGUAGE_RULES(PCT_RULE_ROTARY)};
static const pct_rule qwen2_rules[] = {LANGUAGE_RULES(PCT_RULE_COPY)};

const pct_rule *pct_family_language_rules(enum pct_architecture architecture) {
    return architecture == PCT_LLAMA ? llama_rules : qwen2_rules;
}

static percept_status get_i32(const json_t *config, const char *key, int64_t min, int64_t max, int32_t *out,
                              percept_error *error) {
    int64_t value;
    PCT_TRY(pct_json_get_i64(config, key, min, max, &value, error));
    *out = (int32_t)value;
    return PERCEPT_OK;
}

static percept_status get_i32_or(const json_t *config, const char *key, int64_t min, int64_t max, int32_t fallback,
                                 int32_t *out, percept_error *error) {
    int64_t value;
    PCT_TRY(pct_json_get_i64_or(config, key, min, max, fallback, &value, error));
    *out = (int32_t)value;
    return PERCEPT_OK;
}

/* LLaMA 3's scaling: waves that are long beside the first training's context are stretched by `factor`, short ones
 * stay, between the two it goes over smoothly. The file has a divisor for each pair. */
static percept_status llama3_factors(pct_converting *c, const json_t *scaling, percept_error *error) {
    double factor, low, high, before;
    const int32_t pairs = pct_model_config_head(&c->model) / 2;
    PCT_TRY(pct_json_get_f64(scaling, "factor", 1, 1000, &factor, error));
    PCT_TRY(pct_json_get_f64(scaling, "low_freq_factor", 1e-3, 1000, &low, error));
    PCT_TRY(pct_json_get_f64(scaling, "high_freq_factor", 1e-3, 1000, &high, error));
    PCT_TRY(pct_json_get_f64(scaling, "original_max_position_embeddings", 1, 1e9, &before, error));
    if (high <= low)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "rope_scaling: high_freq_factor %g is not above low_freq_factor %g",
                        high, low);
    c->rope_factors = calloc((size_t)pairs, sizeof *c->rope_factors);
    if (!c->rope_factors) return pct_fail_memory(error, "rotary factors");
    for (int32_t i = 0; i < pairs; i++) {
        const double wave = 2 * acos(-1.0) * pow((double)c->model.language.rope_theta, (double)i / pairs);
        const double share = (before / wave - low) / (high - low);
        const double smooth = share < 0 ? 0 : share > 1 ? 1 : share;
        c->rope_factors[i] = (pct_real)(1 / ((1 - smooth) / factor + smooth));
    }
    c->model.language.rope_factors = 1;
    c->made[c->made_count++] = (pct_plan_made){"rope_freqs.weight", c->rope_factors, pairs};
    return PERCEPT_OK;
}

/* "rope_theta" and "rope_scaling", or both in "rope_parameters", as newer configs have them. */
static percept_status read_rope(pct_converting *c, const json_t *config, percept_error *error) {
    json_t *scaling = NULL, *parameters = NULL;
    const char *type;
    double factor, theta;
    PCT_TRY(pct_json_get_object_or_null(config, "rope_parameters", &parameters, error));
    PCT_TRY(pct_json_get_f64_or(parameters ? parameters : config, "rope_theta", 1, 1e9, 10000, &theta, error));
    c->model.language.rope_theta = (float)theta;
    PCT_TRY(pct_json_get_object_or_null(config, "rope_scaling", &scaling, error));
    if (parameters) scaling = parameters;
    if (!scaling) return PERCEPT_OK;
    PCT_TRY(pct_json_get_string_or(scaling, "type", NULL, &type, error));
    if (!type) PCT_TRY(pct_json_get_string_or(scaling, "rope_type", "none", &type, error));
    if (!strcmp(type, "default") || !strcmp(type, "none")) return PERCEPT_OK;
    if (!strcmp(type, "llama3")) return llama3_factors(c, scaling, error);
    if (strcmp(type, "linear") != 0)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "rope_scaling: type \"%.40s\" is not known; known are linear and llama3", type);
    PCT_TRY(pct_json_get_f64(scaling, "factor", 1, 1000, &factor, error));
    c->model.language.rope_slow = (float)factor;
    return PERCEPT_OK;
}

percept_status pct_family_language(pct_converting *c, const json_t *config, enum pct_architecture architecture,
                                   percept_error *error) {
    const char *activation;
    double epsilon;
    bool tied, bias, window;
    int32_t head;
    c->model.language.architecture = architecture;
    c->model.language.prefix = PCT_PREFIX_CAUSAL;
    PCT_TRY(get_i32(config, "hidden_size", 16, 16384, &c->model.language.width, error));
    PCT_TRY(get_i32(config, "num_hidden_layers", 1, 128, &c->model.language.layers, error));
    PCT_TRY(get_i32(config, "num_attention_heads", 1, 256, &c->model.language.heads, error));
    PCT_TRY(
        get_i32_or(config, "num_key_value_heads", 1, 256, c->model.language.heads, &c->model.language.kv_heads, error));
    PCT_TRY(get_i32(config, "intermediate_size", 16, 65536, &c->model.language.mlp, error));
    PCT_TRY(get_i32_or(config, "max_position_embeddings", 16, 1 << 20, 2048, &c->model.language.context, error));
    PCT_TRY(get_i32_or(config, "head_dim", 2, 1024, 0, &head, error));
    if (head * c->model.language.heads != c->model.language.width) c->model.language.head_width = head;
    PCT_TRY(pct_json_get_f64_or(config, "rms_norm_eps", 1e-12, 0.1, 1e-6, &epsilon, error));
    PCT_TRY(pct_json_get_bool_or(config, "tie_word_embeddings", false, &tied, error));
    PCT_TRY(pct_json_get_bool_or(config, "attention_bias", architecture == PCT_QWEN2, &bias, error));
    PCT_TRY(pct_json_get_bool_or(config, "use_sliding_window", false, &window, error));
    PCT_TRY(pct_json_get_string_or(config, "hidden_act", "silu", &activation, error));
    if (strcmp(activation, "silu") != 0)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "hidden_act: \"%.40s\" is not known for this family; give a model with \"silu\"", activation);
    if (window)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "use_sliding_window: true is not known; give a model that attends to its whole context");
    c->model.language.norm_epsilon = (float)epsilon;
    c->model.language.tied = tied;
    c->model.language.bias = bias || architecture == PCT_QWEN2;
    return read_rope(c, config, error);
}

/* ---- language models alone -------------------------------------------------------------------------------------- */

static percept_status describe(pct_converting *c, enum pct_architecture architecture, percept_error *error) {
    c->model = (pct_model_config){.kind = PCT_MODEL_LANGUAGE};
    if (c->options->tower || c->options->heads)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "a tower or heads do not go with a language model alone; give --family perceptiongpt to join "
                        "them");
    PCT_TRY(pct_family_language(c, c->config, architecture, error));
    c->sources[0] =
        (pct_plan_source){.checkpoint = c->checkpoint,
                          .rules = pct_family_language_rules(architecture),
                          .prefixes = {"", "language_model."},
                          .ignored = {"*rotary_emb.inv_freq", c->model.language.tied ? "lm_head.weight" : NULL}};
    c->source_count = 1;
    PCT_TRY(pct_family_lora(c, error));
    return pct_family_tokenizer(c, NULL, 0, error);
}

static percept_status describe_llama(pct_converting *c, percept_error *error) { return describe(c, PCT_LLAMA, error); }
static percept_status describe_qwen2(pct_converting *c, percept_error *error) { return describe(c, PCT_QWEN2, error); }
static bool is_llama(const pct_converting *c) { return !strcmp(pct_family_type(c->config), "llama"); }
static bool is_qwen2(const pct_converting *c) { return !strcmp(pct_family_type(c->config), "qwen2"); }

const pct_family pct_family_llama = {"llama", is_llama, describe_llama};
const pct_family pct_family_qwen2 = {"qwen2", is_qwen2, describe_qwen2};
