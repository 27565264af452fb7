/* How things of training scenes are drawn: stretched, leaning, in lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/scene_private.h"
#include "scene_support.h"

#include <math.h>

static char *discs;
static pct_scene_source *source;

static int open_discs(void **state) {
    (void)state;
    discs = scene_folder_make(true);
    source = discs ? scene_folder_source(discs) : NULL;
    return source ? 0 : -1;
}
static int close_discs(void **state) {
    (void)state;
    pct_scene_source_close(&source);
    scene_folder_remove(&discs);
    return 0;
}

/* Training scenes alone are augmented: objects change their extent, and where they stay their alpha does. */
static void test_augmented(void **state) {
    (void)state;
    pct_scene_request as_it_is = {.width = 96, .height = 96, .questions = 1}, augmented = as_it_is;
    augmented.augment = 1;
    pct_arena arena;
    pct_arena_init(&arena, 0);
    int moved = 0;
    for (uint64_t index = 0; index < 12; index++)
        for (int split = 0; split < PCT_SPLIT_CUTOUTS; split++) {
            pct_sample one, other, again;
            assert_int_equal(pct_scene_compose(source, split, 3, index, &as_it_is, &arena, &one, NULL), PERCEPT_OK);
            assert_int_equal(pct_scene_compose(source, split, 3, index, &augmented, &arena, &other, NULL), PERCEPT_OK);
            assert_int_equal(pct_scene_compose(source, split, 3, index, &augmented, &arena, &again, NULL), PERCEPT_OK);
            assert_memory_equal(other.image.data, again.image.data, 96 * 96 * 3);
            if (split != PCT_SPLIT_TRAINING) {
                assert_memory_equal(one.image.data, other.image.data, 96 * 96 * 3);
                continue;
            }
            assert_memory_not_equal(one.image.data, other.image.data, 96 * 96 * 3);
            moved += memcmp(one.owner, other.owner, 96 * 96) != 0;
            pct_arena_reset(&arena);
        }
    assert_int_equal(moved, 12);
    pct_arena_free(&arena);
}

/* Lines stay within the thing, and the middle of a plain one stays plain. */
static void test_redrawing_keeps_the_mask(void **state) {
    (void)state;
    enum { SIDE = 40 };
    static unsigned char before[SIDE * SIDE * 4], rgba[SIDE * SIDE * 4];
    pct_image canvas = {.width = 64, .height = 64};
    pct_layer layer = {.x = 4, .y = 4, .width = SIDE, .height = SIDE, .rgba = rgba, .capacity = sizeof rgba};
    for (int i = 0; i < SIDE * SIDE; i++) {
        const float radius = hypotf((float)(i % SIDE) - 19.5f, (float)(i / SIDE) - 19.5f);
        const float alpha = fminf(fmaxf(18.5f - radius, 0), 1) * 255;
        for (int c = 0; c < 4; c++) before[i * 4 + c] = (unsigned char)(alpha * (c < 3 ? 0.5f : 1));
    }
    pct_arena arena;
    pct_arena_init(&arena, 0);
    int edges = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        pct_random random;
        pct_random_init(&random, seed, 0, 0);
        memcpy(rgba, before, sizeof rgba);
        assert_int_equal(scene_redraw(&layer, &canvas, &random, &arena, NULL), PERCEPT_OK);
        for (int i = 0; i < SIDE * SIDE; i++) {
            assert_int_equal(rgba[i * 4 + 3], before[i * 4 + 3]);
            for (int c = 0; c < 3; c++) assert_true(rgba[i * 4 + c] <= rgba[i * 4 + 3]);
        }
        const unsigned char *middle = rgba + (20 * SIDE + 20) * 4, *edge = rgba + (20 * SIDE + 2) * 4;
        assert_true(middle[0] >= 127); /* paler perhaps, no line */
        edges += edge[0] < 100 || edge[0] > middle[0] + 40;
    }
    assert_true(edges > 20);
    pct_arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_augmented),
        cmocka_unit_test(test_redrawing_keeps_the_mask),
    };
    return cmocka_run_group_tests(tests, open_discs, close_discs);
}
