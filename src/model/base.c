/* A new model on a language model that is there: see pct_model_create_on. */
#include "model/model_private.h"

#include "base/cpu.h"
#include "base/random.h"
#include "tokenizer/template.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool pct_model_keeps_stored(const pct_model *model, const pct_parameter *parameter) {
    if (model->based) return pct_gguf_find(model->file, parameter->name) != NULL;
    return model->config.language.added > 0 && !parameter->trainable && parameter->tensor.type != PCT_REAL;
}

static percept_status read_base(pct_model_config *base, const pct_gguf *file, percept_error *error) {
    const char *name;
    enum pct_architecture architecture;
    PCT_TRY(pct_gguf_get_string(file, "general.architecture", &name, error));
    if (!pct_architecture_from_name(name, &architecture))
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "%s: general.architecture is \"%.40s\"; a base is a language model alone, of the architecture "
                        "\"llama\" or \"qwen2\" (run.from goes on from percept's own files)",
                        pct_gguf_path(file), name);
    return pct_model_config_read_language(base, file, architecture, error);
}

/* The base's structure in place of the config's; what is percept's own stays. */
static void join(pct_model_config *config, const pct_model_config *base, int32_t vocabulary, int32_t added) {
    const pct_model_config own = *config;
    config->language = base->language;
    config->language.vocabulary = vocabulary;
    config->language.added = added;
    if (own.language.context < base->language.context) config->language.context = own.language.context;
    config->language.connector = own.language.connector;
    config->language.prefix = own.language.prefix;
    config->language.template = own.language.template;
    config->language.cell_positions = own.language.cell_positions;
    config->language.grounding = own.language.grounding;
    config->language.copying = own.language.copying;
    config->language.init = own.language.init;
    config->language.regions = own.language.regions;
    config->language.bins = own.language.bins;
    config->language.vertices = own.language.vertices;
}

static bool is_language(const char *name) {
    static const char *const begins[] = {"blk.", "token_embd.", "output", "rope_freqs."};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (!strncmp(name, begins[i], strlen(begins[i]))) return !pct_model_is_lora(name);
    return false;
}

struct source {
    const pct_gguf *file;
    int64_t adapted; /* LoRA's matrices */
};

static percept_status take(void *context, const pct_weight_spec *spec, pct_parameters *set, pct_parameter **parameter,
                           percept_error *error) {
    struct source *source = context;
    source->adapted += pct_model_is_lora(spec->name);
    if (!is_language(spec->name)) return PERCEPT_OK; /* a fresh one */
    pct_weight_spec frozen = *spec;
    frozen.trainable = false;
    return pct_model_take_weight(source->file, &frozen, set, parameter, error);
}

/* Rows of tokens that were not there: the mean of the table's rows, and as far from it as those are, so that the model
 * neither prefers nor shuns them. */
static percept_status begin_rows(pct_parameter *added, const pct_tensor *table, uint64_t seed, percept_error *error) {
    const int64_t width = table->dim[1], rows = table->dim[0];
    pct_kernels kernels;
    pct_random random;
    size_t bytes;
    double squares = 0;
    PCT_ASSERT(pct_dtype_row_bytes(table->type, width, &bytes));
    pct_kernels_init(&kernels, pct_cpu_flags());
    double *mean = calloc((size_t)width, sizeof *mean);
    pct_real *row = malloc((size_t)width * sizeof *row), *data = pct_tensor_data(&added->tensor);
    percept_status status = mean && row ? PERCEPT_OK : pct_fail_memory(error, "weights");
    for (int64_t i = 0; status == PERCEPT_OK && i < rows; i++) {
        kernels.dequantise[table->type](row, (const unsigned char *)table->data + (size_t)i * bytes, width);
        for (int64_t k = 0; k < width; k++) {
            mean[k] += (double)row[k] / (double)rows;
            squares += (double)row[k] * (double)row[k] / (double)rows;
        }
    }
    for (int64_t k = 0; status == PERCEPT_OK && k < width; k++) squares -= mean[k] * mean[k];
    const double deviation = squares > 0 ? sqrt(squares / (double)width) : 0;
    pct_random_init(&random, seed, pct_hash_bytes(added->name, strlen(added->name)), 0);
    for (int64_t i = 0; status == PERCEPT_OK && i < pct_tensor_count(&added->tensor); i++)
        data[i] = (pct_real)(mean[i % width] + deviation * (double)pct_random_normal(&random));
    free(row);
    free(mean);
    return status;
}

static percept_status begin_added(pct_model *model, uint64_t seed, percept_error *error) {
    pct_language *language = &model->language;
    if (!language->added) return PERCEPT_OK;
    PCT_TRY(begin_rows(language->added, &language->embedding->tensor, seed, error));
    if (language->added_output == language->added) return PERCEPT_OK;
    return begin_rows(language->added_output, &language->output.weight->tensor, seed, error);
}

/* The base's tokenizer with what the template needs beside it. */
static percept_status load_tokenizer(pct_tokenizer **tokenizer, const pct_gguf *file, const pct_model_config *config,
                                     int32_t *own, percept_error *error) {
    const char *missing[PCT_TEMPLATE_SPECIAL_COUNT];
    pct_tokenizer *base = NULL;
    PCT_TRY(pct_tokenizer_load(&base, file, error));
    *own = pct_tokenizer_size(base);
    const int32_t count = pct_template_missing(base, missing);
    percept_status status = pct_tokenizer_extend(tokenizer, base, missing, count, 0, error);
    pct_tokenizer_destroy(&base);
    if (status == PERCEPT_OK) status = pct_spelling_extend(tokenizer, config, error);
    return status;
}

static percept_status build_on(pct_model *model, uint64_t seed, percept_error *error) {
    struct source source = {.file = model->file};
    PCT_TRY(pct_model_take_template(model, model->tokenizer, error));
    pct_builder builder = pct_model_builder(model, true, seed, error);
    builder.source = take;
    builder.context = &source;
    pct_model_build(model, &builder);
    PCT_TRY(builder.status);
    if (model->config.lora.rank > 0 && source.adapted == 0)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "lora.targets: no layer's name ends like one of '%s'",
                        model->config.lora.targets);
    PCT_TRY(pct_model_check_all_used(model, model->file, error));
    return begin_added(model, seed, error);
}

/* Takes over file and tokenizer when *out is set. */
static percept_status create(pct_model **out, pct_gguf *file, const pct_model_config *wanted, pct_tokenizer *tokenizer,
                             int32_t own, uint64_t seed, percept_error *error) {
    pct_model_config config = *wanted, base;
    PCT_TRY(read_base(&base, file, error));
    const int32_t size = pct_tokenizer_size(tokenizer);
    join(&config, &base, size, size - own);
    if (pct_model_config_check(&config, error) != PERCEPT_OK) {
        pct_error_prefix(error, "%s: the joined model's structure: ", pct_gguf_path(file));
        return PERCEPT_ERROR_INPUT;
    }
    pct_model *model = pct_model_new(&config);
    if (!model) return pct_fail_memory(error, "model");
    *out = model;
    model->based = true;
    model->file = file;
    model->tokenizer = tokenizer;
    PCT_TRY(build_on(model, seed, error));
    model->config.language.init = PCT_LANGUAGE_PLAIN; /* done: a start is no part of the structure */
    return PERCEPT_OK;
}

percept_status pct_model_create_on(pct_model **out, const char *base, const pct_model_config *config, uint64_t seed,
                                   percept_error *error) {
    pct_gguf *file = NULL;
    pct_tokenizer *tokenizer = NULL;
    int32_t own = 0;
    *out = NULL;
    PCT_TRY(pct_gguf_open(&file, base, error));
    percept_status status = load_tokenizer(&tokenizer, file, config, &own, error);
    if (status == PERCEPT_OK) status = create(out, file, config, tokenizer, own, seed, error);
    if (status == PERCEPT_OK) return status;
    if (*out) {
        pct_model_close(out);
    } else {
        pct_tokenizer_destroy(&tokenizer);
        pct_gguf_close(&file);
    }
    return status;
}
