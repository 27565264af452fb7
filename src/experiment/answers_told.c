/* answers_told.c: what answers.json says: a table, a plot, and by how much one way leads another. Made of the file
 * alone. */
#include "base/file.h"
#include "base/size.h"
#include "experiment/experiment_private.h"
#include "image/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE    ((size_t)1 << 20)
#define MOST_COUNTS 16
#define MOST_LINES  12

static const char *const kinds[] = {"boxes", "masks"}, *const forms[] = {"named", "listed"};

percept_status pct_answers_load(const char *path, json_t **answers, percept_error *error) {
    json_t *part;
    *answers = NULL;
    if (!pct_file_exists(path)) return PERCEPT_OK;
    PCT_TRY(pct_json_load(answers, path, MAX_FILE, error));
    percept_status status = pct_json_get_object(*answers, "modes", &part, error);
    if (status == PERCEPT_OK) status = pct_json_get_object(*answers, "machine", &part, error);
    if (status == PERCEPT_OK) status = pct_json_get_array(*answers, "objects", &part, error);
    if (status == PERCEPT_OK && json_array_size(part) > MOST_COUNTS)
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "objects: more than %d counts", MOST_COUNTS);
    if (status == PERCEPT_OK) return PERCEPT_OK;
    pct_error_prefix(error, "%s", path);
    json_decref(*answers);
    *answers = NULL;
    return status;
}

/* Of a mode's form at so many threads; clock: "seconds" or "cpu_seconds". NAN: not there. */
static double time_of(const json_t *form, const char *threads, const char *kind, const char *clock, size_t at) {
    const json_t *part = json_object_get(json_object_get(form, "threads"), threads);
    const json_t *value = json_array_get(json_object_get(json_object_get(part, kind), clock), at);
    return json_is_number(value) && json_number_value(value) > 0 ? json_number_value(value) : NAN;
}

bool pct_answers_lead(const json_t *answers, const char *form, const char *fast, const char *slow, int64_t objects,
                      double *wall, double *cpu) {
    const json_t *counts = json_object_get(answers, "objects"), *modes = json_object_get(answers, "modes");
    const json_t *ahead = json_object_get(json_object_get(modes, fast), form);
    const json_t *behind = json_object_get(json_object_get(modes, slow), form);
    size_t at = 0;
    const char *threads;
    json_t *unused;
    *wall = *cpu = INFINITY;
    while (at < json_array_size(counts) && json_integer_value(json_array_get(counts, at)) != objects) at++;
    json_object_foreach(json_object_get(ahead, "threads"), threads, unused) {
        const double w =
            time_of(behind, threads, "masks", "seconds", at) / time_of(ahead, threads, "masks", "seconds", at);
        const double c =
            time_of(behind, threads, "masks", "cpu_seconds", at) / time_of(ahead, threads, "masks", "cpu_seconds", at);
        if (!isfinite(w) || !isfinite(c)) return false;
        *wall = fmin(*wall, w);
        *cpu = fmin(*cpu, c);
    }
    return isfinite(*wall) && isfinite(*cpu);
}

static void add_row(const json_t *form, const char *series, const char *threads, const char *kind, size_t counts,
                    pct_text *text) {
    if (isnan(time_of(form, threads, kind, "seconds", 0))) return; /* a way that tells no masks */
    pct_text_printf(text, "| %s, %s | %.1f | %s |", series, kind,
                    json_number_value(json_object_get(form, "tokens_per_object")), threads);
    for (size_t c = 0; c < counts; c++) {
        pct_text_printf(text, " %.1f (%.1f) |", 1e3 * time_of(form, threads, kind, "seconds", c),
                        1e3 * time_of(form, threads, kind, "cpu_seconds", c));
    }
    pct_text_puts(text, "\n");
}

static void add_table(const json_t *answers, const char *form, pct_text *text) {
    const json_t *objects = json_object_get(answers, "objects");
    const size_t counts = json_array_size(objects);
    const char *series, *threads;
    json_t *mode, *unused;
    pct_text_printf(text, "\n%s:\n",
                    strcmp(form, "named") == 0 ? "Each object has its own name, as in a description"
                                               : "One name has all the objects, as where all of a kind are found");
    pct_text_puts(text, "\n| ms (of processors) | tokens an object | threads |");
    for (size_t c = 0; c < counts; c++) {
        const json_int_t n = json_integer_value(json_array_get(objects, c));
        pct_text_printf(text, " %lld object%s |", (long long)n, n == 1 ? "" : "s");
    }
    pct_text_puts(text, "\n|---|---|---|");
    for (size_t c = 0; c < counts; c++) pct_text_puts(text, "---|");
    pct_text_puts(text, "\n");
    json_object_foreach(json_object_get(answers, "modes"), series, mode) {
        const json_t *told = json_object_get(mode, form);
        for (size_t k = 0; k < PCT_COUNT(kinds); k++) {
            json_object_foreach(json_object_get(told, "threads"), threads, unused) {
                add_row(told, series, threads, kinds[k], counts, text);
            }
        }
    }
}

/* Named objects on one thread: each way with the most that it can tell. */
static percept_status draw(const json_t *answers, const char *path, percept_error *error) {
    const json_t *objects = json_object_get(answers, "objects");
    double x[MOST_COUNTS], y[MOST_LINES][MOST_COUNTS];
    char labels[MOST_LINES][80];
    pct_series lines[MOST_LINES] = {0};
    size_t count = 0;
    const char *series;
    json_t *mode;
    for (size_t c = 0; c < json_array_size(objects); c++) x[c] = json_number_value(json_array_get(objects, c));
    json_object_foreach(json_object_get(answers, "modes"), series, mode) {
        const json_t *form = json_object_get(mode, forms[0]);
        const char *kind = isnan(time_of(form, "1", "masks", "seconds", 0)) ? "boxes" : "masks";
        if (count == MOST_LINES) break;
        for (size_t c = 0; c < json_array_size(objects); c++) y[count][c] = time_of(form, "1", kind, "seconds", c);
        snprintf(labels[count], sizeof labels[count], "%.60s, %s", series, kind);
        lines[count] = (pct_series){.label = labels[count], .x = x, .y = y[count], .points = true};
        lines[count++].count = json_array_size(objects);
    }
    const pct_plot plot = {.title = "from the question to the whole answer: named objects, one thread",
                           .x_label = "objects in the answer",
                           .y_label = "seconds"};
    return pct_plot_write(path, &plot, lines, count, error);
}

percept_status pct_answers_tell(const json_t *answers, const char *folder, const char *file, pct_text *text,
                                percept_error *error) {
    const json_t *machine = json_object_get(answers, "machine");
    const json_int_t rounds = json_integer_value(json_object_get(answers, "rounds"));
    const char *processor = json_string_value(json_object_get(machine, "processor"));
    const char *instructions = json_string_value(json_object_get(machine, "instructions"));
    pct_text_printf(text,
                    "\n## Answer time\n\nMilliseconds from the question to the whole answer, by the clock and, in "
                    "brackets, of all processors together; medians of %lld round%s in which the ways take turns. The "
                    "picture is encoded before. Every way is made to tell the same objects of composed scenes, by its "
                    "own tokens and through the code that answers always go through, with random weights in Q8_0: "
                    "time depends on what is said, not on whether it is true. With \"boxes\" no masks are asked for; "
                    "polygons are written all the same, where a model has learned to. Machine: %.120s (%.80s).\n",
                    (long long)rounds, rounds == 1 ? "" : "s", processor ? processor : "?",
                    instructions ? instructions : "?");
    for (size_t f = 0; f < PCT_COUNT(forms); f++) add_table(answers, forms[f], text);
    char *path = pct_path_join(folder, file);
    percept_status status = path ? draw(answers, path, error) : pct_fail_memory(error, "plot");
    free(path);
    if (status == PERCEPT_ERROR_WORK) return PERCEPT_OK; /* no cairo here: the table has it all */
    if (status == PERCEPT_OK) pct_text_printf(text, "\n![seconds of an answer over its objects](%s)\n", file);
    return status;
}
