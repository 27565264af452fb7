/* polygon.h: masks as polygons and back.
 *
 * Contours run along pixel edges (a lone pixel at column 3, row 5 is 3,5 4,5 4,6 3,6), so filling all rings of a mask
 * even-odd gives the very same mask back. Filling follows COCO's rule bit for bit (pycocotools frPyObjects), which
 * agrees with plain geometry on such rings. */
#ifndef PCT_IMAGE_POLYGON_H
#define PCT_IMAGE_POLYGON_H

#include "image/image.h"

#include <stdint.h>

typedef struct pct_ring {
    float *points; /* [count][2], x then y; points into the polygon's block */
    size_t count;
    bool hole;    /* runs round a hole */
    int32_t part; /* which outer ring (its index among the outer rings) it belongs to */
} pct_ring;

typedef struct pct_polygon {
    pct_ring *rings; /* owned */
    size_t count;
    int32_t parts;
    float *block; /* all points; owned */
} pct_polygon;

void pct_polygon_free(pct_polygon *polygon);

/* Every contour of a mask. Outer rings run clockwise as seen (y down), holes anticlockwise; an outer ring comes before
 * its holes. Parts are 8-connected, so their rings may touch at corners. Straight runs are one edge. An empty mask has
 * no rings. */
percept_status pct_polygon_from_mask(pct_polygon *out, const pct_mask *mask, percept_error *error);
/* Drops points closer than `tolerance` pixels to the line through their kept neighbours (Douglas-Peucker); rings that
 * fall below 3 points keep their original form. In place. No longer gives the same mask back. */
percept_status pct_polygon_simplify(pct_polygon *polygon, float tolerance, percept_error *error);
/* Drops the points that change the area least, of all rings together, until at most `points` are left and none is left
 * whose triangle with its neighbours is smaller than `area` (Visvalingam and Whyatt, Cartographic Journal 1993). A ring
 * keeps 3 points: many rings may keep more than `points`. In place. */
percept_status pct_polygon_reduce(pct_polygon *polygon, size_t points, float area, percept_error *error);
/* All rings (or those of one part; -1 = all) as a single closed ring: each further ring is entered and left along the
 * same segment, which even-odd filling does not see. For formats of one polygon an object. *points malloc'd [count][2],
 * caller frees. */
percept_status pct_polygon_join(const pct_polygon *polygon, int32_t part, bool skip_holes, float **points,
                                size_t *count, percept_error *error);

/* One ring of `count` >= 3 points (x,y pairs), filled even-odd by COCO's rule and OR-ed, or XOR-ed, into the mask.
 * Refuses numbers that are not finite or lie far outside the picture, and rings whose edges are absurdly long. */
enum pct_fill { PCT_FILL_OR, PCT_FILL_XOR };
percept_status pct_polygon_fill(pct_mask *mask, const double *points, size_t count, enum pct_fill how,
                                percept_error *error);
/* The exact share of each pixel that one ring covers: cover[height][width] becomes the larger of itself and that. What
 * lies outside the picture is moved to its border. Where the ring crosses itself its windings add up, to 1 at most.
 * INPUT when a point is not a number. */
percept_status pct_polygon_cover(float *cover, int width, int height, const float *points, size_t count,
                                 percept_error *error);
/* Fills all rings, even-odd, into a new mask: the inverse of pct_polygon_from_mask. */
percept_status pct_polygon_to_mask(pct_mask *out, const pct_polygon *polygon, int width, int height,
                                   percept_error *error);

#endif
