/* rle.h: run lengths of a mask as COCO writes them, bit for bit as pycocotools.
 *
 * Column-major runs that begin with 0s (an empty first run when pixel 0 is 1). As JSON either `counts` as numbers or a
 * compressed string: each run, from the fourth on its difference from the run two before, as little groups of 5 bits,
 * bit 5 = more follows, plus 48. Refuses: strings with other characters, values that run over, runs that do not add up
 * to width * height. */
#ifndef PCT_IMAGE_RLE_H
#define PCT_IMAGE_RLE_H

#include "image/image.h"

#include <stdint.h>

typedef struct pct_rle {
    int width, height;
    uint32_t *counts; /* owned */
    size_t count;
} pct_rle;

void pct_rle_free(pct_rle *rle);
percept_status pct_rle_encode(pct_rle *out, const pct_mask *mask, percept_error *error);
percept_status pct_rle_decode(pct_mask *out, const pct_rle *rle, percept_error *error);

/* NUL-terminated, malloc'd, caller frees. */
percept_status pct_rle_to_string(const pct_rle *rle, char **string, percept_error *error);
/* Sizes come from the same file; width * height above PCT_RLE_MAX_PIXELS is refused. */
#define PCT_RLE_MAX_PIXELS 1000000000
percept_status pct_rle_from_string(pct_rle *out, const char *string, size_t length, int width, int height,
                                   percept_error *error);
/* Checks and copies counts that were written as numbers. */
percept_status pct_rle_from_counts(pct_rle *out, const int64_t *counts, size_t count, int width, int height,
                                   percept_error *error);
/* Both in one: mask -> compressed string, string -> mask. */
percept_status pct_mask_to_rle_string(const pct_mask *mask, char **string, percept_error *error);
percept_status pct_mask_from_rle_string(pct_mask *out, const char *string, size_t length, int width, int height,
                                        percept_error *error);

int64_t pct_rle_area(const pct_rle *rle);
/* As pycocotools' toBbox, in pixel edges; zeros for an empty mask. */
pct_box pct_rle_box(const pct_rle *rle);
/* Equal sizes demanded (PCT_ASSERT). With `crowd`, b is a crowd region: the denominator is a's area alone, as in COCO's
 * evaluation. 0 when the denominator is 0. */
double pct_rle_iou(const pct_rle *a, const pct_rle *b, bool crowd);
/* Union, or intersection, of two masks of equal size. out must not be a or b. */
percept_status pct_rle_merge(pct_rle *out, const pct_rle *a, const pct_rle *b, bool intersect, percept_error *error);

#endif
