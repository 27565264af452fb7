/* train_run_test.c: whole runs of a tiny model on cut-outs that the test draws: resuming, interrupting, diverging, and
 * what is left in the folder. */
#include "train/run.h"

#include "../unit/scene_support.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/size.h"
#include "eval/run.h"
#include "train/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 60

/* Settings of a run; texts are copied. */
struct run {
    char texts[MOST][256];
    const char *settings[MOST];
    size_t count;
};

static char *cutouts, folder[] = "/tmp/percept-train-XXXXXX";

static void set(struct run *run, const char *format, ...) PCT_PRINTF(2, 3);
static void set(struct run *run, const char *format, ...) {
    va_list args;
    va_start(args, format);
    assert_true(run->count < MOST);
    vsnprintf(run->texts[run->count], sizeof run->texts[0], format, args);
    run->settings[run->count] = run->texts[run->count];
    run->count++;
    va_end(args);
}

/* A model of some ten thousand numbers that does a step in milliseconds. */
static struct run *tiny(const char *out, int steps) {
    static const char *const fixed[] = {"model.image.side=64",
                                        "model.vision.stem_width=16",
                                        "model.vision.stem_blocks=0",
                                        "model.vision.width=32",
                                        "model.vision.layers=1",
                                        "model.vision.heads=2",
                                        "model.vision.mlp=32",
                                        "model.language.width=32",
                                        "model.language.layers=1",
                                        "model.language.heads=2",
                                        "model.language.kv_heads=1",
                                        "model.language.mlp=32",
                                        "model.language.context=256",
                                        "model.language.vocabulary=400",
                                        "model.heads.box_width=16",
                                        "model.heads.mask_width=16",
                                        "model.heads.mask_heads=1",
                                        "model.heads.mask_layers=1",
                                        "model.heads.mask_mlp=16",
                                        "model.heads.mask_queries=1",
                                        "model.heads.mask_encoder_side=32",
                                        "model.heads.mask_encoder_width=4",
                                        "data.generated=1",
                                        "data.questions=4",
                                        "data.names=8",
                                        "schedule.batch=3",
                                        "schedule.warmup=2",
                                        "run.calibrate=0",
                                        "run.test=0",
                                        "run.validate_every=0",
                                        "run.log_every=2"};
    struct run *run = calloc(1, sizeof *run);
    for (size_t i = 0; i < PCT_COUNT(fixed); i++) set(run, "%s", fixed[i]);
    set(run, "run.out=%s/%s", folder, out);
    set(run, "data.cutouts=%s", cutouts);
    set(run, "schedule.steps=%d", steps);
    return run;
}

struct stopper {
    int64_t at, seen;
};
static bool stop_at(void *context, const percept_progress *progress) {
    struct stopper *stopper = context;
    if (strcmp(progress->stage, "train") != 0) return false;
    stopper->seen = progress->done;
    return stopper->at && progress->done >= stopper->at;
}

static percept_status go(struct run *run, bool resume, int64_t stop, int64_t guard_after, percept_error *error) {
    struct stopper stopper = {.at = stop};
    pct_train_options options = {.settings = run->settings,
                                 .setting_count = run->count,
                                 .resume = resume,
                                 .threads = 2,
                                 .cpu_mask = 0xffffffffu,
                                 .guard_after = guard_after};
    if (guard_after)
        options.cpu_mask = PCT_CPU_AVX2 | PCT_CPU_AVX512; /* oneDNN takes memory in its calls: without it */
    *error = (percept_error){0};
    percept_status status = pct_train_run(&options, stop_at, &stopper, NULL, error);
    if (status != error->status) print_error("status %d, message %s\n", status, error->message);
    return status;
}

static char *read_all(const char *out, const char *name, size_t *size) {
    char path[300], *data;
    snprintf(path, sizeof path, "%s/%s/%s", folder, out, name);
    percept_error error = {0};
    if (pct_file_read(path, (size_t)1 << 28, &data, size, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    return data;
}

static bool exists(const char *out, const char *name) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s/%s", folder, out, name);
    return pct_file_exists(path);
}

static void assert_same_files(const char *a, const char *b, const char *name) {
    size_t sizes[2];
    char *data[2] = {read_all(a, name, &sizes[0]), read_all(b, name, &sizes[1])};
    assert_int_equal(sizes[0], sizes[1]);
    /* The config in it names its own folder: everything else is the same bytes. */
    char one[300], two[300];
    snprintf(one, sizeof one, "%s/%s", folder, a);
    snprintf(two, sizeof two, "%s/%s", folder, b);
    assert_int_equal(strlen(one), strlen(two));
    size_t differ = 0;
    for (size_t i = 0; i < sizes[0]; i++) differ += data[0][i] != data[1][i];
    size_t named = 0;
    for (size_t i = 0; one[i]; i++) named += one[i] != two[i];
    assert_true(differ <= named + 8); /* and the hash of that text */
    free(data[0]);
    free(data[1]);
}

/* Interrupted after three steps and resumed, with validation and an average on the way, against one that was not. */
static void resumed_is_unbroken(const char *kind, const char *a, const char *b) {
    percept_error error;
    struct run *whole = tiny(a, 7), *broken = tiny(b, 7);
    for (int i = 0; i < 2; i++) {
        struct run *run = i ? broken : whole;
        set(run, "optimiser.kind=%s", kind);
        set(run, "optimiser.ema=0.9");
        set(run, "optimiser.accumulate=2");
        set(run, "run.validate_every=2");
        set(run, "run.validate_pictures=2");
        set(run, "run.log_every=1"); /* a line is always reported: the callback sees every step */
    }
    assert_int_equal(go(whole, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(go(broken, false, 3, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    assert_true(exists(b, "checkpoint-0000000003.gguf"));
    assert_false(exists(b, "model.gguf"));
    assert_int_equal(go(broken, true, 0, 0, &error), PERCEPT_OK);
    assert_same_files(a, b, "checkpoint-0000000007.gguf");
    assert_true(exists(b, "model.gguf") && exists(b, "config.yaml"));
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
    snprintf(path, sizeof path, "%s/%s/checkpoint-%010d.gguf", folder, out, step);
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
    static const char *const faint[] = {"language",  "box_l1",  "box_giou", "mask_bce",
                                        "mask_dice", "quality", "presence", "naming"};
    percept_error error;
    struct run *run = tiny("k", 2);
    set(run, "run.checkpoint_every=2");
    set(run, "run.keep=9");
    set(run, "run.type=f32");
    set(run, "optimiser.ema=0.9");
    assert_int_equal(go(run, false, 0, 0, &error), PERCEPT_OK);
    for (size_t i = 0; i < PCT_COUNT(faint); i++) set(run, "losses.%s=%s", faint[i], i == 7 ? "1e-15" : "0");
    set(run, "optimiser.kind=muon");
    set(run, "schedule.steps=4");
    assert_int_equal(go(run, true, 0, 0, &error), PERCEPT_OK);
    set(run, "optimiser.kind=adamw");
    set(run, "schedule.steps=6");
    assert_int_equal(go(run, true, 0, 0, &error), PERCEPT_OK);
    char path[300];
    snprintf(path, sizeof path, "%s/k/model.gguf", folder);
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
    struct run *run = tiny("m", 8);
    set(run, "run.checkpoint_every=4");
    set(run, "run.keep=3");
    assert_int_equal(go(run, false, 6, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    char path[300];
    snprintf(path, sizeof path, "%s/m/checkpoint-0000000006.gguf", folder);
    assert_int_equal(unlink(path), 0); /* as after a crash: metrics are ahead of the newest checkpoint */
    snprintf(path, sizeof path, "%s/m/metrics.jsonl", folder);
    FILE *file = fopen(path, "ab");
    fputs("{\"step\": 7, \"tot", file);
    fclose(file);
    assert_int_equal(go(run, true, 0, 0, &error), PERCEPT_OK);
    size_t size;
    char *data = read_all("m", "metrics.jsonl", &size);
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
    struct run *run = tiny("x", 2), *fresh = tiny("y", 2);
    assert_int_equal(go(run, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(go(run, false, 0, 0, &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "holds a run already"));
    assert_int_equal(go(fresh, true, 0, 0, &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "no checkpoint"));
    set(run, "model.vision.width=64"); /* another structure */
    assert_int_equal(go(run, true, 0, 0, &error), PERCEPT_ERROR_MODEL);
    assert_non_null(strstr(error.message, "another structure"));
    free(run);
    free(fresh);
}

/* A rate that blows the weights up ends the run with its status; the last good checkpoint stays and can be read. */
static void a_diverged_run_keeps_its_checkpoint(void **state) {
    (void)state;
    percept_error error;
    struct run *run = tiny("d", 2);
    set(run, "run.checkpoint_every=2");
    assert_int_equal(go(run, false, 0, 0, &error), PERCEPT_OK);
    set(run, "schedule.steps=400");
    set(run, "schedule.warmup=0");
    set(run, "optimiser.rate=1");
    set(run, "optimiser.decay=1");
    set(run, "optimiser.clip=0");
    set(run, "optimiser.epsilon=1e-16");
    set(run, "losses.language=100");
    set(run, "run.checkpoint_every=1000");
    set(run, "run.spike=1.01");
    set(run, "run.spike_steps=3");
    assert_int_equal(go(run, true, 0, 0, &error), PERCEPT_ERROR_WORK);
    assert_non_null(strstr(error.message, "diverged at step"));
    assert_true(exists("d", "checkpoint-0000000002.gguf"));
    char path[300];
    snprintf(path, sizeof path, "%s/d/checkpoint-0000000002.gguf", folder);
    pct_gguf *file = NULL;
    pct_checkpoint_state saved;
    const char *config;
    assert_int_equal(pct_checkpoint_open(&file, path, &saved, &config, &error), PERCEPT_OK);
    assert_int_equal(saved.step, 2);
    pct_gguf_close(&file);
    free(run);
}

/* Parts that are frozen keep their numbers; a model file can be gone on from. */
static void frozen_parts_stay(void **state) {
    (void)state;
    percept_error error;
    struct run *first = tiny("f", 3), *second = tiny("g", 3);
    set(first, "run.type=f32");
    set(second, "run.type=f32");
    assert_int_equal(go(first, false, 0, 0, &error), PERCEPT_OK);
    set(second, "run.from=%s/f/model.gguf", folder);
    set(second, "optimiser.freeze=vision");
    assert_int_equal(go(second, false, 0, 0, &error), PERCEPT_OK);
    char paths[2][300];
    snprintf(paths[0], sizeof paths[0], "%s/f/model.gguf", folder);
    snprintf(paths[1], sizeof paths[1], "%s/g/model.gguf", folder);
    pct_gguf *files[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pct_gguf_open(&files[i], paths[i], NULL), PERCEPT_OK);
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
    set(second, "optimiser.freeze=vizion");
    set(second, "run.out=%s/h", folder);
    assert_int_equal(go(second, false, 0, 0, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "vizion"));
    free(first);
    free(second);
}

static pct_gguf *open_result(const char *out) {
    char path[300];
    pct_gguf *file = NULL;
    percept_error error = {0};
    snprintf(path, sizeof path, "%s/%s/model.gguf", folder, out);
    if (pct_gguf_open(&file, path, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    return file;
}

/* A run that fine-tunes nothing but LoRA of rank 2 on the result of run "la". */
static struct run *adapting(const char *out, const char *from, int merge) {
    struct run *run = tiny(out, 4);
    set(run, "run.from=%s/%s/model.gguf", folder, from);
    set(run, "run.type=f32");
    set(run, "run.merge=%d", merge);
    set(run, "model.lora.rank=2");
    set(run, "optimiser.freeze=vision,connector,language,heads");
    set(run, "optimiser.rate=0.01");
    set(run, "losses.naming=0");
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
    struct run *base = tiny("la", 3), *apart = adapting("lb", "la", 0), *merged = adapting("lc", "la", 1),
               *again = adapting("ld", "lb", 0);
    set(base, "run.type=f32");
    set(again, "optimiser.rate=0");
    assert_int_equal(go(base, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(go(apart, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(go(merged, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(go(again, false, 0, 0, &error), PERCEPT_OK);
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
    set(whole, "run.log_every=1");
    set(broken, "run.log_every=1");
    assert_int_equal(go(whole, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(go(broken, false, 2, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    assert_int_equal(go(broken, true, 0, 0, &error), PERCEPT_OK);
    assert_same_files("le", "lf", "checkpoint-0000000004.gguf");
    set(none, "model.lora.targets=attn_x");
    assert_int_equal(go(none, false, 0, 0, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "attn_x"));
    free(whole);
    free(broken);
    free(none);
}

/* The whole way: validation, calibration, test figures, a file that opens and answers. */
static void a_run_ends_with_a_model(void **state) {
    (void)state;
    percept_error error;
    struct run *run = tiny("e", 6);
    set(run, "run.validate_every=3");
    set(run, "run.validate_pictures=2");
    set(run, "run.calibrate=6");
    set(run, "run.test=3");
    assert_int_equal(go(run, false, 0, 0, &error), PERCEPT_OK);
    size_t size;
    char *metrics = read_all("e", "metrics.jsonl", &size), *report = read_all("e", "test-arrangements.json", &size);
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
    snprintf(path, sizeof path, "%s/e/model.gguf", folder);
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

/* After the first steps nothing on our threads asks for memory. */
static void run_guarded(const char *kind, const char *out) {
    percept_error error;
    struct run *run = tiny(out, 16);
    set(run, "optimiser.kind=%s", kind);
    set(run, "run.log_every=1000");
    set(run, "run.checkpoint_every=1000");
    set(run, "data.objects_min=4");
    set(run, "data.objects_max=4");
    assert_int_equal(go(run, false, 0, 12, &error), PERCEPT_OK);
    free(run);
}

static void steps_do_not_allocate(void **state) {
    (void)state;
    run_guarded("adamw", "n");
    run_guarded("muon", "q");
}

static int make_folders(void **state) {
    (void)state;
    cutouts = scene_folder_make(false);
    return cutouts && mkdtemp(folder) ? 0 : -1;
}

static int remove_folders(void **state) {
    (void)state;
    scene_folder_remove(&cutouts);
    char **runs, **names, path[600];
    size_t run_count, count;
    if (pct_directory_list(folder, &runs, &run_count, NULL) != PERCEPT_OK) return -1;
    for (size_t r = 0; r < run_count; r++) {
        snprintf(path, sizeof path, "%s/%s", folder, runs[r]);
        if (pct_directory_list(path, &names, &count, NULL) != PERCEPT_OK) continue;
        for (size_t i = 0; i < count; i++) {
            snprintf(path, sizeof path, "%s/%s/%s", folder, runs[r], names[i]);
            unlink(path);
        }
        free(names);
        snprintf(path, sizeof path, "%s/%s", folder, runs[r]);
        rmdir(path);
    }
    free(runs);
    rmdir(folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed_is_bit_for_bit_unbroken),
        cmocka_unit_test(a_checkpoint_resumes_under_the_other_kind),
        cmocka_unit_test(metrics_go_on_where_the_checkpoint_is),
        cmocka_unit_test(runs_are_not_mixed),
        cmocka_unit_test(a_diverged_run_keeps_its_checkpoint),
        cmocka_unit_test(frozen_parts_stay),
        cmocka_unit_test(lora_fine_tunes_a_finished_model),
        cmocka_unit_test(lora_resumes_and_is_refused),
        cmocka_unit_test(a_run_ends_with_a_model),
        cmocka_unit_test(steps_do_not_allocate),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
