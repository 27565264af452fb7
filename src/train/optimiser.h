/* optimiser.h: AdamW, or AdamW and Muon, over a model's trainable parameters, the norm of their gradient, their moving
 * average, and the learning rate's schedule.
 *
 * With PCT_OPTIMISER_MUON the layers' matrices (pct_muon_takes) go by muon.h, all else by AdamW. AdamW after Loshchilov
 * & Hutter (ICLR 2019): decoupled decay, of parameters marked for it alone. Sums run in a fixed order, so that results
 * do not depend on the number of threads. The average (EMA) starts as the weights and its decay is min(decay,
 * (1+step)/(10+step)), so that the random start is soon forgotten. */
#ifndef PCT_TRAIN_OPTIMISER_H
#define PCT_TRAIN_OPTIMISER_H

#include "kernels/kernels.h"
#include "tensor/tensor.h"
#include "train/muon.h"

#include <stdint.h>

enum pct_optimiser_kind { PCT_OPTIMISER_ADAMW, PCT_OPTIMISER_MUON };

typedef struct pct_optimiser_options {
    enum pct_optimiser_kind kind;
    float momentum;                                /* Muon's */
    float beta1, beta2, epsilon, decay, clip, ema; /* clip 0: none; ema 0: none */
} pct_optimiser_options;

struct pct_optimiser_chunk;
typedef struct pct_optimiser {
    pct_optimiser_options options;
    pct_compute *compute;     /* borrowed */
    pct_parameters *set;      /* borrowed */
    pct_parameter **list;     /* the trainable ones, in the set's order */
    pct_real **m, **v, **ema; /* one block a parameter of list; v[i] NULL where Muon steps; ema NULL without average */
    size_t count;
    int64_t elements;                   /* of all of them */
    int64_t plain_elements;             /* of those that Muon is not for */
    int64_t v_elements;                 /* of those that have v: all, or with Muon the plain ones */
    pct_real *memory;                   /* of all m, then v, then ema: each without gaps, in the list's order */
    pct_muon *muon;                     /* NULL: AdamW alone */
    struct pct_optimiser_chunk *chunks; /* what threads share out; AdamW's first */
    size_t chunk_count, adamw_chunks;
    double *partial; /* sums of chunks */
    bool swapped;    /* weights and their average have changed places */
} pct_optimiser;

/* `set` must not change afterwards. Moments start at zero, the average at the weights. */
percept_status pct_optimiser_init(pct_optimiser *optimiser, const pct_optimiser_options *options, pct_compute *compute,
                                  pct_parameters *set, percept_error *error);
void pct_optimiser_free(pct_optimiser *optimiser);

void pct_optimiser_zero(pct_optimiser *optimiser); /* gradients */
/* Euclidean norm over all gradients; not finite when one of them is not. */
double pct_optimiser_norm(pct_optimiser *optimiser);
/* One step with the gradients as they are, scaled down to the clip when `norm` is above it. step counts from 1. */
void pct_optimiser_step(pct_optimiser *optimiser, double rate, double norm, int64_t step);
/* The average takes the weights' place, and back again at the next call: bit for bit. Nothing without an average. */
void pct_optimiser_swap(pct_optimiser *optimiser);

/* Rate of step 1..steps: rises to `peak` at step `warmup`, then falls as half a cosine to peak*final at `steps`. */
double pct_schedule_rate(double peak, int64_t step, int64_t warmup, int64_t steps, double final);

#endif
