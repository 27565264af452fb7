/* naming.h: dense supervision of the tower through the language model's own words.
 *
 * A name's embedding is the mean of its tokens' embeddings, scaled to length 1. Naming asks every cell (as the
 * connector gives it to the language model) whose it is: a name of this batch, or the background. Presence asks the
 * class token which names are in the picture at all. Neither is needed for answers of the language model; presence
 * serves methods that score names directly. */
#ifndef PCT_HEADS_NAMING_H
#define PCT_HEADS_NAMING_H

#include "nn/layers.h"

typedef struct pct_naming_head {
    pct_parameter *background; /* (1,width) */
    pct_parameter *scale;      /* (1) */
} pct_naming_head;
void pct_naming_build(pct_naming_head *head, pct_builder *builder, int64_t width);
/* embedding (vocabulary,width); ids and offsets as in pct_batch -> (names,width), rows of length 1 */
pct_tensor *pct_name_embeddings(pct_tape *tape, pct_tensor *embedding, const int32_t *ids, const int32_t *offsets,
                                int64_t names);
/* cells (rows,width), names (names,width) -> logits (rows, names+1), the last is the background */
pct_tensor *pct_naming_apply(pct_tape *tape, const pct_naming_head *head, pct_tensor *cells, pct_tensor *names);

typedef struct pct_presence_head {
    pct_linear map;              /* tower's width -> language model's */
    pct_parameter *scale, *bias; /* (1) each */
} pct_presence_head;
void pct_presence_build(pct_presence_head *head, pct_builder *builder, int64_t tower_width, int64_t width);
/* classes (P,tower_width), names (names,width) -> logits (P,names) */
pct_tensor *pct_presence_apply(pct_tape *tape, const pct_presence_head *head, pct_tensor *classes, pct_tensor *names);

#endif
