/* Answers whose regions are text: prompts with their regions written out, tokens of the answer read into regions. */
#include "base/size.h"
#include "model/answering.h"

#include <string.h>

static percept_status write_region(const pct_model *model, const pct_region_in *region, int32_t *ids, int32_t *count,
                                   percept_error *error) {
    if (region->told) { /* of an earlier answer: as the model itself said it */
        *count = (int32_t)pct_clamp_i64(region->told_count, 0, PCT_SPELLED_MOST);
        memcpy(ids, region->told, (size_t)*count * sizeof *ids);
        return PERCEPT_OK;
    }
    const bool masked = region->source == PCT_REGION_MASK;
    return pct_spelling_write_given(&model->spelling, region->box, masked ? region->mask : NULL,
                                    model->config.heads.mask_encoder_side, ids, count, error);
}

percept_status pct_answering_write(const pct_state *state, const pct_prompt *given, pct_arena *arena, pct_prompt *out,
                                   percept_error *error) {
    const pct_model *model = state->model;
    const bool both = pct_model_has_heads(model);
    const size_t most = (size_t)given->count + (size_t)given->region_count * PCT_SPELLED_MOST;
    int32_t *ids = pct_arena_take(arena, most * sizeof *ids), next = 0;
    *out = *given;
    if (!ids) return pct_fail_memory(error, "question");
    out->ids = ids;
    out->count = 0;
    for (int32_t i = 0; i < given->count; i++) {
        const bool object = given->ids[i] == model->object && next < given->region_count;
        int32_t count;
        if (!object || both) ids[out->count++] = given->ids[i];
        if (!object) continue;
        PCT_TRY(write_region(model, &given->regions[next++], ids + out->count, &count, error));
        out->count += count;
    }
    if (!both) out->region_count = 0;
    return PERCEPT_OK;
}

percept_status pct_state_fits(const pct_state *state, const pct_prompt *prompt, bool *fits, percept_error *error) {
    const pct_model *model = state->model;
    int64_t rows = prompt->count;
    for (int32_t i = 0; i < prompt->region_count && model->spelling.bins > 0; i++) {
        int32_t ids[PCT_SPELLED_MOST], count;
        PCT_TRY(write_region(model, &prompt->regions[i], ids, &count, error));
        rows += count - (pct_model_has_heads(model) ? 0 : 1); /* in the object token's place, or beside it */
    }
    *fits = rows < model->config.language.context - state->prefix;
    return PERCEPT_OK;
}

/* An answer in which nothing can be relied on: no regions, and no marks of them among its words. */
static void break_off(pct_answering *a, pct_runner *r) {
    pct_reply *reply = r->reply;
    int32_t kept = 0;
    for (int32_t i = 0; i < reply->count; i++)
        if (reply->ids[i] != a->state->model->object) reply->ids[kept++] = reply->ids[i];
    reply->count = kept;
    reply->region_count = 0;
    reply->region_tokens = 0;
    pct_runner_finish(r, PCT_FINISH_UNPARSABLE);
}

/* What was told of the region whose last id was just read, kept with it. */
static percept_status keep_told(pct_answering *a, pct_runner *r, pct_region_out *region, percept_error *error) {
    int32_t *ids = pct_arena_take(&a->state->reply, (size_t)r->told.count * sizeof *ids);
    if (!ids) return pct_fail_memory(error, "answers");
    memcpy(ids, r->told.ids, (size_t)r->told.count * sizeof *ids);
    region->told = ids;
    region->told_count = r->told.count;
    r->reply->region_tokens += r->told.count;
    return PERCEPT_OK;
}

static percept_status add_region(pct_answering *a, pct_runner *r, percept_error *error) {
    const pct_model *model = a->state->model;
    pct_reply *reply = r->reply;
    float box[4];
    pct_region_out *region = &reply->regions[reply->region_count];
    *region = (pct_region_out){.token_log_probability = (float)(r->told_log / r->told.count), .token = reply->count};
    pct_spelling_box(&model->spelling, r->told.ids, box);
    pct_region_set_box(region, (pct_real[]){box[0], box[1], box[2], box[3]});
    region->score = pct_region_score(model, region);
    PCT_TRY(keep_told(a, r, region, error));
    r->shown = reply->region_count++;
    reply->ids[reply->count++] = model->object;
    return PERCEPT_OK;
}

percept_status pct_answering_hear(pct_answering *a, pct_runner *r, int32_t id, double log_probability, bool *taken,
                                  percept_error *error) {
    const pct_model *model = a->state->model;
    const bool both = pct_model_has_heads(model);
    *taken = false;
    if (!model->spelling.bins || !a->state->seen) return PERCEPT_OK;
    if (!pct_spelling_inside(&r->told)) r->told_log = 0;
    const int32_t before = pct_spelling_inside(&r->told) ? r->told.count : 0;
    const enum pct_spelled heard = pct_spelling_read(&model->spelling, &r->told, id);
    r->told_log += log_probability;
    if (heard == PCT_SPELLED_OTHER) return PERCEPT_OK;
    if (heard == PCT_SPELLED_BROKEN && both) { /* the heads have the region; the text beside it is left */
        *taken = pct_spelling_has(&model->spelling, id);
        r->reply->region_tokens += before + *taken; /* they were written all the same */
        return PERCEPT_OK;
    }
    *taken = true;
    if (heard == PCT_SPELLED_BROKEN) {
        r->reply->broken = true;
        break_off(a, r);
        return PERCEPT_OK;
    }
    if (heard == PCT_SPELLED_INSIDE) return PERCEPT_OK;
    if (!both) return add_region(a, r, error);
    pct_reply *reply = r->reply;
    pct_region_out *last = reply->region_count > 0 ? &reply->regions[reply->region_count - 1] : NULL;
    if (last && !last->told) return keep_told(a, r, last, error);
    reply->region_tokens += r->told.count; /* of nothing, or told twice */
    return PERCEPT_OK;
}

void pct_answering_refuse(pct_answering *a, pct_runner *r) {
    if (pct_model_has_heads(a->state->model))
        pct_runner_finish(r, PCT_FINISH_UNPARSABLE);
    else
        break_off(a, r);
}

percept_status pct_answering_draw(pct_answering *a, percept_error *error) {
    const pct_model *model = a->state->model;
    for (int32_t i = 0; i < a->count && model->spelling.bins > 0; i++) { /* cut within a region */
        const pct_runner *r = &a->runners[i];
        if (!pct_spelling_inside(&r->told)) continue;
        if (pct_model_has_heads(model))
            r->reply->region_tokens += r->told.count;
        else
            r->reply->broken = true;
    }
    const int64_t side = pct_model_config_mask_side(&model->config);
    if (pct_model_has_heads(model) || !a->options->masks || model->spelling.vertices == 0) return PERCEPT_OK;
    float *logits = pct_arena_take(&a->state->reply, (size_t)(side * side) * sizeof *logits);
    if (!logits) return pct_fail_memory(error, "masks");
    for (int32_t i = 0; i < a->count; i++) {
        for (int32_t k = 0; k < a->runners[i].reply->region_count; k++) {
            pct_region_out *region = &a->runners[i].reply->regions[k];
            pct_real *mask = pct_arena_take(&a->state->reply, (size_t)(side * side) * sizeof *mask);
            if (!mask || !pct_spelling_mask(&model->spelling, region->told, region->told_count, (int32_t)side, logits))
                return pct_fail_memory(error, "masks");
            for (int64_t c = 0; c < side * side; c++) mask[c] = (pct_real)logits[c];
            region->mask = mask;
        }
    }
    return PERCEPT_OK;
}
