/* real.h: the mathematics of pct_real, so that one source serves the float build and the double build. */
#ifndef PCT_TENSOR_REAL_H
#define PCT_TENSOR_REAL_H

#include "kernels/kernels.h"

#include <math.h>

#ifdef PCT_REAL_DOUBLE
#define PCT_EXP  exp
#define PCT_LOG  log
#define PCT_SQRT sqrt
#define PCT_FABS fabs
#define PCT_FMAX fmax
#define PCT_FMIN fmin
#else
#define PCT_EXP  expf
#define PCT_LOG  logf
#define PCT_SQRT sqrtf
#define PCT_FABS fabsf
#define PCT_FMAX fmaxf
#define PCT_FMIN fminf
#endif

#endif
