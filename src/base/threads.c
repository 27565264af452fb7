/* threads.c: what both back ends share, and the OpenMP one; threads_pthread.c is the other. See threads.h. */
#include "base/threads.h"

#include "base/guard.h"
#include "base/size.h"
#include "base/threads_private.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

static _Thread_local bool inside_parallel_loop;

static int available_processors(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

percept_status pct_pool_create(pct_pool **out, int threads, percept_error *error) {
    *out = NULL;
    if (threads < 0 || threads > PCT_POOL_MAX_THREADS) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "threads: %d is not in 1..%d (0 = all processors)", threads,
                        PCT_POOL_MAX_THREADS);
    }
    pct_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return pct_fail_memory(error, "thread pool");
    pool->threads = threads ? threads : (int)pct_clamp_i64(available_processors(), 1, PCT_POOL_MAX_THREADS);
    percept_status status = pct_pool_start(pool, error);
    if (status != PERCEPT_OK) {
        free(pool);
        return status;
    }
    *out = pool;
    return PERCEPT_OK;
}

void pct_pool_destroy(pct_pool **pool) {
    if (!*pool) return;
    pct_pool_stop(*pool);
    free(*pool);
    *pool = NULL;
}

int pct_pool_threads(const pct_pool *pool) { return pool ? pool->threads : 1; }

void pct_pool_run_part(const struct pct_loop *loop, int part) {
    int64_t begin = loop->count * part / loop->parts, end = loop->count * (part + 1) / loop->parts;
    bool outer = inside_parallel_loop, guarded = loop->guard && !pct_guard_where();
    inside_parallel_loop = true;
    if (guarded) pct_guard_enter(loop->guard);
    if (begin < end) loop->body(loop->context, begin, end, part);
    if (guarded) pct_guard_leave();
    inside_parallel_loop = outer;
}

void pct_parallel_for(pct_pool *pool, int64_t count, int64_t grain, pct_parallel_body *body, void *context) {
    if (count <= 0) return;
    int64_t parts = grain > 1 ? pct_max_i64(count / grain, 1) : count;
    parts = pct_min_i64(parts, pct_pool_threads(pool));
    struct pct_loop loop = {
        .count = count, .parts = (int)parts, .body = body, .context = context, .guard = pct_guard_where()};
    if (parts == 1 || inside_parallel_loop) {
        loop.parts = 1;
        pct_pool_run_part(&loop, 0);
        return;
    }
    pct_pool_run(pool, &loop);
}

#ifdef PCT_THREADS_OPENMP
percept_status pct_pool_start(pct_pool *pool, percept_error *error) {
    (void)pool;
    (void)error;
    return PERCEPT_OK;
}

void pct_pool_stop(pct_pool *pool) { (void)pool; }

void pct_pool_run(pct_pool *pool, const struct pct_loop *loop) {
    (void)pool;
    int parts = loop->parts;
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; part++) pct_pool_run_part(loop, part);
}
#endif
