/* arithmetic.c: elementwise sums and products.
 *
 *   add        y = a + b               da = dy, db = dy
 *   add_rows   y[r] = x[r] + b[r % n]  dx = dy, db[i] = sum of dy[r] over r % n = i
 *   mul        y = a * b               da = dy * b, db = dy * a
 *   scale      y = f * x               dx = f * dy
 *   scale_by   y = s * x               dx = s * dy, ds = sum(dy * x)
 */
#include "tensor/ops/common.h"

typedef struct job {
    const pct_kernels *kernels;
    pct_real *y;
    const pct_real *a, *b;
    pct_real factor;
    bool fresh;
    int64_t width, period; /* add_rows: elements a row, rows of the bias */
} job;

static void add_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    j->kernels->add(j->y + begin, j->a + begin, j->b + begin, end - begin);
}

static void mul_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    j->kernels->mul(j->y + begin, j->a + begin, j->b + begin, end - begin);
}

/* y += a * b */
static void add_product_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    j->kernels->mul_add(j->y + begin, j->a + begin, j->b + begin, end - begin);
}

static void scale_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    if (j->fresh) {
        for (int64_t i = begin; i < end; i++) j->y[i] = j->factor * j->a[i];
    } else {
        j->kernels->axpy(j->y + begin, j->factor, j->a + begin, end - begin);
    }
}

static void add_rows_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        int64_t at = row * j->width;
        j->kernels->add(j->y + at, j->a + at, j->b + row % j->period * j->width, j->width);
    }
}

static void run(pct_tape *tape, int64_t count, pct_parallel_body *body, job *j) {
    j->kernels = &tape->compute->kernels;
    pct_parallel_for(tape->compute->pool, count, PCT_GRAIN, body, j);
}

/* ---- add --------------------------------------------------------------------------------------------------------- */

static void add_back(pct_tape *tape, pct_node *node) {
    const pct_real *dy = node->output->grad;
    pct_op_pass(tape, node, node->input[0]);
    pct_op_flow(tape, node->input[1], dy); /* right even when both are one tensor: then it doubles in place */
}

pct_tensor *pct_op_add(pct_tape *tape, pct_tensor *a, pct_tensor *b) {
    PCT_SHAPE(tape, pct_op_same_shape(a, b));
    pct_tensor *y = pct_op_like(tape, a);
    if (pct_tape_failed(tape)) return y;
    job j = {.y = y->data, .a = pct_tape_plain(tape, a), .b = pct_tape_plain(tape, b)};
    if (pct_tape_failed(tape)) return y;
    run(tape, pct_tensor_count(y), add_part, &j);
    pct_tape_record(tape, "add", add_back, y, (pct_tensor *[]){a, b}, 2, 0);
    return y;
}

/* ---- add_rows ---------------------------------------------------------------------------------------------------- */

static void add_rows_back(pct_tape *tape, pct_node *node) {
    pct_tensor *bias = node->input[1];
    const pct_real *dy = node->output->grad;
    /* The bias, seen as one row, repeats over rows of that length. */
    int64_t width = pct_tensor_count(bias);
    pct_op_flow_columns(tape, bias, dy, pct_tensor_count(node->output) / width, width);
    pct_op_pass(tape, node, node->input[0]);
}

pct_tensor *pct_op_add_rows(pct_tape *tape, pct_tensor *x, pct_tensor *bias) {
    PCT_SHAPE(tape, pct_tensor_width(bias) == pct_tensor_width(x));
    PCT_SHAPE(tape, pct_tensor_rows(x) % pct_tensor_rows(bias) == 0);
    pct_tensor *y = pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    job j = {.y = y->data, .a = x->data, .b = pct_tape_plain(tape, bias), .width = pct_tensor_width(x)};
    if (pct_tape_failed(tape)) return y;
    j.kernels = &tape->compute->kernels;
    j.period = pct_tensor_rows(bias);
    pct_parallel_for(tape->compute->pool, pct_tensor_rows(x), pct_op_grain(j.width), add_rows_part, &j);
    pct_tape_record(tape, "add_rows", add_rows_back, y, (pct_tensor *[]){x, bias}, 2, 0);
    return y;
}

/* ---- mul --------------------------------------------------------------------------------------------------------- */

static void mul_flow(pct_tape *tape, pct_tensor *to, const pct_real *dy, const pct_real *other) {
    if (!to->needs_grad) return;
    bool fresh;
    job j = {.y = pct_tape_grad_fresh(tape, to, &fresh), .a = dy, .b = other};
    if (j.y) run(tape, pct_tensor_count(to), fresh ? mul_part : add_product_part, &j);
}

static void mul_back(pct_tape *tape, pct_node *node) {
    pct_tensor *a = node->input[0], *b = node->input[1];
    mul_flow(tape, a, node->output->grad, b->data);
    mul_flow(tape, b, node->output->grad, a->data);
}

pct_tensor *pct_op_mul(pct_tape *tape, pct_tensor *a, pct_tensor *b) {
    PCT_SHAPE(tape, pct_op_same_shape(a, b) && a->type == PCT_REAL && b->type == PCT_REAL);
    pct_tensor *y = pct_op_like(tape, a);
    if (pct_tape_failed(tape)) return y;
    job j = {.y = y->data, .a = a->data, .b = b->data};
    run(tape, pct_tensor_count(y), mul_part, &j);
    pct_node *node = pct_tape_record(tape, "mul", mul_back, y, (pct_tensor *[]){a, b}, 2, 0);
    if (b->needs_grad) pct_op_keep(node, a);
    if (a->needs_grad) pct_op_keep(node, b);
    return y;
}

/* ---- scale, scale_by --------------------------------------------------------------------------------------------- */

static void scale_flow(pct_tape *tape, pct_node *node, pct_real factor) {
    pct_tensor *x = node->input[0];
    if (!x->needs_grad) return;
    job j = {.a = node->output->grad, .factor = factor, .fresh = true};
    if (pct_tape_grad_pass(tape, node->output, x)) {
        j.y = x->grad; /* in place */
    } else {
        j.y = pct_tape_grad_fresh(tape, x, &j.fresh);
    }
    if (j.y) run(tape, pct_tensor_count(x), scale_part, &j);
}

static void scale_back(pct_tape *tape, pct_node *node) {
    const pct_real *factor = node->saved;
    scale_flow(tape, node, *factor);
}

pct_tensor *pct_op_scale(pct_tape *tape, pct_tensor *x, pct_real factor) {
    pct_tensor *y = pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    job j = {.y = y->data, .a = x->data, .factor = factor, .fresh = true};
    run(tape, pct_tensor_count(y), scale_part, &j);
    pct_node *node = pct_tape_record(tape, "scale", scale_back, y, &x, 1, sizeof factor);
    if (node) *(pct_real *)node->saved = factor;
    return y;
}

static void scale_by_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0], *scalar = node->input[1];
    if (scalar->needs_grad) {
        double sum = pct_op_dot(tape, node->output->grad, x->data, pct_tensor_count(x));
        pct_real *ds = pct_tape_grad(tape, scalar);
        if (!ds) return;
        ds[0] += (pct_real)sum;
    }
    scale_flow(tape, node, pct_tensor_data(scalar)[0]);
}

pct_tensor *pct_op_scale_by(pct_tape *tape, pct_tensor *x, pct_tensor *scalar) {
    PCT_SHAPE(tape, pct_tensor_count(scalar) == 1 && scalar->type == PCT_REAL);
    pct_tensor *y = pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    job j = {.y = y->data, .a = x->data, .factor = pct_tensor_data(scalar)[0], .fresh = true};
    run(tape, pct_tensor_count(y), scale_part, &j);
    pct_node *node = pct_tape_record(tape, "scale_by", scale_by_back, y, (pct_tensor *[]){x, scalar}, 2, 0);
    if (scalar->needs_grad) pct_op_keep(node, x);
    pct_op_keep(node, scalar);
    return y;
}
