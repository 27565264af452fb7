/* complete.c: see percept/language.h: going on with a text. */
#include "percept/language.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "engine/engine_private.h"
#include "engine/logits_file.h"
#include "engine/options.h"
#include "engine/sampling.h"
#include "formats/json.h"

#include <stdlib.h>
#include <string.h>

struct percept_completion {
    pct_text text;
    int32_t *ids;
    size_t count;
    percept_finish finish;
    percept_usage usage;
    percept_timings timings;
};

void percept_complete_options_init(percept_complete_options *options) {
    *options = (percept_complete_options){
        .size = sizeof *options, .top_p = 1.0f, .repeat_penalty = 1.0f, .repeat_last = 64, .cpu_mask = PCT_CPU_ALL};
}

/* One call. */
typedef struct completing {
    percept_session *session;
    const percept_complete_options *options;
    percept_completion *made;
    pct_token_stream stream;
    pct_logits_file logits;
    percept_error *error;
    percept_status status; /* of the file */
    double first_token;
} completing;

/* What was added to the text goes to the receiver. True: it has enough. */
static bool send(completing *c, size_t from) {
    const pct_text *text = &c->made->text;
    if (!c->options->stream || text->failed || text->length == from) return false;
    return c->options->stream(c->options->stream_context, text->data + from);
}

static bool on_token(void *context, int32_t id) {
    completing *c = context;
    const size_t from = c->made->text.length;
    if (c->first_token == 0) c->first_token = pct_clock_seconds();
    pct_token_stream_add(&c->stream, pct_model_get_tokenizer(c->session->engine->model), id, false, &c->made->text);
    return send(c, from);
}

static bool on_logits(void *context, int32_t row, const pct_real *logits) {
    completing *c = context;
    (void)row;
    c->status = pct_logits_file_add(&c->logits, logits, c->error);
    return c->status == PERCEPT_OK;
}

static bool on_stop(void *context) {
    const completing *c = context;
    return atomic_load(&c->session->cancelled) || c->status != PERCEPT_OK;
}

static percept_status keep(completing *c, const pct_generated *g, int32_t prompt, percept_error *error) {
    percept_completion *made = c->made;
    const size_t from = made->text.length;
    pct_token_stream_end(&c->stream, &made->text);
    send(c, from);
    made->ids = malloc(((size_t)g->count + 1) * sizeof *made->ids);
    if (!made->ids || made->text.failed) return pct_fail_memory(error, "text");
    if (g->count > 0) memcpy(made->ids, g->ids, (size_t)g->count * sizeof *made->ids);
    made->count = (size_t)g->count;
    made->finish = (percept_finish)g->finish;
    made->usage = (percept_usage){prompt - g->read, prompt, g->count};
    return PERCEPT_OK;
}

/* Inside the gate. */
static percept_status go_on(completing *c, const pct_ids *ids, double deadline, percept_error *error) {
    const percept_complete_options *o = c->options;
    pct_sequence *sequence;
    pct_generated generated;
    PCT_TRY(pct_session_sequence(c->session, &sequence, error));
    pct_generate_options options = pct_sampling_options(&PCT_SAMPLING_FIELDS(o), deadline);
    options.token = on_token;
    options.logits = o->logits ? on_logits : NULL;
    options.stop = on_stop;
    options.context = c;
    const double started = pct_clock_seconds();
    PCT_TRY(pct_sequence_generate(sequence, ids->data, (int32_t)ids->count, &options, &generated, error));
    const double ended = pct_clock_seconds();
    if (c->status != PERCEPT_OK) return c->status;
    if (atomic_load(&c->session->cancelled)) return pct_fail_cancelled(error);
    PCT_TRY(keep(c, &generated, (int32_t)ids->count, error));
    const double first = c->first_token > 0 ? c->first_token : ended;
    c->made->timings = (percept_timings){
        .load = c->session->engine->load_ms, .prefill = (first - started) * 1e3, .generate = (ended - first) * 1e3};
    return PERCEPT_OK;
}

static percept_status encode(percept_session *session, const char *prompt, pct_ids *ids, percept_error *error) {
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(session->engine->model);
    const unsigned flags = pct_tokenizer_adds_bos(tokenizer) ? PCT_TOKENIZE_BOS : 0;
    PCT_TRY(pct_tokenizer_encode(tokenizer, &session->scratch, prompt, strlen(prompt), flags, ids, error));
    if (ids->count == 0) return pct_fail(error, PERCEPT_ERROR_USAGE, "the prompt is empty; give it words");
    if (ids->count >= (size_t)pct_model_get_config(session->engine->model)->language.context)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "the prompt has %zu tokens; the model's context of %d leaves no room for more: shorten it",
                        ids->count, pct_model_get_config(session->engine->model)->language.context);
    return PERCEPT_OK;
}

static percept_status enter_and_go(completing *c, const pct_ids *ids, double deadline, percept_error *error) {
    pct_gate *gate = &c->session->engine->gate;
    const enum pct_gate_result entered = pct_gate_enter(gate, &c->session->cancelled, deadline);
    if (entered == PCT_GATE_CANCELLED) return pct_fail_cancelled(error);
    if (entered == PCT_GATE_LATE)
        return keep(c, &(pct_generated){.finish = PCT_FINISH_TIME}, (int32_t)ids->count, error);
    const percept_status status = go_on(c, ids, deadline, error);
    pct_gate_leave(gate);
    return status;
}

percept_status percept_session_complete(percept_session *session, const percept_complete_options *given,
                                        percept_completion **completion, percept_error *error) {
    percept_complete_options options;
    percept_complete_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_complete_options", error));
    PCT_TRY(pct_sampling_check(&PCT_SAMPLING_FIELDS(&options), error));
    if (!options.prompt) return pct_fail(error, PERCEPT_ERROR_USAGE, "prompt: none is given");
    const double deadline = options.time_limit > 0 ? pct_clock_seconds() + options.time_limit : 0;
    completing c = {.session = session, .options = &options, .error = error};
    pct_ids ids = {0};
    c.made = calloc(1, sizeof *c.made);
    percept_status status = c.made ? encode(session, options.prompt, &ids, error) : pct_fail_memory(error, "text");
    if (status == PERCEPT_OK && options.logits)
        status = pct_logits_file_open(&c.logits, options.logits,
                                      pct_model_get_config(session->engine->model)->language.vocabulary, error);
    if (status == PERCEPT_OK) status = enter_and_go(&c, &ids, deadline, error);
    if (status == PERCEPT_OK && options.logits) status = pct_logits_file_close(&c.logits, error);
    pct_logits_file_abort(&c.logits);
    pct_ids_free(&ids);
    if (status == PERCEPT_OK)
        *completion = c.made;
    else
        percept_completion_free(&c.made);
    return status;
}

void percept_completion_free(percept_completion **handle) {
    percept_completion *completion = handle ? *handle : NULL;
    if (!completion) return;
    *handle = NULL;
    pct_text_free(&completion->text);
    free(completion->ids);
    free(completion);
}

const char *percept_completion_text(const percept_completion *completion) {
    return completion->text.data ? completion->text.data : "";
}
const int32_t *percept_completion_ids(const percept_completion *completion, size_t *count) {
    *count = completion->count;
    return completion->ids;
}
percept_finish percept_completion_finish(const percept_completion *completion) { return completion->finish; }
percept_usage percept_completion_usage(const percept_completion *completion) { return completion->usage; }
percept_timings percept_completion_timings(const percept_completion *completion) { return completion->timings; }

percept_status percept_completion_json(const percept_completion *completion, bool timings, char **json,
                                       percept_error *error) {
    pct_text text = {0};
    pct_text_puts(&text, "{\"text\": ");
    pct_json_add_string(&text, percept_completion_text(completion), completion->text.length);
    pct_text_puts(&text, ", \"ids\": [");
    for (size_t i = 0; i < completion->count; i++) pct_text_printf(&text, i ? ", %d" : "%d", completion->ids[i]);
    pct_text_printf(&text, "], \"finish\": \"%s\", \"usage\": {\"prompt_tokens\": %d, \"answer_tokens\": %d}",
                    percept_finish_text(completion->finish), completion->usage.prompt_tokens,
                    completion->usage.answer_tokens);
    if (timings) {
        const percept_timings *t = &completion->timings;
        pct_text_printf(&text, ", \"timings_ms\": {\"load\": ");
        pct_text_number(&text, t->load);
        pct_text_puts(&text, ", \"prefill\": ");
        pct_text_number(&text, t->prefill);
        pct_text_puts(&text, ", \"generate\": ");
        pct_text_number(&text, t->generate);
        pct_text_puts(&text, "}");
    }
    pct_text_puts(&text, "}");
    char *line = pct_text_take(&text);
    if (!line) return pct_fail_memory(error, "text");
    *json = line;
    return PERCEPT_OK;
}

/* ---- with a model file --------------------------------------------------------------------------------------------
 */

/* The caller's stream with the caller's question whether to stop. */
typedef struct watch {
    percept_text_fn *stream;
    void *stream_context;
    percept_progress_fn *progress;
    void *context;
    int64_t pieces;
    bool stopped;
} watch;

static bool watch_text(void *context, const char *text) {
    watch *w = context;
    const percept_progress progress = {
        .stage = "complete", .unit = "piece", .done = ++w->pieces, .total = 0, .seconds_left = -1};
    if (w->progress && w->progress(w->context, &progress)) w->stopped = true;
    if (w->stopped) return true;
    return w->stream && w->stream(w->stream_context, text);
}

percept_status percept_complete_run(const percept_complete_options *given, percept_progress_fn *progress, void *context,
                                    percept_completion **completion, percept_error *error) {
    percept_complete_options options;
    percept_engine_options how;
    percept_complete_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_complete_options", error));
    percept_engine_options_init(&how);
    how.threads = options.threads;
    how.cpu_mask = options.cpu_mask;
    how.cache = options.cache;
    how.exact = options.exact;
    watch w = {
        .stream = options.stream, .stream_context = options.stream_context, .progress = progress, .context = context};
    percept_engine *engine = NULL;
    percept_session *session = NULL;
    percept_completion *made = NULL;
    percept_status status = percept_engine_open(&engine, options.model, &how, error);
    if (status == PERCEPT_OK) status = percept_session_new(&session, engine, error);
    options.stream = watch_text;
    options.stream_context = &w;
    if (status == PERCEPT_OK) status = percept_session_complete(session, &options, &made, error);
    if (status == PERCEPT_OK && w.stopped) status = pct_fail_cancelled(error);
    percept_session_free(&session);
    percept_engine_close(&engine);
    if (status == PERCEPT_OK)
        *completion = made;
    else
        percept_completion_free(&made);
    return status;
}
