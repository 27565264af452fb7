/* image.c: see image.h. */
#include "image/image.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

static percept_status check_sides(int width, int height, percept_error *error) {
    if (width < 1 || height < 1 || width > PCT_IMAGE_MAX_SIDE || height > PCT_IMAGE_MAX_SIDE)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a picture of %d x %d pixels: sides must be 1 to %d", width, height,
                        PCT_IMAGE_MAX_SIDE);
    return PERCEPT_OK;
}

percept_status pct_image_new(pct_image *out, int width, int height, int channels, percept_error *error) {
    *out = (pct_image){0};
    PCT_TRY(check_sides(width, height, error));
    if (channels != 3 && channels != 4)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a picture of %d channels: only 3 and 4 are known", channels);
    pct_image image = {.width = width, .height = height, .channels = channels};
    size_t bytes;
    if (!pct_size_mul((size_t)width * (size_t)height, (size_t)channels, &bytes) || !(image.data = malloc(bytes)))
        return pct_fail_memory(error, "picture");
    *out = image;
    return PERCEPT_OK;
}

percept_status pct_image_copy(pct_image *out, const pct_image *in, percept_error *error) {
    PCT_TRY(pct_image_new(out, in->width, in->height, in->channels, error));
    memcpy(out->data, in->data, pct_image_bytes(in));
    return PERCEPT_OK;
}

void pct_image_free(pct_image *image) {
    if (!image) return;
    free(image->data);
    *image = (pct_image){0};
}

percept_status pct_mask_new(pct_mask *out, int width, int height, percept_error *error) {
    *out = (pct_mask){0};
    PCT_TRY(check_sides(width, height, error));
    unsigned char *data = calloc((size_t)height, (size_t)width);
    if (!data) return pct_fail_memory(error, "mask");
    *out = (pct_mask){.width = width, .height = height, .data = data};
    return PERCEPT_OK;
}

percept_status pct_mask_copy(pct_mask *out, const pct_mask *in, percept_error *error) {
    PCT_TRY(pct_mask_new(out, in->width, in->height, error));
    memcpy(out->data, in->data, pct_mask_bytes(in));
    return PERCEPT_OK;
}

void pct_mask_free(pct_mask *mask) {
    if (!mask) return;
    free(mask->data);
    *mask = (pct_mask){0};
}
