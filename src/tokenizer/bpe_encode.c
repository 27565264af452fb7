/* bpe_encode.c: text to ids; see bpe.h and tokenizer.h. */
#include "tokenizer/bpe_private.h"

#include <stdlib.h>
#include <string.h>

/* ---- a heap of candidates: lowest rank first, then leftmost ---- */

static bool before(const struct bpe_candidate *a, const struct bpe_candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->position < b->position;
}

static void heap_push(struct pct_bpe_scratch *own, struct bpe_candidate candidate) {
    size_t i = own->heap_count++;
    for (; i; i = (i - 1) / 2) {
        struct bpe_candidate *parent = &own->heap[(i - 1) / 2];
        if (!before(&candidate, parent)) break;
        own->heap[i] = *parent;
    }
    own->heap[i] = candidate;
}

static struct bpe_candidate heap_pop(struct pct_bpe_scratch *own) {
    struct bpe_candidate top = own->heap[0], last = own->heap[--own->heap_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < own->heap_count; i = child) {
        if (child + 1 < own->heap_count && before(&own->heap[child + 1], &own->heap[child])) child++;
        if (!before(&own->heap[child], &last)) break;
        own->heap[i] = own->heap[child];
    }
    if (own->heap_count) own->heap[i] = last;
    return top;
}

/* ---- one word ---- */

/* A word of n bytes has n - 1 candidates at first, and each of at most n - 1 merges adds two. */
static percept_status reserve(struct pct_bpe_scratch *own, size_t length, percept_error *error) {
    if (length <= own->capacity) return PERCEPT_OK;
    size_t capacity = own->capacity ? own->capacity : 64;
    while (capacity < length) capacity *= 2;
    struct bpe_symbol *symbols = realloc(own->symbols, capacity * sizeof *symbols);
    if (symbols) own->symbols = symbols;
    struct bpe_candidate *heap = realloc(own->heap, 3 * capacity * sizeof *heap);
    if (heap) own->heap = heap;
    if (!symbols || !heap) return pct_fail_memory(error, "tokenizer");
    own->capacity = capacity;
    return PERCEPT_OK;
}

static void offer(const pct_tokenizer *tokenizer, struct pct_bpe_scratch *own, int32_t position) {
    const struct bpe_symbol *left = &own->symbols[position];
    if (left->next < 0) return;
    int32_t right = own->symbols[left->next].id;
    int32_t rank = pct_pair_table_find(&tokenizer->ranks, left->id, right);
    if (rank >= 0) heap_push(own, (struct bpe_candidate){rank, position, left->id, right});
}

static void merge_all(const pct_tokenizer *tokenizer, struct pct_bpe_scratch *own, int32_t count) {
    struct bpe_symbol *symbols = own->symbols;
    own->heap_count = 0;
    for (int32_t i = 0; i + 1 < count; i++) offer(tokenizer, own, i);
    while (own->heap_count) {
        struct bpe_candidate best = heap_pop(own);
        struct bpe_symbol *left = &symbols[best.position];
        if (left->id != best.left || left->next < 0 || symbols[left->next].id != best.right) continue;
        struct bpe_symbol *right = &symbols[left->next];
        left->id = tokenizer->merges[best.rank].result;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0) symbols[left->next].previous = best.position;
        if (left->previous >= 0) offer(tokenizer, own, left->previous);
        offer(tokenizer, own, best.position);
    }
}

struct encoder {
    const pct_tokenizer *tokenizer;
    struct pct_bpe_scratch *own;
    pct_ids *ids;
    percept_error *error;
};

static percept_status encode_word(const struct encoder *encoder, const char *word, size_t length) {
    const pct_tokenizer *tokenizer = encoder->tokenizer;
    if (tokenizer->words.count) {
        const int32_t id = pct_text_table_find(&tokenizer->words, word, length);
        if (id >= 0) return pct_ids_add(encoder->ids, id, encoder->error);
    }
    PCT_TRY(reserve(encoder->own, length, encoder->error));
    struct bpe_symbol *symbols = encoder->own->symbols;
    int32_t count = 0;
    for (size_t i = 0; i < length; i++) {
        int32_t id = tokenizer->byte_ids[(unsigned char)word[i]];
        if (id < 0) id = tokenizer->unknown; /* the vocabulary lacks this byte */
        if (id < 0) continue;
        symbols[count] = (struct bpe_symbol){.id = id, .previous = count - 1, .next = count + 1};
        count++;
    }
    if (!count) return PERCEPT_OK;
    symbols[count - 1].next = -1;
    merge_all(tokenizer, encoder->own, count);
    for (int32_t i = 0; i >= 0; i = symbols[i].next) PCT_TRY(pct_ids_add(encoder->ids, symbols[i].id, encoder->error));
    return PERCEPT_OK;
}

static percept_status visit_word(void *context, const char *word, size_t length) {
    for (; length > BPE_MAX_WORD; word += BPE_MAX_WORD, length -= BPE_MAX_WORD) {
        PCT_TRY(encode_word(context, word, BPE_MAX_WORD));
    }
    return encode_word(context, word, length);
}

/* ---- SentencePiece ---- */

static const char blank_mark[] = "\xe2\x96\x81"; /* U+2581, which its files write for a blank */

/* Bytes of the character that begins so, whatever follows. */
static size_t character(unsigned char first) { return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4; }

static void offer_piece(const pct_tokenizer *tokenizer, struct pct_bpe_scratch *own, const char *text,
                        int32_t position) {
    const struct bpe_symbol *left = &own->symbols[position];
    if (left->next < 0) return;
    const int32_t right = own->symbols[left->next].id;
    const int32_t id = pct_text_table_find(&tokenizer->words, text + left->begin, (size_t)(left->id + right));
    if (id >= 0) heap_push(own, (struct bpe_candidate){tokenizer->order[id], position, left->id, right});
}

static void merge_pieces(const pct_tokenizer *tokenizer, struct pct_bpe_scratch *own, const char *text, int32_t count) {
    struct bpe_symbol *symbols = own->symbols;
    own->heap_count = 0;
    for (int32_t i = 0; i + 1 < count; i++) offer_piece(tokenizer, own, text, i);
    while (own->heap_count) {
        const struct bpe_candidate best = heap_pop(own);
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

/* The token of a piece, or of each of its bytes. */
static percept_status add_piece(const struct encoder *encoder, const char *text, size_t length) {
    const pct_tokenizer *tokenizer = encoder->tokenizer;
    const int32_t whole = pct_text_table_find(&tokenizer->words, text, length);
    if (whole >= 0) return pct_ids_add(encoder->ids, whole, encoder->error);
    for (size_t i = 0; i < length; i++) {
        int32_t id = tokenizer->byte_ids[(unsigned char)text[i]];
        if (id < 0) id = tokenizer->unknown;
        if (id >= 0) PCT_TRY(pct_ids_add(encoder->ids, id, encoder->error));
    }
    return PERCEPT_OK;
}

static percept_status encode_stretch(const struct encoder *encoder, const char *text, size_t length) {
    PCT_TRY(reserve(encoder->own, length, encoder->error));
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

/* What stands before, between or behind special tokens. */
static percept_status encode_pieces(const struct encoder *encoder, const char *text, size_t length) {
    pct_text *own = &encoder->own->text;
    if (length == 0) return PERCEPT_OK;
    pct_text_clear(own);
    if (encoder->tokenizer->space_prefix) pct_text_add(own, " ", 1);
    for (size_t at = 0, end; at < length; at = end) {
        const bool mark = length - at >= 3 && memcmp(text + at, blank_mark, 3) == 0;
        for (end = at + (mark ? 3 : 1); !mark && end < length && text[end] != blank_mark[0];) end++;
        pct_text_add(own, mark ? " " : text + at, mark ? 1 : end - at);
    }
    if (own->failed) return pct_fail_memory(encoder->error, "text");
    for (size_t at = 0; at < own->length; at += BPE_MAX_WORD) {
        const size_t left = own->length - at;
        PCT_TRY(encode_stretch(encoder, own->data + at, left < BPE_MAX_WORD ? left : BPE_MAX_WORD));
    }
    return PERCEPT_OK;
}

/* ---- special and added tokens ---- */

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

/* The longest added token at the start of the text, or -1. The sorted list is narrowed byte by byte, so that the time
 * depends on the match's length and not on how many tokens there are. */
static int32_t match_added(const pct_tokenizer *tokenizer, const char *text, size_t length, bool special,
                           size_t *matched) {
    int32_t low = 0, high = tokenizer->added_count, found = -1;
    for (size_t depth = 0; depth < length && low < high; depth++) {
        int byte = (unsigned char)text[depth];
        low = bound(tokenizer, low, high, depth, byte);
        high = bound(tokenizer, low, high, depth, byte + 1);
        size_t whole = 0;
        if (low < high) pct_tokenizer_text(tokenizer, tokenizer->added[low], &whole);
        if (whole != depth + 1) continue; /* the shortest of the range stands first */
        if (!special && tokenizer->kinds[tokenizer->added[low]] != PCT_TOKEN_USER) continue;
        found = tokenizer->added[low];
        *matched = whole;
    }
    return found;
}

static percept_status encode_plain(struct encoder *encoder, pct_token_scratch *scratch, const char *text,
                                   size_t length) {
    const pct_tokenizer *tokenizer = encoder->tokenizer;
    if (tokenizer->scores) return encode_pieces(encoder, text, length);
    return pct_bpe_split(tokenizer->splitter, scratch, text, length, visit_word, encoder, encoder->error);
}

percept_status pct_tokenizer_encode(const pct_tokenizer *tokenizer, pct_token_scratch *scratch, const char *text,
                                    size_t length, unsigned flags, pct_ids *ids, percept_error *error) {
    if (length > (size_t)1 << 30) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "a text of %zu bytes; at most 1 GiB can be tokenized", length);
    }
    struct encoder encoder = {tokenizer, NULL, ids, error};
    PCT_TRY(pct_bpe_scratch_get(scratch, &encoder.own, error));
    if ((flags & PCT_TOKENIZE_BOS) && tokenizer->bos >= 0) PCT_TRY(pct_ids_add(ids, tokenizer->bos, error));
    size_t start = 0;
    for (size_t at = 0; at < length && tokenizer->added_count;) {
        size_t matched = 0;
        int32_t id = tokenizer->starts[(unsigned char)text[at]]
                         ? match_added(tokenizer, text + at, length - at, flags & PCT_TOKENIZE_SPECIAL, &matched)
                         : -1;
        if (id < 0) {
            at++;
            continue;
        }
        PCT_TRY(encode_plain(&encoder, scratch, text + start, at - start));
        PCT_TRY(pct_ids_add(ids, id, error));
        start = at += matched;
    }
    PCT_TRY(encode_plain(&encoder, scratch, text + start, length - start));
    if ((flags & PCT_TOKENIZE_EOS) && tokenizer->eos >= 0) PCT_TRY(pct_ids_add(ids, tokenizer->eos, error));
    return PERCEPT_OK;
}
