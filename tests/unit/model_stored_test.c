/* In which type a weight lies in a file. */
#include "model/stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void names(void **state) {
    pct_dtype type;
    (void)state;
    assert_true(pct_dtype_from_name("q4_K", &type) && type == PCT_Q4_K);
    assert_true(pct_dtype_from_name("f32", &type) && type == PCT_REAL);
    assert_false(pct_dtype_from_name("q9", &type));
    assert_false(pct_dtype_from_name("", &type));
    assert_true(pct_dtype_of_gguf(PCT_GGUF_TYPE_BF16, &type) && type == PCT_BF16);
    assert_false(pct_dtype_of_gguf(PCT_GGUF_TYPE_I32, &type));
    assert_int_equal(pct_gguf_of_dtype(PCT_Q5_1), PCT_GGUF_TYPE_Q5_1);
}

static void choices(void **state) {
    (void)state;
    const struct {
        const char *name;
        int dims;
        int64_t rows, width;
        pct_dtype wanted, stored;
    } cases[] = {
        {"blk.0.attn_q.weight", 2, 64, 512, PCT_Q4_K, PCT_Q4_K},
        {"blk.0.attn_q.weight", 2, 64, 576, PCT_Q4_K, PCT_Q5_0}, /* 576 is no multiple of 256 */
        {"blk.0.attn_q.weight", 2, 64, 576, PCT_Q5_K, PCT_Q5_1},
        {"blk.0.attn_q.weight", 2, 64, 576, PCT_Q6_K, PCT_Q8_0},
        {"blk.0.attn_q.weight", 2, 64, 27, PCT_Q8_0, PCT_F16},
        {"blk.0.attn_q.weight", 2, 64, 27, PCT_BF16, PCT_BF16},
        {"blk.0.attn_q.weight", 2, 1, 512, PCT_Q8_0, PCT_REAL},
        {"blk.0.attn_norm.weight", 1, 1, 512, PCT_Q8_0, PCT_REAL},
        {"token_embd.weight", 2, 900, 512, PCT_Q4_K, PCT_Q6_K},
        {"token_embd.weight", 2, 900, 576, PCT_Q4_1, PCT_Q8_0},
        {"output.weight", 2, 900, 512, PCT_Q8_0, PCT_Q8_0},
        {"output.weight", 2, 900, 512, PCT_F16, PCT_F16},
        {"v.position_embd.weight", 2, 197, 512, PCT_Q8_0, PCT_REAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(pct_stored_type(cases[i].name, cases[i].dims, cases[i].rows, cases[i].width, cases[i].wanted),
                         cases[i].stored);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(choices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
