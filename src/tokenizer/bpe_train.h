/* bpe_train.h: makes a byte-level BPE vocabulary from text.
 *
 * The ids are: the special tokens in the order given, the 256 bytes, then one token a merge. The same input gives the
 * same tokenizer whatever the order of the texts: words are counted first, and of pairs that are equally frequent the
 * one whose left, then right text is smaller by bytes is merged first. Pair counts are kept up to date in a heap, so
 * that 10 MB of text and some thousand merges take seconds. */
#ifndef PCT_TOKENIZER_BPE_TRAIN_H
#define PCT_TOKENIZER_BPE_TRAIN_H

#include "tokenizer/tokenizer.h"

typedef struct pct_bpe_trainer pct_bpe_trainer;

typedef struct pct_bpe_train_options {
    int32_t vocabulary;          /* ids in all, special tokens and bytes included; fewer when the text gives no more */
    const char *const *specials; /* texts of the special tokens, all different, not empty */
    int32_t special_count;
    const char *bos, *eos, *pad; /* which of them are these; NULL: none */
    const char *pattern;         /* NULL: "percept" */
    int64_t min_count;           /* pairs rarer than this are not merged; 0: 2 */
    int32_t max_token;           /* longest token in bytes; 0: 32 */
} pct_bpe_train_options;

/* Options are copied. PERCEPT_ERROR_USAGE when they make no sense. */
percept_status pct_bpe_trainer_create(pct_bpe_trainer **trainer, const pct_bpe_train_options *options,
                                      percept_error *error);
void pct_bpe_trainer_destroy(pct_bpe_trainer **trainer);
/* Counts the words of a text `count` times. The text is not kept. */
percept_status pct_bpe_trainer_add(pct_bpe_trainer *trainer, const char *text, size_t length, int64_t count,
                                   percept_error *error);
/* Learns the merges. The trainer may only be destroyed afterwards. */
percept_status pct_bpe_trainer_finish(pct_bpe_trainer *trainer, pct_tokenizer **tokenizer, percept_error *error);

#endif
