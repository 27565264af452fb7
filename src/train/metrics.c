/* metrics.c: see metrics.h. */
#include "train/metrics.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/size.h"
#include "formats/json.h"
#include "image/plot.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Everything that is plotted, as columns over steps. */
enum { TOTAL, LANGUAGE, BOX, MASK, NAMING, TOKENS, MASK_IOU, BOX_IOU, COLUMNS };
static const char *const train_keys[COLUMNS] = {"total",  "language",       "box_giou", "mask_dice",
                                                "naming", "token_accuracy", "mask_iou", "box_iou"};
enum { V_MIOU, V_ACC50, V_ABSENT, V_COUNT, V_NAME, V_COLUMNS };
static const char *const validation_keys[V_COLUMNS] = {"miou", "acc50", "absent_acc", "count_acc", "name_exact"};

struct curve {
    double *step, *value[COLUMNS];
    size_t count, capacity;
};
struct pct_metrics_curves {
    struct curve train, validation; /* validation: of `arrangements` */
};

static bool curve_add(struct curve *curve, int columns, double step, const double *values) {
    if (curve->count == curve->capacity) {
        size_t capacity = curve->capacity ? 2 * curve->capacity : 256;
        for (int c = -1; c < columns; c++) {
            double **column = c < 0 ? &curve->step : &curve->value[c];
            double *larger = realloc(*column, capacity * sizeof *larger);
            if (!larger) return false;
            *column = larger;
        }
        curve->capacity = capacity;
    }
    curve->step[curve->count] = step;
    for (int c = 0; c < columns; c++) curve->value[c][curve->count] = values[c];
    curve->count++;
    return true;
}

static void curve_free(struct curve *curve) {
    free(curve->step);
    for (int c = 0; c < COLUMNS; c++) free(curve->value[c]);
}

static double number_or_nan(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Takes one earlier line into the curves; its step, or -1 when the line is none of ours. */
static int64_t take_line(pct_metrics *metrics, const char *line, size_t length, int64_t until) {
    struct pct_metrics_curves *curves = metrics->curves;
    json_t *object = NULL;
    if (pct_json_parse(&object, "metrics", line, length, NULL) != PERCEPT_OK) return -1;
    int64_t step = -1;
    if (pct_json_get_i64(object, "step", 0, INT64_MAX, &step, NULL) == PERCEPT_OK && step <= until) {
        const json_t *split = json_object_get(object, "validation");
        const bool arrangements =
            json_is_string(split) && strcmp(json_string_value(split), pct_split_text(PCT_SPLIT_ARRANGEMENTS)) == 0;
        double values[COLUMNS];
        if (split && step == until) metrics->validated |= arrangements ? 1u : 2u;
        if (json_object_get(object, "stopped")) {
            /* times alone */
        } else if (!split) {
            for (int c = 0; c < COLUMNS; c++) values[c] = number_or_nan(object, train_keys[c]);
            curve_add(&curves->train, COLUMNS, (double)step, values);
        } else if (arrangements) {
            for (int c = 0; c < V_COLUMNS; c++) values[c] = number_or_nan(object, validation_keys[c]);
            curve_add(&curves->validation, V_COLUMNS, (double)step, values);
        }
    }
    json_decref(object);
    return step;
}

/* Keeps the lines of steps up to `until`; what follows is made again. */
static percept_status keep_lines(pct_metrics *metrics, const char *path, int64_t until, percept_error *error) {
    char *data;
    size_t size;
    PCT_TRY(pct_file_read(path, (size_t)1 << 30, &data, &size, error));
    pct_text kept = {0};
    for (char *line = data; line < data + size;) {
        char *end = memchr(line, '\n', (size_t)(data + size - line));
        if (!end) break; /* a line that was not finished */
        int64_t step = take_line(metrics, line, (size_t)(end - line), until);
        if (step >= 0 && step <= until) pct_text_add(&kept, line, (size_t)(end - line) + 1);
        line = end + 1;
    }
    free(data);
    percept_status status = kept.failed ? pct_fail_memory(error, path)
                                        : pct_file_write(path, kept.data ? kept.data : "", kept.length, error);
    pct_text_free(&kept);
    return status;
}

percept_status pct_metrics_open(pct_metrics *metrics, const char *folder, bool resume, int64_t step,
                                percept_error *error) {
    *metrics = (pct_metrics){.started = pct_clock_seconds(), .started_cpu = pct_clock_cpu_seconds()};
    metrics->curves = calloc(1, sizeof *metrics->curves);
    metrics->folder = strdup(folder);
    char *path = pct_path_join(folder, "metrics.jsonl");
    percept_status status = metrics->curves && metrics->folder && path ? PERCEPT_OK : pct_fail_memory(error, "metrics");
    if (status == PERCEPT_OK && resume && pct_file_exists(path)) status = keep_lines(metrics, path, step, error);
    if (status == PERCEPT_OK) {
        metrics->file = fopen(path, resume ? "ab" : "wb");
        if (!metrics->file) {
            status = pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot be written: %s", path, strerror(errno));
        }
    }
    free(path);
    if (status != PERCEPT_OK) pct_metrics_close(metrics);
    return status;
}

void pct_metrics_close(pct_metrics *metrics) {
    if (metrics->file) fclose(metrics->file);
    if (metrics->curves) {
        curve_free(&metrics->curves->train);
        curve_free(&metrics->curves->validation);
    }
    free(metrics->curves);
    free(metrics->folder);
    *metrics = (pct_metrics){0};
}

void pct_metrics_add(pct_metrics *metrics, const pct_losses *losses, int64_t pictures, int64_t questions) {
    pct_loss_sum_add(&metrics->sum.losses, losses);
    metrics->sum.pictures += pictures;
    metrics->sum.questions += questions;
}

void pct_metrics_add_step(pct_metrics *metrics, double norm) {
    metrics->sum.steps++;
    metrics->sum.norm += norm;
}

void pct_metrics_pause(pct_metrics *metrics, double seconds, double cpu_seconds) {
    metrics->started += seconds;
    metrics->started_cpu += cpu_seconds;
}

static void add_number(pct_text *text, const char *key, double value) {
    pct_text_printf(text, ", \"%s\": ", key);
    pct_text_digits(text, value, 5);
}

static bool is_figure(const char *name) {
    for (int i = 0; pct_figures_keys[i]; i++)
        if (strcmp(pct_figures_keys[i], name) == 0) return true;
    return false;
}

/* `figures`: those of answers follow and take the place of a loss's companion of the same name (box_iou). */
static void add_losses(pct_text *text, const pct_losses *losses, bool figures) {
    for (int i = 0; i < PCT_LOSS_TERMS; i++) {
        if (figures && is_figure(pct_loss_terms[i].name)) continue;
        add_number(text, pct_loss_terms[i].name, pct_loss_value(losses, &pct_loss_terms[i]));
    }
}

static percept_status write_line(pct_metrics *metrics, pct_text *text, percept_error *error) {
    pct_text_puts(text, "}\n");
    bool good = !text->failed && fwrite(text->data, 1, text->length, metrics->file) == text->length &&
                fflush(metrics->file) == 0;
    pct_text_free(text);
    if (good) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s/metrics.jsonl: cannot be written: %s", metrics->folder,
                    strerror(errno));
}

percept_status pct_metrics_log(pct_metrics *metrics, int64_t step, double rate, char *message, size_t size,
                               percept_error *error) {
    const pct_metrics_sum *sum = &metrics->sum;
    double now = pct_clock_seconds(), seconds = now - metrics->started, cpu = pct_clock_cpu_seconds();
    pct_losses means = pct_loss_sum_means(&sum->losses);
    pct_text text = {0};
    pct_text_printf(&text, "{\"step\": %lld", (long long)step);
    add_losses(&text, &means, false);
    add_number(&text, "rate", rate);
    add_number(&text, "norm", sum->norm / (double)sum->steps);
    add_number(&text, "seconds", seconds);
    add_number(&text, "cpu_seconds", cpu - metrics->started_cpu);
    add_number(&text, "steps_s", (double)sum->steps / seconds);
    add_number(&text, "pictures_s", (double)sum->pictures / seconds);
    add_number(&text, "questions_s", (double)sum->questions / seconds);
    add_number(&text, "memory_mb", (double)pct_peak_resident_bytes() / 1e6);
    double values[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) values[c] = pct_loss_named(&means, train_keys[c]);
    curve_add(&metrics->curves->train, COLUMNS, (double)step, values);
    char answers[128] = ""; /* nothing to say of answers in a stage that trains the tower alone */
    if (sum->losses.with_objects > 0)
        snprintf(answers, sizeof answers, " words %.3f, tokens %.1f%%, masks %.3f, mask IoU %.1f%%, box IoU %.1f%%,",
                 values[LANGUAGE], 100 * values[TOKENS], values[MASK], 100 * values[MASK_IOU], 100 * values[BOX_IOU]);
    else if (sum->losses.losses.tokens > 0) /* regions in text have neither boxes nor masks while they are learned */
        snprintf(answers, sizeof answers, " words %.3f, tokens %.1f%%,", values[LANGUAGE], 100 * values[TOKENS]);
    snprintf(message, size,
             "loss %.3f,%s naming %.3f, cells named %.1f%%, rate %.2g, %.1f pictures/s, %.0f questions/s",
             values[TOTAL], answers, values[NAMING], 100 * means.naming_accuracy, rate, (double)sum->pictures / seconds,
             (double)sum->questions / seconds);
    metrics->sum = (pct_metrics_sum){0};
    metrics->started = now;
    metrics->started_cpu = cpu;
    return write_line(metrics, &text, error);
}

percept_status pct_metrics_stopped(pct_metrics *metrics, int64_t step, percept_error *error) {
    if (metrics->sum.steps == 0) return PERCEPT_OK;
    pct_text text = {0};
    pct_text_printf(&text, "{\"step\": %lld, \"stopped\": true", (long long)step);
    add_number(&text, "seconds", pct_clock_seconds() - metrics->started);
    add_number(&text, "cpu_seconds", pct_clock_cpu_seconds() - metrics->started_cpu);
    return write_line(metrics, &text, error);
}

percept_status pct_metrics_validation(pct_metrics *metrics, int64_t step, const char *split,
                                      const pct_eval_report *report, const pct_losses *losses, percept_error *error) {
    pct_text text = {0};
    pct_text_printf(&text, "{\"step\": %lld, \"validation\": \"%s\"", (long long)step, split);
    if (losses) add_losses(&text, losses, report != NULL);
    if (report) {
        pct_text_printf(&text, ", \"n\": %lld", (long long)report->questions);
        for (int i = 0; pct_figures_keys[i]; i++) {
            add_number(&text, pct_figures_keys[i], pct_figures_get(&report->all, pct_figures_keys[i]));
        }
        pct_text_printf(&text, ", \"cut\": %lld, \"unparsable\": %lld", (long long)report->cut,
                        (long long)report->unparsable);
        add_number(&text, "tokens_per_object", pct_eval_tokens_per_object(report));
        add_number(&text, "eval_seconds", report->seconds);
        if (strcmp(split, "arrangements") == 0) {
            double values[V_COLUMNS];
            for (int c = 0; c < V_COLUMNS; c++) values[c] = pct_figures_get(&report->all, validation_keys[c]);
            curve_add(&metrics->curves->validation, V_COLUMNS, (double)step, values);
        }
    }
    return write_line(metrics, &text, error);
}

static percept_status draw(pct_metrics *metrics, const char *name, const pct_plot *plot, const pct_series *series,
                           size_t count, percept_error *error) {
    char *path = pct_path_join(metrics->folder, name);
    if (!path) return pct_fail_memory(error, "plot");
    percept_status status = pct_plot_write(path, plot, series, count, error);
    free(path);
    return status == PERCEPT_ERROR_WORK ? PERCEPT_OK : status; /* no cairo here: metrics.jsonl has it all */
}

percept_status pct_metrics_plot(pct_metrics *metrics, percept_error *error) {
    const struct curve *train = &metrics->curves->train, *validation = &metrics->curves->validation;
    pct_series losses[NAMING + 1], figures[3 + V_COLUMNS];
    for (int c = TOTAL; c <= NAMING; c++) {
        losses[c] = (pct_series){.label = train_keys[c], .x = train->step, .y = train->value[c], .count = train->count};
    }
    for (int c = TOKENS; c <= BOX_IOU; c++) {
        figures[c - TOKENS] =
            (pct_series){.label = train_keys[c], .x = train->step, .y = train->value[c], .count = train->count};
    }
    static const char *const labels[V_COLUMNS] = {"answers: mIoU", "answers: Acc@0.5", "answers: absent",
                                                  "answers: counts", "answers: names"};
    for (int c = 0; c < V_COLUMNS; c++) {
        figures[3 + c] = (pct_series){.label = labels[c],
                                      .x = validation->step,
                                      .y = validation->value[c],
                                      .count = validation->count,
                                      .points = true};
    }
    PCT_TRY(draw(metrics, "loss.png", &(pct_plot){.title = "losses", .x_label = "step", .log_y = true}, losses,
                 PCT_COUNT(losses), error));
    return draw(metrics, "figures.png", &(pct_plot){.title = "figures", .x_label = "step", .y_min = 0, .y_max = 1},
                figures, PCT_COUNT(figures), error);
}
