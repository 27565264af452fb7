#include "heads/grounding.h"

#include <math.h>

#define SCALE   20.0 /* as naming's, whose cosines these are */
#define WORDS   8.0  /* embeddings are some 0.1 strong, cells 1 */
#define GAIN    0.25
#define EPSILON ((pct_real)1e-6)

void pct_grounding_build(pct_grounding *grounding, pct_builder *builder, int64_t width) {
    grounding->scale = pct_build_vector(builder, SCALE, 1, "percept.grounding.scale");
    grounding->words = pct_build_vector(builder, WORDS, 1, "percept.grounding.words");
    pct_linear_build(&grounding->map, builder, 2 * width, width, false, GAIN, "percept.grounding.map");
}

pct_ground pct_grounding_prepare(pct_tape *tape, pct_tensor *cells, pct_tensor *prefix, int64_t pictures) {
    pct_ground ground = {.values = prefix, .rows = pct_tensor_rows(cells) / pictures};
    int32_t *first = pct_tape_ints(tape, pictures);
    if (!first) return ground;
    for (int64_t p = 0; p < pictures; p++) first[p] = (int32_t)(p * ground.rows);
    pct_tensor *none = pct_tape_zeros(tape, 2, (int64_t[]){pictures, pct_tensor_width(cells)});
    ground.keys = pct_op_replace_rows(tape, pct_op_unit_rows(tape, cells, EPSILON), none, first, pictures);
    return ground;
}

pct_tensor *pct_grounding_words(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                pct_tensor *words, pct_tensor *before, const pct_span *spans, int64_t span_count) {
    const int64_t rows = pct_tensor_rows(words), width = pct_tensor_width(words);
    int64_t count = 0, next = 0;
    for (int64_t s = 0; s < span_count; s++) count += spans[s].q_count;
    pct_tensor *strong = pct_op_scale_by(tape, words, &grounding->words->tensor);
    if (count == 0) return strong;
    int32_t *index = pct_tape_ints(tape, count);
    pct_span *own = pct_tape_array(tape, span_count, sizeof *own);
    if (pct_tape_failed(tape)) return words;
    for (int64_t s = 0; s < span_count; s++) {
        own[s] = spans[s];
        own[s].q_begin = (int32_t)next;
        for (int32_t i = 0; i < spans[s].q_count; i++) index[next++] = spans[s].q_begin + i;
    }
    pct_tensor *pair = pct_op_unit_rows(tape, pct_op_add(tape, words, before), EPSILON);
    pct_tensor *q = pct_op_concat_columns(tape, (pct_tensor *[]){pct_op_unit_rows(tape, words, EPSILON), pair}, 2);
    if (count < rows) q = pct_op_gather_rows(tape, q, index, count);
    q = pct_op_scale(tape, q, (pct_real)sqrt((double)width)); /* by whose root attention divides */
    q = pct_op_scale_by(tape, q, &grounding->scale->tensor);
    pct_tensor *found = pct_op_attention(tape, q, ground->keys, ground->values, 2, 1, own, span_count);
    found = pct_linear_apply(tape, &grounding->map, found);
    if (count < rows) {
        pct_tensor *nothing = pct_tape_zeros(tape, 2, (int64_t[]){rows, width});
        found = pct_op_replace_rows(tape, nothing, found, index, count);
    }
    return pct_op_add(tape, strong, found);
}

pct_tensor *pct_grounding_regions(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                  pct_tensor *codes, const int32_t *index, const int32_t *offset) {
    pct_tensor *mean = pct_op_mean_rows(tape, ground->values, index, offset, pct_tensor_rows(codes));
    mean = pct_op_concat_columns(tape, (pct_tensor *[]){mean, mean}, 2);
    return pct_op_add(tape, codes, pct_linear_apply(tape, &grounding->map, mean));
}
