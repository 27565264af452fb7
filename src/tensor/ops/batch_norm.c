/* batch_norm.c: batch norm (Ioffe & Szegedy, arXiv 1502.03167) with statistics that stand still, a channel = the last
 * dimension.
 *
 *   y = (x-mean)*r*gamma + beta, r = 1/sqrt(variance+epsilon)
 *   dx = dy*r*gamma; dgamma = sum dy*(x-mean)*r; dbeta = sum dy
 *
 * On the way back columns, not rows, are split: sums keep their order whatever the thread count. */
#include "tensor/ops/common.h"

#include <string.h>

typedef struct job {
    const pct_kernels *kernels;
    pct_real *y; /* back: dx, or NULL */
    const pct_real *x, *dy, *gamma, *beta, *mean, *variance;
    pct_real *factor, *offset; /* (width): y = x*factor + offset */
    pct_real *dgamma;          /* or NULL */
    int64_t rows, width;
    pct_real epsilon;
    bool fresh;
} job;

static pct_real spread_of(const job *j, int64_t channel) { return 1 / PCT_SQRT(j->variance[channel] + j->epsilon); }

static void forward_rows(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        pct_real *y = j->y + row * j->width;
        memcpy(y, j->offset, pct_op_bytes(j->width));
        j->kernels->mul_add(y, j->x + row * j->width, j->factor, j->width);
    }
}

static void back_rows(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const pct_real *dy = j->dy + row * j->width;
        if (j->fresh)
            j->kernels->mul(j->y + row * j->width, dy, j->factor, j->width);
        else
            j->kernels->mul_add(j->y + row * j->width, dy, j->factor, j->width);
    }
}

#define COLUMNS 64 /* of which sums lie on the stack */

/* Over runs of COLUMNS channels. */
static void back_gamma(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t run = begin; run < end; run++) {
        const int64_t first = run * COLUMNS, count = pct_min_i64(COLUMNS, j->width - first);
        pct_real with_x[COLUMNS] = {0}, alone[COLUMNS] = {0};
        for (int64_t row = 0; row < j->rows; row++) {
            const int64_t at = row * j->width + first;
            j->kernels->mul_add(with_x, j->dy + at, j->x + at, count);
            j->kernels->axpy(alone, 1, j->dy + at, count);
        }
        for (int64_t i = 0; i < count; i++)
            j->dgamma[first + i] += spread_of(j, first + i) * (with_x[i] - j->mean[first + i] * alone[i]);
    }
}

static void batch_norm_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0], *gamma = node->input[1], *beta = node->input[2];
    job j = *(const job *)node->saved;
    j.dy = node->output->grad;
    j.y = x->needs_grad ? pct_tape_grad_fresh(tape, x, &j.fresh) : NULL;
    j.dgamma = gamma->needs_grad ? pct_tape_grad(tape, gamma) : NULL;
    if (pct_tape_failed(tape)) return;
    if (j.y) pct_parallel_for(tape->compute->pool, j.rows, pct_op_grain(j.width), back_rows, &j);
    if (j.dgamma) pct_parallel_for(tape->compute->pool, (j.width + COLUMNS - 1) / COLUMNS, 1, back_gamma, &j);
    pct_op_flow_columns(tape, beta, j.dy, j.rows, j.width);
}

pct_tensor *pct_op_batch_norm(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_tensor *mean,
                              pct_tensor *variance, pct_real epsilon) {
    const int64_t width = pct_tensor_width(x);
    PCT_SHAPE(tape, pct_tensor_count(gamma) == width && pct_tensor_count(beta) == width);
    PCT_SHAPE(tape, pct_tensor_count(mean) == width && pct_tensor_count(variance) == width);
    PCT_ASSERT(!mean->needs_grad && !variance->needs_grad);
    pct_tensor *y = pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .y = y->data, .x = x->data, .width = width, .epsilon = epsilon};
    j.rows = pct_tensor_rows(x);
    j.gamma = pct_tape_plain(tape, gamma);
    j.beta = pct_tape_plain(tape, beta);
    j.mean = pct_tape_plain(tape, mean);
    j.variance = pct_tape_plain(tape, variance);
    j.factor = pct_tape_take(tape, pct_op_bytes(width));
    j.offset = pct_tape_take(tape, pct_op_bytes(width));
    if (pct_tape_failed(tape)) return y;
    for (int64_t i = 0; i < width; i++) {
        j.factor[i] = spread_of(&j, i) * j.gamma[i];
        j.offset[i] = j.beta[i] - j.mean[i] * j.factor[i];
    }
    pct_parallel_for(tape->compute->pool, j.rows, pct_op_grain(width), forward_rows, &j);
    pct_node *node =
        pct_tape_record(tape, "batch_norm", batch_norm_back, y, (pct_tensor *[]){x, gamma, beta}, 3, sizeof j);
    if (node) {
        *(job *)node->saved = j;
    } else {
        pct_tape_give(tape, j.factor, pct_op_bytes(width));
    }
    pct_tape_give(tape, j.offset, pct_op_bytes(width));
    pct_op_keep(node, mean);
    pct_op_keep(node, variance);
    if (gamma->needs_grad) pct_op_keep(node, x);
    return y;
}
