/* calibrate.c: what a step of each configuration costs, so that runs of equal time can be given steps.
 *
 * Other programs on the machine change its speed by the minute. So configurations are never timed one after another: a
 * reference and a few others are set up together and step in turn, and what is kept is the median of the ratios to the
 * reference's step beside it. The reference's own seconds are those of the first calibration. */
#include "base/cpu.h"
#include "base/file.h"
#include "base/size.h"
#include "experiment/experiment_private.h"
#include "train/checkpoint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#define TOGETHER 4 /* trainings in memory at once, the reference among them */
#define ROUNDS   8
#define WARM     1
#define MAX_FILE ((size_t)4 << 20)

double pct_experiment_minutes(const pct_experiment *experiment, int run) {
    return experiment->options->minutes > 0 ? experiment->options->minutes : experiment->list.runs[run].minutes;
}

int64_t pct_experiment_steps(const pct_experiment *experiment, int run) {
    const double minutes = pct_experiment_minutes(experiment, run);
    if (minutes <= 0) return experiment->list.runs[run].steps;
    const pct_step_cost *cost = &experiment->costs[pct_experiment_series(experiment, run)];
    if (!cost->known) return 0;
    double steps = round(minutes * 60 / cost->cpu_seconds);
    return steps < 1 ? 1 : steps > 1e9 ? 1000000000 : (int64_t)steps;
}

/* ---- the file -------------------------------------------------------------------------------------------------- */

static percept_status read_cost(pct_step_cost *cost, const json_t *object, double reference, percept_error *error) {
    const char *config;
    pct_train_cost *numbers = &cost->numbers;
    PCT_TRY(pct_json_get_string(object, "config", &config, error));
    PCT_TRY(pct_json_get_f64(object, "ratio", 1e-6, 1e6, &cost->ratio, error));
    PCT_TRY(pct_json_get_i64(object, "parameters", 0, INT64_MAX, &numbers->parameters, error));
    PCT_TRY(pct_json_get_i64(object, "trainable", 0, INT64_MAX, &numbers->trainable, error));
    PCT_TRY(pct_json_get_i64(object, "pictures", 1, INT64_MAX, &numbers->pictures, error));
    cost->config = strtoull(config, NULL, 16);
    cost->cpu_seconds = cost->ratio * reference;
    cost->known = true;
    return PERCEPT_OK;
}

/* *root: the file's object, or a new one. */
static percept_status load(pct_experiment *experiment, json_t **root, percept_error *error) {
    *root = NULL;
    if (!pct_file_exists(experiment->calibration)) {
        *root = json_pack("{s:i, s:{}}", "schema", PCT_EXPERIMENT_SCHEMA, "configs");
        return *root ? PERCEPT_OK : pct_fail_memory(error, "calibration");
    }
    double reference = 0;
    json_t *configs = NULL;
    percept_status status = pct_json_load(root, experiment->calibration, MAX_FILE, error);
    if (status != PERCEPT_OK) return status;
    status = pct_json_get_object(*root, "configs", &configs, error);
    if (status == PERCEPT_OK && json_object_size(configs)) {
        status = pct_json_get_f64(*root, "reference_cpu_seconds", 1e-9, 1e9, &reference, error);
    }
    for (int i = 0; i < experiment->list.count && status == PERCEPT_OK; i++) {
        const json_t *object = json_object_get(configs, experiment->list.runs[i].series);
        if (object && pct_experiment_series(experiment, i) == i) {
            status = read_cost(&experiment->costs[i], object, reference, error);
        }
    }
    if (status != PERCEPT_OK) {
        pct_error_prefix(error, "%s", experiment->calibration);
        json_decref(*root);
        *root = NULL;
    }
    return status;
}

/* ---- measuring ------------------------------------------------------------------------------------------------- */

static json_t *number_list(const double *values, int count, int stride) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(list, json_real(values[i * stride]));
    return list;
}

/* Puts one configuration's figures into the file's object and into the experiment. Column 0 is the reference. */
static percept_status keep(pct_experiment *experiment, json_t *root, int run, int column, int columns, int rounds,
                           const double *cpu, const pct_train_cost *numbers, uint64_t config, percept_error *error) {
    double ratios[ROUNDS], reference[ROUNDS];
    for (int r = 0; r < rounds; r++) {
        ratios[r] = cpu[r * columns + column] / cpu[r * columns];
        reference[r] = cpu[r * columns];
    }
    if (!json_object_get(root, "reference_cpu_seconds")) {
        json_object_set_new(root, "reference", json_string(experiment->list.runs[run].series));
        json_object_set_new(root, "reference_cpu_seconds", json_real(pct_experiment_median(reference, rounds)));
    }
    pct_step_cost *cost = &experiment->costs[pct_experiment_series(experiment, run)];
    *cost = (pct_step_cost){
        .known = true, .config = config, .ratio = pct_experiment_median(ratios, rounds), .numbers = *numbers};
    cost->cpu_seconds = cost->ratio * json_number_value(json_object_get(root, "reference_cpu_seconds"));
    char hash[20];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)config);
    json_t *object = json_pack("{s:s, s:f, s:f, s:I, s:I, s:I, s:o, s:o}", "config", hash, "ratio", cost->ratio,
                               "cpu_seconds", cost->cpu_seconds, "parameters", (json_int_t)numbers->parameters,
                               "trainable", (json_int_t)numbers->trainable, "pictures", (json_int_t)numbers->pictures,
                               "steps_cpu_seconds", number_list(&cpu[column], rounds, columns),
                               "reference_steps_cpu_seconds", number_list(cpu, rounds, columns));
    bool good =
        object && json_object_set_new(json_object_get(root, "configs"), experiment->list.runs[run].series, object) == 0;
    return good ? PERCEPT_OK : pct_fail_memory(error, "calibration");
}

/* Steps of runs[0..count) in turn; runs[0] is the reference. */
static percept_status measure(pct_experiment *experiment, json_t *root, const int *runs, int count,
                              percept_error *error) {
    const int rounds = experiment->options->minutes > 0 && experiment->options->minutes < 1 ? 2 : ROUNDS;
    pct_experiment_plan *plans = calloc((size_t)count, sizeof *plans);
    pct_train_options options[TOGETHER];
    pct_train_cost numbers[TOGETHER];
    double cpu[ROUNDS * TOGETHER];
    percept_status status = plans ? PERCEPT_OK : pct_fail_memory(error, "calibration");
    for (int i = 0; i < count && status == PERCEPT_OK; i++) {
        status = pct_experiment_plan_make(&plans[i], experiment, runs[i], 0, error);
        options[i] = plans[i].train;
    }
    experiment->doing = "calibration";
    if (status == PERCEPT_OK) {
        status =
            pct_train_measure(options, count, WARM, rounds, pct_experiment_progress, experiment, numbers, cpu, error);
    }
    const bool first = !json_object_get(root, "reference_cpu_seconds");
    for (int i = first ? 0 : 1; i < count && status == PERCEPT_OK; i++) {
        status = keep(experiment, root, runs[i], i, count, rounds, cpu, &numbers[i], plans[i].config, error);
    }
    for (int i = 0; plans && i < count; i++) pct_experiment_plan_free(&plans[i]);
    free(plans);
    return status == PERCEPT_OK ? pct_experiment_write_json(experiment->calibration, root, error) : status;
}

/* ---- what is wanted -------------------------------------------------------------------------------------------- */

/* The series that is measured under these settings: its own figure, else that of the first; -1: none. */
static int find_measured(const pct_experiment *experiment, int series, uint64_t config) {
    const pct_step_cost *costs = experiment->costs;
    if (costs[series].known && costs[series].config == config) return series;
    for (int i = 0; i < experiment->list.count; i++)
        if (pct_experiment_series(experiment, i) == i && costs[i].known && costs[i].config == config) return i;
    return -1;
}

/* A configuration that is not known, or known under other settings. Series of the same settings cost the same: what is
 * measured of the first goes for all. */
static percept_status is_due(pct_experiment *experiment, int run, bool *due, uint64_t *config, percept_error *error) {
    *due = false;
    const int series = pct_experiment_series(experiment, run);
    if (pct_experiment_minutes(experiment, run) <= 0 || !pct_experiment_is_open(experiment, run) ||
        !pct_experiment_can_begin(experiment, run)) {
        return PERCEPT_OK;
    }
    pct_experiment_plan plan;
    percept_status status = pct_experiment_plan_make(&plan, experiment, run, 0, error);
    if (status == PERCEPT_OK) {
        const int measured = find_measured(experiment, series, plan.config);
        if (measured >= 0)
            experiment->costs[series] = experiment->costs[measured];
        else
            experiment->costs[series].known = false;
        *due = measured < 0;
        *config = plan.config;
    }
    pct_experiment_plan_free(&plan);
    return status;
}

/* The run that all are set beside: the file's, else the first that is due. -1: it cannot be set up now. */
static int find_reference(const pct_experiment *experiment, const json_t *root, int first_due) {
    const json_t *name = json_object_get(root, "reference");
    if (!json_is_string(name)) return first_due;
    for (int i = 0; i < experiment->list.count; i++) {
        if (strcmp(experiment->list.runs[i].series, json_string_value(name)) == 0) {
            return pct_experiment_can_begin(experiment, i) ? i : -1;
        }
    }
    return -1;
}

/* Its seconds are those of the settings that it was measured with. */
static percept_status check_reference(const pct_experiment *experiment, const json_t *root, int reference,
                                      percept_error *error) {
    const char *series = json_string_value(json_object_get(root, "reference"));
    if (!series) return PERCEPT_OK; /* nothing is measured yet */
    const json_t *object = json_object_get(json_object_get(root, "configs"), series);
    const char *config = json_string_value(json_object_get(object, "config"));
    pct_experiment_plan plan;
    percept_status status = pct_experiment_plan_make(&plan, experiment, reference, 0, error);
    if (status == PERCEPT_OK && (!config || strtoull(config, NULL, 16) != plan.config)) {
        status = pct_fail(error, PERCEPT_ERROR_INPUT,
                          "%s: the settings of its reference '%s' have changed; move the file away, and all is "
                          "measured anew",
                          experiment->calibration, series);
    }
    pct_experiment_plan_free(&plan);
    return status;
}

static percept_status measure_due(pct_experiment *experiment, json_t *root, percept_error *error) {
    int due[PCT_EXPERIMENT_MAX_RUNS], count = 0;
    uint64_t configs[PCT_EXPERIMENT_MAX_RUNS];
    for (int i = 0; i < experiment->list.count; i++) {
        bool is;
        if (!experiment->wanted[i]) continue;
        PCT_TRY(is_due(experiment, i, &is, &configs[count], error));
        for (int k = 0; is && k < count; k++) is = configs[k] != configs[count];
        if (is) due[count++] = i;
    }
    if (!count) return PERCEPT_OK;
    const int reference = find_reference(experiment, root, due[0]);
    if (reference < 0) {
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "%s: its reference '%s' cannot be set up (the run that it begins with is not there); make that "
                        "first, or move the file away",
                        experiment->calibration, json_string_value(json_object_get(root, "reference")));
    }
    PCT_TRY(check_reference(experiment, root, reference, error));
    for (int at = 0; at < count;) {
        int runs[TOGETHER] = {reference}, together = 1;
        while (at < count && together < TOGETHER) {
            if (pct_experiment_series(experiment, due[at]) != pct_experiment_series(experiment, reference))
                runs[together++] = due[at];
            at++;
        }
        PCT_TRY(measure(experiment, root, runs, together, error));
    }
    return PERCEPT_OK;
}

/* What is measured counts as the file has it: another process, and a later one, gives runs the same steps. The second
 * round is for settings that one just measured has. */
percept_status pct_experiment_calibrate(pct_experiment *experiment, percept_error *error) {
    for (int round = 0; round < 2; round++) {
        json_t *root;
        PCT_TRY(load(experiment, &root, error));
        const percept_status status = measure_due(experiment, root, error);
        json_decref(root);
        PCT_TRY(status);
    }
    return PERCEPT_OK;
}
