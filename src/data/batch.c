/* batch.c: samples in parallel, then one after the other into place. See batch.h. */
#include "data/batch.h"

#include "base/size.h"
#include "data/fill.h"

#include <stdlib.h>
#include <string.h>

#define STREAM_REGIONS 0x72656731u /* keys of the random numbers drawn here */
#define STREAM_NAMES   0x6e616d31u

struct pct_batcher {
    pct_fill_setup setup;
    pct_fill_names names;
    pct_pool *pool; /* borrowed */
    pct_fill_worker *workers;
    int worker_count;
    int64_t dropped;
};

void pct_batcher_options_default(pct_batcher_options *options) {
    *options = (pct_batcher_options){.names = 192, .object_weight = 1, .mask_share = 0.5f};
}

percept_status pct_batcher_create(pct_batcher **out, const pct_model_config *config, const pct_tokenizer *tokenizer,
                                  const pct_batcher_options *options, const char *const *names, int32_t name_count,
                                  pct_pool *pool, percept_error *error) {
    *out = NULL;
    if (options->names < 0 || options->names > 4096 || !(options->object_weight > 0) || !(options->mask_share >= 0) ||
        options->mask_share > 1 || !(options->any_order >= 0)) {
        return pct_fail(
            error, PERCEPT_ERROR_USAGE,
            "batch: names in 0..4096, object weight above 0, mask share in 0..1 and no negative distance of "
            "any_order are wanted");
    }
    pct_batcher *batcher = calloc(1, sizeof *batcher);
    if (!batcher) return pct_fail_memory(error, "batches");
    batcher->setup.config = *config;
    batcher->setup.options = *options;
    batcher->pool = pool;
    batcher->worker_count = pct_pool_threads(pool);
    batcher->workers = calloc((size_t)batcher->worker_count, sizeof *batcher->workers);
    percept_status status = batcher->workers ? PERCEPT_OK : pct_fail_memory(error, "batches");
    for (int i = 0; status == PERCEPT_OK && i < batcher->worker_count; i++) {
        pct_arena_init(&batcher->workers[i].arena, 0);
    }
    if (status == PERCEPT_OK) status = pct_template_init(&batcher->setup.template, "percept", tokenizer, error);
    if (status == PERCEPT_OK) status = pct_spelling_init(&batcher->setup.spelling, config, tokenizer, error);
    if (status == PERCEPT_OK) {
        status = pct_fill_names_create(&batcher->names, tokenizer, names, name_count, options->names, error);
    }
    if (status != PERCEPT_OK) {
        pct_batcher_destroy(&batcher);
        return status;
    }
    *out = batcher;
    return PERCEPT_OK;
}

void pct_batcher_destroy(pct_batcher **batcher) {
    if (!*batcher) return;
    for (int i = 0; (*batcher)->workers && i < (*batcher)->worker_count; i++) {
        pct_arena_free(&(*batcher)->workers[i].arena);
        pct_token_scratch_free(&(*batcher)->workers[i].scratch);
        pct_rendered_free(&(*batcher)->workers[i].rendered);
    }
    free((*batcher)->workers);
    pct_spelling_free(&(*batcher)->setup.spelling);
    pct_fill_names_free(&(*batcher)->names);
    free(*batcher);
    *batcher = NULL;
}

int64_t pct_batcher_dropped(const pct_batcher *batcher) { return batcher->dropped; }

percept_status pct_batch_pixels(const pct_model_config *config, const pct_fit *fit, const pct_image *image,
                                pct_real *out, percept_error *error) {
    int32_t side = config->image.side;
    if (image->width != side || image->height != side || image->channels != 3) {
        return pct_fit_normalise(fit, image, config->image.mean, config->image.deviation, out, NULL, error);
    }
    float table[3][256];
    for (int c = 0; c < 3; c++) {
        for (int v = 0; v < 256; v++) {
            table[c][v] = ((float)v / 255.0f - config->image.mean[c]) / config->image.deviation[c];
        }
    }
    size_t pixels = (size_t)side * (size_t)side;
    for (size_t i = 0; i < pixels; i++) {
        for (size_t c = 0; c < 3; c++) out[3 * i + c] = table[c][image->data[3 * i + c]];
    }
    return PERCEPT_OK;
}

/* One call's work, shared by the threads. */
struct job {
    pct_batcher *batcher;
    const pct_sample *samples;
    uint64_t seed, index;
    pct_fill_part *parts;
    pct_real *pixels;
    int32_t *owners;
    pct_real *cell_boxes, *presence, *weights;
};

static void pack_samples(void *context, int64_t begin, int64_t end, int worker) {
    struct job *job = context;
    const pct_model_config *config = &job->batcher->setup.config;
    size_t picture = (size_t)config->image.side * (size_t)config->image.side * 3;
    for (int64_t i = begin; i < end; i++) {
        pct_fill_part *part = &job->parts[i];
        const pct_sample *sample = &job->samples[i];
        part->status = pct_fit_make(&part->fit, config->image.fit, config->image.side, sample->image.width,
                                    sample->image.height, &part->error);
        if (part->status != PERCEPT_OK) continue;
        part->status =
            pct_batch_pixels(config, &part->fit, &sample->image, job->pixels + (size_t)i * picture, &part->error);
        if (part->status != PERCEPT_OK) continue;
        pct_random random;
        pct_random_init(&random, job->seed ^ STREAM_REGIONS, job->index, (uint64_t)i);
        pct_fill_text(&job->batcher->setup, &job->batcher->workers[worker], sample, &random, part);
    }
}

static void pack_dense(void *context, int64_t begin, int64_t end, int worker) {
    struct job *job = context;
    const pct_fill_names *names = &job->batcher->names;
    int32_t grid = pct_model_config_grid(&job->batcher->setup.config);
    size_t cells = (size_t)grid * (size_t)grid, list = (size_t)names->chosen_count;
    pct_arena *arena = &job->batcher->workers[worker].arena;
    for (int64_t i = begin; i < end; i++) {
        const pct_sample *sample = &job->samples[i];
        pct_arena_mark mark = pct_arena_save(arena);
        uint32_t *counts = pct_arena_take(arena, cells * ((size_t)sample->object_count + 1) * sizeof *counts);
        if (counts) {
            pct_fill_owners(names, &job->parts[i].fit, sample, grid, job->owners + (size_t)i * cells,
                            job->cell_boxes + (size_t)i * cells * 4, counts);
            pct_fill_presence(names, sample, job->presence + (size_t)i * list, job->weights + (size_t)i * list);
        } else {
            job->parts[i].status = pct_fail_memory(&job->parts[i].error, "batch");
        }
        pct_arena_release(arena, mark);
    }
}

static percept_status first_failure(const pct_fill_part *parts, const pct_sample *samples, int32_t count,
                                    percept_error *error) {
    for (int32_t i = 0; i < count; i++) {
        if (parts[i].status == PERCEPT_OK) continue;
        if (error) *error = parts[i].error;
        if (samples[i].file) {
            pct_error_prefix(error, "%s", samples[i].file);
        } else {
            pct_error_prefix(error, "sample %llu", (unsigned long long)samples[i].index);
        }
        return parts[i].status;
    }
    return PERCEPT_OK;
}

/* Where the parts go in the batch. */
struct place {
    int32_t *ids, *targets;
    pct_real *weights;
    pct_batch_segment *segments;
    pct_batch_object *objects;
};

static void place_segment(const struct job *job, const pct_fill_segment *segment, int32_t picture,
                          const struct place *place, pct_batch *batch) {
    int32_t row = batch->rows, object = job->batcher->setup.template.object;
    memcpy(place->ids + row, segment->ids, (size_t)segment->count * sizeof *place->ids);
    for (int32_t r = 0; r < segment->count; r++) {
        bool learned = r + 1 < segment->count && segment->target[r + 1];
        int32_t next = learned ? segment->ids[r + 1] : -1;
        place->targets[row + r] = next;
        place->weights[row + r] = learned && next == object ? job->batcher->setup.options.object_weight : 1;
    }
    for (int32_t k = 0; k < segment->object_count; k++) {
        pct_batch_object *to = &place->objects[batch->object_count++];
        *to = segment->objects[k];
        to->row += row;
        to->picture = picture;
    }
    place->segments[batch->segment_count++] =
        (pct_batch_segment){.picture = picture, .row = row, .count = segment->count};
    batch->rows += segment->count;
}

static percept_status place_parts(const struct job *job, int32_t count, pct_arena *arena, pct_batch *batch,
                                  percept_error *error) {
    size_t rows = 0, segments = 0, objects = 0;
    for (int32_t i = 0; i < count; i++) {
        rows += (size_t)job->parts[i].rows;
        segments += (size_t)job->parts[i].segment_count;
        objects += (size_t)job->parts[i].objects;
        job->batcher->dropped += job->parts[i].dropped;
    }
    struct place place = {
        .ids = pct_arena_take(arena, rows * sizeof *place.ids),
        .targets = pct_arena_take(arena, rows * sizeof *place.targets),
        .weights = pct_arena_take(arena, rows * sizeof *place.weights),
        .segments = pct_arena_take(arena, segments * sizeof *place.segments),
        .objects = pct_arena_take(arena, objects * sizeof *place.objects),
    };
    if (!place.ids || !place.targets || !place.weights || !place.segments || !place.objects) {
        return pct_fail_memory(error, "batch");
    }
    for (int32_t i = 0; i < count; i++) {
        for (int32_t s = 0; s < job->parts[i].segment_count; s++) {
            place_segment(job, &job->parts[i].segments[s], i, &place, batch);
        }
    }
    batch->ids = place.ids;
    batch->targets = place.targets;
    batch->weights = place.weights;
    batch->segments = place.segments;
    batch->objects = place.objects;
    return PERCEPT_OK;
}

/* The list of names with its tokens, owners and presence. */
static percept_status place_names(struct job *job, int32_t count, pct_arena *arena, pct_batch *batch,
                                  percept_error *error) {
    pct_batcher *batcher = job->batcher;
    pct_fill_names *names = &batcher->names;
    if (batcher->setup.options.names == 0 || names->count == 0) return PERCEPT_OK;
    pct_random random;
    pct_random_init(&random, job->seed ^ STREAM_NAMES, job->index, 0);
    pct_fill_names_choose(names, job->samples, count, batcher->setup.options.names, &random);
    size_t grid = (size_t)pct_model_config_grid(&batcher->setup.config), list = (size_t)names->chosen_count, tokens = 0;
    for (size_t i = 0; i < list; i++) {
        tokens += (size_t)(names->offset[names->chosen[i] + 1] - names->offset[names->chosen[i]]);
    }
    int32_t *ids = pct_arena_take(arena, tokens * sizeof *ids);
    int32_t *offsets = pct_arena_take(arena, (list + 1) * sizeof *offsets);
    job->owners = pct_arena_take(arena, (size_t)count * grid * grid * sizeof *job->owners);
    job->cell_boxes = pct_arena_take(arena, (size_t)count * grid * grid * 4 * sizeof *job->cell_boxes);
    job->presence = pct_arena_take(arena, (size_t)count * list * sizeof *job->presence);
    job->weights = pct_arena_take(arena, (size_t)count * list * sizeof *job->weights);
    if (!ids || !offsets || !job->owners || !job->cell_boxes || !job->presence || !job->weights)
        return pct_fail_memory(error, "batch");
    offsets[0] = 0;
    for (size_t i = 0; i < list; i++) {
        int32_t from = names->offset[names->chosen[i]], length = names->offset[names->chosen[i] + 1] - from;
        memcpy(ids + offsets[i], names->ids + from, (size_t)length * sizeof *ids);
        offsets[i + 1] = offsets[i] + length;
    }
    pct_parallel_for(batcher->pool, count, 1, pack_dense, job);
    batch->name_count = names->chosen_count;
    batch->name_ids = ids;
    batch->name_offsets = offsets;
    batch->owners = job->owners;
    batch->cell_boxes = job->cell_boxes;
    batch->presence = job->presence;
    batch->presence_weights = job->weights;
    return first_failure(job->parts, job->samples, count, error);
}

percept_status pct_batcher_make(pct_batcher *batcher, const pct_sample *samples, int32_t count, uint64_t seed,
                                uint64_t index, pct_arena *arena, pct_batch *batch, percept_error *error) {
    size_t side = (size_t)batcher->setup.config.image.side;
    struct job job = {.batcher = batcher, .samples = samples, .seed = seed, .index = index};
    *batch = (pct_batch){.pictures = count};
    for (int i = 0; i < batcher->worker_count; i++) pct_arena_reset(&batcher->workers[i].arena);
    job.parts = pct_arena_take_zeroed(arena, (size_t)count, sizeof *job.parts);
    job.pixels = pct_arena_take(arena, (size_t)count * side * side * 3 * sizeof *job.pixels);
    if (!job.parts || !job.pixels) return pct_fail_memory(error, "batch");
    pct_parallel_for(batcher->pool, count, 1, pack_samples, &job);
    PCT_TRY(first_failure(job.parts, samples, count, error));
    batch->pixels = job.pixels;
    PCT_TRY(place_parts(&job, count, arena, batch, error));
    return place_names(&job, count, arena, batch, error);
}
