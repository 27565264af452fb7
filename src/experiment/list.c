/* list.c: see list.h. */
#include "experiment/list.h"

#include "base/file.h"
#include "base/size.h"
#include "base/text.h"
#include "formats/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE     ((size_t)1 << 20)
#define MAX_SEEDS    16
#define MAX_NAME     60
#define MAX_PICTURES 100000

/* A run as it stands in the file, before its seeds make several of it. */
struct entry {
    pct_experiment_run run;
    const char *settings[PCT_EXPERIMENT_MAX_SETTINGS];
    const char *needs; /* name */
    int64_t seeds[MAX_SEEDS];
    int seed_count; /* 0: run.seed alone */
};

struct reading {
    pct_experiment_list *list;
    struct entry *entries;
    int count;
};

static const char *keep(struct reading *reading, const char *text) {
    return pct_arena_text(&reading->list->arena, text, strlen(text));
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static percept_status take_text(struct reading *reading, const char *key, const char *text, const char **out,
                                percept_error *error) {
    if (!text || !*text) return pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s' is without a value", key);
    *out = keep(reading, text);
    return *out ? PERCEPT_OK : pct_fail_memory(error, key);
}

static percept_status take_integer(const char *key, const char *text, int64_t min, int64_t max, int64_t *out,
                                   percept_error *error) {
    if (text && pct_parse_i64(text, out) && *out >= min && *out <= max) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s': '%.40s' is no whole number from %lld to %lld", key,
                    text ? text : "", (long long)min, (long long)max);
}

static percept_status take_minutes(const char *text, double *out, percept_error *error) {
    if (text && pct_parse_double(text, out) && *out > 0 && *out <= 100000) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_INPUT, "key 'minutes': '%.40s' is no number above 0, up to 100000",
                    text ? text : "");
}

static percept_status take_judge(const char *text, bool *out, percept_error *error) {
    *out = text && strcmp(text, "true") == 0;
    if (*out || (text && strcmp(text, "false") == 0)) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_INPUT, "key 'judge': '%.40s' is neither true nor false", text ? text : "");
}

#define MAX_SEED 9007199254740991

static percept_status take_seeds(const char *text, struct entry *entry, percept_error *error) {
    char one[24];
    for (const char *at = text ? text : ""; *at;) {
        size_t length = strcspn(at, ",");
        snprintf(one, sizeof one, "%.*s", (int)pct_min_i64((int64_t)length, 23), at);
        if (entry->seed_count == MAX_SEEDS) {
            return pct_fail(error, PERCEPT_ERROR_INPUT, "key 'seeds': more than %d", MAX_SEEDS);
        }
        int64_t *seed = &entry->seeds[entry->seed_count];
        PCT_TRY(take_integer("seeds", one, 0, MAX_SEED, seed, error));
        for (int i = 0; i < entry->seed_count; i++) {
            if (entry->seeds[i] == *seed) return pct_fail(error, PERCEPT_ERROR_INPUT, "key 'seeds': %s twice", one);
        }
        entry->seed_count++;
        at += length;
        at += strspn(at, ", ");
    }
    return entry->seed_count ? PERCEPT_OK : pct_fail(error, PERCEPT_ERROR_INPUT, "key 'seeds' is without a value");
}

/* set: one setting; its key may be written nested or with dots. */
static percept_status take_setting(struct reading *reading, struct entry *entry, const pct_yaml_value *value,
                                   percept_error *error) {
    pct_text text = {0};
    for (int i = 3; i < value->depth; i++) pct_text_printf(&text, "%s%s", i > 3 ? "." : "", value->keys[i]);
    percept_status status = PERCEPT_OK;
    if (value->depth == 3) {
        status = value->text ? pct_fail(error, PERCEPT_ERROR_INPUT, "'set' holds 'key: value' lines") : PERCEPT_OK;
    } else if (!value->text) {
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "key '%.80s' is without a value", text.data ? text.data : "");
    } else if (entry->run.setting_count == PCT_EXPERIMENT_MAX_SETTINGS) {
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "more than %d settings", PCT_EXPERIMENT_MAX_SETTINGS);
    } else {
        pct_text_printf(&text, "=%s", value->text);
        const char *kept = text.failed ? NULL : keep(reading, text.data);
        if (kept)
            entry->settings[entry->run.setting_count++] = kept;
        else
            status = pct_fail_memory(error, "settings");
    }
    pct_text_free(&text);
    return status;
}

static percept_status take_config(struct reading *reading, const char *text, const char **out, percept_error *error) {
    PCT_TRY(take_text(reading, "config", text, out, error));
    char *path = **out == '/' ? strdup(*out) : pct_path_join(reading->list->folder, *out);
    *out = path ? keep(reading, path) : NULL;
    free(path);
    return *out ? PERCEPT_OK : pct_fail_memory(error, "config");
}

static percept_status take_key(struct reading *reading, struct entry *entry, const pct_yaml_value *value,
                               percept_error *error) {
    const char *key = value->keys[2], *text = value->text;
    pct_experiment_run *run = &entry->run;
    if (strcmp(key, "set") == 0) return take_setting(reading, entry, value, error);
    if (value->depth > 3) return pct_fail(error, PERCEPT_ERROR_INPUT, "'%.60s' is no section", key);
    if (strcmp(key, "group") == 0) return take_text(reading, key, text, &run->group, error);
    if (strcmp(key, "about") == 0) return take_text(reading, key, text, &run->about, error);
    if (strcmp(key, "config") == 0) return take_config(reading, text, &run->config, error);
    if (strcmp(key, "minutes") == 0) return take_minutes(text, &run->minutes, error);
    if (strcmp(key, "steps") == 0) return take_integer(key, text, 1, 1000000000, &run->steps, error);
    if (strcmp(key, "threads") == 0) return take_integer(key, text, 1, 512, &run->threads, error);
    if (strcmp(key, "seed") == 0) return take_integer(key, text, 0, MAX_SEED, &run->seed, error);
    if (strcmp(key, "seeds") == 0) return take_seeds(text, entry, error);
    if (strcmp(key, "judge") == 0) return take_judge(text, &run->judge, error);
    if (strcmp(key, "pictures") == 0) return take_integer(key, text, 1, MAX_PICTURES, &run->pictures, error);
    if (strcmp(key, "warm") == 0 || strcmp(key, "from") == 0) {
        if (entry->needs) return pct_fail(error, PERCEPT_ERROR_INPUT, "'%s': a run begins with one other run", key);
        run->from = strcmp(key, "from") == 0;
        return take_text(reading, key, text, &entry->needs, error);
    }
    return pct_fail(error, PERCEPT_ERROR_INPUT,
                    "unknown key '%.60s'; a run has group, about, config, minutes, steps, threads, seed, seeds, judge, "
                    "pictures, warm, from, set",
                    key);
}

/* ---- the file -------------------------------------------------------------------------------------------------- */

static bool is_name(const char *text) {
    size_t length = strlen(text);
    return length > 0 && length <= MAX_NAME && text[0] != '.' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == length;
}

static percept_status begin_entry(struct reading *reading, const char *name, int64_t line, percept_error *error) {
    if (!is_name(name)) {
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "'%.60s' is no name of a run: letters, digits, - _ . (not first), at most %d", name, MAX_NAME);
    }
    if (reading->count == PCT_EXPERIMENT_MAX_RUNS) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "more than %d runs", PCT_EXPERIMENT_MAX_RUNS);
    }
    struct entry *entry = &reading->entries[reading->count++];
    *entry = (struct entry){.run = {.group = "", .about = "", .config = "", .needs = -1, .judge = true, .threads = 1}};
    entry->run.seed = 1;
    entry->run.line = line;
    entry->run.name = keep(reading, name);
    return entry->run.name ? PERCEPT_OK : pct_fail_memory(error, "runs");
}

static percept_status visit(void *context, const pct_yaml_value *value, percept_error *error) {
    struct reading *reading = context;
    pct_experiment_list *list = reading->list;
    const char *key = value->keys[0];
    if (strcmp(key, "runs") == 0) {
        if (value->depth == 1) return pct_fail(error, PERCEPT_ERROR_INPUT, "'runs' holds the runs by name, indented");
        struct entry *last = reading->count ? &reading->entries[reading->count - 1] : NULL;
        if (!last || strcmp(last->run.name, value->keys[1]) != 0) {
            PCT_TRY(begin_entry(reading, value->keys[1], value->line, error));
        }
        if (value->depth == 2) return pct_fail(error, PERCEPT_ERROR_INPUT, "run '%s' says nothing", value->keys[1]);
        return take_key(reading, &reading->entries[reading->count - 1], value, error);
    }
    if (value->depth > 1) return pct_fail(error, PERCEPT_ERROR_INPUT, "unknown section '%.60s'; there is 'runs'", key);
    if (strcmp(key, "about") == 0) return take_text(reading, key, value->text, &list->about, error);
    if (strcmp(key, "pictures") == 0) return take_integer(key, value->text, 1, MAX_PICTURES, &list->pictures, error);
    if (strcmp(key, "curve") == 0) return take_integer(key, value->text, 1, 1000, &list->curve, error);
    if (strcmp(key, "curve_pictures") == 0) {
        return take_integer(key, value->text, 1, MAX_PICTURES, &list->curve_pictures, error);
    }
    return pct_fail(error, PERCEPT_ERROR_INPUT,
                    "unknown key '%.60s'; there are about, pictures, curve, curve_pictures, runs", key);
}

/* ---- what it means --------------------------------------------------------------------------------------------- */

static percept_status check_entry(const struct entry *entry, percept_error *error) {
    const pct_experiment_run *run = &entry->run;
    if ((run->steps > 0) == (run->minutes > 0)) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "run '%s': %s minutes %s steps", run->name,
                        run->steps ? "give one of" : "lacks", run->steps ? "and" : "or");
    }
    return PERCEPT_OK;
}

/* One run a seed. Its settings are shared. */
static percept_status expand(struct reading *reading, const struct entry *entry, percept_error *error) {
    pct_experiment_list *list = reading->list;
    const int count = entry->seed_count ? entry->seed_count : 1;
    const size_t size = (entry->run.setting_count + 1) * sizeof(char *);
    const char **settings = pct_arena_take(&list->arena, size);
    if (!settings) return pct_fail_memory(error, "runs");
    memcpy(settings, entry->settings, size - sizeof(char *));
    for (int i = 0; i < count; i++) {
        if (list->count == PCT_EXPERIMENT_MAX_RUNS) {
            return pct_fail(error, PERCEPT_ERROR_INPUT, "more than %d runs", PCT_EXPERIMENT_MAX_RUNS);
        }
        pct_experiment_run *run = &list->runs[list->count];
        *run = entry->run;
        run->series = run->name;
        run->settings = settings;
        if (!run->pictures) run->pictures = list->pictures;
        if (entry->seed_count) {
            char name[MAX_NAME + 32];
            snprintf(name, sizeof name, "%s-%lld", entry->run.name, (long long)entry->seeds[i]);
            run->name = keep(reading, name);
            run->seed = entry->seeds[i];
            if (!run->name) return pct_fail_memory(error, "runs");
        }
        if (pct_experiment_find(list, run->name) >= 0) {
            return pct_fail(error, PERCEPT_ERROR_INPUT, "two runs are called '%s'", run->name);
        }
        list->count++;
    }
    return PERCEPT_OK;
}

/* Finds the runs that runs begin with; *at: the one at fault. */
static percept_status bind(struct reading *reading, int *at, percept_error *error) {
    pct_experiment_list *list = reading->list;
    for (int i = 0, e = 0; i < list->count; i++) {
        *at = i;
        while (strcmp(reading->entries[e].run.name, list->runs[i].series) != 0) e++;
        const struct entry *entry = &reading->entries[e];
        if (!entry->needs) continue;
        list->runs[i].needs = pct_experiment_find(list, entry->needs);
        if (list->runs[i].needs >= 0) continue;
        return pct_fail(error, PERCEPT_ERROR_INPUT, "run '%s' begins with '%.60s', which is no run of this list",
                        entry->run.name, entry->needs);
    }
    return PERCEPT_OK;
}

static percept_status refuse_circles(const pct_experiment_list *list, int *at, percept_error *error) {
    for (*at = 0; *at < list->count; (*at)++) {
        int steps = 0;
        for (int run = list->runs[*at].needs; run >= 0; run = list->runs[run].needs) {
            if (++steps > list->count) {
                return pct_fail(error, PERCEPT_ERROR_INPUT, "run '%s' waits for itself: follow its 'warm' and 'from'",
                                list->runs[*at].name);
            }
        }
    }
    return PERCEPT_OK;
}

static percept_status finish(struct reading *reading, const char *path, percept_error *error) {
    pct_experiment_list *list = reading->list;
    if (!reading->count) return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: holds no runs", path);
    list->runs = pct_arena_take_zeroed(&list->arena, PCT_EXPERIMENT_MAX_RUNS, sizeof *list->runs);
    if (!list->runs) return pct_fail_memory(error, path);
    for (int i = 0; i < reading->count; i++) {
        percept_status status = check_entry(&reading->entries[i], error);
        if (status == PERCEPT_OK) status = expand(reading, &reading->entries[i], error);
        if (status == PERCEPT_OK) continue;
        pct_error_prefix(error, "%s:%lld", path, (long long)reading->entries[i].run.line);
        return status;
    }
    int at = 0;
    percept_status status = bind(reading, &at, error);
    if (status == PERCEPT_OK) status = refuse_circles(list, &at, error);
    if (status != PERCEPT_OK) pct_error_prefix(error, "%s:%lld", path, (long long)list->runs[at].line);
    return status;
}

percept_status pct_experiment_list_load_memory(pct_experiment_list *list, const char *folder, const char *path,
                                               const char *data, size_t size, percept_error *error) {
    *list = (pct_experiment_list){.about = "", .pictures = 200, .curve = 10, .curve_pictures = 50};
    pct_arena_init(&list->arena, 0);
    list->folder = pct_arena_text(&list->arena, folder, strlen(folder));
    struct reading reading = {.list = list};
    reading.entries = calloc(PCT_EXPERIMENT_MAX_RUNS, sizeof *reading.entries);
    percept_status status = reading.entries && list->folder ? PERCEPT_OK : pct_fail_memory(error, path);
    if (status == PERCEPT_OK) status = pct_yaml_walk(path, data, size, visit, &reading, error);
    if (status == PERCEPT_OK) status = finish(&reading, path, error);
    free(reading.entries);
    return status;
}

percept_status pct_experiment_list_load(pct_experiment_list *list, const char *folder, percept_error *error) {
    *list = (pct_experiment_list){0};
    char *path = pct_path_join(folder, "list.yaml"), *data = NULL;
    size_t size = 0;
    percept_status status = path ? pct_file_read(path, MAX_FILE, &data, &size, error) : pct_fail_memory(error, folder);
    if (status == PERCEPT_OK) status = pct_experiment_list_load_memory(list, folder, path, data, size, error);
    free(data);
    free(path);
    return status;
}

void pct_experiment_list_free(pct_experiment_list *list) { pct_arena_free(&list->arena); }

int pct_experiment_find(const pct_experiment_list *list, const char *name) {
    for (int i = 0; i < list->count; i++) {
        if (strcmp(list->runs[i].name, name) == 0) return i;
    }
    return -1;
}
