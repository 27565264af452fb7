/* A small MLLMSeg mask decoder learns three masks by heart: two of one picture, told apart by what asks for them, and
 * one of another. It must then draw them as it answers: packed weights, nothing recorded. */
#include "base/cpu.h"
#include "heads/quality.h"
#include "heads/res_decoder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka.h needs the ones above
#include <cmocka.h>

enum { WIDTH = 32, STATE = 24, SIDE = 8, PATCH = 4, MASK = SIDE * PATCH, OBJECTS = 3, STEPS = 150 };
static const pct_res_options options = {
    .width = WIDTH, .state_width = STATE, .mlp = 64, .heads = 4, .groups = 4, .patch = PATCH};
static const int32_t picture[OBJECTS] = {0, 0, 1};

typedef struct lesson {
    pct_compute *compute;
    pct_real cells[2 * SIDE * SIDE * WIDTH], language[2 * SIDE * SIDE / 4 * STATE], text[OBJECTS * STATE];
    pct_real target[OBJECTS * MASK * MASK];
} lesson;

static void fill(pct_real *out, size_t count, uint64_t stream) {
    pct_random random;
    pct_random_init(&random, 1, stream, 0);
    for (size_t i = 0; i < count; i++) out[i] = (pct_real)pct_random_normal(&random);
}

static void make_lesson(lesson *l) {
    const double middle[OBJECTS][3] = {{10, 12, 7}, {22, 20, 6}, {16, 9, 8}}; /* x, y, radius */
    fill(l->cells, sizeof l->cells / sizeof *l->cells, 1);
    fill(l->language, sizeof l->language / sizeof *l->language, 2);
    fill(l->text, sizeof l->text / sizeof *l->text, 3);
    for (int i = 0; i < OBJECTS * MASK * MASK; i++) {
        const double *m = middle[i / (MASK * MASK)];
        l->target[i] = hypot(i % MASK - m[0], i / MASK % MASK - m[1]) < m[2];
    }
}

static pct_tensor *draw(lesson *l, pct_tape *tape, const pct_res_decoder *decoder) {
    pct_tensor *cells = pct_tape_input(tape, PCT_REAL, 2, (int64_t[]){2 * SIDE * SIDE, WIDTH}, l->cells);
    pct_tensor *language = pct_tape_input(tape, PCT_REAL, 2, (int64_t[]){2 * SIDE * SIDE / 4, STATE}, l->language);
    pct_tensor *text = pct_tape_input(tape, PCT_REAL, 2, (int64_t[]){OBJECTS, STATE}, l->text);
    pct_res_keys keys = pct_res_decoder_prepare(tape, decoder, cells, language, 2);
    return pct_res_decoder_apply(tape, decoder, &keys, text, picture);
}

static void optimise(lesson *l, pct_parameters *set, pct_real **moments, int step) {
    const double rate = 3e-3 * fmin(1, step / 20.0) * (1 - 0.9 * step / STEPS);
    for (size_t i = 0; i < set->count; i++) {
        pct_parameter *p = set->list[i];
        const int64_t count = pct_tensor_count(&p->tensor);
        if (!p->trainable) continue;
        if (!moments[i]) moments[i] = calloc((size_t)count * 2, sizeof(pct_real));
        l->compute->kernels.adamw(pct_tensor_data(&p->tensor), moments[i], moments[i] + count, p->tensor.grad, count,
                                  rate, 0.9, 0.98, 1e-8, 0, 1, step);
        memset(p->tensor.grad, 0, (size_t)count * sizeof(pct_real));
        p->version++;
    }
}

static void train(lesson *l, pct_parameters *set, const pct_res_decoder *decoder) {
    pct_arena arena;
    pct_tape tape;
    pct_real **moments = calloc(set->count, sizeof *moments);
    pct_arena_init(&arena, 0);
    pct_tape_init(&tape, l->compute, &arena, true, pct_compute_prefers_bf16(l->compute) ? PCT_BF16 : PCT_REAL);
    tape.recycle = true;
    for (int step = 1; step <= STEPS; step++) {
        pct_tensor *rows = pct_as_rows(&tape, draw(l, &tape, decoder), MASK * MASK);
        pct_tensor *part[2] = {pct_op_bce(&tape, rows, l->target, NULL), pct_op_dice(&tape, rows, l->target, NULL, 1)};
        pct_tape_back(&tape, pct_op_weighted_sum(&tape, part, (pct_real[]){1, 1}, 2));
        assert_int_equal(pct_tape_status(&tape, NULL), PERCEPT_OK);
        pct_tape_clear(&tape);
        pct_arena_reset(&arena);
        optimise(l, set, moments, step);
    }
    for (size_t i = 0; i < set->count; i++) free(moments[i]);
    free(moments);
    pct_arena_free(&arena);
}

/* The trained weights, for answering: does not learn. */
static percept_status taught(void *context, const pct_weight_spec *spec, pct_parameters *set, pct_parameter **parameter,
                             percept_error *error) {
    pct_parameter *from = pct_parameters_find(context, spec->name);
    assert_non_null(from);
    *parameter = pct_parameters_add(set, spec->name, spec->rank, spec->dim, false, error);
    memcpy((*parameter)->tensor.data, from->tensor.data, (size_t)pct_tensor_count(&from->tensor) * sizeof(pct_real));
    return PERCEPT_OK;
}

static void learns_masks_by_heart(void **state) {
    lesson *l = calloc(1, sizeof *l);
    pct_parameters learning, answering;
    pct_res_decoder pupil, drawer;
    pct_arena arena;
    pct_tape tape;
    make_lesson(l);
    assert_int_equal(pct_compute_create(&l->compute, NULL, pct_cpu_flags(), NULL), PERCEPT_OK);
    pct_parameters_init(&learning);
    pct_builder builder = {.set = &learning, .seed = 5, .trainable = true};
    pct_res_decoder_build(&pupil, &builder, &options);
    assert_int_equal(builder.status, PERCEPT_OK);
    train(l, &learning, &pupil);

    pct_parameters_init(&answering);
    pct_builder copier = {.set = &answering, .source = taught, .context = &learning};
    pct_res_decoder_build(&drawer, &copier, &options);
    assert_int_equal(copier.status, PERCEPT_OK);
    pct_arena_init(&arena, 0);
    pct_tape_init(&tape, l->compute, &arena, false, pct_compute_prefers_bf16(l->compute) ? PCT_BF16 : PCT_REAL);
    const pct_real *logits = pct_tensor_data(draw(l, &tape, &drawer));
    for (int i = 0; i < OBJECTS; i++) {
        double iou = pct_region_mask_iou(logits + i * MASK * MASK, l->target + i * MASK * MASK, MASK * MASK);
        if (iou < 0.9) fail_msg("mask %d: IoU %.3f", i, iou);
    }
    pct_arena_free(&arena);
    pct_parameters_free(&learning);
    pct_parameters_free(&answering);
    pct_compute_destroy(&l->compute);
    free(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(learns_masks_by_heart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
