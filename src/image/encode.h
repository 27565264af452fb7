/* encode.h: pictures and masks to PNG and JPEG bytes. Files are written atomically (base/file.h). */
#ifndef PCT_IMAGE_ENCODE_H
#define PCT_IMAGE_ENCODE_H

#include "image/image.h"

#include <stddef.h>

/* 8-bit PNG of `channels` 1 (grey), 3 (RGB) or 4 (RGBA) interleaved bytes. *data malloc'd, caller frees. `level` is
 * zlib's 0..9; -1 is its default. */
percept_status pct_png_encode(const unsigned char *pixels, int width, int height, int channels, int level, void **data,
                              size_t *size, percept_error *error);
percept_status pct_png_write(const char *path, const pct_image *image, percept_error *error);
/* 8-bit grey PNG with 0 and 255. */
percept_status pct_mask_write_png(const char *path, const pct_mask *mask, percept_error *error);

/* Baseline JPEG, quality 1..100, 4:2:0 below quality 90 and 4:4:4 from there. RGBA is refused. *data malloc'd, caller
 * frees. */
percept_status pct_jpeg_encode(const pct_image *image, int quality, void **data, size_t *size, percept_error *error);
percept_status pct_jpeg_write(const char *path, const pct_image *image, int quality, percept_error *error);

/* WebP of RGBA: lossy colours of quality 1..100, exact alpha. *data malloc'd, caller frees. */
percept_status pct_webp_encode(const pct_image *image, int quality, void **data, size_t *size, percept_error *error);

#endif
