/* linear.c: y = x W^T + b; dx = dy W, dW = dy^T x, db = column sums of dy. x (rows,in), W (out,in), b (out).
 *
 * Ways to W:
 *  - a frozen parameter in a stored type, not recording, a few rows: dot products with the weights as stored, since
 *    decoding is bound by memory;
 *  - a frozen parameter, not recording: packed once for the product's type;
 *  - BF16 products: BF16 twins. x's is shared by every product that reads x (q, k, v; gate, up) and by dW on the way
 *    back; a parameter's is made anew once a step. dy is converted once for both of its products;
 *  - PCT_REAL products: the data itself, or a stored parameter's plain form.
 * Sums are accumulated in F32 whatever the inputs are. */
#include "tensor/ops/common.h"

/* W in the type of the tape's products. */
static const void *weight_form(pct_tape *tape, pct_tensor *weight) {
    if (tape->product == PCT_BF16) return pct_tape_twin(tape, weight);
    return pct_tape_plain(tape, weight);
}

static const void *input_form(pct_tape *tape, pct_tensor *x) {
    if (tape->product == PCT_BF16) return pct_tape_twin(tape, x);
    return x->data;
}

typedef struct twin_job {
    const pct_kernels *kernels;
    uint16_t *y;
    const pct_real *x;
} twin_job;

static void convert_part(void *context, int64_t begin, int64_t end, int worker) {
    const twin_job *j = context;
    (void)worker;
    j->kernels->to_bf16(j->y + begin, j->x + begin, end - begin);
}

/* dX (rows,in) = dY (rows,out) W (out,in) */
static void flow_to_input(pct_tape *tape, pct_node *node, const void *dy) {
    pct_tensor *x = node->input[0], *weight = node->input[1];
    bool fresh;
    pct_gemm g = {.m = pct_tensor_rows(x), .n = weight->dim[1], .k = weight->dim[0], .type = tape->product};
    g.a = dy;
    g.b = weight_form(tape, weight);
    g.c = pct_tape_grad_fresh(tape, x, &fresh);
    if (!g.b || !g.c) return;
    g.lda = g.k;
    g.ldb = g.ldc = g.n;
    g.accumulate = !fresh;
    pct_gemm_run(tape->compute, &g);
}

/* dW (out,in) = dY^T (out,rows) X (rows,in) */
static void flow_to_weight(pct_tape *tape, pct_node *node, const void *dy) {
    pct_tensor *x = node->input[0], *weight = node->input[1];
    bool fresh;
    pct_gemm g = {.m = weight->dim[0], .n = weight->dim[1], .k = pct_tensor_rows(x), .type = tape->product};
    g.a = dy;
    g.a_transposed = true;
    g.b = input_form(tape, x);
    g.c = pct_tape_grad_fresh(tape, weight, &fresh);
    if (!g.b || !g.c) return;
    g.lda = g.m;
    g.ldb = g.ldc = g.n;
    g.accumulate = !fresh;
    pct_gemm_run(tape->compute, &g);
}

static void linear_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0], *weight = node->input[1];
    pct_tensor *bias = node->inputs == 3 ? node->input[2] : NULL;
    int64_t rows = pct_tensor_rows(x), out = weight->dim[0];
    const pct_real *dy = node->output->grad;
    if (bias) pct_op_flow_columns(tape, bias, dy, rows, out);
    if (!x->needs_grad && !weight->needs_grad) return;
    const void *form = dy;
    size_t bytes = (size_t)(rows * out) * sizeof(uint16_t);
    twin_job job = {&tape->compute->kernels, NULL, dy};
    if (tape->product == PCT_BF16) {
        job.y = pct_tape_take(tape, bytes);
        if (!job.y) return;
        pct_parallel_for(tape->compute->pool, rows * out, PCT_GRAIN, convert_part, &job);
        form = job.y;
    }
    if (weight->needs_grad) flow_to_weight(tape, node, form);
    if (x->needs_grad) flow_to_input(tape, node, form);
    if (job.y) pct_tape_give(tape, job.y, bytes);
}

#define FEW_ROWS 4 /* up to here reading the weights once a row, but a quarter or half of the bytes, is faster */

static void frozen_product(pct_tape *tape, pct_tensor *y, const pct_tensor *x, const pct_tensor *weight,
                           const pct_real *bias) {
    int64_t rows = pct_tensor_rows(x), in = weight->dim[1], out = weight->dim[0];
    if (rows <= FEW_ROWS && weight->type != PCT_REAL) {
        for (int64_t row = 0; row < rows; row++) {
            pct_matvec_run(tape->compute, weight->type, pct_tensor_data(y) + row * out, weight->data,
                           pct_tensor_data(x) + row * in, out, in, bias);
        }
        return;
    }
    const pct_packed *packed = pct_parameter_packed(weight->parameter, tape->compute, tape->product);
    if (packed) {
        pct_packed_run(tape->compute, packed, y->data, out, x->data, in, rows, bias);
    } else {
        tape->status = PERCEPT_ERROR_RESOURCE;
    }
}

pct_tensor *pct_op_linear(pct_tape *tape, pct_tensor *x, pct_tensor *weight, pct_tensor *bias) {
    PCT_SHAPE(tape, weight->rank == 2 && pct_tensor_width(x) == weight->dim[1]);
    PCT_SHAPE(tape, !bias || pct_tensor_count(bias) == weight->dim[0]);
    int64_t rows = pct_tensor_rows(x), in = weight->dim[1], out = weight->dim[0];
    pct_tensor *y = pct_op_like_width(tape, x, out);
    if (pct_tape_failed(tape)) return y;
    const pct_real *b = bias ? pct_tape_plain(tape, bias) : NULL;
    if (pct_tape_failed(tape)) return y;
    if (!tape->record && weight->parameter && !weight->parameter->trainable) {
        frozen_product(tape, y, x, weight, b);
        return y;
    }
    pct_gemm g = {.m = rows, .n = out, .k = in, .type = tape->product, .b_transposed = true, .bias = b};
    g.a = input_form(tape, x);
    g.b = weight_form(tape, weight);
    if (pct_tape_failed(tape)) return y;
    g.lda = g.ldb = in;
    g.ldc = out;
    g.c = y->data;
    pct_gemm_run(tape->compute, &g);
    pct_tensor *inputs[] = {x, weight, bias};
    pct_node *node = pct_tape_record(tape, "linear", linear_back, y, inputs, bias ? 3 : 2, 0);
    if (weight->needs_grad) pct_op_keep_form(tape, node, x);
    if (x->needs_grad) pct_op_keep_form(tape, node, weight);
    return y;
}
