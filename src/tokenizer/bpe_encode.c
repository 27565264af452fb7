/* bpe_encode.c: the words of a text to ids, byte by byte; merging for SentencePiece too. See bpe.h. */
#include "tokenizer/bpe_private.h"

#include <stdlib.h>
#include <string.h>

/* ---- a heap of candidates: lowest rank first, then leftmost ---- */

static bool before(const struct bpe_candidate *a, const struct bpe_candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->position < b->position;
}

void pct_bpe_heap_push(struct pct_bpe_scratch *own, struct bpe_candidate candidate) {
    size_t i = own->heap_count++;
    for (; i; i = (i - 1) / 2) {
        struct bpe_candidate *parent = &own->heap[(i - 1) / 2];
        if (!before(&candidate, parent)) break;
        own->heap[i] = *parent;
    }
    own->heap[i] = candidate;
}

struct bpe_candidate pct_bpe_heap_pop(struct pct_bpe_scratch *own) {
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

#define NO_TOKEN (-2) /* a symbol that stands between others and gives nothing */

/* A word of n bytes has n - 1 candidates at first, and each of at most n - 1 merges adds two. */
percept_status pct_bpe_reserve(struct pct_bpe_scratch *own, size_t length, percept_error *error) {
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
    if (rank >= 0) pct_bpe_heap_push(own, (struct bpe_candidate){rank, position, left->id, right});
}

void pct_bpe_merge_symbols(const pct_tokenizer *tokenizer, struct pct_bpe_scratch *own, int32_t count) {
    struct bpe_symbol *symbols = own->symbols;
    own->heap_count = 0;
    for (int32_t i = 0; i + 1 < count; i++) offer(tokenizer, own, i);
    while (own->heap_count) {
        struct bpe_candidate best = pct_bpe_heap_pop(own);
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

static percept_status encode_word(const struct encoder *encoder, const char *word, size_t length) {
    const pct_tokenizer *tokenizer = encoder->tokenizer;
    if (tokenizer->words.count) {
        const int32_t id = pct_text_table_find(&tokenizer->words, word, length);
        if (id >= 0) return pct_ids_add(encoder->ids, id, encoder->error);
    }
    PCT_TRY(pct_bpe_reserve(encoder->own, length, encoder->error));
    struct bpe_symbol *symbols = encoder->own->symbols;
    int32_t count = 0;
    for (size_t i = 0; i < length; i++) {
        int32_t id = tokenizer->byte_ids[(unsigned char)word[i]];
        if (id < 0) { /* the vocabulary lacks this byte */
            if (tokenizer->unknowns == PCT_UNKNOWN_GONE) continue;
            id = tokenizer->unknowns == PCT_UNKNOWN_TOKEN && tokenizer->unknown >= 0 ? tokenizer->unknown : NO_TOKEN;
            if (id >= 0 && tokenizer->fuse_unknown && count > 0 && symbols[count - 1].id == id) continue;
        }
        symbols[count] = (struct bpe_symbol){.id = id, .previous = count - 1, .next = count + 1};
        count++;
    }
    if (!count) return PERCEPT_OK;
    symbols[count - 1].next = -1;
    pct_bpe_merge_symbols(tokenizer, encoder->own, count);
    for (int32_t i = 0; i >= 0; i = symbols[i].next)
        if (symbols[i].id >= 0) PCT_TRY(pct_ids_add(encoder->ids, symbols[i].id, encoder->error));
    return PERCEPT_OK;
}

static percept_status visit_word(void *context, const char *word, size_t length) {
    for (; length > BPE_MAX_WORD; word += BPE_MAX_WORD, length -= BPE_MAX_WORD) {
        PCT_TRY(encode_word(context, word, BPE_MAX_WORD));
    }
    return encode_word(context, word, length);
}

percept_status pct_bpe_encode_words(struct encoder *encoder, const char *text, size_t length) {
    return pct_bpe_split(encoder->tokenizer->splitter, encoder->scratch, text, length, visit_word, encoder,
                         encoder->error);
}
