/* compose.h: cut-outs laid over pictures under any affine map, with exact alpha coverage, for the scene composer.
 *
 * A sprite holds a cut-out premultiplied, with halved copies of itself (a mip chain), so that one bilinear sample of
 * the right level is antialiased at any scale. Rendering gives a layer: premultiplied RGBA on the touched part of the
 * canvas only. Layers keep their buffer between renders, so composing in a loop does not allocate. */
#ifndef PCT_IMAGE_COMPOSE_H
#define PCT_IMAGE_COMPOSE_H

#include "image/image.h"

#define PCT_SPRITE_LEVELS 16

typedef struct pct_sprite {
    int width, height; /* of level 0, without the border */
    int levels;
    pct_image level[PCT_SPRITE_LEVELS]; /* premultiplied RGBA with a transparent border of one pixel on every side */
} pct_sprite;

/* From RGBA (RGB counts as opaque). Immutable afterwards: threads may share it. */
percept_status pct_sprite_make(pct_sprite *sprite, const pct_image *cutout, percept_error *error);
void pct_sprite_free(pct_sprite *sprite);

/* Cut-out pixel edges (x, y) -> canvas pixel edges: X = a x + b y + tx, Y = c x + d y + ty. */
typedef struct pct_affine {
    float a, b, c, d, tx, ty;
} pct_affine;
/* The cut-out's middle lands on centre_x, centre_y; first flip (left-right), then shear (x += shear * y), then scale,
 * then rotation (radians, clockwise as seen). */
pct_affine pct_affine_make(int width, int height, float centre_x, float centre_y, float scale, float rotation,
                           float shear, bool flip);

/* Zero-initialise; pct_layer_free at the end. */
typedef struct pct_layer {
    int x, y, width, height; /* the touched part of the canvas; width 0 when nothing is touched */
    unsigned char *rgba;     /* [height][width][4], premultiplied; alpha is the coverage, 0..255; owned */
    size_t capacity;
} pct_layer;
void pct_layer_free(pct_layer *layer);

/* Draws the sprite as it falls on a canvas of width x height. A map that cannot be inverted, or is not finite, touches
 * nothing. */
percept_status pct_sprite_render(const pct_sprite *sprite, const pct_affine *map, int width, int height,
                                 pct_layer *layer, percept_error *error);
/* canvas (RGB) = layer over canvas. */
void pct_layer_over(const pct_layer *layer, pct_image *canvas);
/* Darkens the canvas by the layer's alpha, moved by dx, dy pixels and blurred by sigma; strength 0..1. Call before
 * pct_layer_over. `scratch` is another layer, for its buffer. */
percept_status pct_layer_shadow(const pct_layer *layer, pct_image *canvas, float dx, float dy, float sigma,
                                float strength, pct_layer *scratch, percept_error *error);
/* Alpha of the layer at a canvas pixel; 0 outside. */
static inline unsigned char pct_layer_alpha(const pct_layer *layer, int x, int y) {
    x -= layer->x;
    y -= layer->y;
    if (x < 0 || y < 0 || x >= layer->width || y >= layer->height) return 0;
    return layer->rgba[((size_t)y * (size_t)layer->width + (size_t)x) * 4 + 3];
}
/* out (canvas sized) = 1 where alpha >= 128. */
percept_status pct_layer_mask(const pct_layer *layer, int width, int height, pct_mask *out, percept_error *error);

#endif
