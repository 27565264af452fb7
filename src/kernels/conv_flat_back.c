/* conv_flat_back.c: the gradients of flat convolutions (conv_flat.h).
 *
 * dx: the same kind of product, of the field of dy with the weights turned to (tap, out, in); with a stride of two, one
 * for each kind of pixel (odd or even row and column), which only 1, 2, 2 or 4 taps reach. dw: of dy turned and x in
 * pairs of places, over all places; dy is zero where a place is no pixel. Each sum is one thread's, in one order. */
#include "kernels/conv_flat.h"

#ifdef PCT_HAVE_AMX

#define STEPS 64 /* of 32 places, that stay in the second cache while all taps use them */

/* Taps in the order of the kinds of pixels that they reach: all of one kind stand together. */
struct kind {
    int first, taps;
};
static const int order_of_two[PCT_FLAT_TAPS] = {4, 3, 5, 1, 7, 0, 2, 6, 8};
static const struct kind kinds_of_two[4] = {{0, 1}, {1, 2}, {3, 2}, {5, 4}};

struct back {
    pct_flat flat;
    const pct_real *x, *w, *dy;
    pct_real *dx, *dw;
    uint16_t *x_fields, *dy_field, *weights, *panels, *turned, *pairs;
    pct_real *sums; /* each worker's [tap][32][32] */
    int workers;
    bool needed[4][2]; /* pairs of a field that begin at even, odd places */
};

static int tap_at(const struct back *job, int n) { return job->flat.conv->stride == 2 ? order_of_two[n] : n; }
static struct kind kind_at(const struct back *job, int n) {
    return job->flat.conv->stride == 2 ? kinds_of_two[n] : (struct kind){0, PCT_FLAT_TAPS};
}
static int kinds_of(const struct back *job) { return job->flat.conv->stride == 2 ? 4 : 1; }

static uint16_t *pairs_of(const struct back *job, int64_t field, int64_t block, int odd) {
    const pct_flat *f = &job->flat;
    return job->pairs + ((field * (f->in / 32) + block) * 2 + odd) * f->span * 32;
}

#define SHARE(count, part) ((count) * (part) / job->workers)

/* Rows of the fields of x and dy; weights as (tap, out padded, in). */
static void fill_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct back *job = context;
    const pct_flat *f = &job->flat;
    const pct_conv *c = f->conv;
    const int64_t rows = pct_flat_rows(f), dy_rows = c->batch * f->rows, weights = PCT_FLAT_TAPS * f->out;
    if (job->dw) pct_flat_fill(f, job->x_fields, job->x, SHARE(rows, begin), SHARE(rows, end));
    const pct_flat_source source = {.map = job->dy,
                                    .height = f->out_height,
                                    .width = f->out_width,
                                    .channels = c->out,
                                    .padded = f->out,
                                    .step = 1};
    for (int64_t row = SHARE(dy_rows, begin); row < SHARE(dy_rows, end); row++) {
        if (row == 0) pct_flat_border(f, job->dy_field, f->out);
        pct_flat_row(f, job->dy_field, &source, row);
    }
    for (int64_t n = SHARE(weights, begin); job->dx && n < SHARE(weights, end); n++) {
        const int64_t o = n % f->out, tap = tap_at(job, (int)(n / f->out));
        uint16_t *to = job->weights + n * c->in;
        if (o < c->out)
            f->kernels->to_bf16(to, job->w + (o * PCT_FLAT_TAPS + tap) * c->in, c->in);
        else
            memset(to, 0, (size_t)c->in * sizeof *to);
    }
}

static void pack_kind(const struct back *job, struct kind kind, int64_t begin, int64_t end) {
    const pct_flat *f = &job->flat;
    const int64_t in = f->conv->in, depth = kind.taps * f->out, padded = pct_round_up(in, 32);
    for (int64_t n = SHARE(padded / 32, begin); n < SHARE(padded / 32, end); n++)
        f->tile->pack_b(job->panels + kind.first * f->out * padded + n * 32 * depth,
                        job->weights + kind.first * f->out * in + 32 * n, in, false, pct_min_i64(32, in - 32 * n),
                        depth, depth);
}

/* dy turned, x in pairs, weights in panels. */
static void arrange_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct back *job = context;
    const pct_flat *f = &job->flat;
    const int64_t steps = pct_parts(f->places, PCT_FLAT_BLOCK), pairs = f->span / 2;
    for (int64_t s = SHARE(steps, begin); job->dw && s < SHARE(steps, end); s++)
        f->inner->turn(job->turned + s * f->out * 32, job->dy_field + (f->lead + s * 32) * f->out, f->out);
    for (int64_t n = 0; job->dw && n < f->fields * (f->in / 32) * 2; n++) {
        const int64_t field = n / 2 / (f->in / 32), block = n / 2 % (f->in / 32), odd = n % 2;
        const int64_t count = pairs - odd, first = SHARE(count, begin);
        if (!job->needed[field][odd]) continue;
        f->inner->pair(pairs_of(job, field, block, (int)odd) + first * 64,
                       job->x_fields + (field * f->span + 2 * first + odd) * f->in + block * 32, f->in,
                       SHARE(count, end) - first);
    }
    for (int k = 0; job->dx && k < kinds_of(job); k++) pack_kind(job, kind_at(job, k), begin, end);
}

/* Kind k of pixels: rows are odd when k >= 2, columns when k is odd. */
static pct_flat_product product_of(const struct back *job, int k) {
    const pct_flat *f = &job->flat;
    const pct_conv *c = f->conv;
    const struct kind kind = kind_at(job, k);
    pct_flat_product p = {.taps = kind.taps,
                          .depth = f->out,
                          .panels = job->panels + kind.first * f->out * pct_round_up(c->in, 32),
                          .map = job->dx,
                          .height = c->height,
                          .width = c->width,
                          .columns = c->in,
                          .step = c->stride,
                          .first_y = k / 2,
                          .first_x = k % 2,
                          .add = !c->fresh};
    for (int t = 0; t < kind.taps; t++) {
        const int tap = tap_at(job, kind.first + t), ky = tap / 3, kx = tap % 3;
        const int64_t down = c->stride == 1 ? 1 - ky : k / 2 && ky == 0,
                      right = c->stride == 1 ? 1 - kx : k % 2 && kx == 0;
        p.field[t] = job->dy_field + (f->lead + down * f->pitch + right) * f->out;
    }
    return p;
}

/* 32 channels out by 32 in, of all taps. */
static void weigh(const struct back *job, pct_real *sums, int64_t ob, int64_t cb) {
    const pct_flat *f = &job->flat;
    const int64_t steps = pct_parts(f->places, PCT_FLAT_BLOCK);
    for (int64_t s = 0; s < steps; s += STEPS)
        for (int t = 0; t < f->taps; t++) {
            const int64_t place = f->lead + f->distance[t] + s * 32;
            f->inner->weigh(sums + t * 1024, s > 0, job->turned + s * f->out * 32 + ob * 1024, f->out * 32,
                            pairs_of(job, f->field[t], cb, place & 1) + (place >> 1) * 64,
                            pct_min_i64(STEPS, steps - s));
        }
    const int64_t outs = pct_min_i64(32, f->conv->out - 32 * ob), ins = pct_min_i64(32, f->depth - 32 * cb);
    for (int t = 0; t < f->taps; t++)
        for (int64_t o = 0; o < outs; o++) {
            pct_real *to = job->dw + ((32 * ob + o) * f->taps + t) * f->depth + 32 * cb;
            f->kernels->add(to, to, sums + t * 1024 + 32 * o, ins);
        }
}

static void finish_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct back *job = context;
    const pct_flat *f = &job->flat;
    const int64_t blocks = pct_parts(f->places, PCT_FLAT_BLOCK), items = f->out / 32 * (f->in / 32);
    for (int k = 0; job->dx && k < kinds_of(job); k++) {
        const pct_flat_product product = product_of(job, k);
        pct_flat_multiply(f, &product, SHARE(blocks, begin), SHARE(blocks, end));
    }
    if (!job->dw) return;
    pct_real *sums = job->sums + (int64_t)worker * PCT_FLAT_TAPS * 1024;
    f->inner->begin();
    for (int64_t n = SHARE(items, begin); n < SHARE(items, end); n++)
        weigh(job, sums, n % (f->out / 32), n / (f->out / 32));
    f->inner->end();
}

/* Places the parts in scratch memory. */
static void lay_out(struct back *job, pct_compute *compute) {
    const pct_flat *f = &job->flat;
    const bool dx = job->dx != NULL, dw = job->dw != NULL;
    const int64_t steps = pct_parts(f->places, PCT_FLAT_BLOCK), in = pct_round_up(f->conv->in, 32);
    const int64_t counts[6] = {dw ? pct_flat_elements(f) : 0,
                               f->span * f->out,
                               dx ? PCT_FLAT_TAPS * f->out * f->conv->in : 0,
                               dx ? PCT_FLAT_TAPS * f->out * in : 0,
                               dw ? steps * f->out * 32 : 0,
                               dw ? pct_flat_elements(f) * 2 : 0};
    uint16_t **const places[6] = {&job->x_fields, &job->dy_field, &job->weights,
                                  &job->panels,   &job->turned,   &job->pairs};
    size_t used = pct_round64((size_t)(job->workers * PCT_FLAT_TAPS * 1024) * sizeof *job->sums), offsets[6];
    for (int i = 0; i < 6; i++) {
        offsets[i] = used;
        used += pct_round64((size_t)counts[i] * 2);
    }
    char *memory = pct_compute_scratch(compute, used);
    job->sums = (pct_real *)(void *)memory;
    for (int i = 0; i < 6; i++) *places[i] = (uint16_t *)(void *)(memory + offsets[i]);
}

void pct_flat_back(pct_compute *compute, const pct_conv *conv, pct_real *dx, pct_real *dw, const pct_real *dy,
                   const pct_real *x, const pct_real *w) {
    struct back job = {.flat = pct_flat_of(compute, conv), .x = x, .w = w, .dy = dy, .dx = dx, .dw = dw};
    const pct_flat *f = &job.flat;
    if (f->places <= 0 || (!dx && !dw)) return;
    PCT_ASSERT(!dx || !f->gathered);
    job.workers = pct_pool_threads(compute->pool);
    for (int t = 0; t < f->taps; t++) job.needed[f->field[t]][(f->lead + f->distance[t]) & 1] = true;
    lay_out(&job, compute);
    pct_parallel_for(compute->pool, job.workers, 1, fill_part, &job);
    pct_parallel_for(compute->pool, job.workers, 1, arrange_part, &job);
    pct_parallel_for(compute->pool, job.workers, 1, finish_part, &job);
}

#else

void pct_flat_back(pct_compute *compute, const pct_conv *conv, pct_real *dx, pct_real *dw, const pct_real *dy,
                   const pct_real *x, const pct_real *w) {
    (void)compute, (void)conv, (void)dx, (void)dw, (void)dy, (void)x, (void)w;
}

#endif
