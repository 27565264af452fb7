/* bench_peak.c: what this machine can do: multiplications and additions in registers, and reading. See bench.h. */
#include "base/arena.h"
#include "base/cpu.h"
#include "engine/bench.h"
#include "kernels/peak.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_RUN    0.002 /* seconds: far above what starting the threads costs */
#define MOST_SECONDS 0.3   /* of measuring, each figure */
#define MEMORY_BYTES ((size_t)256 << 20)
#define READ_UNIT    ((size_t)4096)

typedef struct loops {
    pct_peak_loop *compute;
    pct_peak_read_loop *read;
    const char *data;
    int64_t rounds, units;
    struct {
        double flop;
        float sum;
        char apart[64]; /* a worker's own cache line */
    } done[512];
} loops;

static void compute_part(void *context, int64_t begin, int64_t end, int worker) {
    loops *l = context;
    for (int64_t i = begin; i < end; i++) l->done[worker].flop = l->compute(l->rounds, &l->done[worker].sum);
}

static percept_status run_compute(pct_bench *b, void *context, percept_error *error) {
    (void)error;
    pct_parallel_for(b->pool, pct_pool_threads(b->pool), 1, compute_part, context);
    return PERCEPT_OK;
}

static percept_status measure_compute(pct_bench *b, pct_peak_loop *compute, double *flops, percept_error *error) {
    loops *l = calloc(1, sizeof *l);
    if (!l) return pct_fail_memory(error, "bench");
    *l = (loops){.compute = compute, .rounds = 1000};
    double best = 0, seconds = fmin(b->options->seconds, MOST_SECONDS);
    percept_status status = pct_bench_time(b, run_compute, l, 0, NULL, &best, error);
    if (status == PERCEPT_OK) {
        l->rounds = (int64_t)(1000 * fmax(1, LEAST_RUN / fmax(best, 1e-7)));
        status = pct_bench_time(b, run_compute, l, seconds, NULL, &best, error);
    }
    if (status == PERCEPT_OK) *flops = l->done[0].flop * pct_pool_threads(b->pool) / best;
    free(l);
    return status;
}

static void read_part(void *context, int64_t begin, int64_t end, int worker) {
    loops *l = context;
    l->done[worker].sum = l->read(l->data + (size_t)begin * READ_UNIT, (size_t)(end - begin) * READ_UNIT);
}

/* So often over the same data that a run is long enough to be timed. */
static percept_status run_reading(pct_bench *b, void *context, percept_error *error) {
    (void)error;
    loops *l = context;
    for (int64_t i = 0; i < l->rounds; i++) pct_parallel_for(b->pool, l->units, 1, read_part, l);
    return PERCEPT_OK;
}

static percept_status measure_reading(pct_bench *b, size_t bytes, double *rate, percept_error *error) {
    loops *l = calloc(1, sizeof *l);
    bytes = (bytes + READ_UNIT - 1) / READ_UNIT * READ_UNIT;
    void *data = aligned_alloc(READ_UNIT, bytes);
    percept_status status = l && data ? PERCEPT_OK : pct_fail_memory(error, "bench");
    double best = 0, seconds = fmin(b->options->seconds, MOST_SECONDS);
    if (status == PERCEPT_OK) {
        memset(data, 1, bytes); /* untouched pages would all be the one page of zeros */
        *l = (loops){.read = pct_peak_read(b->compute->kernels.cpu_flags),
                     .data = data,
                     .rounds = 1,
                     .units = (int64_t)(bytes / READ_UNIT)};
        status = pct_bench_time(b, run_reading, l, 0, NULL, &best, error);
    }
    if (status == PERCEPT_OK) {
        l->rounds = (int64_t)fmax(1, LEAST_RUN / fmax(best, 1e-7));
        status = pct_bench_time(b, run_reading, l, seconds, NULL, &best, error);
    }
    if (status == PERCEPT_OK) *rate = (double)bytes * (double)l->rounds / best;
    free(data);
    free(l);
    return status;
}

percept_status pct_bench_measure_peak(pct_bench *b, percept_error *error) {
    uint32_t flags = b->compute->kernels.cpu_flags;
    size_t weights = (size_t)(b->work.encode_bytes + b->work.row_bytes + b->work.output_bytes + b->work.region_bytes);
    PCT_TRY(measure_compute(b, pct_peak_f32(flags), &b->peak.f32, error));
    if (pct_peak_bf16(flags)) PCT_TRY(measure_compute(b, pct_peak_bf16(flags), &b->peak.bf16, error));
    if (pct_peak_int8(flags)) PCT_TRY(measure_compute(b, pct_peak_int8(flags), &b->peak.int8, error));
    PCT_TRY(measure_reading(b, MEMORY_BYTES, &b->peak.memory, error));
    return measure_reading(b, weights, &b->peak.cached, error);
}

void pct_bench_compare(const pct_bench_peak *peak, pct_bench_result *r) {
    double flops = r->bf16 && peak->bf16 > 0 ? peak->bf16 : peak->f32;
    double int8 = peak->int8 > 0 ? r->int8 : 0;
    double computing = (r->flop - int8) / flops + (int8 > 0 ? int8 / peak->int8 : 0);
    double reading = r->bytes / (r->from_memory ? peak->memory : peak->cached);
    r->memory_bound = reading > computing;
    r->share = fmax(computing, reading) / (r->ms * 1e-3);
}
