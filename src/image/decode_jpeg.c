/* decode_jpeg.c: JPEG through libjpeg-turbo, behind decode.h.
 *
 * libjpeg reports errors by a callback that must not return, hence the setjmp: everything that has to be cleaned up
 * lives in one struct that outlives the jump. Warnings about missing or damaged data count as errors, because libjpeg
 * would fill what is missing with grey. */
#include "image/decode_private.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

struct reader {
    struct jpeg_decompress_struct jpeg; /* first, so that libjpeg's pointers lead back here */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    int code;            /* libjpeg's message number */
    int most_scans;      /* a progressive file may have so many passes over the picture */
    unsigned char *cmyk; /* one row */
};

enum { TOO_MANY_SCANS = -1 };

static void on_error(j_common_ptr common) {
    struct reader *reader = (struct reader *)common;
    reader->code = reader->errors.msg_code;
    longjmp(reader->escape, 1);
}

static void on_message(j_common_ptr common, int level) {
    struct reader *reader = (struct reader *)common;
    if (level >= 0) return;
    switch (reader->errors.msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_ARITH_BAD_CODE:
        on_error(common);
        break;
    default:
        break; /* oddities that leave the pixels whole */
    }
}

static void on_output(j_common_ptr common) {}

static void on_progress(j_common_ptr common) {
    struct reader *reader = (struct reader *)common;
    if (reader->jpeg.input_scan_number <= reader->most_scans) return;
    reader->code = TOO_MANY_SCANS;
    longjmp(reader->escape, 1);
}

static percept_status fail_jpeg(const pct_decode_job *job, int code) {
    switch (code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JERR_INPUT_EOF:
    case JERR_INPUT_EMPTY:
        return pct_decode_damaged(job, "JPEG", "ends early or has lost data");
    case JERR_OUT_OF_MEMORY:
        return pct_fail_memory(job->error, job->name);
    case JERR_BAD_PRECISION:
        return pct_fail(job->error, PERCEPT_ERROR_INPUT,
                        "%s: this JPEG does not have 8 bits a sample; save it as an ordinary JPEG or PNG", job->name);
    case JERR_SOF_UNSUPPORTED:
        return pct_fail(job->error, PERCEPT_ERROR_INPUT,
                        "%s: this kind of JPEG (lossless or hierarchical) is not supported; save it as an ordinary "
                        "JPEG or PNG",
                        job->name);
    case JERR_IMAGE_TOO_BIG:
        return pct_fail(job->error, PERCEPT_ERROR_INPUT, "%s: the JPEG picture has a side above %d pixels", job->name,
                        (int)JPEG_MAX_DIMENSION);
    case TOO_MANY_SCANS:
        return pct_fail(job->error, PERCEPT_ERROR_INPUT,
                        "%s: the JPEG picture has absurdly many passes; save it as a baseline JPEG", job->name);
    default:
        return pct_decode_damaged(job, "JPEG", "is damaged");
    }
}

static int stored_orientation(const struct jpeg_decompress_struct *jpeg) {
    for (jpeg_saved_marker_ptr marker = jpeg->marker_list; marker; marker = marker->next)
        if (marker->marker == JPEG_APP0 + 1 && marker->data_length > 6 && memcmp(marker->data, "Exif\0", 5) == 0)
            return pct_exif_orientation(marker->data + 6, marker->data_length - 6);
    return 1;
}

/* The largest of 1, 2, 4, 8 that keeps both sides as long as the options want them. */
static int pick_reduction(const pct_decode_job *job) {
    const pct_decode_options *options = &job->options;
    if (options->min_side <= 0 && options->min_long <= 0) return 1;
    int shorter = job->info.width < job->info.height ? job->info.width : job->info.height;
    int longer = job->info.width < job->info.height ? job->info.height : job->info.width;
    int reduction = 8;
    while (reduction > 1 &&
           ((shorter + reduction - 1) / reduction < options->min_side || longer / reduction < options->min_long))
        reduction /= 2;
    return reduction;
}

/* Adobe writes CMYK inverted (255 = no ink), others as it is. Light left = (1 - ink) * (1 - black). */
static void cmyk_to_rgb(const unsigned char *cmyk, int width, bool inverted, unsigned char *rgb) {
    unsigned char flip = inverted ? 0 : 255;
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        int light = cmyk[3] ^ flip;
        for (int c = 0; c < 3; c++) rgb[c] = (unsigned char)(((cmyk[c] ^ flip) * light + 127) / 255);
    }
}

static void read_header(struct reader *reader, pct_decode_job *job) {
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    jpeg_mem_src(jpeg, job->data, (unsigned long)job->size);
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(jpeg, TRUE);
    job->info.width = (int)jpeg->image_width;
    job->info.height = (int)jpeg->image_height;
    job->info.orientation = stored_orientation(jpeg);
    job->info.reduction = pick_reduction(job);
}

static percept_status start(struct reader *reader, pct_decode_job *job) {
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    bool cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    int64_t pixels = (int64_t)job->info.width * job->info.height, scans = 3000000000 / pixels;
    reader->most_scans = (int)(scans < 32 ? 32 : scans > 500 ? 500 : scans);
    reader->progress.progress_monitor = on_progress;
    jpeg->progress = &reader->progress;
    jpeg->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg->scale_num = 1;
    jpeg->scale_denom = (unsigned)job->info.reduction;
    jpeg_start_decompress(jpeg);
    if (cmyk) {
        size_t bytes = (size_t)jpeg->output_width * 4;
        reader->cmyk = jpeg->mem->alloc_large((j_common_ptr)jpeg, JPOOL_IMAGE, bytes);
    }
    return pct_image_new(&job->image, (int)jpeg->output_width, (int)jpeg->output_height, 3, job->error);
}

static void read_pixels(struct reader *reader, pct_decode_job *job) {
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    while (jpeg->output_scanline < jpeg->output_height) {
        unsigned char *out = pct_image_row(&job->image, (int)jpeg->output_scanline);
        JSAMPROW row = reader->cmyk ? reader->cmyk : out;
        if (jpeg_read_scanlines(jpeg, &row, 1) == 1 && reader->cmyk)
            cmyk_to_rgb(reader->cmyk, job->image.width, jpeg->saw_Adobe_marker, out);
    }
    jpeg_finish_decompress(jpeg);
}

static percept_status run(struct reader *reader, pct_decode_job *job) {
    if (setjmp(reader->escape)) return fail_jpeg(job, reader->code);
    jpeg_create_decompress(&reader->jpeg);
    read_header(reader, job);
    PCT_TRY(pct_decode_check_size(job, job->info.width, job->info.height));
    if (job->header_only) return PERCEPT_OK;
    PCT_TRY(start(reader, job));
    read_pixels(reader, job);
    return PERCEPT_OK;
}

percept_status pct_decode_jpeg(pct_decode_job *job) {
    struct reader reader = {0};
    reader.jpeg.err = jpeg_std_error(&reader.errors);
    reader.errors.error_exit = on_error;
    reader.errors.emit_message = on_message;
    reader.errors.output_message = on_output;
    percept_status status = run(&reader, job);
    jpeg_destroy_decompress(&reader.jpeg);
    return status;
}
