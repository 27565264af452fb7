/* add_scaled.c: y = start + x * scale, one factor a column, as vision transformers scale what a layer adds (Touvron et
 * al., arXiv 2103.17239).
 *
 *   dstart = dy, dx = dy * scale, dscale[d] = sum over rows of dy * x
 */
#include "tensor/ops/common.h"

#include <string.h>

typedef struct job {
    const pct_kernels *kernels;
    pct_real *y;
    const pct_real *start, *x, *scale, *dy;
    pct_real *dscale;
    int64_t rows, width;
    bool fresh;
} job;

static void forward_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const int64_t at = row * j->width;
        memcpy(j->y + at, j->start + at, pct_op_bytes(j->width));
        j->kernels->mul_add(j->y + at, j->x + at, j->scale, j->width);
    }
}

static void back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const int64_t at = row * j->width;
        if (j->fresh) {
            j->kernels->mul(j->y + at, j->dy + at, j->scale, j->width);
        } else {
            j->kernels->mul_add(j->y + at, j->dy + at, j->scale, j->width);
        }
    }
}

/* Columns are split, so that sums are in the order of rows whatever the thread count. */
static void scale_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = 0; row < j->rows; row++) {
        const int64_t at = row * j->width + begin;
        j->kernels->mul_add(j->dscale + begin, j->dy + at, j->x + at, end - begin);
    }
}

static void add_scaled_back(pct_tape *tape, pct_node *node) {
    pct_tensor *start = node->input[0], *x = node->input[1], *scale = node->input[2];
    job j = *(const job *)node->saved;
    j.dy = node->output->grad;
    if (x->needs_grad) {
        j.y = pct_tape_grad_fresh(tape, x, &j.fresh);
        if (j.y) pct_parallel_for(tape->compute->pool, j.rows, pct_op_grain(j.width), back_part, &j);
    }
    if (scale->needs_grad) {
        const int64_t grain = pct_max_i64(16, PCT_GRAIN / pct_max_i64(j.rows, 1));
        j.dscale = pct_tape_grad(tape, scale);
        if (j.dscale) pct_parallel_for(tape->compute->pool, j.width, grain, scale_part, &j);
    }
    pct_op_pass(tape, node, start); /* last: the output may lose its gradient to it */
}

pct_tensor *pct_op_add_scaled(pct_tape *tape, pct_tensor *start, pct_tensor *x, pct_tensor *scale) {
    PCT_SHAPE(tape, pct_op_same_shape(start, x) && pct_tensor_count(scale) == pct_tensor_width(x));
    pct_tensor *y = pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .y = y->data, .start = start->data, .x = x->data};
    j.scale = pct_tape_plain(tape, scale);
    j.rows = pct_tensor_rows(x);
    j.width = pct_tensor_width(x);
    if (pct_tape_failed(tape)) return y;
    pct_parallel_for(tape->compute->pool, j.rows, pct_op_grain(j.width), forward_part, &j);
    pct_tensor *inputs[] = {start, x, scale};
    pct_node *node = pct_tape_record(tape, "add_scaled", add_scaled_back, y, inputs, 3, sizeof j);
    if (node) *(job *)node->saved = j;
    if (scale->needs_grad) pct_op_keep(node, x);
    if (x->needs_grad) pct_op_keep(node, scale);
    return y;
}
