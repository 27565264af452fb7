/* grounding.h: phrases and regions look at the picture before the language model reads them.
 *
 * The mark that ends a phrase ("</p>", and "<assistant>" for the question) asks with the mean of its name's token
 * embeddings, with length 1, in one attention over the picture's cells as the connector gives them, with length 1 as
 * well: the cosines by which cells are named (naming.h), times a learned scale. The row before the cells has the cosine
 * 0: what is found of a name that is like no cell. What is found, cells with their places, is mapped linearly and added
 * to the mark's embedding. A region's encoding gets the mean of the cells that it covers through the same map; and a
 * region of a phrase looks for the phrase once more, where no region of it is yet: whether there is another one, and
 * where. So the language model need not discover first that words and cells can be compared. Words themselves stay what
 * they are: when they looked, copying a phrase was not learned, or the looking was unlearned (docs/training.md).
 * Phrases that attend to image features before the decoder: language-aware fusion (GLIP, arXiv 2112.03857); means over
 * a region's features: mask pooling (Osprey, arXiv 2312.10032). Not in PerceptionGPT: language.grounding 0. */
#ifndef PCT_HEADS_GROUNDING_H
#define PCT_HEADS_GROUNDING_H

#include "language/language.h"

typedef struct pct_grounding {
    pct_parameter *scale; /* (1), of the cosines */
    pct_parameter *names; /* (vocabulary,1): 1 for tokens that are in names; does not learn */
    pct_linear map;       /* width -> width */
} pct_grounding;
void pct_grounding_build(pct_grounding *grounding, pct_builder *builder, int64_t vocabulary, int64_t width);
/* A fresh model's names: the tokens that are in some. */
void pct_grounding_begin(pct_grounding *grounding, const int32_t *ids, int64_t count);
/* More of them. */
void pct_grounding_add(pct_grounding *grounding, const int32_t *ids, int64_t count);

/* What phrases and regions of some pictures look at: `rows` rows a picture, the first for "nothing". */
typedef struct pct_ground {
    pct_tensor *keys, *values; /* (pictures*rows, width); NULL: the model has no grounding */
    int64_t rows;
} pct_ground;
/* cells: the connector's output; prefix: the same with places, as the language model reads it. */
pct_ground pct_grounding_prepare(pct_tape *tape, pct_tensor *cells, pct_tensor *prefix, int64_t pictures);

/* One row that looks: its place in the text, the tokens of its phrase, and its picture. */
typedef struct pct_look {
    const int32_t *ids;
    int32_t count, row, picture;
    /* Of a region: rows of the ground that its phrase's regions cover, this one too, ascending, without the picture's
     * offset. They count as "nothing", so that it finds what remains. */
    const int32_t *gone;
    int32_t gone_count;
} pct_look;
/* words (rows,width): embeddings; rows that look get what their phrases find added. A phrase without a token of a name
 * asks with all its tokens. */
pct_tensor *pct_grounding_phrases(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                  const pct_language *language, pct_tensor *words, const pct_look *looks,
                                  int64_t count);
/* codes (n,width) with what lies under them added: the means of ground's rows index[offset[i]..offset[i+1]). */
pct_tensor *pct_grounding_regions(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                  pct_tensor *codes, const int32_t *index, const int32_t *offset);

#endif
