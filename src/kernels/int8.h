/* int8.h: products of 8-bit integers, for the files of kernels/: C = A B^T with B in INT8 by output channel, A turned
 * into INT8 row by row as it comes.
 *
 * Both sides are symmetric: value = scale*q, q in -127..127, scale = largest magnitude/127, so no zero points enter the
 * sums. Sums are exact in int32 (of up to 133,000 terms); C is scaled in F32. A row with a NaN or an infinity gives NaN
 * everywhere.
 *
 * B lies in panels of 32 output channels: their scales, where their sums start, then quads: for 64 of k at a time and
 * 16 channels at a time, four neighbouring k of a channel side by side, channels next to each other. This is a tile of
 * AMX, and 16 lanes of VNNI. Input channels that are too large for INT8 can one day be kept out of the panels (their
 * quads zero) and be added in F32 by `finish`; nothing else would change. */
#ifndef PCT_KERNELS_INT8_H
#define PCT_KERNELS_INT8_H

#include "kernels/kernels_private.h"

#define PCT_INT8_COLUMNS 32
#define PCT_INT8_DEPTH   64 /* k is padded with zeros to a multiple of it */
#define PCT_INT8_MAX_MR  32

/* What stands before a panel's quads. */
typedef struct pct_int8_head {
    float scale[PCT_INT8_COLUMNS];   /* 0 for channels beyond the last */
    int32_t start[PCT_INT8_COLUMNS]; /* of the sums: takes back what `flip` adds */
} pct_int8_head;

typedef struct pct_int8_tile {
    const char *name;
    int mr;       /* rows that `multiply` does at most */
    uint8_t flip; /* 0x80: rows of A are wanted as unsigned bytes, q + 128; else 0 */
    /* Quads of 32 rows (channels) of k bytes, `ld` apart; k a multiple of PCT_INT8_DEPTH. */
    void (*pack)(int8_t *quads, const int8_t *rows, int64_t ld, int64_t k);
    /* sum[r][32] = the head's starts + a*b over k, for `rows` <= mr; a in rows of bytes, `lda` apart. */
    void (*multiply)(int32_t *sum, int64_t rows, const int8_t *a, int64_t lda, const pct_int8_head *panel, int64_t k);
    /* c[r][j] = sum*row_scale[r]*head scale[j] + bias[j], j < columns; bias may be NULL. */
    void (*finish)(pct_real *c, int64_t ldc, int64_t rows, int64_t columns, const int32_t *sum,
                   const pct_real *row_scale, const pct_int8_head *panel, const pct_real *bias);
    /* Around the multiplications of one thread; may be NULL. */
    void (*begin)(void);
    void (*end)(void);
} pct_int8_tile;

extern const pct_int8_tile pct_ref_tile_int8, pct_x86_tile_int8_avx2, pct_x86_tile_int8_vnni, pct_amx_tile_int8;
const pct_int8_tile *pct_int8_tile_for(uint32_t cpu_flags);

static inline const int8_t *pct_int8_quads(const pct_int8_head *panel) { return (const int8_t *)(panel + 1); }

/* The integer form of weights, and products with it; what packed.c does for compute_type PCT_I8. */
typedef struct pct_int8 pct_int8;
percept_status pct_int8_create(pct_int8 **made, pct_compute *compute, const void *weights, pct_dtype stored_type,
                               int64_t out, int64_t in, percept_error *error);
void pct_int8_destroy(pct_int8 **weights);
size_t pct_int8_bytes(const pct_int8 *weights);
void pct_int8_run(pct_compute *compute, const pct_int8 *weights, pct_real *y, int64_t ldy, const pct_real *x,
                  int64_t ldx, int64_t rows, const pct_real *bias);

#endif
