/* cases_math.c: arithmetic, products, attention and norms. */
#include "base/size.h"
#include "cases.h"

static pct_tensor *add(pct_tape *t, pct_tensor *const *x, const int *n) { return pct_op_add(t, x[0], x[n[0]]); }
static pct_tensor *add_rows(pct_tape *t, pct_tensor *const *x, const int *n) { return pct_op_add_rows(t, x[0], x[1]); }
static pct_tensor *mul(pct_tape *t, pct_tensor *const *x, const int *n) { return pct_op_mul(t, x[0], x[n[0]]); }
static pct_tensor *add_scaled(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_add_scaled(t, x[0], x[n[0]], x[n[0] + 1]);
}
static pct_tensor *scale(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_scale(t, x[0], (pct_real)n[0] / 10);
}
static pct_tensor *scale_by(pct_tape *t, pct_tensor *const *x, const int *n) { return pct_op_scale_by(t, x[0], x[1]); }
static pct_tensor *activate(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_activate(t, x[0], (enum pct_activation)n[0]);
}
static pct_tensor *swiglu(pct_tape *t, pct_tensor *const *x, const int *n) { return pct_op_swiglu(t, x[0], x[1]); }
static pct_tensor *dropout(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_dropout(t, x[0], (pct_real)n[0] / 10);
}
static pct_tensor *mix(pct_tape *t, pct_tensor *const *x, const int *n) { return pct_op_mix(t, x + 1, n[0], x[0]); }
static pct_tensor *linear(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_linear(t, x[0], x[1], n[0] ? x[2] : NULL);
}
static pct_tensor *linear_onto(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_linear_onto(t, x[0], x[1], x[2], n[0] ? x[3] : NULL);
}
static pct_tensor *activate_half(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_activate_half(t, x[0], PCT_GELU);
}
static pct_tensor *swiglu_half(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_swiglu_half(t, x[0], x[1]);
}
static pct_tensor *norm_half(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_norm_half(t, x[0], x[1], n[0] ? NULL : x[2], (pct_real)1e-5, n[0]);
}
static pct_tensor *norm_activate(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_norm_activate(t, x[0], x[1], x[2], (pct_real)1e-5, (enum pct_activation)n[0], n[1] ? x[3] : NULL,
                                n[2]);
}
static pct_tensor *matmul_nt(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_matmul_nt(t, x[0], x[1]);
}
static pct_tensor *conv(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_conv(t, x[0], x[1], n[3] ? x[2] : NULL, n[0], n[1], n[2]);
}
static pct_tensor *attention(pct_tape *t, pct_tensor *const *x, const int *n) {
    /* A prefix that sees itself, then two questions, the second of which has rows from a cache before it. */
    static const pct_span packed[] = {{0, 4, 0, 0, 0, 4, 0}, {4, 3, 0, 4, 4, 3, 1}, {7, 2, 0, 4, 7, 4, 1}};
    static const pct_span causal[] = {{0, 9, 0, 0, 0, 9, 1}};
    static const pct_span cross[] = {{0, 5, 3, 4, 0, 0, 0}, {5, 4, 0, 0, 1, 6, 0}};
    static const struct {
        const pct_span *spans;
        int count;
    } kind[] = {{packed, 3}, {causal, 1}, {cross, 2}};
    return pct_op_attention(t, x[0], x[1], x[2], n[0], n[1], kind[n[2]].spans, kind[n[2]].count);
}
static pct_tensor *rotate(pct_tape *t, pct_tensor *const *x, const int *n) {
    static const int32_t positions[] = {0, 1, 2, 5, 5, 900};
    static const pct_real factors[] = {1, 2, 3, 1, 4, 8, 8, 8};
    const pct_rotary_form form = {
        .count = n[1], .interleaved = n[2], .theta = 10000, .slow = n[3], .factors = n[3] ? factors : NULL};
    return pct_op_rotate(t, x[0], n[0], &form, positions);
}
/* Statistics are constants: n[0] channels. */
static pct_tensor *batch_norm(pct_tape *t, pct_tensor *const *x, const int *n) {
    pct_tensor *mean = pct_tape_zeros(t, 1, (int64_t[]){n[0]}), *variance = pct_tape_zeros(t, 1, (int64_t[]){n[0]});
    for (int i = 0; i < n[0]; i++) {
        pct_tensor_data(mean)[i] = (pct_real)0.25 - (pct_real)i / n[0];
        pct_tensor_data(variance)[i] = (pct_real)0.5 + (pct_real)(i % 5);
    }
    return pct_op_batch_norm(t, x[0], x[1], x[2], mean, variance, (pct_real)1e-5);
}
static pct_tensor *layer_norm(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_layer_norm(t, x[0], x[1], n[0] ? x[2] : NULL, (pct_real)1e-5);
}
static pct_tensor *rms_norm(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_rms_norm(t, x[0], x[1], (pct_real)1e-5);
}
static pct_tensor *unit_rows(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_unit_rows(t, x[0], (pct_real)n[0] / 10);
}

const grad_case math_cases[] = {
    {"add", "two", add, 2, {{2, {3, 7}}, {2, {3, 7}}}, {1}},
    {"add", "with itself", add, 1, {{2, {3, 7}}}, {0}},
    {"add_rows", "a bias", add_rows, 2, {{2, {5, 7}}, {1, {7}}}},
    {"add_rows", "repeated rows", add_rows, 2, {{3, {2, 3, 5}}, {2, {3, 5}}}},
    {"mul", "two", mul, 2, {{2, {3, 7}}, {2, {3, 7}}}, {1}},
    {"mul", "with itself", mul, 1, {{2, {3, 7}}}, {0}},
    {"add_scaled", "two", add_scaled, 3, {{2, {5, 7}}, {2, {5, 7}}, {1, {7}}}, {1}},
    {"add_scaled", "with itself", add_scaled, 2, {{3, {2, 3, 5}}, {1, {5}}}, {0}},
    {"scale", "-0.7", scale, 1, {{2, {3, 7}}}, {-7}},
    {"scale_by", "learned", scale_by, 2, {{2, {5, 7}}, {1, {1}}}},
    {"activate", "identity", activate, 1, {{2, {3, 7}}}, {PCT_IDENTITY}},
    {"activate", "relu", activate, 1, {{2, {3, 8}}}, {PCT_RELU}},
    {"activate", "gelu", activate, 1, {{2, {3, 7}}}, {PCT_GELU}, -3, 3},
    {"activate", "gelu_erf", activate, 1, {{2, {3, 7}}}, {PCT_GELU_ERF}, -3, 3},
    {"activate", "quick_gelu", activate, 1, {{2, {3, 7}}}, {PCT_QUICK_GELU}, -3, 3},
    {"activate", "silu", activate, 1, {{2, {3, 7}}}, {PCT_SILU}, -3, 3},
    {"activate", "sigmoid", activate, 1, {{2, {3, 7}}}, {PCT_SIGMOID}, -3, 3},
    {"swiglu", "odd", swiglu, 2, {{2, {3, 7}}, {2, {3, 7}}}, {0}, -2, 2},
    {"dropout", "0.3", dropout, 1, {{2, {5, 9}}}, {3}},
    {"mix", "three of rank 3", mix, 4, {{1, {3}}, {3, {2, 3, 5}}, {3, {2, 3, 5}}, {3, {2, 3, 5}}}, {3}},
    {"mix", "one", mix, 2, {{1, {1}}, {2, {3, 5}}}, {1}},
    {"linear", "bias", linear, 3, {{2, {5, 7}}, {2, {3, 7}}, {1, {3}}}, {1}},
    {"linear", "rank 3, no bias", linear, 2, {{3, {2, 3, 5}}, {2, {9, 5}}}, {0}},
    {"linear_onto", "bias", linear_onto, 4, {{2, {5, 3}}, {2, {5, 7}}, {2, {3, 7}}, {1, {3}}}, {1}},
    {"linear_onto", "no bias", linear_onto, 3, {{2, {5, 3}}, {2, {5, 7}}, {2, {3, 7}}}, {0}},
    {"activate_half", "gelu", activate_half, 1, {{2, {3, 7}}}, {0}, -3, 3},
    {"swiglu_half", "odd", swiglu_half, 2, {{2, {3, 7}}, {2, {3, 7}}}, {0}, -2, 2},
    {"norm_half", "layer", norm_half, 3, {{2, {5, 7}}, {1, {7}}, {1, {7}}}, {0}},
    {"norm_activate", "gelu", norm_activate, 3, {{2, {5, 7}}, {1, {7}}, {1, {7}}}, {PCT_GELU, 0, 1}},
    {"norm_activate", "onto", norm_activate, 4, {{2, {3, 9}}, {1, {9}}, {1, {9}}, {2, {3, 9}}}, {PCT_IDENTITY, 1, 0}},
    {"norm_activate",
     "map, wide",
     norm_activate,
     4,
     {{4, {1, 1, 1, 1030}}, {1, {1030}}, {1, {1030}}, {4, {1, 1, 1, 1030}}},
     {PCT_SILU, 1, 0}},
    {"norm_half", "rms", norm_half, 2, {{2, {5, 7}}, {1, {7}}}, {1}},
    {"linear", "one row", linear, 3, {{2, {1, 33}}, {2, {17, 33}}, {1, {17}}}, {1}},
    {"matmul_nt", "one batch", matmul_nt, 2, {{2, {5, 7}}, {2, {3, 7}}}},
    {"matmul_nt", "three batches", matmul_nt, 2, {{3, {3, 4, 5}}, {3, {3, 2, 5}}}},
    {"conv", "3x3 padded", conv, 3, {{4, {2, 4, 5, 3}}, {4, {4, 3, 3, 3}}, {1, {4}}}, {1, 1, 1, 1}},
    {"conv", "patches 2x2", conv, 3, {{4, {1, 4, 6, 3}}, {4, {5, 2, 2, 3}}, {1, {5}}}, {2, 0, 1, 1}},
    {"conv", "stride 2, no bias", conv, 2, {{4, {1, 7, 5, 2}}, {4, {3, 3, 3, 2}}}, {2, 1, 1, 0}},
    {"conv", "depthwise", conv, 3, {{4, {2, 5, 4, 3}}, {4, {3, 3, 3, 1}}, {1, {3}}}, {1, 1, 3, 1}},
    {"conv", "1x1", conv, 3, {{4, {1, 3, 3, 4}}, {4, {2, 1, 1, 4}}, {1, {2}}}, {1, 0, 1, 1}},
    {"attention", "prefix and questions", attention, 3, {{2, {9, 10}}, {2, {11, 10}}, {2, {11, 10}}}, {2, 2, 0}},
    {"attention", "causal, grouped", attention, 3, {{2, {9, 12}}, {2, {9, 6}}, {2, {9, 6}}}, {4, 2, 1}},
    {"attention", "cross, one key head", attention, 3, {{2, {9, 9}}, {2, {7, 3}}, {2, {7, 3}}}, {3, 1, 2}},
    {"rotate", "halves", rotate, 1, {{2, {6, 12}}}, {2, 6, 0}},
    {"rotate", "interleaved, partial", rotate, 1, {{2, {6, 18}}}, {3, 4, 1}},
    {"rotate", "slowed, each pair in its own way", rotate, 1, {{2, {6, 12}}}, {2, 6, 0, 3}},
    {"batch_norm", "rows", batch_norm, 3, {{2, {5, 7}}, {1, {7}}, {1, {7}}}, {7}},
    {"batch_norm", "map, more channels than a run", batch_norm, 3, {{4, {1, 2, 3, 70}}, {1, {70}}, {1, {70}}}, {70}},
    {"layer_norm", "with beta", layer_norm, 3, {{2, {5, 7}}, {1, {7}}, {1, {7}}}, {1}},
    {"layer_norm", "no beta, map", layer_norm, 2, {{4, {1, 2, 3, 33}}, {1, {33}}}, {0}},
    {"rms_norm", "odd", rms_norm, 2, {{2, {5, 7}}, {1, {7}}}},
    {"unit_rows", "normal", unit_rows, 1, {{2, {5, 7}}}, {1}},
    {"unit_rows", "shorter than epsilon", unit_rows, 1, {{2, {5, 3}}}, {1}, -0.01, 0.01},
};
const int math_case_count = (int)PCT_COUNT(math_cases);
