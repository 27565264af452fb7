/* filter.h: blur, noise and colour changes of 8-bit pictures, in place, as the scene composer needs them. */
#ifndef PCT_IMAGE_FILTER_H
#define PCT_IMAGE_FILTER_H

#include "base/random.h"
#include "image/image.h"

/* Gaussian blur of deviation `sigma` pixels (<= 0: nothing happens); edges repeat. Below sigma 2 an exact kernel, above
 * three box passes. RGBA must be premultiplied, or have one alpha throughout. */
percept_status pct_filter_blur(pct_image *image, float sigma, percept_error *error);
/* One running-mean pass of (2 radius + 1)^2 pixels; edges repeat. */
percept_status pct_filter_box_blur(pct_image *image, int radius, percept_error *error);
/* The same gaussian on one 8-bit plane [height][width]; outside counts as 0 (for alpha and shadows). */
percept_status pct_filter_blur_plane(unsigned char *plane, int width, int height, float sigma, percept_error *error);

/* Adds noise of mean 0 and deviation `sigma` (in 0..255 levels, at most 64) to the colours; with `grey`, the same to
 * all three channels of a pixel. The noise is the sum of four uniform bytes: near normal, and one random word a value.
 */
void pct_filter_noise(pct_image *image, float sigma, bool grey, pct_random *random);

typedef struct pct_colour_change {
    float brightness; /* added, in shares of full scale; 0 = as it is */
    float contrast;   /* factor about mid grey; 1 = as it is */
    float saturation; /* factor; 0 = grey, 1 = as it is */
    float hue;        /* turn in radians; 0 = as it is */
    float gamma;      /* exponent applied first; 1 or 0 = as it is */
} pct_colour_change;
/* Alpha stays. Colours must not be premultiplied. */
void pct_filter_colour(pct_image *image, const pct_colour_change *change);

#endif
