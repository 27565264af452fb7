/* table.c: fills the kernel table, plain C first, then every instruction set that the flags allow. */
#include "kernels/kernels_private.h"

void pct_kernels_init(pct_kernels *kernels, uint32_t cpu_flags) {
    memset(kernels, 0, sizeof *kernels);
    kernels->cpu_flags = cpu_flags;
    pct_ref_loops(kernels);
    pct_ref_norms(kernels);
    pct_ref_activations(kernels);
    pct_ref_quantised(kernels);
}
