/* amx_peak.c: BF16 and INT8 products in tiles, and in vectors for processors without them. See kernels/peak.h. */
#include "kernels/x86/amx.h"
#include "kernels/x86/peak.h"

/* Four sums of zero, and four times the same 16 rows of 64 bytes. */
static void load_tiles(const void *operands) {
    pct_amx_configure(16);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(4, operands, 64);
    _tile_loadd(5, operands, 64);
    _tile_loadd(6, operands, 64);
    _tile_loadd(7, operands, 64);
}

/* Adds the numbers of a tile, which goes through `out`, to *sum. */
#define ADD_TILE(tile)                                                                                                 \
    do {                                                                                                               \
        _tile_stored(tile, out, 64);                                                                                   \
        for (int i = 0; i < 16 * 16; i++) *sum += out[i];                                                              \
    } while (0)

/* 16 x 16 sums over 32 products a tile instruction, four tiles under way. All operands are 2^-10, so *sum is the number
 * of products times 2^-20. */
double pct_x86_peak_bf16_amx(int64_t rounds, float *sum) {
    _Alignas(64) uint16_t operands[16 * 32];
    _Alignas(64) float out[16 * 16];
    for (int i = 0; i < 16 * 32; i++) operands[i] = 0x3a80; /* 2^-10 */
    load_tiles(operands);
    for (int64_t r = 0; r < rounds; r++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    *sum = 0;
    ADD_TILE(0);
    ADD_TILE(1);
    ADD_TILE(2);
    ADD_TILE(3);
    _tile_release();
    return 4 * 2.0 * 16 * 16 * 32 * (double)rounds;
}

/* 16 sums over 2 products an instruction, twelve under way; *sum as above. */
double pct_x86_peak_bf16_avx512(int64_t rounds, float *sum) {
    enum { CHAINS = 12 };
    __m512 x[CHAINS], total = _mm512_setzero_ps();
    const __m512i bits = _mm512_set1_epi16(0x3a80);
    __m512bh operand;
    memcpy(&operand, &bits, sizeof operand);
    for (int i = 0; i < CHAINS; i++) x[i] = _mm512_set1_ps((float)i);
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++) x[i] = _mm512_dpbf16_ps(x[i], operand, operand);
    for (int i = 0; i < CHAINS; i++) total = _mm512_add_ps(total, _mm512_sub_ps(x[i], _mm512_set1_ps((float)i)));
    *sum = _mm512_reduce_add_ps(total);
    return CHAINS * 2.0 * 16 * 2 * (double)rounds;
}

/* As the first, of bytes that are all 1: *sum is the number of products. */
double pct_x86_peak_int8_amx(int64_t rounds, float *sum) {
    _Alignas(64) int8_t operands[16 * 64];
    _Alignas(64) int32_t out[16 * 16];
    memset(operands, 1, sizeof operands);
    load_tiles(operands);
    for (int64_t r = 0; r < rounds; r++) {
        _tile_dpbssd(0, 4, 6);
        _tile_dpbssd(1, 4, 7);
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
    }
    *sum = 0;
    ADD_TILE(0);
    ADD_TILE(1);
    ADD_TILE(2);
    ADD_TILE(3);
    _tile_release();
    return 4 * 2.0 * 16 * 16 * 64 * (double)rounds;
}

/* 16 sums over 4 products an instruction, twelve under way. */
__attribute__((target("avx512vnni"))) double pct_x86_peak_int8_vnni(int64_t rounds, float *sum) {
    enum { CHAINS = 12 };
    __m512i x[CHAINS];
    __m512 total = _mm512_setzero_ps();
    const __m512i operand = _mm512_set1_epi8(1);
    for (int i = 0; i < CHAINS; i++) x[i] = _mm512_set1_epi32(i);
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++) x[i] = _mm512_dpbusd_epi32(x[i], operand, operand);
    for (int i = 0; i < CHAINS; i++)
        total = _mm512_add_ps(total, _mm512_cvtepi32_ps(_mm512_sub_epi32(x[i], _mm512_set1_epi32(i))));
    *sum = _mm512_reduce_add_ps(total);
    return CHAINS * 2.0 * 16 * 4 * (double)rounds;
}
