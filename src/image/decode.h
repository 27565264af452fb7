/* decode.h: bytes of a PNG, JPEG or WebP file to a picture as a person sees it.
 *
 * EXIF orientation is applied (JPEG APP1, PNG eXIf, WebP EXIF). Grey, palette and 16-bit PNG, grey, YCbCr, RGB, CMYK
 * and YCCK JPEG all become 8-bit RGB; an animation gives its first frame. Alpha is laid over white, or kept on request.
 * Refuses by name: HEIC, AVIF, JPEG XL, JPEG 2000, GIF, BMP, TIFF, SVG, PDF and anything that has no known signature;
 * pictures above the pixel limit, before decoding; files that end early or are damaged (never a silent grey half). The
 * messages are percept's own: a decoder's text is never passed on. */
#ifndef PCT_IMAGE_DECODE_H
#define PCT_IMAGE_DECODE_H

#include "image/image.h"

#include <stdint.h>

#define PCT_DECODE_MAX_PIXELS     100000000         /* the default of --max-pixels */
#define PCT_DECODE_MAX_FILE_BYTES ((size_t)1 << 30) /* a larger picture file is refused */

typedef enum pct_image_format {
    PCT_IMAGE_UNKNOWN,
    PCT_IMAGE_PNG,
    PCT_IMAGE_JPEG,
    PCT_IMAGE_WEBP,
} pct_image_format;

typedef struct pct_decode_options {
    bool keep_alpha;    /* true: always RGBA (opaque where the file has no alpha); false: RGB, alpha over white */
    int64_t max_pixels; /* 0: PCT_DECODE_MAX_PIXELS */
    /* JPEG only: decode at 1/2, 1/4 or 1/8 size as long as the shorter side stays >= min_side and the longer side stays
     * >= min_long. Both 0: full size. pct_decode_info tells the full size. */
    int min_side, min_long;
} pct_decode_options;

typedef struct pct_decode_info {
    pct_image_format format;
    int width, height; /* full size after orientation; the picture itself may be smaller (min_side, min_long) */
    int orientation;   /* EXIF 1..8 that was applied; 1 = none */
    int reduction;     /* 1, 2, 4 or 8 */
} pct_decode_info;

/* `name` stands at the head of messages (a path, "standard input", "request"). options and info may be NULL. */
percept_status pct_image_decode(pct_image *out, const void *data, size_t size, const char *name,
                                const pct_decode_options *options, pct_decode_info *info, percept_error *error);
/* From a file; "-" is standard input. */
percept_status pct_image_read(pct_image *out, const char *path, const pct_decode_options *options,
                              pct_decode_info *info, percept_error *error);
/* Size after orientation without decoding the pixels; same refusals, except that damaged pixel data goes unseen. */
percept_status pct_image_probe(const void *data, size_t size, const char *name, const pct_decode_options *options,
                               pct_decode_info *info, percept_error *error);
/* A mask file: any picture above; pixels of luma >= 128 (alpha over black first) are 1. */
percept_status pct_mask_read(pct_mask *out, const char *path, const pct_decode_options *options, percept_error *error);
percept_status pct_mask_decode(pct_mask *out, const void *data, size_t size, const char *name,
                               const pct_decode_options *options, percept_error *error);

/* Turns a picture as EXIF orientation 1..8 asks; in place of the old picture. */
percept_status pct_image_orient(pct_image *image, int orientation, percept_error *error);
/* Lays RGBA over one colour and makes it RGB, in place. RGB stays as it is. */
void pct_image_flatten(pct_image *image, unsigned char red, unsigned char green, unsigned char blue);

#endif
