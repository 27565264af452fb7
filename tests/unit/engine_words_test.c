/* The public calls of a language model alone: what was read is not read again, forks go on alike, a dialogue goes on
 * after any of its answers, the flat form. */
#include "percept/flat.h"
#include "percept/language.h"
#include "tiny_language.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static int set_up(void **state) {
    percept_error error = {0};
    tiny_language t = tiny_language_default();
    t.context = 600;
    snprintf(path, sizeof path, "/tmp/percept-words-%d.gguf", (int)getpid());
    assert_int_equal(tiny_language_write(path, &t, &error), PERCEPT_OK);
    return 0;
}

static int tear_down(void **state) {
    unlink(path);
    return 0;
}

static percept_engine *open_engine(void) {
    percept_engine_options options;
    percept_engine *engine = NULL;
    percept_error error = {0};
    percept_engine_options_init(&options);
    options.threads = 2;
    options.chat_template = "chatml";
    if (percept_engine_open(&engine, path, &options, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    return engine;
}

static percept_completion *complete(percept_session *session, const char *prompt) {
    percept_complete_options options;
    percept_completion *completion = NULL;
    percept_error error = {0};
    percept_complete_options_init(&options);
    options.prompt = prompt;
    options.max_tokens = 6;
    if (percept_session_complete(session, &options, &completion, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    return completion;
}

static void prefixes(void **state) {
    percept_engine *engine = open_engine();
    percept_session *session = NULL, *fork = NULL;
    percept_error error = {0};
    assert_int_equal(percept_session_new(&session, engine, &error), PERCEPT_OK);
    percept_completion *first = complete(session, "the red dog is a cup");
    assert_int_equal(percept_completion_usage(first).image_tokens, 0);
    assert_int_equal(percept_session_fork(&fork, session, &error), PERCEPT_OK);
    percept_completion *again = complete(fork, "the red dog is a cup");
    const int32_t prompt = percept_completion_usage(again).prompt_tokens;
    assert_int_equal(percept_completion_usage(again).image_tokens, prompt - 1);
    assert_string_equal(percept_completion_text(again), percept_completion_text(first));
    percept_completion *other = complete(fork, "zzz");
    assert_true(percept_completion_usage(other).image_tokens <= 1); /* BOS at most */
    percept_completion_free(&first);
    percept_completion_free(&again);
    percept_completion_free(&other);
    assert_null(other);
    percept_session_free(&fork);
    percept_session_free(&session);
    percept_engine_close(&engine);
}

static percept_answer *ask(percept_session *session, const char *text, const percept_answer *after) {
    percept_question question;
    percept_ask_options options;
    percept_answer *answer = NULL;
    percept_error error = {0};
    percept_question_init(&question);
    percept_ask_options_init(&options);
    question.text = text;
    question.after = after;
    options.max_tokens = 6;
    if (percept_session_ask_many(session, &question, 1, &options, &answer, &error) != PERCEPT_OK)
        fail_msg("%s", error.message);
    return answer;
}

static void dialogue(void **state) {
    percept_engine *engine = open_engine();
    percept_session *session = NULL, *fresh = NULL;
    percept_error error = {0};
    assert_int_equal(percept_session_new(&session, engine, &error), PERCEPT_OK);
    assert_int_equal(percept_session_new(&fresh, engine, &error), PERCEPT_OK);
    percept_answer *one = ask(session, "the dog?", NULL), *two = ask(session, "a cup?", one);
    percept_answer *back = ask(session, "is red", one); /* goes back to the first answer */
    percept_answer *alone = ask(fresh, "is red", one);  /* a session that has read nothing of it */
    assert_string_equal(percept_answer_text(back), percept_answer_text(alone));
    assert_true(percept_answer_usage(two).prompt_tokens > percept_answer_usage(one).prompt_tokens);
    assert_int_equal(percept_answer_width(one), 0);
    assert_int_equal(percept_session_load_image(session, "a.png", NULL, &error), PERCEPT_ERROR_MODEL);
    percept_answer_free(&one);
    percept_answer_free(&two);
    percept_answer_free(&back);
    percept_answer_free(&alone);
    percept_session_free(&fresh);
    percept_session_free(&session);
    percept_engine_close(&engine);
}

static void flat(void **state) {
    percept_flat *handle = percept_flat_open(path, 1);
    char *made = percept_flat_complete(handle, "{\"prompt\": \"the dog\", \"max_tokens\": 3}");
    assert_non_null(made);
    assert_non_null(strstr(made, "\"finish\": "));
    percept_free(made);
    assert_null(percept_flat_complete(handle, "{\"prompt\": \"a\", \"top_p\": 2}"));
    assert_int_equal(percept_flat_status(handle), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(percept_flat_error(handle), "top_p"));
    assert_null(percept_flat_complete(handle, "{\"max_tokens\": 3}"));
    assert_null(percept_flat_complete(handle, "{\"prompt\": \"a\", \"tokens\": 3}"));
    assert_null(percept_flat_ask(handle, "x", 1, "{\"questions\": [{\"text\": \"a\"}]}"));
    assert_non_null(strstr(percept_flat_error(handle), "not look at pictures"));
    percept_flat_close(handle);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(prefixes), cmocka_unit_test(dialogue), cmocka_unit_test(flat)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
