/* progress.h: the meter behind percept_progress: counts, smooths the rate, estimates the time left. */
#ifndef PCT_BASE_PROGRESS_H
#define PCT_BASE_PROGRESS_H

#include "base/error.h"
#include "percept/progress.h"

typedef struct pct_meter {
    percept_progress_fn *callback;
    void *context;
    const char *stage, *unit;
    int64_t total, first;
    double started, reported;
} pct_meter;

/* `first`: units that an earlier run had done (they do not count towards the rate). callback may be NULL. */
void pct_meter_start(pct_meter *meter, percept_progress_fn *callback, void *context, const char *stage,
                     const char *unit, int64_t first, int64_t total);
/* Reports at most five times a second, and always when `message` is given or done == total. True: the caller asked to
 * stop. */
bool pct_meter_update(pct_meter *meter, int64_t done, const char *message);

#endif
