/* bench_shapes.c: the shapes that `bench` knows and the stages of each. A new one is a line here; see bench.h. */
#include "engine/bench.h"

#include <string.h>

#define NANO_STAGES                                                                                                    \
    {                                                                                                                  \
        {"tower", "one picture: tower, connector, prefix, mask keys", pct_bench_tower},                                \
            {"prefill", "8 questions of 16 tokens", pct_bench_prefill},                                                \
            {"decode", "one token of one answer", pct_bench_decode},                                                   \
            {"heads", "8 regions: masks, boxes, qualities", pct_bench_heads},                                          \
            {"train", "a training step of 8 pictures with 6 questions each", pct_bench_train},                         \
    }

/* CLIP ViT-L/14 at 224 pixels, all 24 layers, as other programs' figures have it. */
static const pct_tower_options vit_l_14 = {.side = 224,
                                           .stride = 14,
                                           .fine_stride = 14,
                                           .width = 1024,
                                           .layers = 24,
                                           .heads = 16,
                                           .mlp = 4096,
                                           .activation = PCT_QUICK_GELU,
                                           .epsilon = 1e-5};

/* InternViT-300M at 448 pixels: MLLMSeg's. */
static const pct_tower_options internvit_300m = {.side = 448,
                                                 .stride = 14,
                                                 .fine_stride = 14,
                                                 .width = 1024,
                                                 .layers = 24,
                                                 .heads = 16,
                                                 .mlp = 4096,
                                                 .no_pre_norm = true,
                                                 .patch_bias = true,
                                                 .layer_scale = true,
                                                 .activation = PCT_GELU_ERF,
                                                 .epsilon = 1e-6};

static percept_status vit_l_14_bf16(pct_bench *b, pct_bench_result *result, percept_error *error) {
    return pct_bench_tower_alone(b, &vit_l_14, PCT_BF16, result, error);
}
static percept_status vit_l_14_int8(pct_bench *b, pct_bench_result *result, percept_error *error) {
    return pct_bench_tower_alone(b, &vit_l_14, PCT_Q8_0, result, error);
}
static percept_status internvit_bf16(pct_bench *b, pct_bench_result *result, percept_error *error) {
    return pct_bench_tower_alone(b, &internvit_300m, PCT_BF16, result, error);
}
static percept_status internvit_int8(pct_bench *b, pct_bench_result *result, percept_error *error) {
    return pct_bench_tower_alone(b, &internvit_300m, PCT_Q8_0, result, error);
}

static percept_status question_bf16(pct_bench *b, pct_bench_result *result, percept_error *error) {
    return pct_bench_question(b, PCT_BF16, result, error);
}
static percept_status question_int8(pct_bench *b, pct_bench_result *result, percept_error *error) {
    return pct_bench_question(b, PCT_Q8_0, result, error);
}

static const pct_bench_shape shapes[] = {
    {"nano", true, NULL, NANO_STAGES},
    {"vit-l-14",
     false,
     NULL,
     {{"tower-bf16", "one picture of 224 x 224: patches and 24 layers, weights in BF16", vit_l_14_bf16},
      {"tower-int8", "the same, weights in Q8_0, products in INT8", vit_l_14_int8}}},
    {"internvit-300m",
     false,
     NULL,
     {{"tower-bf16", "one picture of 448 x 448: patches and 24 layers, weights in BF16", internvit_bf16},
      {"tower-int8", "the same, weights in Q8_0, products in INT8", internvit_int8}}},
    {"smollm2-135m",
     true,
     pct_bench_smollm2_135m,
     {{"first", "from the file, Q4_1, to the first token behind 512", pct_bench_words_first},
      {"prefill", "512 tokens", pct_bench_words_prefill},
      {"decode", "one token of one answer", pct_bench_words_decode}}},
    {"perceptiongpt-7b",
     true,
     pct_bench_perceptiongpt_7b,
     {{"first", "from the file, Q4_0, to the first token about a picture", pct_bench_first},
      {"tower", "one picture: both passes, connector, prefix, mask keys", pct_bench_tower},
      {"prefill", "8 questions of 16 tokens", pct_bench_prefill},
      {"decode", "one token of one answer", pct_bench_decode},
      {"heads", "8 regions: masks, boxes", pct_bench_heads}}},
    {"mllmseg-1b",
     false,
     NULL,
     {{"question-bf16", "one question about 1280 x 720, from pixels to mask, weights in BF16", question_bf16},
      {"question-int8", "the same, weights in Q8_0, products in INT8", question_int8}}},
};

percept_status pct_bench_find_shape(const pct_bench_shape **found, const char *name, percept_error *error) {
    pct_text known = {0};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(shapes[i].name, name) == 0) {
            *found = &shapes[i];
            pct_text_free(&known);
            return PERCEPT_OK;
        }
        pct_text_printf(&known, i > 0 ? ", %s" : "%s", shapes[i].name);
    }
    percept_status status = pct_fail(error, PERCEPT_ERROR_USAGE, "shape: \"%.40s\" is not one of %s", name,
                                     known.data ? known.data : "the known ones");
    pct_text_free(&known);
    return status;
}

int pct_bench_stage_count(const pct_bench_shape *shape) {
    int count = 0;
    while (count < PCT_BENCH_STAGES && shape->stages[count].name) count++;
    return count;
}
