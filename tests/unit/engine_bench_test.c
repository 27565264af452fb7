/* What the speed measurement counts, and how it sets a stage beside the machine. Times are no test's matter. */
#include "base/cpu.h"
#include "engine/bench.h"
#include "model/text.h"

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

/* A tower by itself: its operations by hand, in both types; INT8 only where the machine has it. */
static void towers_alone(void **state) {
    (void)state;
    const percept_bench_options options = {.seconds = 0.01};
    const pct_tower_options tower = {.side = 32,
                                     .stride = 8,
                                     .fine_stride = 8,
                                     .width = 64,
                                     .layers = 2,
                                     .heads = 2,
                                     .mlp = 96,
                                     .activation = PCT_QUICK_GELU,
                                     .epsilon = 1e-5};
    const double rows = 17, matrices = 2 * (4 * 64 * 64 + 2 * 64 * 96);
    const double flop = 2 * rows * matrices + 2 * 16 * 3 * 8 * 8 * 64 + 2 * 4 * 64 * rows * rows;
    for (int int8 = 0; int8 < 2; int8++) {
        percept_error error = {0};
        pct_bench bench = {.options = &options};
        pct_bench_result result = {0};
        if (pct_compute_create(&bench.compute, NULL, pct_cpu_flags(), &error)) fail_msg("%s", error.message);
        const bool faster = pct_compute_use_int8(bench.compute);
        if (pct_bench_tower_alone(&bench, &tower, int8 ? PCT_Q8_0 : PCT_BF16, &result, &error))
            fail_msg("%s", error.message);
        assert_true(result.ms > 0);
        near(result.flop, flop);
        near(result.int8 + 1, 1 + (int8 && faster ? 2 * rows * matrices : 0));
        assert_true(result.bytes > matrices * (int8 ? 34.0 / 32 : 2) && result.bytes < matrices * 6);
        pct_compute_destroy(&bench.compute);
    }
}

/* A file of random weights: opened, it goes on with any text, and never with a special token; the file is gone. */
static void random_files(void **state) {
    (void)state;
    enum { vocabulary = 3000, tokens = 24 };
    pct_bench_file file;
    pct_bench_smollm2_135m(&file);
    file.vocabulary = vocabulary;
    file.config.language.layers = 2;
    file.config.language.context = 128;
    percept_error error = {0};
    pct_meter meter;
    pct_meter_start(&meter, NULL, NULL, "test", "file", 0, 1);
    pct_model *model = NULL;
    double seconds = -1;
    if (pct_bench_open_file(&model, &file, &meter, 0, &seconds, &error)) fail_msg("%s", error.message);
    assert_true(seconds >= 0);
    assert_int_equal(pct_model_get_config(model)->language.vocabulary, vocabulary);
    const pct_parameter *up = pct_parameters_find(pct_model_get_parameters(model), "blk.1.ffn_up.weight");
    assert_int_equal(up->tensor.type, PCT_Q4_1);
    pct_pool *pool;
    pct_compute *compute;
    pct_sequence *sequence;
    pct_generated made;
    int32_t ids[tokens];
    pct_bench_fill_ids(model, ids, tokens);
    assert_int_equal(pct_pool_create(&pool, 1, NULL), PERCEPT_OK);
    assert_int_equal(pct_compute_create(&compute, pool, 0, NULL), PERCEPT_OK);
    assert_int_equal(pct_sequence_create(&sequence, model, compute, PCT_REAL, PCT_REAL, NULL), PERCEPT_OK);
    const pct_generate_options options = {.max_tokens = tokens};
    assert_int_equal(pct_sequence_generate(sequence, ids, tokens, &options, &made, &error), PERCEPT_OK);
    assert_int_equal(made.count, tokens);
    for (int32_t i = 0; i < tokens; i++)
        assert_false(pct_tokenizer_is_special(pct_model_get_tokenizer(model), made.ids[i]));
    pct_sequence_destroy(&sequence);
    pct_compute_destroy(&compute);
    pct_pool_destroy(&pool);
    pct_model_close(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slower_limit_bounds),
        cmocka_unit_test(random_files),
        cmocka_unit_test(counts_follow_from_the_shapes),
        cmocka_unit_test(towers_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
