/* spelling.c: the tokens of regions as text, and reading them. See spelling.h; writing is in outline.c. */
#include "model/spelling.h"

#include "base/size.h"
#include "image/polygon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char poly_text[] = "<poly>", part_text[] = "<part>", end_text[] = "</poly>";

void pct_spelling_list(pct_spelling_tokens *tokens, const pct_model_config *config) {
    tokens->count = 0;
    if (config->language.regions == PCT_REGIONS_TOKEN) return;
    const int32_t bins = (int32_t)pct_clamp_i64(config->language.bins, 0, PCT_SPELLING_MOST_TOKENS - 3);
    for (int32_t i = 0; i < bins; i++) {
        snprintf(tokens->room[i], sizeof tokens->room[i], "<bin_%d>", i);
        tokens->texts[tokens->count++] = tokens->room[i];
    }
    tokens->texts[tokens->count++] = poly_text;
    tokens->texts[tokens->count++] = part_text;
    tokens->texts[tokens->count++] = end_text;
}

percept_status pct_spelling_extend(pct_tokenizer **tokenizer, const pct_model_config *config, percept_error *error) {
    pct_spelling_tokens *tokens = malloc(sizeof *tokens);
    pct_tokenizer *longer = NULL;
    if (!tokens) return pct_fail_memory(error, "tokenizer");
    pct_spelling_list(tokens, config);
    int32_t missing = 0;
    for (int32_t i = 0; i < tokens->count; i++) missing += pct_tokenizer_special(*tokenizer, tokens->texts[i]) < 0;
    percept_status status =
        missing ? pct_tokenizer_extend(&longer, *tokenizer, tokens->texts, tokens->count, 0, error) : PERCEPT_OK;
    if (longer) {
        pct_tokenizer_destroy(tokenizer);
        *tokenizer = longer;
    }
    free(tokens);
    return status;
}

static percept_status find(const pct_tokenizer *tokenizer, const char *text, int32_t *id, percept_error *error) {
    *id = pct_tokenizer_special(tokenizer, text);
    if (*id >= 0) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_MODEL,
                    "the tokenizer has no special token %s, which language.regions: text and both write", text);
}

percept_status pct_spelling_init(pct_spelling *spelling, const pct_model_config *config, const pct_tokenizer *tokenizer,
                                 percept_error *error) {
    *spelling = (pct_spelling){0};
    if (config->language.regions == PCT_REGIONS_TOKEN) return PERCEPT_OK;
    spelling->bins = config->language.bins;
    spelling->vertices = config->language.vertices;
    spelling->vocabulary = pct_tokenizer_size(tokenizer);
    PCT_ASSERT(spelling->bins < INT16_MAX && spelling->vertices <= PCT_MOST_VERTICES);
    spelling->id = calloc((size_t)spelling->bins, sizeof *spelling->id);
    spelling->bin = malloc((size_t)spelling->vocabulary * sizeof *spelling->bin);
    if (!spelling->id || !spelling->bin) return pct_fail_memory(error, "tokenizer");
    for (int32_t i = 0; i < spelling->vocabulary; i++) spelling->bin[i] = -1;
    PCT_TRY(find(tokenizer, poly_text, &spelling->poly, error));
    PCT_TRY(find(tokenizer, part_text, &spelling->part, error));
    PCT_TRY(find(tokenizer, end_text, &spelling->end, error));
    for (int32_t i = 0; i < spelling->bins; i++) {
        char text[24];
        snprintf(text, sizeof text, "<bin_%d>", i);
        PCT_TRY(find(tokenizer, text, &spelling->id[i], error));
        spelling->bin[spelling->id[i]] = (int16_t)i;
    }
    return PERCEPT_OK;
}

void pct_spelling_free(pct_spelling *spelling) {
    free(spelling->id);
    free(spelling->bin);
    *spelling = (pct_spelling){0};
}

static bool is_bin(const pct_spelling *s, int32_t id) { return id >= 0 && id < s->vocabulary && s->bin[id] >= 0; }

bool pct_spelling_has(const pct_spelling *s, int32_t id) {
    return s->bins > 0 && (is_bin(s, id) || id == s->poly || id == s->part || id == s->end);
}

int32_t pct_spelling_bin(const pct_spelling *s, float value) {
    const float scaled = pct_clamp_f32(value, 0, 1) * (float)s->bins; /* not a number: clamped to neither, held below */
    return scaled > 0 ? (int32_t)pct_clamp_i64((int64_t)scaled, 0, s->bins - 1) : 0;
}

float pct_spelling_value(const pct_spelling *s, int32_t bin) { return ((float)bin + 0.5f) / (float)s->bins; }

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

static enum pct_spelled take(pct_spelling_reader *reader, int32_t id, bool done) {
    PCT_ASSERT(reader->count < PCT_SPELLED_MOST);
    reader->ids[reader->count++] = id;
    reader->done = done;
    return done ? PCT_SPELLED_DONE : PCT_SPELLED_INSIDE;
}

static enum pct_spelled give_up(pct_spelling_reader *reader) {
    reader->count = 0;
    reader->done = false;
    return PCT_SPELLED_BROKEN;
}

static bool ring_closes(const pct_spelling_reader *reader) { return reader->ring % 2 == 0 && reader->ring >= 6; }

enum pct_spelled pct_spelling_read(const pct_spelling *s, pct_spelling_reader *reader, int32_t id) {
    if (reader->done) reader->count = 0;
    reader->done = false;
    if (reader->count == 0) {
        if (!pct_spelling_has(s, id)) return PCT_SPELLED_OTHER;
        reader->ring = reader->vertices = 0;
        return is_bin(s, id) ? take(reader, id, false) : give_up(reader);
    }
    if (reader->count < 4)
        return is_bin(s, id) ? take(reader, id, reader->count == 3 && s->vertices == 0) : give_up(reader);
    if (reader->count == 4) return id == s->poly ? take(reader, id, false) : give_up(reader);
    if (is_bin(s, id)) {
        if (reader->ring % 2 == 0 && ++reader->vertices > s->vertices) return give_up(reader);
        reader->ring++;
        return take(reader, id, false);
    }
    if ((id != s->part && id != s->end) || !ring_closes(reader)) return give_up(reader);
    reader->ring = 0;
    return take(reader, id, id == s->end);
}

void pct_spelling_box(const pct_spelling *s, const int32_t *ids, float box[4]) {
    for (int i = 0; i < 4; i++) box[i] = pct_spelling_value(s, is_bin(s, ids[i]) ? s->bin[ids[i]] : 0);
}

bool pct_spelling_mask(const pct_spelling *s, const int32_t *ids, int32_t count, int32_t side, float *logits) {
    float points[2 * PCT_MOST_VERTICES];
    int32_t numbers = 0;
    bool made = true;
    if (count < 6 || count > PCT_SPELLED_MOST) return false;
    for (int64_t i = 0; i < (int64_t)side * side; i++) logits[i] = 0;
    for (int32_t i = 5; i < count && made; i++) {
        if (is_bin(s, ids[i])) {
            points[numbers++] = pct_spelling_value(s, s->bin[ids[i]]) * (float)side;
            continue;
        }
        made = pct_polygon_cover(logits, side, side, points, (size_t)numbers / 2, NULL) == PERCEPT_OK;
        numbers = 0;
    }
    for (int64_t i = 0; i < (int64_t)side * side; i++) logits[i] -= 0.5f;
    return made;
}
