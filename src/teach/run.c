/* run.c: the way from a folder to a model file. See run.h. */
#include "train/run.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/size.h"
#include "formats/sha256.h"
#include "teach/teach.h"
#include "train/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CUTOUTS_NAME "cutouts"     /* the staged pictures in the run folder */
#define MARK_NAME    "taught.json" /* what the run was begun with */

struct teaching {
    const pct_teach_options *options;
    percept_progress_fn *progress;
    void *context;
    pct_things things;
    pct_pool *pool;
    pct_compute *compute;
    char *run, *cutouts, *backgrounds, *mark, *trained, *sheet;
    int lock;                   /* of the run folder; -1: none */
    char model[65], replay[65]; /* hashes of the files that learning begins with */
    int64_t steps;
    teach_result result;
    teach_sheet tiles;
};

static void close_all(struct teaching *t) {
    teach_sheet_close(&t->tiles);
    free(t->result.scores);
    pct_compute_destroy(&t->compute);
    pct_pool_destroy(&t->pool);
    pct_things_free(&t->things);
    free(t->run);
    free(t->cutouts);
    free(t->backgrounds);
    free(t->mark);
    free(t->trained);
    free(t->sheet);
    if (t->lock >= 0) close(t->lock);
}

/* "mine.gguf" -> "mine-sheet.png". */
static char *sheet_path(const char *out) {
    static const char ending[] = "-sheet.png";
    const char *slash = strrchr(out, '/'), *dot = strrchr(out, '.');
    size_t stem = dot && dot > (slash ? slash + 1 : out) ? (size_t)(dot - out) : strlen(out);
    char *path = malloc(stem + sizeof ending);
    if (!path) return NULL;
    memcpy(path, out, stem);
    memcpy(path + stem, ending, sizeof ending);
    return path;
}

static char *with(const char *path, const char *ending) {
    size_t size = strlen(path) + strlen(ending) + 1;
    char *joined = malloc(size);
    if (joined) snprintf(joined, size, "%s%s", path, ending);
    return joined;
}

static percept_status make_paths(struct teaching *t, percept_error *error) {
    const pct_teach_options *o = t->options;
    t->run = o->run ? strdup(o->run) : with(o->out, ".run");
    t->sheet = o->sheet ? strdup(o->sheet) : sheet_path(o->out);
    if (!t->run || !t->sheet) return pct_fail_memory(error, "paths");
    t->cutouts = pct_path_join(t->run, CUTOUTS_NAME);
    t->mark = pct_path_join(t->run, MARK_NAME);
    t->trained = pct_path_join(t->run, "model.gguf");
    if (t->things.backgrounds) t->backgrounds = pct_path_join(o->folder, PCT_THINGS_BACKGROUNDS);
    if (!t->cutouts || !t->mark || !t->trained || (t->things.backgrounds && !t->backgrounds))
        return pct_fail_memory(error, "paths");
    return PERCEPT_OK;
}

/* What makes this run the one that was begun: another folder, model or budget would give another model. */
static void describe(const struct teaching *t, pct_text *out) {
    pct_text_printf(
        out, "{\"things\": \"%016llx\", \"model\": \"%s\", \"replay\": \"%s\", \"steps\": %lld, \"seed\": %llu}\n",
        (unsigned long long)pct_things_hash(&t->things), t->model, t->replay, (long long)t->steps,
        (unsigned long long)t->options->seed);
}

static percept_status same_run(const struct teaching *t, percept_error *error) {
    pct_text now = {0};
    char *before = NULL;
    size_t size;
    describe(t, &now);
    percept_status status = pct_file_read(t->mark, 4096, &before, &size, error);
    if (status == PERCEPT_OK && now.failed) status = pct_fail_memory(error, "run");
    if (status == PERCEPT_OK && strcmp(before, now.data) != 0)
        status = pct_fail(error, PERCEPT_ERROR_USAGE,
                          "%s: was begun with other pictures, minutes or seed, another model or replay pack; give "
                          "those, or remove it and "
                          "begin anew",
                          t->run);
    free(before);
    pct_text_free(&now);
    return status;
}

/* A folder without a mark may be begun in, unless it holds what would be taken for the run's own: checkpoints of
 * another run, or pictures that were staged by a run that was killed before it had its mark. */
static percept_status check_unmarked(const struct teaching *t, percept_error *error) {
    char *checkpoint = NULL;
    PCT_TRY(pct_checkpoint_newest(t->run, &checkpoint, error));
    const bool there = checkpoint != NULL;
    free(checkpoint);
    if (there)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "%s: holds checkpoints of a run that is none of teaching; move it away, or give another -o",
                        t->run);
    if (pct_is_directory(t->cutouts))
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: is left of a run that never began; remove it", t->cutouts);
    return PERCEPT_OK;
}

/* The run folder with the staged pictures; the mark is written last: a run has all of its pictures. */
static percept_status begin_run(struct teaching *t, percept_error *error) {
    if (t->options->resume && !pct_file_exists(t->mark))
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: holds no run to resume; leave --resume out", t->run);
    PCT_TRY(pct_lock_directory(t->run, &t->lock, error));
    if (t->lock < 0)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: another process teaches in it; wait for its end", t->run);
    if (t->options->resume) return same_run(t, error);
    if (pct_file_exists(t->mark))
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: holds an unfinished run; give --resume, or remove it", t->run);
    PCT_TRY(check_unmarked(t, error));
    pct_text mark = {0};
    describe(t, &mark);
    percept_status status = pct_things_write(&t->things, t->cutouts, error);
    if (status == PERCEPT_OK && mark.failed) status = pct_fail_memory(error, "run");
    if (status == PERCEPT_OK) status = pct_file_write(t->mark, mark.data, mark.length, error);
    if (status != PERCEPT_OK) pct_things_remove(&t->things, t->cutouts); /* a full disk: nothing began */
    pct_text_free(&mark);
    return status;
}

static percept_status say_known(struct teaching *t, const pct_scene_source *source, percept_error *error) {
    t->result.scores = calloc((size_t)t->things.count + 1, sizeof *t->result.scores);
    if (!t->result.scores) return pct_fail_memory(error, "names");
    t->result.count = t->things.count;
    for (int32_t i = 0; i < t->things.count; i++) {
        teach_score *score = &t->result.scores[i];
        score->thing = &t->things.things[i];
        for (int32_t k = 0; k < pct_scene_names(source) && !score->known; k++)
            score->known = strcmp(pct_scene_name(source, k), score->thing->text) == 0;
        if (score->known)
            pct_log_write(t->options->log, PCT_LOG_WARNING,
                          "\"%s\": is a name that the model knows already; it learns a new look for it",
                          score->thing->text);
    }
    return PERCEPT_OK;
}

/* Which names have a picture held back: the source decides, since near-duplicates test nothing. */
static percept_status see_held(struct teaching *t, percept_error *error) {
    pct_scene_options scenes;
    pct_scene_source *source = NULL;
    teach_scenes(t->options, t->cutouts, t->backgrounds, &scenes);
    PCT_TRY(pct_scene_source_open(&source, &scenes, error));
    for (int32_t c = 0; c < pct_scene_cutouts(source); c++) {
        if (!pct_scene_held_out(source, c)) continue;
        const char *name = pct_scene_name(source, pct_scene_cutout_name(source, c));
        for (int32_t i = 0; i < t->result.count; i++)
            if (strcmp(t->result.scores[i].thing->text, name) == 0) t->result.scores[i].held = true;
        t->result.pictures_held++;
    }
    t->result.pictures_taught = t->things.picture_count - t->result.pictures_held;
    pct_scene_source_close(&source);
    for (int32_t i = 0; i < t->result.count; i++)
        if (!t->result.scores[i].held)
            pct_log_write(t->options->log, PCT_LOG_WARNING,
                          "\"%s\": no picture is held back (three different ones are needed); it is tested with views "
                          "of what it learned from",
                          t->result.scores[i].thing->text);
    return PERCEPT_OK;
}

/* The folder that a file of this name is in; the caller frees it. */
static char *parent(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == path ? strdup("/") : slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
}

/* An output that cannot be written is said before the training, not after it. */
static percept_status check_output(const char *path, percept_error *error) {
    char *folder = parent(path);
    if (!folder) return pct_fail_memory(error, "paths");
    percept_status status = pct_make_directory(folder, error);
    if (status == PERCEPT_OK && access(folder, W_OK) != 0)
        status =
            pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot be written: %s: %s", path, folder, strerror(errno));
    if (status == PERCEPT_OK && pct_is_directory(path))
        status = pct_fail(error, PERCEPT_ERROR_USAGE, "%s: is a folder; name a file", path);
    free(folder);
    return status;
}

/* Whether a file of this name is, or would be, somewhere in the folder; `real`: its realpath. */
static bool is_inside(const char *path, const char *real) {
    char *at = parent(path), *found = NULL;
    while (at && !(found = realpath(at, NULL)) && strcmp(at, ".") != 0 && strcmp(at, "/") != 0) {
        char *above = parent(at); /* folders that are not there yet */
        free(at);
        at = above;
    }
    const size_t length = strlen(real);
    const bool inside = found && strncmp(found, real, length) == 0 && (found[length] == '/' || !found[length]);
    free(found);
    free(at);
    return inside;
}

/* What is written into the folder would be taken for pictures of it on the next run, and on resuming this one. */
static percept_status check_outside(const struct teaching *t, percept_error *error) {
    const char *const outputs[] = {t->options->out, t->run, t->sheet};
    char *real = realpath(t->options->folder, NULL);
    percept_status status = real ? PERCEPT_OK : pct_fail_memory(error, "paths");
    for (size_t i = 0; i < PCT_COUNT(outputs) && status == PERCEPT_OK; i++)
        if (is_inside(outputs[i], real))
            status = pct_fail(error, PERCEPT_ERROR_USAGE, "%s: is in the folder of cut-outs; name a place outside %s",
                              outputs[i], t->options->folder);
    free(real);
    return status;
}

/* Before anything is written. */
static percept_status check_model(const char *path, char hash[65], percept_error *error) {
    pct_model *model = NULL;
    PCT_TRY(pct_model_open(&model, path, false, error));
    percept_status status = pct_model_check_sees(model, error);
    snprintf(hash, 65, "%s", pct_model_get_hash(model));
    pct_model_close(&model);
    return status;
}

static percept_status prepare(struct teaching *t, percept_error *error) {
    const pct_teach_options *o = t->options;
    pct_scene_options scenes;
    pct_scene_source *source = NULL;
    PCT_TRY(pct_things_read(&t->things, o->folder, o->log, error));
    PCT_TRY(make_paths(t, error));
    if (pct_is_directory(o->out)) return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: is a folder; name a file", o->out);
    if (pct_is_device(o->out) || pct_is_device(t->sheet))
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: is a device or pipe; name a file",
                        pct_is_device(o->out) ? o->out : t->sheet);
    PCT_TRY(check_outside(t, error));
    t->steps = o->steps ? o->steps : (int64_t)(o->minutes * PCT_TEACH_STEPS_A_MINUTE + 0.5);
    if (t->steps < 1) t->steps = 1;
    PCT_TRY(check_model(o->model, t->model, error));
    PCT_TRY(pct_sha256_file(o->replay, t->replay, error));
    pct_scene_options_default(&scenes);
    scenes.pack = o->replay;
    scenes.backgrounds = t->backgrounds; /* what is wrong with those is said now, too */
    PCT_TRY(pct_scene_source_open(&source, &scenes, error));
    percept_status status = say_known(t, source, error);
    pct_scene_source_close(&source);
    if (status != PERCEPT_OK) return status;
    PCT_TRY(pct_pool_create(&t->pool, o->threads, error));
    PCT_TRY(pct_compute_create(&t->compute, t->pool, pct_cpu_flags() & o->cpu_mask, error));
    pct_compute_use_int8(t->compute); /* as the engine does: the figures are of what `ask` answers */
    PCT_TRY(teach_sheet_open(&t->tiles, t->things.count, error));
    PCT_TRY(check_output(o->out, error));
    return check_output(t->sheet, error);
}

static percept_status train(struct teaching *t, percept_error *error) {
    const pct_teach_options *o = t->options;
    pct_text text = {0};
    const char **settings = NULL;
    size_t count;
    char *newest = NULL;
    PCT_TRY(pct_checkpoint_newest(t->run, &newest, error));
    percept_status status =
        teach_recipe(o, t->run, t->cutouts, t->backgrounds, t->steps, &text, &settings, &count, error);
    if (status == PERCEPT_OK) {
        const pct_train_options options = {.settings = settings,
                                           .setting_count = count,
                                           .resume = newest != NULL,
                                           .threads = o->threads,
                                           .cpu_mask = o->cpu_mask,
                                           .command = "percept teach",
                                           .locked = true,
                                           .identity = pct_things_hash(&t->things),
                                           .log = o->log};
        pct_train_result trained;
        status = pct_train_run(&options, t->progress, t->context, &trained, error);
        t->result.steps = trained.steps;
    }
    free(newest);
    free(settings);
    pct_text_free(&text);
    return status;
}

static percept_status examine(struct teaching *t, percept_error *error) {
    pct_scene_options scenes;
    teach_examiner examiner = {.compute = t->compute,
                               .model = t->trained,
                               .pictures = t->options->pictures,
                               .progress = t->progress,
                               .context = t->context};
    teach_scenes(t->options, t->cutouts, t->backgrounds, &scenes);
    PCT_TRY(teach_examine_new(&examiner, &scenes, &t->result, &t->tiles, error));
    PCT_TRY(teach_examine_old(&examiner, t->options->replay, &t->result.after, error));
    examiner.model = t->options->model;
    return teach_examine_old(&examiner, t->options->replay, &t->result.before, error);
}

/* The model takes its name; checkpoints and staged pictures go, curves and config stay. */
static percept_status put_in_place(struct teaching *t, percept_error *error) {
    PCT_TRY(teach_sheet_write(&t->tiles, t->sheet, error));
    if (rename(t->trained, t->options->out) != 0)
        return pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot be written: %s", t->options->out, strerror(errno));
    remove(t->mark); /* first: what is left without it is nobody's unfinished run */
    pct_checkpoint_prune(t->run, 0);
    pct_things_remove(&t->things, t->cutouts);
    return PERCEPT_OK;
}

static percept_status teach(struct teaching *t, percept_error *error) {
    PCT_TRY(prepare(t, error));
    PCT_TRY(begin_run(t, error));
    PCT_TRY(see_held(t, error));
    PCT_TRY(train(t, error));
    PCT_TRY(examine(t, error));
    return put_in_place(t, error);
}

percept_status pct_teach_run(const pct_teach_options *options, percept_progress_fn *progress, void *context,
                             pct_text *json, pct_text *table, percept_error *error) {
    struct teaching t = {.options = options, .progress = progress, .context = context, .lock = -1};
    percept_status status = teach(&t, error);
    if (status == PERCEPT_ERROR_INTERRUPTED)
        pct_fail(error, status, "interrupted; give --resume to go on (%s has what was learned so far)", t.run);
    if (status == PERCEPT_OK && json) teach_report_json(&t.result, options, json);
    if (status == PERCEPT_OK && table) teach_report_table(&t.result, options, table);
    close_all(&t);
    if (status == PERCEPT_OK && ((json && json->failed) || (table && table->failed)))
        return pct_fail_memory(error, "report");
    return status;
}
