/* eval_calibrate_test.c: regions whose probability is known give it back; errors and thresholds worked out by hand. */
#include "eval/calibrate.h"

#include "base/random.h"
#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#define near(a, b, within) assert_true(fabs((double)(a) - (double)(b)) < (within))

/* hit with probability sigmoid(1.5 q + 0.5 t - 1). */
static void known_probabilities_come_back(void **state) {
    (void)state;
    enum { COUNT = 40000 };
    pct_eval_region *regions = calloc(COUNT, sizeof *regions);
    pct_random random;
    pct_random_init(&random, 5, 0, 0);
    for (int i = 0; i < COUNT; i++) {
        regions[i].quality = 2 * pct_random_normal(&random);
        regions[i].token = -2 * pct_random_float(&random);
        float z = 1.5f * regions[i].quality + 0.5f * regions[i].token - 1;
        regions[i].hit = pct_random_float(&random) < 1 / (1 + expf(-z));
    }
    pct_calibration calibration;
    assert_int_equal(pct_calibrate_fit(regions, COUNT, &calibration, NULL), PERCEPT_OK);
    assert_true(calibration.fitted);
    near(calibration.quality, 1.5, 0.08);
    near(calibration.token, 0.5, 0.1);
    near(calibration.offset, -1, 0.1);
    pct_calibration_bins before = {0}, after = {0};
    for (int i = 0; i < COUNT; i++) {
        pct_calibrate_bin(&before, 1 / (1 + expf(-regions[i].quality)), regions[i].hit);
        pct_calibrate_bin(&after, pct_calibrate_score(&calibration, regions[i].quality, regions[i].token),
                          regions[i].hit);
    }
    assert_true(pct_calibrate_error(&before) > 0.1);
    assert_true(pct_calibrate_error(&after) < 0.02);
    free(regions);
}

/* Hits and misses that a line separates have no finite best fit: the ridge gives one. */
static void separated_hits_stay_finite(void **state) {
    (void)state;
    pct_eval_region regions[40] = {0};
    for (int i = 0; i < 40; i++) regions[i] = (pct_eval_region){.quality = i < 20 ? -3 : 3, .hit = i >= 20};
    pct_calibration calibration;
    assert_int_equal(pct_calibrate_fit(regions, 40, &calibration, NULL), PERCEPT_OK);
    assert_true(isfinite(calibration.quality) && isfinite(calibration.token) && isfinite(calibration.offset));
    assert_true(pct_calibrate_score(&calibration, 3, 0) > 0.95f && pct_calibrate_score(&calibration, -3, 0) < 0.05f);
}

static void too_little_is_refused(void **state) {
    (void)state;
    pct_eval_region regions[30] = {0};
    pct_calibration calibration;
    percept_error error = {0};
    assert_int_equal(pct_calibrate_fit(regions, 30, &calibration, &error), PERCEPT_ERROR_WORK); /* no hit */
    assert_false(calibration.fitted);
    regions[0].hit = true;
    assert_int_equal(pct_calibrate_fit(regions, 19, &calibration, &error), PERCEPT_ERROR_WORK); /* too few */
    near(pct_calibrate_score(&calibration, 0, -9), 0.5, 1e-6); /* not fitted: the quality alone */
}

static void error_by_hand(void **state) {
    (void)state;
    pct_calibration_bins bins = {0};
    assert_true(isnan(pct_calibrate_error(&bins)));
    /* Bin 0: two of score 0.05, no hit: 2 * 0.05. Bin 14: 0.95 and 1, one hit: |1.95 - 1|. Bin 7: 0.5, a hit: 0.5. */
    pct_calibrate_bin(&bins, 0.05f, false);
    pct_calibrate_bin(&bins, 0.05f, false);
    pct_calibrate_bin(&bins, 0.95f, true);
    pct_calibrate_bin(&bins, 1, false);
    pct_calibrate_bin(&bins, 0.5f, true);
    assert_int_equal(bins.count[0], 2);
    assert_int_equal(bins.count[14], 2);
    assert_int_equal(bins.count[7], 1);
    near(pct_calibrate_error(&bins), (0.1 + 0.95 + 0.5) / 5, 1e-6);
}

/* Three questions about present things (regions of 0.9 hit, 0.6 hit, 0.3 miss) and two about absent ones (0.4; none,
 * denied). Logits are the scores' own. */
static void trades_by_hand(void **state) {
    (void)state;
    static const float scores[] = {0.9f, 0.6f, 0.3f, 0.4f};
    pct_eval_region regions[4];
    for (int i = 0; i < 4; i++) {
        regions[i] = (pct_eval_region){.quality = logf(scores[i] / (1 - scores[i])), .hit = i < 2};
    }
    const pct_eval_question questions[] = {{.present = true, .first = 0, .count = 1, .wanted = 1},
                                           {.present = true, .first = 1, .count = 1, .wanted = 1},
                                           {.present = true, .first = 2, .count = 1, .wanted = 1},
                                           {.first = 3, .count = 1},
                                           {.denied = true, .first = 4, .count = 0}};
    pct_calibration plain = {0};
    pct_trade trade;
    pct_calibrate_trade(&plain, regions, questions, 5, 0, &trade);
    near(trade.absent_acc, 0.5, 1e-9);
    near(trade.absent_said, 0.5, 1e-9);
    near(trade.present_recall, 1, 1e-9);
    near(trade.precision, 0.5, 1e-9);
    near(trade.recall, 2.0 / 3, 1e-9);
    near(trade.f1, 4.0 / 7, 1e-9);
    pct_calibrate_trade(&plain, regions, questions, 5, 0.5f, &trade);
    near(trade.absent_acc, 1, 1e-9);
    near(trade.absent_said, 0.5, 1e-9); /* the dropped one had not said so */
    near(trade.present_recall, 2.0 / 3, 1e-9);
    near(trade.f1, 4.0 / 5, 1e-9);
    /* Without a calibration the scores count as they stand. */
    regions[3].score = 0.6f;
    pct_calibrate_trade(NULL, regions, questions, 5, 0.5f, &trade);
    near(trade.absent_acc, 0.5, 1e-9);
    /* A region that cannot be read is no denial, whatever the threshold. */
    pct_eval_question broken[] = {questions[0], questions[3], questions[4]};
    pct_calibrate_trade(&plain, regions, broken, 3, 0.5f, &trade);
    near(trade.absent_acc, 1, 1e-9);
    broken[1].broken = true;
    pct_calibrate_trade(&plain, regions, broken, 3, 0.5f, &trade);
    near(trade.absent_acc, 0.5, 1e-9);
    /* No threshold keeps both floors: the best F1 of all, at its lowest threshold. */
    near(pct_calibrate_threshold(&plain, regions, questions, 5), 0.45, 1e-6);
    /* Without the third question all floors hold from 0.45 on. */
    const pct_eval_question easier[] = {questions[0], questions[1], questions[3], questions[4]};
    near(pct_calibrate_threshold(&plain, regions, easier, 4), 0.45, 1e-6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_probabilities_come_back),
        cmocka_unit_test(separated_hits_stay_finite),
        cmocka_unit_test(too_little_is_refused),
        cmocka_unit_test(error_by_hand),
        cmocka_unit_test(trades_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
