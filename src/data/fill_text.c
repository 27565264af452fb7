/* fill_text.c: one sample's turns as token ids with their regions. See fill.h. */
#include "data/fill.h"

#include "base/size.h"

#include <math.h>
#include <string.h>

/* Adds to a grid's cells the shares that pixels begin..end of one line cover; `scale` cells a pixel, `shift` pixels of
 * padding before the picture. */
static void cover_line(pct_real *cells, int32_t grid, double scale, int shift, int begin, int end) {
    double from = (begin + shift) * scale, to = (end + shift) * scale;
    int32_t first = (int32_t)pct_clamp_i64((int64_t)from, 0, grid - 1);
    int32_t last = (int32_t)pct_clamp_i64((int64_t)ceil(to - 1e-9) - 1, first, grid - 1);
    for (int32_t c = first; c <= last; c++) {
        double low = from > c ? from : c, high = to < c + 1 ? to : c + 1;
        if (high > low) cells[c] += (pct_real)(high - low);
    }
}

static bool is_object(const pct_sample *sample, int32_t object, size_t pixel) {
    const uint8_t *mask = sample->objects[object].mask;
    return mask ? mask[pixel] != 0 : sample->owner[pixel] == object + 1;
}

/* One line of the picture as shares of the grid's cells: runs of the object's pixels between x0 and x1. */
static void line_cells(const pct_sample *sample, int32_t object, int y, int x0, int x1, double scale, int shift,
                       int32_t grid, pct_real *line) {
    size_t base = (size_t)y * (size_t)sample->image.width;
    for (int x = x0; x < x1;) {
        while (x < x1 && !is_object(sample, object, base + (size_t)x)) x++;
        int begin = x;
        while (x < x1 && is_object(sample, object, base + (size_t)x)) x++;
        if (x > begin) cover_line(line, grid, scale, shift, begin, x);
    }
}

void pct_batch_mask(const pct_fit *fit, const pct_sample *sample, int32_t object, int32_t grid, pct_real *out) {
    const pct_box *box = &sample->objects[object].box;
    int width = sample->image.width, height = sample->image.height;
    int x0 = (int)pct_clamp_i64((int64_t)box->x0, 0, width), x1 = (int)pct_clamp_i64((int64_t)ceilf(box->x1), 0, width);
    int y0 = (int)pct_clamp_i64((int64_t)box->y0, 0, height);
    int y1 = (int)pct_clamp_i64((int64_t)ceilf(box->y1), 0, height);
    double across = (double)grid / fit->canvas_width, down = (double)grid / fit->canvas_height;
    pct_real line[1024]; /* the largest picture's, at one pixel a cell */
    PCT_ASSERT(grid >= 1 && grid <= (int32_t)PCT_COUNT(line));
    memset(out, 0, (size_t)grid * (size_t)grid * sizeof *out);
    for (int y = y0; y < y1; y++) {
        memset(line, 0, (size_t)grid * sizeof *line);
        line_cells(sample, object, y, x0, x1, across, fit->left, grid, line);
        double from = (y + fit->top) * down, to = (y + 1 + fit->top) * down;
        int32_t last = (int32_t)pct_clamp_i64((int64_t)ceil(to - 1e-9) - 1, 0, grid - 1);
        for (int32_t r = (int32_t)pct_clamp_i64((int64_t)from, 0, grid - 1); r <= last; r++) {
            double low = from > r ? from : r, high = to < r + 1 ? to : r + 1;
            pct_real share = (pct_real)(high > low ? high - low : 0);
            pct_real *cells = out + (size_t)r * (size_t)grid;
            for (int32_t c = 0; c < grid; c++) cells[c] += share * line[c];
        }
    }
    for (int32_t i = 0; i < grid * grid; i++) out[i] = out[i] > 1 ? 1 : out[i]; /* rounding */
}

/* Masks of one sample's objects, and what an answer tells of them in text; made when first asked for. */
typedef struct mask_cache {
    const pct_real *target[PCT_SAMPLE_MAX_OBJECTS], *in[PCT_SAMPLE_MAX_OBJECTS];
    pct_fill_told told[PCT_SAMPLE_MAX_OBJECTS];
} mask_cache;

static const pct_real *cached_mask(const pct_real **slot, const pct_fit *fit, const pct_sample *sample, int32_t object,
                                   int32_t grid, pct_arena *arena) {
    if (!*slot) {
        pct_real *mask = pct_arena_take(arena, (size_t)grid * (size_t)grid * sizeof *mask);
        if (mask) pct_batch_mask(fit, sample, object, grid, mask);
        *slot = mask;
    }
    return *slot;
}

/* The chain of turns that ends in `last`, first turn first; its length. */
static int32_t chain_of(const pct_sample *sample, int32_t last, int32_t *chain) {
    int32_t count = 0;
    for (int32_t t = last; t >= 0; t = sample->turns[t].follows) count++;
    for (int32_t t = last, i = count; t >= 0; t = sample->turns[t].follows) chain[--i] = t;
    return count;
}

static percept_status render_chain(const pct_fill_setup *setup, pct_fill_worker *worker, const pct_sample *sample,
                                   const int32_t *chain, int32_t count, percept_error *error) {
    pct_template_turn *turns = pct_arena_take(&worker->arena, (size_t)count * sizeof *turns);
    if (!turns) return pct_fail_memory(error, "batch");
    for (int32_t i = 0; i < count; i++) {
        const pct_turn *turn = &sample->turns[chain[i]];
        turns[i] = (pct_template_turn){
            .question = turn->question, .regions = turn->in_count, .answer = turn->answer, .marks = true};
    }
    return pct_template_render(&setup->template, &worker->scratch, turns, count, &worker->rendered, error);
}

/* Of an answer's region, where the structure decides it. */
static enum pct_region_source source_of(enum pct_feedback feedback) {
    if (feedback == PCT_FEEDBACK_NONE) return PCT_REGION_PLACE;
    return feedback == PCT_FEEDBACK_MASK ? PCT_REGION_MASK : PCT_REGION_BOX;
}

static percept_status fill_object(const pct_fill_setup *setup, pct_fill_worker *worker, const pct_sample *sample,
                                  const pct_fill_part *part, int32_t object, const pct_turn *turn,
                                  const pct_object_slot *slot, pct_random *random, mask_cache *cache,
                                  pct_batch_object *out, percept_error *error) {
    const pct_model_config *config = &setup->config;
    *out = (pct_batch_object){.row = slot->position, .answer = slot->answer, .source = PCT_REGION_BOX};
    bool drawn = pct_random_float(random) < setup->options.mask_share; /* always drawn: the stream keeps its place */
    if (drawn && (slot->answer || turn->task != PCT_TASK_BOX2MASK)) out->source = PCT_REGION_MASK;
    if (slot->answer && config->heads.feedback != PCT_FEEDBACK_DRAWN) out->source = source_of(config->heads.feedback);
    pct_box box = pct_fit_box_to_model(&part->fit, sample->objects[object].box);
    out->box[0] = box.x0, out->box[1] = box.y0, out->box[2] = box.x1, out->box[3] = box.y1;
    if (config->language.regions != PCT_REGIONS_TEXT) { /* else only tokens are learned */
        out->mask = cached_mask(&cache->target[object], &part->fit, sample, object, pct_model_config_mask_side(config),
                                &worker->arena);
        if (!out->mask) return pct_fail_memory(error, "mask");
    }
    if (out->source == PCT_REGION_MASK && (out->mask || !slot->answer)) {
        out->mask_in = cached_mask(&cache->in[object], &part->fit, sample, object, config->heads.mask_encoder_side,
                                   &worker->arena);
        if (!out->mask_in) return pct_fail_memory(error, "mask");
    }
    return PERCEPT_OK;
}

/* Draws the order of a phrase's regions, those whose <obj> stand one after the other: neighbours near to each other
 * from left to right change places or not (losses.any_order). */
static void draw_order(const pct_fill_setup *setup, const pct_sample *sample, const pct_rendered *rendered,
                       pct_random *random, int32_t *which) {
    const float near = setup->options.any_order * (float)sample->image.width;
    if (near <= 0 || setup->config.language.regions != PCT_REGIONS_TOKEN) return;
    for (int k = 1; k < rendered->object_count; k++) {
        const pct_object_slot *slot = &rendered->objects[k];
        if (!slot->answer || slot[-1].position != slot->position - 1) continue;
        const pct_box *a = &sample->objects[which[k - 1]].box, *b = &sample->objects[which[k]].box;
        if (fabsf(a->x0 + a->x1 - b->x0 - b->x1) / 2 >= near || pct_random_float(random) < 0.5f) continue;
        const int32_t swap = which[k];
        which[k] = which[k - 1];
        which[k - 1] = swap;
    }
}

/* The rendered chain's <obj> tokens, and which object of the sample each is: the k-th of a question is regions_in[k],
 * the k-th of an answer regions_out[k], but for draw_order. */
static percept_status fill_objects(const pct_fill_setup *setup, pct_fill_worker *worker, const pct_sample *sample,
                                   const pct_fill_part *part, const int32_t *chain, pct_random *random,
                                   mask_cache *cache, pct_fill_segment *segment, int32_t *which, percept_error *error) {
    const pct_rendered *rendered = &worker->rendered;
    int32_t in = 0, out = 0;
    for (int k = 0; k < rendered->object_count; k++) {
        const pct_object_slot *slot = &rendered->objects[k];
        const pct_turn *turn = &sample->turns[chain[slot->turn]];
        if (k == 0 || rendered->objects[k - 1].turn != slot->turn) in = out = 0;
        int32_t place = slot->answer ? out++ : in++;
        if (place >= (slot->answer ? turn->out_count : turn->in_count)) {
            return pct_fail(error, PERCEPT_ERROR_INPUT, "turn '%.60s': more <obj> in the %s than regions",
                            turn->question, slot->answer ? "answer" : "question");
        }
        int32_t object = slot->answer ? turn->regions_out[place] : turn->regions_in[place];
        if (object >= sample->object_count) {
            return pct_fail(error, PERCEPT_ERROR_INPUT, "turn '%.60s': region %d of a picture with %d objects",
                            turn->question, object, sample->object_count);
        }
        which[k] = object;
    }
    draw_order(setup, sample, rendered, random, which);
    for (int k = 0; k < rendered->object_count; k++) {
        const pct_object_slot *slot = &rendered->objects[k];
        PCT_TRY(fill_object(setup, worker, sample, part, which[k], &sample->turns[chain[slot->turn]], slot, random,
                            cache, &segment->objects[k], error));
    }
    return PERCEPT_OK;
}

static percept_status pack_chain(const pct_fill_setup *setup, pct_fill_worker *worker, const pct_sample *sample,
                                 int32_t last, pct_random *random, mask_cache *cache, pct_fill_part *part,
                                 percept_error *error) {
    int32_t *chain = pct_arena_take(&worker->arena, (size_t)sample->turn_count * sizeof *chain);
    if (!chain) return pct_fail_memory(error, "batch");
    const int32_t count = chain_of(sample, last, chain);
    PCT_TRY(render_chain(setup, worker, sample, chain, count, error));
    const pct_rendered *rendered = &worker->rendered;
    const bool told = setup->config.language.regions != PCT_REGIONS_TOKEN;
    int32_t rows = (int32_t)rendered->ids.count;
    const int64_t room = (int64_t)setup->config.language.context - pct_model_config_image_tokens(&setup->config) - 1;
    pct_fill_segment *segment = &part->segments[part->segment_count];
    if (rows <= room) {
        const size_t most = (size_t)rows + (told ? (size_t)rendered->object_count * PCT_SPELLED_MOST : 0);
        *segment = (pct_fill_segment){.count = rows, .object_count = rendered->object_count};
        segment->ids = pct_arena_take(&worker->arena, most * sizeof *segment->ids);
        segment->target = pct_arena_take(&worker->arena, most);
        segment->objects =
            pct_arena_take_zeroed(&worker->arena, (size_t)segment->object_count, sizeof *segment->objects);
        int32_t *which = pct_arena_take(&worker->arena, ((size_t)segment->object_count + 1) * sizeof *which);
        if (!segment->ids || !segment->target || !segment->objects || !which) return pct_fail_memory(error, "batch");
        memcpy(segment->ids, rendered->ids.data, (size_t)rows * sizeof *segment->ids);
        memcpy(segment->target, rendered->target, (size_t)rows);
        PCT_TRY(fill_objects(setup, worker, sample, part, chain, random, cache, segment, which, error));
        if (told) PCT_TRY(pct_fill_regions(setup, worker, sample, &part->fit, which, cache->told, segment, error));
        rows = segment->count;
    }
    if (rows > room) {
        part->dropped++;
        return PERCEPT_OK;
    }
    part->segment_count++;
    part->rows += rows;
    part->objects += segment->object_count;
    return PERCEPT_OK;
}

void pct_fill_text(const pct_fill_setup *setup, pct_fill_worker *worker, const pct_sample *sample, pct_random *random,
                   pct_fill_part *part) {
    mask_cache *cache = pct_arena_take_zeroed(&worker->arena, 1, sizeof *cache);
    bool *followed = pct_arena_take_zeroed(&worker->arena, (size_t)sample->turn_count + 1, sizeof *followed);
    part->segments = pct_arena_take(&worker->arena, ((size_t)sample->turn_count + 1) * sizeof *part->segments);
    if (!cache || !followed || !part->segments) {
        part->status = pct_fail_memory(&part->error, "batch");
        return;
    }
    for (int32_t t = 0; t < sample->turn_count; t++) {
        if (sample->turns[t].follows >= t) {
            part->status = pct_fail(&part->error, PERCEPT_ERROR_INPUT,
                                    "turn %d follows turn %d, which is not before it", t, sample->turns[t].follows);
            return;
        }
        if (sample->turns[t].follows >= 0) followed[sample->turns[t].follows] = true;
    }
    for (int32_t t = 0; t < sample->turn_count && part->status == PERCEPT_OK; t++) {
        if (!followed[t]) part->status = pack_chain(setup, worker, sample, t, random, cache, part, &part->error);
    }
}
