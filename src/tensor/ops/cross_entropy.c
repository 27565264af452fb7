/* cross_entropy.c: loss = sum_i w_i l_i / sum_i w_i over rows with a target t_i >= 0,
 *
 *   l = (1-s) (lse(x) - x[t]) + s (lse(x) - mean(x)),  lse = log sum exp, s = smoothing
 *   dx = w/sum(w) * (softmax(x) - (1-s) [t] - s/V) * dloss
 *
 * Nothing is kept: the way back computes the softmax anew, straight into the gradient, which on a recycling tape lies
 * where the logits lay when nobody else reads them. Rows that are left out take no
 * time beyond a zeroed gradient. */
#include "tensor/ops/common.h"

#include <string.h>

typedef struct job {
    const pct_kernels *kernels;
    const pct_real *x, *weight;
    const int32_t *target;
    int64_t width;
    double smoothing, share; /* dloss / sum of weights */
    pct_real *dx, *scratch;  /* scratch: a row a worker */
    double *loss;            /* a row */
    bool fresh;
} job;

static double weight_of(const job *j, int64_t row) {
    if (j->target[row] < 0) return 0;
    return j->weight ? (double)j->weight[row] : 1;
}

static void loss_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    pct_real *p = j->scratch + j->width * worker;
    for (int64_t row = begin; row < end; row++) {
        const pct_real *x = j->x + row * j->width;
        double weight = weight_of(j, row), loss = 0;
        if (weight != 0) {
            loss = (double)j->kernels->softmax(p, x, j->width) - (1 - j->smoothing) * (double)x[j->target[row]];
            double sum = 0;
            if (j->smoothing > 0) {
                for (int64_t i = 0; i < j->width; i++) sum += (double)x[i];
            }
            loss -= j->smoothing * sum / (double)j->width;
        }
        j->loss[row] = weight * loss;
    }
}

static void back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    for (int64_t row = begin; row < end; row++) {
        pct_real *dx = j->dx + row * j->width;
        double weight = weight_of(j, row);
        if (weight == 0) {
            if (j->fresh) memset(dx, 0, pct_op_bytes(j->width));
            continue;
        }
        pct_real *p = j->fresh ? dx : j->scratch + j->width * worker;
        pct_real scale = (pct_real)(weight * j->share), even = (pct_real)(j->smoothing / (double)j->width);
        j->kernels->softmax(p, j->x + row * j->width, j->width);
        p[j->target[row]] -= (pct_real)(1 - j->smoothing);
        for (int64_t i = 0; i < j->width; i++) p[i] = scale * (p[i] - even);
        if (!j->fresh) j->kernels->axpy(dx, 1, p, j->width);
    }
}

static size_t scratch_bytes(const pct_tape *tape, int64_t width) {
    return pct_op_bytes(width * pct_pool_threads(tape->compute->pool));
}

static void cross_entropy_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    job j = *(const job *)node->saved;
    j.share *= (double)node->output->grad[0];
    j.dx = pct_tape_grad_onto(tape, x, &j.fresh);
    j.scratch = pct_tape_take(tape, scratch_bytes(tape, j.width));
    if (!j.dx || !j.scratch) return;
    pct_parallel_for(tape->compute->pool, pct_tensor_rows(x), pct_op_grain(4 * j.width), back_part, &j);
    pct_tape_give(tape, j.scratch, scratch_bytes(tape, j.width));
}

pct_tensor *pct_op_cross_entropy(pct_tape *tape, pct_tensor *logits, const int32_t *target, const pct_real *weight,
                                 pct_real smoothing) {
    PCT_ASSERT(smoothing >= 0 && smoothing < 1);
    int64_t width = pct_tensor_width(logits), rows = pct_tensor_rows(logits);
    for (int64_t i = 0; i < rows; i++) PCT_SHAPE(tape, target[i] < width);
    pct_tensor *loss = pct_op_scalar(tape, 0);
    job j = {.kernels = &tape->compute->kernels, .x = logits->data, .weight = weight, .target = target, .width = width};
    j.smoothing = (double)smoothing;
    if (pct_tape_failed(tape)) return loss;
    j.loss = pct_tape_take(tape, (size_t)rows * sizeof(double));
    j.scratch = pct_tape_take(tape, scratch_bytes(tape, width));
    if (pct_tape_failed(tape)) return loss;
    pct_parallel_for(tape->compute->pool, rows, pct_op_grain(4 * width), loss_part, &j);
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < rows; i++) {
        sum += j.loss[i];
        weights += weight_of(&j, i);
    }
    j.share = weights > 0 ? 1 / weights : 0;
    pct_tensor_data(loss)[0] = (pct_real)(sum * j.share);
    pct_node *node = pct_tape_record(tape, "cross_entropy", cross_entropy_back, loss, &logits, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    pct_op_keep(node, logits);
    return loss;
}
