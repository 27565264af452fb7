#include "heads/cell_box.h"

void pct_cell_box_build(pct_cell_box_head *head, pct_builder *builder, int64_t width) {
    pct_linear_build(&head->map, builder, width, 4, true, 1, "percept.cell_box");
}

pct_tensor *pct_cell_box_apply(pct_tape *tape, const pct_cell_box_head *head, pct_tensor *cells,
                               const pct_real *middles) {
    const int64_t count = pct_tensor_rows(cells);
    pct_tensor *signs = pct_tape_zeros(tape, 2, (int64_t[]){count, 4});
    pct_tensor *from = pct_tape_zeros(tape, 2, (int64_t[]){count, 4});
    for (int64_t i = 0; i < 4 * count && !pct_tape_failed(tape); i++) {
        pct_tensor_data(signs)[i] = i % 4 < 2 ? -1 : 1;
        pct_tensor_data(from)[i] = middles[i / 4 * 2 + i % 2];
    }
    pct_tensor *sides = pct_op_activate(tape, pct_linear_apply(tape, &head->map, cells), PCT_SIGMOID);
    return pct_op_add(tape, pct_op_mul(tape, sides, signs), from);
}
