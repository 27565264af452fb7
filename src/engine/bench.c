/* bench.c: percept_bench_run: how fast each stage is, beside what this machine can do at best. */
#include "engine/bench.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/text.h"
#include "engine/options.h"
#include "formats/json.h"
#include "model/model_private.h"
#include "percept/jobs.h"
#include "train/optimiser.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum stage { PEAK, TOWER, PREFILL, DECODE, HEADS, TRAIN, STAGES };
static const char *const stage_names[STAGES] = {"peak", "tower", "prefill", "decode", "heads", "train"};
static const char *const stage_help[STAGES] = {
    "products of 1024 x 1024 x 1024",     "one picture: tower, connector, prefix, mask keys",
    "8 questions of 16 tokens",           "one token of one answer",
    "8 regions: masks, boxes, qualities", "a training step of 8 pictures with 6 questions each",
};

typedef struct result {
    bool measured;
    double ms;    /* median of a run */
    double flop;  /* of a run; 0: bytes count */
    double bytes; /* read in a run */
    double rate;  /* of what `unit` says, a second */
    const char *unit;
    double share; /* of the machine's peak */
} result;

typedef struct bench {
    const percept_bench_options *options;
    pct_pool *pool;
    pct_compute *compute;
    pct_model *model;
    pct_state *state;
    pct_real *pixels;
    pct_bench_work work;
    pct_meter meter;
    int64_t done;
    double peak_flops, peak_f32, peak_bytes; /* a second */
    result results[STAGES];
} bench;

/* ---- timing ---------------------------------------------------------------------------------------------------------
 */

typedef percept_status run_fn(bench *b, void *context, percept_error *error);

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Median seconds of a run, after one to warm up: as many runs as fit the time, at least three. */
static percept_status time_runs(bench *b, run_fn *run, void *context, double *median, percept_error *error) {
    enum { most = 1000 };
    double times[most];
    int count = 0;
    PCT_TRY(run(b, context, error));
    double ends = pct_clock_seconds() + b->options->seconds;
    while (count < most && (count < 3 || pct_clock_seconds() < ends)) {
        double started = pct_clock_seconds();
        PCT_TRY(run(b, context, error));
        times[count++] = pct_clock_seconds() - started;
        if (pct_meter_update(&b->meter, b->done, NULL)) {
            return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted");
        }
    }
    qsort(times, (size_t)count, sizeof *times, by_value);
    *median = times[count / 2];
    return PERCEPT_OK;
}

/* ---- the machine ----------------------------------------------------------------------------------------------------
 */

static percept_status run_gemm(bench *b, void *context, percept_error *error) {
    (void)error;
    pct_gemm_run(b->compute, context);
    return PERCEPT_OK;
}

static percept_status measure_product(bench *b, pct_dtype type, double *flops, percept_error *error) {
    enum { n = 1024 };
    size_t bytes = (size_t)n * n * sizeof(pct_real);
    void *a = calloc(1, bytes), *w = calloc(1, bytes);
    pct_real *c = calloc(1, bytes);
    percept_status status = a && w && c ? PERCEPT_OK : pct_fail_memory(error, "bench");
    pct_gemm gemm = {.m = n,
                     .n = n,
                     .k = n,
                     .a = a,
                     .b = w,
                     .type = type,
                     .b_transposed = true,
                     .lda = n,
                     .ldb = n,
                     .ldc = n,
                     .c = c};
    double seconds = 0;
    if (status == PERCEPT_OK) status = time_runs(b, run_gemm, &gemm, &seconds, error);
    if (status == PERCEPT_OK) *flops = 2.0 * n * n * n / seconds;
    free(a);
    free(w);
    free(c);
    return status;
}

typedef struct reading {
    const uint64_t *data;
    int64_t count; /* of lines of 64 bytes */
    uint64_t sums[512];
} reading;

static void read_part(void *context, int64_t begin, int64_t end, int worker) {
    reading *r = context;
    uint64_t sums[8] = {0};
    for (int64_t line = begin; line < end; line++) {
        for (int i = 0; i < 8; i++) sums[i] += r->data[8 * line + i];
    }
    for (int i = 0; i < 8; i++) r->sums[worker] += sums[i];
}

static percept_status run_reading(bench *b, void *context, percept_error *error) {
    (void)error;
    reading *r = context;
    pct_parallel_for(b->pool, r->count, 1, read_part, r);
    return PERCEPT_OK;
}

static percept_status measure_reading(bench *b, percept_error *error) {
    const int64_t lines = (int64_t)2 << 20; /* 128 MiB: beyond the caches of the machines we know */
    reading *r = calloc(1, sizeof *r);
    uint64_t *data = malloc((size_t)lines * 64);
    percept_status status = r && data ? PERCEPT_OK : pct_fail_memory(error, "bench");
    double seconds = 0;
    if (status == PERCEPT_OK) {
        memset(data, 1, (size_t)lines * 64);
        *r = (reading){.data = data, .count = lines};
        status = time_runs(b, run_reading, r, &seconds, error);
    }
    if (status == PERCEPT_OK) b->peak_bytes = (double)lines * 64 / seconds;
    free(data);
    free(r);
    return status;
}

static percept_status measure_peak(bench *b, percept_error *error) {
    PCT_TRY(measure_product(b, PCT_REAL, &b->peak_f32, error));
    b->peak_flops = b->peak_f32;
    if (pct_compute_prefers_bf16(b->compute)) PCT_TRY(measure_product(b, PCT_BF16, &b->peak_flops, error));
    PCT_TRY(measure_reading(b, error));
    double flop = 2.0 * 1024 * 1024 * 1024;
    b->results[PEAK] = (result){.measured = true,
                                .ms = flop / b->peak_flops * 1e3,
                                .flop = flop,
                                .rate = b->peak_flops * 1e-9,
                                .unit = "GFLOP/s",
                                .share = 1};
    return PERCEPT_OK;
}

/* ---- answering ------------------------------------------------------------------------------------------------------
 */

static percept_status run_tower(bench *b, void *context, percept_error *error) {
    (void)context;
    return pct_state_encode(b->state, b->pixels, error);
}

static percept_status measure_tower(bench *b, percept_error *error) {
    double seconds;
    PCT_TRY(time_runs(b, run_tower, NULL, &seconds, error));
    b->results[TOWER] =
        (result){.ms = seconds * 1e3, .flop = b->work.encode, .rate = 1 / seconds, .unit = "pictures/s"};
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

static void make_asking(const bench *b, asking *a, int32_t count, int32_t max_tokens) {
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(b->model);
    int32_t id = 0, size = pct_tokenizer_size(tokenizer);
    *a = (asking){.count = count, .max_tokens = max_tokens};
    for (int i = 0; i < prompt_tokens; i++, id++) {
        while (pct_tokenizer_is_special(tokenizer, id % size)) id++;
        a->ids[i] = id % size;
    }
    for (int i = 0; i < count; i++) a->prompts[i] = (pct_prompt){.ids = a->ids, .count = prompt_tokens};
}

static percept_status run_asking(bench *b, void *context, percept_error *error) {
    asking *a = context;
    pct_reply replies[prompt_count];
    const pct_answer_options options = {.max_tokens = a->max_tokens, .top_p = 1};
    PCT_TRY(pct_state_answer(b->state, a->prompts, a->count, &options, replies, error));
    a->generated = 0;
    for (int32_t i = 0; i < a->count; i++) a->generated += replies[i].count;
    return PERCEPT_OK;
}

static double prefix_rows(const bench *b) { return (double)pct_model_prefix_rows(b->model); }

static percept_status measure_prefill(bench *b, percept_error *error) {
    asking a;
    double seconds, rows = prompt_count * prompt_tokens;
    make_asking(b, &a, prompt_count, 1);
    PCT_TRY(run_tower(b, NULL, error));
    PCT_TRY(time_runs(b, run_asking, &a, &seconds, error));
    double flop = rows * (b->work.row + b->work.row_attention * (prefix_rows(b) + prompt_tokens / 2.0)) +
                  prompt_count * b->work.output;
    b->results[PREFILL] = (result){.ms = seconds * 1e3, .flop = flop, .rate = rows / seconds, .unit = "tokens/s"};
    return PERCEPT_OK;
}

/* What a token costs is the difference between a long answer and one of a single token. */
static percept_status measure_decode(bench *b, percept_error *error) {
    asking a;
    double one, many;
    PCT_TRY(run_tower(b, NULL, error));
    make_asking(b, &a, 1, 1);
    PCT_TRY(time_runs(b, run_asking, &a, &one, error));
    int32_t room = pct_model_get_config(b->model)->language.context - (int32_t)prefix_rows(b) - prompt_tokens;
    make_asking(b, &a, 1, room < 65 ? room : 65);
    PCT_TRY(time_runs(b, run_asking, &a, &many, error));
    double tokens = (double)a.generated - 1;
    if (tokens < 1) return PERCEPT_OK; /* this model has nothing to say to noise: nothing was measured */
    double seconds = fmax(many - one, 1e-9) / tokens;
    b->results[DECODE] =
        (result){.ms = seconds * 1e3, .bytes = b->work.language_bytes, .rate = 1 / seconds, .unit = "tokens/s"};
    return PERCEPT_OK;
}

enum { region_count = 8 };
typedef struct looking {
    pct_tape tape;
    pct_arena arena, kept;
    pct_sight sight;
    pct_real *states;
} looking;

static percept_status run_heads(bench *b, void *context, percept_error *error) {
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

static percept_status measure_heads(bench *b, percept_error *error) {
    const pct_model_config *config = pct_model_get_config(b->model);
    looking l = {0};
    double seconds = 0;
    pct_arena_init(&l.arena, 0);
    pct_arena_init(&l.kept, 0);
    pct_tape_init(&l.tape, b->compute, &l.kept, false, pct_compute_prefers_bf16(b->compute) ? PCT_BF16 : PCT_REAL);
    int64_t side = config->image.side;
    pct_tensor *pixels = pct_tape_input(&l.tape, PCT_REAL, 4, (int64_t[]){1, side, side, 3}, b->pixels);
    l.sight = pct_model_see(&l.tape, b->model, pixels, false);
    l.states = pct_arena_take_zeroed(&l.kept, (size_t)region_count * (size_t)config->language.width, sizeof *l.states);
    percept_status status = l.states ? pct_tape_status(&l.tape, error) : pct_fail_memory(error, "bench");
    if (status == PERCEPT_OK) status = time_runs(b, run_heads, &l, &seconds, error);
    pct_arena_free(&l.arena);
    pct_arena_free(&l.kept);
    b->results[HEADS] = (result){.ms = seconds * 1e3,
                                 .flop = region_count * b->work.region,
                                 .rate = region_count / seconds,
                                 .unit = "regions/s"};
    return status;
}

/* ---- training -------------------------------------------------------------------------------------------------------
 */

enum { train_pictures = 8 };
typedef struct training {
    pct_model *model;
    pct_tape tape;
    pct_arena step, data;
    pct_batch batch;
    pct_loss_weights weights;
    pct_optimiser optimiser;
    int64_t steps;
} training;

static percept_status run_training(bench *b, void *context, percept_error *error) {
    (void)b;
    training *t = context;
    pct_losses losses;
    pct_optimiser_zero(&t->optimiser);
    pct_tensor *loss = pct_model_loss(t->model, &t->tape, &t->batch, &t->weights, &losses);
    pct_tape_back(&t->tape, loss);
    percept_status status = pct_tape_status(&t->tape, error);
    pct_optimiser_step(&t->optimiser, 1e-6, pct_optimiser_norm(&t->optimiser), ++t->steps);
    pct_tape_clear(&t->tape);
    pct_arena_reset(&t->step);
    return status;
}

static percept_status prepare_training(bench *b, training *t, percept_error *error) {
    pct_model_config config = *pct_model_get_config(b->model);
    const pct_optimiser_options options = {.beta1 = 0.9f, .beta2 = 0.98f, .epsilon = 1e-8f, .decay = 0.05f, .clip = 1};
    PCT_TRY(pct_model_create(&t->model, &config, NULL, 1, error));
    t->batch = pct_bench_batch(&t->data, &config, train_pictures);
    if (t->batch.rows == 0) return pct_fail_memory(error, "bench");
    pct_loss_weights_default(&t->weights);
    pct_dtype product = pct_compute_prefers_bf16(b->compute) ? PCT_BF16 : PCT_REAL;
    pct_tape_init(&t->tape, b->compute, &t->step, true, product);
    t->tape.recycle = true;
    return pct_optimiser_init(&t->optimiser, &options, b->compute, pct_model_get_parameters(t->model), error);
}

static percept_status measure_training(bench *b, percept_error *error) {
    training t = {0};
    double seconds = 0;
    pct_arena_init(&t.step, 0);
    pct_arena_init(&t.data, 0);
    percept_status status = prepare_training(b, &t, error);
    if (status == PERCEPT_OK) status = time_runs(b, run_training, &t, &seconds, error);
    /* forward, and twice as much back; attention of text rows to their prefix included */
    const pct_bench_work *w = &b->work;
    double forward = train_pictures * w->encode + t.batch.object_count * w->region +
                     t.batch.rows * (w->row + w->row_attention * prefix_rows(b) + w->output);
    b->results[TRAIN] = (result){
        .ms = seconds * 1e3, .flop = 3 * forward, .rate = t.batch.segment_count / seconds, .unit = "questions/s"};
    pct_optimiser_free(&t.optimiser);
    pct_model_close(&t.model);
    pct_arena_free(&t.step);
    pct_arena_free(&t.data);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------
 */

static percept_status choose_stages(const char *list, bool *wanted, percept_error *error) {
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t length = strcspn(at, ",");
        int found = -1;
        for (int i = 0; i < STAGES; i++) {
            if (strlen(stage_names[i]) == length && strncmp(at, stage_names[i], length) == 0) found = i;
        }
        if (found < 0) {
            return pct_fail(error, PERCEPT_ERROR_USAGE,
                            "stages: \"%.*s\" is not one of peak, tower, prefill, decode, "
                            "heads, train",
                            (int)(length < 40 ? length : 40), at);
        }
        wanted[found] = true;
    }
    for (int i = 0; i < STAGES; i++) wanted[i] = wanted[i] || !list;
    wanted[PEAK] = true; /* the others are shares of it */
    return PERCEPT_OK;
}

static percept_status open_all(bench *b, percept_error *error) {
    const percept_bench_options *o = b->options;
    PCT_TRY(pct_pool_create(&b->pool, o->threads, error));
    PCT_TRY(pct_compute_create(&b->compute, b->pool, pct_cpu_flags() & o->cpu_mask, error));
    PCT_TRY(o->model ? pct_model_open(&b->model, o->model, false, error)
                     : pct_bench_random_model(&b->model, o->shape, error));
    PCT_TRY(pct_state_create(&b->state, b->model, b->compute, error));
    b->work = pct_bench_count(b->model);
    size_t side = (size_t)pct_model_get_config(b->model)->image.side;
    b->pixels = malloc(side * side * 3 * sizeof *b->pixels);
    if (!b->pixels) return pct_fail_memory(error, "bench");
    pct_random random;
    pct_random_init(&random, 3, 0, 0);
    for (size_t i = 0; i < side * side * 3; i++) b->pixels[i] = (pct_real)pct_random_between(&random, -2, 2);
    return PERCEPT_OK;
}

static percept_status measure_all(bench *b, const bool *wanted, percept_error *error) {
    static percept_status (*const measure[STAGES])(bench *, percept_error *) = {
        measure_peak, measure_tower, measure_prefill, measure_decode, measure_heads, measure_training};
    int64_t total = 0;
    for (int i = 0; i < STAGES; i++) total += wanted[i];
    pct_meter_start(&b->meter, b->meter.callback, b->meter.context, "bench", "stage", 0, total);
    for (int i = 0; i < STAGES; i++) {
        if (!wanted[i]) continue;
        PCT_TRY(measure[i](b, error));
        result *r = &b->results[i];
        r->measured = r->ms > 0;
        if (i != PEAK && r->measured) {
            r->share =
                r->flop > 0 ? r->flop / (r->ms * 1e-3) / b->peak_flops : r->bytes / (r->ms * 1e-3) / b->peak_bytes;
        }
        pct_meter_update(&b->meter, ++b->done, NULL);
    }
    return PERCEPT_OK;
}

static double rounded(double value) { return rint(value * 1e4) / 1e4; }

static void write_json(const bench *b, pct_text *text) {
    pct_text_puts(text, "{\"schema\": 1, \"model\": ");
    pct_json_add_text(text, pct_model_get_card(b->model)->name);
    pct_text_printf(text, ", \"threads\": %d, \"cpu\": \"%s\", \"peak\": {\"gflops\": ", pct_pool_threads(b->pool),
                    pct_cpu_flags_text(b->compute->kernels.cpu_flags));
    pct_text_number(text, rounded(b->peak_flops * 1e-9));
    pct_text_puts(text, ", \"gflops_f32\": ");
    pct_text_number(text, rounded(b->peak_f32 * 1e-9));
    pct_text_puts(text, ", \"gbytes\": ");
    pct_text_number(text, rounded(b->peak_bytes * 1e-9));
    pct_text_puts(text, "}, \"stages\": {");
    bool first = true;
    for (int i = PEAK + 1; i < STAGES; i++) {
        const result *r = &b->results[i];
        if (!r->measured) continue;
        pct_text_printf(text, "%s\"%s\": {\"ms\": ", first ? "" : ", ", stage_names[i]);
        pct_text_number(text, rounded(r->ms));
        pct_text_puts(text, ", \"rate\": ");
        pct_text_number(text, rounded(r->rate));
        pct_text_printf(text, ", \"unit\": \"%s\", \"%s\": ", r->unit, r->flop > 0 ? "gflops" : "gbytes");
        pct_text_number(text, rounded((r->flop > 0 ? r->flop : r->bytes) / r->ms * 1e-6));
        pct_text_puts(text, ", \"share\": ");
        pct_text_number(text, rounded(r->share));
        pct_text_puts(text, "}");
        first = false;
    }
    pct_text_puts(text, "}, \"peak_resident_mb\": ");
    pct_text_number(text, rint((double)pct_peak_resident_bytes() * 1e-5) / 10);
    pct_text_puts(text, "}");
}

static void write_table(const bench *b, pct_text *text) {
    pct_text_printf(text, "%d threads, %s; peak %.0f GFLOP/s (%.0f in F32), %.1f GB/s\n", pct_pool_threads(b->pool),
                    pct_cpu_flags_text(b->compute->kernels.cpu_flags), b->peak_flops * 1e-9, b->peak_f32 * 1e-9,
                    b->peak_bytes * 1e-9);
    pct_text_printf(text, "%-9s%10s%22s%18s%8s  %s\n", "stage", "ms", "rate", "speed", "peak", "what");
    for (int i = PEAK + 1; i < STAGES; i++) {
        const result *r = &b->results[i];
        if (!r->measured) continue;
        double speed = (r->flop > 0 ? r->flop : r->bytes) / r->ms * 1e-6;
        pct_text_printf(text, "%-9s%10.2f%10.1f %-11s%10.1f %-7s%7.0f%%  %s\n", stage_names[i], r->ms, r->rate, r->unit,
                        speed, r->flop > 0 ? "GFLOP/s" : "GB/s", r->share * 100, stage_help[i]);
    }
    pct_text_printf(text, "largest memory %.1f MB\n", (double)pct_peak_resident_bytes() * 1e-6);
}

static percept_status report(const bench *b, char **json, char **table, percept_error *error) {
    pct_text line = {0}, rows = {0};
    write_json(b, &line);
    write_table(b, &rows);
    percept_status status = line.failed || rows.failed ? pct_fail_memory(error, "report") : PERCEPT_OK;
    if (status == PERCEPT_OK && json) *json = pct_text_take(&line);
    if (status == PERCEPT_OK && table) *table = pct_text_take(&rows);
    pct_text_free(&line);
    pct_text_free(&rows);
    return status;
}

void percept_bench_options_init(percept_bench_options *options) {
    *options = (percept_bench_options){.size = sizeof *options, .shape = "nano", .seconds = 1, .cpu_mask = PCT_CPU_ALL};
}

percept_status percept_bench_run(const percept_bench_options *given, percept_progress_fn *progress, void *context,
                                 char **json, char **table, percept_error *error) {
    percept_bench_options options;
    percept_bench_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_bench_options", error));
    if (options.threads < 0 || options.threads > 512 || !(options.seconds > 0 && options.seconds <= 3600)) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "threads: %d (0 to 512) or seconds: %g (up to 3600) is out of range", options.threads,
                        options.seconds);
    }
    bool wanted[STAGES] = {false};
    PCT_TRY(choose_stages(options.stages, wanted, error));
    bench b = {.options = &options, .meter = {.callback = progress, .context = context}};
    percept_status status = open_all(&b, error);
    if (status == PERCEPT_OK) status = measure_all(&b, wanted, error);
    if (status == PERCEPT_OK) status = report(&b, json, table, error);
    free(b.pixels);
    pct_state_destroy(&b.state);
    pct_model_close(&b.model);
    pct_compute_destroy(&b.compute);
    pct_pool_destroy(&b.pool);
    return status;
}
