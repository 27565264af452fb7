/* decode_webp.c: WebP through libwebp, behind decode.h. The first frame of an animation is laid at its place on a
 * transparent canvas, as a player would show it. */
#include "image/decode_private.h"

#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

static int stored_orientation(WebPDemuxer *webp) {
    WebPChunkIterator chunk;
    int orientation = 1;
    if (WebPDemuxGetChunk(webp, "EXIF", 1, &chunk))
        orientation = pct_exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
    WebPDemuxReleaseChunkIterator(&chunk);
    return orientation;
}

static percept_status decode_frame(pct_decode_job *job, const WebPIterator *frame, pct_image *out) {
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) return pct_decode_damaged(job, "WebP", "cannot be decoded by this libwebp");
    if (WebPGetFeatures(frame->fragment.bytes, frame->fragment.size, &config.input) != VP8_STATUS_OK ||
        config.input.width != frame->width || config.input.height != frame->height)
        return pct_decode_damaged(job, "WebP", "is damaged");
    int channels = config.input.has_alpha ? 4 : 3;
    PCT_TRY(pct_image_new(out, frame->width, frame->height, channels, job->error));
    config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = out->data;
    config.output.u.RGBA.stride = frame->width * channels;
    config.output.u.RGBA.size = pct_image_bytes(out);
    VP8StatusCode code = WebPDecode(frame->fragment.bytes, frame->fragment.size, &config);
    WebPFreeDecBuffer(&config.output);
    if (code == VP8_STATUS_OK) return PERCEPT_OK;
    pct_image_free(out);
    if (code == VP8_STATUS_OUT_OF_MEMORY) return pct_fail_memory(job->error, job->name);
    return pct_decode_damaged(job, "WebP", code == VP8_STATUS_NOT_ENOUGH_DATA ? "ends early" : "is damaged");
}

/* A frame that does not fill the canvas goes onto a transparent one. */
static percept_status place_frame(pct_decode_job *job, const WebPIterator *frame) {
    pct_image part;
    PCT_TRY(decode_frame(job, frame, &part));
    if (part.width == job->info.width && part.height == job->info.height) {
        job->image = part;
        return PERCEPT_OK;
    }
    percept_status status = PERCEPT_OK;
    if (frame->x_offset < 0 || frame->y_offset < 0 || frame->x_offset > job->info.width - part.width ||
        frame->y_offset > job->info.height - part.height)
        status = pct_decode_damaged(job, "WebP", "is damaged (a frame lies outside the picture)");
    if (status == PERCEPT_OK) status = pct_image_new(&job->image, job->info.width, job->info.height, 4, job->error);
    if (status == PERCEPT_OK) {
        memset(job->image.data, 0, pct_image_bytes(&job->image));
        for (int y = 0; y < part.height; y++) {
            const unsigned char *from = pct_image_row(&part, y);
            unsigned char *to = pct_image_row(&job->image, y + frame->y_offset) + (size_t)frame->x_offset * 4;
            for (int x = 0; x < part.width; x++, from += part.channels, to += 4) {
                memcpy(to, from, 3);
                to[3] = part.channels == 4 ? from[3] : 255;
            }
        }
    }
    pct_image_free(&part);
    return status;
}

static percept_status decode_with(WebPDemuxer *webp, pct_decode_job *job) {
    uint32_t width = WebPDemuxGetI(webp, WEBP_FF_CANVAS_WIDTH), height = WebPDemuxGetI(webp, WEBP_FF_CANVAS_HEIGHT);
    PCT_TRY(pct_decode_check_size(job, width, height));
    job->info.width = (int)width;
    job->info.height = (int)height;
    job->info.orientation = stored_orientation(webp);
    if (job->header_only) return PERCEPT_OK;
    WebPIterator frame;
    if (!WebPDemuxGetFrame(webp, 1, &frame)) return pct_decode_damaged(job, "WebP", "holds no picture");
    percept_status status = frame.complete ? place_frame(job, &frame) : pct_decode_damaged(job, "WebP", "ends early");
    WebPDemuxReleaseIterator(&frame);
    return status;
}

percept_status pct_decode_webp(pct_decode_job *job) {
    WebPDemuxState state;
    WebPData data = {job->data, job->size};
    WebPDemuxer *webp = WebPDemuxPartial(&data, &state);
    percept_status status;
    if (!webp || state == WEBP_DEMUX_PARSE_ERROR)
        status = pct_decode_damaged(job, "WebP", "is damaged");
    else if (state != WEBP_DEMUX_DONE && !job->header_only)
        status = pct_decode_damaged(job, "WebP", "ends early");
    else if (state < WEBP_DEMUX_PARSED_HEADER)
        status = pct_decode_damaged(job, "WebP", "ends early");
    else
        status = decode_with(webp, job);
    WebPDemuxDelete(webp);
    return status;
}
