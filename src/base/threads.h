/* threads.h: parallel loops over a pool whose size is set once and never guessed again.
 *
 * Two back ends, picked at build time: OpenMP (libgomp, shared with oneDNN; -Dthreads=openmp) and POSIX threads
 * (clang, ThreadSanitizer and fuzz builds; -Dthreads=pthread). `#pragma omp` stands nowhere else. The range is cut into
 * as many equal, contiguous parts as the pool has workers, so results depend on the thread count alone. */
#ifndef PCT_BASE_THREADS_H
#define PCT_BASE_THREADS_H

#include "base/error.h"

#include <stdint.h>

typedef struct pct_pool pct_pool;

/* threads = 0 takes the number of processors this process may run on. 1..512 else. */
percept_status pct_pool_create(pct_pool **pool, int threads, percept_error *error);
void pct_pool_destroy(pct_pool **pool);
/* 1 for NULL. */
int pct_pool_threads(const pct_pool *pool);

/* body(context, begin, end, worker) with 0 <= begin < end <= count; worker in 0..threads-1 names scratch memory. */
typedef void pct_parallel_body(void *context, int64_t begin, int64_t end, int worker);

/* Runs body over 0..count-1 and returns when all of it is done. No part is smaller than `grain` items (>= 1) unless
 * count itself is; with one part, a NULL pool, or inside another parallel loop, the caller's thread does all of it.
 * One loop at a time a pool: callers that share a pool between threads hold their own lock. */
void pct_parallel_for(pct_pool *pool, int64_t count, int64_t grain, pct_parallel_body *body, void *context);

#endif
