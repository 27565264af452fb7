/* The cache of keys and values. Large blocks come from the system as untouched pages, so that room for long answers
 * costs nothing until it is used. */
#include "language/language.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

percept_status pct_cache_reserve(pct_cache *cache, const pct_language_options *options, int64_t capacity, int64_t keep,
                                 percept_error *error) {
    if (capacity <= cache->capacity) return PERCEPT_OK;
    int64_t width = options->width / options->heads * options->kv_heads;
    size_t size;
    if (!pct_size_mul((size_t)capacity, (size_t)width * sizeof(pct_real) * 2, &size) ||
        !pct_size_mul(size, (size_t)options->layers, &size)) {
        return pct_fail_memory(error, "cache of keys and values");
    }
    pct_real *memory = malloc(size);
    if (!memory) return pct_fail_memory(error, "cache of keys and values");
    for (int i = 0; i < 2 * cache->layers && keep > 0; i++)
        memcpy(memory + (size_t)i * (size_t)(capacity * width),
               cache->memory + (size_t)i * (size_t)(cache->capacity * width),
               (size_t)(keep * width) * sizeof(pct_real));
    free(cache->memory);
    *cache = (pct_cache){options->layers, width, capacity, memory};
    return PERCEPT_OK;
}

void pct_cache_free(pct_cache *cache) {
    free(cache->memory);
    *cache = (pct_cache){0};
}
