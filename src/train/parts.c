/* parts.c: the parts of a model that a config names: frozen, slow, or begun anew. See trainer.h. */
#include "base/size.h"
#include "train/trainer.h"

#include <string.h>

/* A part is one of four names, or the beginning of a tensor's own. LoRA's matrices belong to none: frozen parts are
 * what they adapt. */
bool pct_train_belongs(const char *name, const char *part) {
    static const struct {
        const char *part, *begin;
    } parts[] = {{"vision", "v."},
                 {"vision", "percept.stem."},
                 {"vision", "percept.merge."},
                 {"connector", "mm."},
                 {"language", "blk."},
                 {"language", "token_embd"},
                 {"language", "output"},
                 {"language", "percept.cell_position"},
                 {"language", "percept.added."},
                 {"heads", "percept."},
                 {"heads", "obj."},
                 {"heads", "mask_"},
                 {"heads", "box_"}};
    bool known = false;
    for (size_t i = 0; i < PCT_COUNT(parts); i++) {
        bool begins = strncmp(name, parts[i].begin, strlen(parts[i].begin)) == 0, asked = !strcmp(part, parts[i].part);
        if (asked && begins) return !strstr(name, ".lora_");
        if (begins) return strncmp(name, part, strlen(part)) == 0; /* the first row that fits decides: no head */
        known = known || asked;
    }
    return !known && strncmp(name, part, strlen(part)) == 0;
}

/* Refuses a key's parts to which no tensor belongs, neither the model's nor the file's (NULL: none). */
static percept_status check_parts(const pct_trainer *trainer, const char *key, const pct_config_texts *wanted,
                                  const pct_gguf *file, percept_error *error) {
    const pct_parameters *set = pct_model_get_parameters(trainer->model);
    for (int p = 0; p < wanted->count; p++) {
        bool found = false;
        for (size_t i = 0; i < set->count && !found; i++)
            found = pct_train_belongs(set->list[i]->name, wanted->values[p]);
        for (int64_t i = 0; file && i < pct_gguf_tensor_count(file) && !found; i++)
            found = pct_train_belongs(pct_gguf_tensor_at(file, i)->name, wanted->values[p]);
        if (found) continue;
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "%s: '%.60s' is the beginning of no tensor's name; vision, connector, language and heads "
                        "are the parts",
                        key, wanted->values[p]);
    }
    return PERCEPT_OK;
}

percept_status pct_trainer_treat_parts(pct_trainer *trainer, const char *key, const pct_config_texts *wanted,
                                       float scale, percept_error *error) {
    pct_parameters *set = pct_model_get_parameters(trainer->model);
    PCT_TRY(check_parts(trainer, key, wanted, NULL, error));
    for (int p = 0; p < wanted->count; p++) {
        for (size_t i = 0; i < set->count; i++) {
            if (!pct_train_belongs(set->list[i]->name, wanted->values[p])) continue;
            set->list[i]->rate_scale = scale;
            if (scale > 0) continue;
            set->list[i]->trainable = false;
            set->list[i]->tensor.needs_grad = false;
        }
    }
    return PERCEPT_OK;
}

static bool is_kept(void *context, const char *name) {
    const pct_config_texts *fresh = context;
    for (int p = 0; p < fresh->count; p++)
        if (pct_train_belongs(name, fresh->values[p])) return false;
    return true;
}

percept_status pct_trainer_warm_start(pct_trainer *trainer, const pct_gguf *file, percept_error *error) {
    int64_t taken;
    int32_t rank;
    PCT_TRY(check_parts(trainer, "run.fresh", &trainer->config.run.fresh, file, error));
    PCT_TRY(pct_gguf_get_i32_or(file, "percept.lora.rank", 0, INT32_MAX, 0, &rank, error));
    if (rank > 0) {
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "run.warm: %s keeps LoRA apart from its weights; fine-tune from it with run.from, whose result "
                        "has them together",
                        pct_gguf_path(file));
    }
    PCT_TRY(pct_model_take(trainer->model, file, is_kept, &trainer->config.run.fresh, &taken, error));
    if (!taken) {
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "run.warm: nothing of %s is taken: it has no tensor of this structure, or run.fresh names them "
                        "all; give a percept model or a checkpoint",
                        pct_gguf_path(file));
    }
    pct_log_write(trainer->options->log, PCT_LOG_INFO, "run.warm: %lld of %zu tensors are %s's; the others begin anew",
                  (long long)taken, pct_model_get_parameters(trainer->model)->count, pct_gguf_path(file));
    return PERCEPT_OK;
}
