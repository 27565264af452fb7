/* tokenizer.h: words to token ids and back, for any file that holds a tokenizer: percept's own models; a GGUF of a
 * language model (byte-level BPE or SentencePiece, as llama.cpp has them); Hugging Face's tokenizer.json,
 * tokenizer.model, or vocab.json with merges.txt beside it, or the folder of them.
 *
 * A handle serves one thread at a time. */
#ifndef PERCEPT_TOKENIZER_H
#define PERCEPT_TOKENIZER_H

#include "percept/api.h"
#include "percept/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct percept_tokenizer percept_tokenizer;

/* Reads the tokenizer alone, from a file or folder. A missing file is PERCEPT_ERROR_INPUT; one that is malformed, or
 * whose tokenizer percept does not know, PERCEPT_ERROR_MODEL. Close with percept_tokenizer_close, which accepts NULL
 * and nulls the handle. */
PERCEPT_API percept_status percept_tokenizer_open(percept_tokenizer **tokenizer, const char *path,
                                                  percept_error *error);
PERCEPT_API void percept_tokenizer_close(percept_tokenizer **tokenizer);

enum {
    PERCEPT_TOKENIZE_SPECIAL = 1, /* texts of special tokens in the input become their ids */
    PERCEPT_TOKENIZE_BOS = 2,     /* begins with BOS where the tokenizer has one */
    PERCEPT_TOKENIZE_EOS = 4,     /* ends with EOS where the tokenizer has one */
};
/* `length` bytes of any text -> *count ids, malloc'd (percept_free). Texts beyond 1 GiB are PERCEPT_ERROR_INPUT. */
PERCEPT_API percept_status percept_tokenizer_encode(percept_tokenizer *tokenizer, const char *text, size_t length,
                                                    unsigned flags, int32_t **ids, size_t *count, percept_error *error);
/* Ids -> text, malloc'd (percept_free) with a NUL after *length bytes, which need not be whole UTF-8. Special tokens
 * are left out unless `special`; ids outside the vocabulary give nothing. */
PERCEPT_API percept_status percept_tokenizer_decode(percept_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                                    int special, char **text, size_t *length, percept_error *error);
/* Ids are 0..size-1. */
PERCEPT_API int32_t percept_tokenizer_size(const percept_tokenizer *tokenizer);

#ifdef __cplusplus
}
#endif
#endif
