/* text.h: words alone: sequences of tokens that the language model of any model goes on with, without a picture.
 *
 * A sequence remembers what it has read: its tokens, and their keys and values. It can be cut back, forked, and asked
 * to go on with a text whose beginning it has read already: only the rest is read then. */
#ifndef PCT_MODEL_TEXT_H
#define PCT_MODEL_TEXT_H

#include "model/model.h"

typedef struct pct_sequence pct_sequence;

/* cache: how keys and values are kept: PCT_F16, PCT_Q8_0 (F16 where heads are not whole blocks) or PCT_REAL, which is
 * exact. product: PCT_REAL forces F32 products; PCT_BF16 leaves the choice to the compute. */
percept_status pct_sequence_create(pct_sequence **sequence, pct_model *model, pct_compute *compute, pct_dtype cache,
                                   pct_dtype product, percept_error *error);
void pct_sequence_destroy(pct_sequence **sequence);
/* Another sequence that has read the same. */
percept_status pct_sequence_fork(pct_sequence **fork, const pct_sequence *sequence, percept_error *error);

int32_t pct_sequence_length(const pct_sequence *sequence); /* tokens read */
/* Forgets all tokens from `length` on; a length beyond the end changes nothing. */
void pct_sequence_rewind(pct_sequence *sequence, int32_t length);
/* Forgets what does not begin `ids`, and at least the last of them, so that reading ids from there on gives its logits.
 * Returns how many are left. */
int32_t pct_sequence_match(pct_sequence *sequence, const int32_t *ids, int32_t count);

/* The logits that follow token ids[row]: (vocabulary), borrowed until the call returns. False: stop. */
typedef bool pct_logits_fn(void *context, int32_t row, const pct_real *logits);
/* Reads `count` tokens (at least 1) behind what was read and gives the logits of rows `from` on, in order. Asked
 * between parts of some hundred tokens, `stop` (may be NULL) ends it early with what is read. USAGE: beyond the
 * context. */
percept_status pct_sequence_read(pct_sequence *sequence, const int32_t *ids, int32_t count, int32_t from,
                                 pct_logits_fn *each, bool (*stop)(void *), void *context, percept_error *error);

typedef struct pct_generate_options {
    int32_t max_tokens;                              /* 0: what fits the context */
    double deadline;                                 /* pct_clock_seconds() after which it stops, 0: none */
    float temperature, top_p, min_p, repeat_penalty; /* language.h; top_p 0 counts as 1 */
    int32_t top_k, repeat_last;                      /* tokens that the penalty looks back on */
    uint64_t seed;
    bool (*token)(void *context, int32_t id); /* of every new token; true: stop. May be NULL */
    pct_logits_fn *logits;                    /* of every choice, row counted from 0. May be NULL */
    bool (*stop)(void *context);              /* asked now and then; true: stop. May be NULL */
    void *context;
} pct_generate_options;

typedef struct pct_generated {
    const int32_t *ids; /* without the token that ended it; in the sequence until its next call */
    int32_t count;
    int32_t read; /* tokens of the prompt that had to be read */
    enum pct_finish finish;
} pct_generated;

/* Goes on with `ids` (at least 1, all of the text, whose beginning the sequence may have read): afterwards the sequence
 * has read them and all new tokens but perhaps the last. An end token (pct_text_ends) stops it. USAGE: no room in the
 * context. */
percept_status pct_sequence_generate(pct_sequence *sequence, const int32_t *ids, int32_t count,
                                     const pct_generate_options *options, pct_generated *generated,
                                     percept_error *error);

/* Whether the token ends a text or a turn: EOS, or one of the names that families give such tokens. */
bool pct_text_ends(const pct_tokenizer *tokenizer, int32_t id);

#endif
