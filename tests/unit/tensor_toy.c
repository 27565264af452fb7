/* tensor_toy.c: see tensor_toy.h. */
#include "tensor_toy.h"

#include "tensor_helpers.h"

static pct_parameter *matrix(toy *m, const char *name, int layer, int64_t out, int64_t in) {
    char full[PCT_NAME_SIZE];
    snprintf(full, sizeof full, "%s.%d", name, layer);
    return random_parameter(&m->set, full, 2, (int64_t[]){out, in}, true, 1 / sqrt((double)in), m->set.count);
}

static pct_parameter *ones(toy *m, const char *name, int layer) {
    char full[PCT_NAME_SIZE];
    snprintf(full, sizeof full, "%s.%d", name, layer);
    pct_parameter *p = pct_parameters_add(&m->set, full, 1, (int64_t[]){m->width}, true, NULL);
    assert_non_null(p);
    for (int i = 0; i < m->width; i++) pct_tensor_data(&p->tensor)[i] = 1;
    return p;
}

void toy_init(toy *m, int vocabulary, int width, int heads, int kv_heads) {
    *m = (toy){.vocabulary = vocabulary, .width = width, .heads = heads, .kv_heads = kv_heads};
    int kv = width / heads * kv_heads;
    pct_parameters_init(&m->set);
    m->embedding = matrix(m, "embedding", 0, vocabulary, width);
    for (int i = 0; i < TOY_LAYERS; i++) {
        m->layer[i] = (toy_layer){
            .norm1 = ones(m, "norm1", i),
            .q = matrix(m, "q", i, width, width),
            .k = matrix(m, "k", i, kv, width),
            .v = matrix(m, "v", i, kv, width),
            .out = matrix(m, "out", i, width, width),
            .norm2 = ones(m, "norm2", i),
            .gate = matrix(m, "gate", i, 2 * width, width),
            .up = matrix(m, "up", i, 2 * width, width),
            .down = matrix(m, "down", i, width, 2 * width),
        };
    }
    m->norm = ones(m, "norm", 0);
    m->norm_beta = random_parameter(&m->set, "norm_beta", 1, (int64_t[]){width}, true, 0, 0);
    m->head = matrix(m, "head", 0, vocabulary, width);
    m->head_bias = random_parameter(&m->set, "head_bias", 1, (int64_t[]){vocabulary}, true, 0, 0);
}

/* What went in is not used again. */
static pct_tensor *rotated(pct_tape *t, pct_tensor *x, int heads, int dim, const int32_t *positions) {
    pct_tensor *y = pct_op_rotate(t, x, heads, &(pct_rotary_form){.count = dim, .theta = 100}, positions);
    pct_tape_done(t, x);
    return y;
}

static pct_tensor *added(pct_tape *t, pct_tensor *x, pct_tensor *more) {
    pct_tensor *y = pct_op_add(t, x, more);
    pct_tape_done(t, x);
    pct_tape_done(t, more);
    return y;
}

pct_tensor *toy_logits(toy *m, pct_tape *t, const int32_t *ids, const int32_t *positions, int rows,
                       const pct_span *spans, int span_count) {
    int dim = m->width / m->heads;
    pct_tensor *x = pct_op_gather_rows(t, &m->embedding->tensor, ids, rows);
    for (int i = 0; i < TOY_LAYERS; i++) {
        toy_layer *l = &m->layer[i];
        pct_tensor *h = pct_op_rms_norm(t, x, &l->norm1->tensor, 1e-5f);
        pct_tensor *q = pct_op_linear(t, h, &l->q->tensor, NULL), *k = pct_op_linear(t, h, &l->k->tensor, NULL);
        pct_tensor *v = pct_op_linear(t, h, &l->v->tensor, NULL);
        pct_tape_done(t, h);
        q = rotated(t, q, m->heads, dim, positions);
        k = rotated(t, k, m->kv_heads, dim, positions);
        pct_tensor *a = pct_op_attention(t, q, k, v, m->heads, m->kv_heads, spans, span_count);
        x = added(t, x, pct_op_linear(t, a, &l->out->tensor, NULL));
        pct_tape_done(t, a);
        h = pct_op_rms_norm(t, x, &l->norm2->tensor, 1e-5f);
        pct_tensor *gate = pct_op_linear(t, h, &l->gate->tensor, NULL);
        pct_tensor *up = pct_op_linear(t, h, &l->up->tensor, NULL);
        pct_tape_done(t, h);
        h = pct_op_swiglu(t, gate, up);
        x = added(t, x, pct_op_linear(t, h, &l->down->tensor, NULL));
        pct_tape_done(t, h);
    }
    x = pct_op_layer_norm(t, x, &m->norm->tensor, &m->norm_beta->tensor, 1e-5f);
    return pct_op_linear(t, x, &m->head->tensor, &m->head_bias->tensor);
}

int64_t toy_size(const toy *m) {
    int64_t size = 0;
    for (size_t i = 0; i < m->set.count; i++) size += pct_tensor_count(&m->set.list[i]->tensor);
    return size;
}

void toy_update(toy *m, const pct_kernels *kernels, pct_real *moments, int64_t step, double rate) {
    for (size_t i = 0; i < m->set.count; i++) {
        pct_parameter *p = m->set.list[i];
        int64_t count = pct_tensor_count(&p->tensor);
        kernels->adamw(p->tensor.data, moments, moments + count, p->tensor.grad, count, rate, 0.9, 0.99, 1e-8, 0, 1,
                       step);
        memset(p->tensor.grad, 0, (size_t)count * sizeof(pct_real));
        p->version++;
        moments += 2 * count;
    }
}
