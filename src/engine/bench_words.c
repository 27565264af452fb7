/* bench_words.c: the stages of a language model alone: its first token, reading, going on. See bench.h. */
#include "base/clock.h"
#include "engine/bench.h"
#include "model/text.h"

enum { prompt_tokens = 512, new_tokens = 128 };

typedef struct talking {
    pct_sequence *sequence;
    int32_t ids[prompt_tokens];
    int32_t tokens; /* to generate */
    int32_t made;
} talking;

static percept_status begin(pct_bench *b, talking *t, percept_error *error) {
    *t = (talking){.tokens = 1};
    pct_bench_fill_ids(b->model, t->ids, prompt_tokens);
    return pct_sequence_create(&t->sequence, b->model, b->compute, PCT_F16, PCT_BF16, error);
}

/* From nothing: all of the prompt is read. */
static percept_status run_talking(pct_bench *b, void *context, percept_error *error) {
    talking *t = context;
    pct_generated made;
    const pct_generate_options options = {.max_tokens = t->tokens};
    (void)b;
    pct_sequence_rewind(t->sequence, 0);
    PCT_TRY(pct_sequence_generate(t->sequence, t->ids, prompt_tokens, &options, &made, error));
    t->made = made.count;
    return PERCEPT_OK;
}

static pct_bench_result reading(const pct_bench *b, double seconds) {
    const pct_bench_work *w = &b->work;
    return (pct_bench_result){.ms = seconds * 1e3,
                              .flop = prompt_tokens * (w->row + w->row_attention * prompt_tokens / 2.0) + w->output,
                              .int8 = b->compute->int8 ? prompt_tokens * w->row_stored + w->output_stored : 0,
                              .bytes = w->row_bytes + w->output_bytes,
                              .bf16 = pct_compute_prefers_bf16(b->compute),
                              .from_memory = true,
                              .rate = prompt_tokens / seconds,
                              .unit = "tokens/s"};
}

percept_status pct_bench_words_first(pct_bench *b, pct_bench_result *result, percept_error *error) {
    talking t;
    const double started = pct_clock_seconds();
    percept_status status = begin(b, &t, error);
    if (status == PERCEPT_OK) status = run_talking(b, &t, error);
    *result = reading(b, b->open_seconds + pct_clock_seconds() - started);
    result->rate = 1e3 / result->ms;
    result->unit = "starts/s";
    pct_sequence_destroy(&t.sequence);
    return status;
}

percept_status pct_bench_words_prefill(pct_bench *b, pct_bench_result *result, percept_error *error) {
    talking t;
    double seconds = 1;
    percept_status status = begin(b, &t, error);
    if (status == PERCEPT_OK) status = pct_bench_time(b, run_talking, &t, b->options->seconds, &seconds, NULL, error);
    *result = reading(b, seconds);
    pct_sequence_destroy(&t.sequence);
    return status;
}

/* What a token costs is the difference between a long answer and one of a single token. */
percept_status pct_bench_words_decode(pct_bench *b, pct_bench_result *result, percept_error *error) {
    talking t;
    double one = 0, many = 0;
    const pct_bench_work *w = &b->work;
    percept_status status = begin(b, &t, error);
    if (status == PERCEPT_OK) status = pct_bench_time(b, run_talking, &t, b->options->seconds, &one, NULL, error);
    t.tokens = new_tokens;
    if (status == PERCEPT_OK) status = pct_bench_time(b, run_talking, &t, b->options->seconds, &many, NULL, error);
    const int32_t tokens = t.made - 1;
    pct_sequence_destroy(&t.sequence);
    if (status != PERCEPT_OK || tokens < 1) return status;
    const double seconds = many > one ? (many - one) / tokens : 1e-9;
    *result = (pct_bench_result){.ms = seconds * 1e3,
                                 .flop = w->row + w->output + w->row_attention * (prompt_tokens + tokens / 2.0),
                                 .int8 = b->compute->int8 ? w->row_stored + w->output_stored : 0,
                                 .bytes = w->row_bytes + w->output_bytes,
                                 .rate = 1 / seconds,
                                 .bf16 = pct_compute_prefers_bf16(b->compute),
                                 .from_memory = true,
                                 .unit = "tokens/s"};
    return PERCEPT_OK;
}
