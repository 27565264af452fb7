/* int8.h: products of 8-bit integers, for the files of kernels/: C = A B^T with B in INT8 by output channel, A turned
 * into INT8 row by row as it comes.
 *
 * Both sides are symmetric: value = scale*q, q in -127..127, scale = largest magnitude/127, so no zero points enter the
 * sums. Sums are exact in int32 (of up to 133,000 terms); C is scaled in F32. A row with a NaN or an infinity gives NaN
 * everywhere.
 *
 * B lies in panels of 32 output channels: their scales, where their sums start, then quads: for 64 of k at a time and
 * 16 channels at a time, four neighbouring k of a channel side by side, channels next to each other. This is a tile of
 * AMX, and 16 lanes of VNNI.
 *
 * Large channels apart: where a few elements of a row of A are more than 4 times as large as all others, the row's
 * scale is that of the others, and the large ones have 14 bits: q = 128*high + low. `low` stays in its place; the highs
 * of up to PCT_INT8_DEPTH channels stand behind the row, and meet those channels of B once more in a small panel of
 * their own: c = scale*(sum + 128*sum of highs). Which elements are large is the row's own affair, so a row's result
 * does not depend on its neighbours, unless more channels are wanted than there is room for: then the most wanted are
 * served. Columns of B that are that large are divided by a power of two, and A's are multiplied by it. */
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
    /* sum += 128*high, both [rows][32] */
    void (*join)(int32_t *sum, const int32_t *high, int64_t rows);
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

/* Channels of B whose quotients stand in the panels, the factors of A. */
typedef struct pct_int8_factor {
    int32_t column;
    float factor;
} pct_int8_factor;

/* Rows of x as bytes. */
typedef struct pct_int8_rows {
    const pct_kernels *kernels;
    const pct_real *x;
    int64_t ldx, rows, in, k; /* k: `in` padded */
    uint8_t flip;             /* the tile's */
    const pct_int8_factor *factors;
    int64_t factor_count;
    int64_t lda;       /* bytes a row: k, then the highs; an odd number of cache lines, so that rows share no set */
    int8_t *a;         /* [rows][lda] */
    pct_real *scale;   /* a row */
    int32_t *wanted;   /* of each row: how many channels it wants apart, then which */
    int64_t most;      /* of them a row; 0: none are ever looked for */
    int16_t *slot;     /* of each channel among the highs, or -1 */
    int32_t *channels; /* those that are apart, in rising order, PCT_INT8_DEPTH at most */
    int64_t apart;
} pct_int8_rows;

/* Sets lda and most from rows, in, k; returns the bytes that the pointers need, which pct_int8_rows_lay then sets. */
size_t pct_int8_rows_plan(pct_int8_rows *rows);
void pct_int8_rows_lay(pct_int8_rows *rows, void *memory);
/* Fills a, scale and wanted, then apart and channels: two passes over the pool at most. room: pct_real[in] a worker. */
void pct_int8_rows_round(pct_int8_rows *rows, pct_pool *pool, pct_real *room);
/* How many of a row of `in` elements may be apart. */
int64_t pct_int8_most_apart(int64_t in);
/* Of a row with that scale: how many of at most `most` elements are far above the others, and which; 0: none, or too
 * many. */
int64_t pct_int8_large(const pct_kernels *kernels, int32_t *index, const pct_real *x, int64_t in, pct_real scale,
                       int64_t most);

/* The integer form of weights, and products with it; what packed.c does for compute_type PCT_I8. */
typedef struct pct_int8 pct_int8;
/* As pct_packed_renew; on failure *made is gone. */
percept_status pct_int8_renew(pct_int8 **made, pct_compute *compute, const void *weights, pct_dtype stored_type,
                              int64_t out, int64_t in, percept_error *error);
size_t pct_int8_size(int64_t out, int64_t in);
void pct_int8_destroy(pct_int8 **weights);
size_t pct_int8_bytes(const pct_int8 *weights);
/* Whether it wants rows of its own: its columns have factors. */
bool pct_int8_alone(const pct_int8 *weights);
/* Products of one x with `count` weights of the same `in`; where there are several, none of them alone. The products'
 * `packed` is not looked at. */
void pct_int8_run(pct_compute *compute, const pct_int8 *const *weights, const pct_packed_product *products, int count,
                  const pct_real *x, int64_t ldx, int64_t rows);

#endif
