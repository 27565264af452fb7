/* spm_encode.c: a stretch of text to ids as SentencePiece does it: by scores, or by the merges of a tokenizer.json. */
#include "tokenizer/bpe_private.h"

#include "formats/utf8.h"

#include <string.h>

static const char blank_mark[] = "\xe2\x96\x81"; /* U+2581, which its files write for a blank */

/* Bytes of the character that begins so, whatever follows. */
static size_t character(unsigned char first) { return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4; }

static void offer_piece(const pct_tokenizer *tokenizer, struct pct_bpe_scratch *own, const char *text,
                        int32_t position) {
    const struct bpe_symbol *left = &own->symbols[position];
    if (left->next < 0) return;
    const int32_t right = own->symbols[left->next].id;
    const int32_t id = pct_text_table_find(&tokenizer->words, text + left->begin, (size_t)(left->id + right));
    if (id >= 0) pct_bpe_heap_push(own, (struct bpe_candidate){tokenizer->order[id], position, left->id, right});
}

static void merge_pieces(const pct_tokenizer *tokenizer, struct pct_bpe_scratch *own, const char *text, int32_t count) {
    struct bpe_symbol *symbols = own->symbols;
    own->heap_count = 0;
    for (int32_t i = 0; i + 1 < count; i++) offer_piece(tokenizer, own, text, i);
    while (own->heap_count) {
        const struct bpe_candidate best = pct_bpe_heap_pop(own);
        struct bpe_symbol *left = &symbols[best.position];
        if (left->id != best.left || left->next < 0 || symbols[left->next].id != best.right) continue;
        struct bpe_symbol *right = &symbols[left->next];
        left->id += right->id;
        left->next = right->next;
        right->id = 0;
        if (left->next >= 0) symbols[left->next].previous = best.position;
        if (left->previous >= 0) offer_piece(tokenizer, own, text, left->previous);
        offer_piece(tokenizer, own, text, best.position);
    }
}

static percept_status add_unknown(const struct encoder *encoder) {
    const int32_t id = encoder->tokenizer->unknown;
    const pct_ids *ids = encoder->ids;
    if (id < 0 || encoder->tokenizer->unknowns == PCT_UNKNOWN_GONE) return PERCEPT_OK;
    if (encoder->tokenizer->fuse_unknown && ids->count && ids->data[ids->count - 1] == id) return PERCEPT_OK;
    return pct_ids_add(encoder->ids, id, encoder->error);
}

/* The token of a piece, or of each of its bytes. */
static percept_status add_piece(const struct encoder *encoder, const char *text, size_t length) {
    const pct_tokenizer *tokenizer = encoder->tokenizer;
    const int32_t whole = pct_text_table_find(&tokenizer->words, text, length);
    if (whole >= 0) return pct_ids_add(encoder->ids, whole, encoder->error);
    for (size_t i = 0; i < length; i++) {
        const int32_t id = tokenizer->byte_ids[(unsigned char)text[i]];
        PCT_TRY(id < 0 ? add_unknown(encoder) : pct_ids_add(encoder->ids, id, encoder->error));
    }
    return PERCEPT_OK;
}

static percept_status encode_by_score(const struct encoder *encoder, const char *text, size_t length) {
    PCT_TRY(pct_bpe_reserve(encoder->own, length, encoder->error));
    struct bpe_symbol *symbols = encoder->own->symbols;
    int32_t count = 0;
    for (size_t at = 0, size; at < length; at += size) {
        size = character((unsigned char)text[at]);
        if (size > length - at) size = length - at;
        symbols[count] = (struct bpe_symbol){(int32_t)size, (int32_t)at, count - 1, count + 1};
        count++;
    }
    if (!count) return PERCEPT_OK;
    symbols[count - 1].next = -1;
    merge_pieces(encoder->tokenizer, encoder->own, text, count);
    for (int32_t i = 0; i >= 0; i = symbols[i].next)
        PCT_TRY(add_piece(encoder, text + symbols[i].begin, (size_t)symbols[i].id));
    return PERCEPT_OK;
}

static void add_symbol(struct pct_bpe_scratch *own, int32_t *count, int32_t id) {
    own->symbols[*count] = (struct bpe_symbol){.id = id, .previous = *count - 1, .next = *count + 1};
    ++*count;
}

/* The symbols a character begins as: its token; or its bytes' tokens, when it has one for each; or the unknown token.
 */
static void add_character(const struct encoder *encoder, const char *text, size_t length, int32_t *count) {
    const pct_tokenizer *tokenizer = encoder->tokenizer;
    const int32_t whole = pct_text_table_find(&tokenizer->words, text, length), before = *count;
    if (whole >= 0) {
        add_symbol(encoder->own, count, whole);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        const int32_t id = tokenizer->byte_ids[(unsigned char)text[i]];
        if (id < 0) {
            *count = before;
            break;
        }
        add_symbol(encoder->own, count, id);
    }
    const bool again = *count && encoder->own->symbols[*count - 1].id == tokenizer->unknown;
    if (*count == before && tokenizer->unknown >= 0 && tokenizer->unknowns != PCT_UNKNOWN_GONE &&
        !(tokenizer->fuse_unknown && again))
        add_symbol(encoder->own, count, tokenizer->unknown);
}

static percept_status encode_by_rank(const struct encoder *encoder, const char *text, size_t length) {
    const pct_tokenizer *tokenizer = encoder->tokenizer;
    const int32_t whole = tokenizer->whole ? pct_text_table_find(&tokenizer->words, text, length) : -1;
    if (whole >= 0) return pct_ids_add(encoder->ids, whole, encoder->error);
    PCT_TRY(pct_bpe_reserve(encoder->own, length, encoder->error));
    int32_t count = 0;
    for (size_t at = 0; at < length;) {
        uint32_t code;
        const int size = pct_utf8_read(text + at, length - at, &code);
        add_character(encoder, text + at, size ? (size_t)size : 1, &count);
        at += size ? (size_t)size : 1;
    }
    if (!count) return PERCEPT_OK;
    struct bpe_symbol *symbols = encoder->own->symbols;
    symbols[count - 1].next = -1;
    pct_bpe_merge_symbols(tokenizer, encoder->own, count);
    for (int32_t i = 0; i >= 0; i = symbols[i].next) PCT_TRY(pct_ids_add(encoder->ids, symbols[i].id, encoder->error));
    return PERCEPT_OK;
}

static bool begins_blank(const char *text, size_t length) {
    return length > 0 && (text[0] == ' ' || (length >= 3 && memcmp(text, blank_mark, 3) == 0));
}

static bool wants_blank(const struct encoder *encoder, const char *text, size_t length) {
    if (encoder->joined) return false;
    switch (encoder->tokenizer->prefix) {
    case PCT_PREFIX_NEVER:
        break;
    case PCT_PREFIX_ALWAYS:
        return true;
    case PCT_PREFIX_UNLESS_BLANK:
        return !begins_blank(text, length);
    case PCT_PREFIX_FIRST:
        return !encoder->begun;
    case PCT_PREFIX_FIRST_UNLESS_BLANK:
        return !encoder->begun && !begins_blank(text, length);
    }
    return false;
}

/* The stretch with ' ' for U+2581. Squeezed: blanks before it and in a row are dropped as they are read, those behind
 * it at the end, where U+2581 itself counts too; SentencePiece does it in just this order. */
static void add_blanks(pct_text *out, const char *text, size_t length, bool squeeze) {
    bool dropping = squeeze;
    for (size_t at = 0, end; at < length; at = end) {
        const bool mark = length - at >= 3 && memcmp(text + at, blank_mark, 3) == 0;
        const bool blank = text[at] == ' ';
        end = at + (mark ? 3 : 1);
        while (!mark && !blank && end < length && text[end] != blank_mark[0] && text[end] != ' ') end++;
        if (!(blank && dropping)) pct_text_add(out, mark ? " " : text + at, mark ? 1 : end - at);
        dropping = squeeze && blank;
    }
    while (squeeze && !out->failed && out->length > 0 && out->data[out->length - 1] == ' ') out->length--;
}

percept_status pct_spm_encode(struct encoder *encoder, const char *text, size_t length) {
    const pct_tokenizer *tokenizer = encoder->tokenizer;
    pct_text *own = &encoder->own->text;
    if (length == 0) return PERCEPT_OK;
    pct_text_clear(own);
    add_blanks(own, text, length, tokenizer->squeeze_blanks);
    if (own->length == 0 && !own->failed) return PERCEPT_OK;
    if (wants_blank(encoder, own->data, own->length)) {
        pct_text_add(own, " ", 1);
        if (!own->failed) {
            memmove(own->data + 1, own->data, own->length - 1);
            own->data[0] = ' ';
        }
    }
    if (own->failed) return pct_fail_memory(encoder->error, "text");
    for (size_t at = 0; at < own->length; at += BPE_MAX_WORD) {
        const size_t left = own->length - at, size = left < BPE_MAX_WORD ? left : BPE_MAX_WORD;
        PCT_TRY(tokenizer->characters ? encode_by_rank(encoder, own->data + at, size)
                                      : encode_by_score(encoder, own->data + at, size));
    }
    return PERCEPT_OK;
}
