/* setup.c: from a config to a trainer that is ready for its first step, or for the one after its checkpoint. */
#include "base/cpu.h"
#include "base/file.h"
#include "base/size.h"
#include "formats/sha256.h"
#include "model/spelling.h"
#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static percept_status read_config(pct_trainer *trainer, const pct_train_options *options, percept_error *error) {
    PCT_TRY(pct_train_config_load(&trainer->config, &trainer->reader, options->config, options->settings,
                                  options->setting_count, error));
    pct_config_write(&trainer->reader, &trainer->effective);
    if (trainer->effective.failed) return pct_fail_memory(error, "config");
    trainer->batch = (int32_t)trainer->config.schedule.batch;
    trainer->state.seed = (uint64_t)trainer->config.run.seed;
    return PERCEPT_OK;
}

static percept_status open_compute(pct_trainer *trainer, percept_error *error) {
    const pct_train_options *options = trainer->options;
    int threads = options->threads ? options->threads : (int)trainer->config.run.threads;
    PCT_TRY(pct_pool_create(&trainer->pool, threads, error));
    PCT_TRY(pct_compute_create(&trainer->compute, trainer->pool, pct_cpu_flags() & options->cpu_mask, error));
    pct_compute_use_library(trainer->compute); /* where it is there; our own kernels do the rest */
    return PERCEPT_OK;
}

static percept_status open_dataset(pct_trainer *trainer, percept_error *error) {
    const char *folder = trainer->config.data.folder;
    PCT_TRY(pct_dataset_open(&trainer->dataset, folder, error));
    for (int s = 0; s < PCT_SPLIT_COUNT; s++) {
        PCT_TRY(
            pct_feed_lines(trainer->dataset, (enum pct_split)s, &trainer->lines[s], &trainer->line_count[s], error));
    }
    if (trainer->line_count[PCT_SPLIT_TRAINING] > 0) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: holds no picture of the split 'training'", folder);
}

static percept_status open_source(pct_trainer *trainer, percept_error *error) {
    if (trainer->config.data.folder[0]) return open_dataset(trainer, error);
    pct_scene_options scenes;
    PCT_TRY(pct_train_scene_options(&trainer->config, &scenes, error));
    return pct_scene_source_open(&trainer->source, &scenes, error);
}

/* Needs the model's side, which a model file may have set. */
static void fill_request(pct_trainer *trainer) {
    const pct_train_config *config = &trainer->config;
    int32_t side = config->data.side ? (int32_t)config->data.side : config->model.image.side;
    trainer->request = (pct_scene_request){.width = side,
                                           .height = side,
                                           .questions = (int32_t)config->data.questions,
                                           .objects_min = (int32_t)config->data.objects_min,
                                           .objects_max = (int32_t)config->data.objects_max,
                                           .augment = config->data.augment};
}

/* Its tokenizer: the file's, or one of its own where there is none; with what regions in text want. */
static percept_status make_fresh(pct_trainer *trainer, const pct_gguf *file, percept_error *error) {
    pct_train_config *config = &trainer->config;
    pct_tokenizer *tokenizer = NULL;
    PCT_TRY(file ? pct_tokenizer_load(&tokenizer, file, error) : pct_trainer_tokenizer(trainer, &tokenizer, error));
    percept_status status = pct_spelling_extend(&tokenizer, &config->model, error);
    config->model.language.vocabulary = pct_tokenizer_size(tokenizer);
    if (status == PERCEPT_OK)
        status = pct_model_create(&trainer->model, &config->model, tokenizer, (uint64_t)config->run.seed, error);
    if (status != PERCEPT_OK) pct_tokenizer_destroy(&tokenizer);
    return status;
}

static percept_status make_on_base(pct_trainer *trainer, percept_error *error) {
    pct_train_config *config = &trainer->config;
    percept_status status =
        pct_model_create_on(&trainer->model, config->base, &config->model, (uint64_t)config->run.seed, error);
    if (status == PERCEPT_OK)
        config->model = *pct_model_get_config(trainer->model);
    else
        pct_error_prefix(error, "model.base");
    return status;
}

static bool any_part(void *context, const char *name) { return true; }

/* run.from of a model that tells regions by token, where the run wants them in text: its structure with that changed,
 * its tokenizer with more tokens, its weights where they have a place. */
static percept_status retell(pct_trainer *trainer, const pct_model_config *wanted, percept_error *error) {
    pct_train_config *config = &trainer->config;
    pct_gguf *file = NULL;
    int64_t taken;
    const pct_model_config *own = pct_model_get_config(trainer->model);
    if (wanted->language.regions == PCT_REGIONS_TOKEN || own->language.regions != PCT_REGIONS_TOKEN) return PERCEPT_OK;
    if (own->lora.rank > 0 || own->language.added > 0)
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "model.language.regions: %s has LoRA or another's language model, with which regions stay "
                        "tokens; give its structure here and the file as run.warm",
                        config->run.from);
    if (pct_train_blends(config))
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "run.blend: beside model.language.regions %s, %s having none: between the two no model lies",
                        wanted->language.regions == PCT_REGIONS_TEXT ? "text" : "both", config->run.from);
    config->model = *own;
    config->model.language.regions = wanted->language.regions;
    config->model.language.bins = wanted->language.bins;
    config->model.language.vertices = wanted->language.vertices;
    if (wanted->language.regions == PCT_REGIONS_TEXT) config->model.language.copying = config->model.heads.quality = 0;
    pct_model_close(&trainer->model);
    PCT_TRY(pct_gguf_open(&file, config->run.from, error));
    percept_status status = make_fresh(trainer, file, error);
    if (status == PERCEPT_OK) status = pct_model_take(trainer->model, file, any_part, NULL, &taken, error);
    pct_gguf_close(&file);
    return status;
}

/* A model file's; or a fresh one, with a tokenizer of its own or the checkpoint's or the warm start's. On resuming, a
 * warm start still gives what the checkpoint leaves out: tensors that stand still. */
static percept_status make_model(pct_trainer *trainer, const pct_gguf *checkpoint, percept_error *error) {
    pct_train_config *config = &trainer->config;
    if (config->run.from[0]) {
        const pct_model_config wanted = config->model;
        PCT_TRY(config->run.thaw ? pct_model_open_thawed(&trainer->model, config->run.from, error)
                : config->model.lora.rank > 0
                    ? pct_model_open_adapted(&trainer->model, config->run.from, &config->model.lora,
                                             (uint64_t)config->run.seed, error)
                    : pct_model_open(&trainer->model, config->run.from, true, error));
        PCT_TRY(pct_model_check_sees(trainer->model, error));
        PCT_TRY(retell(trainer, &wanted, error));
        config->model = *pct_model_get_config(trainer->model);
        fill_request(trainer);
        return pct_trainer_names(trainer, false, error);
    }
    fill_request(trainer);
    pct_gguf *warm = NULL;
    percept_status status = config->run.warm[0] ? pct_gguf_open(&warm, config->run.warm, error) : PERCEPT_OK;
    if (status != PERCEPT_OK) {
        pct_error_prefix(error, "run.warm");
        return status;
    }
    status =
        config->base[0] ? make_on_base(trainer, error) : make_fresh(trainer, checkpoint ? checkpoint : warm, error);
    if (status == PERCEPT_OK) status = pct_trainer_names(trainer, true, error);
    if (status == PERCEPT_OK && warm) status = pct_trainer_warm_start(trainer, warm, error);
    pct_gguf_close(&warm);
    return status;
}

static percept_status make_optimiser(pct_trainer *trainer, const pct_gguf *checkpoint, percept_error *error) {
    const pct_train_config *config = &trainer->config;
    pct_optimiser_options options = {.kind = (enum pct_optimiser_kind)config->optimiser.kind,
                                     .momentum = config->optimiser.momentum,
                                     .beta1 = config->optimiser.beta1,
                                     .beta2 = config->optimiser.beta2,
                                     .epsilon = config->optimiser.epsilon,
                                     .decay = config->optimiser.decay,
                                     .clip = config->optimiser.clip,
                                     .ema = config->optimiser.ema};
    pct_parameters *set = pct_model_get_parameters(trainer->model);
    PCT_TRY(pct_trainer_treat_parts(trainer, "optimiser.slow", &config->optimiser.slow, config->optimiser.slow_rate,
                                    error));
    PCT_TRY(pct_trainer_treat_parts(trainer, "optimiser.freeze", &config->optimiser.freeze, 0, error));
    PCT_TRY(pct_optimiser_init(&trainer->optimiser, &options, trainer->compute, set, error));
    if (!checkpoint) return PERCEPT_OK;
    int64_t fresh;
    PCT_TRY(pct_checkpoint_restore(checkpoint, set, &trainer->optimiser, &fresh, error));
    if (fresh) {
        pct_log_write(trainer->options->log, PCT_LOG_WARNING,
                      "%s: was written under Muon and lacks the second moment of %lld numbers: their moments start at "
                      "zero",
                      pct_gguf_path(checkpoint), (long long)fresh);
    }
    return PERCEPT_OK;
}

static percept_status make_batcher(pct_trainer *trainer, percept_error *error) {
    const pct_train_config *config = &trainer->config;
    pct_batcher_options options = {.names = (int32_t)config->data.names,
                                   .object_weight = config->data.object_weight,
                                   .mask_share = config->data.mask_share,
                                   .any_order = config->losses.any_order};
    pct_feed feed = pct_trainer_feed(trainer, PCT_SPLIT_TRAINING, 0, 0);
    int32_t count = pct_feed_names(&feed);
    const char **names = calloc((size_t)count + 1, sizeof *names);
    if (!names) return pct_fail_memory(error, "names");
    for (int32_t i = 0; i < count; i++) names[i] = pct_feed_name(&feed, i);
    percept_status status =
        pct_batcher_create(&trainer->batcher, pct_model_get_config(trainer->model),
                           pct_model_get_tokenizer(trainer->model), &options, names, count, trainer->pool, error);
    free(names);
    return status;
}

static percept_status make_slots(pct_trainer *trainer, percept_error *error) {
    size_t count = (size_t)trainer->batch;
    trainer->slots = calloc(count, sizeof *trainer->slots);
    trainer->samples = calloc(count, sizeof *trainer->samples);
    trainer->slot_errors = calloc(count, sizeof *trainer->slot_errors);
    if (!trainer->slots || !trainer->samples || !trainer->slot_errors) return pct_fail_memory(error, "batches");
    for (size_t i = 0; i < count; i++) pct_arena_init(&trainer->slots[i], 0);
    pct_arena_init(&trainer->arena, (size_t)64 << 20);
    bool bf16 = trainer->config.run.precision == PCT_TRAIN_BF16 ||
                (trainer->config.run.precision == PCT_TRAIN_AUTO && pct_compute_prefers_bf16(trainer->compute));
    pct_tape_init(&trainer->tape, trainer->compute, &trainer->arena, true, bf16 ? PCT_BF16 : PCT_REAL);
    trainer->tape.recycle = true;
    return PERCEPT_OK;
}

/* What learned beside one base is worth nothing beside another. */
static percept_status check_base(const pct_trainer *trainer, const char *path, const char *base, percept_error *error) {
    const char *before = trainer->state.base, *now = trainer->config.base;
    if (strcmp(before, base) == 0) return PERCEPT_OK;
    if (!before[0])
        return pct_fail(error, PERCEPT_ERROR_USAGE, "model.base: %s, but the run of %s began without one; leave it out",
                        now, path);
    return pct_fail(error, PERCEPT_ERROR_USAGE,
                    "model.base: %s is not the file that the run of %s began with (SHA-256 %.16s..., not %.16s...); "
                    "give that one",
                    now[0] ? now : "none", path, before, base[0] ? base : "none");
}

static percept_status identify_base(pct_trainer *trainer, percept_error *error) {
    if (!trainer->config.base[0]) return PERCEPT_OK;
    percept_status status = pct_sha256_file(trainer->config.base, trainer->state.base, error);
    if (status != PERCEPT_OK) pct_error_prefix(error, "model.base");
    return status;
}

/* Two processes that trained in one folder would take each other's checkpoints away. */
static percept_status take_folder(pct_trainer *trainer, percept_error *error) {
    const char *folder = trainer->config.run.out;
    if (trainer->options->locked) return pct_make_directory(folder, error);
    PCT_TRY(pct_lock_directory(folder, &trainer->lock, error));
    if (trainer->lock >= 0) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_USAGE,
                    "%s: another process trains in it; wait for its end, or give another folder as run.out", folder);
}

/* Finds the checkpoint to go on from; refuses to mix two runs in one folder. */
static percept_status find_checkpoint(pct_trainer *trainer, pct_gguf **checkpoint, percept_error *error) {
    const char *folder = trainer->config.run.out;
    char *path = NULL;
    PCT_TRY(pct_checkpoint_newest(folder, &path, error));
    percept_status status = PERCEPT_OK;
    if (!trainer->options->resume && path) {
        status = pct_fail(error, PERCEPT_ERROR_USAGE,
                          "%s: holds a run already; resume it, or give another folder as run.out", folder);
    } else if (trainer->options->resume && !path) {
        status = pct_fail(error, PERCEPT_ERROR_USAGE, "%s: holds no checkpoint to resume from", folder);
    } else if (path) {
        const char *before;
        char base[sizeof trainer->state.base];
        memcpy(base, trainer->state.base, sizeof base);
        status = pct_checkpoint_open(checkpoint, path, &trainer->state, &before, error);
        if (status == PERCEPT_OK) status = check_base(trainer, path, base, error);
        if (status == PERCEPT_OK && strcmp(before, trainer->effective.data) != 0) {
            pct_log_write(trainer->options->log, PCT_LOG_WARNING,
                          "%s: the config has changed since this checkpoint; the run goes on under the new one", path);
            trainer->state.loss_mean = 0; /* other data or weights: another loss, which is no divergence */
            trainer->state.high = 0;
        }
        if (status == PERCEPT_OK && trainer->state.seed != (uint64_t)trainer->config.run.seed) {
            status = pct_fail(error, PERCEPT_ERROR_USAGE, "run.seed: %lld, but the run began with %llu",
                              (long long)trainer->config.run.seed, (unsigned long long)trainer->state.seed);
        }
    }
    free(path);
    return status;
}

static percept_status write_config(pct_trainer *trainer, percept_error *error) {
    char *path = pct_path_join(trainer->config.run.out, "config.yaml");
    if (!path) return pct_fail_memory(error, "config");
    percept_status status = pct_file_write(path, trainer->effective.data, trainer->effective.length, error);
    free(path);
    return status;
}

percept_status pct_trainer_setup(pct_trainer *trainer, const pct_train_options *options, percept_error *error) {
    *trainer = (pct_trainer){.options = options, .lock = -1};
    pct_gguf *checkpoint = NULL;
    percept_status status = read_config(trainer, options, error);
    if (status == PERCEPT_OK) status = identify_base(trainer, error);
    const bool dry = options->dry;
    if (status == PERCEPT_OK && !dry) status = take_folder(trainer, error);
    if (status == PERCEPT_OK && !dry) status = find_checkpoint(trainer, &checkpoint, error);
    if (status == PERCEPT_OK) status = open_compute(trainer, error);
    if (status == PERCEPT_OK) status = open_source(trainer, error);
    if (status == PERCEPT_OK) status = make_model(trainer, checkpoint, error);
    if (status == PERCEPT_OK) status = make_optimiser(trainer, checkpoint, error);
    if (status == PERCEPT_OK) status = make_batcher(trainer, error);
    if (status == PERCEPT_OK) status = make_slots(trainer, error);
    if (status == PERCEPT_OK && !dry) status = write_config(trainer, error);
    if (status == PERCEPT_OK && !dry) {
        status =
            pct_metrics_open(&trainer->metrics, trainer->config.run.out, options->resume, trainer->state.step, error);
    }
    pct_gguf_close(&checkpoint);
    return status;
}

void pct_trainer_free(pct_trainer *trainer) {
    pct_metrics_close(&trainer->metrics);
    if (trainer->slots) pct_tape_clear(&trainer->tape);
    pct_arena_free(&trainer->arena);
    for (int32_t i = 0; trainer->slots && i < trainer->batch; i++) pct_arena_free(&trainer->slots[i]);
    free(trainer->slots);
    free(trainer->samples);
    free(trainer->slot_errors);
    pct_batcher_destroy(&trainer->batcher);
    pct_optimiser_free(&trainer->optimiser);
    pct_model_close(&trainer->model);
    pct_scene_source_close(&trainer->source);
    pct_dataset_close(&trainer->dataset);
    for (int s = 0; s < PCT_SPLIT_COUNT; s++) free(trainer->lines[s]);
    pct_compute_destroy(&trainer->compute);
    pct_pool_destroy(&trainer->pool);
    pct_text_free(&trainer->effective);
    pct_config_free(&trainer->reader);
    if (trainer->lock >= 0) close(trainer->lock);
}
