/* The whole model's way back against central differences, in double precision, for each set of switches: a few elements
 * of every weight. And: every weight that learns gets a gradient, but for those listed with their reason. */
#include "base/cpu.h"
#include "batch_random.h"
#include "model/model_private.h"
#include "tiny_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct setting {
    pct_compute *compute;
    pct_model *model;
    pct_arena data, arena;
    pct_batch batch;
    pct_loss_weights weights;
    bool back; /* or the value alone; recorded all the same, since dropout works only then */
} setting;

static double run(setting *s) {
    pct_tape tape;
    pct_losses losses;
    pct_tape_init(&tape, s->compute, &s->arena, true, PCT_REAL);
    pct_random_init(&tape.random, 5, 0, 0); /* the same dropout every time */
    pct_tensor *loss = pct_model_loss(s->model, &tape, &s->batch, &s->weights, &losses);
    assert_int_equal(pct_tape_status(&tape, NULL), PERCEPT_OK);
    if (s->back) pct_tape_back(&tape, loss);
    double value = (double)pct_tensor_data(loss)[0];
    assert_true(isfinite(value));
    pct_tape_clear(&tape);
    pct_arena_reset(&s->arena);
    return value;
}

static void clear_gradients(pct_parameters *set) {
    for (size_t i = 0; i < set->count; i++)
        if (set->list[i]->trainable)
            memset(set->list[i]->tensor.grad, 0, (size_t)pct_tensor_count(&set->list[i]->tensor) * sizeof(pct_real));
}

/* Weights that start at zero hide the gradients of those before them. Each has its own stream: a weight more in the
 * model must not leave another's few rectified channels without a way back. */
static void stir(pct_parameters *set) {
    for (size_t i = 0; i < set->count; i++) {
        pct_random random;
        pct_random_init(&random, 3, pct_hash_bytes(set->list[i]->name, strlen(set->list[i]->name)), 0);
        pct_real *data = pct_tensor_data(&set->list[i]->tensor);
        for (int64_t k = 0; k < pct_tensor_count(&set->list[i]->tensor); k++)
            data[k] += (pct_real)0.1 * (pct_real)pct_random_normal(&random);
    }
}

static bool ends_with(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

/* Why a weight may stay without a gradient; NULL: it may not. */
static const char *excuse(const pct_model *model, const char *name) {
    if (ends_with(name, "k.bias")) return "the same added to all keys moves all scores of a query alike";
    if (model->config.heads.mask_queries == 1 && !strncmp(name, "percept.mask_decoder.", 21) &&
        (strstr(name, ".self.") || strstr(name, ".to_query.")) && (strstr(name, ".q.") || strstr(name, ".k.")))
        return "the softmax over one query is 1 whatever q and k say";
    return NULL;
}

/* Compares a few elements of the weights that the filter lets through; returns how many. */
static int compare(setting *s, bool quality) {
    pct_parameters *set = &s->model->parameters;
    pct_random random;
    pct_random_init(&random, 11, 0, 0);
    int checked = 0;
    for (size_t i = 0; i < set->count; i++) {
        pct_parameter *p = set->list[i];
        if (!p->trainable || !strncmp(p->name, "percept.quality", 15) != quality) continue;
        int64_t count = pct_tensor_count(&p->tensor);
        pct_real *data = pct_tensor_data(&p->tensor);
        double largest = 0;
        for (int64_t k = 0; k < count; k++) largest = fmax(largest, fabs((double)p->tensor.grad[k]));
        for (int n = 0; n < 3; n++) {
            int64_t k = pct_random_below(&random, (uint32_t)count);
            pct_real kept = data[k];
            const double step = 2e-6;
            double up, down, analytic = (double)p->tensor.grad[k];
            data[k] = kept + (pct_real)step;
            up = run(s);
            data[k] = kept - (pct_real)step;
            down = run(s);
            data[k] = kept;
            double numeric = (up - down) / (2 * step);
            double scale = fmax(fmax(fabs(analytic), fabs(numeric)), fmax(1e-2 * largest, 1e-4));
            if (fabs(analytic - numeric) > 2e-4 * scale)
                fail_msg("%s[%lld]: %.10g by the tape, %.10g by differences", p->name, (long long)k, analytic, numeric);
            checked++;
        }
    }
    return checked;
}

/* Without a tokenizer: that token stands before every picture's rows, as <bos> does. */
static void begin_pictures(pct_model *model, int32_t id) {
    model->lead = malloc(sizeof *model->lead);
    assert_non_null(model->lead);
    model->lead[0] = id;
    model->lead_count = 1;
}

/* added: tokens whose rows lie apart, the others standing still. */
static void check_kind(enum tiny_kind kind, int32_t added) {
    percept_error error = {0};
    setting s = {0};
    pct_model_config config = tiny_config(kind);
    config.language.added = added;
    assert_int_equal(pct_compute_create(&s.compute, NULL, 0, &error), PERCEPT_OK);
    assert_int_equal(pct_model_create(&s.model, &config, NULL, 9, &error), PERCEPT_OK);
    begin_pictures(s.model, 1);
    stir(&s.model->parameters);
    pct_arena_init(&s.data, 0);
    pct_arena_init(&s.arena, (size_t)16 << 20);
    batch_shape shape = {
        .pictures = 2, .segments = 2, .question = 4, .answer = 5, .objects = 1, .given = true, .names = 4};
    s.batch = batch_random(&s.data, &config, &shape, 21);
    /* Some words of the first segment are taken for marks, so that its question, phrase and region look. */
    const int32_t *ids = s.batch.ids + s.batch.segments[0].row;
    s.model->marks = (pct_model_marks){.begin = ids[2], .end = ids[4], .user = ids[0], .assistant = ids[3]};
    s.model->object = ids[5];
    assert_true(s.batch.objects[1].row == 5 && s.batch.objects[1].answer);
    pct_loss_weights_default(&s.weights);
    s.weights.smoothing = 0.1f;

    /* All parts at once: does every weight learn? */
    s.back = true;
    run(&s);
    for (size_t i = 0; i < s.model->parameters.count; i++) {
        const pct_parameter *p = s.model->parameters.list[i];
        double largest = 0;
        if (!p->trainable || excuse(s.model, p->name)) continue;
        for (int64_t k = 0; k < pct_tensor_count(&p->tensor); k++)
            largest = fmax(largest, fabs((double)p->tensor.grad[k]));
        if (!(largest > 1e-9)) fail_msg("%s gets no gradient", p->name);
    }

    /* The quality head's target and statistics carry no gradient on purpose, so it is compared alone. */
    float quality = s.weights.quality;
    s.weights.quality = 0;
    clear_gradients(&s.model->parameters);
    run(&s);
    s.back = false;
    int checked = compare(&s, false);
    assert_true(checked > 300);
    if (config.heads.quality) {
        s.weights = (pct_loss_weights){.quality = quality};
        clear_gradients(&s.model->parameters);
        s.back = true;
        run(&s);
        s.back = false;
        assert_true(compare(&s, true) > 0);
    }
    pct_model_close(&s.model);
    pct_compute_destroy(&s.compute);
    pct_arena_free(&s.data);
    pct_arena_free(&s.arena);
}

static void nano(void **state) { check_kind(TINY_NANO, 0); }
static void paper(void **state) { check_kind(TINY_PAPER, 0); }
static void coarse(void **state) { check_kind(TINY_COARSE, 0); }
static void intern(void **state) { check_kind(TINY_INTERN, 0); }

static void added_tied(void **state) { check_kind(TINY_NANO, 20); }
static void added_untied(void **state) { check_kind(TINY_PAPER, 20); }

static pct_real *weight(setting *s, const char *name) {
    return pct_tensor_data(&pct_parameters_find(&s->model->parameters, name)->tensor);
}

/* The same numbers in one table or in two are the same model. */
static void added_rows_are_the_tables_last(void **state) {
    enum { ADDED = 20 };
    percept_error error = {0};
    double values[2];
    setting s[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) {
        pct_model_config config = tiny_config(TINY_PAPER);
        config.language.added = i ? ADDED : 0;
        assert_int_equal(pct_compute_create(&s[i].compute, NULL, 0, &error), PERCEPT_OK);
        assert_int_equal(pct_model_create(&s[i].model, &config, NULL, 9, &error), PERCEPT_OK);
        begin_pictures(s[i].model, 1);
        pct_arena_init(&s[i].data, 0);
        pct_arena_init(&s[i].arena, (size_t)16 << 20);
        const batch_shape shape = {
            .pictures = 2, .segments = 2, .question = 4, .answer = 5, .objects = 1, .given = true, .names = 4};
        s[i].batch = batch_random(&s[i].data, &config, &shape, 21);
        pct_loss_weights_default(&s[i].weights);
    }
    const pct_model_config *c = &s[0].model->config;
    const size_t own = (size_t)(c->language.vocabulary - ADDED) * (size_t)c->language.width;
    const size_t later = ADDED * (size_t)c->language.width;
    static const char *const tables[] = {"token_embd.weight", "output.weight"};
    for (int t = 0; t < 2; t++) {
        char added[PCT_NAME_SIZE];
        snprintf(added, sizeof added, "percept.added.%s", tables[t]);
        memcpy(weight(&s[1], tables[t]), weight(&s[0], tables[t]), own * sizeof(pct_real));
        memcpy(weight(&s[1], added), weight(&s[0], tables[t]) + own, later * sizeof(pct_real));
    }
    for (int i = 0; i < 2; i++) {
        values[i] = run(&s[i]);
        pct_model_close(&s[i].model);
        pct_compute_destroy(&s[i].compute);
        pct_arena_free(&s[i].data);
        pct_arena_free(&s[i].arena);
    }
    assert_true(fabs(values[0] - values[1]) < 1e-9 * fabs(values[0]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nano),
        cmocka_unit_test(paper),
        cmocka_unit_test(coarse),
        cmocka_unit_test(intern),
        cmocka_unit_test(added_tied),
        cmocka_unit_test(added_untied),
        cmocka_unit_test(added_rows_are_the_tables_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
