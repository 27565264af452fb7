/* linear.c: y = x W^T + b; dx = dy W, dW = dy^T x, db = column sums of dy. x (rows,in), W (out,in), b (out).
 *
 * Ways to W:
 *  - a frozen parameter in a stored type, not recording, a few rows: dot products with the weights as stored, since
 *    decoding is bound by memory;
 *  - a frozen parameter, not recording: packed once for the product's type;
 *  - BF16 products: BF16 twins. x's is shared by every product that reads x (q, k, v; gate, up) and by dW on the way
 *    back; a parameter's is made anew once a step. dy is converted once for both of its products;
 *  - PCT_REAL products: the data itself, or a stored parameter's plain form.
 * linear_onto begins the sums with another tensor (a residual), whose gradient is dy.
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

static void linear_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0], *weight = node->input[1], *bias = node->input[2], *start = node->input[3];
    pct_linear_back g = {
        .rows = pct_tensor_rows(x), .in = weight->dim[1], .out = weight->dim[0], .type = tape->product};
    g.dy = node->output->grad;
    if (weight->needs_grad) {
        g.x = input_form(tape, x);
        g.dw = pct_tape_grad_fresh(tape, weight, &g.dw_fresh);
    }
    if (x->needs_grad) {
        g.w = weight_form(tape, weight);
        g.dx = pct_tape_grad_fresh(tape, x, &g.dx_fresh);
    }
    if (bias && bias->needs_grad) g.db = pct_tape_grad(tape, bias);
    size_t bytes = (size_t)(g.rows * g.out) * sizeof(uint16_t);
    uint16_t *half = tape->product == PCT_BF16 ? pct_tape_take(tape, bytes) : NULL;
    if (pct_tape_failed(tape)) return;
    pct_linear_back_run(tape->compute, &g, half);
    if (half) pct_tape_give(tape, half, bytes);
    if (start) pct_op_pass(tape, node, start);
}

#define FEW_ROWS 4 /* up to here reading the weights once a row, but a quarter or half of the bytes, is faster */

/* Whether x meets the weights as they are stored. */
static bool decodes(const pct_tape *tape, const pct_tensor *x, const pct_tensor *weight) {
    if (tape->compute->exact && pct_dtype_block(weight->type) > 1) return false; /* x would be rounded */
    return !tape->record && weight->parameter && !weight->parameter->trainable && weight->type != PCT_REAL &&
           pct_tensor_rows(x) <= FEW_ROWS;
}

static void frozen_product(pct_tape *tape, pct_tensor *y, const pct_tensor *x, const pct_tensor *weight,
                           const pct_real *bias) {
    int64_t rows = pct_tensor_rows(x), in = weight->dim[1], out = weight->dim[0];
    if (decodes(tape, x, weight)) {
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

static pct_tensor *linear(pct_tape *tape, pct_tensor *x, pct_tensor *weight, pct_tensor *bias, pct_tensor *start) {
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
    g.start = start ? start->data : NULL;
    g.a = input_form(tape, x);
    g.b = weight_form(tape, weight);
    if (pct_tape_failed(tape)) return y;
    g.lda = g.ldb = in;
    g.ldc = out;
    g.c = y->data;
    pct_gemm_run(tape->compute, &g);
    pct_tensor *inputs[] = {x, weight, bias, start};
    pct_node *node = pct_tape_record(tape, "linear", linear_back, y, inputs, 4, 0);
    if (weight->needs_grad) pct_op_keep_form(tape, node, x);
    if (x->needs_grad) pct_op_keep_form(tape, node, weight);
    return y;
}

pct_tensor *pct_op_linear(pct_tape *tape, pct_tensor *x, pct_tensor *weight, pct_tensor *bias) {
    return linear(tape, x, weight, bias, NULL);
}

/* Several products of one x, each as stored: x is rounded once a row, the threads meet once. */
static void decode_many(pct_tape *tape, pct_tensor *x, int count, pct_tensor *const *weights, pct_tensor *const *biases,
                        pct_tensor **y) {
    pct_matvec products[PCT_MATVEC_MANY];
    const pct_real *bias[PCT_MATVEC_MANY];
    for (int i = 0; i < count; i++) {
        y[i] = pct_op_like_width(tape, x, weights[i]->dim[0]);
        bias[i] = biases[i] ? pct_tape_plain(tape, biases[i]) : NULL;
    }
    for (int64_t row = 0; row < pct_tensor_rows(x) && !pct_tape_failed(tape); row++) {
        for (int i = 0; i < count; i++) {
            const int64_t out = weights[i]->dim[0];
            products[i] =
                (pct_matvec){weights[i]->type, pct_tensor_data(y[i]) + row * out, weights[i]->data, bias[i], out};
        }
        const int64_t in = weights[0]->dim[1];
        pct_matvec_many_run(tape->compute, products, count, pct_tensor_data(x) + row * in, in);
    }
}

/* The same for packed weights; false, with nothing done, where they do not fit their set's budget: then the compute's
 * panel holds one at a time. */
static bool packed_many(pct_tape *tape, pct_tensor *x, int count, pct_tensor *const *weights, pct_tensor *const *biases,
                        pct_tensor **y) {
    pct_packed_product products[PCT_MATVEC_MANY];
    for (int i = 0; i < count; i++) {
        products[i].packed = pct_parameter_packed(weights[i]->parameter, tape->compute, tape->product);
        if (!products[i].packed || products[i].packed == tape->compute->panel) return false;
    }
    for (int i = 0; i < count; i++) {
        y[i] = pct_op_like_width(tape, x, weights[i]->dim[0]);
        products[i].bias = biases[i] ? pct_tape_plain(tape, biases[i]) : NULL;
        products[i].y = y[i]->data;
        products[i].ldy = weights[i]->dim[0];
    }
    if (!pct_tape_failed(tape))
        pct_packed_many_run(tape->compute, products, count, x->data, weights[0]->dim[1], pct_tensor_rows(x));
    return true;
}

void pct_op_linear_many(pct_tape *tape, pct_tensor *x, int count, pct_tensor *const *weights, pct_tensor *const *biases,
                        pct_tensor **y) {
    PCT_ASSERT(count >= 1 && count <= PCT_MATVEC_MANY);
    bool decode = !pct_tape_failed(tape) && x->type == PCT_REAL, packed = decode && !tape->record;
    for (int i = 0; i < count; i++) {
        const pct_tensor *w = weights[i];
        const bool fits = w->rank == 2 && pct_tensor_width(x) == w->dim[1] &&
                          (!biases[i] || pct_tensor_count(biases[i]) == w->dim[0]);
        decode = decode && fits && decodes(tape, x, w);
        packed = packed && fits && w->parameter && !w->parameter->trainable && !decodes(tape, x, w);
    }
    if (decode)
        decode_many(tape, x, count, weights, biases, y);
    else if (!packed || !packed_many(tape, x, count, weights, biases, y))
        for (int i = 0; i < count; i++) y[i] = linear(tape, x, weights[i], biases[i], NULL);
}

pct_tensor *pct_op_linear_onto(pct_tape *tape, pct_tensor *start, pct_tensor *x, pct_tensor *weight, pct_tensor *bias) {
    PCT_SHAPE(tape, pct_tensor_rows(start) == pct_tensor_rows(x) && pct_tensor_width(start) == weight->dim[0]);
    bool packed = !tape->record && weight->parameter && !weight->parameter->trainable;
    if (!packed && start->type == PCT_REAL) return linear(tape, x, weight, bias, start);
    pct_tensor *alone = linear(tape, x, weight, bias, NULL), *y = pct_op_add(tape, start, alone);
    pct_tape_done(tape, alone);
    return y;
}
