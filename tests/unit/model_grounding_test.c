/* What words and regions find in a picture before the language model reads them, against sums worked out one by one. */
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
    pct_ground ground; /* of two pictures */
    pct_tensor *cells, *prefix;
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

/* Means of the picture's rows, weighted by the softmax of the scaled cosines with the query; the first row's logit is
 * the token's own. */
static void find(const fixture *f, const pct_real *query, double rest, int picture, double *found) {
    double weight[ROWS], sum = 0, scale = (double)pct_tensor_data(&f->model->grounding.scale->tensor)[0];
    for (int r = 0; r < ROWS; r++) {
        const pct_real *cell = pct_tensor_data(f->cells) + (picture * ROWS + r) * f->width;
        weight[r] = exp(r > 0 ? scale * cosine(query, cell, f->width) : rest);
        sum += weight[r];
    }
    for (int64_t i = 0; i < f->width; i++) {
        found[i] = 0;
        for (int r = 0; r < ROWS; r++)
            found[i] += weight[r] / sum * (double)pct_tensor_data(f->prefix)[(picture * ROWS + r) * f->width + i];
    }
}

/* start + factor times the map of both halves of what was found */
static double mapped(const fixture *f, double start, double factor, const double *first, const double *second,
                     int64_t out) {
    const pct_real *w = pct_tensor_data(&f->model->grounding.map.weight->tensor) + out * 2 * f->width;
    double sum = 0;
    for (int64_t i = 0; i < f->width; i++) sum += (double)w[i] * first[i] + (double)w[f->width + i] * second[i];
    return start + factor * sum;
}

static void words_find_cells(void **state) {
    fixture *f = *state;
    const int32_t ids[] = {7, 3, 5, 2, 9}, named[] = {3, 9};
    pct_grounding_text text = {.ids = ids, .words = waves(f, 5, 1.1), .before = waves(f, 5, 1.7)};
    /* Rows 0, 1 look at the second picture, row 4 at the first; 2 and 3 are talk without one. */
    const pct_span looks[] = {{.q_begin = 0, .q_count = 2, .shared_begin = ROWS, .shared_count = ROWS},
                              {.q_begin = 4, .q_count = 1, .shared_begin = 0, .shared_count = ROWS}};
    const int picture[] = {1, 1, -1, -1, 0};
    text.looks = looks;
    text.look_count = 2;
    pct_model_begin_names(f->model, named, 2);
    pct_tensor_data(&f->model->grounding.rest->tensor)[7] = 2;
    pct_tensor *y = pct_grounding_words(&f->tape, &f->model->grounding, &f->ground, &text);
    assert_int_equal(pct_tape_status(&f->tape, NULL), PERCEPT_OK);
    for (int row = 0; row < 5; row++) {
        double single[64], both[64];
        pct_real pair[64];
        const double rest = ids[row] == 7 ? 2 : 0;
        const pct_real *word = pct_tensor_data(text.words) + row * f->width;
        for (int64_t i = 0; i < f->width; i++) pair[i] = word[i] + pct_tensor_data(text.before)[row * f->width + i];
        if (picture[row] >= 0) find(f, word, rest, picture[row], single);
        if (picture[row] >= 0) find(f, pair, rest, picture[row], both);
        for (int64_t i = 0; i < f->width; i++) {
            const double factor = (double)pct_tensor_data(&f->model->grounding.found->tensor)[0];
            double wanted = (double)word[i];
            if (picture[row] >= 0) wanted = mapped(f, wanted, factor, single, both, i);
            assert_float_equal(pct_tensor_data(y)[row * f->width + i], wanted, 1e-4);
        }
    }
}

/* Tokens of no name find next to nothing. */
static void other_tokens_rest(void **state) {
    fixture *f = *state;
    const int32_t name = 3;
    pct_model_begin_names(f->model, &name, 1);
    const pct_real *rest = pct_tensor_data(&f->model->grounding.rest->tensor);
    for (int32_t id = 0; id < f->config.language.vocabulary; id++)
        assert_true(id == name ? rest[id] == 0 : rest[id] > 10);
}

/* The embedding of one <obj> row whose region is given, less what it is when there is no ground: the map of the mean of
 * the cells that are expected, the four cells' bits in `cells`. */
static void check_under(fixture *f, pct_region_in region, unsigned cells) {
    const int32_t id = 0, row = 0;
    pct_model_text text = {.ids = &id, .before = &id, .count = 1, .regions = &region};
    text.region_rows = &row;
    text.region_count = 1;
    pct_tensor *without = pct_model_embed(&f->tape, f->model, &text);
    const pct_span look = {.q_count = 1, .shared_begin = region.picture * ROWS, .shared_count = ROWS};
    text.ground = &f->ground;
    text.looks = &look;
    text.look_count = 1;
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
        assert_float_equal(pct_tensor_data(with)[i], mapped(f, (double)pct_tensor_data(without)[i], 1, mean, mean, i),
                           1e-4);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(words_find_cells, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(other_tokens_rest, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(regions_find_what_they_cover, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
