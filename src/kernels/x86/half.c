/* half.c: loops that end in BF16, with the instruction that rounds two vectors at once (AVX-512 BF16). */
#define PCT_ISA_AVX512
#include "kernels/x86/vector.h"

/* Elements 0..31 from two vectors; the instruction takes the upper half first. */
static inline __m512i halves(vec low, vec high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

static inline __mmask32 some(int64_t count) {
    return count >= 32 ? 0xffffffffu : count <= 0 ? 0 : (__mmask32)((1u << count) - 1);
}

static inline vec load_part(const float *p, int64_t left) { return v_load_part(p, part_of(left)); }

/* The instruction takes subnormal numbers for zero; they are rare enough to be done one by one. */
#define SUBNORMAL 0x20
static void to_bf16(uint16_t *y, const float *x, int64_t count) {
    for (int64_t i = 0; i < count; i += 32) {
        const int64_t left = count - i;
        const vec low = left >= 32 ? v_load(x + i) : load_part(x + i, left);
        const vec high = left >= 32 ? v_load(x + i + 16) : load_part(x + i + 16, left - 16);
        const __mmask16 small = _mm512_fpclass_ps_mask(low, SUBNORMAL) | _mm512_fpclass_ps_mask(high, SUBNORMAL);
        if (__builtin_expect(small, 0)) {
            for (int64_t k = i; k < i + pct_min_i64(left, 32); k++) y[k] = pct_bf16_of_float(x[k]);
        } else if (left >= 32) {
            _mm512_storeu_si512(y + i, halves(low, high));
        } else {
            _mm512_mask_storeu_epi16(y + i, some(left), halves(low, high));
        }
    }
}

static float exp_half(uint16_t *p, const float *x, int64_t count, int64_t padded, float scale, float shift) {
    const vec factor = v_set(scale), less = v_set(-shift);
    vec sum_low = v_zero(), sum_high = v_zero();
    for (int64_t i = 0; i < padded; i += 32) {
        const part in_low = part_of(count - i), in_high = part_of(count - i - 16);
        const vec low = _mm512_maskz_mov_ps(in_low, v_exp(v_fma(v_load_part(x + i, in_low), factor, less)));
        const vec high = _mm512_maskz_mov_ps(in_high, v_exp(v_fma(v_load_part(x + i + 16, in_high), factor, less)));
        sum_low = v_add(sum_low, low);
        sum_high = v_add(sum_high, high);
        _mm512_storeu_si512(p + i, halves(low, high));
    }
    return v_sum(v_add(sum_low, sum_high));
}

static void slopes_half(uint16_t *p, uint16_t *ds, const float *x, const float *dp, int64_t count, int64_t padded,
                        float scale, float shift, float delta) {
    const vec factor = v_set(scale), less = v_set(-shift), base = v_set(delta);
    for (int64_t i = 0; i < padded; i += 32) {
        vec weight[2], slope[2];
        for (int k = 0; k < 2; k++) {
            const part lanes = part_of(count - i - 16 * k);
            const vec e = v_exp(v_fma(v_load_part(x + i + 16 * k, lanes), factor, less));
            weight[k] = _mm512_maskz_mov_ps(lanes, e);
            slope[k] = v_mul(v_mul(weight[k], v_sub(v_load_part(dp + i + 16 * k, lanes), base)), factor);
        }
        _mm512_storeu_si512(p + i, halves(weight[0], weight[1]));
        _mm512_storeu_si512(ds + i, halves(slope[0], slope[1]));
    }
}

void pct_x86_half_bf16(pct_kernels *kernels) {
    kernels->to_bf16 = to_bf16;
    kernels->exp_half = exp_half;
    kernels->slopes_half = slopes_half;
}
