/* checkkernels.c: tries and times every kernel.
 *
 *   checkkernels [--seed N] [--cpu-mask avx2,avx512,vnni,bf16,amx|all|none|N] [--threads N] [--library] [--bench]
 * [FILTER]
 *
 * --library sends BF16 products and convolutions to oneDNN. Prints its seed; the same seed gives the same cases.
 * --bench times instead of trying. The exit status is the verdict.
 */
#include "check.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static uint32_t mask_of(const char *text) {
    static const char *const names[] = {"avx2", "avx512", "vnni", "bf16", "amx"};
    uint32_t mask = 0;
    if (!strcmp(text, "all")) return PCT_CPU_ALL;
    if (!strcmp(text, "none")) return 0;
    for (unsigned i = 0; i < PCT_COUNT(names); i++)
        if (strstr(text, names[i])) mask |= 1u << i;
    return mask ? mask : (uint32_t)strtoul(text, NULL, 0);
}

int main(int argc, char **argv) {
    uint64_t seed = (uint64_t)(pct_clock_seconds() * 1e6);
    uint32_t mask = PCT_CPU_ALL;
    int threads = 2;
    bool library = false;
    check c = {0};
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--seed"))
            seed = strtoull(next, NULL, 0), i++;
        else if (!strcmp(argv[i], "--cpu-mask"))
            mask = mask_of(next), i++;
        else if (!strcmp(argv[i], "--threads"))
            threads = atoi(next), i++;
        else if (!strcmp(argv[i], "--library"))
            library = true;
        else if (!strcmp(argv[i], "--bench"))
            c.bench = true;
        else if (argv[i][0] == '-')
            return fprintf(stderr, "unknown option %s\n", argv[i]), 2;
        else
            c.filter = argv[i];
    }
    const uint32_t flags = pct_cpu_flags() & mask;
    printf("seed %llu, processor flags: %s\n", (unsigned long long)seed, pct_cpu_flags_text(flags));
    pct_random_init(&c.random, seed, 0, 0);

    static pct_kernels ref;
    pct_pool *pool = NULL;
    percept_error error;
    pct_kernels_init(&ref, 0);
    c.ref = &ref;
    if (pct_pool_create(&pool, threads, &error) != PERCEPT_OK ||
        pct_compute_create(&c.compute, pool, flags, &error) != PERCEPT_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    c.now = &c.compute->kernels;
    if (library) {
        if (!pct_compute_use_library(c.compute)) {
            pct_compute_destroy(&c.compute);
            pct_pool_destroy(&pool);
            return printf("oneDNN or BF16 is not here: skipped\n"), 77;
        }
        c.compute->library = PCT_LIBRARY_GEMM | PCT_LIBRARY_CONV;
    }
    if (c.bench) {
        bench_table(&c);
        bench_heavy(&c);
    } else {
        check_loops(&c);
        check_norms(&c);
        check_activations(&c);
        check_quantised(&c);
        check_products(&c);
        check_int8(&c);
        check_convolutions(&c);
        check_attention(&c);
        printf("%d cases, %d failures\n", c.cases, c.failures);
    }
    pct_compute_destroy(&c.compute);
    pct_pool_destroy(&pool);
    return c.failures != 0;
}
