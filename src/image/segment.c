/* segment.c: see segment.h. */
#include "image/segment.h"

#include "image/mask.h"

#include <math.h>

/* Whether a cell's middle, of `side` cells over `canvas` pixels, lies within `length` pixels from `begin` on. */
static bool inside(int cell, int side, int canvas, int begin, int length) {
    const double middle = (cell + 0.5) * canvas / side;
    return middle >= begin && middle < begin + length;
}

static float mean_foreground(const pct_fit *fit, const float *probability, int side, float threshold) {
    double sum = 0;
    int64_t count = 0;
    for (int y = 0; y < side; y++) {
        if (!inside(y, side, fit->canvas_height, fit->top, fit->height)) continue;
        const float *row = probability + (size_t)y * (size_t)side;
        for (int x = 0; x < side; x++) {
            if (!(row[x] >= threshold) || !inside(x, side, fit->canvas_width, fit->left, fit->width)) continue;
            sum += (double)row[x];
            count++;
        }
    }
    return count ? (float)(sum / (double)count) : 0;
}

percept_status pct_segment_read(pct_segment *out, const pct_fit *fit, const float *probability, int side,
                                float threshold, pct_pool *pool, percept_error *error) {
    *out = (pct_segment){0};
    const float below = nextafterf(threshold, -INFINITY); /* > below is >= threshold */
    PCT_TRY(pct_fit_mask_to_picture(fit, probability, side, side, below, &out->mask, pool, error));
    out->box = pct_mask_box(&out->mask);
    if (out->box.x1 <= out->box.x0) return PERCEPT_OK;
    out->score = mean_foreground(fit, probability, side, threshold);
    /* On a padded square the pixels may owe themselves to cells of the margin alone. */
    if (out->score == 0) out->score = threshold > 0 ? threshold : 0;
    return PERCEPT_OK;
}
