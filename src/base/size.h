/* size.h: sizes that come from files are multiplied and added here, where overflow is seen. */
#ifndef PCT_BASE_SIZE_H
#define PCT_BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each returns false and leaves *out alone when the result does not fit. */
static inline bool pct_size_mul(size_t a, size_t b, size_t *out) {
    size_t r;
    if (__builtin_mul_overflow(a, b, &r)) return false;
    *out = r;
    return true;
}
static inline bool pct_size_add(size_t a, size_t b, size_t *out) {
    size_t r;
    if (__builtin_add_overflow(a, b, &r)) return false;
    *out = r;
    return true;
}
/* Rounds up to a multiple of `unit`, a power of two. */
static inline bool pct_size_align(size_t a, size_t unit, size_t *out) {
    size_t r;
    if (!pct_size_add(a, unit - 1, &r)) return false;
    *out = r & ~(unit - 1);
    return true;
}
static inline int64_t pct_min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t pct_max_i64(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t pct_clamp_i64(int64_t v, int64_t low, int64_t high) {
    return v < low ? low : v > high ? high : v;
}
static inline float pct_clamp_f32(float v, float low, float high) { return v < low ? low : v > high ? high : v; }

#define PCT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
