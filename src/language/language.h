/* language.h: a decoder-only language model of LLaMA's shape: RMSNorm, rotary positions (interleaved, as in llama.cpp's
 * permuted files, or in halves, as Qwen2's), grouped queries with or without biases, SwiGLU.
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
    int32_t head_width; /* 0: width/heads */
    int32_t rotary;     /* of a head's numbers are turned by its position; 0: all */
    bool halves;        /* they are turned in pairs (i, i+rotary/2); else (2i, 2i+1) */
    bool rope_factors;  /* each pair has a divisor of its own (LLaMA 3.1 and later): rope_freqs.weight */
    bool bias;          /* of queries, keys and values */
    double rope_theta, norm_epsilon;
    double rope_slow; /* angles are divided by it; 0: by 1 */
    bool tied;        /* the output matrix is the embedding */
    bool mimetic;     /* a fresh model: queries begin like their keys (not for weights that are read) */
    int32_t added;    /* of the vocabulary, its last ids: tokens beside those that a frozen model has; 0: none */
} pct_language_options;

typedef struct pct_language_layer {
    pct_norm attention_norm, mlp_norm;
    pct_linear q, k, v, out, gate, up, down;
} pct_language_layer;

typedef struct pct_language {
    pct_language_options options; /* with what 0 stands for */
    pct_parameter *embedding;     /* (vocabulary - added, width) */
    pct_parameter *added;         /* (added, width): the rows after them, which learn; NULL: none */
    pct_parameter *added_output;  /* (added, width): what they are chosen by; `added` itself when tied */
    pct_parameter *rope_factors;  /* (rotary/2), or NULL */
    pct_linear output;            /* not when tied */
    pct_norm norm;
    pct_language_layer layer[PCT_LANGUAGE_MAX_LAYERS];
} pct_language;

/* Builds with names as llama.cpp's. With LoRA in the builder, the layers' own weights are frozen; with added tokens all
 * but LoRA's and theirs. */
void pct_language_build(pct_language *language, pct_builder *builder, const pct_language_options *options);
/* Keeps out of INT8 what loses most by it (bench/language_precision on SmolLM2-135M: cosine of the logits from 0.9983
 * to 0.9993): the products on the way down, whose input is a product of two and has large numbers everywhere, and the
 * output matrix, which a prompt's last row alone meets. */
void pct_language_keep_fine(pct_language *language);
/* The rows of the ids, which are borrowed until the tape is cleared: (count, width). */
pct_tensor *pct_language_words(pct_tape *tape, const pct_language *language, const int32_t *ids, int64_t count);

/* Keys and values of rows that later rows will see: `capacity` rows of kv_heads*head_dim in each layer. Untouched
 * memory stays unused. The type is set before the first reserve: PCT_REAL (as in a zeroed cache), row by row; PCT_F16
 * or PCT_Q8_0, each head's rows together, rounded when they are written. */
typedef struct pct_cache {
    pct_dtype type;
    int32_t layers, heads;
    int64_t width, capacity; /* width: kv_heads*head_dim */
    void *memory;            /* owned; [layer][2][capacity][width], or [layer][2][kv_head][capacity][head_dim] */
} pct_cache;
/* Whether a cache of the type can hold such heads: Q8_0 wants whole blocks. */
bool pct_cache_takes(pct_dtype type, const pct_language_options *options);
/* Grows to `capacity` rows; the first `keep` rows' contents stay. The options are those of a built model. */
percept_status pct_cache_reserve(pct_cache *cache, const pct_language_options *options, int64_t capacity, int64_t keep,
                                 percept_error *error);
/* The first `rows` rows of a cache of the same model into another, which has room for them. */
void pct_cache_copy(pct_cache *to, const pct_cache *from, int64_t rows);
void pct_cache_free(pct_cache *cache);
/* Rows of keys (which 0) or values (1) of a layer into and out of a cache of a narrow type; x (rows, width). */
void pct_cache_put(pct_cache *cache, pct_compute *compute, int layer, int which, const int32_t *places, int64_t rows,
                   const pct_real *x);
/* The first `rows` rows, widened. */
void pct_cache_get(const pct_cache *cache, pct_compute *compute, int layer, int which, int64_t rows, pct_real *x);
/* Where a layer's keys or values begin. */
void *pct_cache_at(const pct_cache *cache, int layer, int which);

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
    /* Sees what each layer gives, for tests; NULL: nobody does. The tensor may be gone when the next layer is done. */
    void (*layer)(void *context, int index, const pct_tensor *x);
    void *context;
} pct_language_input;

/* States after the final norm: (wanted_count, width); NULL when none are wanted. */
pct_tensor *pct_language_states(pct_tape *tape, const pct_language *language, const pct_language_input *input);
/* (rows, width) -> (rows, vocabulary) */
pct_tensor *pct_language_logits(pct_tape *tape, const pct_language *language, pct_tensor *states);

/* ---- choosing the next token ------------------------------------------------------------------------------------ */
/* Fields work in this order, which is llama.cpp's: penalty, top_k, top_p, min_p, temperature. */
typedef struct pct_sampler {
    float repeat_penalty;  /* logits of recent tokens are divided by it (times it below 0); 0 and 1: none */
    const int32_t *recent; /* those tokens; borrowed */
    int32_t recent_count;
    int32_t top_k;     /* the likeliest; 0: all */
    float top_p;       /* of the probability; 1 or more: all */
    float min_p;       /* tokens below this share of the likeliest's probability are left out; 0: none */
    float temperature; /* 0: the likeliest */
    pct_random random;
    pct_real *probability; /* (vocabulary), the caller's */
    int32_t *order;        /* (vocabulary), the caller's */
} pct_sampler;
/* Returns the id; *log_probability (may be NULL, which is faster) is the model's own, at temperature 1. */
int32_t pct_sample(pct_sampler *sampler, const pct_real *logits, int32_t vocabulary, double *log_probability);
/* The model's own of a token that somebody else has chosen. */
double pct_log_probability(const pct_real *logits, int32_t vocabulary, int32_t id);

#endif
