/* attend_back.c: attention backward, for one key head of one run of spans.
 *
 * With p = exp(scale*q.k - lse) and delta = out.dout: dv += p^T dout; ds = p*(dout.v - delta)*scale; dq += ds k;
 * dk += ds^T q. */
#include "kernels/attention_private.h"

/* c[columns, dim] += left^T right, where left is [rows][columns] with zeros past what was seen. */
static void add_turned(const pct_attend *job, const pct_attend_memory *memory, pct_real *c, int64_t ldc,
                       const void *left, int64_t rows, int64_t columns) {
    const pct_tile *tile = job->tile;
    const int64_t depth = pct_round_up(rows, tile->kr), size = pct_dtype_plain_bytes(tile->type);
    for (int64_t m = 0; m < columns; m += tile->mr)
        tile->pack_a((char *)memory->a + m * depth * tile->element, pct_step(left, m, size), job->key_padded, true,
                     pct_min_i64(tile->mr, columns - m), rows, depth);
    pct_tile_block(tile, c, ldc, memory->a, depth, memory->right, depth, 0, columns, 0, job->attention->head_dim, true,
                   NULL, NULL);
}

/* Scores and dout.v of a block to weights and slopes in the tile's type. */
static void slopes_of(const pct_attend *job, const pct_attend_memory *memory, const pct_span *span,
                      const pct_key_block *block, int head, int64_t q0, int64_t q1, int64_t padded) {
    const pct_attention *at = job->attention;
    const int64_t size = pct_dtype_plain_bytes(job->tile->type);
    const bool half = job->tile->type == PCT_BF16 && job->kernels->slopes_half && padded % 32 == 0;
    const pct_real *deltas = memory->sums + head % (at->heads / at->kv_heads) * job->most_queries;
    for (int64_t i = q0; i < q1; i++) {
        const int64_t at_row = (i - q0) * job->key_padded, seen = pct_attend_seen(span, block, i);
        pct_real *p = memory->scores + at_row, *ds = memory->slopes + at_row;
        if (seen > 0) {
            const pct_real shift = at->lse[(span->q_begin + i) * at->heads + head];
            if (half) {
                job->kernels->slopes_half((uint16_t *)memory->weights + at_row,
                                          (uint16_t *)memory->slopes_half + at_row, p, ds, seen, padded, at->scale,
                                          shift, deltas[i]);
                continue;
            }
            job->kernels->exp_row(p, p, seen, at->scale, shift);
            job->kernels->softmax_back(ds, p, seen, deltas[i], at->scale);
        }
        pct_attend_row(job, (char *)memory->weights + at_row * size, p, seen, padded);
        pct_attend_row(job, (char *)memory->slopes_half + at_row * size, ds, seen, padded);
    }
}

static void add_queries(const pct_attend *job, const pct_attend_memory *memory, const pct_key_block *block,
                        pct_real *dq, int64_t rows, int64_t padded) {
    const pct_tile *tile = job->tile;
    const int64_t dim = job->attention->head_dim, size = pct_dtype_plain_bytes(tile->type);
    const int64_t whole = pct_round_up(block->count, tile->kr);
    const void *left = memory->slopes_half;
    int64_t ld = job->key_padded;
    if (!tile->a_direct) {
        for (int64_t m = 0; m < rows; m += tile->mr)
            tile->pack_a((char *)memory->a + m * padded * tile->element, pct_step(left, m * ld, size), ld, false,
                         pct_min_i64(tile->mr, rows - m), padded, padded);
        left = memory->a;
        ld = padded;
    }
    for (int64_t n = 0; n < dim; n += tile->nr)
        pct_tile_block(tile, dq + n, job->attention->ldq, left, ld,
                       (char *)memory->keys_flat + n * whole * tile->element, padded, 0, rows, 0,
                       pct_min_i64(tile->nr, dim - n), true, NULL, NULL);
}

static void meet(const pct_attend *job, const pct_attend_memory *memory, const pct_span *span,
                 const pct_key_block *block, int head, int64_t q0, int64_t q1) {
    const pct_attention *at = job->attention;
    const pct_tile *tile = job->tile;
    const int64_t dim = at->head_dim, column = (int64_t)head * dim, rows = q1 - q0, row = span->q_begin + q0;
    const int64_t kv_column = head / (at->heads / at->kv_heads) * dim;
    const int64_t seen = pct_attend_seen(span, block, q1 - 1), padded = pct_round_up(seen, tile->kr);
    int64_t ld;
    if (seen <= 0) return;
    const void *left = pct_attend_left(job, memory->a, &job->q, row, column, rows, &ld);
    pct_tile_block(tile, memory->scores, job->key_padded, left, ld, memory->keys[0], job->dim_padded, 0, rows, 0, seen,
                   false, NULL, NULL);
    left = pct_attend_left(job, memory->a, &job->dout, row, column, rows, &ld);
    pct_tile_block(tile, memory->slopes, job->key_padded, left, ld, memory->values_turned, job->dim_padded, 0, rows, 0,
                   seen, false, NULL, NULL);
    slopes_of(job, memory, span, block, head, q0, q1, padded);
    if (job->dq) add_queries(job, memory, block, job->dq + row * at->ldq + column, rows, padded);
    if (job->dv) {
        pct_attend_right(job, memory->right, &job->dout, row, column, rows, false);
        add_turned(job, memory, job->dv + block->begin * at->ldv + kv_column, at->ldv, memory->weights, rows, seen);
    }
    if (job->dk) {
        pct_attend_right(job, memory->right, &job->q, row, column, rows, false);
        add_turned(job, memory, job->dk + block->begin * at->ldk + kv_column, at->ldk, memory->slopes_half, rows, seen);
    }
}

void pct_attend_backward(const pct_attend *job, int64_t run, int kv_head, int worker) {
    const pct_attention *at = job->attention;
    const int group = at->heads / at->kv_heads;
    const int64_t dim = at->head_dim, kv_column = kv_head * dim;
    int64_t packed_begin = -1, packed_count = 0;
    pct_attend_memory memory;
    pct_attend_memory_at(job, worker, &memory);
    for (int64_t s = job->cuts[run]; s < job->cuts[run + 1]; s++) {
        const pct_span *span = &at->spans[s];
        pct_key_block block;
        for (int h = 0; h < group; h++)
            for (int64_t i = 0; i < span->q_count; i++) {
                const int64_t place = (span->q_begin + i) * at->ldo + (kv_head * group + h) * dim;
                memory.sums[h * job->most_queries + i] =
                    job->kernels->dot(at->out + place, job->dout_real + place, dim);
            }
        for (int64_t b = 0; pct_attend_block(span, b, &block); b++) {
            if (packed_begin != block.begin || packed_count != block.count) {
                pct_attend_right(job, memory.keys[0], &job->k, block.begin, kv_column, block.count, true);
                pct_attend_right(job, memory.keys_flat, &job->k, block.begin, kv_column, block.count, false);
                pct_attend_right(job, memory.values_turned, &job->v, block.begin, kv_column, block.count, true);
                packed_begin = block.begin, packed_count = block.count;
            }
            for (int h = 0; h < group; h++)
                for (int64_t q0 = 0; q0 < span->q_count; q0 += PCT_QUERY_BLOCK)
                    meet(job, &memory, span, &block, kv_head * group + h, q0,
                         pct_min_i64(q0 + PCT_QUERY_BLOCK, span->q_count));
        }
    }
}
