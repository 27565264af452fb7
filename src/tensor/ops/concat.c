/* concat.c: putting tensors beside each other and cutting columns out.
 *
 *   concat_rows     (rows_i, D)... -> (sum rows_i, D); each part's gradient is its rows of dy
 *   concat_columns  (rows, D_i)... -> (rows, sum D_i); each part's gradient is its columns of dy
 *   slice_columns   (rows, D) -> (rows, end-begin); dx is dy in those columns, 0 elsewhere
 */
#include "tensor/ops/common.h"

#include <string.h>

/* A rectangle of `rows` rows copied, or added, between strides. */
typedef struct job {
    const pct_kernels *kernels;
    pct_real *y;
    const pct_real *x;
    int64_t ldy, ldx, width;
    bool add;
} job;

static void copy_rows(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        if (j->add) {
            j->kernels->axpy(j->y + row * j->ldy, 1, j->x + row * j->ldx, j->width);
        } else {
            memcpy(j->y + row * j->ldy, j->x + row * j->ldx, pct_op_bytes(j->width));
        }
    }
}

static void run(pct_tape *tape, int64_t rows, job *j) {
    j->kernels = &tape->compute->kernels;
    pct_parallel_for(tape->compute->pool, rows, pct_op_grain(j->width), copy_rows, j);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static void concat_rows_back(pct_tape *tape, pct_node *node) {
    const pct_real *dy = node->output->grad;
    for (int i = 0; i < node->inputs; i++) {
        pct_op_flow(tape, node->input[i], dy);
        dy += pct_tensor_count(node->input[i]);
    }
}

pct_tensor *pct_op_concat_rows(pct_tape *tape, pct_tensor *const *parts, int count) {
    PCT_ASSERT(count >= 1);
    int64_t dim[2] = {0, pct_tensor_width(parts[0])};
    for (int i = 0; i < count; i++) {
        PCT_SHAPE(tape, pct_tensor_width(parts[i]) == dim[1]);
        dim[0] += pct_tensor_rows(parts[i]);
    }
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 2, dim);
    if (pct_tape_failed(tape)) return y;
    pct_real *at = y->data;
    for (int i = 0; i < count; i++) {
        job j = {.y = at, .x = pct_tape_plain(tape, parts[i]), .ldy = dim[1], .ldx = dim[1], .width = dim[1]};
        if (pct_tape_failed(tape)) return y;
        run(tape, pct_tensor_rows(parts[i]), &j);
        at += pct_tensor_count(parts[i]);
    }
    pct_tape_record(tape, "concat_rows", concat_rows_back, y, parts, count, 0);
    return y;
}

/* ---- columns ------------------------------------------------------------------------------------------------------
 */

static void concat_columns_back(pct_tape *tape, pct_node *node) {
    int64_t total = pct_tensor_width(node->output), begin = 0;
    for (int i = 0; i < node->inputs; i++) {
        pct_tensor *part = node->input[i];
        int64_t width = pct_tensor_width(part);
        if (part->needs_grad) {
            bool fresh;
            job j = {.y = pct_tape_grad_fresh(tape, part, &fresh), .x = node->output->grad + begin};
            j.ldy = j.width = width;
            j.ldx = total;
            j.add = !fresh;
            if (!j.y) return;
            run(tape, pct_tensor_rows(part), &j);
        }
        begin += width;
    }
}

pct_tensor *pct_op_concat_columns(pct_tape *tape, pct_tensor *const *parts, int count) {
    PCT_ASSERT(count >= 1);
    int64_t rows = pct_tensor_rows(parts[0]), total = 0, begin = 0;
    for (int i = 0; i < count; i++) {
        PCT_SHAPE(tape, pct_tensor_rows(parts[i]) == rows);
        total += pct_tensor_width(parts[i]);
    }
    pct_tensor *y = pct_op_like_width(tape, parts[0], total);
    if (pct_tape_failed(tape)) return y;
    for (int i = 0; i < count; i++) {
        int64_t width = pct_tensor_width(parts[i]);
        job j = {.y = pct_tensor_data(y) + begin, .x = parts[i]->data, .ldy = total, .ldx = width, .width = width};
        run(tape, rows, &j);
        begin += width;
    }
    pct_tape_record(tape, "concat_columns", concat_columns_back, y, parts, count, 0);
    return y;
}

static void slice_columns_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    const int64_t *begin = node->saved;
    pct_real *dx = pct_tape_grad(tape, x);
    if (!dx) return;
    job j = {.y = dx + *begin, .x = node->output->grad, .add = true};
    j.ldy = pct_tensor_width(x);
    j.ldx = j.width = pct_tensor_width(node->output);
    run(tape, pct_tensor_rows(x), &j);
}

pct_tensor *pct_op_slice_columns(pct_tape *tape, pct_tensor *x, int64_t begin, int64_t end) {
    PCT_SHAPE(tape, begin >= 0 && begin < end && end <= pct_tensor_width(x));
    pct_tensor *y = pct_op_like_width(tape, x, end - begin);
    if (pct_tape_failed(tape)) return y;
    job j = {.y = y->data, .x = pct_tensor_data(x) + begin, .ldy = end - begin, .width = end - begin};
    j.ldx = pct_tensor_width(x);
    run(tape, pct_tensor_rows(x), &j);
    pct_node *node = pct_tape_record(tape, "slice_columns", slice_columns_back, y, &x, 1, sizeof begin);
    if (node) *(int64_t *)node->saved = begin;
    return y;
}
