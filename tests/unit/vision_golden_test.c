/* vision_golden_test.c: the tower against PyTorch, stage by stage, so that the first wrong one is named: CLIP's in both
 * passes (transformers), InternViT's with and without normed queries and keys, merge, pixel shuffle and connectors. */
#include "base/cpu.h"
#include "formats/safetensors.h"
#include "vision/tower.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* F32 against F32: what the order of sums may change. */
#define TOLERANCE 1e-4

typedef struct golden {
    pct_safetensors *file;
    pct_pool *pool;
    pct_compute *compute;
    pct_arena arena;
    pct_tape tape;
    pct_parameters set;
    pct_tower tower;
    pct_connector_layers connector;
} golden;

static const pct_safetensor *find(const golden *g, const char *name) {
    const pct_safetensor *tensor = pct_safetensors_find(g->file, name);
    if (!tensor) fail_msg("the golden file has no %s", name);
    return tensor;
}

/* Weights as a model file gives them to a model that answers: matrices frozen, to be packed. */
static percept_status take(void *context, const pct_weight_spec *spec, pct_parameters *set, pct_parameter **parameter,
                           percept_error *error) {
    char name[PCT_NAME_SIZE + 4];
    snprintf(name, sizeof name, "w.%s", spec->name);
    const pct_safetensor *tensor = find(context, name);
    int64_t count = 1;
    for (int i = 0; i < spec->rank; i++) count *= spec->dim[i];
    if (tensor->elements != count) fail_msg("%s: %lld numbers", name, (long long)tensor->elements);
    *parameter = pct_parameters_add(set, spec->name, spec->rank, spec->dim, spec->trainable, error);
    assert_non_null(*parameter);
    memcpy((*parameter)->tensor.data, tensor->data, tensor->size);
    return PERCEPT_OK;
}

static void open_golden(golden *g, const char *name, uint32_t cpu_flags, bool trainable, pct_tower_options options) {
    char path[512];
    *g = (golden){0};
    snprintf(path, sizeof path, "%s/%s.safetensors", VECTORS, name);
    assert_int_equal(pct_safetensors_open(&g->file, path, NULL), PERCEPT_OK);
    assert_int_equal(pct_pool_create(&g->pool, 2, NULL), PERCEPT_OK);
    assert_int_equal(pct_compute_create(&g->compute, g->pool, cpu_flags, NULL), PERCEPT_OK);
    pct_arena_init(&g->arena, 0);
    pct_tape_init(&g->tape, g->compute, &g->arena, false, PCT_REAL);
    pct_parameters_init(&g->set);
    pct_builder builder = {.set = &g->set, .source = take, .context = g, .trainable = trainable};
    pct_tower_build(&g->tower, &builder, &options);
    const bool intern = name[0] == 'i';
    const int64_t in = intern ? 4 * options.width : options.width;
    pct_connector_build(&g->connector, &builder, intern, intern, in, 24);
    assert_int_equal(builder.status, PERCEPT_OK);
}

static void close_golden(golden *g) {
    pct_parameters_free(&g->set);
    pct_arena_free(&g->arena);
    pct_compute_destroy(&g->compute);
    pct_pool_destroy(&g->pool);
    pct_safetensors_close(&g->file);
}

static void compare(const golden *g, const char *stage, const pct_tensor *found, double tolerance) {
    char name[64];
    double off = 0, all = 0, largest = 0, most = 0;
    snprintf(name, sizeof name, "out.%s", stage);
    const pct_safetensor *wanted = find(g, name);
    if (pct_tensor_count(found) != wanted->elements) fail_msg("%s has another shape", stage);
    for (int64_t i = 0; i < wanted->elements; i++) {
        float value;
        memcpy(&value, wanted->data + i * 4, sizeof value);
        const double difference = (double)pct_tensor_data(found)[i] - (double)value;
        off += difference * difference;
        all += (double)value * (double)value;
        most = fmax(most, fabs(difference));
        largest = fmax(largest, fabs((double)value));
    }
    if (!(sqrt(off / all) <= tolerance && most <= 4 * tolerance * largest))
        fail_msg("%s is off: relative error %.3g, largest %.3g of %.3g", stage, sqrt(off / all), most, largest);
}

static pct_tower_output look(golden *g) {
    const pct_safetensor *pixels = find(g, "pixels");
    float *data = pct_arena_take(&g->arena, pixels->size);
    memcpy(data, pixels->data, pixels->size);
    const int64_t side = pixels->shape[0];
    pct_tensor *input = pct_tape_input(&g->tape, PCT_REAL, 4, (int64_t[]){1, side, side, 3}, data);
    return pct_tower_apply(&g->tape, &g->tower, input);
}

static pct_tower_options clip_options(int layers, bool merge) {
    return (pct_tower_options){.side = 56,
                               .stride = 14,
                               .fine_stride = 8,
                               .width = 16,
                               .layers = layers,
                               .heads = 2,
                               .mlp = 40,
                               .second = true,
                               .merge = merge,
                               .mask_merge = true,
                               .activation = PCT_QUICK_GELU,
                               .epsilon = 1e-5};
}

static pct_tower_options intern_options(int layers, bool qk_norm) {
    return (pct_tower_options){.side = 28,
                               .stride = 7,
                               .fine_stride = 7,
                               .width = 16,
                               .layers = layers,
                               .heads = 2,
                               .mlp = 40,
                               .mask_merge = true,
                               .no_pre_norm = true,
                               .patch_bias = true,
                               .layer_scale = true,
                               .qk_norm = qk_norm,
                               .activation = PCT_GELU_ERF,
                               .epsilon = 1e-6};
}

/* Every way a product can go: plain C, this processor's, and weights that learn (not packed, nothing prepared). */
enum { WAYS = 3 };
static uint32_t flags_of(int way) { return way == 0 ? 0 : pct_cpu_flags(); }

/* A tower of k layers without a merge gives H[k]. */
static void clip_layer_by_layer(void **state) {
    for (int way = 0; way < WAYS; way++)
        for (int layers = 0; layers <= 3; layers++) {
            golden g;
            char name[16];
            open_golden(&g, "clip", flags_of(way), way == 2, clip_options(layers, false));
            assert_int_equal(pct_tower_prepare(&g.tower, &g.set, g.compute, NULL), PERCEPT_OK);
            assert_int_equal(g.tower.fine_kernel != NULL, way != 2);
            pct_tower_output output = look(&g);
            snprintf(name, sizeof name, "coarse.%d", layers);
            compare(&g, name, output.language, TOLERANCE);
            snprintf(name, sizeof name, "fine.%d", layers);
            compare(&g, name, output.mask, TOLERANCE);
            close_golden(&g);
        }
}

static void clip_merged(void **state) {
    for (int way = 0; way < WAYS; way++) {
        golden g;
        open_golden(&g, "clip", flags_of(way), way == 2, clip_options(3, true));
        pct_tower_output output = look(&g);
        compare(&g, "language", output.language, TOLERANCE);
        compare(&g, "mask", output.mask, TOLERANCE);
        pct_tensor *cells = pct_tower_cells(&g.tape, output.language, 1);
        compare(&g, "projected", pct_connector_apply(&g.tape, &g.connector, cells), TOLERANCE);
        close_golden(&g);
    }
}

/* Resampled once or every time: the same bits. */
static void prepared_is_resampled(void **state) {
    golden g;
    open_golden(&g, "clip", pct_cpu_flags(), false, clip_options(3, true));
    const pct_tensor *before = look(&g).mask;
    assert_int_equal(pct_tower_prepare(&g.tower, &g.set, g.compute, NULL), PERCEPT_OK);
    const pct_real *kernel = g.tower.fine_kernel;
    assert_int_equal(pct_tower_prepare(&g.tower, &g.set, g.compute, NULL), PERCEPT_OK);
    assert_ptr_equal(kernel, g.tower.fine_kernel);
    const pct_tensor *after = look(&g).mask;
    assert_memory_equal(before->data, after->data, (size_t)pct_tensor_count(before) * sizeof(pct_real));
    close_golden(&g);
}

static void intern_layer_by_layer(void **state) {
    for (int way = 0; way < WAYS; way++)
        for (int kind = 0; kind < 2; kind++)
            for (int layers = 0; layers <= 3; layers++) {
                golden g;
                char name[16];
                open_golden(&g, kind ? "intern_qk" : "intern", flags_of(way), way == 2, intern_options(layers, kind));
                pct_tower_output output = look(&g);
                snprintf(name, sizeof name, "coarse.%d", layers);
                compare(&g, name, output.language, TOLERANCE);
                assert_ptr_equal(output.language, output.mask); /* the decoder reads the very same rows */
                if (layers == 3) {
                    pct_tensor *cells = pct_tower_cells(&g.tape, output.language, 1);
                    pct_tensor *rows = pct_tower_gather(&g.tape, cells, 1, 4, 2);
                    compare(&g, "shuffled", rows, TOLERANCE);
                    compare(&g, "projected", pct_connector_apply(&g.tape, &g.connector, rows), TOLERANCE);
                }
                close_golden(&g);
            }
}

/* BF16 products, as the engine has them: 8 bits of a number, over three layers. */
static void in_bf16(void **state) {
    for (int kind = 0; kind < 2; kind++) {
        golden g;
        open_golden(&g, kind ? "intern_qk" : "clip", pct_cpu_flags(), false,
                    kind ? intern_options(3, true) : clip_options(3, true));
        pct_tape_init(&g.tape, g.compute, &g.arena, false, PCT_BF16);
        pct_tower_output output = look(&g);
        compare(&g, kind ? "coarse.3" : "language", output.language, 0.02);
        if (!kind) compare(&g, "mask", output.mask, 0.02);
        close_golden(&g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clip_layer_by_layer),   cmocka_unit_test(clip_merged), cmocka_unit_test(prepared_is_resampled),
        cmocka_unit_test(intern_layer_by_layer), cmocka_unit_test(in_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
