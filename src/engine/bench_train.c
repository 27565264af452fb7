/* bench_train.c: a training step, as the trainer makes it: forward, back, optimiser. See bench.h. */
#include "base/cpu.h"
#include "engine/bench.h"
#include "model/model_private.h"
#include "train/optimiser.h"

enum { train_pictures = 8 };
typedef struct training {
    pct_compute *compute; /* with the library, as in the trainer */
    pct_model *model;
    pct_tape tape;
    pct_arena step, data;
    pct_batch batch;
    pct_loss_weights weights;
    pct_optimiser optimiser;
    int64_t steps;
} training;

static percept_status run_training(pct_bench *b, void *context, percept_error *error) {
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

static percept_status prepare_training(pct_bench *b, training *t, percept_error *error) {
    pct_model_config config = *pct_model_get_config(b->model);
    const pct_optimiser_options options = {.beta1 = 0.9f, .beta2 = 0.98f, .epsilon = 1e-8f, .decay = 0.05f, .clip = 1};
    PCT_TRY(pct_compute_create(&t->compute, b->pool, b->compute->kernels.cpu_flags, error));
    pct_compute_use_library(t->compute);
    PCT_TRY(pct_model_create(&t->model, &config, NULL, 1, error));
    t->batch = pct_bench_batch(&t->data, &config, train_pictures);
    if (t->batch.rows == 0) return pct_fail_memory(error, "bench");
    pct_loss_weights_default(&t->weights);
    pct_dtype product = pct_compute_prefers_bf16(t->compute) ? PCT_BF16 : PCT_REAL;
    pct_tape_init(&t->tape, t->compute, &t->step, true, product);
    t->tape.recycle = true;
    return pct_optimiser_init(&t->optimiser, &options, t->compute, pct_model_get_parameters(t->model), error);
}

/* The gradient is cleared and its norm read; AdamW reads weight, gradient and two moments, and writes three back. */
#define STEP_BYTES (9 * sizeof(pct_real))

/* Forward, and twice as much back. Logits are made of the supervised rows alone. */
static double step_flop(const pct_bench *b, const pct_batch *batch) {
    const pct_bench_work *w = &b->work;
    double seen = (double)pct_model_prefix_rows(b->model) + (double)batch->segments[0].count / 2, supervised = 0;
    for (int32_t i = 0; i < batch->rows; i++) supervised += batch->targets[i] >= 0;
    return 3 * (batch->pictures * w->encode + batch->object_count * w->region +
                batch->rows * (w->row + w->row_attention * seen) + supervised * w->output);
}

percept_status pct_bench_train(pct_bench *b, pct_bench_result *result, percept_error *error) {
    training t = {0};
    double seconds = 0;
    pct_arena_init(&t.step, (size_t)64 << 20); /* as the trainer's */
    pct_arena_init(&t.data, 0);
    percept_status status = prepare_training(b, &t, error);
    if (status == PERCEPT_OK) status = pct_bench_time(b, run_training, &t, b->options->seconds, &seconds, NULL, error);
    if (status == PERCEPT_OK) {
        *result = (pct_bench_result){.ms = seconds * 1e3,
                                     .flop = step_flop(b, &t.batch),
                                     .bytes = STEP_BYTES * (double)t.optimiser.elements,
                                     .rate = t.batch.segment_count / seconds,
                                     .unit = "questions/s",
                                     .bf16 = t.tape.product == PCT_BF16,
                                     .from_memory = true};
    }
    pct_optimiser_free(&t.optimiser);
    pct_model_close(&t.model);
    pct_arena_free(&t.step);
    pct_arena_free(&t.data);
    pct_compute_destroy(&t.compute);
    return status;
}
