#include "heads/grounding.h"

#include <math.h>

#define SCALE 20.0 /* as naming's, whose cosines these are */

void pct_grounding_build(pct_grounding *grounding, pct_builder *builder, int64_t width) {
    grounding->scale = pct_build_vector(builder, SCALE, 1, "percept.grounding.scale");
    pct_linear_build(&grounding->map, builder, width, width, false, 0.25, "percept.grounding.map");
}

pct_ground pct_grounding_prepare(pct_tape *tape, const pct_grounding *grounding, pct_tensor *cells, pct_tensor *prefix,
                                 int64_t pictures) {
    pct_ground ground = {.rows = pct_tensor_rows(cells) / pictures};
    int32_t *first = pct_tape_ints(tape, pictures);
    if (!first) return ground;
    for (int64_t p = 0; p < pictures; p++) first[p] = (int32_t)(p * ground.rows);
    pct_tensor *none = pct_tape_zeros(tape, 2, (int64_t[]){pictures, pct_tensor_width(cells)});
    ground.keys = pct_op_replace_rows(tape, pct_op_unit_rows(tape, cells, (pct_real)1e-6), none, first, pictures);
    ground.values = pct_linear_apply(tape, &grounding->map, prefix);
    return ground;
}

/* The spans' words alone, one span behind the other; *index their rows. */
static pct_tensor *take_words(pct_tape *tape, pct_tensor *x, pct_span *spans, int64_t span_count, int64_t count,
                              int32_t *index) {
    int32_t next = 0;
    for (int64_t s = 0; s < span_count; s++) {
        for (int32_t i = 0; i < spans[s].q_count; i++) index[next + i] = spans[s].q_begin + i;
        spans[s].q_begin = next;
        next += spans[s].q_count;
    }
    return pct_op_gather_rows(tape, x, index, count);
}

pct_tensor *pct_grounding_words(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                pct_tensor *words, const pct_span *spans, int64_t span_count) {
    int64_t rows = pct_tensor_rows(words), width = pct_tensor_width(words), count = 0;
    for (int64_t s = 0; s < span_count; s++) count += spans[s].q_count;
    if (count == 0) return words;
    int32_t *index = pct_tape_ints(tape, count);
    pct_span *own = pct_tape_array(tape, span_count, sizeof *own);
    if (pct_tape_failed(tape)) return words;
    for (int64_t s = 0; s < span_count; s++) own[s] = spans[s];
    pct_tensor *x = count < rows ? take_words(tape, words, own, span_count, count, index) : words;
    /* Attention divides by the root of the width. */
    x = pct_op_scale(tape, pct_op_unit_rows(tape, x, (pct_real)1e-6), (pct_real)sqrt((double)width));
    x = pct_op_scale_by(tape, x, &grounding->scale->tensor);
    x = pct_op_attention(tape, x, ground->keys, ground->values, 1, 1, own, span_count);
    if (count < rows) {
        pct_tensor *none = pct_tape_zeros(tape, 2, (int64_t[]){rows, width});
        x = pct_op_replace_rows(tape, none, x, index, count);
    }
    return pct_op_add(tape, words, x);
}
