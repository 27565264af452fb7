/* train_run_test.c: whole runs of a tiny model on cut-outs that the test draws: resuming, interrupting, diverging, and
 * what is left in the folder. */
#include "train/run.h"

#include "base/size.h"
#include "model/model.h"
#include "run_support.h"
#include "train/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Interrupted after three steps and resumed, with validation and an average on the way, against one that was not. */
static void resumed_is_unbroken(const char *kind, const char *a, const char *b) {
    percept_error error;
    struct run *whole = run_tiny(a, 7), *broken = run_tiny(b, 7);
    for (int i = 0; i < 2; i++) {
        struct run *run = i ? broken : whole;
        run_set(run, "optimiser.kind=%s", kind);
        run_set(run, "optimiser.ema=0.9");
        run_set(run, "optimiser.accumulate=2");
        run_set(run, "run.validate_every=2");
        run_set(run, "run.validate_pictures=2");
        run_set(run, "run.log_every=1"); /* a line is always reported: the callback sees every step */
    }
    assert_int_equal(run_go(whole, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(run_go(broken, false, 3, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    assert_true(run_has(b, "checkpoint-0000000003.gguf"));
    assert_false(run_has(b, "model.gguf"));
    assert_int_equal(run_go(broken, true, 0, 0, &error), PERCEPT_OK);
    run_assert_same_files(a, b, "checkpoint-0000000007.gguf");
    assert_true(run_has(b, "model.gguf") && run_has(b, "config.yaml"));
    free(whole);
    free(broken);
}

static void resumed_is_bit_for_bit_unbroken(void **state) {
    (void)state;
    resumed_is_unbroken("adamw", "a", "b");
    resumed_is_unbroken("muon", "o", "p");
}

/* Elements of a tensor of a run's checkpoint; copies those of `data` that the caller frees. */
static int64_t read_block(const char *out, int step, const char *name, float **data) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s/checkpoint-%010d.gguf", run_folder, out, step);
    pct_gguf *file = NULL;
    pct_checkpoint_state saved;
    const char *config;
    percept_error error = {0};
    assert_int_equal(pct_checkpoint_open(&file, path, &saved, &config, &error), PERCEPT_OK);
    const pct_gguf_tensor *tensor = pct_gguf_find(file, name);
    assert_non_null(tensor);
    *data = malloc(tensor->size);
    memcpy(*data, tensor->data, tensor->size);
    const int64_t elements = tensor->elements;
    pct_gguf_close(&file);
    return elements;
}

static void assert_scaled(const float *now, const float *before, double factor, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const double wanted = factor * (double)before[i];
        if (fabs((double)now[i] - wanted) > 1e-5 * fabs(wanted) + 1e-15) {
            fail_msg("%g, not %g", (double)now[i], wanted);
        }
    }
}

/* Moments after 2 steps of AdamW, 2 of Muon, 2 of AdamW, the later ones with next to no gradient: they fade, or begin
 * anew where Muon did not keep the second. Takes a model of the same structure for its list of parameters. */
static void compare_moments(const char *out, const pct_parameters *set) {
    float *m[3], *v[3];
    int64_t counts[3], second[3], at = 0, plain_at = 0;
    for (int i = 0; i < 3; i++) {
        counts[i] = read_block(out, 2 + 2 * i, "adam.m", &m[i]);
        second[i] = read_block(out, 2 + 2 * i, "adam.v", &v[i]);
    }
    for (size_t p = 0; p < set->count; p++) {
        pct_muon_matrix matrix;
        const int64_t count = pct_tensor_count(&set->list[p]->tensor);
        if (!set->list[p]->trainable) continue;
        if (pct_muon_takes(set->list[p], &matrix)) {
            assert_scaled(m[1] + at, m[0] + at, 0.95 * 0.95, count);
            assert_scaled(m[2] + at, m[0] + at, 0, count);
            assert_scaled(v[2] + at, v[0] + at, 0, count);
        } else {
            assert_scaled(m[1] + at, m[0] + at, 0.9 * 0.9, count);
            assert_scaled(m[2] + at, m[0] + at, 0.9 * 0.9 * 0.9 * 0.9, count);
            assert_scaled(v[1] + plain_at, v[0] + at, 0.98 * 0.98, count);
            assert_scaled(v[2] + at, v[0] + at, 0.98 * 0.98 * 0.98 * 0.98, count);
            plain_at += count;
        }
        at += count;
    }
    for (int i = 0; i < 3; i++) assert_int_equal(counts[i], at);
    assert_true(second[0] == at && second[1] == plain_at && second[2] == at);
    assert_in_range(plain_at, at / 100, at - at / 5); /* Muon has much of it, but not all */
    for (int i = 0; i < 3; i++) {
        free(m[i]);
        free(v[i]);
    }
}

/* From AdamW's checkpoint under Muon and back. */
static void a_checkpoint_resumes_under_the_other_kind(void **state) {
    (void)state;
    static const char *const faint[] = {"language", "box_l1",   "box_giou", "mask_bce", "mask_dice",
                                        "quality",  "presence", "cell_box", "naming"};
    const size_t last = PCT_COUNT(faint) - 1;
    percept_error error;
    struct run *run = run_tiny("k", 2);
    run_set(run, "run.checkpoint_every=2");
    run_set(run, "run.keep=9");
    run_set(run, "run.type=f32");
    run_set(run, "optimiser.ema=0.9");
    assert_int_equal(run_go(run, false, 0, 0, &error), PERCEPT_OK);
    for (size_t i = 0; i < PCT_COUNT(faint); i++) run_set(run, "losses.%s=%s", faint[i], i == last ? "1e-15" : "0");
    run_set(run, "optimiser.kind=muon");
    run_set(run, "schedule.steps=4");
    assert_int_equal(run_go(run, true, 0, 0, &error), PERCEPT_OK);
    run_set(run, "optimiser.kind=adamw");
    run_set(run, "schedule.steps=6");
    assert_int_equal(run_go(run, true, 0, 0, &error), PERCEPT_OK);
    char path[300];
    snprintf(path, sizeof path, "%s/k/model.gguf", run_folder);
    pct_model *model = NULL;
    assert_int_equal(pct_model_open(&model, path, true, &error), PERCEPT_OK);
    compare_moments("k", pct_model_get_parameters(model));
    pct_model_close(&model);
    free(run);
}

static int64_t count_lines(const char *data, const char *holds) {
    int64_t count = 0;
    for (const char *at = data; (at = strstr(at, holds)); at++) count++;
    return count;
}

/* The lines of steps that are made again are not there twice, and a half-written one is dropped. */
static void metrics_go_on_where_the_checkpoint_is(void **state) {
    (void)state;
    percept_error error;
    struct run *run = run_tiny("m", 8);
    run_set(run, "run.checkpoint_every=4");
    run_set(run, "run.keep=3");
    assert_int_equal(run_go(run, false, 6, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    char path[300];
    snprintf(path, sizeof path, "%s/m/checkpoint-0000000006.gguf", run_folder);
    assert_int_equal(unlink(path), 0); /* as after a crash: metrics are ahead of the newest checkpoint */
    snprintf(path, sizeof path, "%s/m/metrics.jsonl", run_folder);
    FILE *file = fopen(path, "ab");
    fputs("{\"step\": 7, \"tot", file);
    fclose(file);
    assert_int_equal(run_go(run, true, 0, 0, &error), PERCEPT_OK);
    size_t size;
    char *data = run_read("m", "metrics.jsonl", &size);
    for (int step = 2; step <= 8; step += 2) {
        char line[32];
        snprintf(line, sizeof line, "{\"step\": %d,", step);
        assert_int_equal(count_lines(data, line), 1);
    }
    assert_int_equal(count_lines(data, "\n"), 4);
    free(data);
    free(run);
}

static void runs_are_not_mixed(void **state) {
    (void)state;
    percept_error error;
    struct run *run = run_tiny("x", 2), *fresh = run_tiny("y", 2);
    assert_int_equal(run_go(run, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(run_go(run, false, 0, 0, &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "holds a run already"));
    assert_int_equal(run_go(fresh, true, 0, 0, &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "no checkpoint"));
    run_set(run, "model.vision.width=64"); /* another structure */
    assert_int_equal(run_go(run, true, 0, 0, &error), PERCEPT_ERROR_MODEL);
    assert_non_null(strstr(error.message, "another structure"));
    free(run);
    free(fresh);
}

/* A rate that blows the weights up ends the run with its status; the last good checkpoint stays and can be read. */
static void a_diverged_run_keeps_its_checkpoint(void **state) {
    (void)state;
    percept_error error;
    struct run *run = run_tiny("d", 2);
    run_set(run, "run.checkpoint_every=2");
    assert_int_equal(run_go(run, false, 0, 0, &error), PERCEPT_OK);
    run_set(run, "schedule.steps=400");
    run_set(run, "schedule.warmup=0");
    run_set(run, "optimiser.rate=1");
    run_set(run, "optimiser.decay=1");
    run_set(run, "optimiser.clip=0");
    run_set(run, "optimiser.epsilon=1e-16");
    run_set(run, "losses.language=100");
    run_set(run, "run.checkpoint_every=1000");
    run_set(run, "run.spike=1.01");
    run_set(run, "run.spike_steps=3");
    assert_int_equal(run_go(run, true, 0, 0, &error), PERCEPT_ERROR_WORK);
    assert_non_null(strstr(error.message, "diverged at step"));
    assert_true(run_has("d", "checkpoint-0000000002.gguf"));
    char path[300];
    snprintf(path, sizeof path, "%s/d/checkpoint-0000000002.gguf", run_folder);
    pct_gguf *file = NULL;
    pct_checkpoint_state saved;
    const char *config;
    assert_int_equal(pct_checkpoint_open(&file, path, &saved, &config, &error), PERCEPT_OK);
    assert_int_equal(saved.step, 2);
    pct_gguf_close(&file);
    free(run);
}

/* The whole way: validation, calibration, test figures, a file that opens and answers. */
static void a_run_ends_with_a_model(void **state) {
    (void)state;
    percept_error error;
    struct run *run = run_tiny("e", 6);
    run_set(run, "run.validate_every=3");
    run_set(run, "run.validate_pictures=2");
    run_set(run, "run.calibrate=6");
    run_set(run, "run.test=3");
    assert_int_equal(run_go(run, false, 0, 0, &error), PERCEPT_OK);
    size_t size;
    char *metrics = run_read("e", "metrics.jsonl", &size), *report = run_read("e", "test-arrangements.json", &size);
    assert_int_equal(count_lines(metrics, "\"validation\": \"arrangements\""), 2);
    assert_int_equal(count_lines(metrics, "\"validation\": \"calibration\""), 2);
    static const char *const keys[] = {"acc50",          "miou",      "ciou",       "giou", "absent_acc",
                                       "present_recall", "count_acc", "name_exact", "ece",  "n"};
    for (size_t i = 0; i < PCT_COUNT(keys); i++) {
        char quoted[40];
        snprintf(quoted, sizeof quoted, "\"%s\":", keys[i]);
        assert_true(count_lines(report, quoted) >= 2); /* of the split and of a task */
    }
    char path[300];
    snprintf(path, sizeof path, "%s/e/model.gguf", run_folder);
    pct_model *model = NULL;
    assert_int_equal(pct_model_open(&model, path, false, &error), PERCEPT_OK);
    const pct_model_card *card = pct_model_get_card(model);
    assert_non_null(strstr(card->figures, "scenes:arrangements:3:1"));
    assert_non_null(strstr(card->provenance, "6 steps"));
    pct_model_close(&model);
    free(metrics);
    free(report);
    free(run);
}

/* Killed after a checkpoint and before the second line of its validation: that line is made up for, once. */
static void a_lost_validation_is_made_up_for(void **state) {
    (void)state;
    percept_error error;
    struct run *run = run_tiny("lost", 4);
    run_set(run, "run.validate_every=2");
    run_set(run, "run.validate_pictures=2");
    run_set(run, "run.log_every=1");
    assert_int_equal(run_go(run, false, 2, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    size_t size;
    char *before = run_read("lost", "metrics.jsonl", &size), path[300];
    char *cut = strstr(before, "\"validation\": \"calibration\"");
    assert_non_null(cut);
    while (cut > before && cut[-1] != '\n') cut--;
    snprintf(path, sizeof path, "%s/lost/metrics.jsonl", run_folder);
    assert_int_equal(truncate(path, cut - before), 0);
    assert_int_equal(run_go(run, true, 0, 0, &error), PERCEPT_OK);
    char *after = run_read("lost", "metrics.jsonl", &size);
    assert_int_equal(count_lines(after, "\"validation\": \"arrangements\""), 2);
    assert_int_equal(count_lines(after, "\"validation\": \"calibration\""), 2);
    assert_int_equal(count_lines(after, "\"step\": 2, \"validation\""), 2);
    free(before);
    free(after);
    free(run);
}

/* After the first steps nothing on our threads asks for memory. */
static void run_guarded(const char *kind, const char *out) {
    percept_error error;
    struct run *run = run_tiny(out, 16);
    run_set(run, "optimiser.kind=%s", kind);
    run_set(run, "run.log_every=1000");
    run_set(run, "run.checkpoint_every=1000");
    run_set(run, "data.objects_min=4");
    run_set(run, "data.objects_max=4");
    assert_int_equal(run_go(run, false, 0, 12, &error), PERCEPT_OK);
    free(run);
}

static void steps_do_not_allocate(void **state) {
    (void)state;
    run_guarded("adamw", "n");
    run_guarded("muon", "q");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed_is_bit_for_bit_unbroken),
        cmocka_unit_test(a_checkpoint_resumes_under_the_other_kind),
        cmocka_unit_test(metrics_go_on_where_the_checkpoint_is),
        cmocka_unit_test(runs_are_not_mixed),
        cmocka_unit_test(a_diverged_run_keeps_its_checkpoint),
        cmocka_unit_test(a_run_ends_with_a_model),
        cmocka_unit_test(a_lost_validation_is_made_up_for),
        cmocka_unit_test(steps_do_not_allocate),
    };
    return cmocka_run_group_tests(tests, run_group_open, run_group_close);
}
