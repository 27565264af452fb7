/* matvec.c: products of stored rows with one vector, as fast as the rows come from memory.
 *
 * Compiled for AVX2 and for AVX-512 (matvec_vnni.c lays better ones over it). Integer blocks: |w| (unsigned) times x
 * with w's sign, 32 at a time; |w| <= 128 and |x| <= 127, so pairs of products fit 16 bits and nothing saturates. */
#include "kernels/x86/blocks.h"

/* Four neighbouring products summed in each of 8 lanes. */
static inline __m256i products(__m256i w, __m256i x) {
    const __m256i size = _mm256_sign_epi8(w, w), turned = _mm256_sign_epi8(x, w);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(size, turned), _mm256_set1_epi16(1));
}

static inline float sum_8(__m256 a) {
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}

static inline __m256 add_block(__m256 sum, float scale, __m256i w, const pct_input_q8 *x) {
    const __m256 product = _mm256_cvtepi32_ps(products(w, load_32(x->q)));
    return _mm256_fmadd_ps(_mm256_set1_ps(scale * x->scale), product, sum);
}

#define AHEAD 2048 /* bytes that come from the third cache while earlier ones are multiplied */

static void matvec_q8_0(float *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0,
                        int64_t r1) {
    const pct_input_q8 *vector = x;
    const int64_t blocks = columns / 32;
    for (int64_t r = r0; r < r1; r++) {
        const uint8_t *block = (const uint8_t *)w + (size_t)r * row_bytes;
        __m256 even = _mm256_setzero_ps(), odd = even;
        int64_t b = 0;
        for (; b + 2 <= blocks; b += 2, block += 68) {
            _mm_prefetch((const char *)block + AHEAD, _MM_HINT_T0);
            even = add_block(even, half_at(block), load_32(block + 2), vector + b);
            odd = add_block(odd, half_at(block + 34), load_32(block + 36), vector + b + 1);
        }
        if (b < blocks) even = add_block(even, half_at(block), load_32(block + 2), vector + b);
        out[r] = sum_8(_mm256_add_ps(even, odd));
    }
}

static void matvec_q4_0(float *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0,
                        int64_t r1) {
    const pct_input_q8 *vector = x;
    for (int64_t r = r0; r < r1; r++) {
        const uint8_t *block = (const uint8_t *)w + (size_t)r * row_bytes;
        __m256 sum = _mm256_setzero_ps();
        for (int64_t b = 0; b < columns / 32; b++, block += 18)
            sum = add_block(sum, half_at(block), _mm256_sub_epi8(nibbles(block + 2), _mm256_set1_epi8(8)), vector + b);
        out[r] = sum_8(sum);
    }
}

static void matvec_q4_1(float *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0,
                        int64_t r1) {
    const pct_input_q8 *vector = x;
    for (int64_t r = r0; r < r1; r++) {
        const uint8_t *block = (const uint8_t *)w + (size_t)r * row_bytes;
        __m256 sum = _mm256_setzero_ps();
        float minima = 0;
        for (int64_t b = 0; b < columns / 32; b++, block += 20) {
            sum = add_block(sum, half_at(block), nibbles(block + 4), vector + b);
            minima += half_at(block + 2) * vector[b].scale * (float)vector[b].sum;
        }
        out[r] = sum_8(sum) + minima;
    }
}

static void matvec_q5_0(float *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0,
                        int64_t r1) {
    const pct_input_q8 *vector = x;
    for (int64_t r = r0; r < r1; r++) {
        const uint8_t *block = (const uint8_t *)w + (size_t)r * row_bytes;
        __m256 sum = _mm256_setzero_ps();
        for (int64_t b = 0; b < columns / 32; b++, block += 22) {
            const __m256i q = _mm256_or_si256(nibbles(block + 6), fifths(block + 2));
            sum = add_block(sum, half_at(block), _mm256_sub_epi8(q, _mm256_set1_epi8(16)), vector + b);
        }
        out[r] = sum_8(sum);
    }
}

static void matvec_q5_1(float *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0,
                        int64_t r1) {
    const pct_input_q8 *vector = x;
    for (int64_t r = r0; r < r1; r++) {
        const uint8_t *block = (const uint8_t *)w + (size_t)r * row_bytes;
        __m256 sum = _mm256_setzero_ps();
        float minima = 0;
        for (int64_t b = 0; b < columns / 32; b++, block += 24) {
            sum = add_block(sum, half_at(block), _mm256_or_si256(nibbles(block + 8), fifths(block + 4)), vector + b);
            minima += half_at(block + 2) * vector[b].scale * (float)vector[b].sum;
        }
        out[r] = sum_8(sum) + minima;
    }
}

static inline __attribute__((always_inline)) void matvec_k45(float *out, const void *w, size_t row_bytes, const void *x,
                                                             int64_t columns, int64_t r0, int64_t r1, bool five) {
    for (int64_t r = r0; r < r1; r++) {
        const pct_input_q8 *vector = x;
        const uint8_t *block = (const uint8_t *)w + (size_t)r * row_bytes;
        __m256 sum = _mm256_setzero_ps();
        float minima = 0;
        for (int64_t b = 0; b < columns / 256; b++, block += five ? 176 : 144, vector += 8) {
            const float d = half_at(block), dmin = half_at(block + 2);
            uint8_t scale[8], minimum[8];
            float below = 0;
            k_scales(scale, minimum, block + 4);
            _mm_prefetch((const char *)block + AHEAD, _MM_HINT_T0);
            _mm_prefetch((const char *)block + AHEAD + 64, _MM_HINT_T0);
            for (int j = 0; j < 8; j++) {
                sum = add_block(sum, d * (float)scale[j], k45_at(block, j, five), vector + j);
                below += (float)minimum[j] * vector[j].scale * (float)vector[j].sum;
            }
            minima += dmin * below;
        }
        out[r] = sum_8(sum) - minima;
    }
}
static void matvec_q4_k(float *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0,
                        int64_t r1) {
    matvec_k45(out, w, row_bytes, x, columns, r0, r1, false);
}
static void matvec_q5_k(float *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0,
                        int64_t r1) {
    matvec_k45(out, w, row_bytes, x, columns, r0, r1, true);
}

static void matvec_q6_k(float *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0,
                        int64_t r1) {
    for (int64_t r = r0; r < r1; r++) {
        const pct_input_q8 *vector = x;
        const uint8_t *block = (const uint8_t *)w + (size_t)r * row_bytes;
        __m256 sum = _mm256_setzero_ps();
        for (int64_t b = 0; b < columns / 256; b++, block += 210) {
            const float d = half_at(block + 208);
            for (int h = 0; h < 2; h++)
                for (int quarter = 0; quarter < 4; quarter++, vector++) {
                    const int8_t *scale = (const int8_t *)block + 192 + 8 * h + 2 * quarter; /* of 16 elements each */
                    const __m128 first = _mm_set1_ps(d * vector->scale * (float)scale[0]),
                                 second = _mm_set1_ps(d * vector->scale * (float)scale[1]);
                    const __m256i q = q6_k_at(block + 64 * h, block + 128 + 32 * h, quarter);
                    sum = _mm256_fmadd_ps(_mm256_set_m128(second, first),
                                          _mm256_cvtepi32_ps(products(q, load_32(vector->q))), sum);
                }
        }
        out[r] = sum_8(sum);
    }
}

/* The same roundings as the plain form, element for element. */
static void input_q8(void *y, const float *x, int64_t count) {
    pct_input_q8 *block = y;
    for (int64_t b = 0; b < count / 32; b++, block++, x += 32) {
        const __m256i magnitude =
            _mm256_set1_epi32(0x7fffffff); /* as integers NaN is above infinity above all numbers */
        __m256i tops = _mm256_setzero_si256();
        for (int i = 0; i < 32; i += 8)
            tops = _mm256_max_epi32(tops, _mm256_and_si256(magnitude, load_32((const uint8_t *)(x + i))));
        __m128i half = _mm_max_epi32(_mm256_castsi256_si128(tops), _mm256_extracti128_si256(tops, 1));
        half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
        half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
        const float top = _mm_cvtss_f32(_mm_castsi128_ps(half));
        const bool good = _mm_cvtsi128_si32(half) < 0x7f800000;
        const float scale = !(top < 1e-30f) ? top / 127 : 0, inverse = good && scale > 0 ? 1 / scale : 0;
        const __m256 kept = _mm256_castsi256_ps(_mm256_set1_epi32(inverse > 0 ? -1 : 0));
        __m256i q[4], sum = _mm256_setzero_si256();
        for (int i = 0; i < 4; i++) {
            q[i] = _mm256_cvtps_epi32(
                _mm256_and_ps(kept, _mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), _mm256_set1_ps(inverse))));
            sum = _mm256_add_epi32(sum, q[i]);
        }
        const __m256i words0 = _mm256_packs_epi32(q[0], q[1]), words1 = _mm256_packs_epi32(q[2], q[3]);
        const __m256i bytes =
            _mm256_permutevar8x32_epi32(_mm256_packs_epi16(words0, words1), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        _mm256_storeu_si256((__m256i *)(void *)block->q, bytes);
        __m128i total = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        total = _mm_add_epi32(total, _mm_shuffle_epi32(total, 0x4e));
        total = _mm_add_epi32(total, _mm_shuffle_epi32(total, 0xb1));
        block->scale = good ? scale : __builtin_nanf("");
        block->sum = _mm_cvtsi128_si32(total);
    }
}

static inline __m256 widen_bf16(const uint16_t *from) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
static inline __m256 widen_f16(const uint16_t *from) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from)); }
static inline __m256 widen_f32(const float *from) { return _mm256_loadu_ps(from); }

#define MATVEC(name, type, widen, one)                                                                                 \
    static void matvec_##name(float *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0, \
                              int64_t r1) {                                                                            \
        const float *vector = x;                                                                                       \
        for (int64_t r = r0; r < r1; r++) {                                                                            \
            const type *row = (const type *)(const void *)((const uint8_t *)w + (size_t)r * row_bytes);                \
            __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;                                                \
            int64_t k = 0;                                                                                             \
            for (; k + 32 <= columns; k += 32) {                                                                       \
                s0 = _mm256_fmadd_ps(widen(row + k), _mm256_loadu_ps(vector + k), s0);                                 \
                s1 = _mm256_fmadd_ps(widen(row + k + 8), _mm256_loadu_ps(vector + k + 8), s1);                         \
                s2 = _mm256_fmadd_ps(widen(row + k + 16), _mm256_loadu_ps(vector + k + 16), s2);                       \
                s3 = _mm256_fmadd_ps(widen(row + k + 24), _mm256_loadu_ps(vector + k + 24), s3);                       \
            }                                                                                                          \
            float sum = sum_8(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));                            \
            for (; k < columns; k++) sum += one(row[k]) * vector[k];                                                   \
            out[r] = sum;                                                                                              \
        }                                                                                                              \
    }
MATVEC(f32, float, widen_f32, )
MATVEC(bf16, uint16_t, widen_bf16, pct_float_of_bf16)
MATVEC(f16, uint16_t, widen_f16, pct_float_of_half)

void NAME(pct_x86_matvec)(pct_kernels *kernels) {
    for (int t = PCT_Q8_0; t <= PCT_Q6_K; t++) kernels->matvec_input[t] = input_q8;
    kernels->matvec[PCT_Q8_0] = matvec_q8_0;
    kernels->matvec[PCT_Q4_0] = matvec_q4_0;
    kernels->matvec[PCT_Q4_1] = matvec_q4_1;
    kernels->matvec[PCT_Q5_0] = matvec_q5_0;
    kernels->matvec[PCT_Q5_1] = matvec_q5_1;
    kernels->matvec[PCT_Q4_K] = matvec_q4_k;
    kernels->matvec[PCT_Q5_K] = matvec_q5_k;
    kernels->matvec[PCT_Q6_K] = matvec_q6_k;
    kernels->matvec[PCT_REAL] = matvec_f32;
    kernels->matvec[PCT_BF16] = matvec_bf16;
    kernels->matvec[PCT_F16] = matvec_f16;
}
