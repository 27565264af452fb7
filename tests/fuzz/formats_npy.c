/* formats_npy.c: hostile .npy files. */
#include "formats/npy.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static volatile double sink;

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    pct_npy array;
    percept_error error = {0};
    if (pct_npy_read_memory(&array, "fuzz", data, size, &error) == PERCEPT_OK) {
        for (int64_t i = 0; i < array.count; i++) sink = pct_npy_at(&array, i);
        pct_npy_free(&array);
    }
    return 0;
}
