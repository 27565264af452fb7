/* formats_safetensors.c: hostile safetensors files. */
#include "formats/safetensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static volatile unsigned sink;

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    pct_safetensors *file;
    percept_error error = {0};
    if (pct_safetensors_open_memory(&file, "fuzz", data, size, &error) != PERCEPT_OK) return 0;
    for (int64_t i = 0; i < pct_safetensors_count(file); i++) {
        const pct_safetensor *tensor = pct_safetensors_at(file, i);
        if (pct_safetensors_find(file, tensor->name) != tensor) abort();
        if ((size_t)tensor->elements * pct_safetensors_type_size(tensor->type) != tensor->size) abort();
        for (size_t k = 0; k < tensor->size; k++) sink += tensor->data[k];
    }
    const char *format = pct_safetensors_metadata(file, "format");
    if (format) sink += (unsigned)strlen(format);
    pct_safetensors_close(&file);
    return 0;
}
