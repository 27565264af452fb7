/* Block types against gguf's and ggml's own figures: tools/golden/quantise_gguf.py says what the file holds. */
#include "base/cpu.h"
#include "base/size.h"
#include "kernels/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 2560
static float x[COUNT];
static unsigned char *file, *at, *end;
static pct_kernels kernels;

static const void *next(size_t size) {
    assert_true(size <= (size_t)(end - at));
    at += size;
    return at - size;
}

static int load(void **state) {
    FILE *from = fopen(GOLDEN, "rb");
    const size_t room = (size_t)1 << 20;
    file = malloc(room);
    assert_non_null(from);
    at = file;
    end = file + fread(file, 1, room, from);
    fclose(from);
    memcpy(x, next(sizeof x), sizeof x);
    pct_kernels_init(&kernels, pct_cpu_flags());
    return 0;
}

static int unload(void **state) {
    free(file);
    return 0;
}

static void plain_types_round_as_gguf(void **state) {
    static const pct_dtype types[] = {PCT_Q8_0, PCT_Q4_0, PCT_Q4_1, PCT_Q5_0, PCT_Q5_1};
    at = file + sizeof x;
    for (size_t i = 0; i < PCT_COUNT(types); i++) {
        size_t bytes;
        unsigned char made[COUNT * 2];
        assert_true(pct_dtype_row_bytes(types[i], COUNT, &bytes));
        kernels.quantise[types[i]](made, x, COUNT);
        const unsigned char *wanted = next(bytes);
        for (size_t b = 0; b < bytes; b++)
            if (made[b] != wanted[b])
                fail_msg("%s: byte %zu is %d, wanted %d", pct_dtype_name(types[i]), b, made[b], wanted[b]);
    }
}

static double off(const float *back) {
    double sum = 0;
    for (int i = 0; i < COUNT; i++) sum += ((double)back[i] - (double)x[i]) * ((double)back[i] - (double)x[i]);
    return sqrt(sum / COUNT);
}

static void k_types_read_exactly_and_write_as_well(void **state) {
    static const pct_dtype types[] = {PCT_Q4_K, PCT_Q5_K, PCT_Q6_K};
    at = file + sizeof x + COUNT / 32 * (34 + 18 + 20 + 22 + 24);
    for (size_t i = 0; i < PCT_COUNT(types); i++) {
        size_t bytes;
        unsigned char made[COUNT];
        static float back[COUNT], wanted[COUNT];
        assert_true(pct_dtype_row_bytes(types[i], COUNT, &bytes) && bytes <= sizeof made);
        kernels.dequantise[types[i]](back, next(bytes), COUNT);
        memcpy(wanted, next(sizeof wanted), sizeof wanted);
        for (int e = 0; e < COUNT; e++)
            if (back[e] != wanted[e])
                fail_msg("%s: element %d is %.9g, wanted %.9g", pct_dtype_name(types[i]), e, (double)back[e],
                         (double)wanted[e]);
        kernels.quantise[types[i]](made, x, COUNT);
        kernels.dequantise[types[i]](back, made, COUNT);
        const double ours = off(back), theirs = off(wanted);
        print_message("%s: error %.6g, ggml's %.6g\n", pct_dtype_name(types[i]), ours, theirs);
        assert_true(ours <= 1.02 * theirs);
    }
    assert_true(at == end);
}

/* Infinities, NaN and the smallest numbers: no undefined conversion (the sanitizers' build says so), finite elsewhere.
 */
static void strange_numbers_stay_inside(void **state) {
    static float odd[512], back[512];
    unsigned char made[2048];
    for (int i = 0; i < 512; i++)
        odd[i] = i == 3 ? NAN : i == 40 ? INFINITY : i == 70 ? -INFINITY : i < 300 ? 1e-30f : -1e-42f;
    for (int type = PCT_Q8_0; type <= PCT_Q6_K; type++) {
        kernels.quantise[type](made, odd, 512);
        kernels.dequantise[type](back, made, 512);
        for (int i = 256; i < 512; i++) assert_true(fabsf(back[i]) <= 1e-6f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_types_round_as_gguf),
        cmocka_unit_test(k_types_read_exactly_and_write_as_well),
        cmocka_unit_test(strange_numbers_stay_inside),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
