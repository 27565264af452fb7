/* amx_flat.c: the inner parts of flat convolutions (conv_flat.h) on AMX. */
#include "kernels/conv_flat.h"
#include "kernels/x86/amx.h"
#include "kernels/x86/x86.h"

#define LOAD_SUM(sum)                                                                                                  \
    do {                                                                                                               \
        _tile_loadd(0, (sum), 128);                                                                                    \
        _tile_loadd(1, (sum) + 16, 128);                                                                               \
        _tile_loadd(2, (sum) + 512, 128);                                                                              \
        _tile_loadd(3, (sum) + 528, 128);                                                                              \
    } while (0)
#define ZERO_SUM()                                                                                                     \
    do {                                                                                                               \
        _tile_zero(0);                                                                                                 \
        _tile_zero(1);                                                                                                 \
        _tile_zero(2);                                                                                                 \
        _tile_zero(3);                                                                                                 \
    } while (0)
#define STORE_SUM(sum)                                                                                                 \
    do {                                                                                                               \
        _tile_stored(0, (sum), 128);                                                                                   \
        _tile_stored(1, (sum) + 16, 128);                                                                              \
        _tile_stored(2, (sum) + 512, 128);                                                                             \
        _tile_stored(3, (sum) + 528, 128);                                                                             \
    } while (0)

static void meet(float *sum, const uint16_t *const *at, int taps, int64_t channels, const uint16_t *panel) {
    ZERO_SUM();
    for (int t = 0; t < taps; t++) {
        const uint16_t *a = at[t], *below = a + 16 * channels;
        for (int64_t c = 0; c < channels; c += 32, panel += 1024) {
            _tile_loadd(6, panel, 64);
            _tile_loadd(4, a + c, channels * 2);
            _tile_loadd(7, panel + 512, 64);
            _tile_loadd(5, below + c, channels * 2);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    STORE_SUM(sum);
}

static void weigh(float *sum, bool add, const uint16_t *turned, int64_t turned_step, const uint16_t *pairs,
                  int64_t steps) {
    if (add)
        LOAD_SUM(sum);
    else
        ZERO_SUM();
    for (int64_t i = 0; i < steps; i++, turned += turned_step, pairs += 1024) {
        _tile_loadd(6, pairs, 128);
        _tile_loadd(4, turned, 64);
        _tile_loadd(7, pairs + 32, 128);
        _tile_loadd(5, turned + 512, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    STORE_SUM(sum);
}

static void turn(uint16_t *to, const uint16_t *from, int64_t channels) {
    __m512i r[16];
    for (int64_t c = 0; c < channels; c += 16, to += 512) {
        pct_load_pairs(r, from + c, channels, 32, 16);
        pct_transpose_16x16(r);
        for (int j = 0; j < 16; j++) _mm512_store_si512(to + 32 * j, r[j]);
    }
}

static void pair(uint16_t *to, const uint16_t *from, int64_t channels, int64_t count) {
    for (int64_t i = 0; i < count; i++, from += 2 * channels, to += 64) {
        const __m512i even = _mm512_loadu_si512(from), odd = _mm512_loadu_si512(from + channels);
        const __m512i low_even = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(even));
        const __m512i low_odd = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(odd));
        const __m512i high_even = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(even, 1));
        const __m512i high_odd = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(odd, 1));
        _mm512_store_si512(to, _mm512_or_si512(low_even, _mm512_slli_epi32(low_odd, 16)));
        _mm512_store_si512(to + 32, _mm512_or_si512(high_even, _mm512_slli_epi32(high_odd, 16)));
    }
}

/* As to_bf16 of the table. */
static __m256i half_of(__m512 x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i even = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan =
        _mm512_cmpgt_epi32_mask(_mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff)), _mm512_set1_epi32(0x7f800000));
    rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}

static void around(uint16_t *to, const float *picture, int64_t height, int64_t width, int64_t in, int64_t y,
                   int64_t x) {
    const int64_t run = 3 * in;
    /* of the three pixels, those that lie inside */
    const int64_t first = x == 0 ? in : 0, last = x + 1 == width ? 2 * in : run;
    const __mmask16 inside = (__mmask16)(((1u << last) - 1) & ~((1u << first) - 1));
    _mm512_storeu_si512(to, _mm512_setzero_si512());
    for (int64_t k = 0; k < 3; k++, to += run) {
        const int64_t row = y + k - 1;
        if (row < 0 || row >= height) continue;
        const __m512 values = _mm512_maskz_loadu_ps(inside, picture + (row * width + x - 1) * in);
        _mm256_mask_storeu_epi16(to, (__mmask16)((1u << run) - 1), half_of(values));
    }
}

static void begin(void) { pct_amx_configure(16); }
static void end(void) { _tile_release(); }

const pct_flat_inner pct_amx_flat = {
    .meet = meet, .weigh = weigh, .turn = turn, .pair = pair, .around = around, .begin = begin, .end = end};
