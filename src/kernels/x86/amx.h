/* amx.h: what the files of the AMX library share: tile configuration, packing of BF16 into pairs.
 *
 * An AMX tile holds 16 rows of 64 bytes. TDPBF16PS adds, to C[16][16] of F32, A[16][32] times B in pairs: row i of B's
 * tile holds, for 16 columns, the elements of k = 2i and 2i+1 side by side. */
#ifndef PCT_KERNELS_X86_AMX_H
#define PCT_KERNELS_X86_AMX_H

/* clang up to 14 spells the first two without the inner underscore */
#if !(defined(__AMX_TILE__) || defined(__AMXTILE__)) || !(defined(__AMX_BF16__) || defined(__AMXBF16__)) ||            \
    !defined(__AVX512BW__) || !defined(__AVX512VL__)
#error "this file needs -mamx-tile -mamx-bf16 and AVX-512 F, BW, DQ, VL"
#endif

#include "kernels/kernels_private.h"

#include <immintrin.h>

typedef struct pct_amx_config {
    uint8_t palette, start;
    uint8_t reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} pct_amx_config;

/* All eight tiles with 64-byte rows; `rows` rows for the four accumulators and the two of A, 16 for those of B. */
static inline void pct_amx_configure(int rows) {
    pct_amx_config config;
    memset(&config, 0, sizeof config);
    config.palette = 1;
    for (int i = 0; i < 8; i++) {
        config.bytes[i] = 64;
        config.rows[i] = (uint8_t)(i < 6 ? rows : 16);
    }
    /* gcc 12 tells the optimiser of the first bytes only: without this the rest is never stored. */
    __asm__ volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
}

static inline __mmask32 pct_mask32(int64_t count) {
    return count >= 32 ? 0xffffffffu : count <= 0 ? 0 : (__mmask32)((1u << count) - 1);
}
static inline __mmask16 pct_mask16(int64_t count) {
    return count >= 16 ? (__mmask16)0xffff : count <= 0 ? (__mmask16)0 : (__mmask16)((1u << count) - 1);
}

/* 16 x 16 32-bit units, in place. */
static inline void pct_transpose_16x16(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* Rows of 32 BF16 each, `rows` of them (the rest zero), cut off after `count` elements: 16 registers. */
static inline void pct_load_rows(__m512i r[16], const uint16_t *from, int64_t ld, int64_t rows, int64_t count) {
    if (rows >= 16 && count >= 32) {
        for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(from + i * ld);
        return;
    }
    const __mmask32 mask = pct_mask32(count);
    for (int i = 0; i < 16; i++)
        r[i] = i < rows ? _mm512_maskz_loadu_epi16(mask, from + i * ld) : _mm512_setzero_si512();
}

/* Rows k = 2i and 2i+1 (of `rows`) of 16 columns (of `count`) as pairs: register i holds a column a 32-bit unit. */
static inline void pct_load_pairs(__m512i r[16], const uint16_t *from, int64_t ld, int64_t rows, int64_t count) {
    const __mmask16 mask = pct_mask16(count);
    for (int i = 0; i < 16; i++) {
        __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
        if (2 * i < rows) even = _mm256_maskz_loadu_epi16(mask, from + 2 * i * ld);
        if (2 * i + 1 < rows) odd = _mm256_maskz_loadu_epi16(mask, from + (2 * i + 1) * ld);
        r[i] = _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
    }
}

#endif
