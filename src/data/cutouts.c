/* cutouts.c: see cutouts.h. */
#include "data/cutouts.h"

#include "data/assets_private.h"
#include "image/decode.h"
#include "image/resize.h"
#include "image/svg.h"

#include <string.h>

#define VISIBLE_ALPHA 16
#define MIN_SIDE      16   /* pixels; smaller than that shows nothing */
#define MIN_COVERED   0.12 /* of the cropped box, at alpha >= 128 */
#define MAX_COVERED   0.985

static percept_status crop(pct_image *image, int x0, int y0, int x1, int y1, percept_error *error) {
    pct_image out = {0};
    PCT_TRY(pct_image_new(&out, x1 - x0, y1 - y0, 4, error));
    for (int y = y0; y < y1; y++)
        memcpy(pct_image_row(&out, y - y0), pct_image_row(image, y) + (size_t)x0 * 4, (size_t)(x1 - x0) * 4);
    pct_image_free(image);
    *image = out;
    return PERCEPT_OK;
}

percept_status pct_cutout_trim(pct_image *image, const char *name, int side, bool refuse_opaque, percept_error *error) {
    int x0 = image->width, y0 = image->height, x1 = 0, y1 = 0;
    int64_t solid = 0;
    for (int y = 0; y < image->height; y++) {
        const unsigned char *row = pct_image_row(image, y);
        for (int x = 0; x < image->width; x++) {
            if (row[x * 4 + 3] < VISIBLE_ALPHA) continue;
            if (x < x0) x0 = x;
            if (x >= x1) x1 = x + 1;
            if (y < y0) y0 = y;
            y1 = y + 1;
            solid += row[x * 4 + 3] >= 128;
        }
    }
    int width = x1 - x0, height = y1 - y0;
    if (width < MIN_SIDE || height < MIN_SIDE)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: no cut-out: less than %d pixels of it are visible", name,
                        MIN_SIDE);
    double covered = (double)solid / ((double)width * height);
    if (covered < MIN_COVERED)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: no cut-out: nearly all of it is transparent", name);
    if (refuse_opaque && covered > MAX_COVERED)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: no cut-out: it has no transparent part", name);
    PCT_TRY(crop(image, x0, y0, x1, y1, error));
    int longest = width > height ? width : height;
    if (longest <= side) return PERCEPT_OK;
    pct_image smaller = {0};
    int w = (int)((int64_t)width * side / longest), h = (int)((int64_t)height * side / longest);
    PCT_TRY(pct_resize_bilinear(&smaller, image, w ? w : 1, h ? h : 1, error));
    pct_image_free(image);
    *image = smaller;
    return PERCEPT_OK;
}

percept_status pct_cutout_read(pct_image *out, const char *path, int side, bool refuse_opaque, percept_error *error) {
    *out = (pct_image){0};
    pct_decode_options options = {.keep_alpha = true};
    percept_status status = pct_has_ending(path, ".svg") ? pct_svg_read(out, path, side * 3 / 2, error)
                                                         : pct_image_read(out, path, &options, NULL, error);
    if (status == PERCEPT_OK) status = pct_cutout_trim(out, path, side, refuse_opaque, error);
    if (status != PERCEPT_OK) pct_image_free(out);
    return status;
}
