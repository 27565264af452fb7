/* sum.c: weighted_sum, y = sum_i f_i l_i over scalars, dl_i = f_i dy; sum, y = sum of all x, dx = dy everywhere. */
#include "tensor/ops/common.h"

#include <string.h>

static void weighted_sum_back(pct_tape *tape, pct_node *node) {
    const pct_real *factor = node->saved;
    for (int i = 0; i < node->inputs; i++) {
        if (!node->input[i]->needs_grad) continue;
        pct_real *g = pct_tape_grad(tape, node->input[i]);
        if (!g) return;
        g[0] += factor[i] * node->output->grad[0];
    }
}

pct_tensor *pct_op_weighted_sum(pct_tape *tape, pct_tensor *const *loss, const pct_real *factor, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
        PCT_SHAPE(tape, pct_tensor_count(loss[i]) == 1);
        if (!pct_tape_failed(tape)) sum += (double)factor[i] * (double)pct_tensor_data(loss[i])[0];
    }
    pct_tensor *y = pct_op_scalar(tape, sum);
    pct_node *node = pct_tape_record(tape, "weighted_sum", weighted_sum_back, y, loss, count, pct_op_bytes(count));
    if (node) memcpy(node->saved, factor, pct_op_bytes(count));
    return y;
}

typedef struct sum_job {
    const pct_real *x;
    int64_t count;
} sum_job;

static double sum_block(const void *context, int64_t block) {
    const sum_job *j = context;
    int64_t end = pct_min_i64(j->count, (block + 1) * PCT_BLOCK);
    double sum = 0;
    for (int64_t i = block * PCT_BLOCK; i < end; i++) sum += (double)j->x[i];
    return sum;
}

static void sum_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    bool fresh;
    pct_real *dx = pct_tape_grad_fresh(tape, x, &fresh), g = node->output->grad[0];
    if (!dx) return;
    for (int64_t i = 0; i < pct_tensor_count(x); i++) dx[i] = (fresh ? 0 : dx[i]) + g;
}

pct_tensor *pct_op_sum(pct_tape *tape, pct_tensor *x) {
    if (pct_tape_failed(tape)) return pct_op_scalar(tape, 0);
    sum_job j = {x->data, pct_tensor_count(x)};
    double sum = pct_op_sum_blocks(tape, (j.count + PCT_BLOCK - 1) / PCT_BLOCK, 4, sum_block, &j);
    pct_tensor *y = pct_op_scalar(tape, sum);
    pct_tape_record(tape, "sum", sum_back, y, &x, 1, 0);
    return y;
}
