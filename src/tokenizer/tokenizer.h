/* tokenizer.h: words to token ids and back; the one interface that other layers use.
 *
 * A tokenizer is immutable once made and may be shared by threads; what a thread needs to work lies in its own
 * pct_token_scratch. Two kinds of token are kept strictly apart: ordinary ones, which text produces, and special ones
 * (<eos>, <obj>, ...), which text produces only when PCT_TOKENIZE_SPECIAL is given. Without that flag no text whatever
 * gives a special id. Any bytes can be encoded. Decode gives the same bytes back where the
 * tokenizer is byte-level BPE without normalisation (percept's own, GPT-2's, SmolLM's, LLaMA 3's). Others change the
 * text: NFC (Qwen2) composes characters, SentencePiece puts a blank first, may squeeze runs of blanks, and knows what
 * no token stands for as "unknown" where it has no tokens of bytes. */
#ifndef PCT_TOKENIZER_TOKENIZER_H
#define PCT_TOKENIZER_TOKENIZER_H

#include "base/error.h"
#include "base/text.h"
#include "formats/gguf.h"

#include <stddef.h>
#include <stdint.h>

/* A list of ids that grows. Zero-initialise. With capacity set beforehand (pct_ids_reserve) nothing is allocated. */
typedef struct pct_ids {
    int32_t *data; /* owned */
    size_t count, capacity;
} pct_ids;
percept_status pct_ids_reserve(pct_ids *ids, size_t capacity, percept_error *error);
percept_status pct_ids_add(pct_ids *ids, int32_t id, percept_error *error);
void pct_ids_free(pct_ids *ids);

/* Working memory of one thread; grows to the longest text it has met, then allocates no more. Zero-initialise; free
 * with pct_token_scratch_free. Serves any tokenizer. */
typedef struct pct_token_scratch {
    struct pct_bpe_scratch *bpe; /* owned; made on first use */
} pct_token_scratch;
void pct_token_scratch_free(pct_token_scratch *scratch);

typedef struct pct_tokenizer pct_tokenizer;

enum pct_tokenize_flag {
    PCT_TOKENIZE_SPECIAL = 1u << 0, /* special tokens' texts in the input become their ids */
    PCT_TOKENIZE_BOS = 1u << 1,     /* begin with BOS, when the tokenizer has one */
    PCT_TOKENIZE_GOES_ON =
        1u << 3, /* the text is the continuation of one: no blank is put first where only the first gets one */
    PCT_TOKENIZE_EOS = 1u << 2, /* end with EOS, when the tokenizer has one */
};

/* From a file or folder of any kind that holds a tokenizer: a GGUF file; a folder of Hugging Face's layout (preferring
 * its tokenizer.json to tokenizer.model to vocab.json with merges.txt); one of these files, of any name that ends in
 * ".json" or ".model" (tokenizer_config.json, special_tokens_map.json, added_tokens.json, merges.txt are looked for
 * beside it). Missing: PERCEPT_ERROR_INPUT; malformed or of a kind percept does not have: PERCEPT_ERROR_MODEL. A GGUF's
 * tokenizer works as in llama.cpp, the others as in Hugging Face's: tokenizer.json as its own normalizer, splitter and
 * rules say; tokenizer.model and vocab.json as the Python classes of the original models do. */
percept_status pct_tokenizer_open(pct_tokenizer **tokenizer, const char *path, percept_error *error);
/* From a model file's keys (tokenizer.ggml.*). PERCEPT_ERROR_MODEL when they are missing, malformed, or of a kind that
 * percept does not have. Copies what it needs: the file may be closed. */
percept_status pct_tokenizer_load(pct_tokenizer **tokenizer, const pct_gguf *file, percept_error *error);
/* The same keys, as llama.cpp names and orders them. What llama.cpp has no key for (normalisation, rules of added
 * tokens) goes into percept.tokenizer.*, and the chat template into tokenizer.chat_template. Whatever it was loaded
 * from, what is read back gives the same ids. */
percept_status pct_tokenizer_save(const pct_tokenizer *tokenizer, pct_gguf_writer *writer, percept_error *error);
/* A tokenizer with more tokens: `texts` in order get the next ids as special tokens, except those that are special or
 * added tokens already; then unused ones up to `size` (0: as many as there are; models pad their tables of embeddings).
 * The original stays as it is. PERCEPT_ERROR_USAGE when a text is empty or `size` is too small. */
percept_status pct_tokenizer_extend(pct_tokenizer **tokenizer, const pct_tokenizer *from, const char *const *texts,
                                    int32_t text_count, int32_t size, percept_error *error);
void pct_tokenizer_destroy(pct_tokenizer **tokenizer);

/* Appends the ids of `length` bytes of text. Texts beyond 2^30 bytes are refused. */
percept_status pct_tokenizer_encode(const pct_tokenizer *tokenizer, pct_token_scratch *scratch, const char *text,
                                    size_t length, unsigned flags, pct_ids *ids, percept_error *error);

/* The same, with certainty where special tokens stand: at the offsets `marks` (ascending) in the text the longest token
 * that stands there, special or not, is taken; elsewhere special texts stay plain unless the flags say else. For texts
 * that are put together of parts of which only some may hold special tokens. */
percept_status pct_tokenizer_encode_marked(const pct_tokenizer *tokenizer, pct_token_scratch *scratch, const char *text,
                                           size_t length, const size_t *marks, size_t mark_count, unsigned flags,
                                           pct_ids *ids, percept_error *error);

/* Appends the bytes of the ids. Special tokens are left out unless show_special. Ids outside the vocabulary give
 * nothing. What comes out need not be UTF-8 when the ids cut a character. */
void pct_tokenizer_decode(const pct_tokenizer *tokenizer, const int32_t *ids, size_t count, bool show_special,
                          pct_text *out);

/* Streaming decode: each call appends only whole characters, so that a terminal or a JSON stream never sees half of
 * one. Bytes that can never become a character come out as U+FFFD. Zero-initialise. */
typedef struct pct_token_stream {
    char pending[4];
    int count;
} pct_token_stream;
void pct_token_stream_add(pct_token_stream *stream, const pct_tokenizer *tokenizer, int32_t id, bool show_special,
                          pct_text *out);
/* What is still pending comes out as U+FFFD. */
void pct_token_stream_end(pct_token_stream *stream, pct_text *out);

int32_t pct_tokenizer_size(const pct_tokenizer *tokenizer); /* ids are 0..size-1 */
/* The bytes that decode gives for one id; NULL and 0 outside the vocabulary. Borrowed from the tokenizer; a NUL follows
 * that *length does not count. */
const char *pct_tokenizer_text(const pct_tokenizer *tokenizer, int32_t id, size_t *length);
bool pct_tokenizer_is_special(const pct_tokenizer *tokenizer, int32_t id);
/* The special token with this text; -1 when there is none. Ordinary tokens are not found here. */
int32_t pct_tokenizer_special(const pct_tokenizer *tokenizer, const char *text);
/* -1 when the tokenizer has none. */
int32_t pct_tokenizer_bos(const pct_tokenizer *tokenizer);
int32_t pct_tokenizer_eos(const pct_tokenizer *tokenizer);
int32_t pct_tokenizer_pad(const pct_tokenizer *tokenizer);
/* Whether the file asks for BOS before raw text (`complete`). */
bool pct_tokenizer_adds_bos(const pct_tokenizer *tokenizer);
/* The split pattern's name, as tokenizer.ggml.pre has it. */
const char *pct_tokenizer_pattern(const pct_tokenizer *tokenizer);
/* The chat template (Jinja text) that came with it, NULL for none. Not run, only recognised: see chat.h. */
const char *pct_tokenizer_chat_template(const pct_tokenizer *tokenizer);

#endif
