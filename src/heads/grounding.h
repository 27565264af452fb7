/* grounding.h: words and regions look at the picture before the language model reads them.
 *
 * A word's embedding is the query of an attention over the picture's cells as the connector gives them, both with
 * length 1: the cosines by which cells are named (naming.h), times a learned scale. A second head asks with the sum of
 * the word and the one before it, since names of two tokens are learned as their mean. What is found, cells with their
 * places, is mapped linearly and added to the embedding, which a learned factor makes as strong: else it drowns in
 * what is found, and words are hard to tell apart. The row before the cells has the cosine 0: what a word finds
 * that is like no cell. (A key learned for that takes all attention before there is anything to find.) A region's
 * encoding gets the mean of the cells that it covers, in the place of both heads, through the same map. So "cup" begins
 * with what the cup's cells show and where they lie, and the language model need not discover first that words and
 * cells can be compared. Words attending to image features before the decoder: language-aware fusion (GLIP, arXiv
 * 2112.03857); means over a region's features: mask pooling (Osprey, arXiv 2312.10032). Not in PerceptionGPT:
 * language.grounding 0. */
#ifndef PCT_HEADS_GROUNDING_H
#define PCT_HEADS_GROUNDING_H

#include "nn/layers.h"

typedef struct pct_grounding {
    pct_parameter *scale; /* (1), of the cosines */
    pct_parameter *words; /* (1): how strong a word itself is beside what it finds */
    pct_linear map;       /* what both heads find -> width */
} pct_grounding;
void pct_grounding_build(pct_grounding *grounding, pct_builder *builder, int64_t width);

/* What words and regions of some pictures look at: `rows` rows a picture, the first for "nothing". */
typedef struct pct_ground {
    pct_tensor *keys, *values; /* (pictures*rows, width); NULL: the model has no grounding */
    int64_t rows;
} pct_ground;
/* cells: the connector's output; prefix: the same with places, as the language model reads it. */
pct_ground pct_grounding_prepare(pct_tape *tape, pct_tensor *cells, pct_tensor *prefix, int64_t pictures);

/* words (rows,width) with what they find added; before (rows,width): of each, the word before it. A span's q rows are
 * words, its shared rows the picture's in `ground`; words outside of all spans, of talk without a picture (ground NULL:
 * all), find nothing. */
pct_tensor *pct_grounding_words(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                pct_tensor *words, pct_tensor *before, const pct_span *spans, int64_t span_count);
/* codes (n,width) with what lies under them added: the means of ground's rows index[offset[i]..offset[i+1]). */
pct_tensor *pct_grounding_regions(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                  pct_tensor *codes, const int32_t *index, const int32_t *offset);

#endif
