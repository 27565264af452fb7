/* attend_stored.h: attention of a few rows over keys and values as a cache keeps them: narrow, head by head.
 *
 * Rows of a cache are converted in blocks that stay in the first cache, once for all heads that share them. Keys are
 * cut into pieces that threads take one by one; the cut depends on the number of keys alone, so the result is the same
 * whatever the thread count. */
#ifndef PCT_KERNELS_ATTEND_STORED_H
#define PCT_KERNELS_ATTEND_STORED_H

#include "kernels/kernels.h"

/* Query rows a span may have; more are better served by pct_attention_run. */
#define PCT_STORED_QUERIES 4

typedef struct pct_stored_rows {
    pct_dtype type;    /* one that has a `dequantise`; head_dim is a multiple of its block */
    const void *k, *v; /* [kv_head][capacity][head_dim] */
    int64_t capacity;  /* rows that there is room for */
} pct_stored_rows;

/* out as pct_attention_run gives it; attention's k, v, ldk, ldv, lse and type are not looked at. Spans name rows of the
 * cache. */
void pct_attention_stored_run(pct_compute *compute, const pct_attention *attention, const pct_stored_rows *stored);

#endif
