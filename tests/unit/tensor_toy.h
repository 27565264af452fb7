/* tensor_toy.h: a small decoder (norms, grouped rotary attention, gated MLP, tied to nothing) for tests of the tape. */
#ifndef PCT_TESTS_TENSOR_TOY_H
#define PCT_TESTS_TENSOR_TOY_H

#include "tensor/ops.h"

#define TOY_LAYERS 2

typedef struct toy_layer {
    pct_parameter *norm1, *q, *k, *v, *out, *norm2, *gate, *up, *down;
} toy_layer;

typedef struct toy {
    pct_parameters set;
    int vocabulary, width, heads, kv_heads;
    pct_parameter *embedding, *norm, *norm_beta, *head, *head_bias;
    toy_layer layer[TOY_LAYERS];
} toy;

void toy_init(toy *m, int vocabulary, int width, int heads, int kv_heads);
/* Rows of logits; spans over the packed rows. */
pct_tensor *toy_logits(toy *m, pct_tape *tape, const int32_t *ids, const int32_t *positions, int rows,
                       const pct_span *spans, int span_count);
/* AdamW over all trainable parameters; gradients are cleared. moments: two buffers of the size of all parameters. */
void toy_update(toy *m, const pct_kernels *kernels, pct_real *moments, int64_t step, double rate);
int64_t toy_size(const toy *m);

#endif
