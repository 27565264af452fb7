/* result.c: what is kept of a run: one small file. See experiment.h.
 *
 * What is measured once and what does not change when the run is made again stand apart: "cpu_minutes" and
 * "wall_minutes" are the only times, everything else is the same bits on the same machine with as many threads. */
#include "base/cpu.h"
#include "base/file.h"
#include "base/size.h"
#include "eval/run.h"
#include "experiment/experiment_private.h"
#include "experiment/machine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_METRICS ((size_t)64 << 20)
#define LOSS_POINTS 60
#define TEST_SEED   1

/* ---- metrics.jsonl --------------------------------------------------------------------------------------------- */

struct times {
    double cpu, wall; /* seconds, so far */
    bool cpu_known;   /* of every line */
};

struct history {
    json_t *curve, *losses;
    json_t **lines; /* of losses, before they are thinned */
    size_t count, capacity;
    struct times times;
    int64_t pictures; /* a step */
};

static void copy_number(json_t *into, const char *as, const json_t *from, const char *key) {
    const json_t *value = json_object_get(from, key);
    json_object_set_new(into, as, json_is_number(value) ? json_real(json_number_value(value)) : json_null());
}

static void set_minutes(json_t *into, const struct times *times) {
    json_object_set_new(into, "cpu_minutes", times->cpu_known ? json_real(times->cpu / 60) : json_null());
}

static void add_validation(struct history *history, const json_t *line, json_int_t step) {
    json_t *point = json_pack("{s:I, s:I}", "step", step, "pictures", step * history->pictures);
    set_minutes(point, &history->times);
    for (int i = 0; pct_figures_keys[i]; i++) copy_number(point, pct_figures_keys[i], line, pct_figures_keys[i]);
    static const char *const more[] = {"unparsable", "cut", "tokens_per_object", "total"};
    for (size_t i = 0; i < PCT_COUNT(more); i++) {
        if (json_object_get(line, more[i])) copy_number(point, more[i], line, more[i]);
    }
    json_array_append_new(history->curve, point);
}

static percept_status add_losses(struct history *history, const json_t *line, json_int_t step, percept_error *error) {
    static const char *const keys[] = {"total",           "language",  "box_l1",  "box_giou",
                                       "mask_bce",        "mask_dice", "naming",  "token_accuracy",
                                       "naming_accuracy", "mask_iou",  "box_iou", "norm"};
    if (history->count == history->capacity) {
        size_t capacity = 2 * history->capacity + 64;
        json_t **larger = realloc(history->lines, capacity * sizeof(json_t *));
        if (!larger) return pct_fail_memory(error, "metrics");
        history->lines = larger;
        history->capacity = capacity;
    }
    json_t *point = json_pack("{s:I}", "step", step);
    if (!point) return pct_fail_memory(error, "metrics");
    for (size_t i = 0; i < PCT_COUNT(keys); i++) copy_number(point, keys[i], line, keys[i]);
    history->lines[history->count++] = point;
    return PERCEPT_OK;
}

static percept_status add_line(struct history *history, const json_t *line, percept_error *error) {
    int64_t step;
    PCT_TRY(pct_json_get_i64(line, "step", 0, INT64_MAX, &step, error));
    const json_t *split = json_object_get(line, "validation");
    if (split) {
        if (strcmp(json_string_value(split) ? json_string_value(split) : "", "arrangements") == 0) {
            add_validation(history, line, step);
        }
        return PERCEPT_OK;
    }
    double cpu, wall;
    PCT_TRY(pct_json_get_f64_or(line, "cpu_seconds", 0, 1e12, NAN, &cpu, error));
    PCT_TRY(pct_json_get_f64_or(line, "seconds", 0, 1e12, 0, &wall, error));
    if (isnan(cpu)) history->times.cpu_known = false;
    history->times.cpu += cpu;
    history->times.wall += wall;
    return json_object_get(line, "stopped") ? PERCEPT_OK : add_losses(history, line, step, error);
}

/* Every k-th line and the last one. */
static void thin(struct history *history) {
    size_t every = (history->count + LOSS_POINTS - 1) / LOSS_POINTS;
    for (size_t i = 0; i < history->count; i++) {
        bool kept = (history->count - 1 - i) % every == 0;
        if (kept) json_array_append(history->losses, history->lines[i]);
        json_decref(history->lines[i]);
    }
    history->count = 0;
}

static percept_status read_history(struct history *history, const char *folder, percept_error *error) {
    char *path = pct_path_join(folder, "metrics.jsonl"), *data = NULL;
    size_t size = 0;
    history->curve = json_array();
    history->losses = json_array();
    history->times.cpu_known = true;
    percept_status status = path && history->curve && history->losses
                                ? pct_file_read(path, MAX_METRICS, &data, &size, error)
                                : pct_fail_memory(error, "metrics");
    for (char *line = data, *end; status == PERCEPT_OK && line < data + size; line = end + 1) {
        end = memchr(line, '\n', (size_t)(data + size - line));
        if (!end) break;
        json_t *object = NULL;
        status = pct_json_parse(&object, path, line, (size_t)(end - line), error);
        if (status == PERCEPT_OK) {
            status = add_line(history, object, error);
            if (status != PERCEPT_OK) pct_error_prefix(error, "%s", path);
        }
        json_decref(object);
    }
    thin(history);
    free(data);
    free(path);
    return status;
}

static void free_history(struct history *history) {
    for (size_t i = 0; i < history->count; i++) json_decref(history->lines[i]);
    free(history->lines);
    json_decref(history->curve);
    json_decref(history->losses);
}

/* ---- the finished model ---------------------------------------------------------------------------------------- */

void pct_experiment_test_data(char *data, size_t size, enum pct_split split, int64_t pictures) {
    pct_scene_spec_write(&(pct_scene_spec){.split = split, .count = pictures, .seed = TEST_SEED}, data, size);
}

/* A 1 for each referring question that was hit, a 0 for each that was not, in the questions' order: two runs that were
 * asked the same can be compared question by question. */
static percept_status note_hit(void *context, const pct_sample *sample, const pct_turn *turn, const char *text,
                               const pct_judge_region *regions, int32_t count, const pct_eval_outcome *outcome,
                               percept_error *error) {
    (void)sample, (void)turn, (void)text, (void)regions, (void)count;
    pct_text *hits = context;
    if (outcome->task == PCT_TASK_REFER && outcome->refers) pct_text_puts(hits, pct_eval_is_hit(outcome) ? "1" : "0");
    return hits->failed ? pct_fail_memory(error, "result") : PERCEPT_OK;
}

struct examination {
    pct_pool *pool;
    pct_compute *compute;
    pct_model *model;
    pct_scene_source *source;
};

static percept_status examine_split(pct_experiment *experiment, struct examination *on, enum pct_split split,
                                    int64_t count, json_t *into, percept_error *error) {
    const int32_t side = pct_model_get_config(on->model)->image.side;
    pct_feed feed = {.source = on->source, .split = split, .seed = TEST_SEED, .count = count};
    feed.request = pct_scene_test_request(side);
    pct_text text = {0}, hits = {0};
    const pct_eval_options how = {.threshold = -1, .judged = note_hit, .judged_context = &hits};
    pct_eval_report report;
    char data[96];
    json_t *object = NULL;
    pct_experiment_test_data(data, sizeof data, split, count);
    percept_status status =
        pct_eval_run(on->model, on->compute, &feed, &how, pct_experiment_progress, experiment, &report, error);
    if (status == PERCEPT_OK) {
        pct_eval_report_json(&report, NULL, data, pct_split_text(split), &text);
        status = text.failed ? pct_fail_memory(error, "report")
                             : pct_json_parse(&object, "report", text.data, text.length, error);
    }
    if (status == PERCEPT_OK) {
        static const char *const left_out[] = {"schema", "model", "model_hash", "split", "trade"};
        for (size_t i = 0; i < PCT_COUNT(left_out); i++) json_object_del(object, left_out[i]);
        json_object_set_new(object, "hits", json_string(hits.data ? hits.data : ""));
        json_object_set(into, pct_split_text(split), object);
    }
    json_decref(object);
    pct_text_free(&text);
    pct_text_free(&hits);
    pct_eval_report_free(&report);
    return status;
}

/* The written file, as its users have it, on both test splits. */
static percept_status examine(pct_experiment *experiment, const pct_experiment_plan *plan, const char *folder,
                              const pct_experiment_run *run, json_t *into, percept_error *error) {
    struct examination on = {0};
    pct_train_config *config = malloc(sizeof *config);
    pct_config reader = {0};
    pct_scene_options scenes;
    char *path = pct_path_join(folder, "model.gguf");
    percept_status status = path && config ? PERCEPT_OK : pct_fail_memory(error, "evaluation");
    if (status == PERCEPT_OK) {
        status = pct_train_config_load(config, &reader, plan->train.config, plan->settings, plan->count, error);
        if (status == PERCEPT_OK) status = pct_train_scene_options(config, &scenes, error);
        if (status == PERCEPT_OK) status = pct_scene_source_open(&on.source, &scenes, error);
    }
    if (status == PERCEPT_OK) status = pct_pool_create(&on.pool, (int)run->threads, error);
    const uint32_t flags = pct_cpu_flags() & experiment->options->cpu_mask;
    if (status == PERCEPT_OK) status = pct_compute_create(&on.compute, on.pool, flags, error);
    if (status == PERCEPT_OK) pct_compute_use_int8(on.compute); /* as `eval` and `ask` */
    if (status == PERCEPT_OK) status = pct_model_open(&on.model, path, false, error);
    static const enum pct_split splits[] = {PCT_SPLIT_ARRANGEMENTS, PCT_SPLIT_CUTOUTS};
    for (size_t i = 0; i < PCT_COUNT(splits) && status == PERCEPT_OK; i++)
        status = examine_split(experiment, &on, splits[i], run->pictures, into, error);
    pct_model_close(&on.model);
    pct_compute_destroy(&on.compute);
    pct_pool_destroy(&on.pool);
    pct_scene_source_close(&on.source);
    pct_config_free(&reader);
    free(config);
    free(path);
    return status;
}

/* ---- the file -------------------------------------------------------------------------------------------------- */

const char *pct_experiment_config_name(const pct_experiment *experiment, const pct_experiment_run *run) {
    size_t length = strlen(experiment->list.folder);
    bool beside = strncmp(run->config, experiment->list.folder, length) == 0 && run->config[length] == '/';
    return beside ? run->config + length + 1 : run->config;
}

static json_t *describe(const pct_experiment *experiment, int index, const pct_experiment_plan *plan,
                        const pct_train_cost *numbers, const struct history *history) {
    const pct_experiment_run *run = &experiment->list.runs[index];
    const pct_step_cost *cost = &experiment->costs[pct_experiment_series(experiment, index)];
    const double minutes = pct_experiment_minutes(experiment, index);
    const char *begins = run->needs >= 0 ? experiment->list.runs[run->needs].name : NULL;
    json_t *settings = json_array(), *root = json_object();
    char hash[20];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)plan->config);
    for (size_t i = 0; i < run->setting_count; i++) json_array_append_new(settings, json_string(run->settings[i]));
    json_object_set_new(root, "schema", json_integer(PCT_EXPERIMENT_SCHEMA));
    json_object_set_new(root, "run", json_string(run->name));
    json_object_set_new(root, "series", json_string(run->series));
    json_object_set_new(root, "group", json_string(run->group));
    json_object_set_new(root, "about", json_string(run->about));
    json_object_set_new(root, "config", json_string(pct_experiment_config_name(experiment, run)));
    json_object_set_new(root, "config_hash", json_string(hash));
    json_object_set_new(root, "settings", settings);
    json_object_set_new(root, "begins_with", begins ? json_string(begins) : json_null());
    json_object_set_new(root, "seed", json_integer(run->seed));
    json_object_set_new(root, "machine", pct_machine_describe(run->threads, experiment->options->cpu_mask));
    json_object_set_new(root, "parameters", json_integer(numbers->parameters));
    json_object_set_new(root, "trainable", json_integer(numbers->trainable));
    json_object_set_new(root, "minutes", minutes > 0 ? json_real(minutes) : json_null());
    json_object_set_new(root, "step_cpu_seconds", minutes > 0 ? json_real(cost->cpu_seconds) : json_null());
    json_object_set_new(root, "steps", json_integer(plan->steps));
    json_object_set_new(root, "pictures", json_integer(plan->steps * numbers->pictures));
    set_minutes(root, &history->times);
    json_object_set_new(root, "wall_minutes", json_real(history->times.wall / 60));
    json_object_set(root, "curve", history->curve);
    json_object_set(root, "losses", history->losses);
    return root;
}

/* One key a line, and one element of an array of objects, so that changes can be read. */
static percept_status write(const char *path, const json_t *root, percept_error *error) {
    pct_text text = {0};
    const char *key;
    json_t *value;
    bool first = true, failed = false;
    json_object_foreach((json_t *)root, key, value) {
        pct_text_printf(&text, "%s \"%s\": ", first ? "{\n" : ",\n", key);
        first = false;
        bool rows = json_is_array(value) && json_is_object(json_array_get(value, 0));
        for (size_t i = 0; i < (rows ? json_array_size(value) : 1); i++) {
            char *one = json_dumps(rows ? json_array_get(value, i) : value,
                                   JSON_ENCODE_ANY | JSON_REAL_PRECISION(6) | (rows ? JSON_COMPACT : 0));
            failed = failed || !one;
            if (one) pct_text_printf(&text, "%s%s", !rows ? "" : i ? ",\n  " : "[\n  ", one);
            free(one);
        }
        if (rows) pct_text_puts(&text, "]");
    }
    pct_text_puts(&text, "\n}\n");
    percept_status status =
        failed || text.failed ? pct_fail_memory(error, "result") : pct_file_write(path, text.data, text.length, error);
    pct_text_free(&text);
    return status;
}

/* The numbers of the model: training gave them, calibration knows them, or the run is set up once more. */
static percept_status count_numbers(pct_experiment *experiment, int index, const pct_experiment_plan *plan,
                                    pct_train_cost *numbers, percept_error *error) {
    const pct_step_cost *cost = &experiment->costs[pct_experiment_series(experiment, index)];
    if (numbers->pictures) return PERCEPT_OK;
    *numbers = cost->numbers;
    if (cost->known) return PERCEPT_OK;
    return pct_train_measure(&plan->train, 1, 0, 0, NULL, NULL, numbers, NULL, error);
}

percept_status pct_experiment_result(pct_experiment *experiment, int index, const pct_experiment_plan *plan,
                                     pct_train_cost *numbers, percept_error *error) {
    const pct_experiment_run *run = &experiment->list.runs[index];
    struct history history = {0};
    json_t *figures = json_object(), *root = NULL;
    char *folder = pct_experiment_run_folder(experiment, index), *path = pct_experiment_result_path(experiment, index);
    percept_status status = folder && path && figures ? PERCEPT_OK : pct_fail_memory(error, "result");
    if (status == PERCEPT_OK) status = count_numbers(experiment, index, plan, numbers, error);
    if (status == PERCEPT_OK) {
        history.pictures = numbers->pictures;
        status = read_history(&history, folder, error);
    }
    if (status == PERCEPT_OK && run->judge) {
        status = examine(experiment, plan, folder, run, figures, error);
    }
    if (status == PERCEPT_OK) {
        root = describe(experiment, index, plan, numbers, &history);
        json_object_set(root, "eval", figures);
        status = write(path, root, error);
    }
    json_decref(root);
    json_decref(figures);
    free_history(&history);
    free(folder);
    free(path);
    return status;
}
