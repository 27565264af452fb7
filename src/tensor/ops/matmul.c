/* matmul.c: C = A B^T a batch: a (B,M,K), b (B,N,K) -> (B,M,N). dA = dC B, dB = dC^T A. Rank 2 is one batch.
 * BF16 twins are used as in linear.c. */
#include "tensor/ops/common.h"

static const void *form_of(pct_tape *tape, pct_tensor *x) {
    if (tape->product == PCT_BF16) return pct_tape_twin(tape, x);
    return pct_tape_plain(tape, x);
}

/* One product a batch; steps are in elements, the size of an element is the type's. */
static void run_batches(pct_tape *tape, pct_gemm g, int64_t batches, int64_t step_a, int64_t step_b, int64_t step_c) {
    size_t element = pct_dtype_block_bytes(g.type);
    for (int64_t i = 0; i < batches; i++) {
        pct_gemm_run(tape->compute, &g);
        g.a = (const unsigned char *)g.a + (size_t)step_a * element;
        g.b = (const unsigned char *)g.b + (size_t)step_b * element;
        g.c += step_c;
    }
}

static void matmul_back(pct_tape *tape, pct_node *node) {
    pct_tensor *a = node->input[0], *b = node->input[1], *c = node->output;
    int64_t batches = c->rank == 3 ? c->dim[0] : 1, k = pct_tensor_width(a);
    int64_t m = c->dim[c->rank - 2], n = c->dim[c->rank - 1], count = pct_tensor_count(c);
    pct_tensor gradient = {.type = PCT_REAL, .rank = c->rank, .data = c->grad};
    for (int i = 0; i < c->rank; i++) gradient.dim[i] = c->dim[i];
    const void *dc = form_of(tape, &gradient);
    bool fresh;
    if (dc && a->needs_grad) {
        pct_gemm g = {.m = m, .n = k, .k = n, .type = tape->product, .a = dc, .lda = n, .ldb = k, .ldc = k};
        g.b = form_of(tape, b);
        g.c = pct_tape_grad_fresh(tape, a, &fresh);
        g.accumulate = !fresh;
        if (g.b && g.c) run_batches(tape, g, batches, m * n, n * k, m * k);
    }
    if (dc && b->needs_grad) {
        pct_gemm g = {.m = n, .n = k, .k = m, .type = tape->product, .a = dc, .lda = n, .ldb = k, .ldc = k};
        g.a_transposed = true;
        g.b = form_of(tape, a);
        g.c = pct_tape_grad_fresh(tape, b, &fresh);
        g.accumulate = !fresh;
        if (g.b && g.c) run_batches(tape, g, batches, m * n, m * k, n * k);
    }
    if (gradient.twin) pct_tape_give(tape, gradient.twin, (size_t)count * sizeof(uint16_t));
}

pct_tensor *pct_op_matmul_nt(pct_tape *tape, pct_tensor *a, pct_tensor *b) {
    PCT_SHAPE(tape, a->rank == b->rank && (a->rank == 2 || a->rank == 3));
    PCT_SHAPE(tape, pct_tensor_width(a) == pct_tensor_width(b) && (a->rank == 2 || a->dim[0] == b->dim[0]));
    int64_t batches = a->rank == 3 ? a->dim[0] : 1, k = pct_tensor_width(a);
    int64_t m = pct_tensor_rows(a) / pct_max_i64(batches, 1), n = pct_tensor_rows(b) / pct_max_i64(batches, 1);
    pct_tensor *c = pct_op_like_width(tape, a, n);
    if (pct_tape_failed(tape)) return c;
    pct_gemm g = {.m = m, .n = n, .k = k, .type = tape->product, .b_transposed = true, .lda = k, .ldb = k, .ldc = n};
    g.a = form_of(tape, a);
    g.b = form_of(tape, b);
    g.c = c->data;
    if (pct_tape_failed(tape)) return c;
    run_batches(tape, g, batches, m * k, n * k, m * n);
    pct_node *node = pct_tape_record(tape, "matmul_nt", matmul_back, c, (pct_tensor *[]){a, b}, 2, 0);
    if (b->needs_grad) pct_op_keep_form(tape, node, a);
    if (a->needs_grad) pct_op_keep_form(tape, node, b);
    return c;
}
