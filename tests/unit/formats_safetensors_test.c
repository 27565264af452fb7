/* safetensors: what is read, from one file and from shards, and what is refused. */
#include "formats/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT 4096

/* A file of that header and `size` bytes 0, 1, 2, ...; returns its size. */
static size_t build(unsigned char *out, const char *header, size_t size) {
    const uint64_t length = strlen(header);
    for (int i = 0; i < 8; i++) out[i] = (unsigned char)(length >> (8 * i));
    memcpy(out + 8, header, (size_t)length);
    for (size_t i = 0; i < size; i++) out[8 + length + i] = (unsigned char)i;
    return 8 + (size_t)length + size;
}

static void whole_file(void **state) {
    unsigned char data[LIMIT];
    (void)state;
    const size_t size = build(data,
                              "{\"__metadata__\":{\"format\":\"pt\"},"
                              "\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[3,11]},"
                              "\"a.bytes\":{\"shape\":[3],\"dtype\":\"U8\",\"data_offsets\":[0,3]},"
                              "\"none\":{\"dtype\":\"BF16\",\"shape\":[4,0],\"data_offsets\":[11,11]},"
                              "\"one\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[11,19],\"more\":[{}]}}   ",
                              19);
    pct_safetensors *file;
    percept_error error = {0};
    assert_int_equal(pct_safetensors_open_memory(&file, "x", data, size, &error), PERCEPT_OK);
    assert_int_equal(pct_safetensors_count(file), 4);
    assert_string_equal(pct_safetensors_at(file, 0)->name, "a.bytes");
    const pct_safetensor *b = pct_safetensors_find(file, "b"), *one = pct_safetensors_find(file, "one");
    assert_true(b && one && !pct_safetensors_find(file, "c"));
    assert_int_equal(b->type, PCT_SAFETENSORS_F32);
    assert_true(b->dims == 2 && b->shape[0] == 2 && b->shape[1] == 1 && b->elements == 2 && b->size == 8);
    assert_int_equal(b->data[0], 3);
    assert_string_equal(b->file, "x");
    assert_true(one->dims == 0 && one->elements == 1 && one->size == 8 && one->data[7] == 18);
    assert_int_equal(pct_safetensors_find(file, "none")->elements, 0);
    assert_string_equal(pct_safetensors_metadata(file, "format"), "pt");
    assert_null(pct_safetensors_metadata(file, "name"));
    assert_string_equal(pct_safetensors_type_name(PCT_SAFETENSORS_BF16), "BF16");
    pct_safetensors_close(&file);
    assert_null(file);
    const size_t empty = build(data, "{}", 0);
    assert_int_equal(pct_safetensors_open_memory(&file, "x", data, empty, &error), PERCEPT_OK);
    assert_null(pct_safetensors_find(file, "a"));
    pct_safetensors_close(&file);
}

static void check_refused(const unsigned char *data, size_t size, const char *words) {
    unsigned char *exact = malloc(size ? size : 1); /* so that a sanitizer sees a read past its end */
    pct_safetensors *file;
    percept_error error = {0};
    memcpy(exact, data, size);
    assert_int_equal(pct_safetensors_open_memory(&file, "a.safetensors", exact, size, &error), PERCEPT_ERROR_MODEL);
    assert_int_equal(error.status, PERCEPT_ERROR_MODEL);
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
    assert_memory_equal(error.message, "a.safetensors: ", 15);
    assert_null(file);
    free(exact);
}

static void refused(const char *header, size_t payload, const char *words) {
    unsigned char data[LIMIT];
    check_refused(data, build(data, header, payload), words);
}

static void malformed(void **state) {
    (void)state;
    refused("[]", 0, "no JSON object");
    refused("{", 0, "header:1:");
    refused("{} x", 0, "text after");
    refused("{\"a\":3}", 0, "header:1:");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets is missing");
    refused("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "'F8_E4M3' is not supported");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "do not fit its 4 bytes");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "header:1:");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, "header:1:");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4, "do not fit");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "do not fit");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
            "more than 8 dimensions");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}", 7, "cut off");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, "cut off or damaged");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, "wants 2 numbers");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, "more than 2 numbers");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 2, "1 bytes after the last tensor");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, "nobody's lie before");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
            "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
            3, "overlap");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
            "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
            2, "'a' is there twice");
    refused("{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "name of 0 bytes");
    refused("{\"a\\u0000\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "NUL");
    refused("{\"__metadata__\":{\"format\":3}}", 0, "header:1:");
    unsigned char cut[16] = {9, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    check_refused(cut, 4, "fewer than 8 bytes");
    check_refused(cut, 10, "cut off");
    memset(cut, 255, 8); /* a header of 2^64-1 bytes */
    check_refused(cut, 16, "cut off");
}

static char folder[] = "/tmp/percept-safetensors-XXXXXX";

static void write_file(const char *name, const void *data, size_t size) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static percept_status open_named(const char *name, pct_safetensors **file, percept_error *error) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return pct_safetensors_open(file, path, error);
}

static void check_index(const char *index, percept_status wanted, const char *words) {
    pct_safetensors *file;
    percept_error error = {0};
    write_file("m.index.json", index, strlen(index));
    assert_int_equal(open_named("m.index.json", &file, &error), wanted);
    assert_null(file);
    assert_memory_equal(error.message, folder, strlen(folder));
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
}

static void shards(void **state) {
    unsigned char data[LIMIT];
    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file("1.safetensors", data,
               build(data, "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2));
    write_file("2.safetensors", data,
               build(data, "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1));
    const char *good =
        "{\"metadata\":{\"total_size\":3},\"weight_map\":{\"b\":\"2.safetensors\",\"a\":\"1.safetensors\"}}";
    pct_safetensors *file;
    percept_error error = {0};
    write_file("m.index.json", good, strlen(good));
    assert_int_equal(open_named("m.index.json", &file, &error), PERCEPT_OK);
    assert_int_equal(pct_safetensors_count(file), 2);
    const pct_safetensor *b = pct_safetensors_find(file, "b");
    assert_true(b && b->size == 1 && b->data[0] == 0 && strstr(b->file, "/2.safetensors"));
    pct_safetensors_close(&file);
    assert_int_equal(open_named("1.safetensors", &file, &error), PERCEPT_OK);
    pct_safetensors_close(&file);
    assert_int_equal(open_named("3.safetensors", &file, &error), PERCEPT_ERROR_INPUT);

    check_index("{\"weight_map\":{\"a\":\"2.safetensors\"}}", PERCEPT_ERROR_MODEL, "'a' is not in");
    check_index("{\"weight_map\":{\"a\":\"3.safetensors\"}}", PERCEPT_ERROR_INPUT, "3.safetensors");
    check_index("{\"weight_map\":{\"a\":\"../1.safetensors\"}}", PERCEPT_ERROR_MODEL, "beside the index");
    check_index("{\"weight_map\":{\"a\":\"..\"}}", PERCEPT_ERROR_MODEL, "beside the index");
    check_index("{\"weight_map\":{\"a\":3}}", PERCEPT_ERROR_MODEL, "m.index.json:1:");
    check_index("{\"weight_map\":{}}", PERCEPT_ERROR_MODEL, "no shards");
    check_index("{}", PERCEPT_ERROR_MODEL, "no shards");
    write_file("3.safetensors", data,
               build(data, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1));
    check_index("{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"3.safetensors\"}}", PERCEPT_ERROR_MODEL,
                "there twice");
    enum { LINES = 262145 };
    char *many = malloc((size_t)LINES * 32 + 64), *at = many;
    assert_non_null(many);
    at += sprintf(at, "{\"weight_map\":{");
    for (int i = 0; i < LINES; i++) at += sprintf(at, "%s\"%d\":\"1.safetensors\"", i ? "," : "", i);
    strcpy(at, "}}");
    check_index(many, PERCEPT_ERROR_MODEL, "more than 262144 tensors in its weight_map");
    free(many);
    static const char *const names[] = {"1.safetensors", "2.safetensors", "3.safetensors", "m.index.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_file),
        cmocka_unit_test(malformed),
        cmocka_unit_test(shards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
