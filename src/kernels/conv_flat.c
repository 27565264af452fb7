/* conv_flat.c: the flat layout of conv_flat.h and the way forward. */
#include "kernels/conv_flat.h"

#include "kernels/x86/x86.h"

bool pct_flat_serves(const pct_compute *compute, const pct_conv *c) {
#ifdef PCT_HAVE_AMX
    if (c->type != PCT_BF16 || compute->tile_bf16 != &pct_amx_tile_bf16 || c->groups > 1) return false;
    if (c->kernel != 3 || c->pad != 1 || c->stride > 2 || c->height < 2 || c->width < 2) return false;
    return c->out >= 16 && (c->in >= 16 || 9 * c->in <= PCT_FLAT_BLOCK);
#else
    (void)compute, (void)c;
    return false;
#endif
}

#ifdef PCT_HAVE_AMX

static void set_taps(pct_flat *f) {
    f->taps = f->gathered ? 1 : PCT_FLAT_TAPS;
    for (int t = 0; t < f->taps; t++) {
        const int ky = t / 3, kx = t % 3;
        if (f->gathered) {
            f->field[t] = 0;
            f->distance[t] = 0;
        } else if (f->conv->stride == 1) {
            f->field[t] = 0;
            f->distance[t] = (ky - 1) * f->pitch + kx - 1;
        } else { /* field (a,b) holds pixels (2i+a-1, 2j+b-1) */
            f->field[t] = ky % 2 * 2 + kx % 2;
            f->distance[t] = ky / 2 * f->pitch + kx / 2;
        }
    }
}

pct_flat pct_flat_of(const pct_compute *compute, const pct_conv *conv) {
    pct_flat f = {.conv = conv, .kernels = &compute->kernels, .tile = compute->tile_bf16, .inner = &pct_amx_flat};
    f.out_height = pct_conv_out(conv->height, 3, conv->stride, 1);
    f.out_width = pct_conv_out(conv->width, 3, conv->stride, 1);
    f.pitch = f.out_width + 1;
    f.rows = f.out_height + 1;
    f.places = conv->batch * f.rows * f.pitch;
    f.lead = f.pitch + 1;
    f.span = pct_round_up(f.lead + f.places + f.pitch + 1 + PCT_FLAT_BLOCK, 2);
    f.gathered = 9 * conv->in <= PCT_FLAT_BLOCK;
    f.fields = f.gathered || conv->stride == 1 ? 1 : 4;
    f.depth = f.gathered ? 9 * conv->in : conv->in;
    f.in = pct_round_up(f.depth, PCT_FLAT_BLOCK);
    f.out = pct_round_up(conv->out, PCT_FLAT_BLOCK);
    set_taps(&f);
    return f;
}

void pct_flat_border(const pct_flat *f, uint16_t *field, int64_t channels) {
    const int64_t after = f->lead + f->places;
    memset(field, 0, (size_t)(f->lead * channels) * sizeof *field);
    memset(field + after * channels, 0, (size_t)((f->span - after) * channels) * sizeof *field);
}

/* `count` numbers of a source from place `from` on. */
static void take(const pct_flat *f, uint16_t *to, const pct_flat_source *s, int64_t from, int64_t count) {
    if (s->half)
        memcpy(to, s->half + from, (size_t)count * sizeof *to);
    else
        f->kernels->to_bf16(to, s->map + from, count);
}

void pct_flat_row(const pct_flat *f, uint16_t *to, const pct_flat_source *s, int64_t row) {
    const int64_t y = row % f->rows * s->step + s->first_y;
    const int64_t line = (row / f->rows * s->height + y) * s->width * s->channels;
    to += (f->lead + row * f->pitch) * s->padded;
    if (y < 0 || y >= s->height) {
        memset(to, 0, (size_t)(f->pitch * s->padded) * sizeof *to);
        return;
    }
    if (s->step == 1 && s->first_x == 0 && s->padded == s->channels && s->width < f->pitch) {
        take(f, to, s, line, s->width * s->channels);
        memset(to + s->width * s->channels, 0, (size_t)((f->pitch - s->width) * s->channels) * sizeof *to);
        return;
    }
    for (int64_t j = 0; j < f->pitch; j++, to += s->padded) {
        const int64_t x = j * s->step + s->first_x, used = x >= 0 && x < s->width ? s->channels : 0;
        if (used) take(f, to, s, line + x * s->channels, used);
        memset(to + used, 0, (size_t)(s->padded - used) * sizeof *to);
    }
}

/* Pixels of a row with what surrounds them, 32 numbers a place. */
static void gather_row(const pct_flat *f, uint16_t *to, const pct_real *x, int64_t row) {
    const pct_conv *c = f->conv;
    const int64_t i = row % f->rows;
    const pct_real *picture = x + row / f->rows * c->height * c->width * c->in;
    to += (f->lead + row * f->pitch) * f->in;
    for (int64_t j = 0; j < f->pitch; j++, to += f->in) {
        if (i < f->out_height && j < f->out_width)
            f->inner->around(to, picture, c->height, c->width, c->in, i * c->stride, j * c->stride);
        else
            memset(to, 0, (size_t)f->in * sizeof *to);
    }
}

void pct_flat_fill(const pct_flat *f, uint16_t *to, const pct_real *x, int64_t begin, int64_t end) {
    const int64_t each = f->conv->batch * f->rows;
    for (int64_t n = begin; n < end; n++) {
        const int64_t field = n / each, row = n % each;
        uint16_t *at = to + field * f->span * f->in;
        if (row == 0) pct_flat_border(f, at, f->in);
        if (f->gathered) {
            gather_row(f, at, x, row);
            continue;
        }
        const bool split = f->fields > 1;
        const pct_flat_source source = {.map = x,
                                        .half = f->conv->x_half,
                                        .height = f->conv->height,
                                        .width = f->conv->width,
                                        .channels = f->conv->in,
                                        .padded = f->in,
                                        .step = split ? 2 : 1,
                                        .first_y = split ? field / 2 - 1 : 0,
                                        .first_x = split ? field % 2 - 1 : 0};
        pct_flat_row(f, at, &source, row);
    }
}

/* The sums of a block of places to the pixels that they are, as far as they are any. */
static void put(const pct_flat *f, const pct_flat_product *p, int64_t place, int64_t n, const pct_real *sum) {
    const int64_t last = pct_min_i64(place + PCT_FLAT_BLOCK, f->places), columns = pct_min_i64(32, p->columns - n);
    int64_t row = place / f->pitch, j = place % f->pitch;
    for (; place < last; place++, sum += 32) {
        const int64_t y = row % f->rows * p->step + p->first_y, x = j * p->step + p->first_x;
        if (y < p->height && x < p->width) {
            pct_real *at = p->map + ((row / f->rows * p->height + y) * p->width + x) * p->columns + n;
            if (p->add)
                f->kernels->add(at, at, sum, columns);
            else if (p->bias)
                f->kernels->add(at, sum, p->bias + n, columns);
            else
                memcpy(at, sum, (size_t)columns * sizeof *at);
        }
        if (++j == f->pitch) j = 0, row++;
    }
}

void pct_flat_multiply(const pct_flat *f, const pct_flat_product *p, int64_t begin, int64_t end) {
    _Alignas(64) pct_real sum[32 * 32];
    const int64_t panel = p->taps * p->depth * 32;
    f->inner->begin();
    for (int64_t chunk = begin; chunk < end; chunk += PCT_FLAT_CHUNK)
        for (int64_t n = 0; n < p->columns; n += 32)
            for (int64_t m = chunk; m < pct_min_i64(chunk + PCT_FLAT_CHUNK, end); m++) {
                const uint16_t *at[PCT_FLAT_TAPS];
                for (int t = 0; t < p->taps; t++) at[t] = p->field[t] + m * PCT_FLAT_BLOCK * p->depth;
                f->inner->meet(sum, at, p->taps, p->depth, p->panels + n / 32 * panel);
                put(f, p, m * PCT_FLAT_BLOCK, n, sum);
            }
    f->inner->end();
}

/* ---- forward ------------------------------------------------------------------------------------------------------
 */

struct forward {
    pct_flat flat;
    pct_flat_product product;
    uint16_t *fields, *rows, *panels; /* rows: weights (out, tap, in padded) */
    const pct_real *x, *w;
    int workers;
};

/* Rows of the fields, and panels of the weights. */
static void ready(void *context, int64_t begin, int64_t end, int worker) {
    const struct forward *job = context;
    const pct_flat *f = &job->flat;
    const int64_t rows = pct_flat_rows(f), panels = f->out / 32, width = f->taps * f->in;
    pct_flat_fill(f, job->fields, job->x, rows * begin / job->workers, rows * end / job->workers);
    for (int64_t n = panels * begin / job->workers; n < panels * end / job->workers; n++) {
        const int64_t count = pct_min_i64(32, f->conv->out - 32 * n);
        uint16_t *row = job->rows + 32 * n * width;
        for (int64_t k = 0; k < count * f->taps; k++, row += f->in) {
            f->kernels->to_bf16(row, job->w + (32 * n * f->taps + k) * f->depth, f->depth);
            memset(row + f->depth, 0, (size_t)(f->in - f->depth) * sizeof *row);
        }
        f->tile->pack_b(job->panels + n * 32 * width, job->rows + 32 * n * width, width, true, count, width, width);
    }
}

static void forward_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct forward *job = context;
    pct_flat_multiply(&job->flat, &job->product, begin, end);
}

void pct_flat_run(pct_compute *compute, const pct_conv *conv, pct_real *y, const pct_real *x, const pct_real *w,
                  const pct_real *bias) {
    struct forward job = {.flat = pct_flat_of(compute, conv), .x = x, .w = w};
    const pct_flat *f = &job.flat;
    if (f->places <= 0) return;
    const size_t fields = pct_round64((size_t)pct_flat_elements(f) * 2);
    const size_t weights = pct_round64((size_t)(f->out * f->taps * f->in) * 2);
    char *memory = pct_compute_scratch(compute, fields + 2 * weights);
    job.fields = (uint16_t *)(void *)memory;
    job.rows = (uint16_t *)(void *)(memory + fields);
    job.panels = (uint16_t *)(void *)(memory + fields + weights);
    job.workers = pct_pool_threads(compute->pool);
    job.product = (pct_flat_product){.taps = f->taps,
                                     .depth = f->in,
                                     .panels = job.panels,
                                     .map = y,
                                     .height = f->out_height,
                                     .width = f->out_width,
                                     .columns = conv->out,
                                     .step = 1,
                                     .bias = bias};
    for (int t = 0; t < f->taps; t++)
        job.product.field[t] = job.fields + (f->field[t] * f->span + f->lead + f->distance[t]) * f->in;
    pct_parallel_for(compute->pool, job.workers, 1, ready, &job);
    pct_parallel_for(compute->pool, pct_parts(f->places, PCT_FLAT_BLOCK), 1, forward_part, &job);
}

#else

void pct_flat_run(pct_compute *compute, const pct_conv *conv, pct_real *y, const pct_real *x, const pct_real *w,
                  const pct_real *bias) {
    (void)compute, (void)conv, (void)y, (void)x, (void)w, (void)bias;
}

#endif
