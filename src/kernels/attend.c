/* attend.c: attention forward, for one key head of one run of spans. */
#include "kernels/attention_private.h"

#include <math.h>

/* What is kept packed: keys and values of one block of each run. */
struct packed_blocks {
    int64_t begin[2], count[2];
};

static void pack_block(const pct_attend *job, const pct_attend_memory *memory, struct packed_blocks *packed,
                       const pct_key_block *block, int kv_head) {
    const int slot = block->own;
    const int64_t column = (int64_t)kv_head * job->attention->head_dim;
    if (packed->begin[slot] == block->begin && packed->count[slot] == block->count) return;
    packed->begin[slot] = block->begin;
    packed->count[slot] = block->count;
    pct_attend_right(job, memory->keys[slot], &job->k, block->begin, column, block->count, true);
    pct_attend_right(job, memory->values[slot], &job->v, block->begin, column, block->count, false);
}

/* Scores to weights, row by row; sums and what was summed before are brought to the new maximum. */
static void weigh(const pct_attend *job, const pct_attend_memory *memory, const pct_span *span,
                  const pct_key_block *block, int head, int64_t q0, int64_t q1, int64_t padded, bool first) {
    const pct_attention *at = job->attention;
    const int64_t size = pct_dtype_plain_bytes(job->tile->type), state = head % (at->heads / at->kv_heads);
    const bool half = job->tile->type == PCT_BF16 && job->kernels->exp_half && padded % 32 == 0;
    for (int64_t i = q0; i < q1; i++) {
        pct_real *row = memory->scores + (i - q0) * job->key_padded;
        void *to = (char *)memory->weights + (i - q0) * job->key_padded * size;
        pct_real *top = &memory->tops[state * job->most_queries + i],
                 *sum = &memory->sums[state * job->most_queries + i];
        const int64_t seen = pct_attend_seen(span, block, i);
        if (first) *top = -INFINITY, *sum = 0;
        if (seen > 0) {
            const pct_real here = at->scale * job->kernels->top(row, seen);
            if (here > *top) {
                const pct_real factor = (pct_real)exp((double)(*top - here));
                pct_real *out = at->out + (span->q_begin + i) * at->ldo + (int64_t)head * at->head_dim;
                for (int64_t d = 0; !first && d < at->head_dim; d++) out[d] *= factor;
                *sum *= factor;
                *top = here;
            }
            if (half) {
                *sum += job->kernels->exp_half(to, row, seen, padded, at->scale, *top);
                continue;
            }
            *sum += job->kernels->exp_row(row, row, seen, at->scale, *top);
        }
        pct_attend_row(job, to, row, seen, padded);
    }
}

/* One block of queries of one head meets one block of keys. */
static void meet(const pct_attend *job, const pct_attend_memory *memory, const pct_span *span,
                 const pct_key_block *block, int head, int64_t q0, int64_t q1, bool first) {
    const pct_attention *at = job->attention;
    const pct_tile *tile = job->tile;
    const int64_t dim = at->head_dim, column = (int64_t)head * dim, rows = q1 - q0;
    const int64_t seen = pct_attend_seen(span, block, q1 - 1), padded = pct_round_up(seen, tile->kr);
    int64_t ld;
    const void *q = pct_attend_left(job, memory->a, &job->q, span->q_begin + q0, column, rows, &ld);
    pct_real *out = at->out + (span->q_begin + q0) * at->ldo + column;
    if (seen > 0)
        pct_tile_block(tile, memory->scores, job->key_padded, q, ld, memory->keys[block->own], job->dim_padded, 0, rows,
                       0, seen, false, NULL, NULL);
    weigh(job, memory, span, block, head, q0, q1, padded, first);
    if (seen <= 0) {
        for (int64_t r = 0; first && r < rows; r++) memset(out + r * at->ldo, 0, (size_t)dim * sizeof *out);
        return;
    }
    const void *weights = memory->weights;
    ld = job->key_padded;
    if (!tile->a_direct) {
        const int64_t size = pct_dtype_plain_bytes(tile->type);
        for (int64_t m = 0; m < rows; m += tile->mr)
            tile->pack_a((char *)memory->a + m * padded * tile->element, pct_step(weights, m * ld, size), ld, false,
                         pct_min_i64(tile->mr, rows - m), padded, padded);
        weights = memory->a;
        ld = padded;
    }
    /* The panels hold the whole block's depth: fewer keys are a prefix of each panel only if there is but one. */
    const int64_t whole = pct_round_up(block->count, tile->kr);
    for (int64_t n = 0; n < dim; n += tile->nr)
        pct_tile_block(tile, out + n, at->ldo, weights, ld,
                       (char *)memory->values[block->own] + n * whole * tile->element, padded, 0, rows, 0,
                       pct_min_i64(tile->nr, dim - n), !first, NULL, NULL);
}

/* Few queries: keys are read as they are, once. */
static void attend_few(const pct_attend *job, const pct_attend_memory *memory, const pct_span *span, int head) {
    const pct_attention *at = job->attention;
    const int64_t dim = at->head_dim, kv_column = head / (at->heads / at->kv_heads) * dim;
    for (int64_t i = 0; i < span->q_count; i++) {
        const int64_t row = span->q_begin + i;
        const pct_real *q = at->q + row * at->ldq + head * dim;
        pct_real *out = at->out + row * at->ldo + head * dim, top = -INFINITY, sum = 0;
        pct_key_block block;
        memset(out, 0, (size_t)dim * sizeof *out);
        for (int64_t b = 0; pct_attend_block(span, b, &block); b++) {
            const int64_t seen = pct_attend_seen(span, &block, i);
            if (seen == 0) continue;
            job->kernels->scores(memory->scores, q, at->k + block.begin * at->ldk + kv_column, at->ldk, seen, dim);
            const pct_real here = at->scale * job->kernels->top(memory->scores, seen);
            if (here > top) {
                const pct_real factor = (pct_real)exp((double)(top - here));
                for (int64_t d = 0; d < dim; d++) out[d] *= factor;
                sum *= factor;
                top = here;
            }
            sum += job->kernels->exp_row(memory->scores, memory->scores, seen, at->scale, top);
            job->kernels->mix(out, memory->scores, at->v + block.begin * at->ldv + kv_column, at->ldv, seen, dim);
        }
        for (int64_t d = 0; d < dim; d++) out[d] /= sum;
        if (at->lse) at->lse[row * at->heads + head] = top + (pct_real)log((double)sum);
    }
}

static void finish(const pct_attend *job, const pct_attend_memory *memory, const pct_span *span, int head, int64_t q0,
                   int64_t q1) {
    const pct_attention *at = job->attention;
    const int64_t state = head % (at->heads / at->kv_heads) * job->most_queries;
    for (int64_t i = q0; i < q1; i++) {
        const int64_t row = span->q_begin + i;
        pct_real *out = at->out + row * at->ldo + (int64_t)head * at->head_dim;
        const pct_real scale = 1 / memory->sums[state + i];
        for (int64_t d = 0; d < at->head_dim; d++) out[d] *= scale;
        if (at->lse)
            at->lse[row * at->heads + head] = memory->tops[state + i] + (pct_real)log((double)memory->sums[state + i]);
    }
}

void pct_attend_forward(const pct_attend *job, int64_t run, int kv_head, int64_t split, int worker) {
    const int group = job->attention->heads / job->attention->kv_heads;
    struct packed_blocks packed = {{-1, -1}, {0, 0}};
    pct_attend_memory memory;
    pct_attend_memory_at(job, worker, &memory);
    int64_t number = 0; /* of the query block in the run: blocks are dealt out round robin */
    for (int64_t s = job->cuts[run]; s < job->cuts[run + 1]; s++) {
        const pct_span *span = &job->attention->spans[s];
        const int64_t first = number;
        number += pct_parts(span->q_count, PCT_QUERY_BLOCK);
        if (pct_attend_is_few(job, span)) {
            for (int h = 0; h < group && first % job->splits == split; h++)
                attend_few(job, &memory, span, kv_head * group + h);
            continue;
        }
        pct_key_block block;
        for (int64_t b = 0; pct_attend_block(span, b, &block); b++)
            for (int64_t q0 = 0, n = first; q0 < span->q_count; q0 += PCT_QUERY_BLOCK, n++) {
                if (n % job->splits != split) continue;
                pack_block(job, &memory, &packed, &block, kv_head);
                for (int h = 0; h < group; h++)
                    meet(job, &memory, span, &block, kv_head * group + h, q0,
                         pct_min_i64(q0 + PCT_QUERY_BLOCK, span->q_count), b == 0);
            }
        for (int64_t q0 = 0, n = first; q0 < span->q_count; q0 += PCT_QUERY_BLOCK, n++)
            for (int h = 0; h < group && n % job->splits == split; h++)
                finish(job, &memory, span, kv_head * group + h, q0, pct_min_i64(q0 + PCT_QUERY_BLOCK, span->q_count));
    }
}
