/* Language models against transformers, layer by layer in F32, on the files that tools/golden/language.py made. */
#include "base/cpu.h"
#include "formats/npy.h"
#include "model/model_private.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MOST 1e-4 /* relative error */

static pct_pool *pool;
static pct_compute *compute;

static int set_up(void **state) {
    percept_error error = {0};
    assert_int_equal(pct_pool_create(&pool, 2, &error), PERCEPT_OK);
    assert_int_equal(pct_compute_create(&compute, pool, pct_cpu_flags(), &error), PERCEPT_OK);
    return 0;
}

static int tear_down(void **state) {
    pct_compute_destroy(&compute);
    pct_pool_destroy(&pool);
    return 0;
}

static pct_npy read_array(const char *name, const char *part) {
    char path[512];
    pct_npy array;
    percept_error error = {0};
    snprintf(path, sizeof path, "%s/%s.%s.npy", GOLDEN, name, part);
    if (pct_npy_read(&array, path, 1 << 24, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    return array;
}

/* Length of the difference over the length of what is wanted. */
static void compare(const char *name, const char *stage, int index, const pct_npy *wanted, int64_t first,
                    const pct_tensor *x) {
    double apart = 0, length = 0;
    const int64_t count = pct_tensor_count(x);
    assert_true(first + count <= wanted->count);
    for (int64_t i = 0; i < count; i++) {
        const double want = pct_npy_at(wanted, first + i), difference = (double)pct_tensor_data(x)[i] - want;
        apart += difference * difference;
        length += want * want;
    }
    assert_true(length > 0);
    if (!(sqrt(apart / length) <= MOST)) fail_msg("%s: %s %d: %g", name, stage, index, sqrt(apart / length));
}

typedef struct seen {
    const char *name;
    pct_npy layers;
    int count;
} seen;

static void see_layer(void *context, int index, const pct_tensor *x) {
    seen *s = context;
    assert_int_equal(index, s->count++);
    compare(s->name, "layer", index, &s->layers, index * pct_tensor_count(x), x);
}

/* All rows at once, or through a cache in pieces (each piece's rows see those before). */
static void run(const char *name, pct_model *model, int32_t piece) {
    percept_error error = {0};
    pct_npy ids = read_array(name, "ids"), states = read_array(name, "states"), logits = read_array(name, "logits");
    seen s = {name, read_array(name, "layers"), 0};
    const int32_t count = (int32_t)ids.count;
    pct_arena arena;
    pct_tape tape;
    pct_cache cache = {0};
    pct_arena_init(&arena, 0);
    pct_tape_init(&tape, compute, &arena, false, PCT_REAL);
    if (piece < count)
        assert_int_equal(pct_cache_reserve(&cache, &model->language.options, count, 0, &error), PERCEPT_OK);
    for (int32_t at = 0; at < count; at += piece) {
        int32_t positions[64], wanted[64];
        assert_true(piece <= 64 && at + piece <= count);
        for (int32_t i = 0; i < piece; i++) {
            positions[i] = at + i;
            wanted[i] = i;
        }
        const pct_span span = {.q_count = piece, .own_count = at + piece, .causal = 1};
        pct_language_input input = {
            .x = pct_op_gather_rows(&tape, &model->language.embedding->tensor, (const int32_t *)ids.data + at, piece),
            .positions = positions,
            .spans = &span,
            .span_count = 1,
            .wanted = wanted,
            .wanted_count = piece,
            .wanted_spans = &span,
            .wanted_span_count = 1,
        };
        if (piece < count) {
            input.cache = &cache;
            input.cache_rows = positions;
            input.cache_used = at + piece;
        } else {
            input.layer = see_layer;
            input.context = &s;
        }
        pct_tensor *x = pct_language_states(&tape, &model->language, &input);
        pct_tensor *y = pct_language_logits(&tape, &model->language, x);
        assert_int_equal(pct_tape_status(&tape, &error), PERCEPT_OK);
        compare(name, "states from row", at, &states, at * pct_tensor_width(x), x);
        compare(name, "logits from row", at, &logits, at * pct_tensor_width(y), y);
        pct_tape_clear(&tape);
        pct_arena_reset(&arena);
    }
    assert_int_equal(s.count, piece < count ? 0 : model->language.options.layers);
    pct_cache_free(&cache);
    pct_arena_free(&arena);
    pct_npy_free(&ids);
    pct_npy_free(&states);
    pct_npy_free(&logits);
    pct_npy_free(&s.layers);
}

static void models(void **state) {
    static const char *const names[] = {"llama", "llama-tied", "llama3", "qwen2", "qwen2-untied"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        pct_model *model = NULL;
        percept_error error = {0};
        snprintf(path, sizeof path, "%s/%s.gguf", GOLDEN, names[i]);
        if (pct_model_open(&model, path, false, &error) != PERCEPT_OK) fail_msg("%s", error.message);
        run(names[i], model, 16);
        run(names[i], model, 4);
        run(names[i], model, 1);
        pct_model_close(&model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(models)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
