/* Fixed resampling as a sparse matrix, and its product with weights: y[b] = M x[b]. Being linear, a resampled patch
 * kernel or position table trains like the original: dx[b] += M^T dy[b]. */
#include "nn/layers.h"

#include <math.h>

/* Weights of one axis: `taps` neighbours of every target. */
typedef struct axis {
    int taps, index[4];
    double weight[4];
} axis;

static axis axis_bilinear(int i, int from, int to) {
    double source = to > 1 ? (double)i * (from - 1) / (to - 1) : 0;
    int low = (int)floor(source);
    if (low > from - 1) low = from - 1;
    int high = low + 1 < from ? low + 1 : low;
    double t = source - low;
    return (axis){.taps = 2, .index = {low, high}, .weight = {1 - t, t}};
}

/* Keys' cubic convolution with a = -0.75. */
static double cubic(double x) {
    const double a = -0.75;
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

static axis axis_bicubic(int i, int from, int to) {
    double source = (i + 0.5) * from / to - 0.5;
    int low = (int)floor(source);
    axis out = {.taps = 4};
    for (int k = 0; k < 4; k++) {
        int at = low - 1 + k;
        out.weight[k] = cubic(source - at);
        out.index[k] = at < 0 ? 0 : at > from - 1 ? from - 1 : at;
    }
    return out;
}

static pct_taps make(pct_tape *tape, int from, int to, axis (*of)(int, int, int), int taps) {
    int64_t rows = (int64_t)to * to;
    int32_t *offset = pct_tape_ints(tape, rows + 1), *index = pct_tape_ints(tape, rows * taps * taps);
    pct_real *weight = pct_tape_array(tape, rows * taps * taps, sizeof *weight);
    if (!offset || !index || !weight) return (pct_taps){0};
    int32_t used = 0;
    for (int y = 0; y < to; y++) {
        axis vertical = of(y, from, to);
        for (int x = 0; x < to; x++) {
            axis horizontal = of(x, from, to);
            for (int j = 0; j < taps; j++)
                for (int i = 0; i < taps; i++) {
                    double w = vertical.weight[j] * horizontal.weight[i];
                    if (w == 0) continue;
                    index[used] = vertical.index[j] * from + horizontal.index[i];
                    weight[used++] = (pct_real)w;
                }
            offset[y * to + x + 1] = used;
        }
    }
    return (pct_taps){
        .rows = rows, .columns = (int64_t)from * from, .offset = offset, .index = index, .weight = weight};
}

pct_taps pct_taps_bilinear_aligned(pct_tape *tape, int from, int to) { return make(tape, from, to, axis_bilinear, 2); }
pct_taps pct_taps_bicubic(pct_tape *tape, int from, int to) { return make(tape, from, to, axis_bicubic, 4); }

static void taps_back(pct_tape *tape, pct_node *node) {
    const pct_taps *taps = node->saved;
    pct_tensor *x = node->input[0];
    int64_t batch = x->dim[0], width = x->dim[2];
    const pct_real *dy = node->output->grad;
    pct_real *dx = pct_tape_grad(tape, x);
    if (!dx) return;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t r = 0; r < taps->rows; r++)
            for (int32_t k = taps->offset[r]; k < taps->offset[r + 1]; k++)
                tape->compute->kernels.axpy(dx + (b * taps->columns + taps->index[k]) * width, taps->weight[k],
                                            dy + (b * taps->rows + r) * width, width);
}

pct_tensor *pct_op_apply_taps(pct_tape *tape, pct_tensor *x, const pct_taps *taps) {
    PCT_ASSERT(x->rank == 3 && (!taps->rows || x->dim[1] == taps->columns));
    int64_t batch = x->dim[0], width = x->dim[2];
    pct_tensor *y = pct_tape_zeros(tape, 3, (int64_t[]){batch, taps->rows, width});
    if (tape->status != PERCEPT_OK) return y;
    const pct_real *in = pct_tensor_data(x);
    pct_real *out = pct_tensor_data(y);
    for (int64_t b = 0; b < batch; b++)
        for (int64_t r = 0; r < taps->rows; r++)
            for (int32_t k = taps->offset[r]; k < taps->offset[r + 1]; k++)
                tape->compute->kernels.axpy(out + (b * taps->rows + r) * width, taps->weight[k],
                                            in + (b * taps->columns + taps->index[k]) * width, width);
    pct_node *node = pct_tape_record(tape, "apply_taps", taps_back, y, &x, 1, sizeof *taps);
    if (node && node->saved) *(pct_taps *)node->saved = *taps;
    return y;
}
