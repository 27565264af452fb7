/* PyTorch checkpoints: a golden one tensor by tensor, and what is refused. tests/vectors/pytorch/README.md has the
 * makers. */
#include "base/file.h"
#include "formats/pickle.h"
#include "formats/pytorch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Sign, `exponent` bits, `mantissa` bits; no infinities or subnormals stand in the golden file. */
static double small_float(unsigned bits, int exponent, int mantissa) {
    const int power = (int)(bits >> mantissa & ((1u << exponent) - 1)) - (1 << (exponent - 1)) + 1;
    const double value = ldexp(1 + (double)(bits & ((1u << mantissa) - 1)) / (double)(1 << mantissa), power);
    return bits >> (exponent + mantissa) & 1 ? -value : value;
}

static double element(enum pct_safetensors_type type, const unsigned char *bytes) {
    uint64_t bits = 0;
    for (size_t i = pct_safetensors_type_size(type); i-- > 0;) bits = bits << 8 | bytes[i];
    float f;
    double d;
    switch (type) {
    case PCT_SAFETENSORS_F64:
        memcpy(&d, &bits, sizeof d);
        return d;
    case PCT_SAFETENSORS_F32:
        memcpy(&f, bytes, sizeof f);
        return (double)f;
    case PCT_SAFETENSORS_F16:
        return small_float((unsigned)bits, 5, 10);
    case PCT_SAFETENSORS_BF16:
        return small_float((unsigned)bits, 8, 7);
    case PCT_SAFETENSORS_I64:
        return (double)(int64_t)bits;
    case PCT_SAFETENSORS_I32:
        return (int32_t)bits;
    case PCT_SAFETENSORS_I16:
        return (int16_t)bits;
    case PCT_SAFETENSORS_I8:
        return (int8_t)bits;
    default:
        return (double)bits;
    }
}

/* "4x6" or "-" */
static void check_shape(const pct_pytorch_tensor *tensor, const char *shape) {
    char text[100] = "-";
    for (int d = 0, length = 0; d < tensor->dims; d++)
        length +=
            snprintf(text + length, sizeof text - (size_t)length, "%s%lld", d ? "x" : "", (long long)tensor->shape[d]);
    assert_string_equal(text, shape);
}

static void check_line(const pct_pytorch *file, char *line) {
    char *rest = line;
    const char *name = strtok_r(rest, " ", &rest), *type = strtok_r(rest, " ", &rest),
               *shape = strtok_r(rest, " ", &rest);
    const pct_pytorch_tensor *tensor = pct_pytorch_find(file, name);
    if (!tensor) fail_msg("%s is not there", name);
    assert_string_equal(pct_safetensors_type_name(tensor->type), type);
    check_shape(tensor, shape);
    const size_t each = pct_safetensors_type_size(tensor->type);
    unsigned char *all = malloc((size_t)tensor->elements * each + 1), one[8];
    pct_pytorch_copy(tensor, 0, tensor->elements, all);
    for (int64_t i = 0; i < tensor->elements; i++) {
        const char *wanted = strtok_r(rest, " ", &rest);
        assert_non_null(wanted);
        assert_float_equal(element(tensor->type, all + (size_t)i * each), strtod(wanted, NULL), 1e-12);
        pct_pytorch_copy(tensor, i, 1, one);
        assert_memory_equal(one, all + (size_t)i * each, each);
    }
    assert_null(strtok_r(rest, " ", &rest));
    free(all);
}

static void golden(void **state) {
    (void)state;
    pct_pytorch *file;
    percept_error error = {0};
    char *text;
    size_t size;
    int64_t lines = 0;
    if (pct_pytorch_open(&file, VECTORS "/small.pt", &error) != PERCEPT_OK) fail_msg("%s", error.message);
    assert_int_equal(pct_file_read(VECTORS "/small.txt", 1 << 20, &text, &size, &error), PERCEPT_OK);
    char *rest = text;
    for (char *line = strtok_r(rest, "\n", &rest); line; line = strtok_r(rest, "\n", &rest), lines++)
        check_line(file, line);
    assert_int_equal(pct_pytorch_count(file), lines);
    for (int64_t i = 1; i < lines; i++)
        assert_true(strcmp(pct_pytorch_at(file, i - 1)->name, pct_pytorch_at(file, i)->name) < 0);
    assert_false(pct_pytorch_find(file, "model.turned")->contiguous);
    assert_true(pct_pytorch_find(file, "model.head.weight")->contiguous);
    assert_null(pct_pytorch_find(file, "epoch"));
    free(text);
    pct_pytorch_close(&file);
    assert_null(file);
}

static void refused(const void *data, size_t size, const char *words) {
    unsigned char *exact = malloc(size ? size : 1); /* so that a sanitizer sees a read past its end */
    pct_pytorch *file;
    percept_error error = {0};
    memcpy(exact, data, size);
    assert_int_equal(pct_pytorch_open_memory(&file, "a.pt", exact, size, &error), PERCEPT_ERROR_MODEL);
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
    assert_memory_equal(error.message, "a.pt: ", 6);
    assert_null(file);
    free(exact);
}

/* An archive of stored entries: "a/data.pkl", and with `storage` bytes "a/data/0" of zeros. */
static size_t archive_with(unsigned char *out, const char *pickle, size_t size, size_t storage) {
    static const char *const names[] = {"a/data.pkl", "a/data/0"};
    const size_t sizes[] = {size, storage}, entries = storage ? 2 : 1;
    size_t start[3] = {0};
    unsigned char *at = out;
    for (size_t part = 0; part < 2 * entries; part++) {
        const bool central = part >= entries;
        const size_t i = part % entries, length = strlen(names[i]);
        if (part == entries) start[2] = (size_t)(at - out);
        if (!central) start[i] = (size_t)(at - out);
        memset(at, 0, 46);
        memcpy(at, central ? "PK\1\2" : "PK\3\4", 4);
        unsigned char *fields = at + (central ? 20 : 18);
        fields[0] = fields[4] = (unsigned char)sizes[i];
        fields[1] = fields[5] = (unsigned char)(sizes[i] >> 8);
        fields[8] = (unsigned char)length;
        if (central) at[42] = (unsigned char)start[i];
        if (central) at[43] = (unsigned char)(start[i] >> 8);
        at += central ? 46 : 30;
        memcpy(at, names[i], length);
        at += length;
        if (central) continue;
        if (i == 0) memcpy(at, pickle, size);
        if (i == 1) memset(at, 0, storage);
        at += sizes[i];
    }
    const size_t central = (size_t)(at - out) - start[2];
    memset(at, 0, 22);
    memcpy(at, "PK\5\6", 4);
    at[8] = at[10] = (unsigned char)entries;
    at[12] = (unsigned char)central;
    at[16] = (unsigned char)start[2];
    at[17] = (unsigned char)(start[2] >> 8);
    return (size_t)(at + 22 - out);
}

static size_t archive(unsigned char *out, const char *pickle, size_t size) {
    return archive_with(out, pickle, size, 0);
}

#define REFUSED(pickle, words)                                                                                         \
    do {                                                                                                               \
        unsigned char made[1024];                                                                                      \
        refused(made, archive(made, pickle, sizeof(pickle) - 1), words);                                               \
    } while (0)

#define STORAGE                                                                                                        \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                                                                 \
    "0X\3\0\0\0cpuK\4tQ"

static void pickles(void **state) {
    unsigned char data[1024];
    pct_pytorch *file;
    percept_error error = {0};
    (void)state;
    const size_t size = archive(data, "\x80\2}.", 4);
    assert_int_equal(pct_pytorch_open_memory(&file, "a.pt", data, size, &error), PERCEPT_OK);
    assert_int_equal(pct_pytorch_count(file), 0);
    pct_pytorch_close(&file);
    REFUSED("\x80\2cposix\nsystem\nX\2\0\0\0ls\x85R.", "posix.system");
    REFUSED("\x80\4\x8c\5posix\x8c\6system\x93)R.", "posix.system");
    REFUSED("\x80\2c__builtin__\neval\n.", "__builtin__.eval");
    REFUSED("\x80\2(iposix\nsystem\n.", "opcode 0x69");
    REFUSED("\x80\2ctorch\nload\n.", "torch.load");
    REFUSED("\x80\2", "cut off");
    REFUSED("\x80\2X\xff\xff\xff\xff"
            "a.",
            "longer than the file");
    REFUSED("\x80\2.", "not one value");
    REFUSED("\x80\2(.", "not one value");
    REFUSED("\x80\2t.", "no mark");
    REFUSED("\x80\2}(K\1u.", "without a value");
    REFUSED("\x80\2K\1K\1a.", "for no container");
    REFUSED("\x80\2\x87.", "too few");
    REFUSED("\x80\2h\3.", "nothing remembered");
    REFUSED("\x80\2}r\xff\xff\xff\x7f.", "memo");
    REFUSED("\x80\2ctorch._utils\n_rebuild_tensor_v2\n)R.", "a tensor's parts");
    REFUSED("\x80\2]q\0h\0a.", "without end"); /* a list that holds itself */
    REFUSED("\x80\2}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(" STORAGE "K\0K\1\x85K\1\x85\x89}tRs.",
            "lacks its storage");
}

/* Without elements the other dimensions may be anything: their product is made by nobody (a sanitizer sees it). */
static void empty_tensors(void **state) {
    static const char pickle[] = "\x80\2}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(" STORAGE
                                 "K\0K\0\x8a\6\0\0\0\0\0\1\x8a\6\0\0\0\0\0\1\x87K\1K\1K\1\x87\x89}tRs.";
    unsigned char data[1024];
    pct_pytorch *file;
    percept_error error = {0};
    (void)state;
    const size_t size = archive_with(data, pickle, sizeof pickle - 1, 16);
    if (pct_pytorch_open_memory(&file, "a.pt", data, size, &error)) fail_msg("%s", error.message);
    const pct_pytorch_tensor *tensor = pct_pytorch_find(file, "w");
    assert_true(tensor && tensor->elements == 0 && tensor->contiguous && tensor->shape[1] == (int64_t)1 << 40);
    pct_pytorch_close(&file);
}

/* What a small file costs keeps to its size, in memory and in time. */
static void frugal(void **state) {
    enum { SIZE = 100000 };
    (void)state;
    unsigned char *data = malloc(SIZE);
    pct_arena arena;
    pct_pickle_value *value;
    percept_error error = {0};
    assert_non_null(data);
    memset(data, 0x85, SIZE); /* a tuple in a tuple in a tuple */
    memcpy(data, "\x80\2N", 3);
    data[SIZE - 1] = '.';
    pct_arena_init(&arena, (size_t)64 << 10);
    assert_int_equal(pct_pickle_read(data, SIZE, &arena, &value, &error), PERCEPT_OK);
    assert_true(value->kind == PCT_PICKLE_TUPLE && value->count == 1 && value->items[0]->kind == PCT_PICKLE_TUPLE);
    assert_true(arena.reserved <= (size_t)72 * SIZE);
    pct_arena_free(&arena);
    free(data);
    REFUSED("\x80\2ctorch\nSize\n(K\1K\1K\1K\1K\1K\1K\1K\1K\1t\x85R.", "a call with other values");
}

static void archives(void **state) {
    char *data;
    size_t size;
    (void)state;
    percept_error error = {0};
    assert_int_equal(pct_file_read(VECTORS "/strange.pt", 1 << 20, &data, &size, &error), PERCEPT_OK);
    refused(data, size, "argparse.Namespace");
    free(data);
    assert_int_equal(pct_file_read(VECTORS "/small.pt", 1 << 20, &data, &size, &error), PERCEPT_OK);
    for (size_t cut = 0; cut < size; cut += 61) refused(data, cut, "zip");
    /* No byte of the archive may make the reader fall over, whatever else it does. */
    for (size_t i = 0; i < size; i++) {
        pct_pytorch *file;
        data[i] = (char)(data[i] ^ 0x91);
        if (pct_pytorch_open_memory(&file, "a.pt", data, size, &error) == PERCEPT_OK) pct_pytorch_close(&file);
        data[i] = (char)(data[i] ^ 0x91);
    }
    free(data);
    refused("\x80\2}q\1.", 6, "before 1.6");
    refused("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, "empty");
    pct_pytorch *file;
    assert_int_equal(pct_pytorch_open(&file, "/nowhere/a.pt", &error), PERCEPT_ERROR_INPUT);
    assert_null(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden), cmocka_unit_test(pickles),  cmocka_unit_test(empty_tensors),
        cmocka_unit_test(frugal), cmocka_unit_test(archives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
