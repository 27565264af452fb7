/* cell_box.h: dense supervision of places. Every cell that an object owns says where the object's box is, by the
 * distances from its own middle to the four sides (FCOS, arXiv 1904.01355). One linear layer reads them off the cell as
 * the language model gets it: so cells tell two things of one name apart in the open, which counting and relations
 * need. Not needed for answers. */
#ifndef PCT_HEADS_CELL_BOX_H
#define PCT_HEADS_CELL_BOX_H

#include "nn/layers.h"

typedef struct pct_cell_box_head {
    pct_linear map; /* width -> 4 */
} pct_cell_box_head;
void pct_cell_box_build(pct_cell_box_head *head, pct_builder *builder, int64_t width);
/* cells (n,width), their middles (n,2: x, y in 0..1) -> boxes (n,4) as x0,y0,x1,y1 */
pct_tensor *pct_cell_box_apply(pct_tape *tape, const pct_cell_box_head *head, pct_tensor *cells,
                               const pct_real *middles);

#endif
