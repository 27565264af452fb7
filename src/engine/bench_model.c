/* bench_model.c: models and batches of noise for the speed measurement. See bench.h. */
#include "base/file.h"
#include "base/random.h"
#include "engine/bench.h"
#include "tokenizer/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A vocabulary of the wanted size from words of random syllables. */
static percept_status random_tokenizer(pct_tokenizer **tokenizer, int32_t vocabulary, percept_error *error) {
    pct_bpe_train_options options = pct_template_train_options(vocabulary);
    pct_bpe_trainer *trainer = NULL;
    PCT_TRY(pct_bpe_trainer_create(&trainer, &options, error));
    pct_random random;
    pct_random_init(&random, 1, 0, 0);
    percept_status status = PERCEPT_OK;
    for (int i = 0; i < 4 * vocabulary && status == PERCEPT_OK; i++) {
        char word[16];
        int length = 0, syllables = 1 + (int)pct_random_below(&random, 3);
        word[length++] = ' ';
        for (int s = 0; s < syllables; s++) {
            word[length++] = "bdfgklmnprstvz"[pct_random_below(&random, 14)];
            word[length++] = "aeiou"[pct_random_below(&random, 5)];
        }
        status = pct_bpe_trainer_add(trainer, word, (size_t)length, 2, error);
    }
    if (status == PERCEPT_OK) status = pct_bpe_trainer_finish(trainer, tokenizer, error);
    pct_bpe_trainer_destroy(&trainer);
    return status;
}

/* Zero rows have logit 0, and of thousands of random others one is always above. */
static void silence_specials(pct_model *model) {
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(model);
    pct_parameters *set = pct_model_get_parameters(model);
    pct_parameter *output = pct_parameters_find(set, "output.weight");
    if (!output) output = pct_parameters_find(set, "token_embd.weight");
    int64_t width = pct_tensor_width(&output->tensor);
    for (int i = 0; i < PCT_TEMPLATE_SPECIAL_COUNT; i++) {
        int32_t id = pct_tokenizer_special(tokenizer, pct_template_specials[i]);
        if (id >= 0) memset(pct_tensor_data(&output->tensor) + id * width, 0, (size_t)width * sizeof(pct_real));
    }
}

static percept_status through_file(pct_model **out, const pct_model *fresh, percept_error *error) {
    char folder[] = "/tmp/percept-bench-XXXXXX";
    if (!mkdtemp(folder)) return pct_fail(error, PERCEPT_ERROR_RESOURCE, "/tmp: no folder can be made there");
    char *path = pct_path_join(folder, "random.gguf");
    percept_status status = path ? pct_model_save(fresh, path, PCT_Q8_0, NULL, error) : pct_fail_memory(error, "path");
    if (status == PERCEPT_OK) status = pct_model_open(out, path, false, error);
    if (path) unlink(path);
    rmdir(folder);
    free(path);
    return status;
}

percept_status pct_bench_random_model(pct_model **out, percept_error *error) {
    pct_model_config config;
    pct_model_config_default(&config);
    pct_tokenizer *tokenizer = NULL;
    PCT_TRY(random_tokenizer(&tokenizer, config.language.vocabulary, error));
    config.language.vocabulary = pct_tokenizer_size(tokenizer);
    pct_model *fresh = NULL;
    percept_status status = pct_model_create(&fresh, &config, tokenizer, 1, error);
    if (status != PERCEPT_OK) {
        pct_tokenizer_destroy(&tokenizer);
        return status;
    }
    silence_specials(fresh);
    const pct_model_card card = {.name = "random-nano"};
    status = pct_model_set_card(fresh, &card, error);
    if (status == PERCEPT_OK) status = through_file(out, fresh, error);
    pct_model_close(&fresh);
    return status;
}

/* ---- a batch --------------------------------------------------------------------------------------------------------
 */

enum { questions = 6, question_tokens = 12, answer_tokens = 10, names = 48 };

/* A square whose sides are 0.3 of the picture's. */
static pct_real *square_mask(pct_arena *arena, int32_t side, float x, float y) {
    pct_real *mask = pct_arena_take(arena, (size_t)side * (size_t)side * sizeof *mask);
    for (int32_t i = 0; mask && i < side * side; i++) {
        float at_x = ((float)(i % side) + 0.5f) / (float)side, at_y = ((float)(i / side) + 0.5f) / (float)side;
        mask[i] = at_x > x && at_x < x + 0.3f && at_y > y && at_y < y + 0.3f;
    }
    return mask;
}

/* Every other region comes as a mask, as in training (data.mask_share). */
static bool add_object(pct_arena *arena, const pct_model_config *config, pct_random *random, pct_batch *batch,
                       pct_batch_object *object, int32_t row, int32_t picture) {
    float x = pct_random_between(random, 0.1f, 0.5f), y = pct_random_between(random, 0.1f, 0.5f);
    *object = (pct_batch_object){
        .row = row, .picture = picture, .answer = true, .source = PCT_REGION_BOX, .box = {x, y, x + 0.3f, y + 0.3f}};
    object->mask = square_mask(arena, pct_model_config_mask_side(config), x, y);
    if (!object->mask) return false;
    if (batch->object_count % 2) object->source = PCT_REGION_MASK;
    object->mask_in =
        object->source == PCT_REGION_MASK ? square_mask(arena, config->heads.mask_encoder_side, x, y) : NULL;
    if (object->source == PCT_REGION_MASK && !object->mask_in) return false;
    batch->object_count++;
    return true;
}

static bool add_rows(pct_arena *arena, const pct_model_config *config, pct_random *random, pct_batch *batch) {
    const int32_t each = question_tokens + answer_tokens, segments = batch->pictures * questions;
    int32_t *ids = pct_arena_take(arena, (size_t)(segments * each) * sizeof *ids);
    int32_t *targets = pct_arena_take(arena, (size_t)(segments * each) * sizeof *targets);
    pct_batch_segment *list = pct_arena_take(arena, (size_t)segments * sizeof *list);
    pct_batch_object *objects = pct_arena_take(arena, (size_t)segments * sizeof *objects);
    if (!ids || !targets || !list || !objects) return false;
    batch->rows = segments * each;
    batch->ids = ids;
    batch->targets = targets;
    batch->segments = list;
    batch->segment_count = segments;
    batch->objects = objects;
    for (int32_t i = 0; i < batch->rows; i++)
        ids[i] = (int32_t)pct_random_below(random, (uint32_t)config->language.vocabulary);
    for (int32_t i = 0; i < batch->rows; i++) {
        bool learned = i % each + 1 >= question_tokens && i % each < each - 1;
        targets[i] = learned ? ids[i + 1] : -1;
    }
    for (int32_t s = 0; s < segments; s++) {
        int32_t picture = s / questions, row = s * each;
        list[s] = (pct_batch_segment){picture, row, each};
        if (!add_object(arena, config, random, batch, &objects[s], row + question_tokens + 4, picture)) return false;
    }
    return true;
}

static bool add_names(pct_arena *arena, const pct_model_config *config, pct_random *random, pct_batch *batch) {
    int32_t grid = pct_model_config_grid(config), cells = batch->pictures * grid * grid, all = batch->pictures * names;
    int32_t *ids = pct_arena_take(arena, 2 * names * sizeof *ids);
    int32_t *offsets = pct_arena_take(arena, (names + 1) * sizeof *offsets);
    int32_t *owners = pct_arena_take(arena, (size_t)cells * sizeof *owners);
    pct_real *presence = pct_arena_take(arena, (size_t)all * sizeof *presence);
    pct_real *weights = pct_arena_take(arena, (size_t)all * sizeof *weights);
    pct_real *boxes = pct_arena_take_zeroed(arena, (size_t)cells * 4, sizeof *boxes);
    if (!ids || !offsets || !owners || !presence || !weights || !boxes) return false;
    for (int32_t i = 0; i < 2 * names; i++)
        ids[i] = (int32_t)pct_random_below(random, (uint32_t)config->language.vocabulary);
    for (int32_t i = 0; i <= names; i++) offsets[i] = 2 * i;
    for (int32_t i = 0; i < cells; i++) {
        owners[i] = (int32_t)pct_random_below(random, names + 1);
        for (int k = 0; k < 4 && owners[i] < (int32_t)names; k++)
            boxes[4 * i + k] = (pct_real)pct_random_between(random, k < 2 ? 0 : 0.6f, k < 2 ? 0.4f : 1);
    }
    for (int32_t i = 0; i < all; i++) {
        presence[i] = (pct_real)pct_random_below(random, 2);
        weights[i] = 1;
    }
    batch->name_count = names;
    batch->name_ids = ids;
    batch->name_offsets = offsets;
    batch->owners = owners;
    batch->cell_boxes = boxes;
    batch->presence = presence;
    batch->presence_weights = weights;
    return true;
}

pct_batch pct_bench_batch(pct_arena *arena, const pct_model_config *config, int32_t pictures) {
    pct_random random;
    pct_random_init(&random, 2, 0, 0);
    pct_batch batch = {.pictures = pictures};
    size_t pixels = (size_t)pictures * (size_t)config->image.side * (size_t)config->image.side * 3;
    pct_real *noise = pct_arena_take(arena, pixels * sizeof *noise);
    for (size_t i = 0; noise && i < pixels; i++) noise[i] = (pct_real)pct_random_between(&random, -2, 2);
    batch.pixels = noise;
    if (!noise || !add_rows(arena, config, &random, &batch) || !add_names(arena, config, &random, &batch)) {
        batch.rows = 0;
    }
    return batch;
}
