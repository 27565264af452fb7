/* vector.h: one vocabulary for the vectors of AVX2 (8 floats) and AVX-512 (16), so that a kernel is written once and
 * compiled for each. Included by the sources of x86/ that meson.build compiles twice. NAME(x) is x with the instruction
 * set's suffix. */
#ifndef PCT_KERNELS_X86_VECTOR_H
#define PCT_KERNELS_X86_VECTOR_H

#include "kernels/kernels_private.h"
#include "kernels/x86/x86.h"

#include <immintrin.h>

#if defined(PCT_ISA_AVX512)
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "PCT_ISA_AVX512 needs -mavx512f -mavx512bw -mavx512dq -mavx512vl"
#endif
#define NAME(x) x##_avx512
#define LANES   16
typedef __m512 vec;
typedef __mmask16 part; /* which lanes take part in a load or store */

static inline part part_of(int64_t count) {
    return count >= LANES ? (part)0xffff : count <= 0 ? (part)0 : (part)((1u << count) - 1);
}
static inline vec v_zero(void) { return _mm512_setzero_ps(); }
static inline vec v_set(float x) { return _mm512_set1_ps(x); }
static inline vec v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline vec v_load_part(const float *p, part lanes) { return _mm512_maskz_loadu_ps(lanes, p); }
static inline void v_store(float *p, vec x) { _mm512_storeu_ps(p, x); }
static inline void v_store_part(float *p, part lanes, vec x) { _mm512_mask_storeu_ps(p, lanes, x); }
static inline vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
static inline vec v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
static inline vec v_sqrt(vec a) { return _mm512_sqrt_ps(a); }
static inline vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); } /* b where one is NaN */
static inline vec v_min(vec a, vec b) { return _mm512_min_ps(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }   /* a*b + c */
static inline vec v_fnma(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a*b */
static inline vec v_abs(vec a) { return _mm512_abs_ps(a); }
static inline vec v_sign_of(vec to, vec sign) { /* |to| with the sign of `sign` */
    const __m512i bit = _mm512_set1_epi32((int)0x80000000u);
    return _mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(bit, _mm512_castps_si512(sign), _mm512_castps_si512(to), 0xca));
}
static inline vec v_select_less(vec a, vec b, vec yes, vec no) { /* a < b ? yes : no */
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}
static inline vec v_keep_if_positive(vec a, vec x) { /* a > 0 ? x : 0 */
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_GT_OQ), x);
}
static inline vec v_round(vec a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline vec v_scale(vec a, vec n) { return _mm512_scalef_ps(a, n); } /* a * 2^n, n whole, any size */
static inline vec v_mix(part lanes, vec no, vec yes) { return _mm512_mask_blend_ps(lanes, no, yes); }
static inline float v_sum(vec a) { return _mm512_reduce_add_ps(a); }
static inline float v_top(vec a) { return _mm512_reduce_max_ps(a); }
#elif defined(PCT_ISA_AVX2)
#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__)
#error "PCT_ISA_AVX2 needs -mavx2 -mfma -mf16c"
#endif
#define NAME(x) x##_avx2
#define LANES   8
typedef __m256 vec;
typedef __m256i part;

static inline part part_of(int64_t count) {
    const int n = count > LANES ? LANES : count < 0 ? 0 : (int)count;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vec v_zero(void) { return _mm256_setzero_ps(); }
static inline vec v_set(float x) { return _mm256_set1_ps(x); }
static inline vec v_load(const float *p) { return _mm256_loadu_ps(p); }
static inline vec v_load_part(const float *p, part lanes) { return _mm256_maskload_ps(p, lanes); }
static inline void v_store(float *p, vec x) { _mm256_storeu_ps(p, x); }
static inline void v_store_part(float *p, part lanes, vec x) { _mm256_maskstore_ps(p, lanes, x); }
static inline vec v_add(vec a, vec b) { return _mm256_add_ps(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
static inline vec v_div(vec a, vec b) { return _mm256_div_ps(a, b); }
static inline vec v_sqrt(vec a) { return _mm256_sqrt_ps(a); }
static inline vec v_max(vec a, vec b) { return _mm256_max_ps(a, b); }
static inline vec v_min(vec a, vec b) { return _mm256_min_ps(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
static inline vec v_fnma(vec a, vec b, vec c) { return _mm256_fnmadd_ps(a, b, c); }
static inline vec v_abs(vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vec v_sign_of(vec to, vec sign) {
    return _mm256_or_ps(v_abs(to), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
static inline vec v_select_less(vec a, vec b, vec yes, vec no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
static inline vec v_keep_if_positive(vec a, vec x) {
    return _mm256_and_ps(_mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_GT_OQ), x);
}
static inline vec v_round(vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/* In two steps of half the exponent, so that results down to the subnormals come out. */
static inline vec v_scale(vec a, vec n) {
    const __m256i whole = _mm256_cvtps_epi32(v_max(v_min(n, v_set(252)), v_set(-252)));
    const __m256i half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half),
                  one = _mm256_set1_epi32(127);
    const vec first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, one), 23));
    const vec second = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, one), 23));
    return v_mul(v_mul(a, first), second);
}
static inline vec v_mix(part lanes, vec no, vec yes) { return _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(lanes)); }
static inline float v_sum(vec a) {
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}
static inline float v_top(vec a) {
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_shuffle_ps(x, x, 1)));
}
#else
#error "vector.h needs PCT_ISA_AVX2 or PCT_ISA_AVX512"
#endif

/* e^x: x = n ln 2 + r with |r| <= ln 2 / 2, e^r by a polynomial of degree 6 (Taylor's, its error below half a unit in
 * the last place there); within 2 units in the last place overall. -inf gives 0, large gives inf, NaN stays. */
static inline vec v_exp(vec x) {
    const vec bounded = v_min(v_set(128 * 0.69314718f), v_max(v_set(-150 * 0.69314718f), x)); /* NaN passes both */
    const vec n = v_round(v_mul(bounded, v_set(1.44269504f)));
    vec r = v_fnma(n, v_set(0.693359375f), bounded), p;
    r = v_fnma(n, v_set(-2.12194440e-4f), r);
    p = v_fma(r, v_set(1.3888889e-3f), v_set(8.3333333e-3f));
    p = v_fma(p, r, v_set(4.1666667e-2f));
    p = v_fma(p, r, v_set(1.6666667e-1f));
    p = v_fma(p, r, v_set(0.5f));
    p = v_fma(v_mul(p, r), r, r); /* e^r - 1 */
    return v_scale(v_add(p, v_set(1)), n);
}

/* 1/(1+e^-x), within 4 units in the last place. */
static inline vec v_sigmoid(vec x) { return v_div(v_set(1), v_add(v_set(1), v_exp(v_sub(v_zero(), x)))); }

/* erf: Abramowitz & Stegun 7.1.26, within 2e-7 absolute. */
static inline vec v_erf(vec x) {
    const vec size = v_abs(x), t = v_div(v_set(1), v_fma(size, v_set(0.3275911f), v_set(1)));
    vec p = v_fma(t, v_set(1.061405429f), v_set(-1.453152027f));
    p = v_fma(p, t, v_set(1.421413741f));
    p = v_fma(p, t, v_set(-0.284496736f));
    p = v_fma(p, t, v_set(0.254829592f));
    const vec e = v_exp(v_sub(v_zero(), v_mul(x, x)));
    return v_sign_of(v_fnma(v_mul(p, t), e, v_set(1)), x);
}

/* The ends of arrays: of `left` (>= 1) elements as many as there are lanes; missing lanes read as zero or `fill`. */
static inline vec load_some(const float *p, int64_t left) {
    return left >= LANES ? v_load(p) : v_load_part(p, part_of(left));
}
static inline vec load_or(const float *p, int64_t left, float fill) {
    return left >= LANES ? v_load(p) : v_mix(part_of(left), v_set(fill), v_load_part(p, part_of(left)));
}
static inline void store_some(float *p, int64_t left, vec x) {
    if (left >= LANES)
        v_store(p, x);
    else
        v_store_part(p, part_of(left), x);
}
static inline vec keep_some(int64_t left, vec x) { return left >= LANES ? x : v_mix(part_of(left), v_zero(), x); }

#endif
