/* talk.c: see talk.h. */
#include "engine/talk.h"

#include "base/clock.h"
#include "engine/sampling.h"

#include <stdlib.h>
#include <string.h>

typedef struct talking {
    percept_session *session;
    const percept_ask_options *options;
    size_t question;
    pct_token_stream stream;
    pct_text text;
    double first_token;
} talking;

static percept_status check(const percept_session *session, const percept_question *question, percept_error *error) {
    if (question->region_count > 0 || question->task != PERCEPT_TASK_ASK)
        return pct_model_check_sees(session->engine->model, error);
    if (!question->text || !question->text[strspn(question->text, " \t\r\n")])
        return pct_fail(error, PERCEPT_ERROR_USAGE, "the question is empty; give it words");
    if (strlen(question->text) > 1 << 20)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "the question has %zu bytes; give at most 1048576",
                        strlen(question->text));
    if (question->after && question->after->fingerprint != session->engine->fingerprint)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "the earlier answer is another engine's; start a new dialogue");
    if (question->after && question->after->talk_count == 0)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "the dialogue was about a picture; a language model alone cannot go on with it");
    return PERCEPT_OK;
}

/* The format of talk that the caller named, or that the file tells. */
static percept_status find_format(const percept_engine *engine, pct_chat *chat, percept_error *error) {
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(engine->model);
    const char *name;
    *chat = engine->chat;
    if (chat->format) return PERCEPT_OK;
    PCT_TRY(pct_chat_recognise(&name, pct_tokenizer_chat_template(tokenizer), pct_model_get_card(engine->model)->name,
                               pct_architecture_name(pct_model_get_config(engine->model)->language.architecture),
                               error));
    return pct_chat_init(chat, name, tokenizer, error);
}

/* The dialogue so far and the question: what the model goes on with. */
static percept_status render(percept_session *session, const percept_question *question, pct_ids *ids,
                             percept_error *error) {
    const percept_answer *after = question->after;
    const int32_t context = pct_model_get_config(session->engine->model)->language.context;
    const pct_chat_turn turn = {.role = PCT_CHAT_USER, .text = question->text};
    pct_chat chat;
    PCT_TRY(find_format(session->engine, &chat, error));
    if (after) {
        PCT_TRY(pct_ids_reserve(ids, (size_t)after->talk_count, error));
        memcpy(ids->data, after->talk_ids, (size_t)after->talk_count * sizeof *ids->data);
        ids->count = (size_t)after->talk_count;
        PCT_TRY(pct_chat_next(&chat, &session->scratch, ids->data[ids->count - 1], &turn, ids, error));
    } else {
        PCT_TRY(pct_chat_render(&chat, &session->scratch, &turn, 1, true, ids, error));
    }
    if (ids->count < (size_t)context) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_USAGE, "the question%s %zu tokens; the model's context is %d: shorten it%s",
                    after ? " and the dialogue before it have" : " has", ids->count, context,
                    after ? " or begin a new dialogue" : "");
}

/* The text from there on to the caller; whether that one wants to stop. */
static bool send(const talking *t, size_t from) {
    if (!t->options->stream || t->text.failed || t->text.length == from) return false;
    const percept_stream_event event = {.question = t->question, .text = t->text.data + from};
    return t->options->stream(t->options->stream_context, &event);
}

static bool on_token(void *context, int32_t id) {
    talking *t = context;
    const size_t from = t->text.length;
    if (t->first_token == 0) t->first_token = pct_clock_seconds();
    pct_token_stream_add(&t->stream, pct_model_get_tokenizer(t->session->engine->model), id, false, &t->text);
    return send(t, from);
}

static bool on_stop(void *context) {
    const talking *t = context;
    return atomic_load(&t->session->cancelled);
}

static percept_status fill(percept_answer *answer, talking *t, const percept_question *question, const pct_ids *ids,
                           const pct_generated *g, percept_error *error) {
    const percept_engine *engine = t->session->engine;
    const char *name = pct_model_get_card(engine->model)->name;
    pct_arena *arena = &answer->arena;
    const size_t from = t->text.length;
    pct_token_stream_end(&t->stream, &t->text);
    send(t, from);
    answer->model_name = pct_arena_text(arena, name ? name : "", name ? strlen(name) : 0);
    answer->fingerprint = pct_fingerprint_share(engine->fingerprint);
    answer->question = pct_arena_text(arena, question->text, strlen(question->text));
    answer->text = pct_arena_text(arena, t->text.data ? t->text.data : "", t->text.length);
    int32_t *all = pct_arena_take(arena, (ids->count + (size_t)g->count) * sizeof *all);
    if (!answer->model_name || !answer->question || !answer->text || !all || t->text.failed)
        return pct_fail_memory(error, "answer");
    memcpy(all, ids->data, ids->count * sizeof *all);
    if (g->count > 0) memcpy(all + ids->count, g->ids, (size_t)g->count * sizeof *all);
    answer->talk_ids = all;
    answer->talk_count = (int32_t)ids->count + g->count;
    answer->finish = (percept_finish)g->finish;
    answer->usage = (percept_usage){.prompt_tokens = (int32_t)ids->count, .answer_tokens = g->count};
    return PERCEPT_OK;
}

/* Inside the gate. */
static percept_status answer_inside(talking *t, const percept_question *question, const pct_ids *ids, double deadline,
                                    percept_answer *answer, percept_error *error) {
    const percept_ask_options *o = t->options;
    pct_sequence *sequence;
    pct_generated g;
    PCT_TRY(pct_session_sequence(t->session, &sequence, error));
    pct_generate_options options = pct_sampling_options(&PCT_SAMPLING_FIELDS(o), deadline);
    options.token = on_token;
    options.stop = on_stop;
    options.context = t;
    const double started = pct_clock_seconds();
    PCT_TRY(pct_sequence_generate(sequence, ids->data, (int32_t)ids->count, &options, &g, error));
    const double ended = pct_clock_seconds(), first = t->first_token > 0 ? t->first_token : ended;
    if (atomic_load(&t->session->cancelled)) return pct_fail_cancelled(error);
    PCT_TRY(fill(answer, t, question, ids, &g, error));
    answer->timings = (percept_timings){
        .load = t->session->engine->load_ms, .prefill = (first - started) * 1e3, .generate = (ended - first) * 1e3};
    return PERCEPT_OK;
}

static percept_status answer_one(talking *t, const percept_question *question, double deadline, percept_answer **answer,
                                 percept_error *error) {
    pct_gate *gate = &t->session->engine->gate;
    pct_ids ids = {0};
    percept_status status = check(t->session, question, error);
    if (status == PERCEPT_OK) status = render(t->session, question, &ids, error);
    if (status == PERCEPT_OK) {
        *answer = pct_answer_new(NULL);
        if (!*answer) status = pct_fail_memory(error, "answer");
    }
    if (status == PERCEPT_OK) {
        const enum pct_gate_result entered = pct_gate_enter(gate, &t->session->cancelled, deadline);
        if (entered == PCT_GATE_CANCELLED)
            status = pct_fail_cancelled(error);
        else if (entered == PCT_GATE_LATE)
            status = fill(*answer, t, question, &ids, &(pct_generated){.finish = PCT_FINISH_TIME}, error);
        else
            status = answer_inside(t, question, &ids, deadline, *answer, error);
        if (entered == PCT_GATE_ENTERED) pct_gate_leave(gate);
    }
    pct_ids_free(&ids);
    return status;
}

percept_status pct_talk_ask(percept_session *session, const percept_question *questions, size_t count,
                            const percept_ask_options *options, double deadline, percept_answer **answers,
                            percept_error *error) {
    percept_answer **made = calloc(count, sizeof *made);
    percept_status status = made ? PERCEPT_OK : pct_fail_memory(error, "answers");
    for (size_t i = 0; i < count && status == PERCEPT_OK; i++) {
        talking t = {.session = session, .options = options, .question = i};
        const percept_question *question = (const percept_question *)((const char *)questions + i * questions->size);
        status = answer_one(&t, question, deadline, &made[i], error);
        pct_text_free(&t.text);
    }
    for (size_t i = 0; made && i < count; i++) {
        if (status == PERCEPT_OK)
            answers[i] = made[i];
        else
            percept_answer_free(&made[i]);
    }
    free(made);
    return status;
}
