/* x86.h: what the libraries of x86 instruction sets offer to the dispatch in table.c and compute.c. */
#ifndef PCT_KERNELS_X86_X86_H
#define PCT_KERNELS_X86_X86_H

#include "kernels/kernels_private.h"

extern const pct_tile pct_amx_tile_bf16;

#endif
