/* run.c: asking. See run.h; judging is in judge.c, writing in report.c. */
#include "eval/run.h"

#include "base/clock.h"
#include "base/progress.h"
#include "base/size.h"
#include "data/batch.h"
#include "eval/answer.h"
#include "eval/judge.h"
#include "image/fit.h"
#include "tokenizer/template.h"

#include <stdlib.h>
#include <string.h>

/* One question and, once it is answered, the conversation so far: what a turn that follows it begins with. */
struct asked {
    bool done;
    int32_t *ids;
    int32_t count;
    pct_region_in *regions;
    int32_t region_count;
};

struct runner {
    pct_model *model;
    const pct_model_config *config;
    pct_template template;
    pct_state *state;
    pct_pool *pool; /* borrowed */
    const pct_eval_options *options;
    pct_eval_report *report;
    pct_arena samples, work; /* of one picture */
    pct_token_scratch scratch;
    pct_rendered rendered;
    pct_text text;
    pct_real *pixels;
    int32_t mask_side;
};

/* The region that a question's k-th <obj> stands for; box and mask take turns where either may be given. */
static percept_status region_in(struct runner *run, const pct_sample *sample, const pct_fit *fit, int32_t turn_index,
                                int32_t object, pct_region_in *out, percept_error *error) {
    const pct_turn *turn = &sample->turns[turn_index];
    pct_box box = pct_fit_box_to_model(fit, sample->objects[object].box);
    *out = (pct_region_in){.source = PCT_REGION_BOX, .box = {box.x0, box.y0, box.x1, box.y1}};
    if (turn->task == PCT_TASK_BOX2MASK || (sample->index + (uint64_t)turn_index) % 2 == 0) return PERCEPT_OK;
    int32_t side = run->config->heads.mask_encoder_side;
    pct_real *mask = pct_arena_take(&run->work, (size_t)side * (size_t)side * sizeof *mask);
    if (!mask) return pct_fail_memory(error, "evaluation");
    pct_batch_mask(fit, sample, object, side, mask);
    out->source = PCT_REGION_MASK;
    out->mask = mask;
    return PERCEPT_OK;
}

/* The prompt of one turn: the conversation before it, then its question. */
static percept_status make_prompt(struct runner *run, const pct_sample *sample, const pct_fit *fit, int32_t index,
                                  struct asked *asked, percept_error *error) {
    const pct_turn *turn = &sample->turns[index];
    const struct asked *before = turn->follows >= 0 ? &asked[turn->follows] : NULL;
    pct_template_turn last = {.question = turn->question, .regions = turn->in_count, .marks = true};
    PCT_TRY(pct_template_render(&run->template, &run->scratch, &last, 1, &run->rendered, error));
    int32_t earlier = before ? before->count : 0, given = before ? before->region_count : 0;
    struct asked *now = &asked[index];
    now->count = earlier + (int32_t)run->rendered.ids.count;
    now->region_count = given + turn->in_count;
    now->ids = pct_arena_take(&run->work, (size_t)now->count * sizeof *now->ids);
    now->regions = pct_arena_take_zeroed(&run->work, (size_t)now->region_count + 1, sizeof *now->regions);
    if (!now->ids || !now->regions) return pct_fail_memory(error, "evaluation");
    if (before) {
        memcpy(now->ids, before->ids, (size_t)earlier * sizeof *now->ids);
        memcpy(now->regions, before->regions, (size_t)given * sizeof *now->regions);
    }
    memcpy(now->ids + earlier, run->rendered.ids.data, run->rendered.ids.count * sizeof *now->ids);
    for (int32_t k = 0; k < turn->in_count; k++) {
        PCT_TRY(region_in(run, sample, fit, index, turn->regions_in[k], &now->regions[given + k], error));
    }
    return PERCEPT_OK;
}

/* The conversation with its answer, for turns that follow. */
static percept_status remember(struct runner *run, const pct_reply *reply, struct asked *asked, percept_error *error) {
    int32_t count = asked->count + reply->count + 1, regions = asked->region_count + reply->region_count;
    int32_t *ids = pct_arena_take(&run->work, (size_t)count * sizeof *ids);
    pct_region_in *all = pct_arena_take_zeroed(&run->work, (size_t)regions + 1, sizeof *all);
    if (!ids || !all) return pct_fail_memory(error, "evaluation");
    memcpy(ids, asked->ids, (size_t)asked->count * sizeof *ids);
    if (reply->count) memcpy(ids + asked->count, reply->ids, (size_t)reply->count * sizeof *ids);
    ids[count - 1] = run->template.eos;
    memcpy(all, asked->regions, (size_t)asked->region_count * sizeof *all);
    for (int32_t k = 0; k < reply->region_count; k++) {
        pct_region_in *region = &all[asked->region_count + k];
        region->source = pct_model_reads_back(run->config);
        memcpy(region->box, reply->regions[k].box, sizeof region->box);
        if (!reply->regions[k].told) continue;
        const size_t bytes = (size_t)reply->regions[k].told_count * sizeof *region->told;
        int32_t *told = pct_arena_take(&run->work, bytes);
        if (!told) return pct_fail_memory(error, "evaluation");
        region->told = memcpy(told, reply->regions[k].told, bytes);
        region->told_count = reply->regions[k].told_count;
    }
    asked->ids = ids;
    asked->count = count;
    asked->regions = all;
    asked->region_count = regions;
    asked->done = true;
    return PERCEPT_OK;
}

static percept_status keep_records(struct runner *run, const pct_turn *turn, const pct_eval_outcome *outcome,
                                   bool denied, percept_error *error) {
    pct_eval_report *report = run->report;
    int64_t need = report->region_count + outcome->region_count;
    if (need > report->region_capacity) {
        int64_t capacity = 2 * need + 256;
        pct_eval_region *larger = realloc(report->regions, (size_t)capacity * sizeof *larger);
        if (!larger) return pct_fail_memory(error, "evaluation");
        report->regions = larger;
        report->region_capacity = capacity;
    }
    if (report->question_count == report->question_capacity) {
        int64_t capacity = 2 * report->question_capacity + 256;
        pct_eval_question *larger = realloc(report->question_list, (size_t)capacity * sizeof *larger);
        if (!larger) return pct_fail_memory(error, "evaluation");
        report->question_list = larger;
        report->question_capacity = capacity;
    }
    if (outcome->present || outcome->absent) {
        report->question_list[report->question_count++] = (pct_eval_question){.present = outcome->present,
                                                                              .denied = denied,
                                                                              .broken = outcome->broken,
                                                                              .first = (int32_t)report->region_count,
                                                                              .count = outcome->region_count,
                                                                              .wanted = turn->out_count};
    }
    for (int32_t i = 0; i < outcome->region_count; i++) report->regions[report->region_count++] = outcome->regions[i];
    return PERCEPT_OK;
}

static void add_outcome(pct_eval_report *report, const pct_eval_outcome *outcome) {
    pct_eval_outcome whole = *outcome;
    if (outcome->task != PCT_TASK_REFER) whole.refers = false;
    if (outcome->task != PCT_TASK_NAME) whole.named = false;
    pct_figures_add(&report->all, &whole);
    pct_figures_add(&report->style[outcome->style < PCT_STYLE_COUNT ? outcome->style : PCT_STYLE_COUNT], &whole);
    if (outcome->held_out) pct_figures_add(&report->held_out, &whole);
    pct_figures_add(&report->task[outcome->task], outcome);
    report->questions++;
}

/* Regions of the reply that stay above the threshold, at the picture's size; how many. */
static int32_t take_regions(struct runner *run, const pct_fit *fit, const pct_reply *reply, pct_judge_region *regions,
                            percept_status *status, percept_error *error) {
    int32_t count = 0;
    for (int32_t k = 0; k < reply->region_count && count < PCT_JUDGE_MAX_REGIONS; k++) {
        const pct_region_out *from = &reply->regions[k];
        if (from->score < run->report->threshold) continue;
        pct_judge_region *to = &regions[count];
        *to = (pct_judge_region){.score = from->score, .quality = from->quality, .token = from->token_log_probability};
        to->box = pct_fit_box_to_picture(
            fit, (pct_box){(float)from->box[0], (float)from->box[1], (float)from->box[2], (float)from->box[3]});
        if (from->mask) {
            *status = pct_fit_mask_to_picture(fit, from->mask, run->mask_side, run->mask_side, 0, &to->mask, run->pool,
                                              error);
        } else { /* a region of a box alone is its box */
            to->boxed = true;
            *status = pct_mask_new(&to->mask, fit->width, fit->height, error);
            if (*status == PERCEPT_OK) pct_mask_fill_box(&to->mask, to->box);
        }
        if (*status != PERCEPT_OK) break;
        count++;
    }
    return count;
}

static percept_status judge_reply(struct runner *run, const pct_sample *sample, const pct_fit *fit,
                                  const pct_turn *turn, const pct_reply *reply, percept_error *error) {
    pct_judge_region regions[PCT_JUDGE_MAX_REGIONS];
    pct_eval_region kept[PCT_JUDGE_MAX_REGIONS];
    pct_eval_outcome outcome;
    percept_status status = PERCEPT_OK;
    int32_t count = take_regions(run, fit, reply, regions, &status, error);
    pct_text_clear(&run->text);
    pct_tokenizer_decode(run->template.tokenizer, reply->ids, (size_t)reply->count, true, &run->text);
    const char *text = run->text.data ? run->text.data : "";
    if (status == PERCEPT_OK)
        status = pct_judge(sample, turn, text, regions, count, reply->broken, kept, &outcome, error);
    if (status == PERCEPT_OK) {
        add_outcome(run->report, &outcome);
        run->report->cut += reply->finish == PCT_FINISH_LENGTH;
        run->report->unparsable += reply->finish == PCT_FINISH_UNPARSABLE;
        run->report->regions_said += reply->region_count;
        run->report->region_tokens += reply->region_tokens;
        if (run->options->keep) status = keep_records(run, turn, &outcome, pct_answer_denies(text), error);
        if (status == PERCEPT_OK && run->options->judged)
            status =
                run->options->judged(run->options->judged_context, sample, turn, text, regions, count, &outcome, error);
    }
    for (int32_t i = 0; i < count; i++) pct_mask_free(&regions[i].mask);
    return status;
}

/* An earlier answer took all of the context (regions in text that never end, say): judged as no answer, cut by a limit.
 */
static percept_status leave_unasked(struct runner *run, const pct_sample *sample, const pct_fit *fit, int32_t turn,
                                    struct asked *asked, percept_error *error) {
    const pct_reply reply = {.finish = PCT_FINISH_LENGTH};
    PCT_TRY(judge_reply(run, sample, fit, &sample->turns[turn], &reply, error));
    asked->done = true;
    return PERCEPT_OK;
}

/* All turns that can be asked now (nothing before them, or it is answered); *left counts those still to come. */
static percept_status ask_round(struct runner *run, const pct_sample *sample, const pct_fit *fit, struct asked *asked,
                                int32_t *left, percept_error *error) {
    int32_t *order = pct_arena_take(&run->work, ((size_t)sample->turn_count + 1) * sizeof *order);
    int32_t count = 0, ready = 0;
    pct_prompt *prompts = pct_arena_take(&run->work, ((size_t)sample->turn_count + 1) * sizeof *prompts);
    pct_reply *replies = pct_arena_take_zeroed(&run->work, (size_t)sample->turn_count + 1, sizeof *replies);
    if (!order || !prompts || !replies) return pct_fail_memory(error, "evaluation");
    for (int32_t t = 0; t < sample->turn_count; t++) {
        int32_t before = sample->turns[t].follows;
        if (asked[t].done || (before >= 0 && !asked[before].done)) continue;
        order[ready++] = t;
    }
    for (int32_t i = 0; i < ready; i++) {
        const int32_t turn = order[i];
        struct asked *one = &asked[turn];
        bool fits;
        PCT_TRY(make_prompt(run, sample, fit, turn, asked, error));
        prompts[count] = (pct_prompt){
            .ids = one->ids, .count = one->count, .regions = one->regions, .region_count = one->region_count};
        PCT_TRY(pct_state_fits(run->state, &prompts[count], &fits, error));
        if (fits)
            order[count++] = turn;
        else
            PCT_TRY(leave_unasked(run, sample, fit, turn, one, error));
    }
    const int32_t most = run->options->max_tokens ? run->options->max_tokens : 96;
    pct_answer_options options = {.max_ids = most, .masks = true};
    if (run->config->language.regions == PCT_REGIONS_TOKEN) options.max_tokens = most; /* the same, in less memory */
    PCT_TRY(pct_state_answer(run->state, prompts, count, &options, replies, error));
    for (int32_t i = 0; i < count; i++) {
        PCT_TRY(judge_reply(run, sample, fit, &sample->turns[order[i]], &replies[i], error));
        PCT_TRY(remember(run, &replies[i], &asked[order[i]], error));
    }
    *left -= ready;
    return ready > 0 ? PERCEPT_OK : pct_fail(error, PERCEPT_ERROR_INPUT, "turns that follow each other in a circle");
}

static percept_status ask_picture(struct runner *run, const pct_sample *sample, percept_error *error) {
    pct_fit fit;
    PCT_TRY(pct_fit_make(&fit, run->config->image.fit, run->config->image.side, sample->image.width,
                         sample->image.height, error));
    PCT_TRY(pct_batch_pixels(run->config, &fit, &sample->image, run->pixels, error));
    PCT_TRY(pct_state_encode(run->state, run->pixels, error));
    struct asked *asked = pct_arena_take_zeroed(&run->work, (size_t)sample->turn_count + 1, sizeof *asked);
    if (!asked) return pct_fail_memory(error, "evaluation");
    for (int32_t left = sample->turn_count; left > 0;) PCT_TRY(ask_round(run, sample, &fit, asked, &left, error));
    return PERCEPT_OK;
}

static percept_status run_all(struct runner *run, const pct_feed *feed, percept_progress_fn *progress, void *context,
                              percept_error *error) {
    int64_t total = feed->count;
    if (run->options->limit > 0 && (total == 0 || run->options->limit < total)) total = run->options->limit;
    pct_meter meter;
    pct_meter_start(&meter, progress, context, "eval", "picture", 0, total);
    for (int64_t i = 0; i < total; i++) {
        pct_arena_reset(&run->samples);
        pct_arena_reset(&run->work);
        pct_sample sample;
        percept_status status = pct_feed_get(feed, i, false, &run->samples, &sample, error);
        if (status == PERCEPT_OK) status = ask_picture(run, &sample, error);
        if (status != PERCEPT_OK) {
            pct_error_prefix(error, "picture %lld", (long long)i);
            return status;
        }
        run->report->pictures++;
        if (pct_meter_update(&meter, i + 1, NULL)) return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted");
    }
    return PERCEPT_OK;
}

percept_status pct_eval_run(pct_model *model, pct_compute *compute, const pct_feed *feed,
                            const pct_eval_options *options, percept_progress_fn *progress, void *context,
                            pct_eval_report *report, percept_error *error) {
    *report = (pct_eval_report){0};
    report->threshold = options->threshold >= 0 ? options->threshold : pct_model_get_card(model)->threshold;
    struct runner run = {.model = model,
                         .config = pct_model_get_config(model),
                         .pool = compute->pool,
                         .options = options,
                         .report = report};
    double started = pct_clock_seconds();
    pct_arena_init(&run.samples, 0);
    pct_arena_init(&run.work, 0);
    run.mask_side = pct_model_config_mask_side(run.config);
    size_t side = (size_t)run.config->image.side;
    run.pixels = malloc(side * side * 3 * sizeof *run.pixels);
    percept_status status = run.pixels ? PERCEPT_OK : pct_fail_memory(error, "evaluation");
    if (status == PERCEPT_OK) {
        run.template = *pct_model_get_template(model);
        if (run.template.style->begun_end)
            status = pct_fail(error, PERCEPT_ERROR_USAGE,
                              "a %s model answers one of percept's tasks alone (find); evaluate it on referring data "
                              "with its own tools",
                              run.template.style->name);
    }
    if (status == PERCEPT_OK) status = pct_state_create(&run.state, model, compute, error);
    if (status == PERCEPT_OK) status = run_all(&run, feed, progress, context, error);
    pct_state_destroy(&run.state);
    pct_token_scratch_free(&run.scratch);
    pct_rendered_free(&run.rendered);
    pct_text_free(&run.text);
    pct_arena_free(&run.samples);
    pct_arena_free(&run.work);
    free(run.pixels);
    report->seconds = pct_clock_seconds() - started;
    return status;
}

void pct_eval_report_free(pct_eval_report *report) {
    free(report->regions);
    free(report->question_list);
    *report = (pct_eval_report){0};
}
