/* random.c: see random.h. */
#include "base/random.h"

#include <math.h>

static void philox(const uint32_t key_in[2], const uint32_t counter[4], uint32_t out[4]) {
    uint32_t k0 = key_in[0], k1 = key_in[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t pct_hash_u64(uint64_t value) {
    value += 0x9E3779B97F4A7C15u;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

uint64_t pct_hash_bytes(const void *data, size_t size) {
    const unsigned char *bytes = data;
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u;
    return pct_hash_u64(hash);
}

void pct_random_init(pct_random *random, uint64_t seed, uint64_t stream, uint64_t index) {
    uint64_t key = pct_hash_u64(seed ^ pct_hash_u64(stream));
    *random = (pct_random){.key = {(uint32_t)key, (uint32_t)(key >> 32)},
                           .counter = {0, 0, (uint32_t)index, (uint32_t)(index >> 32)},
                           .used = 4};
}

uint32_t pct_random_u32(pct_random *random) {
    if (random->used == 4) {
        philox(random->key, random->counter, random->block);
        if (++random->counter[0] == 0) random->counter[1]++;
        random->used = 0;
    }
    return random->block[random->used++];
}

uint64_t pct_random_u64(pct_random *random) {
    uint64_t low = pct_random_u32(random);
    return low | (uint64_t)pct_random_u32(random) << 32;
}

float pct_random_float(pct_random *random) { return (float)(pct_random_u32(random) >> 8) * 0x1p-24f; }

float pct_random_between(pct_random *random, float low, float high) {
    return low + (high - low) * pct_random_float(random);
}

uint32_t pct_random_below(pct_random *random, uint32_t count) {
    uint32_t limit = (uint32_t)(0x100000000u - 0x100000000u % count); /* 0 when count divides 2^32 */
    uint32_t value;
    do value = pct_random_u32(random);
    while (limit && value >= limit);
    return value % count;
}

float pct_random_normal(pct_random *random) {
    float u = 1.0f - pct_random_float(random), v = pct_random_float(random);
    return sqrtf(-2.0f * logf(u)) * cosf(6.28318530718f * v);
}

void pct_random_shuffle(pct_random *random, int32_t *items, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t j = pct_random_below(random, (uint32_t)i);
        int32_t kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
