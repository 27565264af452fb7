/* report.c: what was taught and what it finds, as one JSON line and as a table. See teach.h. */
#include "formats/json.h"
#include "teach/teach.h"

#include <math.h>
#include <string.h>

/* A name is mixed up with another when that happened in so large a share of its questions, and not just once. */
#define MIXED_SHARE 0.15
#define MIXED_LEAST 2

static double share(int32_t part, int32_t whole) { return whole ? (double)part / whole : NAN; }

static void add(pct_text *out, const char *key, double value) {
    pct_text_printf(out, ", \"%s\": ", key);
    pct_text_number(out, round(value * 1e4) / 1e4);
}

static bool cannot_tell(const teach_score *score, int32_t at) {
    int32_t questions = score->asked + score->called;
    return at < TEACH_MIXED && score->mixed[at].count >= MIXED_LEAST &&
           score->mixed[at].count >= MIXED_SHARE * questions;
}

static void json_score(const teach_score *score, bool first, pct_text *out) {
    pct_text_puts(out, first ? "{\"name\": " : ", {\"name\": ");
    pct_json_add_text(out, score->thing->text);
    pct_text_printf(out, ", \"pictures\": %d, \"known\": %s, \"held_back\": %s, \"asked\": %d",
                    (int)score->thing->pictures, score->known ? "true" : "false", score->held ? "true" : "false",
                    (int)score->asked);
    add(out, "acc50", share(score->found, score->asked));
    add(out, "miou", score->asked ? score->iou / score->asked : NAN);
    add(out, "not_found", share(score->denied, score->asked));
    add(out, "named", share(score->right, score->called));
    pct_text_puts(out, ", \"mixed_up_with\": [");
    for (int32_t k = 0; k < TEACH_MIXED && score->mixed[k].count; k++) {
        pct_text_puts(out, k ? ", {\"name\": " : "{\"name\": ");
        pct_json_add_text(out, score->mixed[k].name);
        pct_text_printf(out, ", \"count\": %d}", (int)score->mixed[k].count);
    }
    pct_text_puts(out, "]}");
}

static void json_old(const char *key, const teach_old *old, pct_text *out) {
    pct_text_printf(out, ", \"%s\": {\"n\": %lld", key, (long long)old->questions);
    add(out, "acc50", old->acc50);
    add(out, "miou", old->miou);
    add(out, "absent_acc", old->absent);
    add(out, "name_exact", old->named);
    pct_text_puts(out, "}");
}

void teach_report_json(const teach_result *result, const pct_teach_options *options, pct_text *out) {
    pct_text_puts(out, "{\"schema\": 1, \"model\": ");
    pct_json_add_text(out, options->out);
    pct_text_printf(out, ", \"steps\": %lld, \"seed\": %llu, \"pictures\": %lld, \"held_back\": %lld",
                    (long long)result->steps, (unsigned long long)options->seed, (long long)result->pictures_taught,
                    (long long)result->pictures_held);
    add(out, "acc50_held_back", pct_figures_get(&result->held, "acc50"));
    add(out, "miou_held_back", pct_figures_get(&result->held, "miou"));
    add(out, "acc50_views", pct_figures_get(&result->views, "acc50"));
    add(out, "absent_acc", result->absent);
    json_old("old_before", &result->before, out);
    json_old("old_after", &result->after, out);
    pct_text_puts(out, ", \"names\": [");
    for (int32_t i = 0; i < result->count; i++) json_score(&result->scores[i], i == 0, out);
    pct_text_puts(out, "]}");
}

static void percent(pct_text *out, int width, double value) {
    if (isfinite(value))
        pct_text_printf(out, " %*.0f %%", width - 3, 100 * value);
    else
        pct_text_printf(out, " %*s", width - 1, "-");
}

static void table_row(const teach_score *score, pct_text *out) {
    pct_text_printf(out, "%-24s %8d", score->thing->text, (int)score->thing->pictures);
    percent(out, 8, share(score->found, score->asked));
    percent(out, 8, share(score->denied, score->asked));
    percent(out, 8, share(score->right, score->called));
    pct_text_printf(out, "  %s%s", score->held ? "" : "tested with views of what it learned from",
                    score->known ? (score->held ? "known before: has a new look" : "; known before") : "");
    while (out->length && out->data[out->length - 1] == ' ') out->data[--out->length] = 0;
    pct_text_puts(out, "\n");
}

/* "cannot tell A from B", each pair once. */
static void table_mixed(const teach_result *result, pct_text *out) {
    for (int32_t i = 0; i < result->count; i++)
        for (int32_t k = 0; cannot_tell(&result->scores[i], k); k++) {
            const char *one = result->scores[i].thing->text, *other = result->scores[i].mixed[k].name;
            pct_text_printf(out, "often takes \"%s\" for \"%s\" (%d of %d)\n", one, other,
                            (int)result->scores[i].mixed[k].count,
                            (int)(result->scores[i].asked + result->scores[i].called));
        }
    for (int32_t i = 0; i < result->count; i++)
        for (int32_t j = i + 1; j < result->count; j++) {
            bool there = false, back = false;
            for (int32_t k = 0; cannot_tell(&result->scores[i], k); k++)
                there |= strcmp(result->scores[i].mixed[k].name, result->scores[j].thing->text) == 0;
            for (int32_t k = 0; cannot_tell(&result->scores[j], k); k++)
                back |= strcmp(result->scores[j].mixed[k].name, result->scores[i].thing->text) == 0;
            if (there && back)
                pct_text_printf(out, "cannot tell \"%s\" from \"%s\": more pictures of both may help\n",
                                result->scores[i].thing->text, result->scores[j].thing->text);
        }
}

void teach_report_table(const teach_result *result, const pct_teach_options *options, pct_text *out) {
    pct_text_printf(out, "%s: %d names, %lld pictures (%lld held back for this test), %lld steps\n", options->out,
                    (int)result->count, (long long)(result->pictures_taught + result->pictures_held),
                    (long long)result->pictures_held, (long long)result->steps);
    pct_text_printf(out, "%-24s %8s %7s %7s %7s\n", "name", "pictures", "found", "denied", "named");
    for (int32_t i = 0; i < result->count; i++) table_row(&result->scores[i], out);
    if (result->held.refers)
        pct_text_printf(out, "pictures held back: Acc@0.5 %.1f %%, mIoU %.1f %% of %lld questions\n",
                        100 * pct_figures_get(&result->held, "acc50"), 100 * pct_figures_get(&result->held, "miou"),
                        (long long)result->held.refers);
    if (isfinite(result->before.acc50)) /* a test of few pictures may ask for none */
        pct_text_printf(out, "names it knew: Acc@0.5 %.1f %% before, %.1f %% now; mIoU %.1f, %.1f %%\n",
                        100 * result->before.acc50, 100 * result->after.acc50, 100 * result->before.miou,
                        100 * result->after.miou);
    table_mixed(result, out);
}
