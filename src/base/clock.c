/* clock.c: see clock.h. */
#include "base/clock.h"

#include <sys/resource.h>
#include <time.h>

static double read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double pct_clock_seconds(void) { return read_clock(CLOCK_MONOTONIC); }

double pct_clock_cpu_seconds(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

int64_t pct_peak_resident_bytes(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return (int64_t)usage.ru_maxrss * 1024;
}
