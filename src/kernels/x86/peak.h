/* peak.h: the loops of kernels/peak.h by instruction set. */
#ifndef PCT_KERNELS_X86_PEAK_H
#define PCT_KERNELS_X86_PEAK_H

#include "kernels/peak.h"

pct_peak_loop pct_x86_peak_f32_avx2, pct_x86_peak_f32_avx512, pct_x86_peak_bf16_avx512, pct_x86_peak_bf16_amx,
    pct_x86_peak_int8_amx, pct_x86_peak_int8_vnni;
pct_peak_read_loop pct_x86_peak_read_avx2, pct_x86_peak_read_avx512;

#endif
