/* verdicts.c: what a page says of each claim. A claim is judged when all of its runs are there (a part of the seeds may
 * say anything), and by how far its figure is from the threshold that stands in it: where chance may have made that,
 * nothing is decided. */
#include "base/size.h"
#include "experiment/report_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HITS   "eval.arrangements.acc50"
#define MASKS  "eval.arrangements.miou"
#define TOKENS "eval.arrangements.tokens_per_object"

/* A figure and its standard error; value nan: not measured. */
struct estimate {
    double value, error;
    int freedom; /* degrees of freedom of the error: seeds beyond the first; 0: it is of many questions, or exact */
};

static const struct estimate unknown = {.value = NAN};

/* Standard errors on either side that 95 % takes (Student). */
static double sure(int freedom) {
    static const double seeds[] = {12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23};
    return freedom > 0 && freedom <= (int)PCT_COUNT(seeds) ? seeds[freedom - 1] : freedom > 0 ? 2.2 : 2.0;
}

enum verdict { UNMEASURED, UNDECIDED, CONFIRMED, REFUTED };

static const char *const verdict_names[] = {"not measured yet", "undecided", "confirmed", "refuted"};

static const pct_report_series *find_series(const pct_report *page, const char *name) {
    for (int i = 0; i < page->series_count; i++) {
        const pct_report_series *series = &page->series[i];
        if (strcmp(page->experiment->list.runs[series->first].series, name) == 0) return series;
    }
    return NULL;
}

static bool is_whole(const pct_report_series *series) { return series && series->done == series->planned; }

/* Of the seeds: the mean of one figure, or of one less another (less: NULL for none) in each of them, in percent. */
static struct estimate over_seeds(const pct_report_series *series, const char *path, const char *less) {
    double sum = 0, squares = 0;
    if (!is_whole(series)) return unknown;
    for (int i = 0; i < series->done; i++) {
        const double value = pct_report_number(series->results[i], path);
        sum += less ? value - pct_report_number(series->results[i], less) : value;
    }
    const double mean = sum / series->done;
    for (int i = 0; i < series->done; i++) {
        const double value = pct_report_number(series->results[i], path);
        const double off = (less ? value - pct_report_number(series->results[i], less) : value) - mean;
        squares += off * off;
    }
    const int freedom = series->done - 1;
    const double error = freedom ? sqrt(squares / freedom / series->done) : 0;
    return (struct estimate){100 * mean, 100 * error, freedom};
}

/* What the questions leave open in a mean of one run, at most: values between 0 and 1 vary no more than hits and misses
 * do; differences of two such values, no more than +1 and -1. */
static double of_questions(const pct_report_series *series, double percent, bool difference) {
    const double questions = pct_report_number(series->results[0], "eval.arrangements.tasks.refer.n");
    const double least = difference ? -100 : 0;
    return questions > 0 ? sqrt(fmax(0, (percent - least) * (100 - percent)) / questions) : 0;
}

static struct estimate percent(const pct_report_series *series, const char *path) {
    struct estimate mean = over_seeds(series, path, NULL);
    if (!mean.freedom && isfinite(mean.value)) mean.error = of_questions(series, mean.value, false);
    return mean;
}

static double exact(const pct_report_series *series, const char *path) {
    double mean, deviation;
    return is_whole(series) && pct_report_spread(series, path, &mean, &deviation) ? mean : NAN;
}

static struct estimate minus(struct estimate a, struct estimate b) {
    return (struct estimate){a.value - b.value, hypot(a.error, b.error), a.freedom + b.freedom};
}

/* One series less another by the seeds of both. Where one of them has a single run, it is taken to vary from seed to
 * seed as the other does, beside what its questions leave open. */
static struct estimate lead(const pct_report_series *a, const pct_report_series *b, const char *path,
                            const char *less) {
    struct estimate of_a = over_seeds(a, path, less), of_b = over_seeds(b, path, less);
    if (isnan(of_a.value) || isnan(of_b.value)) return unknown;
    const double deviation = fmax(of_a.error * sqrt(a->done), of_b.error * sqrt(b->done)); /* 0: no seeds */
    if (!of_a.freedom) of_a.error = hypot(of_questions(a, of_a.value, less != NULL), deviation);
    if (!of_b.freedom) of_b.error = hypot(of_questions(b, of_b.value, less != NULL), deviation);
    return minus(of_a, of_b);
}

/* Hits of one run less `factor` of another's, in percent, by the questions that both were asked: what is hard for one
 * is hard for the other, so their difference is surer than either. Unknown where results have no hits to pair. */
static struct estimate minus_paired(const pct_report_series *a, const pct_report_series *b, double factor) {
    if (!is_whole(a) || !is_whole(b) || a->done != 1 || b->done != 1) return unknown;
    const char *one = pct_report_text(a->results[0], "eval.arrangements.hits");
    const char *other = pct_report_text(b->results[0], "eval.arrangements.hits");
    const size_t count = strlen(one);
    if (count < 2 || strlen(other) != count) return unknown;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        const double difference = (one[i] == '1') - factor * (other[i] == '1');
        sum += difference;
        squares += difference * difference;
    }
    const double mean = sum / (double)count, variance = fmax(0, squares - sum * mean) / (double)(count - 1);
    return (struct estimate){100 * mean, 100 * sqrt(variance / (double)count), 0};
}

/* margin: how far on the claim's side of its threshold. */
static enum verdict decide(struct estimate margin) {
    if (isnan(margin.value)) return UNMEASURED;
    if (!isfinite(margin.error)) return UNDECIDED;
    if (margin.error > 0 && fabs(margin.value) < sure(margin.freedom) * margin.error) return UNDECIDED;
    return margin.value >= 0 ? CONFIRMED : REFUTED;
}

static enum verdict whether(bool known, bool holds) { return !known ? UNMEASURED : holds ? CONFIRMED : REFUTED; }

/* ---- rows ------------------------------------------------------------------------------------------------------ */

/* What was found is written unless nothing was. */
static void add(pct_report *page, const char *claim, enum verdict verdict, const char *format, ...) PCT_PRINTF(4, 5);
static void add(pct_report *page, const char *claim, enum verdict verdict, const char *format, ...) {
    char found[300] = "";
    va_list args;
    va_start(args, format);
    if (verdict != UNMEASURED) vsnprintf(found, sizeof found, format, args);
    va_end(args);
    const char *name = verdict_names[verdict];
    pct_text_printf(&page->text, "| %s | **%s** | %s |\n", claim, name, found);
    json_array_append_new(json_object_get(page->json, "verdicts"),
                          json_pack("{s:s, s:s, s:s}", "claim", claim, "verdict", name, "found", found));
}

/* What the rival's curve ends at is what ours has to reach. Curves are known at their points: between the last that is
 * below and the first that is not, the time is not known. */
static void add_sooner(pct_report *page, const pct_report_series *token, const pct_report_series *text) {
    const char *claim = "one token is where text ends in less than a quarter of the time (Acc@0.5 on the way)";
    double *memory = calloc(2 * PCT_REPORT_MOST_CURVE, sizeof *memory);
    double *x = memory, *y = memory ? memory + PCT_REPORT_MOST_CURVE : NULL, whole = 0, end = NAN;
    size_t count = memory && is_whole(text) && is_whole(token) ? pct_report_curve(text, false, x, y) : 0;
    if (count) {
        whole = x[count - 1];
        end = y[count - 1];
    }
    if (end > 0) {
        size_t i = 0;
        count = pct_report_curve(token, false, x, y);
        while (i < count && !(y[i] >= end)) i++;
        const double after = i ? x[i - 1] : 0, until = i < count ? x[i] : INFINITY, quarter = whole / 4;
        if (i == count)
            add(page, claim, REFUTED, "never reaches %.1f", end);
        else
            add(page, claim,
                until < quarter   ? CONFIRMED
                : after < quarter ? UNDECIDED
                                  : REFUTED,
                "%.1f after %.0f to %.0f of %.0f minutes", end, after, until, whole);
    } else {
        add(page, claim, UNMEASURED, "%s", "");
    }
    free(memory);
}

static void add_answers(pct_report *page) {
    double named[2] = {0}, listed[2] = {0}; /* by the clock, in processor time */
    const bool timed = pct_answers_lead(page->answers, "named", "token", "text", 16, &named[0], &named[1]) &&
                       pct_answers_lead(page->answers, "listed", "token", "text", 16, &listed[0], &listed[1]);
    add(page,
        "generation and masks of 16 objects at least 8 times faster than polygons as text, whether each has its own "
        "name or one name has all",
        whether(timed, named[0] >= 8 && listed[0] >= 8),
        "%.1f times with names (processor time: %.1f), %.1f times with one name (%.1f)", named[0], named[1], listed[0],
        listed[1]);
}

static void add_base(pct_report *page) {
    const pct_report_series *full = find_series(page, "base-full"), *lora = find_series(page, "base-lora-16");
    const struct estimate whole = percent(full, HITS), part = percent(lora, HITS);
    const double share = 100 * exact(lora, "trainable") / exact(lora, "parameters");
    const double cost = exact(lora, "step_cpu_seconds") / exact(full, "step_cpu_seconds");
    const struct estimate margin = minus_paired(lora, full, 0.95);
    const bool known = whole.value > 0 && isfinite(share) && isfinite(margin.value);
    add(page, "on SmolLM2-135M, at most 4 % of the numbers reach 95 % of full fine-tuning's Acc@0.5",
        known && share <= 4 ? decide(margin) : whether(known, false),
        "%.1f %% of the numbers, %.1f ± %.1f against %.1f ± %.1f (%.0f %%; %+.1f ± %.1f points from 95 %%, question by "
        "question); a step takes %.2f times as long",
        share, part.value, part.error, whole.value, whole.error, 100 * part.value / whole.value, margin.value,
        margin.error, cost);
}

void pct_report_verdicts(pct_report *page) {
    const pct_report_series *token = find_series(page, "token"), *text = find_series(page, "text");
    const pct_report_series *boxes = find_series(page, "text-boxes"), *plain = find_series(page, "token-plain");
    if (!token || !text) return;
    json_object_set_new(page->json, "verdicts", json_array());
    pct_text_puts(&page->text,
                  "\n## Verdicts\n\nFrom the means of the tables below, the curves and the answer times, against the "
                  "threshold that stands in the claim. ± is a standard error: of the seeds' means; where a "
                  "series has one run, of its questions (taken as independent, though several are of one picture) and "
                  "of seeds that vary as the other series' do; of two runs of one seed each, of the questions that "
                  "both were asked. What is nearer to the threshold than Student's 95 % of it (2.8 for three seeds on "
                  "either side; 4.3 where three stand beside one run; 2 for questions) is undecided. All runs "
                  "answer the same questions: how far others would differ is not in the seeds' error.\n\n"
                  "| claim | verdict | found |\n|---|---|---|\n");
    const struct estimate hits = lead(token, text, HITS, NULL), masks = lead(token, text, MASKS, NULL);
    const struct estimate ten = {.value = 10};
    add(page, "at equal time one token leads text by at least 10 points of Acc@0.5", decide(minus(hits, ten)),
        "%+.1f ± %.1f points", hits.value, hits.error);
    if (boxes) {
        const struct estimate by = lead(token, boxes, HITS, NULL);
        add(page, "also text that writes boxes alone and has no masks", decide(minus(by, ten)), "%+.1f ± %.1f points",
            by.value, by.error);
    }
    const struct estimate more = lead(token, text, MASKS, HITS);
    add(page, "one token leads text by more in mean IoU of masks than in Acc@0.5", decide(more),
        "%+.1f ± %.1f points, against %+.1f of Acc@0.5: %+.1f ± %.1f more", masks.value, masks.error, hits.value,
        more.value, more.error);
    add_sooner(page, token, text);
    if (plain) {
        const struct estimate by = lead(token, plain, HITS, NULL);
        add(page, "a box head that sees the mask's moments leads a plain one", decide(by), "%+.1f ± %.1f points",
            by.value, by.error);
    }
    const double one = exact(token, TOKENS), four = exact(boxes, TOKENS), many = exact(text, TOKENS);
    add(page, "one token an object, against at least 4 for a box and 30 for a mask as text",
        whether(isfinite(one) && isfinite(four) && isfinite(many), one == 1 && four >= 4 && many >= 30),
        "%.1f, %.1f and %.1f", one, four, many);
    add_answers(page);
    add_base(page);
}
