/* ask.c: questions about a session's picture, in batches, streaming, with a time limit. */
#include "base/clock.h"
#include "engine/assemble.h"
#include "engine/options.h"
#include "engine/prompt.h"
#include "engine/reply_text.h"
#include "engine/sampling.h"
#include "engine/talk.h"

#include <stdlib.h>
#include <string.h>

/* Questions that are decoded as one batch, and bytes of their keys and values; more are taken in several, so that
 * memory stays bounded. */
enum { batch_size = 64, batch_bytes = 1 << 30 };

void percept_ask_options_init(percept_ask_options *options) {
    *options = (percept_ask_options){
        .size = sizeof *options, .threshold = -1.0f, .top_p = 1.0f, .repeat_penalty = 1.0f, .repeat_last = 64};
}

void percept_question_init(percept_question *question) { *question = (percept_question){.size = sizeof *question}; }

static percept_status check_options(const percept_ask_options *o, percept_error *error) {
    if (!(o->threshold <= 1.0f)) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "threshold: %g is out of range; give 0 to 1, or a negative number "
                        "for the model's own",
                        (double)o->threshold);
    }
    return pct_sampling_check(&PCT_SAMPLING_FIELDS(o), error);
}

/* One call of ask_many. */
typedef struct ask_call {
    percept_session *session;
    percept_ask_options options;
    float threshold;
    double deadline;
    size_t first; /* index of the batch's first question */
    double started, first_token;
    bool stopped; /* the stream callback asked for it */
    pct_reply_text streams[batch_size];
} ask_call;

static bool send(ask_call *call, int32_t prompt, size_t from, const pct_region_out *region, bool kept) {
    const pct_text *text = &call->streams[prompt].text;
    if (text->length == from || text->failed) return false;
    percept_stream_event event = {.question = call->first + (size_t)prompt, .text = text->data + from};
    percept_box box;
    if (region && kept) {
        const pct_picture *picture = call->session->picture;
        pct_box square = {region->box[0], region->box[1], region->box[2], region->box[3]};
        box = pct_box_rounded(pct_fit_box_to_picture(&picture->fit, square), picture->width, picture->height);
        event.box = &box;
        event.score = region->score;
    }
    return call->options.stream(call->options.stream_context, &event);
}

/* A family that is made to speak says what the mask then leaves of it: its answers are streamed when they are whole. */
static bool speaks_late(const ask_call *call) { return call->session->engine->template.style->begun_end != NULL; }

static bool on_token(void *context, int32_t prompt, int32_t id, const pct_region_out *region) {
    ask_call *call = context;
    if (call->first_token == 0) call->first_token = pct_clock_seconds();
    if (atomic_load(&call->session->cancelled)) return true;
    if (!call->options.stream || call->stopped || speaks_late(call)) return call->stopped;
    pct_reply_text *stream = &call->streams[prompt];
    size_t from = stream->text.length;
    bool kept = region && region->score >= call->threshold;
    pct_reply_text_add(stream, id, kept);
    call->stopped = send(call, prompt, from, region, kept);
    return call->stopped;
}

static bool send_piece(const ask_call *call, size_t question, const char *text, size_t length,
                       const percept_object *object) {
    char *piece = length > 0 ? strndup(text, length) : NULL;
    percept_stream_event event = {.question = question, .text = piece};
    if (object) {
        event.box = &object->box;
        event.score = object->score;
    }
    const bool stopped = piece && call->options.stream(call->options.stream_context, &event);
    free(piece);
    return stopped;
}

/* A finished answer, its "<obj>" with their regions. */
static void send_whole(ask_call *call, size_t question, const percept_answer *answer) {
    const char *text = answer->text, *mark;
    for (size_t k = 0; !call->stopped && (mark = strstr(text, "<obj>")) && k < answer->object_count; text = mark + 5) {
        call->stopped = send_piece(call, question, text, (size_t)(mark - text), NULL) ||
                        send_piece(call, question, mark, 5, &answer->objects[k++]);
    }
    if (!call->stopped) call->stopped = send_piece(call, question, text, strlen(text), NULL);
}

/* Half a character that hangs in the air at the end of an answer. */
static void send_rest(ask_call *call, int32_t prompt) {
    const size_t from = call->streams[prompt].text.length;
    pct_reply_text_end(&call->streams[prompt]);
    call->stopped = send(call, prompt, from, NULL, false);
}

percept_answer *pct_answer_new(pct_picture *picture) {
    percept_answer *answer = calloc(1, sizeof *answer);
    if (!answer) return NULL;
    pct_arena_init(&answer->arena, 4096);
    answer->picture = picture ? pct_picture_share(picture) : pct_picture_none();
    if (!answer->picture) percept_answer_free(&answer);
    return answer;
}

static percept_status fill_common(percept_answer *answer, const ask_call *call, const pct_asked *asked,
                                  percept_error *error) {
    const percept_engine *engine = call->session->engine;
    const pct_model_card *card = pct_model_get_card(engine->model);
    const char *name = card->name ? card->name : "";
    answer->model_name = pct_arena_text(&answer->arena, name, strlen(name));
    answer->fingerprint = pct_fingerprint_share(engine->fingerprint);
    answer->question = pct_arena_text(&answer->arena, asked->text, strlen(asked->text));
    if (!answer->model_name || !answer->question) return pct_fail_memory(error, "answer");
    answer->calibrated = card->calibration.fitted;
    return PERCEPT_OK;
}

static percept_status make_answer(percept_answer **out, const ask_call *call, const pct_asked *asked,
                                  const pct_reply *reply, percept_error *error) {
    const percept_engine *engine = call->session->engine;
    const pct_model_config *config = pct_model_get_config(engine->model);
    percept_answer *answer = pct_answer_new(call->session->picture);
    if (!answer) return pct_fail_memory(error, "answer");
    *out = answer; /* the caller frees it when anything below fails */
    PCT_TRY(fill_common(answer, call, asked, error));
    pct_assembly how = {
        .template = &engine->template,
        .pool = engine->pool,
        .threshold = call->threshold,
        .masks = !call->options.no_masks,
        .mask_side = pct_model_config_mask_side(config),
        .fallback = asked->given->task == PERCEPT_TASK_FIND ? answer->question : NULL,
    };
    PCT_TRY(pct_assemble(answer, reply, &how, error));
    PCT_TRY(pct_asked_remember(asked, &engine->template, reply, config, answer, error));
    const int32_t asked_tokens = reply->prompt_tokens ? reply->prompt_tokens : (int32_t)asked->rendered.ids.count;
    answer->usage = (percept_usage){engine->image_tokens, asked_tokens, reply->tokens};
    return PERCEPT_OK;
}

static pct_prompt prompt_of(const ask_call *call, const pct_asked *asked) {
    return (pct_prompt){.ids = asked->rendered.ids.data,
                        .count = (int32_t)asked->rendered.ids.count,
                        .begun = asked->rendered.begun,
                        .end = call->session->engine->begun_end.data,
                        .end_count = (int32_t)call->session->engine->begun_end.count,
                        .regions = asked->regions,
                        .region_count = asked->region_count};
}

/* Inside the gate: the model's replies and the answers made of them. Questions of a batch share its times. */
static percept_status answer_batch(ask_call *call, const pct_asked *asked, int32_t count, percept_answer **answers,
                                   percept_error *error) {
    pct_prompt prompts[batch_size];
    pct_reply replies[batch_size];
    for (int32_t i = 0; i < count; i++) prompts[i] = prompt_of(call, &asked[i]);
    pct_answer_options options = {
        .max_tokens = call->options.max_tokens,
        .deadline = call->deadline,
        .masks = !call->options.no_masks,
        .temperature = call->options.temperature,
        .top_p = call->options.top_p,
        .seed = call->options.seed,
        .scores_now = call->options.stream != NULL,
        .token = on_token,
        .context = call,
    };
    call->started = pct_clock_seconds();
    call->first_token = 0;
    memset(replies, 0, sizeof replies);
    PCT_TRY(pct_state_answer(call->session->state, prompts, count, &options, replies, error));
    if (atomic_load(&call->session->cancelled)) return pct_fail_cancelled(error);
    double generated = pct_clock_seconds();
    const bool late = speaks_late(call);
    for (int32_t i = 0; i < count && call->options.stream && !late && !call->stopped; i++) send_rest(call, i);
    for (int32_t i = 0; i < count; i++) PCT_TRY(make_answer(&answers[i], call, &asked[i], &replies[i], error));
    for (int32_t i = 0; i < count && call->options.stream && late && !call->stopped; i++)
        send_whole(call, call->first + (size_t)i, answers[i]);
    double ended = pct_clock_seconds();
    double first = call->first_token > 0 ? call->first_token : generated;
    for (int32_t i = 0; i < count; i++) {
        answers[i]->timings = (percept_timings){
            .load = call->session->engine->load_ms,
            .decode_image = call->session->picture->decode_ms,
            .encode_image = call->session->picture->encode_ms,
            .prefill = (first - call->started) * 1e3,
            .generate = (generated - first) * 1e3,
            .masks = (ended - generated) * 1e3,
        };
    }
    return PERCEPT_OK;
}

/* Answers that were never begun: time ran out while waiting for the engine or in an earlier batch, or the stream's
 * receiver said stop. */
static percept_status answer_nothing(const ask_call *call, enum pct_finish finish, const pct_asked *asked,
                                     int32_t count, percept_answer **answers, percept_error *error) {
    const pct_reply reply = {.finish = finish};
    for (int32_t i = 0; i < count; i++) PCT_TRY(make_answer(&answers[i], call, &asked[i], &reply, error));
    return PERCEPT_OK;
}

static percept_status run_batch(ask_call *call, const pct_asked *asked, int32_t count, percept_answer **answers,
                                percept_error *error) {
    pct_gate *gate = &call->session->engine->gate;
    if (call->stopped) return answer_nothing(call, PCT_FINISH_STOP, asked, count, answers, error);
    enum pct_gate_result entered = pct_gate_enter(gate, &call->session->cancelled, call->deadline);
    if (entered == PCT_GATE_CANCELLED) return pct_fail_cancelled(error);
    if (entered == PCT_GATE_LATE) return answer_nothing(call, PCT_FINISH_TIME, asked, count, answers, error);
    for (int32_t i = 0; i < count; i++) {
        call->streams[i] = (pct_reply_text){.template = &call->session->engine->template};
    }
    percept_status status = answer_batch(call, asked, count, answers, error);
    pct_gate_leave(gate);
    for (int32_t i = 0; i < count; i++) pct_reply_text_free(&call->streams[i]);
    return status;
}

static const percept_question *question_at(const percept_question *questions, size_t index) {
    return (const percept_question *)((const char *)questions + index * questions->size);
}

static percept_status check_size(const percept_question *questions, percept_error *error) {
    if (questions->size != sizeof *questions) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "percept_question: size is %zu, not %zu; call "
                        "percept_question_init, or use the library that belongs to the headers",
                        questions->size, sizeof *questions);
    }
    return PERCEPT_OK;
}

static percept_status prepare(pct_asked *asked, const ask_call *call, const percept_question *questions, size_t count,
                              size_t index, percept_error *error) {
    percept_status status = pct_asked_prepare(asked, call->session, question_at(questions, index), error);
    if (status != PERCEPT_OK && count > 1) pct_error_prefix(error, "question %zu", index + 1);
    return status;
}

/* Those from `first` on can be answered. */
static percept_status check_rest(const ask_call *call, const percept_question *questions, size_t count, size_t first,
                                 percept_error *error) {
    for (size_t i = first; i < count; i++) {
        pct_asked asked;
        percept_status status = prepare(&asked, call, questions, count, i, error);
        pct_asked_free(&asked);
        if (status != PERCEPT_OK) return status;
    }
    return PERCEPT_OK;
}

/* Prepares the batch that begins with question `first`; how many it has. */
static percept_status fill_batch(const ask_call *call, const percept_question *questions, size_t count, size_t first,
                                 pct_asked *asked, int32_t *part, percept_error *error) {
    size_t bytes = 0;
    for (*part = 0; *part < batch_size && first + (size_t)*part < count; ++*part) {
        pct_asked *next = &asked[*part];
        percept_status status = prepare(next, call, questions, count, first + (size_t)*part, error);
        const pct_prompt prompt = prompt_of(call, next);
        if (status == PERCEPT_OK)
            bytes += pct_state_answer_bytes(call->session->state, &prompt, call->options.max_tokens);
        if (status != PERCEPT_OK || (*part > 0 && bytes > batch_bytes)) {
            pct_asked_free(next); /* not of this batch */
            return status;
        }
    }
    return PERCEPT_OK;
}

static percept_status run_all(ask_call *call, const percept_question *questions, size_t count, percept_answer **answers,
                              percept_error *error) {
    pct_asked asked[batch_size];
    for (size_t done = 0; done < count;) {
        int32_t part;
        percept_status status = fill_batch(call, questions, count, done, asked, &part, error);
        call->first = done;
        /* All questions are looked at before the first is answered, in however many batches. */
        if (status == PERCEPT_OK && done == 0) status = check_rest(call, questions, count, (size_t)part, error);
        if (status == PERCEPT_OK) status = run_batch(call, asked, part, answers + done, error);
        for (int32_t i = 0; i < part; i++) pct_asked_free(&asked[i]);
        if (status != PERCEPT_OK) return status;
        done += (size_t)part;
    }
    return PERCEPT_OK;
}

percept_status percept_session_ask_many(percept_session *session, const percept_question *questions, size_t count,
                                        const percept_ask_options *given, percept_answer **answers,
                                        percept_error *error) {
    percept_ask_options options;
    percept_ask_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_ask_options", error));
    PCT_TRY(check_options(&options, error));
    if (count == 0) return PERCEPT_OK;
    if (count > 1000000) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%zu questions in one call; give at most 1000000", count);
    }
    PCT_TRY(check_size(questions, error));
    double now = pct_clock_seconds(), deadline = options.time_limit > 0 ? now + options.time_limit : 0;
    if (!session->state) return pct_talk_ask(session, questions, count, &options, deadline, answers, error);
    percept_answer **made = calloc(count, sizeof *made);
    ask_call *call = calloc(1, sizeof *call);
    percept_status status = PERCEPT_OK;
    if (!made || !call) {
        status = pct_fail_memory(error, "questions");
    } else {
        call->session = session;
        call->options = options;
        call->threshold =
            options.threshold < 0 ? pct_model_get_card(session->engine->model)->threshold : options.threshold;
        call->deadline = deadline;
        status = run_all(call, questions, count, made, error);
    }
    for (size_t i = 0; made && i < count; i++) {
        if (status == PERCEPT_OK)
            answers[i] = made[i];
        else
            percept_answer_free(&made[i]);
    }
    free(call);
    free(made);
    return status;
}

percept_status percept_session_ask(percept_session *session, const char *text, const percept_ask_options *options,
                                   percept_answer **answer, percept_error *error) {
    percept_question question;
    percept_question_init(&question);
    question.text = text;
    return percept_session_ask_many(session, &question, 1, options, answer, error);
}
