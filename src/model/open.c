/* Opening a model file: structure from its keys, weights by name and shape. The file is hostile until proven. */
#include "model/model_private.h"

#include "base/cpu.h"
#include "formats/sha256.h"
#include "model/stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const pct_gguf *file;
    pct_kernels kernels;
    int64_t taken;               /* tensors that found their place */
    const pct_model_lora *fresh; /* LoRA is made anew; NULL: as the file has it */
    pct_model_lora own;          /* the file's */
    int64_t adapted;             /* layers that got matrices */
    int32_t added;               /* rows of tables of their own that become rows of the tables that learn; 0: none */
    bool mapped;                 /* tensors lie in a map of the file */
} reader;

static void shape_text(pct_text *out, int rank, const int64_t *dim) {
    for (int i = 0; i < rank; i++) pct_text_printf(out, i > 0 ? " x %lld" : "%lld", (long long)dim[i]);
}

/* The shape that the tensor has in a file, GGUF order: a convolution's kernel lies flat, (k*k*in, out). */
static int file_shape(const pct_weight_spec *spec, int64_t ne[2]) {
    ne[0] = spec->rank == 1 ? spec->dim[0] : 1;
    ne[1] = spec->dim[0];
    for (int i = 1; i < spec->rank; i++) ne[0] *= spec->dim[i];
    return spec->rank == 1 ? 1 : 2;
}

static percept_status check_shape(const pct_gguf *file, const pct_gguf_tensor *tensor, int rank, const int64_t *ne,
                                  percept_error *error) {
    bool same = tensor->ne[2] == 1 && tensor->ne[3] == 1 && tensor->ne[0] == ne[0];
    if (same && tensor->ne[1] == (rank == 2 ? ne[1] : 1)) return PERCEPT_OK;
    pct_text wanted = {0}, found = {0};
    shape_text(&wanted, rank, ne);
    shape_text(&found, tensor->dims, tensor->ne);
    percept_status status = pct_fail(
        error, PERCEPT_ERROR_MODEL, "%s: tensor %s is %s; the model's structure wants %s; %s", pct_gguf_path(file),
        tensor->name, found.data ? found.data : "?", wanted.data ? wanted.data : "?", PCT_GGUF_MEND);
    pct_text_free(&wanted);
    pct_text_free(&found);
    return status;
}

static percept_status check_type(const pct_gguf *file, const pct_gguf_tensor *tensor, pct_dtype *type,
                                 percept_error *error) {
    if (pct_dtype_of_gguf(tensor->type, type)) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: tensor %s has type %s, which cannot hold weights; %s",
                    pct_gguf_path(file), tensor->name, pct_gguf_type_name(tensor->type), PCT_GGUF_MEND);
}

static void read_plain(const reader *r, const pct_gguf_tensor *tensor, pct_dtype type, pct_real *out) {
    size_t row_bytes;
    int64_t width = tensor->ne[0];
    PCT_ASSERT(pct_dtype_row_bytes(type, width, &row_bytes));
    for (int64_t i = 0; i < tensor->elements / width; i++)
        r->kernels.dequantise[type](out + i * width, (const unsigned char *)tensor->data + (size_t)i * row_bytes,
                                    width);
}

percept_status pct_model_read_tensor(const pct_gguf *file, const pct_gguf_tensor *tensor, pct_real *out,
                                     percept_error *error) {
    reader r = {.file = file};
    pct_dtype type;
    PCT_TRY(check_type(file, tensor, &type, error));
    pct_kernels_init(&r.kernels, pct_cpu_flags());
    read_plain(&r, tensor, type, out);
    return PERCEPT_OK;
}

/* One of the file's LoRA matrices of a weight, plain; *out NULL where the file has none. The caller frees it. */
static percept_status read_lora(const reader *r, const char *weight, const char *end, const int64_t ne[2],
                                pct_real **out, percept_error *error) {
    char name[PCT_NAME_SIZE + 8];
    snprintf(name, sizeof name, "%s.%s", weight, end);
    *out = NULL;
    pct_dtype type;
    const pct_gguf_tensor *tensor = r->own.rank > 0 ? pct_gguf_find(r->file, name) : NULL;
    if (!tensor) return PERCEPT_OK;
    PCT_TRY(check_shape(r->file, tensor, 2, ne, error));
    PCT_TRY(check_type(r->file, tensor, &type, error));
    *out = malloc((size_t)tensor->elements * sizeof **out);
    if (!*out) return pct_fail_memory(error, "weights");
    read_plain(r, tensor, type, *out);
    return PERCEPT_OK;
}

/* Adds the product of the file's LoRA matrices, where it has them, to the first `out` rows of a weight that were read
 * from it. */
static percept_status merge_own(const reader *r, pct_parameter *parameter, int64_t out, percept_error *error) {
    const pct_tensor *w = &parameter->tensor;
    int64_t rank = r->own.rank, in = w->dim[1];
    pct_real *a = NULL, *b = NULL, *data = pct_tensor_data(w);
    percept_status status = read_lora(r, parameter->name, "lora_a", (int64_t[]){in, rank}, &a, error);
    if (status == PERCEPT_OK) status = read_lora(r, parameter->name, "lora_b", (int64_t[]){rank, out}, &b, error);
    for (int64_t row = 0; status == PERCEPT_OK && a && b && row < out; row++)
        pct_model_add_lora(data + row * in, b + row * rank, a, rank, in, (pct_real)r->own.alpha / (pct_real)rank);
    free(a);
    free(b);
    return status;
}

static bool has_own_lora(const reader *r, const char *weight) {
    char name[PCT_NAME_SIZE + 8];
    snprintf(name, sizeof name, "%s.lora_a", weight);
    return r->own.rank > 0 && pct_gguf_find(r->file, name);
}

/* The table of words and, behind it, the rows that stood apart from it while it was frozen: one table that learns. */
static percept_status take_table(reader *r, const pct_weight_spec *spec, pct_parameters *set, pct_parameter **parameter,
                                 percept_error *error) {
    const int64_t width = spec->dim[1], own = spec->dim[0] - r->added, rows[] = {own, r->added};
    char added[PCT_NAME_SIZE + 16];
    snprintf(added, sizeof added, "percept.added.%s", spec->name);
    const char *const names[] = {spec->name, added};
    *parameter = pct_parameters_add(set, spec->name, spec->rank, spec->dim, spec->trainable, error);
    if (!*parameter) return PERCEPT_ERROR_RESOURCE;
    pct_real *out = pct_tensor_data(&(*parameter)->tensor);
    for (int i = 0; i < 2; i++) {
        const pct_gguf_tensor *tensor = pct_gguf_find(r->file, names[i]);
        pct_dtype type;
        if (!tensor)
            return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: tensor %s is missing; %s", pct_gguf_path(r->file),
                            names[i], PCT_GGUF_MEND);
        PCT_TRY(check_shape(r->file, tensor, 2, (int64_t[]){width, rows[i]}, error));
        PCT_TRY(check_type(r->file, tensor, &type, error));
        read_plain(r, tensor, type, out);
        out += rows[i] * width;
        r->taken++;
    }
    return r->fresh && has_own_lora(r, spec->name) ? merge_own(r, *parameter, own, error) : PERCEPT_OK;
}

static bool is_table(const char *name) { return !strcmp(name, "token_embd.weight") || !strcmp(name, "output.weight"); }

static percept_status take_weight(void *context, const pct_weight_spec *spec, pct_parameters *set,
                                  pct_parameter **parameter, percept_error *error) {
    reader *r = context;
    int64_t ne[2];
    if (r->fresh && pct_model_is_lora(spec->name)) {
        r->adapted++;
        return PERCEPT_OK;
    }
    if (r->added > 0 && is_table(spec->name)) return take_table(r, spec, set, parameter, error);
    int rank = file_shape(spec, ne);
    pct_dtype type;
    const pct_gguf_tensor *tensor = pct_gguf_find(r->file, spec->name);
    if (!tensor) {
        pct_text wanted = {0};
        shape_text(&wanted, rank, ne);
        percept_status status =
            pct_fail(error, PERCEPT_ERROR_MODEL, "%s: tensor %s (%s) is missing; %s", pct_gguf_path(r->file),
                     spec->name, wanted.data ? wanted.data : "?", PCT_GGUF_MEND);
        pct_text_free(&wanted);
        return status;
    }
    PCT_TRY(check_shape(r->file, tensor, rank, ne, error));
    PCT_TRY(check_type(r->file, tensor, &type, error));
    bool merged = r->fresh && spec->rank == 2 && has_own_lora(r, spec->name);
    r->taken++;
    /* Matrices of a model that answers stay in the file's form; products pack them. All else is small. */
    if (!spec->trainable && spec->rank == 2 && !spec->plain && !merged) {
        *parameter = pct_parameters_add_stored(set, spec->name, type, spec->rank, spec->dim, tensor->data, error);
        if (!*parameter) return PERCEPT_ERROR_RESOURCE;
        (*parameter)->mapped = r->mapped;
        return PERCEPT_OK;
    }
    *parameter = pct_parameters_add(set, spec->name, spec->rank, spec->dim, spec->trainable, error);
    if (!*parameter) return PERCEPT_ERROR_RESOURCE;
    read_plain(r, tensor, type, pct_tensor_data(&(*parameter)->tensor));
    return merged ? merge_own(r, *parameter, spec->dim[0], error) : PERCEPT_OK;
}

percept_status pct_model_take_weight(const pct_gguf *file, const pct_weight_spec *spec, pct_parameters *set,
                                     pct_parameter **parameter, percept_error *error) {
    reader r = {.file = file};
    pct_kernels_init(&r.kernels, pct_cpu_flags());
    return take_weight(&r, spec, set, parameter, error);
}

/* Architecture and version come first, so that a file of another kind is told apart from a damaged one. */
static percept_status read_config(pct_model_config *config, const pct_gguf *file, percept_error *error) {
    const char *name;
    uint32_t version;
    enum pct_architecture architecture;
    PCT_TRY(pct_gguf_get_string(file, "general.architecture", &name, error));
    if (pct_architecture_from_name(name, &architecture))
        return pct_model_config_read_language(config, file, architecture, error);
    if (strcmp(name, "percept") != 0)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "%s: general.architecture is \"%.40s\"; give a model file made by percept, or a language model "
                        "of the architecture \"llama\" or \"qwen2\"",
                        pct_gguf_path(file), name);
    PCT_TRY(pct_gguf_get_u32(file, "percept.format_version", 1, UINT32_MAX, &version, error));
    if (version > PCT_MODEL_FORMAT)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "%s: percept.format_version is %u; this percept reads up to %d: use a newer one",
                        pct_gguf_path(file), version, PCT_MODEL_FORMAT);
    return pct_model_config_read(config, file, error);
}

/* What a language model alone has and this program does not compute would be missing in every answer. */
percept_status pct_model_check_all_used(const pct_model *model, const pct_gguf *file, percept_error *error) {
    for (int64_t i = 0; i < pct_gguf_tensor_count(file); i++) {
        const char *name = pct_gguf_tensor_at(file, i)->name;
        if (strstr(name, "attn_rot_embd")) continue; /* old files: angles, which are computed */
        if (strlen(name) >= PCT_NAME_SIZE || !pct_parameters_find(&model->parameters, name))
            return pct_fail(error, PERCEPT_ERROR_MODEL,
                            "%s: tensor %.80s has no place in a model of architecture \"%s\" as percept knows it; take "
                            "another model",
                            pct_gguf_path(file), name, pct_architecture_name(model->config.language.architecture));
    }
    return PERCEPT_OK;
}

/* Vocabulary and object token: what tokenizer and structure must agree on. */
static percept_status check_tokenizer(const pct_model *model, const pct_gguf *file, percept_error *error) {
    const pct_model_config *c = &model->config;
    if (pct_tokenizer_size(model->tokenizer) != c->language.vocabulary)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: %s.vocab_size is %d, but the tokenizer has %d tokens; %s",
                        pct_gguf_path(file), pct_architecture_name(c->language.architecture), c->language.vocabulary,
                        pct_tokenizer_size(model->tokenizer), PCT_GGUF_MEND);
    return PERCEPT_OK;
}

/* A language model alone has as many words as its tokenizer; the file's own figure, where it is there, must agree. */
static percept_status take_vocabulary(pct_model_config *config, const pct_tokenizer *tokenizer, const pct_gguf *file,
                                      percept_error *error) {
    char key[PCT_NAME_SIZE];
    const int32_t size = pct_tokenizer_size(tokenizer);
    snprintf(key, sizeof key, "%s.vocab_size", pct_architecture_name(config->language.architecture));
    PCT_TRY(pct_gguf_get_i32_or(file, key, 1, 1 << 24, size, &config->language.vocabulary, error));
    if (pct_model_config_check(config, error) == PERCEPT_OK) return PERCEPT_OK;
    if (error) error->status = PERCEPT_ERROR_MODEL;
    pct_error_prefix(error, "%s: the model's structure: ", pct_gguf_path(file));
    return PERCEPT_ERROR_MODEL;
}

static void list_unused(pct_model *model, const reader *r) {
    static const char added[] = "percept.added.";
    for (int64_t i = 0; i < pct_gguf_tensor_count(r->file); i++) {
        const char *name = pct_gguf_tensor_at(r->file, i)->name;
        if (r->added > 0 && strncmp(name, added, sizeof added - 1) == 0 && is_table(name + sizeof added - 1)) continue;
        if (r->fresh && pct_model_is_lora(name)) continue; /* added to the weights */
        if (strlen(name) < PCT_NAME_SIZE && pct_parameters_find(&model->parameters, name)) continue;
        pct_text_printf(&model->unused, model->unused.length > 0 ? ", %s" : "%s", name);
    }
}

/* How a file is opened; lora NULL: as it is. */
struct opening {
    bool trainable, mapped; /* mapped: from a path, not from a caller's memory */
    bool thaw;
    const pct_model_lora *lora;
    uint64_t seed;
};

static percept_status read_parts(pct_model **out, const pct_gguf *file, const struct opening *how,
                                 percept_error *error) {
    pct_model_config config;
    pct_tokenizer *tokenizer = NULL;
    PCT_TRY(read_config(&config, file, error));
    pct_model_lora own = config.lora;
    const int32_t added = how->thaw ? config.language.added : 0;
    if (how->thaw) config.language.added = 0;
    if (how->lora) {
        config.lora = *how->lora;
        PCT_TRY(pct_model_config_check(&config, error));
    }
    PCT_TRY(pct_tokenizer_load(&tokenizer, file, error));
    percept_status status = PERCEPT_OK;
    if (config.kind == PCT_MODEL_LANGUAGE) status = take_vocabulary(&config, tokenizer, file, error);
    pct_model *model = status == PERCEPT_OK ? pct_model_new(&config) : NULL;
    if (!model) {
        pct_tokenizer_destroy(&tokenizer);
        return status == PERCEPT_OK ? pct_fail_memory(error, "model") : status;
    }
    *out = model;
    model->tokenizer = tokenizer;
    PCT_TRY(check_tokenizer(model, file, error));
    if (pct_model_take_template(model, tokenizer, error) != PERCEPT_OK) {
        pct_error_prefix(error, "%s", pct_gguf_path(file));
        return error ? error->status : PERCEPT_ERROR_MODEL;
    }
    PCT_TRY(pct_model_card_read(model, file, error));
    reader r = {.file = file, .fresh = how->lora, .own = own, .added = added};
    pct_kernels_init(&r.kernels, pct_cpu_flags()); /* widening gives the same bits everywhere */
    r.mapped = how->mapped;
    pct_builder builder = pct_model_builder(model, how->trainable, how->seed, error);
    builder.source = take_weight;
    builder.context = &r;
    pct_model_build(model, &builder);
    PCT_TRY(builder.status);
    if (how->lora && how->lora->rank > 0 && r.adapted == 0)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "lora.targets: no layer's name ends like one of '%s'",
                        config.lora.targets);
    if (config.kind == PCT_MODEL_LANGUAGE) PCT_TRY(pct_model_check_all_used(model, file, error));
    if (r.taken < pct_gguf_tensor_count(file)) list_unused(model, &r);
    return PERCEPT_OK;
}

/* Takes over the file. */
static percept_status open_file(pct_model **out, pct_gguf *file, const char *path, const struct opening *how,
                                percept_error *error) {
    pct_model *model = NULL;
    percept_status status = read_parts(&model, file, how, error);
    if (model) {
        model->file = file;
        model->path = path ? strdup(path) : NULL;
        if (path && !model->path && status == PERCEPT_OK) status = pct_fail_memory(error, "model");
    } else {
        pct_gguf_close(&file);
    }
    if (status != PERCEPT_OK) pct_model_close(&model);
    *out = model;
    return status;
}

static percept_status open_path(pct_model **model, const char *path, const struct opening *how, percept_error *error) {
    *model = NULL;
    pct_gguf *file = NULL;
    PCT_TRY(pct_gguf_open(&file, path, error));
    return open_file(model, file, path, how, error);
}

percept_status pct_model_check_sees(const pct_model *model, percept_error *error) {
    if (model->config.kind == PCT_MODEL_JOINED) return PERCEPT_OK;
    return pct_fail(
        error, PERCEPT_ERROR_MODEL,
        "%s: is a language model alone (%s): it can complete, chat and score text, and not look at pictures",
        model->path ? model->path : "the model", pct_architecture_name(model->config.language.architecture));
}

percept_status pct_model_open(pct_model **model, const char *path, bool trainable, percept_error *error) {
    return open_path(model, path, &(struct opening){.trainable = trainable, .mapped = true}, error);
}

percept_status pct_model_open_adapted(pct_model **model, const char *path, const pct_model_lora *lora, uint64_t seed,
                                      percept_error *error) {
    return open_path(model, path, &(struct opening){.trainable = true, .lora = lora, .seed = seed, .mapped = true},
                     error);
}

percept_status pct_model_open_thawed(pct_model **model, const char *path, percept_error *error) {
    const pct_model_lora none = {.rank = 0}; /* the file's is added to its weights */
    return open_path(model, path, &(struct opening){.trainable = true, .thaw = true, .lora = &none, .mapped = true},
                     error);
}

percept_status pct_model_open_memory(pct_model **model, const char *name, const void *data, size_t size,
                                     percept_error *error) {
    *model = NULL;
    pct_gguf *file = NULL;
    PCT_TRY(pct_gguf_open_memory(&file, name, data, size, error));
    return open_file(model, file, NULL, &(struct opening){.trainable = false}, error);
}

const char *pct_model_get_hash(const pct_model *model) {
    pct_model *own = (pct_model *)(uintptr_t)model; /* the hash is made late, under the lock */
    if (!own->path) return "";
    pthread_mutex_lock(&own->parameters.lock);
    if (!own->hash[0] && pct_sha256_file(own->path, own->hash, NULL) != PERCEPT_OK) own->hash[0] = 0;
    pthread_mutex_unlock(&own->parameters.lock);
    return own->hash;
}

const char *pct_model_get_unused(const pct_model *model) { return model->unused.data ? model->unused.data : ""; }
