/* norm_activate.c: y = start + f(layer_norm(x)), what follows a convolution in a block.
 *
 * Rows go through the stack, some at a time: the norm's output is never in memory, and is computed anew on the way
 * back: with n = layer_norm(x), dn = f'(n) dy, then as in norm.c; dstart = dy. */
#include "tensor/ops/common.h"

#include <string.h>

typedef struct job {
    const pct_kernels *kernels;
    enum pct_activation f;
    pct_real *y;
    uint16_t *half;
    pct_op_norm_flow flow;
    const pct_real *x, *dy, *gamma, *beta, *start;
    int64_t width;
    pct_real epsilon;
} job;

#define STATISTICS PCT_OP_HALF /* rows of a block at most: of width 1 */

static void forward_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    int64_t step = PCT_OP_HALF / j->width;
    pct_real block[PCT_OP_HALF], mean[STATISTICS], rstd[STATISTICS];
    (void)worker;
    for (int64_t row = begin; row < end; row += step) {
        int64_t rows = pct_min_i64(step, end - row), count = rows * j->width, at = row * j->width;
        j->kernels->layer_norm(block, mean, rstd, j->x + at, j->gamma, j->beta, rows, j->width, j->epsilon);
        pct_real *to = j->half || j->start ? block : j->y + at;
        j->kernels->activate[j->f](to, block, count);
        if (j->start) j->kernels->add(j->y + at, j->start + at, block, count);
        if (j->half) j->kernels->to_bf16(j->half + at, block, count);
    }
}

static void back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    int64_t step = PCT_OP_HALF / j->width;
    pct_real block[PCT_OP_HALF], slope[PCT_OP_HALF], mean[STATISTICS], rstd[STATISTICS];
    pct_real *dgamma = j->flow.partial ? j->flow.partial + 2 * j->width * worker : NULL;
    for (int64_t row = begin; row < end; row += step) {
        int64_t rows = pct_min_i64(step, end - row), count = rows * j->width, at = row * j->width;
        j->kernels->layer_norm(block, mean, rstd, j->x + at, j->gamma, j->beta, rows, j->width, j->epsilon);
        const pct_real *dn = j->dy + at;
        if (j->f != PCT_IDENTITY) {
            memset(slope, 0, pct_op_bytes(count));
            j->kernels->activate_back[j->f](slope, dn, block, count);
            dn = slope;
        }
        if (j->flow.fresh) memset(j->flow.dx + at, 0, pct_op_bytes(count));
        j->kernels->layer_norm_back(j->flow.dx + at, dgamma, dgamma ? dgamma + j->width : NULL, dn, j->x + at, j->gamma,
                                    mean, rstd, rows, j->width);
    }
}

static void norm_activate_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0], *gamma = node->input[1], *beta = node->input[2], *start = node->input[3];
    job j = *(const job *)node->saved;
    j.dy = node->output->grad;
    j.x = x->data;
    pct_op_norm_back(tape, x, gamma, beta, &j.flow, back_part, &j);
    if (start) pct_op_pass(tape, node, start);
}

/* The same in steps, for rows that do not fit the stack. */
static pct_tensor *in_steps(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_real epsilon,
                            enum pct_activation f, pct_tensor *start) {
    pct_tensor *y = pct_op_layer_norm(tape, x, gamma, beta, epsilon);
    if (f != PCT_IDENTITY) y = pct_op_activate(tape, y, f);
    return start ? pct_op_add(tape, start, y) : y;
}

pct_tensor *pct_op_norm_activate(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_real epsilon,
                                 enum pct_activation f, pct_tensor *start, bool half) {
    int64_t width = pct_tensor_width(x);
    PCT_SHAPE(tape, pct_tensor_count(gamma) == width && (!beta || pct_tensor_count(beta) == width));
    PCT_SHAPE(tape, !start || pct_op_same_shape(start, x));
    PCT_ASSERT(!start || !half);
    if (width > PCT_OP_HALF) return in_steps(tape, x, gamma, beta, epsilon, f, start);
    half = half && pct_tape_halves(tape);
    pct_tensor *y = half ? pct_tape_half(tape, x->rank, x->dim) : pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .f = f, .y = y->data, .x = x->data, .width = width};
    j.half = half ? y->twin : NULL;
    j.start = start ? start->data : NULL;
    j.epsilon = epsilon;
    j.gamma = pct_tape_plain(tape, gamma);
    j.beta = beta ? pct_tape_plain(tape, beta) : NULL;
    if (pct_tape_failed(tape)) return y;
    pct_parallel_for(tape->compute->pool, pct_tensor_rows(x), pct_op_grain(width), forward_part, &j);
    pct_tensor *inputs[] = {x, gamma, beta, start};
    pct_node *node = pct_tape_record(tape, "norm_activate", norm_activate_back, y, inputs, 4, sizeof j);
    if (node) *(job *)node->saved = j;
    pct_op_keep(node, x);
    pct_op_keep(node, gamma);
    if (beta) pct_op_keep(node, beta);
    return y;
}
