/* figures.c: see figures.h. */
#include "eval/figures.h"

#include <math.h>
#include <string.h>

bool pct_eval_is_hit(const pct_eval_outcome *outcome) { return outcome->refers && outcome->box_iou >= 0.5; }

void pct_figures_add(pct_figures *figures, const pct_eval_outcome *outcome) {
    figures->n++;
    if (outcome->refers) {
        figures->refers++;
        figures->mask_iou += outcome->mask_iou;
        figures->box_iou += outcome->box_iou;
        figures->hits += pct_eval_is_hit(outcome);
        figures->intersection += outcome->intersection;
        figures->union_area += outcome->union_area;
        figures->generalised++;
        figures->generalised_iou += outcome->mask_iou;
    }
    if (outcome->absent) {
        figures->absent++;
        figures->absent_right += outcome->absent_right;
        figures->generalised++;
        figures->generalised_iou += outcome->region_count == 0 && !outcome->broken;
    }
    figures->present += outcome->present;
    figures->found += outcome->present && outcome->found;
    figures->counted += outcome->counted;
    figures->count_right += outcome->counted && outcome->count_right;
    figures->named += outcome->named;
    figures->name_right += outcome->named && outcome->name_right;
    if (outcome->set) {
        figures->sets++;
        figures->wanted += outcome->wanted;
        figures->returned += outcome->returned;
        figures->matched += outcome->matched;
        figures->set_iou += outcome->set_iou;
    }
    for (int32_t i = 0; i < outcome->region_count; i++) {
        pct_calibrate_bin(&figures->bins, outcome->regions[i].score, outcome->regions[i].hit);
    }
}

void pct_figures_merge(pct_figures *into, const pct_figures *from) {
    into->n += from->n;
    into->refers += from->refers;
    into->mask_iou += from->mask_iou;
    into->hits += from->hits;
    into->box_iou += from->box_iou;
    into->intersection += from->intersection;
    into->union_area += from->union_area;
    into->generalised += from->generalised;
    into->generalised_iou += from->generalised_iou;
    into->absent += from->absent;
    into->absent_right += from->absent_right;
    into->present += from->present;
    into->found += from->found;
    into->counted += from->counted;
    into->count_right += from->count_right;
    into->named += from->named;
    into->name_right += from->name_right;
    into->sets += from->sets;
    into->wanted += from->wanted;
    into->returned += from->returned;
    into->matched += from->matched;
    into->set_iou += from->set_iou;
    for (int i = 0; i < PCT_CALIBRATION_BINS; i++) {
        into->bins.count[i] += from->bins.count[i];
        into->bins.hits[i] += from->bins.hits[i];
        into->bins.confidence[i] += from->bins.confidence[i];
    }
}

const char *const pct_figures_keys[] = {"acc50",          "miou",      "ciou",       "giou", "absent_acc",
                                        "present_recall", "count_acc", "name_exact", "ece",  "box_iou",
                                        "set_iou",        "set_f1",    NULL};

static double share(double part, int64_t of) { return of ? part / (double)of : NAN; }

double pct_figures_get(const pct_figures *f, const char *key) {
    const struct {
        const char *key;
        double value;
    } all[] = {
        {"acc50", share(f->hits, f->refers)},
        {"miou", share(f->mask_iou, f->refers)},
        {"ciou", share((double)f->intersection, f->union_area)},
        {"giou", share(f->generalised_iou, f->generalised)},
        {"absent_acc", share((double)f->absent_right, f->absent)},
        {"present_recall", share((double)f->found, f->present)},
        {"count_acc", share((double)f->count_right, f->counted)},
        {"name_exact", share((double)f->name_right, f->named)},
        {"ece", pct_calibrate_error(&f->bins)},
        {"box_iou", share(f->box_iou, f->refers)},
        {"set_iou", share(f->set_iou, f->sets)},
        {"set_f1", share(2 * (double)f->matched, f->wanted + f->returned)},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i].key, key) == 0) return all[i].value;
    }
    PCT_ASSERT(!"a figure of that name");
    return NAN;
}
