/* unit_rows.c: rows scaled to length 1: s = 1/max(|x|, eps), y = s x; dx = s (dy - y <y, dy>), or s dy where |x| is
 * below eps. */
#include "tensor/ops/common.h"

typedef struct job {
    const pct_kernels *kernels;
    pct_real *y, *scale, *dx; /* scale a row; negative where the row was shorter than epsilon */
    const pct_real *x, *dy;
    int64_t width;
    pct_real epsilon;
    bool fresh;
} job;

static void unit_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const pct_real *x = j->x + row * j->width;
        pct_real *y = j->y + row * j->width;
        double length = sqrt(j->kernels->sum_squares(x, j->width));
        bool tiny = !(length > (double)j->epsilon);
        pct_real s = (pct_real)(1 / (tiny ? (double)j->epsilon : length));
        for (int64_t i = 0; i < j->width; i++) y[i] = s * x[i];
        j->scale[row] = tiny ? -s : s;
    }
}

static void unit_back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const pct_real *y = j->y + row * j->width, *dy = j->dy + row * j->width;
        pct_real *dx = j->dx + row * j->width, s = j->scale[row];
        pct_real along = s > 0 ? j->kernels->dot(y, dy, j->width) : 0;
        s = PCT_FABS(s);
        for (int64_t i = 0; i < j->width; i++) {
            pct_real g = s * (dy[i] - along * y[i]);
            dx[i] = j->fresh ? g : dx[i] + g;
        }
    }
}

static void unit_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    job j = *(const job *)node->saved;
    j.dy = node->output->grad;
    j.dx = pct_tape_grad_fresh(tape, x, &j.fresh);
    if (j.dx) {
        pct_parallel_for(tape->compute->pool, pct_tensor_rows(x), pct_op_grain(j.width), unit_back_part, &j);
    }
}

pct_tensor *pct_op_unit_rows(pct_tape *tape, pct_tensor *x, pct_real epsilon) {
    PCT_ASSERT(epsilon > 0);
    pct_tensor *y = pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .y = y->data, .x = x->data, .width = pct_tensor_width(x)};
    j.epsilon = epsilon;
    j.scale = pct_tape_take(tape, pct_op_bytes(pct_tensor_rows(x)));
    if (!j.scale) return y;
    pct_parallel_for(tape->compute->pool, pct_tensor_rows(x), pct_op_grain(j.width), unit_part, &j);
    pct_node *node = pct_tape_record(tape, "unit_rows", unit_back, y, &x, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    pct_op_keep(node, y);
    return y;
}
