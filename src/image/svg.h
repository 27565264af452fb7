/* svg.h: an SVG file as a cut-out, through librsvg, loaded when the first one is drawn and never linked.
 *
 * Meant for the asset packages and a user's own folder of cut-outs; pictures that are asked about are never SVG.
 * librsvg resolves no reference to other files here, because it is given bytes without a base address. */
#ifndef PCT_IMAGE_SVG_H
#define PCT_IMAGE_SVG_H

#include "image/image.h"

/* Rasterises onto a transparent ground so that the longer side has `side` pixels (1..8192). out is RGBA, not
 * premultiplied. INPUT for a file that is not SVG or has no size; WORK when librsvg or cairo cannot be loaded. */
percept_status pct_svg_read(pct_image *out, const char *path, int side, percept_error *error);
percept_status pct_svg_decode(pct_image *out, const void *data, size_t size, const char *name, int side,
                              percept_error *error);

#endif
