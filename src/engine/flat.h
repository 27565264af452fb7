/* flat.h: the reader of flat requests, for its fuzz target. */
#ifndef PCT_ENGINE_FLAT_H
#define PCT_ENGINE_FLAT_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Reads a request (percept/flat.h) about a picture of that size and forgets it again. */
percept_status pct_flat_check(const char *text, size_t length, int32_t width, int32_t height, percept_error *error);

/* The same of a request to go on with a text (percept_flat_complete). */
percept_status pct_flat_check_completing(const char *text, size_t length, percept_error *error);

#endif
