/* hf_vocab.c: vocab.json with merges.txt, as the Python classes of GPT-2 and Qwen2 read them. */
#include "tokenizer/draft.h"

#include "formats/json_reader.h"
#include "formats/utf8.h"

#include <string.h>

static percept_status read_vocabulary(pct_draft *draft, pct_json_reader *json, percept_error *error) {
    PCT_TRY(pct_json_enter_object(json, error));
    while (pct_json_next_key(json, error)) {
        pct_draft_token token = {.kind = PCT_TOKEN_NORMAL};
        PCT_TRY(pct_draft_add(draft, &draft->tokens, json->string, json->length, token, error));
        PCT_TRY(pct_json_read_i64(json, 0, PCT_BPE_MAX_VOCABULARY - 1, &token.id, error));
        draft->tokens.items[draft->tokens.count - 1].id = token.id;
    }
    PCT_TRY(pct_json_reader_status(json));
    if (pct_json_more(json)) return pct_json_reader_fail(json, error, "more stands behind the vocabulary");
    return PERCEPT_OK;
}

/* A line "left right" a merge, by falling priority; the first line may tell the version. */
static percept_status read_merges(pct_draft *draft, const char *data, size_t size, percept_error *error) {
    for (size_t at = 0, line = 1; at < size; line++) {
        const char *text = data + at, *end = memchr(text, '\n', size - at);
        size_t length = end ? (size_t)(end - text) : size - at;
        at += length + 1;
        if (length && text[length - 1] == '\r') length--;
        if (!length || (line == 1 && length >= 8 && memcmp(text, "#version", 8) == 0)) continue;
        const char *gap = length > 2 ? memchr(text + 1, ' ', length - 2) : NULL;
        if (!gap || !pct_utf8_valid(text, length))
            return pct_draft_fail(draft, error, "merges, line %zu: not two tokens with a blank between", line);
        const size_t left = (size_t)(gap - text);
        PCT_TRY(pct_draft_add_merge(draft, text, left, gap + 1, length - left - 1, error));
    }
    return PERCEPT_OK;
}

/* How the text is split is not in these files: the class that reads them knows it. */
static percept_status choose_pattern(pct_draft *draft, const pct_hf_extras *extras, percept_error *error) {
    const char *class = extras ? pct_hf_extras_class(extras) : "";
    draft->form = PCT_DRAFT_BYTES;
    draft->parts.unknowns = PCT_UNKNOWN_GONE;
    if (strncmp(class, "Qwen2", 5) == 0 || strncmp(class, "qwen2", 5) == 0) {
        draft->parts.pattern = "qwen2";
        draft->parts.nfc = true;
        return PERCEPT_OK;
    }
    if (strncmp(class, "GPT2", 4) == 0 || strncmp(class, "gpt2", 4) == 0) {
        draft->parts.pattern = "gpt-2";
        return PERCEPT_OK;
    }
    return pct_draft_fail(draft, error,
                          "how to split text is not told by the tokenizer class '%.60s' (tokenizer_config.json or "
                          "config.json beside it; known: Qwen2Tokenizer, GPT2Tokenizer); give its tokenizer.json",
                          class);
}

static percept_status load(pct_draft *draft, pct_json_reader *json, const char *merges, size_t merges_size,
                           const pct_hf_extras *extras, pct_tokenizer **out, percept_error *error) {
    PCT_TRY(pct_error_of_model(read_vocabulary(draft, json, error), error));
    PCT_TRY(read_merges(draft, merges, merges_size, error));
    PCT_TRY(choose_pattern(draft, extras, error));
    if (extras) PCT_TRY(pct_hf_extras_apply(extras, draft, 0, false, error));
    return pct_draft_build(draft, out, error);
}

percept_status pct_hf_vocab_read(pct_tokenizer **out, const char *name, const void *vocab, size_t vocab_size,
                                 const void *merges, size_t merges_size, const pct_hf_extras *extras,
                                 percept_error *error) {
    *out = NULL;
    pct_draft draft = {.name = name};
    pct_json_reader json;
    pct_json_reader_init(&json, name, vocab, vocab_size);
    const percept_status status = load(&draft, &json, merges, merges_size, extras, out, error);
    pct_json_reader_free(&json);
    pct_draft_free(&draft);
    return status;
}
