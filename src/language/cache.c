/* The cache of keys and values. Large blocks come from the system as untouched pages, so that room for long answers
 * costs nothing until it is used. */
#include "language/language.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

bool pct_cache_takes(pct_dtype type, const pct_language_options *options) {
    if (type != PCT_REAL && type != PCT_F16 && type != PCT_Q8_0) return false;
    return options->head_width % pct_dtype_block(type) == 0;
}

/* Bytes of `count` numbers, whole blocks. */
static size_t bytes_of(const pct_cache *cache, int64_t count) {
    return (size_t)(count / pct_dtype_block(cache->type)) * pct_dtype_block_bytes(cache->type);
}

/* Runs of rows that lie together: a layer's keys or values, or a head's of them. */
static int64_t runs(const pct_cache *cache) {
    return 2 * (int64_t)cache->layers * (cache->type == PCT_REAL ? 1 : cache->heads);
}

static size_t run_row_bytes(const pct_cache *cache) {
    return bytes_of(cache, cache->type == PCT_REAL ? cache->width : cache->width / cache->heads);
}

void pct_cache_copy(pct_cache *to, const pct_cache *from, int64_t rows) {
    const size_t row = run_row_bytes(from);
    for (int64_t i = 0; i < runs(from) && rows > 0; i++)
        memcpy((char *)to->memory + (size_t)(i * to->capacity) * row,
               (const char *)from->memory + (size_t)(i * from->capacity) * row, (size_t)rows * row);
}

percept_status pct_cache_reserve(pct_cache *cache, const pct_language_options *options, int64_t capacity, int64_t keep,
                                 percept_error *error) {
    if (capacity <= cache->capacity) return PERCEPT_OK;
    pct_cache larger = {.type = cache->type, .layers = options->layers, .heads = options->kv_heads};
    larger.width = (int64_t)options->head_width * options->kv_heads;
    larger.capacity = capacity;
    size_t size;
    if (!pct_size_mul((size_t)capacity, run_row_bytes(&larger), &size) ||
        !pct_size_mul(size, (size_t)runs(&larger), &size))
        return pct_fail_memory(error, "cache of keys and values");
    larger.memory = malloc(size);
    if (!larger.memory) return pct_fail_memory(error, "cache of keys and values");
    if (cache->memory) pct_cache_copy(&larger, cache, keep);
    free(cache->memory);
    *cache = larger;
    return PERCEPT_OK;
}

void pct_cache_free(pct_cache *cache) {
    free(cache->memory);
    *cache = (pct_cache){.type = cache->type};
}

void *pct_cache_at(const pct_cache *cache, int layer, int which) {
    return (char *)cache->memory + bytes_of(cache, (2 * (int64_t)layer + which) * cache->capacity * cache->width);
}

/* ---- narrow types -------------------------------------------------------------------------------------------------
 */

struct passing {
    const pct_cache *cache;
    const pct_kernels *kernels;
    char *base;
    const int32_t *places; /* NULL: row i is the cache's row i */
    const pct_real *from;  /* or */
    pct_real *to;
};

static void pass_rows(void *context, int64_t begin, int64_t end, int worker) {
    const struct passing *p = context;
    const pct_cache *c = p->cache;
    const int64_t head_width = c->width / c->heads;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const int64_t place = p->places ? p->places[row] : row;
        for (int64_t head = 0; head < c->heads; head++) {
            char *stored = p->base + bytes_of(c, (head * c->capacity + place) * head_width);
            const int64_t at = row * c->width + head * head_width;
            if (p->from)
                p->kernels->quantise[c->type](stored, p->from + at, head_width);
            else
                p->kernels->dequantise[c->type](p->to + at, stored, head_width);
        }
    }
}

static void pass(const pct_cache *cache, pct_compute *compute, struct passing *p, int64_t rows) {
    PCT_ASSERT(cache->type != PCT_REAL);
    p->cache = cache;
    p->kernels = &compute->kernels;
    pct_parallel_for(compute->pool, rows, pct_max_i64(1, 8192 / cache->width), pass_rows, p);
}

void pct_cache_put(pct_cache *cache, pct_compute *compute, int layer, int which, const int32_t *places, int64_t rows,
                   const pct_real *x) {
    pass(cache, compute, &(struct passing){.base = pct_cache_at(cache, layer, which), .places = places, .from = x},
         rows);
}

void pct_cache_get(const pct_cache *cache, pct_compute *compute, int layer, int which, int64_t rows, pct_real *x) {
    pass(cache, compute, &(struct passing){.base = pct_cache_at(cache, layer, which), .to = x}, rows);
}
