/* cutouts.h: reading one cut-out: a PNG, WebP or SVG picture with alpha, cropped to what is visible. */
#ifndef PCT_DATA_CUTOUTS_H
#define PCT_DATA_CUTOUTS_H

#include "image/image.h"

/* RGBA, cropped to alpha >= 16, longest side at most `side` (never enlarged, but SVG is drawn at that size).
 * INPUT for what cannot be read, for a picture of which nothing or nearly nothing is visible, and, with
 * `refuse_opaque`, for one that has no transparent part: a photograph, not a cut-out. */
percept_status pct_cutout_read(pct_image *out, const char *path, int side, bool refuse_opaque, percept_error *error);
/* The cropping and resizing alone, in place. `name` stands in messages. */
percept_status pct_cutout_trim(pct_image *image, const char *name, int side, bool refuse_opaque, percept_error *error);

#endif
