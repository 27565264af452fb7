/* image_draw_test.c: blur, noise, colour, compositing; overlay, plots and SVG where cairo and librsvg are installed. */
#include "base/random.h"
#include "image/compose.h"
#include "image/encode.h"
#include "image/filter.h"
#include "image/mask.h"
#include "image/overlay.h"
#include "image/plot.h"
#include "image/svg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define assert_ok(call)              assert_int_equal(call, PERCEPT_OK)
#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

/* cairo 1.16 keeps fontconfig patterns of its built-in fonts for the life of the process, where LeakSanitizer does not
 * see them; everything else still counts as a leak. Unused without the sanitizer. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:cairo_toy_font_face_create\nleak:libfontconfig.so\n"; }

static const char *folder; /* where --keep DIR wants the drawings, else NULL */

static void keep(const char *name, const pct_image *image) {
    char path[512];
    if (!folder) return;
    snprintf(path, sizeof(path), "%s/%s.png", folder, name);
    assert_ok(pct_png_write(path, image, NULL));
}

static pct_image plain(int width, int height, int channels, int value) {
    pct_image image;
    assert_ok(pct_image_new(&image, width, height, channels, NULL));
    memset(image.data, value, pct_image_bytes(&image));
    return image;
}

static void blur_is_a_gaussian(void **state) {
    static const float sigmas[] = {0.6f, 1.3f, 2, 3.5f, 9};
    for (size_t i = 0; i < 5; i++) {
        double sigma = (double)sigmas[i];
        enum { SIDE = 101 };
        unsigned char plane[SIDE * SIDE] = {0};
        for (int y = 0; y < SIDE; y++) memset(plane + y * SIDE + SIDE / 2, 255, SIDE / 2 + 1); /* a step edge */
        assert_ok(pct_filter_blur_plane(plane, SIDE, SIDE, sigmas[i], NULL));
        for (int x = 40; x < 62; x++) {
            double want = 127.5 * (1 + erf((x + 0.5 - SIDE / 2) / (sigma * sqrt(2))));
            assert_near(plane[50 * SIDE + x], want, sigma < 1 ? 10 : 5); /* the kernel is sampled, not integrated */
        }
        pct_image image = plain(40, 30, 3, 77);
        assert_ok(pct_filter_blur(&image, sigmas[i], NULL)); /* a plain picture stays, to its edges */
        for (size_t k = 0; k < pct_image_bytes(&image); k++) assert_int_equal(image.data[k], 77);
        pct_image_free(&image);
    }
    pct_image tiny = plain(1, 1, 3, 200);
    assert_ok(pct_filter_blur(&tiny, 5, NULL));
    assert_ok(pct_filter_box_blur(&tiny, 3, NULL));
    assert_int_equal(tiny.data[0], 200);
    pct_image_free(&tiny);
    pct_image dot = plain(9, 9, 3, 0);
    memset(dot.data + (4 * 9 + 4) * 3, 180, 3);
    assert_ok(pct_filter_box_blur(&dot, 1, NULL));
    assert_int_equal(dot.data[(3 * 9 + 5) * 3], 20);
    assert_int_equal(dot.data[(2 * 9 + 5) * 3], 0);
    pct_image_free(&dot);
}

static void noise_has_its_deviation(void **state) {
    pct_random random;
    pct_random_init(&random, 2, 0, 0);
    for (int grey = 0; grey < 2; grey++) {
        pct_image image = plain(120, 90, 3, 128);
        pct_filter_noise(&image, 12, grey, &random);
        double sum = 0, squares = 0;
        size_t n = pct_image_bytes(&image);
        for (size_t i = 0; i < n; i++) {
            double v = image.data[i] - 128.0;
            sum += v;
            squares += v * v;
            if (grey) assert_int_equal(image.data[i], image.data[i / 3 * 3]);
        }
        assert_near(sum / (double)n, 0, 0.4);
        assert_near(sqrt(squares / (double)n), 12, 0.4);
        pct_image_free(&image);
    }
}

static void colour_changes(void **state) {
    pct_image image = plain(1, 1, 3, 0);
    const unsigned char start[3] = {200, 100, 50};
    const pct_colour_change same = {.contrast = 1, .saturation = 1};
    memcpy(image.data, start, 3);
    pct_filter_colour(&image, &same);
    assert_memory_equal(image.data, start, 3);
    pct_colour_change change = same;
    change.saturation = 0;
    pct_filter_colour(&image, &change);
    double grey = 0.213 * 200 + 0.715 * 100 + 0.072 * 50;
    for (int c = 0; c < 3; c++) assert_near(image.data[c], grey, 1);
    memcpy(image.data, start, 3);
    change = same;
    change.brightness = 0.1f;
    change.contrast = 2;
    pct_filter_colour(&image, &change);
    assert_int_equal(image.data[0], 255);
    assert_near(image.data[1], (100 - 127.5) * 2 + 127.5 + 25.5, 1);
    assert_int_equal(image.data[2], 0);
    memset(image.data, 90, 3);
    change = same;
    change.hue = 2;
    pct_filter_colour(&image, &change); /* greys have no hue */
    for (int c = 0; c < 3; c++) assert_near(image.data[c], 90, 1);
    const unsigned char red[3] = {220, 30, 30};
    memcpy(image.data, red, 3);
    change.hue = 2.0943951f;
    pct_filter_colour(&image, &change);
    assert_true(image.data[1] > image.data[0] && image.data[1] > image.data[2]); /* red turned to green */
    pct_image_free(&image);
}

/* A disc of one colour. */
static pct_image disc(int side) {
    pct_image image = plain(side, side, 4, 0);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            double dx = x + 0.5 - side / 2.0, dy = y + 0.5 - side / 2.0;
            const unsigned char colour[4] = {250, 120, 10, dx * dx + dy * dy < side * side / 4.0 ? 255 : 0};
            memcpy(image.data + (y * side + x) * 4, colour, 4);
        }
    return image;
}

static double alpha_sum(const pct_layer *layer) {
    double sum = 0;
    for (int i = 0; i < layer->width * layer->height; i++) sum += layer->rgba[4 * i + 3] / 255.0;
    return sum;
}

static void an_unmoved_sprite_is_itself(void **state) {
    pct_random random;
    pct_random_init(&random, 8, 0, 0);
    pct_image cutout = plain(23, 17, 4, 0);
    for (size_t i = 0; i < pct_image_bytes(&cutout); i++) cutout.data[i] = (unsigned char)pct_random_u32(&random);
    pct_sprite sprite;
    pct_layer layer = {0};
    assert_ok(pct_sprite_make(&sprite, &cutout, NULL));
    pct_affine map = pct_affine_make(23, 17, 11.5f + 4, 8.5f + 3, 1, 0, 0, false);
    assert_ok(pct_sprite_render(&sprite, &map, 40, 30, &layer, NULL));
    for (int y = 0; y < 17; y++)
        for (int x = 0; x < 23; x++)
            assert_int_equal(pct_layer_alpha(&layer, x + 4, y + 3), cutout.data[(y * 23 + x) * 4 + 3]);
    map = pct_affine_make(23, 17, 11.5f, 8.5f, 1, 0, 0, true);
    assert_ok(pct_sprite_render(&sprite, &map, 23, 17, &layer, NULL));
    for (int y = 0; y < 17; y++)
        for (int x = 0; x < 23; x++)
            assert_int_equal(pct_layer_alpha(&layer, 22 - x, y), cutout.data[(y * 23 + x) * 4 + 3]);
    pct_image canvas = plain(23, 17, 3, 60);
    pct_layer_over(&layer, &canvas);
    for (int i = 0; i < 23 * 17; i++) {
        const unsigned char *p = cutout.data + (i / 23 * 23 + 22 - i % 23) * 4;
        for (int c = 0; c < 3; c++)
            assert_near(canvas.data[3 * i + c], (p[c] * p[3] + 60 * (255 - p[3])) / 255.0, 1.01);
    }
    pct_image_free(&canvas);
    pct_layer_free(&layer);
    pct_sprite_free(&sprite);
    pct_image_free(&cutout);
}

static void turned_and_scaled_sprites_keep_their_area(void **state) {
    pct_image cutout = disc(120);
    pct_sprite sprite;
    pct_layer layer = {0};
    pct_mask mask;
    assert_ok(pct_sprite_make(&sprite, &cutout, NULL));
    for (int i = 0; i < 40; i++) {
        float scale = 0.05f * powf(1.12f, (float)i), turn = 0.37f * (float)i, shear = (float)(i % 3) * 0.2f;
        pct_affine map = pct_affine_make(120, 120, 300.3f, 299.6f, scale, turn, shear, i & 1);
        assert_ok(pct_sprite_render(&sprite, &map, 600, 600, &layer, NULL));
        double radius = 60 * (double)scale;
        assert_near(alpha_sum(&layer), M_PI * radius * radius,
                    M_PI * radius * radius * 0.015 + 2 * M_PI * radius * 0.08);
        if (shear == 0 && radius > 10) {
            assert_ok(pct_layer_mask(&layer, 600, 600, &mask, NULL));
            pct_box box = pct_mask_box(&mask);
            assert_near(box.x0, 300.3 - radius, 1.2);
            assert_near(box.y1, 299.6 + radius, 1.2);
            pct_mask_free(&mask);
        }
        for (int k = 0; k < layer.width * layer.height; k++) /* premultiplied: no colour above its alpha */
            assert_true(layer.rgba[4 * k] <= layer.rgba[4 * k + 3] + 1);
    }
    const pct_affine bad[] = {{0, 0, 0, 0, 5, 5},    {NAN, 0, 0, 1, 0, 0},       {1, 0, 0, 1, INFINITY, 0},
                              {1, 0, 0, 1, 9000, 0}, {1e-4f, 0, 0, 1e-4f, 3, 3}, {1e18f, 0, 0, 1e18f, 3, 3}};
    for (size_t i = 0; i < 6; i++) assert_ok(pct_sprite_render(&sprite, &bad[i], 50, 50, &layer, NULL));
    pct_layer_free(&layer);
    pct_sprite_free(&sprite);
    pct_image_free(&cutout);
}

static void shadows_darken_below_and_right(void **state) {
    pct_image cutout = disc(40), canvas = plain(100, 100, 3, 200);
    pct_sprite sprite;
    pct_layer layer = {0}, scratch = {0};
    assert_ok(pct_sprite_make(&sprite, &cutout, NULL));
    pct_affine map = pct_affine_make(40, 40, 50, 50, 1, 0, 0, false);
    assert_ok(pct_sprite_render(&sprite, &map, 100, 100, &layer, NULL));
    assert_ok(pct_layer_shadow(&layer, &canvas, 6, 8, 3, 0.5f, &scratch, NULL));
    assert_near(pct_image_row(&canvas, 58)[3 * 56], 100, 2);
    assert_true(pct_image_row(&canvas, 74)[3 * 56] < 140);
    assert_int_equal(pct_image_row(&canvas, 5)[3 * 5], 200);
    map = pct_affine_make(40, 40, 2, 98, 1, 0, 0, false); /* over the edge */
    assert_ok(pct_sprite_render(&sprite, &map, 100, 100, &layer, NULL));
    assert_ok(pct_layer_shadow(&layer, &canvas, -30, 30, 5, 1, &scratch, NULL));
    pct_layer_free(&layer);
    pct_layer_free(&scratch);
    pct_sprite_free(&sprite);
    pct_image_free(&cutout);
    pct_image_free(&canvas);
}

/* A ground with every lightness, on which labels have to be read. */
static pct_image ground(int width, int height) {
    pct_image image = plain(width, height, 3, 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            unsigned char *p = pct_image_row(&image, y) + 3 * x;
            int v = x * 255 / width, stripes = (x / 9 + y / 9) & 1 ? 40 : 0;
            p[0] = (unsigned char)(v / 2 + stripes * 2 + 40);
            p[1] = (unsigned char)(v * 3 / 4 + stripes);
            p[2] = (unsigned char)(255 - v * 3 / 4 - stripes);
        }
    return image;
}

static pct_mask ellipse(int width, int height, double x0, double y0, double rx, double ry) {
    pct_mask mask;
    assert_ok(pct_mask_new(&mask, width, height, NULL));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            mask.data[y * width + x] = (x - x0) * (x - x0) / (rx * rx) + (y - y0) * (y - y0) / (ry * ry) < 1;
    return mask;
}

/* True when this machine has no cairo: then the message must name the package, and there is nothing more to test. */
static bool missing(percept_status status, const percept_error *error, const char *package) {
    if (status == PERCEPT_OK) return false;
    assert_int_equal(status, PERCEPT_ERROR_WORK);
    assert_non_null(strstr(error->message, package));
    return true;
}

static void overlays_mark_their_regions(void **state) {
    static const int sizes[][2] = {{800, 600}, {192, 192}, {40, 30}, {1, 1}};
    for (size_t i = 0; i < 4; i++) {
        int w = sizes[i][0], h = sizes[i][1];
        pct_image image = ground(w, h), before;
        pct_mask a = ellipse(w, h, w * 0.3, h * 0.4, w * 0.2, h * 0.25),
                 b = ellipse(w, h, w * 0.42, h * 0.5, w * 0.2, h * 0.2);
        percept_error error = {0};
        const pct_overlay_region regions[] = {
            {&a, pct_mask_box(&a), "the red cup", 0.94f},
            {&b, pct_mask_box(&b), "a rather long phrase for the cup behind it", 0.5f},
            {NULL,
             {(float)w * 0.7f, (float)h * 0.02f, (float)w * 0.98f, (float)h * 0.5f},
             "caf\xc3\xa9 \xff bad bytes",
             0.07f},
            {NULL, {(float)w * 0.72f, (float)h * 0.05f, (float)w, (float)h * 0.9f}, "lamp", -1},
            {NULL, {(float)w * 0.02f, (float)h * 0.8f, (float)w * 0.3f, (float)h}, NULL, 1},
        };
        assert_ok(pct_image_copy(&before, &image, NULL));
        percept_status status = pct_overlay_draw(&image, regions, 5, NULL, &error);
        if (!missing(status, &error, "libcairo2") && w >= 192) {
            char name[32];
            snprintf(name, sizeof(name), "overlay_%d", w);
            keep(name, &image);
            unsigned char rgb[3];
            pct_overlay_colour(1, rgb); /* deep in the second region: the fill, nothing else */
            size_t at = (size_t)((int)(h * 0.62) * w + (int)(w * 0.47)) * 3, far = (size_t)((h - 3) * w + w / 2) * 3;
            for (int c = 0; c < 3; c++)
                assert_near(image.data[at + (size_t)c], before.data[at + (size_t)c] * 0.65 + rgb[c] * 0.35, 2);
            assert_memory_equal(image.data + far, before.data + far, 3);
        }
        assert_int_equal(
            pct_overlay_draw(&image, &(pct_overlay_region){.mask = &(pct_mask){w + 1, h, a.data}}, 1, NULL, NULL),
            PERCEPT_ERROR_USAGE);
        pct_mask_free(&a);
        pct_mask_free(&b);
        pct_image_free(&image);
        pct_image_free(&before);
    }
}

static void ticks_are_round(void **state) {
    double ticks[32];
    int n = pct_plot_ticks(0, 1, 6, ticks);
    assert_int_equal(n, 6);
    assert_near(ticks[1], 0.2, 1e-12);
    n = pct_plot_ticks(-3.2, 47, 6, ticks);
    assert_int_equal(n, 5);
    assert_near(ticks[0], 0, 1e-12);
    assert_near(ticks[4], 40, 1e-9);
    assert_int_equal(pct_plot_ticks(3, 3, 6, ticks), 0);
    assert_int_equal(pct_plot_ticks(NAN, 3, 6, ticks), 0);
    for (int limit = 2; limit < 20; limit++)
        for (double high = 1e-6; high < 1e9; high *= 3.7) {
            n = pct_plot_ticks(-high / 3, high, limit, ticks);
            assert_true(n >= 1 && n <= limit);
            for (int i = 0; i < n; i++) assert_true(ticks[i] >= -high / 3 * 1.0001 && ticks[i] <= high * 1.0001);
        }
}

static void plots_are_drawn(void **state) {
    enum { N = 400 };
    static double x[N], raw[N], smooth[N], valid[N / 40], at[N / 40];
    pct_random random;
    pct_random_init(&random, 1, 0, 0);
    for (int i = 0; i < N; i++) {
        x[i] = i * 500;
        smooth[i] = 0.3 + 4 * exp(-i / 60.0);
        raw[i] = smooth[i] * (1 + 0.15 * (double)pct_random_normal(&random));
        if (i % 40 == 20) at[i / 40] = x[i], valid[i / 40] = smooth[i] * 1.1;
    }
    raw[100] = NAN;
    const pct_series series[] = {{NULL, x, raw, N, false, true},
                                 {"training loss", x, smooth, N, false, false},
                                 {"validation loss", at, valid, N / 40, true, false}};
    for (int log_y = 0; log_y < 2; log_y++) {
        pct_plot plot = {.title = "Loss", .x_label = "questions seen", .y_label = "loss", .log_y = log_y};
        pct_image image;
        percept_error error = {0};
        percept_status status = pct_plot_draw(&image, &plot, series, 3, &error);
        if (missing(status, &error, "libcairo2")) return;
        keep(log_y ? "plot_log" : "plot", &image);
        size_t blue = 0;
        for (size_t i = 0; i < pct_image_bytes(&image); i += 3)
            blue += image.data[i] == 0 && image.data[i + 1] == 114 && image.data[i + 2] == 178;
        assert_true(blue > 300); /* the line is there */
        assert_int_equal(image.width, 960);
        pct_image_free(&image);
    }
    pct_plot small = {.width = 200, .height = 150, .log_x = true, .log_y = true};
    const pct_series none = {"empty", NULL, NULL, 0, false, false}, one = {"one", x + 1, smooth + 1, 1, true, false};
    pct_image image;
    assert_ok(pct_plot_draw(&image, &small, &none, 1, NULL));
    pct_image_free(&image);
    assert_ok(pct_plot_draw(&image, &small, &one, 1, NULL));
    keep("plot_one", &image);
    pct_image_free(&image);
    small.width = 20;
    assert_int_equal(pct_plot_draw(&image, &small, &one, 1, NULL), PERCEPT_ERROR_USAGE);
}

/* White pixels among those of the picture's row that lies at y of 0 ... 9, within the axes. */
static int gaps(const pct_image *image, double y) {
    const int row = (int)lround(20 + (image->height - 32 - 20) * (1 - y / 9)), x0 = image->width / 3;
    int white = 0;
    for (int x = x0; x < image->width - x0; x++) {
        bool inked = false;
        for (int at = row - 1; at <= row + 1; at++) {
            const unsigned char *p = pct_image_row(image, at) + (size_t)x * 3;
            inked = inked || p[0] + p[1] + p[2] < 3 * 225; /* darker than the grid */
        }
        white += !inked;
    }
    return white;
}

/* Of more series than colours the later ones are dashed. */
static void colours_come_again_in_dashes(void **state) {
    (void)state;
    enum { SERIES = 9 };
    double x[] = {0, 1}, y[SERIES][2];
    pct_series series[SERIES] = {0};
    pct_image image = {0};
    percept_error error = {0};
    for (int s = 0; s < SERIES; s++) {
        y[s][0] = y[s][1] = s + 0.5;
        series[s] = (pct_series){.x = x, .y = y[s], .count = 2};
    }
    pct_plot plot = {.width = 960, .height = 600, .y_min = 0, .y_max = 9};
    percept_status status = pct_plot_draw(&image, &plot, series, SERIES, &error);
    if (missing(status, &error, "libcairo2")) return;
    keep("plot_dashes", &image);
    for (int s = 0; s < SERIES; s++) {
        const int white = gaps(&image, s + 0.5);
        if (s < 7 ? white != 0 : white < 50) fail_msg("series %d: %d gaps", s, white);
    }
    pct_image_free(&image);
}

static void svg_is_rasterised(void **state) {
    static const char svg[] = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 20'>"
                              "<rect width='20' height='20' fill='#f00'/>"
                              "<rect x='20' width='20' height='20' fill='#00f' fill-opacity='.5'/></svg>";
    pct_image image;
    percept_error error = {0};
    percept_status status = pct_svg_decode(&image, svg, sizeof(svg) - 1, "a.svg", 80, &error);
    if (missing(status, &error, "librsvg2-2")) return;
    assert_int_equal(image.width, 80);
    assert_int_equal(image.height, 40);
    const unsigned char red[4] = {255, 0, 0, 255};
    assert_memory_equal(pct_image_row(&image, 20) + 4 * 20, red, 4);
    const unsigned char *p = pct_image_row(&image, 20) + 4 * 60;
    assert_int_equal(p[0], 0);
    assert_int_equal(p[2], 255);
    assert_near(p[3], 128, 1);
    pct_image_free(&image);
    static const char *const bad[] = {"", "hello", "<svg", "<html></html>", "<svg xmlns='http://www.w3.org/2000/svg'"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(pct_svg_decode(&image, bad[i], strlen(bad[i]), "bad.svg", 80, &error), PERCEPT_ERROR_INPUT);
        assert_non_null(strstr(error.message, "bad.svg"));
    }
    assert_int_equal(pct_svg_decode(&image, svg, sizeof(svg) - 1, "a.svg", 0, &error), PERCEPT_ERROR_USAGE);
}

/* Of this process alone: the machine may be busy. */
static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* --bench: what one composed picture of 192 x 192 costs; prints, and is no test. */
static void bench(void) {
    pct_image cutout = disc(160), canvas = plain(192, 192, 3, 128);
    pct_sprite sprite;
    pct_layer layer = {0}, scratch = {0};
    pct_random random;
    pct_random_init(&random, 1, 1, 1);
    assert_ok(pct_sprite_make(&sprite, &cutout, NULL));
    double started = cpu_seconds(), render = 0, shadow = 0, over = 0, blur = 0, noise = 0, colour = 0, jpeg = 0;
    const int rounds = 200;
    for (int i = 0; i < rounds; i++) {
        double t0 = cpu_seconds(), t1;
        for (int k = 0; k < 6; k++) {
            pct_affine map = pct_affine_make(160, 160, pct_random_between(&random, 20, 170),
                                             pct_random_between(&random, 20, 170), 0.4f, (float)i, 0.1f, k & 1);
            assert_ok(pct_sprite_render(&sprite, &map, 192, 192, &layer, NULL));
            render += (t1 = cpu_seconds()) - t0, t0 = t1;
            assert_ok(pct_layer_shadow(&layer, &canvas, 3, 3, 3, 0.4f, &scratch, NULL));
            shadow += (t1 = cpu_seconds()) - t0, t0 = t1;
            pct_layer_over(&layer, &canvas);
            over += (t1 = cpu_seconds()) - t0, t0 = t1;
        }
        assert_ok(pct_filter_blur(&canvas, 1, NULL));
        blur += (t1 = cpu_seconds()) - t0, t0 = t1;
        pct_filter_noise(&canvas, 5, false, &random);
        noise += (t1 = cpu_seconds()) - t0, t0 = t1;
        pct_filter_colour(&canvas, &(pct_colour_change){0.02f, 1.1f, 0.9f, 0.1f, 1.1f});
        colour += (t1 = cpu_seconds()) - t0, t0 = t1;
        void *data;
        size_t size;
        assert_ok(pct_jpeg_encode(&canvas, 80, &data, &size, NULL));
        free(data);
        jpeg += cpu_seconds() - t0;
    }
    double all = cpu_seconds() - started;
    printf(
        "%.0f pictures/s; ms a picture: render %.2f shadow %.2f over %.2f blur %.2f noise %.2f colour %.2f jpeg %.2f\n",
        rounds / all, render / rounds * 1e3, shadow / rounds * 1e3, over / rounds * 1e3, blur / rounds * 1e3,
        noise / rounds * 1e3, colour / rounds * 1e3, jpeg / rounds * 1e3);
    pct_layer_free(&layer);
    pct_layer_free(&scratch);
    pct_sprite_free(&sprite);
    pct_image_free(&cutout);
    pct_image_free(&canvas);
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blur_is_a_gaussian),
        cmocka_unit_test(noise_has_its_deviation),
        cmocka_unit_test(colour_changes),
        cmocka_unit_test(an_unmoved_sprite_is_itself),
        cmocka_unit_test(turned_and_scaled_sprites_keep_their_area),
        cmocka_unit_test(shadows_darken_below_and_right),
        cmocka_unit_test(overlays_mark_their_regions),
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(plots_are_drawn),
        cmocka_unit_test(colours_come_again_in_dashes),
        cmocka_unit_test(svg_is_rasterised),
    };
    if (count == 2 && strcmp(arguments[1], "--bench") == 0) {
        bench();
        return 0;
    }
    if (count == 3 && strcmp(arguments[1], "--keep") == 0) folder = arguments[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
