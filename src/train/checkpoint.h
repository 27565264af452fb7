/* checkpoint.h: everything an unbroken run would know, in one GGUF file, written atomically.
 *
 * Parameters under their names in F32; the optimiser's moments (the second of AdamW's parameters alone) and the average
 * as one long tensor each; the tokenizer;
 * the config as YAML; step and the state of the watch for spikes. Random numbers need no state: they are keyed by seed
 * and step. A checkpoint is no model file: `ask` refuses it. */
#ifndef PCT_TRAIN_CHECKPOINT_H
#define PCT_TRAIN_CHECKPOINT_H

#include "formats/gguf.h"
#include "tokenizer/tokenizer.h"
#include "train/optimiser.h"

typedef struct pct_checkpoint_state {
    int64_t step; /* done */
    uint64_t seed;
    double loss_mean; /* running; 0: none yet */
    int64_t high;     /* steps in a row with a loss far above it */
    char base[65];    /* SHA-256 of model.base, whose weights are in no checkpoint; "": none */
} pct_checkpoint_state;

/* Writes folder/checkpoint-STEP.gguf. */
percept_status pct_checkpoint_write(const char *folder, const pct_checkpoint_state *state, const char *config,
                                    const pct_tokenizer *tokenizer, const pct_parameters *set,
                                    const pct_optimiser *optimiser, percept_error *error);

/* The newest checkpoint's path in the folder, malloc'd; *path NULL when there is none. */
percept_status pct_checkpoint_newest(const char *folder, char **path, percept_error *error);
/* Removes all but the newest `keep`. What cannot be removed stays. */
void pct_checkpoint_prune(const char *folder, int64_t keep);

/* Opens one; the tokenizer and the config's text can be taken from it before there is a model. Close the file. */
percept_status pct_checkpoint_open(pct_gguf **file, const char *path, pct_checkpoint_state *state, const char **config,
                                   percept_error *error);
/* Puts weights, moments and average back. PERCEPT_ERROR_MODEL when the structure is another. The checkpoint may be of
 * the other kind of optimiser: Muon goes on from AdamW's first moment; numbers whose second moment Muon did not need
 * get both moments zero under AdamW, and are counted in *fresh. */
percept_status pct_checkpoint_restore(const pct_gguf *file, pct_parameters *set, pct_optimiser *optimiser,
                                      int64_t *fresh, percept_error *error);

#endif
