#include "language/language.h"

#include "kernels/attend_stored.h"

#include <math.h>
#include <string.h>

/* Mimetic initialisation (Trockman and Kolter, arXiv 2305.09828): each query head begins as a blend of its own normal
 * numbers and its key head's, so that W_q^T W_k is near a multiple of the identity on what the head sees and a row
 * attends to rows like it: a word to the cells that are named by it, before anything is learned. Both are doubled: the
 * same direction then weighs about e^4, enough to stand out of a hundred cells. */
static void begin_mimetic(const pct_language_layer *layer, const pct_language_options *o) {
    const int64_t head = (int64_t)o->head_width * o->width; /* numbers of one head */
    pct_real *k = pct_tensor_data(&layer->k.weight->tensor), *q = pct_tensor_data(&layer->q.weight->tensor);
    for (int64_t i = 0; i < head * o->kv_heads; i++) k[i] *= 2;
    for (int64_t h = 0; h < o->heads; h++)
        for (int64_t i = 0; i < head; i++)
            q[h * head + i] = (pct_real)0.7 * (2 * q[h * head + i] + k[h / (o->heads / o->kv_heads) * head + i]);
}

static void build_layer(pct_language_layer *layer, pct_builder *builder, const pct_language_options *o, int i) {
    const double gain = 0.5, residual = gain / sqrt(2.0 * o->layers);
    int64_t width = o->width, queries = (int64_t)o->head_width * o->heads, keys = (int64_t)o->head_width * o->kv_heads;
    pct_norm_build(&layer->attention_norm, builder, width, o->norm_epsilon, true, "blk.%d.attn_norm", i);
    pct_linear_build(&layer->q, builder, width, queries, o->bias, gain, "blk.%d.attn_q", i);
    pct_linear_build(&layer->k, builder, width, keys, o->bias, gain, "blk.%d.attn_k", i);
    pct_linear_build(&layer->v, builder, width, keys, o->bias, gain, "blk.%d.attn_v", i);
    pct_linear_build(&layer->out, builder, queries, width, false, residual, "blk.%d.attn_output", i);
    pct_norm_build(&layer->mlp_norm, builder, width, o->norm_epsilon, true, "blk.%d.ffn_norm", i);
    pct_linear_build(&layer->gate, builder, width, o->mlp, false, gain, "blk.%d.ffn_gate", i);
    pct_linear_build(&layer->up, builder, width, o->mlp, false, gain, "blk.%d.ffn_up", i);
    pct_linear_build(&layer->down, builder, o->mlp, width, false, residual, "blk.%d.ffn_down", i);
    if (o->mimetic && builder->status == PERCEPT_OK) begin_mimetic(layer, o);
}

/* Tables of the tokens that came later. Few rows: F32 wherever they lie. */
static void build_added(pct_language *language, pct_builder *builder) {
    const int64_t dim[2] = {language->options.added, language->options.width};
    language->added =
        pct_build_weight(builder, PCT_INIT_NORMAL, 0.02, 2, dim, false, true, "percept.added.token_embd.weight");
    language->added_output = language->options.tied ? language->added
                                                    : pct_build_weight(builder, PCT_INIT_NORMAL, 0.02, 2, dim, false,
                                                                       true, "percept.added.output.weight");
}

void pct_language_build(pct_language *language, pct_builder *builder, const pct_language_options *options) {
    *language = (pct_language){.options = *options};
    pct_language_options *o = &language->options;
    PCT_ASSERT(o->layers <= PCT_LANGUAGE_MAX_LAYERS);
    if (o->head_width == 0) o->head_width = o->width / o->heads;
    if (o->rotary == 0) o->rotary = o->head_width;
    const bool outer = builder->frozen, frozen = outer || o->added > 0;
    const int64_t own = o->vocabulary - o->added;
    builder->frozen = frozen;
    language->embedding = pct_build_weight(builder, PCT_INIT_NORMAL, 0.02, 2, (int64_t[]){own, o->width}, false, false,
                                           "token_embd.weight");
    builder->frozen = true; /* part of the positions, not learned */
    if (o->rope_factors) language->rope_factors = pct_build_vector(builder, 1, o->rotary / 2, "rope_freqs.weight");
    builder->frozen = frozen || builder->lora.rank > 0;
    for (int i = 0; i < o->layers; i++) build_layer(&language->layer[i], builder, o, i);
    builder->frozen = frozen;
    pct_norm_build(&language->norm, builder, o->width, o->norm_epsilon, true, "output_norm");
    if (!o->tied) pct_linear_build(&language->output, builder, o->width, own, false, 0.5, "output");
    if (language->output.weight) language->output.weight->matrix = false; /* a table of words, as the embedding */
    builder->frozen = outer;
    if (o->added > 0) build_added(language, builder);
}

static void keep_fine(pct_parameter *parameter) {
    if (parameter) parameter->fine = true;
}

void pct_language_keep_fine(pct_language *language) {
    for (int i = 0; i < language->options.layers; i++) keep_fine(language->layer[i].down.weight);
    keep_fine(language->options.tied ? language->embedding : language->output.weight);
}

/* What the angles of a language model's rotary positions are. */
static pct_rotary_form rotary_form(const pct_language *language) {
    const pct_language_options *o = &language->options;
    return (pct_rotary_form){
        .count = o->rotary,
        .interleaved = !o->halves,
        .theta = o->rope_theta,
        .slow = o->rope_slow,
        .factors = language->rope_factors ? pct_tensor_data(&language->rope_factors->tensor) : NULL,
    };
}

/* Rows of this call's keys or values go to the cache. */
static void to_cache(pct_tape *tape, const pct_language_input *input, int layer, int which, pct_tensor *x) {
    pct_cache *cache = input->cache;
    const int64_t rows = pct_tensor_rows(x);
    if (pct_tape_failed(tape)) return;
    if (cache->type != PCT_REAL) {
        pct_cache_put(cache, tape->compute, layer, which, input->cache_rows, rows, pct_tensor_data(x));
    } else {
        pct_real *base = pct_cache_at(cache, layer, which);
        for (int64_t i = 0; i < rows; i++)
            memcpy(base + input->cache_rows[i] * cache->width, pct_tensor_data(x) + i * cache->width,
                   (size_t)cache->width * sizeof(pct_real));
    }
    pct_tape_done(tape, x);
}

/* What attention reads of the cache. */
static pct_tensor *from_cache(pct_tape *tape, const pct_language_input *input, int layer, int which) {
    const pct_cache *cache = input->cache;
    const int64_t dim[2] = {input->cache_used, cache->width};
    if (cache->type == PCT_REAL) return pct_tape_input(tape, PCT_REAL, 2, dim, pct_cache_at(cache, layer, which));
    pct_tensor *wide = pct_tape_tensor(tape, PCT_REAL, 2, dim);
    if (!pct_tape_failed(tape))
        pct_cache_get(cache, tape->compute, layer, which, input->cache_used, pct_tensor_data(wide));
    return wide;
}

static bool few_queries(const pct_span *spans, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (spans[i].q_count > PCT_STORED_QUERIES) return false;
    return true;
}

/* A few rows read a narrow cache as it is. */
static pct_tensor *attend_stored(pct_tape *tape, const pct_language *language, const pct_cache *cache, int layer,
                                 pct_tensor *q, const pct_span *spans, int64_t span_count) {
    const pct_language_options *o = &language->options;
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 2, q->dim);
    if (pct_tape_failed(tape)) return y;
    const pct_attention attention = {
        .heads = o->heads,
        .kv_heads = o->kv_heads,
        .head_dim = o->head_width,
        .scale = (pct_real)(1 / sqrt((double)o->head_width)),
        .spans = spans,
        .span_count = span_count,
        .q = pct_tensor_data(q),
        .ldq = pct_tensor_width(q),
        .ldo = pct_tensor_width(q),
        .out = pct_tensor_data(y),
    };
    const pct_stored_rows stored = {cache->type, pct_cache_at(cache, layer, 0), pct_cache_at(cache, layer, 1),
                                    cache->capacity};
    pct_attention_stored_run(tape->compute, &attention, &stored);
    return y;
}

static pct_tensor *apply_mlp(pct_tape *tape, const pct_language_layer *layer, pct_tensor *x) {
    const bool half = pct_linear_takes_half(&layer->gate) && pct_linear_takes_half(&layer->up);
    pct_tensor *y = pct_norm_apply_half(tape, &layer->mlp_norm, x, half);
    pct_tensor *gated[2]; /* gate, up */
    pct_linear_apply_many(tape, (const pct_linear *const[]){&layer->gate, &layer->up}, 2, y, gated);
    pct_tape_done(tape, y);
    pct_tensor *active = pct_linear_takes_half(&layer->down) ? pct_op_swiglu_half(tape, gated[0], gated[1])
                                                             : pct_op_swiglu(tape, gated[0], gated[1]);
    pct_tape_done(tape, gated[0]);
    pct_tape_done(tape, gated[1]);
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

/* Queries meet the keys and values of this call or, with a cache, those of the cache. All three are done then. */
static pct_tensor *attend(pct_tape *tape, const pct_language *language, const pct_language_input *input, int index,
                          pct_tensor *q, pct_tensor *k, pct_tensor *v, const pct_span *spans, int64_t span_count) {
    const pct_language_options *o = &language->options;
    pct_tensor *y;
    if (input->cache && input->cache->type != PCT_REAL && few_queries(spans, span_count)) {
        y = attend_stored(tape, language, input->cache, index, q, spans, span_count);
        pct_tape_done(tape, q);
        return y;
    }
    if (input->cache) {
        k = from_cache(tape, input, index, 0);
        v = from_cache(tape, input, index, 1);
    }
    y = pct_op_attention(tape, q, k, v, o->heads, o->kv_heads, spans, span_count);
    pct_tape_done(tape, q);
    pct_tape_done(tape, k);
    pct_tape_done(tape, v);
    return y;
}

static pct_tensor *apply_layer(pct_tape *tape, const pct_language *language, const pct_language_input *input, int index,
                               pct_tensor *x, const chosen_rows *chosen) {
    const pct_language_layer *layer = &language->layer[index];
    const pct_language_options *o = &language->options;
    const pct_rotary_form form = rotary_form(language);
    pct_tensor *given = index > 0 ? x : NULL; /* to be given back: made by the layer before, read here alone */
    const bool half =
        pct_linear_takes_half(&layer->q) && pct_linear_takes_half(&layer->k) && pct_linear_takes_half(&layer->v);
    pct_tensor *y = pct_norm_apply_half(tape, &layer->attention_norm, x, half && !chosen);
    pct_tensor *made[3] = {NULL, NULL, NULL}; /* k, v, and q where all rows go on */
    pct_linear_apply_many(tape, (const pct_linear *const[]){&layer->k, &layer->v, &layer->q}, chosen ? 2 : 3, y, made);
    pct_tensor *k = pct_op_rotate(tape, made[0], o->kv_heads, &form, input->positions), *v = made[1];
    pct_tape_done(tape, made[0]);
    if (input->cache) {
        to_cache(tape, input, index, 0, k);
        to_cache(tape, input, index, 1, v);
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
        made[2] = pct_linear_apply(tape, &layer->q, y);
    }
    pct_tape_done(tape, y);
    pct_tensor *q = pct_op_rotate(tape, made[2], o->heads, &form, positions);
    pct_tape_done(tape, made[2]);
    y = attend(tape, language, input, index, q, k, v, spans, span_count);
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
    for (int i = 0; i <= last; i++) {
        x = apply_layer(tape, language, input, i, x, i == last ? &chosen : NULL);
        if (input->layer && x && !pct_tape_failed(tape)) input->layer(input->context, i, x);
    }
    return x ? pct_norm_apply(tape, &language->norm, x) : NULL;
}

pct_tensor *pct_language_words(pct_tape *tape, const pct_language *language, const int32_t *ids, int64_t count) {
    const int32_t own = language->options.vocabulary - language->options.added;
    int32_t later = 0;
    for (int64_t i = 0; i < count; i++) later += ids[i] >= own;
    if (!later) return pct_op_gather_rows(tape, &language->embedding->tensor, ids, count);
    int32_t *first = pct_tape_ints(tape, count), *second = pct_tape_ints(tape, later);
    int32_t *places = pct_tape_ints(tape, later);
    if (pct_tape_failed(tape)) return pct_tape_zeros(tape, 2, (int64_t[]){count, language->options.width});
    later = 0;
    for (int64_t i = 0; i < count; i++) {
        first[i] = ids[i] < own ? ids[i] : 0;
        if (ids[i] < own) continue;
        places[later] = (int32_t)i;
        second[later++] = ids[i] - own;
    }
    pct_tensor *words = pct_op_gather_rows(tape, &language->embedding->tensor, first, count);
    pct_tensor *added = pct_op_gather_rows(tape, &language->added->tensor, second, later);
    return pct_op_replace_rows(tape, words, added, places, later);
}

pct_tensor *pct_language_logits(pct_tape *tape, const pct_language *language, pct_tensor *states) {
    pct_tensor *own = language->options.tied ? pct_op_linear(tape, states, &language->embedding->tensor, NULL)
                                             : pct_linear_apply(tape, &language->output, states);
    if (!language->added_output) return own;
    pct_tensor *added = pct_op_linear(tape, states, &language->added_output->tensor, NULL);
    pct_tensor *all = pct_op_concat_columns(tape, (pct_tensor *[]){own, added}, 2);
    pct_tape_done(tape, own);
    return all;
}
