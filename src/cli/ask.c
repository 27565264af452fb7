/* ask.c: `ask`, `find`, `describe`: pictures and questions in, answers and files out. */
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/print.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One run of a command. */
typedef struct work {
    const pct_cli_settings *settings;
    const char *command;
    percept_task task;
    pct_cli_texts pictures, questions;
    percept_region regions[PCT_CLI_MAX_REGIONS];
    percept_question *asked; /* questions.count, or 1 for describe */
    size_t asked_count;
    percept_engine *engine;
    percept_session *session;
    percept_answer **answers; /* all of them when they are exported, else those of one picture */
    size_t answer_count, answer_capacity;
    size_t found;
    bool bad_picture;
} work;

static bool keeps_answers(const work *w) { return w->settings->format >= 0; }

/* ---- what was asked ------------------------------------------------------------------------------------------------
 */

static size_t count_marks(const char *text) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, "<obj>")); at += 5) count++;
    return count;
}

static percept_status check_marks(const work *w, percept_error *error) {
    size_t regions = w->settings->region_count;
    if (w->task == PERCEPT_TASK_DESCRIBE && regions > 1) {
        return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "%zu regions; describe names one", regions);
    }
    for (size_t i = 0; w->task != PERCEPT_TASK_DESCRIBE && i < w->questions.count; i++) {
        size_t marks = count_marks(w->questions.list[i]);
        if (marks == regions) continue;
        return pct_cli_fail(error, PERCEPT_ERROR_USAGE,
                            "\"%.60s\" has %zu <obj> but %zu --box and --mask were given; each <obj> stands for one",
                            w->questions.list[i], marks, regions);
    }
    return PERCEPT_OK;
}

static percept_status add_question(work *w, const char *text, percept_error *error) {
    w->questions.list = calloc(1, sizeof *w->questions.list);
    if (w->questions.list) w->questions.list[0] = strdup(text);
    if (!w->questions.list || !w->questions.list[0]) {
        return pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory");
    }
    w->questions.count = w->questions.capacity = 1;
    if (text[strspn(text, " \t")]) return PERCEPT_OK;
    return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "the question is empty; give it words");
}

static percept_status read_words(work *w, const pct_cli_line *line, percept_error *error) {
    const char *file = line->settings.questions;
    size_t pictures = line->argument_count;
    percept_status status = PERCEPT_OK;
    if (w->task != PERCEPT_TASK_DESCRIBE && !file) {
        const char *what = w->task == PERCEPT_TASK_FIND ? "phrase" : "question";
        if (pictures == 0) return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "no picture and no %s", what);
        if (pictures == 1) {
            return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "\"%.60s\" stands alone; give a picture and a %s",
                                line->arguments[0], what);
        }
        status = add_question(w, line->arguments[--pictures], error);
    }
    if (status == PERCEPT_OK && pictures == 0) status = pct_cli_fail(error, PERCEPT_ERROR_USAGE, "no picture is named");
    bool from_stdin = file && strcmp(file, "-") == 0;
    if (status == PERCEPT_OK) status = pct_cli_pictures(line, 0, pictures, from_stdin, &w->pictures, error);
    if (status == PERCEPT_OK && file) status = pct_cli_read_lines(file, &w->questions, error);
    return status == PERCEPT_OK ? check_marks(w, error) : status;
}

static percept_status check_outputs(const pct_cli_settings *settings, percept_error *error) {
    if ((settings->format >= 0) == (settings->out != NULL)) return PERCEPT_OK;
    return pct_cli_fail(error, PERCEPT_ERROR_USAGE, settings->out ? "-o needs --format" : "--format needs -o OUT");
}

static percept_status make_questions(work *w, percept_error *error) {
    w->asked_count = w->task == PERCEPT_TASK_DESCRIBE ? 1 : w->questions.count;
    w->asked = calloc(w->asked_count, sizeof *w->asked);
    const size_t capacity = w->asked_count * (keeps_answers(w) ? w->pictures.count : 1);
    w->answers = calloc(capacity, sizeof(percept_answer *));
    if (w->answers) w->answer_capacity = capacity;
    if (!w->asked || !w->answers) return pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory");
    for (size_t i = 0; i < w->asked_count; i++) {
        percept_question_init(&w->asked[i]);
        w->asked[i].task = w->task;
        w->asked[i].text = w->questions.count ? w->questions.list[i] : NULL;
        w->asked[i].regions = w->regions;
        w->asked[i].region_count = w->settings->region_count;
    }
    return pct_cli_regions(w->settings, w->regions, error);
}

/* ---- what is given -------------------------------------------------------------------------------------------------
 */

/* A name inside a folder for one of several pictures: "0003_photo" keeps order and tells equal names apart. */
static char *place_in(const char *folder, size_t index, const char *picture, const char *extension) {
    const char *slash = strrchr(picture, '/'), *part = slash ? slash + 1 : picture;
    const char *dot = strrchr(part, '.');
    int length = (int)(dot && dot > part ? dot - part : (long)strlen(part));
    size_t size = strlen(folder) + (size_t)length + strlen(extension) + 32;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s/%04zu_%.*s%s", folder, index, length, part, extension);
    return path;
}

static percept_status write_overlay(const work *w, size_t index, percept_answer *const *answers, percept_error *error) {
    const percept_answer *const *list = (const percept_answer *const *)answers;
    if (w->pictures.count == 1) {
        return percept_answer_overlay(list, w->asked_count, w->settings->overlay, error);
    }
    percept_status status = pct_cli_make_folder(w->settings->overlay, error);
    if (status != PERCEPT_OK) return status;
    char *path = place_in(w->settings->overlay, index, w->pictures.list[index], ".png");
    status = path ? percept_answer_overlay(list, w->asked_count, path, error)
                  : pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory");
    free(path);
    return status;
}

static percept_status write_masks(const work *w, size_t index, percept_answer *const *answers, percept_error *error) {
    bool several = w->pictures.count > 1;
    char *path =
        several ? place_in(w->settings->masks, index, w->pictures.list[index], "") : strdup(w->settings->masks);
    percept_status status = path ? PERCEPT_OK : pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory");
    size_t first = 0;
    for (size_t i = 0; i < w->asked_count && status == PERCEPT_OK; i++) {
        status = percept_answer_write_masks(answers[i], path, first, error);
        first += percept_answer_object_count(answers[i]);
    }
    free(path);
    return status;
}

static percept_status give(work *w, size_t index, percept_answer *const *answers, percept_error *error) {
    bool heads = w->pictures.count > 1 || w->asked_count > 1;
    percept_status status = PERCEPT_OK;
    for (size_t i = 0; i < w->asked_count && status == PERCEPT_OK; i++) {
        w->found += percept_answer_object_count(answers[i]);
        status = pct_cli_print_answer(answers[i], w->settings, heads, error);
    }
    if (status == PERCEPT_OK && w->settings->overlay) status = write_overlay(w, index, answers, error);
    percept_session_drop_pixels(w->session); /* answers that wait for the export share them */
    if (status == PERCEPT_OK && w->settings->masks) status = write_masks(w, index, answers, error);
    return status;
}

/* ---- the work ------------------------------------------------------------------------------------------------------
 */

static void fill_ask_options(const pct_cli_settings *s, percept_ask_options *options) {
    percept_ask_options_init(options);
    options->threshold = (float)s->threshold;
    options->max_tokens = (int32_t)s->max_tokens;
    options->time_limit = s->time_limit;
    options->temperature = (float)s->temperature;
    options->top_p = (float)s->top_p;
    options->seed = (uint64_t)s->seed;
    /* overlays, mask files and exports show masks whatever stands in the JSON */
    options->no_masks = s->mask_format == PERCEPT_MASK_NONE && !s->overlay && !s->masks && s->format < 0;
}

static percept_status answer_picture(work *w, size_t index, percept_error *error) {
    percept_image_options image;
    percept_ask_options options;
    percept_image_options_init(&image);
    fill_ask_options(w->settings, &options);
    image.max_pixels = w->settings->max_pixels;
    image.keep_pixels = w->settings->overlay != NULL;
    percept_status status = percept_session_load_image(w->session, w->pictures.list[index], &image, error);
    if (status == PERCEPT_ERROR_INPUT) {
        pct_cli_report(w->command, error); /* the others are answered all the same */
        w->bad_picture = true;
        return PERCEPT_OK;
    }
    if (status != PERCEPT_OK) return status;
    percept_answer **answers = w->answers + (keeps_answers(w) ? w->answer_count : 0);
    status = percept_session_ask_many(w->session, w->asked, w->asked_count, &options, answers, error);
    if (status != PERCEPT_OK) return status;
    w->answer_count = (size_t)(answers - w->answers) + w->asked_count;
    status = give(w, index, answers, error);
    for (size_t i = 0; i < w->asked_count && !keeps_answers(w); i++) percept_answer_free(&answers[i]);
    return status;
}

static percept_status answer_all(work *w, percept_error *error) {
    const bool files = w->settings->overlay || w->settings->masks || keeps_answers(w);
    for (size_t i = 0; i < w->pictures.count && (files || !pct_cli_output_closed()); i++) {
        percept_status status = answer_picture(w, i, error);
        if (status != PERCEPT_OK) return status;
    }
    if (!keeps_answers(w)) return PERCEPT_OK;
    percept_export_options options;
    percept_export_options_init(&options);
    options.masks = (percept_mask_format)w->settings->mask_format;
    return percept_answer_export((const percept_answer *const *)w->answers, w->answer_count,
                                 (percept_export_format)w->settings->format, w->settings->out, &options, error);
}

static percept_status run_work(work *w, const pct_cli_line *line, percept_error *error) {
    percept_status status = check_outputs(w->settings, error);
    if (status == PERCEPT_OK) status = read_words(w, line, error);
    if (status == PERCEPT_OK) status = make_questions(w, error);
    if (status == PERCEPT_OK) status = pct_cli_open_engine(w->settings, &w->engine, error);
    if (status == PERCEPT_OK) status = percept_session_new(&w->session, w->engine, error);
    if (status != PERCEPT_OK) return status;
    pct_cli_cancel_on_signal(w->session);
    status = answer_all(w, error);
    pct_cli_cancel_on_signal(NULL);
    return status;
}

static int run_task(const pct_cli_line *line, percept_task task, const char *command) {
    work w = {.settings = &line->settings, .command = command, .task = task};
    percept_error error = {0};
    percept_status status = run_work(&w, line, &error);
    for (size_t i = 0; i < w.answer_capacity; i++) percept_answer_free(&w.answers[i]);
    free(w.answers);
    free(w.asked);
    pct_cli_regions_free(w.regions, line->settings.region_count);
    percept_session_free(&w.session);
    percept_engine_close(&w.engine);
    pct_cli_texts_free(&w.pictures);
    pct_cli_texts_free(&w.questions);
    if (status != PERCEPT_OK) return pct_cli_report(command, &error);
    if (w.bad_picture) return PCT_EXIT_INPUT;
    return line->settings.fail_empty && w.found == 0 ? PCT_EXIT_EMPTY : PCT_EXIT_DONE;
}

static int run_ask(const pct_cli_line *line) { return run_task(line, PERCEPT_TASK_ASK, "ask"); }
static int run_find(const pct_cli_line *line) { return run_task(line, PERCEPT_TASK_FIND, "find"); }
static int run_describe(const pct_cli_line *line) { return run_task(line, PERCEPT_TASK_DESCRIBE, "describe"); }

#define ANSWERING                                                                                                      \
    (PCT_CLI_BIT(PCT_CLI_MODEL) | PCT_CLI_BIT(PCT_CLI_JSON) | PCT_CLI_BIT(PCT_CLI_TIMINGS) |                           \
     PCT_CLI_BIT(PCT_CLI_OVERLAY) | PCT_CLI_BIT(PCT_CLI_MASKS) | PCT_CLI_BIT(PCT_CLI_MASK_FORMAT) |                    \
     PCT_CLI_BIT(PCT_CLI_FORMAT) | PCT_CLI_BIT(PCT_CLI_OUT) | PCT_CLI_BIT(PCT_CLI_FAIL_EMPTY) |                        \
     PCT_CLI_BIT(PCT_CLI_THRESHOLD) | PCT_CLI_BIT(PCT_CLI_MAX_TOKENS) | PCT_CLI_BIT(PCT_CLI_MAX_PIXELS) |              \
     PCT_CLI_BIT(PCT_CLI_TIME_LIMIT) | PCT_CLI_BIT(PCT_CLI_TEMPERATURE) | PCT_CLI_BIT(PCT_CLI_TOP_P) |                 \
     PCT_CLI_BIT(PCT_CLI_SEED) | PCT_CLI_BIT(PCT_CLI_BOX) | PCT_CLI_BIT(PCT_CLI_MASK))

static const char picture_details[] =
    "IMAGE is a PNG, JPEG or WebP file, - for standard input, or @LIST for a file of names.\n"
    "Without --json: the answer, then a line a region: phrase, box x0,y0-x1,y1 in pixels, score.";

const pct_cli_command pct_cli_ask = {
    .name = "ask",
    .arguments = "IMAGE... QUESTION",
    .summary = "answers a question about a picture in words, with regions",
    .details = picture_details,
    .options = ANSWERING | PCT_CLI_BIT(PCT_CLI_QUESTIONS),
    .computes = true,
    .run = run_ask,
};

const pct_cli_command pct_cli_find = {
    .name = "find",
    .arguments = "IMAGE... PHRASE",
    .summary = "every region that a phrase names, or none",
    .details = picture_details,
    .options = ANSWERING | PCT_CLI_BIT(PCT_CLI_QUESTIONS),
    .computes = true,
    .run = run_find,
};

const pct_cli_command pct_cli_describe = {
    .name = "describe",
    .arguments = "IMAGE...",
    .summary = "a sentence about a picture, with a region for everything it names; with --box or --mask, a name for it",
    .details = picture_details,
    .options = ANSWERING,
    .computes = true,
    .run = run_describe,
};
