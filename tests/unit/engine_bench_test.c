/* What the speed measurement counts, and how it sets a stage beside the machine. Times are no test's matter. */
#include "engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>

static void near(double found, double wanted) {
    if (fabs(found - wanted) > 1e-9 * fabs(wanted)) fail_msg("%.12g, wanted %.12g", found, wanted);
}

static void the_slower_limit_bounds(void **state) {
    (void)state;
    const pct_bench_peak peak = {.f32 = 100e9, .bf16 = 1000e9, .memory = 10e9, .cached = 50e9};
    pct_bench_result computing = {.ms = 4, .flop = 2e9, .bytes = 1e6, .bf16 = true}; /* 2 ms; 0.02 ms */
    pct_bench_compare(&peak, &computing);
    assert_false(computing.memory_bound);
    near(computing.share, 0.5);
    computing.bf16 = false; /* the F32 peak: 20 ms */
    pct_bench_compare(&peak, &computing);
    near(computing.share, 5);
    pct_bench_result reading = {.ms = 1, .flop = 1e6, .bytes = 25e6, .bf16 = true}; /* 0.001 ms; 0.5 ms */
    pct_bench_compare(&peak, &reading);
    assert_true(reading.memory_bound);
    near(reading.share, 0.5);
    reading.from_memory = true; /* 2.5 ms */
    pct_bench_compare(&peak, &reading);
    near(reading.share, 2.5);
    const pct_bench_peak bytes = {.f32 = 100e9, .bf16 = 1000e9, .int8 = 2000e9, .memory = 10e9, .cached = 50e9};
    pct_bench_result mixed = {.ms = 4, .flop = 2e9, .int8 = 1e9, .bf16 = true}; /* 1 ms and 0.5 ms */
    pct_bench_compare(&bytes, &mixed);
    near(mixed.share, 1.5 / 4);
    pct_bench_compare(&peak, &mixed); /* without the instruction all of it is the other kind */
    near(mixed.share, 0.5);
    const pct_bench_peak plain = {.f32 = 100e9, .memory = 10e9, .cached = 50e9}; /* no BF16 here */
    pct_bench_result fallen_back = {.ms = 40, .flop = 2e9, .bf16 = true};
    pct_bench_compare(&plain, &fallen_back);
    near(fallen_back.share, 0.5);
}

/* The language model's part by hand, from the shapes; every weight's bytes at most once. */
static void counts_follow_from_the_shapes(void **state) {
    (void)state;
    percept_error error = {0};
    pct_model_config c;
    pct_model_config_default(&c);
    pct_model *model = NULL;
    if (pct_model_create(&model, &c, NULL, 1, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    pct_bench_work work = pct_bench_count(model);
    double width = c.language.width, keys = width / c.language.heads * c.language.kv_heads;
    double layer = 2 * width * width + 2 * width * keys + 3 * width * c.language.mlp;
    near(work.row, 2 * layer * c.language.layers);
    near(work.row_bytes, 4 * layer * c.language.layers);
    near(work.output, 2 * width * c.language.vocabulary);
    near(work.output_bytes, 4 * width * c.language.vocabulary);
    assert_true(work.row_stored == 0 && work.encode_stored == 0 && work.region_stored == 0); /* F32, all of it */
    const pct_parameters *set = pct_model_get_parameters(model);
    int64_t parameters = 0;
    for (size_t i = 0; i < set->count; i++) parameters += pct_tensor_count(&set->list[i]->tensor);
    assert_int_equal(work.parameters, parameters);
    double bytes = work.encode_bytes + work.row_bytes + work.output_bytes + work.region_bytes;
    assert_true(work.encode_bytes > 0 && work.region_bytes > 0);
    assert_true(bytes < 4.0 * (double)parameters && bytes > 3.6 * (double)parameters);
    assert_true(work.encode > work.row * 145 && work.region > 0);
    pct_model_close(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slower_limit_bounds),
        cmocka_unit_test(counts_follow_from_the_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
