/* dnn.h: oneDNN as a second back end of BF16 products and convolutions.
 *
 * The library is loaded when it is first asked for, not linked: it weighs 40 MB, takes milliseconds to load and about
 * one more for each new shape, which a program that answers one question must not pay; and a machine without it still
 * runs everything. Works with its versions 2 and 3, whichever the headers were of. Only this folder includes them.
 *
 * Primitives are fixed to shapes. They are kept in a table; row counts, which differ from batch to batch in training,
 * are cut into pieces of a few sizes so that the table stays small. */
#ifndef PCT_KERNELS_DNN_DNN_H
#define PCT_KERNELS_DNN_DNN_H

#include "kernels/kernels_private.h"

typedef struct pct_dnn pct_dnn;

/* NULL when the library is not there or refuses; `threads` for its parallel loops. */
pct_dnn *pct_dnn_open(int threads);
void pct_dnn_close(pct_dnn **dnn);

/* Each returns false, with nothing done, when the library has no primitive for the shape. BF16 only. */
bool pct_dnn_gemm(pct_compute *compute, const pct_gemm *gemm);
bool pct_dnn_conv(pct_compute *compute, const pct_conv *conv, pct_real *y, const pct_real *x, const pct_real *w,
                  const pct_real *bias);
/* Adds to dx or, where that is NULL, to dw. */
bool pct_dnn_conv_back(pct_compute *compute, const pct_conv *conv, pct_real *dx, pct_real *dw, const pct_real *dy,
                       const pct_real *x, const pct_real *w);

#endif
