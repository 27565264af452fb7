/* Model files: what is saved is what is opened, and a file that is not right is refused with its reason. */
#include "base/file.h"
#include "formats/sha256.h"
#include "model/model_private.h"
#include "toy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/percept-model-XXXXXX";
static char good[64], other[64];

static pct_model *make(toy_set *toy) {
    pct_model_config config = toy_config();
    pct_model *model = NULL;
    config.lora.rank = 2;
    config.heads.box = PCT_BOX_PLAIN;
    assert_true(toy_create(toy, &config));
    assert_int_equal(pct_model_create(&model, &toy->config, toy->tokenizer, 4, NULL), PERCEPT_OK);
    toy->tokenizer = NULL;
    return model;
}

static int set_up(void **state) {
    if (!mkdtemp(folder)) return -1;
    snprintf(good, sizeof good, "%s/good.gguf", folder);
    snprintf(other, sizeof other, "%s/other.gguf", folder);
    toy_set toy;
    pct_model *model = make(&toy);
    int status = pct_model_save(model, good, PCT_Q8_0, NULL, NULL);
    pct_model_close(&model);
    toy_free(&toy);
    return status;
}

static int tear_down(void **state) {
    unlink(good);
    unlink(other);
    return rmdir(folder);
}

static void round_trip(void **state) {
    percept_error error = {0};
    toy_set toy;
    pct_model *model = make(&toy), *again = NULL;
    pct_model_card card = {.name = "toy", .domain = "rectangles", .provenance = "a test", .threshold = 0.25f};
    card.calibration = (pct_calibration){true, 1.5f, 0.5f, -0.25f};
    assert_int_equal(pct_model_set_card(model, &card, &error), PERCEPT_OK);
    assert_string_equal(pct_model_get_hash(model), "");
    assert_int_equal(pct_model_save(model, other, PCT_REAL, NULL, &error), PERCEPT_OK);
    assert_int_equal(pct_model_open(&again, other, true, &error), PERCEPT_OK);
    assert_memory_equal(&again->config, &model->config, sizeof model->config);
    assert_int_equal(again->parameters.count, model->parameters.count);
    for (size_t i = 0; i < model->parameters.count; i++) {
        const pct_parameter *a = model->parameters.list[i], *b = again->parameters.list[i];
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->trainable, b->trainable);
        assert_int_equal(a->decay, b->decay);
        assert_int_equal(pct_tensor_count(&a->tensor), pct_tensor_count(&b->tensor));
        if (b->tensor.type != PCT_REAL) continue;
        assert_memory_equal(a->tensor.data, b->tensor.data, (size_t)pct_tensor_count(&a->tensor) * sizeof(float));
    }
    const pct_model_card *read = pct_model_get_card(again);
    assert_string_equal(read->name, "toy");
    assert_string_equal(read->domain, "rectangles");
    assert_null(read->figures);
    assert_true(read->calibration.fitted && read->calibration.offset == -0.25f && read->threshold == 0.25f);
    assert_string_equal(pct_model_get_unused(again), "");
    char hash[65];
    assert_int_equal(pct_sha256_file(other, hash, &error), PERCEPT_OK);
    assert_string_equal(pct_model_get_hash(again), hash);
    for (int32_t id = 0; id < 320; id++) {
        size_t length, length_again;
        const char *text = pct_tokenizer_text(model->tokenizer, id, &length);
        const char *text_again = pct_tokenizer_text(again->tokenizer, id, &length_again);
        assert_int_equal(length, length_again);
        if (length > 0) assert_memory_equal(text, text_again, length);
    }
    pct_model_close(&again);
    pct_model_close(&model);
    toy_free(&toy);
}

/* Eight bits keep a weight to a 254th of its block's largest; replacements take the place of the weights. */
static void quantised(void **state) {
    percept_error error = {0};
    toy_set toy;
    pct_model *model = make(&toy), *again = NULL;
    size_t count = model->parameters.count;
    const pct_real **weights = calloc(count, sizeof *weights);
    pct_parameter *norm = pct_parameters_find(&model->parameters, "output_norm.weight");
    pct_real *doubled = calloc(64, sizeof *doubled);
    for (int i = 0; i < 64; i++) doubled[i] = 2;
    for (size_t i = 0; i < count; i++)
        weights[i] = model->parameters.list[i] == norm ? doubled : model->parameters.list[i]->tensor.data;
    assert_int_equal(pct_model_save(model, other, PCT_Q8_0, weights, &error), PERCEPT_OK);
    assert_int_equal(pct_model_open(&again, other, true, &error), PERCEPT_OK);
    for (size_t i = 0; i < count; i++) {
        const pct_tensor *a = &model->parameters.list[i]->tensor, *b = &again->parameters.list[i]->tensor;
        if (b->type != PCT_REAL) continue;
        double largest = 0;
        for (int64_t k = 0; k < pct_tensor_count(a); k++) largest = fmax(largest, fabs((double)weights[i][k]));
        for (int64_t k = 0; k < pct_tensor_count(a); k++)
            assert_float_equal(weights[i][k], pct_tensor_data(b)[k], largest / 200);
    }
    pct_model_close(&again);
    assert_int_equal(pct_model_open(&again, other, false, &error), PERCEPT_OK);
    assert_int_equal(pct_parameters_find(&again->parameters, "blk.0.attn_q.weight")->tensor.type, PCT_Q8_0);
    assert_int_equal(pct_parameters_find(&again->parameters, "v.position_embd.weight")->tensor.type, PCT_REAL);
    assert_int_equal(pct_parameters_find(&again->parameters, "percept.cell_position")->tensor.type, PCT_REAL);
    pct_model_close(&again);
    free(weights);
    free(doubled);
    pct_model_close(&model);
    toy_free(&toy);
}

/* A copy of the good file with something changed. */
typedef struct change {
    const char *skip_tensor; /* left out */
    const char *skip_key;    /* left out, and set to one of these when they are given */
    const char *text;
    int64_t number;
    int floats;                /* an array of so many of them */
    const char *narrow_tensor; /* has a row less */
    bool more;                 /* one tensor more */
    enum pct_gguf_type retype; /* narrow_tensor gets this type instead, when not 0 */
} change;

static void copy_changed(const change *c) {
    percept_error error = {0};
    pct_gguf *file = NULL;
    pct_gguf_writer *writer = NULL;
    assert_int_equal(pct_gguf_open(&file, good, &error), PERCEPT_OK);
    assert_int_equal(pct_gguf_writer_create(&writer, &error), PERCEPT_OK);
    for (int64_t i = 0; i < pct_gguf_key_count(file); i++)
        if (!c->skip_key || strcmp(pct_gguf_key_name(file, i), c->skip_key) != 0) pct_gguf_set_copy(writer, file, i);
    if (c->text)
        pct_gguf_set_string(writer, c->skip_key, c->text);
    else if (c->floats)
        pct_gguf_set_array(writer, c->skip_key, PCT_GGUF_F32, c->floats, (float[4]){0.5f, 0.5f, 0.5f, 0.5f});
    else if (c->skip_key && c->number >= 0)
        pct_gguf_set_u32(writer, c->skip_key, (uint32_t)c->number);
    const unsigned char zeros[4096] = {0};
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < pct_gguf_tensor_count(file); i++) {
            pct_gguf_tensor t = *pct_gguf_tensor_at(file, i);
            if (c->skip_tensor && !strcmp(t.name, c->skip_tensor)) continue;
            if (c->narrow_tensor && !strcmp(t.name, c->narrow_tensor)) {
                size_t row = t.size / (size_t)t.ne[1];
                if (c->retype) {
                    t.type = c->retype;
                    t.size = (size_t)t.elements;
                } else {
                    t.ne[1]--;
                    t.size -= row;
                }
            }
            if (pass == 0)
                pct_gguf_writer_declare(writer, t.name, t.type, t.dims, t.ne);
            else
                assert_int_equal(pct_gguf_writer_data(writer, t.data, t.size, &error), PERCEPT_OK);
        }
        if (c->more && pass == 0) pct_gguf_writer_declare(writer, "spare.weight", PCT_GGUF_TYPE_F32, 1, (int64_t[]){8});
        if (c->more && pass == 1) assert_int_equal(pct_gguf_writer_data(writer, zeros, 32, &error), PERCEPT_OK);
        if (pass == 0) assert_int_equal(pct_gguf_writer_begin(writer, other, &error), PERCEPT_OK);
    }
    assert_int_equal(pct_gguf_writer_end(writer, &error), PERCEPT_OK);
    pct_gguf_writer_destroy(&writer);
    pct_gguf_close(&file);
}

static void refused(void **state) {
    static const struct {
        change change;
        const char *says[2];
    } cases[] = {
        {{.skip_tensor = "blk.1.ffn_up.weight"}, {"blk.1.ffn_up.weight", "missing"}},
        {{.narrow_tensor = "blk.0.attn_q.weight"}, {"64 x 63", "64 x 64"}},
        {{.narrow_tensor = "blk.0.attn_k.weight", .retype = PCT_GGUF_TYPE_I8}, {"blk.0.attn_k.weight", "I8"}},
        {{.skip_key = "general.architecture", .text = "llama"}, {"llama", "percept"}},
        {{.skip_key = "general.architecture", .number = -1}, {"general.architecture", NULL}},
        {{.skip_key = "percept.format_version", .number = 2}, {"format_version", "newer"}},
        {{.skip_key = "llama.attention.head_count", .number = 3}, {"language.heads", "does not divide"}},
        {{.skip_key = "llama.attention.head_count", .number = 0}, {"language.heads", "outside"}},
        {{.skip_key = "llama.block_count", .number = 3}, {"blk.2.", "missing"}},
        {{.skip_key = "llama.block_count", .number = 1 << 20}, {"language.layers", "outside"}},
        {{.skip_key = "clip.vision.image_size", .number = 128}, {"position_embd", "wants"}},
        /* llama.cpp#24142, #27166, #27224: a picture's keys of the wrong form, or too large for what is made of them */
        {{.skip_key = "clip.vision.image_size", .number = 46340}, {"image.side", "outside"}},
        {{.skip_key = "clip.vision.image_size", .number = UINT32_MAX}, {"clip.vision.image_size", NULL}},
        {{.skip_key = "clip.vision.patch_size", .number = 0}, {"vision.stride", "outside"}},
        {{.skip_key = "clip.vision.image_mean", .floats = 1}, {"clip.vision.image_mean", "1 "}},
        {{.skip_key = "clip.vision.image_mean", .floats = 4}, {"clip.vision.image_mean", "4 "}},
        {{.skip_key = "clip.vision.image_std", .number = 1}, {"clip.vision.image_std", NULL}},
        {{.skip_key = "clip.vision.image_std", .floats = 2}, {"clip.vision.image_std", "2 "}},
        {{.skip_key = "clip.vision.image_std", .number = -1}, {"clip.vision.image_std", "missing"}},
        {{.skip_key = "percept.vision.fine", .text = "magic"}, {"percept.vision.fine", "magic"}},
        {{.skip_key = "percept.language.cell_positions", .text = "magic"}, {"cell_positions", "magic"}},
        {{.skip_tensor = "percept.cell_position"}, {"percept.cell_position (64 x 16)", "missing"}},
        {{.skip_key = "percept.object_token", .text = "<it>"}, {"percept.object_token", "<it>"}},
        {{.skip_key = "percept.mask.stride", .number = -1}, {"percept.mask.stride", NULL}},
        {{.skip_key = "llama.vocab_size", .number = 319}, {"vocab_size", "tokenizer"}},
        {{.skip_key = "tokenizer.ggml.tokens", .number = -1}, {"tokenizer.ggml.tokens", NULL}},
        {{.skip_key = "percept.threshold", .number = 7}, {"percept.threshold", NULL}},
        {{.skip_key = "percept.image.resample", .text = "magic"}, {"percept.image.resample", "bicubic"}},
        {{.skip_key = "percept.vision.activation", .text = "relu"}, {"activation", "gelu, gelu_erf, quick_gelu"}},
        {{.skip_key = "percept.vision.layer_scale", .number = 1}, {"v.blk.0.ls1.weight", "missing"}},
        {{.skip_key = "percept.vision.qk_norm", .number = 1}, {"v.blk.0.attn_q_norm.weight", "missing"}},
        {{.skip_key = "percept.vision.qk_norm", .number = 2}, {"vision.qk_norm", "outside"}},
        {{.skip_key = "percept.vision.class_row", .number = 0}, {"vision.class_row", "does not go with"}},
        {{.skip_key = "percept.connector", .text = "norm_mlp"}, {"mm.model.mlp.0.weight", "missing"}},
        {{.skip_key = "clip.vision.projector.scale_factor", .number = 1 << 23}, {"vision.shuffle", "outside"}},
        {{.skip_key = "clip.vision.projector.scale_factor", .number = 0}, {"vision.shuffle", "outside"}},
        {{.skip_key = "clip.vision.attention.layer_norm_epsilon", .number = 1}, {"layer_norm_epsilon", NULL}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pct_model *model = NULL;
        percept_error error = {0};
        copy_changed(&cases[i].change);
        percept_status status = pct_model_open(&model, other, false, &error);
        if (status != PERCEPT_ERROR_MODEL) fail_msg("case %zu: status %d, \"%s\"", i, status, error.message);
        assert_null(model);
        assert_int_equal(error.status, PERCEPT_ERROR_MODEL);
        for (int k = 0; k < 2; k++)
            if (cases[i].says[k] && !strstr(error.message, cases[i].says[k]))
                fail_msg("case %zu: \"%s\" does not say \"%s\"", i, error.message, cases[i].says[k]);
        assert_non_null(strstr(error.message, other));
    }
}

static void other_files(void **state) {
    pct_model *model = NULL;
    percept_error error = {0};
    copy_changed(&(change){.more = true});
    assert_int_equal(pct_model_open(&model, other, false, &error), PERCEPT_OK);
    assert_string_equal(pct_model_get_unused(model), "spare.weight");
    pct_model_close(&model);
    /* A file of before the key: its cells are at rotary positions. */
    copy_changed(
        &(change){.skip_key = "percept.language.cell_positions", .number = -1, .skip_tensor = "percept.cell_position"});
    assert_int_equal(pct_model_open(&model, other, false, &error), PERCEPT_OK);
    assert_int_equal(model->config.language.cell_positions, PCT_CELLS_ROTARY);
    assert_null(model->cell_position);
    assert_string_equal(pct_model_get_unused(model), "");
    pct_model_close(&model);
    /* Towers of before these keys were as the toy's is. */
    static const char *const later[] = {
        "percept.image.resample",  "percept.vision.activation", "clip.vision.attention.layer_norm_epsilon",
        "percept.vision.pre_norm", "percept.vision.patch_bias", "percept.vision.layer_scale",
        "percept.vision.qk_norm",  "percept.vision.class_row",  "clip.vision.projector.scale_factor"};
    pct_model *whole = NULL;
    assert_int_equal(pct_model_open(&whole, good, false, &error), PERCEPT_OK);
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        copy_changed(&(change){.skip_key = later[i], .number = -1});
        assert_int_equal(pct_model_open(&model, other, false, &error), PERCEPT_OK);
        assert_memory_equal(&model->config, &whole->config, sizeof whole->config);
        pct_model_close(&model);
    }
    pct_model_close(&whole);
    assert_int_equal(pct_model_open(&model, "/tmp/percept-is-not-there.gguf", false, &error), PERCEPT_ERROR_INPUT);
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(pct_file_read(good, 1u << 30, &data, &size, &error), PERCEPT_OK);
    for (size_t cut = 0; cut < 20; cut++) {
        assert_int_equal(pct_file_write(other, data, size * cut / 20, &error), PERCEPT_OK);
        assert_int_not_equal(pct_model_open(&model, other, false, &error), PERCEPT_OK);
        assert_null(model);
    }
    free(data);
}

static bool any_part(void *context, const char *name) { return true; }

/* A start from a model without the tokens of regions in text: its rows are the first, the others begin anew. */
static void taller_tables(void **state) {
    percept_error error = {0};
    toy_set toy, text;
    pct_gguf *file = NULL;
    int64_t taken;
    pct_model *model = make(&toy), *taller = NULL;
    pct_model_config config = toy.config;
    config.lora.rank = 0;
    config.language.regions = PCT_REGIONS_TEXT;
    config.language.copying = config.heads.quality = 0;
    assert_true(toy_create(&text, &config));
    assert_int_equal(pct_model_create(&taller, &text.config, text.tokenizer, 9, &error), PERCEPT_OK);
    text.tokenizer = NULL;
    const int64_t width = toy.config.language.width, rows = toy.config.language.vocabulary;
    assert_int_equal(taller->config.language.vocabulary, rows + config.language.bins + 3);
    assert_int_equal(pct_model_save(model, other, PCT_REAL, NULL, &error), PERCEPT_OK);
    assert_int_equal(pct_gguf_open(&file, other, &error), PERCEPT_OK);
    const pct_real *table = pct_tensor_data(&taller->language.embedding->tensor);
    pct_real fresh = table[rows * width];
    assert_int_equal(pct_model_take(taller, file, any_part, NULL, &taken, &error), PERCEPT_OK);
    assert_int_equal(taken, taller->parameters.count); /* it has nothing that the file lacks */
    assert_memory_equal(table, pct_tensor_data(&model->language.embedding->tensor),
                        (size_t)(rows * width) * sizeof *table);
    assert_true(table[rows * width] == fresh);
    pct_gguf_close(&file);
    /* and not the other way round */
    assert_int_equal(pct_model_save(taller, other, PCT_REAL, NULL, &error), PERCEPT_OK);
    assert_int_equal(pct_gguf_open(&file, other, &error), PERCEPT_OK);
    fresh = pct_tensor_data(&model->language.embedding->tensor)[5];
    pct_tensor_data(&taller->language.embedding->tensor)[5] += 1;
    assert_int_equal(pct_model_take(model, file, any_part, NULL, &taken, &error), PERCEPT_OK);
    assert_true(pct_tensor_data(&model->language.embedding->tensor)[5] == fresh);
    pct_gguf_close(&file);
    pct_model_close(&model);
    pct_model_close(&taller);
    toy_free(&toy);
    toy_free(&text);
}

static void configs(void **state) {
    pct_model_config c;
    percept_error error = {0};
    pct_model_config_default(&c);
    assert_int_equal(pct_model_config_check(&c, &error), PERCEPT_OK);
    assert_int_equal(pct_model_config_grid(&c), 12);
    assert_int_equal(pct_model_config_fine_grid(&c), 24);
    assert_int_equal(pct_model_config_mask_side(&c), 48);
#define REFUSED(change, words)                                                                                         \
    do {                                                                                                               \
        pct_model_config_default(&c);                                                                                  \
        change;                                                                                                        \
        assert_int_equal(pct_model_config_check(&c, &error), PERCEPT_ERROR_INPUT);                                     \
        assert_non_null(strstr(error.message, words));                                                                 \
    } while (0)
    REFUSED(c.vision.heads = 7, "vision.heads: 7 does not divide vision.width 256");
    REFUSED(c.image.side = 200, "vision.stride: 16 does not divide image.side 200");
    REFUSED(c.vision.fine = PCT_FINE_SECOND, "vision.fine: second needs vision.stem: patch");
    REFUSED(c.vision.stem = PCT_STEM_PATCH, "vision.fine: stem needs vision.stem: conv");
    REFUSED(c.heads.mask_stride = 16, "heads.mask_stride");
    REFUSED(c.language.context = 145, "language.context");
    REFUSED(c.language.cell_positions = 2, "language.cell_positions");
    REFUSED(c.language.kv_heads = 3, "language.kv_heads");
    REFUSED(c.language.norm_epsilon = NAN, "language.norm_epsilon");
    REFUSED((c.heads.kind = PCT_HEADS_RES), "vision.shuffle: 1; heads of kind res need 2");
    REFUSED((c.heads.kind = PCT_HEADS_RES, c.vision.class_row = 0, c.vision.shuffle = 2, c.heads.mask_heads = 3,
             c.language.grounding = 0, c.language.cell_positions = 0, c.heads.naming = 0, c.heads.cell_box = 0,
             c.heads.presence = 0),
            "mask decoder: heads 3 and groups 4 must divide width 256");
    REFUSED(c.image.deviation[1] = 0, "image.deviation");
    REFUSED(c.heads.mask_encoder_side = 48, "mask_encoder_side");
    REFUSED(c.lora.dropout = 1, "lora.dropout");
    REFUSED(c.vision.activation = 3, "vision.activation: 3 is outside 0..2");
    REFUSED(c.vision.norm_epsilon = 0, "vision.norm_epsilon");
    REFUSED(c.vision.class_row = 0, "vision.class_row: 0 does not go with language.grounding");
    REFUSED(c.vision.shuffle = 2, "vision.shuffle: 2 needs vision.class_row: 0");
    REFUSED(c.vision.shuffle = 5, "vision.shuffle: 5 does not divide the grid's side 12");
    REFUSED(c.vision.shuffle = 0, "vision.shuffle: 0 is outside");
    REFUSED(c.vision.patch_bias = 1, "vision.patch_bias: 1 needs vision.stem: patch");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configs),   cmocka_unit_test(taller_tables), cmocka_unit_test(round_trip),
        cmocka_unit_test(quantised), cmocka_unit_test(refused),       cmocka_unit_test(other_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
