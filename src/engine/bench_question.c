/* bench_question.c: whole questions from a file on: the first token of a model that was just opened, and one question
 * of MLLMSeg's from the picture to the mask. See bench.h. */
#include "base/clock.h"
#include "base/random.h"
#include "engine/bench.h"
#include "image/mask.h"
#include "image/segment.h"
#include "model/model_private.h"

#include <stdlib.h>
#include <string.h>

static double in_int8(const pct_bench *b, double flop) { return b->compute->int8 ? flop : 0; }

/* ---- the first token -------------------------------------------------------------------------------------------- */

enum { first_tokens = 16 };

percept_status pct_bench_first(pct_bench *b, pct_bench_result *result, percept_error *error) {
    int32_t ids[first_tokens];
    pct_bench_fill_ids(b->model, ids, first_tokens);
    const pct_prompt prompt = {.ids = ids, .count = first_tokens};
    const pct_answer_options options = {.max_tokens = 1, .top_p = 1};
    pct_reply reply;
    const double started = pct_clock_seconds();
    PCT_TRY(pct_state_encode(b->state, b->pixels, error));
    PCT_TRY(pct_state_answer(b->state, &prompt, 1, &options, &reply, error));
    const double seconds = b->open_seconds + pct_clock_seconds() - started;
    const double seen = (double)pct_model_prefix_rows(b->model) + first_tokens / 2.0;
    *result = (pct_bench_result){
        .ms = seconds * 1e3,
        .flop = b->work.encode + first_tokens * (b->work.row + b->work.row_attention * seen) + b->work.output,
        .int8 = in_int8(b, b->work.encode_stored + first_tokens * b->work.row_stored + b->work.output_stored),
        .bytes = b->work.encode_bytes + b->work.row_bytes + b->work.output_bytes,
        .rate = 1 / seconds,
        .bf16 = pct_compute_prefers_bf16(b->compute),
        .from_memory = true,
        .unit = "starts/s"};
    return PERCEPT_OK;
}

/* ---- a question of MLLMSeg's ------------------------------------------------------------------------------------ */

enum { width = 1280, height = 720, rows = 330, begun = 6 }; /* rows: of the language model, picture included */

typedef struct asking {
    pct_model *model;
    pct_state *state;
    pct_image picture;
    pct_real *pixels;
    int32_t ids[rows];
    pct_prompt prompt;
} asking;

static percept_status run_question(pct_bench *b, void *context, percept_error *error) {
    asking *a = context;
    const pct_model_config *c = pct_model_get_config(a->model);
    const pct_answer_options options = {.masks = true};
    pct_fit fit;
    pct_reply reply;
    pct_segment segment = {0};
    PCT_TRY(pct_fit_make(&fit, c->image.fit, c->image.side, width, height, error));
    PCT_TRY(pct_fit_normalise(&fit, &a->picture, c->image.mean, c->image.deviation, a->pixels, b->pool, error));
    PCT_TRY(pct_state_encode(a->state, a->pixels, error));
    PCT_TRY(pct_state_answer(a->state, &a->prompt, 1, &options, &reply, error));
    PCT_ASSERT(reply.region_count == 1);
    percept_status status =
        pct_segment_read(&segment, &fit, reply.regions[0].mask, pct_model_config_mask_side(c), 0.5f, b->pool, error);
    pct_mask_free(&segment.mask);
    return status;
}

static percept_status prepare(asking *a, pct_bench *b, pct_dtype type, percept_error *error) {
    pct_bench_file file;
    double seconds;
    pct_random random;
    pct_bench_mllmseg_1b(&file);
    file.type = type;
    PCT_TRY(pct_bench_open_file(&a->model, &file, &b->meter, b->done, &seconds, error));
    PCT_TRY(pct_state_create(&a->state, a->model, b->compute, error));
    PCT_TRY(pct_image_new(&a->picture, width, height, 3, error));
    pct_random_init(&random, 3, 0, 0);
    for (size_t i = 0; i < (size_t)width * height * 3; i++)
        a->picture.data[i] = (unsigned char)pct_random_below(&random, 256);
    const size_t side = (size_t)pct_model_get_config(a->model)->image.side;
    a->pixels = malloc(side * side * 3 * sizeof *a->pixels);
    if (!a->pixels) return pct_fail_memory(error, "bench");
    const int32_t count = rows - (int32_t)pct_model_prefix_rows(a->model);
    if (count <= begun + 1)
        return pct_fail(error, PERCEPT_ERROR_RESOURCE, "the picture's rows alone are %d", rows - count);
    pct_bench_fill_ids(a->model, a->ids, count);
    a->prompt = (pct_prompt){.ids = a->ids, .count = count, .begun = begun, .end = a->ids, .end_count = 1};
    return PERCEPT_OK;
}

percept_status pct_bench_question(pct_bench *b, pct_dtype type, pct_bench_result *result, percept_error *error) {
    asking a = {0};
    double seconds = 0;
    percept_status status = prepare(&a, b, type, error);
    if (status == PERCEPT_OK) status = pct_bench_time(b, run_question, &a, b->options->seconds, &seconds, NULL, error);
    if (status == PERCEPT_OK) {
        const pct_bench_work work = pct_bench_count(a.model);
        const double own = a.prompt.count;
        *result =
            (pct_bench_result){.ms = seconds * 1e3,
                               .flop = work.encode + own * (work.row + work.row_attention * rows) + work.region,
                               .int8 = in_int8(b, work.encode_stored + own * work.row_stored + work.region_stored),
                               .bytes = work.encode_bytes + work.row_bytes + work.region_bytes,
                               .rate = 1 / seconds,
                               .bf16 = pct_compute_prefers_bf16(b->compute),
                               .from_memory = true,
                               .unit = "questions/s"};
        b->work.parameters = work.parameters;
    }
    free(a.pixels);
    pct_image_free(&a.picture);
    pct_state_destroy(&a.state);
    pct_model_close(&a.model);
    return status;
}
