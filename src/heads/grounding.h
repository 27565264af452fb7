/* grounding.h: words and regions look at the picture before the language model reads them.
 *
 * A word's embedding is the query of an attention over the picture's cells as the connector gives them, both with
 * length 1: the cosines by which cells are named (naming.h), times a learned scale. A second head asks with the sum of
 * the word and the one before it, since names of two tokens are learned as their mean. What is found, cells with their
 * places, is mapped linearly and added to the embedding, times a learned factor that keeps it as weak as a word: else
 * words drown in it. The row before the cells is what a word finds that is like no cell: its logit is learned a token
 * and begins at 0 for tokens of names, far above all cells' for others ("the", "where"), which have nothing to look
 * for. (One learned for all tokens takes all attention before there is anything to find.) A region's encoding gets the
 * mean of the cells that it covers, in the place of both heads, through the same map. So "cup" begins with what the
 * cup's cells show and where they lie, and the language model need not discover first that words and cells can be
 * compared. Words attending to image features before the decoder: language-aware fusion (GLIP, arXiv 2112.03857); means
 * over a region's features: mask pooling (Osprey, arXiv 2312.10032). Not in PerceptionGPT: language.grounding 0. */
#ifndef PCT_HEADS_GROUNDING_H
#define PCT_HEADS_GROUNDING_H

#include "nn/layers.h"

typedef struct pct_grounding {
    pct_parameter *scale; /* (1), of the cosines */
    pct_parameter *found; /* (1): how strong what is found is beside the word */
    pct_parameter *rest;  /* (vocabulary,1): logit of finding nothing */
    pct_linear map;       /* what both heads find -> width */
} pct_grounding;
void pct_grounding_build(pct_grounding *grounding, pct_builder *builder, int64_t vocabulary, int64_t width);
/* A fresh model's names: tokens that are in none of them rest. */
void pct_grounding_begin(pct_grounding *grounding, const int32_t *ids, int64_t count);

/* What words and regions of some pictures look at: `rows` rows a picture, the first for "nothing". */
typedef struct pct_ground {
    pct_tensor *keys, *padded; /* (pictures*rows, width+1); NULL: the model has no grounding */
    pct_tensor *values;        /* (pictures*rows, width) */
    int64_t rows;
} pct_ground;
/* cells: the connector's output; prefix: the same with places, as the language model reads it. */
pct_ground pct_grounding_prepare(pct_tape *tape, pct_tensor *cells, pct_tensor *prefix, int64_t pictures);

typedef struct pct_grounding_text {
    const int32_t *ids;         /* (rows) */
    pct_tensor *words, *before; /* (rows,width): embeddings, and those of the word before each */
    const pct_span *looks;      /* q rows are words, shared rows the picture's in the ground */
    int64_t look_count;
} pct_grounding_text;
/* The words with what they find added; those outside of all spans, of talk without a picture, stay as they are. */
pct_tensor *pct_grounding_words(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                const pct_grounding_text *text);
/* codes (n,width) with what lies under them added: the means of ground's rows index[offset[i]..offset[i+1]). */
pct_tensor *pct_grounding_regions(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                  pct_tensor *codes, const int32_t *index, const int32_t *offset);

#endif
