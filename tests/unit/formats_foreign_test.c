/* One view over the forms of a checkpoint: which file of a folder counts, shards, numbers as F32, what is refused. */
#include "base/file.h"
#include "formats/foreign.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/percept-checkpoint-XXXXXX";
static char *small; /* tests/vectors/pytorch/small.pt */
static size_t small_size;

static const char *in_folder(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const void *data, size_t size) {
    assert_int_equal(pct_file_write(in_folder(name), data, size, NULL), PERCEPT_OK);
}

static void put_safetensors(const char *name, const char *header, const void *data, size_t size) {
    char file[1024];
    const uint64_t length = strlen(header);
    memcpy(file, &length, 8); /* the tests' machines are little-endian */
    memcpy(file + 8, header, length);
    memcpy(file + 8 + length, data, size);
    put(name, file, 8 + length + size);
}

static int empty_folder(void **state) {
    char **names;
    size_t count;
    (void)state;
    if (pct_directory_list(folder, &names, &count, NULL) != PERCEPT_OK) return 1;
    for (size_t i = 0; i < count; i++) unlink(in_folder(names[i]));
    free(names);
    return 0;
}

static void refused(const char *path, percept_status status, const char *words) {
    percept_error error = {0};
    pct_foreign *checkpoint;
    assert_int_equal(pct_foreign_open(&checkpoint, path, &error), status);
    assert_null(checkpoint);
    if (!strstr(error.message, words)) fail_msg("\"%s\" lacks \"%s\"", error.message, words);
}

static void numbers(void **state) {
    const uint16_t halves[] = {0x3C00, 0xC000, 0x0001, 0x83FF, 0x7C00, 0x0000, 0x3F80, 0xC040};
    (void)state;
    put_safetensors("model.safetensors",
                    "{\"half\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
                    "\"brain\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[12,16]}}",
                    halves, sizeof halves);
    pct_foreign *checkpoint;
    percept_error error = {0};
    float x[6];
    assert_int_equal(pct_foreign_open(&checkpoint, folder, &error), PERCEPT_OK);
    assert_int_equal(pct_foreign_count(checkpoint), 2);
    const pct_foreign_tensor *half = pct_foreign_find(checkpoint, "half");
    assert_true(half->dims == 2 && half->shape[0] == 2 && half->shape[1] == 3 && half->elements == 6);
    pct_foreign_floats(half, 0, 6, x);
    assert_true(x[0] == 1 && x[1] == -2 && x[2] == 0x1p-24f && x[3] == -1023 * 0x1p-24f && isinf(x[4]) && x[5] == 0);
    pct_foreign_floats(half, 1, 2, x);
    assert_true(x[0] == -2 && x[1] == 0x1p-24f);
    pct_foreign_floats(pct_foreign_at(checkpoint, 0), 0, 2, x); /* "brain" */
    assert_true(x[0] == 1 && x[1] == -3);
    assert_null(pct_foreign_find(checkpoint, "none"));
    pct_foreign_close(&checkpoint);
}

static void torch_forms(void **state) {
    pct_foreign *checkpoint;
    percept_error error = {0};
    float x[24];
    (void)state;
    put("weights.pt", small, small_size);
    put("readme.txt", "x", 1);
    assert_int_equal(pct_foreign_open(&checkpoint, folder, &error), PERCEPT_OK);
    const pct_foreign_tensor *turned = pct_foreign_find(checkpoint, "model.turned");
    pct_foreign_floats(turned, 0, 24, x);
    for (int i = 0; i < 24; i++) assert_true(x[i] == (float)(i % 4 * 6 + i / 4) / 8 - 1); /* (6,4), transposed */
    pct_foreign_floats(turned, 5, 3, x);
    assert_true(x[0] == -0.125f && x[2] == 1.375f);
    assert_true(pct_foreign_is_float(turned));
    assert_false(pct_foreign_is_float(pct_foreign_find(checkpoint, "model.scalar")));
    pct_foreign_close(&checkpoint);
    const char *index = "{\"metadata\":{},\"weight_map\":{\"model.turned\":\"weights.pt\",\"b\":\"weights.pt\"}}";
    put("pytorch_model.bin.index.json", index, strlen(index));
    assert_int_equal(pct_foreign_open(&checkpoint, folder, &error), PERCEPT_OK);
    assert_true(pct_foreign_find(checkpoint, "model.turned") != NULL);
    pct_foreign_close(&checkpoint);
}

static void wrong_folders(void **state) {
    (void)state;
    refused(folder, PERCEPT_ERROR_INPUT, "no checkpoint in this folder");
    refused(in_folder("none"), PERCEPT_ERROR_INPUT, "none");
    put("a.bin", small, small_size);
    put("b.bin", small, small_size);
    refused(folder, PERCEPT_ERROR_INPUT, "several files might be the checkpoint");
    put("pytorch_model.bin", small, small_size / 2); /* a download that stopped */
    refused(folder, PERCEPT_ERROR_MODEL, "pytorch_model.bin");
}

static void wrong_indices(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"weight_map\":{\"a\":\"../a.bin\"}}", "is not the name of a file beside the index"},
        {"{\"weight_map\":{\"a\":\"\"}}", "is not the name of a file beside the index"},
        {"{\"weight_map\":{\"a\":7}}", "names no file"},
        {"{\"weight_map\":{}}", "no shards"},
        {"{\"weight\":{}}", "weight_map"},
        {"{\"weight_map\":{\"a\":\"a.bin\",\"b\":\"b.bin\"}}", "is there twice"},
        {"{\"weight_map\":{\"a\":\"missing.bin\"}}", "missing.bin"},
        {"{\"weight_map\":", "pytorch_model.bin.index.json"},
    };
    put("a.bin", small, small_size);
    put("b.bin", small, small_size);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("pytorch_model.bin.index.json", cases[i][0], strlen(cases[i][0]));
        const bool missing = strstr(cases[i][1], "missing") != NULL;
        refused(folder, missing ? PERCEPT_ERROR_INPUT : PERCEPT_ERROR_MODEL, cases[i][1]);
    }
}

int main(int argc, char **argv) {
    if (argc < 2 || !mkdtemp(folder) ||
        pct_file_read(argv[1], (size_t)1 << 20, &small, &small_size, NULL) != PERCEPT_OK)
        return fprintf(stderr, "usage: formats_checkpoint_test small.pt\n"), 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers, empty_folder),
        cmocka_unit_test_setup(torch_forms, empty_folder),
        cmocka_unit_test_setup(wrong_folders, empty_folder),
        cmocka_unit_test_setup(wrong_indices, empty_folder),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    empty_folder(NULL);
    rmdir(folder);
    free(small);
    return failed;
}
