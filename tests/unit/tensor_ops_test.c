/* tensor_ops_test.c: what every operation gives, against values worked out by hand. Gradients: tests/grad. */
#include "tensor_helpers.h"

static int setup(void **state) {
    static fixture f;
    open_fixture(&f, 2, false, PCT_REAL);
    *state = &f;
    return 0;
}
static int teardown(void **state) {
    close_fixture(*state);
    return 0;
}
static pct_tape *tape_of(void **state) { return &((fixture *)*state)->tape; }

/* ---- shape and rows ---------------------------------------------------------------------------------------------- */

static void reshape_keeps_the_data(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T2(t, 2, 3, 1, 2, 3, 4, 5, 6), *y = pct_op_reshape(t, x, 3, (int64_t[]){3, 1, 2});
    assert_ptr_equal(x->data, y->data);
    assert_int_equal(y->rank, 3);
    assert_int_equal(y->dim[2], 2);
}

static void concatenations_and_slices(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *a = T2(t, 2, 2, 1, 2, 3, 4), *b = T2(t, 1, 2, 5, 6), *c = T2(t, 2, 1, 7, 8);
    EXPECT(pct_op_concat_rows(t, (pct_tensor *[]){a, b}, 2), 1, 2, 3, 4, 5, 6);
    pct_tensor *wide = pct_op_concat_columns(t, (pct_tensor *[]){a, c}, 2);
    EXPECT(wide, 1, 2, 7, 3, 4, 8);
    EXPECT(pct_op_slice_columns(t, wide, 1, 3), 2, 7, 4, 8);
}

static void rows_are_gathered_replaced_averaged(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T2(t, 3, 2, 1, 2, 3, 4, 5, 6), *r = T2(t, 1, 2, 9, 8);
    EXPECT(pct_op_gather_rows(t, x, (int32_t[]){2, 0, 2}, 3), 5, 6, 1, 2, 5, 6);
    EXPECT(pct_op_replace_rows(t, x, r, (int32_t[]){1}, 1), 1, 2, 9, 8, 5, 6);
    EXPECT(pct_op_mean_rows(t, x, (int32_t[]){0, 2, 1}, (int32_t[]){0, 2, 2, 3}, 3), 3, 4, 0, 0, 3, 4);
}

static void gather_dequantises_the_rows_touched(void **state) {
    pct_tape *t = tape_of(state);
    const pct_kernels *k = &t->compute->kernels;
    pct_real plain[3 * 64], wanted[64];
    unsigned char stored[3 * 2 * 34];
    fill_random(plain, 3 * 64, 5);
    k->quantise[PCT_Q8_0](stored, plain, 3 * 64);
    pct_tensor *x = pct_tape_input(t, PCT_Q8_0, 2, (int64_t[]){3, 64}, stored);
    pct_tensor *y = pct_op_gather_rows(t, x, (int32_t[]){2, 1}, 2);
    k->dequantise[PCT_Q8_0](wanted, stored + 2 * 2 * 34, 64);
    expect_near(pct_tensor_data(y), wanted, 64, 0, __FILE__, __LINE__);
    expect_near(pct_tensor_data(y) + 64, plain + 64, 64, 0.005, __FILE__, __LINE__);
}

/* ---- arithmetic -------------------------------------------------------------------------------------------------- */

static void arithmetic(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *a = T2(t, 2, 2, 1, -2, 3, 4), *b = T2(t, 2, 2, 5, 6, -7, 8), *bias = T1(t, 2, 10, 20);
    EXPECT(pct_op_add(t, a, b), 6, 4, -4, 12);
    EXPECT(pct_op_mul(t, a, b), 5, -12, -21, 32);
    EXPECT(pct_op_add_rows(t, a, bias), 11, 18, 13, 24);
    pct_tensor *four = T2(t, 4, 1, 1, 2, 3, 4);
    EXPECT(pct_op_add_rows(t, four, T2(t, 2, 1, 10, 20)), 11, 22, 13, 24);
    EXPECT(pct_op_scale(t, a, -2), -2, 4, -6, -8);
    EXPECT(pct_op_scale_by(t, a, T1(t, 1, 0.5f)), 0.5f, -1, 1.5f, 2);
    EXPECT(pct_op_sum(t, a), 6);
    pct_tensor *losses[] = {T1(t, 1, 3), T1(t, 1, 5)};
    EXPECT(pct_op_weighted_sum(t, losses, VALUES(2, -1), 2), 1);
}

static void activations(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T1(t, 3, -1, 0, 2);
    EXPECT(pct_op_activate(t, x, PCT_IDENTITY), -1, 0, 2);
    EXPECT(pct_op_activate(t, x, PCT_RELU), 0, 0, 2);
    EXPECT(pct_op_activate(t, x, PCT_GELU), -0.158808f, 0, 1.954598f);
    EXPECT(pct_op_activate(t, x, PCT_GELU_ERF), -0.158655f, 0, 1.954500f);
    EXPECT(pct_op_activate(t, x, PCT_QUICK_GELU), -0.154202f, 0, 1.935662f);
    EXPECT(pct_op_activate(t, x, PCT_SILU), -0.268941f, 0, 1.761594f);
    EXPECT(pct_op_activate(t, x, PCT_SIGMOID), 0.268941f, 0.5f, 0.880797f);
    EXPECT(pct_op_swiglu(t, x, T1(t, 3, 3, 4, -0.5f)), -0.806824f, 0, -0.880797f);
}

static void dropout_is_identity_without_recording(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T1(t, 3, 1, 2, 3);
    assert_ptr_equal(pct_op_dropout(t, x, 0.5f), x);
    t->record = true;
    pct_tensor *ones = pct_tape_tensor(t, PCT_REAL, 1, &(int64_t){100000});
    for (int i = 0; i < 100000; i++) pct_tensor_data(ones)[i] = 1;
    pct_tensor *y = pct_op_dropout(t, ones, 0.25f), *z = pct_op_dropout(t, ones, 0.25f);
    double sum = 0;
    int same = 0;
    for (int i = 0; i < 100000; i++) {
        assert_true(pct_tensor_data(y)[i] == 0 || fabsf(pct_tensor_data(y)[i] - 4 / 3.0f) < 1e-6f);
        sum += (double)pct_tensor_data(y)[i];
        same += pct_tensor_data(y)[i] == pct_tensor_data(z)[i];
    }
    t->record = false;
    assert_true(fabs(sum / 100000 - 1) < 0.01);
    assert_true(same < 65000); /* 0.625 of them expected: the second draw is another */
}

static void mix_weighs_by_softmax(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x[] = {T1(t, 2, 4, 8), T1(t, 2, 0, 4)};
    EXPECT(pct_op_mix(t, x, 2, T1(t, 2, 0, 0)), 2, 6);
    EXPECT(pct_op_mix(t, x, 2, T1(t, 2, logf(3), 0)), 3, 7);
}

/* ---- products -----------------------------------------------------------------------------------------------------
 */

static void products(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T2(t, 2, 3, 1, 2, 3, 4, 5, 6), *w = T2(t, 2, 3, 1, 0, -1, 2, 1, 0);
    EXPECT(pct_op_linear(t, x, w, NULL), -2, 4, -2, 13);
    EXPECT(pct_op_linear(t, x, w, T1(t, 2, 10, 20)), 8, 24, 8, 33);
    EXPECT(pct_op_matmul_nt(t, x, w), -2, 4, -2, 13);
    pct_tensor *a = T3(t, 2, 1, 2, 1, 2, 3, 4), *b = T3(t, 2, 2, 2, 1, 1, 1, 0, 0, 1, 2, 2);
    EXPECT(pct_op_matmul_nt(t, a, b), 3, 1, 4, 14);
}

static void linear_of_stored_weights_is_near_the_plain_product(void **state) {
    fixture *f = *state;
    static const pct_dtype products[] = {PCT_REAL, PCT_BF16};
    enum { OUT = 24, IN = 64, ROWS = 9 };
    pct_real w[OUT * IN], bias[OUT], x[ROWS * IN];
    unsigned char stored[OUT * IN / 32 * 34];
    fill_random(w, OUT * IN, 1);
    fill_random(x, ROWS * IN, 2);
    fill_random(bias, OUT, 3);
    f->compute->kernels.quantise[PCT_Q8_0](stored, w, OUT * IN);
    for (int p = 0; p < 2; p++) {
        for (int rows = 1; rows <= ROWS; rows += 4) { /* 1: dot products as stored; 5, 9: packed */
            pct_parameters set;
            pct_parameters_init(&set);
            pct_parameter *weight =
                pct_parameters_add_stored(&set, "w", PCT_Q8_0, 2, (int64_t[]){OUT, IN}, stored, NULL);
            pct_tape tape;
            pct_tape_init(&tape, f->compute, &f->arena, false, products[p]);
            pct_tensor *b = pct_tape_input(&tape, PCT_REAL, 1, (int64_t[]){OUT}, bias);
            pct_tensor *in = pct_tape_input(&tape, PCT_REAL, 2, (int64_t[]){rows, IN}, x);
            pct_tensor *y = pct_op_linear(&tape, in, &weight->tensor, b);
            tape.record = true; /* the way of training: twins or plain form of the same stored weights */
            pct_tensor *z = pct_op_linear(&tape, in, &weight->tensor, b);
            pct_real wanted[ROWS * OUT];
            for (int i = 0; i < rows * OUT; i++) {
                wanted[i] = bias[i % OUT];
                for (int k = 0; k < IN; k++) wanted[i] += x[i / OUT * IN + k] * w[i % OUT * IN + k];
            }
            expect_values(y, wanted, (size_t)(rows * OUT), 0.06, __FILE__, __LINE__);
            expect_values(z, wanted, (size_t)(rows * OUT), 0.06, __FILE__, __LINE__);
            assert_true((weight->packed != NULL) == (rows > 4));
            pct_parameters_free(&set);
        }
    }
}

/* Two matrices of one input: to the bit what two products give, where rows meet the weights as stored and where not. */
static void linear_many_is_as_many_products(void **state) {
    fixture *f = *state;
    enum { IN = 64, ROWS = 5 };
    static const int64_t outs[2] = {24, 7};
    pct_real w[24 * IN], x[ROWS * IN], bias[7];
    unsigned char stored[2][24 * IN / 32 * 34];
    fill_random(x, ROWS * IN, 2);
    fill_random(bias, 7, 3);
    for (int rows = 1; rows <= ROWS; rows += 2) {
        pct_parameters set;
        pct_parameters_init(&set);
        pct_tensor *weights[2], *biases[2] = {NULL, NULL}, *y[2];
        for (int i = 0; i < 2; i++) {
            static const pct_dtype types[2] = {PCT_Q8_0, PCT_Q4_1};
            static const char *const names[2] = {"a", "b"};
            fill_random(w, 24 * IN, 4 + (unsigned)i);
            f->compute->kernels.quantise[types[i]](stored[i], w, 24 * IN);
            weights[i] =
                &pct_parameters_add_stored(&set, names[i], types[i], 2, (int64_t[]){outs[i], IN}, stored[i], NULL)
                     ->tensor;
        }
        pct_tape tape;
        pct_tape_init(&tape, f->compute, &f->arena, false, PCT_REAL);
        pct_tensor *in = pct_tape_input(&tape, PCT_REAL, 2, (int64_t[]){rows, IN}, x);
        biases[1] = pct_tape_input(&tape, PCT_REAL, 1, (int64_t[]){7}, bias);
        pct_op_linear_many(&tape, in, 2, weights, biases, y);
        for (int i = 0; i < 2; i++) {
            const pct_tensor *one = pct_op_linear(&tape, in, weights[i], biases[i]);
            expect_values(y[i], pct_tensor_data(one), (size_t)(rows * outs[i]), 0, __FILE__, __LINE__);
        }
        pct_parameters_free(&set);
    }
}

/* Above the budget a matrix is packed at each use into one panel, whatever its size: the very same results, nothing
 * kept.
 */
static void packed_weights_keep_to_their_budget(void **state) {
    fixture *f = *state;
    enum { IN = 96, ROWS = 9, COUNT = 3 };
    static const int64_t outs[COUNT] = {24, 40, 7};
    pct_real w[40 * IN], x[ROWS * IN], wanted[COUNT][ROWS * 40];
    unsigned char stored[COUNT][40 * IN / 32 * 34];
    fill_random(x, ROWS * IN, 2);
    for (int i = 0; i < COUNT; i++) {
        fill_random(w, 40 * IN, 6 + (unsigned)i);
        f->compute->kernels.quantise[PCT_Q8_0](stored[i], w, 40 * IN);
    }
    const size_t first = pct_packed_size(f->compute, PCT_REAL, outs[0], IN);
    const size_t budgets[] = {PCT_PACKED_BUDGET, 0, first};
    for (int b = 0; b < 3; b++) {
        pct_parameters set;
        pct_parameters_init(&set);
        assert_true(set.packed_budget == PCT_PACKED_BUDGET);
        set.packed_budget = budgets[b];
        pct_parameter *weight[COUNT];
        for (int i = 0; i < COUNT; i++)
            weight[i] = pct_parameters_add_stored(&set, (const char *[]){"a", "b", "c"}[i], PCT_Q8_0, 2,
                                                  (int64_t[]){outs[i], IN}, stored[i], NULL);
        for (int round = 0; round < 2; round++) {
            pct_tape tape;
            pct_tape_init(&tape, f->compute, &f->arena, false, PCT_REAL);
            pct_tensor *in = pct_tape_input(&tape, PCT_REAL, 2, (int64_t[]){ROWS, IN}, x);
            for (int i = 0; i < COUNT; i++) {
                const pct_tensor *y = pct_op_linear(&tape, in, &weight[i]->tensor, NULL);
                if (b == 0) memcpy(wanted[i], pct_tensor_data(y), sizeof(pct_real) * (size_t)(ROWS * outs[i]));
                expect_values(y, wanted[i], (size_t)(ROWS * outs[i]), 0, __FILE__, __LINE__);
            }
        }
        size_t taken = 0;
        for (int i = 0; i < COUNT; i++) {
            assert_true((weight[i]->packed != NULL) == (b == 0 || (b == 2 && i == 0)));
            if (weight[i]->packed) taken += pct_packed_bytes(weight[i]->packed);
        }
        assert_true(set.packed_bytes == taken && (b == 0 || taken == budgets[b]));
        pct_parameters_free(&set);
    }
}

static void convolutions(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T4(t, 1, 3, 3, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    pct_tensor *w = T4(t, 1, 3, 3, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0);
    EXPECT(pct_op_conv(t, x, w, NULL, 1, 0, 1), 25);
    EXPECT(pct_op_conv(t, x, w, T1(t, 1, 100), 1, 1, 1), 107, 111, 111, 117, 125, 123, 119, 129, 123);
    EXPECT(pct_op_conv(t, x, w, NULL, 2, 1, 1), 7, 11, 19, 23);
    pct_tensor *two = T4(t, 1, 1, 2, 2, 1, 2, 3, 4);
    EXPECT(pct_op_conv(t, two, T4(t, 2, 1, 1, 1, 10, 100), NULL, 1, 0, 2), 10, 200, 30, 400);
}

static void attention_looks_where_spans_say(void **state) {
    pct_tape *t = tape_of(state);
    /* Equal keys: each query gets the mean of the values it may see. */
    pct_tensor *q = T2(t, 4, 1, 1, 1, 1, 1), *k = T2(t, 4, 1, 0, 0, 0, 0), *v = T2(t, 4, 1, 4, 8, 100, 200);
    const pct_span spans[] = {{0, 2, 0, 0, 0, 2, 0}, {2, 2, 0, 2, 2, 2, 1}};
    EXPECT(pct_op_attention(t, q, k, v, 1, 1, spans, 2), 6, 6, 112 / 3.0f, 312 / 4.0f);
    /* Two query heads on one key head; scores 0 and log 3 after scaling by 1/sqrt(1). */
    pct_tensor *q2 = T2(t, 1, 2, 1, 0), *k2 = T2(t, 2, 1, 0, logf(3)), *v2 = T2(t, 2, 1, 4, 8);
    EXPECT(pct_op_attention(t, q2, k2, v2, 2, 1, &(pct_span){0, 1, 0, 0, 0, 2, 0}, 1), 7, 6);
}

static void rotate_turns_pairs(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T2(t, 2, 4, 1, 0, 0, 1, 1, 0, 0, 1);
    const int32_t positions[] = {0, 1}, late[] = {0, 100};
    float c = cosf(1), s = sinf(1), c2 = cosf(0.01f), s2 = sinf(0.01f);
    /* halves: pairs (0,2) and (1,3); the second turns by position * theta^(-1/2) */
    EXPECT(pct_op_rotate(t, x, 1, &(pct_rotary_form){.count = 4, .interleaved = false, .theta = 10000}, positions), 1,
           0, 0, 1, c, -s2, s, c2);
    EXPECT(pct_op_rotate(t, x, 1, &(pct_rotary_form){.count = 4, .interleaved = true, .theta = 10000}, positions), 1, 0,
           0, 1, c, s, -s2, c2);
    EXPECT(pct_op_rotate(t, x, 1, &(pct_rotary_form){.count = 2, .interleaved = false, .theta = 10000}, late), 1, 0, 0,
           1, cosf(100), sinf(100), 0, 1);
}

/* ---- norms --------------------------------------------------------------------------------------------------------
 */

static void norms(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T2(t, 2, 2, 1, 3, 10, 20), *gamma = T1(t, 2, 2, 3), *beta = T1(t, 2, 0.5f, 1);
    EXPECT(pct_op_layer_norm(t, x, gamma, beta, 0), -1.5f, 4, -1.5f, 4);
    EXPECT(pct_op_layer_norm(t, x, gamma, NULL, 3), -1, 1.5f, -1.889822f, 2.834734f);
    EXPECT(pct_op_rms_norm(t, T2(t, 1, 2, 1, 7), gamma, 0), 0.4f, 4.2f);
    EXPECT(pct_op_unit_rows(t, T2(t, 2, 2, 3, 4, 0, 0.5f), 1), 0.6f, 0.8f, 0, 0.5f);
}

/* ---- maps ----------------------------------------------------------------------------------------------------------
 */

static void resize_is_bilinear_with_half_pixel_centres(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T4(t, 1, 1, 2, 1, 0, 4);
    EXPECT(pct_op_resize(t, x, 1, 4), 0, 1, 3, 4);
    EXPECT(pct_op_resize(t, x, 2, 2), 0, 4, 0, 4);
    pct_tensor *wide = T4(t, 1, 2, 4, 1, 0, 2, 4, 6, 8, 10, 12, 14);
    EXPECT(pct_op_resize(t, wide, 1, 2), 5, 9);
}

static void pooling(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T4(t, 1, 2, 4, 1, -1, -2, 3, 4, -5, -6, 7, 0);
    EXPECT(pct_op_max_pool(t, x, 2, 2, 0), -1, 7);
    EXPECT(pct_op_max_pool(t, x, 3, 2, 1), -1, 7); /* padding does not win over negative values */
    EXPECT(pct_op_mean_pool(t, x, 2), -3.5f, 3.5f);
}

static void pixel_shuffles_are_inverse(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T4(t, 1, 2, 4, 1, 1, 2, 3, 4, 5, 6, 7, 8);
    pct_tensor *y = pct_op_pixel_unshuffle(t, x, 2);
    EXPECT(y, 1, 2, 5, 6, 3, 4, 7, 8);
    EXPECT(pct_op_pixel_shuffle(t, y, 2), 1, 2, 3, 4, 5, 6, 7, 8);
}

/* A crisp rectangle over columns [x0,x1) and rows [y0,y1). */
static void check_rectangle(pct_tape *t, int height, int width, int x0, int y0, int x1, int y1, float size) {
    pct_tensor *x = pct_tape_tensor(t, PCT_REAL, 3, (int64_t[]){1, height, width});
    for (int i = 0; i < height * width; i++) {
        bool inside = i % width >= x0 && i % width < x1 && i / width >= y0 && i / width < y1;
        pct_tensor_data(x)[i] = inside ? size : -size;
    }
    pct_real *m = pct_tensor_data(pct_op_mask_moments(t, x)), w = (pct_real)width, h = (pct_real)height;
    const pct_real wanted[] = {(x0 + x1) / w / 2,
                               (y0 + y1) / h / 2,
                               (x1 - x0) / w / sqrtf(12),
                               (y1 - y0) / h / sqrtf(12),
                               x0 / w,
                               y0 / h,
                               x1 / w,
                               y1 / h};
    double tight = size > 12 ? 0.002 : 0.5;
    for (int i = 4; i < 8; i++) assert_true(fabsf(m[i] - wanted[i]) * (i % 2 ? h : w) < tight);
    if (size > 12) expect_near(m, wanted, 4, 0.002, __FILE__, __LINE__);
}

static void moments_of_a_crisp_mask_are_its_box(void **state) {
    pct_tape *t = tape_of(state);
    check_rectangle(t, 16, 20, 3, 5, 11, 9, 20);
    check_rectangle(t, 40, 40, 0, 0, 40, 40, 20);
    check_rectangle(t, 40, 40, 39, 17, 40, 18, 20); /* a single cell */
    check_rectangle(t, 64, 64, 20, 30, 50, 60, 4);  /* p = 0.018 outside, over 4,096 cells: within half a cell */
    check_rectangle(t, 64, 64, 60, 2, 62, 60, 4);
}

static void moments_of_an_empty_mask_are_finite(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = pct_tape_tensor(t, PCT_REAL, 3, (int64_t[]){1, 8, 8});
    for (int i = 0; i < 64; i++) pct_tensor_data(x)[i] = -60;
    float d = 1 / sqrtf(12);
    expect_values(pct_op_mask_moments(t, x), VALUES(0.5f, 0.5f, d, d, 0.5f, 0.5f, 0.5f, 0.5f), 8, 1e-4, __FILE__,
                  __LINE__);
}

/* ---- losses --------------------------------------------------------------------------------------------------------
 */

static void cross_entropies(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T2(t, 3, 2, 0, 0, 0, logf(3), 50, -50);
    const int32_t target[] = {0, 1, -1};
    float a = logf(2), b = logf(4 / 3.0f);
    EXPECT(pct_op_cross_entropy(t, x, target, NULL, 0), (a + b) / 2);
    EXPECT(pct_op_cross_entropy(t, x, target, VALUES(1, 3, 9), 0), (a + 3 * b) / 4);
    EXPECT(pct_op_cross_entropy(t, x, target, NULL, 0.5f), (a + b + 0.25f * logf(3)) / 2);
    EXPECT(pct_op_cross_entropy(t, x, (int32_t[]){-1, -1, -1}, NULL, 0), 0);
    EXPECT(pct_op_cross_entropy(t, x, (int32_t[]){-1, -1, 1}, NULL, 0), 100);
}

static void mask_losses(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T2(t, 2, 2, 0, 0, 100, -100);
    EXPECT(pct_op_bce(t, x, VALUES(1, 0.5f, 1, 1), NULL), (2 * logf(2) + 100) / 4);
    EXPECT(pct_op_bce(t, x, VALUES(1, 0, 1, 0), VALUES(3, 0, 1, 0)), 0.75f * logf(2));
    EXPECT(pct_op_dice(t, x, VALUES(1, 0, 1, 0), NULL, 1), 1 / 6.0f); /* 1-(1+1)/(1+1+1) and 1-(2+1)/(1+1+1) */
    EXPECT(pct_op_dice(t, x, VALUES(1, 0, 1, 0), VALUES(3, 1), 1), 0.25f);
    EXPECT(pct_op_dice(t, x, VALUES(1, 0, 1, 0), VALUES(0, 0), 1), 0);
}

static void box_losses(void **state) {
    pct_tape *t = tape_of(state);
    pct_tensor *x = T2(t, 2, 2, 1, 2, 3, 4);
    EXPECT(pct_op_l1(t, x, VALUES(1, 1, 5, 4), NULL), 0.75f);
    EXPECT(pct_op_l1(t, x, VALUES(1, 1, 5, 4), VALUES(3, 1)), (3 * 1 + 2) / 8.0f);
    pct_tensor *box = T2(t, 1, 4, 0, 0, 2, 2), *turned = T2(t, 1, 4, 2, 2, 0, 0);
    EXPECT(pct_op_giou(t, box, VALUES(0, 0, 2, 2), NULL), 0);
    EXPECT(pct_op_giou(t, turned, VALUES(0, 0, 2, 2), NULL), 0);
    EXPECT(pct_op_giou(t, box, VALUES(1, 1, 3, 3), NULL), 1 - (1 / 7.0f - 2 / 9.0f));
    EXPECT(pct_op_giou(t, box, VALUES(2, 0, 4, 2), NULL), 1);
    EXPECT(pct_op_giou(t, box, VALUES(6, 0, 8, 2), NULL), 1.5f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reshape_keeps_the_data),
        cmocka_unit_test(concatenations_and_slices),
        cmocka_unit_test(rows_are_gathered_replaced_averaged),
        cmocka_unit_test(gather_dequantises_the_rows_touched),
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(activations),
        cmocka_unit_test(dropout_is_identity_without_recording),
        cmocka_unit_test(mix_weighs_by_softmax),
        cmocka_unit_test(products),
        cmocka_unit_test(linear_of_stored_weights_is_near_the_plain_product),
        cmocka_unit_test(linear_many_is_as_many_products),
        cmocka_unit_test(packed_weights_keep_to_their_budget),
        cmocka_unit_test(convolutions),
        cmocka_unit_test(attention_looks_where_spans_say),
        cmocka_unit_test(rotate_turns_pairs),
        cmocka_unit_test(norms),
        cmocka_unit_test(resize_is_bilinear_with_half_pixel_centres),
        cmocka_unit_test(pooling),
        cmocka_unit_test(pixel_shuffles_are_inverse),
        cmocka_unit_test(moments_of_a_crisp_mask_are_its_box),
        cmocka_unit_test(moments_of_an_empty_mask_are_finite),
        cmocka_unit_test(cross_entropies),
        cmocka_unit_test(mask_losses),
        cmocka_unit_test(box_losses),
    };
    return cmocka_run_group_tests_name("tensor_ops", tests, setup, teardown);
}
