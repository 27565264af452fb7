/* cell_box.h: dense supervision of places. Every cell that an object owns says where the object's box is, by the
 * distances from its own middle to the four sides (FCOS, arXiv 1904.01355). One linear layer reads them off the cell as
 * the language model gets it: so cells tell two things of one name apart in the open, which counting and relations
 * need. Answers ask them where a region lies over two objects (heads.commit). */
#ifndef PCT_HEADS_CELL_BOX_H
#define PCT_HEADS_CELL_BOX_H

#include "nn/layers.h"

typedef struct pct_cell_box_head {
    pct_linear map; /* width -> 4 */
} pct_cell_box_head;
void pct_cell_box_build(pct_cell_box_head *head, pct_builder *builder, int64_t width);
/* The middle of a cell of a picture's grid*grid: x, y in 0..1. */
static inline void pct_cell_middle(int64_t cell, int64_t grid, pct_real out[2]) {
    out[0] = ((pct_real)(cell % grid) + (pct_real)0.5) / (pct_real)grid;
    out[1] = ((pct_real)(cell / grid) + (pct_real)0.5) / (pct_real)grid;
}
/* cells (n,width), their middles (n,2: x, y in 0..1) -> boxes (n,4) as x0,y0,x1,y1 */
pct_tensor *pct_cell_box_apply(pct_tape *tape, const pct_cell_box_head *head, pct_tensor *cells,
                               const pct_real *middles);

#endif
