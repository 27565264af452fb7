/* gate.c: see gate.h. */
#include "engine/gate.h"

#include "base/clock.h"

#include <time.h>

struct pct_gate_waiter {
    struct pct_gate_waiter *next;
};

percept_status pct_gate_init(pct_gate *gate, percept_error *error) {
    *gate = (pct_gate){0};
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) return pct_fail_memory(error, "engine lock");
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool made = pthread_cond_init(&gate->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (!made) return pct_fail_memory(error, "engine lock");
    if (pthread_mutex_init(&gate->mutex, NULL) != 0) {
        pthread_cond_destroy(&gate->changed);
        return pct_fail_memory(error, "engine lock");
    }
    return PERCEPT_OK;
}

void pct_gate_destroy(pct_gate *gate) {
    PCT_ASSERT(!gate->busy && !gate->first);
    pthread_mutex_destroy(&gate->mutex);
    pthread_cond_destroy(&gate->changed);
}

static void unlink_waiter(pct_gate *gate, struct pct_gate_waiter *waiter) {
    struct pct_gate_waiter **link = &gate->first, *before = NULL;
    while (*link != waiter) {
        before = *link;
        link = &before->next;
    }
    *link = waiter->next;
    if (gate->last == waiter) gate->last = before;
}

/* 20 ms is below what a person notices and above what costs anything. */
static void wait_a_little(pct_gate *gate) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 20 * 1000 * 1000;
    if (until.tv_nsec >= 1000 * 1000 * 1000) {
        until.tv_nsec -= 1000 * 1000 * 1000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&gate->changed, &gate->mutex, &until);
}

enum pct_gate_result pct_gate_enter(pct_gate *gate, const atomic_bool *cancel, double deadline) {
    struct pct_gate_waiter self = {0};
    enum pct_gate_result result = PCT_GATE_ENTERED;
    pthread_mutex_lock(&gate->mutex);
    if (gate->last) {
        gate->last->next = &self;
    } else {
        gate->first = &self;
    }
    gate->last = &self;
    for (;;) {
        if (cancel && atomic_load(cancel)) {
            result = PCT_GATE_CANCELLED;
            break;
        }
        if (deadline > 0 && pct_clock_seconds() >= deadline) {
            result = PCT_GATE_LATE;
            break;
        }
        if (!gate->busy && gate->first == &self) {
            gate->busy = true;
            break;
        }
        wait_a_little(gate);
    }
    unlink_waiter(gate, &self);
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
    return result;
}

void pct_gate_leave(pct_gate *gate) {
    pthread_mutex_lock(&gate->mutex);
    PCT_ASSERT(gate->busy);
    gate->busy = false;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}
