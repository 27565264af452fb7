/* dropout.c: y = x * keep / (1-rate), keep drawn anew for every element while recording (Srivastava et al., JMLR 2014);
 * dx = dy * keep / (1-rate). Without recording, or at rate 0, x itself is returned.
 *
 * Nothing is kept but the call's seed: the draws are a function of it and of the element's place, so the way back draws
 * them again, and neither the thread count nor the order matters. */
#include "tensor/ops/common.h"

typedef struct job {
    uint64_t seed;
    uint32_t threshold; /* of 2^32: below it the element is dropped */
    pct_real scale;
    pct_real *y;
    const pct_real *x;
    int64_t count;
    bool add;
} job;

static void drop_blocks(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t block = begin; block < end; block++) {
        pct_random random;
        pct_random_init(&random, j->seed, 0x64726f70, (uint64_t)block);
        int64_t last = pct_min_i64(j->count, (block + 1) * PCT_BLOCK);
        for (int64_t i = block * PCT_BLOCK; i < last; i++) {
            pct_real value = pct_random_u32(&random) < j->threshold ? 0 : j->x[i] * j->scale;
            j->y[i] = j->add ? j->y[i] + value : value;
        }
    }
}

static void run(pct_tape *tape, job *j) {
    pct_parallel_for(tape->compute->pool, (j->count + PCT_BLOCK - 1) / PCT_BLOCK, 1, drop_blocks, j);
}

static void dropout_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    job j = *(const job *)node->saved;
    j.x = node->output->grad;
    bool fresh = true;
    if (pct_tape_grad_pass(tape, node->output, x)) {
        j.y = x->grad; /* in place */
    } else {
        j.y = pct_tape_grad_fresh(tape, x, &fresh);
    }
    j.add = !fresh;
    if (j.y) run(tape, &j);
}

pct_tensor *pct_op_dropout(pct_tape *tape, pct_tensor *x, pct_real rate) {
    PCT_ASSERT(rate >= 0 && rate < 1);
    if (!tape->record || rate == 0) return x;
    pct_tensor *y = pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    job j = {.seed = pct_random_u64(&tape->random), .scale = 1 / (1 - rate), .y = y->data, .x = x->data};
    j.threshold = (uint32_t)((double)rate * 4294967296.0);
    j.count = pct_tensor_count(x);
    run(tape, &j);
    pct_node *node = pct_tape_record(tape, "dropout", dropout_back, y, &x, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    return y;
}
