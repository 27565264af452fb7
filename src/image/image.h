/* image.h: the picture and the mask that the rest of percept passes around.
 *
 * Both are plain structs that own one malloc'd block. Zero-initialise them; freeing an empty one does nothing. Whoever
 * a function hands a picture to with `pct_image *out` owns it and frees it; on failure `out` is left empty. Sides are
 * 1..PCT_IMAGE_MAX_SIDE. Refuses: any other channel count than 3 or 4, zero sides. */
#ifndef PCT_IMAGE_IMAGE_H
#define PCT_IMAGE_IMAGE_H

#include "base/error.h"

#include <stddef.h>

#define PCT_IMAGE_MAX_SIDE 1000000

typedef struct pct_image {
    int width, height, channels; /* 3 = RGB; 4 = RGBA, colours not premultiplied */
    unsigned char *data;         /* [height][width][channels], 8 bit, rows without padding; owned */
} pct_image;

typedef struct pct_mask {
    int width, height;
    unsigned char *data; /* [height][width], 0 or 1; owned */
} pct_mask;

/* Edges in pixels: a box round the whole picture is 0, 0, width, height; x1 is the last column + 1. */
typedef struct pct_box {
    float x0, y0, x1, y1;
} pct_box;

/* Contents undefined for pictures, 0 for masks. RESOURCE when memory is out, USAGE for sides or channels that make no
 * sense. */
percept_status pct_image_new(pct_image *out, int width, int height, int channels, percept_error *error);
percept_status pct_image_copy(pct_image *out, const pct_image *in, percept_error *error);
void pct_image_free(pct_image *image);
percept_status pct_mask_new(pct_mask *out, int width, int height, percept_error *error);
percept_status pct_mask_copy(pct_mask *out, const pct_mask *in, percept_error *error);
void pct_mask_free(pct_mask *mask);

static inline size_t pct_image_bytes(const pct_image *image) {
    return (size_t)image->width * (size_t)image->height * (size_t)image->channels;
}
static inline unsigned char *pct_image_row(const pct_image *image, int y) {
    return image->data + (size_t)y * (size_t)image->width * (size_t)image->channels;
}
static inline size_t pct_mask_bytes(const pct_mask *mask) { return (size_t)mask->width * (size_t)mask->height; }
static inline unsigned char *pct_mask_row(const pct_mask *mask, int y) {
    return mask->data + (size_t)y * (size_t)mask->width;
}

#endif
