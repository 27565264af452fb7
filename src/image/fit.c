/* fit.c: see fit.h. */
#include "image/fit.h"

#include "base/size.h"
#include "image/boxes.h"
#include "image/resize.h"
#include "image/resize_taps.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_MODEL_SIDE = 16384 };

percept_status pct_fit_make(pct_fit *fit, enum pct_fit_mode mode, int side, int width, int height,
                            percept_error *error) {
    *fit = (pct_fit){0};
    if (side < 1 || side > MAX_MODEL_SIDE)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a model square of %d pixels: its side must be 1 to %d", side,
                        MAX_MODEL_SIDE);
    if (width < 1 || height < 1 || width > PCT_IMAGE_MAX_SIDE || height > PCT_IMAGE_MAX_SIDE)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a picture of %d x %d pixels: sides must be 1 to %d", width, height,
                        PCT_IMAGE_MAX_SIDE);
    *fit = (pct_fit){
        .mode = mode, .side = side, .width = width, .height = height, .canvas_width = width, .canvas_height = height};
    if (mode == PCT_FIT_PAD) {
        int square = width > height ? width : height;
        fit->canvas_width = fit->canvas_height = square;
        fit->left = (square - width) / 2;
        fit->top = (square - height) / 2;
    }
    return PERCEPT_OK;
}

pct_box pct_fit_box_to_model(const pct_fit *fit, pct_box box) {
    float left = (float)fit->left, top = (float)fit->top;
    pct_box moved = {box.x0 + left, box.y0 + top, box.x1 + left, box.y1 + top};
    return pct_box_clamp(pct_box_normalise(moved, (float)fit->canvas_width, (float)fit->canvas_height), 1, 1);
}

pct_box pct_fit_box_to_picture(const pct_fit *fit, pct_box box) {
    float left = (float)fit->left, top = (float)fit->top;
    pct_box b = pct_box_scale(box, (float)fit->canvas_width, (float)fit->canvas_height);
    pct_box moved = {b.x0 - left, b.y0 - top, b.x1 - left, b.y1 - top};
    return pct_box_clamp(moved, (float)fit->width, (float)fit->height);
}

void pct_fit_decode_hint(enum pct_fit_mode mode, int side, int *min_side, int *min_long) {
    /* Stretched, the shorter side must fill the square; padded, the longer one does. */
    *min_side = mode == PCT_FIT_STRETCH ? side : 0;
    *min_long = side;
}

percept_status pct_fit_resize(const pct_fit *fit, const pct_image *image, pct_image *out, pct_pool *pool,
                              percept_error *error) {
    pct_fit own; /* the same fit for the picture's actual, perhaps reduced, size */
    *out = (pct_image){0};
    PCT_TRY(pct_fit_make(&own, fit->mode, fit->side, image->width, image->height, error));
    return pct_resize_bicubic_canvas(out, image, own.canvas_width, own.canvas_height, own.left, own.top, 255, fit->side,
                                     fit->side, pool, error);
}

percept_status pct_fit_normalise(const pct_fit *fit, const pct_image *image, const float mean[3], const float std[3],
                                 float *out, pct_pool *pool, percept_error *error) {
    float table[256][3]; /* at most 256 values a channel */
    for (int c = 0; c < 3; c++) {
        if (!(std[c] > 0)) return pct_fail(error, PERCEPT_ERROR_MODEL, "normalisation: std[%d] is not above 0", c);
        for (int v = 0; v < 256; v++) table[v][c] = ((float)v / 255.0f - mean[c]) / std[c];
    }
    pct_image square;
    PCT_TRY(pct_fit_resize(fit, image, &square, pool, error));
    const unsigned char *p = square.data;
    for (size_t i = 0, n = (size_t)fit->side * (size_t)fit->side; i < n; i++, p += 3, out += 3) {
        out[0] = table[p[0]][0];
        out[1] = table[p[1]][1];
        out[2] = table[p[2]][2];
    }
    pct_image_free(&square);
    return PERCEPT_OK;
}

percept_status pct_fit_mask_to_picture(const pct_fit *fit, const float *logits, int grid_width, int grid_height,
                                       float threshold, pct_mask *out, pct_pool *pool, percept_error *error) {
    return pct_resize_plane_threshold(out, fit->canvas_width, fit->canvas_height, fit->left, fit->top, fit->width,
                                      fit->height, logits, grid_width, grid_height, threshold, pool, error);
}
