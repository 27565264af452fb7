/* encode_webp.c: WebP through libwebp, behind encode.h. */
#include "image/encode.h"

#include <stdlib.h>
#include <string.h>

#include <webp/encode.h>

/* What was written so far, to memory of our own: libwebp's is freed by a function of its own. */
static percept_status take(const WebPMemoryWriter *writer, void **data, size_t *size, percept_error *error) {
    *data = malloc(writer->size ? writer->size : 1);
    if (!*data) return pct_fail_memory(error, "WebP");
    memcpy(*data, writer->mem, writer->size);
    *size = writer->size;
    return PERCEPT_OK;
}

percept_status pct_webp_encode(const pct_image *image, int quality, void **data, size_t *size, percept_error *error) {
    WebPConfig config;
    WebPPicture picture;
    *data = NULL;
    if (image->channels != 4) return pct_fail(error, PERCEPT_ERROR_USAGE, "WebP: only RGBA is written");
    if (!WebPConfigPreset(&config, WEBP_PRESET_ICON, (float)quality) || !WebPPictureInit(&picture))
        return pct_fail(error, PERCEPT_ERROR_WORK, "WebP: cannot be written by this libwebp");
    config.method = 6;
    config.alpha_quality = 100;
    picture.width = image->width;
    picture.height = image->height;
    WebPMemoryWriter writer;
    WebPMemoryWriterInit(&writer);
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
    percept_status status = PERCEPT_OK;
    if (!WebPPictureImportRGBA(&picture, image->data, image->width * 4) || !WebPEncode(&config, &picture))
        status = picture.error_code == VP8_ENC_ERROR_OUT_OF_MEMORY
                     ? pct_fail_memory(error, "WebP")
                     : pct_fail(error, PERCEPT_ERROR_WORK, "WebP: %d x %d pixels cannot be written", image->width,
                                image->height);
    if (status == PERCEPT_OK) status = take(&writer, data, size, error);
    WebPPictureFree(&picture);
    WebPMemoryWriterClear(&writer);
    return status;
}
