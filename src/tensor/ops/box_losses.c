/* box_losses.c: losses of a few numbers a row against targets, each row with a weight w_q (1 without weights).
 *
 *   l1    sum_q w_q sum_j |x-t| / (n sum w); d|x-t| = sign(x-t)
 *   giou  sum_q w_q (1-G) / sum w, G = I/U - (C-U)/C (Rezatofighi et al., arXiv 1902.09630): I intersection, U union,
 *         C the smallest box round both. Corners of the prediction are put in order first. Areas have 1e-9 added, so
 *         that empty boxes give a number.
 *
 * Rows are few: one thread. */
#include "tensor/ops/common.h"

typedef struct saved {
    const pct_real *target, *weight;
    double share;
} saved;

static double weight_of(const saved *s, int64_t q) { return s->weight ? (double)s->weight[q] : 1; }

/* Fills s->share with 1 / sum of weights. */
static void share_of(saved *s, int64_t rows) {
    double sum = 0;
    for (int64_t q = 0; q < rows; q++) sum += weight_of(s, q);
    s->share = sum > 0 ? 1 / sum : 0;
}

/* ---- l1 ---------------------------------------------------------------------------------------------------------- */

static void l1_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    const saved *s = node->saved;
    int64_t rows = pct_tensor_rows(x), n = pct_tensor_width(x);
    pct_real *dx = pct_tape_grad(tape, x);
    if (!dx) return;
    double g = (double)node->output->grad[0] * s->share / (double)n;
    for (int64_t i = 0; i < rows * n; i++) {
        double d = (double)pct_tensor_data(x)[i] - (double)s->target[i];
        dx[i] += (pct_real)(g * weight_of(s, i / n) * (double)((d > 0) - (d < 0)));
    }
}

pct_tensor *pct_op_l1(pct_tape *tape, pct_tensor *x, const pct_real *target, const pct_real *weight) {
    pct_tensor *loss = pct_op_scalar(tape, 0);
    if (pct_tape_failed(tape)) return loss;
    saved s = {target, weight, 0};
    int64_t rows = pct_tensor_rows(x), n = pct_tensor_width(x);
    share_of(&s, rows);
    double sum = 0;
    for (int64_t i = 0; i < rows * n; i++) {
        sum += weight_of(&s, i / n) * fabs((double)pct_tensor_data(x)[i] - (double)target[i]);
    }
    pct_tensor_data(loss)[0] = (pct_real)(sum * s.share / (double)n);
    pct_node *node = pct_tape_record(tape, "l1", l1_back, loss, &x, 1, sizeof s);
    if (node) *(saved *)node->saved = s;
    pct_op_keep(node, x);
    return loss;
}

/* ---- giou -------------------------------------------------------------------------------------------------------- */

#define TINY 1e-9

/* One axis: b the prediction's ordered ends, t the target's. Overlap, extent of the hull, and what each end does. */
typedef struct span {
    double length, overlap, hull;
    double d_overlap[2], d_hull[2];
} span;

static span measure(const double b[2], const double t[2]) {
    span s = {.length = b[1] - b[0]};
    s.overlap = fmin(b[1], t[1]) - fmax(b[0], t[0]);
    s.hull = fmax(b[1], t[1]) - fmin(b[0], t[0]);
    s.d_overlap[0] = b[0] > t[0] ? -1 : 0;
    s.d_overlap[1] = b[1] < t[1] ? 1 : 0;
    s.d_hull[0] = b[0] < t[0] ? -1 : 0;
    s.d_hull[1] = b[1] > t[1] ? 1 : 0;
    return s;
}

/* G of a box and its derivative by x0, y0, x1, y1. */
static double giou(const pct_real box[4], const pct_real target[4], double d[4]) {
    span s[2];
    double area = 1;
    bool swapped[2];
    for (int a = 0; a < 2; a++) {
        double low = (double)box[a], high = (double)box[a + 2];
        swapped[a] = low > high;
        double b[2] = {swapped[a] ? high : low, swapped[a] ? low : high};
        double t[2] = {(double)target[a], (double)target[a + 2]};
        s[a] = measure(b, t);
        area *= t[1] - t[0];
    }
    bool meet = s[0].overlap > 0 && s[1].overlap > 0;
    double inter = meet ? s[0].overlap * s[1].overlap : 0;
    double all = s[0].length * s[1].length + area - inter + TINY, hull = s[0].hull * s[1].hull + TINY;
    double by_all = -inter / (all * all) + 1 / hull, by_hull = -all / (hull * hull);
    for (int a = 0; a < 2; a++) {
        const span *own = &s[a], *other = &s[1 - a];
        for (int end = 0; end < 2; end++) {
            double d_inter = meet ? own->d_overlap[end] * other->overlap : 0;
            double d_area = (end ? 1 : -1) * other->length;
            double g = d_inter / all + (d_area - d_inter) * by_all + own->d_hull[end] * other->hull * by_hull;
            d[a + 2 * (swapped[a] ? 1 - end : end)] = g;
        }
    }
    return inter / all - 1 + all / hull;
}

static void giou_back(pct_tape *tape, pct_node *node) {
    pct_tensor *box = node->input[0];
    const saved *s = node->saved;
    pct_real *dx = pct_tape_grad(tape, box);
    if (!dx) return;
    for (int64_t q = 0; q < pct_tensor_rows(box); q++) {
        double d[4], g = -(double)node->output->grad[0] * s->share * weight_of(s, q);
        giou(pct_tensor_data(box) + 4 * q, s->target + 4 * q, d);
        for (int i = 0; i < 4; i++) dx[4 * q + i] += (pct_real)(g * d[i]);
    }
}

pct_tensor *pct_op_giou(pct_tape *tape, pct_tensor *box, const pct_real *target, const pct_real *weight) {
    PCT_SHAPE(tape, pct_tensor_width(box) == 4);
    pct_tensor *loss = pct_op_scalar(tape, 0);
    if (pct_tape_failed(tape)) return loss;
    saved s = {target, weight, 0};
    int64_t rows = pct_tensor_rows(box);
    share_of(&s, rows);
    double sum = 0, d[4];
    for (int64_t q = 0; q < rows; q++) {
        sum += weight_of(&s, q) * (1 - giou(pct_tensor_data(box) + 4 * q, target + 4 * q, d));
    }
    pct_tensor_data(loss)[0] = (pct_real)(sum * s.share);
    pct_node *node = pct_tape_record(tape, "giou", giou_back, loss, &box, 1, sizeof s);
    if (node) *(saved *)node->saved = s;
    pct_op_keep(node, box);
    return loss;
}
