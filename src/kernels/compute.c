/* compute.c: the object that heavy kernels run on: table, pool, scratch memory, chosen tiles. */
#include "base/arena.h"
#include "kernels/dnn/dnn.h"
#include "kernels/kernels_private.h"
#include "kernels/x86/x86.h"

#include <stdlib.h>

static void pick_tiles(pct_compute *compute, uint32_t cpu_flags) {
    compute->tile_real = &pct_ref_tile_real;
    compute->tile_bf16 = &pct_ref_tile_bf16;
#ifdef PCT_HAVE_AVX2
    if (cpu_flags & PCT_CPU_AVX2) {
        compute->tile_real = &pct_x86_tile_real_avx2;
        compute->tile_bf16 = &pct_x86_tile_bf16_avx2;
    }
#endif
#ifdef PCT_HAVE_AVX512
    if (cpu_flags & PCT_CPU_AVX512) {
        compute->tile_real = &pct_x86_tile_real_avx512;
        compute->tile_bf16 = &pct_x86_tile_bf16_avx512;
    }
#endif
#ifdef PCT_HAVE_AMX
    if (cpu_flags & PCT_CPU_AMX_BF16) compute->tile_bf16 = &pct_amx_tile_bf16;
#endif
}

percept_status pct_compute_create(pct_compute **compute, pct_pool *pool, uint32_t cpu_flags, percept_error *error) {
    pct_compute *made = calloc(1, sizeof *made);
    *compute = NULL;
    if (!made) return pct_fail_memory(error, "the compute object");
    pct_kernels_init(&made->kernels, cpu_flags);
    made->pool = pool;
    pick_tiles(made, cpu_flags);
    *compute = made;
    return PERCEPT_OK;
}

void pct_compute_destroy(pct_compute **compute) {
    if (!*compute) return;
#ifdef PCT_HAVE_DNN
    pct_dnn_close(&(*compute)->dnn);
#endif
    pct_packed_destroy(&(*compute)->panel);
    free((*compute)->scratch);
    free(*compute);
    *compute = NULL;
}

/* Measured (bench/LOG.md): convolutions of many channels are 2 to 4 times as fast in the library; products of the
 * shapes that transformers have are as fast in our AMX tiles, so they go there only where we have no BF16 tile. */
bool pct_compute_use_library(pct_compute *compute) {
#ifdef PCT_HAVE_DNN
    const uint32_t flags = compute->kernels.cpu_flags;
    if (compute->dnn || !(flags & (PCT_CPU_AVX512_BF16 | PCT_CPU_AMX_BF16))) return compute->dnn != NULL;
    compute->dnn = pct_dnn_open(pct_pool_threads(compute->pool));
    if (compute->dnn) compute->library = PCT_LIBRARY_CONV | (flags & PCT_CPU_AMX_BF16 ? 0 : PCT_LIBRARY_GEMM);
#endif
    return compute->dnn != NULL;
}

bool pct_compute_prefers_bf16(const pct_compute *compute) {
    if (compute->exact) return false;
    return (compute->kernels.cpu_flags & PCT_CPU_AMX_BF16) || (compute->library & PCT_LIBRARY_GEMM);
}

/* Measured (bench/LOG.md). */
bool pct_compute_use_int8(pct_compute *compute) {
    compute->int8 = (compute->kernels.cpu_flags & (PCT_CPU_AVX512_VNNI | PCT_CPU_AMX_BF16)) != 0;
    return compute->int8;
}

void pct_compute_use_exact(pct_compute *compute) {
    compute->exact = true;
    compute->int8 = false;
}

void *pct_compute_scratch(pct_compute *compute, size_t size) {
    if (size <= compute->scratch_size) return compute->scratch;
    /* Half as much again, so that slowly growing batches soon stop asking. */
    size_t wanted;
    PCT_ASSERT(pct_size_add(size, size / 2, &wanted) && pct_size_align(wanted, 4096, &wanted));
    free(compute->scratch);
    compute->scratch = aligned_alloc(PCT_ARENA_ALIGN, wanted);
    compute->scratch_size = wanted;
    PCT_ASSERT(compute->scratch != NULL);
    return compute->scratch;
}
