/* assets.c: decodes what was collected and writes the pack. See assets.h. */
#include "base/file.h"
#include "base/progress.h"
#include "base/size.h"
#include "data/assets_private.h"
#include "data/backgrounds.h"
#include "data/cutouts.h"
#include "data/pack.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 32 /* pictures decoded at once */

struct preparing {
    const pct_assets_options *options;
    pct_pool *pool;
    pct_pack_writer *writer;
    pct_meter meter;
    pct_assets_summary *summary;
    const pct_log *log;
    const char **names; /* sorted, unique; borrowed from the assets */
    int32_t name_count;
    int64_t done;
};

/* ---- names ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static percept_status unique_names(struct preparing *in, const struct asset_list *list, percept_error *error) {
    in->names = malloc(list->count * sizeof *in->names);
    if (!in->names) return pct_fail_memory(error, "names");
    for (size_t i = 0; i < list->count; i++) in->names[i] = list->items[i].name;
    qsort(in->names, list->count, sizeof *in->names, by_text);
    for (size_t i = 0; i < list->count; i++)
        if (!i || strcmp(in->names[i], in->names[in->name_count - 1])) in->names[in->name_count++] = in->names[i];
    return PERCEPT_OK;
}

static int32_t name_index(const struct preparing *in, const char *name) {
    const char **found = bsearch(&name, in->names, (size_t)in->name_count, sizeof *in->names, by_text);
    PCT_ASSERT(found);
    return (int32_t)(found - in->names);
}

static percept_status write_names(struct preparing *in, const pct_name_rules *rules, percept_error *error) {
    for (int32_t i = 0; i < in->name_count; i++) {
        char plural[PCT_NAME_MAX_BYTES + 8];
        pct_name_plural(rules, in->names[i], plural, sizeof plural);
        pct_pack_name name = {in->names[i], plural, pct_name_number(rules, in->names[i]),
                              pct_name_article(rules, in->names[i])};
        PCT_TRY(pct_pack_writer_name(in->writer, &name, error));
    }
    for (int32_t a = 0; a < in->name_count; a++)
        for (int32_t b = a + 1; b < in->name_count; b++) {
            unsigned relation = pct_names_related_by_words(in->names[a], in->names[b]) |
                                pct_names_related_by_rules(rules, in->names[a], in->names[b]);
            if (!relation) continue;
            PCT_TRY(pct_pack_writer_relation(in->writer, &(pct_pack_relation){a, b, relation}, error));
        }
    return PERCEPT_OK;
}

/* ---- cut-outs ---- */

struct batch {
    const struct asset *items;
    pct_pack_cutout results[BATCH]; /* levels 0: could not be used */
    int side;
};

static void decode_batch(void *context, int64_t begin, int64_t end, int worker) {
    struct batch *batch = context;
    for (int64_t i = begin; i < end; i++) {
        const struct asset *asset = &batch->items[i];
        pct_pack_cutout *out = &batch->results[i];
        pct_image image = {0};
        *out = (pct_pack_cutout){.label = asset->label, .style = asset->style};
        if (pct_cutout_read(&image, asset->path, batch->side, asset->style == PCT_STYLE_PHOTO, NULL) != PERCEPT_OK)
            continue;
        pct_image_hashes(&image, &out->hash, &out->mirrored);
        if (pct_sprite_make(&out->sprite, &image, NULL) != PERCEPT_OK) out->sprite.levels = 0;
        pct_image_free(&image);
    }
}

static percept_status write_batch(struct preparing *in, struct batch *batch, size_t count, percept_error *error) {
    percept_status status = PERCEPT_OK;
    for (size_t i = 0; i < count; i++) {
        pct_pack_cutout *cutout = &batch->results[i];
        if (cutout->sprite.levels == 0) {
            in->summary->unreadable++;
            pct_log_write(in->log, PCT_LOG_INFO, "left out: %s", batch->items[i].path);
            continue;
        }
        cutout->name = name_index(in, batch->items[i].name);
        if (status == PERCEPT_OK) status = pct_pack_writer_cutout(in->writer, cutout, error);
        in->summary->cutouts++;
        in->summary->styles[cutout->style]++;
        pct_sprite_free(&cutout->sprite);
    }
    return status;
}

static percept_status interrupted(percept_error *error) {
    return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "stopped while preparing the assets; nothing was written");
}

static percept_status write_cutouts(struct preparing *in, const struct asset_list *list, percept_error *error) {
    struct batch *batch = malloc(sizeof *batch);
    if (!batch) return pct_fail_memory(error, "pictures");
    percept_status status = PERCEPT_OK;
    batch->side = in->options->cutout_side ? in->options->cutout_side : 160;
    for (size_t first = 0; first < list->count && status == PERCEPT_OK; first += BATCH) {
        size_t count = list->count - first < BATCH ? list->count - first : BATCH;
        batch->items = list->items + first;
        pct_parallel_for(in->pool, (int64_t)count, 1, decode_batch, batch);
        status = write_batch(in, batch, count, error);
        in->done += (int64_t)count;
        if (pct_meter_update(&in->meter, in->done, NULL) && status == PERCEPT_OK) status = interrupted(error);
    }
    free(batch);
    return status;
}

/* ---- backgrounds ---- */

struct loaded {
    pct_image image; /* data NULL: could not be used */
    uint64_t hash;
    int mean[3];
    size_t first; /* index of the first background of the group that it was joined to */
};

static void take_mean(struct loaded *loaded) {
    int64_t sum[3] = {0, 0, 0}, pixels = (int64_t)loaded->image.width * loaded->image.height;
    for (int64_t i = 0; i < pixels * 3; i++) sum[i % 3] += loaded->image.data[i];
    for (int c = 0; c < 3; c++) loaded->mean[c] = (int)(sum[c] / pixels);
}

static percept_status load_backgrounds(struct preparing *in, const struct background_list *list, struct loaded *loaded,
                                       percept_error *error) {
    int side = in->options->background_side ? in->options->background_side : 640;
    for (size_t i = 0; i < list->count; i++) {
        uint64_t mirrored;
        loaded[i].first = i;
        if (pct_background_read(&loaded[i].image, list->items[i].path, side, NULL) == PERCEPT_OK) {
            pct_image_hashes(&loaded[i].image, &loaded[i].hash, &mirrored);
            take_mean(&loaded[i]);
        } else {
            in->summary->unreadable++;
            pct_log_write(in->log, PCT_LOG_INFO, "left out: %s", list->items[i].path);
        }
        if (pct_meter_update(&in->meter, ++in->done, NULL)) return interrupted(error);
    }
    return PERCEPT_OK;
}

/* Backgrounds of one line, and those whose hashes differ in at most SAME_BITS, get the same `first`. */
#define SAME_BITS 3
static int32_t join_groups(const struct background_list *list, struct loaded *loaded) {
    int32_t groups = 0;
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < i; k++) {
            bool same = list->items[i].group == list->items[k].group ||
                        __builtin_popcountll(loaded[i].hash ^ loaded[k].hash) <= SAME_BITS;
            size_t from = loaded[i].first, to = loaded[k].first;
            if (!same || from == to) continue;
            if (from < to) {
                size_t swap = from;
                from = to;
                to = swap;
            }
            for (size_t j = 0; j <= i; j++)
                if (loaded[j].first == from) loaded[j].first = to;
        }
    for (size_t i = 0; i < list->count; i++) groups += loaded[i].first == i;
    return groups;
}

/* The same picture at another resolution: alike in structure, shape and mean colour. Day and night differ in colour. */
static bool repeats_earlier(const struct loaded *loaded, size_t index) {
    const struct loaded *one = &loaded[index];
    for (size_t k = 0; k < index; k++) {
        const struct loaded *other = &loaded[k];
        if (!other->image.data || other->first != one->first || __builtin_popcountll(one->hash ^ other->hash) > 6)
            continue;
        int difference = 0;
        for (int c = 0; c < 3; c++) difference += abs(one->mean[c] - other->mean[c]);
        int64_t aspect =
            (int64_t)one->image.width * other->image.height - (int64_t)other->image.width * one->image.height;
        if (difference <= 12 && llabs(aspect) * 4 < (int64_t)one->image.width * other->image.height) return true;
    }
    return false;
}

static percept_status write_loaded(struct preparing *in, const struct background_list *list,
                                   const struct loaded *loaded, const pct_name_rules *rules, int32_t *shows,
                                   percept_error *error) {
    for (size_t i = 0; i < list->count; i++) {
        if (!loaded[i].image.data || repeats_earlier(loaded, i)) continue;
        pct_pack_background background = {.label = list->items[i].label,
                                          .group = list->items[loaded[i].first].group,
                                          .image = loaded[i].image,
                                          .shows = shows};
        background.shows_count = pct_background_names(list->items[i].shows, in->names, in->name_count, rules, shows);
        PCT_TRY(pct_pack_writer_background(in->writer, &background, error));
        in->summary->backgrounds++;
    }
    return PERCEPT_OK;
}

static percept_status write_backgrounds(struct preparing *in, const struct background_list *list,
                                        const pct_name_rules *rules, percept_error *error) {
    int32_t *shows = malloc((size_t)(in->name_count + 1) * sizeof *shows);
    struct loaded *loaded = calloc(list->count + 1, sizeof *loaded);
    percept_status status = shows && loaded ? PERCEPT_OK : pct_fail_memory(error, "backgrounds");
    if (status == PERCEPT_OK) status = load_backgrounds(in, list, loaded, error);
    if (status == PERCEPT_OK) {
        in->summary->groups = join_groups(list, loaded);
        status = write_loaded(in, list, loaded, rules, shows, error);
    }
    for (size_t i = 0; loaded && i < list->count; i++) pct_image_free(&loaded[i].image);
    free(loaded);
    free(shows);
    return status;
}

static percept_status prepare(struct preparing *in, const struct asset_list *assets,
                              const struct background_list *backgrounds, const pct_name_rules *rules,
                              percept_error *error) {
    char *beside = NULL;
    const char *output = in->options->output;
    if (!output) {
        output = beside = pct_path_join(in->options->folder, PCT_ASSETS_PACK_NAME);
        if (!output) return pct_fail_memory(error, "paths");
    }
    percept_status status = pct_pack_writer_open(&in->writer, output, error);
    free(beside);
    PCT_TRY(status);
    status = write_names(in, rules, error);
    if (status == PERCEPT_OK) status = write_cutouts(in, assets, error);
    if (status == PERCEPT_OK) status = write_backgrounds(in, backgrounds, rules, error);
    if (status == PERCEPT_OK) return pct_pack_writer_finish(&in->writer, error);
    pct_pack_writer_abort(&in->writer);
    return status;
}

percept_status pct_assets_prepare(const pct_assets_options *options, pct_pool *pool, percept_progress_fn *progress,
                                  void *context, const pct_log *log, pct_assets_summary *summary,
                                  percept_error *error) {
    pct_assets_summary own;
    struct preparing in = {.options = options, .pool = pool, .summary = summary ? summary : &own, .log = log};
    struct asset_list assets = {0};
    struct background_list backgrounds = {0};
    pct_name_rules *rules = NULL;
    *in.summary = (pct_assets_summary){0};
    char *names = pct_path_join(options->lists, "names.list");
    char *shown = pct_path_join(options->lists, PCT_BACKGROUNDS_LIST);
    percept_status status = names && shown ? PERCEPT_OK : pct_fail_memory(error, "paths");
    if (status == PERCEPT_OK) status = pct_name_rules_read(&rules, names, error);
    if (status == PERCEPT_OK) status = pct_assets_collect(&assets, options->folder, rules, log, error);
    if (status == PERCEPT_OK) status = pct_backgrounds_collect(&backgrounds, options->folder, shown, log, error);
    if (status == PERCEPT_OK) status = unique_names(&in, &assets, error);
    if (status == PERCEPT_OK) {
        in.summary->names = in.name_count;
        in.summary->captions = assets.captions;
        pct_meter_start(&in.meter, progress, context, "prepare", "picture", 0,
                        (int64_t)(assets.count + backgrounds.count));
        status = prepare(&in, &assets, &backgrounds, rules, error);
    }
    free(names);
    free(shown);
    free(in.names);
    pct_name_rules_free(&rules);
    pct_asset_list_free(&assets);
    pct_background_list_free(&backgrounds);
    return status;
}
