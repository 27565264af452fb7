/* mix.c: the learned merge of hidden layers of PerceptionGPT (arXiv 2311.06612).
 *
 *   w = softmax(coef), y = sum_i w_i x_i
 *   dx_i += w_i dy,  g_i = <dy, x_i>,  dcoef_i += w_i (g_i - sum_j w_j g_j)
 */
#include "tensor/ops/common.h"

#include <string.h>

typedef struct job {
    const pct_kernels *kernels;
    pct_real *y;
    pct_tensor *const *x;
    const pct_real *weight;
    int count;
} job;

static void mix_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t at = begin; at < end; at += PCT_BLOCK) {
        int64_t n = pct_min_i64(PCT_BLOCK, end - at);
        memset(j->y + at, 0, pct_op_bytes(n));
        for (int i = 0; i < j->count; i++) {
            j->kernels->axpy(j->y + at, j->weight[i], pct_tensor_data(j->x[i]) + at, n);
        }
    }
}

typedef struct flow_job {
    const pct_kernels *kernels;
    pct_real *dx;
    const pct_real *dy;
    pct_real weight;
    bool fresh;
} flow_job;

static void flow_part(void *context, int64_t begin, int64_t end, int worker) {
    const flow_job *j = context;
    (void)worker;
    if (j->fresh) {
        for (int64_t i = begin; i < end; i++) j->dx[i] = j->weight * j->dy[i];
    } else {
        j->kernels->axpy(j->dx + begin, j->weight, j->dy + begin, end - begin);
    }
}

static void mix_back(pct_tape *tape, pct_node *node) {
    int count = node->inputs - 1;
    pct_tensor *coef = node->input[count];
    const pct_real *weight = node->saved, *dy = node->output->grad;
    int64_t elements = pct_tensor_count(node->output);
    const pct_kernels *kernels = &tape->compute->kernels;
    if (coef->needs_grad) {
        pct_real *dcoef = pct_tape_grad(tape, coef);
        double *g = pct_tape_take(tape, (size_t)count * sizeof *g), mean = 0;
        if (!dcoef || !g) return;
        for (int i = 0; i < count; i++) {
            g[i] = pct_op_dot(tape, dy, node->input[i]->data, elements);
            mean += (double)weight[i] * g[i];
        }
        for (int i = 0; i < count; i++) dcoef[i] += weight[i] * (pct_real)(g[i] - mean);
        pct_tape_give(tape, g, (size_t)count * sizeof *g);
    }
    for (int i = 0; i < count; i++) {
        if (!node->input[i]->needs_grad) continue;
        flow_job j = {.kernels = kernels, .dy = dy, .weight = weight[i]};
        j.dx = pct_tape_grad_fresh(tape, node->input[i], &j.fresh);
        if (!j.dx) return;
        pct_parallel_for(tape->compute->pool, elements, PCT_GRAIN, flow_part, &j);
    }
}

pct_tensor *pct_op_mix(pct_tape *tape, pct_tensor *const *x, int count, pct_tensor *coef) {
    PCT_ASSERT(count >= 1);
    PCT_SHAPE(tape, pct_tensor_count(coef) == count);
    for (int i = 1; i < count; i++) PCT_SHAPE(tape, pct_op_same_shape(x[0], x[i]));
    pct_tensor *y = pct_op_like(tape, x[0]);
    pct_real *weight = pct_tape_take(tape, pct_op_bytes(count));
    pct_tensor **inputs = pct_tape_take(tape, (size_t)(count + 1) * sizeof(pct_tensor *));
    if (pct_tape_failed(tape)) return y;
    for (int i = 0; i < count; i++) inputs[i] = x[i];
    inputs[count] = coef;
    const pct_real *logit = pct_tape_plain(tape, coef);
    if (pct_tape_failed(tape)) return y;
    tape->compute->kernels.softmax(weight, logit, count);
    job j = {&tape->compute->kernels, y->data, x, weight, count};
    pct_parallel_for(tape->compute->pool, pct_tensor_count(y), PCT_GRAIN / count + 1, mix_part, &j);
    pct_node *node = pct_tape_record(tape, "mix", mix_back, y, inputs, count + 1, pct_op_bytes(count));
    if (node) memcpy(node->saved, weight, pct_op_bytes(count));
    for (int i = 0; coef->needs_grad && i < count; i++) pct_op_keep(node, x[i]);
    return y;
}
