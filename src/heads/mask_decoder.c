#include "heads/mask_decoder.h"

#include <math.h>

/* ---- building ------------------------------------------------------------------------------------------------ */

/* Channels after an upscaling step: a quarter of the width, halved at each step, `channels` after the last. */
static int64_t up_channels(const pct_mask_decoder_options *o, int step, bool last) {
    int64_t channels = o->width >> (2 + step);
    return last || channels < o->channels ? o->channels : channels;
}

static void build_upscaling(pct_mask_decoder *decoder, pct_builder *builder) {
    const pct_mask_decoder_options *o = &decoder->options;
    enum pct_activation bend = o->plain ? PCT_RELU : PCT_GELU;
    int64_t channels = o->width;
    for (int stride = o->fine_stride; stride > o->mask_stride; stride /= 2) {
        PCT_ASSERT(decoder->ups < PCT_MASK_MAX_UP);
        int64_t next = up_channels(o, decoder->ups, stride / 2 == o->mask_stride);
        pct_conv_block_build(&decoder->up[decoder->ups], builder, channels, next, 3, 1, 1, bend,
                             "percept.mask_decoder.up%d", decoder->ups);
        decoder->ups++;
        channels = next;
        if (o->skip_width > 0 && stride / 2 == o->skip_stride)
            pct_linear_build(&decoder->skip, builder, o->skip_width, channels, true, 1, "percept.mask_decoder.skip");
    }
    if (!o->plain) {
        pct_conv_block_build(&decoder->refine, builder, channels, o->channels, 3, 1, 1, bend,
                             "percept.mask_decoder.refine");
        channels = o->channels;
    }
    pct_linear_build(&decoder->pixel, builder, channels, o->channels, true, 1, "percept.mask_decoder.pixel");
    pct_mlp_build(&decoder->hyper, builder, (int64_t[]){o->width, o->width, o->width, o->channels}, 3, PCT_RELU, 0.3,
                  "percept.mask_decoder.hyper");
}

void pct_mask_decoder_build(pct_mask_decoder *decoder, pct_builder *builder, const pct_mask_decoder_options *options) {
    *decoder = (pct_mask_decoder){.options = *options};
    const pct_mask_decoder_options *o = &decoder->options;
    PCT_ASSERT(o->layers >= 1 && o->layers <= PCT_MASK_MAX_LAYERS);
    const char *base = "percept.mask_decoder";
    int64_t width = o->width, half = o->width / 2;
    pct_linear_build(&decoder->mapping, builder, o->state_width, width * o->queries, true, 1, "%s.mapping", base);
    pct_linear_build(&decoder->shortcut, builder, o->fine_width, width, true, 1, "%s.adaptor.shortcut", base);
    pct_linear_build(&decoder->adapt1, builder, o->fine_width, width, true, 1.4, "%s.adaptor.linear1", base);
    pct_linear_build(&decoder->adapt2, builder, width, width, true, 0.5, "%s.adaptor.linear2", base);
    for (int i = 0; i < o->layers; i++) {
        pct_two_way *layer = &decoder->layer[i];
        pct_cross_build(&layer->self, builder, width, width, "%s.%d.self", base, i);
        pct_cross_build(&layer->to_image, builder, width, half, "%s.%d.to_image", base, i);
        pct_cross_build(&layer->to_query, builder, width, half, "%s.%d.to_query", base, i);
        pct_linear_build(&layer->up, builder, width, o->mlp, true, 1.4, "%s.%d.ffn_up", base, i);
        pct_linear_build(&layer->down, builder, o->mlp, width, true, 1, "%s.%d.ffn_down", base, i);
        pct_norm_build(&layer->norm1, builder, width, 1e-5, false, "%s.%d.norm1", base, i);
        pct_norm_build(&layer->norm2, builder, width, 1e-5, false, "%s.%d.norm2", base, i);
        pct_norm_build(&layer->norm3, builder, width, 1e-5, false, "%s.%d.norm3", base, i);
        pct_norm_build(&layer->norm4, builder, width, 1e-5, false, "%s.%d.norm4", base, i);
    }
    pct_cross_build(&decoder->last, builder, width, half, "%s.final", base);
    pct_norm_build(&decoder->last_norm, builder, width, 1e-5, false, "%s.final.norm", base);
    build_upscaling(decoder, builder);
}

/* ---- once a picture ------------------------------------------------------------------------------------------- */

/* Channels 0..width/2-1 alternate sine and cosine of column*10000^(-2j/(width/2)), the others of the row. */
static pct_tensor *positions(pct_tape *tape, int64_t side, int64_t width) {
    pct_tensor *table = pct_tape_tensor(tape, PCT_REAL, 2, (int64_t[]){side * side, width});
    if (pct_tape_failed(tape)) return table;
    pct_real *out = pct_tensor_data(table);
    int64_t half = width / 2;
    for (int64_t j = 0; j < half; j++) {
        double frequency = pow(10000.0, -(double)(j / 2 * 2) / (double)half);
        for (int64_t at = 0; at < side; at++) {
            double angle = (double)at * frequency;
            pct_real value = (pct_real)(j % 2 ? cos(angle) : sin(angle));
            for (int64_t other = 0; other < side; other++) {
                out[(other * side + at) * width + j] = value;
                out[(at * side + other) * width + half + j] = value;
            }
        }
    }
    return table;
}

/* As the released code has them: the same generator, told that the grid's side is the number of channels and the width
 * a side. Channel k of a cell holds in its column's first half sin or cos of k, in the other half of the row, with the
 * frequency of that column. */
static pct_tensor *positions_as_coded(pct_tape *tape, int64_t side, int64_t width) {
    pct_tensor *table = pct_tape_tensor(tape, PCT_REAL, 2, (int64_t[]){side * side, width});
    if (pct_tape_failed(tape)) return table;
    const int64_t half = side / 2;
    PCT_ASSERT(side % 4 == 0);
    for (int64_t cell = 0; cell < side * side; cell++) {
        const int64_t row = cell / side, column = cell % side, j = column % half / 2;
        const double frequency = pow(10000.0, -2.0 * (double)j / (double)half);
        pct_real *out = pct_tensor_data(table) + cell * width;
        for (int64_t k = 0; k < width; k++) {
            const double angle = (double)(column < half ? k : row) * frequency;
            out[k] = (pct_real)(column % 2 ? cos(angle) : sin(angle));
        }
    }
    return table;
}

pct_mask_keys pct_mask_decoder_prepare(pct_tape *tape, const pct_mask_decoder *decoder, pct_tensor *fine,
                                       pct_tensor *skip, int64_t pictures) {
    int64_t cells = pct_tensor_rows(fine) / pictures;
    pct_mask_keys keys = {.pictures = pictures, .side = 1};
    while (keys.side * keys.side < cells) keys.side++;
    pct_tensor *inside = pct_op_activate(tape, pct_linear_apply(tape, &decoder->adapt1, fine), PCT_RELU);
    pct_tensor *change = pct_linear_apply(tape, &decoder->adapt2, inside);
    pct_tape_done(tape, inside);
    keys.grid = pct_op_add(tape, pct_linear_apply(tape, &decoder->shortcut, fine), change);
    pct_tape_done(tape, change);
    pct_tape_step(tape, "mask.adapted", keys.grid);
    keys.place = decoder->options.as_coded ? positions_as_coded(tape, keys.side, decoder->options.width)
                                           : positions(tape, keys.side, decoder->options.width);
    pct_tensor *placed = pct_op_add_rows(tape, keys.grid, keys.place);
    const pct_two_way *first = &decoder->layer[0];
    keys.k = pct_linear_apply(tape, &first->to_image.k, placed);
    keys.v = pct_linear_apply(tape, &first->to_image.v, keys.grid);
    if (decoder->options.queries > 1) keys.q = pct_linear_apply(tape, &first->to_query.q, placed);
    if (skip && decoder->skip.weight) {
        pct_tensor *rows = pct_linear_apply(tape, &decoder->skip, pct_as_rows(tape, skip, skip->dim[3]));
        keys.skip = pct_as_map(tape, rows, pictures, skip->dim[1], skip->dim[2]);
    }
    return keys;
}

/* ---- an object at a time -------------------------------------------------------------------------------------- */

/* What the passes share; spans name `cells` grid rows and `queries` query rows an object. */
typedef struct pass {
    pct_tape *tape;
    const pct_mask_decoder *decoder;
    const pct_mask_keys *keys;
    const int32_t *picture;
    int64_t objects, cells, queries;
    pct_span *among, *to_picture, *to_own, *to_query;
} pass;

static bool make_spans(pass *p) {
    pct_span *spans = pct_tape_array(p->tape, 4 * p->objects, sizeof *spans);
    if (!spans) return false;
    p->among = spans;
    p->to_picture = spans + p->objects;
    p->to_own = spans + 2 * p->objects;
    p->to_query = spans + 3 * p->objects;
    int32_t cells = (int32_t)p->cells, queries = (int32_t)p->queries;
    for (int32_t o = 0; o < (int32_t)p->objects; o++) {
        int32_t query = o * queries, cell = o * cells;
        p->among[o] = (pct_span){.q_begin = query, .q_count = queries, .own_begin = query, .own_count = queries};
        p->to_own[o] = (pct_span){.q_begin = query, .q_count = queries, .own_begin = cell, .own_count = cells};
        p->to_picture[o] = p->to_own[o];
        p->to_picture[o].own_begin = p->picture[o] * cells;
        p->to_query[o] = (pct_span){.q_begin = cell, .q_count = cells, .own_begin = query, .own_count = queries};
    }
    return true;
}

/* One row block of `blocks` for each object's picture: (P*n, D) -> (Q*n, D). */
static pct_tensor *spread(const pass *p, pct_tensor *x, int64_t per_picture) {
    int64_t width = pct_tensor_width(x);
    x = pct_op_gather_rows(p->tape, pct_as_rows(p->tape, x, per_picture * width), p->picture, p->objects);
    return pct_as_rows(p->tape, x, width);
}

static pct_tensor *attend(const pass *p, const pct_cross *cross, pct_tensor *start, pct_tensor *q, pct_tensor *k,
                          pct_tensor *v, const pct_span *spans) {
    return pct_cross_attend(p->tape, cross, start, q, k, v, p->decoder->options.heads, spans, p->objects);
}

/* With one query its softmax is 1: what comes back is out(v(Q)), whatever query and key say. */
static pct_tensor *self_attention(const pass *p, const pct_cross *self, pct_tensor *placed, pct_tensor *queries) {
    pct_tensor *v = pct_linear_apply(p->tape, &self->v, queries);
    if (p->queries == 1) return pct_linear_apply(p->tape, &self->out, v);
    return attend(p, self, NULL, pct_linear_apply(p->tape, &self->q, placed),
                  pct_linear_apply(p->tape, &self->k, placed), v, p->among);
}

/* The grid's attention to the queries, added and normalised: the grid of every object after this layer. grid and q are
 * given back. */
static pct_tensor *update_grid(const pass *p, const pct_two_way *layer, pct_tensor *grid, pct_tensor *q,
                               pct_tensor *placed, pct_tensor *queries) {
    pct_tensor *v = pct_linear_apply(p->tape, &layer->to_query.v, queries), *sum;
    if (p->queries == 1) {
        pct_tensor *change = pct_linear_apply(p->tape, &layer->to_query.out, v);
        int32_t *repeat = pct_tape_ints(p->tape, p->objects * p->cells);
        for (int64_t i = 0; repeat && i < p->objects * p->cells; i++) repeat[i] = (int32_t)(i / p->cells);
        change = pct_op_gather_rows(p->tape, change, repeat, repeat ? p->objects * p->cells : 0);
        sum = pct_op_add(p->tape, grid, change);
        pct_tape_done(p->tape, change);
    } else {
        pct_tensor *k = pct_linear_apply(p->tape, &layer->to_query.k, placed);
        sum = attend(p, &layer->to_query, grid, q, k, v, p->to_query);
    }
    pct_tape_done(p->tape, grid);
    pct_tensor *y = pct_norm_apply(p->tape, &layer->norm4, sum);
    pct_tape_done(p->tape, sum);
    return y;
}

/* Section 9's layer: self attention, queries to grid, MLP, grid to queries. */
static void two_way(const pass *p, int index, pct_tensor *first_queries, pct_tensor **queries, pct_tensor **grid) {
    pct_tape *tape = p->tape;
    const pct_two_way *layer = &p->decoder->layer[index];
    pct_tensor *x = *queries, *k, *v, *q = NULL;
    if (index == 0)
        x = self_attention(p, &layer->self, x, x);
    else
        x = pct_op_add(tape, x, self_attention(p, &layer->self, pct_op_add(tape, x, first_queries), x));
    x = pct_norm_apply(tape, &layer->norm1, x);

    if (index == 0) {
        k = p->keys->k;
        v = p->keys->v;
    } else {
        pct_tensor *placed_grid = pct_op_add_rows(tape, *grid, p->keys->place);
        k = pct_linear_apply(tape, &layer->to_image.k, placed_grid);
        v = pct_linear_apply(tape, &layer->to_image.v, *grid);
        if (p->queries > 1) q = pct_linear_apply(tape, &layer->to_query.q, placed_grid);
        pct_tape_done(tape, placed_grid);
    }
    pct_tensor *asked = pct_linear_apply(tape, &layer->to_image.q, pct_op_add(tape, x, first_queries));
    pct_tensor *seen = attend(p, &layer->to_image, x, asked, k, v, index == 0 ? p->to_picture : p->to_own);
    if (index > 0) { /* those of the first layer are every question's */
        pct_tape_done(tape, k);
        pct_tape_done(tape, v);
    }
    x = pct_norm_apply(tape, &layer->norm2, seen);

    pct_tensor *inside = pct_op_activate(tape, pct_linear_apply(tape, &layer->up, x), PCT_RELU);
    x = pct_norm_apply(tape, &layer->norm3, pct_linear_apply_onto(tape, &layer->down, x, inside));
    if (index == 0) {
        *grid = spread(p, p->keys->grid, p->cells);
        if (p->queries > 1) q = spread(p, p->keys->q, p->cells);
    }
    *grid = update_grid(p, layer, *grid, q, pct_op_add(tape, x, first_queries), x);
    *queries = x;
    pct_tape_step(tape, "mask.queries", *queries);
    pct_tape_step(tape, "mask.grid", *grid);
}

/* The grid is given back. */
static pct_tensor *upscale(const pass *p, pct_tensor *grid) {
    pct_tape *tape = p->tape;
    const pct_mask_decoder *decoder = p->decoder;
    pct_tensor *x = pct_as_map(tape, grid, p->objects, p->keys->side, p->keys->side);
    int stride = decoder->options.fine_stride;
    for (int i = 0; i < decoder->ups; i++) {
        pct_tensor *small = pct_conv_block_apply(tape, &decoder->up[i], x);
        pct_tape_done(tape, x);
        x = pct_tape_step(tape, "mask.up", pct_op_resize(tape, small, 2 * small->dim[1], 2 * small->dim[2]));
        pct_tape_done(tape, small);
        stride /= 2;
        if (!p->keys->skip || stride != decoder->options.skip_stride) continue;
        pct_tensor *skip = spread(p, p->keys->skip, x->dim[1] * x->dim[2]), *alone = x;
        x = pct_op_add(tape, alone, pct_op_reshape(tape, skip, 4, x->dim));
        pct_tape_done(tape, skip);
        pct_tape_done(tape, alone);
    }
    if (!decoder->options.plain) {
        pct_tensor *refined = pct_conv_block_apply(tape, &decoder->refine, x);
        pct_tape_done(tape, x);
        x = refined;
    }
    return pct_linear_apply(tape, &decoder->pixel, pct_as_rows(tape, x, x->dim[3]));
}

pct_mask_output pct_mask_decoder_apply(pct_tape *tape, const pct_mask_decoder *decoder, const pct_mask_keys *keys,
                                       pct_tensor *states, const int32_t *picture) {
    const pct_mask_decoder_options *o = &decoder->options;
    pass p = {tape, decoder, keys, picture, pct_tensor_rows(states), keys->side * keys->side, o->queries, 0};
    int64_t side = keys->side * (o->fine_stride / o->mask_stride);
    if (!make_spans(&p)) {
        pct_tensor *none = pct_tape_zeros(tape, 3, (int64_t[]){p.objects, side, side});
        return (pct_mask_output){none, none};
    }
    pct_tensor *first = pct_as_rows(tape, pct_linear_apply(tape, &decoder->mapping, states), o->width);
    pct_tensor *queries = first, *grid = NULL;
    for (int i = 0; i < o->layers; i++) two_way(&p, i, first, &queries, &grid);
    pct_tensor *placed = pct_op_add_rows(tape, grid, keys->place);
    pct_tensor *k = pct_linear_apply(tape, &decoder->last.k, placed);
    pct_tape_done(tape, placed);
    pct_tensor *v = pct_linear_apply(tape, &decoder->last.v, grid);
    pct_tensor *q = pct_linear_apply(tape, &decoder->last.q, pct_op_add(tape, queries, first));
    queries = attend(&p, &decoder->last, queries, q, k, v, p.to_own);
    pct_tape_done(tape, k);
    pct_tape_done(tape, v);
    queries = pct_tape_step(tape, "mask.asked", pct_norm_apply(tape, &decoder->last_norm, queries));
    /* The first query of each object makes the network and goes on to the other heads. */
    pct_tensor *query = pct_op_slice_columns(tape, pct_as_rows(tape, queries, o->queries * o->width), 0, o->width);
    pct_tensor *pixels = pct_tape_step(tape, "mask.pixels", upscale(&p, grid));
    pct_tensor *weights = pct_tape_step(tape, "mask.weights", pct_mlp_apply(tape, &decoder->hyper, query));
    int64_t channels = pct_tensor_width(weights);
    weights = pct_op_reshape(tape, weights, 3, (int64_t[]){p.objects, 1, channels});
    pixels = pct_op_reshape(tape, pixels, 3, (int64_t[]){p.objects, side * side, channels});
    pct_tensor *logits = pct_tape_step(tape, "mask.logits", pct_op_matmul_nt(tape, weights, pixels));
    return (pct_mask_output){pct_op_reshape(tape, logits, 3, (int64_t[]){p.objects, side, side}), query};
}
