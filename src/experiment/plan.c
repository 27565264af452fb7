/* plan.c: a run of the list as a training: its settings, and what of them makes it the run that it is. */
#include "base/file.h"
#include "base/random.h"
#include "base/size.h"
#include "experiment/experiment_private.h"
#include "formats/yaml.h"
#include "train/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_STEPS  100000000 /* of a plan that is only looked at */
#define LOG_LINES   120       /* of metrics, a run */
#define CHECKPOINTS 12
#define MAX_CONFIG  ((size_t)1 << 20)

/* ---- the settings ---------------------------------------------------------------------------------------------- */

static percept_status add(pct_experiment_plan *plan, percept_error *error, const char *format, ...) PCT_PRINTF(3, 4);
static percept_status add(pct_experiment_plan *plan, percept_error *error, const char *format, ...) {
    char text[4096 + 64];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length >= (int)sizeof text) return pct_fail(error, PERCEPT_ERROR_INPUT, "a setting is too long: %.40s", text);
    PCT_ASSERT(plan->count < PCT_COUNT(plan->settings));
    const char *kept = pct_arena_text(&plan->arena, text, strlen(text));
    if (!kept) return pct_fail_memory(error, "settings");
    plan->settings[plan->count++] = kept;
    return PERCEPT_OK;
}

/* run.warm or run.from. What is not there yet is named as it will be: nobody opens it before. */
static percept_status add_beginning(pct_experiment_plan *plan, const pct_experiment *experiment,
                                    const pct_experiment_run *run, percept_error *error) {
    if (run->needs < 0) return PERCEPT_OK;
    char *folder = pct_experiment_run_folder(experiment, run->needs), *checkpoint = NULL;
    percept_status status = folder ? PERCEPT_OK : pct_fail_memory(error, "settings");
    if (status == PERCEPT_OK && !run->from) status = pct_checkpoint_newest(folder, &checkpoint, error);
    if (status == PERCEPT_OK && run->from) status = add(plan, error, "run.from=%s/model.gguf", folder);
    if (status == PERCEPT_OK && !run->from) status = add(plan, error, "run.warm=%s", checkpoint ? checkpoint : folder);
    free(folder);
    free(checkpoint);
    return status;
}

/* What depends on the run's length, given what its config says. */
static percept_status add_lengths(pct_experiment_plan *plan, const pct_experiment *experiment,
                                  const pct_experiment_run *run, const pct_train_config *config, percept_error *error) {
    const int64_t steps = plan->steps ? plan->steps : LOOK_STEPS, curve = experiment->list.curve;
    const int64_t most_warmup = steps / 4; /* of rehearsals */
    PCT_TRY(add(plan, error, "schedule.steps=%lld", (long long)steps));
    PCT_TRY(add(plan, error, "schedule.warmup=%lld",
                (long long)pct_min_i64(config->schedule.warmup, plan->steps ? most_warmup : LOOK_STEPS)));
    PCT_TRY(add(plan, error, "run.validate_every=%lld", (long long)(run->judge ? (steps + curve - 1) / curve : 0)));
    PCT_TRY(add(plan, error, "run.validate_pictures=%lld", (long long)experiment->list.curve_pictures));
    PCT_TRY(add(plan, error, "run.validate_splits=1"));
    PCT_TRY(add(plan, error, "run.log_every=%lld", (long long)((steps + LOG_LINES - 1) / LOG_LINES)));
    PCT_TRY(add(plan, error, "run.checkpoint_every=%lld", (long long)((steps + CHECKPOINTS - 1) / CHECKPOINTS)));
    if (!run->judge) PCT_TRY(add(plan, error, "run.calibrate=0"));
    if (config->data.pack[0] && experiment->options->pack) {
        PCT_TRY(add(plan, error, "data.pack=%s", experiment->options->pack));
    }
    return PERCEPT_OK;
}

/* ---- what it is ------------------------------------------------------------------------------------------------ */

/* Keys that do not change what a run learns, or say how long it does. */
static bool is_left_out(const char *path) {
    static const char *const kept[] = {"run.fresh", "run.seed",  "run.precision",
                                       "run.thaw",  "run.blend", "run.blend_vision"};
    static const char *const dropped[] = {"schedule.steps", "schedule.warmup", "data.pack"};
    for (size_t i = 0; i < PCT_COUNT(kept); i++) {
        if (strcmp(path, kept[i]) == 0) return false;
    }
    for (size_t i = 0; i < PCT_COUNT(dropped); i++) {
        if (strcmp(path, dropped[i]) == 0) return true;
    }
    return strncmp(path, "run.", 4) == 0;
}

static percept_status add_value(void *context, const pct_yaml_value *value, percept_error *error) {
    pct_text *text = context, path = {0};
    for (int i = 0; i < value->depth; i++) pct_text_printf(&path, "%s%s", i ? "." : "", value->keys[i]);
    if (path.data && !is_left_out(path.data)) {
        const char *is = value->text ? value->text : "", *slash = strrchr(is, '/');
        if (slash && strcmp(path.data, "model.base") == 0) is = slash + 1; /* wherever it is kept */
        pct_text_printf(text, "%s: %s\n", path.data, is);
    }
    bool failed = path.failed || text->failed;
    pct_text_free(&path);
    return failed ? pct_fail_memory(error, "settings") : PERCEPT_OK;
}

static percept_status make_canonical(const pct_config *reader, pct_text *canonical, percept_error *error) {
    pct_text yaml = {0};
    pct_config_write(reader, &yaml);
    percept_status status =
        yaml.failed ? pct_fail_memory(error, "settings")
                    : pct_yaml_walk("config", yaml.data ? yaml.data : "", yaml.length, add_value, canonical, error);
    pct_text_free(&yaml);
    return status;
}

/* Whether a line, its end included, is one of `text`. */
static bool has_line(const char *text, const char *line, size_t length) {
    while (text && *text) {
        if (strncmp(text, line, length) == 0) return true;
        text += strcspn(text, "\n") + 1;
    }
    return false;
}

/* Of what the canonical text sets, without the seed: a key that a later percept knows and nobody sets changes nothing.
 * `model`: the run whose model gives it its structure, NULL for none. */
static percept_status hash_series(const pct_text *canonical, const char *model, uint64_t *hash, percept_error *error) {
    pct_train_config *config = malloc(sizeof *config);
    pct_config reader;
    pct_text defaults = {0}, text = {0};
    if (!config) return pct_fail_memory(error, "settings");
    pct_train_config_init(config, &reader);
    percept_status status = make_canonical(&reader, &defaults, error);
    for (const char *line = canonical->data; status == PERCEPT_OK && line && *line;) {
        const size_t length = strcspn(line, "\n") + 1;
        if (strncmp(line, "run.seed:", 9) != 0 && !has_line(defaults.data, line, length))
            pct_text_add(&text, line, length);
        line += length;
    }
    if (status == PERCEPT_OK && text.failed) status = pct_fail_memory(error, "settings");
    *hash = pct_hash_bytes(text.data ? text.data : "", text.length);
    if (model) *hash = pct_hash_u64(*hash ^ pct_hash_bytes(model, strlen(model)));
    pct_text_free(&text);
    pct_text_free(&defaults);
    pct_config_free(&reader);
    free(config);
    return status;
}

static percept_status look(pct_experiment_plan *plan, pct_train_config *config, pct_text *canonical,
                           percept_error *error) {
    pct_config reader;
    percept_status status =
        pct_train_config_load(config, &reader, plan->train.config, plan->settings, plan->count, error);
    if (status == PERCEPT_OK && canonical) status = make_canonical(&reader, canonical, error);
    if (status == PERCEPT_OK) { /* outlives the reader */
        config->data.pack = config->data.pack[0] ? "named" : "";
        config->data.folder = config->data.folder[0] ? "named" : "";
    }
    if (status == PERCEPT_OK && config->base[0]) {
        plan->base = pct_arena_text(&plan->arena, config->base, strlen(config->base));
        if (!plan->base) status = pct_fail_memory(error, "settings");
    }
    pct_config_free(&reader);
    return status;
}

static percept_status make(pct_experiment_plan *plan, const pct_experiment *experiment, const pct_experiment_run *run,
                           const char *folder, percept_error *error) {
    pct_train_config *config = malloc(sizeof *config);
    if (!config) return pct_fail_memory(error, "settings");
    percept_status status = PERCEPT_OK;
    for (size_t i = 0; i < run->setting_count; i++) plan->settings[plan->count++] = run->settings[i];
    status = add(plan, error, "run.out=%s", folder);
    if (status == PERCEPT_OK) status = add(plan, error, "run.name=%s", run->name);
    if (status == PERCEPT_OK) status = add(plan, error, "run.seed=%lld", (long long)run->seed);
    if (status == PERCEPT_OK) status = add(plan, error, "run.threads=%lld", (long long)run->threads);
    if (status == PERCEPT_OK) status = add(plan, error, "run.keep=1");
    if (status == PERCEPT_OK) status = add(plan, error, "run.test=0");
    if (status == PERCEPT_OK) status = add_beginning(plan, experiment, run, error);
    const size_t before = plan->count;
    if (status == PERCEPT_OK) status = add(plan, error, "schedule.steps=%d", LOOK_STEPS);
    if (status == PERCEPT_OK) status = look(plan, config, NULL, error);
    plan->count = before;
    if (status == PERCEPT_OK && run->judge && config->data.folder[0])
        status = pct_fail(error, PERCEPT_ERROR_INPUT,
                          "data.folder: answers are examined on composed scenes; give data.pack or data.cutouts, or "
                          "set judge: false");
    if (status == PERCEPT_OK) status = add_lengths(plan, experiment, run, config, error);
    if (status == PERCEPT_OK) status = look(plan, config, &plan->canonical, error);
    const char *model = run->from ? experiment->list.runs[run->needs].name : NULL;
    if (status == PERCEPT_OK) status = hash_series(&plan->canonical, model, &plan->config, error);
    free(config);
    return status;
}

percept_status pct_experiment_plan_make(pct_experiment_plan *plan, const pct_experiment *experiment, int index,
                                        int64_t steps, percept_error *error) {
    const pct_experiment_run *run = &experiment->list.runs[index];
    *plan = (pct_experiment_plan){.steps = steps};
    pct_arena_init(&plan->arena, (size_t)16 << 10);
    plan->train.config = run->config[0] ? run->config : NULL;
    char *folder = pct_experiment_run_folder(experiment, index);
    percept_status status = folder ? make(plan, experiment, run, folder, error) : pct_fail_memory(error, "settings");
    free(folder);
    plan->train.settings = plan->settings;
    plan->train.setting_count = plan->count;
    plan->train.cpu_mask = experiment->options->cpu_mask;
    plan->train.command = "percept experiment";
    plan->train.locked = true; /* run.c locks runs while it makes them; everything else is dry */
    plan->train.log = experiment->options->log;
    if (status != PERCEPT_OK) {
        pct_error_prefix(error, "%s/list.yaml:%lld: run '%s'", experiment->list.folder, (long long)run->line,
                         run->name);
        if (error) error->status = PERCEPT_ERROR_INPUT;
        return PERCEPT_ERROR_INPUT;
    }
    return PERCEPT_OK;
}

percept_status pct_experiment_plan_untrained(pct_experiment_plan *plan, const pct_experiment_run *run, int32_t context,
                                             percept_error *error) {
    if (run->from) {
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "run '%s': has the structure of the model that it begins with; it cannot be made of random "
                        "weights",
                        run->name);
    }
    PCT_TRY(add(plan, error, "run.warm="));
    PCT_TRY(add(plan, error, "run.fresh="));
    PCT_TRY(add(plan, error, "model.language.context=%d", context));
    plan->train.setting_count = plan->count;
    return PERCEPT_OK;
}

void pct_experiment_plan_free(pct_experiment_plan *plan) {
    pct_arena_free(&plan->arena);
    pct_text_free(&plan->canonical);
}

/* ---- a folder that is there already ---------------------------------------------------------------------------- */

/* The first line of `ours` that is not in `theirs`, without its end; NULL: none. */
static const char *differs(const char *ours, const char *theirs, int *length) {
    for (const char *line = ours; *line;) {
        *length = (int)strcspn(line, "\n");
        if (!has_line(theirs, line, (size_t)*length + 1)) return line;
        line += *length + 1;
    }
    return NULL;
}

percept_status pct_experiment_plan_check(const pct_experiment_plan *plan, const char *folder, percept_error *error) {
    char *path = pct_path_join(folder, "config.yaml"), *data = NULL;
    size_t size = 0;
    pct_config reader = {0};
    pct_train_config *config = malloc(sizeof *config);
    pct_text theirs = {0};
    percept_status status =
        path && config ? pct_file_read(path, MAX_CONFIG, &data, &size, error) : pct_fail_memory(error, "settings");
    if (status == PERCEPT_OK) {
        status = pct_train_config_load_text(config, &reader, path, data, size, error);
        if (status == PERCEPT_OK) status = make_canonical(&reader, &theirs, error);
        if (status == PERCEPT_OK && config->schedule.steps != plan->steps) {
            status = pct_fail(error, PERCEPT_ERROR_INPUT,
                              "%s: holds a run of %lld steps, not %lld; move it away, or set the list right", folder,
                              (long long)config->schedule.steps, (long long)plan->steps);
        }
        int length;
        const char *line = status == PERCEPT_OK ? differs(plan->canonical.data, theirs.data, &length) : NULL;
        if (line) {
            status = pct_fail(error, PERCEPT_ERROR_INPUT,
                              "%s: holds a run that was not made with '%.*s'; move it away, or set the list right",
                              folder, length, line);
        }
        pct_config_free(&reader);
    }
    pct_text_free(&theirs);
    free(config);
    free(data);
    free(path);
    return status;
}
