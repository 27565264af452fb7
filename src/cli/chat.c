/* chat.c: `chat`: several turns about one picture, or about none with a language model. */
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/print.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef struct talk {
    const pct_cli_settings *settings;
    percept_engine *engine;
    percept_session *session;
    percept_answer *last; /* the dialogue so far; NULL: none */
    bool words;           /* about no picture */
    bool said;            /* a piece of the answer is on its way out */
} talk;

/* Ctrl-C ends the answer here, and what was said of it stays in the dialogue. */
static bool print_piece(void *context, const percept_stream_event *event) {
    talk *t = context;
    t->said = true;
    pct_cli_say(event->text);
    return pct_cli_interrupted() || pct_cli_output_closed();
}

static percept_status answer_line(talk *t, const char *text, percept_error *error) {
    const pct_cli_settings *s = t->settings;
    percept_question question;
    percept_ask_options options;
    percept_answer *answer = NULL;
    percept_question_init(&question);
    percept_ask_options_init(&options);
    question.text = text;
    question.after = percept_engine_converses(t->engine) ? t->last : NULL;
    options.threshold = (float)s->threshold;
    options.max_tokens = s->max_tokens == 0 && t->words ? PCT_CLI_CHAT_TOKENS : (int32_t)s->max_tokens;
    options.time_limit = s->time_limit;
    options.temperature = (float)s->temperature;
    options.top_p = (float)s->top_p;
    options.seed = (uint64_t)s->seed;
    options.top_k = (int32_t)s->top_k;
    options.min_p = (float)s->min_p;
    options.repeat_penalty = (float)s->repeat_penalty;
    if (!s->json) options.stream = print_piece;
    options.stream_context = t;
    t->said = false;
    percept_status status = percept_session_ask_many(t->session, &question, 1, &options, &answer, error);
    if (!s->json && (t->said || status == PERCEPT_OK)) putchar('\n');
    fflush(stdout);
    if (status != PERCEPT_OK) return status;
    percept_answer_free(&t->last);
    t->last = answer;
    if (s->json) {
        status = pct_cli_print_answer(answer, s, false, error);
    } else {
        pct_cli_print_objects(answer);
        if (t->words && percept_answer_finish(answer) == PERCEPT_FINISH_LENGTH)
            pct_cli_warn("the answer is cut after %d tokens (see --max-tokens)",
                         percept_answer_usage(answer).answer_tokens);
        else if (!t->words || percept_answer_finish(answer) != PERCEPT_FINISH_STOP)
            pct_cli_warn_finish(answer);
    }
    fflush(stdout);
    return status;
}

/* A question that makes no sense (too long, an "<obj>") is said and the talk goes on; so it does when a person stops an
 * answer. */
static percept_status say(talk *t, const char *line, bool person, percept_error *error) {
    percept_status status = answer_line(t, line, error);
    if (status == PERCEPT_ERROR_USAGE) {
        pct_cli_report("chat", error);
        status = PERCEPT_OK;
    } else if (status == PERCEPT_ERROR_INTERRUPTED && person) {
        percept_session_uncancel(t->session);
        status = PERCEPT_OK;
    }
    if (status == PERCEPT_OK) *error = (percept_error){0};
    if (person) pct_cli_interrupt_again();
    return status;
}

/* Lines until the end of input. */
static percept_status talk_on(talk *t, percept_error *error) {
    bool person = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    char *line = NULL;
    size_t capacity = 0;
    percept_status status = PERCEPT_OK;
    if (person) pct_cli_interrupt_again();
    if (person && t->words)
        fputs("Type a message; /new begins a new talk, /quit or Ctrl-D ends it, Ctrl-C stops an answer.\n", stderr);
    while (status == PERCEPT_OK && !pct_cli_output_closed()) {
        if (person) fputs("> ", stderr);
        ssize_t length = getline(&line, &capacity, stdin);
        if (length < 0) break;
        if (strlen(line) != (size_t)length) {
            status = pct_cli_fail(error, PERCEPT_ERROR_USAGE, "a line of standard input holds a NUL byte; give text");
            break;
        }
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) line[--length] = 0;
        if (strcmp(line, "/quit") == 0) break;
        if (strcmp(line, "/new") == 0)
            percept_answer_free(&t->last);
        else if (line[strspn(line, " \t")])
            status = say(t, line, person, error);
    }
    if (person) fputc('\n', stderr);
    free(line);
    if (status == PERCEPT_OK && pct_cli_interrupted()) {
        status = pct_cli_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted");
    }
    return status;
}

static percept_status check_line(const pct_cli_line *line, percept_error *error) {
    if (line->argument_count == 0) return PERCEPT_OK;
    if (line->argument_count > 1) {
        return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "%zu arguments; give one picture", line->argument_count);
    }
    if (strcmp(line->arguments[0], "-") == 0) {
        return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "standard input is where questions come from; name a file");
    }
    return PERCEPT_OK;
}

/* A model that looks at pictures wants one. */
static percept_status check_words(const percept_engine *engine, percept_error *error) {
    if (!percept_engine_sees(engine)) return PERCEPT_OK;
    return pct_cli_fail(error, PERCEPT_ERROR_USAGE,
                        "no picture is named; this model talks about a picture (a language model, -m FILE.gguf, about "
                        "anything)");
}

static int run_chat(const pct_cli_line *line) {
    talk t = {.settings = &line->settings};
    percept_error error = {0};
    percept_image_options image;
    percept_image_options_init(&image);
    image.max_pixels = line->settings.max_pixels;
    percept_status status = check_line(line, &error);
    if (status == PERCEPT_OK) status = pct_cli_open_engine(&line->settings, &t.engine, &error);
    if (status == PERCEPT_OK) status = percept_session_new(&t.session, t.engine, &error);
    if (status == PERCEPT_OK) {
        pct_cli_cancel_on_signal(t.session);
        t.words = line->argument_count == 0;
        status = t.words ? check_words(t.engine, &error)
                         : percept_session_load_image(t.session, line->arguments[0], &image, &error);
    }
    if (status == PERCEPT_OK) status = talk_on(&t, &error);
    pct_cli_cancel_on_signal(NULL);
    percept_answer_free(&t.last);
    percept_session_free(&t.session);
    percept_engine_close(&t.engine);
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("chat", &error);
}

const pct_cli_command pct_cli_chat = {
    .name = "chat",
    .arguments = "[IMAGE]",
    .summary = "several turns about one picture, or about none; answers appear as they are made",
    .details = "Reads a question a line. /new begins a new dialogue, /quit or the end of input ends, Ctrl-C stops an "
               "answer. Without\na picture the model is a language model: a GGUF of llama.cpp such as SmolLM2's (-m).",
    .options = PCT_CLI_BIT(PCT_CLI_MODEL) | PCT_CLI_BIT(PCT_CLI_JSON) | PCT_CLI_BIT(PCT_CLI_THRESHOLD) |
               PCT_CLI_BIT(PCT_CLI_MAX_TOKENS) | PCT_CLI_BIT(PCT_CLI_MAX_PIXELS) | PCT_CLI_BIT(PCT_CLI_TIME_LIMIT) |
               PCT_CLI_SAMPLING | PCT_CLI_BIT(PCT_CLI_CACHE) | PCT_CLI_BIT(PCT_CLI_TEMPLATE),
    .computes = true,
    .run = run_chat,
};
