/* Writing a model file. Matrices take the type asked for where their rows allow it; vectors and what is tiny or read as
 * it is (positions, the class token) stay F32. */
#include "model/model_private.h"

#include <stdlib.h>
#include <string.h>

static bool stays_plain(const pct_tensor *tensor, const char *name) {
    return tensor->rank == 1 || tensor->dim[0] == 1 || !strcmp(name, "v.position_embd.weight");
}

/* Rows as they lie in the file: a convolution's kernel for one output is one row. */
static int64_t row_width(const pct_tensor *tensor) {
    return tensor->rank == 1 ? tensor->dim[0] : pct_tensor_count(tensor) / tensor->dim[0];
}

static pct_dtype stored_type(const pct_parameter *parameter, pct_dtype wanted) {
    if (wanted == PCT_REAL || stays_plain(&parameter->tensor, parameter->name)) return PCT_REAL;
    if (row_width(&parameter->tensor) % pct_dtype_block(wanted)) return PCT_F16;
    return wanted;
}

static enum pct_gguf_type gguf_type(pct_dtype type) {
    switch (type) {
    case PCT_Q8_0:
        return PCT_GGUF_TYPE_Q8_0;
    case PCT_F16:
        return PCT_GGUF_TYPE_F16;
    case PCT_BF16:
        return PCT_GGUF_TYPE_BF16;
    default:
        return PCT_GGUF_TYPE_F32;
    }
}

static void declare(pct_gguf_writer *writer, const pct_parameter *parameter, pct_dtype wanted) {
    int64_t width = row_width(&parameter->tensor);
    int64_t ne[2] = {width, pct_tensor_count(&parameter->tensor) / width};
    pct_gguf_writer_declare(writer, parameter->name, gguf_type(stored_type(parameter, wanted)),
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

static percept_status write_rows(pct_gguf_writer *writer, const pct_kernels *kernels, const pct_parameter *parameter,
                                 const pct_real *replacement, pct_dtype type, percept_error *error) {
    int64_t width = row_width(&parameter->tensor), rows = pct_tensor_count(&parameter->tensor) / width;
    size_t bytes;
    PCT_ASSERT(pct_dtype_row_bytes(type, width, &bytes));
    pct_real *plain = malloc((size_t)width * sizeof *plain);
    void *stored = malloc(bytes);
    percept_status status = plain && stored ? PERCEPT_OK : pct_fail_memory(error, "a row of weights");
    for (int64_t i = 0; i < rows && status == PERCEPT_OK; i++) {
        plain_row(kernels, parameter, replacement, i, width, plain);
        kernels->quantise[type](stored, plain, width);
        status = pct_gguf_writer_data(writer, stored, bytes, error);
    }
    free(plain);
    free(stored);
    return status;
}

static percept_status write_file(const pct_model *model, const char *path, pct_dtype type,
                                 const pct_real *const *weights, pct_gguf_writer *writer, percept_error *error) {
    pct_kernels kernels;
    pct_kernels_init(&kernels, 0);
    const pct_parameters *set = &model->parameters;
    pct_gguf_set_string(writer, "general.architecture", "percept");
    pct_gguf_set_u32(writer, "percept.format_version", PCT_MODEL_FORMAT);
    pct_model_card_write(&model->card, writer);
    pct_model_config_write(&model->config, writer);
    PCT_TRY(pct_tokenizer_save(model->tokenizer, writer, error));
    for (size_t i = 0; i < set->count; i++) declare(writer, set->list[i], type);
    PCT_TRY(pct_gguf_writer_begin(writer, path, error));
    for (size_t i = 0; i < set->count; i++)
        PCT_TRY(write_rows(writer, &kernels, set->list[i], weights ? weights[i] : NULL, stored_type(set->list[i], type),
                           error));
    return pct_gguf_writer_end(writer, error);
}

percept_status pct_model_save(const pct_model *model, const char *path, pct_dtype type, const pct_real *const *weights,
                              percept_error *error) {
    PCT_ASSERT(type == PCT_Q8_0 || type == PCT_F16 || type == PCT_BF16 || type == PCT_REAL);
    if (!model->tokenizer) return pct_fail(error, PERCEPT_ERROR_USAGE, "a model without a tokenizer cannot be saved");
    pct_gguf_writer *writer = NULL;
    PCT_TRY(pct_gguf_writer_create(&writer, error));
    percept_status status = write_file(model, path, type, weights, writer, error);
    pct_gguf_writer_destroy(&writer);
    return status;
}
