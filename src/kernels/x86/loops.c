/* loops.c: the element-wise kernels in vectors. Sums run in a fixed number of lanes, so their order is fixed. */
#include "kernels/x86/vector.h"

#include <math.h>

/* Adds half a unit in the 16th place, or half less one where the bit above is even. */
static void to_bf16(uint16_t *y, const float *x, int64_t count) {
    int64_t i = 0;
#ifdef PCT_ISA_AVX512
    for (; i < count; i += 16) {
        const part lanes = part_of(count - i);
        const __m512i bits = _mm512_castps_si512(v_load_part(x + i, lanes));
        const __m512i even = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
        __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7fff)));
        const __mmask16 nan = _mm512_cmpgt_epi32_mask(_mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff)),
                                                      _mm512_set1_epi32(0x7f800000));
        rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
        _mm256_mask_storeu_epi16(y + i, lanes, _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
    }
#else
    for (; i + 8 <= count; i += 8) {
        const __m256i bits = _mm256_castps_si256(v_load(x + i));
        const __m256i even = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(even, _mm256_set1_epi32(0x7fff)));
        const __m256i nan =
            _mm256_cmpgt_epi32(_mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff)), _mm256_set1_epi32(0x7f800000));
        const __m256i kept = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
        const __m256i high = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, kept, nan), 16);
        const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(high, high), 0x08);
        _mm_storeu_si128((__m128i *)(y + i), _mm256_castsi256_si128(packed));
    }
    for (; i < count; i++) y[i] = pct_bf16_of_float(x[i]);
#endif
}

static void from_bf16(float *y, const uint16_t *x, int64_t count) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
#ifdef PCT_ISA_AVX512
        const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(x + i)));
        v_store(y + i, _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16)));
#else
        const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(x + i)));
        v_store(y + i, _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16)));
#endif
    }
    for (; i < count; i++) y[i] = pct_float_of_bf16(x[i]);
}

static void axpy(float *y, float a, const float *x, int64_t count) {
    const vec factor = v_set(a);
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t left = count - i;
        store_some(y + i, left, v_fma(factor, load_some(x + i, left), load_some(y + i, left)));
    }
}

static void add(float *y, const float *a, const float *b, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES)
        store_some(y + i, count - i, v_add(load_some(a + i, count - i), load_some(b + i, count - i)));
}

static void mul(float *y, const float *a, const float *b, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES)
        store_some(y + i, count - i, v_mul(load_some(a + i, count - i), load_some(b + i, count - i)));
}

static void mul_add(float *y, const float *a, const float *b, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t left = count - i;
        store_some(y + i, left, v_fma(load_some(a + i, left), load_some(b + i, left), load_some(y + i, left)));
    }
}

/* Lanes of F32 over 1024 elements at a time, the pieces in double. */
static double sum_squares(const float *x, int64_t count) {
    double total = 0;
    for (int64_t begin = 0; begin < count; begin += 1024) {
        const int64_t end = pct_min_i64(begin + 1024, count);
        vec even = v_zero(), odd = v_zero();
        for (int64_t i = begin; i < end; i += 2 * LANES) {
            const vec a = load_some(x + i, end - i);
            even = v_fma(a, a, even);
            if (end - i <= LANES) break;
            const vec b = load_some(x + i + LANES, end - i - LANES);
            odd = v_fma(b, b, odd);
        }
        total += (double)v_sum(v_add(even, odd));
    }
    return total;
}

static float dot(const float *a, const float *b, int64_t count) {
    vec s0 = v_zero(), s1 = v_zero(), s2 = v_zero(), s3 = v_zero();
    int64_t i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES) {
        s0 = v_fma(v_load(a + i), v_load(b + i), s0);
        s1 = v_fma(v_load(a + i + LANES), v_load(b + i + LANES), s1);
        s2 = v_fma(v_load(a + i + 2 * LANES), v_load(b + i + 2 * LANES), s2);
        s3 = v_fma(v_load(a + i + 3 * LANES), v_load(b + i + 3 * LANES), s3);
    }
    for (; i < count; i += LANES) s0 = v_fma(load_some(a + i, count - i), load_some(b + i, count - i), s0);
    return v_sum(v_add(v_add(s0, s1), v_add(s2, s3)));
}

static float softmax(float *p, const float *x, int64_t count) {
    vec top = v_set(-INFINITY), sum = v_zero();
    for (int64_t i = 0; i < count; i += LANES) top = v_max(top, load_or(x + i, count - i, -INFINITY));
    const float highest = v_top(top);
    for (int64_t i = 0; i < count; i += LANES) {
        const vec e = v_exp(v_sub(load_or(x + i, count - i, -INFINITY), v_set(highest)));
        sum = v_add(sum, e);
        store_some(p + i, count - i, e);
    }
    const float total = v_sum(sum);
    const vec scale = v_set(1 / total);
    for (int64_t i = 0; i < count; i += LANES) store_some(p + i, count - i, v_mul(load_some(p + i, count - i), scale));
    return highest + logf(total);
}

static float top(const float *x, int64_t count) {
    vec largest = v_set(-INFINITY);
    for (int64_t i = 0; i < count; i += LANES) largest = v_max(largest, load_or(x + i, count - i, -INFINITY));
    return v_top(largest);
}

static float exp_row(float *p, const float *x, int64_t count, float scale, float shift) {
    const vec factor = v_set(scale), less = v_set(-shift);
    vec sum = v_zero();
    for (int64_t i = 0; i < count; i += LANES) {
        const vec e = v_exp(v_fma(load_some(x + i, count - i), factor, less));
        sum = v_add(sum, keep_some(count - i, e));
        store_some(p + i, count - i, e);
    }
    return v_sum(sum);
}

static void softmax_back(float *ds, const float *p, int64_t count, float delta, float scale) {
    const vec less = v_set(delta), factor = v_set(scale);
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t left = count - i;
        store_some(ds + i, left, v_mul(v_mul(load_some(p + i, left), v_sub(load_some(ds + i, left), less)), factor));
    }
}

static void scores(float *out, const float *q, const float *k, int64_t ldk, int64_t count, int64_t dim) {
    int64_t j = 0;
    for (; j + 4 <= count; j += 4, k += 4 * ldk) {
        vec s[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
        for (int64_t d = 0; d < dim; d += LANES) {
            const vec x = load_some(q + d, dim - d);
            for (int i = 0; i < 4; i++) s[i] = v_fma(x, load_some(k + i * ldk + d, dim - d), s[i]);
        }
        for (int i = 0; i < 4; i++) out[j + i] = v_sum(s[i]);
    }
    for (; j < count; j++, k += ldk) out[j] = dot(q, k, dim);
}

static void mix(float *out, const float *p, const float *v, int64_t ldv, int64_t count, int64_t dim) {
    for (int64_t d = 0; d < dim; d += LANES) {
        const int64_t left = dim - d;
        vec even = load_some(out + d, left), odd = v_zero();
        int64_t j = 0;
        for (; j + 2 <= count; j += 2) {
            even = v_fma(v_set(p[j]), load_some(v + j * ldv + d, left), even);
            odd = v_fma(v_set(p[j + 1]), load_some(v + (j + 1) * ldv + d, left), odd);
        }
        if (j < count) even = v_fma(v_set(p[j]), load_some(v + j * ldv + d, left), even);
        store_some(out + d, left, v_add(even, odd));
    }
}

static void adamw(float *weight, float *m, float *v, const float *gradient, int64_t count, double rate, double beta1,
                  double beta2, double epsilon, double decay, double gradient_scale, int64_t step) {
    const vec b1 = v_set((float)beta1), b2 = v_set((float)beta2), scale = v_set((float)gradient_scale);
    const vec c1 = v_set(1 - (float)beta1), c2 = v_set(1 - (float)beta2), keep = v_set((float)(1 - rate * decay));
    const vec m_rate = v_set((float)(rate / (1 - pow(beta1, (double)step)))), small = v_set((float)epsilon);
    const vec v_correction = v_set((float)(1 / (1 - pow(beta2, (double)step))));
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t left = count - i;
        const vec g = v_mul(load_some(gradient + i, left), scale);
        const vec first = v_fma(b1, load_some(m + i, left), v_mul(c1, g));
        const vec second = v_fma(b2, load_some(v + i, left), v_mul(v_mul(c2, g), g));
        const vec size = v_add(v_sqrt(v_mul(second, v_correction)), small);
        const vec move = v_div(v_mul(m_rate, first), size);
        store_some(m + i, left, first);
        store_some(v + i, left, second);
        store_some(weight + i, left, v_sub(v_mul(load_some(weight + i, left), keep), move));
    }
}

void NAME(pct_x86_loops)(pct_kernels *kernels) {
    kernels->to_bf16 = to_bf16;
    kernels->from_bf16 = from_bf16;
    kernels->axpy = axpy;
    kernels->add = add;
    kernels->mul = mul;
    kernels->mul_add = mul_add;
    kernels->sum_squares = sum_squares;
    kernels->dot = dot;
    kernels->softmax = softmax;
    kernels->top = top;
    kernels->exp_row = exp_row;
    kernels->softmax_back = softmax_back;
    kernels->scores = scores;
    kernels->mix = mix;
    kernels->adamw = adamw;
}
