/* The way back through the whole of MLLMSeg's mask decoder against central differences, in double precision: a few
 * elements of every weight and of what it is given. And: every weight that learns gets a gradient. */
#include "base/cpu.h"
#include "heads/res_decoder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
// cmocka.h needs the ones above
#include <cmocka.h>

enum { WIDTH = 8, STATE = 6, SIDE = 4, PATCH = 2, PICTURES = 2, OBJECTS = 3, PIXELS = SIDE * SIDE * PATCH * PATCH };

typedef struct setting {
    pct_compute *compute;
    pct_parameters set;
    pct_res_decoder decoder;
    pct_arena arena;
    pct_parameter *cells, *language, *text; /* what it is given, as weights: they want gradients too */
    pct_real target[OBJECTS * PIXELS];
    bool back;
} setting;

static double run(setting *s) {
    static const int32_t picture[OBJECTS] = {1, 0, 1};
    pct_tape tape;
    pct_tape_init(&tape, s->compute, &s->arena, true, PCT_REAL);
    pct_random_init(&tape.random, 5, 0, 0); /* the same dropout every time */
    pct_res_keys keys = pct_res_decoder_prepare(&tape, &s->decoder, &s->cells->tensor, &s->language->tensor, PICTURES);
    pct_tensor *logits = pct_res_decoder_apply(&tape, &s->decoder, &keys, &s->text->tensor, picture);
    pct_tensor *rows = pct_as_rows(&tape, logits, PIXELS);
    pct_tensor *part[2] = {pct_op_bce(&tape, rows, s->target, NULL), pct_op_dice(&tape, rows, s->target, NULL, 1)};
    pct_tensor *loss = pct_op_weighted_sum(&tape, part, (pct_real[]){1, 2}, 2);
    assert_int_equal(pct_tape_status(&tape, NULL), PERCEPT_OK);
    if (s->back) pct_tape_back(&tape, loss);
    double value = (double)pct_tensor_data(loss)[0];
    assert_true(isfinite(value));
    pct_tape_clear(&tape);
    pct_arena_reset(&s->arena);
    return value;
}

static void make(setting *s, pct_real dropout) {
    *s = (setting){.back = true};
    assert_int_equal(pct_compute_create(&s->compute, NULL, 0, NULL), PERCEPT_OK);
    pct_parameters_init(&s->set);
    pct_arena_init(&s->arena, (size_t)4 << 20);
    pct_builder builder = {.set = &s->set, .seed = 3, .trainable = true};
    pct_res_decoder_build(&s->decoder, &builder,
                          &(pct_res_options){.width = WIDTH,
                                             .state_width = STATE,
                                             .mlp = 12,
                                             .heads = 2,
                                             .groups = 2,
                                             .patch = PATCH,
                                             .dropout = dropout});
    const int64_t cells = PICTURES * SIDE * SIDE;
    s->cells = pct_build_weight(&builder, PCT_INIT_NORMAL, 1, 2, (int64_t[]){cells, WIDTH}, false, true, "cells");
    s->language =
        pct_build_weight(&builder, PCT_INIT_NORMAL, 1, 2, (int64_t[]){cells / 4, STATE}, false, true, "language");
    s->text = pct_build_weight(&builder, PCT_INIT_NORMAL, 1, 2, (int64_t[]){OBJECTS, STATE}, false, true, "text");
    assert_int_equal(builder.status, PERCEPT_OK);
    for (int i = 0; i < OBJECTS * PIXELS; i++) s->target[i] = (pct_real)(pct_hash_u64((uint64_t)i) % 2);
    /* Biases of 0 and statistics of 0 and 1 hide much. */
    for (size_t i = 0; i < s->set.count; i++) {
        pct_random random;
        pct_random_init(&random, 7, pct_hash_bytes(s->set.list[i]->name, strlen(s->set.list[i]->name)), 0);
        pct_real *data = pct_tensor_data(&s->set.list[i]->tensor);
        for (int64_t k = 0; k < pct_tensor_count(&s->set.list[i]->tensor); k++)
            data[k] += (pct_real)0.1 * (pct_real)pct_random_normal(&random);
    }
}

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

static void compare(setting *s, pct_parameter *p, pct_random *random) {
    const int64_t count = pct_tensor_count(&p->tensor);
    pct_real *data = pct_tensor_data(&p->tensor);
    double largest = 0;
    for (int64_t k = 0; k < count; k++) largest = fmax(largest, fabs((double)p->tensor.grad[k]));
    /* The same added to all keys moves all scores of a query alike. */
    if (!(largest > 1e-9) && !ends_with(p->name, ".k.bias")) fail_msg("%s gets no gradient", p->name);
    for (int n = 0; n < 4; n++) {
        const int64_t k = pct_random_below(random, (uint32_t)count);
        const pct_real kept = data[k];
        const double step = 2e-6, analytic = (double)p->tensor.grad[k];
        data[k] = kept + (pct_real)step;
        double up = run(s);
        data[k] = kept - (pct_real)step;
        double down = run(s), numeric = (up - down) / (2 * step);
        data[k] = kept;
        double scale = fmax(fmax(fabs(analytic), fabs(numeric)), fmax(1e-2 * largest, 1e-4));
        if (fabs(analytic - numeric) > 2e-4 * scale)
            fail_msg("%s[%lld]: %.10g by the tape, %.10g by differences", p->name, (long long)k, analytic, numeric);
    }
}

static void check(pct_real dropout) {
    setting s;
    pct_random random;
    int checked = 0;
    make(&s, dropout);
    pct_random_init(&random, 11, 0, 0);
    run(&s);
    s.back = false;
    for (size_t i = 0; i < s.set.count; i++) {
        if (!s.set.list[i]->trainable) continue;
        compare(&s, s.set.list[i], &random);
        checked++;
    }
    assert_int_equal(checked, (int)s.set.count - 2); /* the batch norm's statistics */
    pct_parameters_free(&s.set);
    pct_arena_free(&s.arena);
    pct_compute_destroy(&s.compute);
}

static void without_dropout(void **state) { check(0); }
static void with_dropout(void **state) { check((pct_real)0.25); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_dropout), cmocka_unit_test(with_dropout)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
