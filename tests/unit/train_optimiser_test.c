/* train_optimiser_test.c: AdamW against values worked out by hand, Muon against its steps in double precision, the
 * schedule, the config's table. */
#include "base/cpu.h"
#include "base/random.h"
#include "train/config.h"
#include "train/optimiser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define near(a, b, within) assert_true(fabs((double)(a) - (double)(b)) < (within))

struct fixture {
    pct_pool *pool;
    pct_compute *compute;
    pct_parameters set;
    pct_parameter *matrix, *norm, *frozen;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_int_equal(pct_pool_create(&f->pool, 2, NULL), PERCEPT_OK);
    assert_int_equal(pct_compute_create(&f->compute, f->pool, 0, NULL), PERCEPT_OK);
    pct_parameters_init(&f->set);
    f->matrix = pct_parameters_add(&f->set, "m.weight", 2, (int64_t[]){2, 1}, true, NULL);
    f->norm = pct_parameters_add(&f->set, "n.weight", 1, (int64_t[]){70000}, true, NULL); /* more than one chunk */
    f->frozen = pct_parameters_add(&f->set, "f.weight", 1, (int64_t[]){3}, false, NULL);
    f->matrix->decay = true;
    pct_tensor_data(&f->matrix->tensor)[0] = 1;
    pct_tensor_data(&f->matrix->tensor)[1] = -2;
    for (int i = 0; i < 70000; i++) pct_tensor_data(&f->norm->tensor)[i] = 1;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    pct_parameters_free(&f->set);
    pct_compute_destroy(&f->compute);
    pct_pool_destroy(&f->pool);
    free(f);
    return 0;
}

static void two_steps_by_hand(void **state) {
    struct fixture *f = *state;
    pct_optimiser_options options = {.beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-8f, .decay = 0.1f, .ema = 0.5f};
    pct_optimiser optimiser;
    assert_int_equal(pct_optimiser_init(&optimiser, &options, f->compute, &f->set, NULL), PERCEPT_OK);
    assert_int_equal(optimiser.count, 2);
    assert_int_equal(optimiser.elements, 70002);
    uint64_t version = f->matrix->version;
    f->matrix->tensor.grad[0] = 0.5f;
    f->matrix->tensor.grad[1] = -0.25f;
    f->norm->tensor.grad[69999] = 2;
    near(pct_optimiser_norm(&optimiser), sqrt(0.25 + 0.0625 + 4), 1e-6);
    pct_optimiser_step(&optimiser, 0.01, 1, 1);
    /* The first step moves by the rate against the gradient's sign; decay takes rate*decay of the weight besides. */
    const pct_real *w = pct_tensor_data(&f->matrix->tensor);
    near(w[0], 1 - 0.01 * 0.1 - 0.01, 1e-6);
    near(w[1], -2 + 0.01 * 0.1 * 2 + 0.01, 1e-6);
    near(pct_tensor_data(&f->norm->tensor)[69999], 1 - 0.01, 1e-6); /* no decay */
    near(pct_tensor_data(&f->norm->tensor)[0], 1, 1e-9);
    assert_true(f->matrix->version > version);
    /* ema: keep = min(0.5, 2/11) */
    near(optimiser.ema[0][0], w[0] + 2.0 / 11 * (1 - w[0]), 1e-6);
    /* Second step, gradient 1: m = 0.9*0.05+0.1, v = 0.99*0.0025+0.01 */
    double before = w[0], m = 0.145 / (1 - 0.81), v = 0.012475 / (1 - 0.9801);
    pct_optimiser_zero(&optimiser);
    assert_true(f->norm->tensor.grad[69999] == 0);
    f->matrix->tensor.grad[0] = 1;
    pct_optimiser_step(&optimiser, 0.01, 1, 2);
    near(w[0], before - 0.01 * 0.1 * before - 0.01 * m / sqrt(v), 1e-6);
    pct_optimiser_free(&optimiser);
}

static void the_clip_scales_the_gradient(void **state) {
    struct fixture *f = *state;
    /* Without momentum and with a large epsilon the step is nearly the scaled gradient over epsilon. */
    pct_optimiser_options options = {.beta1 = 0, .beta2 = 0, .epsilon = 100, .clip = 1};
    pct_optimiser optimiser;
    assert_int_equal(pct_optimiser_init(&optimiser, &options, f->compute, &f->set, NULL), PERCEPT_OK);
    f->matrix->tensor.grad[0] = 3;
    f->matrix->tensor.grad[1] = 4;
    double norm = pct_optimiser_norm(&optimiser);
    near(norm, 5, 1e-6);
    pct_optimiser_step(&optimiser, 1, norm, 1);
    near(pct_tensor_data(&f->matrix->tensor)[0], 1 - 0.6 / 100.6, 1e-6);
    near(pct_tensor_data(&f->matrix->tensor)[1], -2 - 0.8 / 100.8, 1e-6);
    pct_optimiser_free(&optimiser);
}

static void the_average_swaps_there_and_back(void **state) {
    struct fixture *f = *state;
    pct_optimiser_options options = {.beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-8f, .ema = 0.9f};
    pct_optimiser optimiser;
    assert_int_equal(pct_optimiser_init(&optimiser, &options, f->compute, &f->set, NULL), PERCEPT_OK);
    f->matrix->tensor.grad[0] = 1;
    pct_optimiser_step(&optimiser, 0.1, 1, 1);
    pct_real weight = pct_tensor_data(&f->matrix->tensor)[0], average = optimiser.ema[0][0];
    assert_true(weight != average);
    uint64_t version = f->matrix->version;
    pct_optimiser_swap(&optimiser);
    assert_true(pct_tensor_data(&f->matrix->tensor)[0] == average && f->matrix->version > version);
    pct_optimiser_swap(&optimiser);
    assert_true(pct_tensor_data(&f->matrix->tensor)[0] == weight && optimiser.ema[0][0] == average);
    pct_optimiser_free(&optimiser);
}

static void nothing_to_learn_is_refused(void **state) {
    struct fixture *f = *state;
    f->matrix->trainable = f->norm->trainable = false;
    pct_optimiser optimiser;
    pct_optimiser_options options = {.beta1 = 0.9f, .beta2 = 0.99f};
    assert_int_equal(pct_optimiser_init(&optimiser, &options, f->compute, &f->set, NULL), PERCEPT_ERROR_USAGE);
    f->matrix->trainable = f->norm->trainable = true;
}

/* ---- Muon ---- */

static void fill(pct_real *x, int64_t count, uint64_t stream) {
    pct_random random;
    pct_random_init(&random, 5, stream, 0);
    for (int64_t i = 0; i < count; i++) x[i] = (pct_real)pct_random_normal(&random);
}

/* out (n,n) = x x' of x (n,k) in double precision. */
static void gram_of(double *out, const double *x, int n, int k) {
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int l = 0; l < k; l++) sum += x[i * k + l] * x[j * k + l];
            out[i * n + j] = sum;
        }
    }
}

static void times(double *out, const double *a, const double *b, int m, int k, int n) {
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int l = 0; l < k; l++) sum += a[i * k + l] * b[l * n + j];
            out[i * n + j] = sum;
        }
    }
}

/* The five steps on x (n,k), n <= k, as the paper writes them. */
static void reference(double *x, int n, int k) {
    double *gram = malloc(sizeof(double) * (size_t)(n * n)), *square = malloc(sizeof(double) * (size_t)(n * n)),
           *next = malloc(sizeof(double) * (size_t)(n * k)), norm = 0;
    for (int i = 0; i < n * k; i++) norm += x[i] * x[i];
    for (int i = 0; i < n * k; i++) x[i] /= sqrt(norm) + 1e-7;
    for (int step = 0; step < 5; step++) {
        gram_of(gram, x, n, k);
        times(square, gram, gram, n, n, n);
        for (int i = 0; i < n * n; i++) gram[i] = -4.7750 * gram[i] + 2.0315 * square[i];
        times(next, gram, x, n, n, k);
        for (int i = 0; i < n * k; i++) x[i] = 3.4445 * x[i] + next[i];
    }
    free(gram);
    free(square);
    free(next);
}

/* The eigenvalues of a symmetric matrix end on its diagonal (Jacobi's rotations). */
static void diagonalise(double *a, int n) {
    for (int round = 0; round < 12; round++) {
        for (int p = 0; p < n; p++) {
            for (int q = p + 1; q < n; q++) {
                double angle = 0.5 * atan2(2 * a[p * n + q], a[q * n + q] - a[p * n + p]);
                double c = cos(angle), s = sin(angle);
                for (int i = 0; i < n; i++) {
                    double x = a[i * n + p], y = a[i * n + q];
                    a[i * n + p] = c * x - s * y;
                    a[i * n + q] = s * x + c * y;
                }
                for (int i = 0; i < n; i++) {
                    double x = a[p * n + i], y = a[q * n + i];
                    a[p * n + i] = c * x - s * y;
                    a[q * n + i] = s * x + c * y;
                }
            }
        }
    }
}

static pct_muon *muon_for(pct_compute *compute, pct_parameters *set, int rows, int columns) {
    static int serial;
    char name[32];
    snprintf(name, sizeof name, "o%d.weight", serial++);
    pct_parameter *parameter = pct_parameters_add(set, name, 2, (int64_t[]){rows, columns}, true, NULL);
    pct_muon_matrix matrix;
    assert_false(pct_muon_takes(parameter, &matrix)); /* as a table */
    parameter->matrix = true;
    assert_true(pct_muon_takes(parameter, &matrix));
    pct_muon *muon = NULL;
    assert_int_equal(pct_muon_create(&muon, compute, &matrix, 1, NULL), PERCEPT_OK);
    return muon;
}

/* Lying and standing: the reference, and singular values near 1. */
static void updates_are_orthogonal(void **state) {
    struct fixture *f = *state;
    static const int shapes[][2] = {{24, 70}, {70, 24}, {32, 64}, {100, 33}, {16, 500}};
    for (uint32_t flags = 0; flags != 2; flags++) {
        pct_compute *compute;
        assert_int_equal(pct_compute_create(&compute, f->pool, flags ? pct_cpu_flags() : 0, NULL), PERCEPT_OK);
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            const int rows = shapes[s][0], columns = shapes[s][1], n = rows < columns ? rows : columns,
                      k = rows < columns ? columns : rows, count = n * k;
            pct_muon *muon = muon_for(compute, &f->set, rows, columns);
            pct_real *x = malloc(sizeof *x * (size_t)count);
            double *wanted = malloc(sizeof *wanted * (size_t)count), *got = malloc(sizeof *got * (size_t)count),
                   *gram = malloc(sizeof *gram * (size_t)(n * n));
            fill(x, count, s);
            for (int i = 0; i < count; i++) x[i] *= 1e-3f; /* the size of gradients does not matter */
            for (int i = 0; i < count; i++) wanted[rows < columns ? i : i % n * k + i / n] = x[i];
            reference(wanted, n, k);
            pct_muon_orthogonalise(muon, x, rows, columns);
            for (int i = 0; i < count; i++) {
                const int turned = rows < columns ? i : i % n * k + i / n;
                got[turned] = x[i];
                near(x[i], wanted[turned], 0.02);
            }
            gram_of(gram, got, n, k);
            diagonalise(gram, n);
            for (int i = 0; i < n; i++) assert_in_range((int)(1000 * sqrt(gram[i * n + i])), 600, 1300);
            free(x);
            free(wanted);
            free(got);
            free(gram);
            pct_muon_destroy(&muon);
        }
        pct_compute_destroy(&compute);
    }
}

/* One step of a matrix with one direction: decay, and the direction times 0.2*sqrt(max) as often as it is long. */
static void muon_steps_as_long_as_adamw(void **state) {
    struct fixture *f = *state;
    pct_parameter *kernel = pct_parameters_add(&f->set, "k.weight", 4, (int64_t[]){16, 2, 2, 8}, true, NULL);
    pct_parameter *thin = pct_parameters_add(&f->set, "t.weight", 2, (int64_t[]){15, 400}, true, NULL);
    kernel->matrix = thin->matrix = kernel->decay = true;
    kernel->rate_scale = 0.5f;
    pct_real *w = pct_tensor_data(&kernel->tensor);
    w[511] = 1;
    pct_optimiser_options options = {.kind = PCT_OPTIMISER_MUON,
                                     .momentum = 0.95f,
                                     .beta1 = 0.9f,
                                     .beta2 = 0.99f,
                                     .epsilon = 1e-8f,
                                     .decay = 0.1f,
                                     .ema = 0.5f};
    pct_optimiser optimiser;
    assert_int_equal(pct_optimiser_init(&optimiser, &options, f->compute, &f->set, NULL), PERCEPT_OK);
    assert_int_equal(optimiser.count, 4);
    assert_int_equal(optimiser.elements - optimiser.v_elements, 512); /* not the thin one */
    assert_true(!optimiser.v[2] && optimiser.v[3] && optimiser.muon);
    for (int i = 0; i < 16; i++) kernel->tensor.grad[i * 32 + i] = i % 2 ? -3 : 3;
    thin->tensor.grad[7] = 2;
    pct_optimiser_step(&optimiser, 0.01, pct_optimiser_norm(&optimiser), 1);
    double unit = 0.25; /* all singular values of the normalised matrix; then through the polynomial */
    for (int i = 0; i < 5; i++) unit = 3.4445 * unit - 4.7750 * pow(unit, 3) + 2.0315 * pow(unit, 5);
    const double move = 0.005 * 0.2 * sqrt(32) * unit;
    near(w[0], -move, 0.05 * move); /* BF16 */
    near(w[33], move, 0.05 * move);
    near(w[1], 0, 1e-6);
    near(w[511], 1 - 0.005 * 0.1, 1e-6);
    near(optimiser.ema[2][511], w[511] + 2.0 / 11 * (1 - w[511]), 1e-6);
    near(optimiser.m[2][0], 0.05 * 3, 1e-6);
    near(pct_tensor_data(&thin->tensor)[7], -0.01, 1e-6); /* AdamW's first step */
    /* Without a gradient nothing moves but by decay. */
    const pct_real before = w[0];
    pct_optimiser_zero(&optimiser);
    pct_optimiser_step(&optimiser, 0.01, 0, 2);
    near(w[0], before * (1 - 0.005 * 0.1), 1e-7);
    near(optimiser.m[2][0], 0.95 * 0.05 * 3, 1e-6);
    pct_optimiser_free(&optimiser);
}

/* Least squares: y = W x for 64 inputs, gradient (W-W0) X X'/64. Weights after 100 steps; returns the part of the error
 * that is left. */
static double regression(pct_compute *compute, enum pct_optimiser_kind kind, pct_real *weights) {
    enum { OUT = 24, IN = 40, ROWS = 64 };
    pct_parameters set;
    pct_parameters_init(&set);
    pct_parameter *layers[2];
    pct_real x[2][ROWS * IN], goal[2][OUT * IN];
    for (int l = 0; l < 2; l++) {
        layers[l] = pct_parameters_add(&set, l ? "b.weight" : "a.weight", 2, (int64_t[]){OUT, IN}, true, NULL);
        layers[l]->matrix = true;
        fill(x[l], ROWS * IN, 10 + l);
        fill(goal[l], OUT * IN, 20 + l);
    }
    pct_optimiser_options options = {
        .kind = kind, .momentum = 0.95f, .beta1 = 0.9f, .beta2 = 0.98f, .epsilon = 1e-8f, .clip = 1};
    pct_optimiser optimiser;
    assert_int_equal(pct_optimiser_init(&optimiser, &options, compute, &set, NULL), PERCEPT_OK);
    double first = 0, error = 0;
    for (int step = 1; step <= 150; step++) {
        pct_optimiser_zero(&optimiser);
        error = 0;
        for (int l = 0; l < 2; l++) {
            const pct_real *w = pct_tensor_data(&layers[l]->tensor);
            for (int r = 0; r < ROWS; r++) {
                for (int o = 0; o < OUT; o++) {
                    double off = 0;
                    for (int i = 0; i < IN; i++) off += (w[o * IN + i] - goal[l][o * IN + i]) * x[l][r * IN + i];
                    error += off * off / ROWS;
                    for (int i = 0; i < IN; i++) {
                        layers[l]->tensor.grad[o * IN + i] += (pct_real)(off * x[l][r * IN + i] / ROWS);
                    }
                }
            }
        }
        if (step == 1) first = error;
        pct_optimiser_step(&optimiser, pct_schedule_rate(0.1, step, 10, 150, 0.01), pct_optimiser_norm(&optimiser),
                           step);
    }
    memcpy(weights, pct_tensor_data(&layers[1]->tensor), sizeof(pct_real) * OUT * IN);
    pct_optimiser_free(&optimiser);
    pct_parameters_free(&set);
    return error / first;
}

static void muon_learns_alike_on_any_number_of_threads(void **state) {
    struct fixture *f = *state;
    pct_real two[24 * 40], one[24 * 40];
    pct_compute *alone;
    assert_int_equal(pct_compute_create(&alone, NULL, 0, NULL), PERCEPT_OK);
    const double left = regression(f->compute, PCT_OPTIMISER_MUON, two);
    if (left > 0.01) fail_msg("%g of the error is left", left);
    regression(alone, PCT_OPTIMISER_MUON, one);
    assert_memory_equal(one, two, sizeof one);
    pct_compute_destroy(&alone);
}

static void the_schedule_rises_and_falls(void **state) {
    (void)state;
    near(pct_schedule_rate(2, 1, 10, 110, 0.1), 0.2, 1e-12);
    near(pct_schedule_rate(2, 5, 10, 110, 0.1), 1, 1e-12);
    near(pct_schedule_rate(2, 10, 10, 110, 0.1), 2, 1e-12);
    near(pct_schedule_rate(2, 60, 10, 110, 0.1), 2 * (0.1 + 0.9 * 0.5), 1e-12);
    near(pct_schedule_rate(2, 110, 10, 110, 0.1), 0.2, 1e-12);
    near(pct_schedule_rate(2, 200, 10, 110, 0.1), 0.2, 1e-12);
    near(pct_schedule_rate(2, 1, 0, 4, 0), 2 * 0.5 * (1 + cos(acos(-1) / 4)), 1e-12);
    for (int step = 11; step < 110; step++) {
        assert_true(pct_schedule_rate(2, step + 1, 10, 110, 0.1) < pct_schedule_rate(2, step, 10, 110, 0.1));
    }
}

/* The table's defaults are those of the model's own code. */
static void config_defaults_agree_with_the_model(void **state) {
    (void)state;
    pct_train_config config;
    pct_config reader;
    percept_error error = {0};
    const char *settings[] = {"run.out=x", "data.cutouts=y"};
    assert_int_equal(pct_train_config_load(&config, &reader, NULL, settings, 2, &error), PERCEPT_OK);
    pct_model_config model;
    pct_model_config_default(&model);
    assert_memory_equal(&config.model.image, &model.image, sizeof model.image);
    assert_memory_equal(&config.model.vision, &model.vision, sizeof model.vision);
    assert_memory_equal(&config.model.language, &model.language, sizeof model.language);
    assert_memory_equal(&config.model.heads, &model.heads, sizeof model.heads);
    assert_memory_equal(&config.model.lora, &model.lora, sizeof model.lora);
    pct_loss_weights losses;
    pct_loss_weights_default(&losses);
    assert_memory_equal(&config.losses, &losses, sizeof losses);
    pct_config_free(&reader);
}

static void refused(const char *a, const char *b, const char *said) {
    pct_train_config config;
    pct_config reader;
    percept_error error = {0};
    const char *settings[] = {"run.out=x", "data.cutouts=y", a, b};
    percept_status status = pct_train_config_load(&config, &reader, NULL, settings, b ? 4 : 3, &error);
    assert_true(status == PERCEPT_ERROR_INPUT || status == PERCEPT_ERROR_USAGE);
    if (!strstr(error.message, said)) fail_msg("'%s' lacks '%s'", error.message, said);
    pct_config_free(&reader);
}

static void configs_that_make_no_sense_are_refused(void **state) {
    (void)state;
    refused("schedule.steps=10", "schedule.warmup=20", "schedule.warmup");
    refused("data.folder=z", NULL, "data.folder");
    refused("data.cutouts=", NULL, "data.pack");
    refused("data.weights=1,2", NULL, "data.weights");
    refused("data.styles=photo,oil", NULL, "data.styles");
    refused("model.vision.heads=7", NULL, "vision.heads");
    refused("model.image.mean=0.5", NULL, "model.image.mean");
    refused("schedule.stepz=10", NULL, "schedule.stepz");
    refused("optimiser.beta1=1", NULL, "optimiser.beta1");
    refused("optimiser.kind=muom", NULL, "optimiser.kind");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_steps_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(the_clip_scales_the_gradient, setup, teardown),
        cmocka_unit_test_setup_teardown(the_average_swaps_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_to_learn_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(updates_are_orthogonal, setup, teardown),
        cmocka_unit_test_setup_teardown(muon_steps_as_long_as_adamw, setup, teardown),
        cmocka_unit_test_setup_teardown(muon_learns_alike_on_any_number_of_threads, setup, teardown),
        cmocka_unit_test(the_schedule_rises_and_falls),
        cmocka_unit_test(config_defaults_agree_with_the_model),
        cmocka_unit_test(configs_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
