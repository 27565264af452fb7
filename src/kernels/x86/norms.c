/* norms.c: layer and RMS normalisation in vectors; formulas in ref/norms.c. */
#include "kernels/x86/vector.h"

#include <math.h>

static void layer_norm(float *y, float *mean, float *rstd, const float *x, const float *gamma, const float *beta,
                       int64_t rows, int64_t width, float epsilon) {
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        vec sum = v_zero(), squares = v_zero();
        for (int64_t i = 0; i < width; i += LANES) sum = v_add(sum, load_some(x + i, width - i));
        const float middle = v_sum(sum) / (float)width;
        const vec shift = v_set(middle);
        for (int64_t i = 0; i < width; i += LANES) {
            const vec apart = keep_some(width - i, v_sub(load_some(x + i, width - i), shift));
            squares = v_fma(apart, apart, squares);
        }
        const float scale = 1 / sqrtf(v_sum(squares) / (float)width + epsilon);
        for (int64_t i = 0; i < width; i += LANES) {
            const int64_t left = width - i;
            const vec n = v_mul(v_sub(load_some(x + i, left), shift), v_set(scale));
            const vec b = beta ? load_some(beta + i, left) : v_zero();
            store_some(y + i, left, v_fma(n, load_some(gamma + i, left), b));
        }
        if (mean) mean[r] = middle;
        if (rstd) rstd[r] = scale;
    }
}

static void layer_norm_back(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x, const float *gamma,
                            const float *mean, const float *rstd, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * width, *up = dy + r * width;
        const vec shift = v_set(mean[r]), scale = v_set(rstd[r]);
        vec g_sum = v_zero(), gn_sum = v_zero();
        for (int64_t i = 0; i < width; i += LANES) {
            const int64_t left = width - i;
            const vec d = load_some(up + i, left), g = v_mul(d, load_some(gamma + i, left));
            const vec n = v_mul(v_sub(load_some(row + i, left), shift), scale);
            g_sum = v_add(g_sum, g); /* lanes past the end: d and so g are zero there */
            gn_sum = v_fma(g, n, gn_sum);
            if (dgamma) store_some(dgamma + i, left, v_fma(d, n, load_some(dgamma + i, left)));
            if (dbeta) store_some(dbeta + i, left, v_add(d, load_some(dbeta + i, left)));
        }
        const vec g_mean = v_set(v_sum(g_sum) / (float)width), gn_mean = v_set(v_sum(gn_sum) / (float)width);
        for (int64_t i = 0; dx && i < width; i += LANES) {
            const int64_t left = width - i;
            const vec g = v_mul(load_some(up + i, left), load_some(gamma + i, left));
            const vec n = v_mul(v_sub(load_some(row + i, left), shift), scale);
            const vec back = v_fnma(n, gn_mean, v_sub(g, g_mean));
            float *to = dx + r * width + i;
            store_some(to, left, v_fma(scale, back, load_some(to, left)));
        }
    }
}

static void rms_norm(float *y, float *rstd, const float *x, const float *gamma, int64_t rows, int64_t width,
                     float epsilon) {
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        vec squares = v_zero();
        for (int64_t i = 0; i < width; i += LANES) {
            const vec a = load_some(x + i, width - i);
            squares = v_fma(a, a, squares);
        }
        const float scale = 1 / sqrtf(v_sum(squares) / (float)width + epsilon);
        for (int64_t i = 0; i < width; i += LANES) {
            const int64_t left = width - i;
            store_some(y + i, left, v_mul(v_mul(load_some(x + i, left), v_set(scale)), load_some(gamma + i, left)));
        }
        if (rstd) rstd[r] = scale;
    }
}

static void rms_norm_back(float *dx, float *dgamma, const float *dy, const float *x, const float *gamma,
                          const float *rstd, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * width, *up = dy + r * width;
        const vec scale = v_set(rstd[r]);
        vec gn_sum = v_zero();
        for (int64_t i = 0; i < width; i += LANES) {
            const int64_t left = width - i;
            const vec d = load_some(up + i, left), n = v_mul(load_some(row + i, left), scale);
            gn_sum = v_fma(v_mul(d, load_some(gamma + i, left)), n, gn_sum);
            if (dgamma) store_some(dgamma + i, left, v_fma(d, n, load_some(dgamma + i, left)));
        }
        const vec gn_mean = v_set(v_sum(gn_sum) / (float)width);
        for (int64_t i = 0; dx && i < width; i += LANES) {
            const int64_t left = width - i;
            const vec g = v_mul(load_some(up + i, left), load_some(gamma + i, left));
            const vec back = v_fnma(v_mul(load_some(row + i, left), scale), gn_mean, g);
            float *to = dx + r * width + i;
            store_some(to, left, v_fma(scale, back, load_some(to, left)));
        }
    }
}

void NAME(pct_x86_norms)(pct_kernels *kernels) {
    kernels->layer_norm = layer_norm;
    kernels->layer_norm_back = layer_norm_back;
    kernels->rms_norm = rms_norm;
    kernels->rms_norm_back = rms_norm_back;
}
