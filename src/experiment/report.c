/* report.c: what an experiment's results say: a page of tables, verdicts and plots, and the same tables as JSON. Made
 * of the files alone; a run without a result is "not run yet". */
#include "base/file.h"
#include "base/size.h"
#include "experiment/report_private.h"
#include "image/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- results --------------------------------------------------------------------------------------------------- */

/* Runs by their series, in the list's order. */
static void sort_results(pct_report *page) {
    const pct_experiment *experiment = page->experiment;
    for (int i = 0; i < experiment->list.count; i++) {
        const int first = pct_experiment_series(experiment, i);
        pct_report_series *summary = first == i ? &page->series[page->series_count++] : NULL;
        if (summary) summary->first = i;
        for (int s = 0; !summary && s < page->series_count; s++) {
            if (page->series[s].first == first) summary = &page->series[s];
        }
        summary->planned++;
        json_t *result = experiment->found[i];
        if (result && summary->done < (int)PCT_COUNT(summary->results)) summary->results[summary->done++] = result;
    }
}

static const json_t *find(const json_t *object, const char *path) {
    char key[40];
    while (object && *path) {
        size_t length = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        object = json_object_get(object, key);
        path += length + (path[length] == '.');
    }
    return object;
}

double pct_report_number(const json_t *object, const char *path) {
    const json_t *number = find(object, path);
    return json_is_number(number) ? json_number_value(number) : NAN;
}

const char *pct_report_text(const json_t *object, const char *path) {
    const char *text = json_string_value(find(object, path));
    return text ? text : "";
}

int pct_report_spread(const pct_report_series *summary, const char *path, double *mean, double *deviation) {
    double sum = 0, squares = 0;
    int count = 0;
    for (int i = 0; i < summary->done; i++) {
        double value = pct_report_number(summary->results[i], path);
        if (!isfinite(value)) continue;
        sum += value;
        count++;
    }
    *mean = count ? sum / count : NAN;
    for (int i = 0; i < summary->done; i++) {
        double value = pct_report_number(summary->results[i], path);
        if (isfinite(value)) squares += (value - *mean) * (value - *mean);
    }
    *deviation = count > 1 ? sqrt(squares / (count - 1)) : 0;
    return count;
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

struct column {
    const char *title, *path;
    double scale; /* 100: percent */
    int digits;
    bool spread;
};
static const struct column columns[] = {
    {"Acc@0.5", "eval.arrangements.acc50", 100, 1, true},
    {"mIoU", "eval.arrangements.miou", 100, 1, true},
    {"absent", "eval.arrangements.absent_acc", 100, 1, true},
    {"counting", "eval.arrangements.count_acc", 100, 1, true},
    {"unseen Acc@0.5", "eval.cutouts.acc50", 100, 1, true},
    {"unseen mIoU", "eval.cutouts.miou", 100, 1, true},
    {"tokens an object", "eval.arrangements.tokens_per_object", 1, 1, false},
    {"unparsable", "eval.arrangements.unparsable", 1, 1, false},
    {"cut", "eval.arrangements.cut", 1, 1, false},
    {"minutes", "minutes", 1, 0, false},
    {"steps", "steps", 1, 0, false},
    {"CPU s a step", "step_cpu_seconds", 1, 2, false},
    {"CPU min taken", "cpu_minutes", 1, 1, false},
};

static void add_cell(pct_report *page, const pct_report_series *summary, const struct column *column, json_t *row) {
    double mean, deviation;
    int count = pct_report_spread(summary, column->path, &mean, &deviation);
    if (!count) {
        pct_text_puts(&page->text, " — |");
        json_object_set_new(row, column->path, json_null());
        return;
    }
    pct_text_printf(&page->text, " %.*f", column->digits, mean * column->scale);
    if (column->spread && count > 1) pct_text_printf(&page->text, " ± %.*f", column->digits, deviation * column->scale);
    pct_text_puts(&page->text, " |");
    json_object_set_new(row, column->path,
                        json_pack("{s:f, s:f, s:i}", "mean", mean, "deviation", deviation, "n", count));
}

static void add_row(pct_report *page, const pct_report_series *summary, json_t *table) {
    const pct_experiment_run *run = &page->experiment->list.runs[summary->first];
    json_t *row =
        json_pack("{s:s, s:i, s:i}", "series", run->series, "runs", summary->done, "planned", summary->planned);
    pct_text_printf(&page->text, "| **%s**: %s | ", run->series, run->about);
    if (!summary->done) {
        pct_text_puts(&page->text, "not run yet |\n");
    } else {
        pct_text_printf(&page->text, "%d of %d", summary->done, summary->planned);
        if (run->pictures != page->experiment->list.pictures)
            pct_text_printf(&page->text, ", %lld pictures", (long long)run->pictures);
        pct_text_puts(&page->text, " |");
        const double share =
            pct_report_number(summary->results[0], "trainable") / pct_report_number(summary->results[0], "parameters");
        pct_text_printf(&page->text, " %.1f M, %.1f %% |", pct_report_number(summary->results[0], "parameters") / 1e6,
                        100 * share);
        for (size_t c = 0; c < PCT_COUNT(columns); c++) add_cell(page, summary, &columns[c], row);
        pct_text_puts(&page->text, "\n");
    }
    json_array_append_new(table, row);
}

/* Whether a series is one of the group's that are judged: starts have nothing to show. */
static bool is_shown(const pct_report *page, const pct_report_series *summary, const char *group) {
    const pct_experiment_run *run = &page->experiment->list.runs[summary->first];
    return run->judge && strcmp(run->group, group) == 0;
}

static void add_table(pct_report *page, const char *group) {
    json_t *table = json_array();
    pct_text_puts(&page->text, "\n| run | runs | numbers, share that learns |");
    for (size_t c = 0; c < PCT_COUNT(columns); c++) pct_text_printf(&page->text, " %s |", columns[c].title);
    pct_text_puts(&page->text, "\n|---|---|---|");
    for (size_t c = 0; c < PCT_COUNT(columns); c++) pct_text_puts(&page->text, "---|");
    pct_text_puts(&page->text, "\n");
    for (int i = 0; i < page->series_count; i++) {
        const pct_report_series *summary = &page->series[i];
        if (is_shown(page, summary, group)) add_row(page, summary, table);
    }
    json_object_set_new(page->json, group, table);
}

/* ---- plots ----------------------------------------------------------------------------------------------------- */

size_t pct_report_curve(const pct_report_series *summary, bool over_pictures, double *x, double *y) {
    size_t count = summary->done ? json_array_size(json_object_get(summary->results[0], "curve")) : 0;
    if (count > PCT_REPORT_MOST_CURVE) count = PCT_REPORT_MOST_CURVE;
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        int n = 0;
        for (int s = 0; s < summary->done; s++) {
            const json_t *point = json_array_get(json_object_get(summary->results[s], "curve"), i);
            double value = pct_report_number(point, "acc50");
            if (isfinite(value)) sum += value, n++;
        }
        const json_t *point = json_array_get(json_object_get(summary->results[0], "curve"), i);
        const double cost = pct_report_number(summary->results[0], "step_cpu_seconds");
        x[i] = over_pictures ? pct_report_number(point, "pictures") : pct_report_number(point, "step") * cost / 60;
        y[i] = n ? 100 * sum / n : NAN;
    }
    return count;
}

static percept_status draw_curves(pct_report *page, const char *group, bool over_pictures, const char *path,
                                  percept_error *error) {
    pct_series lines[24] = {0};
    double *memory = calloc(2 * PCT_COUNT(lines) * PCT_REPORT_MOST_CURVE, sizeof *memory);
    size_t count = 0;
    if (!memory) return pct_fail_memory(error, "plot");
    for (int i = 0; i < page->series_count && count < PCT_COUNT(lines); i++) {
        const pct_report_series *summary = &page->series[i];
        const pct_experiment_run *run = &page->experiment->list.runs[summary->first];
        if (!is_shown(page, summary, group) || !summary->done) continue;
        double *x = &memory[2 * count * PCT_REPORT_MOST_CURVE], *y = x + PCT_REPORT_MOST_CURVE;
        size_t points = pct_report_curve(summary, over_pictures, x, y);
        lines[count++] = (pct_series){.label = run->series, .x = x, .y = y, .count = points, .points = true};
    }
    const pct_plot plot = {.title = "referring, new arrangements: Acc@0.5 on the way, mean of the seeds",
                           .x_label = over_pictures ? "pictures" : "processor minutes at the calibrated speed",
                           .y_label = "Acc@0.5, percent"};
    percept_status status = count ? pct_plot_write(path, &plot, lines, count, error) : PERCEPT_OK;
    free(memory);
    return status;
}

static percept_status add_plots(pct_report *page, const char *group, const char *folder, const char *name,
                                percept_error *error) {
    static const char *const kinds[] = {"time", "pictures"};
    bool any = false;
    for (int i = 0; i < page->series_count; i++) {
        const pct_report_series *summary = &page->series[i];
        any = any || (summary->done && is_shown(page, summary, group));
    }
    for (int k = 0; k < 2 && any; k++) {
        char file[200];
        snprintf(file, sizeof file, "pictures/%.60s-%.60s-%s.png", name, group, kinds[k]);
        char *path = pct_path_join(folder, file);
        percept_status status = path ? draw_curves(page, group, k == 1, path, error) : pct_fail_memory(error, "plot");
        free(path);
        if (status == PERCEPT_ERROR_WORK) return PERCEPT_OK; /* no cairo here: the tables have it all */
        if (status != PERCEPT_OK) return status;
        pct_text_printf(&page->text, "\n![Acc@0.5 over %s](%s)\n", kinds[k], file);
    }
    return PERCEPT_OK;
}

/* ---- the page -------------------------------------------------------------------------------------------------- */

static const char *said(const json_t *of, const char *key) {
    const char *text = json_string_value(json_object_get(of, key));
    return text ? text : "unknown";
}

/* Every machine that results name, once. */
static void add_machines(pct_report *page) {
    json_t *seen = json_object();
    for (int i = 0; i < page->experiment->list.count; i++) {
        const json_t *machine = json_object_get(page->experiment->found[i], "machine");
        char line[400];
        if (!machine) continue;
        snprintf(line, sizeof line, "%.120s, %lld processors (%.80s), percept %.20s", said(machine, "processor"),
                 (long long)json_integer_value(json_object_get(machine, "processors")), said(machine, "instructions"),
                 said(machine, "version"));
        if (!json_object_get(seen, line))
            pct_text_printf(&page->text, "%s%s", json_object_size(seen) ? "; " : "", line);
        json_object_set_new(seen, line, json_true());
    }
    if (!json_object_size(seen)) pct_text_puts(&page->text, "none yet");
    json_decref(seen);
}

static void add_head(pct_report *page, const char *name) {
    const pct_experiment_list *list = &page->experiment->list;
    int done = 0;
    for (int i = 0; i < list->count; i++) done += page->experiment->found[i] != NULL;
    pct_text_printf(&page->text,
                    "# Experiment: %s\n\n%s. Made by `percept experiment %s --report` from `experiments/%s/results`; "
                    "`percept experiment %s` makes the runs (docs/experiments.md). %d of %d runs are done. Machine: ",
                    name, list->about, name, name, name, done, list->count);
    add_machines(page);
    pct_text_printf(
        &page->text,
        ".\n\nFigures are percent where they can be, means ± standard deviation over the seeds, of "
        "`scenes:arrangements:%lld:1` and, unseen, `scenes:cutouts:%lld:1` (6 questions a picture in the "
        "configs' mix of tasks; where a row says so, of more pictures; \"unparsable\" and \"cut\" count answers). "
        "Acc@0.5 is of the box, mIoU of the mask (the box filled, where a run has boxes alone) "
        "of an answer's region of highest score above the run's own threshold; none counts as 0. Time is equal: a "
        "run's "
        "steps are its minutes over what its step costs beside the reference's, measured in turn. Those are minutes of "
        "the processor that was calibrated on, where a step takes \"CPU s a step\"; \"CPU min taken\" is by the "
        "machine that made the run, which may be a faster one: steps, and so what was learnt, are the same. Curves are "
        "validations on the way, on %lld other pictures, unquantised and without a threshold: they end elsewhere than "
        "the tables.\n",
        (long long)list->pictures, (long long)list->pictures, (long long)list->curve_pictures);
}

/* Whether a run is the first of its group that has something to show. */
static bool is_first_shown(const pct_experiment_list *list, int run) {
    for (int k = 0; k < run; k++)
        if (list->runs[k].judge && strcmp(list->runs[k].group, list->runs[run].group) == 0) return false;
    return list->runs[run].judge;
}

/* Short runs of one seed each say where things go and prove nothing. */
static bool is_directional(const pct_report *page, const char *group) {
    const pct_experiment_list *list = &page->experiment->list;
    for (int s = 0; s < page->series_count; s++) {
        const pct_report_series *summary = &page->series[s];
        if (is_shown(page, summary, group) && (list->runs[summary->first].minutes >= 60 || summary->planned > 1))
            return false;
    }
    return true;
}

static percept_status make_page(pct_report *page, const char *folder, const char *name, percept_error *error) {
    const pct_experiment_list *list = &page->experiment->list;
    add_head(page, name);
    pct_report_verdicts(page);
    if (page->answers) {
        char file[120];
        snprintf(file, sizeof file, "pictures/%.60s-answers.png", name);
        json_object_set(page->json, "answers", page->answers);
        PCT_TRY(pct_answers_tell(page->answers, folder, file, &page->text, error));
    }
    for (int i = 0; i < list->count; i++) { /* groups in the list's order */
        if (!is_first_shown(list, i)) continue;
        pct_text_printf(&page->text, "\n## %s%s\n", list->runs[i].group,
                        is_directional(page, list->runs[i].group) ? " (one short run each: directions, no proofs)"
                                                                  : "");
        add_table(page, list->runs[i].group);
        PCT_TRY(add_plots(page, list->runs[i].group, folder, name, error));
    }
    return page->text.failed ? pct_fail_memory(error, "report") : PERCEPT_OK;
}

static percept_status write_page(pct_report *page, const char *folder, const char *name, percept_error *error) {
    const pct_experiment_options *options = page->experiment->options;
    const char *out = options->out ? options->out : options->folder;
    char file[100];
    snprintf(file, sizeof file, "%.80s.md", name);
    char *path = pct_path_join(folder, file), *tables = pct_path_join(out, "tables.json");
    percept_status status = path && tables ? pct_file_write(path, page->text.data, page->text.length, error)
                                           : pct_fail_memory(error, "report");
    if (status == PERCEPT_OK) status = pct_experiment_write_json(tables, page->json, error);
    free(path);
    free(tables);
    return status;
}

percept_status pct_experiment_report(const pct_experiment_options *options, const char *folder, const char *name,
                                     percept_error *error) {
    pct_experiment *experiment = calloc(1, sizeof *experiment);
    pct_report *page = calloc(1, sizeof *page);
    char *pictures = pct_path_join(folder, "pictures");
    percept_status status = experiment && page && pictures ? pct_experiment_open(experiment, options, error)
                                                           : pct_fail_memory(error, "report");
    if (page) {
        page->experiment = experiment;
        page->json = json_object();
    }
    if (status == PERCEPT_OK) status = pct_make_directory(pictures, error);
    if (status == PERCEPT_OK) status = pct_make_directory(experiment->results, error);
    if (status == PERCEPT_OK) sort_results(page);
    if (status == PERCEPT_OK) status = pct_answers_load(experiment->answers, &page->answers, error);
    if (status == PERCEPT_OK) status = pct_experiment_answers_check(experiment, page->answers, error);
    if (status == PERCEPT_OK) status = make_page(page, folder, name, error);
    if (status == PERCEPT_OK) status = write_page(page, folder, name, error);
    if (page) {
        json_decref(page->json);
        json_decref(page->answers);
        pct_text_free(&page->text);
    }
    if (experiment) pct_experiment_close(experiment);
    free(pictures);
    free(page);
    free(experiment);
    return status;
}
