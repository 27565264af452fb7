/* bpe_split.c: cutting text into words by a pattern; see bpe.h.
 *
 * White space stands as an explicit class (Unicode's White_Space): what \s means depends on PCRE2's version and flags.
 * Only valid UTF-8 is given to PCRE2, in stretches, so that its own check of the whole text, which it would repeat at
 * every match, can be switched off. */
#include "tokenizer/bpe_private.h"

#include "base/size.h"
#include "formats/utf8.h"

#include <stdlib.h>
#include <string.h>

#define WS    "\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define SPACE "[" WS "]"
#define SOLID "[^" WS "]"

#define LLAMA3(digits)                                                                                                 \
    "'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^" WS             \
    "\\p{L}\\p{N}]+[\\r\\n]*|" SPACE "*[\\r\\n]+|" SPACE "+(?!" SOLID ")|" SPACE "+"

/* Names as in tokenizer.ggml.pre. whole: a word that is in the vocabulary is that token, whatever the merges say. */
static const struct {
    const char *name, *pattern;
    bool whole;
} patterns[] = {
    {"percept", "'(?:[sdmt]|ll|ve|re)(?![\\p{L}\\p{M}])| ?[\\p{L}\\p{M}]++| ?\\p{N}| ?[^" WS
                "\\p{L}\\p{M}\\p{N}]++|" SPACE "+(?!" SOLID ")|" SPACE "++"},
    {"gpt-2",
     "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" WS "\\p{L}\\p{N}]+|" SPACE "+(?!" SOLID ")|" SPACE "+"},
    /* SmolLM and SmolLM2: every digit is cut out first, then as GPT-2 in what lies between. */
    {"smollm",
     "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|\\p{N}| ?[^" WS "\\p{L}\\p{N}]+|" SPACE "+(?![^" WS "\\p{N}])|" SPACE "+"},
    {"qwen2", LLAMA3("\\p{N}")},
    {"llama-bpe", LLAMA3("\\p{N}{1,3}"), .whole = true},
};

percept_status pct_bpe_splitter_create(pct_bpe_splitter **out, const char *name, percept_error *error) {
    *out = NULL;
    size_t index = 0;
    while (index < PCT_COUNT(patterns) && strcmp(patterns[index].name, name) != 0) index++;
    if (index == PCT_COUNT(patterns)) {
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "split pattern '%.80s' is not known; known are percept, gpt-2, smollm, qwen2, llama-bpe", name);
    }
    pct_bpe_splitter *splitter = calloc(1, sizeof *splitter);
    if (!splitter) return pct_fail_memory(error, "split pattern");
    int code;
    PCRE2_SIZE offset;
    splitter->name = patterns[index].name;
    splitter->whole = patterns[index].whole;
    splitter->limits = pcre2_match_context_create(NULL);
    splitter->code = pcre2_compile((PCRE2_SPTR)patterns[index].pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP,
                                   &code, &offset, NULL);
    if (!splitter->code || !splitter->limits) {
        pct_bpe_splitter_destroy(&splitter);
        return pct_fail_memory(error, "split pattern");
    }
    pcre2_set_match_limit(splitter->limits, 50000000);     /* our patterns need far less for the longest text */
    pcre2_jit_compile(splitter->code, PCRE2_JIT_COMPLETE); /* where it is refused, matching is slower and the same */
    *out = splitter;
    return PERCEPT_OK;
}

void pct_bpe_splitter_destroy(pct_bpe_splitter **splitter) {
    if (!*splitter) return;
    pcre2_code_free((*splitter)->code);
    pcre2_match_context_free((*splitter)->limits);
    free(*splitter);
    *splitter = NULL;
}

percept_status pct_bpe_scratch_get(pct_token_scratch *scratch, struct pct_bpe_scratch **out, percept_error *error) {
    if (!scratch->bpe) {
        struct pct_bpe_scratch *made = calloc(1, sizeof *made);
        if (made) made->match = pcre2_match_data_create(1, NULL);
        if (!made || !made->match) {
            free(made);
            return pct_fail_memory(error, "tokenizer");
        }
        scratch->bpe = made;
    }
    *out = scratch->bpe;
    return PERCEPT_OK;
}

/* One match at or after `from`; gives the whole rest as one word when there is none. */
static percept_status next_word(const pct_bpe_splitter *splitter, pcre2_match_data *match, const char *text,
                                size_t length, size_t from, size_t *start, size_t *end, percept_error *error) {
    int found =
        pcre2_match(splitter->code, (PCRE2_SPTR)text, length, from, PCRE2_NO_UTF_CHECK, match, splitter->limits);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
        found = pcre2_match(splitter->code, (PCRE2_SPTR)text, length, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, match,
                            splitter->limits);
    }
    *start = from;
    *end = length;
    if (found == PCRE2_ERROR_NOMATCH) return PERCEPT_OK;
    if (found < 0) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "a text of %zu bytes cannot be split into words (limit %d reached)",
                        length, found);
    }
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(match);
    if (range[1] > range[0]) {
        *start = range[0];
        *end = range[1];
    }
    return PERCEPT_OK;
}

static percept_status split_valid(const pct_bpe_splitter *splitter, pcre2_match_data *match, const char *text,
                                  size_t length, pct_bpe_visit *visit, void *context, percept_error *error) {
    for (size_t at = 0; at < length;) {
        size_t start, end;
        PCT_TRY(next_word(splitter, match, text, length, at, &start, &end, error));
        if (start > at) PCT_TRY(visit(context, text + at, start - at));
        PCT_TRY(visit(context, text + start, end - start));
        at = end;
    }
    return PERCEPT_OK;
}

percept_status pct_bpe_split(const pct_bpe_splitter *splitter, pct_token_scratch *scratch, const char *text,
                             size_t length, pct_bpe_visit *visit, void *context, percept_error *error) {
    struct pct_bpe_scratch *own = NULL;
    PCT_TRY(pct_bpe_scratch_get(scratch, &own, error));
    for (size_t at = 0; at < length;) {
        uint32_t code;
        size_t end = at;
        for (int size; end < length && (size = pct_utf8_read(text + end, length - end, &code)); end += (size_t)size) {
        }
        if (end > at) PCT_TRY(split_valid(splitter, own->match, text + at, end - at, visit, context, error));
        at = end;
        while (end < length && !pct_utf8_read(text + end, length - end, &code)) end++;
        if (end > at) PCT_TRY(visit(context, text + at, end - at));
        at = end;
    }
    return PERCEPT_OK;
}
