/* int8.c: INT8 rows and their tile in plain C: what the other variants are compared with, bit for bit. */
#include "kernels/int8.h"

#include <math.h>

#define MR 4

/* NaN and infinities poison the row: their scale is NaN. Rows too small to divide by become zeros. */
static pct_real to_int8(int8_t *y, const pct_real *x, int64_t count) {
    float top = 0;
    bool good = true;
    for (int64_t i = 0; i < count; i++) {
        good = good && isfinite((float)x[i]);
        top = fmaxf(top, fabsf((float)x[i]));
    }
    if (!good || top < 1e-30f) {
        for (int64_t i = 0; i < count; i++) y[i] = 0;
        return good ? 0 : (pct_real)NAN;
    }
    const float scale = top / 127, inverse = 1 / scale;
    for (int64_t i = 0; i < count; i++) y[i] = (int8_t)lrintf((float)x[i] * inverse);
    return (pct_real)scale;
}

static int64_t above(int32_t *index, const pct_real *x, int64_t count, pct_real limit, int64_t most) {
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!(fabsf((float)x[i]) > (float)limit)) continue;
        if (found == most) return most + 1;
        index[found++] = (int32_t)i;
    }
    return found;
}

static void pack(int8_t *quads, const int8_t *rows, int64_t ld, int64_t k) {
    for (int64_t i = 0; i < k; i += PCT_INT8_DEPTH)
        for (int64_t n = 0; n < PCT_INT8_COLUMNS; n += 16)
            for (int64_t q = 0; q < PCT_INT8_DEPTH; q += 4)
                for (int64_t j = 0; j < 16; j++, quads += 4) memcpy(quads, rows + (n + j) * ld + i + q, 4);
}

/* Where b[i][j] lies among the quads. */
static int64_t place_of(int64_t i, int64_t j) {
    return i / 64 * 2048 + j / 16 * 1024 + i % 64 / 4 * 64 + j % 16 * 4 + i % 4;
}

static void multiply(int32_t *sum, int64_t rows, const int8_t *a, int64_t lda, const pct_int8_head *panel, int64_t k) {
    const int8_t *quads = pct_int8_quads(panel);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < PCT_INT8_COLUMNS; j++) {
            int32_t s = panel->start[j];
            for (int64_t i = 0; i < k; i++) s += a[r * lda + i] * quads[place_of(i, j)];
            sum[r * PCT_INT8_COLUMNS + j] = s;
        }
}

static void join(int32_t *sum, const int32_t *high, int64_t rows) {
    for (int64_t i = 0; i < rows * PCT_INT8_COLUMNS; i++) sum[i] += 128 * high[i];
}

static void finish(pct_real *c, int64_t ldc, int64_t rows, int64_t columns, const int32_t *sum,
                   const pct_real *row_scale, const pct_int8_head *panel, const pct_real *bias) {
    for (int64_t r = 0; r < rows; r++, c += ldc, sum += PCT_INT8_COLUMNS)
        for (int64_t j = 0; j < columns; j++)
            c[j] = (pct_real)sum[j] * (row_scale[r] * (pct_real)panel->scale[j]) + (bias ? bias[j] : 0);
}

const pct_int8_tile pct_ref_tile_int8 = {
    .name = "plain int8", .mr = MR, .pack = pack, .multiply = multiply, .join = join, .finish = finish};

void pct_ref_int8(pct_kernels *kernels) {
    kernels->to_int8 = to_int8;
    kernels->above = above;
}
