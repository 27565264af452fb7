/* recipe.c: how scenes are composed and the model is tuned; the reasons and figures are in docs/teach.md. */
#include "base/size.h"
#include "formats/gguf.h"
#include "teach/teach.h"

#include <stdlib.h>
#include <string.h>

#define TAUGHT    0.5 /* share of names in a scene, and of questions about what is not there, that are the taught ones */
#define GENERATED 0.6 /* share of scenes on generated grounds, where there are backgrounds too */

static const char *const fixed[] = {
    "data.hold_taught=1",      "data.questions=6",         "data.names=1024",     "data.weights=30,10,13,12,3,12,7,3,2",
    "losses.language=3",       "losses.mask_bce=4",        "losses.mask_dice=2",  "losses.naming=1",
    "losses.background=0.1",   "losses.any_order=0.2",     "optimiser.kind=muon", "optimiser.rate=0.001",
    "optimiser.slow_rate=0.5", "schedule.batch=6",         "schedule.final=0.02", "run.log_every=10",
    "run.validate_every=0",    "run.checkpoint_every=100", "run.keep=1",          "run.test=0",
    "run.blend=0.6",           "run.name=percept-taught",
};

/* The parts that taught the tower to name, as far as the model has them: a key that names nothing is refused. */
static void slow_parts(const pct_gguf *file, pct_text *text) {
    static const char *const heads[] = {"percept.naming.", "percept.presence."};
    pct_text_puts(text, "optimiser.slow=vision,token_embd");
    for (size_t i = 0; i < PCT_COUNT(heads); i++) {
        bool there = false;
        for (int64_t k = 0; k < pct_gguf_tensor_count(file) && !there; k++)
            there = strncmp(pct_gguf_tensor_at(file, k)->name, heads[i], strlen(heads[i])) == 0;
        if (there) pct_text_printf(text, ",%s", heads[i]);
    }
    pct_text_add(text, "", 1);
}

/* What the taught model's card keeps of the model's, and what is added to it. */
static percept_status card(const pct_gguf *file, pct_text *text, size_t *count, percept_error *error) {
    static const struct {
        const char *key, *setting, *more;
    } lines[] = {{"general.name", "run.description", " taught a folder of things"},
                 {"percept.domain", "run.domain", "; and the things of that folder"},
                 {"general.license", "run.licence", ""},
                 {"percept.data_licences", "run.data_licences", "; the folder's pictures: its owner's"}};
    for (size_t i = 0; i < PCT_COUNT(lines); i++) {
        const char *was;
        PCT_TRY(pct_gguf_get_string_or(file, lines[i].key, "", &was, error));
        if (!*was) continue;
        pct_text_printf(text, "%s=%s%s", lines[i].setting, was, lines[i].more);
        pct_text_add(text, "", 1);
        ++*count;
    }
    return PERCEPT_OK;
}

static percept_status from_model(const char *model, pct_text *text, size_t *count, percept_error *error) {
    pct_gguf *file = NULL;
    PCT_TRY(pct_gguf_open(&file, model, error));
    slow_parts(file, text);
    *count = 1;
    percept_status status = card(file, text, count, error);
    pct_gguf_close(&file);
    return status;
}

percept_status teach_recipe(const pct_teach_options *options, const char *run, const char *cutouts,
                            const char *backgrounds, int64_t steps, pct_text *text, const char ***settings,
                            size_t *count, percept_error *error) {
    pct_text_clear(text);
    /* As they are: a path may hold anything, and the config quotes it where it is written. */
    const struct {
        const char *key, *value;
    } paths[] = {{"data.pack", options->replay},
                 {"data.cutouts", cutouts},
                 {"data.backgrounds", backgrounds ? backgrounds : ""},
                 {"run.from", options->model},
                 {"run.out", run}};
    for (size_t i = 0; i < PCT_COUNT(paths); i++) {
        pct_text_printf(text, "%s=", paths[i].key);
        pct_text_puts(text, paths[i].value);
        pct_text_add(text, "", 1);
    }
    for (size_t i = 0; i < PCT_COUNT(fixed); i++) pct_text_add(text, fixed[i], strlen(fixed[i]) + 1);
    size_t of_model;
    PCT_TRY(from_model(options->model, text, &of_model, error));
    pct_text_printf(text, "run.seed=%llu", (unsigned long long)options->seed);
    pct_text_add(text, "", 1);
    const double ema = steps >= 100 ? 0.98 : 0.9;
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"data.taught", TAUGHT},
                   {"data.generated", GENERATED},
                   {"data.side", TEACH_SIDE},
                   {"schedule.steps", (double)steps},
                   {"schedule.warmup", (double)pct_min_i64(20, steps / 4)},
                   {"optimiser.ema", ema},
                   {"run.calibrate", options->pictures ? (double)options->pictures : 120}};
    for (size_t i = 0; i < PCT_COUNT(numbers); i++) {
        pct_text_printf(text, "%s=", numbers[i].key);
        pct_text_number(text, numbers[i].value);
        pct_text_add(text, "", 1);
    }
    *count = PCT_COUNT(paths) + PCT_COUNT(fixed) + of_model + 1 + PCT_COUNT(numbers); /* 1: the seed */
    *settings = calloc(*count + 1, sizeof **settings);
    if (text->failed || !*settings) return pct_fail_memory(error, "settings");
    const char *at = text->data;
    for (size_t i = 0; i < *count; i++, at += strlen(at) + 1) (*settings)[i] = at;
    return PERCEPT_OK;
}

void teach_scenes(const pct_teach_options *options, const char *cutouts, const char *backgrounds,
                  pct_scene_options *scenes) {
    pct_scene_options_default(scenes);
    scenes->pack = options->replay;
    scenes->cutouts = cutouts;
    scenes->backgrounds = backgrounds;
    scenes->taught = (float)TAUGHT;
    scenes->hold_taught = true;
    scenes->generated = (float)GENERATED;
}
