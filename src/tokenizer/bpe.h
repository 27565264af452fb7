/* bpe.h: byte-pair encoding (Sennrich et al. 2016) in its two forms. Not for other layers: they use tokenizer.h.
 *
 * Byte-level (GPT-2): text is split by a pattern into words; each word starts as its bytes, and the pair of neighbours
 * with the lowest rank is merged until none is left, O(n log n) in the word's length.
 *
 * SentencePiece (LLaMA): blanks are characters like others, one may be put before the text; it starts as its
 * characters, and the pair of neighbours whose joined text is the token with the highest score is merged until no
 * joined text is a token; characters that are no token become their bytes' tokens. As llama.cpp does it.
 * The same with ranked merges in place of scores is what Hugging Face's tokenizer.json holds of such a vocabulary.
 *
 * A vocabulary that comes from a file is checked whole:
 * token texts are any bytes and any length up to a cap, merges must join two ordinary tokens into an ordinary token. */
#ifndef PCT_TOKENIZER_BPE_H
#define PCT_TOKENIZER_BPE_H

#include "tokenizer/tokenizer.h"

#define PCT_BPE_MAX_VOCABULARY (1 << 22)
#define PCT_BPE_MAX_TOKEN      4096 /* bytes of one token's text */

/* Kinds, numbered as in tokenizer.ggml.token_type. */
enum pct_token_kind {
    PCT_TOKEN_NORMAL = 1,
    PCT_TOKEN_UNKNOWN = 2,
    PCT_TOKEN_CONTROL = 3, /* special: matched in text only with PCT_TOKENIZE_SPECIAL */
    PCT_TOKEN_USER = 4,    /* added words: matched in text always, before splitting */
    PCT_TOKEN_UNUSED = 5,
    PCT_TOKEN_BYTE = 6,
};

/* GPT-2's reversible map of the 256 bytes to printable characters, in which files store ordinary tokens. */
uint32_t pct_bpe_byte_to_code(unsigned char byte);
/* -1 when the character stands for no byte. */
int pct_bpe_code_to_byte(uint32_t code);

/* What a token of its own (control, unknown, user) does to the text around it, beside being found in it. */
enum pct_token_rule {
    PCT_TOKEN_STRIPS_LEFT = 1 << 0,  /* white space before it is dropped */
    PCT_TOKEN_STRIPS_RIGHT = 1 << 1, /* white space behind it is dropped */
    PCT_TOKEN_WHOLE_WORD = 1 << 2,   /* not found inside a word */
    PCT_TOKEN_NORMALISED = 1 << 3,   /* looked for after normalisation, else before */
    PCT_TOKEN_STRIPS_ASCII = 1 << 5, /* the two above: only white space of ASCII */
    PCT_TOKEN_JOINS = 1 << 4,        /* what follows goes on: no blank is put before it (SentencePiece's own words) */
};

/* Whether SentencePiece puts a blank before a stretch of text; stretches lie between tokens of their own. */
enum pct_token_prefix {
    PCT_PREFIX_NEVER,
    PCT_PREFIX_ALWAYS,
    PCT_PREFIX_UNLESS_BLANK, /* not where the stretch begins with one */
    PCT_PREFIX_FIRST,        /* always, but only at the beginning of the whole text */
    PCT_PREFIX_FIRST_UNLESS_BLANK,
};

/* What a byte (byte-level) or character that no token stands for becomes. */
enum pct_token_unknown {
    PCT_UNKNOWN_APART, /* byte-level: nothing, but its neighbours do not merge; SentencePiece: the unknown token */
    PCT_UNKNOWN_GONE,  /* nothing, as if it were not there */
    PCT_UNKNOWN_TOKEN, /* the unknown token */
};

/* A vocabulary in the making: tokens are real bytes (not GPT-2's characters). All borrowed until build returns. */
typedef struct pct_bpe_token {
    const char *text;
    size_t length;
    enum pct_token_kind kind;
    unsigned rules; /* of enum pct_token_rule */
} pct_bpe_token;
typedef struct pct_bpe_merge {
    int32_t left, right, result; /* ids; result's text is left's and right's together */
} pct_bpe_merge;
typedef struct pct_bpe_parts {
    const pct_bpe_token *tokens;
    int32_t token_count;
    const pct_bpe_merge *merges; /* by falling priority */
    int32_t merge_count;
    const char *pattern;            /* name, as bpe_split.c has them. "percept" is our own: letters with the blank
                                       before them, digits one by one, runs of signs, white space */
    int32_t bos, eos, pad, unknown; /* -1: none */
    bool add_bos;
    const float *scores; /* a token each: SentencePiece, without merges and pattern; blanks are ' ' */
    bool characters;     /* SentencePiece with merges in place of scores; neither: byte-level */
    enum pct_token_prefix prefix;
    bool squeeze_blanks; /* SentencePiece: those at both ends are dropped, runs of them become one */
    enum pct_token_unknown unknowns;
    bool fuse_unknown; /* unknown characters in a row are one unknown token */
    bool nfc;          /* text is brought to Unicode's form NFC first */
    int whole; /* a word in the vocabulary is one token whatever the merges say: 1; -1: not; 0: as the pattern has it */
    const char *chat_template; /* Jinja text, only kept; NULL: none */
} pct_bpe_parts;
/* PERCEPT_ERROR_MODEL when the parts do not fit together. */
percept_status pct_bpe_build(pct_tokenizer **tokenizer, const pct_bpe_parts *parts, percept_error *error);

/* Calls visit for every word the pattern finds in the text, in order; together they are the whole text. Bytes that are
 * not UTF-8 form words of their own. Stops early when visit returns a failure, and returns it. */
typedef percept_status pct_bpe_visit(void *context, const char *word, size_t length);
typedef struct pct_bpe_splitter pct_bpe_splitter;
percept_status pct_bpe_splitter_create(pct_bpe_splitter **splitter, const char *pattern_name, percept_error *error);
void pct_bpe_splitter_destroy(pct_bpe_splitter **splitter);
percept_status pct_bpe_split(const pct_bpe_splitter *splitter, pct_token_scratch *scratch, const char *text,
                             size_t length, pct_bpe_visit *visit, void *context, percept_error *error);

/* The merges of a tokenizer, for saving and for tests. Borrowed. */
const pct_bpe_merge *pct_bpe_merges(const pct_tokenizer *tokenizer, int32_t *count);

#endif
