/* decode_png.c: PNG through libspng, behind decode.h. */
#include "image/decode_private.h"

#include <spng.h>

enum { MAX_CHUNK = 16 << 20, MAX_CHUNKS_CACHE = 64 << 20 }; /* ICC profiles and texts; pixels do not count */

static percept_status fail_png(const pct_decode_job *job, int code) {
    switch (code) {
    case SPNG_IO_EOF:
        return pct_decode_damaged(job, "PNG", "ends early");
    case SPNG_EMEM:
        return pct_fail_memory(job->error, job->name);
    case SPNG_ECHUNK_CRC:
        return pct_decode_damaged(job, "PNG", "is damaged (wrong checksum)");
    default:
        return pct_decode_damaged(job, "PNG", "is damaged");
    }
}

/* True when any pixel may be less than opaque. */
static bool has_alpha(spng_ctx *png, const struct spng_ihdr *header) {
    struct spng_trns transparent;
    return header->color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ||
           header->color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA || spng_get_trns(png, &transparent) == 0;
}

static int read_orientation(spng_ctx *png) {
    struct spng_exif exif;
    if (spng_get_exif(png, &exif) != 0) return 1;
    return pct_exif_orientation((const unsigned char *)exif.data, exif.length);
}

static percept_status decode_with(spng_ctx *png, pct_decode_job *job) {
    struct spng_ihdr header;
    int code = spng_set_chunk_limits(png, MAX_CHUNK, MAX_CHUNKS_CACHE);
    if (!code) code = spng_set_crc_action(png, SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
    if (!code) code = spng_set_png_buffer(png, job->data, job->size);
    if (!code) code = spng_get_ihdr(png, &header);
    if (code) return fail_png(job, code);
    PCT_TRY(pct_decode_check_size(job, header.width, header.height));
    job->info.width = (int)header.width;
    job->info.height = (int)header.height;
    /* Reads the chunks up to the pixels; one that is malformed shows here. */
    bool alpha = has_alpha(png, &header);
    job->info.orientation = read_orientation(png);
    if (job->header_only) return PERCEPT_OK;
    PCT_TRY(pct_image_new(&job->image, job->info.width, job->info.height, alpha ? 4 : 3, job->error));
    code = spng_decode_image(png, job->image.data, pct_image_bytes(&job->image), alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8,
                             alpha ? SPNG_DECODE_TRNS : 0);
    if (code) return fail_png(job, code);
    /* An eXIf chunk may also follow the pixels; a damaged tail after whole pixels does not matter. */
    if (job->info.orientation == 1 && spng_decode_chunks(png) == 0) job->info.orientation = read_orientation(png);
    return PERCEPT_OK;
}

percept_status pct_decode_png(pct_decode_job *job) {
    spng_ctx *png = spng_ctx_new(0);
    if (!png) return pct_fail_memory(job->error, job->name);
    percept_status status = decode_with(png, job);
    spng_ctx_free(png);
    return status;
}
