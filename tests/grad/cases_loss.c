/* cases_loss.c: losses and the moments of a mask. */
#include "base/size.h"
#include "cases.h"

static pct_tensor *cross_entropy(pct_tape *t, pct_tensor *const *x, const int *n) {
    static const int32_t target[] = {2, -1, 0, 6, 3};
    static const pct_real weight[] = {1, 2, (pct_real)0.5, (pct_real)1.5, 0};
    return pct_op_cross_entropy(t, x[0], target, n[0] ? weight : NULL, (pct_real)n[1] / 10);
}
static pct_tensor *cross_entropy_none(pct_tape *t, pct_tensor *const *x, const int *n) {
    static const int32_t target[] = {-1, -1, -1};
    /* No row counts: the loss is 0, and so is its gradient; the sum keeps the check from being empty. */
    pct_tensor *parts[] = {pct_op_cross_entropy(t, x[0], target, NULL, 0), pct_op_sum(t, x[0])};
    return pct_op_weighted_sum(t, parts, (const pct_real[]){1, 1}, 2);
}

/* Targets and weights of up to 128 elements. */
static const pct_real *targets(void) {
    static pct_real t[128];
    for (int i = 0; i < 128; i++) t[i] = (pct_real)(i * 37 % 11) / 10;
    return t;
}
static const pct_real *weights(void) {
    static pct_real w[128];
    for (int i = 0; i < 128; i++) w[i] = (pct_real)(i * 29 % 7) / 4;
    return w;
}
static pct_tensor *bce(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_bce(t, x[0], targets(), n[0] ? weights() : NULL);
}
static pct_tensor *dice(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_dice(t, x[0], targets(), n[0] ? weights() : NULL, 1);
}
static pct_tensor *l1(pct_tape *t, pct_tensor *const *x, const int *n) {
    static pct_real far[128]; /* never within reach of an input: |x| has a corner there */
    for (int i = 0; i < 128; i++) far[i] = i % 3 ? 2 : -2;
    return pct_op_l1(t, x[0], far, n[0] ? weights() : NULL);
}
static pct_tensor *giou(pct_tape *t, pct_tensor *const *x, const int *n) {
    static const pct_real target[] = {(pct_real)0.21, (pct_real)0.17, (pct_real)0.83, (pct_real)0.79,
                                      (pct_real)0.43, (pct_real)0.41, (pct_real)0.52, (pct_real)0.57,
                                      (pct_real)0.02, (pct_real)0.03, (pct_real)0.13, (pct_real)0.98};
    return pct_op_giou(t, x[0], target, n[0] ? weights() + 1 : NULL);
}
static pct_tensor *weighted_sum(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_weighted_sum(t, x, (const pct_real[]){2, -3, (pct_real)0.5}, n[0]);
}
static pct_tensor *sum(pct_tape *t, pct_tensor *const *x, const int *n) { return pct_op_sum(t, x[0]); }
static pct_tensor *mask_moments(pct_tape *t, pct_tensor *const *x, const int *n) {
    return pct_op_mask_moments(t, x[0]);
}

const grad_case loss_cases[] = {
    {"cross_entropy", "plain", cross_entropy, 1, {{2, {5, 7}}}, {0, 0}, -2, 2},
    {"cross_entropy", "weighted", cross_entropy, 1, {{2, {5, 7}}}, {1, 0}, -2, 2},
    {"cross_entropy", "weighted, smoothed", cross_entropy, 1, {{2, {5, 9}}}, {1, 1}, -2, 2},
    {"cross_entropy", "no row counts", cross_entropy_none, 1, {{2, {3, 5}}}},
    {"bce", "plain", bce, 1, {{2, {5, 7}}}, {0}, -3, 3},
    {"bce", "weighted", bce, 1, {{3, {3, 4, 5}}}, {1}, -3, 3},
    {"dice", "plain", dice, 1, {{2, {3, 17}}}, {0}, -3, 3},
    {"dice", "weighted", dice, 1, {{3, {4, 3, 5}}}, {1}, -3, 3},
    {"l1", "plain", l1, 1, {{2, {5, 4}}}, {0}},
    {"l1", "weighted", l1, 1, {{2, {5, 4}}}, {1}},
    {"giou", "plain", giou, 1, {{2, {3, 4}}}, {0}, 0, 1},
    {"giou", "weighted", giou, 1, {{2, {3, 4}}}, {1}, 0, 1},
    {"weighted_sum", "three", weighted_sum, 3, {{1, {1}}, {1, {1}}, {1, {1}}}, {3}},
    {"sum", "odd", sum, 1, {{2, {5, 7}}}},
    {"mask_moments", "grey", mask_moments, 1, {{3, {2, 5, 7}}}, {0}, -2, 2},
    {"mask_moments", "crisp", mask_moments, 1, {{3, {2, 4, 6}}}, {0}, -6, 6},
    {"mask_moments", "nearly empty", mask_moments, 1, {{3, {1, 5, 4}}}, {0}, -9, -7},
    {"mask_moments", "one row", mask_moments, 1, {{3, {2, 1, 5}}}, {0}, -3, 3},
};
const int loss_case_count = (int)PCT_COUNT(loss_cases);
