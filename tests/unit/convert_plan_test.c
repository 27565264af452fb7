/* Tensors of a checkpoint under a family's rules: what becomes of them, and what is refused. */
#include "base/file.h"
#include "convert/plan.h"
#include "convert/quantise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/percept-plan-XXXXXX";

static const char *in_folder(const char *name) {
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* A safetensors file of F32 tensors "name:dims:first" whose numbers count up from `first`. */
static void put(const char *file, const char *const *tensors) {
    char header[4096] = "{", data[16384];
    size_t size = 0;
    for (; *tensors; tensors++) {
        char name[128], dims[64];
        int first;
        assert_int_equal(sscanf(*tensors, "%127[^:]:%63[^:]:%d", name, dims, &first), 3);
        int64_t count = 1;
        for (char *at = dims; *at;) {
            count *= strtol(at, &at, 10);
            if (*at == ',') at++;
        }
        const size_t begin = size;
        for (int64_t i = 0; i < count; i++, size += 4) {
            const float value = (float)(first + i);
            memcpy(data + size, &value, 4);
        }
        sprintf(header + strlen(header), "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                begin ? "," : "", name, dims, begin, size);
    }
    strcat(header, "}");
    const uint64_t length = strlen(header);
    char *whole = malloc(8 + length + size);
    memcpy(whole, &length, 8);
    memcpy(whole + 8, header, length);
    memcpy(whole + 8 + length, data, size);
    assert_int_equal(pct_file_write(in_folder(file), whole, 8 + length + size, NULL), PERCEPT_OK);
    free(whole);
}

static const pct_rule rules[] = {
    {"blk.#.attn_q.weight", "layers.#.q.weight", PCT_RULE_ROTARY, 0, 0},
    {"blk.#.attn_k.weight", "layers.#.qkv.weight", PCT_RULE_PART, 1, 3},
    {"blk.#.attn_k.bias", "layers.#.qkv.bias", PCT_RULE_PART, 1, 3},
    {"blk.#.ffn_up.weight", "layers.#.up.weight|h.#.up.weight", PCT_RULE_COPY, 0, 0},
    {"patch.weight", "patch.weight", PCT_RULE_KERNEL, 0, 0},
    {"token.weight", "token", PCT_RULE_COPY, 0, 0},
    {"table.weight", "table", PCT_RULE_TABLE, 0, 0},
    {NULL, NULL, PCT_RULE_COPY, 0, 0},
};

static const char *const whole_model[] = {"model.layers.0.q.weight:8,2:0",
                                          "model.layers.0.qkv.weight:12,2:100",
                                          "model.layers.0.qkv.bias:12:200",
                                          "model.h.0.up.weight:3,2:0",
                                          "model.patch.weight:2,3,2,2:0",
                                          "model.token:1,1,4:50",
                                          "model.table:3,2:6",
                                          "model.rotary.inv_freq:4:0",
                                          "model.more:1:0",
                                          NULL};

/* The weights of a small model, asked for as its parts do. */
static void build(pct_builder *builder) {
    pct_build_weight(builder, PCT_INIT_NORMAL, 1, 2, (int64_t[]){8, 2}, true, false, "blk.%d.attn_q.weight", 0);
    pct_build_weight(builder, PCT_INIT_NORMAL, 1, 2, (int64_t[]){4, 2}, true, false, "blk.%d.attn_k.weight", 0);
    pct_build_vector(builder, 0, 4, "blk.%d.attn_k.bias", 0);
    pct_build_weight(builder, PCT_INIT_NORMAL, 1, 2, (int64_t[]){3, 2}, true, false, "blk.%d.ffn_up.weight", 0);
    pct_build_weight(builder, PCT_INIT_NORMAL, 1, 4, (int64_t[]){2, 2, 2, 3}, true, false, "patch.weight");
    pct_build_weight(builder, PCT_INIT_NORMAL, 1, 2, (int64_t[]){1, 4}, true, false, "token.weight");
    pct_build_weight(builder, PCT_INIT_NORMAL, 1, 2, (int64_t[]){5, 2}, true, false, "table.weight");
    pct_build_vector(builder, 0, 2, "made.weight");
    pct_build_vector(builder, 7, 2, "percept.head.weight");
}

static const pct_real made_numbers[] = {3, 4};

typedef struct trial {
    pct_plan_source source;
    pct_plan_made made;
    pct_plan_options options;
    pct_parameters set;
    pct_plan *plan;
    percept_error error;
} trial;

static int64_t wanted_rank; /* of adapters; 0: any */

static percept_status plan_it(trial *t, const char *file, const char *lora) {
    *t = (trial){.source = {.rules = rules,
                            .prefixes = {"", "model."},
                            .ignored = {"*.inv_freq"},
                            .lora_scale = 0.5,
                            .lora_rank = wanted_rank},
                 .made = {"made.weight", made_numbers, 2}};
    assert_int_equal(pct_foreign_open(&t->source.checkpoint, in_folder(file), &t->error), PERCEPT_OK);
    if (lora) assert_int_equal(pct_foreign_open(&t->source.lora, in_folder(lora), &t->error), PERCEPT_OK);
    t->options = (pct_plan_options){.sources = &t->source,
                                    .source_count = 1,
                                    .made = &t->made,
                                    .made_count = 1,
                                    .heads = 2,
                                    .kv_heads = 1,
                                    .fresh = true,
                                    .name = "toy"};
    assert_int_equal(pct_plan_create(&t->plan, &t->options, &t->error), PERCEPT_OK);
    pct_parameters_init(&t->set);
    pct_builder builder = {.set = &t->set, .seed = 1, .source = pct_plan_take, .context = t->plan, .error = &t->error};
    build(&builder);
    return builder.status;
}

static void end_trial(trial *t) {
    pct_plan_destroy(&t->plan);
    pct_parameters_free(&t->set);
    pct_foreign_close(&t->source.checkpoint);
    pct_foreign_close(&t->source.lora);
}

/* Converts and opens what was written. */
static pct_gguf *convert(trial *t, pct_convert_report *report) {
    pct_gguf_writer *writer;
    pct_rows rows;
    pct_gguf *file;
    assert_int_equal(pct_gguf_writer_create(&writer, &t->error), PERCEPT_OK);
    assert_int_equal(pct_rows_init(&rows, NULL, writer, &t->error), PERCEPT_OK);
    pct_gguf_set_string(writer, "general.architecture", "toy");
    pct_plan_declare(t->plan, &t->set, writer, PCT_REAL);
    assert_int_equal(pct_gguf_writer_begin(writer, in_folder("out.gguf"), &t->error), PERCEPT_OK);
    assert_int_equal(pct_plan_write(t->plan, &t->set, &rows, PCT_REAL, NULL, NULL, report, &t->error), PERCEPT_OK);
    assert_int_equal(pct_gguf_writer_end(writer, &t->error), PERCEPT_OK);
    assert_int_equal(pct_plan_report(t->plan, report, &t->error), PERCEPT_OK);
    pct_rows_free(&rows);
    pct_gguf_writer_destroy(&writer);
    assert_int_equal(pct_gguf_open(&file, in_folder("out.gguf"), &t->error), PERCEPT_OK);
    return file;
}

static void holds(const pct_gguf *file, const char *name, int count, const float *wanted) {
    const pct_gguf_tensor *t = pct_gguf_find(file, name);
    assert_non_null(t);
    assert_int_equal(t->elements, count);
    for (int i = 0; i < count; i++) {
        const float found = ((const float *)t->data)[i];
        if (found != wanted[i]) fail_msg("%s[%d] is %g, not %g", name, i, (double)found, (double)wanted[i]);
    }
}

static void every_rule(void **state) {
    trial t;
    pct_convert_report report = {0};
    (void)state;
    put("whole.safetensors", whole_model);
    if (plan_it(&t, "whole.safetensors", NULL) != PERCEPT_OK) fail_msg("%s", t.error.message);
    pct_gguf *file = convert(&t, &report);
    /* two heads of four rows: halves 0,1 and 2,3 become 0,2,1,3 */
    holds(file, "blk.0.attn_q.weight", 16, (float[]){0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15});
    holds(file, "blk.0.attn_k.weight", 8, (float[]){108, 109, 110, 111, 112, 113, 114, 115});
    holds(file, "blk.0.attn_k.bias", 4, (float[]){204, 205, 206, 207});
    holds(file, "blk.0.ffn_up.weight", 6, (float[]){0, 1, 2, 3, 4, 5});
    holds(file, "patch.weight", 24,
          (float[]){0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, 12, 16, 20, 13, 17, 21, 14, 18, 22, 15, 19, 23});
    holds(file, "token.weight", 4, (float[]){50, 51, 52, 53});
    holds(file, "table.weight", 10, (float[]){6, 7, 8, 9, 10, 11, 8, 9, 8, 9}); /* the last two: the mean */
    holds(file, "made.weight", 2, (float[]){3, 4});
    holds(file, "percept.head.weight", 2, (float[]){7, 7});
    assert_true(report.used == 7 && report.ignored == 1 && report.unused == 1 && report.fresh == 1);
    assert_string_equal(report.unused_names.data, "model.more");
    assert_string_equal(report.fresh_names.data, "percept.head.weight");
    assert_int_equal(report.written, 9);
    pct_text_free(&report.unused_names);
    pct_text_free(&report.fresh_names);
    pct_gguf_close(&file);
    end_trial(&t);
}

static void adapters(void **state) {
    static const char *const lora[] = {"base_model.model.model.layers.0.q.lora_A.weight:1,2:1",
                                       "base_model.model.model.layers.0.q.lora_B.weight:8,1:0", NULL};
    trial t;
    pct_convert_report report = {0};
    (void)state;
    put("whole.safetensors", whole_model);
    put("lora.safetensors", lora);
    if (plan_it(&t, "whole.safetensors", "lora.safetensors") != PERCEPT_OK) fail_msg("%s", t.error.message);
    pct_gguf *file = convert(&t, &report);
    float wanted[16];
    for (int row = 0; row < 8; row++) { /* row r of W + 0.5 * B[r] * (1, 2), then the order of pairs */
        const int from = row / 4 * 4 + row % 2 * 2 + row % 4 / 2;
        for (int i = 0; i < 2; i++) wanted[2 * row + i] = (float)(2 * from + i) + 0.5f * (float)(from * (i + 1));
    }
    holds(file, "blk.0.attn_q.weight", 16, wanted);
    assert_true(report.adapted == 1 && report.unused == 1);
    pct_text_free(&report.unused_names);
    pct_text_free(&report.fresh_names);
    pct_gguf_close(&file);
    end_trial(&t);
}

static void refused(const char *const *model, const char *const *lora, const char *words) {
    trial t;
    put("wrong.safetensors", model);
    if (lora) put("lora.safetensors", lora);
    assert_int_equal(plan_it(&t, "wrong.safetensors", lora ? "lora.safetensors" : NULL), PERCEPT_ERROR_MODEL);
    if (!strstr(t.error.message, words)) fail_msg("\"%s\" lacks \"%s\"", t.error.message, words);
    end_trial(&t);
}

static void wrong_checkpoints(void **state) {
    static const char *const missing[] = {"layers.0.q.weight:8,2:0", NULL};
    static const char *const shape[] = {"layers.0.q.weight:8,3:0", NULL};
    static const char *const turned[] = {"layers.0.q.weight:2,8:0", NULL};
    static const char *const half[] = {"base_model.model.model.layers.0.q.lora_A.weight:1,2:1", NULL};
    static const char *const wide[] = {"model.layers.0.q.lora_A.weight:1,3:1", "model.layers.0.q.lora_B.weight:8,1:0",
                                       NULL};
    static const char *const table[] = {"layers.0.q.weight:8,2:0", "layers.0.qkv.weight:12,2:0",
                                        "layers.0.qkv.bias:12:0",  "h.0.up.weight:3,2:0",
                                        "patch.weight:2,3,2,2:0",  "token:4:0",
                                        "table:1,5,2:0",           NULL};
    (void)state;
    refused(table, NULL, "tensor 'table' is 1 x 5 x 2; its config makes it 5 x 2");
    refused(missing, NULL, "toy: tensor 'layers.0.qkv.weight' is missing (it becomes blk.0.attn_k.weight)");
    refused(shape, NULL, "tensor 'layers.0.q.weight' is 8 x 3; its config makes it 8 x 2");
    refused(turned, NULL, "is 2 x 8");
    refused(whole_model, half, "has one of LoRA's two matrices");
    refused(whole_model, wide, "do not adapt a layer of 8 x 2");
}

/* The checkpoint's dimensions of 1 do not count as rows. */
static void adapted_square(void **state) {
    static const char *const lora[] = {"base_model.model.model.layers.0.q.lora_A.weight:1,2:1",
                                       "base_model.model.model.layers.0.q.lora_B.weight:8,1:0", NULL};
    const char *model[sizeof whole_model / sizeof *whole_model];
    trial t;
    (void)state;
    memcpy(model, whole_model, sizeof model);
    model[0] = "model.layers.0.q.weight:1,8,2:0";
    put("whole.safetensors", model);
    put("lora.safetensors", lora);
    if (plan_it(&t, "whole.safetensors", "lora.safetensors") != PERCEPT_OK) fail_msg("%s", t.error.message);
    end_trial(&t);
}

/* What a layer has beyond the rules is refused by name, save buffers that are known. */
static void left_over(void **state) {
    const char *model[sizeof whole_model / sizeof *whole_model + 2];
    const size_t end = sizeof whole_model / sizeof *whole_model - 1;
    trial t;
    (void)state;
    memcpy(model, whole_model, sizeof whole_model);
    model[end] = "model.layers.0.rotary.inv_freq:4:0";
    model[end + 1] = NULL;
    put("whole.safetensors", model);
    assert_int_equal(plan_it(&t, "whole.safetensors", NULL), PERCEPT_OK);
    assert_int_equal(pct_plan_check(t.plan, &t.error), PERCEPT_OK);
    end_trial(&t);
    model[end + 1] = "model.layers.0.o.bias:8:0";
    model[end + 2] = NULL;
    put("whole.safetensors", model);
    assert_int_equal(plan_it(&t, "whole.safetensors", NULL), PERCEPT_OK);
    assert_int_equal(pct_plan_check(t.plan, &t.error), PERCEPT_ERROR_MODEL);
    if (!strstr(t.error.message, "tensor 'model.layers.0.o.bias' has no place")) fail_msg("%s", t.error.message);
    end_trial(&t);
}

/* Adapters that say nothing of this model, or have another rank than their config. */
static void wrong_adapters(void **state) {
    static const char *const other[] = {"base_model.model.other.lora_A.weight:1,2:1",
                                        "base_model.model.other.lora_B.weight:8,1:0", NULL};
    static const char *const fitting[] = {"base_model.model.model.layers.0.q.lora_A.weight:1,2:1",
                                          "base_model.model.model.layers.0.q.lora_B.weight:8,1:0", NULL};
    trial t;
    (void)state;
    put("whole.safetensors", whole_model);
    put("lora.safetensors", other);
    assert_int_equal(plan_it(&t, "whole.safetensors", "lora.safetensors"), PERCEPT_OK);
    assert_int_equal(pct_plan_check(t.plan, &t.error), PERCEPT_ERROR_MODEL);
    if (!strstr(t.error.message, "none of its tensors adapts a layer")) fail_msg("%s", t.error.message);
    end_trial(&t);
    put("lora.safetensors", fitting);
    wanted_rank = 2;
    assert_int_equal(plan_it(&t, "whole.safetensors", "lora.safetensors"), PERCEPT_ERROR_MODEL);
    wanted_rank = 0;
    if (!strstr(t.error.message, "has rank 1, and adapter_config.json's r is 2")) fail_msg("%s", t.error.message);
    end_trial(&t);
}

static void large_row(void *context, int64_t row, pct_real *out) {
    for (int i = 0; i < 32; i++) out[i] = row == 1 ? *(pct_real *)context : (pct_real)i;
}

/* What fits the source's type and not the file's is refused, not stored as infinite. */
static void large_numbers(void **state) {
    static const struct {
        pct_dtype type;
        pct_real large;
        const char *name;
    } cases[] = {{PCT_F16, 1e5f, "F16"}, {PCT_Q8_0, 1e7f, "Q8_0"}, {PCT_Q5_0, 1e7f, "Q5_0"}, {PCT_Q4_0, 1e7f, "Q4_0"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pct_rows rows;
        percept_error error = {0};
        pct_real large = cases[i].large;
        char words[64];
        assert_int_equal(pct_rows_init(&rows, NULL, NULL, &error), PERCEPT_OK);
        assert_int_equal(pct_rows_write(&rows, "w", cases[i].type, 2, 32, large_row, &large, NULL, &error),
                         PERCEPT_ERROR_MODEL);
        snprintf(words, sizeof words, "'w' has a number in row 1 that does not fit type %s;", cases[i].name);
        if (!strstr(error.message, words)) fail_msg("\"%s\" lacks \"%s\"", error.message, words);
        pct_rows_free(&rows);
    }
}

/* A name that the reader takes and the writer does not is the input's fault. */
static void long_names(void **state) {
    unsigned char data[160] = "GGUF\3";
    const uint64_t count = 1, length = 70, elements = 4;
    pct_quantise_report report;
    percept_error error = {0};
    (void)state;
    memcpy(data + 8, &count, 8); /* tensors; no keys */
    memcpy(data + 24, &length, 8);
    memset(data + 32, 'n', length);
    data[102] = 1; /* dimension; then its elements, type F32, offset 0, and the data at 128 */
    memcpy(data + 106, &elements, 8);
    assert_int_equal(pct_file_write(in_folder("long.gguf"), data, sizeof data, NULL), PERCEPT_OK);
    assert_int_equal(
        pct_quantise_file(in_folder("long.gguf"), in_folder("short.gguf"), PCT_F16, NULL, NULL, NULL, &report, &error),
        PERCEPT_ERROR_MODEL);
    if (!strstr(error.message, "long.gguf: tensor 'nnn") || !strstr(error.message, "a name of 70 bytes"))
        fail_msg("%s", error.message);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rule),     cmocka_unit_test(adapters),
                                       cmocka_unit_test(wrong_adapters), cmocka_unit_test(left_over),
                                       cmocka_unit_test(adapted_square), cmocka_unit_test(large_numbers),
                                       cmocka_unit_test(long_names),     cmocka_unit_test(wrong_checkpoints)};
    if (!mkdtemp(folder)) return 2;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char **names;
    size_t count;
    if (pct_directory_list(folder, &names, &count, NULL) == PERCEPT_OK) {
        for (size_t i = 0; i < count; i++) unlink(in_folder(names[i]));
        free(names);
    }
    rmdir(folder);
    return failed;
}
