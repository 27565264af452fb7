/* muon.c: see muon.h. */
#include "train/muon.h"

#include "base/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST   16 /* rows or columns: what is narrower has too few directions to balance */
#define STEPS   5  /* of Newton-Schulz, x -> a*x + b*(xx')x + c*(xx')^2x */
#define A       3.4445
#define B       (-4.7750)
#define C       2.0315
#define EPSILON 1e-7 /* beside the norm */

/* What one thread works with. It has a compute object of its own: products of matrices of this size are faster on one
 * thread each than split, and each is then computed alike whatever the pool. */
struct worker {
    pct_compute *compute;
    pct_real *x;              /* the largest matrix: momentum, then direction */
    uint16_t *x_twin;         /* in BF16 */
    pct_real *gram, *squared; /* the largest square of a smaller side */
    uint16_t *square_twin;
};

struct item {
    pct_muon_matrix matrix;
    size_t index;
    int worker;
};

struct pct_muon {
    pct_compute *compute;
    struct item *items; /* largest work first */
    size_t count;
    struct worker *workers;
    int worker_count;
};

bool pct_muon_takes(pct_parameter *parameter, pct_muon_matrix *matrix) {
    if (!parameter->matrix) return false;
    const int64_t rows = parameter->tensor.dim[0], columns = pct_tensor_count(&parameter->tensor) / rows;
    *matrix = (pct_muon_matrix){.parameter = parameter, .rows = rows, .columns = columns};
    return pct_min_i64(rows, columns) >= LEAST;
}

static int64_t smaller(const pct_muon_matrix *m) { return pct_min_i64(m->rows, m->columns); }
static int64_t larger(const pct_muon_matrix *m) { return pct_max_i64(m->rows, m->columns); }
static double work_of(const pct_muon_matrix *m) {
    const double side = (double)smaller(m);
    return side * side * (4 * (double)larger(m) + 2 * side);
}

static int by_work(const void *left, const void *right) {
    const struct item *a = left, *b = right;
    const double wa = work_of(&a->matrix), wb = work_of(&b->matrix);
    if (wa != wb) return wa < wb ? 1 : -1;
    return a->index < b->index ? -1 : 1;
}

/* The largest first, each to the worker that has least to do. */
static percept_status share_out(pct_muon *muon, percept_error *error) {
    double *load = calloc((size_t)muon->worker_count, sizeof *load);
    if (!load) return pct_fail_memory(error, "optimiser");
    qsort(muon->items, muon->count, sizeof *muon->items, by_work);
    for (size_t i = 0; i < muon->count; i++) {
        int best = 0;
        for (int w = 1; w < muon->worker_count; w++) {
            if (load[w] < load[best]) best = w;
        }
        muon->items[i].worker = best;
        load[best] += work_of(&muon->items[i].matrix);
    }
    free(load);
    return PERCEPT_OK;
}

static void *take(int64_t count, size_t element) {
    size_t bytes;
    if (!pct_size_mul((size_t)count, element, &bytes) || !pct_size_align(bytes, PCT_ARENA_ALIGN, &bytes)) return NULL;
    void *memory = aligned_alloc(PCT_ARENA_ALIGN, bytes);
    if (memory) memset(memory, 0, bytes);
    return memory;
}

static percept_status prepare_worker(struct worker *worker, const pct_muon *muon, percept_error *error) {
    int64_t elements = 1, side = 1;
    for (size_t i = 0; i < muon->count; i++) {
        const pct_muon_matrix *m = &muon->items[i].matrix;
        elements = pct_max_i64(elements, m->rows * m->columns);
        side = pct_max_i64(side, smaller(m));
    }
    PCT_TRY(pct_compute_create(&worker->compute, NULL, muon->compute->kernels.cpu_flags, error));
    worker->x = take(elements, sizeof *worker->x);
    worker->x_twin = take(elements, sizeof *worker->x_twin);
    worker->gram = take(side * side, sizeof *worker->gram);
    worker->squared = take(side * side, sizeof *worker->squared);
    worker->square_twin = take(side * side, sizeof *worker->square_twin);
    if (!worker->x || !worker->x_twin || !worker->gram || !worker->squared || !worker->square_twin) {
        return pct_fail_memory(error, "optimiser");
    }
    return PERCEPT_OK;
}

/* square = x x' where x lies, x' x where it stands: on the smaller side. */
static void gram_product(struct worker *worker, int64_t rows, int64_t columns) {
    const bool stands = rows > columns;
    const int64_t side = stands ? columns : rows;
    pct_gemm_run(worker->compute, &(pct_gemm){.m = side,
                                              .n = side,
                                              .k = stands ? rows : columns,
                                              .a = worker->x_twin,
                                              .b = worker->x_twin,
                                              .type = PCT_BF16,
                                              .a_transposed = stands,
                                              .b_transposed = !stands,
                                              .lda = columns,
                                              .ldb = columns,
                                              .ldc = side,
                                              .c = worker->gram});
}

/* square_twin = a + b*gram + c*gram^2, the unit matrix with a on the diagonal. */
static void polynomial(struct worker *worker, int64_t side) {
    const int64_t elements = side * side;
    worker->compute->kernels.to_bf16(worker->square_twin, worker->gram, elements);
    pct_gemm_run(worker->compute, &(pct_gemm){.m = side,
                                              .n = side,
                                              .k = side,
                                              .a = worker->square_twin,
                                              .b = worker->square_twin,
                                              .type = PCT_BF16,
                                              .lda = side,
                                              .ldb = side,
                                              .ldc = side,
                                              .c = worker->squared});
    pct_real *restrict out = worker->squared;
    const pct_real *restrict gram = worker->gram;
    for (int64_t i = 0; i < elements; i++) out[i] = (pct_real)B * gram[i] + (pct_real)C * out[i];
    for (int64_t i = 0; i < side; i++) out[i * (side + 1)] += (pct_real)A;
    worker->compute->kernels.to_bf16(worker->square_twin, out, elements);
}

/* worker->x, of norm <= 1 and so in x_twin, through `steps` steps. */
static void newton_schulz(struct worker *worker, int64_t rows, int64_t columns, int steps) {
    const bool stands = rows > columns;
    const int64_t side = stands ? columns : rows;
    for (int i = 0; i < steps; i++) {
        gram_product(worker, rows, columns);
        polynomial(worker, side);
        pct_gemm_run(worker->compute, &(pct_gemm){.m = rows,
                                                  .n = columns,
                                                  .k = side,
                                                  .a = stands ? worker->x_twin : worker->square_twin,
                                                  .b = stands ? worker->square_twin : worker->x_twin,
                                                  .type = PCT_BF16,
                                                  .lda = side, /* of x where it stands: its columns */
                                                  .ldb = columns,
                                                  .ldc = columns,
                                                  .c = worker->x});
        if (i + 1 < steps) worker->compute->kernels.to_bf16(worker->x_twin, worker->x, rows * columns);
    }
}

static void orthogonalise(struct worker *worker, int64_t rows, int64_t columns) {
    const int64_t elements = rows * columns;
    pct_real *x = worker->x;
    const pct_real scale = (pct_real)(1 / (sqrt(worker->compute->kernels.sum_squares(x, elements)) + EPSILON));
    for (int64_t i = 0; i < elements; i++) x[i] *= scale;
    worker->compute->kernels.to_bf16(worker->x_twin, x, elements);
    newton_schulz(worker, rows, columns, STEPS);
}

void pct_muon_orthogonalise(pct_muon *muon, pct_real *x, int64_t rows, int64_t columns) {
    struct worker *worker = &muon->workers[0];
    const size_t bytes = (size_t)(rows * columns) * sizeof *x;
    memcpy(worker->x, x, bytes);
    orthogonalise(worker, rows, columns);
    memcpy(x, worker->x, bytes);
}

percept_status pct_muon_create(pct_muon **made, pct_compute *compute, const pct_muon_matrix *matrices, size_t count,
                               percept_error *error) {
    pct_muon *muon = calloc(1, sizeof *muon);
    *made = muon;
    if (!muon) return pct_fail_memory(error, "optimiser");
    *muon = (pct_muon){.compute = compute, .count = count, .worker_count = pct_pool_threads(compute->pool)};
    muon->items = calloc(count + 1, sizeof *muon->items);
    muon->workers = calloc((size_t)muon->worker_count, sizeof *muon->workers);
    percept_status status = muon->items && muon->workers ? PERCEPT_OK : pct_fail_memory(error, "optimiser");
    for (size_t i = 0; i < count && status == PERCEPT_OK; i++) {
        muon->items[i] = (struct item){.matrix = matrices[i], .index = i};
    }
    if (status == PERCEPT_OK) status = share_out(muon, error);
    for (int w = 0; w < muon->worker_count && status == PERCEPT_OK; w++) {
        status = prepare_worker(&muon->workers[w], muon, error);
    }
    if (status != PERCEPT_OK) {
        pct_muon_destroy(made);
        return status;
    }
    /* A step over zeros, for products to take their scratch memory now. */
    for (size_t i = 0; i < count; i++) {
        const struct item *item = &muon->items[i];
        newton_schulz(&muon->workers[item->worker], item->matrix.rows, item->matrix.columns, 1);
    }
    return PERCEPT_OK;
}

void pct_muon_destroy(pct_muon **made) {
    pct_muon *muon = *made;
    if (!muon) return;
    for (int w = 0; muon->workers && w < muon->worker_count; w++) {
        struct worker *worker = &muon->workers[w];
        pct_compute_destroy(&worker->compute);
        free(worker->x);
        free(worker->x_twin);
        free(worker->gram);
        free(worker->squared);
        free(worker->square_twin);
    }
    free(muon->workers);
    free(muon->items);
    free(muon);
    *made = NULL;
}

struct step {
    pct_muon *muon;
    const pct_muon_update *update;
};

/* m = beta*m + (1-beta)*g, as AdamW's first moment, so that either may go on from the other's; then Nesterov's
 * x = beta*m + (1-beta)*g. */
static void move_momentum(pct_real *restrict x, pct_real *restrict m, const pct_real *restrict gradient, int64_t count,
                          const pct_muon_update *update) {
    const pct_real beta = (pct_real)update->momentum, scale = (pct_real)((1 - update->momentum) * update->scale);
    for (int64_t i = 0; i < count; i++) {
        const pct_real g = scale * gradient[i];
        m[i] = beta * m[i] + g;
        x[i] = beta * m[i] + g;
    }
}

static void step_matrix(struct worker *worker, const pct_muon_matrix *matrix, const pct_muon_update *update) {
    pct_parameter *parameter = matrix->parameter;
    const int64_t elements = matrix->rows * matrix->columns;
    const double rate = update->rate * parameter->rate_scale;
    const bool still = worker->compute->kernels.sum_squares(parameter->tensor.grad, elements) == 0;
    pct_real *restrict weight = pct_tensor_data(&parameter->tensor);
    const pct_real *restrict x = worker->x;
    move_momentum(worker->x, matrix->momentum, parameter->tensor.grad, elements, update);
    if (!still) orthogonalise(worker, matrix->rows, matrix->columns);
    const pct_real stay = (pct_real)(1 - (parameter->decay ? rate * update->decay : 0));
    const pct_real move = still ? 0 : (pct_real)(rate * 0.2 * sqrt((double)larger(matrix)));
    for (int64_t i = 0; i < elements; i++) weight[i] = stay * weight[i] - move * x[i];
    pct_real *restrict average = matrix->average;
    if (!average) return;
    const pct_real keep = (pct_real)update->keep;
    for (int64_t i = 0; i < elements; i++) average[i] = weight[i] + keep * (average[i] - weight[i]);
}

static void step_workers(void *context, int64_t begin, int64_t end, int thread) {
    const struct step *step = context;
    (void)thread;
    for (int64_t w = begin; w < end; w++) {
        for (size_t i = 0; i < step->muon->count; i++) {
            const struct item *item = &step->muon->items[i];
            if (item->worker == w) step_matrix(&step->muon->workers[w], &item->matrix, step->update);
        }
    }
}

void pct_muon_step(pct_muon *muon, const pct_muon_update *update) {
    struct step step = {.muon = muon, .update = update};
    pct_parallel_for(muon->compute->pool, muon->worker_count, 1, step_workers, &step);
}
