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
    int64_t out, in, k; /* k: `in` padded */
    size_t panel_bytes, bytes;
    char *panels;
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
    return (pct_int8_head *)(void *)(w->panels + (size_t)index * w->panel_bytes);
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

struct filling {
    pct_int8 *to;
    const pct_kernels *kernels;
    const void *weights;
    pct_dtype type;
    size_t row_bytes;
    int64_t group; /* rows that are widened before they are rounded */
    char *memory;  /* each worker's `room` bytes: such a group, then a panel's rows as bytes */
    size_t room;
};

/* Rows n.. of the weights, `count` of them, to rows of bytes with their scales. A group is widened before the first of
 * it is rounded: just stored, its numbers could not be read back in wider pieces at once. */
static void round_rows(const struct filling *f, int64_t n, int64_t count, pct_real *wide, int8_t *rows, float *scale) {
    const pct_int8 *w = f->to;
    for (int64_t r0 = 0; r0 < count; r0 += f->group) {
        const int64_t r1 = pct_min_i64(r0 + f->group, count);
        for (int64_t r = r0; r < r1; r++)
            f->kernels->dequantise[f->type](wide + (r - r0) * w->in,
                                            (const char *)f->weights + (size_t)(n + r) * f->row_bytes, w->in);
        for (int64_t r = r0; r < r1; r++) {
            scale[r] = (float)f->kernels->to_int8(rows + r * w->k, wide + (r - r0) * w->in, w->in);
            memset(rows + r * w->k + w->in, 0, (size_t)(w->k - w->in));
        }
    }
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
        round_rows(f, n, count, wide, rows, head->scale);
        for (int64_t r = 0; w->tile->flip && r < count; r++) {
            int32_t sum = 0;
            for (int64_t i = 0; i < w->in; i++) sum += rows[r * w->k + i];
            head->start[r] = -128 * sum;
        }
        w->tile->pack((int8_t *)(head + 1), rows, w->k, w->k);
    }
}

percept_status pct_int8_create(pct_int8 **made, pct_compute *compute, const void *weights, pct_dtype stored_type,
                               int64_t out, int64_t in, percept_error *error) {
    struct filling f = {.kernels = &compute->kernels, .weights = weights, .type = stored_type};
    *made = NULL;
    if (!pct_dtype_row_bytes(stored_type, in, &f.row_bytes))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "rows of %lld weights cannot be stored as %s", (long long)in,
                        pct_dtype_name(stored_type));
    pct_int8 *w = calloc(1, sizeof *w);
    if (!w) return pct_fail_memory(error, "packed weights");
    w->tile = pct_int8_tile_for(compute->kernels.cpu_flags);
    w->out = out;
    w->in = in;
    w->k = pct_round_up(in, PCT_INT8_DEPTH);
    w->panel_bytes = sizeof(pct_int8_head) + (size_t)(w->k * PCT_INT8_COLUMNS);
    w->bytes = w->panel_bytes * (size_t)pct_parts(out, PCT_INT8_COLUMNS);
    w->panels = aligned_alloc(PCT_ARENA_ALIGN, w->bytes);
    if (!w->panels) {
        pct_int8_destroy(&w);
        return pct_fail_memory(error, "packed weights");
    }
    f.to = w;
    f.group = pct_max_i64(1, pct_min_i64(PCT_INT8_COLUMNS, 4096 / in));
    f.room = (size_t)pct_round_up((f.group * in) * (int64_t)sizeof(pct_real) + PCT_INT8_COLUMNS * w->k, 64);
    f.memory = pct_compute_scratch(compute, f.room * (size_t)pct_pool_threads(compute->pool));
    pct_parallel_for(compute->pool, pct_parts(out, PCT_INT8_COLUMNS), 1, filling_part, &f);
    *made = w;
    return PERCEPT_OK;
}

void pct_int8_destroy(pct_int8 **weights) {
    if (!*weights) return;
    free((*weights)->panels);
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
    const pct_kernels *kernels;
    const pct_int8 *weights;
    const pct_real *x, *bias;
    pct_real *y;
    int64_t ldx, ldy, rows;
    int8_t *a; /* rows of k bytes */
    pct_real *scale;
    bool by_columns;
};

/* Rows of x to bytes. */
static void quantise_rows(const struct product *p, int64_t m0, int64_t m1) {
    const pct_int8 *w = p->weights;
    for (int64_t m = m0; m < m1; m++) {
        int8_t *to = p->a + m * w->k;
        p->scale[m] = p->kernels->to_int8(to, p->x + m * p->ldx, w->in);
        memset(to + w->in, 0, (size_t)(w->k - w->in));
        if (w->tile->flip)
            for (int64_t i = 0; i < w->k; i++) to[i] = (int8_t)((uint8_t)to[i] ^ w->tile->flip);
    }
}

static void quantise_part(void *context, int64_t begin, int64_t end, int worker) { quantise_rows(context, begin, end); }

/* Rows [m0,m1) x panels [p0,p1) of y on this thread. */
static void block(const struct product *p, int64_t m0, int64_t m1, int64_t p0, int64_t p1) {
    const pct_int8 *w = p->weights;
    const pct_int8_tile *tile = w->tile;
    const int64_t step = pct_max_i64(B_BLOCK_BYTES / (int64_t)w->panel_bytes, 1);
    _Alignas(64) int32_t sum[PCT_INT8_MAX_MR * PCT_INT8_COLUMNS];
    if (tile->begin) tile->begin();
    for (int64_t pb = p0; pb < p1; pb += step)
        for (int64_t m = m0; m < m1; m += tile->mr)
            for (int64_t i = pb; i < pct_min_i64(pb + step, p1); i++) {
                const int64_t rows = pct_min_i64(tile->mr, m1 - m), n = i * PCT_INT8_COLUMNS;
                const pct_int8_head *panel = panel_at(w, i);
                tile->multiply(sum, rows, p->a + m * w->k, w->k, panel, w->k);
                tile->finish(p->y + m * p->ldy + n, p->ldy, rows, pct_min_i64(PCT_INT8_COLUMNS, w->out - n), sum,
                             p->scale + m, panel, p->bias ? p->bias + n : NULL);
            }
    if (tile->end) tile->end();
}

static void product_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct product *p = context;
    const int64_t mr = p->weights->tile->mr;
    if (p->by_columns) {
        block(p, 0, p->rows, begin, end);
        return;
    }
    /* its own rows need nobody else's work: no barrier */
    const int64_t m0 = begin * mr, m1 = pct_min_i64(end * mr, p->rows);
    quantise_rows(p, m0, m1);
    block(p, m0, m1, 0, pct_parts(p->weights->out, PCT_INT8_COLUMNS));
}

/* Share of the pool's time that is spent working when `items` equal items are split. */
static double balance(int64_t items, int threads) {
    return (double)items / (double)(pct_parts(items, threads) * threads);
}

void pct_int8_run(pct_compute *compute, const pct_int8 *weights, pct_real *y, int64_t ldy, const pct_real *x,
                  int64_t ldx, int64_t rows, const pct_real *bias) {
    if (rows < 1) return;
    struct product p = {.kernels = &compute->kernels,
                        .weights = weights,
                        .x = x,
                        .bias = bias,
                        .y = y,
                        .ldx = ldx,
                        .ldy = ldy,
                        .rows = rows};
    const int threads = pct_pool_threads(compute->pool);
    const int64_t mr = weights->tile->mr, row_tiles = pct_parts(rows, mr),
                  panels = pct_parts(weights->out, PCT_INT8_COLUMNS);
    const size_t a_bytes = (size_t)(row_tiles * mr * weights->k);
    p.a = pct_compute_scratch(compute, a_bytes + (size_t)rows * sizeof *p.scale);
    p.scale = (pct_real *)(void *)(p.a + a_bytes);
    p.by_columns = balance(panels, threads) > 1.05 * balance(row_tiles, threads);
    if (p.by_columns) pct_parallel_for(compute->pool, rows, pct_max_i64(1, 8192 / weights->k), quantise_part, &p);
    pct_parallel_for(compute->pool, p.by_columns ? panels : row_tiles, 1, product_part, &p);
}
