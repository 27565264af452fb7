/* tensor.c: counting elements; see tensor.h. */
#include "tensor/tensor.h"

int64_t pct_tensor_count(const pct_tensor *tensor) {
    int64_t count = 1;
    for (int i = 0; i < tensor->rank; i++) count *= tensor->dim[i];
    return count;
}

int64_t pct_tensor_rows(const pct_tensor *tensor) {
    int64_t rows = 1;
    for (int i = 0; i + 1 < tensor->rank; i++) rows *= tensor->dim[i];
    return rows;
}
