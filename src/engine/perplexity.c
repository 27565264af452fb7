/* perplexity.c: percept_perplexity_run: how well a language model foresees a text. */
#include "base/cpu.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/size.h"
#include "engine/engine_private.h"
#include "engine/options.h"
#include "percept/language.h"

#include <math.h>
#include <stdlib.h>

#define WINDOW    512
#define MAX_BYTES ((size_t)1 << 30)

void percept_perplexity_options_init(percept_perplexity_options *options) {
    *options = (percept_perplexity_options){.size = sizeof *options, .cpu_mask = PCT_CPU_ALL};
}

typedef struct scoring {
    const int32_t *ids; /* of the window */
    int32_t vocabulary;
    double sum; /* of -log p */
    int64_t tokens;
    pct_meter meter;
    bool stopped;
} scoring;

static double log_probability(const pct_real *logits, int32_t vocabulary, int32_t id) {
    double top = (double)logits[0], sum = 0;
    for (int32_t i = 1; i < vocabulary; i++)
        if ((double)logits[i] > top) top = (double)logits[i];
    for (int32_t i = 0; i < vocabulary; i++) sum += exp((double)logits[i] - top);
    return (double)logits[id] - top - log(sum);
}

static bool score(void *context, int32_t row, const pct_real *logits) {
    scoring *s = context;
    if (row + 1 >= WINDOW) return true; /* what follows the window is not in it */
    s->sum -= log_probability(logits, s->vocabulary, s->ids[row + 1]);
    s->tokens++;
    return true;
}

static percept_status read_ids(percept_session *session, const char *path, pct_ids *ids, percept_error *error) {
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(session->engine->model);
    char *text = NULL;
    size_t size;
    PCT_TRY(pct_file_read(path, MAX_BYTES, &text, &size, error));
    percept_status status = pct_tokenizer_encode(tokenizer, &session->scratch, text, size,
                                                 pct_tokenizer_adds_bos(tokenizer) ? PCT_TOKENIZE_BOS : 0, ids, error);
    free(text);
    if (status == PERCEPT_OK && ids->count < WINDOW)
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "%s: has %zu tokens; give a text of at least %d", path,
                          ids->count, WINDOW);
    return status;
}

static percept_status score_windows(percept_session *session, pct_ids *ids, scoring *s, percept_error *error) {
    const percept_engine *engine = session->engine;
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(engine->model);
    const int32_t context = pct_model_get_config(engine->model)->language.context;
    const int64_t windows = (int64_t)ids->count / WINDOW;
    pct_sequence *sequence;
    if (context < WINDOW)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "the model's context is %d; perplexity takes windows of %d",
                        context, WINDOW);
    PCT_TRY(pct_session_sequence(session, &sequence, error));
    s->meter.total = windows;
    for (int64_t w = 0; w < windows; w++) {
        int32_t *window = ids->data + w * WINDOW;
        if (pct_tokenizer_adds_bos(tokenizer) && pct_tokenizer_bos(tokenizer) >= 0)
            window[0] = pct_tokenizer_bos(tokenizer);
        s->ids = window;
        pct_sequence_rewind(sequence, 0);
        PCT_TRY(pct_sequence_read(sequence, window, WINDOW, WINDOW / 2, score, NULL, s, error));
        if (pct_meter_update(&s->meter, w + 1, NULL)) return pct_fail_cancelled(error);
    }
    return PERCEPT_OK;
}

static percept_status report(const scoring *s, char **json, char **table, percept_error *error) {
    const double perplexity = exp(s->sum / (double)s->tokens);
    pct_text line = {0}, words = {0};
    pct_text_puts(&line, "{\"perplexity\": ");
    pct_text_number(&line, perplexity);
    pct_text_printf(&line, ", \"tokens\": %lld}", (long long)s->tokens);
    pct_text_printf(&words, "perplexity %.4f over %lld tokens\n", perplexity, (long long)s->tokens);
    if (line.failed || words.failed) {
        pct_text_free(&line);
        pct_text_free(&words);
        return pct_fail_memory(error, "report");
    }
    if (json) *json = pct_text_take(&line);
    if (table) *table = pct_text_take(&words);
    pct_text_free(&line);
    pct_text_free(&words);
    return PERCEPT_OK;
}

percept_status percept_perplexity_run(const percept_perplexity_options *given, percept_progress_fn *progress,
                                      void *context, char **json, char **table, percept_error *error) {
    percept_perplexity_options options;
    percept_engine_options how;
    percept_perplexity_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_perplexity_options", error));
    if (!options.file) return pct_fail(error, PERCEPT_ERROR_USAGE, "file: none is given");
    percept_engine_options_init(&how);
    how.threads = options.threads;
    how.cpu_mask = options.cpu_mask;
    how.cache = options.cache;
    how.exact = options.exact;
    percept_engine *engine = NULL;
    percept_session *session = NULL;
    pct_ids ids = {0};
    scoring s = {0};
    percept_status status = percept_engine_open(&engine, options.model, &how, error);
    if (status == PERCEPT_OK) status = percept_session_new(&session, engine, error);
    if (status == PERCEPT_OK) status = read_ids(session, options.file, &ids, error);
    if (status == PERCEPT_OK) {
        s.vocabulary = pct_model_get_config(engine->model)->language.vocabulary;
        pct_meter_start(&s.meter, progress, context, "perplexity", "window", 0, (int64_t)ids.count / WINDOW);
        status = score_windows(session, &ids, &s, error);
    }
    if (status == PERCEPT_OK) status = report(&s, json, table, error);
    pct_ids_free(&ids);
    percept_session_free(&session);
    percept_engine_close(&engine);
    return status;
}
