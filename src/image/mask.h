/* mask.h: measuring and combining masks of 0 and 1.
 *
 * Functions of two masks demand equal sizes: unequal sizes are our own bug (PCT_ASSERT), so compare sizes of masks that
 * come from files first (pct_mask_same_size). */
#ifndef PCT_IMAGE_MASK_H
#define PCT_IMAGE_MASK_H

#include "image/image.h"

#include <stdint.h>

static inline bool pct_mask_same_size(const pct_mask *a, const pct_mask *b) {
    return a->width == b->width && a->height == b->height;
}

int64_t pct_mask_area(const pct_mask *mask);
/* In pixel edges; all zeros for an empty mask. */
pct_box pct_mask_box(const pct_mask *mask);
/* Pixels in both, pixels in either. Either pointer may be NULL. */
void pct_mask_overlap(const pct_mask *a, const pct_mask *b, int64_t *intersection, int64_t *union_area);
/* 0 when both are empty. */
float pct_mask_iou(const pct_mask *a, const pct_mask *b);
/* In place: a = a & b, a | b, a & ~b. */
void pct_mask_and(pct_mask *a, const pct_mask *b);
void pct_mask_or(pct_mask *a, const pct_mask *b);
void pct_mask_subtract(pct_mask *a, const pct_mask *b);
/* 1 inside the box, whose edges are rounded to the nearest pixel edge and clamped; the rest stays. */
void pct_mask_fill_box(pct_mask *mask, pct_box box);
/* 1 where logits [height][width] > threshold (NaN counts as below). */
percept_status pct_mask_from_logits(pct_mask *out, const float *logits, int width, int height, float threshold,
                                    percept_error *error);

/* One connected part of a mask (8-connected: diagonal neighbours belong together). */
typedef struct pct_component {
    int64_t area;
    int x0, y0, x1, y1; /* pixel edges */
} pct_component;
/* labels[height][width], malloc'd, caller frees: 0 outside, k+1 in components[k]. Components in order of their first
 * pixel, row by row; *components malloc'd, caller frees (NULL when there is none). Either output may be NULL. */
percept_status pct_mask_components(const pct_mask *mask, int32_t **labels, pct_component **components, int32_t *count,
                                   percept_error *error);
/* Sets to 1 every 0-pixel that no 4-connected path of 0-pixels joins to the border. In place. */
percept_status pct_mask_fill_holes(pct_mask *mask, percept_error *error);
/* Clears parts of fewer than min_area pixels, in place; *removed (may be NULL) counts the parts. */
percept_status pct_mask_drop_specks(pct_mask *mask, int64_t min_area, int32_t *removed, percept_error *error);

#endif
