/* The forward path that training and answering share: pictures to prefix and mask keys, ids and regions to embeddings,
 * states to regions. */
#include "model/model_private.h"

#include <string.h>

pct_sight pct_model_see_cells(pct_tape *tape, const pct_model *model, pct_tensor *pixels, bool classes,
                              pct_tower_output *tower) {
    pct_sight sight = {.pictures = pixels->dim[0]};
    *tower = pct_tower_apply(tape, &model->tower, pixels);
    if (classes) sight.classes = pct_tower_classes(tape, tower->language, sight.pictures);
    sight.cells = pct_connector_apply(tape, &model->connector, tower->language);
    return sight;
}

/* The learned places added to the cells; none to the row before them. */
static pct_tensor *place_cells(pct_tape *tape, const pct_model *model, pct_tensor *cells) {
    pct_tensor *none = pct_tape_zeros(tape, 2, (int64_t[]){1, model->config.language.width});
    pct_tensor *places = pct_op_concat_rows(tape, (pct_tensor *[]){none, &model->cell_position->tensor}, 2);
    return pct_op_add_rows(tape, cells, places);
}

pct_sight pct_model_see(pct_tape *tape, const pct_model *model, pct_tensor *pixels, bool classes) {
    int64_t pictures = pixels->dim[0], rows = pct_model_prefix_rows(model);
    pct_tower_output tower;
    pct_sight sight = pct_model_see_cells(tape, model, pixels, classes, &tower);
    sight.prefix = model->cell_position ? place_cells(tape, model, sight.cells) : sight.cells;
    int32_t *ids = pct_tape_ints(tape, 2 * pictures);
    if (model->bos >= 0 && ids) {
        /* <bos> stands before the cells, where the class token's row is. */
        int32_t *place = ids + pictures;
        for (int64_t p = 0; p < pictures; p++) {
            ids[p] = model->bos;
            place[p] = (int32_t)(p * rows);
        }
        pct_tensor *bos = pct_op_gather_rows(tape, &model->language.embedding->tensor, ids, pictures);
        sight.prefix = pct_op_replace_rows(tape, sight.prefix, bos, place, pictures);
    }
    pct_tensor *fine = pct_fine_apply(tape, &model->fine, &tower, pictures);
    sight.keys = pct_mask_decoder_prepare(tape, &model->mask_decoder, fine, tower.skip, pictures);
    return sight;
}

/* The regions of one source, encoded; their places go to rows_out. NULL when there are none. */
static pct_tensor *encode(pct_tape *tape, const pct_model *model, enum pct_region_source source,
                          const pct_region_in *regions, const int32_t *rows, int64_t count, int32_t *rows_out,
                          int64_t *found) {
    int64_t side = model->config.heads.mask_encoder_side, used = 0;
    for (int64_t i = 0; i < count; i++) used += regions[i].source == source;
    *found = used;
    if (used == 0) return NULL;
    bool box = source == PCT_REGION_BOX;
    int64_t each = box ? 4 : side * side;
    pct_tensor *input = box ? pct_tape_tensor(tape, PCT_REAL, 2, (int64_t[]){used, 4})
                            : pct_tape_tensor(tape, PCT_REAL, 4, (int64_t[]){used, side, side, 1});
    used = 0;
    for (int64_t i = 0; i < count && !pct_tape_failed(tape); i++) {
        if (regions[i].source != source) continue;
        memcpy(pct_tensor_data(input) + used * each, box ? regions[i].box : regions[i].mask,
               (size_t)each * sizeof(pct_real));
        rows_out[used++] = rows[i];
    }
    return box ? pct_box_encoder_apply(tape, &model->box_encoder, input)
               : pct_mask_encoder_apply(tape, &model->mask_encoder, input);
}

pct_tensor *pct_model_embed(pct_tape *tape, const pct_model *model, const int32_t *ids, int64_t count,
                            const pct_region_in *regions, const int32_t *rows, int64_t region_count) {
    pct_tensor *x = pct_op_gather_rows(tape, &model->language.embedding->tensor, ids, count);
    for (int source = PCT_REGION_BOX; source <= PCT_REGION_MASK && region_count > 0; source++) {
        int32_t *places = pct_tape_ints(tape, region_count);
        int64_t found;
        if (!places) return x;
        pct_tensor *codes = encode(tape, model, source, regions, rows, region_count, places, &found);
        if (codes) x = pct_op_replace_rows(tape, x, codes, places, found);
    }
    return x;
}

pct_regions pct_model_regions(pct_tape *tape, const pct_model *model, const pct_mask_keys *keys, pct_tensor *states,
                              const int32_t *picture) {
    pct_mask_output mask = pct_mask_decoder_apply(tape, &model->mask_decoder, keys, states, picture);
    pct_regions regions = {.logits = mask.logits};
    regions.boxes = pct_box_decoder_apply(tape, &model->box_decoder, states, mask.query, mask.logits);
    if (model->config.heads.quality)
        regions.quality = pct_quality_apply(tape, &model->quality, states, mask.query, mask.logits, regions.boxes);
    return regions;
}
