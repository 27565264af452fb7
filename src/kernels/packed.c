/* packed.c: weights that are laid out once and multiplied often, and the one-row product with weights as stored. */
#include "base/arena.h"
#include "kernels/int8.h"

#include <stdlib.h>

struct pct_packed {
    pct_int8 *whole; /* PCT_I8: where tile is NULL */
    const pct_tile *tile;
    int64_t out, in, in_padded;
    size_t bytes, room; /* of the panels: used, there */
    void *panels;
};

struct filling {
    pct_packed *packed;
    const pct_kernels *kernels;
    const void *weights;
    pct_dtype type;
    size_t row_bytes;
    pct_real *rows; /* each worker's rows of one panel */
    uint16_t *half; /* the same in BF16 */
};

/* Panels of the tile's width, each from as many rows of the stored weights. */
static void filling_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct filling *f = context;
    const pct_tile *tile = f->packed->tile;
    const int64_t in = f->packed->in, nr = tile->nr;
    pct_real *rows = f->rows + worker * nr * in;
    uint16_t *half = f->half + worker * nr * in;
    for (int64_t p = begin; p < end; p++) {
        const int64_t n = p * nr, count = pct_min_i64(nr, f->packed->out - n);
        for (int64_t r = 0; r < count; r++) {
            const void *row = (const char *)f->weights + (size_t)(n + r) * f->row_bytes;
            if (tile->type == PCT_BF16 && f->type == PCT_BF16) {
                memcpy(half + r * in, row, (size_t)in * 2);
                continue;
            }
            f->kernels->dequantise[f->type](rows + r * in, row, in);
            if (tile->type == PCT_BF16) f->kernels->to_bf16(half + r * in, rows + r * in, in);
        }
        tile->pack_b((char *)f->packed->panels + n * f->packed->in_padded * tile->element,
                     tile->type == PCT_BF16 ? (const void *)half : rows, in, true, count, in, f->packed->in_padded);
    }
}

size_t pct_packed_size(const pct_compute *compute, pct_dtype compute_type, int64_t out, int64_t in) {
    if (compute_type == PCT_I8) return pct_int8_size(out, in) + sizeof(pct_packed);
    const pct_tile *tile = compute_type == PCT_REAL ? compute->tile_real : compute->tile_bf16;
    return ((pct_tile_b_bytes(tile, in, out) + 63) & ~(size_t)63) + sizeof(pct_packed);
}

static percept_status fill(pct_packed *made, pct_compute *compute, const pct_tile *tile, struct filling *f, int64_t out,
                           int64_t in, percept_error *error) {
    const size_t one = (size_t)(tile->nr * in), workers = (size_t)pct_pool_threads(compute->pool);
    made->tile = tile;
    made->out = out;
    made->in = in;
    made->in_padded = pct_round_up(in, tile->kr);
    made->bytes = (pct_tile_b_bytes(tile, in, out) + 63) & ~(size_t)63;
    f->packed = made;
    f->rows = malloc(one * workers * (sizeof *f->rows + sizeof *f->half));
    if (!f->rows || !pct_packed_room(&made->panels, &made->room, made->bytes)) {
        free(f->rows);
        return pct_fail_memory(error, "packed weights");
    }
    f->half = (uint16_t *)(f->rows + one * workers);
    pct_parallel_for(compute->pool, pct_parts(out, tile->nr), 1, filling_part, f);
    free(f->rows);
    return PERCEPT_OK;
}

percept_status pct_packed_renew(pct_packed **packed, pct_compute *compute, pct_dtype compute_type, const void *weights,
                                pct_dtype stored_type, int64_t out, int64_t in, percept_error *error) {
    struct filling f = {.kernels = &compute->kernels, .weights = weights, .type = stored_type};
    percept_status status;
    if (out < 1 || in < 1 || !compute->kernels.dequantise[stored_type] ||
        !pct_dtype_row_bytes(stored_type, in, &f.row_bytes))
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "weights of %lld x %lld cannot be stored as %s", (long long)out,
                          (long long)in, pct_dtype_name(stored_type));
    else if (compute_type != PCT_REAL && compute_type != PCT_BF16 && compute_type != PCT_I8)
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "products in %s are not made; use BF16, F32 or INT8",
                          pct_dtype_name(compute_type));
    else if (!*packed && !(*packed = calloc(1, sizeof **packed)))
        status = pct_fail_memory(error, "packed weights");
    else if (compute_type == PCT_I8)
        status = pct_int8_renew(&(*packed)->whole, compute, weights, stored_type, out, in, error);
    else
        status = fill(*packed, compute, compute_type == PCT_REAL ? compute->tile_real : compute->tile_bf16, &f, out, in,
                      error);
    if (status != PERCEPT_OK) pct_packed_destroy(packed);
    if (status == PERCEPT_OK && compute_type == PCT_I8) (*packed)->tile = NULL;
    return status;
}

percept_status pct_packed_create(pct_packed **packed, pct_compute *compute, pct_dtype compute_type, const void *weights,
                                 pct_dtype stored_type, int64_t out, int64_t in, percept_error *error) {
    *packed = NULL;
    return pct_packed_renew(packed, compute, compute_type, weights, stored_type, out, in, error);
}

bool pct_packed_room(void **memory, size_t *room, size_t bytes) {
    if (bytes <= *room) return true;
    free(*memory);
    *memory = aligned_alloc(PCT_ARENA_ALIGN, bytes);
    *room = *memory ? bytes : 0;
    return *memory != NULL;
}

void pct_packed_destroy(pct_packed **packed) {
    if (!*packed) return;
    pct_int8_destroy(&(*packed)->whole);
    free((*packed)->panels);
    free(*packed);
    *packed = NULL;
}

size_t pct_packed_bytes(const pct_packed *packed) {
    return (packed->tile ? packed->bytes : pct_int8_bytes(packed->whole)) + sizeof *packed;
}

struct rows {
    const pct_compute *compute;
    const pct_packed *packed;
    const pct_real *x;
    int64_t ldx, rows, lda;
    char *to;
};

/* Elements between rows, so that these are an odd number of cache lines apart: with a power of two the 16 rows of a
 * tile would fall into one or two sets of the first cache, which hold 12. */
static int64_t odd_lines(int64_t elements, int64_t size) {
    const int64_t line = 64 / size;
    return (pct_round_up(elements, line) / line | 1) * line;
}

/* Blocks of rows, converted and padded for the tile. */
static void rows_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct rows *job = context;
    const pct_packed *p = job->packed;
    const pct_tile *tile = p->tile;
    for (int64_t i = begin; i < end; i++) {
        const int64_t m = i * tile->mr, count = pct_min_i64(tile->mr, job->rows - m);
        char *to = job->to + m * job->lda * tile->element;
        if (tile->type == PCT_REAL) {
            tile->pack_a(to, job->x + m * job->ldx, job->ldx, false, count, p->in, p->in_padded);
            continue;
        }
        for (int64_t r = 0; r < count; r++, to += job->lda * tile->element) {
            uint16_t half[512];
            for (int64_t k = 0; k < p->in; k += 512) {
                const int64_t n = pct_min_i64(512, p->in - k);
                job->compute->kernels.to_bf16(half, job->x + (m + r) * job->ldx + k, n);
                tile->pack_a(to + k * tile->element, half, n, false, 1, n, n);
            }
            memset(to + p->in * tile->element, 0, (size_t)((p->in_padded - p->in) * tile->element));
        }
    }
}

/* Products whose rows of x are the same bytes. */
static void run_alike(pct_compute *compute, const pct_packed_product *products, int count, const pct_real *x,
                      int64_t ldx, int64_t rows) {
    const pct_packed *first = products[0].packed;
    const pct_tile *tile = first->tile;
    if (!tile) {
        const pct_int8 *weights[PCT_MATVEC_MANY];
        for (int i = 0; i < count; i++) weights[i] = products[i].packed->whole;
        pct_int8_run(compute, weights, products, count, x, ldx, rows);
        return;
    }
    const void *a = x;
    int64_t lda = ldx;
    if (tile->type == PCT_BF16 || !tile->a_direct || first->in_padded != first->in) {
        const int64_t blocks = pct_parts(rows, tile->mr);
        lda = tile->type == PCT_BF16 ? odd_lines(first->in_padded, tile->element) : first->in_padded;
        struct rows job = {compute, first, x, ldx, rows, lda, NULL};
        job.to = pct_compute_scratch(compute, (size_t)(blocks * tile->mr * lda) * (size_t)tile->element);
        pct_parallel_for(compute->pool, blocks, 1, rows_part, &job);
        a = job.to;
    }
    for (int i = 0; i < count; i++) {
        const pct_packed *p = products[i].packed;
        pct_tile_product(compute->pool, tile, products[i].y, products[i].ldy, a, lda, p->panels, p->in_padded, rows,
                         p->out, false, products[i].bias, NULL);
    }
}

void pct_packed_many_run(pct_compute *compute, const pct_packed_product *products, int count, const pct_real *x,
                         int64_t ldx, int64_t rows) {
    PCT_ASSERT(count >= 1 && count <= PCT_MATVEC_MANY);
    bool alike = true;
    for (int i = 0; i < count; i++) {
        const pct_packed *p = products[i].packed;
        alike = alike && p->tile == products[0].packed->tile && (p->tile || !pct_int8_alone(p->whole));
    }
    if (rows < 1) return;
    if (alike)
        run_alike(compute, products, count, x, ldx, rows);
    else
        for (int i = 0; i < count; i++) run_alike(compute, products + i, 1, x, ldx, rows);
}

void pct_packed_run(pct_compute *compute, const pct_packed *packed, pct_real *y, int64_t ldy, const pct_real *x,
                    int64_t ldx, int64_t rows, const pct_real *bias) {
    const pct_packed_product one = {packed, y, ldy, bias};
    pct_packed_many_run(compute, &one, 1, x, ldx, rows);
}

struct one_row {
    const pct_kernels *kernels;
    const pct_matvec *products;
    int count;
    const void *whole, *blocks; /* the vector's two forms */
    int64_t columns;
};

/* Rows begin..end-1 of all matrices, one after the other. */
static void one_row_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct one_row *job = context;
    int64_t first = 0;
    for (int i = 0; i < job->count; first += job->products[i++].rows) {
        const pct_matvec *p = &job->products[i];
        const int64_t r0 = pct_max_i64(begin - first, 0), r1 = pct_min_i64(end - first, p->rows);
        size_t row_bytes;
        if (r0 >= r1 || !pct_dtype_row_bytes(p->type, job->columns, &row_bytes)) continue;
        job->kernels->matvec[p->type](p->y, p->w, row_bytes, pct_dtype_block(p->type) > 1 ? job->blocks : job->whole,
                                      job->columns, r0, r1);
        if (p->bias) job->kernels->add(p->y + r0, p->y + r0, p->bias + r0, r1 - r0);
    }
}

void pct_matvec_many_run(pct_compute *compute, const pct_matvec *products, int count, const pct_real *x,
                         int64_t columns) {
    struct one_row job = {&compute->kernels, products, count, x, NULL, columns};
    int64_t rows = 0;
    for (int i = 0; i < count; i++) {
        const pct_dtype type = products[i].type;
        PCT_ASSERT(compute->kernels.matvec[type] && columns % pct_dtype_block(type) == 0);
        rows += products[i].rows;
        if (pct_dtype_block(type) == 1 || job.blocks) continue;
        void *input = pct_compute_scratch(compute, pct_matvec_input_bytes(type, columns));
        compute->kernels.matvec_input[type](input, x, columns);
        job.blocks = input;
    }
    pct_parallel_for(compute->pool, rows, pct_max_i64(1, 16384 / pct_max_i64(columns, 1)), one_row_part, &job);
}

void pct_matvec_run(pct_compute *compute, pct_dtype type, pct_real *y, const void *w, const pct_real *x, int64_t rows,
                    int64_t columns, const pct_real *bias) {
    const pct_matvec one = {type, y, w, bias, rows};
    pct_matvec_many_run(compute, &one, 1, x, columns);
}
