/* judge.c: see judge.h. */
#include "eval/judge.h"

#include "base/size.h"
#include "eval/answer.h"
#include "image/boxes.h"

#include <stdlib.h>
#include <string.h>

/* Mask IoU of every returned region (row) with every wanted object (column). */
static percept_status overlaps(const pct_sample *sample, const pct_turn *turn, const pct_judge_region *regions,
                               int32_t count, double *iou, pct_eval_outcome *outcome, int32_t best,
                               percept_error *error) {
    for (int32_t w = 0; w < turn->out_count; w++) {
        pct_mask wanted = {0};
        PCT_TRY(pct_mask_new(&wanted, sample->image.width, sample->image.height, error));
        pct_sample_mask(sample, turn->regions_out[w], wanted.data);
        if (w == 0) outcome->union_area = pct_mask_area(&wanted); /* when nothing is returned */
        for (int32_t r = 0; r < count; r++) {
            int64_t both = 0, either = pct_mask_area(&wanted);
            if (regions[r].mask.data) pct_mask_overlap(&regions[r].mask, &wanted, &both, &either);
            iou[r * turn->out_count + w] = either ? (double)both / (double)either : 0;
            if (w == 0 && r == best) {
                outcome->intersection = both;
                outcome->union_area = either;
            }
        }
        pct_mask_free(&wanted);
    }
    return PERCEPT_OK;
}

static bool hits(const pct_sample *sample, const pct_judge_region *region, int32_t object, double mask_iou) {
    return (region->boxed ? pct_box_iou(region->box, sample->objects[object].box) : mask_iou) >= 0.5;
}

/* Pairs of highest IoU first; each region and each object once. Marks hits and counts them. */
static void match(const pct_sample *sample, const pct_turn *turn, const pct_judge_region *regions, double *iou,
                  int32_t count, pct_eval_region *kept, pct_eval_outcome *outcome) {
    const int32_t wanted = turn->out_count;
    double sum = 0;
    for (;;) {
        int32_t best = -1;
        for (int32_t i = 0; i < count * wanted; i++) {
            if (iou[i] > 0 && (best < 0 || iou[i] > iou[best])) best = i;
        }
        if (best < 0) break;
        int32_t region = best / wanted, object = best % wanted;
        sum += iou[best];
        if (hits(sample, &regions[region], turn->regions_out[object], iou[best])) {
            kept[region].hit = true;
            outcome->matched++;
        }
        for (int32_t w = 0; w < wanted; w++) iou[region * wanted + w] = 0;
        for (int32_t r = 0; r < count; r++) iou[r * wanted + object] = 0;
    }
    int32_t most = count > wanted ? count : wanted;
    outcome->set_iou = most ? sum / most : 0;
}

static void judge_words(const pct_turn *turn, const char *text, bool points, pct_eval_outcome *outcome) {
    bool dialogue = turn->task == PCT_TASK_DIALOGUE && turn->out_count == 0;
    int number = pct_answer_count(turn->target);
    if (turn->task == PCT_TASK_ABSENT || (dialogue && strcmp(turn->target, "none") == 0)) {
        outcome->absent = true;
        outcome->absent_right = !points && pct_answer_denies(text);
    } else if (turn->task == PCT_TASK_COUNT || (dialogue && number >= 0)) {
        outcome->counted = true;
        outcome->count_right = number >= 0 && pct_answer_count(text) == number;
    } else if (turn->target[0] && (turn->task == PCT_TASK_NAME || turn->task == PCT_TASK_RELATION || dialogue)) {
        outcome->named = true;
        outcome->name_right = pct_answer_same_name(text, turn->target);
    }
}

percept_status pct_judge(const pct_sample *sample, const pct_turn *turn, const char *text,
                         const pct_judge_region *regions, int32_t count, bool broken, pct_eval_region *kept,
                         pct_eval_outcome *outcome, percept_error *error) {
    *outcome = (pct_eval_outcome){.task = turn->task, .style = turn->style, .held_out = turn->held_out};
    count = (int32_t)pct_min_i64(count, PCT_JUDGE_MAX_REGIONS);
    int32_t best = -1, wanted = turn->out_count;
    for (int32_t r = 0; r < count; r++) {
        kept[r] =
            (pct_eval_region){.quality = regions[r].quality, .token = regions[r].token, .score = regions[r].score};
        if (best < 0 || regions[r].score > regions[best].score) best = r;
    }
    outcome->regions = kept;
    outcome->region_count = count;
    outcome->broken = broken;
    judge_words(turn, text, broken || count > 0, outcome);
    outcome->present = wanted > 0 && (turn->task == PCT_TASK_REFER || turn->task == PCT_TASK_ALL);
    outcome->found = count > 0;
    if (wanted == 0) return PERCEPT_OK;

    double *iou = calloc((size_t)count * (size_t)wanted + 1, sizeof *iou);
    if (!iou) return pct_fail_memory(error, "evaluation");
    percept_status status = overlaps(sample, turn, regions, count, iou, outcome, best, error);
    outcome->refers = wanted == 1 && turn->task != PCT_TASK_ALL && turn->task != PCT_TASK_DESCRIBE;
    outcome->set = !outcome->refers;
    outcome->wanted = wanted;
    outcome->returned = count;
    if (status == PERCEPT_OK && outcome->refers && best >= 0) {
        outcome->mask_iou = iou[best];
        outcome->box_iou = pct_box_iou(regions[best].box, sample->objects[turn->regions_out[0]].box);
    }
    if (status == PERCEPT_OK) match(sample, turn, regions, iou, count, kept, outcome);
    free(iou);
    return status;
}
