/* threads_private.h: what the two back ends of threads.h agree on. Not for other folders. */
#ifndef PCT_BASE_THREADS_PRIVATE_H
#define PCT_BASE_THREADS_PRIVATE_H

#include "base/threads.h"

#define PCT_POOL_MAX_THREADS 512

struct pct_loop {
    int64_t count;
    int parts;
    pct_parallel_body *body;
    void *context;
    const char *guard; /* pct_guard_where() of the caller: holds for the workers too */
};

struct pct_pool {
    int threads;
    struct pct_pool_backend *backend; /* NULL for OpenMP */
};

percept_status pct_pool_start(pct_pool *pool, percept_error *error);
void pct_pool_stop(pct_pool *pool);
/* Runs every part of the loop (at least two), the caller's thread among the workers. */
void pct_pool_run(pct_pool *pool, const struct pct_loop *loop);
void pct_pool_run_part(const struct pct_loop *loop, int part);

#endif
