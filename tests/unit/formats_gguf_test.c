/* GGUF: round trip of everything the writer can say, and every hostile header that has hurt another reader. */
#include "base/file.h"
#include "formats/gguf.h"
#include "formats/sha256.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/percept-gguf-XXXXXX";
static char path[64];
static percept_error error; /* of the last call that was expected to say something */

static int setup(void **state) {
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/file.gguf", folder);
    return 0;
}
static int teardown(void **state) {
    unlink(path);
    return rmdir(folder);
}

/* ---- hand-made files ---- */

struct bytes {
    _Alignas(64) unsigned char data[4096];
    size_t size;
};
static void raw(struct bytes *b, const void *data, size_t size) {
    assert_true(b->size + size <= sizeof b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}
static void u32(struct bytes *b, uint32_t v) { raw(b, &v, 4); }
static void u64(struct bytes *b, uint64_t v) { raw(b, &v, 8); }
static void text(struct bytes *b, const char *s) {
    u64(b, strlen(s));
    raw(b, s, strlen(s));
}
static struct bytes head(uint32_t version, uint64_t tensors, uint64_t keys) {
    struct bytes b = {.size = 0};
    raw(&b, "GGUF", 4);
    u32(&b, version);
    u64(&b, tensors);
    u64(&b, keys);
    return b;
}
static void tensor(struct bytes *b, const char *name, int dims, const uint64_t *ne, uint32_t type, uint64_t offset) {
    text(b, name);
    u32(b, (uint32_t)dims);
    for (int i = 0; i < dims; i++) u64(b, ne[i]);
    u32(b, type);
    u64(b, offset);
}
static void pad(struct bytes *b, size_t unit, size_t more) {
    static const unsigned char zeros[256];
    while (b->size % unit) raw(b, zeros, 1);
    raw(b, zeros, more);
}

/* Opening fails with a model error whose message names the file and holds `words`, and leaves no handle. */
static void refused(const struct bytes *b, const char *words) {
    pct_gguf *file = (pct_gguf *)1;
    assert_int_equal(pct_gguf_open_memory(&file, "bad.gguf", b->data, b->size, &error), PERCEPT_ERROR_MODEL);
    assert_null(file);
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
    assert_memory_equal(error.message, "bad.gguf: ", 10);
}
static pct_gguf *opened(const struct bytes *b) {
    pct_gguf *file = NULL;
    if (pct_gguf_open_memory(&file, "good.gguf", b->data, b->size, &error)) fail_msg("%s", error.message);
    return file;
}

static void wrong_magic_version_endian(void **state) {
    struct bytes b = {.size = 0};
    refused(&b, "not a GGUF");
    raw(&b, "PK\3\4 something else altogether", 20);
    refused(&b, "not a GGUF");
    b = head(1, 0, 0);
    refused(&b, "version 1");
    b = head(4, 0, 0);
    refused(&b, "version 4");
    b = head(3u << 24, 0, 0);
    refused(&b, "big-endian");
    b = head(3, 0, 0);
    b.size = 10;
    refused(&b, "cut off");
}

/* ollama#17042, llama.cpp#27188: a 43-byte file announces 2^63 items. */
static void counts_beyond_the_file(void **state) {
    const uint64_t huge[] = {1, 100000, 1ull << 32, 1ull << 61, 1ull << 63, UINT64_MAX};
    for (size_t i = 0; i < 6; i++) {
        struct bytes b = head(3, huge[i], 0);
        refused(&b, "cannot fit");
        b = head(3, 0, huge[i]);
        refused(&b, "cannot fit");
        b = head(3, 0, 1);
        text(&b, "a");
        u32(&b, PCT_GGUF_ARRAY);
        u32(&b, PCT_GGUF_U8);
        u64(&b, huge[i]);
        refused(&b, "cannot fit");
        b = head(3, 0, 1);
        text(&b, "a");
        u32(&b, PCT_GGUF_ARRAY);
        u32(&b, PCT_GGUF_STRING);
        u64(&b, huge[i]);
        refused(&b, "cannot fit");
        b = head(3, 0, 1);
        text(&b, "a");
        u32(&b, PCT_GGUF_STRING);
        u64(&b, huge[i]);
        refused(&b, "runs past the end");
    }
}

static void string_in_array_past_the_end(void **state) {
    struct bytes b = head(3, 0, 1);
    text(&b, "a");
    u32(&b, PCT_GGUF_ARRAY);
    u32(&b, PCT_GGUF_STRING);
    u64(&b, 2);
    text(&b, "x");
    u64(&b, UINT64_MAX - 7);
    u64(&b, 0);
    refused(&b, "string 1 runs past");
}

static void names_of_wild_lengths(void **state) {
    const uint64_t lengths[] = {0, 1025, 1ull << 40, UINT64_MAX};
    for (int i = 0; i < 4; i++) {
        struct bytes b = head(3, 0, 1);
        u64(&b, lengths[i]);
        pad(&b, 8, 32);
        refused(&b, "name of");
        b = head(3, 1, 0);
        u64(&b, lengths[i]);
        pad(&b, 8, 64);
        refused(&b, "name of");
    }
    struct bytes b = head(3, 0, 1);
    u64(&b, 3);
    raw(&b, "a\0b", 3);
    pad(&b, 8, 32);
    refused(&b, "NUL");
}

/* Found by fuzzing: the file ends in the middle of a string's length. */
static void cut_in_a_string_length(void **state) {
    struct bytes b = head(3, 0, 1);
    text(&b, "a.key.of.some.length");
    u32(&b, PCT_GGUF_STRING);
    u32(&b, 0);
    refused(&b, "cut off");
}

static void unknown_and_nested_types(void **state) {
    struct bytes b = head(3, 0, 1);
    text(&b, "a");
    u32(&b, 13);
    u64(&b, 0);
    refused(&b, "unknown type 13");
    b = head(3, 0, 1);
    text(&b, "a");
    u32(&b, PCT_GGUF_ARRAY);
    u32(&b, PCT_GGUF_ARRAY);
    u64(&b, 1);
    refused(&b, "arrays in arrays");
    b = head(3, 0, 1);
    text(&b, "a");
    u32(&b, PCT_GGUF_ARRAY);
    u32(&b, 77);
    u64(&b, 1);
    refused(&b, "unknown item type 77");
    b = head(3, 0, 1);
    text(&b, "a");
    u32(&b, PCT_GGUF_BOOL);
    raw(&b, "\2", 1);
    pad(&b, 8, 8);
    refused(&b, "bool of value 2");
}

static void duplicates(void **state) {
    struct bytes b = head(3, 0, 2);
    for (int i = 0; i < 2; i++) {
        text(&b, "same");
        u32(&b, PCT_GGUF_U32);
        u32(&b, 1);
    }
    refused(&b, "key 'same' stands twice");
    b = head(3, 2, 0);
    for (int i = 0; i < 2; i++) tensor(&b, "same", 1, (uint64_t[]){8}, PCT_GGUF_TYPE_F32, 0);
    pad(&b, 32, 64);
    refused(&b, "tensor 'same' stands twice");
}

/* CVE-2025-53630, CVE-2026-27940, llama.cpp#18674 and #26318: products, sums and paddings that wrap. */
static void dims_that_overflow(void **state) {
    const uint64_t shapes[][4] = {
        {1ull << 63, 1, 1, 1},
        {1ull << 62, 4, 1, 1},
        {1ull << 32, 1ull << 32, 1, 1},
        {(1ull << 42) + 1, 1ull << 22, 1, 1},
        {1ull << 61, 1, 1, 1},
        {UINT64_MAX, UINT64_MAX, 1, 1},
        {INT64_MAX / 4, 1, 1, 1},
        {65536, 65536, 65536, 65536},
        {0, 1, 1, 1},
        {8, 0, 1, 1},
        {INT64_MAX, 1, 1, 1},
        {1ull << 60, 2, 2, 2},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (uint32_t type = 0; type < 31; type++) {
            struct bytes b = head(3, 1, 0);
            tensor(&b, "t", 4, shapes[i], type, 0);
            pad(&b, 32, 64);
            refused(&b, "tensor 't'");
        }
    }
}

/* CVE-2026-7482: every tensor lies inside the file before anybody uses it. */
static void tensors_beyond_the_file(void **state) {
    const uint64_t offsets[] = {32, 64, 1ull << 32, UINT64_MAX - 31, 1ull << 63};
    for (int i = 0; i < 5; i++) {
        struct bytes b = head(3, 1, 0);
        tensor(&b, "t", 1, (uint64_t[]){8}, PCT_GGUF_TYPE_F32, offsets[i]);
        pad(&b, 32, 32);
        refused(&b, "beyond the file's end");
    }
    struct bytes b = head(3, 1, 0);
    tensor(&b, "t", 1, (uint64_t[]){9}, PCT_GGUF_TYPE_F32, 0);
    pad(&b, 32, 32);
    refused(&b, "beyond the file's end");
    b = head(3, 1, 0);
    tensor(&b, "t", 1, (uint64_t[]){8}, PCT_GGUF_TYPE_F32, 0);
    refused(&b, "beyond the file's end"); /* the padding itself is missing */
    pad(&b, 32, 32);
    pct_gguf *file = opened(&b);
    assert_int_equal(pct_gguf_find(file, "t")->size, 32);
    pct_gguf_close(&file);
}

static void bad_directory_entries(void **state) {
    struct bytes b = head(3, 1, 0);
    tensor(&b, "t", 1, (uint64_t[]){8}, PCT_GGUF_TYPE_F32, 4);
    pad(&b, 32, 64);
    refused(&b, "alignment");
    for (uint32_t dims = 0; dims < 6; dims += 5) {
        b = head(3, 1, 0);
        text(&b, "t");
        u32(&b, dims);
        pad(&b, 32, 128);
        refused(&b, "dimensions");
    }
    b = head(3, 1, 0);
    tensor(&b, "t", 1, (uint64_t[]){33}, PCT_GGUF_TYPE_Q8_0, 0);
    pad(&b, 32, 128);
    refused(&b, "whole blocks of 32");
    b = head(3, 1, 0);
    tensor(&b, "t", 1, (uint64_t[]){256}, 10, 0);
    pad(&b, 32, 128);
    refused(&b, "Q2_K");
    b = head(3, 1, 0);
    tensor(&b, "t", 1, (uint64_t[]){256}, 0xffffffff, 0);
    pad(&b, 32, 128);
    refused(&b, "unknown");
}

static void alignment_key(void **state) {
    const uint32_t bad[] = {0, 1, 4, 24, 33, 131072, 0xffffffff};
    for (int i = 0; i < 7; i++) {
        struct bytes b = head(3, 0, 1);
        text(&b, "general.alignment");
        u32(&b, PCT_GGUF_U32);
        u32(&b, bad[i]);
        refused(&b, "general.alignment");
    }
    struct bytes b = head(2, 2, 1);
    text(&b, "general.alignment");
    u32(&b, PCT_GGUF_U32);
    u32(&b, 8);
    tensor(&b, "a", 1, (uint64_t[]){1}, PCT_GGUF_TYPE_F32, 0);
    tensor(&b, "b", 1, (uint64_t[]){1}, PCT_GGUF_TYPE_F32, 8);
    pad(&b, 8, 0);
    raw(&b, (float[]){1.5f, 0, 2.5f}, 12);
    pct_gguf *file = opened(&b);
    assert_int_equal(pct_gguf_version(file), 2);
    assert_true(*(const float *)pct_gguf_find(file, "a")->data == 1.5f);
    assert_true(*(const float *)pct_gguf_find(file, "b")->data == 2.5f);
    pct_gguf_close(&file);
}

/* Every cut of a good file is refused, none crashes. */
static void every_truncation(void **state) {
    struct bytes b = head(3, 1, 3);
    text(&b, "name");
    u32(&b, PCT_GGUF_STRING);
    text(&b, "value");
    text(&b, "list");
    u32(&b, PCT_GGUF_ARRAY);
    u32(&b, PCT_GGUF_STRING);
    u64(&b, 2);
    text(&b, "x");
    text(&b, "yy");
    text(&b, "f");
    u32(&b, PCT_GGUF_F64);
    u64(&b, 0);
    tensor(&b, "t", 2, (uint64_t[]){32, 2}, PCT_GGUF_TYPE_Q8_0, 0);
    pad(&b, 32, 68);
    size_t whole = b.size;
    pct_gguf *file = opened(&b);
    pct_gguf_close(&file);
    for (b.size = 0; b.size < whole; b.size++) {
        unsigned char *exact = aligned_alloc(8, (b.size + 15) / 8 * 8); /* tight, so that ASan sees an over-read */
        memcpy(exact, b.data, b.size);
        assert_int_equal(pct_gguf_open_memory(&file, "cut", exact, b.size, &error), PERCEPT_ERROR_MODEL);
        free(exact);
    }
}

/* ---- getters ---- */

static pct_gguf *sample(struct bytes *b) {
    *b = head(3, 0, 9);
    text(b, "u8");
    u32(b, PCT_GGUF_U8);
    raw(b, "\xff", 1);
    text(b, "i8");
    u32(b, PCT_GGUF_I8);
    raw(b, "\xff", 1);
    text(b, "u64");
    u32(b, PCT_GGUF_U64);
    u64(b, UINT64_MAX);
    text(b, "nan");
    u32(b, PCT_GGUF_F32);
    raw(b, &(float){NAN}, 4);
    text(b, "f64");
    u32(b, PCT_GGUF_F64);
    raw(b, &(double){0.25}, 8);
    text(b, "bool");
    u32(b, PCT_GGUF_BOOL);
    raw(b, "\1", 1);
    text(b, "nul");
    u32(b, PCT_GGUF_STRING);
    u64(b, 3);
    raw(b, "a\0b", 3);
    text(b, "bytes");
    u32(b, PCT_GGUF_ARRAY);
    u32(b, PCT_GGUF_U8);
    u64(b, 3);
    raw(b, "\1\2\3", 3);
    text(b, "big");
    u32(b, PCT_GGUF_ARRAY);
    u32(b, PCT_GGUF_F64);
    u64(b, 1);
    raw(b, &(double){1e300}, 8);
    return opened(b);
}

#define EXPECT_FAIL(call, words)                                                                                       \
    do {                                                                                                               \
        assert_int_equal(call, PERCEPT_ERROR_MODEL);                                                                   \
        if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);                   \
        assert_non_null(strstr(error.message, "good.gguf: key '"));                                                    \
    } while (0)
#define EXPECT_OK(call)                                                                                                \
    do {                                                                                                               \
        if (call) fail_msg("%s", error.message);                                                                       \
    } while (0)

static void getters_check_type_and_range(void **state) {
    struct bytes b;
    pct_gguf *file = sample(&b);
    int64_t i = 0;
    int32_t j = 0;
    uint32_t u = 0;
    float f = 0;
    bool flag = false;
    const char *s;
    EXPECT_OK(pct_gguf_get_i64(file, "u8", 0, 255, &i, &error));
    assert_int_equal(i, 255);
    EXPECT_OK(pct_gguf_get_i32(file, "i8", -5, 5, &j, &error));
    assert_int_equal(j, -1);
    EXPECT_FAIL(pct_gguf_get_u32(file, "i8", 0, 9, &u, &error), "is -1, allowed are 0 to 9");
    EXPECT_FAIL(pct_gguf_get_i64(file, "u64", 0, 1ll << 62, &i, &error), "allowed are");
    EXPECT_FAIL(pct_gguf_get_i64(file, "bool", 0, 1, &i, &error), "expected an integer");
    EXPECT_FAIL(pct_gguf_get_i64(file, "f64", 0, 1, &i, &error), "type f64");
    EXPECT_FAIL(pct_gguf_get_i64(file, "none", 0, 1, &i, &error), "missing");
    EXPECT_FAIL(pct_gguf_get_f32(file, "nan", -1e30f, 1e30f, &f, &error), "nan");
    EXPECT_OK(pct_gguf_get_f32(file, "f64", 0, 1, &f, &error));
    assert_true(f == 0.25f);
    EXPECT_FAIL(pct_gguf_get_f32(file, "u8", 0, 1000, &f, &error), "floating-point");
    EXPECT_OK(pct_gguf_get_bool(file, "bool", &flag, &error));
    assert_true(flag);
    EXPECT_FAIL(pct_gguf_get_bool(file, "u8", &flag, &error), "expected a bool");
    EXPECT_FAIL(pct_gguf_get_string(file, "nul", &s, &error), "NUL");
    EXPECT_FAIL(pct_gguf_get_string(file, "u8", &s, &error), "expected a string");
    EXPECT_OK(pct_gguf_get_i32_or(file, "none", 0, 9, 7, &j, &error));
    assert_int_equal(j, 7);
    EXPECT_FAIL(pct_gguf_get_i32_or(file, "u8", 0, 9, 7, &j, &error), "allowed are");
    EXPECT_OK(pct_gguf_get_string_or(file, "none", "x", &s, &error));
    assert_string_equal(s, "x");
    pct_gguf_close(&file);
    assert_null(file);
}

/* llama.cpp#26690: an array of u8 was read as floats. #24142, #27224: arrays shorter than their reader thought. */
static void arrays_check_type_and_count(void **state) {
    struct bytes b;
    pct_gguf *file = sample(&b);
    pct_gguf_array array;
    float three[3];
    EXPECT_FAIL(pct_gguf_get_array(file, "bytes", PCT_GGUF_F32, 0, 9, &array, &error),
                "array of u8, expected an array");
    EXPECT_FAIL(pct_gguf_get_array(file, "u8", PCT_GGUF_U8, 0, 9, &array, &error), "expected an array");
    EXPECT_FAIL(pct_gguf_get_array(file, "bytes", PCT_GGUF_U8, 0, 2, &array, &error), "has 3 items");
    EXPECT_FAIL(pct_gguf_get_array(file, "bytes", PCT_GGUF_U8, 4, 9, &array, &error), "has 3 items");
    EXPECT_OK(pct_gguf_get_array(file, "bytes", PCT_GGUF_U8, 3, 3, &array, &error));
    assert_int_equal(pct_gguf_array_i64(&array, 2), 3);
    EXPECT_OK(pct_gguf_get_floats(file, "bytes", 3, three, &error));
    assert_true(three[0] == 1 && three[2] == 3);
    EXPECT_FAIL(pct_gguf_get_floats(file, "bytes", 2, three, &error), "has 3 items, expected 2");
    EXPECT_FAIL(pct_gguf_get_floats(file, "big", 1, three, &error), "not a finite");
    EXPECT_OK(pct_gguf_get_array_or(file, "none", PCT_GGUF_U8, 9, &array, &error));
    assert_int_equal(array.count, 0);
    pct_gguf_close(&file);
}

/* ---- writing ---- */

static const struct {
    enum pct_gguf_type type;
    int64_t ne[2];
} stored[] = {
    {PCT_GGUF_TYPE_F32, {3, 5}},    {PCT_GGUF_TYPE_F16, {7, 1}},    {PCT_GGUF_TYPE_BF16, {1, 9}},
    {PCT_GGUF_TYPE_Q4_0, {64, 3}},  {PCT_GGUF_TYPE_Q4_1, {32, 1}},  {PCT_GGUF_TYPE_Q5_0, {32, 2}},
    {PCT_GGUF_TYPE_Q5_1, {96, 1}},  {PCT_GGUF_TYPE_Q8_0, {32, 7}},  {PCT_GGUF_TYPE_Q4_K, {256, 2}},
    {PCT_GGUF_TYPE_Q5_K, {512, 1}}, {PCT_GGUF_TYPE_Q6_K, {256, 3}}, {PCT_GGUF_TYPE_I8, {13, 1}},
    {PCT_GGUF_TYPE_I16, {5, 5}},    {PCT_GGUF_TYPE_I32, {1, 1}},
};
enum { STORED = sizeof stored / sizeof stored[0] };

static void write_all(const char *to) {
    pct_gguf_writer *w;
    assert_int_equal(pct_gguf_writer_create(&w, &error), PERCEPT_OK);
    pct_gguf_set_u32(w, "u32", 0xfffffffe);
    pct_gguf_set_i32(w, "i32", -7);
    pct_gguf_set_u64(w, "u64", 1ull << 40);
    pct_gguf_set_i64(w, "i64", INT64_MIN);
    pct_gguf_set_f32(w, "f32", 0.1f);
    pct_gguf_set_f64(w, "f64", 0.1);
    pct_gguf_set_bool(w, "yes", true);
    pct_gguf_set_bool(w, "no", false);
    pct_gguf_set_string(w, "text", "gr\xc3\xbc\xc3\x9f");
    pct_gguf_set_small(w, "i8", PCT_GGUF_I8, -3);
    pct_gguf_set_small(w, "u16", PCT_GGUF_U16, 65535);
    pct_gguf_set_array(w, "ints", PCT_GGUF_I32, 3, (int32_t[]){1, -2, 3});
    pct_gguf_set_array(w, "none", PCT_GGUF_F32, 0, NULL);
    pct_gguf_set_strings(w, "words", 3, (pct_gguf_string[]){{"a", 1}, {"", 0}, {"b\0c", 3}});
    for (int i = 0; i < STORED; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        pct_gguf_writer_declare(w, name, stored[i].type, 2, stored[i].ne);
    }
    if (pct_gguf_writer_begin(w, to, &error)) fail_msg("%s", error.message);
    for (int i = 0; i < STORED; i++) {
        int block, bytes;
        assert_true(pct_gguf_type_layout(stored[i].type, &block, &bytes));
        size_t size = (size_t)(stored[i].ne[0] * stored[i].ne[1] / block * bytes);
        for (size_t k = 0; k < size; k++) {
            assert_int_equal(pct_gguf_writer_data(w, &(unsigned char){(unsigned char)(k * 7 + (size_t)i)}, 1, &error),
                             PERCEPT_OK);
        }
    }
    if (pct_gguf_writer_end(w, &error)) fail_msg("%s", error.message);
    pct_gguf_writer_destroy(&w);
}

static void round_trip_of_all_types(void **state) {
    write_all(path);
    char first[65], second[65];
    assert_int_equal(pct_sha256_file(path, first, &error), PERCEPT_OK);
    write_all(path);
    assert_int_equal(pct_sha256_file(path, second, &error), PERCEPT_OK);
    assert_string_equal(first, second); /* equal calls, equal bytes */
    pct_gguf *file;
    if (pct_gguf_open(&file, path, &error)) fail_msg("%s", error.message);
    int64_t i;
    float f;
    const char *s;
    bool flag;
    pct_gguf_array a;
    assert_int_equal(pct_gguf_key_count(file), 14);
    assert_int_equal(pct_gguf_version(file), 3);
    EXPECT_OK(pct_gguf_get_i64(file, "u32", 0, UINT32_MAX, &i, &error));
    assert_true(i == 0xfffffffe);
    EXPECT_OK(pct_gguf_get_i64(file, "i32", -9, 9, &i, &error));
    assert_int_equal(i, -7);
    EXPECT_OK(pct_gguf_get_i64(file, "u64", 0, INT64_MAX, &i, &error));
    assert_true(i == 1ll << 40);
    EXPECT_OK(pct_gguf_get_i64(file, "i64", INT64_MIN, 0, &i, &error));
    assert_true(i == INT64_MIN);
    EXPECT_OK(pct_gguf_get_i64(file, "i8", -9, 9, &i, &error));
    assert_int_equal(i, -3);
    EXPECT_OK(pct_gguf_get_f32(file, "f32", 0, 1, &f, &error));
    assert_true(f == 0.1f);
    EXPECT_OK(pct_gguf_get_bool(file, "yes", &flag, &error));
    assert_true(flag);
    EXPECT_OK(pct_gguf_get_bool(file, "no", &flag, &error));
    assert_false(flag);
    EXPECT_OK(pct_gguf_get_string(file, "text", &s, &error));
    assert_string_equal(s, "gr\xc3\xbc\xc3\x9f");
    EXPECT_OK(pct_gguf_get_array(file, "words", PCT_GGUF_STRING, 0, 9, &a, &error));
    assert_int_equal(a.count, 3);
    pct_gguf_string item = pct_gguf_array_string(&a, 2);
    assert_int_equal(item.length, 3);
    assert_memory_equal(item.data, "b\0c", 3);
    assert_int_equal(pct_gguf_array_string(&a, 1).length, 0);
    EXPECT_OK(pct_gguf_get_array(file, "ints", PCT_GGUF_I32, 3, 3, &a, &error));
    assert_int_equal(pct_gguf_array_i64(&a, 1), -2);
    assert_int_equal(pct_gguf_tensor_count(file), STORED);
    for (int t = 0; t < STORED; t++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", t);
        const pct_gguf_tensor *found = pct_gguf_find(file, name);
        assert_non_null(found);
        assert_ptr_equal(found, pct_gguf_tensor_at(file, t));
        assert_int_equal(found->type, stored[t].type);
        assert_int_equal(found->ne[0], stored[t].ne[0]);
        assert_int_equal(found->elements, stored[t].ne[0] * stored[t].ne[1]);
        assert_int_equal((uintptr_t)found->data % 32, 0);
        for (size_t k = 0; k < found->size; k++) {
            assert_int_equal(((const unsigned char *)found->data)[k], (unsigned char)(k * 7 + (size_t)t));
        }
    }
    assert_null(pct_gguf_find(file, "t99"));
    pct_gguf_close(&file);
}

static void copied_keys_are_the_same(void **state) {
    write_all(path);
    pct_gguf *file, *copy;
    pct_gguf_writer *w;
    char second[80];
    snprintf(second, sizeof second, "%s.copy", path);
    EXPECT_OK(pct_gguf_open(&file, path, &error));
    EXPECT_OK(pct_gguf_writer_create(&w, &error));
    for (int64_t i = 0; i < pct_gguf_key_count(file); i++) pct_gguf_set_copy(w, file, i);
    EXPECT_OK(pct_gguf_writer_begin(w, second, &error));
    EXPECT_OK(pct_gguf_writer_end(w, &error));
    pct_gguf_writer_destroy(&w);
    EXPECT_OK(pct_gguf_open(&copy, second, &error));
    assert_int_equal(pct_gguf_key_count(copy), pct_gguf_key_count(file));
    pct_gguf_array a;
    EXPECT_OK(pct_gguf_get_array(copy, "words", PCT_GGUF_STRING, 3, 3, &a, &error));
    assert_memory_equal(pct_gguf_array_string(&a, 2).data, "b\0c", 3);
    pct_gguf_close(&copy);
    pct_gguf_close(&file);
    assert_int_equal(unlink(second), 0);
}

static void writer_refuses_bad_calls(void **state) {
    const char *long_name = "a_name_of_more_than_sixty_three_bytes_is_beyond_what_ggml_can_hold_";
    for (int bad = 0; bad < 5; bad++) {
        pct_gguf_writer *w;
        EXPECT_OK(pct_gguf_writer_create(&w, &error));
        pct_gguf_set_u32(w, "k", 1);
        pct_gguf_writer_declare(w, "t", PCT_GGUF_TYPE_F32, 1, (int64_t[]){1});
        if (bad == 0) pct_gguf_set_u32(w, "k", 2);
        if (bad == 1) pct_gguf_writer_declare(w, "t", PCT_GGUF_TYPE_F32, 1, (int64_t[]){1});
        if (bad == 2) pct_gguf_writer_declare(w, long_name, PCT_GGUF_TYPE_F32, 1, (int64_t[]){1});
        if (bad == 3) pct_gguf_writer_declare(w, "q", PCT_GGUF_TYPE_Q8_0, 1, (int64_t[]){31});
        if (bad == 4) pct_gguf_writer_declare(w, "q", PCT_GGUF_TYPE_F32, 2, (int64_t[]){1ll << 40, 1ll << 40});
        assert_int_equal(pct_gguf_writer_begin(w, path, &error), PERCEPT_ERROR_USAGE);
        pct_gguf_writer_destroy(&w);
    }
    unlink(path);
    pct_gguf_writer *w;
    EXPECT_OK(pct_gguf_writer_create(&w, &error));
    pct_gguf_writer_declare(w, "t", PCT_GGUF_TYPE_F32, 1, (int64_t[]){2});
    EXPECT_OK(pct_gguf_writer_begin(w, path, &error));
    assert_int_equal(pct_gguf_writer_data(w, "123456789", 9, &error), PERCEPT_ERROR_USAGE);
    EXPECT_OK(pct_gguf_writer_data(w, "1234", 4, &error));
    assert_int_equal(pct_gguf_writer_end(w, &error), PERCEPT_ERROR_USAGE); /* bytes are missing */
    assert_false(pct_file_exists(path));                                   /* nothing half-written is seen */
    pct_gguf_writer_destroy(&w);
}

static void sha256_vectors(void **state) {
    char hex[65];
    pct_sha256_bytes("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    pct_sha256_bytes("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    pct_sha256_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    pct_sha256 sha; /* a million times "a", in uneven pieces */
    unsigned char digest[32], many[997];
    memset(many, 'a', sizeof many);
    pct_sha256_init(&sha);
    for (size_t left = 1000000, take; left; left -= take) {
        take = left % 997 + 1 < left ? left % 997 + 1 : left;
        pct_sha256_add(&sha, many, take);
    }
    pct_sha256_finish(&sha, digest);
    pct_sha256_hex(digest, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Whole runs of blocks go through the processor's own instructions where it has them, single ones never do. */
static void sha256_of_pieces(void **state) {
    static unsigned char data[1500];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 37 + i / 9);
    for (size_t size = 0; size < sizeof data; size += 1 + size % 23) {
        char whole[65], pieces[65];
        unsigned char digest[32];
        pct_sha256 sha;
        pct_sha256_bytes(data, size, whole);
        pct_sha256_init(&sha);
        for (size_t i = 0; i < size; i++) pct_sha256_add(&sha, data + i, 1);
        pct_sha256_finish(&sha, digest);
        pct_sha256_hex(digest, pieces);
        assert_string_equal(whole, pieces);
    }
}

static void missing_file_is_an_input_error(void **state) {
    pct_gguf *file;
    assert_int_equal(pct_gguf_open(&file, "/nowhere/model.gguf", &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "/nowhere/model.gguf"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_magic_version_endian),
        cmocka_unit_test(counts_beyond_the_file),
        cmocka_unit_test(string_in_array_past_the_end),
        cmocka_unit_test(names_of_wild_lengths),
        cmocka_unit_test(cut_in_a_string_length),
        cmocka_unit_test(unknown_and_nested_types),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(dims_that_overflow),
        cmocka_unit_test(tensors_beyond_the_file),
        cmocka_unit_test(bad_directory_entries),
        cmocka_unit_test(alignment_key),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(getters_check_type_and_range),
        cmocka_unit_test(arrays_check_type_and_count),
        cmocka_unit_test(round_trip_of_all_types),
        cmocka_unit_test(copied_keys_are_the_same),
        cmocka_unit_test(writer_refuses_bad_calls),
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(sha256_of_pieces),
        cmocka_unit_test(missing_file_is_an_input_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
