/* spelling_read.c: any tokens whatever where a region's are expected, as a model may say them: what is read is within
 * its limits, and reads the same again. First byte: bins; second: vertices; then one token a byte. */
#include "model/spelling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { BINS = 64, WORDS = 2, SIDE = 12 };

/* A region that was read to its end. */
static void check(const pct_spelling *s, const pct_spelling_reader *reader) {
    float box[4], logits[SIDE * SIDE];
    pct_spelling_reader again = {0};
    if (reader->count < 4 || reader->count > PCT_SPELLED_MOST || (s->vertices == 0 && reader->count != 4)) abort();
    pct_spelling_box(s, reader->ids, box);
    for (int i = 0; i < 4; i++)
        if (!(box[i] > 0 && box[i] < 1)) abort();
    if (s->vertices > 0 && pct_spelling_mask(s, reader->ids, reader->count, SIDE, logits)) {
        for (int i = 0; i < SIDE * SIDE; i++)
            if (!(fabsf(logits[i]) <= 0.5f)) abort();
    }
    for (int32_t i = 0; i < reader->count; i++) {
        const enum pct_spelled heard = pct_spelling_read(s, &again, reader->ids[i]);
        if (heard != (i + 1 < reader->count ? PCT_SPELLED_INSIDE : PCT_SPELLED_DONE)) abort();
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    int32_t id[BINS];
    int16_t bin[BINS + 3 + WORDS];
    if (size < 2) return 0;
    const int32_t bins = 2 + data[0] % (BINS - 1);
    pct_spelling s = {.bins = bins,
                      .vertices = data[1] % (PCT_MOST_VERTICES + 1),
                      .vocabulary = bins + 3 + WORDS,
                      .poly = bins,
                      .part = bins + 1,
                      .end = bins + 2,
                      .id = id,
                      .bin = bin};
    for (int32_t i = 0; i < s.vocabulary; i++) bin[i] = (int16_t)(i < bins ? i : -1);
    for (int32_t i = 0; i < bins; i++) id[i] = i;
    pct_spelling_reader reader = {0};
    for (size_t i = 2; i < size; i++) {
        const int32_t token = data[i] % s.vocabulary;
        const bool inside = pct_spelling_inside(&reader);
        const enum pct_spelled heard = pct_spelling_read(&s, &reader, token);
        if (heard == PCT_SPELLED_OTHER && (inside || pct_spelling_has(&s, token))) abort();
        if ((heard == PCT_SPELLED_INSIDE) != pct_spelling_inside(&reader)) abort();
        if (heard == PCT_SPELLED_DONE) check(&s, &reader);
    }
    return 0;
}
