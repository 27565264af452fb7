/* fill_names.c: which names a batch speaks of, who owns each patch, who is there. See fill.h. */
#include "data/fill.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

/* Names stand in running text, so that they are tokenised with the blank before them. */
static percept_status tokenise(pct_fill_names *names, const pct_tokenizer *tokenizer, const char *const *texts,
                               percept_error *error) {
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    pct_text text = {0};
    percept_status status = PERCEPT_OK;
    for (int32_t i = 0; i < names->count && status == PERCEPT_OK; i++) {
        names->offset[i] = (int32_t)ids.count;
        pct_text_clear(&text);
        pct_text_printf(&text, " %s", texts[i]);
        status = text.failed ? pct_fail_memory(error, "names")
                             : pct_tokenizer_encode(tokenizer, &scratch, text.data, text.length, 0, &ids, error);
    }
    names->offset[names->count] = (int32_t)ids.count;
    names->ids = ids.data;
    pct_text_free(&text);
    pct_token_scratch_free(&scratch);
    return status;
}

percept_status pct_fill_names_create(pct_fill_names *names, const pct_tokenizer *tokenizer, const char *const *texts,
                                     int32_t count, int32_t most, percept_error *error) {
    *names = (pct_fill_names){.count = count};
    names->offset = calloc((size_t)count + 1, sizeof *names->offset);
    names->place = malloc(((size_t)count + 1) * sizeof *names->place);
    names->chosen = malloc(((size_t)most + 1) * sizeof *names->chosen);
    if (!names->offset || !names->place || !names->chosen) return pct_fail_memory(error, "names");
    for (int32_t i = 0; i < count; i++) names->place[i] = -1;
    return tokenise(names, tokenizer, texts, error);
}

void pct_fill_names_free(pct_fill_names *names) {
    free(names->ids);
    free(names->offset);
    free(names->place);
    free(names->chosen);
    *names = (pct_fill_names){0};
}

static void choose(pct_fill_names *names, int32_t name, int32_t most) {
    if (name < 0 || name >= names->count || names->place[name] >= 0 || names->chosen_count >= most) return;
    names->place[name] = names->chosen_count;
    names->chosen[names->chosen_count++] = name;
}

void pct_fill_names_choose(pct_fill_names *names, const pct_sample *samples, int32_t count, int32_t most,
                           pct_random *random) {
    for (int32_t i = 0; i < names->chosen_count; i++) names->place[names->chosen[i]] = -1;
    names->chosen_count = 0;
    for (int32_t s = 0; s < count; s++) {
        for (int32_t k = 0; k < samples[s].object_count; k++) choose(names, samples[s].objects[k].name, most);
    }
    /* Every try draws; with most of a small table already chosen, four tries a free place are enough. */
    int32_t wanted = (int32_t)pct_min_i64(most, names->count);
    for (int32_t tries = 4 * wanted; tries > 0 && names->chosen_count < wanted; tries--) {
        choose(names, (int32_t)pct_random_below(random, (uint32_t)names->count), most);
    }
}

void pct_fill_owners(const pct_fill_names *names, const pct_fit *fit, const pct_sample *sample, int32_t grid,
                     int32_t *owners, pct_real *boxes, uint32_t *counts) {
    int32_t kinds = sample->object_count + 1;
    memset(counts, 0, (size_t)grid * (size_t)grid * (size_t)kinds * sizeof *counts);
    memset(boxes, 0, (size_t)grid * (size_t)grid * 4 * sizeof *boxes);
    for (int y = 0; y < sample->image.height; y++) {
        int64_t row = (int64_t)(y + fit->top) * grid / fit->canvas_height;
        const uint8_t *line = sample->owner + (size_t)y * (size_t)sample->image.width;
        for (int x = 0; x < sample->image.width; x++) {
            int64_t cell = row * grid + (int64_t)(x + fit->left) * grid / fit->canvas_width;
            uint32_t *count = &counts[cell * kinds + line[x]];
            if (line[x] < kinds) ++*count;
        }
    }
    for (int32_t cell = 0; cell < grid * grid; cell++) {
        const uint32_t *count = counts + (size_t)cell * (size_t)kinds;
        int32_t best = 0;
        uint32_t total = 0;
        for (int32_t k = 0; k < kinds; k++) {
            total += count[k];
            if (count[k] > count[best]) best = k;
        }
        if (total == 0 || 2 * count[best] < total) { /* padding, or no majority */
            owners[cell] = -1;
        } else {
            owners[cell] = best == 0 ? names->chosen_count : names->place[sample->objects[best - 1].name];
            if (best == 0) continue;
            const pct_box box = pct_fit_box_to_model(fit, sample->objects[best - 1].box);
            const pct_real sides[4] = {box.x0, box.y0, box.x1, box.y1};
            memcpy(boxes + 4 * cell, sides, sizeof sides);
        }
    }
}

void pct_fill_presence(const pct_fill_names *names, const pct_sample *sample, pct_real *presence, pct_real *weights) {
    for (int32_t i = 0; i < names->chosen_count; i++) {
        presence[i] = 0;
        weights[i] = 1;
    }
    for (int32_t i = 0; i < sample->unsure_count; i++) {
        int32_t name = sample->unsure[i];
        if (name >= 0 && name < names->count && names->place[name] >= 0) weights[names->place[name]] = 0;
    }
    for (int pass = 0; pass < 2; pass++) { /* hidden objects first: a clearly visible one of that name settles it */
        for (int32_t k = 0; k < sample->object_count; k++) {
            const pct_object *object = &sample->objects[k];
            if (object->asked != (pass == 1) || object->name < 0 || names->place[object->name] < 0) continue;
            presence[names->place[object->name]] = 1;
            weights[names->place[object->name]] = object->asked ? 1 : 0;
        }
    }
}
