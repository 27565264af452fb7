/* x86.h: what the libraries of x86 instruction sets offer to the dispatch in table.c and compute.c. */
#ifndef PCT_KERNELS_X86_X86_H
#define PCT_KERNELS_X86_X86_H

#include "kernels/kernels_private.h"

#define PCT_X86_VARIANT(suffix)                                                                                        \
    void pct_x86_loops_##suffix(pct_kernels *kernels);                                                                 \
    void pct_x86_norms_##suffix(pct_kernels *kernels);                                                                 \
    void pct_x86_activations_##suffix(pct_kernels *kernels);                                                           \
    void pct_x86_dequantise_##suffix(pct_kernels *kernels);                                                            \
    void pct_x86_matvec_##suffix(pct_kernels *kernels);                                                                \
    extern const pct_tile pct_x86_tile_real_##suffix, pct_x86_tile_bf16_##suffix;
PCT_X86_VARIANT(avx2)
PCT_X86_VARIANT(avx512)
#undef PCT_X86_VARIANT

void pct_x86_half_bf16(pct_kernels *kernels);
void pct_x86_matvec_vnni(pct_kernels *kernels);
void pct_x86_int8_avx2(pct_kernels *kernels);
void pct_x86_int8_vnni(pct_kernels *kernels);
extern const pct_tile pct_amx_tile_bf16;

#endif
