#include "language/language.h"

#include <math.h>
#include <string.h>

/* Mimetic initialisation (Trockman and Kolter, arXiv 2305.09828): each query head begins as a blend of its own normal
 * numbers and its key head's, so that W_q^T W_k is near a multiple of the identity on what the head sees and a row
 * attends to rows like it: a word to the cells that are named by it, before anything is learned. Both are doubled: the
 * same direction then weighs about e^4, enough to stand out of a hundred cells. */
static void begin_mimetic(const pct_language_layer *layer, const pct_language_options *o) {
    const int64_t head = (int64_t)(o->width / o->heads) * o->width; /* numbers of one head */
    pct_real *k = pct_tensor_data(&layer->k.weight->tensor), *q = pct_tensor_data(&layer->q.weight->tensor);
    for (int64_t i = 0; i < head * o->kv_heads; i++) k[i] *= 2;
    for (int64_t h = 0; h < o->heads; h++)
        for (int64_t i = 0; i < head; i++)
            q[h * head + i] = (pct_real)0.7 * (2 * q[h * head + i] + k[h / (o->heads / o->kv_heads) * head + i]);
}

static void build_layer(pct_language_layer *layer, pct_builder *builder, const pct_language_options *o, int i) {
    const double gain = 0.5, residual = gain / sqrt(2.0 * o->layers);
    int64_t width = o->width, keys = width / o->heads * o->kv_heads;
    pct_norm_build(&layer->attention_norm, builder, width, o->norm_epsilon, true, "blk.%d.attn_norm", i);
    pct_linear_build(&layer->q, builder, width, width, false, gain, "blk.%d.attn_q", i);
    pct_linear_build(&layer->k, builder, width, keys, false, gain, "blk.%d.attn_k", i);
    pct_linear_build(&layer->v, builder, width, keys, false, gain, "blk.%d.attn_v", i);
    pct_linear_build(&layer->out, builder, width, width, false, residual, "blk.%d.attn_output", i);
    pct_norm_build(&layer->mlp_norm, builder, width, o->norm_epsilon, true, "blk.%d.ffn_norm", i);
    pct_linear_build(&layer->gate, builder, width, o->mlp, false, gain, "blk.%d.ffn_gate", i);
    pct_linear_build(&layer->up, builder, width, o->mlp, false, gain, "blk.%d.ffn_up", i);
    pct_linear_build(&layer->down, builder, o->mlp, width, false, residual, "blk.%d.ffn_down", i);
    if (o->mimetic && builder->status == PERCEPT_OK) begin_mimetic(layer, o);
}

void pct_language_build(pct_language *language, pct_builder *builder, const pct_language_options *options) {
    *language = (pct_language){.options = *options};
    const pct_language_options *o = &language->options;
    PCT_ASSERT(o->layers <= PCT_LANGUAGE_MAX_LAYERS);
    language->embedding = pct_build_weight(builder, PCT_INIT_NORMAL, 0.02, 2, (int64_t[]){o->vocabulary, o->width},
                                           false, false, "token_embd.weight");
    bool frozen = builder->frozen;
    builder->frozen = frozen || builder->lora.rank > 0;
    for (int i = 0; i < o->layers; i++) build_layer(&language->layer[i], builder, o, i);
    builder->frozen = frozen;
    pct_norm_build(&language->norm, builder, o->width, o->norm_epsilon, true, "output_norm");
    if (o->tied) return;
    pct_linear_build(&language->output, builder, o->width, o->vocabulary, false, 0.5, "output");
    if (language->output.weight) language->output.weight->matrix = false; /* a table of words, as the embedding */
}

/* Rows of this call's keys or values go to the cache; what attention then reads is the cache. */
static pct_tensor *through_cache(pct_tape *tape, const pct_language_input *input, int layer, int which, pct_tensor *x) {
    pct_cache *cache = input->cache;
    pct_real *base = cache->memory + (size_t)(2 * layer + which) * (size_t)(cache->capacity * cache->width);
    int64_t rows = pct_tensor_rows(x);
    for (int64_t i = 0; i < rows && !pct_tape_failed(tape); i++)
        memcpy(base + input->cache_rows[i] * cache->width, pct_tensor_data(x) + i * cache->width,
               (size_t)cache->width * sizeof(pct_real));
    pct_tape_done(tape, x);
    return pct_tape_input(tape, PCT_REAL, 2, (int64_t[]){input->cache_used, cache->width}, base);
}

static pct_tensor *apply_mlp(pct_tape *tape, const pct_language_layer *layer, pct_tensor *x) {
    const bool half = pct_linear_takes_half(&layer->gate) && pct_linear_takes_half(&layer->up);
    pct_tensor *y = pct_norm_apply_half(tape, &layer->mlp_norm, x, half);
    pct_tensor *gate = pct_linear_apply(tape, &layer->gate, y), *up = pct_linear_apply(tape, &layer->up, y);
    pct_tape_done(tape, y);
    pct_tensor *active =
        pct_linear_takes_half(&layer->down) ? pct_op_swiglu_half(tape, gate, up) : pct_op_swiglu(tape, gate, up);
    pct_tape_done(tape, gate);
    pct_tape_done(tape, up);
    y = pct_linear_apply_onto(tape, &layer->down, x, active);
    pct_tape_done(tape, active);
    pct_tape_done(tape, x);
    return y;
}

/* One layer. chosen: the rows that go on (NULL: all). */
typedef struct chosen_rows {
    const int32_t *index, *positions;
    int64_t count;
    const pct_span *spans;
    int64_t span_count;
} chosen_rows;

static pct_tensor *apply_layer(pct_tape *tape, const pct_language *language, const pct_language_input *input, int index,
                               pct_tensor *x, const chosen_rows *chosen) {
    const pct_language_layer *layer = &language->layer[index];
    const pct_language_options *o = &language->options;
    int head = o->width / o->heads;
    pct_tensor *given = index > 0 ? x : NULL; /* to be given back: made by the layer before, read here alone */
    const bool half =
        pct_linear_takes_half(&layer->q) && pct_linear_takes_half(&layer->k) && pct_linear_takes_half(&layer->v);
    pct_tensor *y = pct_norm_apply_half(tape, &layer->attention_norm, x, half && !chosen);
    pct_tensor *straight = pct_linear_apply(tape, &layer->k, y), *v = pct_linear_apply(tape, &layer->v, y);
    pct_tensor *k = pct_op_rotate(tape, straight, o->kv_heads, head, true, o->rope_theta, input->positions);
    pct_tape_done(tape, straight);
    if (input->cache) {
        k = through_cache(tape, input, index, 0, k);
        v = through_cache(tape, input, index, 1, v);
    }
    const pct_span *spans = input->spans;
    int64_t span_count = input->span_count;
    const int32_t *positions = input->positions;
    if (chosen) {
        if (!chosen->count) return NULL;
        x = pct_op_gather_rows(tape, x, chosen->index, chosen->count);
        pct_tensor *all = y;
        y = pct_op_gather_rows(tape, all, chosen->index, chosen->count);
        pct_tape_done(tape, all);
        positions = chosen->positions;
        spans = chosen->spans;
        span_count = chosen->span_count;
    }
    straight = pct_linear_apply(tape, &layer->q, y);
    pct_tape_done(tape, y);
    pct_tensor *q = pct_op_rotate(tape, straight, o->heads, head, true, o->rope_theta, positions);
    pct_tape_done(tape, straight);
    y = pct_op_attention(tape, q, k, v, o->heads, o->kv_heads, spans, span_count);
    pct_tape_done(tape, q);
    pct_tape_done(tape, k);
    pct_tape_done(tape, v);
    x = pct_linear_apply_onto(tape, &layer->out, x, y);
    pct_tape_done(tape, y);
    if (given) pct_tape_done(tape, given);
    return apply_mlp(tape, layer, x);
}

pct_tensor *pct_language_states(pct_tape *tape, const pct_language *language, const pct_language_input *input) {
    PCT_ASSERT(!input->cache || !tape->record);
    int last = language->options.layers - 1;
    chosen_rows chosen = {input->wanted, NULL, input->wanted_count, input->wanted_spans, input->wanted_span_count};
    int32_t *positions = pct_tape_ints(tape, chosen.count);
    for (int64_t i = 0; positions && i < chosen.count; i++) positions[i] = input->positions[input->wanted[i]];
    chosen.positions = positions;
    pct_tensor *x = input->x;
    for (int i = 0; i < last; i++) x = apply_layer(tape, language, input, i, x, NULL);
    x = apply_layer(tape, language, input, last, x, &chosen);
    return x ? pct_norm_apply(tape, &language->norm, x) : NULL;
}

pct_tensor *pct_language_logits(pct_tape *tape, const pct_language *language, pct_tensor *states) {
    if (!language->options.tied) return pct_linear_apply(tape, &language->output, states);
    return pct_op_linear(tape, states, &language->embedding->tensor, NULL);
}
