/* Training and scoring: a packed batch to one number and its parts. */
#include "model/model_private.h"

#include <string.h>

void pct_loss_weights_default(pct_loss_weights *weights) {
    *weights = (pct_loss_weights){
        .language = 1,
        .box_l1 = 2,
        .box_giou = 1,
        .mask_bce = 2,
        .mask_dice = 1,
        .quality = 0.2f,
        .presence = 0.2f,
        .naming = 0.5f,
        .cell_box = 0.5f,
        .background = 0.2f,
    };
}

/* How the batch lies in the language model: rows of all prefixes, then all text rows. */
typedef struct layout {
    int64_t prefix, first, rows; /* rows a prefix; first text row; rows in all */
    int32_t *positions;
    pct_span *spans;
    int64_t span_count;
    int32_t *wanted; /* rows whose states are needed: supervised ones and those before an answer's object */
    int32_t *index;  /* text row -> place in wanted, or -1 */
    int64_t wanted_count;
    pct_span *wanted_spans;
    int64_t wanted_span_count;
} layout;

static void mark_wanted(const pct_batch *batch, layout *l) {
    for (int32_t i = 0; i < batch->rows; i++) l->index[i] = batch->targets[i] >= 0 ? 0 : -1;
    for (int32_t i = 0; i < batch->object_count; i++) {
        const pct_batch_object *object = &batch->objects[i];
        if (object->answer) l->index[object->row - 1] = 0;
    }
    for (int32_t i = 0; i < batch->rows; i++) {
        if (l->index[i] < 0) continue;
        l->index[i] = (int32_t)l->wanted_count;
        l->wanted[l->wanted_count++] = (int32_t)(l->first + i);
    }
}

/* The runs of wanted rows in a segment: each sees the prefix and its segment up to itself. */
static void add_wanted_spans(const pct_batch_segment *segment, pct_span span, layout *l) {
    for (int32_t i = 0; i < segment->count;) {
        int32_t run = i;
        while (run < segment->count && l->index[segment->row + run] >= 0) run++;
        if (run == i) {
            i++;
            continue;
        }
        span.q_begin = l->index[segment->row + i];
        span.q_count = run - i;
        span.own_count = run;
        l->wanted_spans[l->wanted_span_count++] = span;
        i = run;
    }
}

static void lay_out_segment(const pct_model *model, const pct_batch_segment *segment, layout *l) {
    bool seen = segment->picture >= 0;
    int32_t begin = (int32_t)(l->first + segment->row);
    int64_t prefix = seen ? l->prefix : 0;
    pct_span span = {.q_begin = begin, .q_count = segment->count, .own_begin = begin, .own_count = segment->count};
    span.causal = 1;
    if (seen) {
        span.shared_begin = (int32_t)(segment->picture * l->prefix);
        span.shared_count = (int32_t)l->prefix;
    }
    l->spans[l->span_count++] = span;
    for (int32_t i = 0; i < segment->count; i++)
        l->positions[begin + i] = pct_model_position(model, prefix, prefix + i);
    add_wanted_spans(segment, span, l);
}

static bool lay_out(pct_tape *tape, const pct_model *model, const pct_batch *batch, layout *l) {
    *l = (layout){.prefix = pct_model_prefix_rows(model)};
    l->first = batch->pictures * l->prefix;
    l->rows = l->first + batch->rows;
    int64_t spans = batch->pictures + batch->segment_count;
    l->positions = pct_tape_ints(tape, l->rows);
    l->wanted = pct_tape_ints(tape, batch->rows);
    l->index = pct_tape_ints(tape, batch->rows);
    l->spans = pct_tape_array(tape, spans, sizeof *l->spans);
    l->wanted_spans = pct_tape_array(tape, batch->rows + 1, sizeof *l->wanted_spans);
    if (pct_tape_failed(tape)) return false;
    for (int64_t p = 0; p < batch->pictures; p++) {
        int32_t begin = (int32_t)(p * l->prefix), count = (int32_t)l->prefix;
        pct_span span = {.q_begin = begin, .q_count = count, .own_begin = begin, .own_count = count};
        span.causal = model->config.language.prefix == PCT_PREFIX_CAUSAL;
        l->spans[l->span_count++] = span;
        for (int32_t i = 0; i < count; i++) l->positions[begin + i] = pct_model_position(model, count, i);
    }
    mark_wanted(batch, l);
    for (int32_t s = 0; s < batch->segment_count; s++) lay_out_segment(model, &batch->segments[s], l);
    return true;
}

/* The rows that look, of all segments about pictures. regions: of the batch's objects. */
static int64_t find_looks(pct_tape *tape, const pct_model *model, const pct_batch *batch, const pct_region_in *regions,
                          pct_look *looks) {
    const int32_t objects = pct_model_has_heads(model) ? batch->object_count : 0;
    int64_t count = 0;
    int32_t object = 0, in_phrase;
    for (int32_t s = 0; s < batch->segment_count; s++) {
        const pct_batch_segment *segment = &batch->segments[s];
        for (int32_t i = 0; i < segment->count; i++) {
            const int32_t row = segment->row + i;
            pct_look *look = &looks[count];
            if (object < objects && batch->objects[object].row == row) object++;
            *look = (pct_look){.row = row, .picture = segment->picture};
            if (segment->picture < 0 || !pct_model_look(model, batch->ids + segment->row, i, look, &in_phrase))
                continue;
            if (in_phrase > 0 && in_phrase <= object)
                pct_model_leave_out(tape, model, regions + object - in_phrase, in_phrase, look);
            count++;
        }
    }
    return count;
}

/* The batch's text with its marks and regions; what memory does not hold is left out, and the tape fails. */
static pct_model_text text_of(pct_tape *tape, const pct_model *model, const pct_batch *batch, const pct_sight *sight) {
    int64_t count = pct_model_has_heads(model) ? batch->object_count : 0;
    pct_region_in *regions = pct_tape_array(tape, count, sizeof *regions);
    int32_t *rows = pct_tape_ints(tape, count);
    pct_look *looks = pct_tape_array(tape, batch->rows, sizeof *looks);
    pct_model_text text = {.ids = batch->ids, .count = batch->rows, .regions = regions, .region_rows = rows};
    text.ground = sight->ground.keys ? &sight->ground : NULL;
    text.looks = looks;
    for (int64_t i = 0; regions && rows && i < count; i++) {
        const pct_batch_object *object = &batch->objects[i];
        regions[i] = (pct_region_in){.source = object->source, .picture = object->picture, .mask = object->mask_in};
        memcpy(regions[i].box, object->box, sizeof object->box);
        rows[i] = object->row;
        text.region_count++;
    }
    if (text.ground && looks && regions) text.look_count = find_looks(tape, model, batch, regions, looks);
    return text;
}

/* The last region that each wanted row has read, in its own segment; 1 more than its number, 0: none. */
static int32_t *last_regions(pct_tape *tape, const pct_batch *batch, const layout *l) {
    int32_t *last = pct_tape_ints(tape, l->wanted_count), object = 0;
    for (int32_t s = 0; last && s < batch->segment_count; s++) {
        const pct_batch_segment *segment = &batch->segments[s];
        int32_t seen = 0;
        for (int32_t row = segment->row; row < segment->row + segment->count; row++) {
            if (object < batch->object_count && batch->objects[object].row == row) seen = ++object;
            if (l->index[row] >= 0) last[l->index[row]] = seen;
        }
    }
    return last;
}

/* The states with what their last regions show: what words are read from. */
static pct_tensor *copy_words(pct_tape *tape, const pct_model *model, const pct_batch *batch, const layout *l,
                              const pct_model_text *text, pct_tensor *states) {
    pct_tensor *views = pct_model_views(tape, model, text);
    int32_t *last = views ? last_regions(tape, batch, l) : NULL;
    if (!last) return states;
    pct_tensor *none = pct_tape_zeros(tape, 2, (int64_t[]){1, pct_tensor_width(views)});
    views = pct_op_concat_rows(tape, (pct_tensor *[]){none, views}, 2);
    return pct_copy_apply(tape, &model->copy, states, pct_op_gather_rows(tape, views, last, l->wanted_count));
}

/* ---- the parts of the loss -------------------------------------------------------------------------------------- */

#define MAX_PARTS 9
typedef struct parts {
    pct_tensor *loss[MAX_PARTS];
    pct_real weight[MAX_PARTS];
    int count;
} parts;

/* Returns the part's value. A part with weight 0 is measured and not added. */
static double add_part(parts *p, pct_tape *tape, pct_tensor *loss, float weight) {
    if (!loss || pct_tape_failed(tape)) return 0;
    if (weight > 0) {
        p->loss[p->count] = loss;
        p->weight[p->count++] = (pct_real)weight;
    }
    return (double)pct_tensor_data(loss)[0];
}

static void language_part(pct_tape *tape, const pct_model *model, const pct_batch *batch, const layout *l,
                          pct_tensor *states, const pct_loss_weights *weights, parts *p, pct_losses *losses) {
    int32_t *targets = pct_tape_ints(tape, l->wanted_count);
    pct_real *each = batch->weights ? pct_tape_array(tape, l->wanted_count, sizeof *each) : NULL;
    if (pct_tape_failed(tape)) return;
    for (int64_t i = 0; i < l->wanted_count; i++) {
        targets[i] = batch->targets[l->wanted[i] - l->first];
        if (each) each[i] = batch->weights[l->wanted[i] - l->first];
    }
    pct_tensor *logits = pct_language_logits(tape, &model->language, states);
    pct_tensor *loss = pct_op_cross_entropy(tape, logits, targets, each, (pct_real)weights->smoothing);
    losses->language = add_part(p, tape, loss, weights->language);
    if (pct_tape_failed(tape)) return;
    int64_t vocabulary = pct_tensor_width(logits), right = 0;
    for (int64_t i = 0; i < l->wanted_count; i++) {
        const pct_real *row = pct_tensor_data(logits) + i * vocabulary;
        if (targets[i] < 0) continue;
        losses->tokens++;
        int64_t best = 0;
        for (int64_t k = 1; k < vocabulary; k++)
            if (row[k] > row[best]) best = k;
        right += best == targets[i];
    }
    losses->token_accuracy = losses->tokens > 0 ? (double)right / losses->tokens : 0;
}

/* How well a region fits an object, 0..2. */
static double fit_of(const pct_regions *regions, int64_t cells, int32_t region, const pct_batch_object *object) {
    double fit = pct_region_box_iou(pct_tensor_data(regions->boxes) + 4 * region, object->box);
    if (object->mask)
        fit += pct_region_mask_iou(pct_tensor_data(regions->logits) + region * cells, object->mask, cells);
    return fit;
}

/* Whether `next` answers right after `object`: two regions of one phrase. */
static bool goes_on(const pct_batch_object *object, const pct_batch_object *next) {
    return next->answer && next->row == object->row + 1;
}

/* What a region is charged for: the best of its own object and those that follow it in its phrase and are near. */
static const pct_batch_object *choose_target(const pct_batch *batch, const pct_batch_object *own, float any_order,
                                             const pct_regions *regions, int64_t cells, int32_t region) {
    const pct_batch_object *end = batch->objects + batch->object_count, *best = own;
    if (any_order <= 0 || own + 1 == end || !goes_on(own, own + 1)) return own;
    double most = fit_of(regions, cells, region, own);
    for (const pct_batch_object *o = own + 1; o < end && goes_on(o - 1, o); o++) {
        const pct_real apart = (own->box[0] + own->box[2] - o->box[0] - o->box[2]) / 2;
        if (apart >= (pct_real)any_order || -apart >= (pct_real)any_order) continue;
        const double fit = fit_of(regions, cells, region, o);
        if (fit <= most) continue;
        most = fit;
        best = o;
    }
    return best;
}

/* Targets of the regions, whose objects are given. */
static bool region_targets(pct_tape *tape, const pct_batch *batch, const int32_t *answers, float any_order,
                           const pct_regions *regions, pct_region_targets *targets) {
    const int64_t cells = pct_tensor_count(regions->logits) / targets->count, n = targets->count;
    pct_real *boxes = pct_tape_array(tape, n * 4, sizeof *boxes);
    pct_real *masks = pct_tape_array(tape, n * cells, sizeof *masks);
    pct_real *known = pct_tape_array(tape, n, sizeof *known);
    if (pct_tape_failed(tape)) return false;
    int64_t unknown = 0;
    for (int32_t k = 0; k < n; k++) {
        const pct_batch_object *object =
            choose_target(batch, &batch->objects[answers[k]], any_order, regions, cells, k);
        memcpy(boxes + 4 * k, object->box, sizeof object->box);
        if (object->mask) memcpy(masks + k * cells, object->mask, (size_t)cells * sizeof *masks);
        known[k] = object->mask ? 1 : 0;
        unknown += !object->mask;
    }
    targets->boxes = boxes;
    targets->masks = masks;
    targets->mask_weight = unknown > 0 ? known : NULL;
    return true;
}

static void region_part(pct_tape *tape, const pct_model *model, const pct_batch *batch, const layout *l,
                        const pct_sight *sight, pct_tensor *states, const pct_loss_weights *weights, parts *p,
                        pct_losses *losses) {
    int32_t count = 0;
    for (int32_t i = 0; i < batch->object_count; i++) count += batch->objects[i].answer;
    losses->objects = count;
    if (count == 0 || !pct_model_has_heads(model)) return;
    pct_region_targets targets = {.count = count};
    int32_t *answers = pct_tape_ints(tape, count), *state = pct_tape_ints(tape, count);
    int32_t *picture = pct_tape_ints(tape, count);
    if (!answers || !state || !picture) return;
    for (int32_t i = 0, k = 0; i < batch->object_count; i++) {
        if (!batch->objects[i].answer) continue;
        answers[k] = i;
        state[k] = l->index[batch->objects[i].row - 1];
        picture[k++] = batch->objects[i].picture;
    }
    states = pct_op_gather_rows(tape, states, state, count);
    pct_regions regions = pct_model_regions(tape, model, &sight->keys, states, picture);
    if (pct_tape_failed(tape) || !region_targets(tape, batch, answers, weights->any_order, &regions, &targets)) return;
    pct_region_losses made = pct_region_losses_make(tape, regions.boxes, regions.logits, regions.quality, &targets);
    losses->box_l1 = add_part(p, tape, made.l1, weights->box_l1);
    losses->box_giou = add_part(p, tape, made.giou, weights->box_giou);
    losses->mask_bce = add_part(p, tape, made.bce, weights->mask_bce);
    losses->mask_dice = add_part(p, tape, made.dice, weights->mask_dice);
    losses->quality = add_part(p, tape, made.quality, weights->quality);
    losses->mask_iou = made.mask_iou;
    losses->box_iou = made.box_iou;
}

/* The weights of the cells, since most show background; and how many of the others are named right. */
static pct_real *weigh_cells(pct_tape *tape, const int32_t *owners, int64_t count, int32_t background,
                             pct_real weight) {
    pct_real *weights = pct_tape_array(tape, count, sizeof *weights);
    for (int64_t i = 0; weights && i < count; i++) weights[i] = owners[i] == background ? weight : 1;
    return weights;
}

static double naming_accuracy(const pct_tensor *logits, const int32_t *owners, int32_t background) {
    int64_t width = pct_tensor_width(logits), rows = pct_tensor_rows(logits), right = 0, all = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (owners[i] < 0 || owners[i] == background) continue;
        const pct_real *row = pct_tensor_data(logits) + i * width;
        int64_t best = 0;
        for (int64_t k = 1; k < background; k++)
            if (row[k] > row[best]) best = k;
        right += best == owners[i];
        all++;
    }
    return all > 0 ? (double)right / (double)all : 0;
}

/* A table that does not learn may be stored in any type: only the rows that are named are widened. */
static pct_tensor *embed_names(pct_tape *tape, const pct_model *model, const pct_batch *batch) {
    pct_tensor *table = &model->language.embedding->tensor;
    const int32_t *ids = batch->name_ids;
    const int64_t tokens = batch->name_offsets[batch->name_count];
    int32_t *order = table->needs_grad ? NULL : pct_tape_ints(tape, tokens);
    for (int64_t i = 0; order && i < tokens; i++) order[i] = (int32_t)i;
    if (order) table = pct_language_words(tape, &model->language, ids, tokens);
    return pct_name_embeddings(tape, table, order ? order : ids, batch->name_offsets, batch->name_count);
}

/* Every cell names its owner; the class token says which names are there. */
static void name_part(pct_tape *tape, const pct_model *model, const pct_batch *batch, const pct_sight *sight,
                      const pct_loss_weights *weights, parts *p, pct_losses *losses) {
    if (batch->name_count <= 0 || batch->pictures <= 0) return;
    pct_tensor *names = embed_names(tape, model, batch);
    int64_t rows = pct_model_prefix_rows(model);
    if (model->config.heads.naming && batch->owners) {
        int32_t *owners = pct_tape_ints(tape, batch->pictures * rows);
        if (!owners) return;
        for (int64_t i = 0; i < batch->pictures * rows; i++)
            owners[i] = i % rows == 0 ? -1 : batch->owners[i / rows * (rows - 1) + i % rows - 1];
        pct_tensor *logits = pct_naming_apply(tape, &model->naming, sight->cells, names);
        pct_real *each =
            weigh_cells(tape, owners, batch->pictures * rows, batch->name_count, (pct_real)weights->background);
        if (pct_tape_failed(tape)) return;
        losses->naming_accuracy = naming_accuracy(logits, owners, batch->name_count);
        losses->naming = add_part(p, tape, pct_op_cross_entropy(tape, logits, owners, each, 0), weights->naming);
    }
    if (model->config.heads.presence && batch->presence) {
        pct_tensor *logits = pct_presence_apply(tape, &model->presence, sight->classes, names);
        pct_tensor *loss = pct_op_bce(tape, logits, batch->presence, batch->presence_weights);
        losses->presence = add_part(p, tape, loss, weights->presence);
    }
}

/* Every cell that an object owns says where the object is. Both losses of boxes, L1 twice as heavy. */
static void cell_box_part(pct_tape *tape, const pct_model *model, const pct_batch *batch, const pct_sight *sight,
                          const pct_loss_weights *weights, parts *p, pct_losses *losses) {
    const int64_t rows = pct_model_prefix_rows(model), grid = pct_model_config_grid(&model->config);
    const int64_t cells = batch->pictures * grid * grid;
    if (!model->config.heads.cell_box || !batch->cell_boxes || cells == 0) return;
    int32_t *index = pct_tape_ints(tape, cells), count = 0;
    pct_real *targets = pct_tape_array(tape, cells * 4, sizeof *targets);
    pct_real *middles = pct_tape_array(tape, cells * 2, sizeof *middles);
    if (!index || !targets || !middles) return;
    for (int64_t i = 0; i < cells; i++) {
        const pct_real *box = batch->cell_boxes + 4 * i;
        const int64_t cell = i % (grid * grid);
        if (box[2] <= box[0]) continue;
        index[count] = (int32_t)(i / (grid * grid) * rows + cell + 1);
        memcpy(targets + 4 * count, box, 4 * sizeof *box);
        pct_cell_middle(cell, grid, middles + 2 * count++);
    }
    if (count == 0) return;
    pct_tensor *boxes =
        pct_cell_box_apply(tape, &model->cell_box, pct_op_gather_rows(tape, sight->cells, index, count), middles);
    pct_tensor *loss[] = {pct_op_l1(tape, boxes, targets, NULL), pct_op_giou(tape, boxes, targets, NULL)};
    pct_tensor *both = pct_op_weighted_sum(tape, loss, (pct_real[]){2, 1}, 2);
    losses->cell_box = add_part(p, tape, both, weights->cell_box);
}

/* False when all that counts is what the tower alone can learn (a first stage of training): the language model and the
 * heads, most of a step's work, are then left out. */
static bool answers_count(const pct_loss_weights *w) {
    return w->language > 0 || w->box_l1 > 0 || w->box_giou > 0 || w->mask_bce > 0 || w->mask_dice > 0 || w->quality > 0;
}

/* The language model over prefixes and words, and what is decoded from its states. */
static void answer_part(pct_tape *tape, const pct_model *model, const pct_batch *batch, const layout *l,
                        const pct_sight *sight, const pct_loss_weights *weights, parts *p, pct_losses *losses) {
    const pct_model_text text = text_of(tape, model, batch, sight);
    pct_tensor *x = pct_model_embed(tape, model, &text);
    if (sight->prefix) x = pct_op_concat_rows(tape, (pct_tensor *[]){sight->prefix, x}, 2);
    pct_language_input input = {
        .x = x,
        .positions = l->positions,
        .spans = l->spans,
        .span_count = l->span_count,
        .wanted = l->wanted,
        .wanted_count = l->wanted_count,
        .wanted_spans = l->wanted_spans,
        .wanted_span_count = l->wanted_span_count,
    };
    pct_tensor *states = pct_language_states(tape, &model->language, &input);
    if (!states) return;
    pct_tensor *said = copy_words(tape, model, batch, l, &text, states);
    language_part(tape, model, batch, l, said, weights, p, losses);
    region_part(tape, model, batch, l, sight, states, weights, p, losses);
}

pct_tensor *pct_model_loss(pct_model *model, pct_tape *tape, const pct_batch *batch, const pct_loss_weights *weights,
                           pct_losses *losses) {
    *losses = (pct_losses){0};
    parts p = {.count = 0};
    pct_tensor *none = pct_tape_zeros(tape, 1, (int64_t[]){1});
    layout l;
    if (!lay_out(tape, model, batch, &l)) return none;
    int64_t side = model->config.image.side;
    pct_sight sight = {0};
    if (batch->pictures > 0) {
        pct_tensor *pixels =
            pct_tape_input(tape, PCT_REAL, 4, (int64_t[]){batch->pictures, side, side, 3}, batch->pixels);
        pct_tower_output tower;
        bool classes = model->config.heads.presence;
        sight = answers_count(weights) ? pct_model_see(tape, model, pixels, classes)
                                       : pct_model_see_cells(tape, model, pixels, classes, &tower);
    }
    if (answers_count(weights)) answer_part(tape, model, batch, &l, &sight, weights, &p, losses);
    name_part(tape, model, batch, &sight, weights, &p, losses);
    cell_box_part(tape, model, batch, &sight, weights, &p, losses);
    if (p.count == 0 || pct_tape_failed(tape)) return none;
    pct_tensor *total = pct_op_weighted_sum(tape, p.loss, p.weight, p.count);
    if (!pct_tape_failed(tape)) losses->total = (double)pct_tensor_data(total)[0];
    return total;
}
