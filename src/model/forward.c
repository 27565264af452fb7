/* The forward path that training and answering share: pictures to prefix and mask keys, ids and regions to embeddings,
 * states to regions. */
#include "model/model_private.h"

#include <string.h>

pct_sight pct_model_see_cells(pct_tape *tape, const pct_model *model, pct_tensor *pixels, bool classes,
                              pct_tower_output *tower) {
    pct_sight sight = {.pictures = pixels->dim[0]};
    *tower = pct_tower_apply(tape, &model->tower, pixels);
    if (classes) sight.classes = pct_tower_classes(tape, tower->language, sight.pictures);
    pct_tensor *rows = tower->language;
    if (!model->config.vision.class_row) rows = pct_tower_cells(tape, rows, sight.pictures);
    if (model->config.vision.shuffle > 1)
        rows = pct_tower_gather(tape, rows, sight.pictures, pct_model_config_grid(&model->config),
                                model->config.vision.shuffle);
    sight.cells = pct_connector_apply(tape, &model->connector, rows);
    return sight;
}

/* The learned places added to the cells; none to the row before them. */
static pct_tensor *place_cells(pct_tape *tape, const pct_model *model, pct_tensor *cells) {
    pct_tensor *none = pct_tape_zeros(tape, 2, (int64_t[]){1, model->config.language.width});
    pct_tensor *places = pct_op_concat_rows(tape, (pct_tensor *[]){none, &model->cell_position->tensor}, 2);
    return pct_op_add_rows(tape, cells, places);
}

/* The template's lead before the cells of each picture: <bos> where the class token's row is, or rows of its own. */
static pct_tensor *place_lead(pct_tape *tape, const pct_model *model, pct_tensor *prefix, int64_t pictures,
                              int64_t rows) {
    const int64_t lead = model->lead_count;
    const bool more = !model->config.vision.class_row;
    const int64_t count = more ? lead : pictures;
    int32_t *ids = pct_tape_ints(tape, count), *place = pct_tape_ints(tape, pictures);
    if (!ids || !place) return prefix;
    for (int64_t i = 0; i < count; i++) ids[i] = model->lead[more ? i : 0];
    for (int64_t p = 0; p < pictures; p++) place[p] = (int32_t)(p * rows);
    pct_tensor *words = pct_language_words(tape, &model->language, ids, count);
    if (!more) return pct_op_replace_rows(tape, prefix, words, place, pictures);
    int32_t *order = pct_tape_ints(tape, pictures * rows);
    if (!order) return prefix;
    for (int64_t i = 0; i < pictures * rows; i++) {
        const int64_t row = i % rows;
        order[i] = (int32_t)(row < lead ? row : lead + i / rows * (rows - lead) + row - lead);
    }
    pct_tensor *all = pct_op_concat_rows(tape, (pct_tensor *[]){words, prefix}, 2);
    return pct_op_gather_rows(tape, all, order, pictures * rows);
}

pct_sight pct_model_see(pct_tape *tape, const pct_model *model, pct_tensor *pixels, bool classes) {
    int64_t pictures = pixels->dim[0], rows = pct_model_prefix_rows(model);
    pct_tower_output tower;
    pct_sight sight = pct_model_see_cells(tape, model, pixels, classes, &tower);
    sight.prefix = model->cell_position ? place_cells(tape, model, sight.cells) : sight.cells;
    if (model->lead_count > 0) sight.prefix = place_lead(tape, model, sight.prefix, pictures, rows);
    if (model->config.language.grounding)
        sight.ground = pct_grounding_prepare(tape, sight.cells, sight.prefix, pictures);
    if (model->config.heads.kind == PCT_HEADS_RES) {
        sight.vision = pct_tower_cells(tape, tower.language, pictures);
        return sight;
    }
    if (!pct_model_has_heads(model)) return sight;
    pct_tensor *fine = pct_fine_apply(tape, &model->fine, &tower, pictures);
    sight.keys = pct_mask_decoder_prepare(tape, &model->mask_decoder, fine, tower.skip, pictures);
    return sight;
}

pct_tensor *pct_model_cell_boxes(pct_tape *tape, const pct_model *model, pct_tensor *cells) {
    const int64_t grid = pct_model_config_grid(&model->config), count = grid * grid;
    if (!model->config.heads.commit) return NULL;
    int32_t *index = pct_tape_ints(tape, count);
    pct_real *middles = pct_tape_array(tape, count * 2, sizeof *middles);
    if (!index || !middles) return NULL;
    for (int64_t c = 0; c < count; c++) {
        index[c] = (int32_t)(c + 1); /* the row before the cells is the class token's */
        pct_cell_middle(c, grid, middles + 2 * c);
    }
    return pct_cell_box_apply(tape, &model->cell_box, pct_op_gather_rows(tape, cells, index, count), middles);
}

/* ---- text ----------------------------------------------------------------------------------------------------------
 */

static int32_t held(int64_t value, int64_t most) { return (int32_t)(value < 0 ? 0 : value > most ? most : value); }

/* The cells a box covers: those with their middle inside, else the one under its own middle. */
static int32_t cells_of_box(const pct_real box[4], int64_t grid, int32_t *cells) {
    int32_t count = 0;
    for (int64_t c = 0; c < grid * grid; c++) {
        pct_real middle[2];
        pct_cell_middle(c, grid, middle);
        if (middle[0] >= box[0] && middle[0] < box[2] && middle[1] >= box[1] && middle[1] < box[3])
            cells[count++] = (int32_t)c;
    }
    if (count) return count;
    const int32_t x = held((int64_t)((box[0] + box[2]) / 2 * (pct_real)grid), grid - 1);
    const int32_t y = held((int64_t)((box[1] + box[3]) / 2 * (pct_real)grid), grid - 1);
    cells[0] = y * (int32_t)grid + x;
    return 1;
}

/* The cells a mask covers: those with half of their pixels in it, else the one with most. */
static int32_t cells_of_mask(const pct_real *mask, int64_t side, int64_t grid, int32_t *cells) {
    int32_t count = 0, best = 0;
    pct_real most = -1;
    for (int64_t c = 0; c < grid * grid; c++) {
        const int64_t x0 = c % grid * side / grid, x1 = (c % grid + 1) * side / grid;
        const int64_t y0 = c / grid * side / grid, y1 = (c / grid + 1) * side / grid;
        pct_real covered = 0;
        for (int64_t y = y0; y < y1; y++)
            for (int64_t x = x0; x < x1; x++) covered += mask[y * side + x];
        if (2 * covered >= (pct_real)((y1 - y0) * (x1 - x0)) && covered > 0) cells[count++] = (int32_t)c;
        if (covered <= most) continue;
        most = covered;
        best = (int32_t)c;
    }
    if (!count) cells[count++] = best;
    return count;
}

static int32_t cells_of_region(const pct_model *model, const pct_region_in *region, int32_t *cells) {
    const int64_t grid = pct_model_config_grid(&model->config), side = model->config.heads.mask_encoder_side;
    return region->source == PCT_REGION_MASK ? cells_of_mask(region->mask, side, grid, cells)
                                             : cells_of_box(region->box, grid, cells);
}

/* Ground's rows under regions: those of the i-th are index[offset[i]..offset[i+1]). */
typedef struct covered {
    int32_t *index, *offset;
} covered;

/* Of the chosen regions; of all where `chosen` is NULL. False when memory is out. */
static bool cover(pct_tape *tape, const pct_model *model, const pct_model_text *text, const int32_t *chosen,
                  int64_t count, covered *under) {
    const int64_t grid = pct_model_config_grid(&model->config);
    under->index = pct_tape_ints(tape, count * grid * grid);
    under->offset = pct_tape_ints(tape, count + 1);
    if (!under->index || !under->offset) return false;
    under->offset[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        const pct_region_in *region = &text->regions[chosen ? chosen[i] : i];
        int32_t *cells = under->index + under->offset[i];
        const int32_t found = cells_of_region(model, region, cells);
        for (int32_t c = 0; c < found; c++) cells[c] += (int32_t)(region->picture * text->ground->rows + 1);
        under->offset[i + 1] = under->offset[i] + found;
    }
    return true;
}

/* The codes of the chosen regions with what lies under them. */
static pct_tensor *look_under(pct_tape *tape, const pct_model *model, const pct_model_text *text, const int32_t *chosen,
                              pct_tensor *codes) {
    covered under;
    if (!cover(tape, model, text, chosen, pct_tensor_rows(codes), &under)) return codes;
    return pct_grounding_regions(tape, &model->grounding, text->ground, codes, under.index, under.offset);
}

pct_tensor *pct_model_views(pct_tape *tape, const pct_model *model, const pct_model_text *text) {
    covered under;
    if (!model->config.language.copying || !text->ground || text->region_count == 0) return NULL;
    if (!cover(tape, model, text, NULL, text->region_count, &under)) return NULL;
    return pct_op_mean_rows(tape, text->ground->keys, under.index, under.offset, text->region_count);
}

/* The regions of one source, encoded; their rows go to rows_out. NULL when there are none. */
static pct_tensor *encode(pct_tape *tape, const pct_model *model, enum pct_region_source source,
                          const pct_model_text *text, int32_t *rows_out, int64_t *found) {
    int64_t side = model->config.heads.mask_encoder_side, used = 0;
    int32_t *chosen = pct_tape_ints(tape, text->region_count);
    if (!chosen) return NULL;
    for (int64_t i = 0; i < text->region_count; i++)
        if (text->regions[i].source == source) chosen[used++] = (int32_t)i;
    *found = used;
    if (used == 0) return NULL;
    bool box = source == PCT_REGION_BOX;
    int64_t each = box ? 4 : side * side;
    pct_tensor *input = box ? pct_tape_tensor(tape, PCT_REAL, 2, (int64_t[]){used, 4})
                            : pct_tape_tensor(tape, PCT_REAL, 4, (int64_t[]){used, side, side, 1});
    if (pct_tape_failed(tape)) return NULL;
    for (int64_t i = 0; i < used; i++) {
        const pct_region_in *region = &text->regions[chosen[i]];
        memcpy(pct_tensor_data(input) + i * each, box ? region->box : region->mask, (size_t)each * sizeof(pct_real));
        rows_out[i] = text->region_rows[chosen[i]];
    }
    pct_tensor *codes = box ? pct_box_encoder_apply(tape, &model->box_encoder, input)
                            : pct_mask_encoder_apply(tape, &model->mask_encoder, input);
    return text->ground ? look_under(tape, model, text, chosen, codes) : codes;
}

bool pct_model_look(const pct_model *model, const int32_t *ids, int32_t at, pct_look *look, int32_t *regions) {
    const pct_model_marks *m = &model->marks;
    *regions = 0;
    if (model->config.language.grounding == PCT_GROUNDING_REST && model->object >= 0 && ids[at] == model->object) {
        /* regions one after the other, with what is told of them in text */
        for (; at > 0 && (ids[at] == model->object || pct_spelling_has(&model->spelling, ids[at])); at--)
            *regions += ids[at] == model->object;
        if (*regions > 0 && ids[at] != m->end) return false;
    }
    const bool asks = m->assistant >= 0 && ids[at] == m->assistant, ends = m->end >= 0 && ids[at] == m->end;
    if (!asks && !ends) return false;
    int32_t from = at;
    while (from > 0 && ids[from - 1] != (asks ? m->user : m->begin)) from--;
    if (from == 0 || from == at) return false; /* no mark that begins it, or nothing between the two */
    look->ids = ids + from;
    look->count = at - from;
    return true;
}

void pct_model_leave_out(pct_tape *tape, const pct_model *model, const pct_region_in *regions, int32_t count,
                         pct_look *look) {
    const int64_t grid = pct_model_config_grid(&model->config);
    int32_t *cells = pct_tape_ints(tape, grid * grid), *gone = pct_tape_ints(tape, grid * grid);
    bool *taken = pct_tape_array(tape, grid * grid, sizeof *taken);
    if (!cells || !gone || !taken) return;
    memset(taken, 0, (size_t)(grid * grid) * sizeof *taken);
    for (int32_t i = 0; i < count; i++) {
        const int32_t found = cells_of_region(model, &regions[i], cells);
        for (int32_t c = 0; c < found; c++) taken[cells[c]] = true;
    }
    look->gone = gone;
    look->gone_count = 0;
    for (int32_t c = 0; c < grid * grid; c++)
        if (taken[c]) gone[look->gone_count++] = c + 1;
}

pct_tensor *pct_model_embed(pct_tape *tape, const pct_model *model, const pct_model_text *text) {
    pct_tensor *x = pct_language_words(tape, &model->language, text->ids, text->count);
    for (int source = PCT_REGION_BOX; source <= PCT_REGION_MASK && text->region_count > 0; source++) {
        int32_t *places = pct_tape_ints(tape, text->region_count);
        int64_t found;
        if (!places) return x;
        pct_tensor *codes = encode(tape, model, source, text, places, &found);
        if (codes) x = pct_op_replace_rows(tape, x, codes, places, found);
    }
    if (text->ground)
        x = pct_grounding_phrases(tape, &model->grounding, text->ground, &model->language, x, text->looks,
                                  text->look_count);
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
