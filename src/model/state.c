#include "model/state.h"

#include <stdlib.h>
#include <string.h>

percept_status pct_state_create(pct_state **out, pct_model *model, pct_compute *compute, percept_error *error) {
    *out = NULL;
    PCT_TRY(pct_tower_prepare(&model->tower, &model->parameters, compute, error));
    pct_state *state = calloc(1, sizeof *state);
    if (!state) return pct_fail_memory(error, "session");
    state->model = model;
    state->compute = compute;
    pct_arena_init(&state->step, (size_t)8 << 20);
    pct_arena_init(&state->picture, 0);
    pct_arena_init(&state->reply, 0);
    pct_dtype product = pct_compute_prefers_bf16(compute) ? PCT_BF16 : PCT_REAL;
    pct_tape_init(&state->tape, compute, &state->step, false, product);
    size_t vocabulary = (size_t)model->config.language.vocabulary;
    state->probability = malloc(vocabulary * sizeof *state->probability);
    state->order = malloc(vocabulary * sizeof *state->order);
    if (!state->probability || !state->order) {
        pct_state_destroy(&state);
        return pct_fail_memory(error, "session");
    }
    *out = state;
    return PERCEPT_OK;
}

void pct_state_destroy(pct_state **state) {
    if (!state || !*state) return;
    pct_arena_free(&(*state)->step);
    pct_arena_free(&(*state)->picture);
    pct_arena_free(&(*state)->reply);
    pct_cache_free(&(*state)->cache);
    free((*state)->probability);
    free((*state)->order);
    free(*state);
    *state = NULL;
}

void pct_state_forget(pct_state *state) {
    state->seen = false;
    state->prefix = 0;
}

/* Copies a tensor out of the pass's arena; *tensor stays NULL when it is. */
static bool keep(pct_state *state, pct_tensor **tensor) {
    if (!*tensor) return true;
    pct_tensor *copy = pct_arena_take(&state->picture, sizeof *copy);
    size_t bytes = (size_t)pct_tensor_count(*tensor) * sizeof(pct_real);
    void *data = pct_arena_take(&state->picture, bytes);
    if (!copy || !data) return false;
    memcpy(data, (*tensor)->data, bytes);
    *copy = (pct_tensor){.type = PCT_REAL, .rank = (*tensor)->rank, .data = data};
    memcpy(copy->dim, (*tensor)->dim, sizeof copy->dim);
    *tensor = copy;
    return true;
}

/* The prefix's keys and values to the first rows of the cache. PCT_HEADS_RES: also the states that MLLMSeg takes for
 * the picture's tokens, each of the row BEFORE one, as in its code; NULL else. */
static pct_tensor *run_prefix(pct_state *state, pct_tensor *prefix) {
    const pct_model *model = state->model;
    int32_t rows = (int32_t)state->prefix;
    int32_t tokens = model->config.heads.kind == PCT_HEADS_RES ? pct_model_config_image_tokens(&model->config) : 0;
    int32_t *index = pct_tape_ints(&state->tape, rows), *positions = pct_tape_ints(&state->tape, rows);
    int32_t *wanted = pct_tape_ints(&state->tape, tokens);
    if (!index || !positions || !wanted) return NULL;
    for (int32_t i = 0; i < rows; i++) {
        index[i] = i;
        positions[i] = pct_model_position(model, rows, i);
    }
    for (int32_t i = 0; i < tokens; i++) wanted[i] = rows - tokens - 1 + i;
    pct_span span = {.q_count = rows, .own_count = rows};
    span.causal = model->config.language.prefix == PCT_PREFIX_CAUSAL;
    pct_span seen = span; /* by the wanted rows, which end one before the last */
    seen.q_count = tokens;
    seen.own_count = span.causal ? rows - 1 : rows;
    pct_language_input input = {
        .x = prefix,
        .positions = positions,
        .spans = &span,
        .span_count = 1,
        .cache = &state->cache,
        .cache_rows = index,
        .cache_used = rows,
        .wanted = tokens ? wanted : NULL,
        .wanted_count = tokens,
        .wanted_spans = &seen,
        .wanted_span_count = tokens ? 1 : 0,
    };
    return pct_language_states(&state->tape, &model->language, &input);
}

percept_status pct_state_encode(pct_state *state, const pct_real *pixels, percept_error *error) {
    pct_model *model = state->model;
    pct_tape *tape = &state->tape;
    pct_state_forget(state);
    pct_arena_reset(&state->picture);
    int64_t side = model->config.image.side, rows = pct_model_prefix_rows(model);
    PCT_TRY(pct_cache_reserve(&state->cache, &model->language.options, rows, 0, error));
    state->prefix = rows;
    pct_tensor *input = pct_tape_input(tape, PCT_REAL, 4, (int64_t[]){1, side, side, 3}, pixels);
    pct_sight sight = pct_model_see(tape, model, input, false);
    pct_tensor *cell_boxes = pct_model_cell_boxes(tape, model, sight.cells);
    pct_tensor *states = pct_tape_failed(tape) ? NULL : run_prefix(state, sight.prefix);
    pct_res_keys res = {0};
    if (sight.vision && states) res = pct_res_decoder_prepare(tape, &model->res, sight.vision, states, 1);
    percept_status status = pct_tape_status(tape, error);
    if (status == PERCEPT_OK) {
        state->keys = sight.keys;
        state->ground = sight.ground;
        state->res = res;
        state->cell_boxes = cell_boxes;
        pct_mask_keys *k = &state->keys;
        if (!keep(state, &k->grid) || !keep(state, &k->place) || !keep(state, &k->k) || !keep(state, &k->v) ||
            !keep(state, &k->q) || !keep(state, &k->skip) || !keep(state, &state->ground.keys) ||
            !keep(state, &state->ground.values) || !keep(state, &state->res.grid) || !keep(state, &state->cell_boxes))
            status = pct_fail_memory(error, "features of a picture");
    }
    pct_tape_clear(tape);
    pct_arena_reset(&state->step);
    state->seen = status == PERCEPT_OK;
    if (!state->seen) state->prefix = 0;
    return status;
}
