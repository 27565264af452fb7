/* train_tune_test.c: runs of a tiny model that start with weights there are already: parts that stand still, LoRA, and
 * a structure that has grown. */
#include "base/size.h"
#include "run_support.h"
#include "tokenizer/tokenizer.h"

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

/* ---- warm starts ---------------------------------------------------------------------------------------------------
 */

#define FINISHED "checkpoint-0000000003.gguf"

/* Rotary cells, and an average, so that checkpoint and model file differ. */
static void make_finished(const char *out) {
    percept_error error;
    struct run *run = run_tiny(out, 3);
    run_set(run, "model.language.cell_positions=rotary");
    run_set(run, "optimiser.ema=0.9");
    run_set(run, "run.type=f32");
    assert_int_equal(run_go(run, false, 0, 0, &error), PERCEPT_OK);
    free(run);
}

/* A run that starts with the numbers of a file of run "wa", in a structure with a table of cells, one layer more and a
 * wider tower; and stands still. It asks for a smaller vocabulary than that file's tokenizer has. */
static struct run *grown(const char *out, const char *from) {
    struct run *run = run_tiny(out, 1);
    run_set(run, "schedule.warmup=0");
    run_set(run, "model.language.cell_positions=learned");
    run_set(run, "model.language.layers=2");
    run_set(run, "model.vision.mlp=48");
    run_set(run, "model.language.vocabulary=300");
    run_set(run, "optimiser.rate=0");
    run_set(run, "run.type=f32");
    run_set(run, "run.warm=%s/wa/%s", run_folder, from);
    return run;
}

static bool begins(const char *name, const char *begin) { return strncmp(name, begin, strlen(begin)) == 0; }

/* Counts of a model's tensors: with the numbers of `from`, with others, of another size there or not there at all. */
struct origins {
    int64_t same, other, resized, fresh;
};

/* Of those whose names begin like that, or of those whose names do not. */
static struct origins compare(const pct_gguf *model, const pct_gguf *from, const char *begin, bool does) {
    struct origins counts = {0};
    for (int64_t i = 0; i < pct_gguf_tensor_count(model); i++) {
        const pct_gguf_tensor *now = pct_gguf_tensor_at(model, i), *before = pct_gguf_find(from, now->name);
        if (begins(now->name, begin) != does) continue;
        if (!before) {
            counts.fresh++;
        } else if (before->size != now->size) {
            counts.resized++;
        } else {
            assert_true(before->type == PCT_GGUF_TYPE_F32 && now->type == PCT_GGUF_TYPE_F32);
            if (memcmp(before->data, now->data, now->size) == 0)
                counts.same++;
            else
                counts.other++;
        }
    }
    return counts;
}

/* `counts` tensors of a file of a finished run in a grown structure: all that fit, and three of the tower's MLP do not.
 */
static void assert_grown(const pct_gguf *model, const pct_gguf *from, int64_t old) {
    const struct origins all = compare(model, from, "", true), layer = compare(model, from, "blk.1.", true);
    const pct_gguf_tensor *places = pct_gguf_find(model, "percept.cell_position");
    /* Which tokens name things does not learn: no checkpoint has it, a fresh structure makes it anew. */
    const int64_t made = pct_gguf_find(from, "percept.grounding.names") ? 0 : 1;
    assert_true(places && places->elements == 16 * 32 && !pct_gguf_find(from, places->name));
    assert_int_equal(all.other, 0);
    assert_int_equal(all.resized, 3); /* both of its matrices, one bias */
    assert_int_equal(all.same, old - 3 - made);
    assert_true(layer.fresh > 5 && layer.same + layer.other + layer.resized == 0);
    assert_int_equal(all.fresh, layer.fresh + 1 + made);
}

/* What fits comes from the file, be it a checkpoint or a model, and so does the tokenizer; run.fresh leaves parts out.
 */
static void a_grown_structure_starts_warm(void **state) {
    (void)state;
    percept_error error;
    make_finished("wa");
    struct run *runs[] = {grown("wb", FINISHED), grown("wc", FINISHED), grown("wd", "model.gguf")};
    run_set(runs[1], "run.fresh=blk.");
    for (size_t i = 0; i < PCT_COUNT(runs); i++) {
        assert_int_equal(run_go(runs[i], false, 0, 0, &error), PERCEPT_OK);
        free(runs[i]);
    }
    pct_gguf *raw = run_open("wa", FINISHED), *mean = open_result("wa");
    pct_gguf *all = open_result("wb"), *without = open_result("wc"), *averaged = open_result("wd");
    const int64_t old = pct_gguf_tensor_count(mean);
    assert_true(compare(mean, raw, "", true).other > old / 2); /* else it would not matter which was read */
    assert_grown(all, raw, old);
    assert_grown(averaged, mean, old);
    const struct origins in = compare(without, raw, "blk.", true), out = compare(without, raw, "blk.", false);
    const struct origins blocks = compare(mean, raw, "blk.", true);
    assert_true(in.same == 0 && in.other == blocks.same + blocks.other && in.other > 5);
    /* percept.grounding.names is in no checkpoint. */
    assert_true(out.other == 0 && out.resized == 3 && out.same == old - 3 - 1 - in.other);
    const char *provenance;
    assert_int_equal(pct_gguf_get_string(all, "percept.provenance", &provenance, &error), PERCEPT_OK);
    assert_non_null(strstr(provenance, "; started from " FINISHED));
    for (int i = 0; i < 5; i++) pct_gguf_close((pct_gguf **[]){&raw, &mean, &all, &without, &averaged}[i]);
}

/* Checkpoints leave out what stands still: on resuming it comes from the file of the warm start again. */
static void a_warm_start_is_resumed(void **state) {
    (void)state;
    percept_error error;
    struct run *runs[] = {grown("we", FINISHED), grown("wf", FINISHED)};
    for (size_t i = 0; i < PCT_COUNT(runs); i++) {
        run_set(runs[i], "schedule.steps=4");
        run_set(runs[i], "optimiser.rate=1e-3");
        run_set(runs[i], "optimiser.freeze=vision");
        run_set(runs[i], "run.log_every=1");
    }
    assert_int_equal(run_go(runs[0], false, 0, 0, &error), PERCEPT_OK);
    assert_int_equal(run_go(runs[1], false, 2, 0, &error), PERCEPT_ERROR_INTERRUPTED);
    assert_int_equal(run_go(runs[1], true, 0, 0, &error), PERCEPT_OK);
    run_assert_same_files("we", "wf", "checkpoint-0000000004.gguf");
    pct_gguf *saved = run_open("wf", "checkpoint-0000000004.gguf"), *before = run_open("wa", FINISHED);
    pct_gguf *unbroken = open_result("we"), *resumed = open_result("wf");
    assert_int_equal(compare(resumed, unbroken, "", true).same, pct_gguf_tensor_count(unbroken));
    const struct origins tower = compare(resumed, before, "v.", true), rest = compare(resumed, before, "v.", false);
    assert_true(tower.same > 4 && tower.other == 0 && tower.resized == 3);
    assert_int_equal(compare(resumed, saved, "v.", true).fresh, tower.same + tower.resized);
    assert_true(rest.other > 10);
    for (int i = 0; i < 4; i++) pct_gguf_close((pct_gguf **[]){&saved, &before, &unbroken, &resumed}[i]);
    free(runs[0]);
    free(runs[1]);
}

/* In a table of 12 x 12 cells of 32 numbers: the middle of the nine cells that were one of 4 x 4. Bicubic gives it just
 * that one's numbers. */
static void assert_spread(const pct_gguf *model, const pct_gguf *from, const char *name, int before) {
    const pct_gguf_tensor *now = pct_gguf_find(model, name), *old = pct_gguf_find(from, name);
    assert_true(now && old && old->elements == (before + 16) * 32 && now->elements == (before + 144) * 32);
    const float *to = now->data, *was = old->data;
    assert_memory_equal(to, was, sizeof *to * 32 * (size_t)before);
    for (int cell = 0; cell < 16; cell++) {
        const float *middle = to + (before + (cell / 4 * 3 + 1) * 12 + cell % 4 * 3 + 1) * 32, *one = middle - 32;
        assert_memory_equal(middle, was + (before + cell) * 32, sizeof *to * 32);
        assert_memory_not_equal(one, middle, sizeof *to * 32);
    }
}

/* A warm start with larger pictures takes everything; places of cells are resampled. */
static void larger_pictures_start_warm(void **state) {
    (void)state;
    percept_error error;
    struct run *small = run_tiny("wh", 1), *large = run_tiny("wi", 1);
    for (int i = 0; i < 2; i++) {
        run_set((struct run *[]){small, large}[i], "run.type=f32");
        run_set((struct run *[]){small, large}[i], "schedule.warmup=0");
    }
    run_set(large, "model.image.side=192");
    run_set(large, "optimiser.rate=0");
    run_set(large, "run.warm=%s/wh/model.gguf", run_folder);
    assert_int_equal(run_go(small, false, 0, 0, &error), PERCEPT_OK);
    if (run_go(large, false, 0, 0, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    pct_gguf *before = open_result("wh"), *after = open_result("wi");
    const struct origins all = compare(after, before, "", true);
    assert_true(all.resized == 2 && all.other == 0 && all.fresh == 0);
    assert_spread(after, before, "v.position_embd.weight", 1);
    assert_spread(after, before, "percept.cell_position", 0);
    pct_gguf_close(&before);
    pct_gguf_close(&after);
    free(small);
    free(large);
}

/* A share of what was learned, another of the tower's. */
static void a_blend_lies_between(void **state) {
    (void)state;
    percept_error error;
    struct run *runs[] = {run_tiny("ba", 3), run_tiny("bb", 3), run_tiny("bc", 3)};
    for (int i = 0; i < 3; i++) {
        run_set(runs[i], "run.type=f32");
        if (i > 0) run_set(runs[i], "run.from=%s/ba/model.gguf", run_folder);
    }
    run_set(runs[2], "run.blend=0.75");
    run_set(runs[2], "run.blend_vision=0.25");
    for (int i = 0; i < 3; i++)
        if (run_go(runs[i], false, 0, 0, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    pct_gguf *before = open_result("ba"), *learned = open_result("bb"), *between = open_result("bc");
    int moved[2] = {0};
    for (int64_t i = 0; i < pct_gguf_tensor_count(before); i++) {
        const pct_gguf_tensor *old = pct_gguf_tensor_at(before, i), *all = pct_gguf_find(learned, old->name);
        const pct_gguf_tensor *now = pct_gguf_find(between, old->name);
        const bool tower =
            begins(old->name, "v.") || begins(old->name, "percept.stem") || begins(old->name, "percept.merge");
        const float share = tower ? 0.25f : 0.75f;
        for (int64_t k = 0; k < old->elements; k++) {
            const float from = ((const float *)old->data)[k], to = ((const float *)all->data)[k];
            const float wanted = from + share * (to - from);
            assert_true(fabsf(((const float *)now->data)[k] - wanted) <= 1e-6f * fabsf(wanted) + 1e-9f);
            moved[tower] += fabsf(to - from) > 1e-4f;
        }
    }
    assert_true(moved[0] > 1000 && moved[1] > 1000);
    pct_gguf_close(&before);
    pct_gguf_close(&learned);
    pct_gguf_close(&between);
    for (int i = 0; i < 3; i++) free(runs[i]);
}

/* The tokenizer of run "wa", and one tensor: of no weights where its name is one of the model's. */
static void write_stray(const char *file, const char *tensor, enum pct_gguf_type type, int64_t elements) {
    char path[300];
    void *zeros = calloc((size_t)elements, 4);
    pct_tokenizer *tokenizer = NULL;
    pct_gguf_writer *writer = NULL;
    pct_gguf *from = run_open("wa", FINISHED);
    snprintf(path, sizeof path, "%s/wa/%s", run_folder, file);
    assert_int_equal(pct_tokenizer_load(&tokenizer, from, NULL), PERCEPT_OK);
    assert_int_equal(pct_gguf_writer_create(&writer, NULL), PERCEPT_OK);
    pct_gguf_set_string(writer, "general.architecture", "percept-checkpoint");
    assert_int_equal(pct_tokenizer_save(tokenizer, writer, NULL), PERCEPT_OK);
    pct_gguf_writer_declare(writer, tensor, type, 1, &elements);
    assert_int_equal(pct_gguf_writer_begin(writer, path, NULL), PERCEPT_OK);
    assert_int_equal(pct_gguf_writer_data(writer, zeros, (size_t)elements * 4, NULL), PERCEPT_OK);
    assert_int_equal(pct_gguf_writer_end(writer, NULL), PERCEPT_OK);
    pct_gguf_writer_destroy(&writer);
    pct_tokenizer_destroy(&tokenizer);
    pct_gguf_close(&from);
    free(zeros);
}

/* run.from of a model with object tokens, where regions are wanted in text: the same model with more words, without
 * heads; what is in both begins as it was. */
static void a_token_model_learns_text(void **state) {
    (void)state;
    percept_error error;
    struct run *token = run_tiny("ta", 3), *text = run_tiny("tb", 3), *again = run_tiny("tc", 3);
    run_set(token, "run.type=f32");
    assert_int_equal(run_go(token, false, 0, 0, &error), PERCEPT_OK);
    run_set(text, "run.type=f32");
    run_set(text, "run.from=%s/ta/model.gguf", run_folder);
    run_set(text, "model.language.regions=text");
    run_set(text, "model.language.bins=32");
    run_set(text, "model.language.vertices=6");
    run_set(text, "optimiser.freeze=vision");
    assert_int_equal(run_go(text, false, 0, 0, &error), PERCEPT_OK);
    pct_gguf *before = open_result("ta"), *after = open_result("tb");
    const char *regions;
    assert_int_equal(pct_gguf_get_string(after, "percept.language.regions", &regions, &error), PERCEPT_OK);
    assert_string_equal(regions, "text");
    int64_t same = 0;
    for (int64_t i = 0; i < pct_gguf_tensor_count(after); i++) {
        const pct_gguf_tensor *now = pct_gguf_tensor_at(after, i), *was = pct_gguf_find(before, now->name);
        assert_null(strstr(now->name, "percept.mask_"));
        if (strncmp(now->name, "v.", 2) != 0) continue;
        assert_non_null(was);
        assert_memory_equal(was->data, now->data, was->size);
        same++;
    }
    assert_true(same > 4);
    const pct_gguf_tensor *few = pct_gguf_find(before, "token_embd.weight");
    const pct_gguf_tensor *many = pct_gguf_find(after, "token_embd.weight");
    assert_int_equal(many->ne[1], few->ne[1] + 32 + 3); /* bins and marks */
    pct_gguf_close(&before);
    pct_gguf_close(&after);
    /* and the result is one to go on from, as it is */
    run_set(again, "run.from=%s/tb/model.gguf", run_folder);
    assert_int_equal(run_go(again, false, 0, 0, &error), PERCEPT_OK);
    after = open_result("tc");
    assert_int_equal(pct_gguf_get_string(after, "percept.language.regions", &regions, &error), PERCEPT_OK);
    assert_string_equal(regions, "text");
    pct_gguf_close(&after);
    free(token);
    free(text);
    free(again);
}

static void warm_starts_are_refused(void **state) {
    (void)state;
    write_stray("stray.gguf", "stray", PCT_GGUF_TYPE_F32, 4);
    write_stray("whole.gguf", "output_norm.weight", PCT_GGUF_TYPE_I32, 32);
    static const struct {
        const char *warm, *setting; /* a file of run "wa", another key */
        percept_status status;
        const char *says;
    } cases[] = {
        {FINISHED, "run.from=model.gguf", PERCEPT_ERROR_INPUT, "run.warm: beside run.from"},
        {NULL, "run.fresh=vision", PERCEPT_ERROR_INPUT, "run.fresh: without run.warm"},
        {FINISHED, "run.blend_vision=0.5", PERCEPT_ERROR_INPUT, "run.blend_vision: below 1 without run.from"},
        {FINISHED, "run.fresh=language,vizion", PERCEPT_ERROR_INPUT, "run.fresh: 'vizion'"},
        {"stray.gguf", NULL, PERCEPT_ERROR_INPUT, "run.warm: "},
        {"whole.gguf", NULL, PERCEPT_ERROR_MODEL, "whole.gguf: tensor output_norm.weight has type"},
        {"config.yaml", NULL, PERCEPT_ERROR_MODEL, "config.yaml: "},
        {"gone.gguf", NULL, PERCEPT_ERROR_INPUT, "gone.gguf: cannot be opened"},
    };
    percept_error error;
    for (size_t i = 0; i < PCT_COUNT(cases); i++) {
        struct run *run = run_tiny("wg", 2);
        if (cases[i].warm) run_set(run, "run.warm=%s/wa/%s", run_folder, cases[i].warm);
        if (cases[i].setting) run_set(run, "%s", cases[i].setting);
        assert_int_equal(run_go(run, false, 0, 0, &error), cases[i].status);
        if (!strstr(error.message, cases[i].says)) fail_msg("'%s', not '%s'", error.message, cases[i].says);
        free(run);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frozen_parts_stay),
        cmocka_unit_test(lora_fine_tunes_a_finished_model),
        cmocka_unit_test(lora_resumes_and_is_refused),
        cmocka_unit_test(a_token_model_learns_text),
        cmocka_unit_test(a_grown_structure_starts_warm), /* makes run "wa" for the two after it */
        cmocka_unit_test(a_warm_start_is_resumed),
        cmocka_unit_test(larger_pictures_start_warm),
        cmocka_unit_test(a_blend_lies_between),
        cmocka_unit_test(warm_starts_are_refused),
    };
    return cmocka_run_group_tests(tests, run_group_open, run_group_close);
}
