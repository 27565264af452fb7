/* progress.c: see progress.h. */
#include "base/progress.h"

#include "base/clock.h"

#define SECONDS_BETWEEN_REPORTS 0.2

void pct_meter_start(pct_meter *meter, percept_progress_fn *callback, void *context, const char *stage,
                     const char *unit, int64_t first, int64_t total) {
    *meter = (pct_meter){.callback = callback,
                         .context = context,
                         .stage = stage,
                         .unit = unit,
                         .total = total,
                         .first = first,
                         .started = pct_clock_seconds()};
}

bool pct_meter_update(pct_meter *meter, int64_t done, const char *message) {
    if (!meter->callback) return false;
    double now = pct_clock_seconds();
    if (!message && done != meter->total && now - meter->reported < SECONDS_BETWEEN_REPORTS) return false;
    meter->reported = now;
    double seconds = now - meter->started;
    percept_progress progress = {.stage = meter->stage,
                                 .unit = meter->unit,
                                 .done = done,
                                 .total = meter->total,
                                 .seconds_left = -1,
                                 .message = message};
    if (done > meter->first && seconds > 0) {
        progress.rate = (double)(done - meter->first) / seconds;
        if (meter->total) progress.seconds_left = (double)(meter->total - done) / progress.rate;
    }
    return meter->callback(meter->context, &progress);
}
