/* examine.c: what the taught model finds, calls and mixes up, and what became of the names it knew. See teach.h. */
#include "base/size.h"
#include "eval/answer.h"
#include "teach/teach.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define A_NAME 12 /* pictures of a test for each name */
#define LEAST  48
#define MOST   240
#define OLD    100 /* pictures of the test of old names */
#define SEED   77  /* of all tests: the same scenes before and after */

static percept_status ask(const teach_examiner *examiner, const pct_feed *feed, const pct_eval_options *options,
                          pct_eval_report *report, percept_error *error) {
    pct_model *model = NULL;
    PCT_TRY(pct_model_open(&model, examiner->model, false, error));
    percept_status status = pct_model_check_sees(model, error);
    if (status == PERCEPT_OK)
        status =
            pct_eval_run(model, examiner->compute, feed, options, examiner->progress, examiner->context, report, error);
    pct_model_close(&model);
    return status;
}

percept_status teach_examine_old(const teach_examiner *examiner, const char *replay, teach_old *old,
                                 percept_error *error) {
    pct_scene_options scenes;
    pct_scene_source *source = NULL;
    pct_eval_report report = {0};
    pct_scene_options_default(&scenes);
    scenes.pack = replay;
    PCT_TRY(pct_scene_source_open(&source, &scenes, error));
    const pct_feed feed = {.source = source,
                           .split = PCT_SPLIT_ARRANGEMENTS,
                           .seed = SEED,
                           .count = examiner->pictures ? examiner->pictures : OLD,
                           .request = pct_scene_test_request(TEACH_SIDE)};
    const pct_eval_options options = {.threshold = -1};
    percept_status status = ask(examiner, &feed, &options, &report, error);
    if (status == PERCEPT_OK)
        *old = (teach_old){.acc50 = pct_figures_get(&report.all, "acc50"),
                           .miou = pct_figures_get(&report.all, "miou"),
                           .absent = pct_figures_get(&report.all, "absent_acc"),
                           .named = pct_figures_get(&report.all, "name_exact"),
                           .questions = report.questions};
    pct_eval_report_free(&report);
    pct_scene_source_close(&source);
    return status;
}

/* ---- taught names ---- */

struct listening {
    teach_result *result;
    teach_sheet *sheet;
    bool held; /* this pass asks about pictures held back */
};

static teach_score *score_of(teach_result *result, const char *name) {
    for (int32_t i = 0; i < result->count; i++)
        if (strcmp(result->scores[i].thing->text, name) == 0) return &result->scores[i];
    return NULL;
}

static void mix_up(teach_score *score, const char *other) {
    if (!other || !*other || strcmp(other, score->thing->text) == 0) return;
    int32_t at = 0;
    while (at < TEACH_MIXED && score->mixed[at].count && strcmp(score->mixed[at].name, other) != 0) at++;
    if (at == TEACH_MIXED) return; /* six others: it is mistaken for anything */
    snprintf(score->mixed[at].name, sizeof score->mixed[at].name, "%s", other);
    score->mixed[at].count++;
    for (; at > 0 && score->mixed[at - 1].count < score->mixed[at].count; at--) {
        char name[PCT_NAME_MAX_BYTES];
        int32_t count = score->mixed[at].count;
        memcpy(name, score->mixed[at].name, sizeof name);
        score->mixed[at] = score->mixed[at - 1];
        memcpy(score->mixed[at - 1].name, name, sizeof name);
        score->mixed[at - 1].count = count;
    }
}

/* Name of the object that the region covers most of the region with; NULL: the ground. */
static const char *pointed_at(const pct_sample *sample, const pct_judge_region *region) {
    int64_t covered[PCT_SAMPLE_MAX_OBJECTS + 1] = {0}, best = 0;
    if (!region->mask.data) return NULL;
    const size_t pixels = (size_t)sample->image.width * (size_t)sample->image.height;
    for (size_t i = 0; i < pixels; i++) covered[sample->owner[i]] += region->mask.data[i] != 0;
    for (int32_t k = 1; k <= sample->object_count; k++)
        if (covered[k] > covered[best]) best = k;
    return best ? sample->objects[best - 1].text : NULL;
}

static percept_status judge_refer(struct listening *in, const pct_sample *sample, const pct_turn *turn,
                                  const pct_judge_region *regions, int32_t count, const pct_eval_outcome *outcome,
                                  percept_error *error) {
    const pct_object *object = &sample->objects[turn->regions_out[0]];
    teach_score *score = score_of(in->result, object->text);
    if (!score || score->held != in->held || (in->held && !turn->held_out)) return PERCEPT_OK;
    int32_t best = 0;
    for (int32_t r = 1; r < count; r++)
        if (regions[r].score > regions[best].score) best = r;
    score->asked++;
    score->iou += outcome->mask_iou;
    if (!in->held) pct_figures_add(&in->result->views, outcome);
    if (outcome->mask_iou >= 0.5)
        score->found++;
    else if (count == 0)
        score->denied++;
    else
        mix_up(score, pointed_at(sample, &regions[best]));
    if (!in->sheet) return PERCEPT_OK;
    return teach_sheet_add(in->sheet, (int32_t)(score - in->result->scores), object->text, &sample->image, object->box,
                           regions, count, error);
}

static percept_status listen(void *context, const pct_sample *sample, const pct_turn *turn, const char *text,
                             const pct_judge_region *regions, int32_t count, const pct_eval_outcome *outcome,
                             percept_error *error) {
    struct listening *in = context;
    if (turn->task == PCT_TASK_REFER && outcome->refers)
        return judge_refer(in, sample, turn, regions, count, outcome, error);
    if (turn->task != PCT_TASK_NAME || turn->in_count != 1) return PERCEPT_OK;
    teach_score *score = score_of(in->result, sample->objects[turn->regions_in[0]].text);
    if (!score || score->held != in->held || (in->held && !turn->held_out)) return PERCEPT_OK;
    score->called++;
    score->right += outcome->name_right;
    char said[PCT_ANSWER_NAME_SIZE];
    pct_answer_name(text, said);
    said[PCT_NAME_MAX_BYTES - 1] = 0;
    if (!outcome->name_right) mix_up(score, said);
    return PERCEPT_OK;
}

static percept_status pass(const teach_examiner *examiner, const pct_scene_source *source, enum pct_split split,
                           int32_t names, struct listening *in, pct_eval_report *report, percept_error *error) {
    int64_t count = pct_min_i64(MOST, (int64_t)names * A_NAME);
    pct_feed feed = {.source = source,
                     .split = split,
                     .seed = SEED,
                     .count = examiner->pictures ? examiner->pictures
                              : count < LEAST    ? LEAST
                                                 : count,
                     .request = pct_scene_test_request(TEACH_SIDE)};
    const pct_eval_options options = {.threshold = -1, .judged = listen, .judged_context = in};
    return ask(examiner, &feed, &options, report, error);
}

percept_status teach_examine_new(const teach_examiner *examiner, const pct_scene_options *options, teach_result *result,
                                 teach_sheet *sheet, percept_error *error) {
    pct_scene_source *source = NULL;
    int32_t held = 0;
    pct_figures absent = {0}; /* of both rounds */
    PCT_TRY(pct_scene_source_open(&source, options, error));
    for (int32_t i = 0; i < result->count; i++) held += result->scores[i].held;
    percept_status status = PERCEPT_OK;
    for (int round = 0; round < 2 && status == PERCEPT_OK; round++) {
        const bool with_held = round == 0;
        const int32_t names = with_held ? held : result->count - held;
        pct_eval_report report = {0};
        struct listening in = {result, sheet, with_held};
        if (names == 0) continue;
        status =
            pass(examiner, source, with_held ? PCT_SPLIT_CUTOUTS : PCT_SPLIT_ARRANGEMENTS, names, &in, &report, error);
        if (status == PERCEPT_OK) {
            if (with_held) result->held = report.held_out;
            pct_figures_merge(&absent, &report.task[PCT_TASK_ABSENT]);
        }
        pct_eval_report_free(&report);
    }
    result->absent = pct_figures_get(&absent, "absent_acc");
    pct_scene_source_close(&source);
    return status;
}
