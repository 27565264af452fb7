/* dequantise.c: stored rows to numbers. All products here are exact in F32 (a scale has 11 bits, a step 4 to 8), so the
 * results are plain C's to the bit, fused or not. */
#include "kernels/x86/blocks.h"

static inline vec widened(const int8_t *from) {
#ifdef PCT_ISA_AVX512
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from)));
#else
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from)));
#endif
}

/* y = scale*q + more; 16 elements from byte `at` (0 or 16) of q */
static inline void store_16(float *y, __m256i q, int at, float scale, float more) {
    const __m128i half = at ? _mm256_extracti128_si256(q, 1) : _mm256_castsi256_si128(q);
#ifdef PCT_ISA_AVX512
    const vec wide = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(half));
    v_store(y, v_fma(v_set(scale), wide, v_set(more)));
#else
    for (int i = 0; i < 2; i++) {
        const vec wide = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(i ? _mm_srli_si128(half, 8) : half));
        v_store(y + 8 * i, v_fma(v_set(scale), wide, v_set(more)));
    }
#endif
}

/* y = scale*(q - offset) */
static inline void store_signed(float *y, __m256i q, int offset, float scale) {
    const __m256i less = _mm256_sub_epi8(q, _mm256_set1_epi8((char)offset));
    store_16(y, less, 0, scale, -0.0f); /* so that zeros keep their sign */
    store_16(y + 16, less, 16, scale, -0.0f);
}

static inline void store_floored(float *y, __m256i q, float scale, float more) {
    store_16(y, q, 0, scale, more);
    store_16(y + 16, q, 16, scale, more);
}

static void row_f16(float *y, const void *x, int64_t count) {
    const uint16_t *bits = x;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(bits + i))));
    for (; i < count; i++) y[i] = pct_float_of_half(bits[i]);
}

static void row_bf16(float *y, const void *x, int64_t count) {
    const uint16_t *bits = x;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(bits + i)));
        _mm256_storeu_ps(y + i, _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16)));
    }
    for (; i < count; i++) y[i] = pct_float_of_bf16(bits[i]);
}

static void row_q8_0(float *y, const void *x, int64_t count) {
    const uint8_t *block = x;
    for (int64_t b = 0; b < count / 32; b++, block += 34, y += 32) {
        const vec scale = v_set(half_at(block));
        for (int i = 0; i < 32; i += LANES) v_store(y + i, v_mul(scale, widened((const int8_t *)block + 2 + i)));
    }
}

static void row_q4_0(float *y, const void *x, int64_t count) {
    const uint8_t *block = x;
    for (int64_t b = 0; b < count / 32; b++, block += 18, y += 32)
        store_signed(y, nibbles(block + 2), 8, half_at(block));
}

static void row_q4_1(float *y, const void *x, int64_t count) {
    const uint8_t *block = x;
    for (int64_t b = 0; b < count / 32; b++, block += 20, y += 32)
        store_floored(y, nibbles(block + 4), half_at(block), half_at(block + 2));
}

static void row_q5_0(float *y, const void *x, int64_t count) {
    const uint8_t *block = x;
    for (int64_t b = 0; b < count / 32; b++, block += 22, y += 32)
        store_signed(y, _mm256_or_si256(nibbles(block + 6), fifths(block + 2)), 16, half_at(block));
}

static void row_q5_1(float *y, const void *x, int64_t count) {
    const uint8_t *block = x;
    for (int64_t b = 0; b < count / 32; b++, block += 24, y += 32)
        store_floored(y, _mm256_or_si256(nibbles(block + 8), fifths(block + 4)), half_at(block), half_at(block + 2));
}

static inline __attribute__((always_inline)) void row_k45(float *y, const uint8_t *block, int64_t count, bool five) {
    for (int64_t b = 0; b < count / 256; b++, block += five ? 176 : 144) {
        const float d = half_at(block), dmin = half_at(block + 2);
        uint8_t scale[8], minimum[8];
        k_scales(scale, minimum, block + 4);
        for (int j = 0; j < 8; j++, y += 32)
            store_floored(y, k45_at(block, j, five), d * (float)scale[j], -(dmin * (float)minimum[j]));
    }
}
static void row_q4_k(float *y, const void *x, int64_t count) { row_k45(y, x, count, false); }
static void row_q5_k(float *y, const void *x, int64_t count) { row_k45(y, x, count, true); }

static void row_q6_k(float *y, const void *x, int64_t count) {
    const uint8_t *block = x;
    for (int64_t b = 0; b < count / 256; b++, block += 210) {
        const float d = half_at(block + 208);
        for (int j = 0; j < 8; j++, y += 32) {
            const int8_t *scale = (const int8_t *)block + 192 + 2 * j;
            const __m256i q = q6_k_at(block + 64 * (j / 4), block + 128 + 32 * (j / 4), j % 4);
            store_16(y, q, 0, d * (float)scale[0], -0.0f);
            store_16(y + 16, q, 16, d * (float)scale[1], -0.0f);
        }
    }
}

void NAME(pct_x86_dequantise)(pct_kernels *kernels) {
    kernels->dequantise[PCT_F16] = row_f16;
    kernels->dequantise[PCT_BF16] = row_bf16;
    kernels->dequantise[PCT_Q8_0] = row_q8_0;
    kernels->dequantise[PCT_Q4_0] = row_q4_0;
    kernels->dequantise[PCT_Q4_1] = row_q4_1;
    kernels->dequantise[PCT_Q5_0] = row_q5_0;
    kernels->dequantise[PCT_Q5_1] = row_q5_1;
    kernels->dequantise[PCT_Q4_K] = row_q4_k;
    kernels->dequantise[PCT_Q5_K] = row_q5_k;
    kernels->dequantise[PCT_Q6_K] = row_q6_k;
}
