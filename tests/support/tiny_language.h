/* tiny_language.h: GGUF files of small language models with random weights, as llama.cpp has them, for tests. */
#ifndef PCT_TESTS_TINY_LANGUAGE_H
#define PCT_TESTS_TINY_LANGUAGE_H

#include "kernels/kernels.h"

typedef struct tiny_language {
    bool qwen2;     /* else llama */
    bool spm;       /* a SentencePiece tokenizer of 64 pieces; else byte-level BPE of 300 */
    bool bias;      /* of a llama's queries, keys and values */
    bool output;    /* a matrix of its own; else tied */
    bool factors;   /* rope_freqs.weight */
    bool ends;      /* the state of every text says EOS */
    pct_dtype type; /* of the matrices: PCT_REAL, PCT_F16, PCT_Q8_0, PCT_Q4_1 */
    int32_t width, layers, heads, kv_heads, head_width, mlp, context;
    uint64_t seed;
    /* Changes for tests of refusals: */
    const char *skip; /* a key or tensor that is left out */
    const char *key;  /* an integer key that has another value */
    int64_t value;
    const char *string, *text; /* a string key with its value, which stands beside the others */
    const char *more;          /* a tensor that no such model has */
} tiny_language;

/* A llama of two layers, 4 heads over 2, 64 numbers wide, context 128, in F32. */
tiny_language tiny_language_default(void);
percept_status tiny_language_write(const char *path, const tiny_language *t, percept_error *error);

#endif
