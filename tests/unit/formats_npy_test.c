/* NumPy arrays: round trip, every type that is read, malformed headers. */
#include "formats/npy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static size_t build(char *out, const char *dictionary, const void *data, size_t size) {
    size_t length = strlen(dictionary);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)length;
    out[9] = (char)(length >> 8);
    memcpy(out + 10, dictionary, length);
    memcpy(out + 10 + length, data, size);
    return 10 + length + size;
}

static void refused(const char *dictionary, size_t payload, const char *words) {
    char data[1024] = {0};
    static const char zeros[512];
    size_t size = build(data, dictionary, zeros, payload);
    char *exact = malloc(size);
    memcpy(exact, data, size);
    pct_npy array;
    percept_error error = {0};
    assert_int_equal(pct_npy_read_memory(&array, "a.npy", exact, size, &error), PERCEPT_ERROR_INPUT);
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
    assert_memory_equal(error.message, "a.npy: ", 7);
    assert_null(array.data);
    free(exact);
}

static void malformed(void **state) {
    refused("", 0, "dictionary");
    refused("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 8, "order");
    refused("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8, "element type");
    refused("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 8, "element type");
    refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8, "element type");
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8, "fit its shape");
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 8, "fit its shape");
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 0, "fit its shape");
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775807, 9223372036854775807), }", 8,
            "fit its shape");
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 8, "shape is malformed");
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8, "shape is malformed");
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2), }", 8, "shape is malformed");
    refused("{'descr': '<f4', 'fortran_order': False}", 8, "lacks");
    refused("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8, "repeated");
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2,", 8, "shape is malformed");
    refused("{'descr", 8, "malformed");
    pct_npy array;
    percept_error error = {0};
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(pct_npy_read_memory(&array, "x", "\x93NUMPY\x01\x00\xff\xff", i, &error), PERCEPT_ERROR_INPUT);
    }
    assert_int_equal(pct_npy_read_memory(&array, "x", "\x93NUMPY\x02\x00\xff\xff\xff\xff", 12, &error),
                     PERCEPT_ERROR_INPUT);
}

static void reads_all_types(void **state) {
    char data[512];
    pct_npy array;
    percept_error error = {0};
    int64_t longs[2] = {-5, 1ll << 40};
    size_t size = build(data, "{\"shape\": (2,), \"descr\": \"<i8\", \"fortran_order\": False}\n", longs, sizeof longs);
    assert_int_equal(pct_npy_read_memory(&array, "x", data, size, &error), PERCEPT_OK);
    assert_int_equal(array.type, PCT_NPY_I64);
    assert_true(pct_npy_at(&array, 0) == -5 && pct_npy_at(&array, 1) == 1099511627776.0);
    pct_npy_free(&array);
    double doubles[2] = {0.5, -2};
    size = build(data, "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", doubles, sizeof doubles);
    assert_int_equal(pct_npy_read_memory(&array, "x", data, size, &error), PERCEPT_OK);
    assert_int_equal(array.dims, 2);
    assert_true(pct_npy_at(&array, 1) == -2);
    pct_npy_free(&array);
    int32_t ints[1] = {77};
    size = build(data, "{'descr': '<i4', 'fortran_order': False, 'shape': (), }", ints, sizeof ints);
    assert_int_equal(pct_npy_read_memory(&array, "x", data, size, &error), PERCEPT_OK);
    assert_int_equal(array.dims, 0);
    assert_int_equal(array.count, 1);
    assert_true(pct_npy_at(&array, 0) == 77);
    pct_npy_free(&array);
    size = build(data, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", "", 0);
    assert_int_equal(pct_npy_read_memory(&array, "x", data, size, &error), PERCEPT_OK);
    assert_int_equal(array.count, 0);
    pct_npy_free(&array);
}

static void writes_and_reads_back(void **state) {
    char path[] = "/tmp/percept-npy-XXXXXX";
    close(mkstemp(path));
    float values[24];
    for (int i = 0; i < 24; i++) values[i] = (float)i * 0.5f - 3;
    percept_error error = {0};
    for (int dims = 0; dims <= 4; dims++) {
        int64_t shape[4] = {dims == 1 ? 24 : 2, dims == 2 ? 12 : 3, dims == 3 ? 4 : 2, 2};
        assert_int_equal(pct_npy_write_f32(path, values, dims, shape, &error), PERCEPT_OK);
        pct_npy array;
        if (pct_npy_read(&array, path, 1 << 20, &error)) fail_msg("%s", error.message);
        assert_int_equal(array.dims, dims);
        assert_int_equal(array.count, dims ? 24 : 1);
        for (int i = 0; i < dims; i++) assert_int_equal(array.shape[i], shape[i]);
        assert_memory_equal(array.data, values, (size_t)array.count * 4);
        pct_npy_free(&array);
    }
    pct_npy array;
    assert_int_equal(pct_npy_read(&array, path, 64, &error), PERCEPT_ERROR_INPUT); /* larger than the limit */
    unlink(path);
    assert_int_equal(pct_npy_read(&array, path, 64, &error), PERCEPT_ERROR_INPUT); /* missing */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed),
        cmocka_unit_test(reads_all_types),
        cmocka_unit_test(writes_and_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
