/* answer.c: reading an answer; its masks as files, its regions drawn onto the picture. */
#include "base/file.h"
#include "engine/engine_private.h"
#include "engine/slug.h"
#include "image/encode.h"
#include "image/overlay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void percept_answer_free(percept_answer **handle) {
    percept_answer *answer = handle ? *handle : NULL;
    if (!answer) return;
    *handle = NULL;
    pct_picture_drop(&answer->picture);
    pct_fingerprint_drop(&answer->fingerprint);
    pct_arena_free(&answer->arena);
    free(answer);
}

const char *percept_finish_text(percept_finish finish) {
    switch (finish) {
    case PERCEPT_FINISH_STOP:
        return "stop";
    case PERCEPT_FINISH_LENGTH:
        return "length";
    case PERCEPT_FINISH_TIME:
        return "time";
    case PERCEPT_FINISH_UNPARSABLE:
        return "unparsable";
    }
    return "unparsable";
}

const char *percept_answer_text(const percept_answer *answer) { return answer->text; }
const char *percept_answer_question(const percept_answer *answer) { return answer->question; }
percept_finish percept_answer_finish(const percept_answer *answer) { return answer->finish; }
size_t percept_answer_object_count(const percept_answer *answer) { return answer->object_count; }
const percept_object *percept_answer_object(const percept_answer *answer, size_t index) {
    return index < answer->object_count ? &answer->objects[index] : NULL;
}
const char *percept_answer_flaw(const percept_answer *answer) { return answer->flaw; }
int32_t percept_answer_dropped(const percept_answer *answer) { return answer->dropped; }
percept_usage percept_answer_usage(const percept_answer *answer) { return answer->usage; }
percept_timings percept_answer_timings(const percept_answer *answer) { return answer->timings; }
const char *percept_answer_image(const percept_answer *answer) { return answer->picture->name; }
int32_t percept_answer_width(const percept_answer *answer) { return answer->picture->width; }
int32_t percept_answer_height(const percept_answer *answer) { return answer->picture->height; }

percept_status pct_answer_mask(const percept_answer *answer, size_t index, pct_mask *out, percept_error *error) {
    const percept_object *object = &answer->objects[index];
    const pct_picture *picture = answer->picture;
    if (!object->mask_rle) return pct_mask_new(out, picture->width, picture->height, error);
    return pct_mask_from_rle_string(out, object->mask_rle, strlen(object->mask_rle), picture->width, picture->height,
                                    error);
}

percept_status percept_answer_mask(const percept_answer *answer, size_t index, unsigned char *out, size_t stride,
                                   percept_error *error) {
    size_t width = (size_t)answer->picture->width;
    if (index >= answer->object_count) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "object %zu: the answer has %zu", index, answer->object_count);
    }
    if (stride && stride < width) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "stride: rows are %zu bytes apart but %zu long", stride, width);
    }
    pct_mask mask = {0};
    PCT_TRY(pct_answer_mask(answer, index, &mask, error));
    for (int y = 0; y < mask.height; y++) {
        const unsigned char *from = pct_mask_row(&mask, y);
        unsigned char *to = out + (size_t)y * (stride ? stride : width);
        for (size_t x = 0; x < width; x++) to[x] = from[x] ? 255 : 0;
    }
    pct_mask_free(&mask);
    return PERCEPT_OK;
}

percept_status percept_answer_write_masks(const percept_answer *answer, const char *folder, size_t first,
                                          percept_error *error) {
    if (!folder) return pct_fail(error, PERCEPT_ERROR_USAGE, "masks: no folder is named");
    PCT_TRY(pct_make_directory(folder, error));
    for (size_t i = 0; i < answer->object_count; i++) {
        const percept_object *object = &answer->objects[i];
        if (!object->mask_rle) continue;
        char slug[64], name[128];
        pct_slug(slug, sizeof slug, object->phrase ? object->phrase : "region");
        snprintf(name, sizeof name, "%03zu_%s_%02d.png", first + i, slug, (int)lrint((double)object->score * 100.0));
        char *path = pct_path_join(folder, name);
        pct_mask mask = {0};
        percept_status status = path ? pct_answer_mask(answer, i, &mask, error) : pct_fail_memory(error, "path");
        if (status == PERCEPT_OK) status = pct_mask_write_png(path, &mask, error);
        pct_mask_free(&mask);
        free(path);
        if (status != PERCEPT_OK) return status;
    }
    return PERCEPT_OK;
}

/* ---- overlay ------------------------------------------------------------------------------------------------------
 */

static percept_status collect(const percept_answer *const *answers, size_t count, pct_overlay_region *regions,
                              pct_mask *masks, percept_error *error) {
    size_t next = 0;
    for (size_t a = 0; a < count; a++) {
        for (size_t i = 0; i < answers[a]->object_count; i++, next++) {
            const percept_object *object = &answers[a]->objects[i];
            regions[next] = (pct_overlay_region){
                .box = {object->box.x0, object->box.y0, object->box.x1, object->box.y1},
                .phrase = object->phrase,
                .score = object->score,
            };
            if (!object->mask_rle) continue;
            PCT_TRY(pct_answer_mask(answers[a], i, &masks[next], error));
            regions[next].mask = &masks[next];
        }
    }
    return PERCEPT_OK;
}

static percept_status draw_all(const percept_answer *const *answers, size_t count, size_t objects, pct_image *image,
                               percept_error *error) {
    pct_overlay_region *regions = calloc(objects + 1, sizeof *regions);
    pct_mask *masks = calloc(objects + 1, sizeof *masks);
    percept_status status =
        regions && masks ? collect(answers, count, regions, masks, error) : pct_fail_memory(error, "overlay");
    if (status == PERCEPT_OK) status = pct_overlay_draw(image, regions, objects, NULL, error);
    for (size_t i = 0; masks && i < objects; i++) pct_mask_free(&masks[i]);
    free(masks);
    free(regions);
    return status;
}

percept_status percept_answer_overlay(const percept_answer *const *answers, size_t count, const char *path,
                                      percept_error *error) {
    if (count == 0) return pct_fail(error, PERCEPT_ERROR_USAGE, "overlay: no answer was given");
    if (!path) return pct_fail(error, PERCEPT_ERROR_USAGE, "overlay: no file is named");
    const pct_picture *picture = answers[0]->picture;
    size_t objects = 0;
    for (size_t a = 0; a < count; a++) {
        if (answers[a]->picture != picture) {
            return pct_fail(error, PERCEPT_ERROR_USAGE, "overlay: the answers are about different pictures (%s, %s)",
                            picture->name, answers[a]->picture->name);
        }
        objects += answers[a]->object_count;
    }
    if (!picture->pixels.data) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "overlay: the pixels of %s were not kept; load it with keep_pixels",
                        picture->name);
    }
    pct_image image = {0};
    PCT_TRY(pct_image_copy(&image, &picture->pixels, error));
    percept_status status = objects ? draw_all(answers, count, objects, &image, error) : PERCEPT_OK;
    if (status == PERCEPT_OK) status = pct_png_write(path, &image, error);
    pct_image_free(&image);
    return status;
}
