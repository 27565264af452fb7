/* check.c: see check.h. */
#include "check.h"

#include "base/clock.h"
#include "base/threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GUARD    256
#define SENTINEL 0xa5
#define BLOCKS   256

static struct {
    unsigned char *base;
    size_t offset, size;
} blocks[BLOCKS];
static int block_count;

bool check_begin(check *c, const char *entry) {
    c->entry = entry;
    return !c->filter || strstr(entry, c->filter);
}

int64_t check_below(check *c, int64_t limit) { return (int64_t)pct_random_below(&c->random, (uint32_t)limit); }

int64_t check_size(check *c, int64_t most) {
    int64_t size;
    switch (check_below(c, 3)) {
    case 0:
        size = 1 + check_below(c, 17);
        break;
    case 1:
        size = 16 * (1 + check_below(c, most / 16 + 1)) - 1 + check_below(c, 3);
        break;
    default:
        size = 1 + check_below(c, most);
        break;
    }
    return size < 1 ? 1 : size > most ? most : size;
}

float check_value(check *c, float scale) { return scale * pct_random_normal(&c->random); }

void check_fill(check *c, float *x, int64_t count, float scale) {
    for (int64_t i = 0; i < count; i++) x[i] = check_value(c, scale);
}

void check_fill_extreme(check *c, float *x, int64_t count, bool wild) {
    static const float odd[] = {0.0f,  -0.0f, 1e-30f, -1e-30f, 1e-42f, 1e4f,
                                -1e4f, 88.8f, -88.8f, -104.0f, 20.0f,  -20.0f};
    static const float wilder[] = {INFINITY, -INFINITY, NAN, 3e38f, -3e38f};
    for (int64_t i = 0; i < count; i++) {
        const int64_t kind = check_below(c, 8);
        if (kind == 0)
            x[i] = odd[check_below(c, 12)];
        else if (kind == 1 && wild)
            x[i] = wilder[check_below(c, 5)];
        else
            x[i] = check_value(c, kind == 2 ? 0.01f : 3);
    }
}

void *check_memory(check *c, size_t size) {
    const size_t offset = GUARD + 4 * (size_t)check_below(c, 16);
    unsigned char *base = malloc(size + 2 * GUARD + 64);
    if (!base || block_count == BLOCKS) abort();
    memset(base, SENTINEL, size + 2 * GUARD + 64);
    blocks[block_count].base = base;
    blocks[block_count].offset = offset;
    blocks[block_count++].size = size;
    return base + offset;
}

float *check_floats(check *c, int64_t count) { return check_memory(c, (size_t)count * sizeof(float)); }

float *check_copy(check *c, const float *x, int64_t count) {
    float *copy = check_floats(c, count);
    memcpy(copy, x, (size_t)count * sizeof *x);
    return copy;
}

uint16_t *check_bf16(check *c, const float *x, int64_t count) {
    uint16_t *bits = check_memory(c, (size_t)count * 2);
    for (int64_t i = 0; i < count; i++) bits[i] = pct_bf16_of_float(x[i]);
    return bits;
}

static void fail(check *c, const char *what) {
    if (c->failures++ < 20) fprintf(stderr, "FAIL %s: %s", c->entry, what);
}

void check_end(check *c) {
    c->cases++;
    for (int b = 0; b < block_count; b++) {
        const unsigned char *base = blocks[b].base;
        const size_t begin = blocks[b].offset, end = begin + blocks[b].size;
        bool touched = false;
        for (size_t i = begin - GUARD; i < begin; i++) touched |= base[i] != SENTINEL;
        for (size_t i = end; i < end + GUARD - 64; i++) touched |= base[i] != SENTINEL;
        if (touched) {
            fail(c, "wrote outside of its output");
            fputc('\n', stderr);
        }
        free(blocks[b].base);
    }
    block_count = 0;
}

static bool near(double now, double ref, double absolute, double relative) {
    if (isnan(ref)) return isnan(now);
    if (isinf(ref)) return now == ref;
    return fabs(now - ref) <= absolute + relative * fabs(ref);
}

static void report(check *c, const char *what, int64_t i, int64_t count, double now, double ref) {
    fail(c, what);
    if (c->failures <= 20)
        fprintf(stderr, "[%lld of %lld]: %.9g, should be %.9g\n", (long long)i, (long long)count, now, ref);
}

void check_near(check *c, const char *what, const float *now, const float *ref, int64_t count, double absolute,
                double relative) {
    for (int64_t i = 0; i < count; i++)
        if (!near((double)now[i], (double)ref[i], absolute, relative)) {
            report(c, what, i, count, (double)now[i], (double)ref[i]);
            return;
        }
}

void check_near_double(check *c, const char *what, const float *now, const double *ref, int64_t count, double absolute,
                       double relative) {
    for (int64_t i = 0; i < count; i++)
        if (!near((double)now[i], ref[i], absolute, relative)) {
            report(c, what, i, count, (double)now[i], ref[i]);
            return;
        }
}

void check_same(check *c, const char *what, const void *now, const void *ref, size_t size) {
    const unsigned char *a = now, *b = ref;
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i]) {
            report(c, what, (int64_t)i, (int64_t)size, a[i], b[i]);
            return;
        }
}

void check_true(check *c, const char *what, bool condition) {
    if (condition) return;
    fail(c, what);
    fputc('\n', stderr);
}

/* One thread is timed by its own processor time, so that other programs on the machine count less. */
static double seconds_now(const check *c) {
    struct timespec now;
    if (pct_pool_threads(c->compute->pool) > 1) return pct_clock_seconds();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void check_time(check *c, const char *shape, double work, const char *unit, check_body *body, void *context) {
    double best = 1e30, spent = 0;
    for (int i = 0; i < 5 || (spent < 0.2 && i < 20000); i++) {
        const double begin = seconds_now(c);
        body(context);
        const double seconds = seconds_now(c) - begin;
        spent += seconds;
        if (seconds < best) best = seconds;
    }
    printf("%-24s %-28s %10.1f us %9.1f %s\n", c->entry, shape, best * 1e6, work / best / 1e9, unit);
}
