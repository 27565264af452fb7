/* The published families' heads against plain PyTorch, step by step: tools/golden/heads.py makes the files. Every
 * weight of a file is used, every step of a file is passed; each case runs as in training and as in answering. */
#include "formats/safetensors.h"
#include "heads/box.h"
#include "heads/mask_decoder.h"
#include "heads/mask_encoder.h"
#include "heads/res_decoder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOLERANCE 1e-4 /* largest difference, in parts of the largest number */
#define MAX_STEPS 32

typedef struct golden {
    pct_safetensors *file;
    pct_compute *compute;
    pct_parameters set;
    pct_builder builder;
    pct_arena arena;
    pct_tape tape;
    char passed[MAX_STEPS][PCT_NAME_SIZE]; /* names of steps */
    int count;
} golden;

static float number(const pct_safetensor *tensor, int64_t i) {
    float value;
    memcpy(&value, tensor->data + (size_t)i * sizeof value, sizeof value);
    return value;
}

static const pct_safetensor *find(const golden *g, const char *name) {
    const pct_safetensor *tensor = pct_safetensors_find(g->file, name);
    if (!tensor) fail_msg("no tensor %s", name);
    assert_int_equal(tensor->type, PCT_SAFETENSORS_F32);
    return tensor;
}

static percept_status from_file(void *context, const pct_weight_spec *spec, pct_parameters *set,
                                pct_parameter **parameter, percept_error *error) {
    const pct_safetensor *tensor = find(context, spec->name);
    assert_int_equal(tensor->dims, spec->rank);
    for (int i = 0; i < spec->rank; i++)
        if (tensor->shape[i] != spec->dim[i]) fail_msg("%s: dimension %d differs", spec->name, i);
    *parameter = pct_parameters_add(set, spec->name, spec->rank, spec->dim, spec->trainable, error);
    assert_non_null(*parameter);
    memcpy((*parameter)->tensor.data, tensor->data, tensor->size);
    return PERCEPT_OK;
}

static void compare(const golden *g, const char *name, const pct_tensor *x) {
    const pct_safetensor *wanted = find(g, name);
    double difference = 0, largest = 0;
    if (pct_tensor_count(x) != wanted->elements) fail_msg("%s: another number of elements", name);
    for (int64_t i = 0; i < wanted->elements; i++) {
        const double value = (double)pct_tensor_data(x)[i], right = (double)number(wanted, i);
        if (!isfinite(value)) fail_msg("%s[%lld] is %g", name, (long long)i, value);
        difference = fmax(difference, fabs(value - right));
        largest = fmax(largest, fabs(right));
    }
    if (difference > TOLERANCE * largest) fail_msg("%s: off by %.3g of %.3g", name, difference, largest);
}

static void passed(void *context, const char *step, const pct_tensor *x) {
    golden *g = context;
    char name[PCT_NAME_SIZE];
    int before = 0;
    for (int i = 0; i < g->count; i++) before += !strcmp(g->passed[i], step);
    assert_true(g->count < MAX_STEPS);
    snprintf(g->passed[g->count++], PCT_NAME_SIZE, "%s", step);
    snprintf(name, sizeof name, "step.%s.%d", step, before);
    compare(g, name, x);
}

static void open_golden(golden *g, const char *name, bool training) {
    char path[512];
    percept_error error = {0};
    memset(g, 0, sizeof *g);
    snprintf(path, sizeof path, "%s/%s.safetensors", VECTORS, name);
    if (pct_safetensors_open(&g->file, path, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    assert_int_equal(pct_compute_create(&g->compute, NULL, 0, &error), PERCEPT_OK);
    pct_parameters_init(&g->set);
    g->builder = (pct_builder){.set = &g->set, .source = from_file, .context = g, .trainable = training};
    pct_arena_init(&g->arena, 0);
    pct_tape_init(&g->tape, g->compute, &g->arena, training, PCT_REAL);
    g->tape.watch = passed;
    g->tape.watch_context = g;
}

static void close_golden(golden *g) {
    int64_t weights = 0, steps = 0;
    assert_int_equal(g->builder.status, PERCEPT_OK);
    assert_int_equal(pct_tape_status(&g->tape, NULL), PERCEPT_OK);
    for (int64_t i = 0; i < pct_safetensors_count(g->file); i++) {
        const char *name = pct_safetensors_at(g->file, i)->name;
        weights += !strncmp(name, "percept.", 8);
        steps += !strncmp(name, "step.", 5);
    }
    assert_int_equal(weights, (int64_t)g->set.count);
    assert_int_equal(steps, g->count);
    pct_safetensors_close(&g->file);
    pct_parameters_free(&g->set);
    pct_arena_free(&g->arena);
    pct_compute_destroy(&g->compute);
}

static pct_tensor *input(golden *g, const char *name) {
    const pct_safetensor *tensor = find(g, name);
    pct_tensor *x = pct_tape_tensor(&g->tape, PCT_REAL, tensor->dims, tensor->shape);
    memcpy(x->data, tensor->data, tensor->size);
    x->owned = false; /* the caller's, as the tower's cells are */
    return x;
}

static void res(bool training) {
    golden g;
    pct_res_decoder decoder;
    const int32_t picture[3] = {0, 1, 1};
    open_golden(&g, "res", training);
    pct_res_decoder_build(
        &decoder, &g.builder,
        &(pct_res_options){.width = 16, .state_width = 12, .mlp = 20, .heads = 2, .groups = 4, .patch = 3});
    pct_res_keys keys = pct_res_decoder_prepare(&g.tape, &decoder, input(&g, "in.cells"), input(&g, "in.language"), 2);
    pct_tensor *logits = pct_res_decoder_apply(&g.tape, &decoder, &keys, input(&g, "in.text"), picture);
    assert_int_equal(logits->dim[1], 12);
    compare(&g, "out.probability", pct_op_activate(&g.tape, logits, PCT_SIGMOID));
    close_golden(&g);
}

/* One object of one picture takes another way through the code: its numbers are those of the batch. */
static void res_alone(void **state) {
    golden g;
    pct_res_decoder decoder;
    open_golden(&g, "res", false);
    g.tape.watch = NULL;
    pct_res_decoder_build(
        &decoder, &g.builder,
        &(pct_res_options){.width = 16, .state_width = 12, .mlp = 20, .heads = 2, .groups = 4, .patch = 3});
    pct_tensor *cells = input(&g, "in.cells"), *language = input(&g, "in.language"), *text = input(&g, "in.text");
    const pct_safetensor *wanted = find(&g, "step.res.logits.0");
    for (int object = 0; object < 3; object++) {
        int picture = object > 0;
        pct_tensor *own =
            pct_tape_input(&g.tape, PCT_REAL, 2, (int64_t[]){16, 16}, pct_tensor_data(cells) + picture * 256);
        pct_tensor *read =
            pct_tape_input(&g.tape, PCT_REAL, 2, (int64_t[]){4, 12}, pct_tensor_data(language) + picture * 48);
        pct_tensor *said =
            pct_tape_input(&g.tape, PCT_REAL, 2, (int64_t[]){1, 12}, pct_tensor_data(text) + object * 12);
        pct_res_keys keys = pct_res_decoder_prepare(&g.tape, &decoder, own, read, 1);
        pct_tensor *logits = pct_res_decoder_apply(&g.tape, &decoder, &keys, said, &(int32_t){0});
        for (int64_t i = 0; i < 144; i++)
            assert_float_equal(pct_tensor_data(logits)[i], number(wanted, object * 144 + i), 1e-3);
    }
    pct_safetensors_close(&g.file);
    pct_parameters_free(&g.set);
    pct_arena_free(&g.arena);
    pct_compute_destroy(&g.compute);
}

static void dysample(bool training) {
    golden g;
    open_golden(&g, "dysample", training);
    pct_tensor *x = input(&g, "in.x");
    compare(&g, "out.y", pct_op_dysample(&g.tape, x, input(&g, "in.moves"), 2));
    /* Without moves it is the bilinear resize. */
    pct_tensor *still = pct_tape_zeros(&g.tape, 2, (int64_t[]){30, 16});
    pct_tensor *y = pct_op_dysample(&g.tape, x, still, 2), *resized = pct_op_resize(&g.tape, x, 6, 10);
    for (int64_t i = 0; i < pct_tensor_count(y); i++)
        assert_float_equal(pct_tensor_data(y)[i], pct_tensor_data(resized)[i], 1e-6);
    close_golden(&g);
}

static void mask(const char *name, bool as_coded, bool training) {
    golden g;
    pct_mask_decoder decoder;
    const int32_t picture[3] = {1, 0, 1};
    open_golden(&g, name, training);
    pct_mask_decoder_options options = {.state_width = 12, .fine_width = 16, .width = 16, .mlp = 20, .channels = 4};
    options.heads = options.layers = 2;
    options.queries = options.mask_stride = 1;
    options.fine_stride = 8;
    options.plain = true;
    options.as_coded = as_coded;
    pct_mask_decoder_build(&decoder, &g.builder, &options);
    pct_mask_keys keys = pct_mask_decoder_prepare(&g.tape, &decoder, input(&g, "in.features"), NULL, 2);
    pct_mask_output out = pct_mask_decoder_apply(&g.tape, &decoder, &keys, input(&g, "in.states"), picture);
    assert_int_equal(out.logits->dim[2], 32);
    close_golden(&g);
}

static void mask_encoder(bool training) {
    golden g;
    pct_mask_encoder encoder;
    open_golden(&g, "mask_encoder", training);
    pct_mask_encoder_build(&encoder, &g.builder, 64, 4, 12, 10, true);
    compare(&g, "out.code", pct_mask_encoder_apply(&g.tape, &encoder, input(&g, "in.masks")));
    close_golden(&g);
}

static void box(bool training) {
    golden g;
    pct_box_encoder encoder;
    pct_box_decoder decoder;
    open_golden(&g, "box", training);
    pct_box_encoder_build(&encoder, &g.builder, 16, 20);
    pct_box_decoder_build(&decoder, &g.builder, false, 20, 0, 16);
    compare(&g, "out.code", pct_box_encoder_apply(&g.tape, &encoder, input(&g, "in.boxes")));
    compare(&g, "out.boxes", pct_box_decoder_apply(&g.tape, &decoder, input(&g, "in.states"), NULL, NULL));
    close_golden(&g);
}

/* ---- the published sizes ------------------------------------------------------------------------------------------
 */

/* Weights that are never read. */
static percept_status nowhere(void *context, const pct_weight_spec *spec, pct_parameters *set,
                              pct_parameter **parameter, percept_error *error) {
    *parameter = pct_parameters_add_stored(set, spec->name, PCT_REAL, spec->rank, spec->dim, set, error);
    return *parameter ? PERCEPT_OK : PERCEPT_ERROR_RESOURCE;
}

/* Numbers that learn, of weights whose names begin so: the running statistics of batch norms do not. */
static int64_t count(const pct_parameters *set, const char *begin) {
    int64_t sum = 0;
    for (size_t i = 0; i < set->count; i++) {
        const char *name = set->list[i]->name, *end = strrchr(name, '.');
        if (strncmp(name, begin, strlen(begin)) != 0 || !strcmp(end, ".mean") || !strcmp(end, ".variance")) continue;
        sum += pct_tensor_count(&set->list[i]->tensor);
    }
    return sum;
}

/* The counts of the published checkpoints' modules; of MLLMSeg's without the queries and keys that do not matter. */
static void published_sizes(void **state) {
    pct_parameters set;
    pct_res_decoder res_decoder;
    pct_mask_decoder mask_decoder;
    pct_mask_encoder mask_encoder;
    pct_box_encoder box_encoder;
    pct_box_decoder box_decoder;
    pct_parameters_init(&set);
    pct_builder builder = {.set = &set, .source = nowhere};
    const pct_res_options res_options = {
        .width = 1024, .state_width = 896, .mlp = 1024, .heads = 8, .groups = 4, .patch = 14};
    const pct_mask_decoder_options mask_options = {.state_width = 4096,
                                                   .fine_width = 1024,
                                                   .width = 1024,
                                                   .mlp = 2048,
                                                   .channels = 128,
                                                   .heads = 8,
                                                   .layers = 2,
                                                   .queries = 1,
                                                   .fine_stride = 8,
                                                   .mask_stride = 1,
                                                   .plain = true};
    pct_res_decoder_build(&res_decoder, &builder, &res_options);
    pct_mask_decoder_build(&mask_decoder, &builder, &mask_options);
    pct_mask_encoder_build(&mask_encoder, &builder, 256, 32, 512, 4096, true);
    pct_box_encoder_build(&box_encoder, &builder, 512, 4096);
    pct_box_decoder_build(&box_decoder, &builder, false, 4096, 0, 512);
    assert_int_equal(builder.status, PERCEPT_OK);
    const int64_t mapping = count(&set, "percept.mask_decoder.mapping");
    const int64_t adaptor = count(&set, "percept.mask_decoder.adaptor");
    assert_int_equal(count(&set, "percept.res."), 27831942 - 2 * 1024 * 1025);
    assert_int_equal(mapping, 4195328);
    assert_int_equal(adaptor, 3148800);
    assert_int_equal(count(&set, "percept.mask_decoder.") - mapping - adaptor, 32358144);
    assert_int_equal(count(&set, "percept.mask_encoder."), 4322912);
    assert_int_equal(count(&set, "percept.box_encoder."), 2366464);
    assert_int_equal(count(&set, "percept.box_decoder."), 2362372);
    pct_parameters_free(&set);
}

static void sizes_that_do_not_fit(void **state) {
    const pct_res_options good = {.width = 1024, .state_width = 896, .mlp = 1024, .heads = 8, .groups = 4, .patch = 14};
    percept_error error = {0};
    assert_int_equal(pct_res_options_check(&good, 32, &error), PERCEPT_OK);
    pct_res_options bad[] = {good, good, good, good, good, good};
    const char *const named[] = {"heads 7", "groups 3", "patch 0", "width -8", "dropout 1", "state_width 1000000"};
    bad[0].heads = 7;
    bad[1].groups = 3;
    bad[2].patch = 0;
    bad[3].width = -8;
    bad[4].dropout = 1;
    bad[5].state_width = 1000000;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pct_res_options_check(&bad[i], 32, &error), PERCEPT_ERROR_INPUT);
        if (!strstr(error.message, named[i])) fail_msg("%s: not %s", error.message, named[i]);
    }
    assert_int_equal(pct_res_options_check(&good, 31, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_res_options_check(&good, 0, &error), PERCEPT_ERROR_INPUT);
}

static void res_trained(void **state) { res(true); }
static void res_answering(void **state) { res(false); }
static void dysample_trained(void **state) { dysample(true); }
static void dysample_answering(void **state) { dysample(false); }
static void mask_meant_trained(void **state) { mask("mask_meant", false, true); }
static void mask_meant_answering(void **state) { mask("mask_meant", false, false); }
static void mask_coded_answering(void **state) { mask("mask_coded", true, false); }
static void mask_encoder_trained(void **state) { mask_encoder(true); }
static void mask_encoder_answering(void **state) { mask_encoder(false); }
static void box_trained(void **state) { box(true); }
static void box_answering(void **state) { box(false); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(res_trained),
        cmocka_unit_test(res_answering),
        cmocka_unit_test(res_alone),
        cmocka_unit_test(dysample_trained),
        cmocka_unit_test(dysample_answering),
        cmocka_unit_test(mask_meant_trained),
        cmocka_unit_test(mask_meant_answering),
        cmocka_unit_test(mask_coded_answering),
        cmocka_unit_test(mask_encoder_trained),
        cmocka_unit_test(mask_encoder_answering),
        cmocka_unit_test(box_trained),
        cmocka_unit_test(box_answering),
        cmocka_unit_test(published_sizes),
        cmocka_unit_test(sizes_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
