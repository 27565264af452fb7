/* overlay.h: regions drawn onto a picture: translucent fill, outline, and a label that can be read on any ground.
 *
 * Text and lines come from cairo, loaded when the first overlay is drawn and never linked; without it the error names
 * the package. Colours are distinct for colour-blind eyes (Okabe and Ito 2008), outlines carry a dark and a light edge,
 * labels stand on a plate of their own, inside the picture, and make way for each other where there is room. */
#ifndef PCT_IMAGE_OVERLAY_H
#define PCT_IMAGE_OVERLAY_H

#include "image/image.h"

#include <stddef.h>

typedef struct pct_overlay_region {
    const pct_mask *mask; /* of the picture's size; NULL: only the box is drawn */
    pct_box box;          /* pixels */
    const char *phrase;   /* UTF-8 (invalid bytes are shown as '?'); NULL or "": no phrase */
    float score;          /* in [0,1]; negative: not shown */
} pct_overlay_region;

typedef struct pct_overlay_options {
    bool hide_labels, hide_boxes; /* boxes of regions that have a mask are thin dashes; hide_boxes drops them */
    float opacity;                /* of the fill, 0..1; 0 means 0.35, negative none */
    float text_scale;             /* 0 means 1 */
} pct_overlay_options;

/* Draws into `image` (RGB), in place. options may be NULL. WORK when cairo cannot be loaded; RESOURCE when memory is
 * out; USAGE when a mask has another size than the picture or the picture is above 32767 pixels a side (cairo's limit).
 */
percept_status pct_overlay_draw(pct_image *image, const pct_overlay_region *regions, size_t count,
                                const pct_overlay_options *options, percept_error *error);
/* The colour of the k-th region, 0..255. */
void pct_overlay_colour(size_t index, unsigned char rgb[3]);

#endif
