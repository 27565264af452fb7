/* attention.c: out = softmax(scale q k^T + mask) v a head, over packed rows; the mask is given by spans (see
 * kernels.h), scale = 1/sqrt(head_dim). Vaswani et al., arXiv 1706.03762; grouped queries: Ainslie et al., arXiv
 * 2305.13245; computed in tiles with the log-sum-exp alone kept for the way back: Dao et al., arXiv 2205.14135. */
#include "tensor/ops/common.h"

#include <string.h>

/* The gradient to add to, or spare memory where nobody wants it: the kernel makes all three at once. */
static pct_real *gradient_or_spare(pct_tape *tape, pct_tensor *x) {
    if (x->needs_grad) return pct_tape_grad(tape, x);
    size_t bytes = pct_op_bytes(pct_tensor_count(x));
    pct_real *spare = pct_tape_take(tape, bytes);
    if (spare) memset(spare, 0, bytes);
    return spare;
}

static void give_spare(pct_tape *tape, pct_tensor *x, pct_real *gradient) {
    if (!x->needs_grad) pct_tape_give(tape, gradient, pct_op_bytes(pct_tensor_count(x)));
}

static void attention_back(pct_tape *tape, pct_node *node) {
    pct_tensor *q = node->input[0], *k = node->input[1], *v = node->input[2];
    const pct_attention *attention = node->saved;
    pct_real *dq = gradient_or_spare(tape, q), *dk = gradient_or_spare(tape, k), *dv = gradient_or_spare(tape, v);
    if (pct_tape_failed(tape)) return;
    pct_attention_back(tape->compute, attention, node->output->grad, dq, dk, dv);
    give_spare(tape, q, dq);
    give_spare(tape, k, dk);
    give_spare(tape, v, dv);
}

static void check_spans(pct_tape *tape, const pct_span *spans, int64_t count, int64_t q_rows, int64_t k_rows) {
    for (int64_t i = 0; i < count; i++) {
        const pct_span *s = &spans[i];
        PCT_SHAPE(tape, s->q_begin >= 0 && s->q_count >= 1 && s->q_begin + s->q_count <= q_rows);
        PCT_SHAPE(tape, s->shared_count >= 0 && s->own_count >= 0 && s->shared_count + s->own_count >= 1);
        PCT_SHAPE(tape, !s->shared_count || (s->shared_begin >= 0 && s->shared_begin + s->shared_count <= k_rows));
        PCT_SHAPE(tape, !s->own_count || (s->own_begin >= 0 && s->own_begin + s->own_count <= k_rows));
        PCT_SHAPE(tape, !s->causal || s->own_count >= s->q_count);
    }
}

pct_tensor *pct_op_attention(pct_tape *tape, pct_tensor *q, pct_tensor *k, pct_tensor *v, int heads, int kv_heads,
                             const pct_span *spans, int64_t span_count) {
    PCT_ASSERT(heads >= 1 && kv_heads >= 1 && heads % kv_heads == 0 && span_count >= 1);
    int64_t head_dim = pct_tensor_width(q) / heads, rows = pct_tensor_rows(q);
    PCT_SHAPE(tape, pct_tensor_width(q) == head_dim * heads && pct_tensor_width(k) == head_dim * kv_heads);
    PCT_SHAPE(tape, pct_tensor_width(v) == head_dim * kv_heads && pct_tensor_rows(k) == pct_tensor_rows(v));
    check_spans(tape, spans, span_count, rows, pct_tensor_rows(k));
    pct_tensor *y = pct_op_like(tape, q);
    if (pct_tape_failed(tape)) return y;
    pct_attention a = {.heads = heads, .kv_heads = kv_heads, .head_dim = (int)head_dim, .type = tape->product};
    a.scale = 1 / PCT_SQRT((pct_real)head_dim);
    a.spans = spans;
    a.span_count = span_count;
    a.q = q->data;
    a.k = k->data;
    a.v = v->data;
    a.ldq = a.ldo = pct_tensor_width(q);
    a.ldk = pct_tensor_width(k);
    a.ldv = pct_tensor_width(v);
    a.out = y->data;
    pct_node *node = pct_tape_record(tape, "attention", attention_back, y, (pct_tensor *[]){q, k, v}, 3, sizeof a);
    if (node) a.lse = pct_tape_take(tape, pct_op_bytes(rows * heads));
    if (pct_tape_failed(tape)) return y;
    pct_attention_run(tape->compute, &a);
    if (node) *(pct_attention *)node->saved = a;
    pct_op_keep(node, q);
    pct_op_keep(node, k);
    pct_op_keep(node, v);
    pct_op_keep(node, y);
    return y;
}
