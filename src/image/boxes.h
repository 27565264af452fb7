/* boxes.h: arithmetic on boxes in pixel edges (x0, y0, x1, y1). A box with x1 <= x0 or y1 <= y0 has no area. */
#ifndef PCT_IMAGE_BOXES_H
#define PCT_IMAGE_BOXES_H

#include "image/image.h"

float pct_box_area(pct_box box);
/* Intersection over union; 0 when either has no area. */
float pct_box_iou(pct_box a, pct_box b);
/* Generalised IoU (Rezatofighi et al., CVPR 2019) in [-1, 1]: IoU - (hull - union) / hull; 0 hull gives -1. */
float pct_box_giou(pct_box a, pct_box b);
/* Common part; all zeros when there is none. */
pct_box pct_box_intersect(pct_box a, pct_box b);
/* Smallest box round both. */
pct_box pct_box_hull(pct_box a, pct_box b);
/* Corners put in order (x0 <= x1, y0 <= y1), then held inside 0..width, 0..height. NaN becomes 0. */
pct_box pct_box_clamp(pct_box box, float width, float height);
/* Pixels to [0,1] of a picture and back; no clamping. */
pct_box pct_box_normalise(pct_box box, float width, float height);
pct_box pct_box_scale(pct_box box, float width, float height);
/* (x0,y0,x1,y1) <-> centre and size (cx, cy, w, h in the same four fields). */
pct_box pct_box_to_centre(pct_box box);
pct_box pct_box_from_centre(pct_box box);
/* True when all four numbers are finite and the area is not zero. */
bool pct_box_valid(pct_box box);

#endif
