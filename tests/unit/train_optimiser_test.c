/* train_optimiser_test.c: AdamW against values worked out by hand, the schedule, the config's table. */
#include "train/config.h"
#include "train/optimiser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
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
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_steps_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(the_clip_scales_the_gradient, setup, teardown),
        cmocka_unit_test_setup_teardown(the_average_swaps_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_to_learn_is_refused, setup, teardown),
        cmocka_unit_test(the_schedule_rises_and_falls),
        cmocka_unit_test(config_defaults_agree_with_the_model),
        cmocka_unit_test(configs_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
