/* batch_test.c: a sample made by hand becomes the batch that can be worked out by hand. */
#include "data/batch.h"

#include "base/size.h"
#include "image/mask.h"
#include "model/spelling.h"
#include "tokenizer/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 32 /* a picture of 4 x 4 cells of 8 pixels */
#define GRID 4

static const char *const names[] = {"ant", "bee", "cat", "dog", "elk"};

struct fixture {
    pct_tokenizer *tokenizer;
    pct_template template;
    pct_model_config config;
    pct_arena arena;
    pct_sample sample;
};

/* Object 0, an ant: x 0..16, y 0..8 (two cells). Object 1, a cat: x 20..30, y 12..28. */
static void fill_sample(pct_sample *sample, pct_arena *arena) {
    static pct_object objects[2];
    static pct_turn turns[4];
    static const uint8_t zero[] = {0}, one[] = {1};
    static const int32_t unsure[] = {3};
    *sample = (pct_sample){.objects = objects, .object_count = 2, .turns = turns, .turn_count = 4};
    sample->image = (pct_image){.width = SIDE, .height = SIDE, .channels = 3};
    sample->image.data = pct_arena_take_zeroed(arena, SIDE * SIDE, 3);
    sample->owner = pct_arena_take_zeroed(arena, SIDE * SIDE, 1);
    for (int i = 0; i < SIDE * SIDE * 3; i++) sample->image.data[i] = (unsigned char)(i * 7);
    for (int y = 0; y < 8; y++) memset(sample->owner + y * SIDE, 1, 16);
    for (int y = 12; y < 28; y++) memset(sample->owner + y * SIDE + 20, 2, 10);
    objects[0] = (pct_object){.name = 0, .text = "ant", .box = {0, 0, 16, 8}, .area = 128, .visible = 1, .asked = true};
    objects[1] =
        (pct_object){.name = 2, .text = "cat", .box = {20, 12, 30, 28}, .area = 160, .visible = 1, .asked = true};
    turns[0] = (pct_turn){.task = PCT_TASK_REFER,
                          .question = "where is the ant?",
                          .answer = "Here: <p>the ant</p><obj>.",
                          .target = "",
                          .regions_out = zero,
                          .out_count = 1,
                          .follows = -1};
    turns[1] = (pct_turn){.task = PCT_TASK_NAME,
                          .question = "what is <obj>?",
                          .answer = "It is a cat.",
                          .target = "cat",
                          .regions_in = one,
                          .in_count = 1,
                          .follows = -1};
    turns[2] = (pct_turn){.task = PCT_TASK_DIALOGUE,
                          .question = "and the cat?",
                          .answer = "Here: <p>the cat</p><obj>.",
                          .target = "",
                          .regions_out = one,
                          .out_count = 1,
                          .follows = 0};
    turns[3] = (pct_turn){.task = PCT_TASK_BOX2MASK,
                          .question = "segment <obj>",
                          .answer = "Here: <obj>.",
                          .target = "",
                          .regions_in = zero,
                          .regions_out = zero,
                          .in_count = 1,
                          .out_count = 1,
                          .follows = -1};
    sample->unsure = unsure;
    sample->unsure_count = 1;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    pct_bpe_train_options options = pct_template_train_options(300);
    pct_bpe_trainer *trainer;
    const char *text = "where is the ant? Here: the cat. what is it? It is a cat. and the dog segment bee elk";
    assert_int_equal(pct_bpe_trainer_create(&trainer, &options, NULL), PERCEPT_OK);
    assert_int_equal(pct_bpe_trainer_add(trainer, text, strlen(text), 10, NULL), PERCEPT_OK);
    assert_int_equal(pct_bpe_trainer_finish(trainer, &f->tokenizer, NULL), PERCEPT_OK);
    pct_bpe_trainer_destroy(&trainer);
    assert_int_equal(pct_template_init(&f->template, "percept", f->tokenizer, NULL), PERCEPT_OK);
    pct_model_config_default(&f->config);
    f->config.image.side = SIDE;
    f->config.vision.stride = 8;
    f->config.vision.fine_stride = 4;
    f->config.heads.mask_stride = 4;
    f->config.heads.mask_encoder_side = 32;
    f->config.language.context = 256;
    pct_arena_init(&f->arena, 0);
    fill_sample(&f->sample, &f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    pct_tokenizer_destroy(&f->tokenizer);
    pct_arena_free(&f->arena);
    free(f);
    return 0;
}

static void make(struct fixture *f, int threads, float mask_share, int32_t most, uint64_t index, pct_batch *batch,
                 pct_batcher **batcher, pct_pool **pool) {
    pct_batcher_options options;
    pct_batcher_options_default(&options);
    options.mask_share = mask_share;
    options.object_weight = 3;
    options.names = most;
    assert_int_equal(pct_pool_create(pool, threads, NULL), PERCEPT_OK);
    assert_int_equal(pct_batcher_create(batcher, &f->config, f->tokenizer, &options, names, 5, *pool, NULL),
                     PERCEPT_OK);
    pct_sample samples[3] = {f->sample, f->sample, f->sample};
    percept_error error = {0};
    percept_status status = pct_batcher_make(*batcher, samples, 3, 11, index, &f->arena, batch, &error);
    if (status) print_error("%s\n", error.message);
    assert_int_equal(status, PERCEPT_OK);
}

static void text_is_what_the_template_renders(void **state) {
    struct fixture *f = *state;
    pct_batch batch;
    pct_batcher *batcher;
    pct_pool *pool;
    make(f, 1, 0, 5, 0, &batch, &batcher, &pool);
    assert_int_equal(batch.pictures, 3);
    assert_int_equal(batch.segment_count, 9); /* turns 0 and 2 are one dialogue */
    /* The first segment is turn 1 (turn 0 is followed), then the dialogue, then the box. */
    pct_template_turn dialogue[2] = {{"where is the ant?", NULL, 0, "Here: <p>the ant</p><obj>.", true},
                                     {"and the cat?", NULL, 0, "Here: <p>the cat</p><obj>.", true}};
    pct_rendered rendered = {0};
    pct_token_scratch scratch = {0};
    assert_int_equal(pct_template_render(&f->template, &scratch, dialogue, 2, &rendered, NULL), PERCEPT_OK);
    const pct_batch_segment *segment = &batch.segments[1];
    assert_int_equal(segment->picture, 0);
    assert_int_equal(segment->row, batch.segments[0].count);
    assert_int_equal(segment->count, rendered.ids.count);
    assert_memory_equal(batch.ids + segment->row, rendered.ids.data, rendered.ids.count * sizeof(int32_t));
    int32_t learned = 0, ends = 0;
    for (int32_t r = 0; r < segment->count; r++) {
        int32_t target = batch.targets[segment->row + r];
        bool wanted = r + 1 < segment->count && rendered.target[r + 1];
        assert_int_equal(target, wanted ? rendered.ids.data[r + 1] : -1);
        assert_true(batch.weights[segment->row + r] == (wanted && target == f->template.object ? 3 : 1));
        learned += wanted;
        ends += target == f->template.eos;
    }
    assert_int_equal(ends, 2); /* both answers end */
    assert_true(learned > 8 && learned < segment->count - 8);
    pct_rendered_free(&rendered);
    pct_token_scratch_free(&scratch);
    pct_batcher_destroy(&batcher);
    pct_pool_destroy(&pool);
}

static void regions_have_rows_boxes_and_masks(void **state) {
    struct fixture *f = *state;
    pct_batch batch;
    pct_batcher *batcher;
    pct_pool *pool;
    make(f, 1, 1, 5, 0, &batch, &batcher, &pool);
    assert_int_equal(batch.object_count, 15); /* five a picture */
    static const bool answers[] = {false, true, true, false, true};
    static const int32_t which[] = {1, 0, 1, 0, 0};
    static const enum pct_region_source sources[] = {PCT_REGION_MASK, PCT_REGION_MASK, PCT_REGION_MASK,
                                                     PCT_REGION_BOX /* box2mask is given a box */, PCT_REGION_MASK};
    static const pct_real boxes[2][4] = {{0, 0, 0.5f, 0.25f}, {0.625f, 0.375f, 0.9375f, 0.875f}};
    int32_t before = -1;
    for (int32_t k = 0; k < batch.object_count; k++) {
        const pct_batch_object *object = &batch.objects[k];
        assert_int_equal(object->picture, k / 5);
        assert_int_equal(object->answer, answers[k % 5]);
        assert_int_equal(object->source, sources[k % 5]);
        assert_int_equal(batch.ids[object->row], f->template.object);
        assert_true(object->row > before);
        before = object->row;
        for (int i = 0; i < 4; i++) assert_true(object->box[i] == boxes[which[k % 5]][i]);
        assert_non_null(object->mask);
        assert_true((object->mask_in != NULL) == (object->source == PCT_REGION_MASK));
    }
    /* 8 x 8 cells of 4 pixels: the ant fills 4 x 2 of them; the cat x 5..7.5, y 3..7. */
    const pct_real *ant = batch.objects[1].mask, *cat = batch.objects[0].mask;
    for (int y = 0; y < 8; y++) {
        for (int x = 0; x < 8; x++) {
            assert_true(ant[8 * y + x] == (x < 4 && y < 2 ? 1 : 0));
            pct_real wanted = y < 3 || y >= 7 || x < 5 ? 0 : x == 7 ? 0.5f : 1;
            assert_true(cat[8 * y + x] == wanted);
        }
    }
    pct_batcher_destroy(&batcher);
    pct_pool_destroy(&pool);
}

/* How often the cat comes first of 200 draws, where the answer has the ant first. */
static int cats_first(struct fixture *f, float any_order) {
    static const uint8_t both[] = {0, 1};
    pct_batcher_options options;
    pct_batcher_options_default(&options);
    options.any_order = any_order;
    pct_pool *pool;
    pct_batcher *batcher;
    assert_int_equal(pct_pool_create(&pool, 1, NULL), PERCEPT_OK);
    assert_int_equal(pct_batcher_create(&batcher, &f->config, f->tokenizer, &options, names, 5, pool, NULL),
                     PERCEPT_OK);
    pct_turn turn = {.answer = "Here: <p>the cat</p><obj><obj>.", .question = "what is it?", .follows = -1};
    turn.target = "";
    turn.regions_out = both;
    turn.out_count = 2;
    f->sample.turns = &turn;
    f->sample.turn_count = 1;
    int first = 0;
    for (uint64_t i = 0; i < 200; i++) {
        pct_batch batch;
        assert_int_equal(pct_batcher_make(batcher, &f->sample, 1, 11, i, &f->arena, &batch, NULL), PERCEPT_OK);
        assert_int_equal(batch.object_count, 2);
        assert_int_equal(batch.objects[1].row, batch.objects[0].row + 1);
        const bool cat = batch.objects[0].box[0] > 0, ant = batch.objects[1].box[0] == 0;
        assert_true(cat == ant);
        assert_true((batch.objects[0].mask[0] == 0) == cat); /* the mask goes with the box */
        first += cat;
    }
    pct_batcher_destroy(&batcher);
    pct_pool_destroy(&pool);
    return first;
}

/* Middles of ant and cat are 17 of 32 pixels apart. */
static void near_ones_come_in_any_order(void **state) {
    struct fixture *f = *state;
    assert_int_equal(cats_first(f, 0), 0);
    assert_int_equal(cats_first(f, 0.5f), 0);
    const int first = cats_first(f, 0.6f);
    assert_true(first > 70 && first < 130);
}

/* A dialogue of twelve turns is one segment from its first word on. */
static void long_dialogues_are_whole(void **state) {
    struct fixture *f = *state;
    enum { TURNS = 12 };
    static pct_turn turns[TURNS];
    pct_template_turn rendered_turns[TURNS];
    for (int t = 0; t < TURNS; t++) {
        turns[t] =
            (pct_turn){.question = t ? "and?" : "ant?", .answer = "cat.", .target = "", .follows = (int16_t)(t - 1)};
        rendered_turns[t] = (pct_template_turn){turns[t].question, NULL, 0, turns[t].answer, true, NULL};
    }
    f->sample.turns = turns;
    f->sample.turn_count = TURNS;
    pct_batch batch;
    pct_batcher *batcher;
    pct_pool *pool;
    make(f, 1, 0, 5, 0, &batch, &batcher, &pool);
    assert_int_equal(batch.segment_count, 3);
    pct_rendered rendered = {0};
    pct_token_scratch scratch = {0};
    assert_int_equal(pct_template_render(&f->template, &scratch, rendered_turns, TURNS, &rendered, NULL), PERCEPT_OK);
    assert_int_equal(batch.segments[0].count, rendered.ids.count);
    assert_memory_equal(batch.ids, rendered.ids.data, rendered.ids.count * sizeof(int32_t));
    pct_rendered_free(&rendered);
    pct_token_scratch_free(&scratch);
    pct_batcher_destroy(&batcher);
    pct_pool_destroy(&pool);
}

/* heads.feedback decides what answers' regions are read as; the user's stay drawn. */
static void answers_are_read_as_the_structure_says(void **state) {
    struct fixture *f = *state;
    static const enum pct_region_source wanted[] = {[PCT_FEEDBACK_BOX] = PCT_REGION_BOX,
                                                    [PCT_FEEDBACK_MASK] = PCT_REGION_MASK,
                                                    [PCT_FEEDBACK_NONE] = PCT_REGION_PLACE};
    for (int kind = PCT_FEEDBACK_BOX; kind <= PCT_FEEDBACK_NONE; kind++) {
        pct_batch batch;
        pct_batcher *batcher;
        pct_pool *pool;
        f->config.heads.feedback = (enum pct_feedback)kind;
        make(f, 1, kind == PCT_FEEDBACK_MASK ? 0 : 1, 5, 0, &batch, &batcher, &pool);
        const enum pct_region_source given = kind == PCT_FEEDBACK_MASK ? PCT_REGION_BOX : PCT_REGION_MASK;
        assert_int_equal(batch.objects[0].source, given);
        for (int32_t k = 0; k < batch.object_count; k++) {
            const pct_batch_object *object = &batch.objects[k];
            if (object->answer) assert_int_equal(object->source, wanted[kind]);
            assert_true((object->mask_in != NULL) == (object->source == PCT_REGION_MASK));
        }
        pct_batcher_destroy(&batcher);
        pct_pool_destroy(&pool);
    }
}

static int32_t place_of(const pct_batch *batch, const pct_tokenizer *tokenizer, const char *name) {
    pct_text text = {0};
    int32_t place = -1;
    for (int32_t i = 0; i < batch->name_count; i++) {
        pct_text_clear(&text);
        pct_tokenizer_decode(tokenizer, batch->name_ids + batch->name_offsets[i],
                             (size_t)(batch->name_offsets[i + 1] - batch->name_offsets[i]), false, &text);
        if (text.data && strcmp(text.data + 1, name) == 0 && text.data[0] == ' ') place = i;
    }
    pct_text_free(&text);
    return place;
}

static void patches_have_owners_and_names_are_present(void **state) {
    struct fixture *f = *state;
    pct_batch batch;
    pct_batcher *batcher;
    pct_pool *pool;
    make(f, 1, 0.5f, 5, 0, &batch, &batcher, &pool);
    assert_int_equal(batch.name_count, 5); /* small enough that all are drawn */
    int32_t ant = place_of(&batch, f->tokenizer, "ant"), cat = place_of(&batch, f->tokenizer, "cat");
    int32_t dog = place_of(&batch, f->tokenizer, "dog"), elk = place_of(&batch, f->tokenizer, "elk");
    assert_int_equal(ant, 0); /* those in the pictures stand first */
    assert_int_equal(cat, 1);
    assert_true(dog >= 2 && elk >= 2);
    /* Cells of 8: the ant has two whole ones. The cat (x 20..30, y 12..28) has exactly half of columns 2 (20..24), of
     * which rows 1 and 3 are half; three quarters of column 3. */
    const int32_t none = batch.name_count;
    const int32_t wanted[GRID * GRID] = {ant,  ant,  none, none, none, none, none, none,
                                         none, none, none, cat,  none, none, none, none};
    for (int32_t p = 0; p < 3; p++) {
        for (int c = 0; c < GRID * GRID; c++) assert_int_equal(batch.owners[p * GRID * GRID + c], wanted[c]);
        for (int c = 0; c < GRID * GRID; c++) { /* the objects' boxes where there is one */
            const pct_real *box = batch.cell_boxes + (p * GRID * GRID + c) * 4;
            const pct_box from = wanted[c] == none ? (pct_box){0} : f->sample.objects[wanted[c] == cat].box;
            assert_float_equal(box[0], from.x0 / SIDE, 1e-6);
            assert_float_equal(box[1], from.y0 / SIDE, 1e-6);
            assert_float_equal(box[2], from.x1 / SIDE, 1e-6);
            assert_float_equal(box[3], from.y1 / SIDE, 1e-6);
        }
        const pct_real *presence = batch.presence + p * 5, *weights = batch.presence_weights + p * 5;
        assert_true(presence[ant] == 1 && presence[cat] == 1 && presence[elk] == 0 && presence[dog] == 0);
        assert_true(weights[ant] == 1 && weights[cat] == 1 && weights[elk] == 1);
        assert_true(weights[dog] == 0); /* unsure */
    }
    pct_batcher_destroy(&batcher);
    pct_pool_destroy(&pool);
}

/* A cell without majority belongs to nobody: three owners with a third each. */
static void cells_without_majority_are_unsure(void **state) {
    struct fixture *f = *state;
    for (int y = 8; y < 16; y++) {
        memset(f->sample.owner + y * SIDE, 1, 3);
        memset(f->sample.owner + y * SIDE + 3, 2, 3);
    }
    pct_batch batch;
    pct_batcher *batcher;
    pct_pool *pool;
    make(f, 1, 0.5f, 5, 0, &batch, &batcher, &pool);
    assert_int_equal(batch.owners[GRID], -1);
    pct_batcher_destroy(&batcher);
    pct_pool_destroy(&pool);
}

static void names_stay_within_the_limit(void **state) {
    struct fixture *f = *state;
    pct_batch batch;
    pct_batcher *batcher;
    pct_pool *pool;
    make(f, 1, 0.5f, 1, 0, &batch, &batcher, &pool);
    assert_int_equal(batch.name_count, 1);
    assert_int_equal(batch.owners[0], 0);
    assert_int_equal(batch.owners[11], -1); /* the cat is in no list: nothing is learned there */
    pct_batcher_destroy(&batcher);
    pct_pool_destroy(&pool);
}

static void pixels_are_normalised(void **state) {
    struct fixture *f = *state;
    pct_batch batch;
    pct_batcher *batcher;
    pct_pool *pool;
    make(f, 1, 0.5f, 5, 0, &batch, &batcher, &pool);
    for (int i = 0; i < SIDE * SIDE * 3; i++) {
        float wanted = ((float)(unsigned char)(i * 7) / 255.0f - 0.5f) / 0.25f;
        assert_true(batch.pixels[i] == wanted && batch.pixels[SIDE * SIDE * 3 * 2 + i] == wanted);
    }
    pct_batcher_destroy(&batcher);
    pct_pool_destroy(&pool);
}

static void threads_do_not_matter(void **state) {
    struct fixture *f = *state;
    pct_batch one, three, later;
    pct_batcher *batchers[3];
    pct_pool *pools[3];
    make(f, 1, 0.5f, 4, 5, &one, &batchers[0], &pools[0]);
    make(f, 3, 0.5f, 4, 5, &three, &batchers[1], &pools[1]);
    make(f, 3, 0.5f, 4, 6, &later, &batchers[2], &pools[2]);
    assert_int_equal(one.rows, three.rows);
    assert_memory_equal(one.ids, three.ids, (size_t)one.rows * sizeof(int32_t));
    assert_memory_equal(one.targets, three.targets, (size_t)one.rows * sizeof(int32_t));
    assert_int_equal(one.name_offsets[4], three.name_offsets[4]);
    assert_memory_equal(one.name_ids, three.name_ids, (size_t)one.name_offsets[4] * sizeof(int32_t));
    assert_memory_equal(one.presence, three.presence, 12 * sizeof(pct_real));
    int differ = 0;
    for (int32_t k = 0; k < one.object_count; k++) {
        assert_int_equal(one.objects[k].source, three.objects[k].source);
        assert_memory_equal(one.objects[k].mask, three.objects[k].mask, 64 * sizeof(pct_real));
        differ += one.objects[k].source != later.objects[k].source;
    }
    assert_true(differ > 0); /* another index draws anew */
    for (int i = 0; i < 3; i++) {
        pct_batcher_destroy(&batchers[i]);
        pct_pool_destroy(&pools[i]);
    }
}

static void segments_beyond_the_context_are_left_out(void **state) {
    struct fixture *f = *state;
    f->config.language.context = GRID * GRID + 1 + 40;
    pct_batch batch;
    pct_batcher *batcher;
    pct_pool *pool;
    make(f, 1, 0, 5, 0, &batch, &batcher, &pool);
    assert_true(pct_batcher_dropped(batcher) >= 3); /* the dialogue of each */
    for (int32_t s = 0; s < batch.segment_count; s++) assert_true(batch.segments[s].count <= 40);
    pct_batcher_destroy(&batcher);
    pct_pool_destroy(&pool);
}

static void regions_and_marks_must_agree(void **state) {
    struct fixture *f = *state;
    f->sample.turns[1].regions_in = NULL;
    f->sample.turns[1].in_count = 0;
    f->sample.turns[1].answer = "It is <obj>.";
    pct_batcher_options options;
    pct_batcher_options_default(&options);
    pct_batcher *batcher;
    pct_batch batch;
    percept_error error = {0};
    assert_int_equal(pct_batcher_create(&batcher, &f->config, f->tokenizer, &options, names, 5, NULL, NULL),
                     PERCEPT_OK);
    assert_int_equal(pct_batcher_make(batcher, &f->sample, 1, 1, 1, &f->arena, &batch, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "what is <obj>?"));
    pct_batcher_destroy(&batcher);
}

/* Where the bins stand in the segment from row `at` on, and whether each of them is learned. */
static void check_told(const struct fixture *f, const pct_batch *batch, int32_t at, const int32_t *bins, int32_t count,
                       bool learned) {
    for (int32_t i = 0; i < count; i++) {
        char text[24];
        snprintf(text, sizeof text, bins[i] >= 0 ? "<bin_%d>" : bins[i] == -1 ? "<poly>" : "</poly>", bins[i]);
        const int32_t id = pct_tokenizer_special(f->tokenizer, text);
        assert_int_equal(batch->ids[at + i], id);
        assert_int_equal(batch->targets[at + i - 1], learned ? id : -1);
    }
}

/* Boxes and polygons of the sample by hand, in bins of one pixel. */
static void regions_are_told(void **state) {
    struct fixture *f = *state;
    static const int32_t ant[] = {0, 0, 16, 8, -1, 0, 0, 16, 0, 16, 8, 0, 8, -2};
    static const int32_t cat[] = {20, 12, 30, 28, -1, 20, 12, 30, 12, 30, 28, 20, 28, -2};
    f->config.language.bins = 32;
    f->config.language.vertices = 8;
    for (int both = 0; both < 2; both++) {
        pct_batch batch;
        pct_batcher *batcher;
        pct_pool *pool;
        f->config.language.regions = both ? PCT_REGIONS_BOTH : PCT_REGIONS_TEXT;
        f->config.language.copying = f->config.heads.quality = both;
        assert_int_equal(pct_spelling_extend(&f->tokenizer, &f->config, NULL), PERCEPT_OK);
        assert_int_equal(pct_template_init(&f->template, "percept", f->tokenizer, NULL), PERCEPT_OK);
        make(f, 1, 1, 5, 0, &batch, &batcher, &pool);
        assert_int_equal(batch.segment_count, 9);
        assert_int_equal(batch.object_count, both ? 15 : 0);
        int32_t starts[16], count = 0;
        const int32_t first = pct_tokenizer_special(f->tokenizer, "<bin_0>"), last = pct_tokenizer_size(f->tokenizer);
        for (int32_t r = 0; r < batch.segments[3].row; r++) {
            const bool told = batch.ids[r] >= first && batch.ids[r] < last;
            const bool before = batch.ids[r - (r > 0)] >= first && batch.ids[r - (r > 0)] < last && r > 0;
            assert_true(both || batch.ids[r] != f->template.object);
            if (told && !before) starts[count++] = r;
        }
        assert_int_equal(count, 5); /* of the question's cat, the dialogue's two, the box given and its answer */
        check_told(f, &batch, starts[0], cat, 14, false);
        check_told(f, &batch, starts[1], ant, 14, true);
        check_told(f, &batch, starts[2], cat, 14, true);
        check_told(f, &batch, starts[3], ant, 4, false);
        assert_false(batch.ids[starts[3] + 4] >= first); /* a box is given without a polygon */
        check_told(f, &batch, starts[4], ant, 14, true);
        for (int k = 0; both && k < 5; k++) {
            assert_int_equal(batch.objects[k].row, starts[k] - 1);
            assert_int_equal(batch.ids[batch.objects[k].row], f->template.object);
        }
        pct_batcher_destroy(&batcher);
        pct_pool_destroy(&pool);
    }
}

/* Also of a user's mask, which is no object's of a composed sample. */
static void masks_go_there_and_back(void **state) {
    static const int sizes[][2] = {{320, 200}, {150, 400}, {90, 90}};
    for (int mode = 0; mode < 2; mode++)
        for (size_t i = 0; i < 3; i++) {
            pct_fit fit;
            pct_mask mask, back;
            enum { CELLS = 64 };
            float grid[CELLS * CELLS];
            assert_int_equal(pct_fit_make(&fit, (enum pct_fit_mode)mode, 192, sizes[i][0], sizes[i][1], NULL),
                             PERCEPT_OK);
            assert_int_equal(pct_mask_new(&mask, sizes[i][0], sizes[i][1], NULL), PERCEPT_OK);
            for (int y = 0; y < mask.height; y++)
                for (int x = 0; x < mask.width; x++) {
                    double dx = (x - mask.width * 0.6) / (mask.width * 0.3),
                           dy = (y - mask.height * 0.4) / (mask.height * 0.3);
                    mask.data[y * mask.width + x] = dx * dx + dy * dy < 1;
                }
            pct_object object = {.box = pct_mask_box(&mask), .mask = mask.data};
            const pct_sample sample = {
                .image = {.width = mask.width, .height = mask.height}, .objects = &object, .object_count = 1};
            pct_batch_mask(&fit, &sample, 0, CELLS, grid);
            for (int k = 0; k < CELLS * CELLS; k++) assert_true(grid[k] >= 0 && grid[k] <= 1.0001f);
            if (mode == PCT_FIT_PAD && sizes[i][0] > sizes[i][1]) assert_true(grid[CELLS / 2] == 0); /* padding */
            assert_int_equal(pct_fit_mask_to_picture(&fit, grid, CELLS, CELLS, 0.5f, &back, NULL, NULL), PERCEPT_OK);
            assert_true(pct_mask_iou(&mask, &back) > 0.95f);
            pct_mask_free(&mask);
            pct_mask_free(&back);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_go_there_and_back),
        cmocka_unit_test_setup_teardown(text_is_what_the_template_renders, setup, teardown),
        cmocka_unit_test_setup_teardown(regions_have_rows_boxes_and_masks, setup, teardown),
        cmocka_unit_test_setup_teardown(near_ones_come_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(long_dialogues_are_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_are_read_as_the_structure_says, setup, teardown),
        cmocka_unit_test_setup_teardown(patches_have_owners_and_names_are_present, setup, teardown),
        cmocka_unit_test_setup_teardown(cells_without_majority_are_unsure, setup, teardown),
        cmocka_unit_test_setup_teardown(names_stay_within_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(pixels_are_normalised, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_do_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_beyond_the_context_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(regions_and_marks_must_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(regions_are_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
