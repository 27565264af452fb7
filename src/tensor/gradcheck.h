/* gradcheck.h: compares the way back of any function of tensors with central differences.
 *
 * Meant for the double build (dep_tensor64), where a tolerance of 1e-6 holds; in the float build rounding drowns it.
 * The function must be smooth where it is checked: keep inputs away from the corners of relu, max and |x|. */
#ifndef PCT_TENSOR_GRADCHECK_H
#define PCT_TENSOR_GRADCHECK_H

#include "tensor/tape.h"

/* Builds a scalar from the inputs on a tape that is new each time. */
typedef pct_tensor *pct_gradcheck_build(pct_tape *tape, pct_tensor *const *input, void *context);

typedef struct pct_gradcheck_result {
    double worst; /* largest |analytic - numeric| / max(|analytic|, |numeric|, 1e-3 of the input's largest) */
    int input;    /* where that was */
    int64_t element;
    double analytic, numeric;
    int64_t checked; /* elements */
} pct_gradcheck_result;

/* Every element of every input with needs_grad (leaves with data of the caller's; parameters too) is moved by `step`
 * (relative to its size, at least absolute) and put back; gradients of the inputs are cleared before; those of
 * parameters are left filled. Returns whether worst <= tolerance and all is finite. */
bool pct_gradcheck(pct_compute *compute, pct_gradcheck_build *build, void *context, pct_tensor *const *input,
                   int inputs, double step, double tolerance, pct_gradcheck_result *result);

#endif
