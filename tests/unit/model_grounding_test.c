/* What phrases and regions find in a picture before the language model reads them, against sums worked out one by one.
 */
#include "batch_random.h"
#include "model/model_private.h"
#include "tiny_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 5 /* of a picture: the one for nothing and 2 x 2 cells */

typedef struct fixture {
    pct_compute *compute;
    pct_arena arena;
    pct_tape tape;
    pct_model *model;
    pct_model_config config;
    pct_ground ground;                  /* of two pictures */
    pct_tensor *cells, *prefix, *table; /* table: embeddings, those of `language` */
    pct_parameter embedding;
    pct_language language;
    int64_t width;
} fixture;

static pct_tensor *waves(fixture *f, int64_t rows, double step) {
    pct_tensor *x = pct_tape_tensor(&f->tape, PCT_REAL, 2, (int64_t[]){rows, f->width});
    for (int64_t i = 0; i < rows * f->width; i++) pct_tensor_data(x)[i] = (pct_real)sin(step * (double)(i + 1));
    return x;
}

static int open_fixture(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->config = tiny_config(TINY_NANO);
    if (pct_compute_create(&f->compute, NULL, 0, NULL) != PERCEPT_OK) return -1;
    pct_arena_init(&f->arena, 0);
    pct_tape_init(&f->tape, f->compute, &f->arena, false, PCT_REAL);
    if (pct_model_create(&f->model, &f->config, NULL, 3, NULL) != PERCEPT_OK) return -1;
    f->width = f->config.language.width;
    f->cells = waves(f, 2 * ROWS, 0.7);
    f->prefix = waves(f, 2 * ROWS, 0.3);
    f->table = waves(f, 20, 0.9);
    f->embedding.tensor = *f->table;
    f->language.embedding = &f->embedding;
    f->language.options.vocabulary = 20;
    f->ground = pct_grounding_prepare(&f->tape, f->cells, f->prefix, 2);
    *state = f;
    return 0;
}

static int close_fixture(void **state) {
    fixture *f = *state;
    pct_model_close(&f->model);
    pct_arena_free(&f->arena);
    pct_compute_destroy(&f->compute);
    free(f);
    return 0;
}

static double cosine(const pct_real *a, const pct_real *b, int64_t n) {
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

/* Means of the picture's rows, weighted by the softmax of the scaled cosines with the mean of the tokens; the first
 * row's cosine is 0. */
static void find(const fixture *f, const int32_t *ids, int count, int picture, double *found) {
    double weight[ROWS], sum = 0, scale = (double)pct_tensor_data(&f->model->grounding.scale->tensor)[0];
    pct_real query[64] = {0};
    for (int t = 0; t < count; t++)
        for (int64_t i = 0; i < f->width; i++) query[i] += pct_tensor_data(f->table)[ids[t] * f->width + i];
    for (int r = 0; r < ROWS; r++) {
        const pct_real *cell = pct_tensor_data(f->cells) + (picture * ROWS + r) * f->width;
        weight[r] = exp(r > 0 ? scale * cosine(query, cell, f->width) : 0);
        sum += weight[r];
    }
    for (int64_t i = 0; i < f->width; i++) {
        found[i] = 0;
        for (int r = 0; r < ROWS; r++)
            found[i] += weight[r] / sum * (double)pct_tensor_data(f->prefix)[(picture * ROWS + r) * f->width + i];
    }
}

/* start + the map of what was found */
static double mapped(const fixture *f, double start, const double *found, int64_t out) {
    const pct_real *w = pct_tensor_data(&f->model->grounding.map.weight->tensor) + out * f->width;
    for (int64_t i = 0; i < f->width; i++) start += (double)w[i] * found[i];
    return start;
}

/* Marks alone change, by what their names find; function words do not ask, unless there is nothing else. */
static void marks_find_cells(void **state) {
    fixture *f = *state;
    const int32_t ids[] = {7, 3, 9, 5, 2}, named[] = {3, 9};
    pct_tensor *words = waves(f, 5, 1.1);
    const pct_look looks[] = {{.ids = ids, .count = 3, .row = 1, .picture = 1},  /* tokens 3 and 9 */
                              {.ids = ids, .count = 1, .row = 4, .picture = 0}}; /* 7 for want of a name */
    pct_model_begin_names(f->model, named, 2);
    pct_tensor *y = pct_grounding_phrases(&f->tape, &f->model->grounding, &f->ground, &f->language, words, looks, 2);
    assert_int_equal(pct_tape_status(&f->tape, NULL), PERCEPT_OK);
    double first[64], second[64];
    find(f, ids + 1, 2, 1, first);
    find(f, ids, 1, 0, second);
    for (int row = 0; row < 5; row++)
        for (int64_t i = 0; i < f->width; i++) {
            double wanted = (double)pct_tensor_data(words)[row * f->width + i];
            if (row == 1) wanted = mapped(f, wanted, first, i);
            if (row == 4) wanted = mapped(f, wanted, second, i);
            assert_float_equal(pct_tensor_data(y)[row * f->width + i], wanted, 1e-4);
        }
}

/* <user> a b <assistant> c <p> d e </p> */
static void marks_are_found(void **state) {
    fixture *f = *state;
    f->model->marks = (pct_model_marks){.begin = 1, .end = 2, .user = 3, .assistant = 4};
    const int32_t ids[] = {3, 10, 11, 4, 12, 1, 13, 14, 2}, bare[] = {10, 2, 3, 4};
    pct_look look;
    int32_t regions;
    for (int32_t at = 0; at < 9; at++)
        assert_int_equal(pct_model_look(f->model, ids, at, &look, &regions), at == 3 || at == 8);
    assert_true(look.ids == ids + 6 && look.count == 2 && regions == 0);
    assert_true(pct_model_look(f->model, ids, 3, &look, &regions) && look.ids == ids + 1 && look.count == 2);
    assert_false(pct_model_look(f->model, bare, 1, &look, &regions)); /* nothing begins it */
    assert_false(pct_model_look(f->model, bare, 3, &look, &regions)); /* nothing in it */
    f->model->marks = (pct_model_marks){-1, -1, -1, -1};
    assert_false(pct_model_look(f->model, ids, 8, &look, &regions));
}

/* <user> <obj> <assistant> <p> a b </p> <obj> <obj> c <obj>: the two behind the phrase look for it. */
static void regions_of_phrases_look_again(void **state) {
    fixture *f = *state;
    f->model->marks = (pct_model_marks){.begin = 1, .end = 2, .user = 3, .assistant = 4};
    f->model->object = 5;
    const int32_t ids[] = {3, 5, 4, 1, 10, 11, 2, 5, 5, 12, 5};
    const int32_t wanted[] = {-1, -1, 0, -1, -1, -1, 0, 1, 2, -1, -1};
    pct_look look;
    int32_t regions;
    for (int32_t at = 0; at < 11; at++) {
        const bool looks = pct_model_look(f->model, ids, at, &look, &regions);
        assert_int_equal(looks ? regions : -1, wanted[at]);
        if (looks && at > 2) assert_true(look.ids == ids + 4 && look.count == 2);
    }
    f->model->config.language.grounding = 1;
    assert_false(pct_model_look(f->model, ids, 8, &look, &regions));
    assert_true(pct_model_look(f->model, ids, 6, &look, &regions));
}

/* What two regions cover is like nothing: the look finds the same as in a picture where those cells are the row for
 * nothing. Others' looks stay as they are. */
static void what_remains_is_found(void **state) {
    fixture *f = *state;
    const pct_region_in gone[] = {{.source = PCT_REGION_BOX, .box = {0, 0, 0.5f, 0.5f}},  /* cell 0 */
                                  {.source = PCT_REGION_BOX, .box = {0.5f, 0.5f, 1, 1}}}; /* cell 3 */
    const int32_t id = 6;
    pct_tensor *words = waves(f, 3, 1.1);
    pct_look looks[] = {{.ids = &id, .count = 1, .row = 0, .picture = 1},
                        {.ids = &id, .count = 1, .row = 1, .picture = 1},
                        {.ids = &id, .count = 1, .row = 2, .picture = 0}};
    pct_model_leave_out(&f->tape, f->model, gone, 2, &looks[0]);
    pct_model_leave_out(&f->tape, f->model, gone, 1, &looks[2]);
    assert_true(looks[0].gone_count == 2 && looks[0].gone[0] == 1 && looks[0].gone[1] == 4);
    pct_tensor *y = pct_grounding_phrases(&f->tape, &f->model->grounding, &f->ground, &f->language, words, looks, 3);
    assert_int_equal(pct_tape_status(&f->tape, NULL), PERCEPT_OK);
    double whole[64], rest[64];
    find(f, &id, 1, 1, whole);
    for (int64_t i = 0; i < f->width; i++)
        assert_float_equal(pct_tensor_data(y)[f->width + i],
                           mapped(f, (double)pct_tensor_data(words)[f->width + i], whole, i), 1e-4);
    for (int look = 0; look < 3; look += 2) {
        const int picture = looks[look].picture;
        double weight[ROWS], sum = 0, scale = (double)pct_tensor_data(&f->model->grounding.scale->tensor)[0];
        for (int r = 0; r < ROWS; r++) {
            const bool nothing = r == 0 || r == 1 || (look == 0 && r == 4);
            const pct_real *cell = pct_tensor_data(f->cells) + (picture * ROWS + r) * f->width;
            weight[r] = exp(nothing ? 0 : scale * cosine(pct_tensor_data(f->table) + id * f->width, cell, f->width));
            sum += weight[r];
        }
        for (int64_t i = 0; i < f->width; i++) {
            rest[i] = 0;
            for (int r = 0; r < ROWS; r++) {
                const int from = r == 1 || (look == 0 && r == 4) ? 0 : r;
                rest[i] += weight[r] / sum * (double)pct_tensor_data(f->prefix)[(picture * ROWS + from) * f->width + i];
            }
        }
        for (int64_t i = 0; i < f->width; i++)
            assert_float_equal(pct_tensor_data(y)[look * f->width + i],
                               mapped(f, (double)pct_tensor_data(words)[look * f->width + i], rest, i), 1e-4);
    }
}

/* The embedding of one <obj> row whose region is given, less what it is when there is no ground: the map of the mean of
 * the cells that are expected, the four cells' bits in `cells`. */
static void check_under(fixture *f, pct_region_in region, unsigned cells) {
    const int32_t id = 0, row = 0;
    pct_model_text text = {.ids = &id, .count = 1, .regions = &region};
    text.region_rows = &row;
    text.region_count = 1;
    pct_tensor *without = pct_model_embed(&f->tape, f->model, &text);
    text.ground = &f->ground;
    pct_tensor *with = pct_model_embed(&f->tape, f->model, &text);
    double mean[64] = {0}, count = 0;
    for (int c = 0; c < 4; c++) {
        if (!(cells >> c & 1)) continue;
        count++;
        for (int64_t i = 0; i < f->width; i++)
            mean[i] += (double)pct_tensor_data(f->prefix)[(region.picture * ROWS + 1 + c) * f->width + i];
    }
    for (int64_t i = 0; i < f->width; i++) mean[i] /= count;
    for (int64_t i = 0; i < f->width; i++)
        assert_float_equal(pct_tensor_data(with)[i], mapped(f, (double)pct_tensor_data(without)[i], mean, i), 1e-4);
}

static void regions_find_what_they_cover(void **state) {
    fixture *f = *state;
    check_under(f, (pct_region_in){.source = PCT_REGION_BOX, .box = {0, 0, 0.5f, 1}}, 1 | 4);
    check_under(f, (pct_region_in){.source = PCT_REGION_BOX, .picture = 1, .box = {0.1f, 0.1f, 1, 1}}, 15);
    check_under(f, (pct_region_in){.source = PCT_REGION_BOX, .box = {0.6f, 0.55f, 0.7f, 0.6f}}, 8); /* no middle */
    check_under(f, (pct_region_in){.source = PCT_REGION_BOX, .box = {1, 0, 1, 0}}, 2); /* an empty one at the border */
    const int side = f->config.heads.mask_encoder_side;
    pct_real *mask = calloc((size_t)(side * side), sizeof *mask);
    pct_region_in region = {.source = PCT_REGION_MASK, .picture = 1, .mask = mask};
    mask[side * side - 1] = 1; /* one pixel */
    check_under(f, region, 8);
    for (int i = 0; i < side * side / 2; i++) mask[i] = 1;
    check_under(f, region, 1 | 2);
    memset(mask, 0, (size_t)(side * side) * sizeof *mask);
    check_under(f, region, 1); /* nothing at all: some cell */
    free(mask);
}

/* A region's view: the mean of its cells, each of length 1. */
static void regions_show_their_cells(void **state) {
    fixture *f = *state;
    const pct_region_in regions[] = {{.source = PCT_REGION_BOX, .picture = 1, .box = {0, 0, 0.5f, 1}},
                                     {.source = PCT_REGION_BOX, .box = {0.5f, 0, 1, 0.5f}}};
    const int cells[2][2] = {{ROWS + 1, ROWS + 3}, {2, 2}};
    pct_model_text text = {.regions = regions, .region_count = 2, .ground = &f->ground};
    pct_tensor *views = pct_model_views(&f->tape, f->model, &text);
    assert_int_equal(pct_tensor_rows(views), 2);
    for (int r = 0; r < 2; r++)
        for (int64_t i = 0; i < f->width; i++) {
            double wanted = 0;
            for (int c = 0; c < 2; c++) {
                const pct_real *cell = pct_tensor_data(f->cells) + cells[r][c] * f->width;
                double squares = 0;
                for (int64_t k = 0; k < f->width; k++) squares += (double)cell[k] * (double)cell[k];
                wanted += (double)cell[i] / sqrt(squares) / 2;
            }
            assert_float_equal(pct_tensor_data(views)[r * f->width + i], wanted, 1e-5);
        }
    text.region_count = 0;
    assert_null(pct_model_views(&f->tape, f->model, &text));
    text.region_count = 2;
    text.ground = NULL;
    assert_null(pct_model_views(&f->tape, f->model, &text));
}

/* s + scale (1 + W s) seen, channel by channel. */
static void words_are_copied(void **state) {
    fixture *f = *state;
    const int64_t width = f->width;
    pct_tensor *states = waves(f, 2, 0.4), *seen = waves(f, 2, 1.3);
    pct_real *gate = pct_tensor_data(&f->model->copy.gate.weight->tensor);
    for (int64_t i = 0; i < width; i++) pct_tensor_data(seen)[i] = 0; /* the first has read no region */
    for (int64_t i = 0; i < width * width; i++) {
        assert_true(gate[i] == 0); /* a fresh one is open */
        gate[i] = (pct_real)(0.1 * cos((double)i));
    }
    f->model->copy.gate.weight->version++;
    const double scale = (double)pct_tensor_data(&f->model->copy.scale->tensor)[0];
    pct_tensor *y = pct_copy_apply(&f->tape, &f->model->copy, states, seen);
    for (int64_t i = 0; i < 2 * width; i++) {
        const pct_real *s = pct_tensor_data(states) + i / width * width;
        double open = 1;
        for (int64_t k = 0; k < width; k++) open += (double)gate[i % width * width + k] * (double)s[k];
        const double wanted = (double)s[i % width] + scale * open * (double)pct_tensor_data(seen)[i];
        assert_float_equal(pct_tensor_data(y)[i], wanted, 1e-4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(marks_find_cells, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(marks_are_found, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(regions_find_what_they_cover, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(regions_of_phrases_look_again, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(what_remains_is_found, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(regions_show_their_cells, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(words_are_copied, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
