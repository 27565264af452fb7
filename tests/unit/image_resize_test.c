/* image_resize_test.c: resizing against Pillow's golden pictures, planes and masks, fitting into the model's square. */
#include "base/random.h"
#include "image/boxes.h"
#include "image/decode.h"
#include "image/fit.h"
#include "image/mask.h"
#include "image/resize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define assert_ok(call)              assert_int_equal(call, PERCEPT_OK)
#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

static pct_image read_vector(const char *name, const char *which) {
    char path[512];
    pct_image image;
    snprintf(path, sizeof(path), "%s/bicubic_%s_%s.png", VECTORS, name, which);
    assert_ok(pct_image_read(&image, path, NULL, NULL, NULL));
    return image;
}

static void assert_same_pixels(const pct_image *a, const pct_image *b) {
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->channels, b->channels);
    assert_memory_equal(a->data, b->data, pct_image_bytes(a));
}

static void bicubic_is_pillows_bit_for_bit(void **state) {
    static const char *const names[] = {"down", "up", "mixed", "huge", "same", "one"};
    for (size_t i = 0; i < 6; i++) {
        pct_image in = read_vector(names[i], "in"), want = read_vector(names[i], "out"), out;
        assert_ok(pct_resize_bicubic(&out, &in, want.width, want.height, NULL, NULL));
        assert_same_pixels(&out, &want);
        pct_image_free(&in);
        pct_image_free(&out);
        pct_image_free(&want);
    }
}

static void fits_are_pillows_and_threads_change_nothing(void **state) {
    static const char *const names[] = {"pad_wide",    "pad_tall",   "pad_odd",       "pad_row",    "pad_column",
                                        "squash_wide", "squash_row", "squash_column", "squash_dot", "squash_small"};
    pct_pool *pool;
    assert_ok(pct_pool_create(&pool, 3, NULL));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pct_image in = read_vector(names[i], "in"), want = read_vector(names[i], "out"), out;
        pct_fit fit;
        const enum pct_fit_mode mode = names[i][0] == 'p' ? PCT_FIT_PAD : PCT_FIT_STRETCH;
        assert_ok(pct_fit_make(&fit, mode, want.width, in.width, in.height, NULL));
        assert_ok(pct_fit_resize(&fit, &in, &out, i ? pool : NULL, NULL));
        assert_same_pixels(&out, &want);
        const float mean[3] = {0.5f, 0.25f, 0}, std[3] = {0.5f, 2, 1};
        size_t pixels = (size_t)fit.side * (size_t)fit.side;
        float *tensor = malloc(pixels * 3 * sizeof(float));
        assert_ok(pct_fit_normalise(&fit, &in, mean, std, tensor, pool, NULL));
        for (size_t k = 0; k < pixels * 3; k++)
            assert_near(tensor[k], (want.data[k] / 255.0 - (double)mean[k % 3]) / (double)std[k % 3], 1e-5);
        free(tensor);
        pct_image_free(&in);
        pct_image_free(&out);
        pct_image_free(&want);
    }
    pct_pool_destroy(&pool);
}

static void extreme_shapes_resize(void **state) {
    static const int shapes[][4] = {{1, 1, 7, 5}, {65535, 1, 192, 192}, {1, 65535, 192, 192}, {3, 2, 1, 1}};
    for (size_t i = 0; i < 4; i++) {
        pct_image in, out;
        pct_fit fit;
        assert_ok(pct_image_new(&in, shapes[i][0], shapes[i][1], 3, NULL));
        memset(in.data, 200, pct_image_bytes(&in));
        assert_ok(pct_resize_bicubic(&out, &in, shapes[i][2], shapes[i][3], NULL, NULL));
        for (size_t k = 0; k < pct_image_bytes(&out); k++) assert_int_equal(out.data[k], 200);
        pct_image_free(&out);
        assert_ok(pct_fit_make(&fit, PCT_FIT_PAD, 64, in.width, in.height, NULL));
        assert_ok(pct_fit_resize(&fit, &in, &out, NULL, NULL));
        assert_int_equal(out.data[0], in.width + in.height > 100 ? 255 : 200);
        pct_image_free(&out);
        pct_image_free(&in);
    }
    pct_image in, out;
    assert_ok(pct_image_new(&in, 2, 2, 4, NULL));
    memset(in.data, 0, 16);
    assert_int_equal(pct_resize_bicubic(&out, &in, 3, 3, NULL, NULL), PERCEPT_ERROR_USAGE);
    assert_int_equal(pct_resize_bilinear(&out, &in, 0, 3, NULL), PERCEPT_ERROR_USAGE);
    pct_image_free(&in);
}

static void hidden_colours_do_not_bleed(void **state) {
    pct_image in, out;
    assert_ok(pct_image_new(&in, 8, 8, 4, NULL));
    for (int i = 0; i < 64; i++) {
        const unsigned char red[4] = {255, 0, 0, 255}, hidden[4] = {0, 255, 0, 0};
        memcpy(in.data + 4 * i, i % 8 < 5 ? red : hidden, 4);
    }
    assert_ok(pct_resize_bilinear(&out, &in, 3, 5, NULL));
    bool partly = false;
    for (int i = 0; i < 15; i++) {
        const unsigned char *p = out.data + 4 * i;
        if (p[3]) assert_true(p[0] >= 254 && p[1] == 0);
        partly = partly || (p[3] > 0 && p[3] < 255);
    }
    assert_true(partly);
    pct_image_free(&in);
    pct_image_free(&out);
}

static void coverage_keeps_the_area(void **state) {
    pct_random random;
    pct_random_init(&random, 9, 0, 0);
    for (int i = 0; i < 20; i++) {
        pct_mask mask, small;
        assert_ok(pct_mask_new(&mask, 64, 96, NULL));
        pct_mask_fill_box(&mask, (pct_box){16, 24, 16 + (float)pct_random_below(&random, 32), 72});
        float share[16 * 24];
        double sum = 0;
        assert_ok(pct_resize_coverage(share, &mask, 16, 24, NULL));
        for (int k = 0; k < 16 * 24; k++) sum += (double)share[k];
        assert_near(sum * 16, (double)pct_mask_area(&mask), 0.5);
        assert_ok(pct_resize_mask(&small, &mask, 128, 192, NULL));
        assert_near((double)pct_mask_area(&small), 4 * (double)pct_mask_area(&mask), 4);
        pct_mask_free(&mask);
        pct_mask_free(&small);
    }
}

/* PyTorch's formula, straight. */
static double plane_at(const float *in, int in_width, int in_height, int width, int height, int x, int y) {
    double sx = fmax(0, (x + 0.5) * in_width / width - 0.5), sy = fmax(0, (y + 0.5) * in_height / height - 0.5);
    int x0 = (int)sx, y0 = (int)sy, x1 = x0 + (x0 < in_width - 1), y1 = y0 + (y0 < in_height - 1);
    double fx = sx - x0, fy = sy - y0;
    double upper = (double)in[y0 * in_width + x0] * (1 - fx) + (double)in[y0 * in_width + x1] * fx;
    double lower = (double)in[y1 * in_width + x0] * (1 - fx) + (double)in[y1 * in_width + x1] * fx;
    return upper * (1 - fy) + lower * fy;
}

static void planes_follow_the_formula(void **state) {
    static const int sizes[][4] = {{7, 5, 33, 21}, {33, 21, 7, 5}, {1, 1, 4, 3}, {8, 8, 8, 8}, {5, 9, 5, 40}};
    pct_random random;
    pct_random_init(&random, 3, 1, 4);
    pct_pool *pool;
    assert_ok(pct_pool_create(&pool, 2, NULL));
    for (size_t i = 0; i < 5; i++) {
        int iw = sizes[i][0], ih = sizes[i][1], w = sizes[i][2], h = sizes[i][3];
        float in[33 * 33], out[40 * 40];
        for (int k = 0; k < iw * ih; k++) in[k] = pct_random_normal(&random);
        assert_ok(pct_resize_plane(out, w, h, in, iw, ih, i & 1 ? pool : NULL, NULL));
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) assert_near(out[y * w + x], plane_at(in, iw, ih, w, h, x, y), 1e-5);
        pct_mask window;
        int left = w / 4, top = h / 3, ww = w - left, wh = h - top;
        assert_ok(pct_resize_plane_threshold(&window, w, h, left, top, ww, wh, in, iw, ih, 0.1f, pool, NULL));
        for (int y = 0; y < wh; y++)
            for (int x = 0; x < ww; x++)
                assert_int_equal(window.data[y * ww + x], out[(y + top) * w + x + left] > 0.1f);
        pct_mask_free(&window);
    }
    pct_pool_destroy(&pool);
}

static void boxes_go_there_and_back(void **state) {
    pct_random random;
    pct_random_init(&random, 21, 0, 0);
    for (int i = 0; i < 500; i++) {
        pct_fit fit;
        int width = 1 + (int)pct_random_below(&random, 3000), height = 1 + (int)pct_random_below(&random, 3000);
        assert_ok(pct_fit_make(&fit, i & 1 ? PCT_FIT_PAD : PCT_FIT_STRETCH, 192, width, height, NULL));
        float w = (float)width, h = (float)height;
        pct_box box = pct_box_clamp((pct_box){pct_random_float(&random) * w, pct_random_float(&random) * h,
                                              pct_random_float(&random) * w, pct_random_float(&random) * h},
                                    w, h);
        pct_box unit = pct_fit_box_to_model(&fit, box), back = pct_fit_box_to_picture(&fit, unit);
        assert_true(unit.x0 >= 0 && unit.y0 >= 0 && unit.x1 <= 1 && unit.y1 <= 1);
        assert_near(back.x0, box.x0, 2e-3);
        assert_near(back.y0, box.y0, 2e-3);
        assert_near(back.x1, box.x1, 2e-3);
        assert_near(back.y1, box.y1, 2e-3);
    }
    pct_fit fit;
    assert_ok(pct_fit_make(&fit, PCT_FIT_PAD, 224, 101, 50, NULL));
    assert_int_equal(fit.top, 25); /* (101 - 50) / 2, whole pixels */
    pct_box unit = pct_fit_box_to_model(&fit, (pct_box){0, 0, 101, 50});
    assert_near(unit.y0, 25.0 / 101, 1e-6);
    assert_near(unit.y1, 75.0 / 101, 1e-6);
    pct_box whole = pct_fit_box_to_picture(&fit, (pct_box){0, 0, 1, 1}); /* reaches into the padding: clamped */
    assert_near(whole.y0, 0, 0);
    assert_near(whole.y1, 50, 0);
    assert_int_equal(pct_fit_make(&fit, PCT_FIT_PAD, 0, 10, 10, NULL), PERCEPT_ERROR_USAGE);
    assert_int_equal(pct_fit_make(&fit, PCT_FIT_PAD, 224, 10, 0, NULL), PERCEPT_ERROR_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bicubic_is_pillows_bit_for_bit), cmocka_unit_test(fits_are_pillows_and_threads_change_nothing),
        cmocka_unit_test(extreme_shapes_resize),          cmocka_unit_test(hidden_colours_do_not_bleed),
        cmocka_unit_test(coverage_keeps_the_area),        cmocka_unit_test(planes_follow_the_formula),
        cmocka_unit_test(boxes_go_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
