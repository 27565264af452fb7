/* resize_taps.h: which old pixels make up a new one, and by how much. Shared by the resizers; not for other folders. */
#ifndef PCT_IMAGE_RESIZE_TAPS_H
#define PCT_IMAGE_RESIZE_TAPS_H

#include "base/error.h"

#include <stdint.h>

enum pct_filter_kind { PCT_FILTER_TRIANGLE, PCT_FILTER_CUBIC };

#define PCT_TAPS_BITS 22 /* fixed point: 8 bits of pixel, 2 of overshoot, 22 of weight */

/* Taps of one axis. New pixel i reads old pixels first[i] .. first[i] + count[i] - 1 with weight[i * stride + k]. */
typedef struct pct_taps {
    int length, stride;
    int *first, *count;
    float *weight;  /* sum 1 with what lies outside; NULL when fixed is asked for */
    int32_t *fixed; /* the same times 2^22, rounded as Pillow does */
    int32_t *bias;  /* fixed point: what the white outside [left, left + in_length) adds; NULL for float taps */
    void *block;    /* owned: all of the above */
} pct_taps;

/* `in_length` old pixels lie at `left` on an axis of `canvas` pixels, which becomes `length` new pixels. Weights of
 * canvas pixels outside the picture go to bias, times `white` (fixed), or are dropped (float: outside is 0). */
percept_status pct_taps_make(pct_taps *taps, enum pct_filter_kind kind, bool fixed, int in_length, int canvas, int left,
                             int white, int length, percept_error *error);
void pct_taps_free(pct_taps *taps);

#endif
