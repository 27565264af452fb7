/* options.c: see options.h. */
#include "engine/options.h"

#include <string.h>

percept_status pct_options_take(void *into, size_t known, const void *from, const char *what, percept_error *error) {
    if (!from) return PERCEPT_OK;
    size_t size;
    memcpy(&size, from, sizeof size);
    if (size < sizeof size || size > known) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "%s: size is %zu, this library knows 8 to %zu; call the struct's _init function, or use the "
                        "library that belongs to the headers",
                        what, size, known);
    }
    memcpy(into, from, size);
    memcpy(into, &known, sizeof known);
    return PERCEPT_OK;
}
