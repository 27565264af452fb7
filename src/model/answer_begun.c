/* Answers of models that do not choose their own object token (MLLMSeg's): the words are in the prompt, and the state
 * of its last row gives the one region. */
#include "base/clock.h"
#include "model/answering.h"

#include <math.h>
#include <string.h>

enum { point_batch = 4 }; /* masks decoded at a time: about 30 MB each */

/* The probabilities, and of those that are at least a half their extent and mean. */
static void read_mask(pct_region_out *region, const pct_real *logits, int64_t side, pct_real *mask) {
    int64_t x0 = side, y0 = side, x1 = 0, y1 = 0, count = 0;
    double sum = 0;
    for (int64_t i = 0; i < side * side; i++) {
        const pct_real p = 1 / (1 + (pct_real)exp(-(double)pct_held(logits[i], -80, 80)));
        if (mask) mask[i] = p;
        if (!(p >= (pct_real)0.5)) continue;
        const int64_t x = i % side, y = i / side;
        if (x < x0) x0 = x;
        if (x >= x1) x1 = x + 1;
        if (y < y0) y0 = y;
        if (y >= y1) y1 = y + 1;
        sum += (double)p;
        count++;
    }
    if (!count) return; /* nothing there: a score of 0 */
    const pct_real box[4] = {(pct_real)x0 / (pct_real)side, (pct_real)y0 / (pct_real)side,
                             (pct_real)x1 / (pct_real)side, (pct_real)y1 / (pct_real)side};
    pct_region_set_box(region, box);
    region->score = (float)(sum / (double)count);
}

/* The reply: what was begun, the region, the end. */
static void reply_begun(pct_answering *a, pct_runner *r, int32_t index) {
    const pct_prompt *prompt = r->prompt;
    pct_reply *reply = r->reply;
    memcpy(reply->ids, prompt->ids + prompt->count - prompt->begun, (size_t)prompt->begun * sizeof *reply->ids);
    reply->count = prompt->begun;
    reply->regions[0].token = reply->count;
    reply->ids[reply->count++] = a->state->model->object;
    if (prompt->end_count)
        memcpy(reply->ids + reply->count, prompt->end, (size_t)prompt->end_count * sizeof *reply->ids);
    reply->count += prompt->end_count;
    reply->tokens = reply->count;
    reply->region_tokens = 1;
    pct_runner_finish(r, PCT_FINISH_STOP);
    for (int32_t i = 0; i < reply->count && a->options->token && !a->stopped; i++) {
        const pct_region_out *region = i == prompt->begun ? reply->regions : NULL;
        a->stopped = a->options->token(a->options->context, index, reply->ids[i], region);
    }
}

static percept_status point_some(pct_answering *a, const pct_real *states, int32_t first, int32_t count,
                                 percept_error *error) {
    pct_state *state = a->state;
    pct_tape *tape = &state->tape;
    const int64_t width = state->model->config.language.width;
    const int64_t side = pct_model_config_mask_side(&state->model->config);
    int32_t *picture = pct_tape_ints(tape, count);
    if (!picture) return pct_tape_status(tape, error);
    pct_tensor *chosen = pct_tape_input(tape, PCT_REAL, 2, (int64_t[]){count, width}, states + first * width);
    pct_tensor *logits = pct_res_decoder_apply(tape, &state->model->res, &state->res, chosen, picture);
    PCT_TRY(pct_tape_status(tape, error));
    for (int32_t i = 0; i < count; i++) {
        pct_runner *r = &a->runners[first + i];
        pct_region_out *region = &r->reply->regions[0];
        *region = (pct_region_out){0};
        r->reply->region_count = 1;
        pct_real *mask = NULL;
        if (a->options->masks) {
            mask = pct_arena_take(&state->reply, (size_t)(side * side) * sizeof *mask);
            if (!mask) return pct_fail_memory(error, "masks");
        }
        read_mask(region, pct_tensor_data(logits) + i * side * side, side, mask);
        region->mask = mask;
        reply_begun(a, r, first + i);
    }
    return PERCEPT_OK;
}

/* One pass over the prompts; the state of each one's last row is what chooses [SEG]. */
percept_status pct_answering_point(pct_answering *a, percept_error *error) {
    pct_state *state = a->state;
    const size_t size = (size_t)a->count * (size_t)state->model->config.language.width;
    pct_pass p;
    pct_tensor *last = pct_answering_read(a, &p);
    PCT_TRY(pct_tape_status(&state->tape, error));
    pct_real *states = pct_arena_take(&state->reply, size * sizeof *states);
    if (!states) return pct_fail_memory(error, "states");
    memcpy(states, pct_tensor_data(last), size * sizeof *states);
    for (int32_t i = 0; i < a->count; i += point_batch) {
        pct_tape_clear(&state->tape);
        pct_arena_reset(&state->step);
        const bool late = a->options->deadline > 0 && pct_clock_seconds() >= a->options->deadline;
        if (late || a->stopped) {
            const enum pct_finish finish = a->stopped ? PCT_FINISH_STOP : PCT_FINISH_TIME;
            for (int32_t k = i; k < a->count; k++) pct_runner_finish(&a->runners[k], finish);
            break;
        }
        PCT_TRY(point_some(a, states, i, a->count - i < point_batch ? a->count - i : point_batch, error));
    }
    return PERCEPT_OK;
}
