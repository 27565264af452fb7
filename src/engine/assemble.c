/* assemble.c: see assemble.h. */
#include "engine/assemble.h"

#include "engine/reply_text.h"
#include "image/boxes.h"
#include "image/mask.h"
#include "image/segment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float tenth(float value) { return (float)(rint((double)value * 10.0) / 10.0); }

percept_box pct_box_rounded(pct_box box, int width, int height) {
    pct_box in = pct_box_clamp(box, (float)width, (float)height);
    return (percept_box){tenth(in.x0), tenth(in.y0), tenth(in.x1), tenth(in.y1)};
}

static percept_status keep_mask(percept_answer *answer, percept_object *object, const pct_mask *mask,
                                percept_error *error) {
    char *string = NULL;
    object->mask_area = pct_mask_area(mask);
    percept_status status = PERCEPT_OK;
    if (object->mask_area > 0) status = pct_mask_to_rle_string(mask, &string, error);
    if (string) {
        object->mask_rle = pct_arena_text(&answer->arena, string, strlen(string));
        if (!object->mask_rle) status = pct_fail_memory(error, "mask");
    }
    free(string);
    return status;
}

static percept_status add_mask(percept_answer *answer, percept_object *object, const pct_real *logits,
                               const pct_assembly *how, percept_error *error) {
    pct_mask mask = {0};
    PCT_TRY(pct_fit_mask_to_picture(&answer->picture->fit, logits, how->mask_side, how->mask_side, 0.0f, &mask,
                                    how->pool, error));
    percept_status status = keep_mask(answer, object, &mask, error);
    pct_mask_free(&mask);
    return status;
}

/* A family without a box head: mask and box are what the probabilities show on the picture. */
static percept_status add_segment(percept_answer *answer, percept_object *object, const pct_real *probability,
                                  const pct_assembly *how, percept_error *error) {
    pct_segment segment;
    PCT_TRY(pct_segment_read(&segment, &answer->picture->fit, probability, how->mask_side, 0.5f, how->pool, error));
    object->box = pct_box_rounded(segment.box, answer->picture->width, answer->picture->height);
    percept_status status = how->masks ? keep_mask(answer, object, &segment.mask, error) : PERCEPT_OK;
    pct_mask_free(&segment.mask);
    return status;
}

/* A score is a probability whatever the model's numbers were; one that is not a number counts as 0. */
static float score_of(const pct_region_out *region) {
    return region->score > 0.0f ? (region->score < 1.0f ? region->score : 1.0f) : 0.0f;
}

static percept_status add_object(percept_answer *answer, const pct_region_out *region, const char *phrase,
                                 const pct_assembly *how, percept_error *error) {
    percept_object *object = &answer->objects[answer->object_count++];
    *object = (percept_object){.score = score_of(region)};
    if (phrase) {
        object->phrase = pct_arena_text(&answer->arena, phrase, strlen(phrase));
        if (!object->phrase) return pct_fail_memory(error, "answer");
    }
    if (how->template->style->begun_end && region->mask) return add_segment(answer, object, region->mask, how, error);
    const pct_picture *picture = answer->picture;
    pct_box box = {region->box[0], region->box[1], region->box[2], region->box[3]};
    object->box = pct_box_rounded(pct_fit_box_to_picture(&picture->fit, box), picture->width, picture->height);
    if (!how->masks || !region->mask) return PERCEPT_OK;
    return add_mask(answer, object, region->mask, how, error);
}

static void set_finish(percept_answer *answer, const pct_reply *reply, bool unbalanced) {
    static const percept_finish finishes[] = {[PCT_FINISH_STOP] = PERCEPT_FINISH_STOP,
                                              [PCT_FINISH_LENGTH] = PERCEPT_FINISH_LENGTH,
                                              [PCT_FINISH_TIME] = PERCEPT_FINISH_TIME,
                                              [PCT_FINISH_UNPARSABLE] = PERCEPT_FINISH_UNPARSABLE};
    answer->finish = finishes[reply->finish];
    if (answer->finish == PERCEPT_FINISH_UNPARSABLE)
        answer->flaw = reply->broken ? "a region's coordinates in the answer could not be read"
                                     : "the answer holds a token that no answer may hold";
    if (answer->finish != PERCEPT_FINISH_STOP || !unbalanced) return;
    answer->finish = PERCEPT_FINISH_UNPARSABLE;
    answer->flaw = "the answer's phrase marks do not balance";
}

static percept_status walk(percept_answer *answer, const pct_reply *reply, const pct_assembly *how,
                           pct_reply_text *text, percept_error *error) {
    int32_t next = 0;
    for (int32_t i = 0; i < reply->count; i++) {
        bool is_object = reply->ids[i] == how->template->object;
        if (!is_object || next >= reply->region_count) {
            /* an object token without a region (cut off at that very place) shows nothing */
            pct_reply_text_add(text, reply->ids[i], false);
            continue;
        }
        const pct_region_out *region = &reply->regions[next++];
        bool keep = score_of(region) >= how->threshold;
        const char *phrase = pct_reply_text_phrase(text);
        pct_reply_text_add(text, reply->ids[i], keep);
        if (!keep) {
            answer->dropped++;
            continue;
        }
        PCT_TRY(add_object(answer, region, phrase ? phrase : how->fallback, how, error));
    }
    return PERCEPT_OK;
}

/* The words were put into the model's mouth: when its mask says that nothing is there, they say so too. */
static void say_absent(pct_text *text, const char *phrase) {
    pct_text_clear(text);
    if (phrase)
        pct_text_printf(text, "No region here shows \"%s\".", phrase);
    else
        pct_text_puts(text, "No region here shows what was asked for.");
}

percept_status pct_assemble(percept_answer *answer, const pct_reply *reply, const pct_assembly *how,
                            percept_error *error) {
    pct_reply_text text = {.template = how->template};
    answer->objects = pct_arena_take_zeroed(&answer->arena, (size_t)reply->region_count + 1, sizeof *answer->objects);
    percept_status status = answer->objects ? walk(answer, reply, how, &text, error) : pct_fail_memory(error, "answer");
    pct_reply_text_end(&text);
    if (status == PERCEPT_OK) {
        set_finish(answer, reply, text.unbalanced);
        if (how->template->style->begun_end && answer->dropped && answer->object_count == 0)
            say_absent(&text.text, how->fallback);
        if (!text.text.failed) answer->text = pct_arena_text(&answer->arena, text.text.data, text.text.length);
        if (!answer->text) status = pct_fail_memory(error, "answer");
    }
    pct_reply_text_free(&text);
    if (status != PERCEPT_OK || answer->finish != PERCEPT_FINISH_UNPARSABLE) return status;
    for (size_t i = 0; i < answer->object_count; i++) answer->objects[i].phrase = how->fallback;
    return PERCEPT_OK;
}
