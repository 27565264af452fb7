/* resize.c: bilinear resizing of NHWC maps with half-pixel centres (align_corners = false), no smoothing when smaller.
 *
 *   s = max(0, (o+1/2)*in/out - 1/2), i0 = floor(s), i1 = min(i0+1, in-1), f = s-i0
 *   y[o] = (1-f) x[i0] + f x[i1] on each axis; the way back gives dy to the same cells by the same weights.
 *
 * On the way back every input row collects from the output rows that read it, so rows need no locks. */
#include "tensor/ops/common.h"

#include <string.h>

typedef struct axis {
    int32_t i0, i1;
    pct_real f;
} axis;

typedef struct job {
    pct_real *y; /* forward: output; back: dx */
    const pct_real *x;
    const axis *rows, *columns;
    int64_t height, width, channels, out_height, out_width;
    bool fresh;
} job;

static axis *make_axis(pct_tape *tape, int64_t in, int64_t out) {
    axis *a = pct_tape_take(tape, (size_t)out * sizeof *a);
    for (int64_t o = 0; a && o < out; o++) {
        double s = ((double)o + 0.5) * (double)in / (double)out - 0.5;
        if (s < 0) s = 0;
        a[o].i0 = (int32_t)pct_min_i64((int64_t)s, in - 1);
        a[o].i1 = (int32_t)pct_min_i64(a[o].i0 + 1, in - 1);
        a[o].f = (pct_real)(s - a[o].i0);
    }
    return a;
}

static void resize_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    int64_t c = j->channels;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const axis *v = &j->rows[row % j->out_height];
        const pct_real *picture = j->x + row / j->out_height * j->height * j->width * c;
        const pct_real *top = picture + v->i0 * j->width * c, *bottom = picture + v->i1 * j->width * c;
        pct_real *y = j->y + row * j->out_width * c;
        for (int64_t o = 0; o < j->out_width; o++, y += c) {
            const axis *h = &j->columns[o];
            const pct_real *p00 = top + h->i0 * c, *p01 = top + h->i1 * c;
            const pct_real *p10 = bottom + h->i0 * c, *p11 = bottom + h->i1 * c;
            pct_real w11 = v->f * h->f, w10 = v->f - w11, w01 = h->f - w11, w00 = 1 - v->f - w01;
            for (int64_t i = 0; i < c; i++) y[i] = w00 * p00[i] + w01 * p01[i] + w10 * p10[i] + w11 * p11[i];
        }
    }
}

/* One output row's dy, times `weight`, into one input row's dx. */
static void collect_row(const job *j, pct_real *dx, const pct_real *dy, pct_real weight) {
    int64_t c = j->channels;
    for (int64_t o = 0; o < j->out_width; o++, dy += c) {
        const axis *h = &j->columns[o];
        pct_real *left = dx + h->i0 * c, *right = dx + h->i1 * c;
        pct_real w1 = weight * h->f, w0 = weight - w1;
        for (int64_t i = 0; i < c; i++) left[i] += w0 * dy[i];
        if (w1 == 0) continue;
        for (int64_t i = 0; i < c; i++) right[i] += w1 * dy[i];
    }
}

static void resize_back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    int64_t in_row = j->width * j->channels, out_row = j->out_width * j->channels;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        int64_t iy = row % j->height;
        const pct_real *dy = j->x + row / j->height * j->out_height * out_row;
        pct_real *dx = j->y + row * in_row;
        if (j->fresh) memset(dx, 0, pct_op_bytes(in_row));
        for (int64_t o = 0; o < j->out_height; o++) {
            const axis *v = &j->rows[o];
            pct_real weight = (v->i0 == iy ? 1 - v->f : 0) + (v->i1 == iy ? v->f : 0);
            if (weight != 0) collect_row(j, dx, dy + o * out_row, weight);
        }
    }
}

static void resize_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    job j = *(const job *)node->saved;
    j.x = node->output->grad;
    j.y = pct_tape_grad_fresh(tape, x, &j.fresh);
    int64_t grain = pct_op_grain(j.out_width * j.channels);
    if (j.y) pct_parallel_for(tape->compute->pool, x->dim[0] * j.height, grain, resize_back_part, &j);
}

pct_tensor *pct_op_resize(pct_tape *tape, pct_tensor *x, int64_t height, int64_t width) {
    PCT_SHAPE(tape, x->rank == 4);
    PCT_ASSERT(height >= 1 && width >= 1);
    int64_t dim[4] = {x->dim[0], height, width, x->dim[3]};
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 4, dim);
    if (pct_tape_failed(tape)) return y;
    job j = {.y = y->data, .x = x->data, .height = x->dim[1], .width = x->dim[2], .channels = x->dim[3]};
    j.out_height = height;
    j.out_width = width;
    j.rows = make_axis(tape, j.height, height);
    j.columns = make_axis(tape, j.width, width);
    if (pct_tape_failed(tape)) return y;
    pct_parallel_for(tape->compute->pool, dim[0] * height, pct_op_grain(width * dim[3]), resize_part, &j);
    pct_node *node = pct_tape_record(tape, "resize", resize_back, y, &x, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    return y;
}
