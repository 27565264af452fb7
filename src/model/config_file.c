/* The config as a model file's keys. Parts keep the keys of their own families (llama.*, clip.vision.*), what is ours
 * stands under percept.* */
#include "model/model_private.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum kind { INTEGER, REAL, CHOICE, TEXT };

typedef struct field {
    const char *key;
    size_t offset;
    enum kind kind;
    const char *choices[4];
    bool later; /* files of before this key do without it: 0, or pct_model_config_before */
} field;

#define AT(member) offsetof(pct_model_config, member)
static const field fields[] = {
    {"percept.language.architecture", AT(language.architecture), CHOICE, {"llama", "qwen2"}, false},
    {"clip.vision.image_size", AT(image.side), INTEGER, {0}, false},
    {"percept.image.placement", AT(image.fit), CHOICE, {"pad", "stretch"}, true},
    {"percept.image.resample", AT(image.resample), CHOICE, {"bicubic"}, true},
    {"percept.image.reduced", AT(image.reduced), INTEGER, {0}, false},
    {"percept.vision.stem", AT(vision.stem), CHOICE, {"conv", "patch"}, false},
    {"percept.vision.stem_width", AT(vision.stem_width), INTEGER, {0}, false},
    {"percept.vision.stem_blocks", AT(vision.stem_blocks), INTEGER, {0}, false},
    {"percept.vision.cell_blocks", AT(vision.cell_blocks), INTEGER, {0}, true},
    {"clip.vision.patch_size", AT(vision.stride), INTEGER, {0}, false},
    {"percept.vision.fine_stride", AT(vision.fine_stride), INTEGER, {0}, false},
    {"clip.vision.embedding_length", AT(vision.width), INTEGER, {0}, false},
    {"clip.vision.block_count", AT(vision.layers), INTEGER, {0}, false},
    {"clip.vision.attention.head_count", AT(vision.heads), INTEGER, {0}, false},
    {"clip.vision.feed_forward_length", AT(vision.mlp), INTEGER, {0}, false},
    {"percept.vision.fine", AT(vision.fine), CHOICE, {"stem", "second", "none"}, false},
    {"percept.vision.merge", AT(vision.merge), INTEGER, {0}, false},
    {"percept.vision.merge_norm", AT(vision.merge_norm), INTEGER, {0}, false},
    {"percept.vision.activation", AT(vision.activation), CHOICE, {"gelu", "gelu_erf", "quick_gelu"}, true},
    {"clip.vision.attention.layer_norm_epsilon", AT(vision.norm_epsilon), REAL, {0}, true},
    {"percept.vision.pre_norm", AT(vision.pre_norm), INTEGER, {0}, true},
    {"percept.vision.patch_bias", AT(vision.patch_bias), INTEGER, {0}, true},
    {"percept.vision.layer_scale", AT(vision.layer_scale), INTEGER, {0}, true},
    {"percept.vision.qk_norm", AT(vision.qk_norm), INTEGER, {0}, true},
    {"percept.vision.class_row", AT(vision.class_row), INTEGER, {0}, true},
    {"clip.vision.projector.scale_factor", AT(vision.shuffle), INTEGER, {0}, true},
    {"percept.connector", AT(language.connector), CHOICE, {"linear", "mlp", "norm_mlp"}, false},
    {"llama.vocab_size", AT(language.vocabulary), INTEGER, {0}, false},
    {"llama.embedding_length", AT(language.width), INTEGER, {0}, false},
    {"llama.block_count", AT(language.layers), INTEGER, {0}, false},
    {"llama.attention.head_count", AT(language.heads), INTEGER, {0}, false},
    {"llama.attention.head_count_kv", AT(language.kv_heads), INTEGER, {0}, false},
    {"llama.feed_forward_length", AT(language.mlp), INTEGER, {0}, false},
    {"llama.context_length", AT(language.context), INTEGER, {0}, false},
    {"llama.rope.freq_base", AT(language.rope_theta), REAL, {0}, false},
    {"llama.attention.layer_norm_rms_epsilon", AT(language.norm_epsilon), REAL, {0}, false},
    {"percept.language.tied", AT(language.tied), INTEGER, {0}, false},
    {"percept.language.added", AT(language.added), INTEGER, {0}, true},
    {"percept.prefix_attention", AT(language.prefix), CHOICE, {"full", "causal"}, false},
    {"percept.language.cell_positions", AT(language.cell_positions), CHOICE, {"rotary", "learned"}, true},
    {"percept.language.grounding", AT(language.grounding), INTEGER, {0}, true},
    {"percept.language.copying", AT(language.copying), INTEGER, {0}, true},
    {"percept.language.regions", AT(language.regions), CHOICE, {"token", "text", "both"}, true},
    {"percept.language.bins", AT(language.bins), INTEGER, {0}, true},
    {"percept.language.vertices", AT(language.vertices), INTEGER, {0}, true},
    {"percept.template", AT(language.template), CHOICE, {"percept", "perceptiongpt", "mllmseg"}, false},
    {"percept.heads", AT(heads.kind), CHOICE, {"perception", "res"}, true},
    {"percept.box", AT(heads.box), CHOICE, {"moments", "plain"}, false},
    {"percept.feedback", AT(heads.feedback), CHOICE, {"drawn", "box", "mask", "none"}, true},
    {"percept.box_width", AT(heads.box_width), INTEGER, {0}, false},
    {"percept.mask.width", AT(heads.mask_width), INTEGER, {0}, false},
    {"percept.mask.heads", AT(heads.mask_heads), INTEGER, {0}, false},
    {"percept.mask.layers", AT(heads.mask_layers), INTEGER, {0}, false},
    {"percept.mask.mlp", AT(heads.mask_mlp), INTEGER, {0}, false},
    {"percept.mask.queries", AT(heads.mask_queries), INTEGER, {0}, false},
    {"percept.mask.channels", AT(heads.mask_channels), INTEGER, {0}, false},
    {"percept.mask.stride", AT(heads.mask_stride), INTEGER, {0}, false},
    {"percept.mask.upscaling", AT(heads.mask_upscaling), CHOICE, {"refined", "plain"}, true},
    {"percept.mask.positions", AT(heads.mask_positions), CHOICE, {"sine-2d", "as-coded"}, false},
    {"percept.mask_encoder.norm", AT(heads.mask_encoder_norm), CHOICE, {"layer", "mixed"}, true},
    {"percept.mask_encoder.side", AT(heads.mask_encoder_side), INTEGER, {0}, false},
    {"percept.mask_encoder.width", AT(heads.mask_encoder_width), INTEGER, {0}, false},
    {"percept.quality", AT(heads.quality), INTEGER, {0}, false},
    {"percept.presence", AT(heads.presence), INTEGER, {0}, false},
    {"percept.naming", AT(heads.naming), INTEGER, {0}, false},
    {"percept.cell_box", AT(heads.cell_box), INTEGER, {0}, true},
    {"percept.commit", AT(heads.commit), INTEGER, {0}, true},
    {"percept.lora.rank", AT(lora.rank), INTEGER, {0}, false},
    {"percept.lora.alpha", AT(lora.alpha), REAL, {0}, false},
    {"percept.lora.dropout", AT(lora.dropout), REAL, {0}, false},
    {"percept.lora.targets", AT(lora.targets), TEXT, {0}, false},
};

/* What is one way only in this version, said so that a reader need not assume it. */
static const char *const constants[][2] = {
    {"percept.object_state", "before"},
    {"percept.region_embedding", "box-or-mask"},
};

/* The key of before, whose two words stood for each other: files say "pad" where they mean stretch. */
static const field placement_before = {"percept.image.fit", AT(image.fit), CHOICE, {"stretch", "pad"}, false};

/* The template decides it; the key says it to other readers. */
static const char object_key[] = "percept.object_token";
static const char *object_of(const pct_model_config *config) {
    return pct_template_style_find(pct_model_template_name(config->language.template))->object;
}

/* Keys that the table has as llama.* stand under the architecture's own name. */
static const char *own_key(const field *f, enum pct_architecture architecture, char buffer[PCT_NAME_SIZE]) {
    if (strncmp(f->key, "llama.", 6) != 0) return f->key;
    snprintf(buffer, PCT_NAME_SIZE, "%s.%s", pct_architecture_name(architecture), f->key + 6);
    return buffer;
}

void pct_model_config_write(const pct_model_config *config, pct_gguf_writer *writer) {
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        pct_gguf_set_string(writer, constants[i][0], constants[i][1]);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const field *f = &fields[i];
        char buffer[PCT_NAME_SIZE];
        const char *key = own_key(f, config->language.architecture, buffer);
        const void *at = (const char *)config + f->offset;
        int32_t integer;
        float real;
        memcpy(&integer, at, sizeof integer);
        memcpy(&real, at, sizeof real);
        if (f->kind == INTEGER)
            pct_gguf_set_u32(writer, key, (uint32_t)integer);
        else if (f->kind == REAL)
            pct_gguf_set_f32(writer, key, real);
        else if (f->kind == CHOICE)
            pct_gguf_set_string(writer, key, f->choices[integer]);
        else
            pct_gguf_set_string(writer, key, at);
    }
    pct_gguf_set_string(writer, object_key, object_of(config));
    pct_model_language_write(config, writer);
    pct_gguf_set_array(writer, "clip.vision.image_mean", PCT_GGUF_F32, 3, config->image.mean);
    pct_gguf_set_array(writer, "clip.vision.image_std", PCT_GGUF_F32, 3, config->image.deviation);
}

static percept_status refuse_choice(const pct_gguf *file, const char *key, const char *found, const char *wanted,
                                    percept_error *error) {
    return pct_fail(error, PERCEPT_ERROR_MODEL,
                    "%s: %s is \"%.40s\", which this version of percept does not know (it knows %s); a newer percept "
                    "may open the file",
                    pct_gguf_path(file), key, found, wanted);
}

static percept_status read_field(void *at, const field *f, const char *key, const pct_gguf *file,
                                 percept_error *error) {
    if (f->later && !pct_gguf_has(file, key)) return PERCEPT_OK;
    if (f->kind == INTEGER) {
        int32_t integer;
        PCT_TRY(pct_gguf_get_i32(file, key, 0, 1 << 24, &integer, error));
        memcpy(at, &integer, sizeof integer);
        return PERCEPT_OK;
    }
    if (f->kind == REAL) {
        float real;
        PCT_TRY(pct_gguf_get_f32(file, key, -1e30f, 1e30f, &real, error));
        memcpy(at, &real, sizeof real);
        return PERCEPT_OK;
    }
    const char *text;
    PCT_TRY(pct_gguf_get_string(file, key, &text, error));
    if (f->kind == TEXT) {
        size_t room = sizeof((pct_model_config *)0)->lora.targets;
        if (strlen(text) >= room)
            return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: %s is longer than %zu characters; %s", pct_gguf_path(file),
                            key, room - 1, PCT_GGUF_MEND);
        memcpy(at, text, strlen(text) + 1);
        return PERCEPT_OK;
    }
    for (int32_t i = 0; i < 4 && f->choices[i]; i++)
        if (!strcmp(text, f->choices[i])) {
            memcpy(at, &i, sizeof i);
            return PERCEPT_OK;
        }
    char known[64] = "";
    for (int32_t i = 0; i < 4 && f->choices[i]; i++) {
        if (i > 0) strcat(known, ", ");
        strcat(known, f->choices[i]);
    }
    return refuse_choice(file, key, text, known, error);
}

percept_status pct_model_config_read(pct_model_config *config, const pct_gguf *file, percept_error *error) {
    *config = (pct_model_config){0};
    pct_model_config_before(config);
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        const char *text;
        PCT_TRY(pct_gguf_get_string(file, constants[i][0], &text, error));
        if (strcmp(text, constants[i][1]) != 0)
            return refuse_choice(file, constants[i][0], text, constants[i][1], error);
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        char buffer[PCT_NAME_SIZE];
        const char *key = own_key(&fields[i], config->language.architecture, buffer); /* read first */
        PCT_TRY(read_field((char *)config + fields[i].offset, &fields[i], key, file, error));
    }
    if (!pct_gguf_has(file, "percept.image.placement"))
        PCT_TRY(
            read_field((char *)config + placement_before.offset, &placement_before, placement_before.key, file, error));
    const char *object;
    PCT_TRY(pct_gguf_get_string(file, object_key, &object, error));
    if (strcmp(object, object_of(config)) != 0)
        return refuse_choice(file, object_key, object, object_of(config), error);
    PCT_TRY(pct_model_language_read(config, file, error));
    PCT_TRY(pct_gguf_get_floats(file, "clip.vision.image_mean", 3, config->image.mean, error));
    PCT_TRY(pct_gguf_get_floats(file, "clip.vision.image_std", 3, config->image.deviation, error));
    if (pct_model_config_check(config, error) == PERCEPT_OK) return PERCEPT_OK;
    if (error) error->status = PERCEPT_ERROR_MODEL;
    pct_error_prefix(error, "%s: the model's structure: ", pct_gguf_path(file));
    return PERCEPT_ERROR_MODEL;
}
