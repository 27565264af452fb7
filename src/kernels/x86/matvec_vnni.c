/* matvec_vnni.c: products of stored rows of every block type with one vector, by AVX-512 VNNI.
 *
 * 128 columns a step, whatever the type: four blocks of 32 whose first halves lie in one register and whose second
 * halves in another, so that block b's products come out in lanes 4b..4b+3 and meet its scale there. Weights are
 * unsigned as stored (or after one XOR); what that adds to signed ones is taken back from the vector's weighted sums.
 */
#include "kernels/x86/vector.h"

#ifndef __AVX512VNNI__
#error "this file needs -mavx512vnni"
#endif

/* Of a row: the products, and what goes with minima. */
typedef struct sums {
    __m512 products, rest;
} sums;

#define STEP static inline __attribute__((always_inline))

#define AHEAD 3072 /* bytes that are fetched while earlier ones are multiplied */

STEP void fetch(const uint8_t *w, int lines) {
    for (int i = 0; i < lines; i++) _mm_prefetch((const char *)w + AHEAD + 64 * i, _MM_HINT_T0);
}

STEP __m512i byte(int value) { return _mm512_set1_epi8((char)value); }
STEP __m512i low_of(__m512i nibbles) { return _mm512_and_si512(nibbles, byte(15)); }
STEP __m512i high_of(__m512i nibbles) { return _mm512_and_si512(_mm512_srli_epi16(nibbles, 4), byte(15)); }
STEP __m512 first_halves(__m512i words) { return _mm512_cvtph_ps(_mm512_castsi512_si256(words)); }
STEP __m512 second_halves(__m512i words) { return _mm512_cvtph_ps(_mm512_extracti64x4_epi64(words, 1)); }

/* Lane sums of both halves' products, as numbers. */
STEP __m512 products(const pct_input_group *x, __m512i low, __m512i high) {
    const __m512i sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), low, _mm512_loadu_si512(x->low));
    return _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(sum, high, _mm512_loadu_si512(x->high)));
}

/* The weights are scale*(q - offset). */
STEP void add_offset(sums *s, const pct_input_group *x, __m512i low, __m512i high, __m512 scale, float offset) {
    const __m512 taken = _mm512_mul_ps(_mm512_loadu_ps(x->weighted), _mm512_set1_ps(offset));
    const __m512 sum = _mm512_fmsub_ps(products(x, low, high), _mm512_loadu_ps(x->scale), taken);
    s->products = _mm512_fmadd_ps(scale, sum, s->products);
}

/* The weights are scale*q + minimum. */
STEP void add_minimum(sums *s, const pct_input_group *x, __m512i low, __m512i high, __m512 scale, __m512 minimum) {
    const __m512 both = _mm512_mul_ps(scale, _mm512_loadu_ps(x->scale));
    s->products = _mm512_fmadd_ps(both, products(x, low, high), s->products);
    s->rest = _mm512_fmadd_ps(minimum, _mm512_loadu_ps(x->weighted), s->rest);
}

/* Units of a row that a step has: `blocks` (1..4) of it, from the `first` unit on; what is not there reads as zero. */
STEP __m512i words_from(const uint8_t *w, int first, int units) {
    const int count = units - first;
    const __mmask32 mask = count >= 32 ? 0xffffffffu : count <= 0 ? 0 : (__mmask32)((1u << count) - 1);
    return _mm512_maskz_loadu_epi16(mask, w + 2 * first);
}
STEP __m512i doubles_from(const uint8_t *w, int first, int units) {
    return _mm512_maskz_loadu_epi32(part_of(units - first), w + 4 * first);
}

/* Words a..a+7, b.., c.., d.. : an index for permutations. */
#define EIGHT(a) (a), (a) + 1, (a) + 2, (a) + 3, (a) + 4, (a) + 5, (a) + 6, (a) + 7
#define FOUR(a)  (a), (a) + 1, (a) + 2, (a) + 3
#define SAME(a)  (a), (a), (a), (a)

/* Word i of the table is index[i] of `from`. */
#define WORDS(...) ((__m512i)(__v32hi){__VA_ARGS__})
#define QUADS(...) ((__m512i)(__v16si){__VA_ARGS__})

STEP void q4_0(sums *s, const uint8_t *w, const pct_input_group *x, int blocks) { /* words: scale, 8 of nibbles */
    const __m512i a = words_from(w, 0, 9 * blocks), b = words_from(w, 4, 9 * blocks);
    __m512i nibbles = _mm512_permutexvar_epi16(WORDS(EIGHT(1), EIGHT(10), EIGHT(19), FOUR(28), SAME(0)), a);
    nibbles =
        _mm512_mask_permutexvar_epi16(nibbles, 0xf0000000u, WORDS(EIGHT(0), EIGHT(0), EIGHT(0), SAME(0), FOUR(28)), b);
    const __m512i scales =
        _mm512_permutexvar_epi16(WORDS(SAME(0), SAME(9), SAME(18), SAME(27), SAME(0), SAME(0), SAME(0), SAME(0)), a);
    fetch(w, 1);
    add_offset(s, x, low_of(nibbles), high_of(nibbles), first_halves(scales), 8);
}

STEP void q4_1(sums *s, const uint8_t *w, const pct_input_group *x, int blocks) { /* 32 bits: both, 4 of nibbles */
    const __m512i a = doubles_from(w, 0, 5 * blocks), b = doubles_from(w, 4, 5 * blocks);
    const __m512i nibbles = _mm512_permutex2var_epi32(a, QUADS(FOUR(1), FOUR(6), FOUR(11), FOUR(28)), b);
    const __m512i both = _mm512_permutexvar_epi16(
        WORDS(SAME(0), SAME(10), SAME(20), SAME(30), SAME(1), SAME(11), SAME(21), SAME(31)), a);
    fetch(w, 1);
    add_minimum(s, x, low_of(nibbles), high_of(nibbles), first_halves(both), second_halves(both));
}

/* The fifth bits of four blocks: words of the first halves, then of the second halves. */
STEP void add_fifths(__m512i *low, __m512i *high, __m128i bits) {
    *low = _mm512_mask_add_epi8(*low, (__mmask64)_mm_cvtsi128_si64(bits), *low, byte(16));
    *high = _mm512_mask_add_epi8(*high, (__mmask64)_mm_extract_epi64(bits, 1), *high, byte(16));
}

STEP void q5_0(sums *s, const uint8_t *w, const pct_input_group *x, int blocks) { /* words: scale, 2 of bits, 8 */
    const __m512i a = words_from(w, 0, 11 * blocks), b = words_from(w, 12, 11 * blocks);
    __m512i nibbles = _mm512_permutexvar_epi16(WORDS(EIGHT(3), EIGHT(14), EIGHT(25), EIGHT(0)), a);
    nibbles = _mm512_mask_permutexvar_epi16(nibbles, 0xff800000u, WORDS(EIGHT(0), EIGHT(0), EIGHT(13), EIGHT(24)), b);
    /* the scales, and behind them the bits */
    __m512i rest = _mm512_permutexvar_epi16(
        WORDS(SAME(0), SAME(11), SAME(22), SAME(0), 1, 12, 23, 0, 2, 13, 24, 0, SAME(0), SAME(0)), a);
    rest = _mm512_mask_permutexvar_epi16(
        rest, 0x0088f000u, WORDS(SAME(0), SAME(0), SAME(0), SAME(21), SAME(22), SAME(23), SAME(0), SAME(0)), b);
    __m512i low = low_of(nibbles), high = high_of(nibbles);
    add_fifths(&low, &high, _mm512_extracti32x4_epi32(rest, 2));
    fetch(w, 2);
    add_offset(s, x, low, high, first_halves(rest), 16);
}

STEP void q5_1(sums *s, const uint8_t *w, const pct_input_group *x, int blocks) { /* 32 bits: both, bits, 4 */
    const __m512i a = doubles_from(w, 0, 6 * blocks), b = doubles_from(w, 8, 6 * blocks);
    const __m512i nibbles = _mm512_permutex2var_epi32(a, QUADS(FOUR(2), FOUR(8), 14, 15, 24, 25, FOUR(28)), b);
    const __m512i heads = _mm512_permutex2var_epi32(a, QUADS(0, 6, 12, 26, 1, 7, 13, 27, SAME(0), SAME(0)), b);
    const __m512i both =
        _mm512_permutexvar_epi16(WORDS(SAME(0), SAME(2), SAME(4), SAME(6), SAME(1), SAME(3), SAME(5), SAME(7)), heads);
    const __m128i bits = _mm_shuffle_epi8(_mm512_extracti32x4_epi32(heads, 1),
                                          _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    __m512i low = low_of(nibbles), high = high_of(nibbles);
    add_fifths(&low, &high, bits);
    fetch(w, 2);
    add_minimum(s, x, low, high, first_halves(both), second_halves(both));
}

/* The four registers of halves of 32 bytes, sorted: first halves, then second ones. */
STEP __m512i even_quarters(__m512i a, __m512i b) { return _mm512_shuffle_i64x2(a, b, 0x88); }
STEP __m512i odd_quarters(__m512i a, __m512i b) { return _mm512_shuffle_i64x2(a, b, 0xdd); }

STEP __m512i two_blocks(const uint8_t *w, int blocks) {
    const __m256i first = _mm256_maskz_loadu_epi8(blocks > 0 ? 0xffffffffu : 0, w + 2);
    return _mm512_inserti64x4(_mm512_castsi256_si512(first),
                              _mm256_maskz_loadu_epi8(blocks > 1 ? 0xffffffffu : 0, w + 36), 1);
}

STEP void q8_0(sums *s, const uint8_t *w, const pct_input_group *x, int blocks) { /* words: scale, 16 */
    const __m512i a = two_blocks(w, blocks), b = two_blocks(w + 68, blocks - 2);
    const __m512i low = _mm512_xor_si512(even_quarters(a, b), byte(128)),
                  high = _mm512_xor_si512(odd_quarters(a, b), byte(128));
    const __m512i index = WORDS(SAME(0), SAME(17), SAME(0), SAME(17), SAME(0), SAME(0), SAME(0), SAME(0));
    __m512i scales = _mm512_permutexvar_epi16(index, words_from(w, 0, 17 * blocks));
    scales = _mm512_mask_permutexvar_epi16(scales, 0xff00u, index, words_from(w + 68, 0, 17 * (blocks - 2)));
    fetch(w, 2);
    add_offset(s, x, low, high, first_halves(scales), 128);
}

/* ---- K types: two steps a superblock ----------------------------------------------------------------------------- */

STEP __m512 number_at(const uint8_t *half) {
    uint16_t bits;
    memcpy(&bits, half, sizeof bits);
    return _mm512_set1_ps(_cvtsh_ss(bits));
}

/* Four bytes, each for the four lanes of its block. */
STEP __m512 lanes_of(uint32_t four) {
    const __m128i each =
        _mm_shuffle_epi8(_mm_cvtsi32_si128((int)four), _mm_set_epi32(0x03030303, 0x02020202, 0x01010101, 0));
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(each));
}

STEP void q45_k(sums *s, const uint8_t *w, const pct_input_group *x, bool five) {
    uint32_t word[3];
    memcpy(word, w + 4, 12);
    const uint32_t scale[2] = {word[0] & 0x3f3f3f3fu, (word[2] & 0x0f0f0f0fu) | (word[0] >> 6 & 0x03030303u) << 4};
    const uint32_t minimum[2] = {word[1] & 0x3f3f3f3fu, (word[2] >> 4 & 0x0f0f0f0fu) | (word[1] >> 6 & 0x03030303u)
                                                                                           << 4};
    const uint8_t *nibbles = w + (five ? 48 : 16);
    sums here = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    fetch(w, 3);
    for (int g = 0; g < 2; g++) {
        const __m512i z = _mm512_loadu_si512(nibbles + 64 * g);
        __m512i even = low_of(z), odd = high_of(z); /* blocks 0 and 2, 1 and 3 */
        if (five) {
            const __m512i bits = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)(w + 16)));
            const __m512i which = _mm512_mask_blend_epi64(0xf0, byte(1 << (4 * g)), byte(4 << (4 * g)));
            even = _mm512_mask_add_epi8(even, _mm512_test_epi8_mask(bits, which), even, byte(16));
            odd = _mm512_mask_add_epi8(odd, _mm512_test_epi8_mask(bits, _mm512_add_epi8(which, which)), odd, byte(16));
        }
        const __m512i low = _mm512_permutex2var_epi64(even, _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), odd);
        const __m512i high = _mm512_permutex2var_epi64(even, _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15), odd);
        add_minimum(&here, x + g, low, high, lanes_of(scale[g]), lanes_of(minimum[g]));
    }
    s->products = _mm512_fmadd_ps(number_at(w), here.products, s->products);
    s->rest = _mm512_fnmadd_ps(number_at(w + 2), here.rest, s->rest);
}

STEP void q4_k(sums *s, const uint8_t *w, const pct_input_group *x, int blocks) { q45_k(s, w, x, false); }
STEP void q5_k(sums *s, const uint8_t *w, const pct_input_group *x, int blocks) { q45_k(s, w, x, true); }

/* Products of sub-blocks of 16, weights q - 32. */
STEP __m512 signed_products(__m512i q, const int8_t *x) {
    const __m512i vector = _mm512_loadu_si512(x), zero = _mm512_setzero_si512();
    return _mm512_cvtepi32_ps(
        _mm512_sub_epi32(_mm512_dpbusd_epi32(zero, q, vector), _mm512_dpbusd_epi32(zero, byte(32), vector)));
}

STEP void q6_k(sums *s, const uint8_t *w, const pct_input_group *x, int blocks) {
    __m512 here = _mm512_setzero_ps();
    fetch(w, 4);
    for (int g = 0; g < 2; g++, x++) {
        const __m512i z = _mm512_loadu_si512(w + 64 * g), two = byte(0x30);
        const __m512i bits =
            _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)(w + 128 + 32 * g)));
        const __m512i first = _mm512_or_si512(
            low_of(z), _mm512_and_si512(two, _mm512_sllv_epi64(bits, _mm512_setr_epi64(4, 4, 4, 4, 2, 2, 2, 2))));
        const __m512i second = _mm512_or_si512(
            high_of(z), _mm512_and_si512(two, _mm512_srlv_epi64(bits, _mm512_setr_epi64(0, 0, 0, 0, 2, 2, 2, 2))));
        const __m128i scales = _mm_loadl_epi64((const __m128i *)(const void *)(w + 192 + 8 * g));
        const __m128i even = _mm_shuffle_epi8(scales, _mm_set_epi32(0x06060606, 0x04040404, 0x02020202, 0));
        const __m128i odd = _mm_shuffle_epi8(scales, _mm_set_epi32(0x07070707, 0x05050505, 0x03030303, 0x01010101));
        __m512 sum = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(even)),
                                   signed_products(even_quarters(first, second), x->low));
        sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(odd)),
                              signed_products(odd_quarters(first, second), x->high), sum);
        here = _mm512_fmadd_ps(sum, _mm512_loadu_ps(x->scale), here);
    }
    s->products = _mm512_fmadd_ps(number_at(w + 208), here, s->products);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* The sums of four registers' lanes. */
STEP __m128 four_sums(const __m512 *s) {
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(s[0], s[1]), _mm512_unpackhi_ps(s[0], s[1]));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(s[2], s[3]), _mm512_unpackhi_ps(s[2], s[3]));
    const __m512d p = _mm512_castps_pd(ab), q = _mm512_castps_pd(cd);
    const __m512 all =
        _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(p, q)), _mm512_castpd_ps(_mm512_unpackhi_pd(p, q)));
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

/* groups: of x that a step takes; step_bytes: of a row in a step. What is left is spelled out, so that its masks are
 * constants. */
#define MATVEC(type, groups, step_bytes)                                                                               \
    static void matvec_##type(float *out, const void *w, size_t row_bytes, const void *x, int64_t columns, int64_t r0, \
                              int64_t r1) {                                                                            \
        const int64_t steps = columns / (128 * (groups)), rest = columns / 32 % (4 * (groups));                        \
        for (int64_t r = r0; r < r1; r += 4) {                                                                         \
            __m512 each[4];                                                                                            \
            for (int i = 0; i < 4; i++) {                                                                              \
                const uint8_t *row = (const uint8_t *)w + (size_t)pct_min_i64(r + i, r1 - 1) * row_bytes;              \
                const pct_input_group *vector = x;                                                                     \
                sums s = {_mm512_setzero_ps(), _mm512_setzero_ps()};                                                   \
                for (int64_t k = 0; k < steps; k++, row += (step_bytes), vector += (groups)) type(&s, row, vector, 4); \
                if (rest == 1) type(&s, row, vector, 1);                                                               \
                if (rest == 2) type(&s, row, vector, 2);                                                               \
                if (rest == 3) type(&s, row, vector, 3);                                                               \
                each[i] = _mm512_add_ps(s.products, s.rest);                                                           \
            }                                                                                                          \
            _mm_mask_storeu_ps(out + r, (__mmask8)(r1 - r >= 4 ? 15 : (1 << (r1 - r)) - 1), four_sums(each));          \
        }                                                                                                              \
    }
MATVEC(q8_0, 1, 136)
MATVEC(q4_0, 1, 72)
MATVEC(q4_1, 1, 80)
MATVEC(q5_0, 1, 88)
MATVEC(q5_1, 1, 96)
MATVEC(q4_k, 2, 144)
MATVEC(q5_k, 2, 176)
MATVEC(q6_k, 2, 210)

/* A block's halves to its places; the same roundings as the plain form, element for element. Returns the scale. */
STEP float round_block(pct_input_group *group, int64_t b, const float *x) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    const __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
    const int32_t bits = _mm512_reduce_max_epi32(_mm512_max_epi32(
        _mm512_and_si512(magnitude, _mm512_castps_si512(low)), _mm512_and_si512(magnitude, _mm512_castps_si512(high))));
    const float top = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(bits)));
    const bool good = bits < 0x7f800000 && top >= 1e-30f;
    const float scale = good ? top / 127 : 0;
    const __m512 inverse = _mm512_set1_ps(good ? 1 / scale : 0);
    const __mmask16 all = good ? 0xffff : 0;
    _mm_storeu_si128((__m128i *)(void *)(group->low + 16 * b),
                     _mm512_cvtepi32_epi8(_mm512_maskz_cvtps_epi32(all, _mm512_mul_ps(low, inverse))));
    _mm_storeu_si128((__m128i *)(void *)(group->high + 16 * b),
                     _mm512_cvtepi32_epi8(_mm512_maskz_cvtps_epi32(all, _mm512_mul_ps(high, inverse))));
    return bits < 0x7f800000 ? scale : __builtin_nanf("");
}

static void input_groups(void *y, const float *x, int64_t count) {
    pct_input_group *group = y;
    for (int64_t left = count / 32; left > 0; left -= 4, group++, x += 128) {
        float scale[4] = {0, 0, 0, 0};
        if (left < 4) memset(group, 0, sizeof *group);
        for (int64_t b = 0; b < 4 && b < left; b++) scale[b] = round_block(group, b, x + 32 * b);
        const __m512 scales = _mm512_permutexvar_ps(QUADS(SAME(0), SAME(1), SAME(2), SAME(3)),
                                                    _mm512_castps128_ps512(_mm_loadu_ps(scale)));
        __m512i sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), byte(1), _mm512_loadu_si512(group->low));
        sum = _mm512_dpbusd_epi32(sum, byte(1), _mm512_loadu_si512(group->high));
        _mm512_storeu_ps(group->scale, scales);
        _mm512_storeu_ps(group->weighted, _mm512_mul_ps(scales, _mm512_cvtepi32_ps(sum)));
    }
}

void pct_x86_matvec_vnni(pct_kernels *kernels) {
    for (int t = PCT_Q8_0; t <= PCT_Q6_K; t++) kernels->matvec_input[t] = input_groups;
    kernels->matvec[PCT_Q8_0] = matvec_q8_0;
    kernels->matvec[PCT_Q4_0] = matvec_q4_0;
    kernels->matvec[PCT_Q4_1] = matvec_q4_1;
    kernels->matvec[PCT_Q5_0] = matvec_q5_0;
    kernels->matvec[PCT_Q5_1] = matvec_q5_1;
    kernels->matvec[PCT_Q4_K] = matvec_q4_k;
    kernels->matvec[PCT_Q5_K] = matvec_q5_k;
    kernels->matvec[PCT_Q6_K] = matvec_q6_k;
}
