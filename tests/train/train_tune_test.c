/* train_tune_test.c: runs of a tiny model that start with weights there are already: parts that stand still,
 * and LoRA. */
#include "run_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pct_gguf *open_result(const char *out) { return run_open(out, "model.gguf"); }

/* Parts that are frozen keep their numbers; a model file can be gone on from. */
static void frozen_parts_stay(void **state) {
    (void)state;
    percept_error error;
    struct run *first = run_tiny("f", 3), *second = run_tiny("g", 3);
    run_set(first, "run.type=f32");
    run_set(second, "run.type=f32");
    assert_int_equal(run_go(first, false, 0, 0, &error), PERCEPT_OK);
    run_set(second, "run.from=%s/f/model.gguf", run_folder);
    run_set(second, "optimiser.freeze=vision");
    assert_int_equal(run_go(second, false, 0, 0, &error), PERCEPT_OK);
    pct_gguf *files[2] = {open_result("f"), open_result("g")};
    int64_t same = 0, changed = 0;
    for (int64_t i = 0; i < pct_gguf_tensor_count(files[0]); i++) {
        const pct_gguf_tensor *before = pct_gguf_tensor_at(files[0], i), *after = pct_gguf_find(files[1], before->name);
        assert_non_null(after);
        bool equal = memcmp(before->data, after->data, before->size) == 0;
        if (strncmp(before->name, "v.", 2) == 0) {
            assert_true(equal);
            same++;
        } else {
            changed += !equal;
        }
    }
    assert_true(same > 4 && changed > 10);
    for (int i = 0; i < 2; i++) pct_gguf_close(&files[i]);
    run_set(second, "optimiser.freeze=vizion");
    run_set(second, "run.out=%s/h", run_folder);
    assert_int_equal(run_go(second, false, 0, 0, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "vizion"));
    free(first);
    free(second);
}

/* A run that fine-tunes nothing but LoRA of rank 2 on the result of run "la". */
static struct run *adapting(const char *out, const char *from, int merge) {
    struct run *run = run_tiny(out, 4);
    run_set(run, "run.from=%s/%s/model.gguf", run_folder, from);
    run_set(run, "run.type=f32");
    run_set(run, "run.merge=%d", merge);
    run_set(run, "model.lora.rank=2");
    run_set(run, "optimiser.freeze=vision,connector,language,heads");
    run_set(run, "optimiser.rate=0.01");
    run_set(run, "losses.naming=0");
    return run;
}

static double largest_difference(const pct_gguf *a, const pct_gguf *b, const char *name, const float *plus) {
    const pct_gguf_tensor *x = pct_gguf_find(a, name), *y = pct_gguf_find(b, name);
    assert_true(x && y && x->elements == y->elements);
    double most = 0;
    for (int64_t i = 0; i < x->elements; i++) {
        double difference = ((const float *)y->data)[i] - ((const float *)x->data)[i] - (plus ? plus[i] : 0);
        most = fmax(most, fabs(difference));
    }
    return most;
}

/* alpha/rank B A of a layer of 32 by 32, as the file has it. */
static void lora_product(const pct_gguf *file, const char *weight, float *out) {
    char name[64];
    snprintf(name, sizeof name, "%s.lora_a", weight);
    const pct_gguf_tensor *a = pct_gguf_find(file, name);
    snprintf(name, sizeof name, "%s.lora_b", weight);
    const pct_gguf_tensor *b = pct_gguf_find(file, name);
    assert_true(a && b && a->ne[0] == 32 && a->ne[1] == 2 && b->ne[0] == 2 && b->ne[1] == 32);
    const float *down = a->data, *up = b->data;
    for (int row = 0; row < 32; row++)
        for (int i = 0; i < 32; i++)
            out[row * 32 + i] = 64 / 2 * (up[row * 2] * down[i] + up[row * 2 + 1] * down[32 + i]);
}

/* Fresh LoRA on a finished model: it alone learns; the file keeps it apart or has it in its weights, which is the same
 * model; and what was kept apart is merged before the next fine-tuning begins. */
static void lora_fine_tunes_a_finished_model(void **state) {
    (void)state;
    percept_error error;
    static const char q[] = "blk.0.attn_q.weight";
    float product[32 * 32], most = 0;
    struct run *base = run_tiny("la", 3), *apart = adapting("lb", "la", 0), *merged = adapting("lc", "la", 1),
               *again = adapting("ld", "lb", 0);
    run_set(base, "run.type=f32");
    run_set(again, "optimiser.rate=0");
    assert_int_equal(run_go(base, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(run_go(apart, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(run_go(merged, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(run_go(again, false, 0, 0, &error), PERCEPT_OK);
    pct_gguf *before = open_result("la"), *kept = open_result("lb"), *one = open_result("lc"),
             *next = open_result("ld");
    lora_product(kept, q, product);
    for (int i = 0; i < 32 * 32; i++) most = fmaxf(most, fabsf(product[i]));
    assert_true(most > 1e-3f); /* it has learned */
    int64_t count = pct_gguf_tensor_count(before);
    assert_int_equal(pct_gguf_tensor_count(kept), count + 4); /* two matrices of queries, two of values */
    assert_int_equal(pct_gguf_tensor_count(one), count);
    for (int64_t i = 0; i < count; i++) {
        const char *name = pct_gguf_tensor_at(before, i)->name;
        assert_true(largest_difference(before, kept, name, NULL) == 0);
        if (!strstr(name, "attn_q.weight") && !strstr(name, "attn_v.weight"))
            assert_true(largest_difference(before, one, name, NULL) == 0);
    }
    assert_true(largest_difference(before, one, q, product) < 1e-6);
    assert_true(largest_difference(before, next, q, product) < 1e-6);
    lora_product(next, q, product); /* fresh, and nothing learned: B is zero */
    for (int i = 0; i < 32 * 32; i++) assert_true(product[i] == 0);
    for (int i = 0; i < 4; i++) pct_gguf_close((pct_gguf **[]){&before, &kept, &one, &next}[i]);
    free(base);
    free(apart);
    free(merged);
    free(again);
}

static void lora_resumes_and_is_refused(void **state) {
    (void)state;
    percept_error error;
    struct run *whole = adapting("le", "la", 0), *broken = adapting("lf", "la", 0), *none = adapting("lg", "la", 0);
    run_set(whole, "run.log_every=1");
    run_set(broken, "run.log_every=1");
    assert_int_equal(run_go(whole, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(run_go(broken, false, 2, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    assert_int_equal(run_go(broken, true, 0, 0, &error), PERCEPT_OK);
    run_assert_same_files("le", "lf", "checkpoint-0000000004.gguf");
    run_set(none, "model.lora.targets=attn_x");
    assert_int_equal(run_go(none, false, 0, 0, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "attn_x"));
    free(whole);
    free(broken);
    free(none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frozen_parts_stay),
        cmocka_unit_test(lora_fine_tunes_a_finished_model),
        cmocka_unit_test(lora_resumes_and_is_refused),
    };
    return cmocka_run_group_tests(tests, run_group_open, run_group_close);
}
