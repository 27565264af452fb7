/* threads_pthread.c: the pool on POSIX threads; see threads.h. Workers sleep between loops. */
#include "base/threads_private.h"

#ifndef PCT_THREADS_OPENMP

#include <pthread.h>
#include <stdlib.h>

struct pct_pool_backend {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    const struct pct_loop *loop; /* the loop being run, or NULL */
    uint64_t round;              /* counts loops, so that a worker sees each once */
    int busy;                    /* workers that have not finished this round */
    bool quit;
    int started;
    struct worker {
        struct pct_pool_backend *backend;
        pthread_t thread;
        int part;
    } workers[];
};

static void *work(void *argument) {
    struct worker *self = argument;
    struct pct_pool_backend *b = self->backend;
    uint64_t seen = 0;
    pthread_mutex_lock(&b->lock);
    for (;;) {
        while (!b->quit && b->round == seen) pthread_cond_wait(&b->work, &b->lock);
        if (b->quit) break;
        seen = b->round;
        const struct pct_loop *loop = b->loop;
        pthread_mutex_unlock(&b->lock);
        if (self->part < loop->parts) pct_pool_run_part(loop, self->part);
        pthread_mutex_lock(&b->lock);
        if (--b->busy == 0) pthread_cond_signal(&b->done);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

percept_status pct_pool_start(pct_pool *pool, percept_error *error) {
    size_t extra = (size_t)pool->threads - 1;
    struct pct_pool_backend *b = calloc(1, sizeof *b + extra * sizeof(struct worker));
    if (!b) return pct_fail_memory(error, "thread pool");
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->work, NULL);
    pthread_cond_init(&b->done, NULL);
    pool->backend = b;
    for (size_t i = 0; i < extra; i++) {
        b->workers[i] = (struct worker){.backend = b, .part = (int)i + 1};
        if (pthread_create(&b->workers[i].thread, NULL, work, &b->workers[i]) != 0) {
            pct_pool_stop(pool);
            return pct_fail(error, PERCEPT_ERROR_RESOURCE, "cannot start thread %zu of %d; use fewer --threads", i + 2,
                            pool->threads);
        }
        b->started++;
    }
    return PERCEPT_OK;
}

void pct_pool_stop(pct_pool *pool) {
    struct pct_pool_backend *b = pool->backend;
    pthread_mutex_lock(&b->lock);
    b->quit = true;
    pthread_cond_broadcast(&b->work);
    pthread_mutex_unlock(&b->lock);
    for (int i = 0; i < b->started; i++) pthread_join(b->workers[i].thread, NULL);
    pthread_cond_destroy(&b->done);
    pthread_cond_destroy(&b->work);
    pthread_mutex_destroy(&b->lock);
    free(b);
    pool->backend = NULL;
}

void pct_pool_run(pct_pool *pool, const struct pct_loop *loop) {
    struct pct_pool_backend *b = pool->backend;
    pthread_mutex_lock(&b->lock);
    b->loop = loop;
    b->busy = b->started;
    b->round++;
    pthread_cond_broadcast(&b->work);
    pthread_mutex_unlock(&b->lock);
    pct_pool_run_part(loop, 0);
    pthread_mutex_lock(&b->lock);
    while (b->busy) pthread_cond_wait(&b->done, &b->lock);
    b->loop = NULL;
    pthread_mutex_unlock(&b->lock);
}

#else
typedef int pct_threads_pthread_is_not_used;
#endif
