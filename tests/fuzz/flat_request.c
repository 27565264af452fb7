/* flat_request.c: hostile JSON requests of percept/flat.h, about a picture of 64 x 48. */
#include "engine/flat.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    percept_error error = {0};
    percept_status status = pct_flat_check((const char *)data, size, 64, 48, &error);
    if (status != PERCEPT_OK && (error.status != status || !error.message[0])) abort();
    if (status != PERCEPT_OK && status != PERCEPT_ERROR_USAGE && status != PERCEPT_ERROR_RESOURCE) abort();
    error = (percept_error){0};
    status = pct_flat_check_completing((const char *)data, size, &error);
    if (status != PERCEPT_OK && (error.status != status || !error.message[0])) abort();
    if (status != PERCEPT_OK && status != PERCEPT_ERROR_USAGE && status != PERCEPT_ERROR_RESOURCE) abort();
    return 0;
}
