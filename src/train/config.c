/* config.c: the table of keys and the checks between them. See config.h. */
#include "train/config.h"

#include "base/size.h"

#include <string.h>

static const char *const fits[] = {"pad", "stretch", NULL};
static const char *const stems[] = {"conv", "patch", NULL};
static const char *const fines[] = {"stem", "second", "none", NULL};
static const char *const connectors[] = {"linear", "mlp", "norm_mlp", NULL};
static const char *const activations[] = {"gelu", "gelu_erf", "quick_gelu", NULL};
static const char *const prefixes[] = {"full", "causal", NULL};
static const char *const cell_positions[] = {"rotary", "learned", NULL};
static const char *const inits[] = {"plain", "mimetic", NULL};
static const char *const regions[] = {"token", "text", "both", NULL};
static const char *const boxes[] = {"moments", "plain", NULL};
static const char *const feedbacks[] = {"drawn", "box", "mask", "none", NULL};
static const char *const upscalings[] = {"refined", "plain", NULL};
static const char *const mask_positions[] = {"sine-2d", "as-coded", NULL};
static const char *const mask_norms[] = {"layer", "mixed", NULL};
static const char *const precisions[] = {"auto", "f32", "bf16", NULL};
static const char *const kinds[] = {"adamw", "muon", NULL};
static const char *const types[] = {"q8_0", "f16", "f32", NULL};

#define C pct_train_config
#define MODEL_INTEGER(section, field, min, max, fallback, doc)                                                         \
    PCT_CONFIG_INTEGER("model." #section "." #field, C, wanted.section##_##field, min, max, fallback, doc),
#define MODEL_CHOICE(section, field, type, names, fallback, doc)                                                       \
    PCT_CONFIG_CHOICE("model." #section "." #field, C, wanted.section##_##field, names, fallback, doc),

/* clang-format off: the rows of macros */
static const pct_config_field fields[] = {
    PCT_CONFIG_TEXT(
        "model.base", C, base, "",
        "a language model's GGUF file (llama, qwen2): its structure beats model.language.*, its weights stay "
        "as they are stored; model.lora adapts it"),
    PCT_TRAIN_IMAGE(MODEL_INTEGER, MODEL_CHOICE)
        PCT_CONFIG_NUMBERS("model.image.mean", C, wanted.mean, 0, 1, "0.5, 0.5, 0.5", "subtracted from 0..1 RGB"),
    PCT_CONFIG_NUMBERS("model.image.deviation", C, wanted.deviation, 0.01, 10, "0.25, 0.25, 0.25", "divided by"),
    PCT_TRAIN_VISION(MODEL_INTEGER, MODEL_CHOICE) PCT_CONFIG_NUMBER(
        "model.vision.norm_epsilon", C, wanted.vision_epsilon, 1e-8, 1e-2, "1e-5", "of its LayerNorms"),
    PCT_TRAIN_LANGUAGE(MODEL_INTEGER, MODEL_CHOICE) PCT_CONFIG_NUMBER("model.language.rope_theta", C, wanted.rope_theta,
                                                                      10, 1e8, "10000", "base of rotary positions"),
    PCT_CONFIG_NUMBER("model.language.norm_epsilon", C, wanted.norm_epsilon, 1e-8, 1e-2, "1e-5", "of RMSNorm"),
    PCT_TRAIN_HEADS(MODEL_INTEGER, MODEL_CHOICE) PCT_TRAIN_LORA(MODEL_INTEGER, MODEL_CHOICE)
        PCT_CONFIG_NUMBER("model.lora.alpha", C, wanted.lora_alpha, 0, 1024, "64", "LoRA's scale times its rank"),
    PCT_CONFIG_NUMBER("model.lora.dropout", C, wanted.lora_dropout, 0, 0.9, "0.1", "on LoRA's input"),
    PCT_CONFIG_TEXT("model.lora.targets", C, wanted.lora_targets, "attn_q,attn_v", "ends of the names LoRA adapts"),

    PCT_CONFIG_TEXT("data.folder", C, data.folder, "", "a data set folder to train on instead of composed scenes"),
    PCT_CONFIG_TEXT("data.pack", C, data.pack, "", "prepared cut-outs and backgrounds that scenes are composed from"),
    PCT_CONFIG_TEXT("data.cutouts", C, data.cutouts, "", "a folder of your own cut-outs, named by file or sub-folder"),
    PCT_CONFIG_TEXT("data.backgrounds", C, data.backgrounds, "", "a folder of your own backgrounds"),
    PCT_CONFIG_TEXTS("data.styles", C, data.styles, "", "styles of the pack to use; empty: all"),
    PCT_CONFIG_NUMBER("data.generated", C, data.generated, -1, 1, "-1", "share of generated backgrounds; -1: 0.3"),
    PCT_CONFIG_NUMBER("data.taught", C, data.taught, 0, 1, "0",
                      "share of names drawn among those of data.cutouts; 0: drawn like the pack's"),
    PCT_CONFIG_INTEGER("data.hold_taught", C, data.hold_taught, 0, 1, "0",
                       "1: of each name of data.cutouts with three pictures or more one is held out, of the pack none"),
    PCT_CONFIG_NUMBER("data.augment", C, data.augment, 0, 1, "0",
                      "share of the things that are distorted, and of those that are redrawn in lines"),
    PCT_CONFIG_INTEGER("data.side", C, data.side, 0, 1024, "0", "side of composed pictures; 0: the model's square"),
    PCT_CONFIG_INTEGER("data.questions", C, data.questions, 1, 32, "6", "questions a picture"),
    PCT_CONFIG_INTEGER("data.objects_min", C, data.objects_min, 0, 8, "0", "fewest things in a picture; 0: 1"),
    PCT_CONFIG_INTEGER("data.objects_max", C, data.objects_max, 0, 8, "0", "most things in a picture; 0: 8"),
    PCT_CONFIG_NUMBERS("data.weights", C, data.weights, 0, 1000, "",
                       "frequency of refer, all, absent, name, box2mask, count, relation, describe, dialogue; empty: "
                       "the default mix"),
    PCT_CONFIG_INTEGER("data.scene_names", C, data.scene_names, 0, 65536, "0",
                       "scenes show only this many of the names, drawn once (a curriculum); 0: all"),
    PCT_CONFIG_INTEGER("data.names", C, data.names, 0, 4096, "192", "names in a batch's list (presence, naming)"),
    PCT_CONFIG_NUMBER("data.object_weight", C, data.object_weight, 0.01, 100, "1", "weight of <obj> among the tokens"),
    PCT_CONFIG_NUMBER("data.mask_share", C, data.mask_share, 0, 1, "0.5", "regions given as masks, not boxes"),

    PCT_CONFIG_NUMBER("losses.language", C, losses.language, 0, 100, "1", "cross entropy of the answers' tokens"),
    PCT_CONFIG_NUMBER("losses.box_l1", C, losses.box_l1, 0, 100, "2", "distance of the boxes' edges"),
    PCT_CONFIG_NUMBER("losses.box_giou", C, losses.box_giou, 0, 100, "1", "1 - generalised IoU of the boxes"),
    PCT_CONFIG_NUMBER("losses.mask_bce", C, losses.mask_bce, 0, 100, "2", "binary cross entropy of the masks"),
    PCT_CONFIG_NUMBER("losses.mask_dice", C, losses.mask_dice, 0, 100, "1", "dice loss of the masks"),
    PCT_CONFIG_NUMBER("losses.quality", C, losses.quality, 0, 100, "0.2", "of the predicted quality"),
    PCT_CONFIG_NUMBER("losses.presence", C, losses.presence, 0, 100, "0.2", "which names are in the picture"),
    PCT_CONFIG_NUMBER("losses.naming", C, losses.naming, 0, 100, "0.5", "every patch names its owner"),
    PCT_CONFIG_NUMBER("losses.cell_box", C, losses.cell_box, 0, 100, "0.5",
                      "every patch says where its owner's box is"),
    PCT_CONFIG_NUMBER("losses.background", C, losses.background, 0, 10, "0.2", "weight of a patch without owner"),
    PCT_CONFIG_NUMBER("losses.smoothing", C, losses.smoothing, 0, 0.5, "0", "label smoothing of the tokens"),
    PCT_CONFIG_NUMBER("losses.any_order", C, losses.any_order, 0, 1, "0",
                      "regions of a phrase may come in either order when their middles are less than this share of the "
                      "width apart (language.regions: token)"),

    PCT_CONFIG_CHOICE("optimiser.kind", C, optimiser.kind, kinds, "adamw",
                      "adamw, or muon: the layers' matrices by Muon, the rest by AdamW"),
    PCT_CONFIG_NUMBER("optimiser.momentum", C, optimiser.momentum, 0, 0.9999, "0.95", "Muon's momentum"),
    PCT_CONFIG_NUMBER("optimiser.rate", C, optimiser.rate, 0, 1, "1e-3", "peak learning rate"),
    PCT_CONFIG_NUMBER("optimiser.beta1", C, optimiser.beta1, 0, 0.9999, "0.9", "AdamW's first moment"),
    PCT_CONFIG_NUMBER("optimiser.beta2", C, optimiser.beta2, 0, 0.99999, "0.98", "AdamW's second moment"),
    PCT_CONFIG_NUMBER("optimiser.epsilon", C, optimiser.epsilon, 1e-16, 1e-2, "1e-8", "AdamW's epsilon"),
    PCT_CONFIG_NUMBER("optimiser.decay", C, optimiser.decay, 0, 1, "0.05", "weight decay, of matrices alone"),
    PCT_CONFIG_NUMBER("optimiser.clip", C, optimiser.clip, 0, 1e6, "1", "largest norm of the gradient; 0: no limit"),
    PCT_CONFIG_NUMBER("optimiser.ema", C, optimiser.ema, 0, 0.99999, "0", "decay of the weights' average; 0: none"),
    PCT_CONFIG_INTEGER("optimiser.accumulate", C, optimiser.accumulate, 1, 1024, "1", "batches an optimiser step"),
    PCT_CONFIG_TEXTS("optimiser.slow", C, optimiser.slow, "",
                     "parts that learn at slow_rate times the rate: as in freeze"),
    PCT_CONFIG_NUMBER("optimiser.slow_rate", C, optimiser.slow_rate, 1e-4, 1, "0.3",
                      "share of the rate for these parts"),
    PCT_CONFIG_TEXTS("optimiser.freeze", C, optimiser.freeze, "",
                     "parts that do not learn: vision, connector, language, heads, or beginnings of tensor names"),

    PCT_CONFIG_INTEGER("schedule.steps", C, schedule.steps, 1, 1000000000, "20000", "optimiser steps"),
    PCT_CONFIG_INTEGER("schedule.batch", C, schedule.batch, 1, 256, "8", "pictures a batch"),
    PCT_CONFIG_INTEGER("schedule.warmup", C, schedule.warmup, 0, 1000000000, "500", "steps of linear warm-up"),
    PCT_CONFIG_NUMBER("schedule.final", C, schedule.final, 0, 1, "0.02", "share of the rate that the cosine ends at"),

    PCT_CONFIG_TEXT("run.out", C, run.out, NULL, "folder that the run writes"),
    PCT_CONFIG_TEXT("run.name", C, run.name, "percept-nano", "the model's name"),
    PCT_CONFIG_TEXT("run.from", C, run.from, "",
                    "a model file to start from; its structure then beats model.*, but model.lora adapts it and "
                    "language.regions may turn tokens into text"),
    PCT_CONFIG_INTEGER("run.thaw", C, run.thaw, 0, 1, "0",
                       "1: the language model that stood still in run.from's file (model.base) learns as well, as a "
                       "whole; without LoRA"),
    PCT_CONFIG_TEXT("run.warm", C, run.warm, "",
                    "a model file or checkpoint whose tokenizer and fitting weights a fresh structure starts with"),
    PCT_CONFIG_TEXTS("run.fresh", C, run.fresh, "", "parts that begin anew all the same, named as in optimiser.freeze"),
    PCT_CONFIG_TEXT("run.date", C, run.date, "", "date for the model card; empty: today"),
    PCT_CONFIG_TEXT("run.licence", C, run.licence, "MIT", "licence of the weights"),
    PCT_CONFIG_TEXT("run.data_licences", C, run.data_licences, "", "licences of the training data, for the card"),
    PCT_CONFIG_TEXT("run.version", C, run.version, "1", "the model's, for the card"),
    PCT_CONFIG_TEXT("run.description", C, run.description, "", "what the model is, for the card"),
    PCT_CONFIG_TEXT("run.domain", C, run.domain, "", "what it was trained on and is good for, for the card"),
    PCT_CONFIG_INTEGER("run.seed", C, run.seed, 0, 9007199254740991, "1", "of weights, scenes and everything random"),
    PCT_CONFIG_INTEGER("run.threads", C, run.threads, 0, 512, "0", "0: the processors this process may run on"),
    PCT_CONFIG_INTEGER("run.log_every", C, run.log_every, 1, 1000000, "20", "steps between lines of metrics"),
    PCT_CONFIG_INTEGER("run.validate_every", C, run.validate_every, 0, 1000000000, "1000", "steps; 0: never"),
    PCT_CONFIG_INTEGER("run.validate_pictures", C, run.validate_pictures, 1, 100000, "64", "of each validation set"),
    PCT_CONFIG_INTEGER("run.validate_splits", C, run.validate_splits, 1, 2, "2",
                       "1: new arrangements alone; 2: the calibration split, of cut-outs in training, as well"),
    PCT_CONFIG_INTEGER("run.checkpoint_every", C, run.checkpoint_every, 1, 1000000000, "500", "steps"),
    PCT_CONFIG_INTEGER("run.keep", C, run.keep, 1, 1000, "2", "newest checkpoints that are kept"),
    PCT_CONFIG_NUMBER("run.spike", C, run.spike, 1, 1000, "4",
                      "the run has diverged when the loss stays above this "
                      "many times its running mean"),
    PCT_CONFIG_INTEGER("run.spike_steps", C, run.spike_steps, 1, 1000000, "100", "for so many steps"),
    PCT_CONFIG_INTEGER("run.calibrate", C, run.calibrate, 0, 100000, "400", "pictures the scores are calibrated on"),
    PCT_CONFIG_INTEGER("run.test", C, run.test, 0, 100000, "200", "pictures of each test split for the model card"),
    PCT_CONFIG_NUMBER("run.blend", C, run.blend, 0, 1, "1",
                      "share of what was learned that the model file gets, weight by weight; the rest is run.from's"),
    PCT_CONFIG_NUMBER("run.blend_vision", C, run.blend_vision, -1, 1, "-1", "the tower's share; -1: run.blend"),
    PCT_CONFIG_INTEGER(
        "run.merge", C, run.merge, 0, 1, "1",
        "1: LoRA is added to the weights of the model file (not with model.base); 0: the file keeps it apart"),
    PCT_CONFIG_CHOICE("run.precision", C, run.precision, precisions, "auto", "of matrix products"),
    PCT_CONFIG_CHOICE("run.type", C, run.type, types, "q8_0", "of the matrices in the model file"),
};
/* clang-format on */

const pct_config_field *pct_train_config_fields(size_t *count) {
    *count = PCT_COUNT(fields);
    return fields;
}

static percept_status copy_three(float out[3], const pct_config_numbers *in, const char *key, percept_error *error) {
    if (in->count != 3) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: three numbers are wanted (R, G, B), not %d", key, in->count);
    }
    memcpy(out, in->values, 3 * sizeof *out);
    return PERCEPT_OK;
}

static percept_status finish_model(pct_train_config *config, percept_error *error) {
    pct_model_config *model = &config->model;
    pct_model_config_default(model);
#define COPY_NUMBER(section, field, ...)       model->section.field = (int32_t)config->wanted.section##_##field;
#define COPY_CHOICE(section, field, type, ...) model->section.field = (type)config->wanted.section##_##field;
    PCT_TRAIN_MODEL(COPY_NUMBER, COPY_CHOICE)
#undef COPY_NUMBER
#undef COPY_CHOICE
    if (model->language.regions == PCT_REGIONS_TEXT) model->language.copying = model->heads.quality = 0;
    PCT_TRY(copy_three(model->image.mean, &config->wanted.mean, "model.image.mean", error));
    PCT_TRY(copy_three(model->image.deviation, &config->wanted.deviation, "model.image.deviation", error));
    model->language.rope_theta = config->wanted.rope_theta;
    model->language.norm_epsilon = config->wanted.norm_epsilon;
    model->vision.norm_epsilon = config->wanted.vision_epsilon;
    model->lora.alpha = config->wanted.lora_alpha;
    model->lora.dropout = config->wanted.lora_dropout;
    size_t length = strlen(config->wanted.lora_targets);
    if (length >= sizeof model->lora.targets) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "model.lora.targets: longer than %zu bytes",
                        sizeof model->lora.targets - 1);
    }
    memcpy(model->lora.targets, config->wanted.lora_targets, length + 1);
    percept_status status = pct_model_config_check(model, error);
    if (status != PERCEPT_OK) {
        pct_error_prefix(error, "model");
        if (error) error->status = PERCEPT_ERROR_INPUT;
        return PERCEPT_ERROR_INPUT;
    }
    return PERCEPT_OK;
}

bool pct_train_blends(const pct_train_config *config) {
    return config->run.blend < 1 || (config->run.blend_vision >= 0 && config->run.blend_vision < 1);
}

static percept_status finish(pct_train_config *config, pct_config *reader, percept_error *error) {
    PCT_TRY(pct_config_finish(reader, error));
    PCT_TRY(finish_model(config, error));
    int sources = (config->data.pack[0] || config->data.cutouts[0]) + (config->data.folder[0] != 0);
    if (sources != 1) {
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "data: %s; give data.pack or data.cutouts for composed scenes, or data.folder alone",
                        sources ? "data.folder cannot be mixed with scenes" : "no source of pictures");
    }
    if (config->run.warm[0] && config->run.from[0]) {
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "run.warm: beside run.from; give one: run.from keeps the file's structure, run.warm does not");
    }
    if (config->base[0] && config->run.from[0]) {
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "model.base: beside run.from, whose file has a language model; give one, or run.warm for the "
                        "weights of tower and heads");
    }
    if (config->run.thaw && (!config->run.from[0] || config->model.lora.rank > 0)) {
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "run.thaw: %s; it is for a whole language model that learns on from run.from's file",
                        config->run.from[0] ? "beside model.lora.rank, which lets the layers stand still"
                                            : "without run.from");
    }
    if (config->run.fresh.count && !config->run.warm[0]) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "run.fresh: without run.warm; everything begins anew then");
    }
    if (pct_train_blends(config) && (!config->run.from[0] || config->model.lora.rank > 0)) {
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "run.blend%s: below 1 without run.from, or beside model.lora; it lies between two whole models",
                        config->run.blend < 1 ? "" : "_vision");
    }
    if (config->schedule.warmup > config->schedule.steps) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "schedule.warmup: %lld steps are more than schedule.steps %lld",
                        (long long)config->schedule.warmup, (long long)config->schedule.steps);
    }
    if (config->data.weights.count != 0 && config->data.weights.count != PCT_TASK_COUNT_) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "data.weights: %d numbers, one for each of the %d tasks is wanted",
                        config->data.weights.count, PCT_TASK_COUNT_);
    }
    pct_scene_options scenes;
    return pct_train_scene_options(config, &scenes, error);
}

void pct_train_config_init(pct_train_config *config, pct_config *reader) {
    *config = (pct_train_config){0};
    pct_config_init(reader, fields, PCT_COUNT(fields), config);
}

percept_status pct_train_config_load(pct_train_config *config, pct_config *reader, const char *path,
                                     const char *const *settings, size_t setting_count, percept_error *error) {
    pct_train_config_init(config, reader);
    if (path) PCT_TRY(pct_config_load(reader, path, error));
    for (size_t i = 0; i < setting_count; i++) PCT_TRY(pct_config_set(reader, settings[i], error));
    percept_status status = finish(config, reader, error);
    if (status != PERCEPT_OK && path) pct_error_prefix(error, "%s", path);
    return status;
}

percept_status pct_train_config_load_text(pct_train_config *config, pct_config *reader, const char *name,
                                          const char *text, size_t size, percept_error *error) {
    pct_train_config_init(config, reader);
    PCT_TRY(pct_config_load_memory(reader, name, text, size, error));
    return finish(config, reader, error);
}

percept_status pct_train_scene_options(const pct_train_config *config, pct_scene_options *options,
                                       percept_error *error) {
    pct_scene_options_default(options);
    options->pack = config->data.pack[0] ? config->data.pack : NULL;
    options->cutouts = config->data.cutouts[0] ? config->data.cutouts : NULL;
    options->backgrounds = config->data.backgrounds[0] ? config->data.backgrounds : NULL;
    options->generated = config->data.generated;
    options->taught = config->data.taught;
    options->hold_taught = config->data.hold_taught;
    options->names = (int32_t)config->data.scene_names;
    for (int i = 0; i < config->data.styles.count; i++) {
        enum pct_style style;
        if (!pct_style_from_text(config->data.styles.values[i], &style)) {
            return pct_fail(error, PERCEPT_ERROR_INPUT,
                            "data.styles: '%.40s' is none of photo, drawing, noto, openmoji, fluent, user",
                            config->data.styles.values[i]);
        }
        options->styles |= 1u << style;
    }
    for (int i = 0; i < config->data.weights.count; i++) options->weights[i] = config->data.weights.values[i];
    return PERCEPT_OK;
}
