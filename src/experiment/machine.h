/* machine.h: what a result was made on: processor, its instruction sets, how many there are, the program's version. */
#ifndef PCT_EXPERIMENT_MACHINE_H
#define PCT_EXPERIMENT_MACHINE_H

#include <jansson.h>
#include <stdint.h>

/* An object; NULL: out of memory. No names of hosts or folders. */
json_t *pct_machine_describe(int64_t threads, uint32_t cpu_mask);

#endif
