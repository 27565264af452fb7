/* train_base_test.c: runs of a tiny tower and heads on a language model that stands still in a few bits a weight. */
#include "base/size.h"
#include "model/model_private.h"
#include "run_support.h"
#include "tiny_language.h"

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

#define ADDED 6 /* <img> <obj> <p> </p> <user> <assistant>: the tokenizer has begin, end and padding of its own */

static char folder[] = "/tmp/percept-base-XXXXXX";

static void write_base(const char *name, pct_dtype type, bool qwen2, uint64_t seed) {
    char path[300];
    percept_error error = {0};
    tiny_language t = tiny_language_default();
    t.type = type;
    t.qwen2 = qwen2;
    t.output = qwen2;
    t.context = 512;
    t.seed = seed;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (tiny_language_write(path, &t, &error) != PERCEPT_OK) fail_msg("%s", error.message);
}

static const char *const bases[] = {"a.gguf", "b.gguf", "qwen2.gguf"};

static int open_group(void **state) {
    if (run_group_open(state) || !mkdtemp(folder)) return -1;
    write_base(bases[0], PCT_Q4_1, false, 1);
    write_base(bases[1], PCT_Q4_1, false, 2);
    write_base(bases[2], PCT_Q8_0, true, 3);
    return 0;
}

static int close_group(void **state) {
    char path[300];
    for (size_t i = 0; i < PCT_COUNT(bases); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, bases[i]);
        unlink(path);
    }
    rmdir(folder);
    return run_group_close(state);
}

/* A run on one of the bases with LoRA of rank 4. */
static struct run *on_base(const char *out, const char *base, int steps) {
    struct run *run = run_tiny(out, steps);
    run_set(run, "model.base=%s/%s", folder, base);
    run_set(run, "model.lora.rank=4");
    run_set(run, "model.lora.alpha=8");
    run_set(run, "model.lora.dropout=0");
    run_set(run, "run.log_every=1");
    return run;
}

static pct_gguf *open_base(const char *name) {
    char path[300];
    pct_gguf *file = NULL;
    percept_error error = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (pct_gguf_open(&file, path, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    return file;
}

/* Every tensor of the base is in the model, bit for bit and in its type. */
static void assert_base_stays(const pct_gguf *model, const char *name) {
    pct_gguf *base = open_base(name);
    for (int64_t i = 0; i < pct_gguf_tensor_count(base); i++) {
        const pct_gguf_tensor *before = pct_gguf_tensor_at(base, i), *after = pct_gguf_find(model, before->name);
        assert_true(after && after->type == before->type && after->size == before->size);
        assert_memory_equal(before->data, after->data, before->size);
    }
    pct_gguf_close(&base);
}

static double largest(const pct_gguf *file, const char *name) {
    const pct_gguf_tensor *tensor = pct_gguf_find(file, name);
    double most = 0;
    assert_true(tensor && tensor->type == PCT_GGUF_TYPE_F32);
    for (int64_t i = 0; i < tensor->elements; i++) most = fmax(most, fabs((double)((const float *)tensor->data)[i]));
    return most;
}

/* The key's value in a line of metrics; -1 where the text ends first. */
static double value_after(const char **text, const char *key) {
    const char *at = strstr(*text, key);
    if (!at) return -1;
    *text = at + strlen(key);
    return strtod(*text, NULL);
}

static void what_is_beside_the_base_learns(void **state) {
    (void)state;
    percept_error error;
    struct run *run = on_base("ba", bases[0], 40);
    run_set(run, "optimiser.rate=5e-3");
    run_set(run, "run.test=2");
    run_set(run, "run.type=f32");
    assert_int_equal(run_go(run, false, 0, 0, &error), PERCEPT_OK);
    pct_gguf *model = run_open("ba", "model.gguf"), *saved = run_open("ba", "checkpoint-0000000040.gguf");
    assert_base_stays(model, bases[0]);
    const pct_gguf_tensor *rows = pct_gguf_find(model, "percept.added.token_embd.weight");
    assert_true(rows && rows->ne[0] == 64 && rows->ne[1] == ADDED);
    assert_null(pct_gguf_find(model, "percept.added.output.weight")); /* tied */
    assert_true(largest(model, "blk.0.attn_q.weight.lora_b") > 1e-3 &&
                largest(model, "blk.1.attn_v.weight.lora_b") > 1e-3);
    /* A checkpoint has what learns, and the base's hash. */
    const char *hash;
    assert_int_equal(pct_gguf_get_string(saved, "percept.checkpoint.base", &hash, &error), PERCEPT_OK);
    assert_int_equal(strlen(hash), 64);
    assert_non_null(pct_gguf_find(saved, "blk.0.attn_q.weight.lora_a"));
    assert_non_null(pct_gguf_find(saved, rows->name));
    assert_true(!pct_gguf_find(saved, "blk.0.attn_q.weight") && !pct_gguf_find(saved, "token_embd.weight") &&
                !pct_gguf_find(saved, "output_norm.weight"));
    /* The words' loss of the last five steps is well below that of the first five. */
    size_t size;
    char *metrics = run_read("ba", "metrics.jsonl", &size);
    const char *at = metrics;
    double first = 0, last = 0;
    for (int i = 0; i < 40; i++) {
        const double loss = value_after(&at, "\"language\": ");
        assert_true(loss > 0);
        *(i < 5 ? &first : i >= 35 ? &last : &(double){0}) += loss;
    }
    if (last > 0.8 * first) fail_msg("words: %g at first, %g at last", first / 5, last / 5);
    free(metrics);
    assert_true(run_has("ba", "test-arrangements.json")); /* the file was opened and answered */
    pct_gguf_close(&model);
    pct_gguf_close(&saved);
    free(run);
}

static void resumed_is_unbroken(void **state) {
    (void)state;
    percept_error error;
    struct run *whole = on_base("bb", bases[0], 5), *broken = on_base("bc", bases[0], 5);
    assert_int_equal(run_go(whole, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(run_go(broken, false, 2, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    assert_int_equal(run_go(broken, true, 0, 0, &error), PERCEPT_OK);
    run_assert_same_files("bb", "bc", "checkpoint-0000000005.gguf");
    pct_gguf *models[2] = {run_open("bb", "model.gguf"), run_open("bc", "model.gguf")};
    for (int64_t i = 0; i < pct_gguf_tensor_count(models[0]); i++) {
        const pct_gguf_tensor *a = pct_gguf_tensor_at(models[0], i), *b = pct_gguf_find(models[1], a->name);
        assert_true(b && a->size == b->size);
        assert_memory_equal(a->data, b->data, a->size);
    }
    for (int i = 0; i < 2; i++) pct_gguf_close(&models[i]);
    free(whole);
    free(broken);
}

/* Another family, an output matrix of its own; and the file goes on learning, its base as it was. */
static void a_second_run_keeps_the_base(void **state) {
    (void)state;
    percept_error error;
    struct run *first = on_base("bd", bases[2], 3), *second = run_tiny("be", 3);
    assert_int_equal(run_go(first, false, 0, 0, &error), PERCEPT_OK);
    run_set(second, "run.from=%s/bd/model.gguf", run_folder);
    run_set(second, "run.merge=0");
    assert_int_equal(run_go(second, false, 0, 0, &error), PERCEPT_OK);
    const char *const outs[] = {"bd", "be"};
    for (int i = 0; i < 2; i++) {
        pct_gguf *model = run_open(outs[i], "model.gguf");
        assert_base_stays(model, bases[2]);
        assert_true(largest(model, "percept.added.output.weight") > 0);
        assert_non_null(pct_gguf_find(model, "blk.0.attn_q.weight.lora_a"));
        pct_gguf_close(&model);
    }
    free(first);
    free(second);
}

/* A matrix of the thawed model is that of the file before plus the product of its LoRA matrices. */
static void assert_lora_added(const pct_gguf *before, const pct_gguf *after, const char *weight, double scale) {
    char name[80];
    const pct_gguf_tensor *w = pct_gguf_find(before, weight), *sum = pct_gguf_find(after, weight);
    snprintf(name, sizeof name, "%s.lora_a", weight);
    const pct_gguf_tensor *a = pct_gguf_find(before, name);
    snprintf(name, sizeof name, "%s.lora_b", weight);
    const pct_gguf_tensor *b = pct_gguf_find(before, name);
    assert_true(w && sum && a && b && sum->type == PCT_GGUF_TYPE_F32 && a->type == PCT_GGUF_TYPE_F32);
    const int64_t in = w->ne[0], rank = b->ne[0];
    pct_real *whole = malloc((size_t)w->elements * sizeof *whole);
    assert_int_equal(pct_model_read_tensor(before, w, whole, NULL), PERCEPT_OK);
    const float *fa = (const float *)a->data, *fb = (const float *)b->data, *got = (const float *)sum->data;
    double added = 0;
    for (int64_t r = 0; r < w->ne[1]; r++)
        for (int64_t i = 0; i < in; i++) {
            double more = 0;
            for (int64_t k = 0; k < rank; k++) more += (double)fb[r * rank + k] * (double)fa[k * in + i];
            added = fmax(added, fabs(scale * more));
            assert_true(fabs((double)got[r * in + i] - (double)whole[r * in + i] - scale * more) < 1e-5);
        }
    assert_true(added > 1e-3);
    free(whole);
}

/* run.thaw: the rows of added tokens follow the table's own, LoRA is in the weights, and all of it learns. */
static void a_thawed_base_learns(void **state) {
    (void)state;
    percept_error error;
    const char *const tables[] = {"token_embd.weight", "output.weight"};
    struct run *first = on_base("bj", bases[2], 3), *still = run_tiny("bk", 2), *learns = run_tiny("bl", 3);
    struct run *broken = run_tiny("bm", 3);
    run_set(first, "model.lora.targets=attn_q,attn_v,output");
    run_set(first, "run.type=f32");
    run_set(first, "optimiser.rate=5e-3");
    assert_int_equal(run_go(first, false, 0, 0, &error), PERCEPT_OK);
    struct run *const thawed[] = {still, learns, broken};
    for (int i = 0; i < 3; i++) {
        run_set(thawed[i], "run.from=%s/bj/model.gguf", run_folder);
        run_set(thawed[i], "run.thaw=1");
        run_set(thawed[i], "run.type=f32");
        if (i == 0) run_set(still, "optimiser.rate=0");
    }
    assert_int_equal(run_go(still, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(run_go(learns, false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(run_go(broken, false, 1, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    assert_int_equal(run_go(broken, true, 0, 0, &error), PERCEPT_OK);
    run_assert_same_files("bl", "bm", "checkpoint-0000000003.gguf");
    pct_gguf *before = run_open("bj", "model.gguf"), *same = run_open("bk", "model.gguf"),
             *after = run_open("bl", "model.gguf");
    for (int i = 0; i < 2; i++) {
        char added[64];
        snprintf(added, sizeof added, "percept.added.%s", tables[i]);
        const pct_gguf_tensor *rows = pct_gguf_find(before, added), *whole = pct_gguf_find(same, tables[i]);
        assert_true(rows && whole && whole->type == PCT_GGUF_TYPE_F32 && !pct_gguf_find(same, added));
        assert_int_equal(whole->ne[1], pct_gguf_find(before, tables[i])->ne[1] + ADDED);
        assert_memory_equal((const char *)whole->data + whole->size - rows->size, rows->data, rows->size);
    }
    assert_lora_added(before, same, "blk.0.attn_q.weight", 2);
    assert_lora_added(before, same, "output.weight", 2);
    const char *const moved[] = {"token_embd.weight", "blk.0.attn_q.weight", "blk.1.ffn_down.weight"};
    for (size_t i = 0; i < PCT_COUNT(moved); i++) {
        const pct_gguf_tensor *a = pct_gguf_find(same, moved[i]), *b = pct_gguf_find(after, moved[i]);
        assert_true(a && b && a->size == b->size && memcmp(a->data, b->data, a->size) != 0);
    }
    assert_null(pct_gguf_find(same, "blk.0.attn_q.weight.lora_a"));
    struct run *wrong = run_tiny("bn", 2);
    run_set(wrong, "run.thaw=1");
    assert_int_equal(run_go(wrong, false, 0, 0, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "run.thaw: without run.from"));
    pct_gguf_close(&before);
    pct_gguf_close(&same);
    pct_gguf_close(&after);
    free(first);
    for (int i = 0; i < 3; i++) free(thawed[i]);
    free(wrong);
}

static void wrong_bases_are_refused(void **state) {
    (void)state;
    percept_error error;
    struct run *begun = on_base("bf", bases[0], 4);
    assert_int_equal(run_go(begun, false, 2, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    const struct {
        const char *out, *setting;
        bool resume;
        percept_status status;
        const char *says;
    } cases[] = {
        {"bf", "model.base=%s/b.gguf", true, PERCEPT_ERROR_USAGE, "b.gguf is not the file that the run of"},
        {"bf", "model.base=", true, PERCEPT_ERROR_USAGE, "model.base: none is not the file"},
        {"bg", "model.base=%s/gone.gguf", false, PERCEPT_ERROR_INPUT, "model.base: "},
        {"bg", "model.base=/proc/self/cmdline", false, PERCEPT_ERROR_MODEL, "model.base: "},
        {"bg", "run.from=%s/a.gguf", false, PERCEPT_ERROR_INPUT, "model.base: beside run.from"},
        {"bg", "model.lora.targets=attn_x", false, PERCEPT_ERROR_INPUT, "attn_x"},
        {"bg", "model.image.side=512", false, PERCEPT_ERROR_INPUT, "language.context: 256 leaves no room"},
    };
    for (size_t i = 0; i < PCT_COUNT(cases); i++) {
        struct run *run = on_base(cases[i].out, bases[0], 4);
        char setting[256];
        snprintf(setting, sizeof setting, cases[i].setting, folder);
        run_set(run, "%s", setting);
        assert_int_equal(run_go(run, cases[i].resume, 0, 0, &error), cases[i].status);
        if (!strstr(error.message, cases[i].says)) fail_msg("'%s', not '%s'", error.message, cases[i].says);
        free(run);
    }
    /* A file of percept's own is no base; nor can a run that began without one get one. */
    struct run *own = on_base("bh", bases[0], 2), *plain = run_tiny("bi", 3);
    run_set(own, "model.base=%s/ba/model.gguf", run_folder);
    assert_int_equal(run_go(own, false, 0, 0, &error), PERCEPT_ERROR_MODEL);
    assert_non_null(strstr(error.message, "general.architecture is \"percept\""));
    run_set(plain, "run.log_every=1");
    assert_int_equal(run_go(plain, false, 2, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    run_set(plain, "model.base=%s/a.gguf", folder);
    assert_int_equal(run_go(plain, true, 0, 0, &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "began without one"));
    free(begun);
    free(own);
    free(plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_beside_the_base_learns), /* makes run "ba" for the last */
        cmocka_unit_test(resumed_is_unbroken),
        cmocka_unit_test(a_second_run_keeps_the_base),
        cmocka_unit_test(a_thawed_base_learns),
        cmocka_unit_test(wrong_bases_are_refused),
    };
    return cmocka_run_group_tests(tests, open_group, close_group);
}
