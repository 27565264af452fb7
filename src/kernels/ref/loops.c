/* loops.c: the plain C form of the element-wise kernels. What they compute is defined here; x86/ may only be faster. */
#include "kernels/kernels_private.h"

#include <math.h>
#include <string.h>

static void to_bf16(uint16_t *y, const pct_real *x, int64_t count) {
    for (int64_t i = 0; i < count; i++) y[i] = pct_bf16_of_float((float)x[i]);
}

static void from_bf16(pct_real *y, const uint16_t *x, int64_t count) {
    for (int64_t i = 0; i < count; i++) y[i] = (pct_real)pct_float_of_bf16(x[i]);
}

static void axpy(pct_real *y, pct_real a, const pct_real *x, int64_t count) {
    for (int64_t i = 0; i < count; i++) y[i] += a * x[i];
}

static void add(pct_real *y, const pct_real *a, const pct_real *b, int64_t count) {
    for (int64_t i = 0; i < count; i++) y[i] = a[i] + b[i];
}

static void mul(pct_real *y, const pct_real *a, const pct_real *b, int64_t count) {
    for (int64_t i = 0; i < count; i++) y[i] = a[i] * b[i];
}

static void mul_add(pct_real *y, const pct_real *a, const pct_real *b, int64_t count) {
    for (int64_t i = 0; i < count; i++) y[i] += a[i] * b[i];
}

static double sum_squares(const pct_real *x, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}

static pct_real dot(const pct_real *a, const pct_real *b, int64_t count) {
    pct_real sum = 0;
    for (int64_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

static pct_real softmax(pct_real *p, const pct_real *x, int64_t count) {
    pct_real top = x[0], sum = 0;
    for (int64_t i = 1; i < count; i++) top = x[i] > top ? x[i] : top;
    for (int64_t i = 0; i < count; i++) {
        p[i] = (pct_real)exp((double)(x[i] - top));
        sum += p[i];
    }
    for (int64_t i = 0; i < count; i++) p[i] /= sum;
    return top + (pct_real)log((double)sum);
}

static pct_real top(const pct_real *x, int64_t count) {
    pct_real largest = x[0];
    for (int64_t i = 1; i < count; i++) largest = x[i] > largest ? x[i] : largest;
    return largest;
}

static pct_real exp_row(pct_real *p, const pct_real *x, int64_t count, pct_real scale, pct_real shift) {
    pct_real sum = 0;
    for (int64_t i = 0; i < count; i++) {
        p[i] = (pct_real)exp((double)(scale * x[i] - shift));
        sum += p[i];
    }
    return sum;
}

static void softmax_back(pct_real *ds, const pct_real *p, int64_t count, pct_real delta, pct_real scale) {
    for (int64_t i = 0; i < count; i++) ds[i] = p[i] * (ds[i] - delta) * scale;
}

static void scores(pct_real *out, const pct_real *q, const pct_real *k, int64_t ldk, int64_t count, int64_t dim) {
    for (int64_t j = 0; j < count; j++) out[j] = dot(q, k + j * ldk, dim);
}

static void mix(pct_real *out, const pct_real *p, const pct_real *v, int64_t ldv, int64_t count, int64_t dim) {
    for (int64_t j = 0; j < count; j++) axpy(out, p[j], v + j * ldv, dim);
}

static void adamw(pct_real *weight, pct_real *m, pct_real *v, const pct_real *gradient, int64_t count, double rate,
                  double beta1, double beta2, double epsilon, double decay, double gradient_scale, int64_t step) {
    const pct_real b1 = (pct_real)beta1, b2 = (pct_real)beta2;
    const pct_real m_rate = (pct_real)(rate / (1 - pow(beta1, (double)step)));
    const pct_real v_scale = (pct_real)(1 / (1 - pow(beta2, (double)step)));
    const pct_real keep = (pct_real)(1 - rate * decay);
    for (int64_t i = 0; i < count; i++) {
        pct_real g = gradient[i] * (pct_real)gradient_scale;
        m[i] = b1 * m[i] + (1 - b1) * g;
        v[i] = b2 * v[i] + (1 - b2) * g * g;
        pct_real size = (pct_real)sqrt((double)(v[i] * v_scale)) + (pct_real)epsilon;
        weight[i] = weight[i] * keep - m_rate * m[i] / size;
    }
}

static void rotate(pct_real *y, const pct_real *x, int64_t rows, int64_t row_stride_y, int64_t row_stride_x, int heads,
                   int head_dim, int rotary_dim, bool interleaved, const int32_t *positions, const pct_real *table,
                   int sign) {
    const int half = rotary_dim / 2, step = interleaved ? 2 : 1, apart = interleaved ? 1 : half;
    for (int64_t r = 0; r < rows; r++) {
        const pct_real *turn = table + (int64_t)positions[r] * rotary_dim;
        for (int h = 0; h < heads; h++) {
            const pct_real *from = x + r * row_stride_x + (int64_t)h * head_dim;
            pct_real *to = y + r * row_stride_y + (int64_t)h * head_dim;
            for (int i = 0; i < half; i++) {
                pct_real c = turn[2 * i], s = (pct_real)sign * turn[2 * i + 1];
                pct_real a = from[i * step], b = from[i * step + apart];
                to[i * step] = a * c - b * s;
                to[i * step + apart] = a * s + b * c;
            }
            for (int i = rotary_dim; i < head_dim; i++) to[i] = from[i];
        }
    }
}

void pct_ref_loops(pct_kernels *kernels) {
    kernels->to_bf16 = to_bf16;
    kernels->from_bf16 = from_bf16;
    kernels->axpy = axpy;
    kernels->add = add;
    kernels->mul = mul;
    kernels->mul_add = mul_add;
    kernels->sum_squares = sum_squares;
    kernels->dot = dot;
    kernels->softmax = softmax;
    kernels->top = top;
    kernels->exp_row = exp_row;
    kernels->softmax_back = softmax_back;
    kernels->scores = scores;
    kernels->mix = mix;
    kernels->adamw = adamw;
    kernels->rotate = rotate;
}
