#include "heads/quality.h"

#include <math.h>

void pct_quality_build(pct_quality_head *head, pct_builder *builder, int64_t state_width, int64_t query_width,
                       int64_t hidden) {
    int64_t in = state_width + query_width + PCT_QUALITY_STATISTICS;
    pct_mlp_build(&head->mlp, builder, (int64_t[]){in, hidden, 1}, 2, PCT_RELU, 0.3, "percept.quality");
}

/* The extent of logits > 0 as a box in 0..1, for agreement with the predicted box. */
typedef struct extent {
    int64_t x0, y0, x1, y1;
} extent;

static void statistics(pct_real *out, const pct_real *logits, const pct_real *box, int64_t side) {
    double inside = 0, soft = 0, sure = 0, doubt = 0, square = 0;
    extent e = {side, side, 0, 0};
    for (int64_t y = 0; y < side; y++)
        for (int64_t x = 0; x < side; x++) {
            double p = 1 / (1 + exp(-(double)logits[y * side + x]));
            soft += p;
            square += p * p;
            if (p > 0.1 && p < 0.9) doubt++;
            if (p <= 0.5) continue;
            inside++;
            sure += p;
            e.x0 = x < e.x0 ? x : e.x0;
            e.y0 = y < e.y0 ? y : e.y0;
            e.x1 = x + 1 > e.x1 ? x + 1 : e.x1;
            e.y1 = y + 1 > e.y1 ? y + 1 : e.y1;
        }
    double cells = (double)(side * side), n = (double)side;
    pct_real hull[4] = {(pct_real)((double)e.x0 / n), (pct_real)((double)e.y0 / n), (pct_real)((double)e.x1 / n),
                        (pct_real)((double)e.y1 / n)};
    out[0] = (pct_real)sqrt(soft / cells);
    out[1] = (pct_real)sqrt(inside / cells);
    out[2] = (pct_real)(inside > 0 ? sure / inside : 0);                 /* mean probability inside */
    out[3] = (pct_real)(soft > 1e-6 ? square / soft : 0);                /* 1 when every cell is decided */
    out[4] = (pct_real)(doubt / (inside + doubt + 1));                   /* undecided against decided */
    out[5] = (pct_real)(inside > 0 ? pct_region_box_iou(hull, box) : 0); /* agreement with the box */
    out[6] = (pct_real)fmax(0, (double)(box[2] - box[0]));
    out[7] = (pct_real)fmax(0, (double)(box[3] - box[1]));
}

pct_tensor *pct_quality_apply(pct_tape *tape, const pct_quality_head *head, pct_tensor *states, pct_tensor *query,
                              pct_tensor *logits, pct_tensor *boxes) {
    int64_t count = pct_tensor_rows(states), side = logits->dim[1];
    pct_tensor *numbers = pct_tape_zeros(tape, 2, (int64_t[]){count, PCT_QUALITY_STATISTICS});
    for (int64_t i = 0; i < count && !pct_tape_failed(tape); i++)
        statistics(pct_tensor_data(numbers) + i * PCT_QUALITY_STATISTICS, pct_tensor_data(logits) + i * side * side,
                   pct_tensor_data(boxes) + i * 4, side);
    pct_tensor *seen = pct_op_concat_columns(tape, (pct_tensor *[]){states, query, numbers}, 3);
    return pct_mlp_apply(tape, &head->mlp, seen);
}

double pct_region_box_iou(const pct_real *a, const pct_real *b) {
    double ax0 = fmin((double)a[0], (double)a[2]), ax1 = fmax((double)a[0], (double)a[2]);
    double ay0 = fmin((double)a[1], (double)a[3]), ay1 = fmax((double)a[1], (double)a[3]);
    double bx0 = fmin((double)b[0], (double)b[2]), bx1 = fmax((double)b[0], (double)b[2]);
    double by0 = fmin((double)b[1], (double)b[3]), by1 = fmax((double)b[1], (double)b[3]);
    double w = fmin(ax1, bx1) - fmax(ax0, bx0), h = fmin(ay1, by1) - fmax(ay0, by0);
    double inter = w > 0 && h > 0 ? w * h : 0;
    double all = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - inter;
    return all > 0 ? inter / all : 0;
}

double pct_region_mask_iou(const pct_real *logits, const pct_real *target, int64_t count) {
    int64_t inter = 0, all = 0;
    for (int64_t i = 0; i < count; i++) {
        bool p = logits[i] > 0, t = target[i] > (pct_real)0.5;
        inter += p && t;
        all += p || t;
    }
    return all > 0 ? (double)inter / (double)all : 1;
}
