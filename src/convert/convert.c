#include "convert/convert.h"

#include "base/file.h"
#include "convert/family.h"
#include "model/model_private.h"
#include "model/stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_CONFIG ((size_t)4 << 20)

/* The first that recognises it: a LLaMA with a tower beside is a PerceptionGPT. */
static const pct_family *const families[] = {&pct_family_perceptiongpt, &pct_family_llama, &pct_family_qwen2,
                                             &pct_family_mllmseg};
#define FAMILIES    (sizeof families / sizeof *families)
#define KNOWN_NAMES "llama, qwen2, perceptiongpt, mllmseg"

/* ---- what families share ---------------------------------------------------------------------------------------- */

percept_status pct_family_json(const char *folder, const char *name, json_t **out, percept_error *error) {
    char *path = pct_path_join(folder, name);
    if (!path) return pct_fail_memory(error, "path");
    percept_status status = PERCEPT_OK;
    if (!pct_is_directory(folder))
        status =
            pct_fail(error, PERCEPT_ERROR_INPUT, "%s: is not a folder; give one with %s and the weights", folder, name);
    else if (!pct_file_exists(path))
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "%s: is missing; give the whole folder of the checkpoint", path);
    if (status == PERCEPT_OK) {
        status = pct_json_load(out, path, MAX_CONFIG, error);
        if (status == PERCEPT_ERROR_INPUT) { /* it is there, and what it says is wrong */
            status = PERCEPT_ERROR_MODEL;
            if (error) error->status = status;
        }
    }
    if (status == PERCEPT_OK && !json_is_object(*out))
        status = pct_fail(error, PERCEPT_ERROR_MODEL, "%s: holds no JSON object; fetch it again", path);
    free(path);
    return status;
}

const char *pct_family_type(const json_t *config) {
    const json_t *type = json_object_get(config, "model_type");
    return json_is_string(type) ? json_string_value(type) : "";
}

void pct_family_begin(pct_model_config *m) {
    pct_model_config_default(m);
    m->image.reduced = 0;
    m->vision.pre_norm = m->vision.cell_blocks = m->vision.merge = m->vision.merge_norm = m->vision.class_row = 0;
    m->language.cell_positions = PCT_CELLS_ROTARY;
    m->language.grounding = m->language.copying = 0;
    m->language.init = PCT_LANGUAGE_PLAIN;
    m->heads.quality = m->heads.presence = m->heads.naming = m->heads.cell_box = 0;
}

/* Rows of the largest table of words that a source has under any of its prefixes; 0: none. */
static int64_t table_rows(const pct_converting *c) {
    static const char *const tables[] = {"model.embed_tokens.weight", "embed_tokens.weight"};
    int64_t rows = 0;
    for (int k = 0; k < c->source_count; k++)
        for (int i = 0; i < 4 && c->sources[k].prefixes[i]; i++)
            for (size_t n = 0; n < sizeof tables / sizeof *tables; n++) {
                char name[256];
                snprintf(name, sizeof name, "%s%s", c->sources[k].prefixes[i], tables[n]);
                const pct_foreign_tensor *t = pct_foreign_find(c->sources[k].checkpoint, name);
                if (t && t->dims == 2 && t->shape[0] > rows) rows = t->shape[0];
            }
    return rows;
}

/* Tokens beyond the table's rows are only those that are added here: their rows are made. */
static percept_status extend(pct_converting *c, const pct_tokenizer *read, const char *const *texts, int32_t count,
                             int32_t rows, percept_error *error) {
    if (rows && pct_tokenizer_size(read) > rows)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "%s: a vocabulary of %d tokens does not fit a table of words with %d rows; give the tokenizer "
                        "of these weights",
                        c->options->source, pct_tokenizer_size(read), rows);
    PCT_TRY(pct_tokenizer_extend(&c->tokenizer, read, texts, count, 0, error));
    if (pct_tokenizer_size(c->tokenizer) >= rows) return PERCEPT_OK;
    pct_tokenizer_destroy(&c->tokenizer);
    return pct_tokenizer_extend(&c->tokenizer, read, texts, count, rows, error);
}

percept_status pct_family_tokenizer(pct_converting *c, const char *const *texts, int32_t count, percept_error *error) {
    pct_tokenizer *read = NULL;
    int64_t rows = table_rows(c);
    if (rows > 1 << 20)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: the table of words has %lld rows; at most %d are known",
                        c->options->source, (long long)rows, 1 << 20);
    PCT_TRY(pct_tokenizer_open(&read, c->options->source, error));
    percept_status status = extend(c, read, texts, count, (int32_t)rows, error);
    pct_tokenizer_destroy(&read);
    if (status == PERCEPT_OK) c->model.language.vocabulary = pct_tokenizer_size(c->tokenizer);
    return status;
}

/* Whether a setting of peft's says something: not null, false, "none", or empty. */
static bool is_set(const json_t *value) {
    if (json_is_string(value)) return *json_string_value(value) && strcmp(json_string_value(value), "none") != 0;
    if (json_is_array(value)) return json_array_size(value) > 0;
    if (json_is_object(value)) return json_object_size(value) > 0;
    return value && !json_is_null(value) && !json_is_false(value);
}

/* Rank and alpha of an adapter_config.json; *modules NULL: no list. Settings that make another sum are refused. */
static percept_status read_lora(const json_t *config, int64_t *rank, double *alpha, json_t **modules,
                                percept_error *error) {
    static const char *const unknown[] = {"use_rslora",    "use_dora", "rank_pattern",
                                          "alpha_pattern", "bias",     "modules_to_save"};
    PCT_TRY(pct_json_get_i64(config, "r", 1, 4096, rank, error));
    PCT_TRY(pct_json_get_f64(config, "lora_alpha", 1e-6, 1e6, alpha, error));
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        if (is_set(json_object_get(config, unknown[i])))
            return pct_fail(error, PERCEPT_ERROR_MODEL, "%s is not known; merge the adapters with peft", unknown[i]);
    *modules = json_object_get(config, "target_modules");
    if (!json_is_array(*modules)) *modules = NULL;
    return PERCEPT_OK;
}

percept_status pct_family_lora(pct_converting *c, percept_error *error) {
    int64_t rank;
    double alpha;
    json_t *modules = NULL;
    if (!c->options->lora && c->options->keep_lora)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "keep_lora: there are no adapters to keep; give --lora DIR");
    if (!c->options->lora) return PERCEPT_OK;
    PCT_TRY(pct_family_json(c->options->lora, "adapter_config.json", &c->lora_config, error));
    percept_status status = read_lora(c->lora_config, &rank, &alpha, &modules, error);
    if (status != PERCEPT_OK) {
        pct_error_prefix(error, "%s/adapter_config.json", c->options->lora);
        return pct_error_of_model(status, error);
    }
    PCT_TRY(pct_foreign_open_adapters(&c->lora, c->options->lora, error));
    c->sources[0].lora = c->lora;
    c->sources[0].lora_scale = alpha / (double)rank;
    c->sources[0].lora_rank = rank;
    if (!c->options->keep_lora) return PERCEPT_OK;
    if (!modules)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "%s/adapter_config.json: target_modules is no list of names; leave --keep-lora out",
                        c->options->lora);
    return pct_family_keep_lora(c, (int32_t)rank, (float)alpha, modules, error);
}

percept_status pct_family_keep_lora(pct_converting *c, int32_t rank, float alpha, const json_t *modules,
                                    percept_error *error) {
    static const char *const names[][2] = {{"q_proj", "attn_q"},      {"k_proj", "attn_k"},      {"v_proj", "attn_v"},
                                           {"o_proj", "attn_output"}, {"gate_proj", "ffn_gate"}, {"up_proj", "ffn_up"},
                                           {"down_proj", "ffn_down"}};
    pct_model_lora *lora = &c->model.lora;
    if (c->model.kind == PCT_MODEL_LANGUAGE)
        return pct_fail(
            error, PERCEPT_ERROR_USAGE,
            "keep_lora: a language model alone has no place for adapters; leave the option out and they are "
            "added to its weights");
    lora->rank = rank;
    lora->alpha = alpha;
    *lora->targets = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool wanted = modules == NULL;
        for (size_t k = 0; modules && k < json_array_size(modules); k++) {
            const json_t *module = json_array_get(modules, k);
            wanted = wanted || (json_is_string(module) && !strcmp(json_string_value(module), names[i][0]));
        }
        if (!wanted) continue;
        if (*lora->targets) strcat(lora->targets, ",");
        strcat(lora->targets, names[i][1]);
    }
    return PERCEPT_OK;
}

/* ---- the way ---------------------------------------------------------------------------------------------------- */

static void close_all(pct_converting *c) {
    json_decref(c->config);
    json_decref(c->tower_config);
    json_decref(c->lora_config);
    pct_foreign_close(&c->checkpoint);
    pct_foreign_close(&c->tower);
    pct_foreign_close(&c->lora);
    pct_foreign_close(&c->heads);
    pct_tokenizer_destroy(&c->tokenizer);
    free(c->rope_factors);
}

static percept_status choose_family(const pct_converting *c, const pct_family **out, percept_error *error) {
    for (size_t i = 0; i < FAMILIES; i++) {
        *out = families[i];
        if (c->options->family ? !strcmp(c->options->family, families[i]->name) : families[i]->recognises(c))
            return PERCEPT_OK;
    }
    if (c->options->family)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "family: \"%.40s\" is not one of " KNOWN_NAMES, c->options->family);
    return pct_fail(error, PERCEPT_ERROR_MODEL,
                    "%s: config.json's model_type \"%.40s\" is of no known family; known are " KNOWN_NAMES,
                    c->options->source, pct_family_type(c->config));
}

/* Whether the message begins with one of the paths that were given. */
static bool names_a_file(const pct_converting *c, const percept_error *error) {
    const char *const paths[] = {c->options->source, c->options->tower, c->options->heads, c->options->lora};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const size_t length = paths[i] ? strlen(paths[i]) : 0;
        if (length && !strncmp(error->message, paths[i], length) &&
            (error->message[length] == '/' || error->message[length] == ':' || paths[i][length - 1] == '/'))
            return true;
    }
    return false;
}

/* Messages about a config's values name the file. */
static percept_status describe(pct_converting *c, percept_error *error) {
    const pct_family *family;
    PCT_TRY(choose_family(c, &family, error));
    PCT_TRY(pct_foreign_open(&c->checkpoint, c->options->source, error));
    percept_status status = family->describe(c, error);
    if ((status == PERCEPT_ERROR_INPUT || status == PERCEPT_ERROR_MODEL) && error && !names_a_file(c, error)) {
        pct_error_prefix(error, "%s/config.json", c->options->source);
        status = pct_error_of_model(status, error);
    }
    if (status != PERCEPT_OK) return status;
    if (pct_model_config_check(&c->model, error) == PERCEPT_OK) return PERCEPT_OK;
    if (error) error->status = PERCEPT_ERROR_MODEL;
    pct_error_prefix(error, "%s/config.json", c->options->source);
    return PERCEPT_ERROR_MODEL;
}

static percept_status write_model(pct_plan *plan, pct_model *model, const pct_convert_options *o, pct_pool *pool,
                                  percept_progress_fn *progress, void *context, pct_convert_report *report,
                                  percept_error *error) {
    pct_gguf_writer *writer = NULL;
    pct_rows rows = {0};
    PCT_TRY(pct_gguf_writer_create(&writer, error));
    percept_status status = pct_rows_init(&rows, pool, writer, error);
    if (status == PERCEPT_OK) status = pct_model_write_keys(model, writer, error);
    if (status == PERCEPT_OK) {
        pct_plan_declare(plan, pct_model_get_parameters(model), writer, o->type);
        status = pct_gguf_writer_begin(writer, o->out, error);
    }
    if (status == PERCEPT_OK)
        status =
            pct_plan_write(plan, pct_model_get_parameters(model), &rows, o->type, progress, context, report, error);
    if (status == PERCEPT_OK) status = pct_gguf_writer_end(writer, error);
    pct_rows_free(&rows);
    pct_gguf_writer_destroy(&writer);
    return status;
}

/* The folder's own name, however its path is spelled: nothing of where it lies goes into the file. */
static void folder_name(const char *path, char *name, size_t size) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') begin--;
    const size_t length = end - begin;
    const bool relative = (length == 1 && path[begin] == '.') || (length == 2 && !strncmp(path + begin, "..", 2));
    char *whole = relative ? realpath(path, NULL) : NULL;
    if (whole) {
        folder_name(whole, name, size);
        free(whole);
    } else {
        snprintf(name, size, "%.*s", (int)length, path + begin);
    }
    if (!*name || *name == '/') snprintf(name, size, "model"); /* the root has no name */
}

static percept_status plan_and_write(pct_converting *c, pct_pool *pool, percept_progress_fn *progress, void *context,
                                     pct_convert_report *report, percept_error *error) {
    const pct_convert_options *o = c->options;
    pct_plan *plan = NULL;
    pct_model *model = NULL;
    const pct_plan_options options = {.sources = c->sources,
                                      .source_count = c->source_count,
                                      .made = c->made,
                                      .made_count = c->made_count,
                                      .heads = c->model.language.heads,
                                      .kv_heads = c->model.language.kv_heads,
                                      .fresh = c->fresh,
                                      .keep_lora = o->keep_lora,
                                      .name = o->source};
    char name[256];
    folder_name(o->source, name, sizeof name);
    const pct_model_card card = {
        .name = name, .domain = c->domain, .provenance = "percept convert", .threshold = c->threshold};
    PCT_TRY(pct_plan_create(&plan, &options, error));
    percept_status status = pct_model_plan(&model, &c->model, &c->tokenizer, pct_plan_take, plan, o->seed, error);
    if (status == PERCEPT_OK) status = pct_plan_check(plan, error);
    if (status == PERCEPT_OK) status = pct_model_set_card(model, &card, error);
    if (status == PERCEPT_OK) status = write_model(plan, model, o, pool, progress, context, report, error);
    if (status == PERCEPT_OK) status = pct_plan_report(plan, report, error);
    struct stat written;
    if (status == PERCEPT_OK && stat(o->out, &written) == 0) report->bytes = (size_t)written.st_size;
    pct_model_close(&model);
    pct_plan_destroy(&plan);
    return status;
}

percept_status pct_convert(const pct_convert_options *options, pct_pool *pool, percept_progress_fn *progress,
                           void *context, pct_convert_report *report, percept_error *error) {
    pct_converting c = {.options = options};
    *report = (pct_convert_report){0};
    percept_status status = pct_family_json(options->source, "config.json", &c.config, error);
    if (status == PERCEPT_OK) status = describe(&c, error);
    if (status == PERCEPT_OK) status = plan_and_write(&c, pool, progress, context, report, error);
    close_all(&c);
    return status;
}

void pct_convert_report_free(pct_convert_report *report) {
    pct_text_free(&report->unused_names);
    pct_text_free(&report->fresh_names);
}
