/* muon.h: Muon: steps of weight matrices along their orthogonalised momentum.
 *
 * Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024): Nesterov momentum, whose singular
 * values five Newton-Schulz steps then bring near 1; the steps are BF16 products. The update is scaled by
 * 0.2*sqrt(max(rows, columns)), so that its size is that of AdamW's, whose rate and decay carry over: Liu et al., "Muon
 * is scalable for LLM training" (2025). A matrix is stepped by one thread in one order: results do not depend on the
 * number of threads. For layers' matrices alone (pct_muon_takes): everything else stays with AdamW. */
#ifndef PCT_TRAIN_MUON_H
#define PCT_TRAIN_MUON_H

#include "kernels/kernels.h"
#include "tensor/tensor.h"

/* A kernel (out, h, w, in) is the matrix (out, h*w*in). */
typedef struct pct_muon_matrix {
    pct_parameter *parameter; /* borrowed, as is what follows */
    pct_real *momentum;
    pct_real *average; /* NULL: none */
    int64_t rows, columns;
} pct_muon_matrix;

typedef struct pct_muon_update {
    double rate, momentum, decay;
    double scale; /* of the gradients: the clip */
    double keep;  /* of the average */
} pct_muon_update;

/* Whether Muon is for the parameter: a layer's matrix with at least 16 rows and columns. The rest is filled in. */
bool pct_muon_takes(pct_parameter *parameter, pct_muon_matrix *matrix);

typedef struct pct_muon pct_muon;
/* Copies the list. All memory is taken here: a few times the largest matrix for each thread of the pool. */
percept_status pct_muon_create(pct_muon **muon, pct_compute *compute, const pct_muon_matrix *matrices, size_t count,
                               percept_error *error);
void pct_muon_destroy(pct_muon **muon);

/* One step of all matrices: momentum, weights, averages. A matrix whose gradient is nothing but zeros (its part of the
 * model was not in the loss) only decays: its old momentum would be blown up to a step of full length. */
void pct_muon_step(pct_muon *muon, const pct_muon_update *update);

/* x (rows,columns), no larger than the largest matrix of the list, becomes what lies nearest to it with singular values
 * near 1: all that were not tiny beside the norm end in about 0.7..1.2. Zeros stay. */
void pct_muon_orthogonalise(pct_muon *muon, pct_real *x, int64_t rows, int64_t columns);

#endif
