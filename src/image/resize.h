/* resize.h: changing the size of pictures, masks and grids of numbers.
 *
 * Sizes are 1..PCT_IMAGE_MAX_SIDE. Pixel centres stand at +0.5 (align_corners = false) everywhere. Antialiased means
 * that the filter's support widens with the reduction, as Pillow and torchvision's antialias do. `pool` may be NULL. */
#ifndef PCT_IMAGE_RESIZE_H
#define PCT_IMAGE_RESIZE_H

#include "base/threads.h"
#include "image/image.h"

/* RGB, cubic filter a = -0.5, antialiased, rows first and then columns in fixed point of 22 bits with 8-bit results in
 * between: the same bits as Pillow's Image.resize(..., BICUBIC). Refuses RGBA (USAGE). */
percept_status pct_resize_bicubic(pct_image *out, const pct_image *in, int width, int height, pct_pool *pool,
                                  percept_error *error);
/* The same of a canvas_width x canvas_height picture that is `white` (0..255 in all channels) but for `in` at left,
 * top; the canvas is never made, so 65535 x 1 pictures cost what their pixels cost. */
percept_status pct_resize_bicubic_canvas(pct_image *out, const pct_image *in, int canvas_width, int canvas_height,
                                         int left, int top, unsigned char white, int width, int height, pct_pool *pool,
                                         percept_error *error);
/* RGB or RGBA, triangle filter, antialiased; RGBA is filtered premultiplied and given back not premultiplied, so that
 * hidden colours of transparent pixels never bleed in. For cut-outs. */
percept_status pct_resize_bilinear(pct_image *out, const pct_image *in, int width, int height, percept_error *error);
/* Share of each new pixel that the mask covers, triangle filter, antialiased: out[height][width] in [0,1]. */
percept_status pct_resize_coverage(float *out, const pct_mask *in, int width, int height, percept_error *error);
/* The same, then >= 0.5. */
percept_status pct_resize_mask(pct_mask *out, const pct_mask *in, int width, int height, percept_error *error);
/* One float plane in[in_height][in_width] to out[height][width], bilinear, no antialiasing (PyTorch interpolate,
 * align_corners = false): for mask logits. out must not overlap in. */
percept_status pct_resize_plane(float *out, int width, int height, const float *in, int in_width, int in_height,
                                pct_pool *pool, percept_error *error);
/* As pct_resize_plane to width x height, of which only the window is computed and compared: out is a mask of the
 * window's size, 1 where the value > threshold. Needs no memory but the mask. */
percept_status pct_resize_plane_threshold(pct_mask *out, int width, int height, int window_left, int window_top,
                                          int window_width, int window_height, const float *in, int in_width,
                                          int in_height, float threshold, pct_pool *pool, percept_error *error);

#endif
