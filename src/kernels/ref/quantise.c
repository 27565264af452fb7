/* quantise.c: numbers to the block types of GGUF files.
 *
 * Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 round as llama.cpp's reference does, bit for bit. The K types share its plan, without
 * importances: each sub-block gets the scale (and floor) of least weighted squared error among a few roundings, the
 * sub-blocks' scales are themselves rounded, and the elements are rounded once more with what is left. What is not a
 * number becomes the lowest step. */
#include "kernels/kernels_private.h"

#include <math.h>
#include <string.h>

static void store_half(uint8_t *to, float value) {
    const uint16_t bits = pct_half_of_float(value);
    memcpy(to, &bits, sizeof bits);
}

static float rounded_half(float value) { return pct_float_of_half(pct_half_of_float(value)); }

/* a*b + c with two roundings: no compiler makes one of them. */
static float times_plus(float a, float b, float c) {
    const float product = (float)((double)a * (double)b);
    return (float)((double)product + (double)c);
}

/* Towards zero, within low..high; NaN gives low. */
static int cut(float x, int low, int high) { return !(x > (float)low) ? low : x >= (float)high ? high : (int)x; }

/* To the nearest, ties to even. */
static int nearest(float x, int low, int high) {
    return !(x > (float)low) ? low : x >= (float)high ? high : (int)lrintf(x);
}

static void to_real(void *y, const pct_real *x, int64_t count) { memcpy(y, x, (size_t)count * sizeof *x); }

static void to_bf16(void *y, const pct_real *x, int64_t count) {
    uint16_t *bits = y;
    for (int64_t i = 0; i < count; i++) bits[i] = pct_bf16_of_float((float)x[i]);
}

static void to_f16(void *y, const pct_real *x, int64_t count) {
    uint16_t *bits = y;
    for (int64_t i = 0; i < count; i++) bits[i] = pct_half_of_float((float)x[i]);
}

static void to_q8_0(void *y, const pct_real *x, int64_t count) {
    uint8_t *block = y;
    for (int64_t b = 0; b < count / 32; b++, block += 34, x += 32) {
        float top = 0;
        for (int j = 0; j < 32; j++) top = fmaxf(top, fabsf((float)x[j]));
        const float d = top / 127, inverse = d != 0 ? 1 / d : 0;
        store_half(block, d);
        for (int j = 0; j < 32; j++) block[2 + j] = (uint8_t)(int8_t)nearest(roundf((float)x[j] * inverse), -127, 127);
    }
}

/* 32 numbers of 4 or 5 bits: [fifth bits,] nibbles of elements j and j+16 side by side. */
static void store_32(uint8_t *to, const uint8_t *q, bool five) {
    uint32_t high = 0;
    for (int j = 0; j < 32; j++) high |= (uint32_t)(q[j] >> 4) << j;
    if (five) memcpy(to, &high, sizeof high);
    for (int j = 0; j < 16; j++) to[(five ? 4 : 0) + j] = (uint8_t)((q[j] & 15) | (q[j + 16] & 15) << 4);
}

/* Q4_0, Q5_0: the element of largest magnitude becomes the lowest step, -8 or -16 times the scale. */
static void to_signed(uint8_t *block, const pct_real *x, int64_t count, bool five) {
    const int half = five ? 16 : 8;
    uint8_t q[32];
    for (int64_t b = 0; b < count / 32; b++, block += five ? 22 : 18, x += 32) {
        float top = 0;
        for (int j = 0; j < 32; j++)
            if (fabsf((float)x[j]) > fabsf(top)) top = (float)x[j];
        const float d = top / (float)-half, inverse = d != 0 ? 1 / d : 0;
        store_half(block, d);
        for (int j = 0; j < 32; j++)
            q[j] = (uint8_t)cut(times_plus((float)x[j], inverse, (float)half + 0.5f), 0, 2 * half - 1);
        store_32(block + 2, q, five);
    }
}
static void to_q4_0(void *y, const pct_real *x, int64_t count) { to_signed(y, x, count, false); }
static void to_q5_0(void *y, const pct_real *x, int64_t count) { to_signed(y, x, count, true); }

/* Q4_1, Q5_1: from the smallest to the largest. */
static void to_floored(uint8_t *block, const pct_real *x, int64_t count, bool five) {
    const int steps = five ? 31 : 15;
    uint8_t q[32];
    for (int64_t b = 0; b < count / 32; b++, block += five ? 24 : 20, x += 32) {
        float low = (float)x[0], high = low;
        for (int j = 1; j < 32; j++) low = fminf(low, (float)x[j]), high = fmaxf(high, (float)x[j]);
        const float d = (high - low) / (float)steps, inverse = d != 0 ? 1 / d : 0;
        store_half(block, d);
        store_half(block + 2, low);
        for (int j = 0; j < 32; j++) q[j] = (uint8_t)cut(times_plus((float)x[j] - low, inverse, 0.5f), 0, steps);
        store_32(block + 4, q, five);
    }
}
static void to_q4_1(void *y, const pct_real *x, int64_t count) { to_floored(y, x, count, false); }
static void to_q5_1(void *y, const pct_real *x, int64_t count) { to_floored(y, x, count, true); }

/* ---- K types ----------------------------------------------------------------------------------------------------- */

typedef struct fit {
    float scale, floor; /* x is near scale*q - floor, floor >= 0 */
} fit;

/* Sum of weighted squared errors of rounding x with `f`. */
static float fit_error(const float *x, const float *weight, fit f, int steps) {
    const float inverse = f.scale > 0 ? 1 / f.scale : 0;
    float error = 0;
    for (int i = 0; i < 32; i++) {
        const float d = f.scale * (float)nearest((x[i] + f.floor) * inverse, 0, steps) - f.floor - x[i];
        error += weight[i] * d * d;
    }
    return error;
}

/* Rounds x as `rate` steps a unit above -floor, then solves for the scale and floor of least squares on those steps;
 * false where they are undetermined. */
static bool fit_solve(fit *f, const float *x, const float *weight, float floor, float rate, int steps) {
    double w = 0, wx = 0, wq = 0, wqq = 0, wxq = 0;
    for (int i = 0; i < 32; i++) {
        const double q = nearest((x[i] + floor) * rate, 0, steps), one = (double)weight[i];
        w += one, wx += one * (double)x[i], wq += one * q, wqq += one * q * q, wxq += one * (double)x[i] * q;
    }
    const double determinant = w * wqq - wq * wq;
    if (!(determinant > 0)) return false;
    double scale = (w * wxq - wx * wq) / determinant, below = (wq * wxq - wqq * wx) / determinant;
    if (below < 0) {
        below = 0;
        scale = wxq / wqq;
    }
    f->scale = (float)scale;
    f->floor = (float)below;
    return scale > 0;
}

/* The best of about twenty roundings; large elements weigh more. */
static fit fit_floored(const float *x, int steps) {
    float low = 0, high = x[0], weight[32], squares = 0;
    for (int i = 0; i < 32; i++) {
        low = fminf(low, x[i]), high = fmaxf(high, x[i]);
        squares += x[i] * x[i];
    }
    fit best = {0, -low};
    if (!(high > low) || !isfinite(high - low)) return best; /* nothing positive: the floor alone carries it */
    for (int i = 0; i < 32; i++) weight[i] = sqrtf(squares / 32) + fabsf(x[i]);
    best.scale = (high - low) / (float)steps;
    float least = fit_error(x, weight, best, steps);
    const int tries = steps == 15 ? 20 : 15;
    for (int t = 0; t <= tries; t++) {
        const float rate = ((float)steps - (steps == 15 ? 1.0f : 0.5f) + 0.1f * (float)t) / (high - low);
        fit other;
        if (!fit_solve(&other, x, weight, -low, rate, steps)) continue;
        const float error = fit_error(x, weight, other, steps);
        if (error < least) least = error, best = other;
    }
    return best;
}

/* The 6-bit scale and floor of sub-block j among the 12 bytes; the bytes begin as zeros. */
static void store_k_scale(uint8_t *to, int j, int scale, int floor) {
    if (j < 4) {
        to[j] |= (uint8_t)scale;
        to[j + 4] |= (uint8_t)floor;
    } else {
        to[j + 4] = (uint8_t)((scale & 15) | (floor & 15) << 4);
        to[j - 4] |= (uint8_t)(scale >> 4 << 6);
        to[j] |= (uint8_t)(floor >> 4 << 6);
    }
}

/* One superblock of Q4_K or Q5_K, as ref/quantised.c reads it. */
static void store_k45(uint8_t *block, const float *x, bool five) {
    const int steps = five ? 31 : 15;
    fit fits[8];
    float top_scale = 0, top_floor = 0;
    for (int j = 0; j < 8; j++) {
        fits[j] = fit_floored(x + 32 * j, steps);
        top_scale = fmaxf(top_scale, fits[j].scale);
        top_floor = fmaxf(top_floor, fits[j].floor);
    }
    memset(block, 0, five ? 176 : 144);
    store_half(block, top_scale / 63);
    store_half(block + 2, top_floor / 63);
    const float d = rounded_half(top_scale / 63), dmin = rounded_half(top_floor / 63);
    uint8_t *fifth = block + 16, *low = block + (five ? 48 : 16);
    for (int j = 0; j < 8; j++) {
        const int scale = top_scale > 0 ? nearest(63 / top_scale * fits[j].scale, 0, 63) : 0;
        const int floor = top_floor > 0 ? nearest(63 / top_floor * fits[j].floor, 0, 63) : 0;
        const float step = d * (float)scale, below = dmin * (float)floor;
        store_k_scale(block + 4, j, scale, floor);
        for (int l = 0; l < 32 && step != 0; l++) {
            const int q = nearest((x[32 * j + l] + below) / step, 0, steps);
            low[32 * (j / 2) + l] |= (uint8_t)((q & 15) << (j & 1 ? 4 : 0));
            if (five) fifth[l] |= (uint8_t)(q >> 4 << j);
        }
    }
}

/* The scale of least squared error, weights x^2, with steps -32..31, among 19 that put the largest element near an end;
 * its sign may be either. */
static float fit_signed(const float *x) {
    float top = 0, best = 0, gain = 0;
    for (int i = 0; i < 16; i++)
        if (fabsf(x[i]) > fabsf(top)) top = x[i];
    if (!(fabsf(top) >= 1e-15f) || !isfinite(top)) return 0;
    for (int t = 0; t < 19; t++) {
        const float rate = -(32 + (t == 0 ? 0 : 0.1f * (float)(t <= 9 ? t - 10 : t - 9))) / top;
        float xq = 0, qq = 0;
        for (int i = 0; i < 16; i++) {
            const float q = (float)nearest(rate * x[i], -32, 31), weight = x[i] * x[i];
            xq += weight * x[i] * q;
            qq += weight * q * q;
        }
        if (qq > 0 && xq * xq > gain * qq) gain = xq * xq / qq, best = xq / qq;
    }
    return best;
}

static void store_q6_k(uint8_t *block, const float *x) {
    float scales[16], top = 0;
    for (int j = 0; j < 16; j++) {
        scales[j] = fit_signed(x + 16 * j);
        if (fabsf(scales[j]) > fabsf(top)) top = scales[j];
    }
    memset(block, 0, 210);
    if (!(fabsf(top) >= 1e-15f)) return;
    const float rate = -128 / top, d = rounded_half(1 / rate);
    store_half(block + 208, 1 / rate);
    for (int j = 0; j < 16; j++) {
        const int scale = nearest(rate * scales[j], -128, 127);
        block[192 + j] = (uint8_t)(int8_t)scale;
        for (int l = 0; l < 16; l++) {
            const int i = 16 * j + l, part = i % 128 / 32, place = i % 32;
            const float step = d * (float)scale;
            const int q = (step != 0 ? nearest(x[i] / step, -32, 31) : 0) + 32;
            block[i / 128 * 64 + place + 32 * (part & 1)] |= (uint8_t)((q & 15) << (part < 2 ? 0 : 4));
            block[128 + i / 128 * 32 + place] |= (uint8_t)(q >> 4 << (2 * part));
        }
    }
}

static void to_k(uint8_t *block, const pct_real *x, int64_t count, pct_dtype type) {
    float part[256];
    for (int64_t b = 0; b < count / 256; b++, block += pct_dtype_block_bytes(type), x += 256) {
        for (int i = 0; i < 256; i++) part[i] = (float)x[i];
        if (type == PCT_Q6_K)
            store_q6_k(block, part);
        else
            store_k45(block, part, type == PCT_Q5_K);
    }
}
static void to_q4_k(void *y, const pct_real *x, int64_t count) { to_k(y, x, count, PCT_Q4_K); }
static void to_q5_k(void *y, const pct_real *x, int64_t count) { to_k(y, x, count, PCT_Q5_K); }
static void to_q6_k(void *y, const pct_real *x, int64_t count) { to_k(y, x, count, PCT_Q6_K); }

void pct_ref_quantise(pct_kernels *kernels) {
    kernels->quantise[PCT_REAL] = to_real;
    kernels->quantise[PCT_BF16] = to_bf16;
    kernels->quantise[PCT_F16] = to_f16;
    kernels->quantise[PCT_Q8_0] = to_q8_0;
    kernels->quantise[PCT_Q4_0] = to_q4_0;
    kernels->quantise[PCT_Q4_1] = to_q4_1;
    kernels->quantise[PCT_Q5_0] = to_q5_0;
    kernels->quantise[PCT_Q5_1] = to_q5_1;
    kernels->quantise[PCT_Q4_K] = to_q4_k;
    kernels->quantise[PCT_Q5_K] = to_q5_k;
    kernels->quantise[PCT_Q6_K] = to_q6_k;
}
