/* activate.c: y = f(x), dx = f'(x) dy, f one of pct_activation; and swiglu, y = silu(gate) * up (Shazeer, "GLU variants
 * improve Transformer", arXiv 2002.05202). x is kept, not copied; f' is computed anew from it. */
#include "tensor/ops/common.h"

#include <string.h>

typedef struct job {
    const pct_kernels *kernels;
    enum pct_activation f;
    pct_real *y, *z;
    uint16_t *half; /* instead of y, forward */
    const pct_real *a, *b, *dy;
    bool fresh_y, fresh_z;
} job;

static void activate_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    if (!j->half) {
        j->kernels->activate[j->f](j->y + begin, j->a + begin, end - begin);
        return;
    }
    pct_real block[PCT_OP_HALF];
    for (int64_t at = begin; at < end; at += PCT_OP_HALF) {
        int64_t count = pct_min_i64(PCT_OP_HALF, end - at);
        j->kernels->activate[j->f](block, j->a + at, count);
        j->kernels->to_bf16(j->half + at, block, count);
    }
}

/* The kernels add; a fresh gradient is zeroed a block at a time, just before, while it is in the cache. */
static void activate_back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t at = begin; at < end; at += PCT_BLOCK) {
        int64_t count = pct_min_i64(PCT_BLOCK, end - at);
        if (j->fresh_y) memset(j->y + at, 0, pct_op_bytes(count));
        j->kernels->activate_back[j->f](j->y + at, j->dy + at, j->a + at, count);
    }
}

static void activate_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    const enum pct_activation *f = node->saved;
    job j = {.kernels = &tape->compute->kernels, .f = *f, .a = x->data, .dy = node->output->grad};
    j.y = pct_tape_grad_fresh(tape, x, &j.fresh_y);
    if (j.y) pct_parallel_for(tape->compute->pool, pct_tensor_count(x), PCT_GRAIN / 4, activate_back_part, &j);
}

static pct_tensor *activate(pct_tape *tape, pct_tensor *x, enum pct_activation f, bool half) {
    PCT_ASSERT(f >= 0 && f < PCT_ACTIVATION_COUNT);
    pct_tensor *y = half ? pct_tape_half(tape, x->rank, x->dim) : pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .f = f, .y = y->data, .half = half ? y->twin : NULL, .a = x->data};
    pct_parallel_for(tape->compute->pool, pct_tensor_count(x), PCT_GRAIN / 4, activate_part, &j);
    pct_node *node = pct_tape_record(tape, "activate", activate_back, y, &x, 1, sizeof f);
    if (node) *(enum pct_activation *)node->saved = f;
    pct_op_keep(node, x);
    return y;
}

pct_tensor *pct_op_activate(pct_tape *tape, pct_tensor *x, enum pct_activation f) {
    return activate(tape, x, f, false);
}

pct_tensor *pct_op_activate_half(pct_tape *tape, pct_tensor *x, enum pct_activation f) {
    return activate(tape, x, f, pct_tape_halves(tape));
}

static void swiglu_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    if (!j->half) {
        j->kernels->swiglu(j->y + begin, j->a + begin, j->b + begin, end - begin);
        return;
    }
    pct_real block[PCT_OP_HALF];
    for (int64_t at = begin; at < end; at += PCT_OP_HALF) {
        int64_t count = pct_min_i64(PCT_OP_HALF, end - at);
        j->kernels->swiglu(block, j->a + at, j->b + at, count);
        j->kernels->to_bf16(j->half + at, block, count);
    }
}

static void swiglu_back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t at = begin; at < end; at += PCT_BLOCK) {
        int64_t count = pct_min_i64(PCT_BLOCK, end - at);
        if (j->fresh_y) memset(j->y + at, 0, pct_op_bytes(count));
        if (j->fresh_z) memset(j->z + at, 0, pct_op_bytes(count));
        j->kernels->swiglu_back(j->y + at, j->z + at, j->dy + at, j->a + at, j->b + at, count);
    }
}

static void swiglu_back(pct_tape *tape, pct_node *node) {
    pct_tensor *gate = node->input[0], *up = node->input[1];
    size_t bytes = pct_op_bytes(pct_tensor_count(gate));
    job j = {.kernels = &tape->compute->kernels, .a = gate->data, .b = up->data, .dy = node->output->grad};
    /* The kernel makes both gradients; one that nobody wants goes to spare memory. */
    j.fresh_y = j.fresh_z = true;
    j.y = gate->needs_grad ? pct_tape_grad_fresh(tape, gate, &j.fresh_y) : pct_tape_take(tape, bytes);
    j.z = up->needs_grad ? pct_tape_grad_fresh(tape, up, &j.fresh_z) : pct_tape_take(tape, bytes);
    if (!j.y || !j.z) return;
    pct_parallel_for(tape->compute->pool, pct_tensor_count(gate), PCT_GRAIN / 4, swiglu_back_part, &j);
    if (!gate->needs_grad) pct_tape_give(tape, j.y, bytes);
    if (!up->needs_grad) pct_tape_give(tape, j.z, bytes);
}

static pct_tensor *swiglu(pct_tape *tape, pct_tensor *gate, pct_tensor *up, bool half) {
    PCT_SHAPE(tape, pct_op_same_shape(gate, up));
    pct_tensor *y = half ? pct_tape_half(tape, gate->rank, gate->dim) : pct_op_like(tape, gate);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .y = y->data, .a = gate->data, .b = up->data};
    j.half = half ? y->twin : NULL;
    pct_parallel_for(tape->compute->pool, pct_tensor_count(y), PCT_GRAIN / 4, swiglu_part, &j);
    pct_node *node = pct_tape_record(tape, "swiglu", swiglu_back, y, (pct_tensor *[]){gate, up}, 2, 0);
    pct_op_keep(node, gate);
    pct_op_keep(node, up);
    return y;
}

pct_tensor *pct_op_swiglu(pct_tape *tape, pct_tensor *gate, pct_tensor *up) { return swiglu(tape, gate, up, false); }

pct_tensor *pct_op_swiglu_half(pct_tape *tape, pct_tensor *gate, pct_tensor *up) {
    return swiglu(tape, gate, up, pct_tape_halves(tape));
}
