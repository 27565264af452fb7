/* perceptiongpt_test.c: PerceptionGPT from its published pieces: every tensor of the released layout is used and is
 * what it should be; whole answers against PyTorch. tests/support/perceptiongpt.c writes the pieces,
 * tools/golden/perceptiongpt.py what they should say. */
#include "base/cpu.h"
#include "base/file.h"
#include "convert/convert.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "image/decode.h"
#include "image/fit.h"
#include "model/model.h"
#include "perceptiongpt.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TOLERANCE 1e-4
#define HEADS     "model.base_model.model."

static char folder[] = "/tmp/percept-perceptiongpt-XXXXXX";

static const char *in_folder(const char *name) {
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static percept_status convert(const char *heads, const char *tower, const char *lora, pct_convert_report *report,
                              percept_error *error) {
    const pct_convert_options options = {.source = in_folder("llama"),
                                         .out = in_folder("model.gguf"),
                                         .family = "perceptiongpt",
                                         .tower = tower,
                                         .heads = heads,
                                         .lora = lora,
                                         .type = PCT_REAL,
                                         .seed = 1};
    return pct_convert(&options, NULL, NULL, NULL, report, error);
}

static void convert_whole(pct_convert_report *report) {
    percept_error error = {0};
    if (convert(in_folder("heads.safetensors"), in_folder("clip"), NULL, report, &error)) fail_msg("%s", error.message);
}

/* ---- conversion ------------------------------------------------------------------------------------------------- */

/* A weight of the file, its dimensions as the model has them (the last is contiguous), `rank` of them. */
static const float *weight(const pct_gguf *file, const char *name, int64_t count) {
    const pct_gguf_tensor *tensor = pct_gguf_find(file, name);
    if (!tensor) fail_msg("the file has no %s", name);
    assert_int_equal(tensor->type, PCT_GGUF_TYPE_F32);
    if (tensor->elements != count)
        fail_msg("%s has %lld numbers, not %lld", name, (long long)tensor->elements, (long long)count);
    return tensor->data;
}

#define DIM(...)                                                                                                       \
    (int64_t[]) { __VA_ARGS__ }
#define THEIRS(name, index, ...)                                                                                       \
    pct_tiny_weight(name, (int)(sizeof DIM(__VA_ARGS__) / sizeof(int64_t)), DIM(__VA_ARGS__), index)

/* All numbers of ours are theirs in their order. */
static void same(const pct_gguf *file, const char *ours, const char *theirs, int rank, const int64_t *dim) {
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= dim[i];
    const float *w = weight(file, ours, count);
    for (int64_t i = 0; i < count; i++)
        if (fabsf(w[i] - pct_tiny_weight(theirs, rank, dim, i)) > 0) fail_msg("%s: number %lld", ours, (long long)i);
}
#define SAME(file, ours, theirs, ...)                                                                                  \
    same(file, ours, theirs, (int)(sizeof DIM(__VA_ARGS__) / sizeof(int64_t)), DIM(__VA_ARGS__))

static void copied(const pct_gguf *file) {
    SAME(file, "token_embd.weight", HEADS "embed_tokens.weight", 508, 64);
    SAME(file, "mm.0.weight", HEADS "mm_projector.weight", 64, 64);
    SAME(file, "percept.merge.language", "merge_coef_lower", 4);
    SAME(file, "percept.merge.mask", "merge_coef_higher", 4);
    SAME(file, "percept.box_encoder.0.weight", "bbox_encoder.layers.0.weight", 512, 4);
    SAME(file, "percept.box_decoder.2.weight", "bbox_decoder.layers.2.weight", 4, 512);
    SAME(file, "percept.mask_decoder.mapping.bias", "decoder_mapping.bias", 64);
    SAME(file, "percept.mask_decoder.adaptor.linear2.weight", "visual_adaptor.linear2.weight", 64, 64);
    SAME(file, "percept.mask_decoder.1.to_query.k.weight",
         "mask_decoder.transformer.layers.1.cross_attn_image_to_token.k_proj.weight", 32, 64);
    SAME(file, "percept.mask_decoder.0.self.out.weight", "mask_decoder.transformer.layers.0.self_attn.out_proj.weight",
         64, 64);
    SAME(file, "percept.mask_decoder.1.norm4.weight", "mask_decoder.transformer.layers.1.norm4.weight", 64);
    SAME(file, "percept.mask_decoder.final.norm.bias", "mask_decoder.transformer.norm_final_attn.bias", 64);
    SAME(file, "percept.mask_decoder.hyper.2.weight", "mask_decoder.output_hypernetworks_mlp.layers.2.weight", 128, 64);
    SAME(file, "percept.mask_decoder.pixel.weight", "mask_decoder.output_upscaling.conv.weight", 128, 128, 1, 1);
    SAME(file, "percept.mask_encoder.stage2.1.conv2_norm.mean", "mask_encoder.dlayer3.1.norm2.running_mean", 32);
    SAME(file, "percept.mask_encoder.stage2.1.conv2_norm.variance", "mask_encoder.dlayer3.1.norm2.running_var", 32);
    SAME(file, "percept.mask_encoder.stage0.0.shortcut_norm.weight", "mask_encoder.dlayer1.0.downsample.1.weight", 64);
    SAME(file, "percept.mask_encoder.linear_dec.weight", "mask_encoder.linear_dec.weight", 64, 512);
    SAME(file, "v.class_embd", "vision_model.embeddings.class_embedding", 64);
    SAME(file, "v.pre_ln.weight", "vision_model.pre_layrnorm.weight", 64);
    SAME(file, "v.blk.2.ffn_down.bias", "vision_model.encoder.layers.2.mlp.fc2.bias", 64);
    SAME(file, "blk.1.ffn_gate.weight", "model.layers.1.mlp.gate_proj.weight", 96, 64);
    SAME(file, "blk.1.attn_output.weight", "model.layers.1.self_attn.o_proj.weight", 64, 64);
}

/* (out,in,k,k) becomes (out,k,k,in). */
static void check_kernel(const pct_gguf *file, const char *ours, const char *theirs, int64_t out, int64_t in,
                         int64_t side) {
    const float *w = weight(file, ours, out * in * side * side);
    for (int64_t o = 0; o < out; o++)
        for (int64_t p = 0; p < side * side; p++)
            for (int64_t c = 0; c < in; c++)
                if (fabsf(w[(o * side * side + p) * in + c] -
                          THEIRS(theirs, (o * in + c) * side * side + p, out, in, side, side)) > 0)
                    fail_msg("%s: output %lld, place %lld, input %lld", ours, (long long)o, (long long)p, (long long)c);
}

/* Rows of a head from halves to pairs, LoRA added. */
static void check_adapted(const pct_gguf *file, int layer, char letter, bool turned) {
    char ours[64], base[128], a[160], b[160];
    enum { n = PCT_TINY_STATE, rank = PCT_TINY_RANK, head = n / 4 };
    snprintf(ours, sizeof ours, "blk.%d.attn_%c.weight", layer, letter);
    snprintf(base, sizeof base, "model.layers.%d.self_attn.%c_proj.weight", layer, letter);
    snprintf(a, sizeof a, HEADS "layers.%d.self_attn.%c_proj.lora_A.default.weight", layer, letter);
    snprintf(b, sizeof b, HEADS "layers.%d.self_attn.%c_proj.lora_B.default.weight", layer, letter);
    const float *w = weight(file, ours, n * n);
    for (int64_t row = 0; row < n; row++) {
        const int64_t in_head = row % head;
        const int64_t from = turned ? row - in_head + in_head % 2 * (head / 2) + in_head / 2 : row;
        for (int64_t i = 0; i < n; i++) {
            double wanted = (double)THEIRS(base, from * n + i, n, n);
            for (int64_t r = 0; r < rank; r++)
                wanted +=
                    64.0 / rank * (double)THEIRS(b, from * rank + r, n, rank) * (double)THEIRS(a, r * n + i, rank, n);
            if (fabs((double)w[row * n + i] - wanted) > 1e-5)
                fail_msg("%s: row %lld, column %lld", ours, (long long)row, (long long)i);
        }
    }
}

/* The matrix that reads a flattened map: its columns go with the map's order. */
static void check_flattened(const pct_gguf *file) {
    const float *w = weight(file, "percept.mask_encoder.linear_enc.weight", 512 * 4096);
    for (int64_t o = 0; o < 512; o += 73)
        for (int64_t p = 0; p < 64; p++)
            for (int64_t c = 0; c < 64; c++)
                assert_true(fabsf(w[o * 4096 + p * 64 + c] -
                                  THEIRS("mask_encoder.linear_enc.weight", o * 4096 + c * 64 + p, 512, 4096)) <= 0);
}

static void every_tensor(void **state) {
    pct_convert_report report;
    pct_gguf *file;
    (void)state;
    convert_whole(&report);
    if (report.unused) fail_msg("unused: %s", report.unused_names.data);
    if (report.fresh) fail_msg("fresh: %s", report.fresh_names.data);
    assert_int_equal(report.adapted, 2 * PCT_TINY_LAYERS);
    assert_int_equal(pct_gguf_open(&file, in_folder("model.gguf"), NULL), PERCEPT_OK);
    copied(file);
    check_kernel(file, "percept.mask_decoder.up0.weight", "mask_decoder.output_upscaling.layer1.0.weight", 128, 64, 3);
    check_kernel(file, "percept.mask_decoder.up1.weight", "mask_decoder.output_upscaling.layer2.0.weight", 128, 128, 3);
    check_kernel(file, "percept.mask_encoder.stage3.0.conv2.weight", "mask_encoder.dlayer4.0.conv2.weight", 32, 32, 3);
    check_kernel(file, "percept.mask_encoder.conv1.weight", "mask_encoder.conv1.weight", 32, 1, 7);
    check_kernel(file, "v.patch_embd.weight", "vision_model.embeddings.patch_embedding.weight", 64, 3, 14);
    for (int i = 0; i < PCT_TINY_LAYERS; i++) {
        check_adapted(file, i, 'q', true);
        check_adapted(file, i, 'v', false);
    }
    check_flattened(file);
    const char *text;
    assert_int_equal(pct_gguf_get_string(file, "percept.mask.positions", &text, NULL), PERCEPT_OK);
    assert_string_equal(text, "as-coded");
    assert_null(pct_gguf_find(file, "v.blk.3.ln1.weight")); /* what the tower's last layer makes is never read */
    pct_gguf_close(&file);
    pct_convert_report_free(&report);
}

/* Without the checkpoint of what was trained: heads, merges and projector begin anew, and are named; words that are new
 * are the mean of the others. */
static void fresh_heads(void **state) {
    pct_convert_report report;
    percept_error error = {0};
    pct_gguf *file;
    (void)state;
    if (convert(NULL, in_folder("clip"), NULL, &report, &error)) fail_msg("%s", error.message);
    if (report.unused) fail_msg("unused: %s", report.unused_names.data);
    assert_int_equal(report.adapted, 0);
    static const char *const named[] = {"percept.box_encoder.0.weight", "percept.merge.mask", "mm.0.weight",
                                        "percept.mask_decoder.up2.weight", "percept.mask_encoder.linear_dec.bias"};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (!strstr(report.fresh_names.data, named[i])) fail_msg("%s is not named as fresh", named[i]);
    assert_null(strstr(report.fresh_names.data, "blk."));
    assert_int_equal(pct_gguf_open(&file, in_folder("model.gguf"), NULL), PERCEPT_OK);
    const float *words = weight(file, "token_embd.weight", 508 * 64);
    for (int64_t i = 0; i < 64; i++) {
        double mean = 0;
        for (int64_t row = 0; row < 500; row++) mean += (double)words[row * 64 + i] / 500;
        for (int64_t row = 500; row < 508; row++) assert_true(fabs((double)words[row * 64 + i] - mean) < 1e-6);
    }
    const float *merge = weight(file, "percept.merge.mask", 4);
    for (int i = 1; i < 4; i++) assert_true(fabsf(merge[i] - merge[0]) <= 0); /* softmax: alike */
    const char *text;
    assert_int_equal(pct_gguf_get_string(file, "percept.mask.positions", &text, NULL), PERCEPT_OK);
    assert_string_equal(text, "sine-2d");
    pct_gguf_close(&file);
    pct_convert_report_free(&report);
}

static void refusals(void **state) {
    pct_convert_report report;
    percept_error error = {0};
    (void)state;
    assert_int_equal(convert(NULL, NULL, NULL, &report, &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "--tower"));
    pct_convert_report_free(&report);
    assert_int_equal(convert(in_folder("heads.safetensors"), in_folder("clip"), in_folder("llama"), &report, &error),
                     PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "LoRA of its own"));
    pct_convert_report_free(&report);
    assert_int_equal(convert(NULL, in_folder("llama"), NULL, &report, &error), PERCEPT_ERROR_MODEL);
    assert_non_null(strstr(error.message, "no CLIP tower"));
    pct_convert_report_free(&report);
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

typedef struct whole {
    pct_safetensors *expected;
    pct_pool *pool;
    pct_compute *compute;
    pct_model *model;
    pct_state *state;
    pct_token_scratch scratch;
    pct_ids prefix;
    percept_error error;
} whole;

static const float *expected(const whole *f, const char *talk, const char *what, int64_t *count) {
    char name[64];
    snprintf(name, sizeof name, "%s.%s", talk, what);
    const pct_safetensor *tensor = pct_safetensors_find(f->expected, name);
    if (!tensor) fail_msg("the golden file has no %s", name);
    *count = tensor->elements;
    return (const float *)(const void *)tensor->data;
}

static void see_picture(whole *f) {
    const pct_model_config *c = pct_model_get_config(f->model);
    pct_image image = {0};
    pct_fit fit;
    float *pixels = malloc((size_t)c->image.side * (size_t)c->image.side * 3 * sizeof *pixels);
    assert_non_null(pixels);
    assert_int_equal(pct_image_read(&image, VECTORS "/families/picture.png", NULL, NULL, NULL), PERCEPT_OK);
    assert_int_equal(pct_fit_make(&fit, c->image.fit, c->image.side, image.width, image.height, NULL), PERCEPT_OK);
    assert_int_equal(pct_fit_normalise(&fit, &image, c->image.mean, c->image.deviation, pixels, f->pool, NULL),
                     PERCEPT_OK);
    if (pct_state_encode(f->state, pixels, &f->error)) fail_msg("%s", f->error.message);
    pct_image_free(&image);
    free(pixels);
}

static void open_whole(whole *f) {
    pct_convert_report report;
    *f = (whole){0};
    convert_whole(&report);
    pct_convert_report_free(&report);
    assert_int_equal(pct_safetensors_open(&f->expected, VECTORS "/families/perceptiongpt/expected.safetensors", NULL),
                     PERCEPT_OK);
    assert_int_equal(pct_pool_create(&f->pool, 2, NULL), PERCEPT_OK);
    /* F32 throughout */
    const uint32_t flags = pct_cpu_flags() & (PCT_CPU_AVX2 | PCT_CPU_AVX512);
    assert_int_equal(pct_compute_create(&f->compute, f->pool, flags, NULL), PERCEPT_OK);
    if (pct_model_open(&f->model, in_folder("model.gguf"), false, &f->error)) fail_msg("%s", f->error.message);
    assert_string_equal(pct_model_get_unused(f->model), "");
    assert_int_equal(pct_state_create(&f->state, f->model, f->compute, NULL), PERCEPT_OK);
    const int32_t tokens = pct_model_config_image_tokens(pct_model_get_config(f->model));
    assert_int_equal(tokens, 256);
    assert_int_equal(pct_template_prefix(pct_model_get_template(f->model), &f->scratch, tokens, &f->prefix, NULL),
                     PERCEPT_OK);
    see_picture(f);
}

static void close_whole(whole *f) {
    pct_ids_free(&f->prefix);
    pct_token_scratch_free(&f->scratch);
    pct_state_destroy(&f->state);
    pct_model_close(&f->model);
    pct_compute_destroy(&f->compute);
    pct_pool_destroy(&f->pool);
    pct_safetensors_close(&f->expected);
}

typedef struct talk {
    const char *name, *question, *frame;
    const char *before, *said; /* a first turn and its answer, marks in our spelling; NULL: none */
    int regions;               /* that the user shows, in the first question */
    bool masks;
} talk;

#define TALKS 6
static void list_talks(const pct_template_style *style, talk *list) {
    const char *said = "the <p>cup</p><obj>, <obj>";
    const talk all[TALKS] = {{"find", "the red cup", style->find, NULL, NULL, 0, true},
                             {"name", style->name_region, NULL, NULL, NULL, 1, true},
                             {"ask", "what is on the table?", style->ask, NULL, NULL, 0, false},
                             {"describe", style->describe, NULL, NULL, NULL, 0, false},
                             {"outline", "outline <obj>   and the box", NULL, NULL, NULL, 1, false},
                             {"dialogue", "where is it?", NULL, style->name_region, said, 1, false}};
    memcpy(list, all, sizeof all);
}

/* The regions that a talk's prompt shows: the user's, then those of the answer before. */
static int32_t list_regions(const whole *f, const talk *t, pct_region_in *regions) {
    static const pct_real shown[4] = {0.25f, 0.125f, 0.75f, 0.625f};
    int32_t count = 0;
    if (t->regions) memcpy(regions[count++].box, shown, sizeof shown);
    if (!t->before) return count;
    int64_t numbers;
    const float *boxes = expected(f, "name", "boxes", &numbers);
    for (int64_t i = 0; i < numbers / 4; i++) memcpy(regions[count++].box, boxes + 4 * i, 4 * sizeof *boxes);
    return count;
}

static void render(whole *f, const talk *t, pct_rendered *out) {
    const pct_template_turn turns[2] = {
        {.question = t->before, .regions = t->regions, .answer = t->said, .marks = true},
        {.question = t->question, .frame = t->frame, .regions = t->before ? 0 : t->regions}};
    const int first = t->before ? 0 : 1;
    int64_t count;
    assert_int_equal(
        pct_template_render(pct_model_get_template(f->model), &f->scratch, turns + first, 2 - first, out, &f->error),
        PERCEPT_OK);
    const float *wanted = expected(f, t->name, "ids", &count);
    for (int64_t i = 0; i < count && i < (int64_t)(f->prefix.count + out->ids.count); i++) {
        const int32_t id =
            i < (int64_t)f->prefix.count ? f->prefix.data[i] : out->ids.data[i - (int64_t)f->prefix.count];
        if (id != (int32_t)wanted[i]) fail_msg("%s: id %lld is %d, not %d", t->name, (long long)i, id, (int)wanted[i]);
    }
    assert_int_equal(f->prefix.count + out->ids.count, count);
}

static void check_masks(const whole *f, const talk *t, const pct_reply *reply) {
    int64_t count, one;
    const double largest = (double)*expected(f, t->name, "largest", &one);
    const float *masks = expected(f, t->name, "masks", &count);
    double worst = 0;
    assert_int_equal(count, reply->region_count * 32 * 32);
    for (int64_t i = 0; i < count; i++) {
        const int64_t object = i / 1024, row = i / 32 % 32 * 7, column = i % 32 * 7;
        worst = fmax(worst, fabs((double)reply->regions[object].mask[row * 224 + column] - (double)masks[i]));
    }
    if (worst > TOLERANCE * largest) fail_msg("%s: logits are %g of %g away", t->name, worst, largest);
}

static void check_reply(const whole *f, const talk *t, const pct_reply *reply, bool masks) {
    int64_t count;
    const float *said = expected(f, t->name, "said", &count);
    assert_int_equal(reply->finish, PCT_FINISH_STOP);
    assert_int_equal(reply->count, count - 1); /* </s> is left out */
    for (int64_t i = 0; i + 1 < count; i++) assert_int_equal(reply->ids[i], (int32_t)said[i]);
    const float *boxes = expected(f, t->name, "boxes", &count);
    assert_int_equal(reply->region_count * 4, count);
    for (int64_t i = 0; i < count; i++)
        if (fabs((double)reply->regions[i / 4].box[i % 4] - (double)boxes[i]) > TOLERANCE * (double)boxes[i])
            fail_msg("%s: number %lld of the boxes is %g, not %g", t->name, (long long)i,
                     (double)reply->regions[i / 4].box[i % 4], (double)boxes[i]);
    if (masks && t->masks) check_masks(f, t, reply);
}

/* Each by itself, then all together. */
static void answers(void **state) {
    whole f;
    talk talks[TALKS];
    pct_rendered rendered[TALKS] = {0};
    pct_region_in regions[TALKS][4] = {0};
    pct_prompt prompts[TALKS];
    pct_reply replies[TALKS];
    (void)state;
    open_whole(&f);
    list_talks(pct_model_get_template(f.model)->style, talks);
    for (int i = 0; i < TALKS; i++) {
        render(&f, &talks[i], &rendered[i]);
        prompts[i] = (pct_prompt){.ids = rendered[i].ids.data,
                                  .count = (int32_t)rendered[i].ids.count,
                                  .regions = regions[i],
                                  .region_count = list_regions(&f, &talks[i], regions[i])};
        const pct_answer_options options = {.masks = talks[i].masks};
        if (pct_state_answer(f.state, &prompts[i], 1, &options, replies, &f.error)) fail_msg("%s", f.error.message);
        check_reply(&f, &talks[i], &replies[0], true);
    }
    const pct_answer_options options = {.masks = false};
    assert_int_equal(pct_state_answer(f.state, prompts, TALKS, &options, replies, &f.error), PERCEPT_OK);
    for (int i = 0; i < TALKS; i++) {
        check_reply(&f, &talks[i], &replies[i], false);
        pct_rendered_free(&rendered[i]);
    }
    close_whole(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_tensor), cmocka_unit_test(fresh_heads),
                                       cmocka_unit_test(refusals), cmocka_unit_test(answers)};
    percept_error error = {0};
    if (!mkdtemp(folder)) return 2;
    if (pct_tiny_perceptiongpt(folder, VECTORS, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 2;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(in_folder("model.gguf"));
    pct_tiny_perceptiongpt_remove(folder);
    rmdir(folder);
    return failed;
}
