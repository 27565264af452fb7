/* norm.c: layer_norm (Ba et al., arXiv 1607.06450) and rms_norm (Zhang & Sennrich, arXiv 1910.07467) over the last
 * dimension.
 *
 *   layer_norm  h = (x-mean)*rstd, y = h*gamma + beta
 *               dx = rstd*(g - mean(g) - h*mean(g*h)), g = dy*gamma; dgamma = sum dy*h, dbeta = sum dy
 *   rms_norm    rstd = 1/sqrt(mean(x^2)+eps), y = x*rstd*gamma
 *               dx = rstd*(g - x*rstd^2*mean(g*x)); dgamma = sum dy*x*rstd
 *
 * Statistics a row are kept; x is used, not copied. */
#include "tensor/ops/common.h"

#include <string.h>

typedef struct job {
    const pct_kernels *kernels;
    bool rms;
    pct_real *y, *mean, *rstd;
    uint16_t *half; /* instead of y */
    pct_op_norm_flow flow;
    const pct_real *x, *dy, *gamma, *beta;
    int64_t width;
    pct_real epsilon;
} job;

static void norm_rows(const job *j, pct_real *y, int64_t begin, int64_t count) {
    const pct_real *x = j->x + begin * j->width;
    if (j->rms) {
        j->kernels->rms_norm(y, j->rstd + begin, x, j->gamma, count, j->width, j->epsilon);
    } else {
        j->kernels->layer_norm(y, j->mean + begin, j->rstd + begin, x, j->gamma, j->beta, count, j->width, j->epsilon);
    }
}

static void norm_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    if (!j->half) {
        norm_rows(j, j->y + begin * j->width, begin, end - begin);
        return;
    }
    pct_real block[PCT_OP_HALF];
    int64_t step = PCT_OP_HALF / j->width;
    for (int64_t row = begin; row < end; row += step) {
        int64_t count = pct_min_i64(step, end - row);
        norm_rows(j, block, row, count);
        j->kernels->to_bf16(j->half + row * j->width, block, count * j->width);
    }
}

/* Some rows at a time, so that a fresh gradient can be zeroed while it is in the cache. */
static void norm_back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    pct_real *dgamma = j->flow.partial ? j->flow.partial + 2 * j->width * worker : NULL;
    pct_real *dbeta = dgamma ? dgamma + j->width : NULL;
    int64_t step = pct_max_i64(1, PCT_BLOCK / j->width);
    for (int64_t row = begin; row < end; row += step) {
        int64_t rows = pct_min_i64(step, end - row), at = row * j->width;
        pct_real *dx = j->flow.dx + at;
        if (j->flow.fresh) memset(dx, 0, pct_op_bytes(rows * j->width));
        if (j->rms) {
            j->kernels->rms_norm_back(dx, dgamma, j->dy + at, j->x + at, j->gamma, j->rstd + row, rows, j->width);
        } else {
            j->kernels->layer_norm_back(dx, dgamma, dbeta, j->dy + at, j->x + at, j->gamma, j->mean + row,
                                        j->rstd + row, rows, j->width);
        }
    }
}

static void norm_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0], *gamma = node->input[1], *beta = node->inputs == 3 ? node->input[2] : NULL;
    job j = *(const job *)node->saved;
    j.dy = node->output->grad;
    pct_op_norm_back(tape, x, gamma, beta, &j.flow, norm_back_part, &j);
}

static pct_tensor *norm(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_real epsilon, bool rms,
                        bool half) {
    int64_t width = pct_tensor_width(x), rows = pct_tensor_rows(x);
    PCT_SHAPE(tape, pct_tensor_count(gamma) == width && (!beta || pct_tensor_count(beta) == width));
    pct_tensor *y = half ? pct_tape_half(tape, x->rank, x->dim) : pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .rms = rms, .y = y->data, .x = x->data, .width = width};
    j.half = half ? y->twin : NULL;
    j.epsilon = epsilon;
    j.gamma = pct_tape_plain(tape, gamma);
    j.beta = beta ? pct_tape_plain(tape, beta) : NULL;
    j.mean = rms ? NULL : pct_tape_take(tape, pct_op_bytes(rows));
    j.rstd = pct_tape_take(tape, pct_op_bytes(rows));
    if (pct_tape_failed(tape)) return y;
    pct_parallel_for(tape->compute->pool, rows, pct_op_grain(width), norm_part, &j);
    pct_tensor *inputs[] = {x, gamma, beta};
    const char *name = rms ? "rms_norm" : "layer_norm";
    pct_node *node = pct_tape_record(tape, name, norm_back, y, inputs, beta ? 3 : 2, sizeof j);
    if (node) *(job *)node->saved = j;
    pct_op_keep(node, x);
    pct_op_keep(node, gamma);
    return y;
}

pct_tensor *pct_op_layer_norm(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_real epsilon) {
    return norm(tape, x, gamma, beta, epsilon, false, false);
}

pct_tensor *pct_op_rms_norm(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_real epsilon) {
    return norm(tape, x, gamma, NULL, epsilon, true, false);
}

pct_tensor *pct_op_norm_half(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_real epsilon,
                             bool rms) {
    return norm(tape, x, gamma, beta, epsilon, rms, pct_tape_halves(tape) && pct_tensor_width(x) <= PCT_OP_HALF);
}
