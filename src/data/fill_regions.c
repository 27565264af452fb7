/* fill_regions.c: a segment's regions as text in place of, or beside, their <obj>. See fill.h. */
#include "base/size.h"
#include "data/fill.h"

#include <math.h>
#include <string.h>

/* The pixels of an object that are seen, cut out at its box; false when memory is out. */
static bool cut_out(const pct_sample *sample, int32_t object, pct_arena *arena, pct_mask *mask, pct_box *cut) {
    const pct_object *o = &sample->objects[object];
    const int width = sample->image.width, height = sample->image.height;
    const int x0 = (int)pct_clamp_i64((int64_t)o->box.x0, 0, width - 1);
    const int y0 = (int)pct_clamp_i64((int64_t)o->box.y0, 0, height - 1);
    const int x1 = (int)pct_clamp_i64((int64_t)ceilf(o->box.x1), x0 + 1, width);
    const int y1 = (int)pct_clamp_i64((int64_t)ceilf(o->box.y1), y0 + 1, height);
    *cut = (pct_box){(float)x0, (float)y0, (float)x1, (float)y1};
    *mask = (pct_mask){.width = x1 - x0, .height = y1 - y0};
    mask->data = pct_arena_take(arena, pct_mask_bytes(mask));
    if (!mask->data) return false;
    for (int y = y0; y < y1; y++) {
        unsigned char *row = pct_mask_row(mask, y - y0);
        const size_t base = (size_t)y * (size_t)width;
        for (int x = x0; x < x1; x++) {
            const size_t pixel = base + (size_t)x;
            row[x - x0] = o->mask ? o->mask[pixel] != 0 : sample->owner[pixel] == object + 1;
        }
    }
    return true;
}

/* What an answer tells of an object; once for each sample. */
static percept_status tell_answer(const pct_fill_setup *setup, pct_fill_worker *worker, const pct_sample *sample,
                                  const pct_fit *fit, int32_t object, pct_fill_told *told, percept_error *error) {
    if (told->ids) return PERCEPT_OK;
    pct_mask mask;
    pct_box cut;
    int32_t ids[PCT_SPELLED_MOST];
    pct_arena_mark mark = pct_arena_save(&worker->arena);
    if (!cut_out(sample, object, &worker->arena, &mask, &cut)) return pct_fail_memory(error, "mask");
    const pct_box box = pct_fit_box_to_model(fit, sample->objects[object].box);
    const pct_box frame = pct_fit_box_to_model(fit, cut);
    percept_status status =
        pct_spelling_write(&setup->spelling, (float[4]){box.x0, box.y0, box.x1, box.y1}, &mask,
                           (float[4]){frame.x0, frame.y0, frame.x1, frame.y1}, ids, &told->count, error);
    pct_arena_release(&worker->arena, mark);
    PCT_TRY(status);
    told->ids = pct_arena_take(&worker->arena, (size_t)told->count * sizeof *told->ids);
    if (!told->ids) return pct_fail_memory(error, "batch");
    memcpy(told->ids, ids, (size_t)told->count * sizeof *ids);
    return PERCEPT_OK;
}

/* One region's ids at the segment's end; learned where they are an answer's. */
static percept_status tell(const pct_fill_setup *setup, pct_fill_worker *worker, const pct_sample *sample,
                           const pct_fit *fit, int32_t object, const pct_batch_object *given, pct_fill_told *told,
                           pct_fill_segment *segment, percept_error *error) {
    int32_t count;
    int32_t *to = segment->ids + segment->count;
    if (given->answer) {
        PCT_TRY(tell_answer(setup, worker, sample, fit, object, told, error));
        count = told->count;
        memcpy(to, told->ids, (size_t)count * sizeof *to);
    } else {
        PCT_TRY(pct_spelling_write_given(&setup->spelling, given->box, given->mask_in,
                                         setup->config.heads.mask_encoder_side, to, &count, error));
    }
    memset(segment->target + segment->count, given->answer, (size_t)count);
    segment->count += count;
    return PERCEPT_OK;
}

percept_status pct_fill_regions(const pct_fill_setup *setup, pct_fill_worker *worker, const pct_sample *sample,
                                const pct_fit *fit, const int32_t *which, pct_fill_told *told,
                                pct_fill_segment *segment, percept_error *error) {
    const bool both = setup->config.language.regions == PCT_REGIONS_BOTH;
    const int32_t rows = segment->count;
    const int32_t *ids = worker->rendered.ids.data;
    int32_t next = 0;
    segment->count = 0;
    for (int32_t i = 0; i < rows; i++) {
        pct_batch_object *object = next < segment->object_count ? &segment->objects[next] : NULL;
        const bool here = object && object->row == i;
        if (!here || both) {
            if (here) object->row = segment->count;
            segment->ids[segment->count] = ids[i];
            segment->target[segment->count++] = worker->rendered.target[i];
        }
        if (!here) continue;
        PCT_TRY(tell(setup, worker, sample, fit, which[next], object, &told[which[next]], segment, error));
        next++;
    }
    if (!both) segment->object_count = 0;
    return PERCEPT_OK;
}
