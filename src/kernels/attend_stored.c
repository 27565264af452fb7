/* attend_stored.c: see attend_stored.h. The running maximum is that of attend.c; here each piece of the keys has its
 * own, and the pieces are joined at the end (as in "Flash-Decoding", Dao et al., 2023). */
#include "kernels/attend_stored.h"

#include "kernels/kernels_private.h"

#include <math.h>

#define BLOCK       64 /* keys that are converted at a time */
#define PIECE       64 /* the fewest keys that are worth a thread's attention */
#define MOST_PIECES 32 /* so that memory does not grow with the cache */

struct job {
    const pct_attention *attention;
    const pct_stored_rows *stored;
    const pct_kernels *kernels;
    int64_t rows;   /* query rows of the span by heads that share a key head: states of a part */
    int64_t pieces; /* of the span's keys, `piece` each */
    int64_t piece;
    const pct_span *span;
    pct_real *states; /* [kv_head][piece][rows][head_dim + 2]: the sum, its maximum, its weight */
    pct_real *blocks; /* [worker][BLOCK * (head_dim + 1)]: converted rows, scores */
};

static pct_real *state_at(const struct job *job, int64_t part, int64_t row) {
    return job->states + (part * job->rows + row) * (job->attention->head_dim + 2);
}

/* How many keys, shared ones first, query i of the span sees. */
static int64_t keys_seen(const pct_span *span, int64_t query) {
    return (int64_t)span->shared_count + span->own_count - (span->causal ? span->q_count - 1 - query : 0);
}

/* Keys [key, key+count) of the span lie together in the cache: the first row, and how many of them there are. */
static int64_t rows_together(const pct_span *span, int64_t key, int64_t *count) {
    if (key < span->shared_count) {
        *count = pct_min_i64(*count, span->shared_count - key);
        return span->shared_begin + key;
    }
    return span->own_begin + key - span->shared_count;
}

static void widen(const struct job *job, pct_real *to, const void *from, int64_t head, int64_t row, int64_t count) {
    const pct_stored_rows *s = job->stored;
    const int64_t dim = job->attention->head_dim, at = (head * s->capacity + row) * dim;
    const char *data = (const char *)from + at / pct_dtype_block(s->type) * (int64_t)pct_dtype_block_bytes(s->type);
    job->kernels->dequantise[s->type](to, data, count * dim);
}

/* Brings the state to a maximum that covers `here` too. */
static void raise_top(pct_real *state, int64_t dim, pct_real here) {
    pct_real *top = state + dim, *sum = top + 1;
    if (!(here > *top)) return;
    const pct_real factor = (pct_real)exp((double)(*top - here));
    for (int64_t d = 0; d < dim; d++) state[d] *= factor;
    *sum *= factor;
    *top = here;
}

/* A block's keys meet all rows of the part; scores are kept for its values, which come after. */
static void meet_block(const struct job *job, int64_t part, int64_t kv_head, int64_t key, int64_t row, int64_t count,
                       pct_real *wide, pct_real *scores) {
    const pct_attention *at = job->attention;
    const pct_kernels *kernels = job->kernels;
    const int64_t dim = at->head_dim, group = at->heads / at->kv_heads;
    widen(job, wide, job->stored->k, kv_head, row, count);
    for (int64_t r = 0; r < job->rows; r++) {
        const int64_t query = r / group, head = kv_head * group + r % group;
        const int64_t seen = pct_clamp_i64(keys_seen(job->span, query) - key, 0, count);
        pct_real *state = state_at(job, part, r), *p = scores + r * BLOCK;
        if (seen == 0) continue;
        kernels->scores(p, at->q + (job->span->q_begin + query) * at->ldq + head * dim, wide, dim, seen, dim);
        raise_top(state, dim, at->scale * kernels->top(p, seen));
        state[dim + 1] += kernels->exp_row(p, p, seen, at->scale, state[dim]);
    }
    widen(job, wide, job->stored->v, kv_head, row, count);
    for (int64_t r = 0; r < job->rows; r++) {
        const int64_t seen = pct_clamp_i64(keys_seen(job->span, r / group) - key, 0, count);
        if (seen > 0) kernels->mix(state_at(job, part, r), scores + r * BLOCK, wide, dim, seen, dim);
    }
}

static int64_t block_numbers(const struct job *job) { return BLOCK * (job->attention->head_dim + job->rows); }

static void part_run(void *context, int64_t begin, int64_t end, int worker) {
    const struct job *job = context;
    const int64_t dim = job->attention->head_dim;
    const int64_t keys = (int64_t)job->span->shared_count + job->span->own_count;
    pct_real *wide = job->blocks + worker * block_numbers(job), *scores = wide + BLOCK * dim;
    for (int64_t part = begin; part < end; part++) {
        const int64_t last = pct_min_i64(keys, (part % job->pieces + 1) * job->piece);
        for (int64_t r = 0; r < job->rows; r++) {
            pct_real *state = state_at(job, part, r);
            memset(state, 0, (size_t)(dim + 2) * sizeof *state);
            state[dim] = -INFINITY;
        }
        for (int64_t key = part % job->pieces * job->piece, count; key < last; key += count) {
            count = pct_min_i64(BLOCK, last - key);
            const int64_t row = rows_together(job->span, key, &count);
            meet_block(job, part, part / job->pieces, key, row, count, wide, scores);
        }
    }
}

/* The pieces of one query row of one head, in their order. */
static void join(const struct job *job, int64_t kv_head, int64_t r, pct_real *out) {
    const int64_t dim = job->attention->head_dim;
    pct_real top = -INFINITY, sum = 0;
    memset(out, 0, (size_t)dim * sizeof *out);
    for (int64_t p = 0; p < job->pieces; p++) {
        const pct_real here = state_at(job, kv_head * job->pieces + p, r)[dim];
        if (here > top) top = here;
    }
    for (int64_t p = 0; p < job->pieces; p++) {
        const pct_real *state = state_at(job, kv_head * job->pieces + p, r);
        if (!(state[dim + 1] > 0)) continue;
        const pct_real factor = (pct_real)exp((double)(state[dim] - top));
        job->kernels->axpy(out, factor, state, dim);
        sum += factor * state[dim + 1];
    }
    for (int64_t d = 0; d < dim; d++) out[d] /= sum;
}

static void run_span(pct_compute *compute, struct job *job) {
    const pct_attention *at = job->attention;
    const pct_span *span = job->span;
    const int64_t keys = (int64_t)span->shared_count + span->own_count, group = at->heads / at->kv_heads;
    PCT_ASSERT(keys > 0 && span->q_count <= PCT_STORED_QUERIES && (!span->causal || span->own_count >= span->q_count));
    job->rows = span->q_count * group;
    job->piece = pct_max_i64(PIECE, pct_round_up(pct_parts(keys, MOST_PIECES), BLOCK));
    job->pieces = pct_parts(keys, job->piece);
    /* As much as the longest cache will ask for, so that a growing one asks once. */
    const int64_t states = at->kv_heads * MOST_PIECES * job->rows * (at->head_dim + 2);
    const int64_t blocks = pct_pool_threads(compute->pool) * block_numbers(job);
    job->states = pct_compute_scratch(compute, (size_t)(states + blocks) * sizeof(pct_real));
    job->blocks = job->states + states;
    pct_parallel_for(compute->pool, at->kv_heads * job->pieces, 1, part_run, job);
    for (int64_t kv_head = 0; kv_head < at->kv_heads; kv_head++)
        for (int64_t r = 0; r < job->rows; r++)
            join(job, kv_head, r,
                 at->out + (span->q_begin + r / group) * at->ldo + (kv_head * group + r % group) * at->head_dim);
}

void pct_attention_stored_run(pct_compute *compute, const pct_attention *attention, const pct_stored_rows *stored) {
    struct job job = {.attention = attention, .stored = stored, .kernels = &compute->kernels};
    PCT_ASSERT(attention->heads % attention->kv_heads == 0);
    PCT_ASSERT(attention->head_dim % pct_dtype_block(stored->type) == 0);
    for (int64_t s = 0; s < attention->span_count; s++) {
        job.span = &attention->spans[s];
        run_span(compute, &job);
    }
}
