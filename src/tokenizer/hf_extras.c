/* hf_extras.c: what stands beside a vocabulary of Hugging Face: added tokens, bos and eos, the chat template. */
#include "tokenizer/draft.h"

#include "base/file.h"
#include "base/random.h"
#include "base/size.h"
#include "formats/json.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CONFIG (32u << 20)

static percept_status load_json(json_t **out, const char *folder, const char *name, percept_error *error) {
    char *path = pct_path_join(folder, name);
    if (!path) return pct_fail_memory(error, "path");
    percept_status status = PERCEPT_OK;
    if (pct_file_exists(path)) {
        status = pct_json_load(out, path, MAX_CONFIG, error);
        if (status == PERCEPT_OK && !json_is_object(*out))
            status = pct_fail(error, PERCEPT_ERROR_MODEL, "%s: is not an object", path);
        status = pct_error_of_model(status, error);
    }
    free(path);
    return status;
}

/* Newer checkpoints keep the chat template in a file of its own. */
static percept_status load_template(pct_hf_extras *extras, const char *folder, percept_error *error) {
    char *path = pct_path_join(folder, "chat_template.jinja");
    size_t size;
    percept_status status = path ? PERCEPT_OK : pct_fail_memory(error, "path");
    if (path && pct_file_exists(path)) status = pct_file_read(path, MAX_CONFIG, &extras->chat_template, &size, error);
    free(path);
    json_t *file = NULL;
    if (status == PERCEPT_OK && !extras->chat_template) status = load_json(&file, folder, "chat_template.json", error);
    const char *text = json_string_value(json_object_get(file, "chat_template"));
    if (text && !(extras->chat_template = strdup(text))) status = pct_fail_memory(error, "chat template");
    json_decref(file);
    return status;
}

percept_status pct_hf_extras_load(pct_hf_extras *extras, const char *folder, percept_error *error) {
    *extras = (pct_hf_extras){0};
    percept_status status = load_json(&extras->config, folder, "tokenizer_config.json", error);
    if (status == PERCEPT_OK) status = load_json(&extras->special, folder, "special_tokens_map.json", error);
    if (status == PERCEPT_OK) status = load_json(&extras->added, folder, "added_tokens.json", error);
    if (status == PERCEPT_OK) status = load_json(&extras->model, folder, "config.json", error);
    if (status == PERCEPT_OK) status = load_template(extras, folder, error);
    return status;
}

void pct_hf_extras_free(pct_hf_extras *extras) {
    json_decref(extras->config);
    json_decref(extras->special);
    json_decref(extras->added);
    json_decref(extras->model);
    free(extras->chat_template);
    *extras = (pct_hf_extras){0};
}

const char *pct_hf_extras_class(const pct_hf_extras *extras) {
    const char *name = json_string_value(json_object_get(extras->config, "tokenizer_class"));
    const json_t *language = json_object_get(extras->model, "llm_config");
    if (!name) name = json_string_value(json_object_get(language ? language : extras->model, "model_type"));
    return name ? name : "";
}

/* "text", or {"content": "text", ...}; NULL for anything else. */
static const char *token_text(const json_t *value) {
    return json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
}

/* The texts of all special tokens that the files name, borrowed from them. */
static percept_status list_named(const pct_hf_extras *extras, pct_text_table *table, percept_error *error) {
    static const char *const keys[] = {"bos_token", "eos_token", "unk_token", "pad_token",
                                       "sep_token", "cls_token", "mask_token"};
    const json_t *files[] = {extras->special, extras->config};
    for (size_t f = 0; f < PCT_COUNT(files); f++) {
        const json_t *list = json_object_get(files[f], "additional_special_tokens");
        for (size_t i = 0; i < PCT_COUNT(keys) + json_array_size(list); i++) {
            const char *text = token_text(i < PCT_COUNT(keys) ? json_object_get(files[f], keys[i])
                                                              : json_array_get(list, i - PCT_COUNT(keys)));
            if (text && pct_text_table_put(table, text, strlen(text), 0) < 0)
                return pct_fail_memory(error, "special tokens");
        }
    }
    return PERCEPT_OK;
}

static percept_status add(pct_draft *draft, const char *text, pct_draft_token token, percept_error *error) {
    if (!text[0]) return pct_draft_fail(draft, error, "an added token has no text");
    return pct_draft_add(draft, &draft->added, text, strlen(text), token, error);
}

static bool true_at(const json_t *object, const char *key) { return json_is_true(json_object_get(object, key)); }

/* tokenizer_config.json's "added_tokens_decoder": {"id": {"content": ..., flags}}. */
static percept_status add_decoder(const json_t *decoder, pct_draft *draft, percept_error *error) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)decoder, key, value) {
        pct_draft_token token = {.kind = true_at(value, "special") ? PCT_TOKEN_CONTROL : PCT_TOKEN_USER};
        const char *text = json_string_value(json_object_get(value, "content"));
        if (!text || !pct_parse_i64(key, &token.id))
            return pct_draft_fail(draft, error,
                                  "tokenizer_config.json: added_tokens_decoder: '%.40s' is not an id with "
                                  "its token",
                                  key);
        token.rules = (true_at(value, "lstrip") ? PCT_TOKEN_STRIPS_LEFT : 0u) |
                      (true_at(value, "rstrip") ? PCT_TOKEN_STRIPS_RIGHT : 0u) |
                      (true_at(value, "single_word") ? PCT_TOKEN_WHOLE_WORD : 0u);
        PCT_TRY(add(draft, text, token, error));
    }
    return PERCEPT_OK;
}

/* added_tokens.json: {"text": id}; what the decoder tells already stays as it is. */
static percept_status add_listed(const pct_hf_extras *extras, const pct_text_table *named, pct_draft *draft,
                                 unsigned rules, percept_error *error) {
    const char *text;
    json_t *value;
    json_object_foreach(extras->added, text, value) {
        pct_draft_token token = {.id = json_integer_value(value), .rules = rules};
        if (!json_is_integer(value)) return pct_draft_fail(draft, error, "added_tokens.json: '%.80s' has no id", text);
        const bool special = pct_text_table_find(named, text, strlen(text)) >= 0;
        token.kind = special ? PCT_TOKEN_CONTROL : PCT_TOKEN_USER;
        PCT_TRY(add(draft, text, token, error));
    }
    return PERCEPT_OK;
}

/* Special tokens that may be words of the vocabulary itself. */
static percept_status add_special(const json_t *list, pct_draft *draft, unsigned rules, percept_error *error) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        const char *text = token_text(item);
        const pct_draft_token token = {.kind = PCT_TOKEN_CONTROL, .rules = rules, .named = true};
        PCT_TRY(add(draft, text ? text : "", token, error));
    }
    return PERCEPT_OK;
}

/* The later file beats the earlier; a null takes the mark away. */
static percept_status set_marks(const json_t *file, pct_draft *draft, percept_error *error) {
    static const char *const keys[PCT_DRAFT_MARKS] = {"bos_token", "eos_token", "pad_token", "unk_token"};
    for (int i = 0; i < PCT_DRAFT_MARKS; i++) {
        const json_t *value = json_object_get(file, keys[i]);
        if (value) PCT_TRY(pct_draft_set_mark(draft, i, token_text(value), error));
    }
    return PERCEPT_OK;
}

/* One text, or a list of named ones. Borrowed. */
static const char *find_template(const pct_hf_extras *extras) {
    const json_t *value = json_object_get(extras->config, "chat_template");
    size_t i;
    json_t *item;
    if (extras->chat_template) return extras->chat_template;
    json_array_foreach(value, i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        if (name && strcmp(name, "default") == 0) return json_string_value(json_object_get(item, "template"));
    }
    return json_string_value(value);
}

percept_status pct_hf_extras_apply(const pct_hf_extras *extras, pct_draft *draft, unsigned rules, bool fixed,
                                   percept_error *error) {
    char *unknown = draft->mark_texts[PCT_DRAFT_UNKNOWN]; /* a tokenizer.json's model knows its own */
    if (fixed) draft->mark_texts[PCT_DRAFT_UNKNOWN] = NULL;
    percept_status status = set_marks(extras->special, draft, error);
    if (status == PERCEPT_OK) status = set_marks(extras->config, draft, error);
    if (fixed) {
        free(draft->mark_texts[PCT_DRAFT_UNKNOWN]);
        draft->mark_texts[PCT_DRAFT_UNKNOWN] = unknown;
    }
    PCT_TRY(status);
    const json_t *add_bos = json_object_get(extras->config, "add_bos_token");
    if (json_is_boolean(add_bos)) draft->parts.add_bos = json_is_true(add_bos);
    draft->parts.chat_template = find_template(extras);
    PCT_TRY(add_decoder(json_object_get(extras->config, "added_tokens_decoder"), draft, error));
    if (fixed) return PERCEPT_OK;
    pct_text_table named = {.seed = draft->texts.length ? pct_hash_bytes(draft->texts.data, draft->texts.length) : 0};
    status = list_named(extras, &named, error);
    if (status == PERCEPT_OK) status = add_listed(extras, &named, draft, rules, error);
    pct_text_table_free(&named);
    PCT_TRY(status);
    PCT_TRY(add_special(json_object_get(extras->special, "additional_special_tokens"), draft, rules, error));
    return add_special(json_object_get(extras->config, "additional_special_tokens"), draft, rules, error);
}
