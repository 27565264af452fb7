/* pixel_shuffle.c: cells of k x k pixels to channels and back (Shi et al., arXiv 1609.05158, in NHWC).
 *
 *   pixel_unshuffle  y[b, i, j, (u*k+v)*C + c] = x[b, i*k+u, j*k+v, c]
 *   pixel_shuffle    the inverse
 *
 * Each is a move of runs of k*C elements, and the other is its way back. */
#include "tensor/ops/common.h"

#include <string.h>

typedef struct job {
    const pct_kernels *kernels;
    pct_real *to;
    const pct_real *from;
    int64_t cells, run, factor; /* cells a row; elements a run */
    bool to_cells, add;
} job;

/* Over rows of pixels of all pictures. */
static void move_rows(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        for (int64_t cell = 0; cell < j->cells; cell++) {
            int64_t pixels = (row * j->cells + cell) * j->run;
            int64_t channels = ((row / j->factor * j->cells + cell) * j->factor + row % j->factor) * j->run;
            pct_real *to = j->to + (j->to_cells ? channels : pixels);
            const pct_real *from = j->from + (j->to_cells ? pixels : channels);
            if (j->add) {
                j->kernels->axpy(to, 1, from, j->run);
            } else {
                memcpy(to, from, pct_op_bytes(j->run));
            }
        }
    }
}

static void run(pct_tape *tape, job *j, const pct_tensor *map) {
    j->kernels = &tape->compute->kernels;
    pct_parallel_for(tape->compute->pool, map->dim[0] * map->dim[1], pct_op_grain(j->cells * j->run), move_rows, j);
}

static void shuffle_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    job j = *(const job *)node->saved;
    bool fresh;
    j.from = node->output->grad;
    j.to = pct_tape_grad_fresh(tape, x, &fresh);
    j.add = !fresh;
    const pct_tensor *map = j.to_cells ? x : node->output; /* the side with the pixels */
    j.to_cells = !j.to_cells;
    if (j.to) run(tape, &j, map);
}

static pct_tensor *shuffle(pct_tape *tape, pct_tensor *x, int factor, bool to_cells) {
    int64_t k = factor, dim[4] = {x->dim[0], x->dim[1] * k, x->dim[2] * k, x->dim[3] / (k * k)};
    if (to_cells) {
        dim[1] = x->dim[1] / k;
        dim[2] = x->dim[2] / k;
        dim[3] = x->dim[3] * k * k;
    }
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 4, dim);
    if (pct_tape_failed(tape)) return y;
    const pct_tensor *map = to_cells ? x : y;
    job j = {.to = y->data, .from = x->data, .factor = k, .to_cells = to_cells};
    j.cells = map->dim[2] / k;
    j.run = map->dim[3] * k;
    run(tape, &j, map);
    const char *name = to_cells ? "pixel_unshuffle" : "pixel_shuffle";
    pct_node *node = pct_tape_record(tape, name, shuffle_back, y, &x, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    return y;
}

pct_tensor *pct_op_pixel_unshuffle(pct_tape *tape, pct_tensor *x, int factor) {
    PCT_ASSERT(factor >= 1);
    PCT_SHAPE(tape, x->rank == 4 && x->dim[1] % factor == 0 && x->dim[2] % factor == 0);
    return shuffle(tape, x, factor, true);
}

pct_tensor *pct_op_pixel_shuffle(pct_tape *tape, pct_tensor *x, int factor) {
    PCT_ASSERT(factor >= 1);
    PCT_SHAPE(tape, x->rank == 4 && x->dim[3] % ((int64_t)factor * factor) == 0);
    return shuffle(tape, x, factor, false);
}
