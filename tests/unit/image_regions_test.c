/* image_regions_test.c: boxes, masks, run lengths against pycocotools' golden file, polygons. */
#include "base/file.h"
#include "base/random.h"
#include "image/boxes.h"
#include "image/mask.h"
#include "image/polygon.h"
#include "image/rle.h"

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

/* Blobs rather than salt and pepper where `smooth` > 0. */
static pct_mask random_mask(pct_random *random, int width, int height, float share) {
    pct_mask mask;
    assert_ok(pct_mask_new(&mask, width, height, NULL));
    for (size_t i = 0; i < pct_mask_bytes(&mask); i++) mask.data[i] = pct_random_float(random) < share;
    return mask;
}

static pct_mask mask_of(int width, int height, const char *rows) {
    pct_mask mask;
    assert_ok(pct_mask_new(&mask, width, height, NULL));
    assert_int_equal(strlen(rows), width * height);
    for (size_t i = 0; rows[i]; i++) mask.data[i] = rows[i] == '1' || rows[i] == '#';
    return mask;
}

static void assert_same_mask(const pct_mask *a, const pct_mask *b) {
    assert_true(pct_mask_same_size(a, b));
    assert_memory_equal(a->data, b->data, pct_mask_bytes(a));
}

static void assert_box(pct_box box, float x0, float y0, float x1, float y1) {
    assert_near(box.x0, x0, 1e-5);
    assert_near(box.y0, y0, 1e-5);
    assert_near(box.x1, x1, 1e-5);
    assert_near(box.y1, y1, 1e-5);
}

static void box_arithmetic(void **state) {
    pct_box a = {0, 0, 4, 4}, b = {2, 2, 6, 6}, far = {10, 0, 12, 4}, none = {3, 3, 3, 9};
    assert_near(pct_box_iou(a, b), 4.0 / 28, 1e-6);
    assert_near(pct_box_giou(a, b), 4.0 / 28 - (36.0 - 28) / 36, 1e-6);
    assert_near(pct_box_iou(a, far), 0, 0);
    assert_near(pct_box_giou(a, far), -(48.0 - 24) / 48, 1e-6);
    assert_near(pct_box_giou(a, a), 1, 1e-6);
    assert_near(pct_box_iou(a, none), 0, 0);
    assert_near(pct_box_giou(none, none), -1, 0);
    assert_box(pct_box_intersect(a, b), 2, 2, 4, 4);
    assert_box(pct_box_intersect(a, far), 0, 0, 0, 0);
    assert_box(pct_box_hull(a, far), 0, 0, 12, 4);
    assert_box(pct_box_clamp((pct_box){9, -2, 3, 50}, 8, 20), 3, 0, 8, 20);
    assert_box(pct_box_clamp((pct_box){NAN, -INFINITY, INFINITY, NAN}, 8, 20), 0, 0, 8, 0);
    assert_box(pct_box_from_centre(pct_box_to_centre(b)), 2, 2, 6, 6);
    assert_box(pct_box_scale(pct_box_normalise(b, 8, 3), 8, 3), 2, 2, 6, 6);
    assert_true(pct_box_valid(a));
    assert_false(pct_box_valid(none));
    assert_false(pct_box_valid((pct_box){0, 0, INFINITY, 1}));
}

static void mask_measures(void **state) {
    pct_mask a = mask_of(5, 3,
                         ".##.."
                         ".#..."
                         "....#");
    pct_mask b = mask_of(5, 3,
                         "..##."
                         ".#..."
                         ".....");
    assert_int_equal(pct_mask_area(&a), 4);
    assert_box(pct_mask_box(&a), 1, 0, 5, 3);
    int64_t both, either;
    pct_mask_overlap(&a, &b, &both, &either);
    assert_int_equal(both, 2);
    assert_int_equal(either, 5);
    assert_near(pct_mask_iou(&a, &b), 0.4, 1e-6);
    pct_mask c;
    assert_ok(pct_mask_copy(&c, &a, NULL));
    pct_mask_and(&c, &b);
    assert_int_equal(pct_mask_area(&c), 2);
    pct_mask_or(&c, &a);
    assert_same_mask(&c, &a);
    pct_mask_subtract(&c, &b);
    assert_int_equal(pct_mask_area(&c), 2);
    pct_mask_subtract(&c, &c);
    assert_box(pct_mask_box(&c), 0, 0, 0, 0);
    assert_near(pct_mask_iou(&c, &c), 0, 0);
    pct_mask_fill_box(&c, (pct_box){0.6f, -3, 2.4f, 1.5f});
    pct_mask want = mask_of(5, 3,
                            ".#..."
                            ".#..."
                            ".....");
    assert_same_mask(&c, &want);
    const float logits[6] = {-1, 0, 0.5f, NAN, 2, 0.1f};
    pct_mask d;
    assert_ok(pct_mask_from_logits(&d, logits, 3, 2, 0.1f, NULL));
    assert_int_equal(d.data[2] + d.data[4], 2);
    assert_int_equal(pct_mask_area(&d), 2);
    pct_mask_free(&a);
    pct_mask_free(&b);
    pct_mask_free(&c);
    pct_mask_free(&d);
    pct_mask_free(&want);
}

static void parts_are_8_connected_and_holes_4_connected(void **state) {
    pct_mask mask = mask_of(7, 6,
                            "#...#.#"
                            ".#..###"
                            "......."
                            "###...."
                            "#.#..#."
                            "###....");
    int32_t *labels, count;
    pct_component *parts;
    assert_ok(pct_mask_components(&mask, &labels, &parts, &count, NULL));
    assert_int_equal(count, 4);
    assert_int_equal(parts[0].area, 2);
    assert_int_equal(parts[1].area, 5);
    assert_int_equal(parts[2].area, 8);
    assert_int_equal(parts[3].area, 1);
    assert_int_equal(parts[1].x0, 4);
    assert_int_equal(parts[1].x1, 7);
    assert_int_equal(parts[2].y0, 3);
    assert_int_equal(parts[2].y1, 6);
    assert_int_equal(labels[0], 1);
    assert_int_equal(labels[8], 1);
    assert_int_equal(labels[6], 2);
    assert_int_equal(labels[29], 0);
    assert_int_equal(labels[33], 4);
    free(labels);
    free(parts);
    assert_ok(pct_mask_fill_holes(&mask, NULL));
    assert_int_equal(pct_mask_area(&mask), 17); /* the 1 hole; the notch at the top is open to the border */
    int32_t removed;
    assert_ok(pct_mask_drop_specks(&mask, 3, &removed, NULL));
    assert_int_equal(removed, 2);
    assert_int_equal(pct_mask_area(&mask), 14);
    pct_mask_free(&mask);
    /* A hole that meets the outside only at a corner is still a hole. */
    mask = mask_of(4, 4,
                   ".##."
                   "#.#."
                   "##.."
                   "....");
    assert_ok(pct_mask_fill_holes(&mask, NULL));
    assert_int_equal(pct_mask_area(&mask), 7);
    pct_mask_free(&mask);
}

/* Labels by flood fill, as a check of the union-find. */
static int32_t flood_count(const pct_mask *mask) {
    pct_mask left;
    assert_ok(pct_mask_copy(&left, mask, NULL));
    size_t n = pct_mask_bytes(mask), depth;
    size_t *stack = malloc((n * 8 + 1) * sizeof(*stack));
    int32_t parts = 0;
    for (size_t i = 0; i < n; i++) {
        if (!left.data[i]) continue;
        parts++;
        stack[0] = i;
        depth = 1;
        left.data[i] = 0;
        while (depth) {
            size_t at = stack[--depth];
            int x = (int)(at % (size_t)mask->width), y = (int)(at / (size_t)mask->width);
            for (int dy = -1; dy <= 1; dy++)
                for (int dx = -1; dx <= 1; dx++) {
                    if (x + dx < 0 || y + dy < 0 || x + dx >= mask->width || y + dy >= mask->height) continue;
                    size_t next = (size_t)(y + dy) * (size_t)mask->width + (size_t)(x + dx);
                    if (left.data[next]) left.data[next] = 0, stack[depth++] = next;
                }
        }
    }
    free(stack);
    pct_mask_free(&left);
    return parts;
}

static void random_masks_keep_their_properties(void **state) {
    pct_random random;
    pct_random_init(&random, 5, 0, 0);
    for (int i = 0; i < 300; i++) {
        int width = 1 + (int)pct_random_below(&random, 90), height = 1 + (int)pct_random_below(&random, 70);
        pct_mask mask = random_mask(&random, width, height, pct_random_float(&random)), back;
        char *string;
        assert_ok(pct_mask_to_rle_string(&mask, &string, NULL));
        assert_ok(pct_mask_from_rle_string(&back, string, strlen(string), width, height, NULL));
        assert_same_mask(&mask, &back);
        free(string);
        pct_mask_free(&back);
        int32_t count;
        assert_ok(pct_mask_components(&mask, NULL, NULL, &count, NULL));
        assert_int_equal(count, flood_count(&mask));
        pct_polygon polygon;
        assert_ok(pct_polygon_from_mask(&polygon, &mask, NULL));
        assert_int_equal(polygon.parts, count);
        int32_t outer = 0;
        for (size_t k = 0; k < polygon.count; k++) {
            if (!polygon.rings[k].hole)
                assert_int_equal(polygon.rings[k].part, outer++);
            else
                assert_true(polygon.rings[k].part < outer);
        }
        assert_int_equal(outer, count);
        assert_ok(pct_polygon_to_mask(&back, &polygon, width, height, NULL));
        assert_same_mask(&mask, &back);
        pct_mask_free(&back);
        /* All rings as one: the seams must not show. */
        float *points;
        size_t n;
        assert_ok(pct_polygon_join(&polygon, -1, false, &points, &n, NULL));
        assert_ok(pct_mask_new(&back, width, height, NULL));
        if (n) {
            double *exact = malloc(n * 2 * sizeof(*exact));
            for (size_t k = 0; k < 2 * n; k++) exact[k] = (double)points[k];
            assert_ok(pct_polygon_fill(&back, exact, n, PCT_FILL_OR, NULL));
            free(exact);
        }
        assert_same_mask(&mask, &back);
        free(points);
        pct_mask_free(&back);
        pct_polygon_free(&polygon);
        pct_mask_free(&mask);
    }
}

static void lone_pixel_and_simplified_outline(void **state) {
    pct_mask mask;
    pct_polygon polygon;
    assert_ok(pct_mask_new(&mask, 8, 9, NULL));
    mask.data[5 * 8 + 3] = 1;
    assert_ok(pct_polygon_from_mask(&polygon, &mask, NULL));
    assert_int_equal(polygon.count, 1);
    const float square[8] = {3, 5, 4, 5, 4, 6, 3, 6};
    assert_int_equal(polygon.rings[0].count, 4);
    assert_memory_equal(polygon.rings[0].points, square, sizeof(square));
    pct_polygon_free(&polygon);
    pct_mask_free(&mask);
    /* A disc's stairs go; its area nearly stays. */
    assert_ok(pct_mask_new(&mask, 100, 100, NULL));
    for (int y = 0; y < 100; y++)
        for (int x = 0; x < 100; x++) mask.data[y * 100 + x] = (x - 50) * (x - 50) + (y - 50) * (y - 50) < 1600;
    assert_ok(pct_polygon_from_mask(&polygon, &mask, NULL));
    size_t before = polygon.rings[0].count;
    assert_ok(pct_polygon_simplify(&polygon, 1, NULL));
    assert_true(polygon.rings[0].count * 4 < before);
    pct_mask back;
    assert_ok(pct_polygon_to_mask(&back, &polygon, 100, 100, NULL));
    assert_true(pct_mask_iou(&mask, &back) > 0.97f);
    pct_mask_free(&back);
    pct_polygon_free(&polygon);
    pct_mask_free(&mask);
}

/* Golden lines of tools/golden/rle_coco.py. */
static void check_mask_line(char **at) {
    int width = atoi(strtok_r(NULL, " ", at)), height = atoi(strtok_r(NULL, " ", at));
    pct_mask mask = mask_of(width, height, strtok_r(NULL, " ", at)), back;
    const char *want = strtok_r(NULL, " ", at);
    char *string;
    assert_ok(pct_mask_to_rle_string(&mask, &string, NULL));
    assert_string_equal(string, want);
    free(string);
    pct_rle rle;
    assert_ok(pct_rle_from_string(&rle, want, strlen(want), width, height, NULL));
    assert_ok(pct_rle_decode(&back, &rle, NULL));
    assert_same_mask(&mask, &back);
    assert_int_equal(pct_rle_area(&rle), atoi(strtok_r(NULL, " ", at)));
    float box[4];
    for (int i = 0; i < 4; i++) box[i] = (float)atof(strtok_r(NULL, " ", at));
    if (pct_rle_area(&rle)) assert_box(pct_rle_box(&rle), box[0], box[1], box[0] + box[2], box[1] + box[3]);
    pct_box measured = pct_mask_box(&mask);
    assert_memory_equal(&measured, &(pct_box[]){pct_rle_box(&rle)}[0], sizeof(measured));
    pct_rle_free(&rle);
    pct_mask_free(&mask);
    pct_mask_free(&back);
}

static void check_pair_line(char **at) {
    const char *a = strtok_r(NULL, " ", at), *b = strtok_r(NULL, " ", at);
    int width = atoi(strtok_r(NULL, " ", at)), height = atoi(strtok_r(NULL, " ", at));
    pct_rle ra, rb, merged;
    assert_ok(pct_rle_from_string(&ra, a, strlen(a), width, height, NULL));
    assert_ok(pct_rle_from_string(&rb, b, strlen(b), width, height, NULL));
    for (int intersect = 0; intersect < 2; intersect++) {
        char *string;
        assert_ok(pct_rle_merge(&merged, &ra, &rb, intersect, NULL));
        assert_ok(pct_rle_to_string(&merged, &string, NULL));
        assert_string_equal(string, strtok_r(NULL, " ", at));
        free(string);
        pct_rle_free(&merged);
    }
    /* Where the denominator is 0 pycocotools' answer depends on its version; ours is 0. */
    double iou = atof(strtok_r(NULL, " ", at)), crowd = atof(strtok_r(NULL, " ", at));
    assert_near(pct_rle_iou(&ra, &rb, false), isfinite(iou) ? iou : 0, 1e-12);
    assert_near(pct_rle_iou(&ra, &rb, true), isfinite(crowd) ? crowd : 0, 1e-12);
    pct_rle_free(&ra);
    pct_rle_free(&rb);
}

static void check_polygon_line(char **at) {
    int width = atoi(strtok_r(NULL, " ", at)), height = atoi(strtok_r(NULL, " ", at));
    const char *want = strtok_r(NULL, " ", at);
    int count = atoi(strtok_r(NULL, " ", at));
    double points[64];
    for (int i = 0; i < 2 * count; i++) points[i] = atof(strtok_r(NULL, " ", at));
    pct_mask mask;
    char *string;
    assert_ok(pct_mask_new(&mask, width, height, NULL));
    assert_ok(pct_polygon_fill(&mask, points, (size_t)count, PCT_FILL_OR, NULL));
    assert_ok(pct_mask_to_rle_string(&mask, &string, NULL));
    assert_string_equal(string, want);
    free(string);
    pct_mask_free(&mask);
}

static void run_lengths_are_those_of_pycocotools(void **state) {
    char *text, *lines, *at;
    size_t size;
    int masks = 0, pairs = 0, polygons = 0;
    assert_ok(pct_file_read(VECTORS "/rle.txt", 1 << 20, &text, &size, NULL));
    for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
        const char *kind = strtok_r(line, " ", &at);
        if (strcmp(kind, "mask") == 0) check_mask_line(&at), masks++;
        if (strcmp(kind, "pair") == 0) check_pair_line(&at), pairs++;
        if (strcmp(kind, "polygon") == 0) check_polygon_line(&at), polygons++;
    }
    free(text);
    assert_int_equal(masks, 35);
    assert_int_equal(pairs, 7);
    assert_int_equal(polygons, 19);
}

static void hostile_run_lengths_are_refused(void **state) {
    static const char *const bad[] = {
        "",   "5",     "\x7f",     "/",  "P",  "oooooooooooo", "ooooooooo0", "7777777",
        "b0", "1111O", "99999999", "0N", "0 ", "PPPPPPP0",     "m",
    };
    pct_mask mask;
    percept_error error = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(pct_mask_from_rle_string(&mask, bad[i], strlen(bad[i]), 2, 3, &error), PERCEPT_ERROR_INPUT);
        assert_null(mask.data);
        assert_non_null(strstr(error.message, "mask"));
    }
    assert_int_equal(pct_mask_from_rle_string(&mask, "0", 1, 0, 3, NULL), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_mask_from_rle_string(&mask, "0", 1, 1000000, 1000000, NULL), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_mask_from_rle_string(&mask, "0", 1, -4, -4, NULL), PERCEPT_ERROR_INPUT);
    pct_rle rle;
    const int64_t wild[][3] = {{3, 4, -1}, {INT64_MAX, 1, 1}, {1, 2, 4}, {1, 1, 1}};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pct_rle_from_counts(&rle, wild[i], 3, 2, 3, NULL), PERCEPT_ERROR_INPUT);
    const int64_t good[] = {1, 2, 3};
    assert_ok(pct_rle_from_counts(&rle, good, 3, 2, 3, NULL));
    assert_int_equal(pct_rle_area(&rle), 2);
    pct_rle_free(&rle);
}

static void hostile_polygons_are_refused(void **state) {
    pct_mask mask;
    assert_ok(pct_mask_new(&mask, 30, 20, NULL));
    const double nan[] = {1, 1, NAN, 2, 3, 3}, far[] = {1, 1, 1e12, 2, 3, 3}, two[] = {1, 1, 2, 2};
    assert_int_equal(pct_polygon_fill(&mask, nan, 3, PCT_FILL_OR, NULL), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_polygon_fill(&mask, far, 3, PCT_FILL_OR, NULL), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_polygon_fill(&mask, two, 2, PCT_FILL_OR, NULL), PERCEPT_ERROR_INPUT);
    const double outside[] = {-50, -50, -20, -50, -30, 90}, flat[] = {3, 3, 3, 3, 3, 3};
    assert_ok(pct_polygon_fill(&mask, outside, 3, PCT_FILL_OR, NULL));
    assert_ok(pct_polygon_fill(&mask, flat, 3, PCT_FILL_OR, NULL));
    assert_int_equal(pct_mask_area(&mask), 0);
    pct_mask_free(&mask);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(box_arithmetic),
        cmocka_unit_test(mask_measures),
        cmocka_unit_test(parts_are_8_connected_and_holes_4_connected),
        cmocka_unit_test(random_masks_keep_their_properties),
        cmocka_unit_test(lone_pixel_and_simplified_outline),
        cmocka_unit_test(run_lengths_are_those_of_pycocotools),
        cmocka_unit_test(hostile_run_lengths_are_refused),
        cmocka_unit_test(hostile_polygons_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
