/* common.c: see common.h. */
#include "tensor/ops/common.h"

#include <string.h>

bool pct_op_same_shape(const pct_tensor *a, const pct_tensor *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++) {
        if (a->dim[i] != b->dim[i]) return false;
    }
    return true;
}

pct_tensor *pct_op_like(pct_tape *tape, const pct_tensor *x) {
    return pct_tape_tensor(tape, PCT_REAL, x->rank, x->dim);
}

pct_tensor *pct_op_like_width(pct_tape *tape, const pct_tensor *x, int64_t width) {
    int64_t dim[PCT_MAX_RANK];
    for (int i = 0; i < x->rank; i++) dim[i] = x->dim[i];
    dim[x->rank - 1] = width;
    return pct_tape_tensor(tape, PCT_REAL, x->rank, dim);
}

pct_tensor *pct_op_scalar(pct_tape *tape, double value) {
    const int64_t one = 1;
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 1, &one);
    if (y->data) pct_tensor_data(y)[0] = (pct_real)value;
    return y;
}

typedef struct flow_job {
    const pct_kernels *kernels;
    pct_real *to;
    const pct_real *g;
    bool fresh;
    int64_t rows, width;
} flow_job;

static void flow_part(void *context, int64_t begin, int64_t end, int worker) {
    const flow_job *job = context;
    (void)worker;
    if (job->fresh) {
        memcpy(job->to + begin, job->g + begin, pct_op_bytes(end - begin));
    } else {
        job->kernels->axpy(job->to + begin, 1, job->g + begin, end - begin);
    }
}

void pct_op_flow(pct_tape *tape, pct_tensor *to, const pct_real *g) {
    if (!to->needs_grad) return;
    flow_job job = {.kernels = &tape->compute->kernels, .g = g};
    job.to = pct_tape_grad_fresh(tape, to, &job.fresh);
    if (job.to) pct_parallel_for(tape->compute->pool, pct_tensor_count(to), PCT_GRAIN, flow_part, &job);
}

void pct_op_pass(pct_tape *tape, pct_node *node, pct_tensor *to) {
    if (!to->needs_grad || pct_tape_grad_pass(tape, node->output, to)) return;
    pct_op_flow(tape, to, node->output->grad);
}

static void flow_columns(void *context, int64_t begin, int64_t end, int worker) {
    const flow_job *job = context;
    (void)worker;
    for (int64_t row = 0; row < job->rows; row++) {
        job->kernels->axpy(job->to + begin, 1, job->g + row * job->width + begin, end - begin);
    }
}

void pct_op_flow_columns(pct_tape *tape, pct_tensor *to, const pct_real *g, int64_t rows, int64_t width) {
    if (!to->needs_grad) return;
    flow_job job = {.kernels = &tape->compute->kernels, .g = g, .rows = rows, .width = width};
    job.to = pct_tape_grad(tape, to);
    /* Columns, not rows, are split: no partial sums, and never fewer than a cache line a worker. */
    int64_t grain = pct_max_i64(16, PCT_GRAIN / pct_max_i64(rows, 1));
    if (job.to) pct_parallel_for(tape->compute->pool, width, grain, flow_columns, &job);
}

void pct_op_norm_back(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_op_norm_flow *flow,
                      pct_parallel_body *rows, void *job) {
    const int64_t width = pct_tensor_width(x);
    const int workers = pct_pool_threads(tape->compute->pool);
    const size_t bytes = pct_op_bytes(pct_tensor_count(x)), partial_bytes = pct_op_bytes(2 * width * workers);
    *flow = (pct_op_norm_flow){.fresh = true};
    flow->dx = x->needs_grad ? pct_tape_grad_fresh(tape, x, &flow->fresh) : pct_tape_take(tape, bytes);
    if (gamma->needs_grad || (beta && beta->needs_grad)) {
        flow->partial = pct_tape_take(tape, partial_bytes);
        if (flow->partial) memset(flow->partial, 0, partial_bytes);
    }
    if (pct_tape_failed(tape)) return;
    pct_parallel_for(tape->compute->pool, pct_tensor_rows(x), pct_op_grain(width), rows, job);
    if (!x->needs_grad) pct_tape_give(tape, flow->dx, bytes);
    if (!flow->partial) return;
    pct_op_flow_partials(tape, gamma, flow->partial, 2 * width, workers, width);
    pct_op_flow_partials(tape, beta, flow->partial + width, 2 * width, workers, width);
    pct_tape_give(tape, flow->partial, partial_bytes);
}

void pct_op_keep(const pct_node *node, pct_tensor *x) {
    pct_tensor *root = x->base ? x->base : x;
    if (node) root->keeps++;
}

void pct_op_keep_form(const pct_tape *tape, const pct_node *node, pct_tensor *x) {
    pct_tensor *root = x->base ? x->base : x;
    if (!node) return;
    if (tape->product == PCT_BF16) {
        root->twin_keeps++;
    } else {
        root->keeps++;
    }
}

typedef struct sum_job {
    pct_op_block_sum *body;
    const void *context;
    double *partial;
} sum_job;

static void sum_part(void *context, int64_t begin, int64_t end, int worker) {
    const sum_job *job = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++) job->partial[i] = job->body(job->context, i);
}

double pct_op_sum_blocks(pct_tape *tape, int64_t blocks, int64_t grain, pct_op_block_sum *body, const void *context) {
    size_t bytes = (size_t)blocks * sizeof(double);
    sum_job job = {body, context, pct_tape_take(tape, bytes)};
    if (!job.partial) return NAN;
    pct_parallel_for(tape->compute->pool, blocks, grain, sum_part, &job);
    double sum = 0;
    for (int64_t i = 0; i < blocks; i++) sum += job.partial[i];
    pct_tape_give(tape, job.partial, bytes);
    return sum;
}

void pct_op_flow_partials(pct_tape *tape, pct_tensor *to, const pct_real *partial, int64_t stride, int workers,
                          int64_t width) {
    if (!to || !to->needs_grad) return;
    pct_real *grad = pct_tape_grad(tape, to);
    for (int w = 0; grad && w < workers; w++) tape->compute->kernels.axpy(grad, 1, partial + stride * w, width);
}

typedef struct dot_job {
    const pct_kernels *kernels;
    const pct_real *a, *b;
    int64_t count;
} dot_job;

static double dot_block(const void *context, int64_t block) {
    const dot_job *d = context;
    int64_t begin = block * PCT_BLOCK;
    return d->kernels->dot(d->a + begin, d->b + begin, pct_min_i64(PCT_BLOCK, d->count - begin));
}

double pct_op_dot(pct_tape *tape, const pct_real *a, const pct_real *b, int64_t count) {
    dot_job d = {&tape->compute->kernels, a, b, count};
    return pct_op_sum_blocks(tape, (count + PCT_BLOCK - 1) / PCT_BLOCK, 4, dot_block, &d);
}
