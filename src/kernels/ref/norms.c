/* norms.c: layer normalisation (Ba, Kiros & Hinton, 2016) and RMS normalisation (Zhang & Sennrich, 2019) in plain C. */
#include "kernels/kernels_private.h"

#include <math.h>

static void layer_norm(pct_real *y, pct_real *mean, pct_real *rstd, const pct_real *x, const pct_real *gamma,
                       const pct_real *beta, int64_t rows, int64_t width, pct_real epsilon) {
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        pct_real sum = 0, squares = 0;
        for (int64_t i = 0; i < width; i++) sum += x[i];
        const pct_real middle = sum / (pct_real)width;
        for (int64_t i = 0; i < width; i++) squares += (x[i] - middle) * (x[i] - middle);
        const pct_real scale = 1 / (pct_real)sqrt((double)(squares / (pct_real)width + epsilon));
        for (int64_t i = 0; i < width; i++) y[i] = (x[i] - middle) * scale * gamma[i] + (beta ? beta[i] : 0);
        if (mean) mean[r] = middle;
        if (rstd) rstd[r] = scale;
    }
}

/* With n = (x-mean)*rstd and g = dy*gamma: dx = rstd * (g - mean(g) - n*mean(g*n)). */
static void layer_norm_back(pct_real *dx, pct_real *dgamma, pct_real *dbeta, const pct_real *dy, const pct_real *x,
                            const pct_real *gamma, const pct_real *mean, const pct_real *rstd, int64_t rows,
                            int64_t width) {
    for (int64_t r = 0; r < rows; r++) {
        const pct_real *row = x + r * width, *up = dy + r * width;
        pct_real g_sum = 0, gn_sum = 0;
        for (int64_t i = 0; i < width; i++) {
            const pct_real n = (row[i] - mean[r]) * rstd[r], g = up[i] * gamma[i];
            g_sum += g;
            gn_sum += g * n;
            if (dgamma) dgamma[i] += up[i] * n;
            if (dbeta) dbeta[i] += up[i];
        }
        g_sum /= (pct_real)width;
        gn_sum /= (pct_real)width;
        for (int64_t i = 0; dx && i < width; i++) {
            const pct_real n = (row[i] - mean[r]) * rstd[r], g = up[i] * gamma[i];
            dx[r * width + i] += rstd[r] * (g - g_sum - n * gn_sum);
        }
    }
}

static void rms_norm(pct_real *y, pct_real *rstd, const pct_real *x, const pct_real *gamma, int64_t rows, int64_t width,
                     pct_real epsilon) {
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        pct_real squares = 0;
        for (int64_t i = 0; i < width; i++) squares += x[i] * x[i];
        const pct_real scale = 1 / (pct_real)sqrt((double)(squares / (pct_real)width + epsilon));
        for (int64_t i = 0; i < width; i++) y[i] = x[i] * scale * gamma[i];
        if (rstd) rstd[r] = scale;
    }
}

/* With n = x*rstd and g = dy*gamma: dx = rstd * (g - n*mean(g*n)). */
static void rms_norm_back(pct_real *dx, pct_real *dgamma, const pct_real *dy, const pct_real *x, const pct_real *gamma,
                          const pct_real *rstd, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; r++) {
        const pct_real *row = x + r * width, *up = dy + r * width;
        pct_real gn_sum = 0;
        for (int64_t i = 0; i < width; i++) {
            const pct_real n = row[i] * rstd[r];
            gn_sum += up[i] * gamma[i] * n;
            if (dgamma) dgamma[i] += up[i] * n;
        }
        gn_sum /= (pct_real)width;
        for (int64_t i = 0; dx && i < width; i++)
            dx[r * width + i] += rstd[r] * (up[i] * gamma[i] - row[i] * rstd[r] * gn_sum);
    }
}

void pct_ref_norms(pct_kernels *kernels) {
    kernels->layer_norm = layer_norm;
    kernels->layer_norm_back = layer_norm_back;
    kernels->rms_norm = rms_norm;
    kernels->rms_norm_back = rms_norm_back;
}
