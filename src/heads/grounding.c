#include "heads/grounding.h"

#include <math.h>

#define SCALE   20.0  /* as naming's, whose cosines these are */
#define FOUND   0.125 /* embeddings are some 0.1 strong, cells 1 */
#define GAIN    0.25
#define REST    12 /* of tokens that are in no name: e^12 against a hundred cells */
#define EPSILON ((pct_real)1e-6)

void pct_grounding_build(pct_grounding *grounding, pct_builder *builder, int64_t vocabulary, int64_t width) {
    grounding->scale = pct_build_vector(builder, SCALE, 1, "percept.grounding.scale");
    grounding->found = pct_build_vector(builder, FOUND, 1, "percept.grounding.found");
    grounding->rest = pct_build_weight(builder, PCT_INIT_CONSTANT, 0, 2, (int64_t[]){vocabulary, 1}, false, true,
                                       "percept.grounding.rest");
    pct_linear_build(&grounding->map, builder, 2 * width, width, false, GAIN, "percept.grounding.map");
}

void pct_grounding_begin(pct_grounding *grounding, const int32_t *ids, int64_t count) {
    pct_tensor *rest = &grounding->rest->tensor;
    for (int64_t i = 0; i < pct_tensor_count(rest); i++) pct_tensor_data(rest)[i] = REST;
    for (int64_t i = 0; i < count; i++) pct_tensor_data(rest)[ids[i]] = 0;
}

pct_ground pct_grounding_prepare(pct_tape *tape, pct_tensor *cells, pct_tensor *prefix, int64_t pictures) {
    const int64_t all = pct_tensor_rows(cells);
    pct_ground ground = {.rows = all / pictures, .values = prefix};
    int32_t *first = pct_tape_ints(tape, pictures);
    if (!first) return ground;
    pct_tensor *none = pct_tape_zeros(tape, 2, (int64_t[]){pictures, pct_tensor_width(cells)});
    pct_tensor *nothing = pct_tape_zeros(tape, 2, (int64_t[]){all, 1}), *pad = pct_tape_zeros(tape, 2, nothing->dim);
    for (int64_t p = 0; p < pictures && !pct_tape_failed(tape); p++) {
        first[p] = (int32_t)(p * ground.rows);
        pct_tensor_data(nothing)[first[p]] = 1;
    }
    pct_tensor *keys = pct_op_replace_rows(tape, pct_op_unit_rows(tape, cells, EPSILON), none, first, pictures);
    ground.keys = pct_op_concat_columns(tape, (pct_tensor *[]){keys, nothing}, 2);
    ground.padded = pct_op_concat_columns(tape, (pct_tensor *[]){prefix, pad}, 2);
    return ground;
}

/* (rows, width+1): a word's cosines, scaled, and its wish for nothing. */
static pct_tensor *ask(pct_tape *tape, const pct_grounding *grounding, pct_tensor *x, pct_tensor *rest) {
    x = pct_op_scale_by(tape, pct_op_unit_rows(tape, x, EPSILON), &grounding->scale->tensor);
    return pct_op_concat_columns(tape, (pct_tensor *[]){x, rest}, 2);
}

pct_tensor *pct_grounding_words(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                const pct_grounding_text *text) {
    pct_tensor *words = text->words;
    const int64_t rows = pct_tensor_rows(words), width = pct_tensor_width(words);
    int64_t count = 0, next = 0;
    for (int64_t s = 0; s < text->look_count; s++) count += text->looks[s].q_count;
    if (count == 0) return words;
    int32_t *index = pct_tape_ints(tape, count);
    pct_span *own = pct_tape_array(tape, text->look_count, sizeof *own);
    if (pct_tape_failed(tape)) return words;
    for (int64_t s = 0; s < text->look_count; s++) {
        own[s] = text->looks[s];
        own[s].q_begin = (int32_t)next;
        for (int32_t i = 0; i < own[s].q_count; i++) index[next++] = text->looks[s].q_begin + i;
    }
    pct_tensor *rest = pct_op_gather_rows(tape, &grounding->rest->tensor, text->ids, rows);
    pct_tensor *single = ask(tape, grounding, words, rest);
    pct_tensor *pair = ask(tape, grounding, pct_op_add(tape, words, text->before), rest);
    pct_tensor *q = pct_op_concat_columns(tape, (pct_tensor *[]){single, pair}, 2);
    if (count < rows) q = pct_op_gather_rows(tape, q, index, count);
    q = pct_op_scale(tape, q, (pct_real)sqrt((double)width + 1)); /* by whose root attention divides */
    pct_tensor *found = pct_op_attention(tape, q, ground->keys, ground->padded, 2, 1, own, text->look_count);
    single = pct_op_slice_columns(tape, found, 0, width);
    pair = pct_op_slice_columns(tape, found, width + 1, 2 * width + 1);
    found = pct_op_concat_columns(tape, (pct_tensor *[]){single, pair}, 2);
    found = pct_linear_apply(tape, &grounding->map, found);
    found = pct_op_scale_by(tape, found, &grounding->found->tensor);
    if (count < rows) {
        pct_tensor *nothing = pct_tape_zeros(tape, 2, (int64_t[]){rows, width});
        found = pct_op_replace_rows(tape, nothing, found, index, count);
    }
    return pct_op_add(tape, words, found);
}

pct_tensor *pct_grounding_regions(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                  pct_tensor *codes, const int32_t *index, const int32_t *offset) {
    pct_tensor *mean = pct_op_mean_rows(tape, ground->values, index, offset, pct_tensor_rows(codes));
    mean = pct_op_concat_columns(tape, (pct_tensor *[]){mean, mean}, 2);
    return pct_op_add(tape, codes, pct_linear_apply(tape, &grounding->map, mean));
}
