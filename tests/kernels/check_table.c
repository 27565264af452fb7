/* check_table.c: the entries of the kernel table against plain C.
 *
 * Tolerances: sums of n products in another order differ by about sqrt(n) units of the last place of the sum of
 * magnitudes (1e-7 each): n <= 2048 gives 5e-6 of it. Exponentials are within 2 units, divisions and products add one
 * each: 1e-6 relative; erf is within 2e-7 absolute. */
#include "check.h"

#include <math.h>
#include <string.h>

#define ROUNDS 60

static double magnitude(const float *a, const float *b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += fabs((double)a[i] * (double)b[i]);
    return sum;
}

static void check_bf16_conversion(check *c) {
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t n = check_size(c, 700);
        float *x = check_floats(c, n), *back = check_floats(c, n), *back_ref = check_floats(c, n);
        uint16_t *y = check_memory(c, (size_t)n * 2), *y_ref = check_memory(c, (size_t)n * 2);
        check_fill_extreme(c, x, n, true);
        c->entry = "to_bf16";
        c->now->to_bf16(y, x, n);
        c->ref->to_bf16(y_ref, x, n);
        check_same(c, "bits", y, y_ref, (size_t)n * 2);
        c->entry = "from_bf16";
        c->now->from_bf16(back, y_ref, n);
        c->ref->from_bf16(back_ref, y_ref, n);
        check_same(c, "bits", back, back_ref, (size_t)n * 4);
        check_end(c);
    }
}

static void check_vectors(check *c) {
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t n = check_size(c, 2000);
        float *a = check_floats(c, n), *b = check_floats(c, n), *y = check_floats(c, n);
        check_fill_extreme(c, a, n, false);
        check_fill_extreme(c, b, n, false);
        check_fill_extreme(c, y, n, false);
        float *y1 = check_copy(c, y, n), *y2 = check_copy(c, y, n), *r1 = check_copy(c, y, n);
        float *r2 = check_copy(c, y, n), *r3 = check_copy(c, y, n), *y3 = check_copy(c, y, n);
        /* a fused multiply-add may differ by one rounding of the product, which y may cancel */
        c->entry = "axpy";
        c->now->axpy(y1, 0.3f, a, n);
        c->ref->axpy(r1, 0.3f, a, n);
        check_near(c, "y", y1, r1, n, 1e-3, 1e-6);
        c->entry = "mul_add";
        c->now->mul_add(y2, a, b, n);
        c->ref->mul_add(r2, a, b, n);
        for (int64_t i = 0; i < n; i++)
            check_near(c, "y", y2 + i, r2 + i, 1, 1e-7 * fabs((double)a[i] * (double)b[i]), 1e-6);
        c->entry = "add";
        c->now->add(y3, a, b, n);
        c->ref->add(r3, a, b, n);
        check_same(c, "y", y3, r3, (size_t)n * 4);
        c->entry = "mul";
        c->now->mul(y3, a, b, n);
        c->ref->mul(r3, a, b, n);
        check_same(c, "y", y3, r3, (size_t)n * 4);
        c->entry = "dot";
        float now = c->now->dot(a, b, n), ref = c->ref->dot(a, b, n);
        check_near(c, "sum", &now, &ref, 1, 5e-6 * magnitude(a, b, n), 0);
        c->entry = "sum_squares";
        now = (float)c->now->sum_squares(a, n);
        ref = (float)c->ref->sum_squares(a, n);
        check_near(c, "sum", &now, &ref, 1, 0, 1e-5);
        check_end(c);
    }
}

static void check_softmax(check *c) {
    if (!check_begin(c, "softmax")) return;
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t n = check_size(c, 2000);
        float *x = check_floats(c, n), *p = check_floats(c, n), *r = check_floats(c, n);
        check_fill_extreme(c, x, n, false);
        if (n > 3) x[check_below(c, n)] = -INFINITY;
        const float now = c->now->softmax(p, x, n), ref = c->ref->softmax(r, x, n);
        check_near(c, "p", p, r, n, 1e-30, 1e-5); /* the sum's order and the exponential */
        check_near(c, "log of the sum", &now, &ref, 1, 1e-6, 1e-6);
        c->now->softmax(x, x, n);
        check_same(c, "in place", x, p, (size_t)n * 4);
        check_end(c);
    }
}

static void check_rotate(check *c) {
    if (!check_begin(c, "rotate")) return;
    for (int round = 0; round < ROUNDS; round++) {
        const int heads = 1 + (int)check_below(c, 5), dim = 8 * (1 + (int)check_below(c, 10));
        const int rotary = 2 * (1 + (int)check_below(c, dim / 2));
        const int64_t rows = 1 + check_below(c, 9), stride = heads * dim + check_below(c, 20);
        const bool interleaved = check_below(c, 2);
        int32_t positions[16];
        float *table = check_floats(c, 32 * rotary), *x = check_floats(c, rows * stride);
        float *y = check_floats(c, rows * stride), *r = check_floats(c, rows * stride);
        for (int i = 0; i < 16 * rotary; i++) {
            const float angle = check_value(c, 2);
            table[2 * i] = cosf(angle);
            table[2 * i + 1] = sinf(angle);
        }
        for (int64_t i = 0; i < rows; i++) positions[i] = (int32_t)check_below(c, 32);
        check_fill(c, x, rows * stride, 1);
        memset(y, 0, (size_t)(rows * stride) * 4);
        memset(r, 0, (size_t)(rows * stride) * 4);
        c->now->rotate(y, x, rows, stride, stride, heads, dim, rotary, interleaved, positions, table, 1);
        c->ref->rotate(r, x, rows, stride, stride, heads, dim, rotary, interleaved, positions, table, 1);
        check_near(c, "y", y, r, rows * stride, 1e-6, 1e-6);
        /* turning back must give x again: that holds for plain C too */
        c->now->rotate(y, y, rows, stride, stride, heads, dim, rotary, interleaved, positions, table, -1);
        for (int64_t i = 0; i < rows; i++)
            check_near(c, "back", y + i * stride, x + i * stride, heads * dim, 1e-5, 1e-5);
        check_end(c);
    }
}

static void check_adamw(check *c) {
    if (!check_begin(c, "adamw")) return;
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t n = check_size(c, 500), step = 1 + check_below(c, 1000);
        float *w = check_floats(c, n), *m = check_floats(c, n), *v = check_floats(c, n), *g = check_floats(c, n);
        check_fill(c, w, n, 1);
        check_fill(c, m, n, 0.1f);
        check_fill(c, v, n, 0.1f);
        check_fill_extreme(c, g, n, false);
        for (int64_t i = 0; i < n; i++) v[i] = v[i] * v[i];
        float *w2 = check_copy(c, w, n), *m2 = check_copy(c, m, n), *v2 = check_copy(c, v, n);
        c->now->adamw(w, m, v, g, n, 1e-3, 0.9, 0.98, 1e-8, 0.05, 0.5, step);
        c->ref->adamw(w2, m2, v2, g, n, 1e-3, 0.9, 0.98, 1e-8, 0.05, 0.5, step);
        check_near(c, "weight", w, w2, n, 1e-6, 1e-5);
        check_near(c, "m", m, m2, n, 1e-7, 1e-5);
        check_near(c, "v", v, v2, n, 1e-9, 1e-5);
        check_end(c);
    }
}

void check_loops(check *c) {
    if (check_begin(c, "bf16")) check_bf16_conversion(c);
    if (check_begin(c, "vectors")) check_vectors(c);
    check_softmax(c);
    check_rotate(c);
    check_adamw(c);
}

static void check_layer_norm(check *c, int64_t rows, int64_t width) {
    const int64_t n = rows * width;
    float *x = check_floats(c, n), *dy = check_floats(c, n), *gamma = check_floats(c, width);
    float *beta = check_below(c, 2) ? check_floats(c, width) : NULL;
    float *y = check_floats(c, n), *y_ref = check_floats(c, n), *mean = check_floats(c, rows);
    float *rstd = check_floats(c, rows), *mean_ref = check_floats(c, rows), *rstd_ref = check_floats(c, rows);
    check_fill(c, x, n, 2);
    check_fill(c, dy, n, 1);
    check_fill(c, gamma, width, 1);
    if (beta) check_fill(c, beta, width, 1);
    c->now->layer_norm(y, mean, rstd, x, gamma, beta, rows, width, 1e-5f);
    c->ref->layer_norm(y_ref, mean_ref, rstd_ref, x, gamma, beta, rows, width, 1e-5f);
    /* a narrow row may have a tiny deviation, which magnifies the mean's rounding */
    const double slack = width < 4 ? 1e-2 : 2e-5;
    check_near(c, "y", y, y_ref, n, slack, 1e-5);
    check_near(c, "mean", mean, mean_ref, rows, 1e-6, 1e-5);
    float *dx = check_floats(c, n), *dgamma = check_floats(c, width), *dbeta = check_floats(c, width);
    check_fill(c, dx, n, 1);
    check_fill(c, dgamma, width, 1);
    check_fill(c, dbeta, width, 1);
    float *dx_ref = check_copy(c, dx, n), *dg_ref = check_copy(c, dgamma, width), *db_ref = check_copy(c, dbeta, width);
    c->now->layer_norm_back(dx, dgamma, dbeta, dy, x, gamma, mean_ref, rstd_ref, rows, width);
    c->ref->layer_norm_back(dx_ref, dg_ref, db_ref, dy, x, gamma, mean_ref, rstd_ref, rows, width);
    for (int64_t r = 0; r < rows; r++)
        check_near(c, "dx", dx + r * width, dx_ref + r * width, width, 2e-5 * (1 + (double)rstd_ref[r]), 1e-5);
    check_near(c, "dgamma", dgamma, dg_ref, width, 1e-4, 1e-5);
    check_near(c, "dbeta", dbeta, db_ref, width, 1e-5, 1e-5);
    check_end(c);
}

static void check_rms_norm(check *c, int64_t rows, int64_t width) {
    const int64_t n = rows * width;
    float *x = check_floats(c, n), *dy = check_floats(c, n), *gamma = check_floats(c, width), *y = check_floats(c, n);
    float *y_ref = check_floats(c, n), *rstd = check_floats(c, rows), *rstd_ref = check_floats(c, rows);
    check_fill(c, x, n, 2);
    check_fill(c, dy, n, 1);
    check_fill(c, gamma, width, 1);
    c->now->rms_norm(y, rstd, x, gamma, rows, width, 1e-6f);
    c->ref->rms_norm(y_ref, rstd_ref, x, gamma, rows, width, 1e-6f);
    check_near(c, "y", y, y_ref, n, 1e-6, 1e-5);
    check_near(c, "rstd", rstd, rstd_ref, rows, 0, 1e-5);
    float *dx = check_floats(c, n), *dgamma = check_floats(c, width);
    check_fill(c, dx, n, 1);
    check_fill(c, dgamma, width, 1);
    float *dx_ref = check_copy(c, dx, n), *dg_ref = check_copy(c, dgamma, width);
    c->now->rms_norm_back(dx, dgamma, dy, x, gamma, rstd_ref, rows, width);
    c->ref->rms_norm_back(dx_ref, dg_ref, dy, x, gamma, rstd_ref, rows, width);
    for (int64_t r = 0; r < rows; r++)
        check_near(c, "dx", dx + r * width, dx_ref + r * width, width, 2e-5 * (1 + (double)rstd_ref[r]), 1e-5);
    check_near(c, "dgamma", dgamma, dg_ref, width, 1e-4, 1e-5);
    check_end(c);
}

void check_norms(check *c) {
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t rows = 1 + check_below(c, 7), width = check_size(c, 800);
        if (check_begin(c, "layer_norm")) check_layer_norm(c, rows, width);
        if (check_begin(c, "rms_norm")) check_rms_norm(c, rows, width);
    }
}

void check_activations(check *c) {
    static const char *const names[] = {"identity", "relu", "gelu", "gelu_erf", "quick_gelu", "silu", "sigmoid"};
    for (int round = 0; round < ROUNDS; round++)
        for (int a = 0; a < PCT_ACTIVATION_COUNT + 1; a++) {
            const int64_t n = check_size(c, 300);
            if (!check_begin(c, a < PCT_ACTIVATION_COUNT ? names[a] : "swiglu")) continue;
            float *x = check_floats(c, n), *up = check_floats(c, n), *dy = check_floats(c, n);
            float *y = check_floats(c, n), *r = check_floats(c, n), *d1 = check_floats(c, n), *d2 = check_floats(c, n);
            check_fill_extreme(c, x, n, false);
            check_fill(c, up, n, 2);
            check_fill(c, dy, n, 1);
            check_fill(c, d1, n, 1);
            check_fill(c, d2, n, 1);
            float *r1 = check_copy(c, d1, n), *r2 = check_copy(c, d2, n);
            if (a < PCT_ACTIVATION_COUNT) {
                c->now->activate[a](y, x, n);
                c->ref->activate[a](r, x, n);
                c->now->activate_back[a](d1, dy, x, n);
                c->ref->activate_back[a](r1, dy, x, n);
            } else {
                c->now->swiglu(y, x, up, n);
                c->ref->swiglu(r, x, up, n);
                c->now->swiglu_back(d1, d2, dy, x, up, n);
                c->ref->swiglu_back(r1, r2, dy, x, up, n);
                check_near(c, "dup", d2, r2, n, 2e-5, 3e-6);
            }
            /* erf's 2e-7 is multiplied by x/2, up to 10 here where erf is not yet 1 in F32 */
            check_near(c, "y", y, r, n, a == PCT_GELU_ERF ? 3e-6 : 1e-6, 3e-6);
            check_near(c, "dx", d1, r1, n, 2e-5, 3e-6);
            check_end(c);
        }
}
