/* grad_test.c: every operation's way back against central differences, in double precision.
 *
 * Each case runs with fresh gradients; with every input also read by a later operation, so that its gradient is there
 * already; and with each input frozen in turn. An operation declared in ops.h without a case fails the test. With a
 * name as argument, only cases whose "operation/what" contains it are run. */
#include "base/arena.h"
#include "base/cpu.h"
#include "cases.h"
#include "declared_operations.h"

#include <stdio.h>
#include <string.h>

#define STEP      2e-4
#define TOLERANCE 1e-6

typedef struct run {
    const grad_case *c;
    bool again; /* inputs are read a second time, after the operation */
    bool done;  /* inputs and output are done with after their last use, and what is given back is overwritten */
} run;

/* sum of y times fixed numbers, so that every output has a gradient of its own */
static pct_tensor *project(pct_tape *tape, pct_tensor *y) {
    pct_tensor *factor = pct_tape_tensor(tape, PCT_REAL, y->rank, y->dim);
    for (int64_t i = 0; i < pct_tensor_count(y); i++) {
        pct_tensor_data(factor)[i] = (pct_real)(pct_hash_u64((uint64_t)i + 17) % 2000) / 1000 - 1;
    }
    return pct_op_sum(tape, pct_op_mul(tape, y, factor));
}

static void done_with(pct_tape *tape, pct_tensor *x) {
    size_t bytes = (size_t)pct_tensor_count(x) * sizeof(pct_real);
    unsigned char *data = x->data;
    pct_tape_done(tape, x);
    if (x->data) return;
    const size_t header = 16; /* of the spare block; the rest reads as NaN from now on */
    memset(data + header, 0xff, bytes - header);
}

/* The inputs come from operations, so that the tape owns them. */
static pct_tensor *build_and_forget(pct_tape *tape, pct_tensor *const *x, const grad_case *c) {
    pct_tensor *input[MAX_INPUTS];
    tape->spare_smallest = 64; /* small tensors too */
    for (int i = 0; i < MAX_INPUTS; i++) input[i] = i < c->inputs ? pct_op_scale(tape, x[i], 1) : x[i];
    pct_tensor *y = c->build(tape, input, c->n);
    pct_tensor *loss = project(tape, y);
    bool view = y->base != NULL;
    for (int i = 0; i < c->inputs; i++) {
        if (!view) done_with(tape, input[i]);
    }
    done_with(tape, y);
    return loss;
}

static pct_tensor *build(pct_tape *tape, pct_tensor *const *x, void *context) {
    const run *r = context;
    if (r->done) return build_and_forget(tape, x, r->c);
    pct_tensor *part[MAX_INPUTS + 1];
    pct_real one[MAX_INPUTS + 1];
    int parts = 0;
    part[parts++] = project(tape, r->c->build(tape, x, r->c->n));
    for (int i = 0; r->again && i < r->c->inputs; i++) part[parts++] = project(tape, pct_op_mul(tape, x[i], x[i]));
    for (int i = 0; i < parts; i++) one[i] = 1;
    return pct_op_weighted_sum(tape, part, one, parts);
}

/* Distinct values, evenly spread over the range in a random order: no two are close, none is close to a middle of 0,
 * so that relu and max have no corner within a step. */
static void fill(pct_tensor *x, const grad_case *c, uint64_t seed) {
    double low = c->low, high = c->high;
    int64_t count = pct_tensor_count(x);
    int32_t order[2048];
    pct_random random;
    if (low == 0 && high == 0) {
        low = -1;
        high = 1;
    }
    PCT_ASSERT(count <= 2048);
    for (int32_t i = 0; i < count; i++) order[i] = i;
    pct_random_init(&random, seed, 0, 0);
    pct_random_shuffle(&random, order, (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        pct_tensor_data(x)[i] = (pct_real)(low + (high - low) * (order[i] + 0.4375) / (double)count);
    }
}

static int report(const grad_case *c, const char *variant, bool passed, const pct_gradcheck_result *r) {
    if (passed) return 0;
    printf("FAIL %s/%s, %s: input %d element %lld: back gives %.12g, differences %.12g (error %.3g, %lld checked)\n",
           c->operation, c->what, variant, r->input, (long long)r->element, r->analytic, r->numeric, r->worst,
           (long long)r->checked);
    return 1;
}

static int run_case(pct_compute *compute, const grad_case *c) {
    pct_tensor x[MAX_INPUTS], *input[MAX_INPUTS];
    pct_arena arena;
    pct_gradcheck_result result;
    int failed = 0;
    pct_arena_init(&arena, 0);
    for (int i = 0; i < c->inputs; i++) {
        x[i] = (pct_tensor){.type = PCT_REAL, .rank = c->x[i].rank, .needs_grad = true};
        memcpy(x[i].dim, c->x[i].dim, sizeof x[i].dim);
        x[i].data = pct_arena_take(&arena, (size_t)pct_tensor_count(&x[i]) * sizeof(pct_real));
        fill(&x[i], c, (uint64_t)i + 1);
        input[i] = &x[i];
    }
    /* A case may read one more input than it declares checked; it is a constant. */
    pct_tensor constant = {.type = PCT_REAL, .rank = 2, .dim = {0, 7}};
    for (int i = c->inputs; i < MAX_INPUTS; i++) input[i] = &constant;
    run plain = {c, false, false}, again = {c, true, false}, done = {c, false, true};
    bool ok = pct_gradcheck(compute, build, &plain, input, c->inputs, STEP, TOLERANCE, &result);
    failed += report(c, "fresh", ok, &result);
    ok = pct_gradcheck(compute, build, &again, input, c->inputs, STEP, TOLERANCE, &result);
    failed += report(c, "inputs read again", ok, &result);
    ok = pct_gradcheck(compute, build, &done, input, c->inputs, STEP, TOLERANCE, &result);
    failed += report(c, "inputs done with", ok, &result);
    for (int i = 0; c->inputs > 1 && i < c->inputs; i++) {
        x[i].needs_grad = false;
        ok = pct_gradcheck(compute, build, &plain, input, c->inputs, STEP, TOLERANCE, &result);
        failed += report(c, "an input frozen", ok && !x[i].grad, &result);
        x[i].needs_grad = true;
    }
    pct_arena_free(&arena);
    return failed;
}

static int run_table(pct_compute *compute, const grad_case *cases, int count, const char *only, int *done) {
    int failed = 0;
    for (int i = 0; i < count; i++) {
        char identity[128];
        snprintf(identity, sizeof identity, "%s/%s", cases[i].operation, cases[i].what);
        if (only && !strstr(identity, only)) continue;
        failed += run_case(compute, &cases[i]);
        ++*done;
    }
    return failed;
}

static bool has_case(const char *operation, const grad_case *cases, int count) {
    for (int i = 0; i < count; i++) {
        if (!strcmp(cases[i].operation, operation)) return true;
    }
    return false;
}

static int check_coverage(void) {
    int missing = 0;
    for (size_t i = 0; i < sizeof declared_operations / sizeof declared_operations[0]; i++) {
        const char *name = declared_operations[i];
        if (has_case(name, shape_cases, shape_case_count) || has_case(name, math_cases, math_case_count) ||
            has_case(name, loss_cases, loss_case_count)) {
            continue;
        }
        printf("FAIL %s: declared in ops.h, but no case checks its gradient\n", name);
        missing++;
    }
    return missing;
}

int main(int argc, char **argv) {
    const char *only = argc > 1 ? argv[1] : NULL;
    pct_pool *pool;
    pct_compute *compute;
    int done = 0, failed = only ? 0 : check_coverage();
    if (pct_pool_create(&pool, 2, NULL) != PERCEPT_OK) return 2;
    if (pct_compute_create(&compute, pool, pct_cpu_flags(), NULL) != PERCEPT_OK) return 2;
    failed += run_table(compute, shape_cases, shape_case_count, only, &done);
    failed += run_table(compute, math_cases, math_case_count, only, &done);
    failed += run_table(compute, loss_cases, loss_case_count, only, &done);
    pct_compute_destroy(&compute);
    pct_pool_destroy(&pool);
    printf("%d cases, %d failures\n", done, failed);
    return failed || !done ? 1 : 0;
}
