/* losses.c: see losses.h. */
#include "train/losses.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define TERM(field, of_objects)                                                                                        \
    { #field, offsetof(pct_losses, field), of_objects }
const pct_loss_term pct_loss_terms[PCT_LOSS_TERMS] = {
    TERM(total, false),   TERM(language, false), TERM(box_l1, true),          TERM(box_giou, true),
    TERM(mask_bce, true), TERM(mask_dice, true), TERM(quality, true),         TERM(presence, false),
    TERM(naming, false),  TERM(cell_box, false), TERM(token_accuracy, false), TERM(naming_accuracy, false),
    TERM(mask_iou, true), TERM(box_iou, true),
};
#undef TERM

static double *place(pct_losses *losses, const pct_loss_term *term) {
    return (double *)(void *)((char *)losses + term->offset);
}

double pct_loss_value(const pct_losses *losses, const pct_loss_term *term) {
    pct_losses copy = *losses;
    return *place(&copy, term);
}

double pct_loss_named(const pct_losses *losses, const char *name) {
    for (int i = 0; i < PCT_LOSS_TERMS; i++)
        if (!strcmp(pct_loss_terms[i].name, name)) return pct_loss_value(losses, &pct_loss_terms[i]);
    return NAN;
}

void pct_loss_sum_add(pct_loss_sum *sum, const pct_losses *batch) {
    for (int i = 0; i < PCT_LOSS_TERMS; i++) {
        const pct_loss_term *term = &pct_loss_terms[i];
        if (!term->of_objects || batch->objects > 0) *place(&sum->losses, term) += pct_loss_value(batch, term);
    }
    sum->losses.objects += batch->objects;
    sum->losses.tokens += batch->tokens;
    sum->batches++;
    sum->with_objects += batch->objects > 0;
}

pct_losses pct_loss_sum_means(const pct_loss_sum *sum) {
    pct_losses means = sum->losses;
    for (int i = 0; i < PCT_LOSS_TERMS; i++) {
        int64_t count = pct_loss_terms[i].of_objects ? sum->with_objects : sum->batches;
        double *value = place(&means, &pct_loss_terms[i]);
        *value = count > 0 ? *value / (double)count : NAN;
    }
    return means;
}
