/* encode.c: text to ids: tokens of their own are found first, what lies between them is normalised and encoded by words
 * (bpe_encode.c) or pieces (spm_encode.c). See tokenizer.h. */
#include "tokenizer/bpe_private.h"

#include <string.h>

/* The first of added[low..high-1] whose byte at `depth` is at least `byte`; texts that end there count as -1. */
static int32_t bound(const pct_tokenizer *tokenizer, int32_t low, int32_t high, size_t depth, int byte) {
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        size_t length;
        const char *text = pct_tokenizer_text(tokenizer, tokenizer->added[middle], &length);
        int here = depth < length ? (unsigned char)text[depth] : -1;
        if (here < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Which tokens are looked for at a place. */
struct search {
    bool special;    /* special ones too */
    bool normalised; /* those of PCT_TOKEN_NORMALISED, else the others */
    bool all;        /* whatever their rules */
};

/* The longest added token at the start of the text, or -1. The sorted list is narrowed byte by byte, so that the time
 * depends on the match's length and not on how many tokens there are. */
static int32_t match_added(const pct_tokenizer *tokenizer, const char *text, size_t length, struct search search,
                           size_t *matched) {
    int32_t low = 0, high = tokenizer->added_count, found = -1;
    for (size_t depth = 0; depth < length && low < high; depth++) {
        int byte = (unsigned char)text[depth];
        low = bound(tokenizer, low, high, depth, byte);
        high = bound(tokenizer, low, high, depth, byte + 1);
        size_t whole = 0;
        if (low < high) pct_tokenizer_text(tokenizer, tokenizer->added[low], &whole);
        if (whole != depth + 1) continue; /* the shortest of the range stands first */
        const int32_t id = tokenizer->added[low];
        if (!search.special && tokenizer->kinds[id] != PCT_TOKEN_USER) continue;
        if (!search.all && search.normalised != !!(tokenizer->rules[id] & PCT_TOKEN_NORMALISED)) continue;
        found = id;
        *matched = whole;
    }
    return found;
}

static percept_status encode_plain(struct encoder *encoder, const char *text, size_t length) {
    if (!length) return PERCEPT_OK;
    percept_status status = pct_token_is_pieces(encoder->tokenizer) ? pct_spm_encode(encoder, text, length)
                                                                    : pct_bpe_encode_words(encoder, text, length);
    encoder->begun = true;
    encoder->joined = false;
    return status;
}

static percept_status add_token(struct encoder *encoder, int32_t id, size_t before) {
    const bool joins = encoder->tokenizer->rules[id] & PCT_TOKEN_JOINS;
    /* A word of SentencePiece's own at the beginning of a stretch: the blank before the stretch stands alone. */
    if (joins && !before && !encoder->joined && pct_token_is_pieces(encoder->tokenizer) &&
        (encoder->tokenizer->prefix == PCT_PREFIX_ALWAYS ||
         (encoder->tokenizer->prefix != PCT_PREFIX_NEVER && !encoder->begun))) {
        encoder->joined = true; /* the blank itself gets none */
        PCT_TRY(pct_spm_encode(encoder, " ", 1));
    }
    encoder->begun = true;
    encoder->joined = joins;
    return pct_ids_add(encoder->ids, id, encoder->error);
}

/* Finds tokens of their own in the text and gives what lies between them to `rest`. */
static percept_status encode_between(struct encoder *encoder, const char *text, size_t length, bool normalised,
                                     percept_status (*rest)(struct encoder *, const char *, size_t)) {
    const pct_tokenizer *tokenizer = encoder->tokenizer;
    size_t start = 0, mark = 0;
    for (size_t at = 0; at < length && tokenizer->added_count;) {
        size_t matched = 0;
        while (!normalised && mark < encoder->mark_count && encoder->marks[mark] < at) mark++;
        const bool marked = !normalised && mark < encoder->mark_count && encoder->marks[mark] == at;
        const struct search search = {marked || (encoder->flags & PCT_TOKENIZE_SPECIAL), normalised, marked};
        const int32_t id = tokenizer->starts[(unsigned char)text[at]]
                               ? match_added(tokenizer, text + at, length - at, search, &matched)
                               : -1;
        const unsigned rules = id < 0 ? 0 : tokenizer->rules[id];
        if (id < 0 ||
            ((rules & PCT_TOKEN_WHOLE_WORD) &&
             (pct_token_word_ends(text, at) || pct_token_word_begins(text + at + matched, length - at - matched)))) {
            at++;
            continue;
        }
        size_t before = at - start;
        if (rules & PCT_TOKEN_STRIPS_LEFT)
            before -= pct_token_space_after(text + start, before, rules & PCT_TOKEN_STRIPS_ASCII);
        PCT_TRY(rest(encoder, text + start, before));
        PCT_TRY(add_token(encoder, id, before));
        at += matched;
        if (rules & PCT_TOKEN_STRIPS_RIGHT)
            at += pct_token_space_before(text + at, length - at, rules & PCT_TOKEN_STRIPS_ASCII);
        start = at;
    }
    return rest(encoder, text + start, length - start);
}

static percept_status encode_normal(struct encoder *encoder, const char *text, size_t length) {
    if (!encoder->tokenizer->normalised_tokens) return encode_plain(encoder, text, length);
    return encode_between(encoder, text, length, true, encode_plain);
}

/* A stretch before normalisation. */
static percept_status encode_raw(struct encoder *encoder, const char *text, size_t length) {
    if (encoder->tokenizer->nfc) PCT_TRY(pct_token_nfc(encoder->own, &text, &length, encoder->error));
    return encode_normal(encoder, text, length);
}

percept_status pct_tokenizer_encode_marked(const pct_tokenizer *tokenizer, pct_token_scratch *scratch, const char *text,
                                           size_t length, const size_t *marks, size_t mark_count, unsigned flags,
                                           pct_ids *ids, percept_error *error) {
    if (length > (size_t)1 << 30) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "a text of %zu bytes; at most 1 GiB can be tokenized", length);
    }
    struct encoder encoder = {.tokenizer = tokenizer,
                              .scratch = scratch,
                              .ids = ids,
                              .error = error,
                              .flags = flags,
                              .marks = marks,
                              .mark_count = mark_count,
                              .begun = flags & PCT_TOKENIZE_GOES_ON};
    PCT_TRY(pct_bpe_scratch_get(scratch, &encoder.own, error));
    if ((flags & PCT_TOKENIZE_BOS) && tokenizer->bos >= 0) PCT_TRY(pct_ids_add(ids, tokenizer->bos, error));
    PCT_TRY(encode_between(&encoder, text, length, false, encode_raw));
    if ((flags & PCT_TOKENIZE_EOS) && tokenizer->eos >= 0) PCT_TRY(pct_ids_add(ids, tokenizer->eos, error));
    return PERCEPT_OK;
}

percept_status pct_tokenizer_encode(const pct_tokenizer *tokenizer, pct_token_scratch *scratch, const char *text,
                                    size_t length, unsigned flags, pct_ids *ids, percept_error *error) {
    return pct_tokenizer_encode_marked(tokenizer, scratch, text, length, NULL, 0, flags, ids, error);
}
