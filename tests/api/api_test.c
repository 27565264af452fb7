/* The installed interface from outside: linked with the shared library, public headers alone. The models say what
 * tests/cli/make_model.c told them: "It is here: <p>red cup</p><obj>.", and " red blue" without end. */
#include <percept/flat.h>
#include <percept/jobs.h>
#include <percept/percept.h>
#include <percept/tokenizer.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const char *model_found, *model_endless, *picture;

static percept_engine *open_engine(const char *model) {
    percept_engine_options options;
    percept_engine *engine = NULL;
    percept_error error = {0};
    percept_engine_options_init(&options);
    options.threads = 1;
    if (percept_engine_open(&engine, model, &options, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    return engine;
}

static percept_session *open_session(percept_engine *engine, bool keep) {
    percept_session *session = NULL;
    percept_error error = {0};
    percept_image_options options;
    percept_image_options_init(&options);
    options.keep_pixels = keep;
    if (percept_session_new(&session, engine, &error) != PERCEPT_OK ||
        percept_session_load_image(session, picture, &options, &error) != PERCEPT_OK) {
        fail_msg("%s", error.message);
    }
    return session;
}

static percept_answer *ask(percept_session *session, const char *text) {
    percept_ask_options options;
    percept_answer *answer = NULL;
    percept_error error = {0};
    percept_ask_options_init(&options);
    options.threshold = 0;
    if (percept_session_ask(session, text, &options, &answer, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    return answer;
}

static void versions_agree(void **state) {
    (void)state;
    assert_string_equal(percept_version(), PERCEPT_VERSION);
}

static void an_answer_outlives_session_and_engine(void **state) {
    (void)state;
    percept_engine *engine = open_engine(model_found);
    percept_session *session = open_session(engine, false);
    assert_int_equal(percept_session_width(session), 160);
    assert_int_equal(percept_session_height(session), 120);
    percept_answer *answer = ask(session, "where is it?");
    percept_session_free(&session);
    percept_engine_close(&engine);
    assert_null(session);
    assert_null(engine);
    assert_string_equal(percept_answer_text(answer), "It is here: red cup <obj>.");
    assert_string_equal(percept_answer_question(answer), "where is it?");
    assert_int_equal(percept_answer_finish(answer), PERCEPT_FINISH_STOP);
    assert_int_equal(percept_answer_object_count(answer), 1);
    assert_string_equal(percept_answer_object(answer, 0)->phrase, "red cup");
    assert_int_equal(percept_answer_usage(answer).answer_tokens, 11);
    char *json = NULL;
    assert_int_equal(percept_answer_json(answer, NULL, &json, NULL), PERCEPT_OK);
    assert_non_null(strstr(json, "\"model\": \"tiny\""));
    percept_free(json);
    percept_answer_free(&answer);
    percept_answer_free(&answer);
}

static void options_are_checked(void **state) {
    (void)state;
    percept_error error = {0};
    percept_engine *engine = NULL;
    percept_engine_options options;
    percept_engine_options_init(&options);
    options.size = sizeof options + 8;
    assert_int_equal(percept_engine_open(&engine, model_found, &options, &error), PERCEPT_ERROR_USAGE);
    percept_engine_options_init(&options);
    options.threads = 513;
    assert_int_equal(percept_engine_open(&engine, model_found, &options, &error), PERCEPT_ERROR_USAGE);
    assert_null(engine);
    struct {
        size_t size;
        int32_t threads;
    } older = {sizeof older, 1}; /* a caller that was built with fewer fields */
    assert_int_equal(
        percept_engine_open(&engine, model_found, (const percept_engine_options *)(const void *)&older, NULL),
        PERCEPT_OK);
    percept_session *session = NULL;
    percept_answer *answer = NULL;
    assert_int_equal(percept_session_new(&session, engine, NULL), PERCEPT_OK);
    assert_int_equal(percept_session_ask(session, "where?", NULL, &answer, &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "no picture"));
    percept_ask_options ask_options;
    percept_ask_options_init(&ask_options);
    ask_options.top_p = 0;
    assert_int_equal(percept_session_ask(session, "where?", &ask_options, &answer, &error), PERCEPT_ERROR_USAGE);
    assert_null(answer);
    percept_session_free(&session);
    percept_engine_close(&engine);
    percept_session_free(NULL);
    percept_engine_close(NULL);
}

static void a_failed_picture_leaves_none(void **state) {
    (void)state;
    percept_engine *engine = open_engine(model_found);
    percept_session *session = open_session(engine, false);
    percept_error error = {0};
    assert_int_equal(percept_session_load_image_memory(session, "nothing", 7, NULL, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(percept_session_width(session), 0);
    percept_answer *answer = NULL;
    assert_int_equal(percept_session_ask(session, "where?", NULL, &answer, &error), PERCEPT_ERROR_USAGE);
    unsigned char pixels[2 * 3 * 4];
    memset(pixels, 200, sizeof pixels);
    assert_int_equal(percept_session_load_pixels(session, pixels, 2, 3, 4, 0, NULL, &error), PERCEPT_OK);
    assert_int_equal(percept_session_height(session), 3);
    assert_int_equal(percept_session_load_pixels(session, pixels, 2, 3, 4, 5, NULL, &error), PERCEPT_ERROR_USAGE);
    assert_int_equal(percept_session_load_pixels(session, pixels, 2, 3, 1, 0, NULL, &error), PERCEPT_ERROR_USAGE);
    assert_int_equal(percept_session_load_pixels(session, pixels, 0, 3, 3, 0, NULL, &error), PERCEPT_ERROR_USAGE);
    percept_session_free(&session);
    percept_engine_close(&engine);
}

static void regions_go_in(void **state) {
    (void)state;
    percept_engine *engine = open_engine(model_found);
    percept_session *session = open_session(engine, false);
    unsigned char *mask = calloc(1, 160 * 120);
    percept_region regions[2] = {{.box = {10, 10, 50, 60}}, {.mask = mask, .mask_width = 160, .mask_height = 120}};
    percept_question question;
    percept_question_init(&question);
    question.text = "is <obj> beside <obj>?";
    question.regions = regions;
    question.region_count = 2;
    percept_answer *answer = NULL;
    percept_error error = {0};
    assert_int_equal(percept_session_ask_many(session, &question, 1, NULL, &answer, &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "region 2: the mask is empty"));
    memset(mask + 160 * 20, 1, 160 * 10);
    assert_int_equal(percept_session_ask_many(session, &question, 1, NULL, &answer, &error), PERCEPT_OK);
    percept_answer_free(&answer);
    regions[1].mask_width = 120;
    assert_int_equal(percept_session_ask_many(session, &question, 1, NULL, &answer, &error), PERCEPT_ERROR_USAGE);
    free(mask);
    percept_session_free(&session);
    percept_engine_close(&engine);
}

static void a_dialogue_goes_on(void **state) {
    (void)state;
    percept_engine *engine = open_engine(model_found);
    percept_session *session = open_session(engine, false);
    percept_answer *first = ask(session, "where is it?"), *second = NULL, *third = NULL;
    percept_question question;
    percept_question_init(&question);
    question.text = "and now?";
    question.after = first;
    percept_error error = {0};
    assert_int_equal(percept_session_ask_many(session, &question, 1, NULL, &second, &error), PERCEPT_OK);
    int32_t before = percept_answer_usage(first).prompt_tokens, longer = percept_answer_usage(second).prompt_tokens;
    assert_true(longer > before + percept_answer_usage(first).answer_tokens);
    percept_answer_free(&first); /* what the second needs of it, it has copied */
    question.after = second;
    assert_int_equal(percept_session_ask_many(session, &question, 1, NULL, &third, &error), PERCEPT_OK);
    assert_true(percept_answer_usage(third).prompt_tokens > longer);
    assert_int_equal(percept_session_load_image(session, picture, NULL, &error), PERCEPT_OK);
    question.after = third;
    percept_answer *none = NULL;
    assert_int_equal(percept_session_ask_many(session, &question, 1, NULL, &none, &error), PERCEPT_ERROR_USAGE);
    percept_answer_free(&second);
    percept_answer_free(&third);
    percept_session_free(&session);
    percept_engine_close(&engine);
}

/* ---- streaming, time, cancelling -----------------------------------------------------------------------------------
 */

typedef struct stream {
    char text[4096];
    int events, boxes, stop_after;
} stream;

static bool take_piece(void *context, const percept_stream_event *event) {
    stream *s = context;
    if (strlen(s->text) + strlen(event->text) < sizeof s->text) strcat(s->text, event->text);
    s->boxes += event->box != NULL;
    return ++s->events == s->stop_after;
}

static void a_stream_gives_the_answer(void **state) {
    (void)state;
    percept_engine *engine = open_engine(model_found);
    percept_session *session = open_session(engine, false);
    stream s = {.stop_after = -1};
    percept_ask_options options;
    percept_ask_options_init(&options);
    options.threshold = 0;
    options.stream = take_piece;
    options.stream_context = &s;
    percept_answer *answer = NULL;
    assert_int_equal(percept_session_ask(session, "where?", &options, &answer, NULL), PERCEPT_OK);
    assert_string_equal(s.text, percept_answer_text(answer));
    assert_int_equal(s.boxes, 1);
    percept_answer_free(&answer);
    s = (stream){.stop_after = 2};
    assert_int_equal(percept_session_ask(session, "where?", &options, &answer, NULL), PERCEPT_OK);
    assert_int_equal(s.events, 2);
    assert_string_equal(s.text, percept_answer_text(answer));
    assert_int_equal(percept_answer_finish(answer), PERCEPT_FINISH_STOP);
    percept_answer_free(&answer);
    percept_session_free(&session);
    percept_engine_close(&engine);
}

static void time_is_kept(void **state) {
    (void)state;
    percept_engine *engine = open_engine(model_endless);
    percept_session *session = open_session(engine, false);
    percept_ask_options options;
    percept_ask_options_init(&options);
    options.time_limit = 1e-6;
    percept_answer *answer = NULL;
    assert_int_equal(percept_session_ask(session, "what?", &options, &answer, NULL), PERCEPT_OK);
    assert_int_equal(percept_answer_finish(answer), PERCEPT_FINISH_TIME);
    percept_answer_free(&answer);
    options.time_limit = 0;
    options.max_tokens = 4;
    assert_int_equal(percept_session_ask(session, "what?", &options, &answer, NULL), PERCEPT_OK);
    assert_int_equal(percept_answer_finish(answer), PERCEPT_FINISH_LENGTH);
    assert_int_equal(percept_answer_usage(answer).answer_tokens, 4);
    percept_answer_free(&answer);
    percept_session_free(&session);
    percept_engine_close(&engine);
}

static bool cancel_soon(void *context, const percept_stream_event *event) {
    (void)event;
    percept_session_cancel(context);
    return false;
}

static void cancelling_holds_until_taken_back(void **state) {
    (void)state;
    percept_engine *engine = open_engine(model_endless);
    percept_session *session = open_session(engine, false);
    percept_ask_options options;
    percept_ask_options_init(&options);
    options.stream = cancel_soon;
    options.stream_context = session;
    percept_answer *answer = NULL;
    percept_error error = {0};
    assert_int_equal(percept_session_ask(session, "what?", &options, &answer, &error), PERCEPT_ERROR_INTERRUPTED);
    assert_null(answer);
    options.stream = NULL;
    assert_int_equal(percept_session_ask(session, "what?", &options, &answer, &error), PERCEPT_ERROR_INTERRUPTED);
    percept_session_uncancel(session);
    assert_int_equal(percept_session_ask(session, "what?", &options, &answer, &error), PERCEPT_OK);
    percept_answer_free(&answer);
    percept_session_free(&session);
    percept_engine_close(&engine);
}

typedef struct asker {
    percept_engine *engine;
    percept_session *session;
    char *json;
} asker;

static void *ask_in_thread(void *context) {
    asker *a = context;
    for (int i = 0; i < 4; i++) {
        percept_answer *answer = ask(a->session, "where is it?");
        percept_free(a->json);
        a->json = NULL;
        percept_answer_json(answer, NULL, &a->json, NULL);
        percept_answer_free(&answer);
    }
    return NULL;
}

static void sessions_of_threads_share_an_engine(void **state) {
    (void)state;
    enum { threads = 3 };
    percept_engine *engine = open_engine(model_found);
    pthread_t thread[threads];
    asker askers[threads] = {{0}};
    for (int i = 0; i < threads; i++) {
        askers[i].engine = engine;
        askers[i].session = open_session(engine, false);
        assert_int_equal(pthread_create(&thread[i], NULL, ask_in_thread, &askers[i]), 0);
    }
    for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < threads; i++) {
        assert_non_null(askers[i].json);
        assert_string_equal(askers[i].json, askers[0].json);
    }
    for (int i = 0; i < threads; i++) {
        percept_free(askers[i].json);
        percept_session_free(&askers[i].session);
    }
    percept_engine_close(&engine);
}

static void *cancel_later(void *context) {
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    nanosleep(&pause, NULL);
    percept_session_cancel(context);
    return NULL;
}

static bool wait_for_cancel(void *context, const percept_stream_event *event) {
    (void)event;
    (void)context;
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    nanosleep(&pause, NULL);
    return false;
}

static void another_thread_cancels(void **state) {
    (void)state;
    percept_engine *engine = open_engine(model_endless);
    percept_session *session = open_session(engine, false);
    percept_ask_options options;
    percept_ask_options_init(&options);
    options.stream = wait_for_cancel; /* makes the answer longer than the pause */
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_later, session), 0);
    percept_answer *answer = NULL;
    assert_int_equal(percept_session_ask(session, "what?", &options, &answer, NULL), PERCEPT_ERROR_INTERRUPTED);
    pthread_join(thread, NULL);
    percept_session_free(&session);
    percept_engine_close(&engine);
}

/* ---- many questions, overlays, cards, flat -------------------------------------------------------------------------
 */

static void many_questions_are_all_or_nothing(void **state) {
    (void)state;
    enum { count = 70 }; /* more than one batch */
    percept_engine *engine = open_engine(model_found);
    percept_session *session = open_session(engine, false);
    percept_question questions[count];
    percept_answer *answers[count] = {NULL};
    percept_ask_options options;
    percept_ask_options_init(&options);
    options.threshold = 0;
    options.max_tokens = 12;
    char text[count][16];
    for (int i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "question %d", i);
        percept_question_init(&questions[i]);
        questions[i].text = text[i];
    }
    percept_error error = {0};
    assert_int_equal(percept_session_ask_many(session, questions, count, &options, answers, &error), PERCEPT_OK);
    for (int i = 0; i < count; i++) {
        assert_string_equal(percept_answer_question(answers[i]), text[i]);
        assert_string_equal(percept_answer_text(answers[i]), "It is here: red cup <obj>.");
        percept_answer_free(&answers[i]);
    }
    questions[66].text = "";
    assert_int_equal(percept_session_ask_many(session, questions, count, &options, answers, &error),
                     PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "question 67"));
    for (int i = 0; i < count; i++) assert_null(answers[i]);
    assert_int_equal(percept_session_ask_many(session, questions, 0, &options, NULL, &error), PERCEPT_OK);
    percept_session_free(&session);
    percept_engine_close(&engine);
}

static void overlays_need_the_pixels(void **state) {
    (void)state;
    percept_engine *engine = open_engine(model_found);
    percept_session *session = open_session(engine, false);
    percept_answer *answer = ask(session, "where?");
    percept_error error = {0};
    const percept_answer *list[1] = {answer};
    assert_int_equal(percept_answer_overlay(list, 1, "overlay.png", &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "keep_pixels"));
    assert_int_equal(percept_answer_overlay(NULL, 0, "overlay.png", &error), PERCEPT_ERROR_USAGE);
    percept_answer_free(&answer);
    percept_session_free(&session);
    session = open_session(engine, true);
    list[0] = answer = ask(session, "where?");
    assert_int_equal(percept_answer_overlay(list, 1, NULL, &error), PERCEPT_ERROR_USAGE);
    percept_session_drop_pixels(session);
    assert_int_equal(percept_answer_overlay(list, 1, "overlay.png", &error), PERCEPT_ERROR_USAGE);
    percept_answer_free(&answer);
    answer = ask(session, "where?"); /* the picture is encoded as it was */
    assert_int_equal(percept_answer_object_count(answer), 1);
    percept_answer_free(&answer);
    percept_session_free(&session);
    percept_engine_close(&engine);
}

static void a_card_can_be_read(void **state) {
    (void)state;
    percept_engine *engine = open_engine(model_found);
    percept_model_info info = {.size = sizeof info};
    percept_error error = {0};
    assert_int_equal(percept_engine_get_info(engine, &info, &error), PERCEPT_OK);
    assert_string_equal(info.name, "tiny");
    assert_string_equal(info.licence, "MIT");
    assert_string_equal(info.figures, "");
    assert_int_equal(strlen(info.hash), 64);
    assert_int_equal(info.side, 64);
    assert_true(percept_engine_sees(engine) && percept_engine_converses(engine));
    assert_true(info.tensors > 50 && info.parameters > 100000);
    percept_tensor_info tensor = {.size = sizeof tensor};
    assert_int_equal(percept_engine_get_tensor(engine, 0, &tensor, &error), PERCEPT_OK);
    assert_true(tensor.rank >= 1 && tensor.bytes > 0);
    assert_int_equal(percept_engine_get_tensor(engine, info.tensors, &tensor, &error), PERCEPT_ERROR_USAGE);
    info.size = 4096;
    assert_int_equal(percept_engine_get_info(engine, &info, &error), PERCEPT_ERROR_USAGE);
    percept_engine_close(&engine);
}

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *data = malloc(1 << 20);
    *size = fread(data, 1, 1 << 20, file);
    fclose(file);
    return data;
}

static void check_request(percept_flat *flat, const void *image, size_t size, const char *request, int32_t status,
                          const char *wanted) {
    char *answer = percept_flat_ask(flat, image, size, request);
    if (percept_flat_status(flat) != status) fail_msg("%s: %s", request, percept_flat_error(flat));
    if (status) {
        assert_null(answer);
        if (!strstr(percept_flat_error(flat), wanted)) fail_msg("%s: %s", request, percept_flat_error(flat));
    } else {
        assert_string_equal(percept_flat_error(flat), "");
        if (!strstr(answer, wanted)) fail_msg("%s: %s", request, answer);
    }
    percept_free(answer);
}

static void the_flat_form_answers(void **state) {
    (void)state;
    size_t size;
    char *image = read_file(picture, &size);
    percept_flat *flat = percept_flat_open(model_found, 1);
    assert_int_equal(percept_flat_status(flat), 0);
    check_request(flat, image, size, "{\"questions\": [{\"text\": \"where?\"}], \"threshold\": 0}", 0,
                  "{\"answers\": [{\"schema\": 1, \"model\": \"tiny\"");
    check_request(flat, image, size,
                  "{\"questions\": [{\"task\": \"find\", \"text\": \"cup\"}, {\"task\": \"describe\", \"regions\": "
                  "[{\"box\": [1, 2, 30, 40]}]}], \"threshold\": 0, \"name\": \"x.png\", \"masks\": \"none\"}",
                  0, "\"image\": \"x.png\"");
    check_request(flat, image, size,
                  "{\"questions\": [{\"text\": \"what is <obj>?\", \"regions\": [{\"mask\": {\"size\": [120, 160], "
                  "\"counts\": \"PPT96Q1\"}}]}]}",
                  PERCEPT_ERROR_USAGE, "request: ");
    check_request(flat, image, size, "{", PERCEPT_ERROR_USAGE, "request");
    check_request(flat, image, size, "[]", PERCEPT_ERROR_USAGE, "not an object");
    check_request(flat, image, size, "{}", PERCEPT_ERROR_USAGE, "questions");
    check_request(flat, image, size, "{\"questions\": []}", PERCEPT_ERROR_USAGE, "empty");
    check_request(flat, image, size, "{\"questions\": [1]}", PERCEPT_ERROR_USAGE, "not an object");
    check_request(flat, image, size, "{\"questions\": [{\"text\": 5}]}", PERCEPT_ERROR_USAGE, "text");
    check_request(flat, image, size, "{\"questions\": [{\"text\": \"a\", \"task\": \"sing\"}]}", PERCEPT_ERROR_USAGE,
                  "sing");
    check_request(flat, image, size, "{\"questions\": [{\"text\": \"a\"}], \"treshold\": 1}", PERCEPT_ERROR_USAGE,
                  "treshold");
    /* A request names no file and no address that would be read: there is no key for it. */
    check_request(flat, image, size, "{\"questions\": [{\"text\": \"a\"}], \"image\": \"/etc/hostname\"}",
                  PERCEPT_ERROR_USAGE, "image");
    check_request(flat, image, size, "{\"questions\": [{\"text\": \"a\"}], \"url\": \"http://127.0.0.1/a.png\"}",
                  PERCEPT_ERROR_USAGE, "url");
    check_request(flat, image, size, "{\"questions\": [{\"text\": \"a\"}], \"threshold\": 2}", PERCEPT_ERROR_USAGE,
                  "threshold");
    check_request(flat, image, size, "{\"questions\": [{\"text\": \"a\"}], \"max_tokens\": -4}", PERCEPT_ERROR_USAGE,
                  "max_tokens");
    check_request(flat, image, size, "{\"questions\": [{\"text\": \"a <obj>\", \"regions\": [{\"box\": [1, 2, 3]}]}]}",
                  PERCEPT_ERROR_USAGE, "box");
    check_request(flat, image, size, "{\"questions\": [{\"text\": \"a <obj>\", \"regions\": [{}]}]}",
                  PERCEPT_ERROR_USAGE, "either a box or a mask");
    check_request(flat, image, 10, "{\"questions\": [{\"text\": \"a\"}]}", PERCEPT_ERROR_INPUT, "image");
    check_request(flat, "", 0, "{\"questions\": [{\"text\": \"a\"}]}", PERCEPT_ERROR_INPUT, "image");
    char *info = percept_flat_info(flat);
    assert_non_null(strstr(info, "\"name\": \"tiny\""));
    percept_free(info);
    percept_flat_close(flat);
    flat = percept_flat_open("missing.gguf", 1);
    assert_int_equal(percept_flat_status(flat), PERCEPT_ERROR_INPUT);
    assert_null(percept_flat_ask(flat, image, size, "{}"));
    assert_non_null(strstr(percept_flat_error(flat), "missing.gguf"));
    percept_flat_close(flat);
    percept_flat_close(NULL);
    free(image);
}

static void words_go_to_ids_and_back(void **state) {
    const char words[] = "where is <obj>?\n \xc3\xbc";
    (void)state;
    percept_tokenizer *tokenizer = NULL;
    percept_error error = {0};
    int32_t *ids;
    size_t count, length;
    char *text;
    if (percept_tokenizer_open(&tokenizer, model_found, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    for (unsigned flags = 0; flags < 8; flags++) {
        assert_int_equal(percept_tokenizer_encode(tokenizer, words, sizeof words - 1, flags, &ids, &count, &error), 0);
        assert_true(count > 3);
        for (size_t i = 0; i < count; i++) assert_in_range(ids[i], 0, percept_tokenizer_size(tokenizer) - 1);
        const int special = (flags & PERCEPT_TOKENIZE_SPECIAL) != 0;
        assert_int_equal(percept_tokenizer_decode(tokenizer, ids, count, special, &text, &length, &error), 0);
        assert_non_null(strstr(text, "\xc3\xbc"));
        if (flags <= PERCEPT_TOKENIZE_SPECIAL) assert_string_equal(text, words);
        assert_int_equal(length, strlen(text));
        percept_free(text);
        percept_free(ids);
    }
    assert_int_equal(percept_tokenizer_encode(tokenizer, "", 0, 0, &ids, &count, &error), 0);
    assert_true(ids && count == 0);
    assert_int_equal(percept_tokenizer_decode(tokenizer, ids, 0, 1, &text, &length, &error), 0);
    assert_string_equal(text, "");
    percept_free(text);
    percept_free(ids);
    percept_tokenizer_close(&tokenizer);
    percept_tokenizer_close(&tokenizer);
    percept_tokenizer_close(NULL);
    assert_null(tokenizer);
    assert_int_equal(percept_tokenizer_open(&tokenizer, "/nowhere/a.gguf", &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(percept_tokenizer_open(&tokenizer, picture, &error), PERCEPT_ERROR_MODEL);
    assert_null(tokenizer);
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    model_found = argv[1];
    model_endless = argv[2];
    picture = argv[3];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_agree),
        cmocka_unit_test(an_answer_outlives_session_and_engine),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_failed_picture_leaves_none),
        cmocka_unit_test(regions_go_in),
        cmocka_unit_test(a_dialogue_goes_on),
        cmocka_unit_test(a_stream_gives_the_answer),
        cmocka_unit_test(time_is_kept),
        cmocka_unit_test(cancelling_holds_until_taken_back),
        cmocka_unit_test(sessions_of_threads_share_an_engine),
        cmocka_unit_test(another_thread_cancels),
        cmocka_unit_test(many_questions_are_all_or_nothing),
        cmocka_unit_test(overlays_need_the_pixels),
        cmocka_unit_test(a_card_can_be_read),
        cmocka_unit_test(the_flat_form_answers),
        cmocka_unit_test(words_go_to_ids_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
