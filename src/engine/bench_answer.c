/* bench_answer.c: the stages of an answer: tower, prefill, decode, heads. See bench.h. */
#include "engine/bench.h"
#include "model/model_private.h"

#include <math.h>

/* So much of the operations, if the engine does them in INT8. */
static double in_int8(const pct_bench *b, double flop) { return b->compute->int8 ? flop : 0; }

static percept_status run_tower(pct_bench *b, void *context, percept_error *error) {
    (void)context;
    return pct_state_encode(b->state, b->pixels, error);
}

percept_status pct_bench_tower(pct_bench *b, pct_bench_result *result, percept_error *error) {
    double seconds;
    PCT_TRY(pct_bench_time(b, run_tower, NULL, b->options->seconds, &seconds, NULL, error));
    *result = (pct_bench_result){.ms = seconds * 1e3,
                                 .flop = b->work.encode,
                                 .int8 = in_int8(b, b->work.encode_stored),
                                 .bytes = b->work.encode_bytes + b->work.row_bytes,
                                 .rate = 1 / seconds,
                                 .bf16 = pct_compute_prefers_bf16(b->compute),
                                 .unit = "pictures/s"};
    return PERCEPT_OK;
}

/* Ordinary tokens one after the other, all prompts alike. */
enum { prompt_count = 8, prompt_tokens = 16 };
typedef struct asking {
    pct_prompt prompts[prompt_count];
    int32_t ids[prompt_tokens];
    int32_t count, max_tokens;
    int64_t generated;
} asking;

void pct_bench_fill_ids(const pct_model *model, int32_t *ids, int32_t count) {
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(model);
    int32_t id = 0, size = pct_tokenizer_size(tokenizer);
    for (int32_t i = 0; i < count; i++, id++) {
        while (pct_tokenizer_is_special(tokenizer, id % size)) id++;
        ids[i] = id % size;
    }
}

static void make_asking(const pct_bench *b, asking *a, int32_t count, int32_t max_tokens) {
    *a = (asking){.count = count, .max_tokens = max_tokens};
    pct_bench_fill_ids(b->model, a->ids, prompt_tokens);
    for (int i = 0; i < count; i++) a->prompts[i] = (pct_prompt){.ids = a->ids, .count = prompt_tokens};
}

static percept_status run_asking(pct_bench *b, void *context, percept_error *error) {
    asking *a = context;
    pct_reply replies[prompt_count];
    const pct_answer_options options = {.max_tokens = a->max_tokens, .top_p = 1};
    PCT_TRY(pct_state_answer(b->state, a->prompts, a->count, &options, replies, error));
    a->generated = 0;
    for (int32_t i = 0; i < a->count; i++) a->generated += replies[i].tokens;
    return PERCEPT_OK;
}

static double prefix_rows(const pct_bench *b) { return (double)pct_model_prefix_rows(b->model); }

percept_status pct_bench_prefill(pct_bench *b, pct_bench_result *result, percept_error *error) {
    asking a;
    double seconds, rows = prompt_count * prompt_tokens;
    make_asking(b, &a, prompt_count, 1);
    PCT_TRY(run_tower(b, NULL, error));
    PCT_TRY(pct_bench_time(b, run_asking, &a, b->options->seconds, &seconds, NULL, error));
    double flop = rows * (b->work.row + b->work.row_attention * (prefix_rows(b) + prompt_tokens / 2.0)) +
                  prompt_count * b->work.output;
    *result = (pct_bench_result){.ms = seconds * 1e3,
                                 .flop = flop,
                                 .int8 = in_int8(b, rows * b->work.row_stored + prompt_count * b->work.output_stored),
                                 .bytes = b->work.row_bytes + b->work.output_bytes,
                                 .rate = rows / seconds,
                                 .bf16 = pct_compute_prefers_bf16(b->compute),
                                 .unit = "tokens/s"};
    return PERCEPT_OK;
}

/* What a token costs is the difference between a long answer and one of a single token. */
percept_status pct_bench_decode(pct_bench *b, pct_bench_result *result, percept_error *error) {
    asking a;
    double one, many;
    PCT_TRY(run_tower(b, NULL, error));
    make_asking(b, &a, 1, 1);
    PCT_TRY(pct_bench_time(b, run_asking, &a, b->options->seconds, &one, NULL, error));
    int32_t room = pct_model_get_config(b->model)->language.context - (int32_t)prefix_rows(b) - prompt_tokens;
    const int32_t most = b->work.row_bytes > 1e9 ? 17 : 65; /* of a large model fewer are as exact */
    make_asking(b, &a, 1, room < most ? room : most);
    PCT_TRY(pct_bench_time(b, run_asking, &a, b->options->seconds, &many, NULL, error));
    double tokens = (double)a.generated - 1;
    if (tokens < 1) return PERCEPT_OK; /* this model has nothing to say to noise: nothing was measured */
    double seconds = fmax(many - one, 1e-9) / tokens;
    *result = (pct_bench_result){.ms = seconds * 1e3,
                                 .flop = b->work.row + b->work.output +
                                         b->work.row_attention * (prefix_rows(b) + prompt_tokens + tokens / 2),
                                 .int8 = in_int8(b, b->work.row_stored + b->work.output_stored),
                                 .bytes = b->work.row_bytes + b->work.output_bytes,
                                 .rate = 1 / seconds,
                                 .bf16 = pct_compute_prefers_bf16(b->compute),
                                 .from_memory = b->work.row_bytes > 1e9,
                                 .unit = "tokens/s"};
    return PERCEPT_OK;
}

enum { region_count = 8 };
typedef struct looking {
    pct_tape tape;
    pct_arena arena, kept;
    pct_sight sight;
    pct_real *states;
} looking;

static percept_status run_heads(pct_bench *b, void *context, percept_error *error) {
    looking *l = context;
    static const int32_t picture[region_count] = {0};
    int32_t width = pct_model_get_config(b->model)->language.width;
    l->tape.arena = &l->arena;
    pct_tensor *states = pct_tape_input(&l->tape, PCT_REAL, 2, (int64_t[]){region_count, width}, l->states);
    pct_model_regions(&l->tape, b->model, &l->sight.keys, states, picture);
    percept_status status = pct_tape_status(&l->tape, error);
    pct_tape_clear(&l->tape);
    pct_arena_reset(&l->arena);
    return status;
}

percept_status pct_bench_heads(pct_bench *b, pct_bench_result *result, percept_error *error) {
    const pct_model_config *config = pct_model_get_config(b->model);
    looking l = {0};
    double seconds = 0;
    if (config->language.regions == PCT_REGIONS_TEXT)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "heads: this model's regions are text and it has none; leave heads out of the stages");
    pct_arena_init(&l.arena, 0);
    pct_arena_init(&l.kept, 0);
    pct_tape_init(&l.tape, b->compute, &l.kept, false, pct_compute_prefers_bf16(b->compute) ? PCT_BF16 : PCT_REAL);
    int64_t side = config->image.side;
    pct_tensor *pixels = pct_tape_input(&l.tape, PCT_REAL, 4, (int64_t[]){1, side, side, 3}, b->pixels);
    l.sight = pct_model_see(&l.tape, b->model, pixels, false);
    l.states = pct_arena_take_zeroed(&l.kept, (size_t)region_count * (size_t)config->language.width, sizeof *l.states);
    percept_status status = l.states ? pct_tape_status(&l.tape, error) : pct_fail_memory(error, "bench");
    if (status == PERCEPT_OK) status = pct_bench_time(b, run_heads, &l, b->options->seconds, &seconds, NULL, error);
    pct_arena_free(&l.arena);
    pct_arena_free(&l.kept);
    *result = (pct_bench_result){.ms = seconds * 1e3,
                                 .flop = region_count * b->work.region,
                                 .int8 = in_int8(b, region_count * b->work.region_stored),
                                 .bytes = b->work.region_bytes,
                                 .rate = region_count / seconds,
                                 .bf16 = pct_compute_prefers_bf16(b->compute),
                                 .unit = "regions/s"};
    return status;
}
