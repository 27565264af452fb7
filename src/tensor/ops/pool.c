/* pool.c: pooling of NHWC maps.
 *
 *   max_pool   y = the largest of each k x k window (padding never wins); dx of the winner += dy, the first on a tie
 *   mean_pool  y = the mean of each k x k cell; dx = dy / k^2
 *
 * The winner's place in its window is kept as a byte, so k <= 15. */
#include "tensor/ops/common.h"

#include <string.h>

typedef struct job {
    pct_real *y; /* forward: output; back: dx */
    const pct_real *x;
    uint8_t *winner;
    int64_t height, width, channels, out_height, out_width, kernel, stride, pad;
    bool fresh;
} job;

/* ---- max --------------------------------------------------------------------------------------------------------- */

static void max_window(const job *j, const pct_real *picture, int64_t oy, int64_t ox, pct_real *y, uint8_t *winner) {
    int64_t c = j->channels;
    bool first = true;
    for (int64_t k = 0; k < j->kernel * j->kernel; k++) {
        int64_t iy = oy * j->stride - j->pad + k / j->kernel, ix = ox * j->stride - j->pad + k % j->kernel;
        if (iy < 0 || iy >= j->height || ix < 0 || ix >= j->width) continue;
        const pct_real *x = picture + (iy * j->width + ix) * c;
        for (int64_t i = 0; i < c; i++) {
            bool wins = first || x[i] > y[i];
            y[i] = wins ? x[i] : y[i];
            winner[i] = wins ? (uint8_t)k : winner[i];
        }
        first = false;
    }
}

static void max_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const pct_real *picture = j->x + row / j->out_height * j->height * j->width * j->channels;
        for (int64_t ox = 0; ox < j->out_width; ox++) {
            int64_t at = (row * j->out_width + ox) * j->channels;
            max_window(j, picture, row % j->out_height, ox, j->y + at, j->winner + at);
        }
    }
}

#define LANE 16 /* channels a unit of work on the way back: windows overlap, channels do not */

static void max_back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    int64_t c = j->channels, lanes = (c + LANE - 1) / LANE;
    (void)worker;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t picture = unit / lanes, first = unit % lanes * LANE, last = pct_min_i64(c, first + LANE);
        pct_real *dx = j->y + picture * j->height * j->width * c;
        for (int64_t o = 0; o < j->out_height * j->out_width; o++) {
            int64_t at = (picture * j->out_height * j->out_width + o) * c;
            int64_t iy = o / j->out_width * j->stride - j->pad, ix = o % j->out_width * j->stride - j->pad;
            for (int64_t i = first; i < last; i++) {
                int64_t k = j->winner[at + i];
                dx[((iy + k / j->kernel) * j->width + ix + k % j->kernel) * c + i] += j->x[at + i];
            }
        }
    }
}

static void max_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    job j = *(const job *)node->saved;
    j.x = node->output->grad;
    j.y = pct_tape_grad(tape, x);
    int64_t units = x->dim[0] * ((j.channels + LANE - 1) / LANE);
    if (j.y) pct_parallel_for(tape->compute->pool, units, 1, max_back_part, &j);
}

static job geometry(const pct_tensor *x, int kernel, int stride, int pad) {
    job j = {.x = x->data, .height = x->dim[1], .width = x->dim[2], .channels = x->dim[3]};
    j.kernel = kernel;
    j.stride = stride;
    j.pad = pad;
    j.out_height = pct_conv_out(j.height, kernel, stride, pad);
    j.out_width = pct_conv_out(j.width, kernel, stride, pad);
    return j;
}

pct_tensor *pct_op_max_pool(pct_tape *tape, pct_tensor *x, int kernel, int stride, int pad) {
    PCT_ASSERT(kernel >= 1 && kernel <= 15 && stride >= 1 && pad >= 0 && 2 * pad <= kernel);
    PCT_SHAPE(tape, x->rank == 4 && x->dim[1] + 2 * pad >= kernel && x->dim[2] + 2 * pad >= kernel);
    job j = geometry(x, kernel, stride, pad);
    int64_t dim[4] = {x->dim[0], j.out_height, j.out_width, j.channels};
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 4, dim);
    if (pct_tape_failed(tape)) return y;
    j.y = y->data;
    j.winner = pct_tape_take(tape, (size_t)pct_tensor_count(y));
    if (!j.winner) return y;
    pct_parallel_for(tape->compute->pool, dim[0] * dim[1], pct_op_grain(dim[2] * dim[3]), max_part, &j);
    pct_node *node = pct_tape_record(tape, "max_pool", max_back, y, &x, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    return y;
}

/* ---- mean -------------------------------------------------------------------------------------------------------- */

static void mean_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    int64_t c = j->channels;
    pct_real share = (pct_real)1 / (pct_real)(j->kernel * j->kernel);
    (void)worker;
    for (int64_t row = begin; row < end; row++) { /* rows of the output, all pictures: input rows are row*k.. */
        for (int64_t ox = 0; ox < j->out_width; ox++) {
            pct_real *y = j->y + (row * j->out_width + ox) * c;
            memset(y, 0, pct_op_bytes(c));
            for (int64_t k = 0; k < j->kernel * j->kernel; k++) {
                int64_t cell = (row * j->kernel + k / j->kernel) * j->width + ox * j->kernel + k % j->kernel;
                for (int64_t i = 0; i < c; i++) y[i] += j->x[cell * c + i];
            }
            for (int64_t i = 0; i < c; i++) y[i] *= share;
        }
    }
}

static void mean_back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    int64_t c = j->channels;
    pct_real share = (pct_real)1 / (pct_real)(j->kernel * j->kernel);
    (void)worker;
    for (int64_t row = begin; row < end; row++) { /* rows of the input */
        for (int64_t ix = 0; ix < j->width; ix++) {
            pct_real *dx = j->y + (row * j->width + ix) * c;
            const pct_real *dy = j->x + (row / j->kernel * j->out_width + ix / j->kernel) * c;
            for (int64_t i = 0; i < c; i++) dx[i] = (j->fresh ? 0 : dx[i]) + share * dy[i];
        }
    }
}

static void mean_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    job j = *(const job *)node->saved;
    j.x = node->output->grad;
    j.y = pct_tape_grad_fresh(tape, x, &j.fresh);
    int64_t rows = x->dim[0] * j.height;
    if (j.y) pct_parallel_for(tape->compute->pool, rows, pct_op_grain(j.width * j.channels), mean_back_part, &j);
}

pct_tensor *pct_op_mean_pool(pct_tape *tape, pct_tensor *x, int kernel) {
    PCT_ASSERT(kernel >= 1);
    PCT_SHAPE(tape, x->rank == 4 && x->dim[1] % kernel == 0 && x->dim[2] % kernel == 0);
    job j = geometry(x, kernel, kernel, 0);
    int64_t dim[4] = {x->dim[0], j.out_height, j.out_width, j.channels};
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 4, dim);
    if (pct_tape_failed(tape)) return y;
    j.y = y->data;
    pct_parallel_for(tape->compute->pool, dim[0] * dim[1], pct_op_grain(j.width * j.channels), mean_part, &j);
    pct_node *node = pct_tape_record(tape, "mean_pool", mean_back, y, &x, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    return y;
}
