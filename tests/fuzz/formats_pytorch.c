/* formats_pytorch.c: hostile PyTorch checkpoints: zip directory, pickle, tensors' places. */
#include "formats/pytorch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static volatile unsigned sink;

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    pct_pytorch *file;
    percept_error error = {0};
    if (pct_pytorch_open_memory(&file, "fuzz", data, size, &error) != PERCEPT_OK) return 0;
    for (int64_t i = 0; i < pct_pytorch_count(file); i++) {
        const pct_pytorch_tensor *tensor = pct_pytorch_at(file, i);
        const int64_t count =
            tensor->elements < 1000 ? tensor->elements : 1000; /* strides of 0 make any number of them */
        unsigned char out[8000];
        if (pct_pytorch_find(file, tensor->name) != tensor) abort();
        pct_pytorch_copy(tensor, 0, count, out);
        pct_pytorch_copy(tensor, tensor->elements - count, count, out);
        if (count > 0) sink += out[0];
    }
    pct_pytorch_close(&file);
    return 0;
}
