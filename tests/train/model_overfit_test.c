/* A small model learns two pictures by heart; it must then answer as it was taught, before and after its weights went
 * through a file in eight bits. */
#include "base/cpu.h"
#include "heads/quality.h"
#include "model/model.h"
#include "toy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define STEPS 250

typedef struct optimiser_memory {
    pct_real *m, *v;
} optimiser_memory;

static void optimise(pct_compute *compute, pct_parameters *set, optimiser_memory *moments, int step) {
    double rate = 3e-3 * fmin(1, step / 20.0) * (1 - 0.9 * step / STEPS), squares = 0;
    for (size_t i = 0; i < set->count; i++) {
        const pct_parameter *p = set->list[i];
        if (p->trainable) squares += compute->kernels.sum_squares(p->tensor.grad, pct_tensor_count(&p->tensor));
    }
    double scale = fmin(1, 1 / (sqrt(squares) + 1e-6));
    for (size_t i = 0; i < set->count; i++) {
        pct_parameter *p = set->list[i];
        int64_t count = pct_tensor_count(&p->tensor);
        if (!p->trainable) continue;
        if (!moments[i].m) {
            moments[i].m = calloc((size_t)count, sizeof(pct_real));
            moments[i].v = calloc((size_t)count, sizeof(pct_real));
        }
        compute->kernels.adamw(pct_tensor_data(&p->tensor), moments[i].m, moments[i].v, p->tensor.grad, count, rate,
                               0.9, 0.98, 1e-8, 0, scale, step);
        memset(p->tensor.grad, 0, (size_t)count * sizeof(pct_real));
        p->version++;
    }
}

static pct_losses train(pct_compute *compute, pct_model *model, const pct_batch *batch, pct_losses *first) {
    pct_arena arena;
    pct_tape tape;
    pct_losses losses = {0};
    pct_loss_weights weights;
    pct_parameters *set = pct_model_get_parameters(model);
    optimiser_memory *moments = calloc(set->count, sizeof *moments);
    pct_loss_weights_default(&weights);
    pct_arena_init(&arena, (size_t)8 << 20);
    pct_tape_init(&tape, compute, &arena, true, pct_compute_prefers_bf16(compute) ? PCT_BF16 : PCT_REAL);
    tape.recycle = true;
    for (int step = 1; step <= STEPS; step++) {
        pct_tensor *loss = pct_model_loss(model, &tape, batch, &weights, &losses);
        pct_tape_back(&tape, loss);
        assert_int_equal(pct_tape_status(&tape, NULL), PERCEPT_OK);
        if (step == 1) *first = losses;
        pct_tape_clear(&tape);
        pct_arena_reset(&arena);
        optimise(compute, set, moments, step);
    }
    for (size_t i = 0; i < set->count; i++) {
        free(moments[i].m);
        free(moments[i].v);
    }
    free(moments);
    pct_arena_free(&arena);
    return losses;
}

/* Asks every question of every picture; all answers must be the taught ones, regions on their targets. */
static void check_answers(pct_compute *compute, pct_model *model, toy_set *toy, double least_iou) {
    pct_state *state = NULL;
    percept_error error = {0};
    int side = toy->config.image.side, mask_side = pct_model_config_mask_side(&toy->config), object = 0;
    pct_text text = {0};
    assert_int_equal(pct_state_create(&state, model, compute, &error), PERCEPT_OK);
    for (int p = 0; p < TOY_PICTURES; p++) {
        pct_prompt prompts[TOY_QUESTIONS];
        pct_reply replies[TOY_QUESTIONS];
        pct_answer_options options = {.max_tokens = 40, .masks = true};
        for (int q = 0; q < TOY_QUESTIONS; q++) prompts[q] = toy_prompt(toy, toy->questions[p][q]);
        assert_int_equal(pct_state_encode(state, toy->batch.pixels + p * side * side * 3, &error), PERCEPT_OK);
        assert_int_equal(pct_state_answer(state, prompts, TOY_QUESTIONS, &options, replies, &error), PERCEPT_OK);
        for (int q = 0; q < TOY_QUESTIONS; q++) {
            pct_text_clear(&text);
            pct_tokenizer_decode(pct_model_get_tokenizer(model), replies[q].ids, (size_t)replies[q].count, true, &text);
            assert_string_equal(text.data, toy->answers[p][q]);
            assert_int_equal(replies[q].finish, PCT_FINISH_STOP);
            assert_int_equal(replies[q].region_count, strstr(toy->answers[p][q], "<obj>") != NULL);
            if (replies[q].region_count == 0) continue;
            const pct_batch_object *target = &toy->batch.objects[object++];
            const pct_region_out *region = &replies[q].regions[0];
            assert_true(pct_region_box_iou(region->box, target->box) > least_iou);
            assert_true(pct_region_mask_iou(region->mask, target->mask, mask_side * mask_side) > least_iou);
            assert_true(region->score > 0.5f);
        }
    }
    assert_int_equal(object, toy->batch.object_count);
    pct_text_free(&text);
    pct_state_destroy(&state);
}

static void learns_by_heart(void **unused) {
    percept_error error = {0};
    pct_pool *pool = NULL;
    pct_compute *compute = NULL;
    pct_model *model = NULL;
    toy_set toy;
    pct_model_config config = toy_config();
    assert_true(toy_create(&toy, &config));
    assert_int_equal(pct_pool_create(&pool, 0, &error), PERCEPT_OK);
    assert_int_equal(pct_compute_create(&compute, pool, pct_cpu_flags(), &error), PERCEPT_OK);
    assert_int_equal(pct_model_create(&model, &toy.config, toy.tokenizer, 4, &error), PERCEPT_OK);
    toy.tokenizer = NULL;

    pct_losses first = {0}, last = train(compute, model, &toy.batch, &first);
    print_message("total %.3f -> %.4f, language %.3f -> %.4f, mask IoU %.3f, box IoU %.3f\n", first.total, last.total,
                  first.language, last.language, last.mask_iou, last.box_iou);
    assert_true(last.total < first.total / 5);
    assert_true(last.language < 0.05 && last.token_accuracy == 1);
    assert_true(last.mask_iou > 0.8 && last.box_iou > 0.8);
    check_answers(compute, model, &toy, 0.8);

    char path[] = "/tmp/percept-overfit-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(pct_model_save(model, path, PCT_Q8_0, NULL, &error), PERCEPT_OK);
    pct_model_close(&model);
    assert_int_equal(pct_model_open(&model, path, false, &error), PERCEPT_OK);
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(model);
    assert_int_equal(pct_template_init(&toy.template, "percept", tokenizer, &error), PERCEPT_OK);
    check_answers(compute, model, &toy, 0.75);
    unlink(path);
    pct_model_close(&model);
    pct_compute_destroy(&compute);
    pct_pool_destroy(&pool);
    toy_free(&toy);
}

/* The same pictures with regions in text: the same words, regions where they belong, and what they cost in tokens. */
static void check_told(pct_compute *compute, pct_model *model, toy_set *toy) {
    const bool both = toy->config.language.regions == PCT_REGIONS_BOTH;
    const int side = toy->config.image.side, mask_side = pct_model_config_mask_side(&toy->config);
    pct_state *state = NULL;
    percept_error error = {0};
    pct_text text = {0};
    assert_int_equal(pct_state_create(&state, model, compute, &error), PERCEPT_OK);
    for (int p = 0; p < TOY_PICTURES; p++) {
        pct_prompt prompts[TOY_QUESTIONS];
        pct_reply replies[TOY_QUESTIONS];
        pct_answer_options options = {.masks = true};
        for (int q = 0; q < TOY_QUESTIONS; q++) prompts[q] = toy_prompt(toy, toy->questions[p][q]);
        assert_int_equal(pct_state_encode(state, toy->batch.pixels + p * side * side * 3, &error), PERCEPT_OK);
        assert_int_equal(pct_state_answer(state, prompts, TOY_QUESTIONS, &options, replies, &error), PERCEPT_OK);
        for (int q = 0; q < TOY_QUESTIONS; q++) {
            const float *box = toy_shown(p, q);
            const pct_region_out *region = &replies[q].regions[0];
            pct_text_clear(&text);
            pct_tokenizer_decode(pct_model_get_tokenizer(model), replies[q].ids, (size_t)replies[q].count, true, &text);
            assert_string_equal(text.data, toy->answers[p][q]);
            assert_int_equal(replies[q].finish, PCT_FINISH_STOP);
            assert_int_equal(replies[q].region_count, box != NULL);
            if (!box) assert_int_equal(replies[q].tokens, replies[q].count);
            if (!box) continue;
            assert_int_equal(region->told_count, 4 + 2 + 8);
            assert_int_equal(replies[q].region_tokens, region->told_count + both);
            assert_int_equal(replies[q].tokens, replies[q].count + region->told_count - !both);
            assert_true(pct_region_box_iou(region->box, (pct_real[]){box[0], box[1], box[2], box[3]}) > 0.75);
            int64_t inside = 0, covered = 0;
            for (int i = 0; i < mask_side * mask_side; i++) {
                const float x = ((float)(i % mask_side) + 0.5f) / (float)mask_side;
                const float y = ((float)(i / mask_side) + 0.5f) / (float)mask_side;
                const bool in = x > box[0] && x < box[2] && y > box[1] && y<box[3], on = region->mask[i]> 0;
                inside += in && on;
                covered += in || on;
            }
            assert_true((double)inside > 0.75 * (double)covered);
            assert_true(region->token_log_probability > -0.2f && region->score > 0.5f);
        }
        options.max_tokens = both ? 14 : 13; /* within the region */
        assert_int_equal(pct_state_answer(state, prompts, 1, &options, replies, &error), PERCEPT_OK);
        assert_int_equal(replies[0].finish, PCT_FINISH_LENGTH);
        assert_int_equal(replies[0].tokens, options.max_tokens);
        assert_int_equal(replies[0].region_count, both);
    }
    pct_text_free(&text);
    pct_state_destroy(&state);
}

static void learns_to_tell(enum pct_regions_mode mode) {
    percept_error error = {0};
    pct_pool *pool = NULL;
    pct_compute *compute = NULL;
    pct_model *model = NULL;
    toy_set toy;
    pct_model_config config = toy_config();
    config.language.regions = mode;
    config.language.bins = 32;
    config.language.vertices = 8;
    if (mode == PCT_REGIONS_TEXT) config.language.copying = config.heads.quality = 0;
    assert_true(toy_create(&toy, &config));
    assert_int_equal(pct_pool_create(&pool, 0, &error), PERCEPT_OK);
    assert_int_equal(pct_compute_create(&compute, pool, pct_cpu_flags(), &error), PERCEPT_OK);
    assert_int_equal(pct_model_create(&model, &toy.config, toy.tokenizer, 4, &error), PERCEPT_OK);
    toy.tokenizer = NULL;
    pct_losses first = {0}, last = train(compute, model, &toy.batch, &first);
    assert_true(last.language < 0.05 && last.token_accuracy == 1);
    assert_int_equal(last.objects, mode == PCT_REGIONS_TEXT ? 0 : toy.batch.object_count);
    check_told(compute, model, &toy);
    char path[] = "/tmp/percept-overfit-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(pct_model_save(model, path, PCT_Q8_0, NULL, &error), PERCEPT_OK);
    pct_model_close(&model);
    assert_int_equal(pct_model_open(&model, path, false, &error), PERCEPT_OK);
    assert_int_equal(pct_model_get_config(model)->language.regions, mode);
    assert_int_equal(pct_template_init(&toy.template, "percept", pct_model_get_tokenizer(model), &error), PERCEPT_OK);
    check_told(compute, model, &toy);
    unlink(path);
    pct_model_close(&model);
    pct_compute_destroy(&compute);
    pct_pool_destroy(&pool);
    toy_free(&toy);
}

static void learns_text(void **unused) { learns_to_tell(PCT_REGIONS_TEXT); }
static void learns_both(void **unused) { learns_to_tell(PCT_REGIONS_BOTH); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(learns_by_heart), cmocka_unit_test(learns_text),
                                       cmocka_unit_test(learns_both)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
