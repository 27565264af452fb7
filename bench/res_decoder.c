/* res_decoder.c: MLLMSeg's mask decoder at its own size (width 1024, grid 32, mask 448), random weights, step by step.
 * usage: res_decoder [bf16|int8] [state width, 896] [objects, 1]
 *
 * Prints for each step the best processor time of one thread in some runs, and for the two halves, once a picture and
 * once an object, the operations and what they come to a second. */
#include "heads/res_decoder.h"
#include "base/cpu.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WIDTH = 1024, GRID = 32, PATCH = 14, STEPS = 32, RUNS = 9 };

typedef struct timing {
    pct_compute *compute;
    pct_arena weights;
    pct_dtype type;
    double last, best[STEPS];
    char name[STEPS][64];
    int step;
} timing;

/* Processor time of all threads together: what else runs does not count. */
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static percept_status make(void *context, const pct_weight_spec *spec, pct_parameters *set, pct_parameter **parameter,
                           percept_error *error) {
    timing *t = context;
    size_t bytes;
    if (spec->plain || spec->rank != 2) return PERCEPT_OK;
    if (!pct_dtype_row_bytes(t->type, spec->dim[1], &bytes)) abort();
    unsigned char *data = pct_arena_take(&t->weights, (size_t)spec->dim[0] * bytes);
    pct_real *row = malloc((size_t)spec->dim[1] * sizeof *row);
    if (!data || !row) abort();
    pct_random random;
    pct_random_init(&random, 1, pct_hash_bytes(spec->name, strlen(spec->name)), 0);
    for (int64_t r = 0; r < spec->dim[0]; r++) {
        for (int64_t i = 0; i < spec->dim[1]; i++)
            row[i] = (pct_real)(1.7 / sqrt((double)spec->dim[1])) * (pct_real)pct_random_between(&random, -1, 1);
        t->compute->kernels.quantise[t->type](data + (size_t)r * bytes, row, spec->dim[1]);
    }
    free(row);
    *parameter = pct_parameters_add_stored(set, spec->name, t->type, spec->rank, spec->dim, data, error);
    return *parameter ? PERCEPT_OK : PERCEPT_ERROR_RESOURCE;
}

static void passed(void *context, const char *step, const pct_tensor *x) {
    timing *t = context;
    const double at = now(), took = at - t->last;
    (void)x;
    if (t->step >= STEPS) abort();
    snprintf(t->name[t->step], sizeof t->name[0], "%s", step);
    if (t->best[t->step] == 0 || took < t->best[t->step]) t->best[t->step] = took;
    t->step++;
    t->last = at;
}

static pct_tensor *noise(pct_tape *tape, int64_t rows, int64_t width) {
    pct_tensor *x = pct_tape_tensor(tape, PCT_REAL, 2, (int64_t[]){rows, width});
    pct_random random;
    pct_random_init(&random, 2, (uint64_t)rows, 0);
    for (int64_t i = 0; i < rows * width; i++) pct_tensor_data(x)[i] = (pct_real)pct_random_normal(&random);
    x->owned = false;
    return x;
}

int main(int argc, char **argv) {
    const bool int8 = argc > 1 && !strcmp(argv[1], "int8");
    const int64_t state = argc > 2 ? atoi(argv[2]) : 896, objects = argc > 3 ? atoi(argv[3]) : 1, cells = GRID * GRID;
    timing t = {.type = int8 ? PCT_Q8_0 : PCT_BF16};
    pct_pool *pool;
    pct_parameters set;
    pct_res_decoder decoder;
    pct_arena arena;
    pct_tape tape;
    if (pct_pool_create(&pool, 1, NULL)) return 1;
    if (pct_compute_create(&t.compute, pool, pct_cpu_flags(), NULL)) return 1;
    if (int8) pct_compute_use_int8(t.compute);
    pct_parameters_init(&set);
    pct_arena_init(&t.weights, (size_t)16 << 20);
    pct_builder builder = {.set = &set, .seed = 1, .source = make, .context = &t};
    pct_res_decoder_build(
        &decoder, &builder,
        &(pct_res_options){
            .width = WIDTH, .state_width = state, .mlp = WIDTH, .heads = 8, .groups = 4, .patch = PATCH});
    if (builder.status) return 1;
    pct_arena_init(&arena, (size_t)64 << 20);
    double best[2] = {1e9, 1e9};
    int32_t *picture = calloc((size_t)objects, sizeof *picture);
    for (int run = 0; run < RUNS; run++) {
        pct_tape_init(&tape, t.compute, &arena, false, pct_compute_prefers_bf16(t.compute) ? PCT_BF16 : PCT_REAL);
        tape.watch = passed;
        tape.watch_context = &t;
        pct_tensor *v = noise(&tape, cells, WIDTH), *l = noise(&tape, cells / 4, state),
                   *s = noise(&tape, objects, state);
        const double begin = now();
        t.last = begin;
        t.step = 0;
        pct_res_keys keys = pct_res_decoder_prepare(&tape, &decoder, v, l, 1);
        pct_tape_step(&tape, "(attention to itself)", keys.grid);
        const double middle = now();
        pct_res_decoder_apply(&tape, &decoder, &keys, s, picture);
        const double end = now();
        if (pct_tape_status(&tape, NULL)) return 1;
        best[0] = fmin(best[0], middle - begin);
        best[1] = fmin(best[1], end - middle);
        pct_tape_clear(&tape);
        pct_arena_reset(&arena);
    }
    for (int i = 0; i < t.step; i++) printf("%-24s %7.2f ms\n", t.name[i], t.best[i] * 1e3);
    const double w = WIDTH, n = (double)cells;
    const double once =
        2 * (n / 4 * state * w + n * w * w * (4 + 2 + 2 + 3 + 4) + n / 4 * w * w * 2) + 4 * w * n * (n + n / 4 + n);
    const double each = 2.0 * (double)objects * (n * w * w * 2 + n * w * 9 * PATCH * PATCH + n * PATCH * PATCH * 25);
    printf("a picture  %7.2f ms  %5.1f GFLOP  %6.0f GFLOPS\n", best[0] * 1e3, once * 1e-9, once * 1e-9 / best[0]);
    printf("%3lld object%s %6.2f ms  %5.1f GFLOP  %6.0f GFLOPS\n", (long long)objects, objects > 1 ? "s" : " ",
           best[1] * 1e3, each * 1e-9, each * 1e-9 / best[1]);
    pct_parameters_free(&set);
    pct_arena_free(&t.weights);
    pct_arena_free(&arena);
    pct_compute_destroy(&t.compute);
    pct_pool_destroy(&pool);
    free(picture);
    return 0;
}
