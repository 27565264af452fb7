/* amx_tile.c: the register tile of BF16 products on AMX: 32 x 32 of C in four tiles, 32 of k a step.
 *
 * A panel of B is a run of blocks of 32 k x 32 columns, each two tiles of pairs one after the other. */
#include "kernels/x86/amx.h"
#include "kernels/x86/x86.h"

static void pack_a(void *to, const void *a, int64_t ld, bool transposed, int64_t rows, int64_t k, int64_t k_padded) {
    uint16_t *out = to;
    const uint16_t *from = a;
    __m512i r[16];
    if (!transposed) {
        for (int64_t i = 0; i < rows; i++, out += k_padded, from += ld) {
            memcpy(out, from, (size_t)k * 2);
            memset(out + k, 0, (size_t)(k_padded - k) * 2);
        }
        return;
    }
    for (int64_t m = 0; m < rows; m += 16)
        for (int64_t i = 0; i < k_padded; i += 32) {
            pct_load_pairs(r, from + i * ld + m, ld, k - i, rows - m);
            pct_transpose_16x16(r);
            for (int j = 0; j < 16 && j < rows - m; j++) _mm512_storeu_si512(out + (m + j) * k_padded + i, r[j]);
        }
}

static void pack_b(void *to, const void *b, int64_t ld, bool transposed, int64_t columns, int64_t k, int64_t k_padded) {
    uint16_t *out = to;
    const uint16_t *from = b;
    __m512i r[16];
    for (int64_t i = 0; i < k_padded; i += 32)
        for (int64_t n = 0; n < 32; n += 16, out += 512) {
            if (transposed) {
                pct_load_rows(r, from + n * ld + i, ld, columns - n, k - i);
                pct_transpose_16x16(r);
            } else {
                pct_load_pairs(r, from + i * ld + n, ld, k - i, columns - n);
            }
            for (int j = 0; j < 16; j++) _mm512_storeu_si512(out + 32 * j, r[j]);
        }
}

/* The two tiles of 16 x 16 in `sum` (rows of 32) onto C. */
static void finish(float *c, int64_t ldc, int64_t rows, int64_t columns, const float *sum, bool add,
                   const float *bias) {
    const __mmask16 low = pct_mask16(columns), high = pct_mask16(columns - 16);
    __m512 bias_low = _mm512_setzero_ps(), bias_high = bias_low;
    if (bias) {
        bias_low = _mm512_maskz_loadu_ps(low, bias);
        bias_high = _mm512_maskz_loadu_ps(high, bias + 16);
    }
    for (int64_t r = 0; r < rows; r++, c += ldc, sum += 32) {
        __m512 x = _mm512_add_ps(_mm512_load_ps(sum), bias_low), y = _mm512_add_ps(_mm512_load_ps(sum + 16), bias_high);
        if (add) {
            x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(low, c));
            y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(high, c + 16));
        }
        _mm512_mask_storeu_ps(c, low, x);
        _mm512_mask_storeu_ps(c + 16, high, y);
    }
}

#define KC 512 /* most of k at a time */

/* At most 16 rows: one tile of A. */
static void multiply_16(float *c, int64_t ldc, int64_t rows, int64_t columns, const uint16_t *a, int64_t lda,
                        const uint16_t *b, int64_t k, bool add, const float *bias) {
    _Alignas(64) float sum[16 * 32];
    _Alignas(64) uint16_t whole[16 * KC]; /* a tile of fewer rows would be another configuration: 200 cycles each way */
    if (rows < 16) {
        for (int64_t r = 0; r < rows; r++) memcpy(whole + r * k, a + r * lda, (size_t)k * 2);
        a = whole;
        lda = k; /* the other rows are whatever there was: they stay in their own rows of the sums */
    }
    _tile_zero(0);
    _tile_zero(1);
    for (int64_t i = 0; i < k; i += 32, b += 1024) {
        _tile_loadd(4, a + i, lda * 2);
        _tile_loadd(6, b, 64);
        _tile_loadd(7, b + 512, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
    }
    _tile_stored(0, sum, 128);
    _tile_stored(1, sum + 16, 128);
    finish(c, ldc, rows, columns, sum, add, bias);
}

static void multiply(pct_real *c, int64_t ldc, int64_t rows, int64_t columns, const void *a, int64_t lda, const void *b,
                     int64_t k, bool add, const pct_real *bias) {
    const uint16_t *from = a, *panel = b;
    if (rows < 32) {
        multiply_16(c, ldc, pct_min_i64(rows, 16), columns, from, lda, panel, k, add, bias);
        if (rows > 16) multiply_16(c + 16 * ldc, ldc, rows - 16, columns, from + 16 * lda, lda, panel, k, add, bias);
        return;
    }
    const uint16_t *below = from + 16 * lda;
    const bool whole = columns == 32 && !(add && bias);
    if (whole && (add || bias)) { /* a bias is 16 equal rows: stride 0 */
        const float *start = add ? c : bias;
        const int64_t stride = add ? ldc * 4 : 0, down = add ? 16 * ldc : 0;
        _tile_loadd(0, start, stride);
        _tile_loadd(1, start + 16, stride);
        _tile_loadd(2, start + down, stride);
        _tile_loadd(3, start + down + 16, stride);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t i = 0; i < k; i += 32, panel += 1024) {
        /* All loads first: with the core's other thread busy, loads between products are a sixth slower. */
        _tile_loadd(6, panel, 64);
        _tile_loadd(4, from + i, lda * 2);
        _tile_loadd(7, panel + 512, 64);
        _tile_loadd(5, below + i, lda * 2);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    if (whole) {
        _tile_stored(0, c, ldc * 4);
        _tile_stored(1, c + 16, ldc * 4);
        _tile_stored(2, c + 16 * ldc, ldc * 4);
        _tile_stored(3, c + 16 * ldc + 16, ldc * 4);
        return;
    }
    _Alignas(64) float sum[32 * 32];
    _tile_stored(0, sum, 128);
    _tile_stored(1, sum + 16, 128);
    _tile_stored(2, sum + 512, 128);
    _tile_stored(3, sum + 528, 128);
    finish(c, ldc, 32, columns, sum, add, bias);
}

static void begin(void) { pct_amx_configure(16); }
static void end(void) { _tile_release(); }

const pct_tile pct_amx_tile_bf16 = {.name = "amx bf16",
                                    .type = PCT_BF16,
                                    .mr = 32,
                                    .nr = 32,
                                    .kr = 32,
                                    .kc = KC,
                                    .element = 2,
                                    .a_direct = true,
                                    .pack_a = pack_a,
                                    .pack_b = pack_b,
                                    .multiply = multiply,
                                    .begin = begin,
                                    .end = end};
