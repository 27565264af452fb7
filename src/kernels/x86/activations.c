/* activations.c: activation functions in vectors.
 *
 * tanh's GELU is x*sigmoid(2u) with u = sqrt(2/pi) (x + 0.044715 x^3), so one exponential and one division serve all
 * but the exact GELU, which has an erf (vector.h states the errors). */
#include "kernels/x86/vector.h"

#define GELU_A 0.7978845608028654f /* sqrt(2/pi) */
#define GELU_B 0.044715f

static inline vec identity(vec x) { return x; }
static inline vec identity_slope(vec x) { return v_set(1); }
static inline vec relu(vec x) { return v_keep_if_positive(x, x); }
static inline vec relu_slope(vec x) { return v_keep_if_positive(x, v_set(1)); }

static inline vec gelu_gate(vec x) { /* sigmoid(2u) */
    const vec inner = v_fma(v_mul(v_mul(x, x), v_set(GELU_B)), x, x);
    return v_sigmoid(v_mul(inner, v_set(2 * GELU_A)));
}
static inline vec gelu(vec x) { return v_mul(x, gelu_gate(x)); }
static inline vec gelu_slope(vec x) {
    /* beyond 10 the gate is 0 or 1 in F32, and x^3 must not make 0 * inf */
    const vec near = v_min(v_set(10), v_max(v_set(-10), x)), s = gelu_gate(near);
    const vec inner = v_fma(v_mul(near, near), v_set(3 * GELU_B), v_set(1));
    return v_fma(v_mul(v_mul(near, v_mul(s, v_sub(v_set(1), s))), inner), v_set(2 * GELU_A), s);
}

static inline vec gelu_erf(vec x) {
    return v_mul(v_mul(x, v_set(0.5f)), v_add(v_set(1), v_erf(v_mul(x, v_set(0.70710678f)))));
}
static inline vec gelu_erf_slope(vec x) {
    const vec near = v_min(v_set(20), v_max(v_set(-20), x));
    const vec bell = v_mul(v_exp(v_mul(v_mul(near, near), v_set(-0.5f))), v_set(0.39894228f));
    return v_fma(near, bell, v_mul(v_set(0.5f), v_add(v_set(1), v_erf(v_mul(near, v_set(0.70710678f))))));
}

static inline vec silu(vec x) { return v_mul(x, v_sigmoid(x)); }
static inline vec silu_slope(vec x) {
    const vec near = v_min(v_set(90), v_max(v_set(-90), x)), s = v_sigmoid(near);
    return v_fma(v_mul(near, s), v_sub(v_set(1), s), s);
}
static inline vec quick_gelu(vec x) { return v_mul(x, v_sigmoid(v_mul(x, v_set(1.702f)))); }
static inline vec quick_gelu_slope(vec x) { return silu_slope(v_mul(x, v_set(1.702f))); }
static inline vec sigmoid(vec x) { return v_sigmoid(x); }
static inline vec sigmoid_slope(vec x) {
    const vec s = v_sigmoid(x);
    return v_mul(s, v_sub(v_set(1), s));
}

#define ACTIVATION(f)                                                                                                  \
    static void f##_all(float *y, const float *x, int64_t count) {                                                     \
        for (int64_t i = 0; i < count; i += LANES) store_some(y + i, count - i, f(load_some(x + i, count - i)));       \
    }                                                                                                                  \
    static void f##_back(float *dx, const float *dy, const float *x, int64_t count) {                                  \
        for (int64_t i = 0; i < count; i += LANES) {                                                                   \
            const int64_t left = count - i;                                                                            \
            const vec slope = f##_slope(load_some(x + i, left));                                                       \
            store_some(dx + i, left, v_fma(load_some(dy + i, left), slope, load_some(dx + i, left)));                  \
        }                                                                                                              \
    }
ACTIVATION(identity)
ACTIVATION(relu)
ACTIVATION(gelu)
ACTIVATION(gelu_erf)
ACTIVATION(quick_gelu)
ACTIVATION(silu)
ACTIVATION(sigmoid)

static void swiglu(float *y, const float *gate, const float *up, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t left = count - i;
        store_some(y + i, left, v_mul(silu(load_some(gate + i, left)), load_some(up + i, left)));
    }
}

static void swiglu_back(float *dgate, float *dup, const float *dy, const float *gate, const float *up, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t left = count - i;
        const vec g = load_some(gate + i, left), d = load_some(dy + i, left);
        const vec slope = v_mul(silu_slope(g), load_some(up + i, left));
        store_some(dgate + i, left, v_fma(d, slope, load_some(dgate + i, left)));
        store_some(dup + i, left, v_fma(d, silu(g), load_some(dup + i, left)));
    }
}

void NAME(pct_x86_activations)(pct_kernels *kernels) {
    kernels->activate[PCT_IDENTITY] = identity_all;
    kernels->activate[PCT_RELU] = relu_all;
    kernels->activate[PCT_GELU] = gelu_all;
    kernels->activate[PCT_GELU_ERF] = gelu_erf_all;
    kernels->activate[PCT_QUICK_GELU] = quick_gelu_all;
    kernels->activate[PCT_SILU] = silu_all;
    kernels->activate[PCT_SIGMOID] = sigmoid_all;
    kernels->activate_back[PCT_IDENTITY] = identity_back;
    kernels->activate_back[PCT_RELU] = relu_back;
    kernels->activate_back[PCT_GELU] = gelu_back;
    kernels->activate_back[PCT_GELU_ERF] = gelu_erf_back;
    kernels->activate_back[PCT_QUICK_GELU] = quick_gelu_back;
    kernels->activate_back[PCT_SILU] = silu_back;
    kernels->activate_back[PCT_SIGMOID] = sigmoid_back;
    kernels->swiglu = swiglu;
    kernels->swiglu_back = swiglu_back;
}
