#include "heads/naming.h"

/* Cosines lie in -1..1, so that at first a certain match weighs e^20. With 8 a certain match would still have to share
 * with a thousand other names, and learning waits for the scale to grow (docs/training.md). */
#define SCALE 20.0

void pct_naming_build(pct_naming_head *head, pct_builder *builder, int64_t width) {
    head->background = pct_build_weight(builder, PCT_INIT_NORMAL, 0.02, 2, (int64_t[]){1, width}, false, true,
                                        "percept.naming.background");
    head->scale = pct_build_vector(builder, SCALE, 1, "percept.naming.scale");
}

pct_tensor *pct_name_embeddings(pct_tape *tape, pct_tensor *embedding, const int32_t *ids, const int32_t *offsets,
                                int64_t names) {
    return pct_op_unit_rows(tape, pct_op_mean_rows(tape, embedding, ids, offsets, names), (pct_real)1e-6);
}

pct_tensor *pct_naming_apply(pct_tape *tape, const pct_naming_head *head, pct_tensor *cells, pct_tensor *names) {
    pct_tensor *none = pct_op_unit_rows(tape, &head->background->tensor, (pct_real)1e-6);
    names = pct_op_concat_rows(tape, (pct_tensor *[]){names, none}, 2);
    pct_tensor *cosine = pct_op_matmul_nt(tape, pct_op_unit_rows(tape, cells, (pct_real)1e-6), names);
    return pct_op_scale_by(tape, cosine, &head->scale->tensor);
}

void pct_presence_build(pct_presence_head *head, pct_builder *builder, int64_t tower_width, int64_t width) {
    pct_linear_build(&head->map, builder, tower_width, width, true, 1, "percept.presence.map");
    head->scale = pct_build_vector(builder, SCALE, 1, "percept.presence.scale");
    head->bias = pct_build_vector(builder, -1, 1, "percept.presence.bias");
}

pct_tensor *pct_presence_apply(pct_tape *tape, const pct_presence_head *head, pct_tensor *classes, pct_tensor *names) {
    pct_tensor *x = pct_op_unit_rows(tape, pct_linear_apply(tape, &head->map, classes), (pct_real)1e-6);
    x = pct_op_scale_by(tape, pct_op_matmul_nt(tape, x, names), &head->scale->tensor);
    return pct_add_scalar(tape, x, &head->bias->tensor);
}
