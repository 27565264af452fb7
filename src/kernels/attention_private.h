/* attention_private.h: what attention.c, attend.c and attend_back.c share.
 *
 * A part of the work is one key head of one run of spans that share no key row with other runs (one picture, when
 * pictures are packed side by side). Within it, keys go by blocks that are packed once for the product tiles, queries
 * by blocks of rows: scores exist for one block of queries by one block of keys at a time. */
#ifndef PCT_KERNELS_ATTENTION_PRIVATE_H
#define PCT_KERNELS_ATTENTION_PRIVATE_H

#include "kernels/kernels_private.h"

#define PCT_QUERY_BLOCK 64
#define PCT_KEY_BLOCK   512
#define PCT_FEW_QUERIES 4 /* a span of so few may be done without packing its keys: pct_attend_is_few */

typedef struct pct_rows {
    const void *data; /* in the tile's type */
    int64_t ld;
} pct_rows;

/* Each worker's memory: pointers into the compute object's scratch. */
typedef struct pct_attend_memory {
    pct_real *scores, *slopes;   /* [query block][key block, padded] */
    void *weights, *slopes_half; /* the same in the tile's type; in the plain type they are scores and slopes */
    void *a;                     /* packed rows of a left operand */
    void *keys[2], *keys_flat, *values[2], *values_turned; /* packed panels, [shared, own] where two are kept */
    void *right;                                           /* packed queries or dout as a right operand */
    pct_real *tops, *sums; /* [head of the group][query row]: running maximum and sum; sums holds delta backwards */
} pct_attend_memory;

typedef struct pct_attend {
    const pct_attention *attention;
    const pct_kernels *kernels;
    const pct_tile *tile;
    pct_rows q, k, v, dout; /* as operands; dout only backwards */
    const pct_real *dout_real;
    pct_real *dq, *dk, *dv;
    const int64_t *cuts;
    char *memory;
    size_t memory_bytes;
    int64_t dim_padded, key_padded; /* to the tile's kr */
    int64_t most_queries;           /* of a span */
    int64_t runs, splits;           /* forward: each part's query blocks are dealt out to `splits` workers */
    bool backward;
} pct_attend;

/* Whether a span is done in plain numbers instead of tiles. Not when a way back will follow in BF16: that recomputes
 * the scores, and exp(score - lse) of a large score rounded in two ways is far above 1. */
static inline bool pct_attend_is_few(const pct_attend *job, const pct_span *span) {
    const bool exact = !job->attention->lse || job->attention->type == PCT_REAL;
    return exact && !job->backward && span->q_count <= PCT_FEW_QUERIES;
}

/* A block of keys and what a query of the span sees of it. */
typedef struct pct_key_block {
    int64_t begin, count; /* rows */
    int64_t offset;       /* of the first in its run; */
    bool own;             /* in which run */
} pct_key_block;

void pct_attend_memory_at(const pct_attend *job, int worker, pct_attend_memory *memory);
/* Block `index` of the span's keys; false after the last. */
bool pct_attend_block(const pct_span *span, int64_t index, pct_key_block *block);
/* How many keys of the block query i (of the span) sees. */
int64_t pct_attend_seen(const pct_span *span, const pct_key_block *block, int64_t query);
/* Rows [row, row+count) of one head as a left operand: in place or packed into `to`. *ld in elements of the tile. */
const void *pct_attend_left(const pct_attend *job, void *to, const pct_rows *rows, int64_t row, int64_t column,
                            int64_t count, int64_t *ld);
/* `count` rows of one head packed as a right operand: turned (columns = rows, depth = head_dim) or not. */
void pct_attend_right(const pct_attend *job, void *to, const pct_rows *rows, int64_t row, int64_t column, int64_t count,
                      bool turned);
/* A row of weights into the tile's type with zeros up to `padded`. */
void pct_attend_row(const pct_attend *job, void *to, pct_real *row, int64_t count, int64_t padded);

void pct_attend_forward(const pct_attend *job, int64_t run, int kv_head, int64_t split, int worker);
void pct_attend_backward(const pct_attend *job, int64_t run, int kv_head, int worker);

#endif
