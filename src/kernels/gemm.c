/* gemm.c: matrix products cut into blocks and threads around an instruction set's register tile.
 *
 * B is packed whole into panels of the tile's width, A only where its layout does not do as it is. Both passes split
 * over the pool; every element of C is summed by one thread in one order, so results do not depend on the split. */
#include "kernels/dnn/dnn.h"
#include "kernels/kernels_private.h"

/* Rows of A go by the columns of B, which stay in the second cache; C is then written along its rows, which the
 * prefetcher follows (walking down its columns was three times slower where C outgrew that cache). */
#define B_BLOCK_BYTES (768 * 1024)
#define A_BLOCK_BYTES (256 * 1024) /* where k is blocked: rows whose part of C is visited again for the next of k */

size_t pct_tile_b_bytes(const pct_tile *tile, int64_t k, int64_t n) {
    return (size_t)(pct_round_up(k, tile->kr) * pct_round_up(n, tile->nr)) * (size_t)tile->element;
}

/* What C starts from, in the first block of k: then the product is added, while the rows are in the first cache. */
static void lay_start(pct_real *c, const pct_real *start, int64_t ldc, int64_t rows, int64_t columns,
                      const pct_real *bias) {
    for (int64_t r = 0; r < rows; r++, c += ldc, start += ldc)
        for (int64_t i = 0; i < columns; i++) c[i] = start[i] + (bias ? bias[i] : 0);
}

void pct_tile_block(const pct_tile *tile, pct_real *c, int64_t ldc, const void *a, int64_t lda, const void *b,
                    int64_t k_padded, int64_t m0, int64_t m1, int64_t n0, int64_t n1, bool add, const pct_real *bias,
                    const pct_real *start) {
    if (start) add = true;
    const int64_t depth_bytes = pct_min_i64(k_padded, tile->kc) * tile->element;
    const int64_t mc = pct_max_i64(A_BLOCK_BYTES / depth_bytes / tile->mr, 1) * tile->mr;
    const int64_t nc = pct_max_i64(B_BLOCK_BYTES / depth_bytes / tile->nr, 1) * tile->nr;
    if (tile->begin) tile->begin();
    for (int64_t nb = n0; nb < n1; nb += nc)
        for (int64_t mb = m0; mb < m1; mb += mc)
            for (int64_t k0 = 0; k0 < k_padded; k0 += tile->kc) {
                const int64_t m_last = pct_min_i64(mb + mc, m1), n_last = pct_min_i64(nb + nc, n1);
                const int64_t depth = pct_min_i64(tile->kc, k_padded - k0);
                for (int64_t m = mb; m < m_last; m += tile->mr) {
                    if (start && k0 == 0)
                        lay_start(c + m * ldc + nb, start + m * ldc + nb, ldc, pct_min_i64(tile->mr, m_last - m),
                                  n_last - nb, bias ? bias + nb : NULL);
                    for (int64_t n = nb; n < n_last; n += tile->nr)
                        tile->multiply(c + m * ldc + n, ldc, pct_min_i64(tile->mr, m_last - m),
                                       pct_min_i64(tile->nr, n_last - n), pct_step(a, m * lda + k0, tile->element), lda,
                                       pct_step(b, n * k_padded + k0 * tile->nr, tile->element), depth, add || k0 > 0,
                                       bias && k0 == 0 && !start ? bias + n : NULL);
                }
            }
    if (tile->end) tile->end();
}

struct product {
    const pct_tile *tile;
    pct_real *c;
    const pct_real *bias, *start;
    const void *a, *b;
    int64_t ldc, lda, k_padded, m, n;
    bool add, by_columns;
};

static void product_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct product *p = context;
    const int64_t unit = p->by_columns ? p->tile->nr : p->tile->mr;
    int64_t m0 = 0, m1 = p->m, n0 = 0, n1 = p->n;
    if (p->by_columns) {
        n0 = begin * unit;
        n1 = pct_min_i64(end * unit, p->n);
    } else {
        m0 = begin * unit;
        m1 = pct_min_i64(end * unit, p->m);
    }
    pct_tile_block(p->tile, p->c, p->ldc, p->a, p->lda, p->b, p->k_padded, m0, m1, n0, n1, p->add, p->bias, p->start);
}

/* Share of the pool's time that is spent working when `items` equal items are split. */
static double balance(int64_t items, int threads) {
    return (double)items / (double)(pct_parts(items, threads) * threads);
}

void pct_tile_product(pct_pool *pool, const pct_tile *tile, pct_real *c, int64_t ldc, const void *a, int64_t lda,
                      const void *b, int64_t k_padded, int64_t m, int64_t n, bool add, const pct_real *bias,
                      const pct_real *start) {
    struct product p = {.tile = tile,
                        .c = c,
                        .bias = bias,
                        .start = start,
                        .a = a,
                        .b = b,
                        .ldc = ldc,
                        .lda = lda,
                        .k_padded = k_padded,
                        .m = m,
                        .n = n,
                        .add = add};
    const int threads = pct_pool_threads(pool);
    const int64_t row_tiles = pct_parts(m, tile->mr), column_tiles = pct_parts(n, tile->nr);
    /* Rows are the better split (each thread reads its own rows of A, and B is shared) unless they divide badly. */
    p.by_columns = balance(column_tiles, threads) > 1.05 * balance(row_tiles, threads);
    pct_parallel_for(pool, p.by_columns ? column_tiles : row_tiles, 1, product_part, &p);
}

struct packing {
    const pct_tile *tile;
    const pct_gemm *gemm;
    void *a, *b; /* NULL: that side is not packed */
    int64_t k_padded, b_panels;
};

/* Panels of B first, then blocks of rows of A. */
static void packing_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct packing *p = context;
    const pct_gemm *g = p->gemm;
    const pct_tile *tile = p->tile;
    const int64_t size = pct_dtype_plain_bytes(g->type);
    for (int64_t i = begin; i < end; i++) {
        if (i < p->b_panels) {
            const int64_t n = i * tile->nr;
            tile->pack_b((char *)p->b + n * p->k_padded * tile->element,
                         pct_step(g->b, g->b_transposed ? n * g->ldb : n, size), g->ldb, g->b_transposed,
                         pct_min_i64(tile->nr, g->n - n), g->k, p->k_padded);
        } else {
            const int64_t m = (i - p->b_panels) * tile->mr;
            tile->pack_a((char *)p->a + m * p->k_padded * tile->element,
                         pct_step(g->a, g->a_transposed ? m : m * g->lda, size), g->lda, g->a_transposed,
                         pct_min_i64(tile->mr, g->m - m), g->k, p->k_padded);
        }
    }
}

void pct_tile_pack_b(pct_pool *pool, const pct_tile *tile, void *to, const void *b, int64_t ldb, bool transposed,
                     int64_t k, int64_t n) {
    const pct_gemm gemm = {.n = n, .k = k, .b = b, .type = tile->type, .b_transposed = transposed, .ldb = ldb};
    struct packing p = {.tile = tile,
                        .gemm = &gemm,
                        .b = to,
                        .k_padded = pct_round_up(k, tile->kr),
                        .b_panels = pct_parts(n, tile->nr)};
    pct_parallel_for(pool, p.b_panels, 1, packing_part, &p);
}

static void without_depth(const pct_gemm *g) {
    for (int64_t r = 0; r < g->m; r++)
        for (int64_t j = 0; j < g->n; j++)
            g->c[r * g->ldc + j] = (g->accumulate ? g->c[r * g->ldc + j]
                                    : g->start    ? g->start[r * g->ldc + j]
                                                  : 0) +
                                   (g->bias ? g->bias[j] : 0);
}

static void run_tiles(pct_compute *compute, const pct_tile *tile, const pct_gemm *g) {
    const bool pack_a = !tile->a_direct || g->a_transposed || g->k % tile->kr != 0;
    struct packing p = {
        .tile = tile, .gemm = g, .k_padded = pct_round_up(g->k, tile->kr), .b_panels = pct_parts(g->n, tile->nr)};
    const int64_t a_panels = pack_a ? pct_parts(g->m, tile->mr) : 0;
    const size_t b_bytes = (pct_tile_b_bytes(tile, g->k, g->n) + 63) & ~(size_t)63;
    const size_t a_bytes = (size_t)(a_panels * tile->mr * p.k_padded) * (size_t)tile->element;
    p.b = pct_compute_scratch(compute, a_bytes + b_bytes);
    p.a = (char *)p.b + b_bytes;
    pct_parallel_for(compute->pool, p.b_panels + a_panels, 1, packing_part, &p);
    pct_tile_product(compute->pool, tile, g->c, g->ldc, pack_a ? p.a : g->a, pack_a ? p.k_padded : g->lda, p.b,
                     p.k_padded, g->m, g->n, g->accumulate, g->bias, g->start);
}

void pct_gemm_run(pct_compute *compute, const pct_gemm *gemm) {
    PCT_ASSERT(gemm->type == PCT_REAL || gemm->type == PCT_BF16);
    PCT_ASSERT(!gemm->start || !gemm->accumulate);
    if (gemm->m <= 0 || gemm->n <= 0) return;
    if (gemm->k <= 0) {
        without_depth(gemm);
        return;
    }
#ifdef PCT_HAVE_DNN
    if (gemm->type == PCT_BF16 && (compute->library & PCT_LIBRARY_GEMM) && !gemm->start && pct_dnn_gemm(compute, gemm))
        return;
#endif
    run_tiles(compute, gemm->type == PCT_BF16 ? compute->tile_bf16 : compute->tile_real, gemm);
}
