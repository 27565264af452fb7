/* amx_int8.c: the tile of INT8 products on AMX: 32 x 32 sums in four tiles, 64 of k a step, in the order of
 * amx_tile.c. */
#include "kernels/int8.h"
#include "kernels/x86/amx.h"

static void pack(int8_t *quads, const int8_t *rows, int64_t ld, int64_t k) {
    __m512i r[16];
    for (int64_t i = 0; i < k; i += 64)
        for (int64_t n = 0; n < PCT_INT8_COLUMNS; n += 16, quads += 1024) {
            for (int j = 0; j < 16; j++) r[j] = _mm512_loadu_si512(rows + (n + j) * ld + i);
            pct_transpose_16x16(r);
            for (int j = 0; j < 16; j++) _mm512_store_si512(quads + 64 * j, r[j]);
        }
}

/* At most 16 rows: one tile of A. */
static void multiply_16(int32_t *sum, int64_t rows, const int8_t *a, int64_t lda, const int8_t *quads, int64_t k) {
    if (rows < 16) pct_amx_configure((int)rows);
    _tile_zero(0);
    _tile_zero(1);
    for (int64_t i = 0; i < k; i += 64, quads += 2048) {
        _tile_loadd(4, a + i, lda);
        _tile_loadd(6, quads, 64);
        _tile_loadd(7, quads + 1024, 64);
        _tile_dpbssd(0, 4, 6);
        _tile_dpbssd(1, 4, 7);
    }
    _tile_stored(0, sum, 128);
    _tile_stored(1, sum + 16, 128);
    if (rows < 16) pct_amx_configure(16);
}

static void multiply(int32_t *sum, int64_t rows, const int8_t *a, int64_t lda, const pct_int8_head *panel, int64_t k) {
    const int8_t *quads = pct_int8_quads(panel), *below = a + 16 * lda;
    if (rows < 32) {
        multiply_16(sum, pct_min_i64(rows, 16), a, lda, quads, k);
        if (rows > 16) multiply_16(sum + 512, rows - 16, below, lda, quads, k);
        return;
    }
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t i = 0; i < k; i += 64, quads += 2048) {
        _tile_loadd(6, quads, 64);
        _tile_loadd(4, a + i, lda);
        _tile_dpbssd(0, 4, 6);
        _tile_loadd(7, quads + 1024, 64);
        _tile_dpbssd(1, 4, 7);
        _tile_loadd(5, below + i, lda);
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
    }
    _tile_stored(0, sum, 128);
    _tile_stored(1, sum + 16, 128);
    _tile_stored(2, sum + 512, 128);
    _tile_stored(3, sum + 528, 128);
}

static void join(int32_t *sum, const int32_t *high, int64_t rows) {
    for (int64_t i = 0; i < rows * PCT_INT8_COLUMNS; i += 16)
        _mm512_store_si512(
            sum + i, _mm512_add_epi32(_mm512_load_si512(sum + i), _mm512_slli_epi32(_mm512_load_si512(high + i), 7)));
}

static void finish(float *c, int64_t ldc, int64_t rows, int64_t columns, const int32_t *sum, const float *row_scale,
                   const pct_int8_head *panel, const float *bias) {
    const __mmask16 low = pct_mask16(columns), high = pct_mask16(columns - 16);
    const __m512 scale0 = _mm512_loadu_ps(panel->scale), scale1 = _mm512_loadu_ps(panel->scale + 16);
    __m512 bias0 = _mm512_setzero_ps(), bias1 = bias0;
    if (bias) {
        bias0 = _mm512_maskz_loadu_ps(low, bias);
        bias1 = _mm512_maskz_loadu_ps(high, bias + 16);
    }
    for (int64_t r = 0; r < rows; r++, c += ldc, sum += PCT_INT8_COLUMNS) {
        const __m512 row = _mm512_set1_ps(row_scale[r]);
        const __m512 x = _mm512_cvtepi32_ps(_mm512_load_si512(sum)),
                     y = _mm512_cvtepi32_ps(_mm512_load_si512(sum + 16));
        _mm512_mask_storeu_ps(c, low, _mm512_fmadd_ps(x, _mm512_mul_ps(row, scale0), bias0));
        _mm512_mask_storeu_ps(c + 16, high, _mm512_fmadd_ps(y, _mm512_mul_ps(row, scale1), bias1));
    }
}

static void begin(void) { pct_amx_configure(16); }
static void end(void) { _tile_release(); }

const pct_int8_tile pct_amx_tile_int8 = {.name = "amx int8",
                                         .mr = 32,
                                         .pack = pack,
                                         .multiply = multiply,
                                         .join = join,
                                         .finish = finish,
                                         .begin = begin,
                                         .end = end};
