/* activations.c: activation functions and their derivatives in plain C, through the double functions of libm.
 *
 * GELU: Hendrycks & Gimpel, 2016, the tanh form and the exact one; quick GELU is x*sigmoid(1.702 x), as CLIP's towers
 * use it; SwiGLU: Shazeer, 2020. */
#include "kernels/kernels_private.h"

#include <math.h>

#define GELU_A 0.7978845608028654 /* sqrt(2/pi) */
#define GELU_B 0.044715

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static double value(enum pct_activation kind, double x) {
    switch (kind) {
    case PCT_RELU:
        return x > 0 ? x : 0;
    case PCT_GELU:
        return 0.5 * x * (1 + tanh(GELU_A * (x + GELU_B * x * x * x)));
    case PCT_GELU_ERF:
        return 0.5 * x * (1 + erf(x * M_SQRT1_2));
    case PCT_QUICK_GELU:
        return x * sigmoid(1.702 * x);
    case PCT_SILU:
        return x * sigmoid(x);
    case PCT_SIGMOID:
        return sigmoid(x);
    default:
        return x;
    }
}

static double slope(enum pct_activation kind, double x) {
    switch (kind) {
    case PCT_RELU:
        return x > 0 ? 1 : 0;
    case PCT_GELU: {
        const double t = tanh(GELU_A * (x + GELU_B * x * x * x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * GELU_A * (1 + 3 * GELU_B * x * x);
    }
    case PCT_GELU_ERF:
        return 0.5 * (1 + erf(x * M_SQRT1_2)) + x * exp(-0.5 * x * x) * 0.3989422804014327;
    case PCT_QUICK_GELU: {
        const double s = sigmoid(1.702 * x);
        return s + 1.702 * x * s * (1 - s);
    }
    case PCT_SILU: {
        const double s = sigmoid(x);
        return s + x * s * (1 - s);
    }
    case PCT_SIGMOID: {
        const double s = sigmoid(x);
        return s * (1 - s);
    }
    default:
        return 1;
    }
}

#define ACTIVATION(name, kind)                                                                                         \
    static void name(pct_real *y, const pct_real *x, int64_t count) {                                                  \
        for (int64_t i = 0; i < count; i++) y[i] = (pct_real)value(kind, (double)x[i]);                                \
    }                                                                                                                  \
    static void name##_back(pct_real *dx, const pct_real *dy, const pct_real *x, int64_t count) {                      \
        for (int64_t i = 0; i < count; i++) dx[i] += dy[i] * (pct_real)slope(kind, (double)x[i]);                      \
    }
ACTIVATION(identity, PCT_IDENTITY)
ACTIVATION(relu, PCT_RELU)
ACTIVATION(gelu, PCT_GELU)
ACTIVATION(gelu_erf, PCT_GELU_ERF)
ACTIVATION(quick_gelu, PCT_QUICK_GELU)
ACTIVATION(silu, PCT_SILU)
ACTIVATION(sigmoid_all, PCT_SIGMOID)

static void swiglu(pct_real *y, const pct_real *gate, const pct_real *up, int64_t count) {
    for (int64_t i = 0; i < count; i++) y[i] = (pct_real)value(PCT_SILU, (double)gate[i]) * up[i];
}

static void swiglu_back(pct_real *dgate, pct_real *dup, const pct_real *dy, const pct_real *gate, const pct_real *up,
                        int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        dgate[i] += dy[i] * up[i] * (pct_real)slope(PCT_SILU, (double)gate[i]);
        dup[i] += dy[i] * (pct_real)value(PCT_SILU, (double)gate[i]);
    }
}

void pct_ref_activations(pct_kernels *kernels) {
    kernels->activate[PCT_IDENTITY] = identity;
    kernels->activate[PCT_RELU] = relu;
    kernels->activate[PCT_GELU] = gelu;
    kernels->activate[PCT_GELU_ERF] = gelu_erf;
    kernels->activate[PCT_QUICK_GELU] = quick_gelu;
    kernels->activate[PCT_SILU] = silu;
    kernels->activate[PCT_SIGMOID] = sigmoid_all;
    kernels->activate_back[PCT_IDENTITY] = identity_back;
    kernels->activate_back[PCT_RELU] = relu_back;
    kernels->activate_back[PCT_GELU] = gelu_back;
    kernels->activate_back[PCT_GELU_ERF] = gelu_erf_back;
    kernels->activate_back[PCT_QUICK_GELU] = quick_gelu_back;
    kernels->activate_back[PCT_SILU] = silu_back;
    kernels->activate_back[PCT_SIGMOID] = sigmoid_all_back;
    kernels->swiglu = swiglu;
    kernels->swiglu_back = swiglu_back;
}
