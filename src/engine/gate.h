/* gate.h: one call computes at a time; the others wait in order of arrival.
 *
 * A fair lock that a waiting call can leave again: when it is cancelled, or when its time is up. Cancelling is a flag
 * that a signal handler may set, so waiters look at it every few milliseconds. */
#ifndef PCT_ENGINE_GATE_H
#define PCT_ENGINE_GATE_H

#include "base/error.h"

#include <pthread.h>
#include <stdatomic.h>

struct pct_gate_waiter;
typedef struct pct_gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct pct_gate_waiter *first, *last; /* on the waiting threads' stacks */
    bool busy;
} pct_gate;

enum pct_gate_result { PCT_GATE_ENTERED, PCT_GATE_CANCELLED, PCT_GATE_LATE };

percept_status pct_gate_init(pct_gate *gate, percept_error *error);
void pct_gate_destroy(pct_gate *gate);
/* deadline: pct_clock_seconds() after which waiting ends, 0: none. Only PCT_GATE_ENTERED is followed by a leave. */
enum pct_gate_result pct_gate_enter(pct_gate *gate, const atomic_bool *cancel, double deadline);
void pct_gate_leave(pct_gate *gate);

#endif
