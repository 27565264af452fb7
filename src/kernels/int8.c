/* int8.c: INT8 products: weights quantised and packed once, rows quantised as they come, blocks and threads around an
 * instruction set's tile. Every sum is exact, so results depend neither on the split nor on the tile. */
#include "kernels/int8.h"
#include "base/arena.h"

#include <math.h>
#include <stdlib.h>

/* Of B: stays in the second cache while rows of A go by; C is written along its rows (as in gemm.c). */
#define B_BLOCK_BYTES (768 * 1024)

struct pct_int8 {
    const pct_int8_tile *tile;
    int64_t out, in, k;              /* k: `in` padded */
    size_t panel_bytes, bytes, room; /* of the panels: one, used, there */
    void *panels;
    pct_int8_factor *factors;
    int64_t factor_count;
};

const pct_int8_tile *pct_int8_tile_for(uint32_t cpu_flags) {
    const pct_int8_tile *tile = &pct_ref_tile_int8;
#ifdef PCT_HAVE_AVX2
    if (cpu_flags & PCT_CPU_AVX2) tile = &pct_x86_tile_int8_avx2;
#endif
#ifdef PCT_HAVE_VNNI
    if (cpu_flags & PCT_CPU_AVX512_VNNI) tile = &pct_x86_tile_int8_vnni;
#endif
#ifdef PCT_HAVE_AMX
    if (cpu_flags & PCT_CPU_AMX_BF16) tile = &pct_amx_tile_int8;
#endif
    return tile;
}

static pct_int8_head *panel_at(const pct_int8 *w, int64_t index) {
    return (pct_int8_head *)(void *)((char *)w->panels + (size_t)index * w->panel_bytes);
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

struct filling {
    pct_int8 *to;
    const pct_kernels *kernels;
    const void *weights;
    pct_dtype type;
    size_t row_bytes;
    int64_t group; /* rows that are widened before they are rounded */
    char *memory;  /* each worker's `room` bytes: such a group, a panel's rows as bytes, places of large elements */
    size_t room;
    int64_t most;   /* large elements a row; 0: they are not looked for */
    int64_t *large; /* each worker's count of rows that have some */
};

/* Rows n.. of the weights, `count` of them, to rows of bytes with their scales. A group is widened before the first of
 * it is rounded: just stored, its numbers could not be read back in wider pieces at once. */
static int64_t round_rows(const struct filling *f, int64_t n, int64_t count, pct_real *wide, int8_t *rows,
                          float *scale) {
    const pct_int8 *w = f->to;
    int32_t *places = (int32_t *)(void *)(rows + PCT_INT8_COLUMNS * w->k);
    int64_t large = 0;
    for (int64_t r0 = 0; r0 < count; r0 += f->group) {
        const int64_t r1 = pct_min_i64(r0 + f->group, count);
        for (int64_t r = r0; r < r1; r++)
            f->kernels->dequantise[f->type](wide + (r - r0) * w->in,
                                            (const char *)f->weights + (size_t)(n + r) * f->row_bytes, w->in);
        for (int64_t r = r0; r < r1; r++) {
            pct_real *row = wide + (r - r0) * w->in;
            for (int64_t i = 0; i < w->factor_count; i++) row[w->factors[i].column] /= (pct_real)w->factors[i].factor;
            scale[r] = (float)f->kernels->to_int8(rows + r * w->k, row, w->in);
            memset(rows + r * w->k + w->in, 0, (size_t)(w->k - w->in));
            large += pct_int8_large(f->kernels, places, row, w->in, (pct_real)scale[r], f->most) > 0;
        }
    }
    return large;
}

static void filling_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct filling *f = context;
    const pct_int8 *w = f->to;
    pct_real *wide = (pct_real *)(void *)(f->memory + (size_t)worker * f->room);
    int8_t *rows = (int8_t *)(wide + f->group * w->in);
    for (int64_t p = begin; p < end; p++) {
        pct_int8_head *head = panel_at(w, p);
        const int64_t n = p * PCT_INT8_COLUMNS, count = pct_min_i64(PCT_INT8_COLUMNS, w->out - n);
        memset(head, 0, sizeof *head);
        memset(rows + count * w->k, 0, (size_t)((PCT_INT8_COLUMNS - count) * w->k));
        f->large[worker] += round_rows(f, n, count, wide, rows, head->scale);
        for (int64_t r = 0; w->tile->flip && r < count; r++) {
            int32_t sum = 0;
            for (int64_t i = 0; i < w->in; i++) sum += rows[r * w->k + i];
            head->start[r] = -128 * sum;
        }
        w->tile->pack((int8_t *)(head + 1), rows, w->k, w->k);
    }
}

/* ---- columns of weights that are far above the others ------------------------------------------------------------ */

struct measuring {
    const struct filling *f;
    pct_real *tops, *rows; /* [in] a worker */
};

static void measuring_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct measuring *job = context;
    const int64_t in = job->f->to->in;
    pct_real *top = job->tops + worker * in, *row = job->rows + worker * in;
    for (int64_t n = begin; n < end; n++) {
        job->f->kernels->dequantise[job->f->type](row, (const char *)job->f->weights + (size_t)n * job->f->row_bytes,
                                                  in);
        for (int64_t i = 0; i < in; i++) {
            const pct_real size = row[i] < 0 ? -row[i] : row[i];
            top[i] = size > top[i] ? size : top[i];
        }
    }
}

/* Finds the columns whose largest weight is 4 times and more that of all but a few, and what power of two each is to be
 * divided by. */
static percept_status find_factors(pct_int8 *w, pct_compute *compute, const struct filling *f, percept_error *error) {
    const size_t workers = (size_t)pct_pool_threads(compute->pool), in = (size_t)w->in;
    pct_real *tops = calloc(2 * workers * in, sizeof *tops);
    int32_t *places = malloc((size_t)f->most * sizeof *places);
    w->factors = malloc((size_t)f->most * sizeof *w->factors);
    if (!tops || !places || !w->factors) {
        free(tops);
        free(places);
        return pct_fail_memory(error, "packed weights");
    }
    struct measuring job = {f, tops, tops + workers * in};
    pct_parallel_for(compute->pool, w->out, 64, measuring_part, &job);
    pct_real top = 0, rest = 0;
    for (size_t i = 0; i < in; i++) {
        for (size_t t = 1; t < workers; t++) tops[i] = tops[t * in + i] > tops[i] ? tops[t * in + i] : tops[i];
        top = tops[i] > top ? tops[i] : top;
    }
    const int64_t count = pct_int8_large(f->kernels, places, tops, w->in, top / 127, f->most);
    for (int64_t i = 0; i < count; i++) w->factors[i] = (pct_int8_factor){places[i], (float)tops[places[i]]};
    for (int64_t i = 0; i < count; i++) tops[places[i]] = 0;
    for (size_t i = 0; i < in; i++) rest = tops[i] > rest ? tops[i] : rest;
    for (int64_t i = 0; i < count; i++) {
        float factor = 1;
        while (factor < 0x1p20f && 2 * factor * (float)rest <= w->factors[i].factor) factor *= 2;
        w->factors[i].factor = factor;
    }
    w->factor_count = count;
    free(tops);
    free(places);
    return PERCEPT_OK;
}

static size_t panel_size(int64_t k) { return sizeof(pct_int8_head) + (size_t)(k * PCT_INT8_COLUMNS); }

size_t pct_int8_size(int64_t out, int64_t in) {
    return panel_size(pct_round_up(in, PCT_INT8_DEPTH)) * (size_t)pct_parts(out, PCT_INT8_COLUMNS) + sizeof(pct_int8);
}

percept_status pct_int8_renew(pct_int8 **made, pct_compute *compute, const void *weights, pct_dtype stored_type,
                              int64_t out, int64_t in, percept_error *error) {
    struct filling f = {.kernels = &compute->kernels, .weights = weights, .type = stored_type};
    const int threads = pct_pool_threads(compute->pool);
    percept_status status = PERCEPT_OK;
    if (!pct_dtype_row_bytes(stored_type, in, &f.row_bytes))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "rows of %lld weights cannot be stored as %s", (long long)in,
                        pct_dtype_name(stored_type));
    pct_int8 *w = *made ? *made : calloc(1, sizeof *w);
    if (!w) return pct_fail_memory(error, "packed weights");
    free(w->factors);
    w->factors = NULL;
    w->factor_count = 0;
    w->tile = pct_int8_tile_for(compute->kernels.cpu_flags);
    w->out = out;
    w->in = in;
    w->k = pct_round_up(in, PCT_INT8_DEPTH);
    w->panel_bytes = panel_size(w->k);
    w->bytes = w->panel_bytes * (size_t)pct_parts(out, PCT_INT8_COLUMNS);
    const bool there = pct_packed_room(&w->panels, &w->room, w->bytes);
    f.large = calloc((size_t)threads, sizeof *f.large);
    f.to = w;
    f.most = pct_int8_most_apart(in);
    f.group = pct_max_i64(1, pct_min_i64(PCT_INT8_COLUMNS, 4096 / in));
    const int64_t places = f.most * (int64_t)sizeof(int32_t);
    f.room = (size_t)pct_round_up(f.group * in * (int64_t)sizeof(pct_real) + PCT_INT8_COLUMNS * w->k + places, 64);
    if (!there || !f.large) status = pct_fail_memory(error, "packed weights");
    for (int pass = 0; pass < 2 && status == PERCEPT_OK; pass++) {
        f.memory = pct_compute_scratch(compute, f.room * (size_t)threads);
        pct_parallel_for(compute->pool, pct_parts(out, PCT_INT8_COLUMNS), 1, filling_part, &f);
        int64_t large = 0;
        for (int t = 0; t < threads; t++) large += f.large[t];
        if (large * 4 < out) break; /* stray large weights of a row say nothing of a column */
        status = find_factors(w, compute, &f, error);
        if (!w->factor_count) break;
        f.most = 0;
        memset(f.large, 0, (size_t)threads * sizeof *f.large);
    }
    free(f.large);
    if (status != PERCEPT_OK) pct_int8_destroy(&w);
    *made = w;
    return status;
}

void pct_int8_destroy(pct_int8 **weights) {
    if (!*weights) return;
    free((*weights)->panels);
    free((*weights)->factors);
    free(*weights);
    *weights = NULL;
}

size_t pct_int8_bytes(const pct_int8 *weights) { return weights->bytes + sizeof *weights; }

double pct_int8_error(const pct_kernels *kernels, const void *weights, pct_dtype stored_type, int64_t out, int64_t in) {
    size_t row_bytes;
    double off = 0, all = 0;
    pct_real *row = malloc((size_t)in * sizeof *row);
    int8_t *q = malloc((size_t)in);
    const bool good = row && q && pct_dtype_row_bytes(stored_type, in, &row_bytes);
    for (int64_t r = 0; good && r < out; r++) {
        kernels->dequantise[stored_type](row, (const char *)weights + (size_t)r * row_bytes, in);
        const pct_real scale = kernels->to_int8(q, row, in);
        for (int64_t i = 0; i < in; i++) {
            const double value = (double)row[i], d = value - (double)scale * q[i];
            off += d * d;
            all += value * value;
        }
    }
    free(row);
    free(q);
    return !good ? NAN : all > 0 ? sqrt(off / all) : 0;
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

struct product {
    const pct_int8 *weights;
    pct_int8_rows a;
    const pct_real *bias;
    pct_real *y;
    int64_t ldy;
    char *high_panels; /* as the weights' panels, of PCT_INT8_DEPTH channels; where a.apart */
    bool by_columns;
};

#define HIGH_PANEL_BYTES (sizeof(pct_int8_head) + PCT_INT8_DEPTH * PCT_INT8_COLUMNS)

static pct_int8_head *high_panel_at(const struct product *p, int64_t index) {
    return (pct_int8_head *)(void *)(p->high_panels + (size_t)index * HIGH_PANEL_BYTES);
}

/* Where the quads with channel i lie, for the first 16 columns; those for the others are 1,024 bytes on. */
static int64_t quads_of(int64_t i) { return i / 64 * 2048 + i % 64 / 4 * 64; }

/* The weights that meet the highs, out of their panels: byte by byte within quads, 16 columns at a time. */
static void gather_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct product *p = context;
    for (int64_t i = begin; i < end; i++) {
        pct_int8_head *to = high_panel_at(p, i);
        const char *from = (const char *)pct_int8_quads(panel_at(p->weights, i));
        memset(to, 0, HIGH_PANEL_BYTES);
        for (int64_t c = 0; c < 2 * p->a.apart; c++) {
            const int64_t channel = p->a.channels[c / 2], half = c % 2 * 1024;
            const int at = (int)(channel % 4 * 8), put = (int)(c / 2 % 4 * 8);
            const uint32_t *quads = (const uint32_t *)(const void *)(from + quads_of(channel) + half);
            uint32_t *high = (uint32_t *)(void *)((char *)(to + 1) + quads_of(c / 2) + half);
            int32_t *start = to->start + c % 2 * 16;
            for (int j = 0; j < 16; j++) {
                const uint32_t byte = quads[j] >> at & 0xff;
                high[j] |= byte << put;
                if (p->a.flip) start[j] -= 128 * (int32_t)(int8_t)byte;
            }
        }
    }
}

/* Rows [m0,m1) x panels [p0,p1) of y on this thread. */
static void block(const struct product *p, int64_t m0, int64_t m1, int64_t p0, int64_t p1) {
    const pct_int8 *w = p->weights;
    const pct_int8_tile *tile = w->tile;
    const int64_t step = pct_max_i64(B_BLOCK_BYTES / (int64_t)w->panel_bytes, 1), lda = p->a.lda;
    _Alignas(64) int32_t sum[PCT_INT8_MAX_MR * PCT_INT8_COLUMNS], high[PCT_INT8_MAX_MR * PCT_INT8_COLUMNS];
    if (tile->begin) tile->begin();
    for (int64_t pb = p0; pb < p1; pb += step)
        for (int64_t m = m0; m < m1; m += tile->mr)
            for (int64_t i = pb; i < pct_min_i64(pb + step, p1); i++) {
                const int64_t rows = pct_min_i64(tile->mr, m1 - m), n = i * PCT_INT8_COLUMNS;
                const pct_int8_head *panel = panel_at(w, i);
                const int8_t *a = p->a.a + m * lda;
                tile->multiply(sum, rows, a, lda, panel, w->k);
                if (p->a.apart) {
                    tile->multiply(high, rows, a + w->k, lda, high_panel_at(p, i), PCT_INT8_DEPTH);
                    tile->join(sum, high, rows);
                }
                tile->finish(p->y + m * p->ldy + n, p->ldy, rows, pct_min_i64(PCT_INT8_COLUMNS, w->out - n), sum,
                             p->a.scale + m, panel, p->bias ? p->bias + n : NULL);
            }
    if (tile->end) tile->end();
}

static void product_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct product *p = context;
    const int64_t mr = p->weights->tile->mr;
    if (p->by_columns)
        block(p, 0, p->a.rows, begin, end);
    else
        block(p, begin * mr, pct_min_i64(end * mr, p->a.rows), 0, pct_parts(p->weights->out, PCT_INT8_COLUMNS));
}

/* Share of the pool's time that is spent working when `items` equal items are split. */
static double balance(int64_t items, int threads) {
    return (double)items / (double)(pct_parts(items, threads) * threads);
}

bool pct_int8_alone(const pct_int8 *weights) { return weights->factor_count > 0; }

void pct_int8_run(pct_compute *compute, const pct_int8 *const *weights, const pct_packed_product *products, int count,
                  const pct_real *x, int64_t ldx, int64_t rows) {
    const int threads = pct_pool_threads(compute->pool);
    const pct_int8 *first = weights[0];
    struct product p = {.a = {.kernels = &compute->kernels,
                              .x = x,
                              .ldx = ldx,
                              .rows = rows,
                              .in = first->in,
                              .k = first->k,
                              .flip = first->tile->flip,
                              .factors = first->factors,
                              .factor_count = first->factor_count}};
    int64_t most_panels = 0;
    for (int i = 0; i < count; i++)
        most_panels = pct_max_i64(most_panels, pct_parts(weights[i]->out, PCT_INT8_COLUMNS));
    const size_t row_room = (size_t)pct_round_up(first->in, 16) * sizeof(pct_real) * (size_t)threads;
    const size_t a_bytes = pct_int8_rows_plan(&p.a), high_bytes = (size_t)most_panels * HIGH_PANEL_BYTES;
    p.high_panels = pct_compute_scratch(compute, high_bytes + row_room + a_bytes);
    pct_real *room = (pct_real *)(void *)(p.high_panels + high_bytes);
    pct_int8_rows_lay(&p.a, (char *)room + row_room);
    pct_int8_rows_round(&p.a, compute->pool, room);
    for (int i = 0; i < count; i++) {
        const int64_t row_tiles = pct_parts(rows, first->tile->mr),
                      panels = pct_parts(weights[i]->out, PCT_INT8_COLUMNS);
        p.weights = weights[i];
        p.y = products[i].y;
        p.ldy = products[i].ldy;
        p.bias = products[i].bias;
        if (p.a.apart) pct_parallel_for(compute->pool, panels, 4, gather_part, &p);
        p.by_columns = balance(panels, threads) > 1.05 * balance(row_tiles, threads);
        pct_parallel_for(compute->pool, p.by_columns ? panels : row_tiles, 1, product_part, &p);
    }
}
