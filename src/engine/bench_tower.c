/* bench_tower.c: a vision tower alone, of any shape, with random weights that are nowhere a file. See bench.h. */
#include "base/random.h"
#include "engine/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct looking {
    pct_tower tower;
    pct_parameters set;
    pct_arena arena, weights;
    pct_tape tape;
    pct_dtype type;
    pct_kernels *kernels;
    pct_real *pixels;
} looking;

/* Frozen matrices as a model file's are, in the type that is measured, each in memory of its own. */
static percept_status make_matrix(void *context, const pct_weight_spec *spec, pct_parameters *set,
                                  pct_parameter **parameter, percept_error *error) {
    looking *l = context;
    size_t row_bytes;
    if (spec->rank != 2 || spec->plain) return PERCEPT_OK; /* made at random by the builder */
    const int64_t rows = spec->dim[0], width = spec->dim[1];
    PCT_ASSERT(pct_dtype_row_bytes(l->type, width, &row_bytes));
    unsigned char *data = pct_arena_take(&l->weights, (size_t)rows * row_bytes);
    pct_real *row = malloc((size_t)width * sizeof *row);
    if (!data || !row) {
        free(row);
        return pct_fail_memory(error, "random weights");
    }
    pct_random random;
    pct_random_init(&random, 1, pct_hash_bytes(spec->name, strlen(spec->name)), 0);
    const double scale = spec->scale / sqrt((double)width);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < width; i++)
            row[i] = (pct_real)(scale * (double)pct_random_between(&random, -1.7f, 1.7f));
        l->kernels->quantise[l->type](data + (size_t)r * row_bytes, row, width);
    }
    free(row);
    *parameter = pct_parameters_add_stored(set, spec->name, l->type, spec->rank, spec->dim, data, error);
    return *parameter ? PERCEPT_OK : PERCEPT_ERROR_RESOURCE;
}

static percept_status run_tower(pct_bench *b, void *context, percept_error *error) {
    looking *l = context;
    const int64_t side = l->tower.options.side;
    (void)b;
    pct_tower_apply(&l->tape, &l->tower,
                    pct_tape_input(&l->tape, PCT_REAL, 4, (int64_t[]){1, side, side, 3}, l->pixels));
    percept_status status = pct_tape_status(&l->tape, error);
    pct_tape_clear(&l->tape);
    pct_arena_reset(&l->arena);
    return status;
}

static void count(const looking *l, pct_bench_result *result) {
    const pct_tower_options *o = &l->tower.options;
    const double cells = (double)(o->side / o->stride) * (o->side / o->stride), rows = cells + 1, width = o->width;
    const double matrices = o->layers * (4 * width * width + 2 * width * o->mlp);
    const double patch = 3.0 * o->stride * o->stride * width;
    double bytes = 0;
    for (size_t i = 0; i < l->set.count; i++) {
        size_t row = 0;
        const pct_tensor *tensor = &l->set.list[i]->tensor;
        pct_dtype_row_bytes(tensor->type, pct_tensor_width(tensor), &row);
        bytes += (double)pct_tensor_rows(tensor) * (double)row;
    }
    result->flop = 2 * rows * matrices + 2 * cells * patch + o->layers * 4 * width * rows * rows;
    result->int8 = pct_dtype_block(l->type) > 1 ? 2 * rows * matrices : 0;
    result->bytes = bytes;
}

static percept_status measure(pct_bench *b, looking *l, const pct_tower_options *options, pct_bench_result *result,
                              percept_error *error) {
    pct_builder builder = {.set = &l->set, .seed = 1, .source = make_matrix, .context = l, .error = error};
    pct_tower_build(&l->tower, &builder, options);
    PCT_TRY(builder.status);
    const size_t pixels = (size_t)options->side * (size_t)options->side * 3;
    l->pixels = malloc(pixels * sizeof *l->pixels);
    if (!l->pixels) return pct_fail_memory(error, "bench");
    pct_random random;
    pct_random_init(&random, 3, 0, 0);
    for (size_t i = 0; i < pixels; i++) l->pixels[i] = (pct_real)pct_random_between(&random, -2, 2);
    double seconds;
    PCT_TRY(pct_bench_time(b, run_tower, l, b->options->seconds, &seconds, NULL, error));
    *result = (pct_bench_result){.ms = seconds * 1e3, .rate = 1 / seconds, .unit = "pictures/s"};
    result->bf16 = l->tape.product == PCT_BF16;
    count(l, result);
    if (!b->compute->int8) result->int8 = 0;
    b->work.encode_bytes = fmax(b->work.encode_bytes, result->bytes);
    b->work.parameters = 0;
    for (size_t i = 0; i < l->set.count; i++) b->work.parameters += pct_tensor_count(&l->set.list[i]->tensor);
    return PERCEPT_OK;
}

percept_status pct_bench_tower_alone(pct_bench *b, const pct_tower_options *options, pct_dtype type,
                                     pct_bench_result *result, percept_error *error) {
    looking l = {.type = type, .kernels = &b->compute->kernels};
    pct_arena_init(&l.arena, (size_t)16 << 20);
    pct_arena_init(&l.weights, (size_t)16 << 20);
    pct_parameters_init(&l.set);
    pct_tape_init(&l.tape, b->compute, &l.arena, false, pct_compute_prefers_bf16(b->compute) ? PCT_BF16 : PCT_REAL);
    percept_status status = measure(b, &l, options, result, error);
    pct_parameters_free(&l.set);
    pct_arena_free(&l.arena);
    pct_arena_free(&l.weights);
    free(l.pixels);
    return status;
}
