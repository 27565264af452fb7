/* attention.c: cuts attention into parts that threads can do without meeting.
 *
 * Forward: heads x blocks of query rows. Backward: key heads x runs of spans that share no key row with other runs, so
 * that each row of dk and dv is summed by one thread in one order. */
#include "kernels/kernels_private.h"

#define QUERY_BLOCK 32

struct attend {
    const pct_attention *attention;
    const pct_real *dout;
    pct_real *dq, *dk, *dv;
    const int64_t *cuts;
};

static int64_t blocks_of(const pct_span *span) { return pct_parts(span->q_count, QUERY_BLOCK); }

static void forward_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct attend *job = context;
    const pct_attention *at = job->attention;
    int64_t s = 0, first = 0; /* `first`: the number of the span's first item */
    for (int64_t i = begin; i < end; i++) {
        while (i >= first + blocks_of(&at->spans[s]) * at->heads) first += blocks_of(&at->spans[s++]) * at->heads;
        const int32_t q0 = (int32_t)((i - first) / at->heads) * QUERY_BLOCK;
        const int32_t q1 = (int32_t)pct_min_i64(q0 + QUERY_BLOCK, at->spans[s].q_count);
        pct_ref_attend(at, &at->spans[s], (int)((i - first) % at->heads), q0, q1);
    }
}

void pct_attention_run(pct_compute *compute, const pct_attention *attention) {
    struct attend job = {.attention = attention};
    int64_t items = 0;
    PCT_ASSERT(attention->heads > 0 && attention->kv_heads > 0 && attention->heads % attention->kv_heads == 0);
    for (int64_t s = 0; s < attention->span_count; s++) items += blocks_of(&attention->spans[s]) * attention->heads;
    if (items > 0) pct_parallel_for(compute->pool, items, 1, forward_part, &job);
}

static int64_t first_key(const pct_span *s) {
    if (s->shared_count == 0) return s->own_begin;
    return s->own_count == 0 ? s->shared_begin : pct_min_i64(s->shared_begin, s->own_begin);
}
static int64_t last_key(const pct_span *s) {
    const int64_t shared = s->shared_count ? (int64_t)s->shared_begin + s->shared_count : 0;
    const int64_t own = s->own_count ? (int64_t)s->own_begin + s->own_count : 0;
    return pct_max_i64(shared, own);
}

void pct_attention_cuts(const pct_attention *attention, int64_t *cuts, int64_t *count) {
    const int64_t n = attention->span_count;
    /* From the back: the smallest key of all later spans is kept in the place where a cut may come to stand. */
    int64_t smallest = INT64_MAX, largest = 0, found = 0;
    for (int64_t s = n; s-- > 0;) {
        cuts[s + 1] = smallest;
        smallest = pct_min_i64(smallest, first_key(&attention->spans[s]));
    }
    cuts[0] = 0;
    for (int64_t s = 0; s < n; s++) {
        largest = pct_max_i64(largest, last_key(&attention->spans[s]));
        if (largest <= cuts[s + 1]) cuts[++found] = s + 1;
    }
    *count = found;
}

static void backward_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct attend *job = context;
    const int kv_heads = job->attention->kv_heads;
    for (int64_t i = begin; i < end; i++) {
        const int64_t run = i / kv_heads;
        pct_ref_attend_back(job->attention, job->cuts[run], job->cuts[run + 1], (int)(i % kv_heads), job->dout, job->dq,
                            job->dk, job->dv);
    }
}

void pct_attention_back(pct_compute *compute, const pct_attention *attention, const pct_real *dout, pct_real *dq,
                        pct_real *dk, pct_real *dv) {
    if (attention->span_count <= 0) return;
    PCT_ASSERT(attention->lse != NULL);
    int64_t runs, *cuts = pct_compute_scratch(compute, (size_t)(attention->span_count + 1) * sizeof *cuts);
    pct_attention_cuts(attention, cuts, &runs);
    struct attend job = {attention, dout, dq, dk, dv, cuts};
    pct_parallel_for(compute->pool, runs * attention->kv_heads, 1, backward_part, &job);
}
