/* encode.c: see encode.h. */
#include "image/encode.h"

#include "base/file.h"
#include "base/size.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <spng.h>

percept_status pct_png_encode(const unsigned char *pixels, int width, int height, int channels, int level, void **data,
                              size_t *size, percept_error *error) {
    *data = NULL;
    *size = 0;
    if (width < 1 || height < 1 || (channels != 1 && channels != 3 && channels != 4) || level < -1 || level > 9)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "PNG of %d x %d pixels, %d channels, level %d cannot be written",
                        width, height, channels, level);
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    if (!png) return pct_fail_memory(error, "PNG");
    struct spng_ihdr header = {.width = (uint32_t)width, .height = (uint32_t)height, .bit_depth = 8};
    header.color_type = channels == 1   ? SPNG_COLOR_TYPE_GRAYSCALE
                        : channels == 3 ? SPNG_COLOR_TYPE_TRUECOLOR
                                        : SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
    size_t bytes = (size_t)width * (size_t)height * (size_t)channels;
    int code = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    if (!code) code = spng_set_option(png, SPNG_IMG_COMPRESSION_LEVEL, level);
    if (!code) code = spng_set_ihdr(png, &header);
    if (!code) code = spng_encode_image(png, pixels, bytes, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    if (!code) *data = spng_get_png_buffer(png, size, &code);
    spng_ctx_free(png);
    if (code || !*data) return pct_fail_memory(error, "PNG");
    return PERCEPT_OK;
}

static percept_status write_and_free(const char *path, void *data, size_t size, percept_error *error) {
    percept_status status = pct_file_write(path, data, size, error);
    free(data);
    return status;
}

percept_status pct_png_write(const char *path, const pct_image *image, percept_error *error) {
    void *data;
    size_t size;
    PCT_TRY(pct_png_encode(image->data, image->width, image->height, image->channels, -1, &data, &size, error));
    return write_and_free(path, data, size, error);
}

percept_status pct_mask_write_png(const char *path, const pct_mask *mask, percept_error *error) {
    size_t pixels = pct_mask_bytes(mask), size = 0;
    unsigned char *grey = malloc(pixels);
    void *data = NULL;
    if (!grey) return pct_fail_memory(error, path);
    for (size_t i = 0; i < pixels; i++) grey[i] = mask->data[i] ? 255 : 0;
    percept_status status = pct_png_encode(grey, mask->width, mask->height, 1, -1, &data, &size, error);
    free(grey);
    if (status != PERCEPT_OK) return status;
    return write_and_free(path, data, size, error);
}

struct writer {
    struct jpeg_compress_struct jpeg; /* first, so that libjpeg's pointers lead back here */
    struct jpeg_error_mgr errors;
    jmp_buf escape;
    unsigned char *data; /* libjpeg's own, from malloc */
    unsigned long size;
};

static void on_error(j_common_ptr common) { longjmp(((struct writer *)common)->escape, 1); }
static void on_message(j_common_ptr common, int level) {}
static void on_output(j_common_ptr common) {}

static bool compress(struct writer *writer, const pct_image *image, int quality) {
    struct jpeg_compress_struct *jpeg = &writer->jpeg;
    if (setjmp(writer->escape)) return false;
    jpeg_create_compress(jpeg);
    jpeg_mem_dest(jpeg, &writer->data, &writer->size);
    jpeg->image_width = (JDIMENSION)image->width;
    jpeg->image_height = (JDIMENSION)image->height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    if (quality >= 90) jpeg->comp_info[0].h_samp_factor = jpeg->comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        JSAMPROW row = pct_image_row(image, (int)jpeg->next_scanline);
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
    return true;
}

percept_status pct_jpeg_encode(const pct_image *image, int quality, void **data, size_t *size, percept_error *error) {
    *data = NULL;
    *size = 0;
    if (image->channels != 3 || quality < 1 || quality > 100 || image->width > JPEG_MAX_DIMENSION ||
        image->height > JPEG_MAX_DIMENSION)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "JPEG takes RGB pictures of at most %d pixels a side and a quality of 1 to 100",
                        (int)JPEG_MAX_DIMENSION);
    struct writer writer = {0};
    writer.jpeg.err = jpeg_std_error(&writer.errors);
    writer.errors.error_exit = on_error;
    writer.errors.emit_message = on_message;
    writer.errors.output_message = on_output;
    bool done = compress(&writer, image, quality);
    jpeg_destroy_compress(&writer.jpeg);
    if (!done) {
        free(writer.data);
        return pct_fail_memory(error, "JPEG");
    }
    *data = writer.data;
    *size = writer.size;
    return PERCEPT_OK;
}

percept_status pct_jpeg_write(const char *path, const pct_image *image, int quality, percept_error *error) {
    void *data;
    size_t size;
    PCT_TRY(pct_jpeg_encode(image, quality, &data, &size, error));
    return write_and_free(path, data, size, error);
}
