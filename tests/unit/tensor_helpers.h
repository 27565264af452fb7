/* tensor_helpers.h: a tape ready for use, and tensors written out in the test. */
#ifndef PCT_TESTS_TENSOR_HELPERS_H
#define PCT_TESTS_TENSOR_HELPERS_H

#include "base/cpu.h"
#include "base/size.h"
#include "tensor/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct fixture {
    pct_pool *pool;
    pct_compute *compute;
    pct_arena arena;
    pct_tape tape;
} fixture;

static inline void open_fixture(fixture *f, int threads, bool record, pct_dtype product) {
    assert_int_equal(pct_pool_create(&f->pool, threads, NULL), PERCEPT_OK);
    assert_int_equal(pct_compute_create(&f->compute, f->pool, pct_cpu_flags(), NULL), PERCEPT_OK);
    pct_arena_init(&f->arena, 0);
    pct_tape_init(&f->tape, f->compute, &f->arena, record, product);
}

static inline void close_fixture(fixture *f) {
    pct_arena_free(&f->arena);
    pct_compute_destroy(&f->compute);
    pct_pool_destroy(&f->pool);
}

/* Tensors over literals, which live as long as the test's block. */
#define VALUES(...)               ((pct_real[]){__VA_ARGS__})
#define T1(tape, a, ...)          pct_tape_input(tape, PCT_REAL, 1, (int64_t[]){a}, VALUES(__VA_ARGS__))
#define T2(tape, a, b, ...)       pct_tape_input(tape, PCT_REAL, 2, (int64_t[]){a, b}, VALUES(__VA_ARGS__))
#define T3(tape, a, b, c, ...)    pct_tape_input(tape, PCT_REAL, 3, (int64_t[]){a, b, c}, VALUES(__VA_ARGS__))
#define T4(tape, a, b, c, d, ...) pct_tape_input(tape, PCT_REAL, 4, (int64_t[]){a, b, c, d}, VALUES(__VA_ARGS__))

#define EXPECT(tensor, ...)                                                                                            \
    expect_values(tensor, VALUES(__VA_ARGS__), PCT_COUNT(VALUES(__VA_ARGS__)), 1e-5, __FILE__, __LINE__)

static inline void expect_near(const pct_real *got, const pct_real *wanted, size_t count, double tolerance,
                               const char *file, int line) {
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)got[i] - (double)wanted[i]);
        if (difference <= tolerance * fmax(1, fabs((double)wanted[i]))) continue;
        printf("%s:%d: element %zu is %.9g, not %.9g\n", file, line, i, (double)got[i], (double)wanted[i]);
        fail();
    }
}

static inline void expect_values(const pct_tensor *tensor, const pct_real *wanted, size_t count, double tolerance,
                                 const char *file, int line) {
    assert_int_equal(pct_tensor_count(tensor), (int64_t)count);
    expect_near(pct_tensor_data(tensor), wanted, count, tolerance, file, line);
}

/* Numbers in -1..1 that depend on the seed alone. */
static inline void fill_random(pct_real *x, int64_t count, uint64_t seed) {
    pct_random random;
    pct_random_init(&random, seed, 1, 0);
    for (int64_t i = 0; i < count; i++) x[i] = (pct_real)pct_random_between(&random, -1, 1);
}

static inline pct_parameter *random_parameter(pct_parameters *set, const char *name, int rank, const int64_t *dim,
                                              bool trainable, double size, uint64_t seed) {
    pct_parameter *p = pct_parameters_add(set, name, rank, dim, trainable, NULL);
    assert_non_null(p);
    fill_random(pct_tensor_data(&p->tensor), pct_tensor_count(&p->tensor), seed);
    for (int64_t i = 0; i < pct_tensor_count(&p->tensor); i++) pct_tensor_data(&p->tensor)[i] *= (pct_real)size;
    return p;
}

#endif
