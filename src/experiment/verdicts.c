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

/* Standard errors that 95 % takes: of two series of three seeds (Student, four degrees of freedom), of many questions.
 */
#define SURE_OF_SEEDS     2.8
#define SURE_OF_QUESTIONS 2.0

/* A figure, its standard error, and how many of those make it sure; value nan: not measured. */
struct estimate {
    double value, error, sure;
};

static const struct estimate unknown = {.value = NAN};

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

/* Of a share or of a mean of overlaps, in percent. The error is that of the seeds' mean; of one run, that of as many
 * questions, at most (a mean of values between 0 and 1 varies no more than hits and misses do). */
static struct estimate percent(const pct_report_series *series, const char *path) {
    double mean, deviation;
    if (!is_whole(series)) return unknown;
    const int count = pct_report_spread(series, path, &mean, &deviation);
    if (!count) return unknown;
    const double questions = pct_report_number(series->results[0], "eval.arrangements.tasks.refer.n");
    const double error = count > 1 ? deviation / sqrt(count) : questions > 0 ? sqrt(mean * (1 - mean) / questions) : 0;
    return (struct estimate){100 * mean, 100 * error, count > 1 ? SURE_OF_SEEDS : SURE_OF_QUESTIONS};
}

static double exact(const pct_report_series *series, const char *path) {
    double mean, deviation;
    return is_whole(series) && pct_report_spread(series, path, &mean, &deviation) ? mean : NAN;
}

static struct estimate minus(struct estimate a, struct estimate b) {
    return (struct estimate){a.value - b.value, hypot(a.error, b.error), fmax(a.sure, b.sure)};
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
    const double mean = sum / (double)count, variance = (squares - sum * mean) / (double)(count - 1);
    return (struct estimate){100 * mean, 100 * sqrt(variance / (double)count), SURE_OF_QUESTIONS};
}

/* margin: how far on the claim's side of its threshold. */
static enum verdict decide(struct estimate margin) {
    if (isnan(margin.value)) return UNMEASURED;
    if (margin.error > 0 && fabs(margin.value) < margin.sure * margin.error) return UNDECIDED;
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
                  "threshold that stands in the claim. ± is a standard error: of the seeds' mean, or of "
                  "the questions where there is one run; what is nearer to the threshold than 2.8 of them "
                  "(95 % for three seeds; 2 for questions) is undecided. All runs answer the same questions: how far "
                  "others would differ is not in the seeds' error.\n\n"
                  "| claim | verdict | found |\n|---|---|---|\n");
    const struct estimate hits = minus(percent(token, HITS), percent(text, HITS));
    const struct estimate masks = minus(percent(token, MASKS), percent(text, MASKS));
    const struct estimate ten = {10, 0};
    add(page, "at equal time one token leads text by at least 10 points of Acc@0.5", decide(minus(hits, ten)),
        "%+.1f ± %.1f points", hits.value, hits.error);
    if (boxes) {
        const struct estimate lead = minus(percent(token, HITS), percent(boxes, HITS));
        add(page, "also text that writes boxes alone and has no masks", decide(minus(lead, ten)), "%+.1f ± %.1f points",
            lead.value, lead.error);
    }
    add(page, "one token leads text by more in mean IoU of masks than in Acc@0.5", decide(minus(masks, hits)),
        "%+.1f ± %.1f points, against %+.1f of Acc@0.5", masks.value, masks.error, hits.value);
    add_sooner(page, token, text);
    if (plain) {
        const struct estimate lead = minus(percent(token, HITS), percent(plain, HITS));
        add(page, "a box head that sees the mask's moments leads a plain one", decide(lead), "%+.1f ± %.1f points",
            lead.value, lead.error);
    }
    const double one = exact(token, TOKENS), four = exact(boxes, TOKENS), many = exact(text, TOKENS);
    add(page, "one token an object, against at least 4 for a box and 30 for a mask as text",
        whether(isfinite(one) && isfinite(four) && isfinite(many), one == 1 && four >= 4 && many >= 30),
        "%.1f, %.1f and %.1f", one, four, many);
    add_answers(page);
    add_base(page);
}
