/* check.h: the bench of checkkernels: random inputs, outputs between sentinels, comparisons, timings.
 *
 * In the manner of dav1d's checkasm: every variant of every kernel meets the plain C form (or, for the heavy parts, a
 * direct sum in double) on random shapes, odd ones above all. */
#ifndef PCT_TESTS_KERNELS_CHECK_H
#define PCT_TESTS_KERNELS_CHECK_H

#include "base/random.h"
#include "kernels/kernels.h"
#include "kernels/kernels_private.h"

#include <stdio.h>

typedef struct check {
    const pct_kernels *ref; /* plain C */
    const pct_kernels *now; /* the variant under test */
    pct_compute *compute;   /* the same variant with the pool */
    pct_random random;
    const char *entry;  /* the kernel that is being tried */
    const char *filter; /* of names, or NULL */
    bool bench;
    int cases, failures;
} check;

/* True if the entry is wanted; sets the name that failures carry. */
bool check_begin(check *c, const char *entry);
int64_t check_below(check *c, int64_t limit);                    /* 0..limit-1 */
int64_t check_size(check *c, int64_t most);                      /* 1..most, often small or near a multiple of 16 */
float check_value(check *c, float scale);                        /* normal with that deviation */
void check_fill(check *c, float *x, int64_t count, float scale); /* normal */
/* As check_fill with some zeros, huge, tiny and, if `wild`, infinite and NaN values among them. */
void check_fill_extreme(check *c, float *x, int64_t count, bool wild);

/* Memory for outputs and inputs: misaligned at random, sentinels on both sides; freed by check_end. */
void *check_memory(check *c, size_t size);
float *check_floats(check *c, int64_t count);
float *check_copy(check *c, const float *x, int64_t count);
uint16_t *check_bf16(check *c, const float *x, int64_t count);
/* Sentinels untouched; frees everything. */
void check_end(check *c);

/* |now - ref| <= absolute + relative*|ref| for each; NaN and infinities must be the same. */
void check_near(check *c, const char *what, const float *now, const float *ref, int64_t count, double absolute,
                double relative);
void check_near_double(check *c, const char *what, const float *now, const double *ref, int64_t count, double absolute,
                       double relative);
void check_same(check *c, const char *what, const void *now, const void *ref, size_t size);
void check_true(check *c, const char *what, bool condition);

/* Runs `body` until the best time is steady and prints it; `work` in bytes (unit "GB/s") or operations ("GFLOPS"). */
typedef void check_body(void *context);
void check_time(check *c, const char *shape, double work, const char *unit, check_body *body, void *context);

void check_loops(check *c);
void check_norms(check *c);
void check_activations(check *c);
void check_quantised(check *c);
void check_products(check *c);
void check_int8(check *c);
void check_convolutions(check *c);
void check_attention(check *c);
void bench_table(check *c);
void bench_heavy(check *c);

#endif
