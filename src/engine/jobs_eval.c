/* jobs_eval.c: percept_eval_run: a model's figures on composed scenes or a data set folder. */
#include "base/cpu.h"
#include "base/text.h"
#include "engine/options.h"
#include "eval/run.h"
#include "percept/jobs.h"

#include <stdlib.h>

void percept_eval_options_init(percept_eval_options *options) {
    *options = (percept_eval_options){.size = sizeof *options, .threshold = -1.0f, .cpu_mask = PCT_CPU_ALL};
}

/* What an evaluation holds open. */
typedef struct setting {
    pct_pool *pool;
    pct_compute *compute;
    pct_model *model;
    pct_scene_source *source; /* this or a data set */
    pct_dataset *dataset;
    pct_feed feed;
    const char *split; /* for the report */
} setting;

static void close_all(setting *b) {
    pct_dataset_close(&b->dataset);
    pct_scene_source_close(&b->source);
    pct_model_close(&b->model);
    pct_compute_destroy(&b->compute);
    pct_pool_destroy(&b->pool);
}

/* Without a side scenes are composed at the model's own: nothing is lost in fitting them into its square. */
static percept_status open_scenes(setting *b, const percept_eval_options *options, percept_error *error) {
    pct_scene_spec spec;
    pct_scene_options scenes;
    PCT_TRY(pct_scene_spec_parse(options->data, &spec, error));
    pct_scene_options_default(&scenes);
    scenes.pack = options->pack ? options->pack : "assets/scenes.pack";
    PCT_TRY(pct_scene_source_open(&b->source, &scenes, error));
    const int32_t side = spec.side ? spec.side : pct_model_get_config(b->model)->image.side;
    b->split = pct_split_text(spec.split);
    b->feed = (pct_feed){
        .source = b->source,
        .split = spec.split,
        .seed = spec.seed,
        .count = spec.count,
        .request = pct_scene_test_request(side),
    };
    return PERCEPT_OK;
}

static percept_status open_folder(setting *b, const percept_eval_options *options, percept_error *error) {
    PCT_TRY(pct_dataset_open(&b->dataset, options->data, error));
    b->split = "";
    b->feed = (pct_feed){.dataset = b->dataset, .count = pct_dataset_count(b->dataset)};
    if (b->feed.count == 0) return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: the data set is empty", options->data);
    return PERCEPT_OK;
}

static percept_status run(setting *b, const percept_eval_options *options, percept_progress_fn *progress, void *context,
                          char **json, char **table, percept_error *error) {
    PCT_TRY(pct_pool_create(&b->pool, options->threads, error));
    PCT_TRY(pct_compute_create(&b->compute, b->pool, pct_cpu_flags() & options->cpu_mask, error));
    pct_compute_use_int8(b->compute); /* as the engine does: the figures are of what `ask` answers */
    PCT_TRY(pct_model_open(&b->model, options->model, false, error));
    PCT_TRY(pct_model_check_sees(b->model, error));
    PCT_TRY(pct_scene_is_spec(options->data) ? open_scenes(b, options, error) : open_folder(b, options, error));
    pct_eval_options how = {.threshold = options->threshold, .limit = options->limit, .keep = true};
    pct_eval_report report;
    percept_status status = pct_eval_run(b->model, b->compute, &b->feed, &how, progress, context, &report, error);
    pct_text line = {0}, rows = {0};
    if (status == PERCEPT_OK) {
        pct_eval_report_json(&report, b->model, options->data, b->split, &line);
        pct_eval_report_table(&report, b->model, options->data, &rows);
        /* one line without its end, as all JSON that the library gives */
        if (line.length && line.data[line.length - 1] == '\n') line.data[--line.length] = 0;
        if (line.failed || rows.failed) status = pct_fail_memory(error, "report");
    }
    if (status == PERCEPT_OK && json) *json = pct_text_take(&line);
    if (status == PERCEPT_OK && table) *table = pct_text_take(&rows);
    pct_text_free(&line);
    pct_text_free(&rows);
    pct_eval_report_free(&report);
    return status;
}

percept_status percept_eval_run(const percept_eval_options *given, percept_progress_fn *progress, void *context,
                                char **json, char **table, percept_error *error) {
    percept_eval_options options;
    percept_eval_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_eval_options", error));
    if (!options.model || !options.data) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s is not given", options.model ? "data" : "model");
    }
    if (!(options.threshold <= 1.0f)) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "threshold: %g is out of range; give 0 to 1, or a negative number "
                        "for the model's own",
                        (double)options.threshold);
    }
    if (options.threads < 0 || options.threads > 512 || options.limit < 0) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "threads: %d (0 to 512) or limit: %lld (0 and more) is out of range", options.threads,
                        (long long)options.limit);
    }
    setting b = {0};
    percept_status status = run(&b, &options, progress, context, json, table, error);
    close_all(&b);
    return status;
}
