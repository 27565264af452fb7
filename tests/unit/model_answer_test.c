/* Answering agrees with training: what is generated token by token through the cache has the likelihood, the boxes and
 * the masks that one teacher-forced pass gives; a batch of prompts answers like each alone. */
#include "base/cpu.h"
#include "base/guard.h"
#include "image/resize.h"
#include "model/state.h"
#include "toy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PROMPTS 3

typedef struct fixture {
    pct_pool *pool;
    pct_compute *compute;
    pct_model *model;
    pct_state *state;
    toy_set toy;
    pct_prompt prompts[PROMPTS];
    pct_region_in region;
    pct_real *mask;
} fixture;

/* Weights far enough from their start that answers differ from each other. */
static void stir(pct_parameters *set) {
    pct_random random;
    pct_random_init(&random, 8, 0, 0);
    for (size_t i = 0; i < set->count; i++) {
        pct_parameter *p = set->list[i];
        for (int64_t k = 0; k < pct_tensor_count(&p->tensor); k++)
            pct_tensor_data(&p->tensor)[k] += 0.1f * pct_random_normal(&random);
        p->version++;
    }
}

static void open_fixture(fixture *f, pct_model_config config) {
    percept_error error = {0};
    *f = (fixture){0};
    config.language.context = 96;
    config.language.vocabulary = 320;
    assert_true(toy_create(&f->toy, &config));
    assert_int_equal(pct_pool_create(&f->pool, 2, &error), PERCEPT_OK);
    assert_int_equal(pct_compute_create(&f->compute, f->pool, pct_cpu_flags(), &error), PERCEPT_OK);
    assert_int_equal(pct_model_create(&f->model, &f->toy.config, f->toy.tokenizer, 4, &error), PERCEPT_OK);
    f->toy.tokenizer = NULL;
    stir(&f->model->parameters);
    assert_int_equal(pct_state_create(&f->state, f->model, f->compute, &error), PERCEPT_OK);
    f->state->tape.product = PCT_REAL; /* comparisons are to rounding */
    assert_int_equal(pct_state_encode(f->state, f->toy.batch.pixels, &error), PERCEPT_OK);
    f->prompts[0] = toy_prompt(&f->toy, "where is the red box?");
    f->prompts[1] = toy_prompt(&f->toy, "find it");
    /* The third gives a region of its own, as a mask. */
    f->prompts[2] = toy_prompt(&f->toy, "what is the blue box here");
    int32_t *ids = pct_arena_take(&f->toy.arena, (size_t)f->prompts[2].count * sizeof *ids);
    memcpy(ids, f->prompts[2].ids, (size_t)f->prompts[2].count * sizeof *ids);
    ids[3] = f->model->object;
    int side = f->model->config.heads.mask_encoder_side;
    f->mask = calloc((size_t)(side * side), sizeof *f->mask);
    for (int i = 0; i < side * side / 2; i++) f->mask[i] = 1;
    f->region = (pct_region_in){.source = PCT_REGION_MASK, .mask = f->mask};
    f->prompts[2].ids = ids;
    f->prompts[2].regions = &f->region;
    f->prompts[2].region_count = 1;
}

static void close_fixture(fixture *f) {
    free(f->mask);
    pct_state_destroy(&f->state);
    pct_model_close(&f->model);
    pct_compute_destroy(&f->compute);
    pct_pool_destroy(&f->pool);
    toy_free(&f->toy);
}

/* Logits as the mask encoder reads them: larger, and as probabilities. */
static const pct_real *encoded_mask(pct_arena *arena, const pct_real *logits, int32_t side, int32_t to) {
    pct_real *mask = pct_arena_take(arena, (size_t)(to * to) * sizeof *mask);
    assert_int_equal(pct_resize_plane(mask, to, to, logits, side, side, NULL, NULL), PERCEPT_OK);
    for (int32_t i = 0; i < to * to; i++) mask[i] = 1 / (1 + expf(-mask[i]));
    return mask;
}

/* One teacher-forced pass over prompt and reply; the reply's regions are the targets. */
static pct_losses teach(fixture *f, const pct_prompt *prompt, const pct_reply *reply) {
    pct_arena *arena = &f->toy.arena, step;
    int32_t eos = pct_tokenizer_eos(f->model->tokenizer), ended = reply->finish == PCT_FINISH_STOP;
    int32_t rows = prompt->count + reply->count;
    int32_t *ids = pct_arena_take(arena, (size_t)rows * sizeof *ids);
    int32_t *targets = pct_arena_take(arena, (size_t)rows * sizeof *targets);
    memcpy(ids, prompt->ids, (size_t)prompt->count * sizeof *ids);
    memcpy(ids + prompt->count, reply->ids, (size_t)reply->count * sizeof *ids);
    for (int32_t i = 0; i < rows; i++) targets[i] = i + 1 < prompt->count ? -1 : i + 1 < rows ? ids[i + 1] : -1;
    if (ended) targets[rows - 1] = eos;
    pct_batch_object *objects = pct_arena_take(arena, (size_t)(reply->region_count + 1) * sizeof *objects);
    int32_t count = 0, side = pct_model_config_mask_side(&f->model->config);
    for (int32_t i = 0; i < prompt->count; i++)
        if (ids[i] == f->model->object)
            objects[count++] = (pct_batch_object){.row = i, .source = PCT_REGION_MASK, .mask_in = f->mask};
    for (int32_t i = 0; i < reply->region_count; i++) {
        const pct_region_out *region = &reply->regions[i];
        pct_real *mask = pct_arena_take(arena, (size_t)(side * side) * sizeof *mask);
        for (int32_t k = 0; k < side * side; k++) mask[k] = region->mask[k] > 0;
        pct_batch_object object = {.row = prompt->count + region->token, .answer = true, .mask = mask};
        memcpy(object.box, region->box, sizeof object.box);
        if (f->model->config.heads.feedback == PCT_FEEDBACK_NONE) object.source = PCT_REGION_PLACE;
        if (f->model->config.heads.feedback == PCT_FEEDBACK_MASK) {
            object.source = PCT_REGION_MASK;
            object.mask_in = encoded_mask(arena, region->mask, side, f->model->config.heads.mask_encoder_side);
        }
        objects[count++] = object;
    }
    pct_batch_segment segment = {0, 0, rows};
    pct_batch batch = {.pictures = 1,
                       .pixels = f->toy.batch.pixels,
                       .rows = rows,
                       .ids = ids,
                       .targets = targets,
                       .segment_count = 1,
                       .segments = &segment,
                       .object_count = count,
                       .objects = objects};
    pct_tape tape;
    pct_losses losses;
    pct_loss_weights weights;
    pct_loss_weights_default(&weights);
    pct_arena_init(&step, 0);
    pct_tape_init(&tape, f->compute, &step, false, PCT_REAL);
    pct_model_loss(f->model, &tape, &batch, &weights, &losses);
    assert_int_equal(pct_tape_status(&tape, NULL), PERCEPT_OK);
    pct_arena_free(&step);
    return losses;
}

/* Draws answers until enough regions were met; each must agree with the teacher-forced pass. */
static void check_teacher_forced(pct_model_config config) {
    fixture f;
    percept_error error = {0};
    int regions = 0, replied = 0;
    open_fixture(&f, config);
    for (uint64_t seed = 0; seed < 240 && regions < 4; seed++) {
        pct_reply replies[PROMPTS];
        pct_answer_options options = {.max_tokens = 30, .masks = true, .temperature = 1.3f, .top_p = 1, .seed = seed};
        assert_int_equal(pct_state_answer(f.state, f.prompts, PROMPTS, &options, replies, &error), PERCEPT_OK);
        for (int i = 0; i < PROMPTS; i++) {
            /* The token that made an answer unparsable is not in it. */
            if (replies[i].finish == PCT_FINISH_UNPARSABLE || replies[i].count == 0) continue;
            pct_losses losses = teach(&f, &f.prompts[i], &replies[i]);
            assert_float_equal(losses.language * losses.tokens, -replies[i].log_probability,
                               1e-3 * (1 - replies[i].log_probability));
            replied++;
            regions += replies[i].region_count;
            if (replies[i].region_count == 0) continue;
            /* Corners of an untrained box may be the wrong way round, and are ordered in the reply. */
            assert_float_equal(losses.box_iou, 1, 1e-3);
            assert_float_equal(losses.mask_iou, 1, 2e-2);
        }
    }
    assert_true(replied > 3 && regions >= 4);
    close_fixture(&f);
}

static pct_model_config plain_config(void) {
    pct_model_config c = toy_config();
    c.heads.box = PCT_BOX_PLAIN;
    c.language.prefix = PCT_PREFIX_CAUSAL;
    c.language.cell_positions = PCT_CELLS_ROTARY;
    c.language.grounding = 0;
    c.language.copying = 0;
    c.language.tied = 0;
    c.vision.stem = PCT_STEM_PATCH;
    c.vision.fine = PCT_FINE_SECOND;
    c.heads.mask_queries = 1;
    return c;
}

static void teacher_forced_nano(void **state) { check_teacher_forced(toy_config()); }
static void teacher_forced_paper(void **state) { check_teacher_forced(plain_config()); }
static void teacher_forced_causal_cells(void **state) {
    pct_model_config c = plain_config();
    c.language.cell_positions = PCT_CELLS_LEARNED;
    check_teacher_forced(c);
}

static void teacher_forced_masks_read_on(void **state) {
    pct_model_config c = toy_config();
    c.heads.feedback = PCT_FEEDBACK_MASK;
    check_teacher_forced(c);
    c = plain_config(); /* whose masks could wait */
    c.heads.feedback = PCT_FEEDBACK_MASK;
    check_teacher_forced(c);
}
static void teacher_forced_nothing_read_on(void **state) {
    pct_model_config c = toy_config();
    c.heads.feedback = PCT_FEEDBACK_NONE;
    check_teacher_forced(c);
}

/* Greedy answers: argmax of the teacher-forced pass, and the same alone as among others. */
static void greedy(void **unused) {
    fixture f;
    percept_error error = {0};
    pct_reply together[PROMPTS], alone;
    int32_t ids[PROMPTS][40], counts[PROMPTS];
    double likelihood[PROMPTS];
    int32_t replied = 0; /* a random model may end an answer at once, but not all of them */
    pct_answer_options options = {.max_tokens = 24, .masks = true};
    open_fixture(&f, toy_config());
    assert_int_equal(pct_state_answer(f.state, f.prompts, PROMPTS, &options, together, &error), PERCEPT_OK);
    for (int i = 0; i < PROMPTS; i++) {
        assert_true(together[i].count <= 24);
        replied += together[i].count > 0;
        counts[i] = together[i].count;
        memcpy(ids[i], together[i].ids, (size_t)counts[i] * sizeof(int32_t));
        likelihood[i] = together[i].log_probability;
        if (together[i].count > 0 && together[i].finish != PCT_FINISH_UNPARSABLE)
            assert_float_equal(teach(&f, &f.prompts[i], &together[i]).token_accuracy, 1, 0);
    }
    assert_true(replied > 0);
    for (int i = 0; i < PROMPTS; i++) {
        assert_int_equal(pct_state_answer(f.state, &f.prompts[i], 1, &options, &alone, &error), PERCEPT_OK);
        assert_int_equal(alone.count, counts[i]);
        assert_memory_equal(alone.ids, ids[i], (size_t)counts[i] * sizeof(int32_t));
        assert_float_equal(alone.log_probability, likelihood[i], 1e-3);
    }
    close_fixture(&f);
}

/* The toy's first question with the answer it teaches, end token and all. */
static pct_prompt forced_prompt(fixture *f) {
    const pct_batch_segment *segment = &f->toy.batch.segments[0];
    const int32_t *ids = f->toy.batch.ids + segment->row, *targets = f->toy.batch.targets + segment->row;
    pct_prompt prompt = {.ids = ids};
    while (targets[prompt.count] < 0) prompt.count++;
    prompt.forced = targets + prompt.count++;
    while (prompt.count - 1 + prompt.forced_count < segment->count && prompt.forced[prompt.forced_count] >= 0)
        prompt.forced_count++;
    return prompt;
}

/* What was said, each region with the ids that told of it, in place of its <obj> or behind it. */
static int32_t said(const pct_model *model, const pct_reply *reply, int32_t *ids) {
    const bool text = model->config.language.regions == PCT_REGIONS_TEXT;
    int32_t count = 0, region = 0;
    for (int32_t i = 0; i < reply->count; i++) {
        const bool here = reply->ids[i] == model->object;
        if (!here || !text) ids[count++] = reply->ids[i];
        if (!here) continue;
        const pct_region_out *out = &reply->regions[region++];
        for (int32_t k = 0; k < out->told_count; k++) ids[count++] = out->told[k];
    }
    return count;
}

/* A question fits when it can be asked, with an earlier region written out as it was told. */
static void check_fits(const fixture *f, const pct_region_out *told) {
    enum { MOST = 96 };
    int32_t ids[MOST] = {0}, written[64];
    pct_reply reply;
    percept_error error = {0};
    pct_region_in region = {.source = PCT_REGION_BOX, .box = {0, 0, 1, 1}, .told_count = told->told_count};
    assert_true(told->told_count <= 64);
    if (told->told_count) region.told = memcpy(written, told->told, (size_t)told->told_count * sizeof *written);
    ids[0] = f->model->object;
    int changes = 0;
    for (int32_t count = 1; count <= MOST; count++) {
        const pct_prompt prompt = {.ids = ids, .count = count, .regions = &region, .region_count = 1};
        const pct_answer_options options = {.max_tokens = 1};
        static bool before;
        bool fits;
        assert_int_equal(pct_state_fits(f->state, &prompt, &fits, &error), PERCEPT_OK);
        assert_int_equal(pct_state_answer(f->state, &prompt, 1, &options, &reply, &error),
                         fits ? PERCEPT_OK : PERCEPT_ERROR_USAGE);
        changes += count > 1 && fits != before;
        before = fits;
    }
    assert_int_equal(changes, 1);
}

/* Answers that are prescribed: the reply holds just these ids and their regions, with their own likelihood. */
static void check_forced(enum pct_regions_mode mode) {
    fixture f;
    percept_error error = {0};
    pct_reply reply;
    int32_t ids[96];
    pct_model_config config = toy_config();
    config.language.regions = mode;
    config.language.bins = 32;
    config.language.vertices = 8;
    if (mode == PCT_REGIONS_TEXT) config.language.copying = config.heads.quality = 0;
    open_fixture(&f, config);
    const pct_answer_options options = {.masks = true, .temperature = 1.3f, .top_p = 1, .seed = 5};
    pct_prompt prompt = forced_prompt(&f);
    assert_true(prompt.forced_count > 4);
    assert_int_equal(pct_state_answer(f.state, &prompt, 1, &options, &reply, &error), PERCEPT_OK);
    assert_int_equal(reply.finish, PCT_FINISH_STOP);
    assert_int_equal(reply.tokens, prompt.forced_count - 1); /* the end is no part of it */
    assert_int_equal(said(f.model, &reply, ids), prompt.forced_count - 1);
    assert_memory_equal(ids, prompt.forced, (size_t)(prompt.forced_count - 1) * sizeof *ids);
    assert_int_equal(reply.region_count, 1);
    assert_non_null(reply.regions[0].mask);
    assert_false(reply.broken);
    const int32_t whole = prompt.forced_count;
    check_fits(&f, &(pct_region_out){.told = reply.regions[0].told, .told_count = reply.regions[0].told_count});
    assert_int_equal(pct_state_answer(f.state, &prompt, 1, &options, &reply, &error), PERCEPT_OK);
    if (mode == PCT_REGIONS_TOKEN) {
        const pct_losses losses = teach(&f, &prompt, &reply);
        assert_float_equal(losses.language * losses.tokens, -reply.log_probability, 1e-3 * (1 - reply.log_probability));
    }
    prompt.forced_count = 2; /* the rest is the model's own */
    const pct_answer_options few = {.max_tokens = 4, .temperature = 1.3f, .top_p = 1, .seed = 5};
    assert_int_equal(pct_state_answer(f.state, &prompt, 1, &few, &reply, &error), PERCEPT_OK);
    assert_true(reply.count >= 2 && reply.tokens <= 4);
    assert_memory_equal(reply.ids, prompt.forced, 2 * sizeof *ids);
    /* a region that a limit cuts */
    prompt.forced_count = mode == PCT_REGIONS_TEXT ? whole - 2 : 2;
    const pct_answer_options cut = {.max_tokens = prompt.forced_count};
    assert_int_equal(pct_state_answer(f.state, &prompt, 1, &cut, &reply, &error), PERCEPT_OK);
    assert_int_equal(reply.broken, mode == PCT_REGIONS_TEXT);
    /* ids that no answer can hold, and that no model has */
    int32_t wrong = f.model->template.user;
    prompt.forced = &wrong;
    prompt.forced_count = 1;
    assert_int_equal(pct_state_answer(f.state, &prompt, 1, &few, &reply, &error), PERCEPT_OK);
    assert_int_equal(reply.finish, PCT_FINISH_UNPARSABLE);
    assert_int_equal(reply.count, 0);
    static const int32_t outside[] = {-1, INT32_MAX};
    for (size_t i = 0; i <= 2; i++) {
        wrong = i < 2 ? outside[i] : f.model->config.language.vocabulary;
        assert_int_equal(pct_state_answer(f.state, &prompt, 1, &few, &reply, &error), PERCEPT_ERROR_USAGE);
        assert_non_null(strstr(error.message, "is not one of the model's"));
    }
    close_fixture(&f);
}

static void forced_tokens(void **unused) { check_forced(PCT_REGIONS_TOKEN); }
static void forced_text(void **unused) { check_forced(PCT_REGIONS_TEXT); }
static void forced_both(void **unused) { check_forced(PCT_REGIONS_BOTH); }

/* The first region of an answer, from the same weights with heads.commit or without: box and mask to the caller. */
static void first_region(int32_t commit, const pct_real *given, pct_real box[4], pct_real *mask, bool *changes) {
    fixture f;
    percept_error error = {0};
    pct_reply reply;
    pct_model_config config = toy_config();
    config.heads.commit = commit;
    open_fixture(&f, config);
    /* Every cell is an object of its own, and a small one: any region lies over several. */
    pct_tensor *weight = &f.model->cell_box.map.weight->tensor, *bias = &f.model->cell_box.map.bias->tensor;
    memset(pct_tensor_data(weight), 0, (size_t)pct_tensor_count(weight) * sizeof(pct_real));
    for (int k = 0; k < 4; k++) pct_tensor_data(bias)[k] = -3;
    f.model->cell_box.map.weight->version++;
    assert_int_equal(pct_state_encode(f.state, f.toy.batch.pixels, &error), PERCEPT_OK);
    const int32_t forced[] = {f.model->object, f.model->template.eos};
    pct_prompt prompt = f.prompts[given ? 2 : 0];
    if (given) memcpy(f.region.box, given, sizeof f.region.box);
    prompt.forced = forced;
    prompt.forced_count = 2;
    const pct_answer_options options = {.max_tokens = 2, .masks = true};
    assert_int_equal(pct_state_answer(f.state, &prompt, 1, &options, &reply, &error), PERCEPT_OK);
    assert_int_equal(reply.region_count, 1);
    assert_true((f.state->cell_boxes != NULL) == (commit != 0));
    const int64_t side = pct_model_config_mask_side(&config), grid = pct_model_config_grid(&config);
    memcpy(mask, reply.regions[0].mask, (size_t)(side * side) * sizeof *mask);
    memcpy(box, reply.regions[0].box, 4 * sizeof *box);
    if (changes && commit) { /* what the other one's region would become */
        pct_tape_clear(&f.state->tape);
        *changes = pct_region_commit(&f.state->tape, pct_tensor_data(f.state->cell_boxes), grid, box, mask, side);
    }
    close_fixture(&f);
}

/* Answers commit their regions, but for one that the user gave. */
static void committed(void **unused) {
    static pct_real plain[64 * 64], mask[64 * 64];
    pct_real was[4], box[4];
    first_region(0, NULL, was, plain, NULL);
    first_region(1, NULL, box, mask, NULL);
    assert_true(memcmp(was, box, sizeof box) != 0 && memcmp(plain, mask, sizeof mask) != 0);
    const double small = 2 / (1 + exp(3.0));
    assert_true(fabs((double)(box[2] - box[0]) - small) < 1e-3 && fabs((double)(box[3] - box[1]) - small) < 1e-3);
    bool again = true;
    first_region(1, NULL, box, mask, &again);
    assert_false(again); /* what has decided stays */
    first_region(0, was, was, plain, NULL);
    first_region(1, was, box, mask, NULL);
    assert_memory_equal(was, box, sizeof box);
    assert_memory_equal(plain, mask, sizeof mask);
}

static bool stop_after_four(void *context, int32_t prompt, int32_t id, const pct_region_out *region) {
    return ++*(int *)context >= 4;
}

static void limits(void **unused) {
    fixture f;
    percept_error error = {0};
    pct_reply replies[PROMPTS];
    int tokens = 0;
    open_fixture(&f, toy_config());
    pct_answer_options options = {.max_tokens = 2};
    assert_int_equal(pct_state_answer(f.state, f.prompts, PROMPTS, &options, replies, &error), PERCEPT_OK);
    for (int i = 0; i < PROMPTS; i++)
        assert_true(replies[i].count <= 2 && (replies[i].count < 2 || replies[i].finish == PCT_FINISH_LENGTH));
    options = (pct_answer_options){.max_tokens = 30, .deadline = 1e-9};
    assert_int_equal(pct_state_answer(f.state, f.prompts, 1, &options, replies, &error), PERCEPT_OK);
    assert_true(replies[0].count <= 1 && (replies[0].count == 0 || replies[0].finish == PCT_FINISH_TIME));
    options = (pct_answer_options){.max_tokens = 30, .token = stop_after_four, .context = &tokens};
    assert_int_equal(pct_state_answer(f.state, f.prompts, PROMPTS, &options, replies, &error), PERCEPT_OK);
    assert_true(tokens >= 4 && tokens <= 6);

    int32_t many[200] = {0};
    pct_prompt prompt = {.ids = many, .count = 200};
    assert_int_equal(pct_state_answer(f.state, &prompt, 1, &options, replies, &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "context"));
    prompt.count = 0;
    assert_int_equal(pct_state_answer(f.state, &prompt, 1, &options, replies, &error), PERCEPT_ERROR_USAGE);
    prompt = f.prompts[2];
    prompt.region_count = 0;
    assert_int_equal(pct_state_answer(f.state, &prompt, 1, &options, replies, &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "<obj>"));

    /* Words alone: no picture, no region in the answer. */
    pct_state_forget(f.state);
    for (uint64_t seed = 0; seed < 10; seed++) {
        options = (pct_answer_options){.max_tokens = 30, .temperature = 1.3f, .top_p = 0.99f, .seed = seed};
        assert_int_equal(pct_state_answer(f.state, f.prompts, 2, &options, replies, &error), PERCEPT_OK);
        assert_int_equal(replies[0].region_count + replies[1].region_count, 0);
    }
    close_fixture(&f);
}

/* After the first questions, others of the same size take no more memory from the system. */
static void no_growth(void **unused) {
    fixture f;
    percept_error error = {0};
    pct_reply replies[PROMPTS];
    pct_answer_options options = {.max_tokens = 20, .masks = true, .temperature = 1, .top_p = 0.9f};
    open_fixture(&f, toy_config());
    size_t step = 0, cache = 0;
    for (int round = 0; round < 12; round++) {
        options.seed = (uint64_t)round / 2;
        assert_int_equal(pct_state_encode(f.state, f.toy.batch.pixels, &error), PERCEPT_OK);
        assert_int_equal(pct_state_answer(f.state, f.prompts, PROMPTS, &options, replies, &error), PERCEPT_OK);
        if (round == 0) step = f.state->step.reserved;
        if (round == 0) cache = (size_t)f.state->cache.capacity;
    }
    assert_int_equal(f.state->step.reserved, step);
    assert_int_equal(f.state->cache.capacity, cache);
    close_fixture(&f);
}

/* Once warm, encoding a picture and answering take no memory from the system on any of our threads: with the model as
 * it was made, and as a file of Q8_0 whose products are in INT8. */
static void warm_answers_allocate_nothing(void **unused) {
    fixture f;
    percept_error error = {0};
    char path[] = "/tmp/percept-answer-XXXXXX";
    int handle = mkstemp(path);
    assert_true(handle >= 0);
    close(handle);
    pct_model_config config = toy_config();
    config.heads.commit = 1;
    open_fixture(&f, config);
    for (int stored = 0; stored < 2; stored++) {
        if (stored) {
            assert_int_equal(pct_model_save(f.model, path, PCT_Q8_0, NULL, &error), PERCEPT_OK);
            pct_state_destroy(&f.state);
            pct_model_close(&f.model);
            pct_compute_use_int8(f.compute);
            assert_int_equal(pct_model_open(&f.model, path, false, &error), PERCEPT_OK);
            assert_int_equal(pct_state_create(&f.state, f.model, f.compute, &error), PERCEPT_OK);
        }
        pct_reply replies[PROMPTS];
        pct_answer_options options = {.max_tokens = 20, .masks = true, .temperature = 1, .top_p = 0.9f, .seed = 3};
        for (int round = 0; round < 4; round++) {
            if (round > 1) pct_guard_enter("warm answer");
            percept_status status = pct_state_encode(f.state, f.toy.batch.pixels, &error);
            if (status == PERCEPT_OK) status = pct_state_answer(f.state, f.prompts, PROMPTS, &options, replies, &error);
            if (round > 1) pct_guard_leave();
            assert_int_equal(status, PERCEPT_OK);
            assert_true(replies[0].count > 3); /* the first pass and several steps */
        }
    }
    unlink(path);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(teacher_forced_nano),
        cmocka_unit_test(teacher_forced_paper),
        cmocka_unit_test(teacher_forced_causal_cells),
        cmocka_unit_test(teacher_forced_masks_read_on),
        cmocka_unit_test(teacher_forced_nothing_read_on),
        cmocka_unit_test(greedy),
        cmocka_unit_test(forced_tokens),
        cmocka_unit_test(forced_text),
        cmocka_unit_test(forced_both),
        cmocka_unit_test(committed),
        cmocka_unit_test(limits),
        cmocka_unit_test(no_growth),
        cmocka_unit_test(warm_answers_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
