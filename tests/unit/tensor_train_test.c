/* tensor_train_test.c: the whole of it: a two-layer transformer learns to repeat what stood three tokens before, in
 * plain and in BF16 products, to a loss near zero. */
#include "tensor_helpers.h"
#include "tensor_toy.h"

#include <stdlib.h>

enum { SEQUENCES = 16, LENGTH = 12, BACK = 3, VOCABULARY = 8, ROWS = SEQUENCES * LENGTH, STEPS = 400 };

typedef struct batch {
    int32_t ids[ROWS], positions[ROWS], targets[ROWS];
    pct_span spans[SEQUENCES];
} batch;

static void make_batch(batch *b, uint64_t step) {
    pct_random random;
    pct_random_init(&random, 1, step, 0);
    for (int s = 0; s < SEQUENCES; s++) {
        b->spans[s] = (pct_span){s * LENGTH, LENGTH, 0, 0, s * LENGTH, LENGTH, 1};
        for (int i = 0; i < LENGTH; i++) {
            int row = s * LENGTH + i;
            b->ids[row] = (int32_t)pct_random_below(&random, VOCABULARY);
            b->positions[row] = i;
            b->targets[row] = i < BACK ? -1 : b->ids[row - BACK];
        }
    }
}

static double learn(pct_dtype product) {
    static batch b;
    fixture f;
    toy m;
    double recent = 0;
    open_fixture(&f, 1, true, product); /* too small to share, and waiting threads would slow a busy machine */
    f.tape.recycle = true;
    toy_init(&m, VOCABULARY, 32, 2, 1);
    pct_real *moments = calloc(2 * (size_t)toy_size(&m), sizeof *moments);
    for (int step = 1; step <= STEPS; step++) {
        pct_tape_clear(&f.tape);
        pct_arena_reset(&f.arena);
        make_batch(&b, (uint64_t)step);
        pct_tensor *logits = toy_logits(&m, &f.tape, b.ids, b.positions, ROWS, b.spans, SEQUENCES);
        pct_tensor *loss = pct_op_cross_entropy(&f.tape, logits, b.targets, NULL, 0);
        pct_tape_back(&f.tape, loss);
        toy_update(&m, &f.compute->kernels, moments, step, 0.01 * fmin(1, step / 20.0) * (1 - 0.9 * step / STEPS));
        double value = (double)pct_tensor_data(loss)[0];
        if (step == 1) assert_true(value > 1.5 && value < 4); /* log 8 = 2.08 for a guess */
        recent = step == 1 ? value : 0.9 * recent + 0.1 * value;
    }
    assert_int_equal(pct_tape_status(&f.tape, NULL), PERCEPT_OK);
    free(moments);
    pct_parameters_free(&m.set);
    close_fixture(&f);
    return recent;
}

static void learns_with_plain_products(void **state) {
    (void)state;
    double loss = learn(PCT_REAL);
    print_message("loss %.5f\n", loss);
    assert_true(loss < 0.02);
}

static void learns_with_bf16_products(void **state) {
    (void)state;
    double loss = learn(PCT_BF16);
    print_message("loss %.5f\n", loss);
    assert_true(loss < 0.02);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_with_plain_products),
        cmocka_unit_test(learns_with_bf16_products),
    };
    return cmocka_run_group_tests_name("tensor_train", tests, NULL, NULL);
}
