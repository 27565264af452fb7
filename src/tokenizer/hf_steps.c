/* hf_steps.c: how a tokenizer.json prepares text, recognised. What percept does not do in just the same way is refused
 * by name, since other ids would be a silent mistake. */
#include "tokenizer/draft.h"

#include "base/size.h"

#include <string.h>

#define BLANK     "\xe2\x96\x81"
#define MAX_STEPS 8

/* Split patterns as the files write them, by the names that percept gives them. */
static const struct {
    const char *name, *pattern;
} patterns[] = {
    {"qwen2", "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
              "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
    {"llama-bpe",
     "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
     "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
    {"gpt-2", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"},
    {"gpt-2", "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"},
    {"gpt-2", "'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++|\\s++$|\\s+(?!\\S)|\\s"},
};
#define KNOWN "known are those of qwen2, llama-bpe (LLaMA-3), gpt-2 and smollm"

struct steps {
    pct_draft *draft;
    const json_t *items[MAX_STEPS];
    size_t count;
    percept_error *error;
};

static const char *text_at(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool true_at(const json_t *object, const char *key, bool fallback) {
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/* The steps of a value that is null, one step, or a Sequence of them under `key`. */
static percept_status flatten(struct steps *steps, const json_t *value, const char *key, int depth) {
    if (!value || json_is_null(value)) return PERCEPT_OK;
    if (!json_is_object(value)) return pct_draft_fail(steps->draft, steps->error, "'%s' is not an object", key);
    if (strcmp(text_at(value, "type"), "Sequence") == 0 && depth < 4) {
        size_t i;
        json_t *item;
        json_array_foreach(json_object_get(value, key), i, item) PCT_TRY(flatten(steps, item, key, depth + 1));
        return PERCEPT_OK;
    }
    if (steps->count == MAX_STEPS) return pct_draft_fail(steps->draft, steps->error, "'%s' has too many steps", key);
    steps->items[steps->count++] = value;
    return PERCEPT_OK;
}

static percept_status apply_normalizer(pct_draft *draft, const json_t *value, bool *blanks, percept_error *error) {
    struct steps steps = {.draft = draft, .error = error};
    PCT_TRY(flatten(&steps, value, "normalizers", 0));
    for (size_t i = 0; i < steps.count; i++) {
        const json_t *step = steps.items[i];
        const char *type = text_at(step, "type");
        if (strcmp(type, "NFC") == 0 && !*blanks) {
            draft->parts.nfc = true;
        } else if (strcmp(type, "Prepend") == 0 && strcmp(text_at(step, "prepend"), BLANK) == 0 && !*blanks) {
            draft->parts.prefix = PCT_PREFIX_ALWAYS;
        } else if (strcmp(type, "Replace") == 0 &&
                   strcmp(text_at(json_object_get(step, "pattern"), "String"), " ") == 0 &&
                   strcmp(text_at(step, "content"), BLANK) == 0) {
            *blanks = true;
        } else {
            return pct_draft_fail(draft, error,
                                  "the normalizer '%.40s' is not supported (NFC is, and LLaMA's Prepend and "
                                  "Replace of blanks)",
                                  type);
        }
    }
    return PERCEPT_OK;
}

static bool is(const json_t *step, const char *type) { return step && strcmp(text_at(step, "type"), type) == 0; }

/* Split by a regular expression that covers the text: its matches are kept, or what it does not match. */
static const char *split_name(const json_t *step) {
    const char *regex = text_at(json_object_get(step, "pattern"), "Regex"), *behaviour = text_at(step, "behavior");
    const bool invert = true_at(step, "invert", false);
    if (!(strcmp(behaviour, "Isolated") == 0 && !invert) && !(strcmp(behaviour, "Removed") == 0 && invert)) return NULL;
    for (size_t i = 0; i < PCT_COUNT(patterns); i++)
        if (strcmp(patterns[i].pattern, regex) == 0) return patterns[i].name;
    return NULL;
}

static percept_status apply_metaspace(pct_draft *draft, const json_t *step, percept_error *error) {
    const char *scheme = text_at(step, "prepend_scheme");
    if (strcmp(text_at(step, "replacement"), BLANK) != 0 || true_at(step, "split", true))
        return pct_draft_fail(draft, error,
                              "the pre_tokenizer Metaspace is supported with split false and U+2581 only");
    if (strcmp(scheme, "never") == 0)
        draft->parts.prefix = PCT_PREFIX_NEVER;
    else if (strcmp(scheme, "first") == 0)
        draft->parts.prefix = PCT_PREFIX_FIRST_UNLESS_BLANK;
    else
        draft->parts.prefix = PCT_PREFIX_UNLESS_BLANK;
    return PERCEPT_OK;
}

static percept_status apply_splitter(pct_draft *draft, const json_t *value, bool blanks, percept_error *error) {
    struct steps steps = {.draft = draft, .error = error};
    PCT_TRY(flatten(&steps, value, "pretokenizers", 0));
    const json_t *first = steps.count ? steps.items[0] : NULL,
                 *last = steps.count ? steps.items[steps.count - 1] : NULL;
    if (steps.count == 0 || is(first, "Metaspace")) {
        draft->form = PCT_DRAFT_CHARACTERS;
        if (steps.count > 1) return pct_draft_fail(draft, error, "the pre_tokenizer Metaspace is supported alone only");
        if (first) return apply_metaspace(draft, first, error);
        if (blanks) return PERCEPT_OK;
        return pct_draft_fail(draft, error, "it has neither a pre_tokenizer nor LLaMA's normalizer; " KNOWN);
    }
    draft->form = PCT_DRAFT_BYTES;
    const char *name = NULL;
    if (is(last, "ByteLevel") && !true_at(last, "add_prefix_space", true) && !blanks) {
        const bool regex = true_at(last, "use_regex", true);
        if (steps.count == 1 && regex) name = "gpt-2";
        if (steps.count == 2 && regex && is(first, "Digits") && true_at(first, "individual_digits", false))
            name = "smollm";
        if (steps.count == 2 && !regex && is(first, "Split")) name = split_name(first);
    }
    if (!name)
        return pct_draft_fail(draft, error,
                              "the pre_tokenizer (%zu steps, first '%.40s', pattern '%.200s') is not supported; " KNOWN,
                              steps.count, text_at(first, "type"), text_at(json_object_get(first, "pattern"), "Regex"));
    draft->parts.pattern = name;
    return PERCEPT_OK;
}

/* Whether BOS comes first, and which token it is. */
static percept_status apply_processor(pct_draft *draft, const json_t *value, percept_error *error) {
    struct steps steps = {.draft = draft, .error = error};
    PCT_TRY(flatten(&steps, value, "processors", 0));
    for (size_t i = 0; i < steps.count; i++) {
        if (!is(steps.items[i], "TemplateProcessing")) continue;
        const json_t *piece = json_array_get(json_object_get(steps.items[i], "single"), 0);
        const char *text = text_at(json_object_get(piece, "SpecialToken"), "id");
        if (!text[0]) continue;
        draft->parts.add_bos = true;
        PCT_TRY(pct_draft_set_mark(draft, PCT_DRAFT_BOS, text, error));
    }
    return PERCEPT_OK;
}

/* Beside a normalizer that changes blanks Hugging Face normalises these tokens' texts too, "<x>" to "\u2581<x>", and
 * looks for them there; percept looks for the text as it is written. Special ones make no difference: nobody writes
 * them. */
static percept_status refuse_normalised(const pct_draft *draft, percept_error *error) {
    for (size_t i = 0; i < draft->added.count; i++) {
        const pct_draft_token *token = &draft->added.items[i];
        if (token->kind == PCT_TOKEN_USER && token->rules & PCT_TOKEN_NORMALISED)
            return pct_draft_fail(draft, error,
                                  "the added token '%.*s' is normalized, which is not supported beside LLaMA's "
                                  "normalizer; set its \"normalized\" to false or give tokenizer.model",
                                  (int)(token->length < 80 ? token->length : 80), draft->texts.data + token->offset);
    }
    return PERCEPT_OK;
}

percept_status pct_hf_steps_apply(pct_draft *draft, const json_t *normalizer, const json_t *splitter,
                                  const json_t *processor, percept_error *error) {
    bool blanks = false;
    PCT_TRY(apply_normalizer(draft, normalizer, &blanks, error));
    if (blanks || draft->parts.prefix == PCT_PREFIX_ALWAYS) PCT_TRY(refuse_normalised(draft, error));
    PCT_TRY(apply_splitter(draft, splitter, blanks, error));
    return apply_processor(draft, processor, error);
}
