/* conv.c: convolution of NHWC maps.
 *
 *   y[b,i,j,o] = bias[o] + sum_{u,v,c} x[b, i*stride+u-pad, j*stride+v-pad, c] w[o,u,v,c]
 *
 * with groups = 1, or depthwise (groups = channels in = channels out, w (C,k,k,1)). The way back is the kernels'. */
#include "tensor/ops/common.h"

/* x for the kernels, in BF16 where that is all there is: as such, or brought back into *plain, to be given back. False
 * when memory is out. */
static bool input_of(pct_tape *tape, pct_tensor *x, pct_conv *conv, pct_real **plain) {
    *plain = NULL;
    conv->x_half = NULL;
    if (x->data) return true;
    const uint16_t *half = pct_tape_twin(tape, x);
    if (half && pct_conv_takes_half(tape->compute, conv)) {
        conv->x_half = half;
        return true;
    }
    *plain = half ? pct_tape_take(tape, pct_op_bytes(pct_tensor_count(x))) : NULL;
    if (*plain) tape->compute->kernels.from_bf16(*plain, half, pct_tensor_count(x));
    return *plain != NULL;
}

static void conv_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0], *weight = node->input[1], *bias = node->inputs == 3 ? node->input[2] : NULL;
    pct_conv *conv = node->saved;
    conv->fresh = false;
    pct_real *dx = x->needs_grad ? pct_tape_grad_fresh(tape, x, &conv->fresh) : NULL;
    pct_real *dw = weight->needs_grad ? pct_tape_grad(tape, weight) : NULL;
    pct_real *db = bias && bias->needs_grad ? pct_tape_grad(tape, bias) : NULL;
    const pct_real *w = pct_tape_plain(tape, weight);
    pct_real *plain;
    if (pct_tape_failed(tape) || !input_of(tape, x, conv, &plain)) return;
    pct_conv_back(tape->compute, conv, dx, dw, db, node->output->grad, plain ? plain : x->data, w);
    if (plain) pct_tape_give(tape, plain, pct_op_bytes(pct_tensor_count(x)));
}

pct_tensor *pct_op_conv(pct_tape *tape, pct_tensor *x, pct_tensor *weight, pct_tensor *bias, int stride, int pad,
                        int groups) {
    PCT_SHAPE(tape, x->rank == 4 && weight->rank == 4 && weight->dim[1] == weight->dim[2]);
    PCT_SHAPE(tape, groups == 1 || (groups == x->dim[3] && groups == weight->dim[0]));
    PCT_SHAPE(tape, weight->dim[3] * groups == x->dim[3] && (!bias || pct_tensor_count(bias) == weight->dim[0]));
    pct_conv conv = {.batch = x->dim[0], .height = x->dim[1], .width = x->dim[2], .in = x->dim[3]};
    conv.out = weight->dim[0];
    conv.kernel = weight->dim[1];
    conv.stride = stride;
    conv.pad = pad;
    conv.groups = groups;
    conv.type = tape->product;
    int64_t dim[4] = {conv.batch, 0, 0, conv.out};
    dim[1] = pct_conv_out(conv.height, conv.kernel, stride, pad);
    dim[2] = pct_conv_out(conv.width, conv.kernel, stride, pad);
    PCT_SHAPE(tape, dim[1] > 0 && dim[2] > 0);
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 4, dim);
    if (pct_tape_failed(tape)) return y;
    const pct_real *w = pct_tape_plain(tape, weight), *b = bias ? pct_tape_plain(tape, bias) : NULL;
    pct_real *plain;
    if (pct_tape_failed(tape) || !input_of(tape, x, &conv, &plain)) return y;
    pct_conv_run(tape->compute, &conv, y->data, plain ? plain : x->data, w, b);
    if (plain) pct_tape_give(tape, plain, pct_op_bytes(pct_tensor_count(x)));
    pct_tensor *inputs[] = {x, weight, bias};
    pct_node *node = pct_tape_record(tape, "conv", conv_back, y, inputs, bias ? 3 : 2, sizeof conv);
    if (node) *(pct_conv *)node->saved = conv;
    if (x->data)
        pct_op_keep(node, x);
    else
        pct_op_keep_form(tape, node, x);
    pct_op_keep(node, weight);
    return y;
}
