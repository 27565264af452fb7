/* hf_json.c: the vocabulary of a tokenizer.json. Read in one pass; the small objects that say how text is prepared are
 * given to hf_steps.c. */
#include "tokenizer/draft.h"

#include "formats/json.h"
#include "formats/json_reader.h"

#include <stdio.h>
#include <string.h>

struct range {
    size_t start, end; /* of a value in the file; end 0: it was not there */
};

struct source {
    pct_json_reader json;
    pct_draft draft;
    struct range normalizer, splitter, processor;
    bool model, unigram, ignore_merges, fuse_unknown;
    char type[32];
    percept_error *error;
};

/* One word of text that may be null; the draft's mark. */
static percept_status read_unknown(struct source *source) {
    const char *text;
    size_t length;
    char word[256];
    if (pct_json_peek(&source->json) == PCT_JSON_NULL) return pct_json_skip(&source->json, source->error);
    PCT_TRY(pct_json_read_string(&source->json, &text, &length, source->error));
    if (length >= sizeof word) return pct_json_reader_fail(&source->json, source->error, "unk_token is too long");
    memcpy(word, text, length);
    word[length] = 0;
    return pct_draft_set_mark(&source->draft, PCT_DRAFT_UNKNOWN, word, source->error);
}

/* {"text": id, ...} */
static percept_status read_vocabulary(struct source *source) {
    pct_json_reader *json = &source->json;
    if (pct_json_peek(json) == PCT_JSON_ARRAY_BEGIN) {
        source->unigram = true;
        return pct_json_skip(json, source->error);
    }
    PCT_TRY(pct_json_enter_object(json, source->error));
    while (pct_json_next_key(json, source->error)) {
        pct_draft_token token = {.kind = PCT_TOKEN_NORMAL};
        /* The key is kept before its value is read: the reader's string moves on. */
        PCT_TRY(pct_draft_add(&source->draft, &source->draft.tokens, json->string, json->length, token, source->error));
        PCT_TRY(pct_json_read_i64(json, 0, PCT_BPE_MAX_VOCABULARY - 1, &token.id, source->error));
        source->draft.tokens.items[source->draft.tokens.count - 1].id = token.id;
    }
    return pct_json_reader_status(json);
}

/* "left right", or ["left", "right"]. */
static percept_status read_merge(struct source *source) {
    pct_json_reader *json = &source->json;
    const char *text;
    size_t length;
    if (pct_json_peek(json) != PCT_JSON_ARRAY_BEGIN) {
        PCT_TRY(pct_json_read_string(json, &text, &length, source->error));
        const char *gap = length > 2 ? memchr(text + 1, ' ', length - 2) : NULL;
        if (!gap) return pct_json_reader_fail(json, source->error, "a merge is two tokens with a blank between");
        const size_t left = (size_t)(gap - text);
        return pct_draft_add_merge(&source->draft, text, left, gap + 1, length - left - 1, source->error);
    }
    char left[2 * PCT_BPE_MAX_TOKEN];
    PCT_TRY(pct_json_enter_array(json, source->error));
    PCT_TRY(pct_json_read_string(json, &text, &length, source->error));
    if (length > sizeof left) return pct_json_reader_fail(json, source->error, "a merge's token is too long");
    if (length) memcpy(left, text, length);
    const size_t left_length = length;
    PCT_TRY(pct_json_read_string(json, &text, &length, source->error));
    PCT_TRY(pct_draft_add_merge(&source->draft, left, left_length, text, length, source->error));
    if (pct_json_next_item(json, source->error))
        return pct_json_reader_fail(json, source->error, "a merge is two tokens, more stand here");
    return pct_json_reader_status(json);
}

static percept_status read_merges(struct source *source) {
    PCT_TRY(pct_json_enter_array(&source->json, source->error));
    while (pct_json_next_item(&source->json, source->error)) PCT_TRY(read_merge(source));
    return pct_json_reader_status(&source->json);
}

/* A text that must be empty or null. */
static percept_status read_nothing(struct source *source, const char *key) {
    pct_json_reader *json = &source->json;
    const bool string = pct_json_peek(json) == PCT_JSON_STRING;
    PCT_TRY(pct_json_skip(json, source->error));
    if (!string || json->length == 0) return PERCEPT_OK;
    return pct_json_reader_fail(json, source->error, "model.%s '%.*s' is not supported", key,
                                (int)(json->length < 40 ? json->length : 40), json->string);
}

static percept_status read_flag(struct source *source, bool *out) {
    if (pct_json_peek(&source->json) == PCT_JSON_NULL) return pct_json_skip(&source->json, source->error);
    return pct_json_read_bool(&source->json, out, source->error);
}

static percept_status read_type(struct source *source) {
    const char *text;
    size_t length;
    PCT_TRY(pct_json_read_string(&source->json, &text, &length, source->error));
    length = length < sizeof source->type - 1 ? length : sizeof source->type - 1;
    memcpy(source->type, text, length);
    source->type[length] = 0;
    return PERCEPT_OK;
}

static percept_status read_model(struct source *source) {
    pct_json_reader *json = &source->json;
    PCT_TRY(pct_json_enter_object(json, source->error));
    while (pct_json_next_key(json, source->error)) {
        percept_status status;
        if (pct_json_key_is(json, "type"))
            status = read_type(source);
        else if (pct_json_key_is(json, "vocab"))
            status = read_vocabulary(source);
        else if (pct_json_key_is(json, "merges"))
            status = read_merges(source);
        else if (pct_json_key_is(json, "unk_token"))
            status = read_unknown(source);
        else if (pct_json_key_is(json, "fuse_unk"))
            status = read_flag(source, &source->fuse_unknown);
        else if (pct_json_key_is(json, "byte_fallback"))
            status = read_flag(source, &source->draft.byte_tokens);
        else if (pct_json_key_is(json, "ignore_merges"))
            status = read_flag(source, &source->ignore_merges);
        else if (pct_json_key_is(json, "continuing_subword_prefix"))
            status = read_nothing(source, "continuing_subword_prefix");
        else if (pct_json_key_is(json, "end_of_word_suffix"))
            status = read_nothing(source, "end_of_word_suffix");
        else
            status = pct_json_skip(json, source->error);
        PCT_TRY(status);
    }
    return pct_json_reader_status(json);
}

static percept_status read_added_token(struct source *source) {
    pct_json_reader *json = &source->json;
    char text[2 * PCT_BPE_MAX_TOKEN];
    size_t length = 0;
    bool special = false, left = false, right = false, word = false, normalised = false;
    pct_draft_token token = {.id = -1};
    PCT_TRY(pct_json_enter_object(json, source->error));
    while (pct_json_next_key(json, source->error)) {
        if (pct_json_key_is(json, "content")) {
            const char *from;
            PCT_TRY(pct_json_read_string(json, &from, &length, source->error));
            if (length > sizeof text) return pct_json_reader_fail(json, source->error, "an added token is too long");
            if (length) memcpy(text, from, length);
        } else if (pct_json_key_is(json, "id"))
            PCT_TRY(pct_json_read_i64(json, 0, PCT_BPE_MAX_VOCABULARY - 1, &token.id, source->error));
        else if (pct_json_key_is(json, "special"))
            PCT_TRY(read_flag(source, &special));
        else if (pct_json_key_is(json, "lstrip"))
            PCT_TRY(read_flag(source, &left));
        else if (pct_json_key_is(json, "rstrip"))
            PCT_TRY(read_flag(source, &right));
        else if (pct_json_key_is(json, "single_word"))
            PCT_TRY(read_flag(source, &word));
        else if (pct_json_key_is(json, "normalized"))
            PCT_TRY(read_flag(source, &normalised));
        else
            PCT_TRY(pct_json_skip(json, source->error));
    }
    PCT_TRY(pct_json_reader_status(json));
    if (token.id < 0 || !length)
        return pct_json_reader_fail(json, source->error, "an added token has no content or no id");
    token.kind = special ? PCT_TOKEN_CONTROL : PCT_TOKEN_USER;
    token.rules = (left ? PCT_TOKEN_STRIPS_LEFT : 0u) | (right ? PCT_TOKEN_STRIPS_RIGHT : 0u) |
                  (word ? PCT_TOKEN_WHOLE_WORD : 0u) | (normalised ? PCT_TOKEN_NORMALISED : 0u);
    return pct_draft_add(&source->draft, &source->draft.added, text, length, token, source->error);
}

static percept_status read_added(struct source *source) {
    if (pct_json_peek(&source->json) == PCT_JSON_NULL) return pct_json_skip(&source->json, source->error);
    PCT_TRY(pct_json_enter_array(&source->json, source->error));
    while (pct_json_next_item(&source->json, source->error)) PCT_TRY(read_added_token(source));
    return pct_json_reader_status(&source->json);
}

static percept_status pass(struct source *source, struct range *range) {
    range->start = source->json.cursor.offset;
    PCT_TRY(pct_json_skip(&source->json, source->error));
    range->end = source->json.cursor.offset;
    return PERCEPT_OK;
}

static percept_status read_all(struct source *source) {
    pct_json_reader *json = &source->json;
    PCT_TRY(pct_json_enter_object(json, source->error));
    while (pct_json_next_key(json, source->error)) {
        percept_status status;
        if (pct_json_key_is(json, "model")) {
            source->model = true;
            status = read_model(source);
        } else if (pct_json_key_is(json, "added_tokens"))
            status = read_added(source);
        else if (pct_json_key_is(json, "normalizer"))
            status = pass(source, &source->normalizer);
        else if (pct_json_key_is(json, "pre_tokenizer"))
            status = pass(source, &source->splitter);
        else if (pct_json_key_is(json, "post_processor"))
            status = pass(source, &source->processor);
        else
            status = pct_json_skip(json, source->error);
        PCT_TRY(status);
    }
    PCT_TRY(pct_json_reader_status(json));
    if (pct_json_more(json)) return pct_json_reader_fail(json, source->error, "more stands behind the tokenizer");
    return PERCEPT_OK;
}

/* Lines and columns are those inside the value, so messages name it besides the file. */
static percept_status parse(struct source *source, const char *data, const char *key, struct range range,
                            json_t **out) {
    char name[512];
    *out = NULL;
    if (!range.end) return PERCEPT_OK;
    snprintf(name, sizeof name, "%s: %s", source->draft.name, key);
    return pct_json_parse(out, name, data + range.start, range.end - range.start, source->error);
}

static percept_status apply_steps(struct source *source, const char *data) {
    json_t *normalizer = NULL, *splitter = NULL, *processor = NULL;
    percept_status status = parse(source, data, "normalizer", source->normalizer, &normalizer);
    if (status == PERCEPT_OK) status = parse(source, data, "pre_tokenizer", source->splitter, &splitter);
    if (status == PERCEPT_OK) status = parse(source, data, "post_processor", source->processor, &processor);
    if (status == PERCEPT_OK)
        status = pct_hf_steps_apply(&source->draft, normalizer, splitter, processor, source->error);
    json_decref(normalizer);
    json_decref(splitter);
    json_decref(processor);
    return status;
}

static percept_status load(struct source *source, const char *data, const pct_hf_extras *extras, pct_tokenizer **out) {
    pct_draft *draft = &source->draft;
    PCT_TRY(pct_error_of_model(read_all(source), source->error));
    if (!source->model)
        return pct_draft_fail(draft, source->error,
                              "has no key 'model', so it is no tokenizer.json; give that file, or its folder");
    if (source->unigram || (source->type[0] && strcmp(source->type, "BPE") != 0))
        return pct_draft_fail(draft, source->error, "the model '%s' is not supported (BPE is)",
                              source->type[0] ? source->type : "Unigram");
    PCT_TRY(pct_error_of_model(apply_steps(source, data), source->error));
    draft->parts.fuse_unknown = source->fuse_unknown;
    draft->parts.unknowns = draft->mark_texts[PCT_DRAFT_UNKNOWN] ? PCT_UNKNOWN_TOKEN : PCT_UNKNOWN_GONE;
    draft->parts.whole = source->ignore_merges ? 1 : -1;
    if (extras) PCT_TRY(pct_hf_extras_apply(extras, draft, 0, true, source->error));
    return pct_draft_build(draft, out, source->error);
}

percept_status pct_hf_json_read(pct_tokenizer **out, const char *name, const void *data, size_t size,
                                const pct_hf_extras *extras, percept_error *error) {
    *out = NULL;
    struct source source = {.draft = {.name = name}, .error = error};
    pct_json_reader_init(&source.json, name, data, size);
    const percept_status status = load(&source, data, extras, out);
    pct_json_reader_free(&source.json);
    pct_draft_free(&source.draft);
    return status;
}
