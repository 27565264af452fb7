#include "heads/losses.h"

#include "heads/quality.h"

/* IoU of every region, of the mask where it is known, else of the box; the means go to the result. */
static void measure(pct_tape *tape, pct_tensor *boxes, pct_tensor *logits, const pct_region_targets *targets,
                    pct_real *iou, pct_region_losses *losses) {
    int64_t cells = logits->dim[1] * logits->dim[2], known = 0;
    double mask_sum = 0, box_sum = 0;
    if (pct_tape_failed(tape)) return;
    for (int64_t i = 0; i < targets->count; i++) {
        double box = pct_region_box_iou(pct_tensor_data(boxes) + 4 * i, targets->boxes + 4 * i);
        box_sum += box;
        iou[i] = (pct_real)box;
        if (targets->mask_weight && targets->mask_weight[i] == 0) continue;
        double mask = pct_region_mask_iou(pct_tensor_data(logits) + i * cells, targets->masks + i * cells, cells);
        mask_sum += mask;
        iou[i] = (pct_real)mask;
        known++;
    }
    losses->box_iou = targets->count > 0 ? box_sum / (double)targets->count : 0;
    losses->mask_iou = known > 0 ? mask_sum / (double)known : 0;
}

/* A weight for every cell, from one for every mask; NULL when all count the same. */
static const pct_real *cell_weights(pct_tape *tape, const pct_region_targets *targets, int64_t cells) {
    if (!targets->mask_weight) return NULL;
    pct_real *weights = pct_tape_array(tape, targets->count * cells, sizeof *weights);
    for (int64_t i = 0; weights && i < targets->count * cells; i++) weights[i] = targets->mask_weight[i / cells];
    return weights;
}

pct_region_losses pct_region_losses_make(pct_tape *tape, pct_tensor *boxes, pct_tensor *logits, pct_tensor *quality,
                                         const pct_region_targets *targets) {
    pct_region_losses losses = {0};
    int64_t count = targets->count, cells = logits->dim[1] * logits->dim[2];
    pct_real *iou = pct_tape_array(tape, count, sizeof *iou);
    if (!iou) return losses;
    measure(tape, boxes, logits, targets, iou, &losses);
    losses.l1 = pct_op_l1(tape, boxes, targets->boxes, NULL);
    losses.giou = pct_op_giou(tape, boxes, targets->boxes, NULL);
    bool known = !targets->mask_weight;
    for (int64_t i = 0; i < count && !known; i++) known = targets->mask_weight[i] > 0;
    if (known) {
        pct_tensor *rows = pct_as_rows(tape, logits, cells);
        losses.bce = pct_op_bce(tape, rows, targets->masks, cell_weights(tape, targets, cells));
        losses.dice = pct_op_dice(tape, rows, targets->masks, targets->mask_weight, (pct_real)1);
    }
    if (quality) losses.quality = pct_op_bce(tape, quality, iou, NULL);
    return losses;
}
