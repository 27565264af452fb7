/* calibrate.c: see calibrate.h. */
#include "eval/calibrate.h"

#include <math.h>
#include <string.h>

#define ITERATIONS 50
#define RIDGE      1e-3 /* keeps the weights finite where hits and misses separate */

float pct_calibrate_score(const pct_calibration *calibration, float quality, float token) {
    if (!calibration->fitted) return 1.0f / (1.0f + expf(-quality));
    return 1.0f / (1.0f + expf(-(calibration->quality * quality + calibration->token * token + calibration->offset)));
}

/* Solves the symmetric 3x3 system by elimination with pivoting; false when it is singular. */
static bool solve3(double a[3][4]) {
    for (int c = 0; c < 3; c++) {
        int pivot = c;
        for (int r = c + 1; r < 3; r++) {
            if (fabs(a[r][c]) > fabs(a[pivot][c])) pivot = r;
        }
        if (fabs(a[pivot][c]) < 1e-12) return false;
        for (int k = 0; k < 4; k++) {
            double kept = a[c][k];
            a[c][k] = a[pivot][k];
            a[pivot][k] = kept;
        }
        for (int r = 0; r < 3; r++) {
            if (r == c) continue;
            double factor = a[r][c] / a[c][c];
            for (int k = c; k < 4; k++) a[r][k] -= factor * a[c][k];
        }
    }
    for (int r = 0; r < 3; r++) a[r][3] /= a[r][r];
    return true;
}

/* Penalised negative log-likelihood, its gradient in a[.][3] and its Hessian in a[.][0..2]. */
static double likelihood(const pct_eval_region *regions, int64_t count, const double w[3], double a[3][4]) {
    double loss = 0;
    memset(a, 0, 3 * sizeof *a);
    for (int64_t i = 0; i < count; i++) {
        double x[3] = {regions[i].quality, regions[i].token, 1};
        double z = w[0] * x[0] + w[1] * x[1] + w[2], p = 1 / (1 + exp(-z));
        double error = p - (regions[i].hit ? 1 : 0), spread = p * (1 - p);
        loss += log1p(exp(-fabs(z))) + (z > 0 ? z : 0) - (regions[i].hit ? z : 0);
        for (int r = 0; r < 3; r++) {
            a[r][3] += error * x[r];
            for (int c = 0; c < 3; c++) a[r][c] += spread * x[r] * x[c];
        }
    }
    for (int r = 0; r < 3; r++) {
        double ridge = RIDGE * (double)count;
        if (r == 2) ridge = 1e-9 * (double)count; /* the offset is free, but for the pivot */
        loss += 0.5 * ridge * w[r] * w[r];
        a[r][3] += ridge * w[r];
        a[r][r] += ridge;
    }
    return loss;
}

percept_status pct_calibrate_fit(const pct_eval_region *regions, int64_t count, pct_calibration *calibration,
                                 percept_error *error) {
    int64_t hits = 0;
    for (int64_t i = 0; i < count; i++) hits += regions[i].hit;
    *calibration = (pct_calibration){0};
    if (count < 20 || hits == 0 || hits == count) {
        return pct_fail(error, PERCEPT_ERROR_WORK,
                        "calibration: %lld regions of which %lld are right; at least 20 with both outcomes are needed",
                        (long long)count, (long long)hits);
    }
    double w[3] = {0, 0, log((double)hits / (double)(count - hits))}, a[3][4];
    double loss = likelihood(regions, count, w, a);
    for (int i = 0; i < ITERATIONS && solve3(a); i++) {
        double step[3] = {a[0][3], a[1][3], a[2][3]}, before = loss, from[3];
        memcpy(from, w, sizeof from);
        double length = 1;
        do { /* halved until the loss falls: Newton alone may overshoot */
            for (int k = 0; k < 3; k++) w[k] = from[k] - length * step[k];
            loss = likelihood(regions, count, w, a);
            length /= 2;
        } while (loss > before && length > 1e-6);
        if (before - loss < 1e-10 * before) break;
    }
    *calibration =
        (pct_calibration){.fitted = true, .quality = (float)w[0], .token = (float)w[1], .offset = (float)w[2]};
    return PERCEPT_OK;
}

void pct_calibrate_bin(pct_calibration_bins *bins, float score, bool hit) {
    int bin = (int)(score * PCT_CALIBRATION_BINS);
    if (bin < 0 || !(score >= 0)) bin = 0;
    if (bin >= PCT_CALIBRATION_BINS) bin = PCT_CALIBRATION_BINS - 1;
    bins->count[bin]++;
    bins->hits[bin] += hit;
    bins->confidence[bin] += score;
}

double pct_calibrate_error(const pct_calibration_bins *bins) {
    double sum = 0;
    int64_t total = 0;
    for (int i = 0; i < PCT_CALIBRATION_BINS; i++) {
        sum += fabs(bins->confidence[i] - (double)bins->hits[i]);
        total += bins->count[i];
    }
    return total ? sum / (double)total : NAN;
}

void pct_calibrate_trade(const pct_calibration *calibration, const pct_eval_region *regions,
                         const pct_eval_question *questions, int64_t question_count, float threshold,
                         pct_trade *trade) {
    int64_t absent = 0, refused = 0, said = 0, present = 0, found = 0, kept = 0, hits = 0, wanted = 0;
    for (int64_t i = 0; i < question_count; i++) {
        const pct_eval_question *question = &questions[i];
        int32_t remain = 0;
        for (int32_t k = 0; k < question->count; k++) {
            const pct_eval_region *region = &regions[question->first + k];
            const float score =
                calibration ? pct_calibrate_score(calibration, region->quality, region->token) : region->score;
            if (score < threshold) continue;
            remain++;
            hits += region->hit;
        }
        kept += remain;
        wanted += question->wanted;
        absent += !question->present;
        present += question->present;
        refused += !question->present && remain == 0 && !question->broken;
        said += !question->present && remain == 0 && !question->broken && question->denied;
        found += question->present && remain > 0;
    }
    *trade = (pct_trade){
        .threshold = threshold,
        .absent_acc = absent ? (double)refused / (double)absent : NAN,
        .absent_said = absent ? (double)said / (double)absent : NAN,
        .present_recall = present ? (double)found / (double)present : NAN,
        .precision = kept ? (double)hits / (double)kept : NAN,
        .recall = wanted ? (double)hits / (double)wanted : NAN,
        .f1 = kept + wanted ? 2 * (double)hits / (double)(kept + wanted) : NAN,
    };
}

/* How far a threshold is from what an answer should do at least: 90 % of the absent things show nothing, 95 % of the
 * present ones something. In whole half-percents, so that noise does not decide. */
static int shortfall(const pct_trade *trade) {
    double missing = fmax(0, 0.9 - trade->absent_acc) + fmax(0, 0.95 - trade->present_recall); /* fmax skips nan */
    return (int)lround(200 * missing);
}

float pct_calibrate_threshold(const pct_calibration *calibration, const pct_eval_region *regions,
                              const pct_eval_question *questions, int64_t question_count) {
    pct_trade best = {.f1 = -1};
    for (int i = 0; i < 20; i++) {
        pct_trade trade;
        pct_calibrate_trade(calibration, regions, questions, question_count, (float)i * 0.05f, &trade);
        if (isnan(trade.f1)) continue;
        const int further = best.f1 < 0 ? -1 : shortfall(&trade) - shortfall(&best);
        if (further < 0 || (further == 0 && trade.f1 > best.f1)) best = trade;
    }
    return best.f1 < 0 ? 0 : best.threshold;
}
