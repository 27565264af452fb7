/* result_check.c: whether a result that is there is of the run that the list has now. A file of other settings, of a
 * rehearsal, or of other test pictures would give figures that no run of the list has. */
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

/* `wanted` 0: the key is null. */
static percept_status check_number(const json_t *result, const char *key, double wanted, percept_error *error) {
    const json_t *value = json_object_get(result, key);
    const double is = json_is_number(value) ? json_number_value(value) : 0;
    char has[40], says[40];
    if (fabs(is - wanted) <= 1e-5 * fabs(wanted)) return PERCEPT_OK; /* six digits are written */
    snprintf(has, sizeof has, "%.6g", is);
    snprintf(says, sizeof says, "%.6g", wanted);
    return differs(key, is != 0 ? has : "nothing", wanted != 0 ? says : "nothing", error);
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

/* Figures of other pictures are no figures of this list. */
static percept_status check_pictures(const json_t *result, int64_t pictures, percept_error *error) {
    const json_t *eval = json_object_get(result, "eval");
    const char *split;
    json_t *figures;
    json_object_foreach((json_t *)eval, split, figures) {
        char wanted[96];
        pct_experiment_test_data(wanted, sizeof wanted, split, pictures);
        PCT_TRY(check_text(figures, "data", wanted, error));
    }
    return PERCEPT_OK;
}

percept_status pct_experiment_result_check(const pct_experiment *experiment, int index, const json_t *result,
                                           percept_error *error) {
    const pct_experiment_run *run = &experiment->list.runs[index];
    const double minutes = pct_experiment_minutes(experiment, index);
    PCT_TRY(check_text(result, "config", pct_experiment_config_name(experiment, run), error));
    PCT_TRY(check_settings(result, run, error));
    PCT_TRY(check_text(result, "begins_with", run->needs >= 0 ? experiment->list.runs[run->needs].name : NULL, error));
    PCT_TRY(check_number(result, "seed", (double)run->seed, error));
    if (experiment->options->minutes > 0 && !run->judge) return PERCEPT_OK; /* a rehearsal may begin with real starts */
    PCT_TRY(check_number(result, "minutes", minutes, error));
    if (minutes <= 0) PCT_TRY(check_number(result, "steps", (double)run->steps, error));
    return check_pictures(result, experiment->list.pictures, error);
}

percept_status pct_experiment_check_results(const pct_experiment *experiment, percept_error *error) {
    percept_status status = PERCEPT_OK;
    for (int i = 0; i < experiment->list.count && status == PERCEPT_OK; i++) {
        json_t *result = NULL;
        if (!pct_experiment_done(experiment, i)) continue;
        char *path = pct_experiment_result_path(experiment, i);
        status =
            path ? pct_json_load(&result, path, PCT_EXPERIMENT_MAX_RESULT, error) : pct_fail_memory(error, "result");
        if (status == PERCEPT_OK) {
            status = pct_experiment_result_check(experiment, i, result, error);
            if (status != PERCEPT_OK) pct_error_prefix(error, "%s", path);
        }
        json_decref(result);
        free(path);
    }
    return status;
}
