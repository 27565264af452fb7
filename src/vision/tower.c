#include "vision/tower.h"

#include <math.h>
#include <string.h>

int64_t pct_tower_stem_channels(const pct_tower_options *options, int stride) {
    int64_t channels = options->stem_width;
    for (int at = options->fine_stride; at > stride; at /= 2) channels /= 2;
    return channels < 16 ? 16 : channels;
}

static void build_block(pct_stem_block *block, pct_builder *builder, int64_t channels, const char *name, int index) {
    pct_conv_block_build(&block->first, builder, channels, channels, 3, 1, 1, PCT_GELU, "percept.stem.%s%d.a", name,
                         index);
    pct_conv_block_build(&block->second, builder, channels, channels, 3, 1, 1, PCT_IDENTITY, "percept.stem.%s%d.b",
                         name, index);
}

static pct_tensor *apply_block(pct_tape *tape, const pct_stem_block *block, pct_tensor *x) {
    pct_tensor *inside = pct_conv_block_apply_half(tape, &block->first, x);
    pct_tensor *y = pct_conv_block_apply_onto(tape, &block->second, x, inside);
    pct_tape_done(tape, inside);
    return y;
}

static void build_conv_stem(pct_tower *tower, pct_builder *builder) {
    const pct_tower_options *o = &tower->options;
    int64_t channels = 3;
    for (int stride = 2; stride <= o->fine_stride; stride *= 2) {
        PCT_ASSERT(tower->stages < PCT_STEM_MAX_STAGES);
        int64_t out = pct_tower_stem_channels(o, stride);
        pct_conv_block_build(&tower->stage[tower->stages], builder, channels, out, 3, 2, 1, PCT_GELU,
                             "percept.stem.down%d", tower->stages);
        tower->stages++;
        channels = out;
    }
    for (int i = 0; i < o->stem_blocks; i++) build_block(&tower->block[i], builder, channels, "block", i);
    int stride = o->fine_stride;
    for (; stride * 2 < o->stride; stride *= 2) {
        PCT_ASSERT(tower->reduces < PCT_STEM_MAX_STAGES);
        pct_conv_block_build(&tower->reduce[tower->reduces], builder, channels, o->width, 3, 2, 1, PCT_GELU,
                             "percept.stem.reduce%d", tower->reduces);
        tower->reduces++;
        channels = o->width;
    }
    pct_conv_build(&tower->last, builder, channels, o->width, 3, stride < o->stride ? 2 : 1, 1, true,
                   "percept.stem.out");
    for (int i = 0; i < o->cell_blocks; i++) build_block(&tower->cell[i], builder, o->width, "cell", i);
}

static void build_layer(pct_tower_layer *layer, pct_builder *builder, const pct_tower_options *o, int index) {
    const double gain = 0.5, residual = gain / sqrt(2.0 * o->layers);
    pct_norm_build(&layer->norm1, builder, o->width, o->epsilon, false, "v.blk.%d.ln1", index);
    pct_linear_build(&layer->q, builder, o->width, o->width, true, gain, "v.blk.%d.attn_q", index);
    pct_linear_build(&layer->k, builder, o->width, o->width, true, gain, "v.blk.%d.attn_k", index);
    pct_linear_build(&layer->v, builder, o->width, o->width, true, gain, "v.blk.%d.attn_v", index);
    if (o->qk_norm) {
        pct_norm_build(&layer->norm_q, builder, o->width, o->epsilon, true, "v.blk.%d.attn_q_norm", index);
        pct_norm_build(&layer->norm_k, builder, o->width, o->epsilon, true, "v.blk.%d.attn_k_norm", index);
    }
    pct_linear_build(&layer->out, builder, o->width, o->width, true, residual, "v.blk.%d.attn_out", index);
    pct_norm_build(&layer->norm2, builder, o->width, o->epsilon, false, "v.blk.%d.ln2", index);
    pct_linear_build(&layer->up, builder, o->width, o->mlp, true, gain, "v.blk.%d.ffn_up", index);
    pct_linear_build(&layer->down, builder, o->mlp, o->width, true, residual, "v.blk.%d.ffn_down", index);
    if (!o->layer_scale) return;
    layer->scale1 = pct_build_vector(builder, 1, o->width, "v.blk.%d.ls1.weight", index);
    layer->scale2 = pct_build_vector(builder, 1, o->width, "v.blk.%d.ls2.weight", index);
}

void pct_tower_build(pct_tower *tower, pct_builder *builder, const pct_tower_options *options) {
    *tower = (pct_tower){.options = *options};
    const pct_tower_options *o = &tower->options;
    PCT_ASSERT(o->layers <= PCT_TOWER_MAX_LAYERS && o->stem_blocks <= PCT_STEM_MAX_BLOCKS);
    PCT_ASSERT(o->cell_blocks <= PCT_STEM_MAX_BLOCKS);
    int64_t cells = (int64_t)(o->side / o->stride) * (o->side / o->stride);
    if (o->conv_stem) {
        build_conv_stem(tower, builder);
    } else {
        pct_conv_build(&tower->patch, builder, 3, o->width, o->stride, o->stride, 0, o->patch_bias, "v.patch_embd");
    }
    tower->class_token =
        pct_build_weight(builder, PCT_INIT_NORMAL, 0.02, 2, (int64_t[]){1, o->width}, false, true, "v.class_embd");
    tower->positions = pct_build_weight(builder, PCT_INIT_NORMAL, 0.02, 2, (int64_t[]){1 + cells, o->width}, false,
                                        true, "v.position_embd.weight");
    if (!o->no_pre_norm) pct_norm_build(&tower->pre, builder, o->width, o->epsilon, false, "v.pre_ln");
    for (int i = 0; i < o->layers; i++) build_layer(&tower->layer[i], builder, o, i);
    if (o->merge) tower->mix_language = pct_build_vector(builder, 0, o->layers + 1, "percept.merge.language");
    if (o->merge && o->mask_merge) tower->mix_mask = pct_build_vector(builder, 0, o->layers + 1, "percept.merge.mask");
    if (!o->merge_norm) return;
    pct_norm_build(&tower->norm_language, builder, o->width, 1e-5, false, "percept.merge.language_norm");
    if (o->mask_merge) pct_norm_build(&tower->norm_mask, builder, o->width, 1e-5, false, "percept.merge.mask_norm");
}

/* start + the layer's, by channels scaled where there is a scale */
static pct_tensor *apply_onto(pct_tape *tape, const pct_linear *linear, const pct_parameter *scale, pct_tensor *start,
                              pct_tensor *x) {
    if (!scale) return pct_linear_apply_onto(tape, linear, start, x);
    pct_tensor *change = pct_linear_apply(tape, linear, x);
    pct_tensor *y = pct_op_add_scaled(tape, start, change, (pct_tensor *)(uintptr_t)&scale->tensor);
    pct_tape_done(tape, change);
    return y;
}

/* Queries or keys over all heads together, in place of themselves; without such norms as they are. */
static void apply_norm(pct_tape *tape, const pct_norm *norm, pct_tensor **x) {
    if (!norm->gamma) return;
    pct_tensor *normed = pct_norm_apply(tape, norm, *x);
    pct_tape_done(tape, *x);
    *x = normed;
}

static pct_tensor *apply_layer(pct_tape *tape, const pct_tower *tower, const pct_tower_layer *layer, pct_tensor *x,
                               const pct_span *spans, int64_t pictures) {
    int heads = tower->options.heads;
    const bool attends =
        pct_linear_takes_half(&layer->q) && pct_linear_takes_half(&layer->k) && pct_linear_takes_half(&layer->v);
    pct_tensor *y = pct_norm_apply_half(tape, &layer->norm1, x, attends);
    pct_tensor *qkv[3];
    pct_linear_apply_many(tape, (const pct_linear *const[]){&layer->q, &layer->k, &layer->v}, 3, y, qkv);
    pct_tape_done(tape, y);
    apply_norm(tape, &layer->norm_q, &qkv[0]);
    apply_norm(tape, &layer->norm_k, &qkv[1]);
    pct_tensor *seen = pct_op_attention(tape, qkv[0], qkv[1], qkv[2], heads, heads, spans, pictures);
    for (int i = 0; i < 3; i++) pct_tape_done(tape, qkv[i]);
    pct_tensor *middle = apply_onto(tape, &layer->out, layer->scale1, x, seen);
    pct_tape_done(tape, seen);
    y = pct_norm_apply_half(tape, &layer->norm2, middle, pct_linear_takes_half(&layer->up));
    pct_tensor *inside = pct_linear_apply(tape, &layer->up, y);
    pct_tape_done(tape, y);
    const enum pct_activation f = tower->options.activation;
    pct_tensor *active =
        pct_linear_takes_half(&layer->down) ? pct_op_activate_half(tape, inside, f) : pct_op_activate(tape, inside, f);
    pct_tape_done(tape, inside);
    y = apply_onto(tape, &layer->down, layer->scale2, middle, active);
    pct_tape_done(tape, active);
    pct_tape_done(tape, middle);
    return y;
}

/* Cells (P*cells, width) -> hidden states H[0..layers], each (P*(1+cells), width); without a merge the last alone
 * stays.
 */
static void run(pct_tape *tape, const pct_tower *tower, pct_tensor *cells, pct_tensor *positions, int64_t pictures,
                pct_tensor **hidden) {
    int64_t each = pct_tensor_rows(cells) / pictures, rows = pictures * (1 + each);
    int32_t *order = pct_tape_ints(tape, rows);
    pct_span *spans = pct_tape_array(tape, pictures, sizeof *spans);
    if (!order || !spans) pictures = 0;
    for (int64_t p = 0; p < pictures; p++) {
        order[p * (1 + each)] = 0;
        for (int64_t i = 0; i < each; i++) order[p * (1 + each) + 1 + i] = (int32_t)(1 + p * each + i);
        int32_t begin = (int32_t)(p * (1 + each)), count = (int32_t)(1 + each);
        spans[p] = (pct_span){.q_begin = begin, .q_count = count, .own_begin = begin, .own_count = count};
    }
    pct_tensor *x = pct_op_concat_rows(tape, (pct_tensor *[]){&tower->class_token->tensor, cells}, 2);
    pct_tensor *ordered = pct_op_gather_rows(tape, x, order, order ? rows : 0);
    pct_tape_done(tape, x);
    pct_tensor *placed = pct_op_add_rows(tape, ordered, positions);
    pct_tape_done(tape, ordered);
    hidden[0] = x = tower->options.no_pre_norm ? placed : pct_norm_apply(tape, &tower->pre, placed);
    if (x != placed) pct_tape_done(tape, placed);
    for (int i = 0; i < tower->options.layers; i++) {
        hidden[i + 1] = apply_layer(tape, tower, &tower->layer[i], x, spans, pictures);
        if (!tower->options.merge) pct_tape_done(tape, x);
        x = hidden[i + 1];
    }
}

static pct_tensor *merge(pct_tape *tape, const pct_tower *tower, pct_tensor *const *hidden, pct_parameter *mix,
                         const pct_norm *norm) {
    int last = tower->options.layers;
    pct_tensor *x = mix ? pct_op_mix(tape, hidden, last + 1, &mix->tensor) : hidden[last];
    return tower->options.merge_norm ? pct_norm_apply(tape, norm, x) : x;
}

/* The map `next`, made from `map`, which is given back unless others read it. */
static pct_tensor *go_on(pct_tape *tape, pct_tensor *map, pct_tensor *next, const pct_tower_output *output) {
    if (map != output->skip && map != output->fine) pct_tape_done(tape, map);
    return next;
}

static pct_tensor *conv_stem(pct_tape *tape, const pct_tower *tower, pct_tensor *x, pct_tower_output *output) {
    int stride = 1;
    for (int i = 0; i < tower->stages; i++) {
        stride *= 2;
        const bool skips = stride == tower->options.skip_stride && stride < tower->options.fine_stride;
        const bool half = i + 1 < tower->stages && !skips; /* the next stage is all that reads it */
        const pct_conv_block *stage = &tower->stage[i];
        pct_tensor *next = half ? pct_conv_block_apply_half(tape, stage, x) : pct_conv_block_apply(tape, stage, x);
        x = go_on(tape, x, next, output);
        if (skips) output->skip = x;
    }
    for (int i = 0; i < tower->options.stem_blocks; i++)
        x = go_on(tape, x, apply_block(tape, &tower->block[i], x), output);
    output->fine = x;
    for (int i = 0; i < tower->reduces; i++)
        x = go_on(tape, x, pct_conv_block_apply(tape, &tower->reduce[i], x), output);
    x = go_on(tape, x, pct_conv_apply(tape, &tower->last, x), output);
    for (int i = 0; i < tower->options.cell_blocks; i++)
        x = go_on(tape, x, apply_block(tape, &tower->cell[i], x), output);
    return x;
}

/* The paper's pass B: the same weights at a finer stride; patch kernel and positions are resampled (docs/model.md,
 * "Picture"). Both resamplings are fixed linear maps, so gradients reach the one copy of the weights. */
static pct_tensor *fine_kernel(pct_tape *tape, const pct_tower *tower) {
    const pct_tower_options *o = &tower->options;
    const int64_t shape[4] = {o->width, o->fine_stride, o->fine_stride, 3};
    if (tower->fine_kernel) return pct_tape_input(tape, PCT_REAL, 4, shape, tower->fine_kernel);
    pct_taps kernel = pct_taps_bilinear_aligned(tape, o->stride, o->fine_stride);
    pct_tensor *weight =
        pct_op_reshape(tape, &tower->patch.weight->tensor, 3, (int64_t[]){o->width, (int64_t)o->stride * o->stride, 3});
    return pct_op_reshape(tape, pct_op_apply_taps(tape, weight, &kernel), 4, shape);
}

static pct_tensor *fine_positions(pct_tape *tape, const pct_tower *tower) {
    const pct_tower_options *o = &tower->options;
    const int64_t fine = o->side / o->fine_stride;
    if (tower->fine_positions)
        return pct_tape_input(tape, PCT_REAL, 2, (int64_t[]){1 + fine * fine, o->width}, tower->fine_positions);
    int64_t grid = o->side / o->stride, count = grid * grid;
    pct_taps resize = pct_taps_bicubic(tape, (int)grid, (int)fine);
    int32_t *rows = pct_tape_ints(tape, count + 1);
    pct_tensor *all = (pct_tensor *)(uintptr_t)&tower->positions->tensor;
    if (!rows) return all; /* the tape has failed */
    for (int64_t i = 0; i < count + 1; i++) rows[i] = (int32_t)i;
    pct_tensor *first = pct_op_gather_rows(tape, all, rows, 1);
    pct_tensor *table = pct_op_gather_rows(tape, all, rows + 1, count);
    table = pct_op_apply_taps(tape, pct_op_reshape(tape, table, 3, (int64_t[]){1, count, o->width}), &resize);
    return pct_op_concat_rows(tape, (pct_tensor *[]){first, pct_as_rows(tape, table, o->width)}, 2);
}

percept_status pct_tower_prepare(pct_tower *tower, pct_parameters *set, pct_compute *compute, percept_error *error) {
    const pct_tower_options *o = &tower->options;
    percept_status status = PERCEPT_OK;
    if (!o->mask_merge || !o->second || tower->patch.weight->trainable || tower->positions->trainable) return status;
    pthread_mutex_lock(&set->lock);
    if (!tower->fine_kernel) {
        pct_arena arena;
        pct_tape tape;
        pct_arena_init(&arena, 0);
        pct_tape_init(&tape, compute, &arena, false, PCT_REAL);
        const pct_tensor *made[2] = {fine_kernel(&tape, tower), fine_positions(&tape, tower)};
        pct_real *kept[2] = {NULL, NULL};
        status = pct_tape_status(&tape, error);
        for (int i = 0; i < 2 && status == PERCEPT_OK; i++) {
            const size_t bytes = (size_t)pct_tensor_count(made[i]) * sizeof(pct_real);
            kept[i] = pct_arena_take(&set->arena, bytes);
            if (kept[i])
                memcpy(kept[i], made[i]->data, bytes);
            else
                status = pct_fail_memory(error, "the tower's second pass");
        }
        if (status == PERCEPT_OK) tower->fine_kernel = kept[0], tower->fine_positions = kept[1];
        pct_arena_free(&arena);
    }
    pthread_mutex_unlock(&set->lock);
    return status;
}

static pct_tensor *second_pass(pct_tape *tape, const pct_tower *tower, pct_tensor *pixels) {
    const pct_tower_options *o = &tower->options;
    int64_t pictures = pixels->dim[0];
    pct_parameter *bias = tower->patch.bias;
    pct_tensor *cells =
        pct_op_conv(tape, pixels, fine_kernel(tape, tower), bias ? &bias->tensor : NULL, o->fine_stride, 0, 1);
    pct_tensor *hidden[PCT_TOWER_MAX_LAYERS + 1];
    run(tape, tower, pct_as_rows(tape, cells, o->width), fine_positions(tape, tower), pictures, hidden);
    return merge(tape, tower, hidden, tower->mix_mask, &tower->norm_mask);
}

pct_tower_output pct_tower_apply(pct_tape *tape, const pct_tower *tower, pct_tensor *pixels) {
    const pct_tower_options *o = &tower->options;
    int64_t pictures = pixels->dim[0];
    pct_tower_output output = {0};
    pct_tensor *cells =
        o->conv_stem ? conv_stem(tape, tower, pixels, &output) : pct_conv_apply(tape, &tower->patch, pixels);
    pct_tensor *hidden[PCT_TOWER_MAX_LAYERS + 1];
    run(tape, tower, pct_as_rows(tape, cells, o->width), &tower->positions->tensor, pictures, hidden);
    output.language = merge(tape, tower, hidden, tower->mix_language, &tower->norm_language);
    if (o->mask_merge && o->second)
        output.mask = second_pass(tape, tower, pixels);
    else if (o->mask_merge)
        output.mask = merge(tape, tower, hidden, tower->mix_mask, &tower->norm_mask);
    return output;
}

pct_tensor *pct_tower_cells(pct_tape *tape, pct_tensor *rows, int64_t pictures) {
    int64_t each = pct_tensor_rows(rows) / pictures - 1;
    int32_t *index = pct_tape_ints(tape, pictures * each);
    for (int64_t i = 0; index && i < pictures * each; i++) index[i] = (int32_t)(i / each * (each + 1) + 1 + i % each);
    return pct_op_gather_rows(tape, rows, index, index ? pictures * each : 0);
}

pct_tensor *pct_tower_classes(pct_tape *tape, pct_tensor *rows, int64_t pictures) {
    int64_t each = pct_tensor_rows(rows) / pictures;
    int32_t *index = pct_tape_ints(tape, pictures);
    for (int64_t i = 0; index && i < pictures; i++) index[i] = (int32_t)(i * each);
    return pct_op_gather_rows(tape, rows, index, index ? pictures : 0);
}
