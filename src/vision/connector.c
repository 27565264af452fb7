/* The connector and the join of fine features: what stands between the tower and its two users. */
#include "vision/tower.h"

/* Names as llama.cpp has them for LLaVA, and for InternVL. */
void pct_connector_build(pct_connector_layers *connector, pct_builder *builder, bool mlp, bool normed, int64_t in,
                         int64_t out) {
    *connector = (pct_connector_layers){.mlp = mlp, .normed = normed};
    if (normed) {
        PCT_ASSERT(mlp);
        pct_norm_build(&connector->norm, builder, in, 1e-5, false, "mm.model.mlp.0");
        pct_linear_build(&connector->first, builder, in, out, true, 1, "mm.model.mlp.1");
        pct_linear_build(&connector->second, builder, out, out, true, 1, "mm.model.mlp.3");
        return;
    }
    pct_linear_build(&connector->first, builder, in, out, true, 1, "mm.0");
    if (mlp) pct_linear_build(&connector->second, builder, out, out, true, 1, "mm.2");
}

pct_tensor *pct_connector_apply(pct_tape *tape, const pct_connector_layers *connector, pct_tensor *x) {
    if (connector->normed) x = pct_norm_apply(tape, &connector->norm, x);
    x = pct_linear_apply(tape, &connector->first, x);
    if (!connector->mlp) return x;
    x = pct_op_activate(tape, x, connector->normed ? PCT_GELU_ERF : PCT_GELU);
    return pct_linear_apply(tape, &connector->second, x);
}

pct_tensor *pct_tower_gather(pct_tape *tape, pct_tensor *cells, int64_t pictures, int64_t grid, int factor) {
    pct_tensor *x = pct_op_pixel_unshuffle(tape, pct_as_map(tape, cells, pictures, grid, grid), factor);
    return pct_as_rows(tape, x, x->dim[3]);
}

void pct_fine_build(pct_fine_layers *fine, pct_builder *builder, bool joined, int64_t merge_width, int64_t stem_width,
                    int64_t out) {
    *fine = (pct_fine_layers){.joined = joined};
    if (!joined) return;
    pct_linear_build(&fine->merge, builder, merge_width, out, true, 1, "percept.fine.merge");
    pct_linear_build(&fine->stem, builder, stem_width, out, true, 1, "percept.fine.stem");
}

pct_tensor *pct_fine_apply(pct_tape *tape, const pct_fine_layers *fine, const pct_tower_output *tower,
                           int64_t pictures) {
    pct_tensor *x = pct_tower_cells(tape, tower->mask, pictures);
    if (!fine->joined) return x;
    int64_t cells = pct_tensor_rows(x) / pictures, grid = 1;
    while (grid * grid < cells) grid++;
    int64_t side = tower->fine->dim[1];
    /* A projection of every cell and a resize of every channel commute: the cheaper order. */
    x = pct_linear_apply(tape, &fine->merge, x);
    x = pct_op_resize(tape, pct_as_map(tape, x, pictures, grid, grid), side, side);
    pct_tensor *stem = pct_linear_apply(tape, &fine->stem, pct_as_rows(tape, tower->fine, tower->fine->dim[3]));
    return pct_op_add(tape, pct_as_rows(tape, x, x->dim[3]), stem);
}
