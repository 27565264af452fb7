/* y = log(x/(1-x)), x held in [e, 1-e]; dx = dy/(x(1-x)) inside, 0 where x was held. */
#include "nn/layers.h"

#include <math.h>

static void logit_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    pct_real epsilon = *(const pct_real *)node->saved;
    const pct_real *data = pct_tensor_data(x), *dy = node->output->grad;
    pct_real *dx = pct_tape_grad(tape, x);
    if (!dx) return;
    int64_t count = pct_tensor_count(x);
    for (int64_t i = 0; i < count; i++)
        if (data[i] > epsilon && data[i] < 1 - epsilon) dx[i] += dy[i] / (data[i] * (1 - data[i]));
}

pct_tensor *pct_op_logit(pct_tape *tape, pct_tensor *x, pct_real epsilon) {
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, x->rank, x->dim);
    if (pct_tape_failed(tape)) return y;
    const pct_real *data = pct_tensor_data(x);
    pct_real *out = pct_tensor_data(y);
    int64_t count = pct_tensor_count(y);
    for (int64_t i = 0; i < count; i++) {
        double p = (double)data[i], e = (double)epsilon;
        p = p < e ? e : p > 1 - e ? 1 - e : p;
        out[i] = (pct_real)log(p / (1 - p));
    }
    pct_node *node = pct_tape_record(tape, "logit", logit_back, y, &x, 1, sizeof epsilon);
    if (node && node->saved) *(pct_real *)node->saved = epsilon;
    return y;
}
