/* bpe_private.h: what the tokenizer's own files share. */
#ifndef PCT_TOKENIZER_BPE_PRIVATE_H
#define PCT_TOKENIZER_BPE_PRIVATE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/bpe.h"
#include "tokenizer/table.h"

#include <pcre2.h>

#define BPE_MAX_WORD (1 << 20) /* longer words are cut, so that working memory stays bounded */

struct pct_bpe_splitter {
    const char *name; /* static */
    bool whole;       /* words in the vocabulary are one token */
    pcre2_code *code;
    pcre2_match_context *limits;
};

struct pct_tokenizer {
    int32_t size;
    char *blob;      /* all texts, each with a NUL after it */
    size_t *offsets; /* size + 1; text i is blob[offsets[i] .. offsets[i + 1] - 2] */
    unsigned char *kinds;
    int32_t byte_ids[256]; /* ordinary one-byte tokens; -1: none */
    pct_bpe_merge *merges;
    int32_t merge_count;
    pct_pair_table ranks;
    pct_text_table words; /* ordinary tokens, where the splitter is `whole` or for SentencePiece; else empty */
    float *scores;        /* SentencePiece's; NULL: byte-level, with a splitter and merges */
    int32_t *order;       /* of its tokens: 0 for the highest score; equal scores are equal */
    bool space_prefix;
    int32_t *added; /* control, unknown and user tokens with a text, sorted by text */
    int32_t added_count;
    bool starts[256]; /* bytes with which any of them begins */
    pct_bpe_splitter *splitter;
    int32_t bos, eos, pad, unknown;
    bool add_bos;
};

struct bpe_symbol {
    int32_t id;    /* -1: merged into its left neighbour; SentencePiece: its length, 0 when merged */
    int32_t begin; /* SentencePiece: in the text */
    int32_t previous, next;
};

struct bpe_candidate {
    int32_t rank, position; /* of the left symbol */
    int32_t left, right; /* the ids (SentencePiece: lengths) it was made for: stale when the symbols are others now */
};

struct pct_bpe_scratch {
    pcre2_match_data *match;
    struct bpe_symbol *symbols;
    struct bpe_candidate *heap;
    size_t capacity; /* bytes of a word there is room for */
    size_t heap_count;
    pct_text text; /* SentencePiece: what is encoded, with the blank before it */
};

static inline bool pct_token_is_added(enum pct_token_kind kind) {
    return kind == PCT_TOKEN_CONTROL || kind == PCT_TOKEN_UNKNOWN || kind == PCT_TOKEN_USER;
}
/* Keys that every kind of tokenizer has, checked: the tokens' kinds, and the marks' ids into the parts. */
percept_status pct_token_read_kinds(const pct_gguf *file, pct_bpe_token *tokens, int64_t count, percept_error *error);
percept_status pct_token_read_marks(const pct_gguf *file, pct_bpe_parts *parts, percept_error *error);
/* tokenizer.ggml.model "llama". */
percept_status pct_spm_load(pct_tokenizer **out, const pct_gguf *file, percept_error *error);
percept_status pct_bpe_scratch_get(pct_token_scratch *scratch, struct pct_bpe_scratch **out, percept_error *error);

#endif
