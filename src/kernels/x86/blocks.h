/* blocks.h: the elements of GGUF's block types as 32 bytes in natural order, for AVX2 and up. */
#ifndef PCT_KERNELS_X86_BLOCKS_H
#define PCT_KERNELS_X86_BLOCKS_H

#include "kernels/x86/vector.h"

static inline float half_at(const uint8_t *bytes) {
    uint16_t bits;
    memcpy(&bits, bytes, sizeof bits);
    return _cvtsh_ss(bits);
}

static inline __m256i load_32(const void *from) { return _mm256_loadu_si256(from); }

/* 16 bytes of nibbles: low ones are elements 0..15, high ones 16..31. */
static inline __m256i nibbles(const uint8_t *from) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)from);
    const __m256i both = _mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

/* As Q4_0 and Q4_1, the fifth bits from a word of 32. */
static inline __m256i fifths(const uint8_t *from) {
    int32_t bits;
    memcpy(&bits, from, sizeof bits);
    const __m256i each = _mm256_shuffle_epi8(
        _mm256_set1_epi32(bits), _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201u);
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(each, bit), bit), _mm256_set1_epi8(16));
}

/* The 6-bit scales and minima of a Q4_K or Q5_K superblock, a byte each. */
static inline void k_scales(uint8_t scale[8], uint8_t minimum[8], const uint8_t *from) {
    uint32_t word[3], made[2];
    memcpy(word, from, 12);
    made[0] = word[0] & 0x3f3f3f3fu;
    made[1] = (word[2] & 0x0f0f0f0fu) | (word[0] >> 6 & 0x03030303u) << 4;
    memcpy(scale, made, 8);
    made[0] = word[1] & 0x3f3f3f3fu;
    made[1] = (word[2] >> 4 & 0x0f0f0f0fu) | (word[1] >> 6 & 0x03030303u) << 4;
    memcpy(minimum, made, 8);
}

/* Sub-block j of 32 of such a superblock. */
static inline __m256i k45_at(const uint8_t *block, int j, bool five) {
    const __m256i both = load_32(block + (five ? 48 : 16) + 32 * (j / 2));
    const __m256i q = _mm256_and_si256(j & 1 ? _mm256_srli_epi16(both, 4) : both, _mm256_set1_epi8(15));
    if (!five) return q;
    const __m256i bit = _mm256_set1_epi8((char)(1 << j)), has = _mm256_and_si256(load_32(block + 16), bit);
    return _mm256_or_si256(q, _mm256_and_si256(_mm256_cmpeq_epi8(has, bit), _mm256_set1_epi8(16)));
}

/* Quarter (0..3) of 32 of a half of a Q6_K superblock, -32..31. */
static inline __m256i q6_k_at(const uint8_t *low, const uint8_t *high, int quarter) {
    const __m256i both = load_32(low + 32 * (quarter & 1)), bits = load_32(high);
    const __m256i q = _mm256_and_si256(quarter < 2 ? both : _mm256_srli_epi16(both, 4), _mm256_set1_epi8(15));
    const __m256i top =
        _mm256_and_si256(_mm256_slli_epi16(_mm256_srli_epi16(bits, 2 * quarter), 4), _mm256_set1_epi8(0x30));
    return _mm256_sub_epi8(_mm256_or_si256(q, top), _mm256_set1_epi8(32));
}

#endif
