/* calibrate.h: from what the model says about a region to the probability that the region is right.
 *
 * hit ~ sigmoid(quality*q + token*t + offset) with q the quality head's logit and t the log-probability of <obj>,
 * fitted by Newton's method with a small ridge on a split of its own (Platt 1999, with two inputs). The expected
 * calibration error is over 15 equal bins (Guo et al., ICML 2017). */
#ifndef PCT_EVAL_CALIBRATE_H
#define PCT_EVAL_CALIBRATE_H

#include "model/model.h"

#include <stdint.h>

#define PCT_CALIBRATION_BINS 15

/* One region that the model returned. */
typedef struct pct_eval_region {
    float quality, token; /* logit; log-probability */
    float score;          /* as the model gave it */
    bool hit;             /* mask IoU >= 0.5 with its target; never for absent things */
} pct_eval_region;

/* One question about a thing that is there, or is not. */
typedef struct pct_eval_question {
    bool present, denied; /* denied: the words say it is not there */
    bool broken;          /* it told a region that cannot be read: no threshold makes a denial of that */
    int32_t first, count; /* its regions in the report's list */
    int32_t wanted;       /* regions that a perfect answer has */
} pct_eval_question;

/* The probability under a calibration. */
float pct_calibrate_score(const pct_calibration *calibration, float quality, float token);

/* At least 20 regions with both outcomes are needed, else PERCEPT_ERROR_WORK. */
percept_status pct_calibrate_fit(const pct_eval_region *regions, int64_t count, pct_calibration *calibration,
                                 percept_error *error);

/* Bins of confidence against hits. */
typedef struct pct_calibration_bins {
    int64_t count[PCT_CALIBRATION_BINS], hits[PCT_CALIBRATION_BINS];
    double confidence[PCT_CALIBRATION_BINS]; /* sums */
} pct_calibration_bins;
void pct_calibrate_bin(pct_calibration_bins *bins, float score, bool hit);
/* sum over bins of n/N * |mean confidence - share of hits|; nan without a region. */
double pct_calibrate_error(const pct_calibration_bins *bins);

/* What dropping regions below a threshold would do. Present things count as found, and absent ones as refused, by
 * whether a region remains; `absent_said` also wants the words to say so. */
typedef struct pct_trade {
    float threshold;
    double absent_acc, absent_said, present_recall;
    double precision, recall, f1; /* of regions against those wanted */
} pct_trade;
void pct_calibrate_trade(const pct_calibration *calibration, const pct_eval_region *regions,
                         const pct_eval_question *questions, int64_t question_count, float threshold, pct_trade *trade);
/* Of 0, 0.05, ... 0.95 the threshold that keeps absent_acc >= 0.9 and present_recall >= 0.95 or misses them by least,
 * and of those the one with the best F1. The lowest of equals. */
float pct_calibrate_threshold(const pct_calibration *calibration, const pct_eval_region *regions,
                              const pct_eval_question *questions, int64_t question_count);

#endif
