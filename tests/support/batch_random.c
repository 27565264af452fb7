#include "batch_random.h"

#include "base/random.h"

#include <math.h>

static void add_object(pct_arena *arena, const pct_model_config *config, pct_random *random, pct_batch_object *object,
                       int32_t row, int32_t picture, bool answer) {
    pct_real x = (pct_real)pct_random_between(random, 0.1f, 0.5f), y = (pct_real)pct_random_between(random, 0.1f, 0.5f);
    pct_real w = (pct_real)pct_random_between(random, 0.2f, 0.4f), h = (pct_real)pct_random_between(random, 0.2f, 0.4f);
    *object = (pct_batch_object){.row = row, .picture = picture, .answer = answer, .box = {x, y, x + w, y + h}};
    object->source = pct_random_below(random, 2) ? PCT_REGION_MASK : PCT_REGION_BOX;
    int32_t sides[2] = {pct_model_config_mask_side(config), config->heads.mask_encoder_side};
    for (int k = 0; k < 2; k++) {
        pct_real *mask = pct_arena_take(arena, (size_t)(sides[k] * sides[k]) * sizeof *mask);
        for (int32_t i = 0; i < sides[k] * sides[k]; i++) {
            pct_real at_x = ((pct_real)(i % sides[k]) + (pct_real)0.5) / (pct_real)sides[k];
            pct_real at_y = ((pct_real)(i / sides[k]) + (pct_real)0.5) / (pct_real)sides[k];
            mask[i] = at_x > x && at_x < x + w && at_y > y && at_y < y + h;
        }
        if (k == 0)
            object->mask = mask;
        else
            object->mask_in = mask;
    }
}

static void add_names(pct_arena *arena, const pct_model_config *config, pct_random *random, pct_batch *batch,
                      int32_t names) {
    int32_t *ids = pct_arena_take(arena, (size_t)(2 * names) * sizeof *ids);
    int32_t *offsets = pct_arena_take(arena, (size_t)(names + 1) * sizeof *offsets);
    for (int32_t i = 0; i < 2 * names; i++)
        ids[i] = (int32_t)pct_random_below(random, (uint32_t)config->language.vocabulary);
    for (int32_t i = 0; i <= names; i++) offsets[i] = 2 * i;
    int32_t grid = pct_model_config_grid(config), cells = batch->pictures * grid * grid;
    int32_t *owners = pct_arena_take(arena, (size_t)cells * sizeof *owners);
    for (int32_t i = 0; i < cells; i++) owners[i] = (int32_t)pct_random_below(random, (uint32_t)names + 2) - 1;
    pct_real *boxes = pct_arena_take_zeroed(arena, (size_t)cells * 4, sizeof *boxes);
    for (int32_t i = 0; i < cells; i++) {
        if (owners[i] < 0 || owners[i] == names) continue;
        for (int k = 0; k < 4; k++)
            boxes[4 * i + k] = (pct_real)pct_random_between(random, k < 2 ? 0 : 0.6f, k < 2 ? 0.4f : 1);
    }
    int32_t count = batch->pictures * names;
    pct_real *presence = pct_arena_take(arena, (size_t)count * sizeof *presence);
    pct_real *weights = pct_arena_take(arena, (size_t)count * sizeof *weights);
    for (int32_t i = 0; i < count; i++) {
        presence[i] = (pct_real)pct_random_below(random, 2);
        weights[i] = i % 5 != 4;
    }
    batch->name_count = names;
    batch->name_ids = ids;
    batch->name_offsets = offsets;
    batch->owners = owners;
    batch->cell_boxes = boxes;
    batch->presence = presence;
    batch->presence_weights = weights;
}

pct_batch batch_random(pct_arena *arena, const pct_model_config *config, const batch_shape *shape, uint64_t seed) {
    pct_random random;
    pct_random_init(&random, seed, 1, 2);
    int32_t each = shape->question + shape->answer, segments = shape->pictures * shape->segments;
    pct_batch batch = {.pictures = shape->pictures, .rows = segments * each, .segment_count = segments};
    int32_t side = config->image.side, pixels = shape->pictures * side * side * 3;
    pct_real *noise = pct_arena_take(arena, (size_t)pixels * sizeof *noise);
    for (int32_t i = 0; i < pixels; i++) noise[i] = (pct_real)pct_random_normal(&random);
    int32_t *ids = pct_arena_take(arena, (size_t)batch.rows * sizeof *ids);
    int32_t *targets = pct_arena_take(arena, (size_t)batch.rows * sizeof *targets);
    pct_real *weights = pct_arena_take(arena, (size_t)batch.rows * sizeof *weights);
    for (int32_t i = 0; i < batch.rows; i++) {
        ids[i] = (int32_t)pct_random_below(&random, (uint32_t)config->language.vocabulary);
        weights[i] = (pct_real)pct_random_between(&random, 0.5f, 1.5f);
    }
    for (int32_t i = 0; i < batch.rows; i++)
        targets[i] = i % each + 1 < shape->question || i % each == each - 1 ? -1 : ids[i + 1];
    pct_batch_segment *list = pct_arena_take(arena, (size_t)segments * sizeof *list);
    int32_t most = segments * (shape->objects + shape->given);
    pct_batch_object *objects = pct_arena_take(arena, (size_t)most * sizeof *objects);
    for (int32_t s = 0; s < segments; s++) {
        int32_t picture = s / shape->segments, row = s * each;
        list[s] = (pct_batch_segment){picture, row, each};
        if (shape->given) add_object(arena, config, &random, &objects[batch.object_count++], row + 1, picture, false);
        for (int32_t k = 0; k < shape->objects; k++)
            add_object(arena, config, &random, &objects[batch.object_count++], row + shape->question + 1 + 2 * k,
                       picture, true);
    }
    batch.pixels = noise;
    batch.ids = ids;
    batch.targets = targets;
    batch.weights = weights;
    batch.segments = list;
    batch.objects = objects;
    if (shape->names > 0) add_names(arena, config, &random, &batch, shape->names);
    return batch;
}
