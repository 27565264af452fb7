/* The language model's part of a file's keys, as llama.cpp names them; and the config of a file that holds a language
 * model alone. What would change an answer and is not done here is refused, not passed over. */
#include "model/model_private.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {[PCT_LLAMA] = "llama", [PCT_QWEN2] = "qwen2"};

const char *pct_architecture_name(enum pct_architecture architecture) { return names[architecture]; }

bool pct_architecture_from_name(const char *name, enum pct_architecture *architecture) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) {
            *architecture = (enum pct_architecture)i;
            return true;
        }
    return false;
}

/* "llama.block_count" and the like. */
typedef struct key_name {
    char text[PCT_NAME_SIZE];
} key_name;

static key_name key_of(const pct_model_config *config, const char *name) {
    key_name key;
    snprintf(key.text, sizeof key.text, "%s.%s", names[config->language.architecture], name);
    return key;
}
#define KEY(name) key_of(config, name).text

static percept_status refuse(const pct_gguf *file, const char *key, const char *what, percept_error *error) {
    return pct_fail(error, PERCEPT_ERROR_MODEL,
                    "%s: %s: %s is not known to this version of percept; take another model", pct_gguf_path(file), key,
                    what);
}

/* "none", "linear" with a factor; LLaMA 3's own way comes as a tensor. */
static percept_status read_scaling(pct_model_config *config, const pct_gguf *file, percept_error *error) {
    const char *type;
    float factor = 1;
    PCT_TRY(pct_gguf_get_string_or(file, KEY("rope.scaling.type"), "none", &type, error));
    if (!strcmp(type, "linear"))
        PCT_TRY(pct_gguf_get_f32(file, KEY("rope.scaling.factor"), 1e-3f, 1e3f, &factor, error));
    else if (strcmp(type, "none") != 0)
        return refuse(file, KEY("rope.scaling.type"), type, error);
    else
        PCT_TRY(pct_gguf_get_f32_or(file, KEY("rope.scale_linear"), 1e-3f, 1e3f, 1, &factor, error));
    config->language.rope_slow = factor == 1 ? 0 : factor; /* NOLINT: exactly 1 is what files say */
    return PERCEPT_OK;
}

percept_status pct_model_language_read(pct_model_config *config, const pct_gguf *file, percept_error *error) {
    const int64_t heads = config->language.heads, width = config->language.width;
    int32_t head, value, experts;
    PCT_TRY(pct_gguf_get_i32_or(file, KEY("attention.key_length"), 2, 1024, 0, &head, error));
    PCT_TRY(pct_gguf_get_i32_or(file, KEY("attention.value_length"), 2, 1024, head, &value, error));
    if (value != head && (head > 0 || value * heads != width))
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: %s is %d and %s is %d; heads of two widths are not known; %s",
                        pct_gguf_path(file), KEY("attention.value_length"), value, KEY("attention.key_length"), head,
                        PCT_GGUF_MEND);
    if (head * heads != width) config->language.head_width = head;
    PCT_TRY(pct_gguf_get_i32_or(file, KEY("rope.dimension_count"), 2, 1024, 0, &config->language.rotary, error));
    if (heads > 0 && config->language.rotary == pct_model_config_head(config)) config->language.rotary = 0;
    PCT_TRY(pct_gguf_get_i32_or(file, KEY("expert_count"), 0, 1 << 16, 0, &experts, error));
    if (experts > 0) return refuse(file, KEY("expert_count"), "a mixture of experts", error);
    PCT_TRY(read_scaling(config, file, error));
    config->language.rope_factors = pct_gguf_find(file, "rope_freqs.weight") != NULL;
    config->language.bias =
        config->language.architecture == PCT_QWEN2 || pct_gguf_find(file, "blk.0.attn_q.bias") != NULL;
    return PERCEPT_OK;
}

void pct_model_language_write(const pct_model_config *config, pct_gguf_writer *writer) {
    const int32_t head = pct_model_config_head(config), rotary = config->language.rotary;
    pct_gguf_set_u32(writer, KEY("rope.dimension_count"), (uint32_t)(rotary > 0 ? rotary : head));
    if (config->language.head_width > 0) {
        pct_gguf_set_u32(writer, KEY("attention.key_length"), (uint32_t)head);
        pct_gguf_set_u32(writer, KEY("attention.value_length"), (uint32_t)head);
    }
    if (config->language.rope_slow > 0) {
        pct_gguf_set_string(writer, KEY("rope.scaling.type"), "linear");
        pct_gguf_set_f32(writer, KEY("rope.scaling.factor"), config->language.rope_slow);
    }
}

void pct_model_config_write_language(const pct_model_config *config, pct_gguf_writer *writer) {
    const struct {
        const char *name;
        int32_t value;
    } numbers[] = {{"vocab_size", config->language.vocabulary},
                   {"embedding_length", config->language.width},
                   {"block_count", config->language.layers},
                   {"attention.head_count", config->language.heads},
                   {"attention.head_count_kv", config->language.kv_heads},
                   {"feed_forward_length", config->language.mlp},
                   {"context_length", config->language.context}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        pct_gguf_set_u32(writer, KEY(numbers[i].name), (uint32_t)numbers[i].value);
    pct_gguf_set_f32(writer, KEY("rope.freq_base"), config->language.rope_theta);
    pct_gguf_set_f32(writer, KEY("attention.layer_norm_rms_epsilon"), config->language.norm_epsilon);
    pct_model_language_write(config, writer);
}

percept_status pct_model_config_read_language(pct_model_config *config, const pct_gguf *file,
                                              enum pct_architecture architecture, percept_error *error) {
    *config = (pct_model_config){.kind = PCT_MODEL_LANGUAGE, .language.architecture = architecture};
    config->language.prefix = PCT_PREFIX_CAUSAL;
    int32_t *heads = &config->language.heads;
    PCT_TRY(pct_gguf_get_i32(file, KEY("embedding_length"), 16, 16384, &config->language.width, error));
    PCT_TRY(pct_gguf_get_i32(file, KEY("block_count"), 1, PCT_LANGUAGE_MAX_LAYERS, &config->language.layers, error));
    PCT_TRY(pct_gguf_get_i32(file, KEY("attention.head_count"), 1, 256, heads, error));
    PCT_TRY(
        pct_gguf_get_i32_or(file, KEY("attention.head_count_kv"), 1, 256, *heads, &config->language.kv_heads, error));
    PCT_TRY(pct_gguf_get_i32(file, KEY("feed_forward_length"), 16, 65536, &config->language.mlp, error));
    PCT_TRY(pct_gguf_get_i32(file, KEY("context_length"), 16, 1 << 20, &config->language.context, error));
    PCT_TRY(pct_gguf_get_f32_or(file, KEY("rope.freq_base"), 1, 1e9f, 10000, &config->language.rope_theta, error));
    PCT_TRY(pct_gguf_get_f32(file, KEY("attention.layer_norm_rms_epsilon"), 1e-12f, 0.1f,
                             &config->language.norm_epsilon, error));
    config->language.tied = pct_gguf_find(file, "output.weight") == NULL;
    return pct_model_language_read(config, file, error);
}
