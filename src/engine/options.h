/* options.h: options structs of callers that were compiled with another version of the headers.
 *
 * Each begins with its size. A smaller one than ours is an older caller's: what it does not have keeps our default. A
 * larger one is refused, because it may ask for what this library cannot do. */
#ifndef PCT_ENGINE_OPTIONS_H
#define PCT_ENGINE_OPTIONS_H

#include "base/error.h"

#include <stddef.h>

/* Copies *from over *into, which holds the defaults; from NULL leaves them. `what` names the struct in the message. */
percept_status pct_options_take(void *into, size_t known, const void *from, const char *what, percept_error *error);

#endif
