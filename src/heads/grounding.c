#include "heads/grounding.h"

#include <math.h>

#define SCALE   20.0 /* as naming's, whose cosines these are */
#define GAIN    0.25 /* cells are about 1 strong, embeddings some 0.1 */
#define EPSILON ((pct_real)1e-6)

void pct_grounding_build(pct_grounding *grounding, pct_builder *builder, int64_t vocabulary, int64_t width) {
    grounding->scale = pct_build_vector(builder, SCALE, 1, "percept.grounding.scale");
    const bool frozen = builder->frozen;
    builder->frozen = true;
    grounding->names = pct_build_weight(builder, PCT_INIT_CONSTANT, 1, 2, (int64_t[]){vocabulary, 1}, false, true,
                                        "percept.grounding.names");
    builder->frozen = frozen;
    pct_linear_build(&grounding->map, builder, width, width, false, GAIN, "percept.grounding.map");
}

void pct_grounding_begin(pct_grounding *grounding, const int32_t *ids, int64_t count) {
    pct_tensor *names = &grounding->names->tensor;
    for (int64_t i = 0; i < pct_tensor_count(names); i++) pct_tensor_data(names)[i] = 0;
    pct_grounding_add(grounding, ids, count);
}

void pct_grounding_add(pct_grounding *grounding, const int32_t *ids, int64_t count) {
    for (int64_t i = 0; i < count; i++) pct_tensor_data(&grounding->names->tensor)[ids[i]] = 1;
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

/* The look's tokens that are in names, or all where none is; returns how many. */
static int32_t choose_tokens(const pct_grounding *grounding, const pct_look *look, int32_t *out) {
    const pct_real *names = pct_tensor_data(&grounding->names->tensor);
    int32_t count = 0;
    for (int32_t i = 0; i < look->count; i++)
        if (names[look->ids[i]] > (pct_real)0.5) out[count++] = look->ids[i];
    for (int32_t i = 0; !count && i < look->count; i++) out[i] = look->ids[i];
    return count ? count : look->count;
}

/* Ground with copies of their pictures' rows for the looks that leave some out, one look after the other. */
static pct_ground leave_out(pct_tape *tape, const pct_ground *ground, const pct_look *looks, int64_t count) {
    int64_t copies = 0, rows = ground->rows, used = 0;
    for (int64_t i = 0; i < count; i++) copies += looks[i].gone_count > 0;
    int32_t *index = copies ? pct_tape_ints(tape, copies * rows) : NULL;
    if (!index) return *ground;
    for (int64_t i = 0; i < count; i++) {
        const pct_look *look = &looks[i];
        if (look->gone_count == 0) continue;
        const int32_t first = (int32_t)(look->picture * rows);
        int32_t next = 0;
        for (int32_t r = 0; r < rows; r++) {
            while (next < look->gone_count && look->gone[next] < r) next++;
            const bool gone = next < look->gone_count && look->gone[next] == r;
            index[used++] = gone ? first : first + r;
        }
    }
    pct_ground both = {.rows = rows};
    pct_tensor *keys = pct_op_gather_rows(tape, ground->keys, index, used);
    pct_tensor *values = pct_op_gather_rows(tape, ground->values, index, used);
    both.keys = pct_op_concat_rows(tape, (pct_tensor *[]){ground->keys, keys}, 2);
    both.values = pct_op_concat_rows(tape, (pct_tensor *[]){ground->values, values}, 2);
    return both;
}

pct_tensor *pct_grounding_phrases(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                  const pct_language *language, pct_tensor *words, const pct_look *looks,
                                  int64_t count) {
    int64_t tokens = 0;
    for (int64_t i = 0; i < count; i++) tokens += looks[i].count;
    if (count == 0) return words;
    int32_t *ids = pct_tape_ints(tape, tokens + 1), *offset = pct_tape_ints(tape, count + 1);
    int32_t *rows = pct_tape_ints(tape, count), *order = pct_tape_ints(tape, tokens + 1);
    pct_span *spans = pct_tape_array(tape, count, sizeof *spans);
    if (pct_tape_failed(tape)) return words;
    offset[0] = 0;
    int64_t copied = pct_tensor_rows(ground->keys);
    const pct_ground all = leave_out(tape, ground, looks, count);
    for (int64_t i = 0; i < count; i++) {
        rows[i] = looks[i].row;
        offset[i + 1] = offset[i] + choose_tokens(grounding, &looks[i], ids + offset[i]);
        spans[i] = (pct_span){.q_begin = (int32_t)i, .q_count = 1, .shared_count = (int32_t)ground->rows};
        spans[i].shared_begin = (int32_t)(looks[i].gone_count > 0 ? copied : looks[i].picture * ground->rows);
        if (looks[i].gone_count > 0) copied += ground->rows;
    }
    pct_tensor *spoken = pct_language_words(tape, language, ids, offset[count]);
    for (int32_t i = 0; i < offset[count]; i++) order[i] = i;
    pct_tensor *q = pct_op_unit_rows(tape, pct_op_mean_rows(tape, spoken, order, offset, count), EPSILON);
    q = pct_op_scale(tape, q, (pct_real)sqrt((double)pct_tensor_width(words))); /* by whose root attention divides */
    q = pct_op_scale_by(tape, q, &grounding->scale->tensor);
    pct_tensor *found = pct_op_attention(tape, q, all.keys, all.values, 1, 1, spans, count);
    found =
        pct_op_add(tape, pct_op_gather_rows(tape, words, rows, count), pct_linear_apply(tape, &grounding->map, found));
    return pct_op_replace_rows(tape, words, found, rows, count);
}

pct_tensor *pct_grounding_regions(pct_tape *tape, const pct_grounding *grounding, const pct_ground *ground,
                                  pct_tensor *codes, const int32_t *index, const int32_t *offset) {
    pct_tensor *mean = pct_op_mean_rows(tape, ground->values, index, offset, pct_tensor_rows(codes));
    return pct_op_add(tape, codes, pct_linear_apply(tape, &grounding->map, mean));
}
