/* decode.c: picks the reader by signature, refuses what percept does not read, and finishes what a reader gives. */
#include "image/decode.h"

#include "base/file.h"
#include "base/size.h"
#include "image/decode_private.h"

#include <stdlib.h>
#include <string.h>

/* Formats known only to be refused, by bytes at an offset. */
static const struct refused {
    const char *format;
    size_t offset, length;
    const char *bytes;
} refused_formats[] = {
    {"AVIF", 4, 8, "ftypavif"}, {"AVIF", 4, 8, "ftypavis"},  {"HEIC", 4, 8, "ftypheic"}, {"HEIC", 4, 8, "ftypheix"},
    {"HEIC", 4, 8, "ftyphevc"}, {"HEIC", 4, 8, "ftyphevx"},  {"HEIC", 4, 8, "ftypheim"}, {"HEIC", 4, 8, "ftypheis"},
    {"HEIC", 4, 8, "ftypmif1"}, {"HEIC", 4, 8, "ftypmsf1"},  {"GIF", 0, 4, "GIF8"},      {"BMP", 0, 2, "BM"},
    {"TIFF", 0, 4, "II*\0"},    {"TIFF", 0, 4, "MM\0*"},     {"BigTIFF", 0, 4, "II+\0"}, {"JPEG XL", 0, 2, "\xff\n"},
    {"JPEG XL", 4, 4, "JXL "},  {"JPEG 2000", 4, 4, "jP  "}, {"PDF", 0, 4, "%PDF"},      {"Photoshop", 0, 4, "8BPS"},
    {"video", 4, 4, "ftyp"},
};

static bool has_bytes(const unsigned char *data, size_t size, size_t offset, const char *bytes, size_t length) {
    return size >= offset + length && memcmp(data + offset, bytes, length) == 0;
}

static bool is_svg(const unsigned char *data, size_t size) {
    size_t head = size < 1024 ? size : 1024;
    if (memmem(data, head, "<svg", 4)) return true;
    return has_bytes(data, size, 0, "<?xml", 5) && memmem(data, head, "svg", 3);
}

static pct_image_format find_format(const unsigned char *data, size_t size) {
    if (has_bytes(data, size, 0, "\x89PNG\r\n\x1a\n", 8)) return PCT_IMAGE_PNG;
    if (has_bytes(data, size, 0, "\xff\xd8\xff", 3)) return PCT_IMAGE_JPEG;
    if (has_bytes(data, size, 0, "RIFF", 4) && has_bytes(data, size, 8, "WEBP", 4)) return PCT_IMAGE_WEBP;
    return PCT_IMAGE_UNKNOWN;
}

static percept_status refuse(const pct_decode_job *job) {
    const unsigned char *data = job->data;
    size_t size = job->size;
    if (size == 0) return pct_fail(job->error, PERCEPT_ERROR_INPUT, "%s: the file is empty", job->name);
    for (size_t i = 0; i < PCT_COUNT(refused_formats); i++) {
        const struct refused *known = &refused_formats[i];
        if (has_bytes(data, size, known->offset, known->bytes, known->length))
            return pct_fail(job->error, PERCEPT_ERROR_INPUT,
                            "%s: %s files are not read; convert it to PNG, JPEG or WebP first", job->name,
                            known->format);
    }
    if (is_svg(data, size))
        return pct_fail(job->error, PERCEPT_ERROR_INPUT,
                        "%s: SVG files are not read as pictures; convert it to PNG first (rsvg-convert)", job->name);
    return pct_fail(job->error, PERCEPT_ERROR_INPUT, "%s: not a picture that percept reads (PNG, JPEG, WebP)",
                    job->name);
}

percept_status pct_decode_check_size(const pct_decode_job *job, int64_t width, int64_t height) {
    if (width < 1 || height < 1 || width > PCT_IMAGE_MAX_SIDE || height > PCT_IMAGE_MAX_SIDE)
        return pct_fail(job->error, PERCEPT_ERROR_INPUT, "%s: a picture of %lld x %lld pixels: sides must be 1 to %d",
                        job->name, (long long)width, (long long)height, PCT_IMAGE_MAX_SIDE);
    if (width * height > job->options.max_pixels)
        return pct_fail(job->error, PERCEPT_ERROR_INPUT,
                        "%s: %lld x %lld pixels are more than the limit of %lld; raise it with --max-pixels", job->name,
                        (long long)width, (long long)height, (long long)job->options.max_pixels);
    return PERCEPT_OK;
}

percept_status pct_decode_damaged(const pct_decode_job *job, const char *format, const char *why) {
    return pct_fail(job->error, PERCEPT_ERROR_INPUT, "%s: the %s picture %s; get a whole copy of the file", job->name,
                    format, why);
}

static percept_status run(pct_decode_job *job) {
    if (job->options.max_pixels <= 0) job->options.max_pixels = PCT_DECODE_MAX_PIXELS;
    job->info = (pct_decode_info){.format = find_format(job->data, job->size), .orientation = 1, .reduction = 1};
    percept_status status = PERCEPT_OK;
    switch (job->info.format) {
    case PCT_IMAGE_PNG:
        status = pct_decode_png(job);
        break;
    case PCT_IMAGE_JPEG:
        status = pct_decode_jpeg(job);
        break;
    case PCT_IMAGE_WEBP:
        status = pct_decode_webp(job);
        break;
    default:
        status = refuse(job);
        break;
    }
    if (status == PERCEPT_OK && job->info.orientation >= 5) {
        int width = job->info.width;
        job->info.width = job->info.height;
        job->info.height = width;
    }
    if (status == PERCEPT_OK && job->image.data) {
        status = pct_image_orient(&job->image, job->info.orientation, job->error);
        if (status != PERCEPT_OK) pct_error_prefix(job->error, "%s", job->name);
    }
    return status;
}

/* RGB to RGBA, all opaque. */
static percept_status add_alpha(pct_image *image, percept_error *error) {
    pct_image out;
    PCT_TRY(pct_image_new(&out, image->width, image->height, 4, error));
    const unsigned char *from = image->data;
    unsigned char *to = out.data;
    for (size_t i = 0, n = (size_t)image->width * (size_t)image->height; i < n; i++, from += 3, to += 4) {
        memcpy(to, from, 3);
        to[3] = 255;
    }
    pct_image_free(image);
    *image = out;
    return PERCEPT_OK;
}

static pct_decode_job make_job(const void *data, size_t size, const char *name, const pct_decode_options *options,
                               percept_error *error) {
    return (pct_decode_job){.data = data,
                            .size = size,
                            .name = name,
                            .options = options ? *options : (pct_decode_options){0},
                            .error = error};
}

percept_status pct_image_decode(pct_image *out, const void *data, size_t size, const char *name,
                                const pct_decode_options *options, pct_decode_info *info, percept_error *error) {
    *out = (pct_image){0};
    pct_decode_job job = make_job(data, size, name, options, error);
    percept_status status = run(&job);
    if (status == PERCEPT_OK && !job.options.keep_alpha) pct_image_flatten(&job.image, 255, 255, 255);
    if (status == PERCEPT_OK && job.options.keep_alpha && job.image.channels == 3)
        status = add_alpha(&job.image, error);
    if (info) *info = job.info;
    if (status == PERCEPT_OK)
        *out = job.image;
    else
        pct_image_free(&job.image);
    return status;
}

percept_status pct_image_probe(const void *data, size_t size, const char *name, const pct_decode_options *options,
                               pct_decode_info *info, percept_error *error) {
    pct_decode_job job = make_job(data, size, name, options, error);
    job.header_only = true;
    percept_status status = run(&job);
    *info = job.info;
    return status;
}

percept_status pct_image_read(pct_image *out, const char *path, const pct_decode_options *options,
                              pct_decode_info *info, percept_error *error) {
    char *data;
    size_t size;
    *out = (pct_image){0};
    PCT_TRY(pct_file_read(path, PCT_DECODE_MAX_FILE_BYTES, &data, &size, error));
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    percept_status status = pct_image_decode(out, data, size, name, options, info, error);
    free(data);
    return status;
}

percept_status pct_mask_decode(pct_mask *out, const void *data, size_t size, const char *name,
                               const pct_decode_options *options, percept_error *error) {
    pct_decode_options own = {.keep_alpha = true, .max_pixels = options ? options->max_pixels : 0};
    pct_image image;
    *out = (pct_mask){0};
    PCT_TRY(pct_image_decode(&image, data, size, name, &own, NULL, error));
    pct_image_flatten(&image, 0, 0, 0);
    percept_status status = pct_mask_new(out, image.width, image.height, error);
    const unsigned char *p = image.data;
    for (size_t i = 0, n = status == PERCEPT_OK ? pct_mask_bytes(out) : 0; i < n; i++, p += 3)
        out->data[i] = 299 * p[0] + 587 * p[1] + 114 * p[2] >= 128 * 1000;
    pct_image_free(&image);
    return status;
}

percept_status pct_mask_read(pct_mask *out, const char *path, const pct_decode_options *options, percept_error *error) {
    char *data;
    size_t size;
    *out = (pct_mask){0};
    PCT_TRY(pct_file_read(path, PCT_DECODE_MAX_FILE_BYTES, &data, &size, error));
    percept_status status =
        pct_mask_decode(out, data, size, strcmp(path, "-") == 0 ? "standard input" : path, options, error);
    free(data);
    return status;
}
