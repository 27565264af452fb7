/* losses.h: the figures of pct_losses by name, and their means over batches. One table serves the lines of
 * metrics.jsonl, the plots, and the teacher-forced losses of validation. */
#ifndef PCT_TRAIN_LOSSES_H
#define PCT_TRAIN_LOSSES_H

#include "model/model.h"

typedef struct pct_loss_term {
    const char *name; /* in metrics.jsonl */
    size_t offset;    /* of a double in pct_losses */
    bool of_objects;  /* its mean is over the batches that supervise an object; the others have nothing to say */
} pct_loss_term;

enum { PCT_LOSS_TERMS = 14 };
extern const pct_loss_term pct_loss_terms[PCT_LOSS_TERMS]; /* in the order of the lines */

double pct_loss_value(const pct_losses *losses, const pct_loss_term *term);
/* NAN for a name that the table does not have. */
double pct_loss_named(const pct_losses *losses, const char *name);

typedef struct pct_loss_sum {
    pct_losses losses; /* sums; objects and tokens too */
    int64_t batches, with_objects;
} pct_loss_sum;

void pct_loss_sum_add(pct_loss_sum *sum, const pct_losses *batch);
/* Means of the terms, NAN where there was no batch to take one over; objects and tokens stay sums. */
pct_losses pct_loss_sum_means(const pct_loss_sum *sum);

#endif
