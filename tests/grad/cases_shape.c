/* cases_shape.c: operations that move rows, columns and pixels. */
#include "base/size.h"
#include "cases.h"

static pct_tensor *reshape(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_reshape(t, x[0], 3, (int64_t[]){n[0], n[1], n[2]});
}
/* A view of an operation's output, read beside that output itself. */
static pct_tensor *reshape_shared(pct_tape *t, pct_tensor *const *x, const int *n) {
    pct_tensor *y = pct_op_activate(t, x[0], PCT_SILU);
    pct_tensor *view = pct_op_reshape(t, y, 1, (int64_t[]){n[0]});
    return pct_op_mul(t, pct_op_reshape(t, view, 2, y->dim), y);
}
static pct_tensor *concat_rows(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_concat_rows(t, x, n[0]);
}
static pct_tensor *concat_columns(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_concat_columns(t, x, n[0]);
}
static pct_tensor *slice_columns(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_slice_columns(t, x[0], n[0], n[1]);
}
static pct_tensor *gather_rows(pct_tape *t, pct_tensor *const *x, const int *n) {
    static const int32_t index[] = {3, 0, 3, 4, 1, 3};
    return pct_op_gather_rows(t, x[0], index, n[0]);
}
static pct_tensor *replace_rows(pct_tape *t, pct_tensor *const *x, const int *n) {
    static const int32_t index[] = {4, 0, 2};
    return pct_op_replace_rows(t, x[0], x[1], index, n[0]);
}
static pct_tensor *mean_rows(pct_tape *t, pct_tensor *const *x, const int *n) {
    static const int32_t index[] = {3, 0, 3, 4, 1, 2}, offset[] = {0, 3, 3, 4, 6}; /* group 1 is empty */
    return pct_op_mean_rows(t, x[0], index, offset, n[0]);
}
static pct_tensor *resize(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_resize(t, x[0], n[0], n[1]);
}
static pct_tensor *max_pool(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_max_pool(t, x[0], n[0], n[1], n[2]);
}
static pct_tensor *mean_pool(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_mean_pool(t, x[0], n[0]);
}
static pct_tensor *pixel_unshuffle(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_pixel_unshuffle(t, x[0], n[0]);
}
static pct_tensor *pixel_shuffle(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_pixel_shuffle(t, x[0], n[0]);
}
static pct_tensor *dysample(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_dysample(t, x[0], x[1], n[0]);
}

const grad_case shape_cases[] = {
    {"reshape", "2 to 3 dimensions", reshape, 1, {{2, {6, 5}}}, {2, 3, 5}},
    {"reshape", "view beside its source", reshape_shared, 1, {{2, {3, 7}}}, {21}},
    {"concat_rows", "one", concat_rows, 1, {{2, {3, 4}}}, {1}},
    {"concat_rows", "three, rank 3 among them", concat_rows, 3, {{2, {3, 5}}, {3, {2, 2, 5}}, {2, {1, 5}}}, {3}},
    {"concat_columns", "two", concat_columns, 2, {{2, {3, 5}}, {2, {3, 2}}}, {2}},
    {"concat_columns", "three", concat_columns, 3, {{2, {4, 1}}, {2, {4, 7}}, {2, {4, 3}}}, {3}},
    {"slice_columns", "middle", slice_columns, 1, {{2, {4, 9}}}, {2, 7}},
    {"slice_columns", "all", slice_columns, 1, {{2, {3, 5}}}, {0, 5}},
    {"gather_rows", "rows repeat", gather_rows, 1, {{2, {5, 7}}}, {6}},
    {"gather_rows", "rows that are wide", gather_rows, 1, {{2, {5, 33}}}, {2}},
    {"replace_rows", "three of five", replace_rows, 2, {{2, {5, 7}}, {2, {3, 7}}}, {3}},
    {"replace_rows", "none", replace_rows, 1, {{2, {5, 7}}, {2, {1, 7}}}, {0}},
    {"mean_rows", "an empty group", mean_rows, 1, {{2, {5, 7}}}, {4}},
    {"resize", "up, odd", resize, 1, {{4, {2, 3, 5, 2}}}, {7, 8}},
    {"resize", "down, odd", resize, 1, {{4, {1, 7, 6, 3}}}, {3, 4}},
    {"resize", "from one cell", resize, 1, {{4, {1, 1, 1, 3}}}, {3, 2}},
    {"resize", "same size", resize, 1, {{4, {1, 3, 4, 2}}}, {3, 4}},
    {"max_pool", "2x2", max_pool, 1, {{4, {2, 4, 6, 3}}}, {2, 2, 0}},
    {"max_pool", "3x3 overlapping, padded", max_pool, 1, {{4, {1, 5, 7, 19}}}, {3, 2, 1}},
    {"mean_pool", "2x2", mean_pool, 1, {{4, {2, 4, 6, 3}}}, {2}},
    {"mean_pool", "3x3", mean_pool, 1, {{4, {1, 3, 6, 5}}}, {3}},
    {"pixel_unshuffle", "2", pixel_unshuffle, 1, {{4, {2, 4, 6, 3}}}, {2}},
    {"pixel_unshuffle", "3", pixel_unshuffle, 1, {{4, {1, 3, 6, 2}}}, {3}},
    {"pixel_shuffle", "2", pixel_shuffle, 1, {{4, {2, 2, 3, 12}}}, {2}},
    {"pixel_shuffle", "3", pixel_shuffle, 1, {{4, {1, 1, 2, 18}}}, {3}},
    {"dysample", "two groups, two pictures", dysample, 2, {{4, {2, 3, 4, 6}}, {2, {24, 16}}}, {2}},
    {"dysample", "moves beyond the edges", dysample, 2, {{4, {1, 2, 3, 5}}, {2, {6, 8}}}, {1}, -7, 7},
    {"dysample", "one row", dysample, 2, {{4, {1, 1, 3, 3}}, {2, {3, 8}}}, {1}},
};
const int shape_case_count = (int)PCT_COUNT(shape_cases);
