/* family_golden_test.c: whole published families against PyTorch: a checkpoint is converted, opened and asked about a
 * picture; token ids, last states' masks and what is refused. tools/golden/families.py made the files. */
#include "base/file.h"
#include "convert/convert.h"
#include "formats/safetensors.h"
#include "image/decode.h"
#include "image/fit.h"
#include "model/model.h"
#include "model/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Probabilities, F32 against F32 and F64. */
#define TOLERANCE 1e-4

static char file[] = "/tmp/percept-family-XXXXXX";

typedef struct family {
    pct_safetensors *expected;
    pct_pool *pool;
    pct_compute *compute;
    pct_model *model;
    pct_state *state;
    pct_token_scratch scratch;
    percept_error error;
    bool apart; /* LoRA is kept apart */
} family;

static const float *find(const family *f, const char *name, int64_t *count) {
    const pct_safetensor *tensor = pct_safetensors_find(f->expected, name);
    if (!tensor) fail_msg("the golden file has no %s", name);
    *count = tensor->elements;
    return (const float *)(const void *)tensor->data;
}

static void convert(family *f, const char *name, const char *lora, int adapted) {
    char path[512];
    pct_convert_report report;
    snprintf(path, sizeof path, "%s/%s", VECTORS, name);
    const pct_convert_options options = {
        .source = path, .out = file, .type = PCT_REAL, .lora = lora, .keep_lora = f->apart};
    if (pct_convert(&options, NULL, NULL, NULL, &report, &f->error)) fail_msg("%s", f->error.message);
    assert_int_equal(report.unused, 0);
    assert_int_equal(report.fresh, 0);
    assert_int_equal(report.adapted, adapted);
    pct_convert_report_free(&report);
}

static void open_family(family *f, const char *name, const char *lora, int adapted) {
    char path[512];
    *f = (family){.apart = adapted < 0};
    if (adapted < 0) adapted = -adapted;
    snprintf(path, sizeof path, "%s/%s/expected.safetensors", VECTORS, name);
    assert_int_equal(pct_safetensors_open(&f->expected, path, NULL), PERCEPT_OK);
    convert(f, name, lora, adapted);
    assert_int_equal(pct_pool_create(&f->pool, 2, NULL), PERCEPT_OK);
    assert_int_equal(pct_compute_create(&f->compute, f->pool, 0, NULL), PERCEPT_OK); /* plain C: F32 throughout */
    if (pct_model_open(&f->model, file, false, &f->error)) fail_msg("%s", f->error.message);
    assert_string_equal(pct_model_get_unused(f->model), "");
}

static void close_family(family *f) {
    pct_token_scratch_free(&f->scratch);
    pct_state_destroy(&f->state);
    pct_model_close(&f->model);
    pct_compute_destroy(&f->compute);
    pct_pool_destroy(&f->pool);
    pct_safetensors_close(&f->expected);
}

static void see_picture(family *f) {
    const pct_model_config *c = pct_model_get_config(f->model);
    const size_t count = (size_t)c->image.side * (size_t)c->image.side * 3;
    pct_image image = {0};
    pct_fit fit;
    float *pixels = malloc(count * sizeof *pixels);
    assert_non_null(pixels);
    assert_int_equal(pct_image_read(&image, VECTORS "/picture.png", NULL, NULL, &f->error), PERCEPT_OK);
    assert_int_equal(pct_fit_make(&fit, c->image.fit, c->image.side, image.width, image.height, NULL), PERCEPT_OK);
    assert_int_equal(pct_fit_normalise(&fit, &image, c->image.mean, c->image.deviation, pixels, f->pool, NULL),
                     PERCEPT_OK);
    if (pct_state_encode(f->state, pixels, &f->error)) fail_msg("%s", f->error.message);
    pct_image_free(&image);
    free(pixels);
}

/* The ids that the language model reads: those of the prefix, then those of the question. */
static void check_ids(const family *f, const char *name, const pct_ids *prefix, const pct_ids *segment) {
    char key[64];
    int64_t count;
    snprintf(key, sizeof key, "%s.ids", name);
    const float *wanted = find(f, key, &count);
    assert_int_equal(prefix->count + segment->count, count);
    for (size_t i = 0; i < (size_t)count; i++) {
        const int32_t id = i < prefix->count ? prefix->data[i] : segment->data[i - prefix->count];
        if (id != (int32_t)wanted[i]) fail_msg("%s: id %zu is %d, not %d", name, i, id, (int)wanted[i]);
    }
}

typedef struct question {
    const char *name, *text;
    bool find;
} question;

static const question questions[] = {
    {"find.0", "the Red cup.", true}, {"find.1", "a naïve 猫", true}, {"ask.0", "what is it good for?", false}};
#define QUESTIONS 3

static void render(family *f, const question *q, pct_rendered *out) {
    const pct_template *template = pct_model_get_template(f->model);
    const pct_template_style *style = template->style;
    pct_text phrase = {0}, begun = {0};
    if (q->find)
        pct_template_plain_phrase(q->text, &phrase);
    else
        pct_text_puts(&phrase, q->text);
    pct_template_fill(q->find ? style->find_begun : style->ask_begun, phrase.data, &begun);
    const pct_template_turn turn = {
        .question = phrase.data, .frame = q->find ? style->find : style->ask, .begun = begun.data ? begun.data : ""};
    assert_int_equal(pct_template_render(template, &f->scratch, &turn, 1, out, &f->error), PERCEPT_OK);
    pct_text_free(&phrase);
    pct_text_free(&begun);
}

static void check_region(const family *f, const question *q, const pct_reply *reply, int32_t begun) {
    char key[64];
    int64_t count;
    double sum = 0, worst = 0;
    int64_t inside = 0;
    assert_int_equal(reply->finish, PCT_FINISH_STOP);
    assert_int_equal(reply->region_count, 1);
    assert_int_equal(reply->count, begun + 1);
    assert_int_equal(reply->ids[begun], pct_model_get_template(f->model)->object);
    snprintf(key, sizeof key, "%s.probability", q->name);
    const float *wanted = find(f, key, &count);
    for (int64_t i = 0; i < count; i++) {
        const double d = fabs((double)reply->regions[0].mask[i] - (double)wanted[i]);
        if (d > worst) worst = d;
        if (wanted[i] < 0.5f) continue;
        inside++;
        sum += (double)wanted[i];
    }
    if (worst > TOLERANCE) fail_msg("%s: the mask is %g away", q->name, worst);
    assert_true(inside > 0 && inside < count); /* a mask worth the name */
    assert_true(fabs((double)reply->regions[0].score - sum / (double)inside) < TOLERANCE);
}

static void check_mllmseg(const char *name, int adapted) {
    family f;
    pct_rendered rendered[QUESTIONS] = {0};
    pct_prompt prompts[QUESTIONS];
    pct_reply replies[QUESTIONS];
    pct_ids prefix = {0};
    open_family(&f, name, NULL, adapted);
    assert_int_equal(pct_state_create(&f.state, f.model, f.compute, &f.error), PERCEPT_OK);
    const int32_t tokens = pct_model_config_image_tokens(pct_model_get_config(f.model));
    assert_int_equal(pct_template_prefix(pct_model_get_template(f.model), &f.scratch, tokens, &prefix, NULL),
                     PERCEPT_OK);
    see_picture(&f);
    for (int i = 0; i < QUESTIONS; i++) {
        render(&f, &questions[i], &rendered[i]);
        check_ids(&f, questions[i].name, &prefix, &rendered[i].ids);
        prompts[i] = (pct_prompt){
            .ids = rendered[i].ids.data, .count = (int32_t)rendered[i].ids.count, .begun = rendered[i].begun};
    }
    const pct_answer_options options = {.masks = true};
    for (int together = 0; together < 2; together++) {
        if (!together)
            for (int i = 0; i < QUESTIONS; i++) {
                assert_int_equal(pct_state_answer(f.state, &prompts[i], 1, &options, replies, &f.error), PERCEPT_OK);
                check_region(&f, &questions[i], &replies[0], rendered[i].begun);
            }
        else
            assert_int_equal(pct_state_answer(f.state, prompts, QUESTIONS, &options, replies, &f.error), PERCEPT_OK);
    }
    for (int i = 0; i < QUESTIONS; i++) {
        check_region(&f, &questions[i], &replies[i], rendered[i].begun);
        pct_rendered_free(&rendered[i]);
    }
    pct_ids_free(&prefix);
    close_family(&f);
}

static void mllmseg_merged(void **state) { check_mllmseg("mllmseg", 0); }
/* seven projections of two layers */
static void mllmseg_with_lora(void **state) { check_mllmseg("mllmseg_lora", 14); }

static void mllmseg_with_lora_apart(void **state) { check_mllmseg("mllmseg_lora", -14); }

/* ---- language models alone -------------------------------------------------------------------------------------- */

typedef struct logits_check {
    const float *wanted;
    int32_t vocabulary;
    double worst, largest;
    int32_t rows;
} logits_check;

static bool compare_logits(void *context, int32_t row, const pct_real *logits) {
    logits_check *check = context;
    for (int32_t i = 0; i < check->vocabulary; i++) {
        const double wanted = (double)check->wanted[row * check->vocabulary + i];
        check->worst = fmax(check->worst, fabs((double)logits[i] - wanted));
        check->largest = fmax(check->largest, fabs(wanted));
    }
    check->rows++;
    return true;
}

static void check_llama(const char *lora, int adapted, const char *key) {
    family f;
    int64_t count, total;
    pct_sequence *sequence;
    open_family(&f, "llama", lora, adapted);
    const float *numbers = find(&f, "ids", &count);
    logits_check check = {.wanted = find(&f, key, &total)};
    check.vocabulary = (int32_t)(total / count);
    assert_int_equal(check.vocabulary, pct_model_get_config(f.model)->language.vocabulary);
    int32_t ids[64];
    pct_ids own = {0};
    assert_true(count <= 64);
    for (int64_t i = 0; i < count; i++) ids[i] = (int32_t)numbers[i];
    const char *text = " the cup is in the red cup, and it is seen.";
    assert_int_equal(
        pct_tokenizer_encode(pct_model_get_tokenizer(f.model), &f.scratch, text, strlen(text), 0, &own, NULL),
        PERCEPT_OK);
    assert_true(own.count == (size_t)count && !memcmp(own.data, ids, (size_t)count * sizeof *ids));
    assert_int_equal(pct_sequence_create(&sequence, f.model, f.compute, PCT_REAL, PCT_REAL, &f.error), PERCEPT_OK);
    assert_int_equal(pct_sequence_read(sequence, ids, (int32_t)count, 0, compare_logits, NULL, &check, &f.error),
                     PERCEPT_OK);
    assert_int_equal(check.rows, count);
    if (check.worst > TOLERANCE * check.largest) fail_msg("logits are %g of %g away", check.worst, check.largest);
    pct_ids_free(&own);
    pct_sequence_destroy(&sequence);
    close_family(&f);
}

static void llama_alone(void **state) { check_llama(NULL, 0, "logits"); }
static void llama_with_adapters(void **state) { check_llama(VECTORS "/llama/lora", 4, "adapted"); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mllmseg_merged), cmocka_unit_test(mllmseg_with_lora),
                                       cmocka_unit_test(mllmseg_with_lora_apart), cmocka_unit_test(llama_alone),
                                       cmocka_unit_test(llama_with_adapters)};
    const int handle = mkstemp(file);
    if (handle < 0) return 2;
    close(handle);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(file);
    return failed;
}
