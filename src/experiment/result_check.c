/* result_check.c: whether results and answer times that are there are of the runs that the list has now. A file of
 * other settings, of a rehearsal, or of other test pictures would give figures that no run of the list has. */
#include "base/size.h"
#include "experiment/experiment_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static percept_status differs(const char *key, const char *is, const char *wanted, percept_error *error) {
    return pct_fail(error, PERCEPT_ERROR_INPUT,
                    "'%s' is %.200s, the list says %.200s; move the file away, or set the list right%s", key, is,
                    wanted, strcmp(key, "minutes") == 0 ? " (a rehearsal is gone on with under its --minutes)" : "");
}

static percept_status check_text(const json_t *result, const char *key, const char *wanted, percept_error *error) {
    const char *is = json_string_value(json_object_get(result, key));
    if (strcmp(is ? is : "", wanted ? wanted : "") == 0) return PERCEPT_OK;
    return differs(key, is ? is : "nothing", wanted ? wanted : "nothing", error);
}

static percept_status check_integer(const json_t *result, const char *key, int64_t wanted, percept_error *error) {
    const json_int_t is = json_integer_value(json_object_get(result, key));
    char has[40], says[40];
    if (is == wanted) return PERCEPT_OK;
    snprintf(has, sizeof has, "%lld", (long long)is);
    snprintf(says, sizeof says, "%lld", (long long)wanted);
    return differs(key, has, says, error);
}

/* 0: of a run whose length is steps. */
static percept_status check_minutes(const json_t *result, double wanted, percept_error *error) {
    const double is = json_number_value(json_object_get(result, "minutes"));
    char has[40], says[40];
    if (fabs(is - wanted) <= 1e-5 * fabs(wanted)) return PERCEPT_OK; /* six digits are written */
    snprintf(has, sizeof has, "%.6g", is);
    snprintf(says, sizeof says, "%.6g", wanted);
    return differs("minutes", is > 0 ? has : "nothing", wanted > 0 ? says : "nothing", error);
}

static percept_status check_settings(const json_t *result, const pct_experiment_run *run, percept_error *error) {
    const json_t *settings = json_object_get(result, "settings");
    const size_t count = json_array_size(settings);
    for (size_t i = 0; i < count || i < run->setting_count; i++) {
        const char *is = i < count ? json_string_value(json_array_get(settings, i)) : NULL;
        const char *wanted = i < run->setting_count ? run->settings[i] : NULL;
        if (!is || !wanted || strcmp(is, wanted) != 0)
            return differs("settings", is ? is : "shorter", wanted ? wanted : "fewer", error);
    }
    return PERCEPT_OK;
}

/* Figures of other pictures are no figures of this list, and curves are averaged point by point. */
static percept_status check_figures(const json_t *result, const pct_experiment_list *list,
                                    const pct_experiment_run *run, percept_error *error) {
    static const enum pct_split splits[] = {PCT_SPLIT_ARRANGEMENTS, PCT_SPLIT_CUTOUTS};
    for (size_t i = 0; i < PCT_COUNT(splits); i++) {
        char wanted[96];
        const char *split = pct_split_text(splits[i]);
        pct_experiment_test_data(wanted, sizeof wanted, splits[i], run->pictures);
        PCT_TRY(check_text(json_object_get(json_object_get(result, "eval"), split), "data", wanted, error));
    }
    const int64_t steps = json_integer_value(json_object_get(result, "steps"));
    const int64_t every = (steps + list->curve - 1) / list->curve, points = every ? (steps + every - 1) / every : 0;
    const int64_t is = (int64_t)json_array_size(json_object_get(result, "curve"));
    if (is == points) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_INPUT,
                    "'curve' has %lld points, the list gives it %lld; move the file away, or set the list right",
                    (long long)is, (long long)points);
}

/* A config that was edited since; results of before this was kept are taken at their word. */
static percept_status check_config(const pct_experiment *experiment, int index, const json_t *result, const char *key,
                                   percept_error *error) {
    const char *kept = json_string_value(json_object_get(result, key));
    pct_experiment_plan plan;
    if (!kept) return PERCEPT_OK;
    percept_status status = pct_experiment_plan_make(&plan, experiment, index, 0, error);
    if (status == PERCEPT_OK && strtoull(kept, NULL, 16) != plan.config) {
        status = pct_fail(error, PERCEPT_ERROR_INPUT,
                          "made before %s was changed; move the file away, or set the config right",
                          experiment->list.runs[index].config);
    }
    pct_experiment_plan_free(&plan);
    return status;
}

percept_status pct_experiment_result_check(const pct_experiment *experiment, int index, const json_t *result,
                                           percept_error *error) {
    const pct_experiment_list *list = &experiment->list;
    const pct_experiment_run *run = &list->runs[index];
    const double minutes = pct_experiment_minutes(experiment, index);
    /* A rehearsal may begin with what was made at full length. */
    const bool lent = experiment->options->minutes > 0 && pct_experiment_is_begun_with(experiment, index, true);
    PCT_TRY(check_text(result, "config", pct_experiment_config_name(experiment, run), error));
    PCT_TRY(check_settings(result, run, error));
    PCT_TRY(check_text(result, "begins_with", run->needs >= 0 ? list->runs[run->needs].name : NULL, error));
    PCT_TRY(check_integer(result, "seed", run->seed, error));
    if (!lent) PCT_TRY(check_minutes(result, minutes, error));
    if (!lent && minutes <= 0) PCT_TRY(check_integer(result, "steps", run->steps, error));
    PCT_TRY(check_config(experiment, index, result, "config_hash", error));
    return run->judge ? check_figures(result, list, run, error) : PERCEPT_OK;
}

percept_status pct_experiment_load_results(pct_experiment *experiment, percept_error *error) {
    percept_status status = PERCEPT_OK;
    for (int i = 0; i < experiment->list.count && status == PERCEPT_OK; i++) {
        json_t **result = &experiment->found[i];
        if (!pct_experiment_done(experiment, i)) continue;
        char *path = pct_experiment_result_path(experiment, i);
        status =
            path ? pct_json_load(result, path, PCT_EXPERIMENT_MAX_RESULT, error) : pct_fail_memory(error, "result");
        if (status == PERCEPT_OK) {
            status = pct_experiment_result_check(experiment, i, *result, error);
            if (status != PERCEPT_OK) pct_error_prefix(error, "%s", path);
        }
        free(path);
    }
    return status;
}

percept_status pct_experiment_answers_check(const pct_experiment *experiment, const json_t *answers,
                                            percept_error *error) {
    const pct_experiment_list *list = &experiment->list;
    for (int i = 0; i < list->count; i++) {
        const json_t *mode = json_object_get(json_object_get(answers, "modes"), list->runs[i].series);
        if (!mode || pct_experiment_series(experiment, i) != i) continue;
        const percept_status status = check_config(experiment, i, mode, "config", error);
        if (status != PERCEPT_OK) {
            pct_error_prefix(error, "%s: series '%s'", experiment->answers, list->runs[i].series);
            return status;
        }
    }
    return PERCEPT_OK;
}
