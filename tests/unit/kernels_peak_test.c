/* The loops of the peak: that they do all their rounds, and count them. How fast they are is no test's matter. */
#include "base/cpu.h"
#include "kernels/peak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

/* One mask for each loop that this processor has, widest last. */
static const uint32_t masks[] = {0, PCT_CPU_AVX2, PCT_CPU_AVX2 | PCT_CPU_AVX512, PCT_CPU_ALL};
enum { MASKS = sizeof masks / sizeof *masks };

static void near(double found, double wanted) {
    if (fabs(found - wanted) > 1e-4 * fabs(wanted)) fail_msg("%g, wanted %g", found, wanted);
}

/* After 60 halvings every lane holds 2; the count says how many lanes there are. */
static void f32_comes_to_its_limit(void **state) {
    (void)state;
    for (int m = 0; m < MASKS; m++) {
        float sum = 0, none = -1;
        double one = pct_peak_f32(pct_cpu_flags() & masks[m])(1, &sum);
        double flop = pct_peak_f32(pct_cpu_flags() & masks[m])(60, &sum);
        near(flop, 60 * one);
        near(sum, one);
        assert_true(pct_peak_f32(pct_cpu_flags() & masks[m])(0, &none) == 0);
    }
}

/* Every product is 2^-20: the sum of all results is the number of products done. */
static void bf16_adds_every_product(void **state) {
    (void)state;
    const uint32_t bf16[] = {PCT_CPU_AVX512_BF16, PCT_CPU_AMX_BF16};
    for (int i = 0; i < 2; i++) {
        pct_peak_loop *loop = pct_peak_bf16(pct_cpu_flags() & bf16[i]);
        assert_true(!loop || (pct_cpu_flags() & bf16[i]));
        if (!loop) continue;
        float sum = 0;
        double flop = loop(1000, &sum);
        near(sum, flop / 2 * 0x1p-20);
    }
    assert_null(pct_peak_bf16(0));
}

static void int8_adds_every_product(void **state) {
    (void)state;
    const uint32_t int8[] = {PCT_CPU_AVX512_VNNI, PCT_CPU_AMX_BF16};
    for (int i = 0; i < 2; i++) {
        pct_peak_loop *loop = pct_peak_int8(pct_cpu_flags() & int8[i]);
        if (!loop) continue;
        float sum = 0;
        double flop = loop(100, &sum);
        near(sum, flop / 2);
    }
    assert_null(pct_peak_int8(0));
}

static void every_byte_is_read(void **state) {
    (void)state;
    enum { COUNT = 4096 };
    float *data = aligned_alloc(64, COUNT * sizeof *data);
    assert_non_null(data);
    for (int i = 0; i < COUNT; i++) data[i] = (float)(i % 7);
    double wanted = 0;
    for (int i = 0; i < COUNT; i++) wanted += data[i];
    for (int m = 0; m < MASKS; m++) {
        pct_peak_read_loop *loop = pct_peak_read(pct_cpu_flags() & masks[m]);
        near(loop(data, COUNT * sizeof *data), wanted);
        near(loop(data + COUNT - 128, 512), wanted - loop(data, (COUNT - 128) * sizeof *data));
    }
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_comes_to_its_limit),
        cmocka_unit_test(bf16_adds_every_product),
        cmocka_unit_test(int8_adds_every_product),
        cmocka_unit_test(every_byte_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
