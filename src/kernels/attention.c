/* attention.c: cuts attention into parts that threads can do without meeting, and readies operands and memory.
 *
 * The way is that of Dao et al., "FlashAttention", 2022: scores are computed again on the way back, from the kept
 * log-sum-exp; every row of dk and dv is summed by one thread in one order. */
#include "kernels/attention_private.h"

static int64_t first_key(const pct_span *s) {
    if (s->shared_count == 0) return s->own_begin;
    return s->own_count == 0 ? s->shared_begin : pct_min_i64(s->shared_begin, s->own_begin);
}

static int64_t last_key(const pct_span *s) {
    const int64_t shared = s->shared_count ? (int64_t)s->shared_begin + s->shared_count : 0;
    const int64_t own = s->own_count ? (int64_t)s->own_begin + s->own_count : 0;
    return pct_max_i64(shared, own);
}

/* Where the spans can be cut so that no key row lies on both sides: cuts[0] = 0 .. cuts[runs] = span_count. */
static int64_t find_cuts(const pct_attention *attention, int64_t *cuts) {
    const int64_t n = attention->span_count;
    int64_t smallest = INT64_MAX, largest = 0, found = 0;
    /* The smallest key of all later spans is kept in the place where a cut may come to stand. */
    for (int64_t s = n; s-- > 0;) {
        cuts[s + 1] = smallest;
        smallest = pct_min_i64(smallest, first_key(&attention->spans[s]));
    }
    cuts[0] = 0;
    for (int64_t s = 0; s < n; s++) {
        largest = pct_max_i64(largest, last_key(&attention->spans[s]));
        if (largest <= cuts[s + 1]) cuts[++found] = s + 1;
    }
    return found;
}

bool pct_attend_block(const pct_span *span, int64_t index, pct_key_block *block) {
    const int64_t shared = pct_parts(span->shared_count, PCT_KEY_BLOCK);
    block->own = index >= shared;
    block->offset = (block->own ? index - shared : index) * PCT_KEY_BLOCK;
    const int64_t all = block->own ? span->own_count : span->shared_count;
    block->begin = (block->own ? span->own_begin : span->shared_begin) + block->offset;
    block->count = pct_min_i64(PCT_KEY_BLOCK, all - block->offset);
    return block->count > 0;
}

int64_t pct_attend_seen(const pct_span *span, const pct_key_block *block, int64_t query) {
    if (!block->own || !span->causal) return block->count;
    return pct_clamp_i64((int64_t)span->own_count - span->q_count + query + 1 - block->offset, 0, block->count);
}

const void *pct_attend_left(const pct_attend *job, void *to, const pct_rows *rows, int64_t row, int64_t column,
                            int64_t count, int64_t *ld) {
    const pct_tile *tile = job->tile;
    const int64_t size = pct_dtype_plain_bytes(tile->type), dim = job->attention->head_dim;
    const void *from = pct_step(rows->data, row * rows->ld + column, size);
    *ld = rows->ld;
    if (tile->a_direct && dim == job->dim_padded) return from;
    for (int64_t m = 0; m < count; m += tile->mr)
        tile->pack_a((char *)to + m * job->dim_padded * tile->element, pct_step(from, m * rows->ld, size), rows->ld,
                     false, pct_min_i64(tile->mr, count - m), dim, job->dim_padded);
    *ld = job->dim_padded;
    return to;
}

void pct_attend_right(const pct_attend *job, void *to, const pct_rows *rows, int64_t row, int64_t column, int64_t count,
                      bool turned) {
    const pct_tile *tile = job->tile;
    const int64_t size = pct_dtype_plain_bytes(tile->type), dim = job->attention->head_dim;
    const int64_t columns = turned ? count : dim, depth = turned ? dim : count, padded = pct_round_up(depth, tile->kr);
    const void *from = pct_step(rows->data, row * rows->ld + column, size);
    for (int64_t n = 0; n < columns; n += tile->nr)
        tile->pack_b((char *)to + n * padded * tile->element, pct_step(from, turned ? n * rows->ld : n, size), rows->ld,
                     turned, pct_min_i64(tile->nr, columns - n), depth, padded);
}

void pct_attend_row(const pct_attend *job, void *to, pct_real *row, int64_t count, int64_t padded) {
    if (job->tile->type == PCT_BF16) {
        job->kernels->to_bf16(to, row, count);
        memset((uint16_t *)to + count, 0, (size_t)(padded - count) * 2);
    } else {
        memset(row + count, 0, (size_t)(padded - count) * sizeof *row);
    }
}

/* Lays out a worker's memory; with base NULL it only counts. */
static size_t lay_out(const pct_attend *job, char *base, pct_attend_memory *memory) {
    const pct_tile *tile = job->tile;
    const int64_t dim = job->attention->head_dim, element = tile->element;
    const int64_t group = job->attention->heads / job->attention->kv_heads;
    const int64_t square = PCT_QUERY_BLOCK * job->key_padded, rows = pct_round_up(PCT_KEY_BLOCK, tile->mr);
    const int64_t turned = pct_round_up(PCT_KEY_BLOCK, tile->nr) * job->dim_padded;
    const int64_t flat = pct_round_up(dim, tile->nr) * job->key_padded;
    const int64_t depth = pct_round_up(PCT_QUERY_BLOCK, tile->kr);
    const bool half = tile->type == PCT_BF16, back = job->backward;
    size_t used = 0;
#define PLACE(field, bytes)                                                                                            \
    do {                                                                                                               \
        memory->field = (void *)((uintptr_t)base + used);                                                              \
        used += ((size_t)(bytes) + 63) & ~(size_t)63;                                                                  \
    } while (0)
    PLACE(scores, square * (int64_t)sizeof(pct_real));
    PLACE(slopes, back ? square * (int64_t)sizeof(pct_real) : 0);
    PLACE(weights, half ? square * 2 : 0);
    PLACE(slopes_half, half && back ? square * 2 : 0);
    PLACE(a, pct_max_i64(rows * pct_max_i64(depth, job->dim_padded),
                         pct_round_up(PCT_QUERY_BLOCK, tile->mr) * job->key_padded) *
                 element);
    for (int i = 0; i < 2; i++) {
        PLACE(keys[i], turned * element);
        PLACE(values[i], back ? 0 : flat * element);
    }
    PLACE(keys_flat, back ? flat * element : 0);
    PLACE(values_turned, back ? turned * element : 0);
    PLACE(right, back ? pct_round_up(dim, tile->nr) * depth * element : 0);
    PLACE(tops, group * job->most_queries * (int64_t)sizeof(pct_real));
    PLACE(sums, group * job->most_queries * (int64_t)sizeof(pct_real));
#undef PLACE
    if (!half) memory->weights = memory->scores, memory->slopes_half = memory->slopes;
    return used;
}

void pct_attend_memory_at(const pct_attend *job, int worker, pct_attend_memory *memory) {
    lay_out(job, job->memory + (size_t)worker * job->memory_bytes, memory);
}

struct halving {
    const pct_kernels *kernels;
    uint16_t *to;
    const pct_real *from;
    int64_t ld, width, first;
};

static void halving_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct halving *h = context;
    for (int64_t r = h->first + begin; r < h->first + end; r++)
        h->kernels->to_bf16(h->to + r * h->width, h->from + r * h->ld, h->width);
}

/* Rows [first, last) of `from` in BF16, at `to` + row*width. */
static pct_rows halve(pct_compute *compute, uint16_t *to, const pct_real *from, int64_t ld, int64_t width,
                      int64_t first, int64_t last) {
    struct halving h = {&compute->kernels, to, from, ld, width, first};
    if (last > first) pct_parallel_for(compute->pool, last - first, 16, halving_part, &h);
    return (pct_rows){to, width};
}

static void prepare(pct_compute *compute, pct_attend *job) {
    const pct_attention *at = job->attention;
    const bool half = at->type == PCT_BF16;
    int64_t q0 = INT64_MAX, q1 = 0, k0 = INT64_MAX, k1 = 0, keys = 1;
    PCT_ASSERT(at->heads > 0 && at->kv_heads > 0 && at->heads % at->kv_heads == 0 && at->scale > 0);
    job->kernels = &compute->kernels;
    job->tile = half ? compute->tile_bf16 : compute->tile_real;
    for (int64_t s = 0; s < at->span_count; s++) {
        const pct_span *span = &at->spans[s];
        PCT_ASSERT(span->shared_count + span->own_count > 0 && (!span->causal || span->own_count >= span->q_count));
        job->most_queries = pct_max_i64(job->most_queries, span->q_count);
        keys = pct_max_i64(keys, pct_max_i64(span->shared_count, span->own_count));
        if (pct_attend_is_few(job, span)) continue; /* those do not meet the tiles */
        q0 = pct_min_i64(q0, span->q_begin);
        q1 = pct_max_i64(q1, (int64_t)span->q_begin + span->q_count);
        k0 = pct_min_i64(k0, first_key(span));
        k1 = pct_max_i64(k1, last_key(span));
    }
    job->dim_padded = pct_round_up(at->head_dim, job->tile->kr);
    /* Rows of scores an odd number of cache lines apart: rows a power of two apart would share a few sets. */
    job->key_padded = (pct_parts(pct_min_i64(keys, PCT_KEY_BLOCK), 32) | 1) * 32;
    const int64_t q_width = (int64_t)at->heads * at->head_dim, k_width = (int64_t)at->kv_heads * at->head_dim;
    const size_t q_bytes = half && q1 > q0 ? ((size_t)((q1 - q0) * q_width) * 2 + 63) & ~(size_t)63 : 0;
    const size_t k_bytes = half && k1 > k0 ? ((size_t)((k1 - k0) * k_width) * 2 + 63) & ~(size_t)63 : 0;
    const size_t cut_bytes = ((size_t)(at->span_count + 1) * sizeof(int64_t) + 63) & ~(size_t)63;
    pct_attend_memory counted;
    job->memory_bytes = lay_out(job, NULL, &counted);
    char *memory = pct_compute_scratch(compute, 2 * q_bytes + 2 * k_bytes + cut_bytes +
                                                    job->memory_bytes * (size_t)pct_pool_threads(compute->pool));
    int64_t *cuts = (int64_t *)memory;
    job->runs = find_cuts(at, cuts);
    job->cuts = cuts;
    memory += cut_bytes;
    job->q = (pct_rows){at->q, at->ldq};
    job->k = (pct_rows){at->k, at->ldk};
    job->v = (pct_rows){at->v, at->ldv};
    job->dout = (pct_rows){job->dout_real, at->ldo};
    if (half && q1 > q0) { /* the places of rows before the first are never touched */
        job->q = halve(compute, (uint16_t *)memory - q0 * q_width, at->q, at->ldq, q_width, q0, q1);
        if (job->backward)
            job->dout =
                halve(compute, (uint16_t *)(memory + q_bytes) - q0 * q_width, job->dout_real, at->ldo, q_width, q0, q1);
        uint16_t *k = (uint16_t *)(memory + 2 * q_bytes), *v = (uint16_t *)(memory + 2 * q_bytes + k_bytes);
        job->k = halve(compute, k - k0 * k_width, at->k, at->ldk, k_width, k0, k1);
        job->v = halve(compute, v - k0 * k_width, at->v, at->ldv, k_width, k0, k1);
    }
    job->memory = memory + 2 * q_bytes + 2 * k_bytes;
}

static void forward_part(void *context, int64_t begin, int64_t end, int worker) {
    const pct_attend *job = context;
    const int64_t kv_heads = job->attention->kv_heads;
    for (int64_t i = begin; i < end; i++)
        pct_attend_forward(job, i / job->splits / kv_heads, (int)(i / job->splits % kv_heads), i % job->splits, worker);
}

void pct_attention_run(pct_compute *compute, const pct_attention *attention) {
    pct_attend job = {.attention = attention};
    if (attention->span_count <= 0) return;
    prepare(compute, &job);
    /* Few parts for many threads: their query blocks are dealt out too, at the price of packing keys more than once. */
    const int64_t parts = job.runs * attention->kv_heads, blocks = pct_parts(job.most_queries, PCT_QUERY_BLOCK);
    const int64_t threads = pct_pool_threads(compute->pool);
    job.splits = parts % threads == 0 ? 1 : pct_clamp_i64(pct_parts(2 * threads, parts), 1, pct_max_i64(blocks, 1));
    pct_parallel_for(compute->pool, parts * job.splits, 1, forward_part, &job);
}

static void backward_part(void *context, int64_t begin, int64_t end, int worker) {
    const pct_attend *job = context;
    const int64_t kv_heads = job->attention->kv_heads;
    for (int64_t i = begin; i < end; i++) pct_attend_backward(job, i / kv_heads, (int)(i % kv_heads), worker);
}

void pct_attention_back(pct_compute *compute, const pct_attention *attention, const pct_real *dout, pct_real *dq,
                        pct_real *dk, pct_real *dv) {
    pct_attend job = {.attention = attention, .dout_real = dout, .dq = dq, .dk = dk, .dv = dv, .backward = true};
    if (attention->span_count <= 0) return;
    PCT_ASSERT(attention->lse != NULL);
    prepare(compute, &job);
    pct_parallel_for(compute->pool, job.runs * attention->kv_heads, 1, backward_part, &job);
}
