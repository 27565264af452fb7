/* engine.c: opening and closing a model; what percept.h says of percept_engine. */
#include "engine/engine_private.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "engine/options.h"

#include <stdlib.h>
#include <string.h>

const char *percept_version(void) { return PERCEPT_VERSION; }

void percept_free(void *memory) { free(memory); }

percept_status pct_fail_cancelled(percept_error *error) {
    return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted");
}

void percept_engine_options_init(percept_engine_options *options) {
    *options = (percept_engine_options){.size = sizeof *options, .cpu_mask = PCT_CPU_ALL};
}

/* percept.h promises the numbers of the levels; ours must agree. */
_Static_assert((int)PERCEPT_LOG_WARNING == (int)PCT_LOG_WARNING && (int)PERCEPT_LOG_INFO == (int)PCT_LOG_INFO &&
                   (int)PERCEPT_LOG_DEBUG == (int)PCT_LOG_DEBUG,
               "log levels");

static void forward_log(void *context, enum pct_log_level level, const char *message) {
    percept_engine *engine = context;
    engine->log_callback(engine->log_context, (percept_log_level)level, message);
}

/* Learned numbers and the bytes they take, over all parameters. */
static void measure_weights(percept_engine *engine) {
    const pct_parameters *parameters = pct_model_get_parameters(engine->model);
    for (size_t i = 0; i < parameters->count; i++) {
        const pct_tensor *tensor = &parameters->list[i]->tensor;
        size_t row = 0;
        pct_dtype_row_bytes(tensor->type, pct_tensor_width(tensor), &row);
        engine->parameter_count += pct_tensor_count(tensor);
        engine->weight_bytes += pct_tensor_rows(tensor) * (int64_t)row;
    }
}

/* The words that close an answer which is begun for the model. */
static percept_status encode_end(percept_engine *engine, percept_error *error) {
    const char *text = engine->template.style->begun_end;
    pct_token_scratch scratch = {0};
    percept_status status =
        pct_tokenizer_encode(engine->template.tokenizer, &scratch, text, strlen(text), 0, &engine->begun_end, error);
    pct_token_scratch_free(&scratch);
    return status;
}

static percept_status open_parts(percept_engine *engine, const char *path, const percept_engine_options *options,
                                 percept_error *error) {
    PCT_TRY(pct_gate_init(&engine->gate, error));
    engine->gate_made = true;
    PCT_TRY(pct_pool_create(&engine->pool, options->threads, error));
    PCT_TRY(pct_compute_create(&engine->compute, engine->pool, pct_cpu_flags() & options->cpu_mask, error));
    PCT_TRY(pct_fingerprint_new(&engine->fingerprint, path, error));
    if (options->with_hash) pct_fingerprint_begin(engine->fingerprint);
    PCT_TRY(pct_model_open(&engine->model, path, false, error));
    measure_weights(engine);
    const pct_model_config *config = pct_model_get_config(engine->model);
    /* Some channels of a language model's activations are hundreds of times the others, and INT8 rounds row by row: it
     * is asked for (pct_language_keep_fine says what stays in BF16 even then). */
    if (config->kind == PCT_MODEL_JOINED || options->int8) pct_compute_use_int8(engine->compute);
    if (options->exact) pct_compute_use_exact(engine->compute);
    static const pct_dtype types[] = {PCT_F16, PCT_Q8_0, PCT_REAL};
    engine->cache = config->kind == PCT_MODEL_LANGUAGE ? types[options->cache] : PCT_REAL;
    if (config->kind == PCT_MODEL_LANGUAGE) {
        if (!options->chat_template) return PERCEPT_OK;
        return pct_chat_init(&engine->chat, options->chat_template, pct_model_get_tokenizer(engine->model), error);
    }
    engine->template = *pct_model_get_template(engine->model);
    if (engine->template.style->begun_end) PCT_TRY(encode_end(engine, error));
    engine->image_tokens = pct_model_config_image_tokens(config);
    return PERCEPT_OK;
}

percept_status percept_engine_open(percept_engine **out, const char *path, const percept_engine_options *given,
                                   percept_error *error) {
    percept_engine_options options;
    percept_engine_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_engine_options", error));
    if (!path || !*path) return pct_fail(error, PERCEPT_ERROR_USAGE, "no model file is named; give a path");
    if (options.threads < 0 || options.threads > 512) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "threads: %d is out of range; give 1 to 512, or 0 for all processors", options.threads);
    }
    if (options.cache < PERCEPT_CACHE_F16 || options.cache > PERCEPT_CACHE_F32) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "cache: %d is not known; give one of percept_cache",
                        (int)options.cache);
    }
    double started = pct_clock_seconds();
    percept_engine *engine = calloc(1, sizeof *engine);
    if (!engine) return pct_fail_memory(error, "engine");
    engine->log_callback = options.log;
    engine->log_context = options.log_context;
    if (options.log) engine->log = (pct_log){forward_log, engine};
    percept_status status = open_parts(engine, path, &options, error);
    if (status != PERCEPT_OK) {
        percept_engine_close(&engine);
        return status;
    }
    engine->load_ms = (pct_clock_seconds() - started) * 1e3;
    pct_log_write(&engine->log, PCT_LOG_INFO, "%s: %lld parameters, %d threads, %s", path,
                  (long long)engine->parameter_count, pct_pool_threads(engine->pool),
                  pct_cpu_flags_text(engine->compute->kernels.cpu_flags));
    *out = engine;
    return PERCEPT_OK;
}

void percept_engine_close(percept_engine **handle) {
    percept_engine *engine = handle ? *handle : NULL;
    if (!engine) return;
    *handle = NULL;
    PCT_ASSERT(atomic_load(&engine->sessions) == 0);
    pct_model_close(&engine->model);
    pct_ids_free(&engine->begun_end);
    pct_fingerprint_drop(&engine->fingerprint);
    pct_compute_destroy(&engine->compute);
    pct_pool_destroy(&engine->pool);
    if (engine->gate_made) pct_gate_destroy(&engine->gate);
    free(engine);
}
