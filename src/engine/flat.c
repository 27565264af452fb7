/* flat.c: see percept/flat.h. */
#include "engine/flat.h"

#include "formats/json.h"
#include "image/rle.h"
#include "percept/flat.h"
#include "percept/language.h"
#include "percept/percept.h"

#include <stdlib.h>
#include <string.h>

enum { max_mask_bytes = 1 << 30 }; /* masks are decoded at the picture's size, however few bytes they came in */

struct percept_flat {
    percept_engine *engine;
    percept_session *session;
    percept_error error; /* of the last call */
};

/* A request, read; its strings are borrowed from the JSON document. */
typedef struct request {
    json_t *document; /* owned */
    percept_question *questions;
    percept_region *regions; /* of all questions, one after the other */
    size_t question_count, region_count;
    percept_image_options image;
    percept_ask_options ask;
    percept_json_options json;
    int32_t width, height; /* of the picture: what masks must have */
} request;

static void free_request(request *r) {
    for (size_t i = 0; i < r->region_count; i++) free((void *)(uintptr_t)r->regions[i].mask);
    free(r->regions);
    free(r->questions);
    json_decref(r->document);
}

percept_flat *percept_flat_open(const char *model, int32_t threads) {
    percept_flat *flat = calloc(1, sizeof *flat);
    if (!flat) return NULL;
    percept_engine_options options;
    percept_engine_options_init(&options);
    options.threads = threads;
    percept_status status = percept_engine_open(&flat->engine, model, &options, &flat->error);
    if (status == PERCEPT_OK) percept_session_new(&flat->session, flat->engine, &flat->error);
    return flat;
}

void percept_flat_close(percept_flat *flat) {
    if (!flat) return;
    percept_session_free(&flat->session);
    percept_engine_close(&flat->engine);
    free(flat);
}

int32_t percept_flat_status(const percept_flat *flat) {
    return flat ? (int32_t)flat->error.status : (int32_t)PERCEPT_ERROR_RESOURCE;
}

const char *percept_flat_error(const percept_flat *flat) { return flat ? flat->error.message : "out of memory"; }

/* ---- reading a request ---------------------------------------------------------------------------------------------
 */

static percept_status read_box(const json_t *list, percept_box *box, percept_error *error) {
    float values[4] = {0};
    bool good = json_array_size(list) == 4;
    for (size_t i = 0; i < 4 && good; i++) {
        const json_t *number = json_array_get(list, i);
        good = json_is_number(number);
        if (good) values[i] = (float)json_number_value(number);
    }
    if (!good) return pct_fail(error, PERCEPT_ERROR_USAGE, "key 'box': not four numbers; give [x0, y0, x1, y1]");
    *box = (percept_box){values[0], values[1], values[2], values[3]};
    return PERCEPT_OK;
}

/* The size is compared before a mask of that size is made. */
static percept_status read_mask(const request *r, const json_t *object, percept_region *region, percept_error *error) {
    static const char *const known[] = {"size", "counts", NULL};
    const char *counts = NULL;
    json_t *size = NULL;
    PCT_TRY(pct_json_refuse_unknown(object, known, error));
    PCT_TRY(pct_json_get_string(object, "counts", &counts, error));
    PCT_TRY(pct_json_get_array(object, "size", &size, error));
    json_int_t height = json_integer_value(json_array_get(size, 0)),
               width = json_integer_value(json_array_get(size, 1));
    if (json_array_size(size) != 2 || height != r->height || width != r->width) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "key 'size': not the picture's size; give [%d, %d]", r->height,
                        r->width);
    }
    pct_mask mask = {0};
    PCT_TRY(pct_mask_from_rle_string(&mask, counts, strlen(counts), (int)width, (int)height, error));
    region->mask = mask.data;
    region->mask_width = mask.width;
    region->mask_height = mask.height;
    return PERCEPT_OK;
}

static percept_status read_region(const request *r, const json_t *item, percept_region *region, percept_error *error) {
    static const char *const known[] = {"box", "mask", NULL};
    if (!json_is_object(item)) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "key 'regions': an item is not an object; give {\"box\": [...]} or "
                        "{\"mask\": {...}}");
    }
    json_t *box = NULL, *mask = NULL;
    PCT_TRY(pct_json_refuse_unknown(item, known, error));
    PCT_TRY(pct_json_get_array_or_null(item, "box", &box, error));
    PCT_TRY(pct_json_get_object_or_null(item, "mask", &mask, error));
    if (!box == !mask) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "key 'regions': give each region either a box or a mask");
    }
    return box ? read_box(box, &region->box, error) : read_mask(r, mask, region, error);
}

static percept_status read_task(const json_t *item, percept_task *task, percept_error *error) {
    static const char *const names[] = {"ask", "find", "describe"};
    const char *text = NULL;
    PCT_TRY(pct_json_get_string_or(item, "task", "ask", &text, error));
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *task = (percept_task)i;
        return PERCEPT_OK;
    }
    return pct_fail(error, PERCEPT_ERROR_USAGE, "key 'task': \"%.40s\" is not known; give ask, find or describe", text);
}

static percept_status read_question(request *r, const json_t *item, percept_error *error) {
    static const char *const known[] = {"task", "text", "regions", NULL};
    if (!json_is_object(item)) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "key 'questions': an item is not an object; give {\"text\": \"...\"}");
    }
    percept_question *question = &r->questions[r->question_count++];
    percept_question_init(question);
    json_t *regions = NULL;
    PCT_TRY(pct_json_refuse_unknown(item, known, error));
    PCT_TRY(read_task(item, &question->task, error));
    PCT_TRY(pct_json_get_string_or(item, "text", NULL, &question->text, error));
    PCT_TRY(pct_json_get_array_or_null(item, "regions", &regions, error));
    question->regions = r->regions + r->region_count;
    question->region_count = json_array_size(regions);
    for (size_t i = 0; i < question->region_count; i++) {
        PCT_TRY(read_region(r, json_array_get(regions, i), &r->regions[r->region_count++], error));
    }
    return PERCEPT_OK;
}

static percept_status read_questions(request *r, percept_error *error) {
    json_t *list = NULL;
    PCT_TRY(pct_json_get_array(r->document, "questions", &list, error));
    size_t count = json_array_size(list), regions = 0, masks = 0;
    if (count == 0) return pct_fail(error, PERCEPT_ERROR_USAGE, "key 'questions': empty; give at least one");
    for (size_t i = 0; i < count; i++) {
        const json_t *given = json_object_get(json_array_get(list, i), "regions");
        for (size_t k = 0; k < json_array_size(given); k++)
            masks += json_object_get(json_array_get(given, k), "mask") != NULL;
        regions += json_array_size(given);
    }
    const size_t most = max_mask_bytes / ((size_t)r->width * (size_t)r->height);
    if (masks > most)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "key 'questions': %zu masks of %d x %d pixels; give at most %zu a request", masks, r->width,
                        r->height, most);
    r->questions = calloc(count, sizeof *r->questions);
    r->regions = calloc(regions + 1, sizeof *r->regions);
    if (!r->questions || !r->regions) return pct_fail_memory(error, "request");
    for (size_t i = 0; i < count; i++) PCT_TRY(read_question(r, json_array_get(list, i), error));
    return PERCEPT_OK;
}

static percept_status read_masks_key(request *r, percept_error *error) {
    static const char *const names[] = {"rle", "polygon", "none"};
    const char *text = NULL;
    PCT_TRY(pct_json_get_string_or(r->document, "masks", "rle", &text, error));
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        r->json.masks = (percept_mask_format)i;
        r->ask.no_masks = r->json.masks == PERCEPT_MASK_NONE;
        return PERCEPT_OK;
    }
    return pct_fail(error, PERCEPT_ERROR_USAGE, "key 'masks': \"%.40s\" is not known; give rle, polygon or none", text);
}

static percept_status read_settings(request *r, percept_error *error) {
    const json_t *document = r->document;
    double threshold, temperature, top_p;
    int64_t tokens, seed;
    PCT_TRY(pct_json_get_string_or(document, "name", "image", &r->image.name, error));
    PCT_TRY(pct_json_get_i64_or(document, "max_pixels", 1, INT64_MAX, 0, &r->image.max_pixels, error));
    PCT_TRY(pct_json_get_f64_or(document, "threshold", 0, 1, -1, &threshold, error));
    PCT_TRY(pct_json_get_i64_or(document, "max_tokens", 1, INT32_MAX, 0, &tokens, error));
    PCT_TRY(pct_json_get_f64_or(document, "time_limit", 1e-3, 1e9, 0, &r->ask.time_limit, error));
    PCT_TRY(pct_json_get_f64_or(document, "temperature", 0, 10, 0, &temperature, error));
    PCT_TRY(pct_json_get_f64_or(document, "top_p", 1e-6, 1, 1, &top_p, error));
    PCT_TRY(pct_json_get_i64_or(document, "seed", 0, INT64_MAX, 0, &seed, error));
    PCT_TRY(pct_json_get_bool_or(document, "timings", false, &r->json.timings, error));
    r->ask.threshold = (float)threshold;
    r->ask.max_tokens = (int32_t)tokens;
    r->ask.temperature = (float)temperature;
    r->ask.top_p = (float)top_p;
    r->ask.seed = (uint64_t)seed;
    return read_masks_key(r, error);
}

/* All but the questions. */
static percept_status read_frame(request *r, const char *text, size_t length, percept_error *error) {
    static const char *const known[] = {"questions", "name", "threshold",  "max_tokens", "time_limit", "temperature",
                                        "top_p",     "seed", "max_pixels", "masks",      "timings",    NULL};
    percept_image_options_init(&r->image);
    percept_ask_options_init(&r->ask);
    percept_json_options_init(&r->json);
    PCT_TRY(pct_json_parse(&r->document, "request", text, length, error));
    if (!json_is_object(r->document)) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "not an object; give {\"questions\": [...]}");
    }
    PCT_TRY(pct_json_refuse_unknown(r->document, known, error));
    return read_settings(r, error);
}

/* What is wrong in a request, the caller wrote. */
static percept_status blame_request(percept_status status, percept_error *error) {
    if (status == PERCEPT_OK) return status;
    pct_error_prefix(error, "request");
    if (status == PERCEPT_ERROR_INPUT) status = PERCEPT_ERROR_USAGE;
    if (error) error->status = status;
    return status;
}

percept_status pct_flat_check(const char *text, size_t length, int32_t width, int32_t height, percept_error *error) {
    request r = {.width = width, .height = height};
    percept_status status = read_frame(&r, text, length, error);
    if (status == PERCEPT_OK) status = read_questions(&r, error);
    free_request(&r);
    return blame_request(status, error);
}

/* ---- answering -----------------------------------------------------------------------------------------------------
 */

static percept_status write_answers(const request *r, percept_answer *const *answers, char **out,
                                    percept_error *error) {
    pct_text text = {0};
    percept_status status = PERCEPT_OK;
    pct_text_puts(&text, "{\"answers\": [");
    for (size_t i = 0; i < r->question_count && status == PERCEPT_OK; i++) {
        char *json = NULL;
        status = percept_answer_json(answers[i], &r->json, &json, error);
        if (i) pct_text_puts(&text, ", ");
        if (json) pct_text_puts(&text, json);
        free(json);
    }
    pct_text_puts(&text, "]}");
    char *whole = pct_text_take(&text);
    if (status == PERCEPT_OK && !whole) status = pct_fail_memory(error, "answers");
    if (status != PERCEPT_OK)
        free(whole);
    else
        *out = whole;
    return status;
}

static percept_status answer(percept_flat *flat, const request *r, char **out, percept_error *error) {
    percept_answer **answers = calloc(r->question_count, sizeof *answers);
    if (!answers) return pct_fail_memory(error, "answers");
    percept_status status =
        percept_session_ask_many(flat->session, r->questions, r->question_count, &r->ask, answers, error);
    if (status == PERCEPT_OK) status = write_answers(r, answers, out, error);
    for (size_t i = 0; i < r->question_count; i++) percept_answer_free(&answers[i]);
    free(answers);
    return status;
}

static percept_status ask(percept_flat *flat, const void *image, size_t image_size, request *r, const char *text,
                          char **out, percept_error *error) {
    PCT_TRY(blame_request(read_frame(r, text, strlen(text), error), error));
    PCT_TRY(percept_session_load_image_memory(flat->session, image, image_size, &r->image, error));
    r->width = percept_session_width(flat->session);
    r->height = percept_session_height(flat->session);
    PCT_TRY(blame_request(read_questions(r, error), error));
    return answer(flat, r, out, error);
}

char *percept_flat_ask(percept_flat *flat, const void *image, size_t image_size, const char *text) {
    if (!flat || !flat->session) return NULL; /* the error of opening stands */
    flat->error = (percept_error){0};
    request r = {0};
    char *out = NULL;
    ask(flat, image, image_size, &r, text ? text : "", &out, &flat->error);
    free_request(&r);
    return out;
}

char *percept_flat_info(percept_flat *flat) {
    if (!flat || !flat->engine) return NULL;
    flat->error = (percept_error){0};
    char *json = NULL;
    percept_engine_info_json(flat->engine, false, &json, &flat->error);
    return json;
}

/* ---- words alone --------------------------------------------------------------------------------------------------
 */

static percept_status read_real(const json_t *document, const char *key, double min, double max, float *into,
                                percept_error *error) {
    double value;
    PCT_TRY(pct_json_get_f64_or(document, key, min, max, (double)*into, &value, error));
    *into = (float)value;
    return PERCEPT_OK;
}

static percept_status read_whole(const json_t *document, const char *key, int64_t max, int64_t *into,
                                 percept_error *error) {
    return pct_json_get_i64_or(document, key, 0, max, *into, into, error);
}

/* Strings are borrowed from the document. */
static percept_status read_completing(const json_t *document, percept_complete_options *o, bool *timings,
                                      percept_error *error) {
    static const char *const known[] = {"prompt", "max_tokens", "time_limit",     "temperature", "top_k", "top_p",
                                        "min_p",  "seed",       "repeat_penalty", "timings",     NULL};
    int64_t tokens = 0, top_k = 0, seed = 0;
    percept_complete_options_init(o);
    if (!json_is_object(document))
        return pct_fail(error, PERCEPT_ERROR_USAGE, "not an object; give {\"prompt\": \"...\"}");
    PCT_TRY(pct_json_refuse_unknown(document, known, error));
    PCT_TRY(pct_json_get_string(document, "prompt", &o->prompt, error));
    PCT_TRY(read_whole(document, "max_tokens", INT32_MAX, &tokens, error));
    PCT_TRY(read_whole(document, "top_k", INT32_MAX, &top_k, error));
    PCT_TRY(read_whole(document, "seed", INT64_MAX, &seed, error));
    PCT_TRY(pct_json_get_f64_or(document, "time_limit", 0, 1e9, 0, &o->time_limit, error));
    PCT_TRY(read_real(document, "temperature", 0, 10, &o->temperature, error));
    PCT_TRY(read_real(document, "top_p", 1e-6, 1, &o->top_p, error));
    PCT_TRY(read_real(document, "min_p", 0, 1, &o->min_p, error));
    PCT_TRY(read_real(document, "repeat_penalty", 1, 10, &o->repeat_penalty, error));
    PCT_TRY(pct_json_get_bool_or(document, "timings", false, timings, error));
    o->max_tokens = (int32_t)tokens;
    o->top_k = (int32_t)top_k;
    o->seed = (uint64_t)seed;
    return PERCEPT_OK;
}

percept_status pct_flat_check_completing(const char *text, size_t length, percept_error *error) {
    percept_complete_options options;
    bool timings;
    json_t *document = NULL;
    percept_status status = pct_json_parse(&document, "request", text, length, error);
    if (status == PERCEPT_OK) status = read_completing(document, &options, &timings, error);
    json_decref(document);
    return blame_request(status, error);
}

char *percept_flat_complete(percept_flat *flat, const char *text) {
    if (!flat || !flat->session) return NULL; /* the error of opening stands */
    percept_error *error = &flat->error;
    percept_complete_options options;
    percept_completion *completion = NULL;
    json_t *document = NULL;
    char *out = NULL;
    bool timings = false;
    *error = (percept_error){0};
    if (!text) text = "";
    percept_status status = pct_json_parse(&document, "request", text, strlen(text), error);
    if (status == PERCEPT_OK) status = read_completing(document, &options, &timings, error);
    status = blame_request(status, error);
    if (status == PERCEPT_OK) status = percept_session_complete(flat->session, &options, &completion, error);
    if (status == PERCEPT_OK) percept_completion_json(completion, timings, &out, error);
    percept_completion_free(&completion);
    json_decref(document);
    return out;
}
