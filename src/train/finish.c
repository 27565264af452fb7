/* finish.c: validation on the way; at the end the model file, its calibration and its figures. See trainer.h. */
#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/size.h"
#include "eval/calibrate.h"
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- validation ------------------------------------------------------------------------------------------------ */

/* Teacher-forced losses over the feed's samples: means over batches. */
static percept_status forced_losses(pct_trainer *trainer, const pct_feed *feed, pct_losses *mean,
                                    percept_error *error) {
    pct_loss_sum sum = {0};
    percept_status status = PERCEPT_OK;
    trainer->tape.record = false;
    for (int64_t first = 0; first < feed->count && status == PERCEPT_OK; first += trainer->batch) {
        int32_t count = (int32_t)pct_min_i64(trainer->batch, feed->count - first);
        pct_batch batch;
        status = pct_trainer_batch(trainer, feed, first, count, feed->seed, (uint64_t)first, &batch, error);
        if (status != PERCEPT_OK) break;
        pct_losses one;
        pct_model_loss(trainer->model, &trainer->tape, &batch, &trainer->config.losses, &one);
        status = pct_tape_status(&trainer->tape, error);
        pct_loss_sum_add(&sum, &one);
    }
    trainer->tape.record = true;
    *mean = pct_loss_sum_means(&sum);
    return status;
}

static percept_status validate_split(pct_trainer *trainer, enum pct_split split, percept_error *error) {
    pct_feed feed = pct_trainer_feed(trainer, split, PCT_SEED_VALIDATION, trainer->config.run.validate_pictures);
    pct_losses losses;
    if (feed.count == 0) return PERCEPT_OK;
    PCT_TRY(forced_losses(trainer, &feed, &losses, error));
    pct_eval_report report;
    pct_eval_options options = {.threshold = 0};
    percept_status status = pct_eval_run(trainer->model, trainer->compute, &feed, &options, NULL, NULL, &report, error);
    if (status == PERCEPT_OK) {
        status = pct_metrics_validation(&trainer->metrics, trainer->state.step, pct_split_text(split), &report, &losses,
                                        error);
        char message[256];
        snprintf(message, sizeof message,
                 "%s, %lld questions: mIoU %.1f%%, Acc@0.5 %.1f%%, absent %.1f%%, present %.1f%%, counts %.1f%%, names "
                 "%.1f%%",
                 pct_split_text(split), (long long)report.questions, 100 * pct_figures_get(&report.all, "miou"),
                 100 * pct_figures_get(&report.all, "acc50"), 100 * pct_figures_get(&report.all, "absent_acc"),
                 100 * pct_figures_get(&report.all, "present_recall"), 100 * pct_figures_get(&report.all, "count_acc"),
                 100 * pct_figures_get(&report.all, "name_exact"));
        pct_meter_update(&trainer->meter, trainer->state.step, message);
    }
    pct_eval_report_free(&report);
    return status;
}

percept_status pct_trainer_validate(pct_trainer *trainer, unsigned done, percept_error *error) {
    static const enum pct_split splits[] = {PCT_SPLIT_ARRANGEMENTS, PCT_SPLIT_CALIBRATION};
    percept_status status = PERCEPT_OK;
    pct_optimiser_swap(&trainer->optimiser);
    for (int i = 0; i < trainer->config.run.validate_splits && status == PERCEPT_OK; i++)
        if (!(done >> i & 1)) status = validate_split(trainer, splits[i], error);
    pct_optimiser_swap(&trainer->optimiser);
    if (status == PERCEPT_OK) status = pct_metrics_plot(&trainer->metrics, error);
    return status;
}

/* ---- the model file --------------------------------------------------------------------------------------------- */

static pct_dtype stored_type(const pct_trainer *trainer) {
    switch (trainer->config.run.type) {
    case PCT_TRAIN_TYPE_F16:
        return PCT_F16;
    case PCT_TRAIN_TYPE_F32:
        return PCT_REAL;
    default:
        return PCT_Q8_0;
    }
}

static void add_provenance(const pct_trainer *trainer, pct_text *out) {
    const pct_train_config *config = &trainer->config;
    char today[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) strftime(today, sizeof today, "%Y-%m-%d", &utc);
    pct_text_printf(out, "made by '%s' on %s; seed %lld, %lld steps of %lld pictures, %lld parameters, config %016llx",
                    trainer->options->command ? trainer->options->command : "percept train",
                    config->run.date[0] ? config->run.date : today, (long long)config->run.seed,
                    (long long)trainer->state.step, (long long)(config->schedule.batch * config->optimiser.accumulate),
                    (long long)trainer->optimiser.elements,
                    (unsigned long long)(trainer->options->identity
                                             ? trainer->options->identity
                                             : pct_hash_bytes(trainer->effective.data, trainer->effective.length)));
    const char *begun = config->run.warm[0] ? config->run.warm : config->run.from;
    const char *from = strrchr(begun, '/'); /* of a path the file alone: cards are passed on */
    if (begun[0]) pct_text_printf(out, "; started from %s", from ? from + 1 : begun);
    from = strrchr(config->base, '/');
    if (config->base[0]) {
        pct_text_printf(out, "; on %s (SHA-256 %.16s...)", from ? from + 1 : config->base, trainer->state.base);
    }
    if (config->model.lora.rank > 0) {
        pct_text_printf(out, "; LoRA of rank %d on %s", config->model.lora.rank, config->model.lora.targets);
    }
}

/* What is known at each stage of the end. */
struct ending {
    pct_trainer *trainer;
    percept_progress_fn *progress;
    void *context;
    char *path;
    pct_text provenance, figures;
    pct_calibration calibration;
    float threshold;
    pct_compute *asking;     /* answers as users get them; training's own rounds otherwise */
    pct_scene_source *tests; /* scenes asked about in the default mix of tasks, whatever mix was learned from */
};

static percept_status save(struct ending *end, percept_error *error) {
    const pct_train_config *config = &end->trainer->config;
    pct_model_card card = {.name = config->run.name,
                           .version = config->run.version,
                           .description = config->run.description,
                           .domain = config->run.domain,
                           .licence = config->run.licence,
                           .data_licences = config->run.data_licences,
                           .provenance = end->provenance.data,
                           .figures = end->figures.data ? end->figures.data : "",
                           .calibration = end->calibration,
                           .threshold = end->threshold};
    PCT_TRY(pct_model_set_card(end->trainer->model, &card, error));
    if (config->model.lora.rank > 0 && config->run.merge && !config->base[0]) /* a base's weights stay as they are */
        return pct_model_save_merged(end->trainer->model, end->path, stored_type(end->trainer), error);
    return pct_model_save(end->trainer->model, end->path, stored_type(end->trainer), NULL, error);
}

/* Runs the file that was just written, as its users will, over one split. */
static percept_status examine(struct ending *end, const pct_feed *feed, bool keep, pct_eval_report *report,
                              pct_model **model, percept_error *error) {
    PCT_TRY(pct_model_open(model, end->path, false, error));
    pct_eval_options options = {.threshold = keep ? 0 : -1, .keep = keep};
    return pct_eval_run(*model, end->asking, feed, &options, end->progress, end->context, report, error);
}

static percept_status calibrate(struct ending *end, percept_error *error) {
    const pct_feed feed =
        pct_trainer_feed(end->trainer, PCT_SPLIT_CALIBRATION, PCT_SEED_CALIBRATION, end->trainer->config.run.calibrate);
    if (feed.count == 0) return PERCEPT_OK;
    pct_eval_report report = {0};
    pct_model *model = NULL;
    percept_status status = examine(end, &feed, true, &report, &model, error);
    pct_model_close(&model);
    if (status == PERCEPT_OK) {
        percept_error reason = {0};
        if (pct_calibrate_fit(report.regions, report.region_count, &end->calibration, &reason) == PERCEPT_OK) {
            end->threshold =
                pct_calibrate_threshold(&end->calibration, report.regions, report.question_list, report.question_count);
        } else { /* a model that finds nothing yet: it is written uncalibrated, and says so */
            pct_log_write(end->trainer->options->log, PCT_LOG_WARNING, "%s", reason.message);
        }
    }
    pct_eval_report_free(&report);
    return status;
}

/* What is asked, and in `told` how a reader asks it again: `percept eval` takes that as it is, where scenes are of the
 * pack alone. Of paths the last name: cards are passed on. */
static pct_feed test_feed(const struct ending *end, enum pct_split split, char *told, size_t size) {
    const pct_trainer *trainer = end->trainer;
    const pct_train_config *config = &trainer->config;
    pct_feed feed = pct_trainer_feed(trainer, split, PCT_SEED_TEST, config->run.test);
    const char *folder = trainer->dataset ? config->data.folder : config->data.cutouts, *name = strrchr(folder, '/');
    name = name && name[1] ? name + 1 : folder;
    if (trainer->dataset) {
        snprintf(told, size, "%s (%s)", name, pct_split_text(split));
        return feed;
    }
    const int32_t side = trainer->request.width;
    pct_scene_spec spec = {.split = split, .count = feed.count, .seed = PCT_SEED_TEST};
    if (side != config->model.image.side) spec.side = side;
    feed.source = end->tests;
    feed.request = pct_scene_test_request(side);
    pct_scene_spec_write(&spec, told, size);
    const size_t length = strlen(told);
    if (*folder) snprintf(told + length, size - length, " with cut-outs of %s", name);
    return feed;
}

/* The figures of one split. */
struct tested {
    enum pct_split split;
    char data[200];
    pct_eval_report report;
};

static percept_status test_split(struct ending *end, struct tested *tested, percept_error *error) {
    pct_model *model = NULL;
    const pct_feed feed = test_feed(end, tested->split, tested->data, sizeof tested->data);
    if (feed.count == 0) return PERCEPT_OK;
    percept_status status = examine(end, &feed, false, &tested->report, &model, error);
    pct_model_close(&model);
    if (status != PERCEPT_OK) return status;
    pct_text_printf(&end->figures, "%s%s:", end->figures.length ? "; " : "", tested->data);
    for (int i = 0; i < 9; i++) { /* those of the interface */
        const double value = pct_figures_get(&tested->report.all, pct_figures_keys[i]);
        pct_text_printf(&end->figures, " %s ", pct_figures_keys[i]);
        pct_text_number(&end->figures, round(1e3 * value) / 1e3);
    }
    return end->figures.failed ? pct_fail_memory(error, "figures") : PERCEPT_OK;
}

/* test-SPLIT.json, of the model file as it stays. */
static percept_status write_test(struct ending *end, const pct_model *model, const struct tested *tested,
                                 percept_error *error) {
    pct_text json = {0};
    char name[64];
    snprintf(name, sizeof name, "test-%s.json", pct_split_text(tested->split));
    char *path = pct_path_join(end->trainer->config.run.out, name);
    pct_eval_report_json(&tested->report, model, tested->data, pct_split_text(tested->split), &json);
    percept_status status =
        path && !json.failed ? pct_file_write(path, json.data, json.length, error) : pct_fail_memory(error, "report");
    free(path);
    pct_text_free(&json);
    return status;
}

/* The splits' figures go into the file, and then beside it with the hash that it has. */
static percept_status test_splits(struct ending *end, percept_error *error) {
    struct tested tested[] = {{.split = PCT_SPLIT_ARRANGEMENTS}, {.split = PCT_SPLIT_CUTOUTS}};
    pct_model *model = NULL;
    percept_status status = PERCEPT_OK;
    for (size_t i = 0; i < PCT_COUNT(tested) && status == PERCEPT_OK; i++) status = test_split(end, &tested[i], error);
    if (status == PERCEPT_OK) status = save(end, error);
    if (status == PERCEPT_OK) status = pct_model_open(&model, end->path, false, error);
    for (size_t i = 0; i < PCT_COUNT(tested); i++) {
        if (status == PERCEPT_OK && tested[i].report.pictures) status = write_test(end, model, &tested[i], error);
        pct_eval_report_free(&tested[i].report);
    }
    pct_model_close(&model);
    return status;
}

/* Back towards the model that the run began with: what was learned keeps its share, and what was forgotten by the way
 * mostly returns (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022). Changes the weights. */
static percept_status blend(pct_trainer *trainer, percept_error *error) {
    const float shared = trainer->config.run.blend, tower = trainer->config.run.blend_vision;
    pct_model *before = NULL;
    if (!pct_train_blends(&trainer->config)) return PERCEPT_OK;
    PCT_TRY(trainer->config.run.thaw ? pct_model_open_thawed(&before, trainer->config.run.from, error)
                                     : pct_model_open(&before, trainer->config.run.from, true, error));
    const pct_parameters *set = pct_model_get_parameters(before);
    percept_status status = PERCEPT_OK;
    for (size_t i = 0; i < trainer->optimiser.count && status == PERCEPT_OK; i++) {
        const pct_parameter *to = trainer->optimiser.list[i], *from = pct_parameters_find(set, to->name);
        const int64_t count = pct_tensor_count(&to->tensor);
        if (!from || pct_tensor_count(&from->tensor) != count) {
            status = pct_fail(error, PERCEPT_ERROR_MODEL, "run.blend: %s has no tensor %s of this size",
                              trainer->config.run.from, to->name);
            break;
        }
        const pct_real share = (pct_real)(tower >= 0 && pct_train_belongs(to->name, "vision") ? tower : shared);
        const pct_real *old = pct_tensor_data(&from->tensor);
        pct_real *now = pct_tensor_data(&to->tensor);
        for (int64_t k = 0; k < count; k++) now[k] = old[k] + share * (now[k] - old[k]);
    }
    pct_model_close(&before);
    return status;
}

static percept_status test(struct ending *end, percept_error *error) {
    pct_scene_options scenes;
    const pct_train_config *config = &end->trainer->config;
    if (config->run.test == 0) return PERCEPT_OK;
    if (end->trainer->source) {
        PCT_TRY(pct_train_scene_options(config, &scenes, error));
        memset(scenes.weights, 0, sizeof scenes.weights);
        PCT_TRY(pct_scene_source_open(&end->tests, &scenes, error));
    }
    percept_status status = test_splits(end, error);
    pct_scene_source_close(&end->tests);
    return status;
}

percept_status pct_trainer_finish(pct_trainer *trainer, percept_progress_fn *progress, void *context,
                                  percept_error *error) {
    struct ending end = {.trainer = trainer, .progress = progress, .context = context};
    end.path = pct_path_join(trainer->config.run.out, "model.gguf");
    add_provenance(trainer, &end.provenance);
    percept_status status = end.path && !end.provenance.failed ? PERCEPT_OK : pct_fail_memory(error, "model file");
    if (status == PERCEPT_OK)
        status = pct_compute_create(&end.asking, trainer->pool, pct_cpu_flags() & trainer->options->cpu_mask, error);
    if (status == PERCEPT_OK) pct_compute_use_int8(end.asking); /* as `eval` and `ask` */
    pct_optimiser_swap(&trainer->optimiser);
    if (status == PERCEPT_OK) status = blend(trainer, error);
    if (status == PERCEPT_OK) status = save(&end, error);
    if (status == PERCEPT_OK && trainer->config.run.calibrate > 0) {
        status = calibrate(&end, error);
        if (status == PERCEPT_OK) status = save(&end, error);
    }
    if (status == PERCEPT_OK) status = test(&end, error);
    pct_optimiser_swap(&trainer->optimiser);
    if (status == PERCEPT_OK) status = pct_metrics_plot(&trainer->metrics, error);
    pct_compute_destroy(&end.asking);
    pct_text_free(&end.provenance);
    pct_text_free(&end.figures);
    free(end.path);
    return status;
}
