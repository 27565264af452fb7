/* check_heavy.c: products, convolutions and attention against direct sums in double.
 *
 * Tolerances: F32 products of k terms of deviation 1 sum to about sqrt(k); rounding adds at most k units of 6e-8 of
 * the magnitudes, so 2e-6*k absolute is generous and still far below one wrong term. In BF16 the operands themselves
 * are rounded first in the oracle, so the same bound holds; attention rounds scores and probabilities to BF16 inside
 * (2^-9 each), hence 2e-2 there. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float rounded(float x, pct_dtype type) { return type == PCT_BF16 ? pct_float_of_bf16(pct_bf16_of_float(x)) : x; }

static void round_all(float *x, int64_t count, pct_dtype type) {
    for (int64_t i = 0; i < count; i++) x[i] = rounded(x[i], type);
}

static void check_gemm(check *c, pct_dtype type) {
    const int64_t m = check_size(c, 150), n = check_size(c, 150), k = check_size(c, check_below(c, 4) ? 150 : 1300);
    pct_gemm g = {.m = m,
                  .n = n,
                  .k = k,
                  .type = type,
                  .a_transposed = check_below(c, 2),
                  .b_transposed = check_below(c, 2),
                  .accumulate = check_below(c, 2),
                  .ldc = n + check_below(c, 9)};
    const int64_t a_rows = g.a_transposed ? k : m, a_width = g.a_transposed ? m : k;
    const int64_t b_rows = g.b_transposed ? n : k, b_width = g.b_transposed ? k : n;
    g.lda = a_width + check_below(c, 9);
    g.ldb = b_width + check_below(c, 9);
    /* the last row ends where the matrix does: reading on would leave the memory */
    const int64_t a_count = (a_rows - 1) * g.lda + a_width, b_count = (b_rows - 1) * g.ldb + b_width;
    const int64_t c_count = (m - 1) * g.ldc + n;
    float *a = check_floats(c, a_count), *b = check_floats(c, b_count), *out = check_floats(c, c_count);
    float *bias = check_below(c, 2) ? check_floats(c, n) : NULL;
    check_fill(c, a, a_count, 1);
    check_fill(c, b, b_count, 1);
    check_fill(c, out, c_count, 1);
    if (bias) check_fill(c, bias, n, 1);
    round_all(a, a_count, type);
    round_all(b, b_count, type);
    float *before = check_copy(c, out, c_count), *start = NULL;
    if (!g.accumulate && check_below(c, 2)) {
        start = check_floats(c, c_count);
        check_fill(c, start, c_count, 1);
        g.start = start;
    }
    g.a = type == PCT_BF16 ? (void *)check_bf16(c, a, a_count) : a;
    g.b = type == PCT_BF16 ? (void *)check_bf16(c, b, b_count) : b;
    g.c = out;
    g.bias = bias;
    pct_gemm_run(c->compute, &g);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = (g.accumulate ? (double)before[i * g.ldc + j] : 0) + (bias ? (double)bias[j] : 0);
            sum += start ? (double)start[i * g.ldc + j] : 0;
            for (int64_t p = 0; p < k; p++)
                sum += (double)a[g.a_transposed ? p * g.lda + i : i * g.lda + p] *
                       (double)b[g.b_transposed ? j * g.ldb + p : p * g.ldb + j];
            check_near_double(c, "c", &out[i * g.ldc + j], &sum, 1, 2e-6 * (double)k + 1e-6, 1e-6);
        }
    for (int64_t i = 0; i + 1 < m; i++) /* between the rows of C nothing is written */
        check_same(c, "gap", out + i * g.ldc + n, before + i * g.ldc + n, (size_t)(g.ldc - n) * 4);
    check_end(c);
}

/* What linear_back makes: dx = dy w, dw = dy^T x, db = sums of dy's columns, added to what was there or not. */
static void check_linear_back(check *c, pct_dtype type) {
    const int32_t unit = check_below(c, 2) ? 32 : 1; /* whole tiles, and what is left over */
    const int64_t rows = check_size(c, 150), in = unit * check_size(c, 128 / unit),
                  out = unit * check_size(c, 128 / unit);
    float *x = check_floats(c, rows * in), *w = check_floats(c, out * in), *dy = check_floats(c, rows * out);
    float *dx = check_floats(c, rows * in), *dw = check_floats(c, out * in), *db = check_floats(c, out);
    check_fill(c, x, rows * in, 1), check_fill(c, w, out * in, 1), check_fill(c, dy, rows * out, 1);
    check_fill(c, dx, rows * in, 1), check_fill(c, dw, out * in, 1), check_fill(c, db, out, 1);
    round_all(x, rows * in, type), round_all(w, out * in, type), round_all(dy, rows * out, type);
    pct_linear_back g = {.rows = rows, .in = in, .out = out, .type = type, .dy = dy};
    g.dx_fresh = check_below(c, 2), g.dw_fresh = check_below(c, 2);
    float *dx0 = check_copy(c, dx, rows * in), *dw0 = check_copy(c, dw, out * in), *db0 = check_copy(c, db, out);
    uint16_t *half = check_memory(c, (size_t)(rows * out) * 2);
    g.x = type == PCT_BF16 ? (void *)check_bf16(c, x, rows * in) : x;
    g.w = type == PCT_BF16 ? (void *)check_bf16(c, w, out * in) : w;
    if (check_below(c, 4)) g.dx = dx;
    if (check_below(c, 4)) g.dw = dw;
    if (check_below(c, 2)) g.db = db;
    pct_linear_back_run(c->compute, &g, half);
    for (int64_t r = 0; g.dx && r < rows; r++)
        for (int64_t i = 0; i < in; i++) {
            double sum = g.dx_fresh ? 0 : (double)dx0[r * in + i];
            for (int64_t o = 0; o < out; o++) sum += (double)dy[r * out + o] * (double)w[o * in + i];
            check_near_double(c, "dx", &dx[r * in + i], &sum, 1, 2e-6 * (double)out + 1e-6, 1e-6);
        }
    for (int64_t o = 0; o < out; o++) {
        double sums = (double)db0[o];
        for (int64_t r = 0; r < rows; r++) sums += (double)dy[r * out + o];
        if (g.db) check_near_double(c, "db", &db[o], &sums, 1, 2e-6 * (double)rows + 1e-6, 1e-6);
        for (int64_t i = 0; g.dw && i < in; i++) {
            double sum = g.dw_fresh ? 0 : (double)dw0[o * in + i];
            for (int64_t r = 0; r < rows; r++) sum += (double)dy[r * out + o] * (double)x[r * in + i];
            check_near_double(c, "dw", &dw[o * in + i], &sum, 1, 2e-6 * (double)rows + 1e-6, 1e-6);
        }
    }
    check_end(c);
}

static void check_packed(check *c, pct_dtype type, pct_dtype stored) {
    const int64_t rows = check_size(c, 90), out = check_size(c, 130);
    const int64_t in = stored == PCT_Q8_0 ? 32 * check_size(c, 10) : check_size(c, 300);
    const int64_t ldx = in + check_below(c, 5), ldy = out + check_below(c, 5), x_count = (rows - 1) * ldx + in;
    float *w = check_floats(c, out * in), *x = check_floats(c, x_count), *y = check_floats(c, (rows - 1) * ldy + out);
    float *bias = check_below(c, 2) ? check_floats(c, out) : NULL;
    size_t row_bytes;
    pct_packed *packed;
    percept_error error;
    check_fill(c, w, out * in, 0.3f);
    check_fill(c, x, x_count, 1);
    if (bias) check_fill(c, bias, out, 1);
    check_true(c, "row size", pct_dtype_row_bytes(stored, in, &row_bytes));
    unsigned char *data = check_memory(c, row_bytes * (size_t)out);
    for (int64_t r = 0; r < out; r++) {
        c->ref->quantise[stored](data + (size_t)r * row_bytes, w + r * in, in);
        c->ref->dequantise[stored](w + r * in, data + (size_t)r * row_bytes, in);
    }
    const bool made = pct_packed_create(&packed, c->compute, type, data, stored, out, in, &error) == PERCEPT_OK;
    check_true(c, "create", made);
    if (made) pct_packed_run(c->compute, packed, y, ldy, x, ldx, rows, bias);
    round_all(w, out * in, type);
    round_all(x, x_count, type);
    for (int64_t i = 0; made && i < rows; i++)
        for (int64_t j = 0; j < out; j++) {
            double sum = bias ? (double)bias[j] : 0;
            for (int64_t p = 0; p < in; p++) sum += (double)w[j * in + p] * (double)x[i * ldx + p];
            check_near_double(c, "y", &y[i * ldy + j], &sum, 1, 2e-6 * (double)in, 1e-6);
        }
    pct_packed_destroy(&packed);
    check_end(c);
}

void check_products(check *c) {
    for (int round = 0; round < 60; round++) {
        if (check_begin(c, "gemm f32")) check_gemm(c, PCT_REAL);
        if (check_begin(c, "gemm bf16")) check_gemm(c, PCT_BF16);
        if (round % 2) continue;
        if (check_begin(c, "linear back f32")) check_linear_back(c, PCT_REAL);
        if (check_begin(c, "linear back bf16")) check_linear_back(c, PCT_BF16);
    }
    for (int round = 0; round < 12; round++) {
        static const pct_dtype stored[] = {PCT_REAL, PCT_BF16, PCT_Q8_0, PCT_F16};
        if (check_begin(c, "packed f32")) check_packed(c, PCT_REAL, stored[round % 4]);
        if (check_begin(c, "packed bf16")) check_packed(c, PCT_BF16, stored[round % 4]);
    }
}

struct conv_case {
    pct_conv conv;
    int64_t out_height, out_width;
    float *x, *w, *dy;
};

/* For every product that the convolution consists of: visit(output index, input index, weight index). */
typedef void conv_visit(void *context, int64_t y, int64_t x, int64_t w);
static void each_product(const struct conv_case *k, conv_visit *visit, void *context) {
    const pct_conv *c = &k->conv;
    const int64_t in = c->in / c->groups;
    for (int64_t b = 0; b < c->batch; b++)
        for (int64_t oy = 0; oy < k->out_height; oy++)
            for (int64_t ox = 0; ox < k->out_width; ox++)
                for (int64_t o = 0; o < c->out; o++)
                    for (int64_t t = 0; t < c->kernel * c->kernel * in; t++) {
                        const int64_t i = t % in, kx = t / in % c->kernel, ky = t / in / c->kernel;
                        const int64_t y = oy * c->stride - c->pad + ky, x = ox * c->stride - c->pad + kx;
                        if (y < 0 || y >= c->height || x < 0 || x >= c->width) continue;
                        const int64_t channel = c->groups > 1 ? o : i;
                        visit(context, ((b * k->out_height + oy) * k->out_width + ox) * c->out + o,
                              ((b * c->height + y) * c->width + x) * c->in + channel,
                              ((o * c->kernel + ky) * c->kernel + kx) * in + i);
                    }
}

struct conv_sums {
    const struct conv_case *k;
    double *y, *dx, *dw;
};
static void visit_all(void *context, int64_t y, int64_t x, int64_t w) {
    struct conv_sums *s = context;
    s->y[y] += (double)s->k->x[x] * (double)s->k->w[w];
    s->dx[x] += (double)s->k->dy[y] * (double)s->k->w[w];
    s->dw[w] += (double)s->k->dy[y] * (double)s->k->x[x];
}

static double *doubles(check *c, const float *from, int64_t count) {
    double *sums = check_memory(c, (size_t)count * sizeof *sums + 8);
    sums = (double *)(((uintptr_t)sums + 7) & ~(uintptr_t)7);
    for (int64_t i = 0; i < count; i++) sums[i] = from ? (double)from[i] : 0;
    return sums;
}

enum conv_kind { ANY, DEPTHWISE, THREE /* by three, as in stems */, PLANE /* one channel to one */ };

static void check_conv(check *c, pct_dtype type, enum conv_kind kind) {
    struct conv_case k = {.conv = {.batch = 1 + check_below(c, 3),
                                   .height = 1 + check_below(c, 14),
                                   .width = 1 + check_below(c, 14),
                                   .in = check_size(c, 40),
                                   .out = check_size(c, 40),
                                   .kernel = 1 + check_below(c, 4),
                                   .stride = 1 + check_below(c, 3),
                                   .pad = check_below(c, 3),
                                   .groups = 1,
                                   .type = type}};
    pct_conv *v = &k.conv;
    if (check_below(c, 3) == 0) v->stride = v->kernel, v->pad = 0; /* patch embedding */
    const bool depthwise = kind == DEPTHWISE;
    if (depthwise) v->groups = v->out = v->in;
    if (kind == THREE) {
        v->kernel = 3, v->pad = 1, v->stride = 1 + check_below(c, 2), v->out = 16 + check_below(c, 60);
        v->in = check_below(c, 3) ? 16 + check_below(c, 60) : 1 + check_below(c, 3);
        v->height = 2 + check_below(c, 14), v->width = 2 + check_below(c, 14);
        v->fresh = check_below(c, 2);
    }
    if (kind == PLANE) {
        v->in = v->out = v->stride = 1;
        v->kernel = 1 + check_below(c, 5), v->pad = check_below(c, 4);
        v->width = 1 + check_below(c, 40);
        v->fresh = check_below(c, 2);
    }
    if (v->kernel > v->height + 2 * v->pad || v->kernel > v->width + 2 * v->pad) v->kernel = 1;
    k.out_height = pct_conv_out(v->height, v->kernel, v->stride, v->pad);
    k.out_width = pct_conv_out(v->width, v->kernel, v->stride, v->pad);
    const int64_t x_count = v->batch * v->height * v->width * v->in,
                  y_count = v->batch * k.out_height * k.out_width * v->out;
    const int64_t w_count = v->out * v->kernel * v->kernel * v->in / v->groups;
    k.x = check_floats(c, x_count), k.w = check_floats(c, w_count), k.dy = check_floats(c, y_count);
    float *y = check_floats(c, y_count), *dx = check_floats(c, x_count), *dw = check_floats(c, w_count);
    float *bias = check_below(c, 2) ? check_floats(c, v->out) : NULL, *dbias = check_floats(c, v->out);
    check_fill(c, k.x, x_count, 1), check_fill(c, k.w, w_count, 1), check_fill(c, k.dy, y_count, 1);
    check_fill(c, dx, x_count, 1), check_fill(c, dw, w_count, 1), check_fill(c, dbias, v->out, 1);
    if (bias) check_fill(c, bias, v->out, 1);
    if (!depthwise) round_all(k.x, x_count, type), round_all(k.w, w_count, type), round_all(k.dy, y_count, type);
    struct conv_sums s = {&k, doubles(c, NULL, y_count), doubles(c, v->fresh ? NULL : dx, x_count),
                          doubles(c, dw, w_count)};
    double *db = doubles(c, dbias, v->out);
    for (int64_t i = 0; i < y_count; i++) {
        s.y[i] = bias ? (double)bias[i % v->out] : 0;
        db[i % v->out] += (double)k.dy[i];
    }
    each_product(&k, visit_all, &s);
    pct_conv_run(c->compute, v, y, k.x, k.w, bias);
    pct_conv_back(c->compute, v, dx, dw, dbias, k.dy, k.x, k.w);
    check_near_double(c, "y", y, s.y, y_count, 2e-3, 1e-5); /* at most 680 terms; dx 680; dw 680; dbias 680 */
    check_near_double(c, "dx", dx, s.dx, x_count, 2e-3, 1e-5);
    check_near_double(c, "dw", dw, s.dw, w_count, 2e-3, 1e-5);
    check_near_double(c, "dbias", dbias, db, v->out, 2e-3, 1e-5);
    check_end(c);
}

void check_convolutions(check *c) {
    for (int round = 0; round < 40; round++) {
        if (check_begin(c, "conv f32")) check_conv(c, PCT_REAL, ANY);
        if (check_begin(c, "conv bf16")) check_conv(c, PCT_BF16, ANY);
        if (check_begin(c, "depthwise")) check_conv(c, PCT_REAL, DEPTHWISE);
        if (check_begin(c, "conv plane")) check_conv(c, round % 2 ? PCT_BF16 : PCT_REAL, PLANE);
        if (check_begin(c, "conv 3x3")) check_conv(c, PCT_BF16, THREE);
    }
}
