/* The table of losses and their means over batches with and without objects. */
#include "train/losses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <string.h>

/* A loss that is added to pct_losses must get its row: every double of the struct is in the table once. */
static void every_figure_has_its_row(void **state) {
    (void)state;
    pct_losses numbered;
    size_t doubles = offsetof(pct_losses, objects) / sizeof(double);
    for (size_t i = 0; i < doubles; i++) memcpy((char *)&numbered + i * sizeof(double), &(double){(double)i}, 8);
    assert_int_equal(doubles, PCT_LOSS_TERMS);
    bool seen[PCT_LOSS_TERMS] = {false};
    for (int i = 0; i < PCT_LOSS_TERMS; i++) {
        int at = (int)pct_loss_value(&numbered, &pct_loss_terms[i]);
        assert_in_range(at, 0, PCT_LOSS_TERMS - 1);
        assert_false(seen[at]);
        seen[at] = true;
    }
}

static void names_lead_to_their_figures(void **state) {
    (void)state;
    pct_losses losses = {.total = 1, .box_giou = 2, .naming_accuracy = 3};
    assert_true(pct_loss_named(&losses, "total") == 1);
    assert_true(pct_loss_named(&losses, "box_giou") == 2);
    assert_true(pct_loss_named(&losses, "naming_accuracy") == 3);
    assert_true(isnan(pct_loss_named(&losses, "box")));
}

/* A batch without objects counts for words, not for boxes and masks. */
static void means_leave_empty_batches_out(void **state) {
    (void)state;
    pct_loss_sum sum = {0};
    pct_loss_sum_add(&sum, &(pct_losses){.language = 4, .box_l1 = 1, .mask_iou = 0.5, .objects = 3, .tokens = 10});
    pct_loss_sum_add(&sum, &(pct_losses){.language = 2, .tokens = 5});
    pct_loss_sum_add(&sum, &(pct_losses){.language = 3, .box_l1 = 2, .mask_iou = 0.7, .objects = 1, .tokens = 1});
    pct_losses means = pct_loss_sum_means(&sum);
    assert_true(means.language == 3);
    assert_true(means.box_l1 == 1.5);
    assert_true(fabs(means.mask_iou - 0.6) < 1e-12);
    assert_int_equal(means.objects, 4);
    assert_int_equal(means.tokens, 16);
    assert_int_equal(sum.batches, 3);
    assert_int_equal(sum.with_objects, 2);
}

static void means_of_nothing_are_no_numbers(void **state) {
    (void)state;
    pct_loss_sum sum = {0};
    assert_true(isnan(pct_loss_sum_means(&sum).total));
    pct_loss_sum_add(&sum, &(pct_losses){.total = 1});
    assert_true(pct_loss_sum_means(&sum).total == 1);
    assert_true(isnan(pct_loss_sum_means(&sum).box_iou));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_has_its_row),
        cmocka_unit_test(names_lead_to_their_figures),
        cmocka_unit_test(means_leave_empty_batches_out),
        cmocka_unit_test(means_of_nothing_are_no_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
