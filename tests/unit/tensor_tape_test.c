/* tensor_tape_test.c: what the tape promises: gradients that meet, parts that are frozen, the same bits again, a
 * failure that sticks, and no allocation once warm. */
#include "base/guard.h"
#include "tensor_helpers.h"
#include "tensor_toy.h"

#include <stdlib.h>

static pct_tensor *leaf(pct_tape *t, pct_tensor *x) {
    (void)t;
    x->needs_grad = true;
    return x;
}

static void gradients_of_diamonds_meet(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, 1, true, PCT_REAL);
    pct_tape *t = &f.tape;
    pct_tensor *x = leaf(t, T1(t, 2, 2, -1));
    pct_tensor *y = pct_op_mul(t, pct_op_mul(t, x, x), pct_op_scale(t, x, 3)); /* 3x^3, along three paths */
    pct_tape_back(t, pct_op_sum(t, pct_op_add(t, y, pct_op_add(t, x, x))));
    expect_near(x->grad, VALUES(9 * 4 + 2, 9 + 2), 2, 1e-6, __FILE__, __LINE__);
    close_fixture(&f);
}

static void an_output_used_late_and_early_is_summed_once(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, 1, true, PCT_REAL);
    pct_tape *t = &f.tape;
    pct_tensor *x = leaf(t, T1(t, 1, 3));
    pct_tensor *a = pct_op_scale(t, x, 2), *b = pct_op_mul(t, a, a), *c = pct_op_mul(t, b, a); /* 8x^3 */
    pct_tensor *unused = pct_op_scale(t, c, 100);
    pct_tape_back(t, pct_op_sum(t, c));
    assert_non_null(unused->maker);
    expect_near(x->grad, VALUES(24 * 9), 1, 1e-6, __FILE__, __LINE__);
    close_fixture(&f);
}

static void views_share_their_gradient(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, 1, true, PCT_REAL);
    pct_tape *t = &f.tape;
    pct_parameters set;
    pct_parameters_init(&set);
    pct_parameter *p = random_parameter(&set, "class", 1, (int64_t[]){2}, true, 1, 3);
    pct_tensor *row = pct_op_reshape(t, &p->tensor, 2, (int64_t[]){1, 2});
    pct_tensor *both = pct_op_concat_rows(t, (pct_tensor *[]){row, T2(t, 1, 2, 5, 6)}, 2);
    pct_tape_back(t, pct_op_sum(t, pct_op_mul(t, both, T2(t, 2, 2, 1, 2, 3, 4))));
    expect_near(p->tensor.grad, VALUES(1, 2), 2, 0, __FILE__, __LINE__);
    pct_tape_clear(t);
    pct_tape_back(t, pct_op_sum(t, &p->tensor)); /* a second step adds */
    expect_near(p->tensor.grad, VALUES(2, 3), 2, 0, __FILE__, __LINE__);
    pct_parameters_free(&set);
    close_fixture(&f);
}

static int count_nodes(const pct_tape *t) {
    int count = 0;
    for (const pct_node *n = t->last; n; n = n->previous) count++;
    return count;
}

static void nothing_below_the_lowest_trained_part_is_recorded(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, 1, true, PCT_REAL);
    pct_tape *t = &f.tape;
    pct_parameters set;
    pct_parameters_init(&set);
    pct_parameter *low = random_parameter(&set, "low", 2, (int64_t[]){3, 2}, false, 1, 1);
    pct_parameter *middle = random_parameter(&set, "middle", 2, (int64_t[]){3, 3}, true, 1, 2);
    pct_parameter *high = random_parameter(&set, "high", 2, (int64_t[]){2, 3}, false, 1, 3);
    pct_tensor *x = T2(t, 1, 2, 1, 2);
    pct_tensor *a = pct_op_activate(t, pct_op_linear(t, x, &low->tensor, NULL), PCT_SILU);
    assert_false(a->needs_grad);
    assert_int_equal(count_nodes(t), 0);
    pct_tensor *b = pct_op_linear(t, pct_op_linear(t, a, &middle->tensor, NULL), &high->tensor, NULL);
    pct_tape_back(t, pct_op_sum(t, b));
    assert_int_equal(count_nodes(t), 3);
    assert_null(low->tensor.grad);
    assert_null(high->tensor.grad);
    assert_null(a->grad);
    const pct_real *h = pct_tensor_data(&high->tensor), *av = pct_tensor_data(a);
    pct_real wanted[9]; /* dW[i][k] = a[k] * sum_j high[j][i] */
    for (int i = 0; i < 9; i++) wanted[i] = av[i % 3] * (h[i / 3] + h[3 + i / 3]);
    expect_near(middle->tensor.grad, wanted, 9, 1e-6, __FILE__, __LINE__);
    pct_parameters_free(&set);
    close_fixture(&f);
}

/* ---- a whole model -------------------------------------------------------------------------------------------------
 */

enum { ROWS = 300, PREFIX = 100, QUESTION = 50, VOCABULARY = 300, WIDTH = 64 };

/* A prefix and four questions. */
#define QUESTION_SPAN(n)                                                                                               \
    { PREFIX + QUESTION *n, QUESTION, 0, PREFIX, PREFIX + QUESTION *n, QUESTION, 1 }
static const pct_span spans[] = {
    {0, PREFIX, 0, 0, 0, PREFIX, 0}, QUESTION_SPAN(0), QUESTION_SPAN(1), QUESTION_SPAN(2), QUESTION_SPAN(3)};

static int32_t ids[ROWS], positions[ROWS], targets[ROWS];

static void make_data(void) {
    for (int i = 0; i < ROWS; i++) {
        ids[i] = (int32_t)(pct_hash_u64((uint64_t)i) % VOCABULARY);
        positions[i] = i < PREFIX ? i : PREFIX + i % QUESTION;
        targets[i] = i < PREFIX || i % 5 == 0 ? -1 : ids[(i * 7) % ROWS];
    }
}

static pct_tensor *step(toy *m, pct_tape *t) {
    pct_tensor *logits = toy_logits(m, t, ids, positions, ROWS, spans, PCT_COUNT(spans));
    pct_tensor *loss = pct_op_cross_entropy(t, logits, targets, NULL, 0.1f);
    pct_tape_back(t, loss);
    return loss;
}

typedef struct outcome {
    pct_real loss;
    pct_real *gradient; /* of all parameters, malloc'd */
    int64_t count;
    size_t peak;
} outcome;

static outcome train_once(int threads, pct_dtype product, bool recycle) {
    fixture f;
    toy m;
    outcome o = {0};
    open_fixture(&f, threads, true, product);
    f.tape.recycle = recycle;
    toy_init(&m, VOCABULARY, WIDTH, 4, 2);
    o.loss = pct_tensor_data(step(&m, &f.tape))[0];
    assert_int_equal(pct_tape_status(&f.tape, NULL), PERCEPT_OK);
    o.count = toy_size(&m);
    o.gradient = malloc((size_t)o.count * sizeof(pct_real));
    o.peak = f.arena.peak;
    pct_real *to = o.gradient;
    for (size_t i = 0; i < m.set.count; i++) {
        int64_t count = pct_tensor_count(&m.set.list[i]->tensor);
        memcpy(to, m.set.list[i]->tensor.grad, (size_t)count * sizeof(pct_real));
        to += count;
    }
    pct_parameters_free(&m.set);
    close_fixture(&f);
    return o;
}

static void expect_same_bits(outcome a, outcome b) {
    assert_memory_equal(&a.loss, &b.loss, sizeof a.loss);
    assert_memory_equal(a.gradient, b.gradient, (size_t)a.count * sizeof(pct_real));
}

/* |a-b| / |a| over all gradients */
static double distance(outcome a, outcome b) {
    double difference = 0, size = 0;
    for (int64_t i = 0; i < a.count; i++) {
        difference += pow((double)a.gradient[i] - (double)b.gradient[i], 2);
        size += pow((double)a.gradient[i], 2);
    }
    assert_true(size > 0);
    return sqrt(difference / size);
}

static void a_thread_count_gives_the_same_bits_again(void **state) {
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        outcome a = train_once(threads, PCT_REAL, false), b = train_once(threads, PCT_REAL, false);
        expect_same_bits(a, b);
        free(a.gradient);
        free(b.gradient);
    }
    outcome one = train_once(1, PCT_REAL, false), two = train_once(2, PCT_REAL, false);
    assert_true(distance(one, two) < 1e-5);
    free(one.gradient);
    free(two.gradient);
}

static void bf16_products_give_gradients_near_the_plain_ones(void **state) {
    (void)state;
    outcome a = train_once(2, PCT_REAL, false), b = train_once(2, PCT_BF16, false), c = train_once(2, PCT_BF16, false);
    assert_true(fabsf(a.loss - b.loss) < 0.01f * a.loss);
    double d = distance(a, b);
    assert_true(d > 1e-5 && d < 0.05);
    expect_same_bits(b, c);
    free(a.gradient);
    free(b.gradient);
    free(c.gradient);
}

static void recycling_changes_memory_and_nothing_else(void **state) {
    (void)state;
    for (int p = 0; p < 2; p++) {
        pct_dtype product = p ? PCT_BF16 : PCT_REAL;
        outcome a = train_once(2, product, false), b = train_once(2, product, true);
        expect_same_bits(a, b);
        assert_true(b.peak < a.peak);
        free(a.gradient);
        free(b.gradient);
    }
}

static void recording_does_not_change_the_forward_bits(void **state) {
    (void)state;
    fixture f;
    toy m;
    open_fixture(&f, 2, true, PCT_BF16);
    toy_init(&m, VOCABULARY, WIDTH, 4, 2);
    pct_tensor *a = toy_logits(&m, &f.tape, ids, positions, ROWS, spans, PCT_COUNT(spans));
    assert_non_null(f.tape.last);
    pct_tape quiet;
    pct_tape_init(&quiet, f.compute, &f.arena, false, PCT_BF16);
    pct_tensor *b = toy_logits(&m, &quiet, ids, positions, ROWS, spans, PCT_COUNT(spans));
    assert_null(quiet.last);
    assert_memory_equal(a->data, b->data, (size_t)pct_tensor_count(a) * sizeof(pct_real));
    pct_parameters_free(&m.set);
    close_fixture(&f);
}

static void twins_are_shared_and_follow_the_version(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, 1, true, PCT_BF16);
    pct_tape *t = &f.tape;
    pct_parameters set;
    pct_parameters_init(&set);
    pct_parameter *w = random_parameter(&set, "w", 2, (int64_t[]){1, 1}, true, 1, 1);
    pct_tensor_data(&w->tensor)[0] = 2;
    pct_tensor *x = T2(t, 1, 1, 3);
    EXPECT(pct_op_linear(t, x, &w->tensor, NULL), 6);
    const uint16_t *twin = x->twin;
    assert_non_null(twin);
    pct_tensor_data(&w->tensor)[0] = 4;
    w->version++;
    EXPECT(pct_op_linear(t, x, &w->tensor, NULL), 12);
    assert_ptr_equal(x->twin, twin);
    pct_parameters_free(&set);
    close_fixture(&f);
}

/* ---- failure and memory
 * ---------------------------------------------------------------------------------------------- */

static void running_out_of_memory_sticks(void **state) {
    (void)state;
    fixture f;
    percept_error error = {0};
    open_fixture(&f, 1, true, PCT_REAL);
    pct_tape *t = &f.tape;
    pct_tensor *x = leaf(t, T2(t, 1, 1, 3)), *sum = pct_op_sum(t, x);
    pct_tensor *huge = pct_tape_tensor(t, PCT_REAL, 2, (int64_t[]){INT64_MAX / 2, INT64_MAX / 2});
    assert_true(pct_tape_failed(t));
    assert_int_equal(huge->dim[0], INT64_MAX / 2);
    /* Operations go on with shapes and no data, wrong ones included, and do not crash. */
    pct_tensor *y = pct_op_add(t, pct_op_linear(t, huge, x, x), x);
    y = pct_op_layer_norm(t, pct_op_attention(t, y, huge, x, 1, 1, &(pct_span){0}, 1), x, x, 1);
    y = pct_op_mask_moments(t, pct_op_conv(t, y, huge, NULL, 1, 0, 1));
    y = pct_op_weighted_sum(t, (pct_tensor *[]){y, pct_op_bce(t, y, NULL, NULL)}, VALUES(1, 1), 2);
    assert_non_null(y);
    pct_tape_back(t, sum);
    assert_null(x->grad);
    assert_int_equal(pct_tape_status(t, &error), PERCEPT_ERROR_RESOURCE);
    assert_non_null(strstr(error.message, "memory"));
    pct_tape_clear(t);
    pct_arena_reset(&f.arena);
    x = leaf(t, T2(t, 1, 1, 3));
    pct_tape_back(t, pct_op_sum(t, x));
    expect_near(x->grad, VALUES(1), 1, 0, __FILE__, __LINE__);
    close_fixture(&f);
}

static void a_warm_step_allocates_nothing(void **state) {
    (void)state;
    for (int p = 0; p < 2; p++) {
        fixture f;
        toy m;
        open_fixture(&f, 2, true, p ? PCT_BF16 : PCT_REAL);
        f.tape.recycle = true;
        toy_init(&m, VOCABULARY, WIDTH, 4, 2);
        pct_real *moments = calloc(2 * (size_t)toy_size(&m), sizeof *moments);
        size_t reserved = 0;
        for (int i = 1; i <= 4; i++) {
            pct_tape_clear(&f.tape);
            pct_arena_reset(&f.arena);
            if (i > 2) pct_guard_enter("warm training step");
            step(&m, &f.tape);
            toy_update(&m, &f.compute->kernels, moments, i, 0.01);
            if (i > 2) pct_guard_leave();
            assert_int_equal(pct_tape_status(&f.tape, NULL), PERCEPT_OK);
            if (i > 2) assert_int_equal(f.arena.reserved, reserved);
            reserved = f.arena.reserved;
        }
        free(moments);
        pct_parameters_free(&m.set);
        close_fixture(&f);
    }
}

static void parameters_are_found_by_name(void **state) {
    (void)state;
    pct_parameters set;
    char name[PCT_NAME_SIZE];
    pct_parameters_init(&set);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "blk.%d.weight", i);
        assert_non_null(pct_parameters_add(&set, name, 2, (int64_t[]){2, 3}, i % 2, NULL));
    }
    pct_parameter *p = pct_parameters_find(&set, "blk.217.weight");
    assert_ptr_equal(p, set.list[217]);
    assert_ptr_equal(p->tensor.parameter, p);
    assert_true(p->trainable && p->tensor.needs_grad && p->tensor.grad && p->decay);
    assert_false(set.list[216]->trainable || set.list[216]->tensor.grad);
    assert_null(pct_parameters_find(&set, "blk.300.weight"));
    pct_parameters_free(&set);
    pct_parameters_free(&set);
}

static int setup(void **state) {
    (void)state;
    make_data();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_diamonds_meet),
        cmocka_unit_test(an_output_used_late_and_early_is_summed_once),
        cmocka_unit_test(views_share_their_gradient),
        cmocka_unit_test(nothing_below_the_lowest_trained_part_is_recorded),
        cmocka_unit_test(a_thread_count_gives_the_same_bits_again),
        cmocka_unit_test(bf16_products_give_gradients_near_the_plain_ones),
        cmocka_unit_test(recycling_changes_memory_and_nothing_else),
        cmocka_unit_test(recording_does_not_change_the_forward_bits),
        cmocka_unit_test(twins_are_shared_and_follow_the_version),
        cmocka_unit_test(running_out_of_memory_sticks),
        cmocka_unit_test(a_warm_step_allocates_nothing),
        cmocka_unit_test(parameters_are_found_by_name),
    };
    return cmocka_run_group_tests_name("tensor_tape", tests, setup, NULL);
}
