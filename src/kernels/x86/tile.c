/* tile.c: the register tile of F32 products: rows of broadcast A times two vectors of B; BF16 is widened while packing
 * (for processors that have no tiles of their own for it). */
#include "kernels/x86/vector.h"

#ifdef PCT_ISA_AVX512
#define MR 12 /* 24 of 32 registers are sums */
#else
#define MR 6 /* 12 of 16 */
#endif
#define NR (2 * LANES)

/* to[i][j] of 8 columns of B that are stored as rows. */
static inline void transpose_8x8(float *to, int64_t to_ld, const float *from, int64_t ld) {
    __m256 r[8], t[8];
    for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(from + i * ld);
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(to + i * to_ld, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * to_ld, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

/* to[k][r] = from[r][k] for `rows` x `columns` of the source. */
static void transpose(float *to, int64_t to_ld, const float *from, int64_t ld, int64_t rows, int64_t columns) {
    int64_t r = 0;
    for (; r + 8 <= rows; r += 8) {
        int64_t c = 0;
        for (; c + 8 <= columns; c += 8) transpose_8x8(to + c * to_ld + r, to_ld, from + r * ld + c, ld);
        for (; c < columns; c++)
            for (int64_t i = 0; i < 8; i++) to[c * to_ld + r + i] = from[(r + i) * ld + c];
    }
    for (; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) to[c * to_ld + r] = from[r * ld + c];
}

static void pack_real_a(void *to, const void *a, int64_t ld, bool transposed, int64_t rows, int64_t k,
                        int64_t k_padded) {
    if (transposed)
        transpose(to, k_padded, a, ld, k, rows);
    else
        for (int64_t r = 0; r < rows; r++)
            memcpy((float *)to + r * k_padded, (const float *)a + r * ld, (size_t)k * sizeof(float));
}

static void pack_real_b(void *to, const void *b, int64_t ld, bool transposed, int64_t columns, int64_t k,
                        int64_t k_padded) {
    float *panel = to;
    if (columns < NR) memset(to, 0, (size_t)(k * NR) * sizeof(float));
    if (transposed)
        transpose(panel, NR, b, ld, columns, k);
    else
        for (int64_t i = 0; i < k; i++)
            memcpy(panel + i * NR, (const float *)b + i * ld, (size_t)columns * sizeof(float));
}

/* 64 x 64 elements at a time go through a buffer in F32. */
#define PIECE 64
static void widen(float *to, const uint16_t *from, int64_t ld, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++) {
        int64_t c = 0;
        for (; c + 8 <= columns; c += 8) {
            const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(from + r * ld + c)));
            _mm256_storeu_ps(to + r * PIECE + c, _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16)));
        }
        for (; c < columns; c++) to[r * PIECE + c] = pct_float_of_bf16(from[r * ld + c]);
    }
}

static void pack_bf16_a(void *to, const void *a, int64_t ld, bool transposed, int64_t rows, int64_t k,
                        int64_t k_padded) {
    const uint16_t *from = a;
    float *out = to, buffer[PIECE * PIECE];
    for (int64_t i = 0; i < k; i += PIECE) {
        const int64_t n = pct_min_i64(PIECE, k - i);
        if (transposed) {
            widen(buffer, from + i * ld, ld, n, rows);
            transpose(out + i, k_padded, buffer, PIECE, n, rows);
        } else {
            widen(buffer, from + i, ld, rows, n);
            for (int64_t r = 0; r < rows; r++)
                memcpy(out + r * k_padded + i, buffer + r * PIECE, (size_t)n * sizeof(float));
        }
    }
}

static void pack_bf16_b(void *to, const void *b, int64_t ld, bool transposed, int64_t columns, int64_t k,
                        int64_t k_padded) {
    const uint16_t *from = b;
    float *panel = to, buffer[PIECE * PIECE];
    for (int64_t i = 0; i < k; i += PIECE) {
        const int64_t n = pct_min_i64(PIECE, k - i);
        if (transposed)
            widen(buffer, from + i, ld, columns, n);
        else
            widen(buffer, from + i * ld, ld, n, columns);
        pack_real_b(panel + i * NR, buffer, PIECE, transposed, columns, n, n);
    }
}

static inline __attribute__((always_inline)) void rows_of(int rows, float *c, int64_t ldc, int64_t columns,
                                                          const float *a, int64_t lda, const float *b, int64_t k,
                                                          bool add, const float *bias) {
    vec low[MR], high[MR];
    for (int r = 0; r < rows; r++) low[r] = high[r] = v_zero();
    for (int64_t i = 0; i < k; i++, b += NR) {
        const vec b0 = v_load(b), b1 = v_load(b + LANES);
        for (int r = 0; r < rows; r++) {
            const vec x = v_set(a[r * lda + i]);
            low[r] = v_fma(x, b0, low[r]);
            high[r] = v_fma(x, b1, high[r]);
        }
    }
    const part first = part_of(columns), second = part_of(columns - LANES);
    const vec bias0 = bias ? v_load_part(bias, first) : v_zero();
    const vec bias1 = bias ? v_load_part(bias + LANES, second) : v_zero();
    for (int r = 0; r < rows; r++, c += ldc) {
        vec x = v_add(low[r], bias0), y = v_add(high[r], bias1);
        if (add) {
            x = v_add(x, v_load_part(c, first));
            y = v_add(y, v_load_part(c + LANES, second));
        }
        v_store_part(c, first, x);
        v_store_part(c + LANES, second, y);
    }
}

static void multiply(pct_real *c, int64_t ldc, int64_t rows, int64_t columns, const void *a, int64_t lda, const void *b,
                     int64_t k, bool add, const pct_real *bias) {
    const float *from = a;
    if (rows == MR) {
        rows_of(MR, c, ldc, columns, from, lda, b, k, add, bias);
        return;
    }
    for (; rows >= 4; rows -= 4, c += 4 * ldc, from += 4 * lda) rows_of(4, c, ldc, columns, from, lda, b, k, add, bias);
    for (; rows > 0; rows--, c += ldc, from += lda) rows_of(1, c, ldc, columns, from, lda, b, k, add, bias);
}

const pct_tile NAME(pct_x86_tile_real) = {.name = "vector f32",
                                          .type = PCT_REAL,
                                          .mr = MR,
                                          .nr = NR,
                                          .kr = 1,
                                          .kc = 256,
                                          .element = 4,
                                          .a_direct = true,
                                          .pack_a = pack_real_a,
                                          .pack_b = pack_real_b,
                                          .multiply = multiply};
const pct_tile NAME(pct_x86_tile_bf16) = {.name = "vector bf16 in f32",
                                          .type = PCT_BF16,
                                          .mr = MR,
                                          .nr = NR,
                                          .kr = 1,
                                          .kc = 256,
                                          .element = 4,
                                          .a_direct = false,
                                          .pack_a = pack_bf16_a,
                                          .pack_b = pack_bf16_b,
                                          .multiply = multiply};
