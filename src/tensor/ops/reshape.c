/* reshape.c: the same data under another shape. y = x; dx = dy, by sharing the buffer: no node is left. */
#include "tensor/ops/common.h"

pct_tensor *pct_op_reshape(pct_tape *tape, pct_tensor *x, int rank, const int64_t *dim) {
    return pct_tape_view(tape, x, rank, dim);
}
