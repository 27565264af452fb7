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
    bool whole;       /* words in the vocabulary are one token, unless the tokenizer says else */
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
    pct_text_table words; /* ordinary tokens, where `whole` or for SentencePiece; else empty */
    float *scores;        /* SentencePiece's; NULL: byte-level, with a splitter and merges */
    int32_t *order;       /* of its tokens: 0 for the highest score; equal scores are equal */
    bool characters;      /* SentencePiece with merges */
    enum pct_token_prefix prefix;
    bool squeeze_blanks, fuse_unknown, nfc;
    enum pct_token_unknown unknowns;
    bool whole;             /* words in the vocabulary are one token */
    unsigned char *rules;   /* a token each */
    bool normalised_tokens; /* some are looked for after normalisation */
    char *chat_template;    /* NULL: none */
    int32_t *added;         /* control, unknown and user tokens with a text, sorted by text */
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
    pct_text text;   /* SentencePiece: what is encoded, with the blank before it */
    pct_text normal; /* the text in NFC */
    int32_t *codes;  /* characters on their way there */
    size_t code_capacity;
};

/* One call of encode. */
struct encoder {
    const pct_tokenizer *tokenizer;
    pct_token_scratch *scratch;
    struct pct_bpe_scratch *own;
    pct_ids *ids;
    percept_error *error;
    unsigned flags;
    const size_t *marks; /* where special tokens stand for certain; see pct_tokenizer_encode_marked */
    size_t mark_count;
    bool begun;  /* something of the text was encoded */
    bool joined; /* the token before was PCT_TOKEN_JOINS: no blank comes first */
};

static inline bool pct_token_is_added(enum pct_token_kind kind) {
    return kind == PCT_TOKEN_CONTROL || kind == PCT_TOKEN_UNKNOWN || kind == PCT_TOKEN_USER;
}
static inline bool pct_token_is_pieces(const pct_tokenizer *tokenizer) {
    return tokenizer->scores || tokenizer->characters;
}

/* A stretch of text without tokens of their own. (bpe_encode.c; pieces: spm_encode.c) */
percept_status pct_bpe_encode_words(struct encoder *encoder, const char *text, size_t length);
percept_status pct_spm_encode(struct encoder *encoder, const char *text, size_t length);
/* Room for a word of so many bytes in own->symbols and own->heap. */
percept_status pct_bpe_reserve(struct pct_bpe_scratch *own, size_t length, percept_error *error);
void pct_bpe_heap_push(struct pct_bpe_scratch *own, struct bpe_candidate candidate);
struct bpe_candidate pct_bpe_heap_pop(struct pct_bpe_scratch *own);
/* Merges the first `count` of own->symbols, linked and with ids, by rank. */
void pct_bpe_merge_symbols(const pct_tokenizer *tokenizer, struct pct_bpe_scratch *own, int32_t count);

/* Text in Unicode's form NFC: borrowed from the text itself or from `own`. Bytes that are not UTF-8 stay. (normal.c) */
percept_status pct_token_nfc(struct pct_bpe_scratch *own, const char **text, size_t *length, percept_error *error);
/* Bytes of white space at the beginning, and at the end, of a text; of ASCII's alone or of Unicode's. */
size_t pct_token_space_before(const char *text, size_t length, bool ascii);
size_t pct_token_space_after(const char *text, size_t length, bool ascii);
/* Whether the character that ends, or begins, the text can belong to a word. */
bool pct_token_word_ends(const char *text, size_t length);
bool pct_token_word_begins(const char *text, size_t length);

/* Keys that every kind of tokenizer has, checked: the tokens' kinds, and the marks' ids into the parts. */
percept_status pct_token_read_kinds(const pct_gguf *file, pct_bpe_token *tokens, int64_t count, percept_error *error);
percept_status pct_token_read_marks(const pct_gguf *file, pct_bpe_parts *parts, percept_error *error);
/* The keys percept.tokenizer.*, into the parts and their tokens' rules. */
percept_status pct_token_read_settings(const pct_gguf *file, pct_bpe_parts *parts, pct_bpe_token *tokens,
                                       percept_error *error);
/* tokenizer.ggml.model "llama". */
/* Shared by the readers of SentencePiece: the byte of "<0x0A>", -1 for another form; U+2581 to blanks, `out` has room
 * for `length`. */
int pct_spm_byte(const char *text, size_t length);
size_t pct_spm_blanks(const char *text, size_t length, char *out);
percept_status pct_spm_load(pct_tokenizer **out, const pct_gguf *file, percept_error *error);
percept_status pct_bpe_scratch_get(pct_token_scratch *scratch, struct pct_bpe_scratch **out, percept_error *error);

#endif
