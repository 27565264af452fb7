/* cases.h: one line a checked shape of an operation. The case builds a tensor from its inputs; the harness makes it a
 * scalar, and checks it with fresh gradients, with gradients that are there already, and with each input frozen. */
#ifndef PCT_TESTS_GRAD_CASES_H
#define PCT_TESTS_GRAD_CASES_H

#include "tensor/gradcheck.h"
#include "tensor/ops.h"

#define MAX_INPUTS 6

typedef struct shape {
    int rank;
    int64_t dim[4];
} shape;

typedef struct grad_case {
    const char *operation; /* as in ops.h, without pct_op_ */
    const char *what;      /* tells cases of one operation apart */
    pct_tensor *(*build)(pct_tape *tape, pct_tensor *const *x, const int *n);
    int inputs;
    shape x[MAX_INPUTS];
    int n[8];         /* the case's own numbers */
    double low, high; /* of the inputs; both 0: -1..1 */
} grad_case;

extern const grad_case shape_cases[], math_cases[], loss_cases[];
extern const int shape_case_count, math_case_count, loss_case_count;

#endif
