/* depthwise.c: convolution with one kernel a channel: no products to speak of, so straight over rows of channels. */
#include "kernels/conv_private.h"

struct depthwise {
    pct_conv_shape shape;
    const pct_kernels *kernels;
    pct_real *y, *dx, *dw, *taps, *sums;
    const pct_real *x, *bias, *dy;
};

/* (channels, kernel*kernel) to (kernel*kernel, channels). */
static void turn(pct_real *to, const pct_real *from, int64_t channels, int64_t taps) {
    for (int64_t t = 0; t < taps; t++)
        for (int64_t c = 0; c < channels; c++) to[t * channels + c] = from[c * taps + t];
}

static void run_rows(void *context, int64_t begin, int64_t end, int worker) {
    const struct depthwise *d = context;
    const pct_conv *c = d->shape.conv;
    const size_t row_bytes = (size_t)c->in * sizeof *d->y;
    for (int64_t r = begin; r < end; r++) {
        const int64_t picture = r / d->shape.out_height, top = r % d->shape.out_height * c->stride - c->pad;
        for (int64_t ox = 0; ox < d->shape.out_width; ox++) {
            pct_real *y = d->y + (r * d->shape.out_width + ox) * c->in;
            if (d->bias)
                memcpy(y, d->bias, row_bytes);
            else
                memset(y, 0, row_bytes);
            for (int64_t t = 0; t < c->kernel * c->kernel; t++) {
                const int64_t iy = top + t / c->kernel, ix = ox * c->stride - c->pad + t % c->kernel;
                if (iy < 0 || iy >= c->height || ix < 0 || ix >= c->width) continue;
                d->kernels->mul_add(y, d->x + ((picture * c->height + iy) * c->width + ix) * c->in, d->taps + t * c->in,
                                    c->in);
            }
        }
    }
}

void pct_depthwise_run(pct_compute *compute, const pct_conv *conv, pct_real *y, const pct_real *x, const pct_real *w,
                       const pct_real *bias) {
    PCT_ASSERT(conv->groups == conv->in && conv->in == conv->out);
    struct depthwise d = {
        .shape = pct_conv_shape_of(compute, conv), .kernels = &compute->kernels, .y = y, .x = x, .bias = bias};
    const int64_t taps = conv->kernel * conv->kernel;
    if (d.shape.rows <= 0) return;
    d.taps = pct_compute_scratch(compute, (size_t)(taps * conv->in) * sizeof *w);
    turn(d.taps, w, conv->in, taps);
    pct_parallel_for(compute->pool, conv->batch * d.shape.out_height, 1, run_rows, &d);
}

/* Rows of the input: each gathers from the outputs it went into. */
static void back_rows(void *context, int64_t begin, int64_t end, int worker) {
    const struct depthwise *d = context;
    const pct_conv *c = d->shape.conv;
    for (int64_t r = begin; r < end; r++) {
        const int64_t picture = r / c->height, y = r % c->height;
        for (int64_t x = 0; x < c->width; x++)
            for (int64_t t = 0; t < c->kernel * c->kernel; t++) {
                const int64_t oy = y + c->pad - t / c->kernel, ox = x + c->pad - t % c->kernel;
                if (oy < 0 || ox < 0 || oy % c->stride || ox % c->stride) continue;
                if (oy / c->stride >= d->shape.out_height || ox / c->stride >= d->shape.out_width) continue;
                const int64_t from =
                    (picture * d->shape.out_height + oy / c->stride) * d->shape.out_width + ox / c->stride;
                d->kernels->mul_add(d->dx + (r * c->width + x) * c->in, d->dy + from * c->in, d->taps + t * c->in,
                                    c->in);
            }
    }
}

/* Taps of the kernel: each sums over all positions, so that no two threads write the same sum. */
static void back_taps(void *context, int64_t begin, int64_t end, int worker) {
    const struct depthwise *d = context;
    const pct_conv *c = d->shape.conv;
    for (int64_t t = begin; t < end; t++) {
        pct_real *sum = d->sums + t * c->in;
        memset(sum, 0, (size_t)c->in * sizeof *sum);
        for (int64_t r = 0; r < d->shape.rows; r++) {
            const int64_t picture = r / (d->shape.out_height * d->shape.out_width);
            const int64_t y = r / d->shape.out_width % d->shape.out_height * c->stride - c->pad + t / c->kernel;
            const int64_t x = r % d->shape.out_width * c->stride - c->pad + t % c->kernel;
            if (y < 0 || y >= c->height || x < 0 || x >= c->width) continue;
            d->kernels->mul_add(sum, d->dy + r * c->in, d->x + ((picture * c->height + y) * c->width + x) * c->in,
                                c->in);
        }
        for (int64_t i = 0; i < c->in; i++) d->dw[i * c->kernel * c->kernel + t] += sum[i];
    }
}

void pct_depthwise_back(pct_compute *compute, const pct_conv *conv, pct_real *dx, pct_real *dw, const pct_real *dy,
                        const pct_real *x, const pct_real *w) {
    PCT_ASSERT(conv->groups == conv->in && conv->in == conv->out);
    struct depthwise d = {
        .shape = pct_conv_shape_of(compute, conv), .kernels = &compute->kernels, .dx = dx, .dw = dw, .dy = dy, .x = x};
    const int64_t taps = conv->kernel * conv->kernel, count = taps * conv->in;
    d.taps = pct_compute_scratch(compute, 2 * (size_t)count * sizeof *w);
    d.sums = d.taps + count;
    turn(d.taps, w, conv->in, taps);
    if (dx) pct_parallel_for(compute->pool, conv->batch * conv->height, 1, back_rows, &d);
    if (dw) pct_parallel_for(compute->pool, taps, 1, back_taps, &d);
}

struct bias_sum {
    pct_real *dbias;
    const pct_real *dy;
    int64_t rows, width;
};

static void bias_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct bias_sum *b = context;
    for (int64_t c0 = begin; c0 < end; c0 += 64) {
        const int64_t n = pct_min_i64(64, end - c0);
        pct_real sum[64] = {0};
        for (int64_t r = 0; r < b->rows; r++)
            for (int64_t i = 0; i < n; i++) sum[i] += b->dy[r * b->width + c0 + i];
        for (int64_t i = 0; i < n; i++) b->dbias[c0 + i] += sum[i];
    }
}

void pct_conv_bias_back(pct_compute *compute, const pct_conv *conv, pct_real *dbias, const pct_real *dy) {
    const pct_conv_shape shape = pct_conv_shape_of(compute, conv);
    struct bias_sum b = {dbias, dy, shape.rows, conv->out};
    pct_parallel_for(compute->pool, conv->out, 16, bias_part, &b);
}
