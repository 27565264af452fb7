/* Writing a model file. Matrices take the type asked for where their rows allow it; vectors and what is tiny or read as
 * it is (positions, the class token) stay F32. */
#include "model/model_private.h"
#include "model/stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows as they lie in the file: a convolution's kernel for one output is one row. */
static int64_t row_width(const pct_tensor *tensor) {
    return tensor->rank == 1 ? tensor->dim[0] : pct_tensor_count(tensor) / tensor->dim[0];
}

static pct_dtype stored_type(const pct_model *model, const pct_parameter *parameter, pct_dtype wanted) {
    const pct_tensor *tensor = &parameter->tensor;
    if (pct_model_keeps_stored(model, parameter)) return tensor->type; /* not rounded once more */
    return pct_stored_type(parameter->name, tensor->rank == 1 ? 1 : 2, tensor->rank == 1 ? 1 : tensor->dim[0],
                           row_width(tensor), wanted);
}

static void declare(const pct_model *model, pct_gguf_writer *writer, const pct_parameter *parameter, pct_dtype wanted) {
    int64_t width = row_width(&parameter->tensor);
    int64_t ne[2] = {width, pct_tensor_count(&parameter->tensor) / width};
    pct_gguf_writer_declare(writer, parameter->name, pct_gguf_of_dtype(stored_type(model, parameter, wanted)),
                            parameter->tensor.rank == 1 ? 1 : 2, ne);
}

/* One row as pct_real: replacement, own data, or a stored type's. */
static void plain_row(const pct_kernels *kernels, const pct_parameter *parameter, const pct_real *replacement,
                      int64_t row, int64_t width, pct_real *out) {
    const pct_tensor *tensor = &parameter->tensor;
    size_t row_bytes;
    if (replacement) {
        memcpy(out, replacement + row * width, (size_t)width * sizeof *out);
        return;
    }
    PCT_ASSERT(pct_dtype_row_bytes(tensor->type, width, &row_bytes));
    kernels->dequantise[tensor->type](out, (const unsigned char *)tensor->data + (size_t)row * row_bytes, width);
}

/* What is written, and how. */
typedef struct saving {
    const pct_model *model;
    pct_dtype type;
    const pct_real *const *weights; /* replacements, or NULL */
    bool merge;
    pct_kernels kernels;
    pct_gguf_writer *writer;
} saving;

/* LoRA's matrices of a weight; NULL where it has none. */
static const pct_parameter *lora_of(const saving *s, const pct_parameter *parameter, const char *end) {
    char name[PCT_NAME_SIZE + 8];
    snprintf(name, sizeof name, "%s.%s", parameter->name, end);
    return s->merge && strlen(name) < PCT_NAME_SIZE ? pct_parameters_find(&s->model->parameters, name) : NULL;
}

/* The rows of LoRA's A, plain; NULL in *out where the weight has none. */
static percept_status take_lora(const saving *s, const pct_parameter *parameter, pct_real **out, percept_error *error) {
    const pct_parameter *a = lora_of(s, parameter, "lora_a");
    *out = NULL;
    if (!a) return PERCEPT_OK;
    int64_t rank = a->tensor.dim[0], in = a->tensor.dim[1];
    *out = malloc((size_t)(rank * in) * sizeof **out);
    if (!*out) return pct_fail_memory(error, "weights");
    for (int64_t r = 0; r < rank; r++) plain_row(&s->kernels, a, NULL, r, in, *out + r * in);
    return PERCEPT_OK;
}

static void add_lora(const saving *s, const pct_parameter *b, const pct_real *a, int64_t row, int64_t in,
                     pct_real *plain) {
    pct_real of_row[256]; /* as the largest rank that a config may have */
    int64_t rank = b->tensor.dim[1];
    PCT_ASSERT(rank <= (int64_t)(sizeof of_row / sizeof *of_row));
    plain_row(&s->kernels, b, NULL, row, rank, of_row);
    pct_model_add_lora(plain, of_row, a, rank, in, (pct_real)s->model->config.lora.alpha / (pct_real)rank);
}

static percept_status write_rows(const saving *s, const pct_parameter *parameter, const pct_real *replacement,
                                 percept_error *error) {
    pct_dtype type = stored_type(s->model, parameter, s->type);
    int64_t width = row_width(&parameter->tensor), rows = pct_tensor_count(&parameter->tensor) / width;
    size_t bytes;
    PCT_ASSERT(pct_dtype_row_bytes(type, width, &bytes));
    if (pct_model_keeps_stored(s->model, parameter) && !lora_of(s, parameter, "lora_a"))
        return pct_gguf_writer_data(s->writer, parameter->tensor.data, bytes * (size_t)rows, error);
    pct_real *plain = malloc((size_t)width * sizeof *plain), *lora = NULL;
    void *stored = malloc(bytes);
    percept_status status = plain && stored ? PERCEPT_OK : pct_fail_memory(error, "a row of weights");
    if (status == PERCEPT_OK) status = take_lora(s, parameter, &lora, error);
    const pct_parameter *b = lora ? lora_of(s, parameter, "lora_b") : NULL;
    for (int64_t i = 0; i < rows && status == PERCEPT_OK; i++) {
        plain_row(&s->kernels, parameter, replacement, i, width, plain);
        if (b) add_lora(s, b, lora, i, width, plain);
        s->kernels.quantise[type](stored, plain, width);
        status = pct_gguf_writer_data(s->writer, stored, bytes, error);
    }
    free(lora);
    free(plain);
    free(stored);
    return status;
}

static percept_status write_keys(const pct_model *model, const pct_model_config *config, pct_gguf_writer *writer,
                                 percept_error *error) {
    if (config->kind == PCT_MODEL_LANGUAGE) {
        pct_gguf_set_string(writer, "general.architecture", pct_architecture_name(config->language.architecture));
        if (model->card.name) pct_gguf_set_string(writer, "general.name", model->card.name);
        pct_model_config_write_language(config, writer);
    } else {
        pct_gguf_set_string(writer, "general.architecture", "percept");
        pct_gguf_set_u32(writer, "percept.format_version", PCT_MODEL_FORMAT);
        pct_model_card_write(&model->card, writer);
        pct_model_config_write(config, writer);
    }
    return pct_tokenizer_save(model->tokenizer, writer, error);
}

percept_status pct_model_write_keys(const pct_model *model, pct_gguf_writer *writer, percept_error *error) {
    return write_keys(model, &model->config, writer, error);
}

static percept_status write_file(const saving *s, const char *path, percept_error *error) {
    const pct_parameters *set = &s->model->parameters;
    pct_model_config config = s->model->config;
    if (s->merge) config.lora.rank = 0;
    PCT_TRY(write_keys(s->model, &config, s->writer, error));
    for (size_t i = 0; i < set->count; i++)
        if (!s->merge || !pct_model_is_lora(set->list[i]->name)) declare(s->model, s->writer, set->list[i], s->type);
    PCT_TRY(pct_gguf_writer_begin(s->writer, path, error));
    for (size_t i = 0; i < set->count; i++)
        if (!s->merge || !pct_model_is_lora(set->list[i]->name))
            PCT_TRY(write_rows(s, set->list[i], s->weights ? s->weights[i] : NULL, error));
    return pct_gguf_writer_end(s->writer, error);
}

static percept_status save(saving *s, const char *path, percept_error *error) {
    PCT_ASSERT(s->type == PCT_Q8_0 || s->type == PCT_F16 || s->type == PCT_BF16 || s->type == PCT_REAL);
    if (!s->model->tokenizer)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a model without a tokenizer cannot be saved");
    pct_kernels_init(&s->kernels, 0);
    PCT_TRY(pct_gguf_writer_create(&s->writer, error));
    percept_status status = write_file(s, path, error);
    pct_gguf_writer_destroy(&s->writer);
    return status;
}

percept_status pct_model_save(const pct_model *model, const char *path, pct_dtype type, const pct_real *const *weights,
                              percept_error *error) {
    return save(&(saving){.model = model, .type = type, .weights = weights}, path, error);
}

percept_status pct_model_save_merged(const pct_model *model, const char *path, pct_dtype type, percept_error *error) {
    return save(&(saving){.model = model, .type = type, .merge = true}, path, error);
}
