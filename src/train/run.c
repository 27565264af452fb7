/* run.c: the loop. See run.h; what comes before is in setup.c, what comes after in finish.c. */
#include "train/run.h"

#include "base/clock.h"
#include "base/guard.h"
#include "base/size.h"
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>

#define STREAM_DROPOUT 0x64726f70u
#define SPIKE_KEEP     0.99 /* of the running mean a step */

pct_feed pct_trainer_feed(const pct_trainer *trainer, enum pct_split split, uint64_t seed, int64_t count) {
    pct_feed feed = {.source = trainer->source, .split = split, .seed = seed, .request = trainer->request};
    feed.count = count;
    if (trainer->dataset) {
        feed.dataset = trainer->dataset;
        feed.lines = trainer->lines[split];
        feed.draw = split == PCT_SPLIT_TRAINING;
        if (feed.draw || count > trainer->line_count[split]) feed.count = trainer->line_count[split];
    }
    return feed;
}

struct fetch {
    pct_trainer *trainer;
    const pct_feed *feed;
    int64_t first;
};

static void fetch_samples(void *context, int64_t begin, int64_t end, int worker) {
    const struct fetch *fetch = context;
    pct_trainer *trainer = fetch->trainer;
    for (int64_t i = begin; i < end; i++) {
        pct_arena_reset(&trainer->slots[i]);
        trainer->slot_errors[i].status = PERCEPT_OK;
        percept_status status = pct_feed_get(fetch->feed, fetch->first + i, false, &trainer->slots[i],
                                             &trainer->samples[i], &trainer->slot_errors[i]);
        trainer->slot_errors[i].status = status;
    }
}

percept_status pct_trainer_batch(pct_trainer *trainer, const pct_feed *feed, int64_t first, int32_t count,
                                 uint64_t seed, uint64_t index, pct_batch *batch, percept_error *error) {
    struct fetch fetch = {.trainer = trainer, .feed = feed, .first = first};
    bool guarded = pct_guard_where() != NULL; /* composing uses filters and codecs that take memory of their own */
    if (guarded) pct_guard_leave();
    pct_parallel_for(trainer->pool, count, 1, fetch_samples, &fetch);
    if (guarded) pct_guard_enter("training step");
    for (int32_t i = 0; i < count; i++) {
        if (trainer->slot_errors[i].status == PERCEPT_OK) continue;
        if (error) *error = trainer->slot_errors[i];
        return trainer->slot_errors[i].status;
    }
    pct_tape_clear(&trainer->tape);
    pct_arena_reset(&trainer->arena);
    return pct_batcher_make(trainer->batcher, trainer->samples, count, seed, index, &trainer->arena, batch, error);
}

/* Forward and back over one batch; gradients are added to. *total gets the loss's share of the step. */
static percept_status run_batch(pct_trainer *trainer, const pct_feed *feed, uint64_t index, double *total,
                                percept_error *error) {
    const pct_train_config *config = &trainer->config;
    pct_batch batch;
    pct_losses losses;
    PCT_TRY(pct_trainer_batch(trainer, feed, (int64_t)index * trainer->batch, trainer->batch, trainer->state.seed,
                              index, &batch, error));
    pct_random_init(&trainer->tape.random, trainer->state.seed, STREAM_DROPOUT, index);
    pct_tensor *loss = pct_model_loss(trainer->model, &trainer->tape, &batch, &config->losses, &losses);
    if (config->optimiser.accumulate > 1) {
        loss = pct_op_scale(&trainer->tape, loss, (pct_real)(1.0 / (double)config->optimiser.accumulate));
    }
    if (!pct_tape_failed(&trainer->tape)) pct_tape_back(&trainer->tape, loss);
    PCT_TRY(pct_tape_status(&trainer->tape, error));
    int64_t questions = 0;
    for (int32_t i = 0; i < trainer->batch; i++) questions += trainer->samples[i].turn_count;
    pct_metrics_add(&trainer->metrics, &losses, trainer->batch, questions);
    *total += losses.total / (double)config->optimiser.accumulate;
    return PERCEPT_OK;
}

/* Keeps the running mean of the loss; true when the run has diverged. */
static bool watch(pct_trainer *trainer, double total) {
    pct_checkpoint_state *state = &trainer->state;
    if (state->loss_mean == 0) state->loss_mean = total;
    bool high = state->step > trainer->config.schedule.warmup && total > trainer->config.run.spike * state->loss_mean;
    state->high = high ? state->high + 1 : 0;
    if (!high) state->loss_mean = SPIKE_KEEP * state->loss_mean + (1 - SPIKE_KEEP) * total;
    return state->high >= trainer->config.run.spike_steps;
}

static percept_status diverged(const pct_trainer *trainer, const char *what, double value, percept_error *error) {
    return pct_fail(error, PERCEPT_ERROR_WORK,
                    "training diverged at step %lld: %s %g; %s keeps the last good checkpoint: resume it with a lower "
                    "optimiser.rate, or optimiser.clip",
                    (long long)trainer->state.step + 1, what, value, trainer->config.run.out);
}

/* Names the tensor with the largest gradient, or with one that is no number: where to look for the reason. */
static percept_status diverged_gradient(const pct_trainer *trainer, double norm, percept_error *error) {
    const pct_parameter *worst = NULL;
    double largest = -1;
    for (size_t i = 0; i < trainer->optimiser.count && !isnan(largest); i++) {
        const pct_parameter *parameter = trainer->optimiser.list[i];
        int64_t count = pct_tensor_count(&parameter->tensor);
        for (int64_t k = 0; k < count; k++) {
            double size = fabs((double)parameter->tensor.grad[k]);
            if (size <= largest) continue;
            largest = size;
            worst = parameter;
            if (isnan(size)) break;
        }
    }
    char what[PCT_NAME_SIZE + 80];
    snprintf(what, sizeof what, "the gradient's norm is %g, that of '%s' holds", norm, worst ? worst->name : "");
    return diverged(trainer, what, largest, error);
}

percept_status pct_trainer_step(pct_trainer *trainer, const pct_feed *feed, percept_error *error) {
    const pct_train_config *config = &trainer->config;
    int64_t step = trainer->state.step + 1, accumulate = config->optimiser.accumulate;
    double total = 0;
    pct_optimiser_zero(&trainer->optimiser);
    for (int64_t i = 0; i < accumulate; i++) {
        PCT_TRY(run_batch(trainer, feed, (uint64_t)((step - 1) * accumulate + i), &total, error));
    }
    double norm = pct_optimiser_norm(&trainer->optimiser);
    if (!isfinite(total)) return diverged(trainer, "the loss is", total, error);
    if (!isfinite(norm)) return diverged_gradient(trainer, norm, error);
    if (watch(trainer, total)) return diverged(trainer, "the loss stays far above its mean at", total, error);
    double rate = pct_schedule_rate(config->optimiser.rate, step, config->schedule.warmup, config->schedule.steps,
                                    config->schedule.final);
    pct_optimiser_step(&trainer->optimiser, rate, norm, step);
    pct_metrics_add_step(&trainer->metrics, norm);
    trainer->state.step = step;
    return PERCEPT_OK;
}

static percept_status write_checkpoint(pct_trainer *trainer, percept_error *error) {
    double started = pct_clock_seconds(), started_cpu = pct_clock_cpu_seconds();
    PCT_TRY(pct_checkpoint_write(trainer->config.run.out, &trainer->state, trainer->effective.data,
                                 pct_model_get_tokenizer(trainer->model), pct_model_get_parameters(trainer->model),
                                 &trainer->optimiser, error));
    pct_checkpoint_prune(trainer->config.run.out, trainer->config.run.keep);
    pct_metrics_pause(&trainer->metrics, pct_clock_seconds() - started, pct_clock_cpu_seconds() - started_cpu);
    return PERCEPT_OK;
}

/* The splits that are due at the step that training stands at, but for those in `done`. */
static percept_status validate(pct_trainer *trainer, unsigned done, percept_error *error) {
    const pct_train_config *config = &trainer->config;
    const int64_t step = trainer->state.step, every = config->run.validate_every;
    const bool due = every && step && (step % every == 0 || step == config->schedule.steps);
    const unsigned splits = (1u << config->run.validate_splits) - 1;
    if (!due || (done & splits) == splits) return PERCEPT_OK;
    double started = pct_clock_seconds(), started_cpu = pct_clock_cpu_seconds();
    PCT_TRY(pct_trainer_validate(trainer, done, error));
    pct_metrics_pause(&trainer->metrics, pct_clock_seconds() - started, pct_clock_cpu_seconds() - started_cpu);
    return PERCEPT_OK;
}

/* What is due after a step besides the step; *stop when the caller asks to. */
static percept_status after_step(pct_trainer *trainer, bool *stop, percept_error *error) {
    const pct_train_config *config = &trainer->config;
    int64_t step = trainer->state.step;
    bool last = step == config->schedule.steps, logged = step % config->run.log_every == 0 || last;
    char message[512];
    if (logged) {
        double rate = pct_schedule_rate(config->optimiser.rate, step, config->schedule.warmup, config->schedule.steps,
                                        config->schedule.final);
        PCT_TRY(pct_metrics_log(&trainer->metrics, step, rate, message, sizeof message, error));
    }
    if (step % config->run.checkpoint_every == 0 || last) PCT_TRY(write_checkpoint(trainer, error));
    PCT_TRY(validate(trainer, 0, error));
    *stop = pct_meter_update(&trainer->meter, step, logged ? message : NULL);
    return PERCEPT_OK;
}

/* Once, at the end: how many there are is known then. */
static void tell_dropped(const pct_trainer *trainer) {
    const int64_t dropped = pct_batcher_dropped(trainer->batcher);
    if (!dropped) return;
    pct_log_write(
        trainer->options->log, PCT_LOG_WARNING,
        "%lld times a dialogue was longer than model.language.context (%d) and left out; a larger one takes it",
        (long long)dropped, pct_model_get_config(trainer->model)->language.context);
}

static percept_status run_steps(pct_trainer *trainer, percept_error *error) {
    const pct_train_config *config = &trainer->config;
    pct_feed feed = pct_trainer_feed(trainer, PCT_SPLIT_TRAINING, trainer->state.seed, 0);
    /* A run that was stopped between a checkpoint and its validation owes it. */
    PCT_TRY(validate(trainer, trainer->metrics.validated, error));
    for (bool stop = false; trainer->state.step < config->schedule.steps;) {
        bool guarded = trainer->options->guard_after && trainer->state.step >= trainer->options->guard_after;
        if (guarded) pct_guard_enter("training step");
        percept_status status = pct_trainer_step(trainer, &feed, error);
        if (guarded) pct_guard_leave();
        if (status != PERCEPT_OK) return status;
        PCT_TRY(after_step(trainer, &stop, error));
        if (!stop || trainer->state.step == config->schedule.steps) continue;
        if (trainer->state.step % config->run.checkpoint_every) PCT_TRY(write_checkpoint(trainer, error));
        PCT_TRY(pct_metrics_stopped(&trainer->metrics, trainer->state.step, error));
        return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted after step %lld; %s can be resumed",
                        (long long)trainer->state.step, config->run.out);
    }
    return PERCEPT_OK;
}

percept_status pct_train_run(const pct_train_options *options, percept_progress_fn *progress, void *context,
                             pct_train_result *result, percept_error *error) {
    pct_trainer *trainer = calloc(1, sizeof *trainer);
    if (!trainer) return pct_fail_memory(error, "training");
    percept_status status = pct_trainer_setup(trainer, options, error);
    if (status == PERCEPT_OK) {
        pct_meter_start(&trainer->meter, progress, context, "train", "step", trainer->state.step,
                        trainer->config.schedule.steps);
        status = run_steps(trainer, error);
        tell_dropped(trainer);
        if (status == PERCEPT_OK) status = pct_trainer_finish(trainer, progress, context, error);
    }
    if (result) {
        *result = (pct_train_result){.steps = trainer->state.step};
        pct_trainer_count(trainer, &result->numbers);
    }
    pct_trainer_free(trainer);
    free(trainer);
    return status;
}
