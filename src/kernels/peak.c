/* peak.c: see peak.h. Which loop the flags allow, and the plain one. */
#include "kernels/peak.h"

#include "base/cpu.h"
#include "kernels/x86/peak.h"

/* x = x/2 + 1 comes to 2 in each of the lanes, whatever it began with: the sum's limit is 2*LANES. */
enum { LANES = 16 };
static double multiply_add(int64_t rounds, float *sum) {
    float x[LANES];
    for (int i = 0; i < LANES; i++) x[i] = (float)i;
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < LANES; i++) x[i] = x[i] * 0.5f + 1.0f;
    *sum = 0;
    for (int i = 0; i < LANES; i++) *sum += x[i];
    return 2.0 * LANES * (double)rounds;
}

static float read_all(const void *data, size_t bytes) {
    const float *from = data;
    float sum[LANES] = {0}, total = 0;
    for (size_t i = 0; i < bytes / sizeof *from; i += LANES)
        for (int k = 0; k < LANES; k++) sum[k] += from[i + (size_t)k];
    for (int k = 0; k < LANES; k++) total += sum[k];
    return total;
}

pct_peak_loop *pct_peak_f32(uint32_t cpu_flags) {
#ifdef PCT_HAVE_AVX512
    if (cpu_flags & PCT_CPU_AVX512) return pct_x86_peak_f32_avx512;
#endif
#ifdef PCT_HAVE_AVX2
    if (cpu_flags & PCT_CPU_AVX2) return pct_x86_peak_f32_avx2;
#endif
    return multiply_add;
}

pct_peak_loop *pct_peak_bf16(uint32_t cpu_flags) {
#ifdef PCT_HAVE_AMX /* its library has the vectors' loop too: the compiler that knows the one knows the other */
    if (cpu_flags & PCT_CPU_AMX_BF16) return pct_x86_peak_bf16_amx;
    if (cpu_flags & PCT_CPU_AVX512_BF16) return pct_x86_peak_bf16_avx512;
#endif
    return NULL;
}

pct_peak_loop *pct_peak_int8(uint32_t cpu_flags) {
#ifdef PCT_HAVE_AMX
    if (cpu_flags & PCT_CPU_AMX_BF16) return pct_x86_peak_int8_amx;
    if (cpu_flags & PCT_CPU_AVX512_VNNI) return pct_x86_peak_int8_vnni;
#endif
    return NULL;
}

pct_peak_read_loop *pct_peak_read(uint32_t cpu_flags) {
#ifdef PCT_HAVE_AVX512
    if (cpu_flags & PCT_CPU_AVX512) return pct_x86_peak_read_avx512;
#endif
#ifdef PCT_HAVE_AVX2
    if (cpu_flags & PCT_CPU_AVX2) return pct_x86_peak_read_avx2;
#endif
    return read_all;
}
