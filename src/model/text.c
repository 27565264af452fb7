/* text.c: see text.h. */
#include "model/text.h"

#include "base/clock.h"
#include "base/size.h"
#include "model/model_private.h"

#include <stdlib.h>
#include <string.h>

/* Tokens that are read in one pass: enough to keep the products busy, few enough to keep activations small. */
#define PASS_ROWS  512
/* Rows whose logits exist at a time. */
#define LOGIT_ROWS 64
/* Room that is made at once for what is not there yet. */
#define ROOM       1024

struct pct_sequence {
    pct_model *model;
    pct_compute *compute;
    pct_tape tape;
    pct_arena step; /* one pass */
    pct_cache cache;
    int32_t *ids; /* (room) what was read */
    int32_t *reply;
    int32_t length, room, reply_room;
    pct_real *probability; /* (vocabulary) */
    int32_t *order;        /* (vocabulary) */
};

percept_status pct_sequence_create(pct_sequence **out, pct_model *model, pct_compute *compute, pct_dtype cache,
                                   pct_dtype product, percept_error *error) {
    *out = NULL;
    pct_sequence *s = calloc(1, sizeof *s);
    if (!s) return pct_fail_memory(error, "session");
    s->model = model;
    s->compute = compute;
    s->cache.type = pct_cache_takes(cache, &model->language.options) ? cache : PCT_F16;
    pct_arena_init(&s->step, (size_t)8 << 20);
    if (product != PCT_REAL && !pct_compute_prefers_bf16(compute)) product = PCT_REAL;
    pct_tape_init(&s->tape, compute, &s->step, false, product);
    const size_t vocabulary = (size_t)model->config.language.vocabulary;
    s->probability = malloc(vocabulary * sizeof *s->probability);
    s->order = malloc(vocabulary * sizeof *s->order);
    if (!s->probability || !s->order) {
        pct_sequence_destroy(&s);
        return pct_fail_memory(error, "session");
    }
    *out = s;
    return PERCEPT_OK;
}

void pct_sequence_destroy(pct_sequence **sequence) {
    pct_sequence *s = sequence ? *sequence : NULL;
    if (!s) return;
    *sequence = NULL;
    pct_arena_free(&s->step);
    pct_cache_free(&s->cache);
    free(s->ids);
    free(s->reply);
    free(s->probability);
    free(s->order);
    free(s);
}

static percept_status grow(int32_t **list, int32_t *room, int32_t wanted, percept_error *error) {
    if (wanted <= *room) return PERCEPT_OK;
    int32_t *larger = realloc(*list, (size_t)wanted * sizeof *larger);
    if (!larger) return pct_fail_memory(error, "tokens");
    *list = larger;
    *room = wanted;
    return PERCEPT_OK;
}

/* Room for `rows` tokens in all, and for some that may come after. */
static percept_status reserve(pct_sequence *s, int64_t rows, percept_error *error) {
    if (rows <= s->room && rows <= s->cache.capacity) return PERCEPT_OK;
    const int64_t context = s->model->config.language.context;
    const int64_t wanted = pct_min_i64(pct_max_i64(rows, pct_min_i64(2 * (int64_t)s->room, context)), INT32_MAX);
    PCT_TRY(grow(&s->ids, &s->room, (int32_t)wanted, error));
    return pct_cache_reserve(&s->cache, &s->model->language.options, wanted, s->length, error);
}

percept_status pct_sequence_fork(pct_sequence **out, const pct_sequence *from, percept_error *error) {
    pct_sequence *s;
    PCT_TRY(pct_sequence_create(&s, from->model, from->compute, from->cache.type, from->tape.product, error));
    percept_status status = reserve(s, from->length, error);
    if (status != PERCEPT_OK) {
        pct_sequence_destroy(&s);
        return status;
    }
    if (from->length > 0) {
        memcpy(s->ids, from->ids, (size_t)from->length * sizeof *s->ids);
        pct_cache_copy(&s->cache, &from->cache, from->length);
    }
    s->length = from->length;
    *out = s;
    return PERCEPT_OK;
}

int32_t pct_sequence_length(const pct_sequence *s) { return s->length; }

void pct_sequence_rewind(pct_sequence *s, int32_t length) {
    PCT_ASSERT(length >= 0);
    if (length < s->length) s->length = length;
}

int32_t pct_sequence_match(pct_sequence *s, const int32_t *ids, int32_t count) {
    PCT_ASSERT(count >= 1);
    int32_t same = 0;
    while (same < s->length && same < count - 1 && s->ids[same] == ids[same]) same++;
    pct_sequence_rewind(s, same);
    return same;
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

/* One pass over `count` tokens, the states of whose rows from `from` on (count: of none) come back. */
static pct_tensor *run_pass(pct_sequence *s, const int32_t *ids, int32_t count, int32_t from) {
    pct_tape *tape = &s->tape;
    int32_t *places = pct_tape_ints(tape, count), *wanted = pct_tape_ints(tape, count - from);
    pct_span *spans = pct_tape_array(tape, 2, sizeof *spans);
    if (pct_tape_failed(tape)) return NULL;
    const int32_t after = s->length + count;
    for (int32_t i = 0; i < count; i++) {
        PCT_ASSERT(ids[i] >= 0 && ids[i] < s->model->config.language.vocabulary);
        s->ids[s->length + i] = ids[i];
        places[i] = s->length + i;
    }
    for (int32_t i = from; i < count; i++) wanted[i - from] = i;
    spans[0] = (pct_span){.q_count = count, .own_count = after, .causal = 1};
    spans[1] = (pct_span){.q_count = count - from, .own_count = after, .causal = 1};
    pct_language_input input = {
        .x = pct_language_words(tape, &s->model->language, ids, count),
        .positions = places,
        .spans = spans,
        .span_count = 1,
        .cache = &s->cache,
        .cache_rows = places,
        .cache_used = after,
        .wanted = wanted,
        .wanted_count = count - from,
        .wanted_spans = spans + 1,
        .wanted_span_count = 1,
    };
    pct_tensor *states = pct_language_states(tape, &s->model->language, &input);
    if (!pct_tape_failed(tape)) s->length = after;
    return states;
}

/* Logits of all rows of `states`, a few at a time. *go is set to false when the receiver has enough. */
static void give_logits(pct_sequence *s, pct_tensor *states, int32_t first, pct_logits_fn *each, void *context,
                        bool *go) {
    pct_tape *tape = &s->tape;
    const int32_t rows = (int32_t)pct_tensor_rows(states);
    for (int32_t row = 0; row < rows && *go && !pct_tape_failed(tape); row += LOGIT_ROWS) {
        const int32_t count = (int32_t)pct_min_i64(LOGIT_ROWS, rows - row);
        const pct_arena_mark mark = pct_arena_save(&s->step);
        pct_tensor *some = states;
        if (count < rows) {
            int32_t *index = pct_tape_ints(tape, count);
            for (int32_t i = 0; index && i < count; i++) index[i] = row + i;
            some = index ? pct_op_gather_rows(tape, states, index, count) : states;
        }
        if (pct_tape_failed(tape)) return;
        pct_tensor *logits = pct_language_logits(tape, &s->model->language, some);
        for (int32_t i = 0; i < count && *go && !pct_tape_failed(tape); i++)
            *go = each(context, first + row + i, pct_tensor_data(logits) + i * pct_tensor_width(logits));
        if (row + count < rows) pct_arena_release(&s->step, mark);
    }
}

percept_status pct_sequence_read(pct_sequence *s, const int32_t *ids, int32_t count, int32_t from, pct_logits_fn *each,
                                 bool (*stop)(void *), void *context, percept_error *error) {
    PCT_ASSERT(count >= 1 && from >= 0 && from <= count);
    const int64_t context_length = s->model->config.language.context;
    if ((int64_t)s->length + count > context_length)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "the text has %lld tokens; the model's context is %lld",
                        (long long)s->length + count, (long long)context_length);
    PCT_TRY(reserve(s, (int64_t)s->length + count, error));
    bool go = true;
    percept_status status = PERCEPT_OK;
    for (int32_t at = 0, rows; status == PERCEPT_OK && go && at < count; at += rows) {
        rows = (int32_t)pct_min_i64(PASS_ROWS, count - at);
        const int32_t wanted = (int32_t)pct_clamp_i64((int64_t)from - at, 0, rows);
        pct_tensor *states = run_pass(s, ids + at, rows, wanted);
        if (states) give_logits(s, states, at + wanted, each, context, &go);
        status = pct_tape_status(&s->tape, error);
        pct_tape_clear(&s->tape);
        pct_arena_reset(&s->step);
        if (stop && at + rows < count && stop(context)) go = false;
    }
    return status;
}

/* ---- going on -----------------------------------------------------------------------------------------------------
 */

bool pct_text_ends(const pct_tokenizer *tokenizer, int32_t id) {
    static const char *const names[] = {"<|im_end|>", "<|endoftext|>",   "<|eot_id|>", "<|eom_id|>",
                                        "<|end|>",    "<|end_of_text|>", "</s>",       "<end_of_turn>"};
    if (id < 0) return false;
    if (id == pct_tokenizer_eos(tokenizer)) return true;
    for (size_t i = 0; i < PCT_COUNT(names); i++)
        if (id == pct_tokenizer_special(tokenizer, names[i])) return pct_tokenizer_is_special(tokenizer, id);
    return false;
}

typedef struct generation {
    pct_sequence *sequence;
    const pct_generate_options *options;
    pct_sampler sampler;
    int32_t chosen; /* -1: none, stopped while reading */
    int32_t rows;   /* choices so far */
} generation;

static bool choose(void *context, int32_t row, const pct_real *logits) {
    generation *g = context;
    pct_sequence *s = g->sequence;
    (void)row;
    const int32_t back = (int32_t)pct_min_i64(g->options->repeat_last, s->length);
    g->sampler.recent = s->ids + s->length - back;
    g->sampler.recent_count = back;
    if (g->options->logits && !g->options->logits(g->options->context, g->rows, logits)) return false;
    g->rows++;
    g->chosen = pct_sample(&g->sampler, logits, s->model->config.language.vocabulary, NULL);
    return true;
}

static bool asked_to_stop(void *context) {
    const generation *g = context;
    const pct_generate_options *o = g->options;
    if (o->deadline > 0 && pct_clock_seconds() >= o->deadline) return true;
    return o->stop && o->stop(o->context);
}

static void set_sampler(generation *g) {
    const pct_generate_options *o = g->options;
    g->sampler = (pct_sampler){
        .repeat_penalty = o->repeat_penalty,
        .top_k = o->top_k,
        .top_p = o->top_p > 0 ? o->top_p : 1,
        .min_p = o->min_p,
        .temperature = o->temperature,
        .probability = g->sequence->probability,
        .order = g->sequence->order,
    };
    pct_random_init(&g->sampler.random, o->seed, 0, 0);
}

/* Reads and chooses until something ends it. */
static percept_status go_on(generation *g, const int32_t *ids, int32_t count, int32_t limit, pct_generated *out,
                            percept_error *error) {
    pct_sequence *s = g->sequence;
    const pct_generate_options *o = g->options;
    for (;;) {
        g->chosen = -1;
        PCT_TRY(pct_sequence_read(s, ids, count, count - 1, choose, asked_to_stop, g, error));
        if (g->chosen < 0 || asked_to_stop(g)) {
            const bool late = o->deadline > 0 && pct_clock_seconds() >= o->deadline;
            out->finish = late ? PCT_FINISH_TIME : PCT_FINISH_STOP;
            return PERCEPT_OK;
        }
        out->finish = PCT_FINISH_STOP;
        if (pct_text_ends(s->model->tokenizer, g->chosen)) return PERCEPT_OK;
        PCT_TRY(grow(&s->reply, &s->reply_room, (int32_t)pct_min_i64(limit, pct_max_i64(ROOM, 2 * out->count)), error));
        s->reply[out->count] = g->chosen;
        out->ids = s->reply;
        ids = s->reply + out->count++;
        count = 1;
        if (o->token && o->token(o->context, g->chosen)) return PERCEPT_OK;
        out->finish = PCT_FINISH_LENGTH;
        if (out->count >= limit) return PERCEPT_OK;
    }
}

percept_status pct_sequence_generate(pct_sequence *s, const int32_t *ids, int32_t count,
                                     const pct_generate_options *options, pct_generated *generated,
                                     percept_error *error) {
    *generated = (pct_generated){.finish = PCT_FINISH_LENGTH};
    generation g = {.sequence = s, .options = options};
    const int64_t left = s->model->config.language.context - (int64_t)count;
    if (count < 1) return pct_fail(error, PERCEPT_ERROR_USAGE, "an empty text; give it words");
    if (left < 1)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "the text has %d tokens; the model's context of %d leaves no room for more: shorten it", count,
                        s->model->config.language.context);
    const int32_t limit = (int32_t)(options->max_tokens > 0 ? pct_min_i64(options->max_tokens, left) : left);
    const int32_t same = pct_sequence_match(s, ids, count);
    generated->read = count - same;
    set_sampler(&g);
    PCT_TRY(reserve(s, count + pct_min_i64(limit, ROOM), error));
    PCT_TRY(grow(&s->reply, &s->reply_room, (int32_t)pct_min_i64(limit, ROOM), error));
    return go_on(&g, ids + same, count - same, limit, generated, error);
}
