/* Answering: many prompts about one picture, decoded as one batch. Every step takes one token of each prompt that is
 * not done yet; where that token is <obj>, the state that chose it also gives the region, and the region's box,
 * encoded, is what the model reads next. Where regions are text, their tokens are heard as they come (answer_text.c).
 */
#include "base/clock.h"
#include "base/size.h"
#include "model/answering.h"

#include <math.h>
#include <string.h>

/* ---- before the first token -------------------------------------------------------------------------------------- */

static percept_status check_room(const pct_state *state, int32_t count, percept_error *error) {
    int64_t context = state->model->config.language.context, room = context - state->prefix;
    if (count < room) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_USAGE,
                    "the question has %d tokens; the model's context of %lld leaves room for %lld", count,
                    (long long)context, (long long)(room - 1));
}

static percept_status check_prompt(const pct_state *state, const pct_prompt *prompt, percept_error *error) {
    const pct_model *model = state->model;
    if (prompt->count < 1) return pct_fail(error, PERCEPT_ERROR_USAGE, "an empty question");
    PCT_TRY(check_room(state, prompt->count, error));
    int32_t objects = 0;
    for (int32_t i = 0; i < prompt->count; i++) {
        PCT_ASSERT(prompt->ids[i] >= 0 && prompt->ids[i] < model->config.language.vocabulary);
        objects += prompt->ids[i] == model->object;
    }
    if (objects != prompt->region_count)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "the question has %d <obj>, but %d regions are given", objects,
                        prompt->region_count);
    return PERCEPT_OK;
}

static percept_status check_forced(const pct_state *state, const pct_prompt *prompt, percept_error *error) {
    const int32_t vocabulary = state->model->config.language.vocabulary;
    if (prompt->forced_count > 0 && state->model->config.heads.kind == PCT_HEADS_RES)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "the answer of a model that is made to speak cannot be forced");
    for (int32_t i = 0; i < prompt->forced_count; i++)
        if (prompt->forced[i] < 0 || prompt->forced[i] >= vocabulary)
            return pct_fail(error, PERCEPT_ERROR_USAGE, "the forced answer's id %d is not one of the model's %d",
                            prompt->forced[i], vocabulary);
    return PERCEPT_OK;
}

/* What the model reads next is made from the region's mask. */
static bool feeds_masks(const pct_answering *a) {
    return a->state->model->config.heads.feedback == PCT_FEEDBACK_MASK && !pct_answering_begun(a);
}

/* Tokens of the answer at most. */
static int32_t answer_limit(const pct_state *state, const pct_prompt *prompt, int32_t max_tokens) {
    if (pct_model_begins(state->model)) return prompt->begun + 1 + prompt->end_count;
    const int64_t left = (int64_t)state->model->config.language.context - state->prefix - prompt->count;
    return (int32_t)(max_tokens > 0 && max_tokens < left ? max_tokens : left);
}

size_t pct_state_answer_bytes(const pct_state *state, const pct_prompt *prompt, int32_t max_tokens) {
    const pct_language_options *o = &state->model->language.options;
    const size_t row = 2 * (size_t)o->layers * (size_t)o->kv_heads * (size_t)o->head_width * sizeof(pct_real);
    /* where regions are text, those of the prompt are written out */
    const int64_t told = state->model->spelling.bins > 0 ? (int64_t)prompt->region_count * PCT_SPELLED_MOST : 0;
    const int64_t rows = prompt->count + told + answer_limit(state, prompt, max_tokens);
    return (size_t)pct_min_i64(rows, state->model->config.language.context) * row;
}

static percept_status prepare(pct_answering *a, const pct_prompt *prompts, pct_reply *replies, percept_error *error) {
    pct_state *state = a->state;
    pct_arena *arena = &state->reply;
    int64_t begin = state->prefix;
    const bool told = state->model->spelling.bins > 0;
    pct_prompt *written = told ? pct_arena_take_zeroed(arena, (size_t)a->count, sizeof *written) : NULL;
    if (told && !written) return pct_fail_memory(error, "answers");
    a->runners = pct_arena_take_zeroed(arena, (size_t)a->count, sizeof *a->runners);
    if (!a->runners) return pct_fail_memory(error, "answers");
    for (int32_t i = 0; i < a->count; i++) {
        pct_runner *r = &a->runners[i];
        const pct_prompt *prompt = &prompts[i];
        PCT_TRY(check_prompt(state, prompt, error));
        PCT_TRY(check_forced(state, prompt, error));
        if (told) {
            PCT_TRY(pct_answering_write(state, prompt, arena, &written[i], error));
            prompt = &written[i];
            PCT_TRY(check_room(state, prompt->count, error));
        }
        r->limit = answer_limit(state, prompt, a->options->max_tokens);
        r->prompt = prompt;
        r->reply = &replies[i];
        r->begin = begin;
        r->room = prompt->count + r->limit;
        begin += r->room;
        r->sampler = (pct_sampler){.temperature = a->options->temperature, .top_p = a->options->top_p};
        r->sampler.probability = state->probability;
        r->sampler.order = state->order;
        pct_random_init(&r->sampler.random, a->options->seed, (uint64_t)i, 0);
        *r->reply = (pct_reply){.finish = PCT_FINISH_LENGTH, .prompt_tokens = prompt->count};
        r->reply->ids = pct_arena_take(arena, (size_t)r->limit * sizeof *r->reply->ids);
        r->reply->regions = pct_arena_take(arena, (size_t)r->limit * sizeof *r->reply->regions);
        if (!r->reply->ids || !r->reply->regions) return pct_fail_memory(error, "answers");
        const int64_t side = state->model->config.heads.mask_encoder_side;
        if (feeds_masks(a)) r->fed = pct_arena_take(arena, (size_t)(side * side) * sizeof *r->fed);
        if (feeds_masks(a) && !r->fed) return pct_fail_memory(error, "answers");
        if (!state->model->config.language.copying) continue;
        r->view = pct_arena_take_zeroed(arena, (size_t)state->model->config.language.width, sizeof *r->view);
        if (!r->view) return pct_fail_memory(error, "answers");
    }
    a->cache_used = begin;
    return pct_cache_reserve(&state->cache, &state->model->language.options, begin, state->prefix, error);
}

/* ---- one pass ------------------------------------------------------------------------------------------------------
 */

static bool pass_reserve(pct_tape *tape, pct_pass *p, int32_t prompts, int32_t rows) {
    *p = (pct_pass){.prompts = 0};
    p->who = pct_tape_ints(tape, prompts);
    p->counts = pct_tape_ints(tape, prompts);
    p->ids = pct_tape_ints(tape, rows);
    p->region_rows = pct_tape_ints(tape, rows);
    p->regions = pct_tape_array(tape, rows, sizeof *p->regions);
    return !pct_tape_failed(tape);
}

/* The last `count` regions of the pct_runner's reply, as regions that are read. */
static const pct_region_in *last_replied(pct_tape *tape, const pct_runner *r, int32_t count) {
    pct_region_in *regions = pct_tape_array(tape, count, sizeof *regions);
    for (int32_t i = 0; regions && i < count; i++) {
        regions[i] = (pct_region_in){.source = PCT_REGION_BOX};
        memcpy(regions[i].box, r->reply->regions[r->reply->region_count - count + i].box, sizeof regions[i].box);
    }
    return regions;
}

/* The rows that look among the pass's rows of prompt k: a question's own, or the token of its reply chosen last. */
static int32_t find_looks(pct_tape *tape, const pct_model *model, const pct_pass *p, int32_t k, const pct_runner *r,
                          int32_t row, pct_look *looks) {
    const bool asked = r->reply->tokens == 0;
    if (!asked && pct_spelling_has(&model->spelling, r->last)) return 0; /* not one of the reply's ids */
    const int32_t *ids = asked ? p->ids + row : r->reply->ids;
    int32_t count = 0, begin = asked ? 0 : r->reply->count - 1, in_phrase, read = 0;
    for (int32_t i = 0; i < p->counts[k]; i++) {
        read += asked && ids[i] == model->object;
        looks[count] = (pct_look){.row = row + i};
        if (!pct_model_look(model, ids, begin + i, &looks[count], &in_phrase)) continue;
        const pct_region_in *regions = !in_phrase ? NULL
                                       : asked    ? r->prompt->regions + read - in_phrase
                                                  : last_replied(tape, r, in_phrase);
        if (regions) pct_model_leave_out(tape, model, regions, in_phrase, &looks[count]);
        count++;
    }
    return count;
}

/* The views of the pass's regions to the prompts that read them: the last counts. */
static void keep_views(pct_answering *a, const pct_pass *p, pct_tensor *views) {
    const int64_t width = pct_tensor_width(views);
    int32_t row = 0, region = 0;
    if (pct_tape_failed(&a->state->tape)) return;
    for (int32_t k = 0; k < p->prompts; k++) {
        for (row += p->counts[k]; region < p->region_count && p->region_rows[region] < row; region++)
            memcpy(a->runners[p->who[k]].view, pct_tensor_data(views) + region * width,
                   (size_t)width * sizeof(pct_real));
    }
}

/* The states with what their last regions show: what words are read from. */
static pct_tensor *copy_words(const pct_answering *a, const pct_pass *p, pct_tensor *states) {
    pct_tape *tape = &a->state->tape;
    if (!a->state->model->config.language.copying || pct_tape_failed(tape)) return states;
    const int64_t width = pct_tensor_width(states);
    pct_tensor *views = pct_tape_tensor(tape, PCT_REAL, 2, (int64_t[]){p->prompts, width});
    if (pct_tape_failed(tape)) return states;
    for (int32_t k = 0; k < p->prompts; k++)
        memcpy(pct_tensor_data(views) + k * width, a->runners[p->who[k]].view, (size_t)width * sizeof(pct_real));
    return pct_copy_apply(tape, &a->state->model->copy, states, views);
}

static pct_tensor *run_pass(pct_answering *a, const pct_pass *p) {
    pct_state *state = a->state;
    pct_tape *tape = &state->tape;
    int32_t *positions = pct_tape_ints(tape, p->rows), *places = pct_tape_ints(tape, p->rows);
    int32_t *last = pct_tape_ints(tape, p->prompts);
    pct_span *spans = pct_tape_array(tape, p->prompts, sizeof *spans);
    pct_span *ends = pct_tape_array(tape, p->prompts, sizeof *ends);
    pct_look *looks = pct_tape_array(tape, p->rows, sizeof *looks);
    if (pct_tape_failed(tape)) return NULL;
    int32_t row = 0, look_count = 0;
    for (int32_t k = 0; k < p->prompts; k++) {
        pct_runner *r = &a->runners[p->who[k]];
        for (int32_t i = 0; i < p->counts[k]; i++) {
            positions[row + i] = pct_model_position(state->model, state->prefix, state->prefix + r->used + i);
            places[row + i] = (int32_t)(r->begin + r->used + i);
        }
        r->used += p->counts[k];
        spans[k] = (pct_span){.q_begin = row, .q_count = p->counts[k], .causal = 1};
        spans[k].shared_count = (int32_t)state->prefix;
        spans[k].own_begin = (int32_t)r->begin;
        spans[k].own_count = (int32_t)r->used;
        ends[k] = spans[k];
        ends[k].q_begin = k;
        ends[k].q_count = 1;
        look_count += find_looks(tape, state->model, p, k, r, row, looks + look_count);
        row += p->counts[k];
        last[k] = row - 1;
    }
    const pct_model_text text = {.ids = p->ids,
                                 .count = p->rows,
                                 .regions = p->regions,
                                 .region_rows = p->region_rows,
                                 .region_count = p->region_count,
                                 .ground = state->seen && state->ground.keys ? &state->ground : NULL,
                                 .looks = looks,
                                 .look_count = look_count};
    pct_tensor *views = pct_model_views(tape, state->model, &text);
    if (views) keep_views(a, p, views);
    pct_language_input input = {
        .x = pct_model_embed(tape, state->model, &text),
        .positions = positions,
        .spans = spans,
        .span_count = p->prompts,
        .cache = &state->cache,
        .cache_rows = places,
        .cache_used = a->cache_used,
        .wanted = last,
        .wanted_count = p->prompts,
        .wanted_spans = ends,
        .wanted_span_count = p->prompts,
    };
    return pct_language_states(tape, &state->model->language, &input);
}

pct_tensor *pct_answering_read(pct_answering *a, pct_pass *p) {
    int32_t rows = 0, object = a->state->model->object;
    for (int32_t i = 0; i < a->count; i++) rows += a->runners[i].prompt->count;
    if (!pass_reserve(&a->state->tape, p, a->count, rows)) return NULL;
    for (int32_t i = 0; i < a->count; i++) {
        const pct_prompt *prompt = a->runners[i].prompt;
        int32_t region = 0;
        p->who[i] = i;
        p->counts[i] = prompt->count;
        for (int32_t k = 0; k < prompt->count; k++) {
            if (prompt->ids[k] == object) {
                p->region_rows[p->region_count] = p->rows;
                p->regions[p->region_count++] = prompt->regions[region++];
            }
            p->ids[p->rows++] = prompt->ids[k];
        }
    }
    p->prompts = a->count;
    return run_pass(a, p);
}

/* The chosen tokens of all prompts that go on. NULL when there are none. */
static pct_tensor *read_chosen(pct_answering *a, pct_pass *p) {
    if (!pass_reserve(&a->state->tape, p, a->count, a->count)) return NULL;
    for (int32_t i = 0; i < a->count; i++) {
        pct_runner *r = &a->runners[i];
        if (r->done) continue;
        if (r->region >= 0) {
            pct_region_in region = {.source = pct_model_reads_back(&a->state->model->config)};
            if (r->fed) region = (pct_region_in){.source = PCT_REGION_MASK, .mask = r->fed};
            memcpy(region.box, r->reply->regions[r->region].box, sizeof region.box);
            p->region_rows[p->region_count] = p->rows;
            p->regions[p->region_count++] = region;
        }
        p->who[p->prompts] = i;
        p->counts[p->prompts++] = 1;
        p->ids[p->rows++] = r->last;
    }
    return p->prompts > 0 ? run_pass(a, p) : NULL;
}

/* ---- regions -------------------------------------------------------------------------------------------------------
 */

float pct_region_score(const pct_model *model, const pct_region_out *region) {
    const pct_calibration *c = &model->card.calibration;
    double x = (double)region->quality;
    if (c->fitted)
        x = (double)c->quality * (double)region->quality + (double)c->token * (double)region->token_log_probability +
            (double)c->offset;
    else if (!model->config.heads.quality)
        return (float)exp((double)region->token_log_probability);
    return (float)(1 / (1 + exp(-x)));
}

/* The masks of logits (n,side,side) as the mask encoder reads them. */
static percept_status feed_masks(const pct_answering *a, pct_tensor *logits, int64_t side, pct_real *const *fed,
                                 int32_t count, percept_error *error) {
    pct_tape *tape = &a->state->tape;
    const int64_t to = a->state->model->config.heads.mask_encoder_side;
    pct_tensor *grids = pct_op_reshape(tape, logits, 4, (int64_t[]){count, side, side, 1});
    grids = pct_op_resize(tape, grids, to, to);
    PCT_TRY(pct_tape_status(tape, error));
    for (int32_t i = 0; i < count; i++)
        for (int64_t k = 0; k < to * to; k++)
            fed[i][k] = 1 / (1 + (pct_real)exp(-pct_held(pct_tensor_data(grids)[i * to * to + k], -30, 30)));
    return PERCEPT_OK;
}

/* Decodes masks (and, where the head needs them, boxes) of regions from their states (n,width); prompts: those that
 * they answer, NULL without boxes. */
static percept_status decode_masks(pct_answering *a, pct_tensor *states, pct_region_out *const *regions,
                                   pct_real *const *fed, const pct_prompt *const *prompts, int32_t count,
                                   percept_error *error) {
    pct_state *state = a->state;
    pct_tape *tape = &state->tape;
    int32_t *picture = pct_tape_ints(tape, count);
    if (!picture) return pct_tape_status(tape, error);
    pct_regions made = pct_model_regions(tape, state->model, &state->keys, states, picture);
    PCT_TRY(pct_tape_status(tape, error));
    int64_t side = pct_model_config_mask_side(&state->model->config), cells = side * side;
    if (prompts) pct_answering_commit(a, &made, prompts, count);
    if (fed) PCT_TRY(feed_masks(a, made.logits, side, fed, count, error));
    for (int32_t i = 0; i < count; i++) {
        pct_region_out *region = regions[i];
        if (prompts) pct_region_set_box(region, pct_tensor_data(made.boxes) + 4 * i);
        if (made.quality) region->quality = (float)pct_held(pct_tensor_data(made.quality)[i], -30, 30);
        region->score = pct_region_score(state->model, region);
        if (!a->options->masks) continue;
        region->mask = pct_arena_take(&state->reply, (size_t)cells * sizeof *region->mask);
        if (!region->mask) return pct_fail_memory(error, "masks");
        const pct_real *logits = pct_tensor_data(made.logits) + i * cells;
        for (int64_t k = 0; k < cells; k++) region->mask[k] = pct_held(logits[k], -100, 100);
    }
    return PERCEPT_OK;
}

/* The plain box head looks at the state alone: masks can wait until all answers are done, unless they are read on, or
 * the score, which the quality head takes from the mask, is wanted at once. */
static bool masks_wait(const pct_answering *a) {
    const pct_model_config *config = &a->state->model->config;
    return config->heads.box == PCT_BOX_PLAIN && !config->heads.commit && !feeds_masks(a) &&
           pct_model_has_heads(a->state->model) && !(config->heads.quality && a->options->scores_now);
}

static percept_status add_regions(pct_answering *a, const pct_pass *p, pct_tensor *states, percept_error *error) {
    pct_state *state = a->state;
    pct_tape *tape = &state->tape;
    int32_t *rows = pct_tape_ints(tape, p->prompts), count = 0;
    pct_region_out **regions = pct_tape_array(tape, p->prompts, sizeof *regions);
    pct_real **fed = pct_tape_array(tape, p->prompts, sizeof *fed);
    const pct_prompt **prompts = pct_tape_array(tape, p->prompts, sizeof *prompts);
    if (pct_tape_failed(tape)) return pct_tape_status(tape, error);
    for (int32_t k = 0; k < p->prompts; k++) {
        pct_runner *r = &a->runners[p->who[k]];
        if (r->region < 0) continue;
        regions[count] = &r->reply->regions[r->region];
        prompts[count] = r->prompt;
        fed[count] = r->fed;
        rows[count++] = k;
    }
    if (count == 0) return PERCEPT_OK;
    pct_tensor *chosen = pct_op_gather_rows(tape, states, rows, count);
    if (!masks_wait(a)) return decode_masks(a, chosen, regions, feeds_masks(a) ? fed : NULL, prompts, count, error);
    pct_tensor *boxes = pct_box_decoder_apply(tape, &state->model->box_decoder, chosen, NULL, NULL);
    PCT_TRY(pct_tape_status(tape, error));
    int64_t width = pct_tensor_width(chosen);
    for (int32_t i = 0; i < count; i++) {
        pct_region_set_box(regions[i], pct_tensor_data(boxes) + 4 * i);
        regions[i]->score = pct_region_score(state->model, regions[i]);
        /* The state waits where the mask will be pointed to. */
        regions[i]->mask = pct_arena_take(&state->reply, (size_t)width * sizeof(pct_real));
        if (!regions[i]->mask) return pct_fail_memory(error, "masks");
        memcpy(regions[i]->mask, pct_tensor_data(chosen) + i * width, (size_t)width * sizeof(pct_real));
    }
    return PERCEPT_OK;
}

static percept_status decode_waiting(pct_answering *a, percept_error *error) {
    pct_state *state = a->state;
    pct_tape *tape = &state->tape;
    int32_t count = 0;
    int64_t width = state->model->config.language.width;
    for (int32_t i = 0; i < a->count; i++) count += a->runners[i].reply->region_count;
    if (!masks_wait(a) || count == 0) return PERCEPT_OK;
    pct_region_out **regions = pct_tape_array(tape, count, sizeof *regions);
    pct_tensor *states = pct_tape_tensor(tape, PCT_REAL, 2, (int64_t[]){count, width});
    if (pct_tape_failed(tape)) return pct_tape_status(tape, error);
    count = 0;
    for (int32_t i = 0; i < a->count; i++)
        for (int32_t k = 0; k < a->runners[i].reply->region_count; k++) {
            regions[count] = &a->runners[i].reply->regions[k];
            memcpy(pct_tensor_data(states) + count * width, regions[count]->mask, (size_t)width * sizeof(pct_real));
            regions[count++]->mask = NULL;
        }
    if (!a->options->masks && !state->model->config.heads.quality) return PERCEPT_OK;
    return decode_masks(a, states, regions, NULL, NULL, count, error);
}

/* ---- choosing ------------------------------------------------------------------------------------------------------
 */

/* Whether an answer may hold the token. */
static bool speakable(const pct_answering *a, int32_t id) {
    const pct_model *model = a->state->model;
    if (id == model->object) return a->state->seen && pct_model_has_heads(model);
    const pct_tokenizer *tokenizer = model->tokenizer;
    if (!tokenizer || !pct_tokenizer_is_special(tokenizer, id)) return true;
    return model->template.style && pct_template_speaks(&model->template, id);
}

/* The token that comes next: the one that the caller wants, else the sampler's. */
static int32_t next_token(pct_runner *r, const pct_real *logits, int32_t vocabulary, double *log_probability) {
    if (r->reply->tokens >= r->prompt->forced_count)
        return pct_sample(&r->sampler, logits, vocabulary, log_probability);
    const int32_t id = r->prompt->forced[r->reply->tokens];
    *log_probability = pct_log_probability(logits, vocabulary, id);
    return id;
}

static percept_status choose(pct_answering *a, pct_runner *r, const pct_real *logits, percept_error *error) {
    double log_probability;
    bool taken;
    int32_t vocabulary = a->state->model->config.language.vocabulary;
    int32_t id = next_token(r, logits, vocabulary, &log_probability);
    r->region = r->shown = -1;
    r->reply->log_probability += log_probability;
    r->last = id;
    PCT_TRY(pct_answering_hear(a, r, id, log_probability, &taken, error));
    r->reply->tokens += taken;
    if (taken) return PERCEPT_OK;
    if (id == a->eos) {
        pct_runner_finish(r, PCT_FINISH_STOP);
        return PERCEPT_OK;
    }
    if (!speakable(a, id)) {
        pct_answering_refuse(a, r);
        return PERCEPT_OK;
    }
    r->reply->tokens++;
    if (id == a->state->model->object) {
        r->reply->region_tokens++;
        r->region = r->shown = r->reply->region_count++;
        r->reply->regions[r->region] =
            (pct_region_out){.token_log_probability = (float)log_probability, .token = r->reply->count};
    }
    r->reply->ids[r->reply->count++] = id;
    return PERCEPT_OK;
}

/* Tells the caller of the new tokens; ends prompts that are full. */
static void report(pct_answering *a, const pct_pass *p) {
    const pct_answer_options *o = a->options;
    for (int32_t k = 0; k < p->prompts; k++) {
        pct_runner *r = &a->runners[p->who[k]];
        if (r->done) continue;
        const pct_region_out *region = r->shown >= 0 ? &r->reply->regions[r->shown] : NULL;
        const int32_t id = region ? a->state->model->object : r->last;
        if (o->token && o->token(o->context, p->who[k], id, region)) a->stopped = true;
        if (r->reply->tokens >= r->limit || (o->max_ids > 0 && r->reply->count >= o->max_ids))
            pct_runner_finish(r, PCT_FINISH_LENGTH);
    }
    bool late = o->deadline > 0 && pct_clock_seconds() >= o->deadline;
    for (int32_t i = 0; i < a->count && (a->stopped || late); i++)
        if (!a->runners[i].done) pct_runner_finish(&a->runners[i], a->stopped ? PCT_FINISH_STOP : PCT_FINISH_TIME);
}

static percept_status generate(pct_answering *a, percept_error *error) {
    pct_state *state = a->state;
    pct_tape *tape = &state->tape;
    pct_pass p;
    for (pct_tensor *states = pct_answering_read(a, &p);; states = read_chosen(a, &p)) {
        PCT_TRY(pct_tape_status(tape, error));
        if (!states) return PERCEPT_OK;
        pct_tensor *logits = pct_language_logits(tape, &state->model->language, copy_words(a, &p, states));
        PCT_TRY(pct_tape_status(tape, error));
        for (int32_t k = 0; k < p.prompts; k++)
            PCT_TRY(choose(a, &a->runners[p.who[k]], pct_tensor_data(logits) + k * pct_tensor_width(logits), error));
        PCT_TRY(add_regions(a, &p, states, error));
        report(a, &p);
        pct_tape_clear(tape);
        pct_arena_reset(&state->step);
    }
}

percept_status pct_state_answer(pct_state *state, const pct_prompt *prompts, int32_t count,
                                const pct_answer_options *options, pct_reply *replies, percept_error *error) {
    pct_arena_reset(&state->reply);
    if (count <= 0) return PERCEPT_OK;
    const pct_tokenizer *tokenizer = state->model->tokenizer;
    pct_answering a = {.state = state, .options = options, .count = count};
    a.eos = tokenizer ? pct_tokenizer_eos(tokenizer) : -1;
    if (state->model->template.style) a.eos = state->model->template.eos;
    percept_status status = prepare(&a, prompts, replies, error);
    if (status == PERCEPT_OK) status = pct_answering_begun(&a) ? pct_answering_point(&a, error) : generate(&a, error);
    if (status == PERCEPT_OK) status = decode_waiting(&a, error);
    if (status == PERCEPT_OK) status = pct_answering_draw(&a, error);
    pct_tape_clear(&state->tape);
    pct_arena_reset(&state->step);
    return status;
}
