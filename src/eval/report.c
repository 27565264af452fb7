/* report.c: a report as JSON and as a table. See run.h. */
#include "eval/run.h"
#include "formats/json.h"

#include <math.h>

void pct_eval_stamps(const pct_eval_report *report, pct_figures *figures) {
    *figures = (pct_figures){0};
    for (int s = 0; s < PCT_STYLE_COUNT; s++) {
        if (pct_style_is_stamp((enum pct_style)s)) pct_figures_merge(figures, &report->style[s]);
    }
}

void pct_eval_emoji(const pct_eval_report *report, pct_figures *figures) {
    *figures = (pct_figures){0};
    for (int s = 0; s < PCT_STYLE_COUNT; s++) {
        if (pct_style_is_emoji((enum pct_style)s)) pct_figures_merge(figures, &report->style[s]);
    }
}

/* Four digits are enough for a share, and keep the line readable; nan gives null. */
static void add_figures(const pct_figures *figures, pct_text *out) {
    pct_text_printf(out, "\"n\": %lld", (long long)figures->n);
    for (int i = 0; pct_figures_keys[i]; i++) {
        double value = pct_figures_get(figures, pct_figures_keys[i]);
        pct_text_printf(out, ", \"%s\": ", pct_figures_keys[i]);
        pct_text_number(out, round(value * 1e4) / 1e4);
    }
}

static void add_group(const char *name, const pct_figures *figures, bool *first, pct_text *out) {
    if (figures->n == 0) return;
    pct_text_printf(out, "%s\"%s\": {", *first ? "" : ", ", name);
    add_figures(figures, out);
    pct_text_puts(out, "}");
    *first = false;
}

static void add_groups(const pct_eval_report *report, pct_text *out) {
    bool first = true;
    pct_text_puts(out, ", \"tasks\": {");
    for (int t = 0; t < PCT_TASK_COUNT_; t++) {
        add_group(pct_task_text((enum pct_task)t), &report->task[t], &first, out);
    }
    first = true;
    pct_text_puts(out, "}, \"styles\": {");
    pct_figures merged;
    pct_eval_stamps(report, &merged);
    add_group("stamps", &merged, &first, out);
    pct_eval_emoji(report, &merged);
    add_group("emoji", &merged, &first, out);
    for (int s = 0; s < PCT_STYLE_COUNT; s++) {
        add_group(pct_style_text((enum pct_style)s), &report->style[s], &first, out);
    }
    pct_text_puts(out, "}");
    if (report->held_out.n) {
        pct_text_puts(out, ", \"held_out\": {");
        add_figures(&report->held_out, out);
        pct_text_puts(out, "}");
    }
}

/* Of thresholds from the one that was used on: what lies below it was dropped before it was judged. */
static void add_trade(const pct_eval_report *report, pct_text *out) {
    bool first = true;
    pct_text_puts(out, ", \"trade\": [");
    for (int i = 0; i < 20; i++) {
        const float threshold = (float)i * 0.05f;
        if (threshold < report->threshold - 1e-4f) continue;
        pct_trade trade;
        pct_calibrate_trade(NULL, report->regions, report->question_list, report->question_count, threshold, &trade);
        const double values[] = {trade.absent_acc, trade.present_recall, trade.precision, trade.recall, trade.f1};
        const char *const keys[] = {"absent_acc", "present_recall", "precision", "recall", "f1"};
        pct_text_puts(out, first ? "{\"threshold\": " : ", {\"threshold\": ");
        pct_text_number(out, 5 * i / 100.0);
        first = false;
        for (int k = 0; k < 5; k++) {
            pct_text_printf(out, ", \"%s\": ", keys[k]);
            pct_text_number(out, round(values[k] * 1e4) / 1e4);
        }
        pct_text_puts(out, "}");
    }
    pct_text_puts(out, "]");
}

double pct_eval_tokens_per_object(const pct_eval_report *report) {
    return report->regions_said ? (double)report->region_tokens / (double)report->regions_said : NAN;
}

void pct_eval_report_json(const pct_eval_report *report, const pct_model *model, const char *data, const char *split,
                          pct_text *out) {
    pct_text_puts(out, "{\"schema\": 1, \"model\": ");
    pct_json_add_text(out, model ? pct_model_get_card(model)->name : NULL);
    pct_text_puts(out, ", \"model_hash\": ");
    pct_json_add_text(out, model ? pct_model_get_hash(model) : NULL);
    pct_text_puts(out, ", \"data\": ");
    pct_json_add_text(out, data);
    pct_text_puts(out, ", \"split\": ");
    pct_json_add_text(out, split);
    pct_text_printf(out, ", \"pictures\": %lld, \"truncated\": %lld, \"cut\": %lld, \"unparsable\": %lld",
                    (long long)report->pictures, (long long)report->cut, (long long)report->cut,
                    (long long)report->unparsable);
    pct_text_puts(out, ", \"tokens_per_object\": ");
    pct_text_number(out, round(pct_eval_tokens_per_object(report) * 1e4) / 1e4);
    pct_text_puts(out, ", \"threshold\": ");
    pct_text_number(out, round(report->threshold * 1e4) / 1e4);
    pct_text_puts(out, ", ");
    add_figures(&report->all, out);
    add_groups(report, out);
    if (report->question_count) add_trade(report, out);
    pct_text_puts(out, "}\n");
}

static void table_row(const char *name, const pct_figures *figures, pct_text *out) {
    if (figures->n == 0) return;
    pct_text_printf(out, "%-10s %6lld", name, (long long)figures->n);
    for (int i = 0; pct_figures_keys[i]; i++) {
        double value = pct_figures_get(figures, pct_figures_keys[i]);
        if (isfinite(value)) {
            pct_text_printf(out, " %14.1f", 100 * value);
        } else {
            pct_text_printf(out, " %14s", "-");
        }
    }
    pct_text_puts(out, "\n");
}

void pct_eval_report_table(const pct_eval_report *report, const pct_model *model, const char *data, pct_text *out) {
    pct_text_printf(out, "%s: %s, %lld pictures, %lld questions; percent\n", data,
                    model ? pct_model_get_card(model)->name : "", (long long)report->pictures,
                    (long long)report->questions);
    pct_text_printf(out, "answers: %lld unparsable, %lld cut", (long long)report->unparsable, (long long)report->cut);
    if (report->regions_said) pct_text_printf(out, "; %.1f tokens an object", pct_eval_tokens_per_object(report));
    pct_text_puts(out, "\n");
    pct_text_printf(out, "%-10s %6s", "", "n");
    for (int i = 0; pct_figures_keys[i]; i++) pct_text_printf(out, " %14s", pct_figures_keys[i]);
    pct_text_puts(out, "\n");
    table_row("all", &report->all, out);
    for (int t = 0; t < PCT_TASK_COUNT_; t++) table_row(pct_task_text((enum pct_task)t), &report->task[t], out);
    pct_figures merged;
    pct_eval_stamps(report, &merged);
    table_row("stamps", &merged, out);
    pct_eval_emoji(report, &merged);
    table_row("emoji", &merged, out);
    table_row("held out", &report->held_out, out);
}
