/* fit.h: how a picture is fitted into the model's square, and the way back for boxes and masks.
 *
 * PCT_FIT_PAD expands the picture to a white square of side S = max(w,h), pasted at ((S-w)/2, (S-h)/2) in whole pixels,
 * then resizes it (bicubic, as Pillow). PCT_FIT_STRETCH resizes each side on its own. A fit is made from the picture's
 * FULL size; pct_fit_normalise also takes a picture that was decoded at reduced size. */
#ifndef PCT_IMAGE_FIT_H
#define PCT_IMAGE_FIT_H

#include "base/threads.h"
#include "image/image.h"

enum pct_fit_mode { PCT_FIT_PAD, PCT_FIT_STRETCH };

typedef struct pct_fit {
    enum pct_fit_mode mode;
    int side;                        /* of the model's square, pixels */
    int width, height;               /* the picture, full size */
    int canvas_width, canvas_height; /* S, S for pad; width, height for stretch */
    int left, top;                   /* where the picture lies on the canvas */
} pct_fit;

/* USAGE for a side outside 1..16384 or picture sides outside 1..PCT_IMAGE_MAX_SIDE. */
percept_status pct_fit_make(pct_fit *fit, enum pct_fit_mode mode, int side, int width, int height,
                            percept_error *error);

/* Picture pixels -> [0,1] of the model's square, clamped to it. */
pct_box pct_fit_box_to_model(const pct_fit *fit, pct_box box);
/* [0,1] of the model's square -> picture pixels, corners put in order and clamped to the picture. */
pct_box pct_fit_box_to_picture(const pct_fit *fit, pct_box box);

/* The decode option min_side / min_long that loses nothing for this mode and side. */
void pct_fit_decode_hint(enum pct_fit_mode mode, int side, int *min_side, int *min_long);

/* The model's input: out[side][side][3] = (pixel / 255 - mean) / std, channels R, G, B. The picture is RGB. */
percept_status pct_fit_normalise(const pct_fit *fit, const pct_image *image, const float mean[3], const float std[3],
                                 float *out, pct_pool *pool, percept_error *error);
/* The same square as 8-bit RGB, before normalising. */
percept_status pct_fit_resize(const pct_fit *fit, const pct_image *image, pct_image *out, pct_pool *pool,
                              percept_error *error);

/* logits[grid_height][grid_width] over the model's square -> mask of the picture's size: resized bilinearly to the
 * canvas first, cropped to the picture, thresholded (> threshold) last. */
percept_status pct_fit_mask_to_picture(const pct_fit *fit, const float *logits, int grid_width, int grid_height,
                                       float threshold, pct_mask *out, pct_pool *pool, percept_error *error);
#endif
