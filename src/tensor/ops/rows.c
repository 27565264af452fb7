/* rows.c: choosing, replacing and averaging rows.
 *
 *   gather_rows   y[i] = x[index[i]]                      dx[index[i]] += dy[i]
 *   replace_rows  y = x, then y[index[i]] = rows[i]       dx = dy but 0 where replaced, drows[i] = dy[index[i]]
 *   mean_rows     y[g] = mean of x[index[k]] in group g   dx[index[k]] += dy[g] / size of g
 *
 * On the way back columns are split over the workers, so that rows which repeat need no locks and sums keep their
 * order. A gathered x of a stored type is dequantised in the rows touched only. */
#include "tensor/ops/common.h"

#include <string.h>

typedef struct job {
    const pct_kernels *kernels;
    pct_real *y;
    const void *x;
    pct_dtype type;
    size_t row_bytes; /* of x */
    int64_t width, count;
    const int32_t *index, *offset;
} job;

/* ---- gather ------------------------------------------------------------------------------------------------------ */

static void gather(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        const unsigned char *row = (const unsigned char *)j->x + (size_t)j->index[i] * j->row_bytes;
        if (j->type == PCT_REAL) {
            memcpy(j->y + i * j->width, row, j->row_bytes);
        } else {
            j->kernels->dequantise[j->type](j->y + i * j->width, row, j->width);
        }
    }
}

static void scatter_add(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    const pct_real *dy = j->x;
    (void)worker;
    for (int64_t i = 0; i < j->count; i++) {
        j->kernels->axpy(j->y + j->index[i] * j->width + begin, 1, dy + i * j->width + begin, end - begin);
    }
}

static int64_t column_grain(int64_t rows) { return pct_max_i64(16, PCT_GRAIN / pct_max_i64(rows, 1)); }

static void gather_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    const int32_t **index = node->saved;
    job j = {.kernels = &tape->compute->kernels, .y = pct_tape_grad(tape, x), .x = node->output->grad};
    j.index = *index;
    j.width = pct_tensor_width(x);
    j.count = node->output->dim[0];
    if (j.y) pct_parallel_for(tape->compute->pool, j.width, column_grain(j.count), scatter_add, &j);
}

pct_tensor *pct_op_gather_rows(pct_tape *tape, pct_tensor *x, const int32_t *index, int64_t count) {
    int64_t dim[2] = {count, pct_tensor_width(x)}, rows = pct_tensor_rows(x);
    for (int64_t i = 0; i < count; i++) PCT_SHAPE(tape, index[i] >= 0 && index[i] < rows);
    PCT_SHAPE(tape, x->type == PCT_REAL || !x->needs_grad);
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 2, dim);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .y = y->data, .x = x->data, .type = x->type, .index = index};
    j.width = dim[1];
    PCT_ASSERT(pct_dtype_row_bytes(x->type, j.width, &j.row_bytes));
    pct_parallel_for(tape->compute->pool, count, pct_op_grain(j.width), gather, &j);
    pct_node *node = pct_tape_record(tape, "gather_rows", gather_back, y, &x, 1, sizeof index);
    if (node) *(const int32_t **)node->saved = index;
    return y;
}

/* ---- replace ----------------------------------------------------------------------------------------------------- */

static void replace_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0], *rows = node->input[1];
    const int32_t *index = *(const int32_t **)node->saved;
    int64_t count = pct_tensor_rows(rows), width = pct_tensor_width(x);
    pct_real *dy = node->output->grad;
    const pct_kernels *kernels = &tape->compute->kernels;
    if (rows->needs_grad) {
        pct_real *drows = pct_tape_grad(tape, rows);
        if (!drows) return;
        for (int64_t i = 0; i < count; i++) kernels->axpy(drows + i * width, 1, dy + index[i] * width, width);
    }
    /* dy is read for the last time here: with the replaced rows at 0 it is dx. */
    for (int64_t i = 0; i < count; i++) memset(dy + index[i] * width, 0, pct_op_bytes(width));
    pct_op_pass(tape, node, x);
}

pct_tensor *pct_op_replace_rows(pct_tape *tape, pct_tensor *x, pct_tensor *rows, const int32_t *index, int64_t count) {
    int64_t width = pct_tensor_width(x);
    PCT_SHAPE(tape, pct_tensor_width(rows) == width && pct_tensor_rows(rows) == count);
    for (int64_t i = 0; i < count; i++) PCT_SHAPE(tape, index[i] >= 0 && index[i] < pct_tensor_rows(x));
    pct_tensor *y = pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    memcpy(y->data, x->data, pct_op_bytes(pct_tensor_count(x)));
    for (int64_t i = 0; i < count; i++) {
        memcpy(pct_tensor_data(y) + index[i] * width, pct_tensor_data(rows) + i * width, pct_op_bytes(width));
    }
    pct_node *node = pct_tape_record(tape, "replace_rows", replace_back, y, (pct_tensor *[]){x, rows}, 2, sizeof index);
    if (node) *(const int32_t **)node->saved = index;
    return y;
}

/* ---- mean -------------------------------------------------------------------------------------------------------- */

static void mean(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t g = begin; g < end; g++) {
        pct_real *y = j->y + g * j->width;
        memset(y, 0, pct_op_bytes(j->width));
        pct_real share = (pct_real)1 / (pct_real)pct_max_i64(1, j->offset[g + 1] - j->offset[g]);
        for (int32_t k = j->offset[g]; k < j->offset[g + 1]; k++) {
            j->kernels->axpy(y, share, (const pct_real *)j->x + j->index[k] * j->width, j->width);
        }
    }
}

static void mean_scatter(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    const pct_real *dy = j->x;
    (void)worker;
    for (int64_t g = 0; g < j->count; g++) {
        pct_real share = (pct_real)1 / (pct_real)pct_max_i64(1, j->offset[g + 1] - j->offset[g]);
        for (int32_t k = j->offset[g]; k < j->offset[g + 1]; k++) {
            pct_real *dx = j->y + j->index[k] * j->width;
            j->kernels->axpy(dx + begin, share, dy + g * j->width + begin, end - begin);
        }
    }
}

static void mean_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    const job *saved = node->saved;
    job j = *saved;
    j.y = pct_tape_grad(tape, x);
    j.x = node->output->grad;
    if (j.y) pct_parallel_for(tape->compute->pool, j.width, column_grain(j.offset[j.count]), mean_scatter, &j);
}

pct_tensor *pct_op_mean_rows(pct_tape *tape, pct_tensor *x, const int32_t *index, const int32_t *offset,
                             int64_t groups) {
    int64_t dim[2] = {groups, pct_tensor_width(x)};
    for (int64_t g = 0; g < groups; g++) PCT_SHAPE(tape, offset[g] >= 0 && offset[g] <= offset[g + 1]);
    for (int32_t k = offset[0]; k < offset[groups]; k++) {
        PCT_SHAPE(tape, index[k] >= 0 && index[k] < pct_tensor_rows(x));
    }
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 2, dim);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .y = y->data, .x = x->data, .width = dim[1], .count = groups};
    j.index = index;
    j.offset = offset;
    pct_parallel_for(tape->compute->pool, groups, pct_op_grain(j.width), mean, &j);
    pct_node *node = pct_tape_record(tape, "mean_rows", mean_back, y, &x, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    return y;
}
