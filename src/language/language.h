/* language.h: a decoder-only language model of LLaMA's shape: RMSNorm, rotary positions (interleaved, as in llama.cpp's
 * permuted files), grouped queries, SwiGLU.
 *
 * It reads rows of embeddings, not ids, since some rows are pictures' cells and regions' encodings. Which rows see
 * which is said by spans, so that a picture's prefix is shared by many questions; with a cache, spans name cache rows.
 * The last layer is computed only for the rows whose states are wanted. */
#ifndef PCT_LANGUAGE_LANGUAGE_H
#define PCT_LANGUAGE_LANGUAGE_H

#include "nn/layers.h"

#define PCT_LANGUAGE_MAX_LAYERS 128

typedef struct pct_language_options {
    int32_t vocabulary, width, layers, heads, kv_heads, mlp;
    double rope_theta, norm_epsilon;
    bool tied;    /* the output matrix is the embedding */
    bool mimetic; /* a fresh model: queries begin like their keys (not for weights that are read) */
} pct_language_options;

typedef struct pct_language_layer {
    pct_norm attention_norm, mlp_norm;
    pct_linear q, k, v, out, gate, up, down;
} pct_language_layer;

typedef struct pct_language {
    pct_language_options options;
    pct_parameter *embedding; /* (vocabulary, width) */
    pct_linear output;        /* not when tied */
    pct_norm norm;
    pct_language_layer layer[PCT_LANGUAGE_MAX_LAYERS];
} pct_language;

/* Builds with names as llama.cpp's. With LoRA in the builder, the layers' own weights are frozen. */
void pct_language_build(pct_language *language, pct_builder *builder, const pct_language_options *options);

/* Keys and values of rows that later rows will see: `capacity` rows of kv_heads*head_dim in each layer. Untouched
 * memory stays unused. */
typedef struct pct_cache {
    int32_t layers;
    int64_t width, capacity;
    pct_real *memory; /* owned; [layer][2][capacity][width] */
} pct_cache;
/* Grows to `capacity` rows; the first `keep` rows' contents stay. */
percept_status pct_cache_reserve(pct_cache *cache, const pct_language_options *options, int64_t capacity, int64_t keep,
                                 percept_error *error);
void pct_cache_free(pct_cache *cache);

typedef struct pct_language_input {
    pct_tensor *x;            /* (T, width) embeddings */
    const int32_t *positions; /* (T) */
    const pct_span *spans;    /* every row of x is in one; key rows are rows of x or, with a cache, of the cache */
    int64_t span_count;
    pct_cache *cache;          /* NULL: none; then recording is possible */
    const int32_t *cache_rows; /* (T) where the rows' keys and values go; written before they are read */
    int64_t cache_used;        /* rows of the cache that spans name are below this */
    const int32_t *wanted;     /* rows whose states are wanted; NULL and 0: only the cache is filled */
    int64_t wanted_count;
    const pct_span *wanted_spans; /* as spans, with q counted in wanted rows */
    int64_t wanted_span_count;
} pct_language_input;

/* States after the final norm: (wanted_count, width); NULL when none are wanted. */
pct_tensor *pct_language_states(pct_tape *tape, const pct_language *language, const pct_language_input *input);
/* (rows, width) -> (rows, vocabulary) */
pct_tensor *pct_language_logits(pct_tape *tape, const pct_language *language, pct_tensor *states);

/* ---- choosing the next token ------------------------------------------------------------------------------------ */
typedef struct pct_sampler {
    float temperature; /* 0: the likeliest */
    float top_p;       /* of the probability at that temperature; 1 or more: all */
    pct_random random;
    pct_real *probability; /* (vocabulary), the caller's */
    int32_t *order;        /* (vocabulary), the caller's */
} pct_sampler;
/* Returns the id; *log_probability is the model's own, at temperature 1. */
int32_t pct_sample(pct_sampler *sampler, const pct_real *logits, int32_t vocabulary, double *log_probability);

#endif
