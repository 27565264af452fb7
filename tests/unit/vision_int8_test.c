/* vision_int8_test.c: a tower's INT8 products against F32 on the very same stored weights: random ones, and such whose
 * norms before an MLP make eight channels a hundred times as large, as trained towers have them. */
#include "base/cpu.h"
#include "base/random.h"
#include "vision/tower.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 128, SIDE = 64, ROWS = 65 };

typedef struct source {
    pct_kernels kernels;
    pct_arena arena;
    float outlier; /* of eight channels in every norm before an MLP */
} source;

static bool is_outlier(int64_t channel) { return channel % 16 == 5; }

static percept_status make(void *context, const pct_weight_spec *spec, pct_parameters *set, pct_parameter **parameter,
                           percept_error *error) {
    source *s = context;
    pct_random random;
    pct_random_init(&random, 7, pct_hash_bytes(spec->name, strlen(spec->name)), 0);
    if (strstr(spec->name, ".ln2.weight")) {
        *parameter = pct_parameters_add(set, spec->name, 1, spec->dim, false, error);
        for (int64_t i = 0; i < spec->dim[0]; i++)
            pct_tensor_data(&(*parameter)->tensor)[i] =
                (is_outlier(i) ? s->outlier : 1) * (1 + 0.2f * pct_random_normal(&random));
        return PERCEPT_OK;
    }
    if (spec->rank != 2 || spec->plain) return PERCEPT_OK; /* by the builder */
    const int64_t rows = spec->dim[0], width = spec->dim[1];
    size_t bytes;
    assert_true(pct_dtype_row_bytes(PCT_Q8_0, width, &bytes));
    unsigned char *data = pct_arena_take(&s->arena, bytes * (size_t)rows);
    float row[1024];
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < width; i++) row[i] = pct_random_normal(&random) / sqrtf((float)width);
        s->kernels.quantise[PCT_Q8_0](data + (size_t)r * bytes, row, width);
    }
    *parameter = pct_parameters_add_stored(set, spec->name, PCT_Q8_0, 2, spec->dim, data, error);
    return *parameter ? PERCEPT_OK : PERCEPT_ERROR_RESOURCE;
}

/* The last layer's rows; int8: products of stored weights in INT8. */
static void run(float *out, bool int8, float outlier, enum pct_activation f) {
    const pct_tower_options options = {.side = SIDE,
                                       .stride = 8,
                                       .fine_stride = 8,
                                       .width = WIDTH,
                                       .layers = 4,
                                       .heads = 4,
                                       .mlp = 256,
                                       .layer_scale = true,
                                       .activation = f,
                                       .epsilon = 1e-6};
    pct_compute *compute = NULL;
    pct_parameters set;
    pct_tower tower;
    pct_tape tape;
    source s = {.outlier = outlier};
    assert_int_equal(pct_compute_create(&compute, NULL, pct_cpu_flags(), NULL), PERCEPT_OK);
    if (int8) compute->int8 = true; /* also where it is no faster: the plain tile gives the same sums */
    pct_kernels_init(&s.kernels, pct_cpu_flags());
    pct_arena_init(&s.arena, 0);
    pct_parameters_init(&set);
    pct_builder builder = {.set = &set, .seed = 3, .source = make, .context = &s};
    pct_tower_build(&tower, &builder, &options);
    assert_int_equal(builder.status, PERCEPT_OK);
    float *pixels = malloc(SIDE * SIDE * 3 * sizeof *pixels);
    pct_random random;
    pct_random_init(&random, 1, 0, 0);
    for (int i = 0; i < SIDE * SIDE * 3; i++) pixels[i] = pct_random_normal(&random);
    pct_tape_init(&tape, compute, &s.arena, false, PCT_REAL);
    pct_tensor *input = pct_tape_input(&tape, PCT_REAL, 4, (int64_t[]){1, SIDE, SIDE, 3}, pixels);
    const pct_tensor *rows = pct_tower_apply(&tape, &tower, input).language;
    assert_int_equal(pct_tape_status(&tape, NULL), PERCEPT_OK);
    assert_int_equal(pct_tensor_count(rows), ROWS * WIDTH);
    memcpy(out, rows->data, ROWS * WIDTH * sizeof *out);
    free(pixels);
    pct_parameters_free(&set);
    pct_arena_free(&s.arena);
    pct_compute_destroy(&compute);
}

static double cosine(const float *a, const float *b, int count) {
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < count; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static void int8_keeps_the_direction(void **state) {
    static float exact[ROWS * WIDTH], rounded[ROWS * WIDTH];
    for (int hard = 0; hard < 2; hard++)
        for (int kind = 0; kind < 2; kind++) {
            const enum pct_activation f = kind ? PCT_GELU_ERF : PCT_QUICK_GELU;
            run(exact, false, hard ? 100 : 1, f);
            run(rounded, true, hard ? 100 : 1, f);
            assert_memory_not_equal(exact, rounded, sizeof exact); /* INT8 was in use */
            double worst = 1;
            for (int r = 0; r < ROWS; r++) worst = fmin(worst, cosine(exact + r * WIDTH, rounded + r * WIDTH, WIDTH));
            const double all = cosine(exact, rounded, ROWS * WIDTH);
            if (!(all >= 0.999 && worst >= 0.999))
                fail_msg("outliers %d, activation %d: cosine %.6f, of the worst row %.6f", hard, kind, all, worst);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8_keeps_the_direction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
