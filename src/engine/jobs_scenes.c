/* jobs_scenes.c: packs of cut-outs, and data set folders of composed scenes. */
#include "base/file.h"
#include "base/progress.h"
#include "data/assets.h"
#include "data/dataset.h"
#include "engine/options.h"
#include "percept/jobs.h"

#include <stdlib.h>

void percept_prepare_options_init(percept_prepare_options *options) {
    *options = (percept_prepare_options){.size = sizeof *options};
}

static void forward_log(void *context, enum pct_log_level level, const char *message) {
    const percept_prepare_options *options = context;
    options->log(options->log_context, (percept_log_level)level, message);
}

percept_status percept_scenes_prepare(const percept_prepare_options *given, percept_progress_fn *progress,
                                      void *context, percept_error *error) {
    percept_prepare_options options;
    percept_prepare_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_prepare_options", error));
    if (!options.assets || !options.lists) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s is not given", options.assets ? "lists" : "assets");
    }
    pct_pool *pool = NULL;
    PCT_TRY(pct_pool_create(&pool, options.threads, error));
    pct_log log = {options.log ? forward_log : NULL, &options};
    pct_assets_options inner = {.folder = options.assets, .lists = options.lists, .output = options.pack};
    pct_assets_summary summary = {0};
    percept_status status = pct_assets_prepare(&inner, pool, progress, context, &log, &summary, error);
    pct_pool_destroy(&pool);
    if (status != PERCEPT_OK) return status;
    pct_log_write(&log, PCT_LOG_INFO, "%d names, %d cut-outs, %d backgrounds in %d groups; %d pictures unreadable",
                  summary.names, summary.cutouts, summary.backgrounds, summary.groups, summary.unreadable);
    return PERCEPT_OK;
}

/* ---- data set folders ----------------------------------------------------------------------------------------------
 */

enum { batch_size = 16 }; /* scenes composed at a time; they are written in order */

void percept_scenes_options_init(percept_scenes_options *options) {
    *options = (percept_scenes_options){.size = sizeof *options,
                                        .split = "training",
                                        .count = 100,
                                        .width = 320,
                                        .height = 320,
                                        .questions = 6,
                                        .objects_min = 1,
                                        .objects_max = 8};
}

/* One run. */
typedef struct composing {
    const percept_scenes_options *options;
    pct_scene_request request;
    enum pct_split split;
    pct_scene_source *source;
    pct_dataset_writer *writer;
    pct_pool *pool;
    int64_t first; /* index of the batch's first scene */
    pct_arena arenas[batch_size];
    pct_sample samples[batch_size];
    percept_status status[batch_size];
    percept_error errors[batch_size];
} composing;

static void compose_part(void *context, int64_t begin, int64_t end, int worker) {
    composing *c = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        pct_arena_reset(&c->arenas[i]);
        c->status[i] = pct_scene_compose(c->source, c->split, c->options->seed, (uint64_t)(c->first + i), &c->request,
                                         &c->arenas[i], &c->samples[i], &c->errors[i]);
    }
}

static percept_status write_batch(composing *c, int64_t count, percept_error *error) {
    pct_parallel_for(c->pool, count, 1, compose_part, c);
    for (int64_t i = 0; i < count; i++) {
        if (c->status[i] != PERCEPT_OK) {
            if (error) *error = c->errors[i];
            return c->status[i];
        }
        PCT_TRY(pct_dataset_writer_add(c->writer, &c->samples[i], error));
    }
    return PERCEPT_OK;
}

static percept_status write_all(composing *c, percept_progress_fn *progress, void *context, percept_error *error) {
    pct_meter meter;
    int64_t total = c->options->count;
    pct_meter_start(&meter, progress, context, "scenes", "picture", 0, total);
    for (c->first = 0; c->first < total;) {
        int64_t count = total - c->first < batch_size ? total - c->first : batch_size;
        PCT_TRY(write_batch(c, count, error));
        c->first += count;
        if (pct_meter_update(&meter, c->first, NULL)) {
            return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted after %lld of %lld pictures",
                            (long long)c->first, (long long)total);
        }
    }
    return pct_dataset_writer_finish(&c->writer, error);
}

static percept_status check_scenes(const percept_scenes_options *o, enum pct_split *split, percept_error *error) {
    if (!o->out) return pct_fail(error, PERCEPT_ERROR_USAGE, "out: no folder is given");
    if (!o->split || !pct_split_from_text(o->split, split)) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "split: \"%.40s\" is not one of training, calibration, "
                        "arrangements, cutouts",
                        o->split ? o->split : "");
    }
    if (o->count < 1 || o->count > 10000000) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "count: %lld is out of range; give 1 to 10000000",
                        (long long)o->count);
    }
    if (o->threads < 0 || o->threads > 512) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "threads: %d is out of range; give 1 to 512, or 0 for all "
                        "processors",
                        o->threads);
    }
    if (!pct_file_exists(o->out)) return PERCEPT_OK;
    char **names = NULL;
    size_t count = 0;
    PCT_TRY(pct_directory_list(o->out, &names, &count, error));
    free(names);
    if (count == 0) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: the folder is not empty; name another or empty it", o->out);
}

static percept_status open_and_write(composing *c, percept_progress_fn *progress, void *context, percept_error *error) {
    const percept_scenes_options *o = c->options;
    pct_scene_options scenes;
    pct_scene_options_default(&scenes);
    scenes.pack = o->pack || o->cutouts ? o->pack : "assets/scenes.pack";
    scenes.cutouts = o->cutouts;
    scenes.backgrounds = o->backgrounds;
    PCT_TRY(pct_pool_create(&c->pool, o->threads, error));
    PCT_TRY(pct_scene_source_open(&c->source, &scenes, error));
    PCT_TRY(pct_dataset_writer_open(&c->writer, o->out, 0, c->source, error));
    return write_all(c, progress, context, error);
}

percept_status percept_scenes_run(const percept_scenes_options *given, percept_progress_fn *progress, void *context,
                                  percept_error *error) {
    percept_scenes_options options;
    percept_scenes_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_scenes_options", error));
    composing *c = calloc(1, sizeof *c);
    if (!c) return pct_fail_memory(error, "scenes");
    c->options = &options;
    c->request = (pct_scene_request){.width = options.width,
                                     .height = options.height,
                                     .questions = options.questions,
                                     .objects_min = options.objects_min,
                                     .objects_max = options.objects_max};
    for (int i = 0; i < batch_size; i++) pct_arena_init(&c->arenas[i], 0);
    percept_status status = check_scenes(&options, &c->split, error);
    if (status == PERCEPT_OK) status = open_and_write(c, progress, context, error);
    pct_dataset_writer_abort(&c->writer);
    pct_scene_source_close(&c->source);
    pct_pool_destroy(&c->pool);
    for (int i = 0; i < batch_size; i++) pct_arena_free(&c->arenas[i]);
    free(c);
    return status;
}
