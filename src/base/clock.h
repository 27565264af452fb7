/* clock.h: time that only goes forward, and the memory this process has touched. */
#ifndef PCT_BASE_CLOCK_H
#define PCT_BASE_CLOCK_H

#include <stdint.h>

/* Seconds since an arbitrary moment. */
double pct_clock_seconds(void);
/* Seconds of processor time that this process has used, of all its threads together. */
double pct_clock_cpu_seconds(void);
/* Largest resident set of this process so far, in bytes; 0 where it is not known. */
int64_t pct_peak_resident_bytes(void);

#endif
