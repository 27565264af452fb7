/* conv_plane.c: convolution of one channel to one, stride 1: no vector of channels to multiply, so rows of pixels are
 * shifted and added. In pct_real whatever type the products have: the work is a few operations a pixel. */
#include "kernels/conv_private.h"

#include <string.h>

struct plane {
    const pct_kernels *kernels;
    pct_conv_shape shape;
    pct_real *to; /* y, dx or dw */
    const pct_real *x, *w, *dy, *bias;
};

bool pct_plane_serves(const pct_conv *conv) {
    return conv->in == 1 && conv->out == 1 && conv->groups == 1 && conv->stride == 1;
}

/* Output columns [*begin, *end) that read the input through column kx of the kernel. */
static void columns(const struct plane *p, int64_t kx, int64_t *begin, int64_t *end) {
    const pct_conv *c = p->shape.conv;
    *begin = pct_clamp_i64(c->pad - kx, 0, p->shape.out_width);
    *end = pct_clamp_i64(c->width + c->pad - kx, *begin, p->shape.out_width);
}

static void forward_rows(void *context, int64_t begin, int64_t end, int worker) {
    const struct plane *p = context;
    const pct_conv *c = p->shape.conv;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        pct_real *y = p->to + row * p->shape.out_width;
        for (int64_t i = 0; i < p->shape.out_width; i++) y[i] = p->bias ? p->bias[0] : 0;
        for (int64_t ky = 0; ky < c->kernel; ky++) {
            const int64_t from = row % p->shape.out_height + ky - c->pad;
            if (from < 0 || from >= c->height) continue;
            const pct_real *x = p->x + (row / p->shape.out_height * c->height + from) * c->width;
            for (int64_t kx = 0, b, e; kx < c->kernel; kx++) {
                columns(p, kx, &b, &e);
                p->kernels->axpy(y + b, p->w[ky * c->kernel + kx], x + b + kx - c->pad, e - b);
            }
        }
    }
}

static void back_rows(void *context, int64_t begin, int64_t end, int worker) {
    const struct plane *p = context;
    const pct_conv *c = p->shape.conv;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        pct_real *dx = p->to + row * c->width;
        for (int64_t ky = 0; ky < c->kernel; ky++) {
            const int64_t from = row % c->height + c->pad - ky;
            if (from < 0 || from >= p->shape.out_height) continue;
            const pct_real *dy = p->dy + (row / c->height * p->shape.out_height + from) * p->shape.out_width;
            for (int64_t kx = 0, b, e; kx < c->kernel; kx++) {
                columns(p, kx, &b, &e);
                p->kernels->axpy(dx + b + kx - c->pad, p->w[ky * c->kernel + kx], dy + b, e - b);
            }
        }
    }
}

/* A number of the kernel is one worker's: it sums over all rows in their order. */
static void back_taps(void *context, int64_t begin, int64_t end, int worker) {
    const struct plane *p = context;
    const pct_conv *c = p->shape.conv;
    (void)worker;
    for (int64_t tap = begin; tap < end; tap++) {
        double sum = 0;
        int64_t b, e;
        columns(p, tap % c->kernel, &b, &e);
        for (int64_t row = 0; e > b && row < c->batch * p->shape.out_height; row++) {
            const int64_t from = row % p->shape.out_height + tap / c->kernel - c->pad;
            if (from < 0 || from >= c->height) continue;
            const pct_real *x = p->x + (row / p->shape.out_height * c->height + from) * c->width;
            sum +=
                (double)p->kernels->dot(p->dy + row * p->shape.out_width + b, x + b + tap % c->kernel - c->pad, e - b);
        }
        p->to[tap] += (pct_real)sum;
    }
}

void pct_plane_run(pct_compute *compute, const pct_conv *conv, pct_real *y, const pct_real *x, const pct_real *w,
                   const pct_real *bias) {
    struct plane p = {.kernels = &compute->kernels, .to = y, .x = x, .w = w, .bias = bias};
    p.shape = pct_conv_shape_of(compute, conv);
    pct_parallel_for(compute->pool, conv->batch * p.shape.out_height, 8, forward_rows, &p);
}

void pct_plane_back(pct_compute *compute, const pct_conv *conv, pct_real *dx, pct_real *dw, const pct_real *dy,
                    const pct_real *x, const pct_real *w) {
    struct plane p = {.kernels = &compute->kernels, .x = x, .w = w, .dy = dy};
    p.shape = pct_conv_shape_of(compute, conv);
    p.to = dx;
    if (dx) pct_parallel_for(compute->pool, conv->batch * conv->height, 8, back_rows, &p);
    p.to = dw;
    if (dw) pct_parallel_for(compute->pool, conv->kernel * conv->kernel, 1, back_taps, &p);
}
