/* quantised.c: the block types of GGUF files, exactly as llama.cpp lays them out: to numbers, and the products of
 * stored rows with one vector; quantise.c is the other way. Little-endian machines only, like the format itself. */
#include "kernels/kernels_private.h"

#include <math.h>
#include <string.h>

static float half_at(const uint8_t *bytes) {
    uint16_t bits;
    memcpy(&bits, bytes, sizeof bits);
    return pct_float_of_half(bits);
}

static void real_row(pct_real *y, const void *x, int64_t count) { memcpy(y, x, (size_t)count * sizeof *y); }

static void bf16_row(pct_real *y, const void *x, int64_t count) {
    const uint16_t *bits = x;
    for (int64_t i = 0; i < count; i++) y[i] = (pct_real)pct_float_of_bf16(bits[i]);
}

static void f16_row(pct_real *y, const void *x, int64_t count) {
    const uint16_t *bits = x;
    for (int64_t i = 0; i < count; i++) y[i] = (pct_real)pct_float_of_half(bits[i]);
}

static void i32_row(pct_real *y, const void *x, int64_t count) {
    const int32_t *values = x;
    for (int64_t i = 0; i < count; i++) y[i] = (pct_real)values[i];
}

static void u8_row(pct_real *y, const void *x, int64_t count) {
    const uint8_t *values = x;
    for (int64_t i = 0; i < count; i++) y[i] = (pct_real)values[i];
}

static void i8_row(pct_real *y, const void *x, int64_t count) {
    const int8_t *values = x;
    for (int64_t i = 0; i < count; i++) y[i] = (pct_real)values[i];
}

/* F16 scale, int8[32] */
static void q8_0_row(pct_real *y, const void *x, int64_t count) {
    const uint8_t *block = x;
    for (int64_t b = 0; b < count / 32; b++, block += 34, y += 32) {
        const float d = half_at(block);
        for (int j = 0; j < 32; j++) y[j] = (pct_real)(d * (float)(int8_t)block[2 + j]);
    }
}

/* F16 scale, 16 bytes: low nibbles are elements 0..15, high ones 16..31; value = (q-8)*scale */
static void q4_0_row(pct_real *y, const void *x, int64_t count) {
    const uint8_t *block = x;
    for (int64_t b = 0; b < count / 32; b++, block += 18, y += 32) {
        const float d = half_at(block);
        for (int j = 0; j < 16; j++) {
            y[j] = (pct_real)((float)((block[2 + j] & 15) - 8) * d);
            y[j + 16] = (pct_real)((float)((block[2 + j] >> 4) - 8) * d);
        }
    }
}

/* F16 scale, F16 minimum, 16 bytes of nibbles; value = q*scale + minimum */
static void q4_1_row(pct_real *y, const void *x, int64_t count) {
    const uint8_t *block = x;
    for (int64_t b = 0; b < count / 32; b++, block += 20, y += 32) {
        const float d = half_at(block), m = half_at(block + 2);
        for (int j = 0; j < 16; j++) {
            y[j] = (pct_real)((float)(block[4 + j] & 15) * d + m);
            y[j + 16] = (pct_real)((float)(block[4 + j] >> 4) * d + m);
        }
    }
}

/* As Q4_0 and Q4_1 with the fifth bits of the 32 elements in a 32-bit word before the nibbles. */
static void q5_row(pct_real *y, const uint8_t *block, int64_t count, bool with_minimum) {
    const int head = with_minimum ? 4 : 2, size = head + 4 + 16;
    for (int64_t b = 0; b < count / 32; b++, block += size, y += 32) {
        const float d = half_at(block), m = with_minimum ? half_at(block + 2) : 0;
        uint32_t high;
        memcpy(&high, block + head, sizeof high);
        for (int j = 0; j < 16; j++) {
            const int low = (block[head + 4 + j] & 15) | (int)((high >> j & 1) << 4);
            const int top = (block[head + 4 + j] >> 4) | (int)((high >> (j + 16) & 1) << 4);
            y[j] = (pct_real)(with_minimum ? (float)low * d + m : (float)(low - 16) * d);
            y[j + 16] = (pct_real)(with_minimum ? (float)top * d + m : (float)(top - 16) * d);
        }
    }
}
static void q5_0_row(pct_real *y, const void *x, int64_t count) { q5_row(y, x, count, false); }
static void q5_1_row(pct_real *y, const void *x, int64_t count) { q5_row(y, x, count, true); }

/* The 6-bit scale and minimum of sub-block j (0..7) in the 12 bytes of Q4_K and Q5_K. */
static void k_scale(const uint8_t *q, int j, int *scale, int *minimum) {
    if (j < 4) {
        *scale = q[j] & 63;
        *minimum = q[j + 4] & 63;
    } else {
        *scale = (q[j + 4] & 15) | (q[j - 4] >> 6) << 4;
        *minimum = (q[j + 4] >> 4) | (q[j] >> 6) << 4;
    }
}

/* F16 scale, F16 minimum, 12 bytes of scales, [32 bytes of fifth bits,] 128 bytes of nibbles, for 256 elements */
static void k45_row(pct_real *y, const uint8_t *block, int64_t count, bool five) {
    const size_t size = five ? 176 : 144;
    for (int64_t b = 0; b < count / 256; b++, block += size) {
        const float d = half_at(block), dmin = half_at(block + 2);
        const uint8_t *scales = block + 4, *high = block + 16, *low = block + (five ? 48 : 16);
        for (int j = 0; j < 8; j++, y += 32) {
            int scale, minimum;
            k_scale(scales, j, &scale, &minimum);
            const float step = d * (float)scale, floor = dmin * (float)minimum;
            for (int l = 0; l < 32; l++) {
                int q = j & 1 ? low[l] >> 4 : low[l] & 15;
                if (five) q += (high[l] >> j & 1) << 4;
                y[l] = (pct_real)(step * (float)q - floor);
            }
            if (j & 1) low += 32;
        }
    }
}
static void q4_k_row(pct_real *y, const void *x, int64_t count) { k45_row(y, x, count, false); }
static void q5_k_row(pct_real *y, const void *x, int64_t count) { k45_row(y, x, count, true); }

/* 128 bytes of low nibbles, 64 of high bit pairs, int8 scales[16], F16 scale, for 256 elements */
static void q6_k_row(pct_real *y, const void *x, int64_t count) {
    const uint8_t *block = x;
    for (int64_t b = 0; b < count / 256; b++, block += 210) {
        const float d = half_at(block + 208);
        for (int half = 0; half < 2; half++, y += 128) {
            const uint8_t *low = block + 64 * half, *high = block + 128 + 32 * half;
            const int8_t *scales = (const int8_t *)block + 192 + 8 * half;
            for (int part = 0; part < 4; part++)
                for (int l = 0; l < 32; l++) {
                    const int nibble = part < 2 ? low[l + 32 * part] & 15 : low[l + 32 * (part - 2)] >> 4;
                    const int q = (nibble | (high[l] >> (2 * part) & 3) << 4) - 32;
                    y[32 * part + l] = (pct_real)(d * (float)scales[2 * part + l / 16] * (float)q);
                }
        }
    }
}

/* The vector as it is. */
static void input_real(void *y, const pct_real *x, int64_t count) { memcpy(y, x, (size_t)count * sizeof *x); }

/* A vector as blocks of 32 int8 with an F32 scale: the partner of stored blocks. An infinity or NaN makes its block's
 * scale NaN. */
static void input_q8(void *y, const pct_real *x, int64_t count) {
    pct_input_q8 *block = y;
    for (int64_t b = 0; b < count / 32; b++, block++, x += 32) {
        float top = 0;
        bool good = true;
        block->sum = 0;
        for (int j = 0; j < 32; j++) {
            good = good && isfinite((float)x[j]);
            top = fmaxf(top, fabsf((float)x[j]));
        }
        const float d = top >= 1e-30f ? top / 127 : 0, inverse = good && d > 0 ? 1 / d : 0;
        for (int j = 0; j < 32; j++) {
            block->q[j] = inverse > 0 ? (int8_t)lrintf((float)x[j] * inverse) : 0;
            block->sum += block->q[j];
        }
        block->scale = good ? d : NAN;
    }
}

/* The general product: a row is turned into numbers 256 at a time; the vector is numbers for plain types, blocks for
 * block types. */
static void matvec_by_row(pct_dequantise *row_of, pct_dtype type, pct_real *out, const void *w, size_t row_bytes,
                          const void *x, int64_t columns, int64_t r0, int64_t r1) {
    const bool blocks = pct_dtype_block(type) > 1;
    const size_t step = 256 / (size_t)pct_dtype_block(type) * pct_dtype_block_bytes(type);
    pct_real part[256];
    for (int64_t r = r0; r < r1; r++) {
        const uint8_t *row = (const uint8_t *)w + (size_t)r * row_bytes;
        pct_real sum = 0;
        for (int64_t k = 0; k < columns; k += 256, row += step) {
            const int64_t n = columns - k < 256 ? columns - k : 256;
            row_of(part, row, n);
            for (int64_t i = 0; i < n; i++) {
                const pct_input_q8 *block = (const pct_input_q8 *)x + (k + i) / 32;
                sum += part[i] *
                       (blocks ? (pct_real)(block->scale * (float)block->q[i % 32]) : ((const pct_real *)x)[k + i]);
            }
        }
        out[r] = sum;
    }
}

#define MATVEC(name, type)                                                                                             \
    static void matvec_##name(pct_real *out, const void *w, size_t row_bytes, const void *x, int64_t columns,          \
                              int64_t r0, int64_t r1) {                                                                \
        matvec_by_row(name##_row, type, out, w, row_bytes, x, columns, r0, r1);                                        \
    }
MATVEC(real, PCT_REAL)
MATVEC(bf16, PCT_BF16)
MATVEC(f16, PCT_F16)
MATVEC(q5_0, PCT_Q5_0)
MATVEC(q5_1, PCT_Q5_1)
MATVEC(q4_k, PCT_Q4_K)
MATVEC(q5_k, PCT_Q5_K)
MATVEC(q6_k, PCT_Q6_K)

static void matvec_q8_0(pct_real *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0,
                        int64_t r1) {
    const pct_input_q8 *vector = x;
    for (int64_t r = r0; r < r1; r++) {
        const uint8_t *block = (const uint8_t *)w + (size_t)r * row_bytes;
        float sum = 0;
        for (int64_t b = 0; b < columns / 32; b++, block += 34) {
            int32_t product = 0;
            for (int j = 0; j < 32; j++) product += (int8_t)block[2 + j] * vector[b].q[j];
            sum += half_at(block) * vector[b].scale * (float)product;
        }
        out[r] = (pct_real)sum;
    }
}

static void matvec_q4(pct_real *out, const void *w, size_t row_bytes, const pct_input_q8 *vector, int64_t columns,
                      int64_t r0, int64_t r1, bool with_minimum) {
    const int head = with_minimum ? 4 : 2;
    for (int64_t r = r0; r < r1; r++) {
        const uint8_t *block = (const uint8_t *)w + (size_t)r * row_bytes;
        float sum = 0;
        for (int64_t b = 0; b < columns / 32; b++, block += head + 16) {
            int32_t product = 0;
            for (int j = 0; j < 16; j++)
                product += (block[head + j] & 15) * vector[b].q[j] + (block[head + j] >> 4) * vector[b].q[j + 16];
            if (with_minimum)
                sum += vector[b].scale * (half_at(block) * (float)product + half_at(block + 2) * (float)vector[b].sum);
            else
                sum += vector[b].scale * half_at(block) * (float)(product - 8 * vector[b].sum);
        }
        out[r] = (pct_real)sum;
    }
}
static void matvec_q4_0(pct_real *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0,
                        int64_t r1) {
    matvec_q4(out, w, row_bytes, x, columns, r0, r1, false);
}
static void matvec_q4_1(pct_real *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0,
                        int64_t r1) {
    matvec_q4(out, w, row_bytes, x, columns, r0, r1, true);
}

void pct_ref_quantised(pct_kernels *kernels) {
    static pct_dequantise *const rows[PCT_DTYPE_COUNT] = {
        [PCT_REAL] = real_row, [PCT_BF16] = bf16_row, [PCT_F16] = f16_row,   [PCT_I32] = i32_row,
        [PCT_U8] = u8_row,     [PCT_Q8_0] = q8_0_row, [PCT_Q4_0] = q4_0_row, [PCT_Q4_1] = q4_1_row,
        [PCT_Q5_0] = q5_0_row, [PCT_Q5_1] = q5_1_row, [PCT_Q4_K] = q4_k_row, [PCT_Q5_K] = q5_k_row,
        [PCT_Q6_K] = q6_k_row, [PCT_I8] = i8_row};
    for (int t = 0; t < PCT_DTYPE_COUNT; t++) {
        kernels->dequantise[t] = rows[t];
        kernels->matvec_input[t] = pct_dtype_block((pct_dtype)t) > 1 ? input_q8 : input_real;
        kernels->matvec[t] = NULL;
    }
    kernels->matvec[PCT_REAL] = matvec_real;
    kernels->matvec[PCT_BF16] = matvec_bf16;
    kernels->matvec[PCT_F16] = matvec_f16;
    kernels->matvec[PCT_Q8_0] = matvec_q8_0;
    kernels->matvec[PCT_Q4_0] = matvec_q4_0;
    kernels->matvec[PCT_Q4_1] = matvec_q4_1;
    kernels->matvec[PCT_Q5_0] = matvec_q5_0;
    kernels->matvec[PCT_Q5_1] = matvec_q5_1;
    kernels->matvec[PCT_Q4_K] = matvec_q4_k;
    kernels->matvec[PCT_Q5_K] = matvec_q5_k;
    kernels->matvec[PCT_Q6_K] = matvec_q6_k;
}
