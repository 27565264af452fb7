#include "heads/res_decoder.h"

percept_status pct_res_options_check(const pct_res_options *o, int64_t side, percept_error *error) {
    const struct {
        const char *name;
        int64_t value, low, high;
    } limits[] = {
        {"width", o->width, 8, 8192}, {"state_width", o->state_width, 8, 16384},
        {"mlp", o->mlp, 8, 32768},    {"heads", o->heads, 1, 256},
        {"groups", o->groups, 1, 64}, {"patch", o->patch, 1, 64},
        {"grid", side, 2, 128},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].value < limits[i].low || limits[i].value > limits[i].high)
            return pct_fail(error, PERCEPT_ERROR_INPUT, "mask decoder: %s %lld is outside %lld..%lld", limits[i].name,
                            (long long)limits[i].value, (long long)limits[i].low, (long long)limits[i].high);
    if (o->width % o->heads || o->width % o->groups)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "mask decoder: heads %d and groups %d must divide width %lld",
                        o->heads, o->groups, (long long)o->width);
    if (side % 2)
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "mask decoder: grid %lld is odd; the language model's is half of it", (long long)side);
    if (!(o->dropout >= 0 && o->dropout < 1))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "mask decoder: dropout %g is outside 0..1", (double)o->dropout);
    return PERCEPT_OK;
}

/* ---- building ------------------------------------------------------------------------------------------------ */

static void build_layer(pct_res_layer *layer, pct_builder *builder, const pct_res_options *o, bool single,
                        const char *name) {
    const int64_t width = o->width;
    pct_cross_build(&layer->self, builder, width, width, "percept.res.%s.self", name);
    if (single)
        pct_cross_build_single(&layer->cross, builder, width, width, "percept.res.%s.cross", name);
    else
        pct_cross_build(&layer->cross, builder, width, width, "percept.res.%s.cross", name);
    pct_linear_build(&layer->up, builder, width, o->mlp, true, 1, "percept.res.%s.ffn_up", name);
    pct_linear_build(&layer->down, builder, o->mlp, width, true, 1, "percept.res.%s.ffn_down", name);
    pct_norm_build(&layer->norm1, builder, width, 1e-5, false, "percept.res.%s.norm1", name);
    pct_norm_build(&layer->norm2, builder, width, 1e-5, false, "percept.res.%s.norm2", name);
    pct_norm_build(&layer->norm3, builder, width, 1e-5, false, "percept.res.%s.norm3", name);
    pct_norm_build(&layer->norm, builder, width, 1e-5, false, "percept.res.%s.norm", name);
}

void pct_res_decoder_build(pct_res_decoder *decoder, pct_builder *builder, const pct_res_options *options) {
    *decoder = (pct_res_decoder){.options = *options};
    const pct_res_options *o = &decoder->options;
    const int64_t width = o->width;
    PCT_ASSERT(o->heads >= 1 && o->groups >= 1 && width % o->heads == 0 && width % o->groups == 0 && o->patch >= 1);
    pct_linear_build(&decoder->text, builder, o->state_width, width, true, 1, "percept.res.text");
    pct_linear_build(&decoder->image, builder, o->state_width, width, true, 1, "percept.res.image");
    pct_linear_build(&decoder->offset, builder, width, 8 * (int64_t)o->groups, true, 1, "percept.res.offset");
    pct_linear_build(&decoder->join, builder, 3 * width, width, true, 1, "percept.res.join");
    build_layer(&decoder->v2l, builder, o, false, "v2l");
    build_layer(&decoder->vl, builder, o, true, "vl");
    pct_conv_block_build_batch(&decoder->pixels, builder, width, (int64_t)o->patch * o->patch, 3, 1, 1, true, PCT_RELU,
                               "percept.res.conv1");
    pct_conv_build(&decoder->smooth, builder, 1, 1, 5, 1, 2, true, "percept.res.conv2");
}

/* ---- layers --------------------------------------------------------------------------------------------------- */

/* start + the attention, with dropout where it is wanted. q is given back. */
static pct_tensor *attend(pct_tape *tape, const pct_res_options *o, const pct_cross *cross, pct_tensor *start,
                          pct_tensor *q, pct_tensor *k, pct_tensor *v, const pct_span *spans, int64_t count) {
    if (!tape->record || o->dropout == 0) return pct_cross_attend(tape, cross, start, q, k, v, o->heads, spans, count);
    pct_tensor *change = pct_cross_attend(tape, cross, NULL, q, k, v, o->heads, spans, count);
    return pct_op_add(tape, start, pct_op_dropout(tape, change, o->dropout));
}

/* norm1(x + attention of x to itself); x stays. */
static pct_tensor *attend_self(pct_tape *tape, const pct_res_options *o, const pct_res_layer *layer, pct_tensor *x,
                               const pct_span *spans, int64_t count) {
    pct_tensor *q = pct_linear_apply(tape, &layer->self.q, x), *k = pct_linear_apply(tape, &layer->self.k, x);
    pct_tensor *v = pct_linear_apply(tape, &layer->self.v, x);
    pct_tensor *sum = attend(tape, o, &layer->self, x, q, k, v, spans, count);
    pct_tape_done(tape, k);
    pct_tape_done(tape, v);
    pct_tensor *y = pct_norm_apply(tape, &layer->norm1, sum);
    pct_tape_done(tape, sum);
    return y;
}

/* What follows a layer's attentions: sum is x and what they gave, and is given back. */
static pct_tensor *finish_layer(pct_tape *tape, const pct_res_options *o, const pct_res_layer *layer, pct_tensor *sum) {
    pct_tensor *x = pct_norm_apply(tape, &layer->norm2, sum), *y;
    pct_tape_done(tape, sum);
    pct_tensor *up = pct_linear_apply(tape, &layer->up, x), *inside = pct_op_activate(tape, up, PCT_RELU);
    pct_tape_done(tape, up);
    if (!tape->record || o->dropout == 0) {
        y = pct_linear_apply_onto(tape, &layer->down, x, inside);
        pct_tape_done(tape, inside);
    } else {
        y = pct_linear_apply(tape, &layer->down, pct_op_dropout(tape, inside, o->dropout));
        y = pct_op_add(tape, x, pct_op_dropout(tape, y, o->dropout));
    }
    pct_tape_done(tape, x);
    x = pct_norm_apply(tape, &layer->norm3, y);
    pct_tape_done(tape, y);
    y = pct_norm_apply(tape, &layer->norm, x);
    pct_tape_done(tape, x);
    return y;
}

/* ---- once a picture ------------------------------------------------------------------------------------------- */

/* Each picture's `cells` rows see its own `memory` rows. */
static pct_span *spans_of(pct_tape *tape, int64_t pictures, int64_t cells, int64_t memory) {
    pct_span *spans = pct_tape_array(tape, pictures, sizeof *spans);
    for (int32_t p = 0; spans && p < (int32_t)pictures; p++)
        spans[p] = (pct_span){.q_begin = p * (int32_t)cells,
                              .q_count = (int32_t)cells,
                              .own_begin = p * (int32_t)memory,
                              .own_count = (int32_t)memory};
    return spans;
}

/* Cells that have looked at the language model's states. */
static pct_tensor *fuse(pct_tape *tape, const pct_res_decoder *decoder, pct_tensor *cells, pct_tensor *memory,
                        const pct_span *among, const pct_span *across, int64_t pictures) {
    const pct_res_layer *layer = &decoder->v2l;
    pct_tensor *x = attend_self(tape, &decoder->options, layer, cells, among, pictures);
    pct_tensor *q = pct_linear_apply(tape, &layer->cross.q, x), *k = pct_linear_apply(tape, &layer->cross.k, memory);
    pct_tensor *v = pct_linear_apply(tape, &layer->cross.v, memory);
    pct_tensor *sum = attend(tape, &decoder->options, &layer->cross, x, q, k, v, across, pictures);
    pct_tape_done(tape, k);
    pct_tape_done(tape, v);
    pct_tape_done(tape, x);
    return finish_layer(tape, &decoder->options, layer, sum);
}

/* The states' map at twice its side, as rows. */
static pct_tensor *refine(pct_tape *tape, const pct_res_decoder *decoder, pct_tensor *memory, int64_t pictures,
                          int64_t side) {
    pct_tensor *moves = pct_linear_apply(tape, &decoder->offset, memory);
    pct_tensor *map = pct_as_map(tape, memory, pictures, side / 2, side / 2);
    pct_tensor *fine = pct_op_dysample(tape, map, moves, decoder->options.groups);
    return pct_as_rows(tape, fine, decoder->options.width);
}

pct_res_keys pct_res_decoder_prepare(pct_tape *tape, const pct_res_decoder *decoder, pct_tensor *cells,
                                     pct_tensor *states, int64_t pictures) {
    const int64_t each = pct_tensor_rows(cells) / pictures, memories = pct_tensor_rows(states) / pictures;
    pct_res_keys keys = {.pictures = pictures, .side = 1};
    while (keys.side * keys.side < each) keys.side++;
    PCT_ASSERT(keys.side * keys.side == each && keys.side % 2 == 0 && 4 * memories == each);
    pct_span *among = spans_of(tape, pictures, each, each), *across = spans_of(tape, pictures, each, memories);
    if (!among || !across) {
        keys.grid = pct_tape_zeros(tape, 2, cells->dim);
        return keys;
    }
    pct_tensor *memory = pct_tape_step(tape, "res.image", pct_linear_apply(tape, &decoder->image, states));
    pct_tensor *fused = pct_tape_step(tape, "res.fused", fuse(tape, decoder, cells, memory, among, across, pictures));
    pct_tensor *fine = pct_tape_step(tape, "res.fine", refine(tape, decoder, memory, pictures, keys.side));
    pct_tape_done(tape, memory);
    pct_tensor *all = pct_op_concat_columns(tape, (pct_tensor *[]){fused, cells, fine}, 3);
    pct_tape_done(tape, fused);
    pct_tape_done(tape, fine);
    pct_tensor *joined = pct_tape_step(tape, "res.joined", pct_linear_apply(tape, &decoder->join, all));
    pct_tape_done(tape, all);
    keys.grid = attend_self(tape, &decoder->options, &decoder->vl, joined, among, pictures);
    pct_tape_done(tape, joined);
    return keys;
}

/* ---- an object at a time -------------------------------------------------------------------------------------- */

/* The grid of each object's picture with what its state says (Q,width) added to every cell. */
static pct_tensor *tell(pct_tape *tape, const pct_res_keys *keys, pct_tensor *said, const int32_t *picture) {
    const int64_t objects = pct_tensor_rows(said), width = pct_tensor_width(said), cells = keys->side * keys->side;
    if (objects == 1 && keys->pictures == 1) return pct_op_add_rows(tape, keys->grid, said);
    int32_t *index = pct_tape_ints(tape, 2 * objects * cells), *repeat = index ? index + objects * cells : NULL;
    for (int64_t i = 0; index && i < objects * cells; i++) {
        index[i] = (int32_t)(picture[i / cells] * cells + i % cells);
        repeat[i] = (int32_t)(i / cells);
    }
    if (!index) return pct_tape_zeros(tape, 2, (int64_t[]){objects * cells, width});
    pct_tensor *grid = pct_op_gather_rows(tape, keys->grid, index, objects * cells);
    pct_tensor *change = pct_op_gather_rows(tape, said, repeat, objects * cells), *sum = pct_op_add(tape, grid, change);
    pct_tape_done(tape, grid);
    pct_tape_done(tape, change);
    return sum;
}

pct_tensor *pct_res_decoder_apply(pct_tape *tape, const pct_res_decoder *decoder, const pct_res_keys *keys,
                                  pct_tensor *states, const int32_t *picture) {
    const pct_res_options *o = &decoder->options;
    const int64_t objects = pct_tensor_rows(states), side = keys->side * o->patch;
    pct_tensor *text = pct_tape_step(tape, "res.text", pct_linear_apply(tape, &decoder->text, states));
    pct_tensor *said = pct_op_dropout(tape, pct_cross_single(tape, &decoder->vl.cross, text), o->dropout);
    pct_tensor *x = finish_layer(tape, o, &decoder->vl, tell(tape, keys, said, picture));
    pct_tape_step(tape, "res.asked", x);
    pct_tensor *map = pct_as_map(tape, x, objects, keys->side, keys->side);
    pct_tensor *pixels = pct_tape_step(tape, "res.pixels", pct_conv_block_apply(tape, &decoder->pixels, map));
    pct_tape_done(tape, map);
    pct_tensor *plane = pct_tape_step(tape, "res.plane", pct_op_pixel_shuffle(tape, pixels, o->patch));
    pct_tape_done(tape, pixels);
    pct_tensor *logits = pct_conv_apply(tape, &decoder->smooth, plane);
    pct_tape_done(tape, plane);
    pct_tape_step(tape, "res.logits", logits);
    return pct_op_reshape(tape, logits, 3, (int64_t[]){objects, side, side});
}
