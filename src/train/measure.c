/* measure.c: what a step of several runs costs, measured side by side; the model that a run begins with. See run.h. */
#include "base/clock.h"
#include "base/progress.h"
#include "train/trainer.h"

#include <stdlib.h>

void pct_trainer_count(const pct_trainer *trainer, pct_train_cost *cost) {
    const pct_parameters *set = trainer->model ? pct_model_get_parameters(trainer->model) : NULL;
    *cost = (pct_train_cost){.trainable = trainer->optimiser.elements,
                             .pictures = trainer->batch * trainer->config.optimiser.accumulate};
    for (size_t i = 0; set && i < set->count; i++) cost->parameters += pct_tensor_count(&set->list[i]->tensor);
}

/* One step of each; seconds may be NULL. */
static percept_status step_all(pct_trainer *trainers, int count, double *seconds, pct_meter *meter, int64_t *done,
                               percept_error *error) {
    for (int i = 0; i < count; i++) {
        pct_feed feed = pct_trainer_feed(&trainers[i], PCT_SPLIT_TRAINING, trainers[i].state.seed, 0);
        double started = pct_clock_cpu_seconds();
        PCT_TRY(pct_trainer_step(&trainers[i], &feed, error));
        if (seconds) seconds[i] = pct_clock_cpu_seconds() - started;
        if (pct_meter_update(meter, ++*done, NULL)) {
            return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted while step times were measured");
        }
    }
    return PERCEPT_OK;
}

percept_status pct_train_begin(const pct_train_options *options, const char *path, pct_dtype type,
                               percept_error *error) {
    pct_trainer *trainer = calloc(1, sizeof *trainer);
    if (!trainer) return pct_fail_memory(error, "training");
    pct_train_options dry = *options;
    dry.dry = true;
    dry.resume = false;
    percept_status status = pct_trainer_setup(trainer, &dry, error);
    if (status == PERCEPT_OK) status = pct_model_save(trainer->model, path, type, NULL, error);
    pct_trainer_free(trainer);
    free(trainer);
    return status;
}

percept_status pct_train_measure(const pct_train_options *options, int count, int warm, int rounds,
                                 percept_progress_fn *progress, void *context, pct_train_cost *costs, double *cpu,
                                 percept_error *error) {
    pct_trainer *trainers = calloc((size_t)count + 1, sizeof *trainers);
    pct_train_options *dry = calloc((size_t)count + 1, sizeof *dry);
    percept_status status = trainers && dry ? PERCEPT_OK : pct_fail_memory(error, "training");
    pct_meter meter;
    int64_t done = 0;
    int made = 0;
    pct_meter_start(&meter, progress, context, "measure", "step", 0, (int64_t)(warm + rounds) * count);
    while (made < count && status == PERCEPT_OK) {
        dry[made] = options[made];
        dry[made].dry = true;
        dry[made].resume = false;
        status = pct_trainer_setup(&trainers[made], &dry[made], error);
        if (status == PERCEPT_OK)
            pct_trainer_count(&trainers[made], &costs[made]);
        else if (trainers[made].config.run.name) /* which of them */
            pct_error_prefix(error, "%s", trainers[made].config.run.name);
        made++;
    }
    for (int r = -warm; r < rounds && status == PERCEPT_OK; r++) {
        status = step_all(trainers, count, r < 0 ? NULL : &cpu[r * count], &meter, &done, error);
    }
    for (int i = 0; i < made; i++) pct_trainer_free(&trainers[i]);
    free(trainers);
    free(dry);
    return status;
}
