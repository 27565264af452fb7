/* tile.c: the register tile of blocked products in plain C, for pct_real and for BF16 that is widened while packing. */
#include "kernels/kernels_private.h"

#define MR 4
#define NR 8

#define PACK(name, type, load)                                                                                         \
    static void name##_a(void *to, const void *a, int64_t ld, bool transposed, int64_t rows, int64_t k,                \
                         int64_t k_padded) {                                                                           \
        const type *from = a;                                                                                          \
        pct_real *panel = to;                                                                                          \
        for (int64_t r = 0; r < rows; r++, panel += k_padded) {                                                        \
            for (int64_t i = 0; i < k; i++) panel[i] = (pct_real)load(from[transposed ? i * ld + r : r * ld + i]);     \
            for (int64_t i = k; i < k_padded; i++) panel[i] = 0;                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static void name##_b(void *to, const void *b, int64_t ld, bool transposed, int64_t columns, int64_t k,             \
                         int64_t k_padded) {                                                                           \
        const type *from = b;                                                                                          \
        pct_real *panel = to;                                                                                          \
        for (int64_t i = 0; i < k_padded; i++, panel += NR)                                                            \
            for (int64_t j = 0; j < NR; j++)                                                                           \
                panel[j] =                                                                                             \
                    i < k && j < columns ? (pct_real)load(from[transposed ? j * ld + i : i * ld + j]) : (pct_real)0;   \
    }
PACK(pack_real, pct_real, )
PACK(pack_bf16, uint16_t, pct_float_of_bf16)

/* One row; the full tile below is four of these that share their loads of B. */
static void multiply_row(pct_real *c, int64_t columns, const pct_real *a, const pct_real *b, int64_t k, bool add,
                         const pct_real *bias) {
    pct_real sum[NR] = {0};
    for (int64_t i = 0; i < k; i++, b += NR)
        for (int j = 0; j < NR; j++) sum[j] += a[i] * b[j];
    for (int64_t j = 0; j < columns; j++) c[j] = (add ? c[j] : 0) + (bias ? bias[j] : 0) + sum[j];
}

static void multiply(pct_real *c, int64_t ldc, int64_t rows, int64_t columns, const void *a, int64_t lda, const void *b,
                     int64_t k, bool add, const pct_real *bias) {
    const pct_real *row = a, *panel = b;
    if (rows < MR) {
        for (int64_t r = 0; r < rows; r++) multiply_row(c + r * ldc, columns, row + r * lda, panel, k, add, bias);
        return;
    }
    pct_real sum[MR][NR] = {{0}};
    for (int64_t i = 0; i < k; i++, panel += NR)
        for (int r = 0; r < MR; r++)
            for (int j = 0; j < NR; j++) sum[r][j] += row[r * lda + i] * panel[j];
    for (int r = 0; r < MR; r++, c += ldc)
        for (int64_t j = 0; j < columns; j++) c[j] = (add ? c[j] : 0) + (bias ? bias[j] : 0) + sum[r][j];
}

const pct_tile pct_ref_tile_real = {.name = "plain",
                                    .type = PCT_REAL,
                                    .mr = MR,
                                    .nr = NR,
                                    .kr = 1,
                                    .kc = 512,
                                    .element = sizeof(pct_real),
                                    .a_direct = true,
                                    .pack_a = pack_real_a,
                                    .pack_b = pack_real_b,
                                    .multiply = multiply};
const pct_tile pct_ref_tile_bf16 = {.name = "plain bf16",
                                    .type = PCT_BF16,
                                    .mr = MR,
                                    .nr = NR,
                                    .kr = 1,
                                    .kc = 512,
                                    .element = sizeof(pct_real),
                                    .a_direct = false,
                                    .pack_a = pack_bf16_a,
                                    .pack_b = pack_bf16_b,
                                    .multiply = multiply};
