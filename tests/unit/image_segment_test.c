/* Planes of probabilities read as masks, boxes and scores, against what follows from their numbers. */
#include "image/mask.h"
#include "image/segment.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
// cmocka.h needs the ones above
#include <cmocka.h>

static pct_segment read_plane(enum pct_fit_mode mode, int width, int height, const float *plane, int side) {
    percept_error error = {0};
    pct_fit fit;
    pct_segment segment;
    assert_int_equal(pct_fit_make(&fit, mode, side, width, height, &error), PERCEPT_OK);
    assert_int_equal(pct_segment_read(&segment, &fit, plane, side, 0.5f, NULL, &error), PERCEPT_OK);
    assert_int_equal(segment.mask.width, width);
    assert_int_equal(segment.mask.height, height);
    return segment;
}

static void assert_box(pct_box box, float x0, float y0, float x1, float y1) {
    assert_float_equal(box.x0, x0, 0);
    assert_float_equal(box.y0, y0, 0);
    assert_float_equal(box.x1, x1, 0);
    assert_float_equal(box.y1, y1, 0);
}

/* A cell a pixel: 0.5 is foreground, what is just below is not, nor is NaN. */
static void of_equal_size(void **state) {
    float plane[16] = {0.1f, 0.2f, 0.3f, NAN, 0.2f, 0.5f, 0.75f, 0.1f, 0.4f, 1, nextafterf(0.5f, 0), 0.1f};
    pct_segment s = read_plane(PCT_FIT_STRETCH, 4, 4, plane, 4);
    const unsigned char wanted[16] = {0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    assert_memory_equal(s.mask.data, wanted, 16);
    assert_box(s.box, 1, 1, 3, 3);
    assert_float_equal(s.score, 0.75, 1e-6);
    pct_mask_free(&s.mask);
}

/* From 0.9 to 0.2 the middle is crossed at 0.571 of the way; between their logits it would be at 0.613. Pixel 18 of 34
 * is at 0.588. */
static void probabilities_are_resized(void **state) {
    const float plane[4] = {0.9f, 0.2f, 0.9f, 0.2f};
    pct_segment s = read_plane(PCT_FIT_STRETCH, 34, 2, plane, 2);
    assert_int_equal(pct_mask_row(&s.mask, 0)[17], 1);
    assert_int_equal(pct_mask_row(&s.mask, 0)[18], 0);
    assert_box(s.box, 0, 0, 18, 2);
    assert_float_equal(s.score, 0.9, 1e-6);
    pct_mask_free(&s.mask);
}

static void nothing_there(void **state) {
    const float low[4] = {0.1f, 0.4f, 0.3f, 0.49f};
    pct_segment s = read_plane(PCT_FIT_STRETCH, 6, 5, low, 2);
    assert_int_equal(pct_mask_area(&s.mask), 0);
    assert_box(s.box, 0, 0, 0, 0);
    assert_float_equal(s.score, 0, 0);
    pct_mask_free(&s.mask);
    /* A cell that no pixel reads is not there either. */
    float corner[64] = {0.9f};
    s = read_plane(PCT_FIT_STRETCH, 2, 2, corner, 8);
    assert_int_equal(pct_mask_area(&s.mask), 0);
    assert_float_equal(s.score, 0, 0);
    pct_mask_free(&s.mask);
}

/* 8 x 4 in a square of 8: rows 0, 1, 6 and 7 are margin. */
static void margins_do_not_count(void **state) {
    float plane[64] = {0};
    for (int x = 0; x < 8; x++) plane[x] = plane[56 + x] = 1;
    plane[3 * 8 + 5] = 0.6f;
    pct_segment s = read_plane(PCT_FIT_PAD, 8, 4, plane, 8);
    assert_int_equal(pct_mask_area(&s.mask), 1);
    assert_box(s.box, 5, 1, 6, 2);
    assert_float_equal(s.score, 0.6, 1e-6);
    pct_mask_free(&s.mask);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_equal_size),
        cmocka_unit_test(probabilities_are_resized),
        cmocka_unit_test(nothing_there),
        cmocka_unit_test(margins_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
