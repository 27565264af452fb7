/* int8.c: INT8 rows and their tile on vectors: compiled for AVX2, and for AVX-512 with VNNI.
 *
 * AVX2 multiplies unsigned by signed bytes and adds pairs in 16 bits that saturate: |a| times b with a's sign never
 * reaches that (2*127*127 < 32768). VNNI adds four at once in 32 bits, a being q+128; the panel's starts take the 128
 * times b back. */
#include "kernels/int8.h"
#include "kernels/x86/vector.h"

#ifdef __AVX512VNNI__

#define MR 12 /* 24 of 32 registers are sums */

static pct_real to_int8(int8_t *y, const float *x, int64_t count) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i top = _mm512_setzero_si512(); /* magnitudes as integers: NaN above infinity above all numbers */
    int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        top = _mm512_max_epi32(top, _mm512_and_si512(magnitude, _mm512_loadu_si512(x + i)));
    const __mmask16 rest = (__mmask16)((1u << (count - i)) - 1);
    top = _mm512_max_epi32(top, _mm512_and_si512(magnitude, _mm512_maskz_loadu_epi32(rest, x + i)));
    const int32_t bits = _mm512_reduce_max_epi32(top);
    const float largest = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(bits)));
    if (bits >= 0x7f800000 || largest < 1e-30f) {
        memset(y, 0, (size_t)count);
        return bits >= 0x7f800000 ? __builtin_nanf("") : 0;
    }
    const float scale = largest / 127;
    const __m512 inverse = _mm512_set1_ps(1 / scale);
    for (i = 0; i + 16 <= count; i += 16) {
        const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i), inverse));
        _mm_storeu_si128((__m128i *)(void *)(y + i), _mm512_cvtepi32_epi8(q));
    }
    const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(rest, x + i), inverse));
    _mm_mask_storeu_epi8(y + i, rest, _mm512_cvtepi32_epi8(q));
    return scale;
}

static int64_t above(int32_t *index, const float *x, int64_t count, float limit, int64_t most) {
    int64_t found = 0;
    for (int64_t i = 0; i < count; i += 16) {
        const __m512 size = _mm512_abs_ps(_mm512_maskz_loadu_ps(part_of(count - i), x + i));
        unsigned which = _mm512_cmp_ps_mask(size, _mm512_set1_ps(limit), _CMP_GT_OQ) & (unsigned)part_of(count - i);
        if (!which) continue;
        if (found + __builtin_popcount(which) > most) return most + 1;
        for (; which; which &= which - 1) index[found++] = (int32_t)(i + __builtin_ctz(which));
    }
    return found;
}

/* sums of `rows` rows; a constant at each place that calls it, so that they stay in registers */
static inline __attribute__((always_inline)) void rows_of(int rows, int32_t *sum, const int8_t *a, int64_t lda,
                                                          const pct_int8_head *panel, int64_t k) {
    const int8_t *quads = pct_int8_quads(panel);
    __m512i low[MR], high[MR];
    for (int r = 0; r < rows; r++) {
        low[r] = _mm512_loadu_si512(panel->start);
        high[r] = _mm512_loadu_si512(panel->start + 16);
    }
    for (int64_t i = 0; i < k; i += 64, quads += 1024)
        for (int64_t q = 0; q < 64; q += 4, quads += 64) {
            const __m512i b0 = _mm512_loadu_si512(quads), b1 = _mm512_loadu_si512(quads + 1024);
            for (int r = 0; r < rows; r++) {
                int32_t four;
                memcpy(&four, a + r * lda + i + q, 4);
                const __m512i x = _mm512_set1_epi32(four);
                low[r] = _mm512_dpbusd_epi32(low[r], x, b0);
                high[r] = _mm512_dpbusd_epi32(high[r], x, b1);
            }
        }
    for (int r = 0; r < rows; r++) {
        _mm512_storeu_si512(sum + r * PCT_INT8_COLUMNS, low[r]);
        _mm512_storeu_si512(sum + r * PCT_INT8_COLUMNS + 16, high[r]);
    }
}

static void multiply(int32_t *sum, int64_t rows, const int8_t *a, int64_t lda, const pct_int8_head *panel, int64_t k) {
    if (rows == MR) {
        rows_of(MR, sum, a, lda, panel, k);
        return;
    }
    for (; rows >= 4; rows -= 4, sum += 4 * PCT_INT8_COLUMNS, a += 4 * lda) rows_of(4, sum, a, lda, panel, k);
    for (; rows > 0; rows--, sum += PCT_INT8_COLUMNS, a += lda) rows_of(1, sum, a, lda, panel, k);
}

#else

#define MR 4 /* of 16 columns: 8 of 16 registers are sums */

static pct_real to_int8(int8_t *y, const float *x, int64_t count) {
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i top = _mm256_setzero_si256(); /* magnitudes as integers: NaN above infinity above all numbers */
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        top = _mm256_max_epi32(top,
                               _mm256_and_si256(magnitude, _mm256_loadu_si256((const __m256i *)(const void *)(x + i))));
    int32_t lanes[8], bits = 0;
    _mm256_storeu_si256((__m256i *)(void *)lanes, top);
    for (int j = 0; j < 8; j++) bits = lanes[j] > bits ? lanes[j] : bits;
    for (; i < count; i++) {
        int32_t one;
        memcpy(&one, x + i, 4);
        one &= 0x7fffffff;
        bits = one > bits ? one : bits;
    }
    const float largest = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(bits)));
    if (bits >= 0x7f800000 || largest < 1e-30f) {
        memset(y, 0, (size_t)count);
        return bits >= 0x7f800000 ? __builtin_nanf("") : 0;
    }
    const float scale = largest / 127, inverse = 1 / scale;
    for (i = 0; i + 8 <= count; i += 8) {
        const __m256i q = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(inverse)));
        const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
        _mm_storel_epi64((__m128i *)(void *)(y + i), _mm_packs_epi16(words, words));
    }
    for (; i < count; i++) y[i] = (int8_t)_mm_cvtss_si32(_mm_set_ss(x[i] * inverse));
    return scale;
}

static int64_t above(int32_t *index, const float *x, int64_t count, float limit, int64_t most) {
    int64_t found = 0;
    for (int64_t i = 0; i < count; i += 8) {
        const __m256 greater = _mm256_cmp_ps(v_abs(load_some(x + i, count - i)), _mm256_set1_ps(limit), _CMP_GT_OQ);
        unsigned which = (unsigned)_mm256_movemask_ps(greater) & (count - i >= 8 ? 255u : (1u << (count - i)) - 1);
        if (!which) continue;
        if (found + __builtin_popcount(which) > most) return most + 1;
        for (; which; which &= which - 1) index[found++] = (int32_t)(i + __builtin_ctz(which));
    }
    return found;
}

/* sums of `rows` rows and 16 of the panel's columns, those from `half` on */
static inline __attribute__((always_inline)) void rows_of(int rows, int32_t *sum, const int8_t *a, int64_t lda,
                                                          const pct_int8_head *panel, int half, int64_t k) {
    const int8_t *quads = pct_int8_quads(panel) + half * 64;
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i low[MR], high[MR];
    for (int r = 0; r < rows; r++) low[r] = high[r] = _mm256_setzero_si256();
    for (int64_t i = 0; i < k; i += 64, quads += 1024)
        for (int64_t q = 0; q < 64; q += 4, quads += 64) {
            const __m256i b0 = _mm256_loadu_si256((const __m256i *)(const void *)quads);
            const __m256i b1 = _mm256_loadu_si256((const __m256i *)(const void *)(quads + 32));
            for (int r = 0; r < rows; r++) {
                int32_t four;
                memcpy(&four, a + r * lda + i + q, 4);
                const __m256i x = _mm256_set1_epi32(four), size = _mm256_abs_epi8(x);
                const __m256i p0 = _mm256_maddubs_epi16(size, _mm256_sign_epi8(b0, x));
                const __m256i p1 = _mm256_maddubs_epi16(size, _mm256_sign_epi8(b1, x));
                low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(p0, ones));
                high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(p1, ones));
            }
        }
    for (int r = 0; r < rows; r++) {
        _mm256_storeu_si256((__m256i *)(void *)(sum + r * PCT_INT8_COLUMNS + half), low[r]);
        _mm256_storeu_si256((__m256i *)(void *)(sum + r * PCT_INT8_COLUMNS + half + 8), high[r]);
    }
}

static void multiply(int32_t *sum, int64_t rows, const int8_t *a, int64_t lda, const pct_int8_head *panel, int64_t k) {
    for (int half = 0; half < PCT_INT8_COLUMNS; half += 16) {
        if (rows == MR) {
            rows_of(MR, sum, a, lda, panel, half, k);
            continue;
        }
        for (int64_t r = 0; r < rows; r++) rows_of(1, sum + r * PCT_INT8_COLUMNS, a + r * lda, lda, panel, half, k);
    }
}

#endif

/* to[q][c] = four bytes q of row c, for 8 rows of 32 bytes; rows of the result are 64 bytes apart. */
static inline void turn_8x8(int8_t *to, const int8_t *rows, int64_t ld) {
    __m256i r[8], t[8];
    for (int c = 0; c < 8; c++) r[c] = _mm256_loadu_si256((const __m256i *)(const void *)(rows + c * ld));
    for (int c = 0; c < 8; c += 2) {
        t[c] = _mm256_unpacklo_epi32(r[c], r[c + 1]);
        t[c + 1] = _mm256_unpackhi_epi32(r[c], r[c + 1]);
    }
    for (int c = 0; c < 8; c += 4) {
        r[c] = _mm256_unpacklo_epi64(t[c], t[c + 2]);
        r[c + 1] = _mm256_unpackhi_epi64(t[c], t[c + 2]);
        r[c + 2] = _mm256_unpacklo_epi64(t[c + 1], t[c + 3]);
        r[c + 3] = _mm256_unpackhi_epi64(t[c + 1], t[c + 3]);
    }
    for (int c = 0; c < 4; c++, to += 64) {
        _mm256_storeu_si256((__m256i *)(void *)to, _mm256_permute2x128_si256(r[c], r[c + 4], 0x20));
        _mm256_storeu_si256((__m256i *)(void *)(to + 256), _mm256_permute2x128_si256(r[c], r[c + 4], 0x31));
    }
}

static void pack(int8_t *quads, const int8_t *rows, int64_t ld, int64_t k) {
    for (int64_t i = 0; i < k; i += 64)
        for (int64_t n = 0; n < PCT_INT8_COLUMNS; n += 16, quads += 1024)
            for (int64_t j = 0; j < 16; j += 8) {
                turn_8x8(quads + 4 * j, rows + (n + j) * ld + i, ld);
                turn_8x8(quads + 4 * j + 512, rows + (n + j) * ld + i + 32, ld);
            }
}

static void join(int32_t *sum, const int32_t *high, int64_t rows) {
    for (int64_t i = 0; i < rows * PCT_INT8_COLUMNS; i += LANES) {
#ifdef PCT_ISA_AVX512
        const __m512i more = _mm512_slli_epi32(_mm512_loadu_si512(high + i), 7);
        _mm512_storeu_si512(sum + i, _mm512_add_epi32(_mm512_loadu_si512(sum + i), more));
#else
        const __m256i more = _mm256_slli_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(high + i)), 7);
        __m256i *to = (__m256i *)(void *)(sum + i);
        _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), more));
#endif
    }
}

static void finish(float *c, int64_t ldc, int64_t rows, int64_t columns, const int32_t *sum, const float *row_scale,
                   const pct_int8_head *panel, const float *bias) {
    for (int64_t r = 0; r < rows; r++, c += ldc, sum += PCT_INT8_COLUMNS)
        for (int64_t j = 0; j < columns; j += LANES) {
            const part lanes = part_of(columns - j);
#ifdef PCT_ISA_AVX512
            const vec s = _mm512_cvtepi32_ps(_mm512_loadu_si512(sum + j));
#else
            const vec s = _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(const void *)(sum + j)));
#endif
            const vec scale = v_mul(v_set(row_scale[r]), v_load(panel->scale + j));
            v_store_part(c + j, lanes, v_fma(s, scale, bias ? v_load_part(bias + j, lanes) : v_zero()));
        }
}

#ifdef __AVX512VNNI__
const pct_int8_tile pct_x86_tile_int8_vnni = {
    .name = "vnni int8", .mr = MR, .flip = 0x80, .pack = pack, .multiply = multiply, .join = join, .finish = finish};
void pct_x86_int8_vnni(pct_kernels *kernels) {
    kernels->to_int8 = to_int8;
    kernels->above = above;
}
#else
const pct_int8_tile pct_x86_tile_int8_avx2 = {
    .name = "avx2 int8", .mr = MR, .pack = pack, .multiply = multiply, .join = join, .finish = finish};
void pct_x86_int8_avx2(pct_kernels *kernels) {
    kernels->to_int8 = to_int8;
    kernels->above = above;
}
#endif
