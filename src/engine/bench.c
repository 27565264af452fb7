/* bench.c: percept_bench_run: how fast each stage is, beside what this machine can do at best. See bench.h. */
#include "engine/bench.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/random.h"
#include "engine/options.h"

#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

percept_status pct_bench_time(pct_bench *b, pct_bench_run_fn *run, void *context, double seconds, double *median,
                              double *best, percept_error *error) {
    enum { least = 3, most = 1000 };
    double times[most];
    int count = 0;
    PCT_TRY(run(b, context, error));
    double ends = pct_clock_seconds() + seconds;
    while (count < most && (count < least || pct_clock_seconds() < ends)) {
        double started = pct_clock_seconds();
        PCT_TRY(run(b, context, error));
        times[count++] = pct_clock_seconds() - started;
        if (pct_meter_update(&b->meter, b->done, NULL)) {
            return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted");
        }
    }
    qsort(times, (size_t)count, sizeof *times, by_value);
    if (median) *median = times[count / 2];
    if (best) *best = times[0];
    return PERCEPT_OK;
}

/* "peak" is a name too: the machine is measured in any case. */
static percept_status choose_stages(const pct_bench_shape *shape, const char *list, bool *wanted,
                                    percept_error *error) {
    const int stages = pct_bench_stage_count(shape);
    for (int i = 0; i < stages; i++) wanted[i] = !list;
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t length = strcspn(at, ",");
        int found = -1;
        for (int i = 0; i < stages; i++) {
            const char *name = shape->stages[i].name;
            if (strlen(name) == length && strncmp(at, name, length) == 0) found = i;
        }
        if (found >= 0) {
            wanted[found] = true;
        } else if (length != 4 || strncmp(at, "peak", 4) != 0) {
            pct_text known = {0};
            for (int i = 0; i < stages; i++) pct_text_printf(&known, ", %s", shape->stages[i].name);
            percept_status status = pct_fail(error, PERCEPT_ERROR_USAGE, "stages: \"%.*s\" is not one of peak%s",
                                             (int)(length < 40 ? length : 40), at, known.data ? known.data : "");
            pct_text_free(&known);
            return status;
        }
    }
    return PERCEPT_OK;
}

/* Its stages are those of a language model alone. */
static bool is_words(const pct_bench_shape *shape) { return shape->stages[0].measure == pct_bench_words_first; }

static percept_status open_all(pct_bench *b, percept_error *error) {
    const percept_bench_options *o = b->options;
    PCT_TRY(pct_pool_create(&b->pool, o->threads, error));
    PCT_TRY(pct_compute_create(&b->compute, b->pool, pct_cpu_flags() & o->cpu_mask, error));
    if (!is_words(b->shape)) pct_compute_use_int8(b->compute); /* as the engine does */
    if (!b->shape->whole) return PERCEPT_OK;
    if (b->shape->describe && !o->model) {
        pct_bench_file file;
        b->shape->describe(&file);
        PCT_TRY(pct_bench_open_file(&b->model, &file, &b->meter, 0, &b->open_seconds, error));
    } else {
        const double started = pct_clock_seconds();
        PCT_TRY(o->model ? pct_model_open(&b->model, o->model, false, error)
                         : pct_bench_random_model(&b->model, error));
        b->open_seconds = pct_clock_seconds() - started;
    }
    b->work = pct_bench_count(b->model);
    if (is_words(b->shape)) return PERCEPT_OK;
    PCT_TRY(pct_model_check_sees(b->model, error));
    PCT_TRY(pct_state_create(&b->state, b->model, b->compute, error));
    size_t side = (size_t)pct_model_get_config(b->model)->image.side;
    b->pixels = malloc(side * side * 3 * sizeof *b->pixels);
    if (!b->pixels) return pct_fail_memory(error, "bench");
    pct_random random;
    pct_random_init(&random, 3, 0, 0);
    for (size_t i = 0; i < side * side * 3; i++) b->pixels[i] = (pct_real)pct_random_between(&random, -2, 2);
    return PERCEPT_OK;
}

static percept_status measure_all(pct_bench *b, const bool *wanted, percept_error *error) {
    const int stages = pct_bench_stage_count(b->shape);
    for (int i = 0; i < stages; i++) {
        if (!wanted[i]) continue;
        PCT_TRY(b->shape->stages[i].measure(b, &b->results[i], error));
        pct_meter_update(&b->meter, ++b->done, NULL);
    }
    b->resident = pct_peak_resident_bytes(); /* before the peak, which reads a quarter of a gigabyte */
    PCT_TRY(pct_bench_measure_peak(b, error));
    for (int i = 0; i < stages; i++) {
        if (b->results[i].ms > 0) pct_bench_compare(&b->peak, &b->results[i]);
    }
    pct_meter_update(&b->meter, ++b->done, NULL);
    return PERCEPT_OK;
}

static percept_status report(const pct_bench *b, char **json, char **table, percept_error *error) {
    pct_text line = {0}, rows = {0};
    pct_bench_json(b, &line);
    pct_bench_table(b, &rows);
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
    bool wanted[PCT_BENCH_STAGES];
    pct_bench b = {.options = &options, .meter = {.callback = progress, .context = context}};
    PCT_TRY(pct_bench_find_shape(&b.shape, options.shape, error));
    if (options.model && !b.shape->whole)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "shape: \"%s\" is no model file's; leave out one of the two",
                        b.shape->name);
    PCT_TRY(choose_stages(b.shape, options.stages, wanted, error));
    int64_t total = 1;
    for (int i = 0; i < pct_bench_stage_count(b.shape); i++) total += wanted[i];
    pct_meter_start(&b.meter, progress, context, "bench", "stage", 0, total);
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
