/* decode_private.h: what decode.c and the three format readers agree on. Not for other folders. */
#ifndef PCT_IMAGE_DECODE_PRIVATE_H
#define PCT_IMAGE_DECODE_PRIVATE_H

#include "image/decode.h"

typedef struct pct_decode_job {
    const unsigned char *data; /* borrowed */
    size_t size;
    const char *name;
    pct_decode_options options; /* max_pixels filled in */
    bool header_only;           /* fill in info, leave the pixels */
    pct_decode_info info;       /* width and height as stored; orientation not yet applied */
    pct_image image;            /* RGB or RGBA as the file has it; owned by the job until decode.c takes it */
    percept_error *error;
} pct_decode_job;

/* Each fills in info.width, height, orientation, reduction and, unless header_only, image. On failure the caller frees
 * the image. */
percept_status pct_decode_png(pct_decode_job *job);
percept_status pct_decode_jpeg(pct_decode_job *job);
percept_status pct_decode_webp(pct_decode_job *job);

/* To be called with the size from the header, before memory is taken for pixels. */
percept_status pct_decode_check_size(const pct_decode_job *job, int64_t width, int64_t height);
/* "NAME: the FORMAT picture <why>; ..." with PERCEPT_ERROR_INPUT. */
percept_status pct_decode_damaged(const pct_decode_job *job, const char *format, const char *why);

/* Orientation 1..8 from a TIFF block (what follows "Exif\0\0" in a JPEG); 1 when there is none or it is malformed. */
int pct_exif_orientation(const unsigned char *tiff, size_t size);

#endif
