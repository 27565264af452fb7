/* table.c: fills the kernel table, plain C first, then every instruction set that the flags allow. */
#include "kernels/kernels_private.h"
#include "kernels/x86/x86.h"

void pct_kernels_init(pct_kernels *kernels, uint32_t cpu_flags) {
    memset(kernels, 0, sizeof *kernels);
    kernels->cpu_flags = cpu_flags;
    pct_ref_loops(kernels);
    pct_ref_norms(kernels);
    pct_ref_activations(kernels);
    pct_ref_quantised(kernels);
    pct_ref_quantise(kernels);
    pct_ref_int8(kernels);
#ifdef PCT_HAVE_AVX2
    if (cpu_flags & PCT_CPU_AVX2) {
        pct_x86_loops_avx2(kernels);
        pct_x86_norms_avx2(kernels);
        pct_x86_activations_avx2(kernels);
        pct_x86_dequantise_avx2(kernels);
        pct_x86_matvec_avx2(kernels);
        pct_x86_int8_avx2(kernels);
    }
#endif
#ifdef PCT_HAVE_AVX512
    if (cpu_flags & PCT_CPU_AVX512) {
        pct_x86_loops_avx512(kernels);
        pct_x86_norms_avx512(kernels);
        pct_x86_activations_avx512(kernels);
        pct_x86_dequantise_avx512(kernels);
        pct_x86_matvec_avx512(kernels);
    }
#endif
#ifdef PCT_HAVE_BF16
    if (cpu_flags & PCT_CPU_AVX512_BF16) pct_x86_half_bf16(kernels);
#endif
#ifdef PCT_HAVE_VNNI
    if (cpu_flags & PCT_CPU_AVX512_VNNI) {
        pct_x86_matvec_vnni(kernels);
        pct_x86_int8_vnni(kernels);
    }
#endif
}
