/* mask_losses.c: losses of logits x against targets t in 0..1, p = sigmoid(x).
 *
 *   bce   sum w (max(x,0) - x t + log(1+exp(-|x|))) / sum w         dx = w (p-t) / sum w
 *   dice  sum_q w_q (1 - (2 sum(p t)+e) / (sum p + sum t + e)) / sum w   (Milletari et al., arXiv 1606.04797)
 *         with N and D the fraction's halves: dp = -w_q (2 t D - N) / D^2 / sum w, dx = p (1-p) dp
 *
 * p is not kept but computed anew on the way back. Sums run over fixed blocks, whatever the thread count. */
#include "tensor/ops/common.h"

typedef struct job {
    const pct_kernels *kernels;
    const pct_real *x, *target, *weight;
    pct_real *dx;
    int64_t count, width; /* dice: elements a mask */
    double share;         /* dloss / sum of weights */
    double epsilon, *numerator, *denominator;
    bool fresh;
} job;

#define CHUNK 512 /* elements whose p lives on the stack */

static void sigmoid(const job *j, pct_real *p, const pct_real *x, int64_t count) {
    j->kernels->activate[PCT_SIGMOID](p, x, count);
}

/* ---- bce --------------------------------------------------------------------------------------------------------- */

static double bce_block(const void *context, int64_t block) {
    const job *j = context;
    int64_t end = pct_min_i64(j->count, (block + 1) * PCT_BLOCK);
    double sum = 0;
    for (int64_t at = block * PCT_BLOCK; at < end; at += CHUNK) {
        int64_t count = pct_min_i64(CHUNK, end - at);
        pct_real size[CHUNK], p[CHUNK];
        for (int64_t i = 0; i < count; i++) size[i] = PCT_FABS(j->x[at + i]);
        sigmoid(j, p, size, count); /* log(1+exp(-|x|)) = -log(sigmoid(|x|)) */
        for (int64_t i = 0; i < count; i++) {
            pct_real x = j->x[at + i], loss = (x > 0 ? x : 0) - x * j->target[at + i] - PCT_LOG(p[i]);
            sum += (double)(j->weight ? j->weight[at + i] * loss : loss);
        }
    }
    return sum;
}

static double weight_block(const void *context, int64_t block) {
    const job *j = context;
    int64_t end = pct_min_i64(j->count, (block + 1) * PCT_BLOCK);
    double sum = 0;
    for (int64_t i = block * PCT_BLOCK; i < end; i++) sum += (double)j->weight[i];
    return sum;
}

static void bce_back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    pct_real share = (pct_real)j->share;
    (void)worker;
    for (int64_t at = begin; at < end; at += CHUNK) {
        int64_t count = pct_min_i64(CHUNK, end - at);
        pct_real p[CHUNK];
        sigmoid(j, p, j->x + at, count);
        for (int64_t i = 0; i < count; i++) p[i] = share * (p[i] - j->target[at + i]);
        for (int64_t i = 0; j->weight && i < count; i++) p[i] *= j->weight[at + i];
        for (int64_t i = 0; i < count; i++) j->dx[at + i] = j->fresh ? p[i] : j->dx[at + i] + p[i];
    }
}

static void bce_back(pct_tape *tape, pct_node *node) {
    job j = *(const job *)node->saved;
    j.share *= (double)node->output->grad[0];
    j.dx = pct_tape_grad_fresh(tape, node->input[0], &j.fresh);
    if (j.dx) pct_parallel_for(tape->compute->pool, j.count, PCT_GRAIN / 4, bce_back_part, &j);
}

pct_tensor *pct_op_bce(pct_tape *tape, pct_tensor *logits, const pct_real *target, const pct_real *weight) {
    pct_tensor *loss = pct_op_scalar(tape, 0);
    if (pct_tape_failed(tape)) return loss;
    job j = {.kernels = &tape->compute->kernels, .x = logits->data, .target = target, .weight = weight};
    j.count = pct_tensor_count(logits);
    int64_t blocks = (j.count + PCT_BLOCK - 1) / PCT_BLOCK;
    double weights = weight ? pct_op_sum_blocks(tape, blocks, 4, weight_block, &j) : (double)j.count;
    double sum = pct_op_sum_blocks(tape, blocks, 1, bce_block, &j);
    if (pct_tape_failed(tape)) return loss;
    j.share = weights > 0 ? 1 / weights : 0;
    pct_tensor_data(loss)[0] = (pct_real)(sum * j.share);
    pct_node *node = pct_tape_record(tape, "bce", bce_back, loss, &logits, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    pct_op_keep(node, logits);
    return loss;
}

/* ---- dice -------------------------------------------------------------------------------------------------------- */

static void dice_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t q = begin; q < end; q++) {
        double both = 0, all = 0;
        for (int64_t at = 0; at < j->width; at += CHUNK) {
            int64_t count = pct_min_i64(CHUNK, j->width - at);
            const pct_real *t = j->target + q * j->width + at;
            pct_real p[CHUNK];
            sigmoid(j, p, j->x + q * j->width + at, count);
            both += (double)j->kernels->dot(p, t, count);
            for (int64_t i = 0; i < count; i++) all += (double)(p[i] + t[i]);
        }
        j->numerator[q] = 2 * both + j->epsilon;
        j->denominator[q] = all + j->epsilon;
    }
}

static void dice_back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t q = begin; q < end; q++) {
        double n = j->numerator[q], d = j->denominator[q], w = j->share * (j->weight ? (double)j->weight[q] : 1);
        pct_real even = (pct_real)(w * n / (d * d)), hit = (pct_real)(-2 * w / d);
        for (int64_t at = 0; at < j->width; at += CHUNK) {
            int64_t count = pct_min_i64(CHUNK, j->width - at), place = q * j->width + at;
            pct_real p[CHUNK];
            sigmoid(j, p, j->x + place, count);
            for (int64_t i = 0; i < count; i++) p[i] *= (1 - p[i]) * (hit * j->target[place + i] + even);
            for (int64_t i = 0; i < count; i++) j->dx[place + i] = j->fresh ? p[i] : j->dx[place + i] + p[i];
        }
    }
}

static void dice_back(pct_tape *tape, pct_node *node) {
    job j = *(const job *)node->saved;
    j.share *= (double)node->output->grad[0];
    j.dx = pct_tape_grad_fresh(tape, node->input[0], &j.fresh);
    if (j.dx) pct_parallel_for(tape->compute->pool, j.count, pct_op_grain(4 * j.width), dice_back_part, &j);
}

pct_tensor *pct_op_dice(pct_tape *tape, pct_tensor *logits, const pct_real *target, const pct_real *weight,
                        pct_real epsilon) {
    PCT_ASSERT(epsilon > 0);
    pct_tensor *loss = pct_op_scalar(tape, 0);
    if (pct_tape_failed(tape)) return loss;
    job j = {.kernels = &tape->compute->kernels, .x = logits->data, .target = target, .weight = weight};
    j.epsilon = (double)epsilon;
    j.count = logits->dim[0];
    j.width = pct_tensor_count(logits) / pct_max_i64(j.count, 1);
    j.numerator = pct_tape_take(tape, (size_t)j.count * sizeof(double));
    j.denominator = pct_tape_take(tape, (size_t)j.count * sizeof(double));
    if (pct_tape_failed(tape)) return loss;
    pct_parallel_for(tape->compute->pool, j.count, pct_op_grain(4 * j.width), dice_part, &j);
    double sum = 0, weights = 0;
    for (int64_t q = 0; q < j.count; q++) {
        double w = weight ? (double)weight[q] : 1;
        sum += w * (1 - j.numerator[q] / j.denominator[q]);
        weights += w;
    }
    j.share = weights > 0 ? 1 / weights : 0;
    pct_tensor_data(loss)[0] = (pct_real)(sum * j.share);
    pct_node *node = pct_tape_record(tape, "dice", dice_back, loss, &logits, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    pct_op_keep(node, logits);
    return loss;
}
