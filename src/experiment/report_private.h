/* report_private.h: what the parts of a page share. Not for other folders. */
#ifndef PCT_EXPERIMENT_REPORT_PRIVATE_H
#define PCT_EXPERIMENT_REPORT_PRIVATE_H

#include "experiment/experiment_private.h"

#define PCT_REPORT_MOST_CURVE 1001 /* points */

/* The runs that differ in their seed alone. */
typedef struct pct_report_series {
    int first, planned, done; /* run, seeds of the list, results */
    json_t *results[16];      /* borrowed */
} pct_report_series;

typedef struct pct_report {
    const pct_experiment *experiment;
    pct_report_series series[PCT_EXPERIMENT_MAX_RUNS];
    int series_count;
    json_t *answers; /* answers.json; NULL: answers are not measured yet */
    json_t *json;    /* the tables */
    pct_text text;
} pct_report;

/* "eval.arrangements.acc50" of a result; nan where there is none. */
double pct_report_number(const json_t *object, const char *path);
/* The same of a text; "" where there is none. Borrowed. */
const char *pct_report_text(const json_t *object, const char *path);
/* Mean and standard deviation (of a sample; 0 for one) over the seeds that have the figure; how many. */
int pct_report_spread(const pct_report_series *series, const char *path, double *mean, double *deviation);
/* The seeds' mean Acc@0.5 in percent at each validation, over minutes at the calibrated speed or over pictures; x and y
 * hold PCT_REPORT_MOST_CURVE. How many points. */
size_t pct_report_curve(const pct_report_series *series, bool over_pictures, double *x, double *y);

/* verdicts.c: the claims by the names that list.yaml of `claims` has, as a section; an experiment without those names
 * has none. */
void pct_report_verdicts(pct_report *page);

#endif
