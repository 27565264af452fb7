/* random.h: counter-based random numbers, so that a number depends only on its key and its place.
 *
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). A generator is a value: copy
 * it to fork it, store it to resume. Key it with (seed, stream, index), for example (seed, step, sample). */
#ifndef PCT_BASE_RANDOM_H
#define PCT_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct pct_random {
    uint32_t key[2], counter[4];
    uint32_t block[4]; /* the numbers of the current counter */
    uint32_t used;     /* how many of them are spent */
} pct_random;

void pct_random_init(pct_random *random, uint64_t seed, uint64_t stream, uint64_t index);
uint32_t pct_random_u32(pct_random *random);
uint64_t pct_random_u64(pct_random *random);
/* In [0, 1), 24 bits. */
float pct_random_float(pct_random *random);
/* In [low, high). */
float pct_random_between(pct_random *random, float low, float high);
/* In 0..count-1, without bias; count >= 1. */
uint32_t pct_random_below(pct_random *random, uint32_t count);
/* Mean 0, deviation 1 (Box-Muller). */
float pct_random_normal(pct_random *random);
/* Fisher-Yates over `count` items. */
void pct_random_shuffle(pct_random *random, int32_t *items, size_t count);

/* A stateless 64-bit mix (splitmix64's finaliser), for hashing keys and splitting sets. */
uint64_t pct_hash_u64(uint64_t value);
/* FNV-1a over bytes, finished with pct_hash_u64. */
uint64_t pct_hash_bytes(const void *data, size_t size);

#endif
