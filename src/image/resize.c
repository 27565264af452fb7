/* resize.c: pictures and masks to another size; see resize.h. */
#include "image/resize.h"

#include "base/size.h"
#include "image/resize_taps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static percept_status check_target(int width, int height, percept_error *error) {
    if (width < 1 || height < 1 || width > PCT_IMAGE_MAX_SIDE || height > PCT_IMAGE_MAX_SIDE)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "resizing to %d x %d pixels: sides must be 1 to %d", width, height,
                        PCT_IMAGE_MAX_SIDE);
    return PERCEPT_OK;
}

/* Cubic, 8 bits in and out. ------------------------------------------------------------------------------------- */

struct cubic_job {
    const pct_image *in;
    unsigned char *middle; /* [in height][width][3], rows done */
    pct_image *out;
    const pct_taps *across, *down;
    int32_t *sums; /* [workers][width * 3] */
};

static unsigned char to_byte(int32_t fixed) {
    fixed >>= PCT_TAPS_BITS;
    return (unsigned char)(fixed < 0 ? 0 : fixed > 255 ? 255 : fixed);
}

static void cubic_rows(void *context, int64_t begin, int64_t end, int worker) {
    const struct cubic_job *job = context;
    const pct_taps *taps = job->across;
    for (int64_t y = begin; y < end; y++) {
        const unsigned char *row = pct_image_row(job->in, (int)y);
        unsigned char *out = job->middle + (size_t)y * (size_t)taps->length * 3;
        for (int x = 0; x < taps->length; x++, out += 3) {
            const unsigned char *pixel = row + (size_t)taps->first[x] * 3;
            const int32_t *weight = taps->fixed + (size_t)x * (size_t)taps->stride;
            int32_t r = (1 << (PCT_TAPS_BITS - 1)) + taps->bias[x], g = r, b = r;
            for (int k = 0, n = taps->count[x]; k < n; k++, pixel += 3) {
                r += pixel[0] * weight[k];
                g += pixel[1] * weight[k];
                b += pixel[2] * weight[k];
            }
            out[0] = to_byte(r);
            out[1] = to_byte(g);
            out[2] = to_byte(b);
        }
    }
}

static void cubic_columns(void *context, int64_t begin, int64_t end, int worker) {
    const struct cubic_job *job = context;
    const pct_taps *taps = job->down;
    size_t bytes = (size_t)job->out->width * 3;
    int32_t *sums = job->sums + (size_t)worker * bytes;
    for (int64_t y = begin; y < end; y++) {
        int32_t start = (1 << (PCT_TAPS_BITS - 1)) + taps->bias[y];
        for (size_t i = 0; i < bytes; i++) sums[i] = start;
        const unsigned char *row = job->middle + (size_t)taps->first[y] * bytes;
        for (int k = 0; k < taps->count[y]; k++, row += bytes) {
            int32_t weight = taps->fixed[(size_t)y * (size_t)taps->stride + (size_t)k];
            for (size_t i = 0; i < bytes; i++) sums[i] += row[i] * weight;
        }
        unsigned char *out = pct_image_row(job->out, (int)y);
        for (size_t i = 0; i < bytes; i++) out[i] = to_byte(sums[i]);
    }
}

percept_status pct_resize_bicubic_canvas(pct_image *out, const pct_image *in, int canvas_width, int canvas_height,
                                         int left, int top, unsigned char white, int width, int height, pct_pool *pool,
                                         percept_error *error) {
    *out = (pct_image){0};
    PCT_TRY(check_target(width, height, error));
    if (in->channels != 3)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "bicubic resizing takes RGB, not %d channels", in->channels);
    pct_taps across = {0}, down = {0};
    struct cubic_job job = {.in = in, .out = out, .across = &across, .down = &down};
    size_t workers = (size_t)pct_pool_threads(pool);
    percept_status status =
        pct_taps_make(&across, PCT_FILTER_CUBIC, true, in->width, canvas_width, left, white, width, error);
    if (status == PERCEPT_OK)
        status = pct_taps_make(&down, PCT_FILTER_CUBIC, true, in->height, canvas_height, top, white, height, error);
    if (status == PERCEPT_OK) status = pct_image_new(out, width, height, 3, error);
    if (status == PERCEPT_OK) {
        job.middle = malloc((size_t)in->height * (size_t)width * 3);
        job.sums = malloc(workers * (size_t)width * 3 * sizeof(*job.sums));
        if (!job.middle || !job.sums) status = pct_fail_memory(error, "resizing a picture");
    }
    if (status == PERCEPT_OK) {
        pct_parallel_for(pool, in->height, 16, cubic_rows, &job);
        pct_parallel_for(pool, height, 16, cubic_columns, &job);
    } else {
        pct_image_free(out);
    }
    free(job.middle);
    free(job.sums);
    pct_taps_free(&across);
    pct_taps_free(&down);
    return status;
}

percept_status pct_resize_bicubic(pct_image *out, const pct_image *in, int width, int height, pct_pool *pool,
                                  percept_error *error) {
    return pct_resize_bicubic_canvas(out, in, in->width, in->height, 0, 0, 0, width, height, pool, error);
}

/* Triangle, in float. ------------------------------------------------------------------------------------------- */

/* Puts one source row into line[width][channels]. */
typedef void read_row(const void *source, int y, float *line);

struct triangle_job {
    const void *source;
    read_row *read;
    int channels;
    const pct_taps *across, *down;
    float *line, *middle; /* [in width][channels], [in height][width][channels] */
};

static void triangle_rows(struct triangle_job *job, int in_height) {
    const pct_taps *taps = job->across;
    int channels = job->channels;
    float *out = job->middle;
    for (int y = 0; y < in_height; y++) {
        job->read(job->source, y, job->line);
        for (int x = 0; x < taps->length; x++, out += channels) {
            const float *weight = taps->weight + (size_t)x * (size_t)taps->stride;
            const float *pixel = job->line + (size_t)taps->first[x] * (size_t)channels;
            float sum[4] = {0};
            for (int k = 0; k < taps->count[x]; k++, pixel += channels)
                for (int c = 0; c < channels; c++) sum[c] += weight[k] * pixel[c];
            for (int c = 0; c < channels; c++) out[c] = sum[c];
        }
    }
}

static void triangle_column(const struct triangle_job *job, int y, float *out) {
    const pct_taps *taps = job->down;
    size_t length = (size_t)job->across->length * (size_t)job->channels;
    const float *row = job->middle + (size_t)taps->first[y] * length;
    memset(out, 0, length * sizeof(*out));
    for (int k = 0; k < taps->count[y]; k++, row += length) {
        float weight = taps->weight[(size_t)y * (size_t)taps->stride + (size_t)k];
        for (size_t i = 0; i < length; i++) out[i] += weight * row[i];
    }
}

/* Sets the job up and runs its rows; triangle_end in any case. */
static percept_status triangle_begin(struct triangle_job *job, pct_taps taps[2], int in_width, int in_height, int width,
                                     int height, percept_error *error) {
    job->across = &taps[0];
    job->down = &taps[1];
    PCT_TRY(pct_taps_make(&taps[0], PCT_FILTER_TRIANGLE, false, in_width, in_width, 0, 0, width, error));
    PCT_TRY(pct_taps_make(&taps[1], PCT_FILTER_TRIANGLE, false, in_height, in_height, 0, 0, height, error));
    size_t channels = (size_t)job->channels;
    job->line = malloc((size_t)in_width * channels * sizeof(float));
    job->middle = malloc((size_t)in_height * (size_t)width * channels * sizeof(float));
    if (!job->line || !job->middle) return pct_fail_memory(error, "resizing");
    triangle_rows(job, in_height);
    return PERCEPT_OK;
}

static void triangle_end(struct triangle_job *job, pct_taps taps[2]) {
    free(job->line);
    free(job->middle);
    pct_taps_free(&taps[0]);
    pct_taps_free(&taps[1]);
}

static void read_rgb(const void *source, int y, float *line) {
    const pct_image *image = source;
    const unsigned char *row = pct_image_row(image, y);
    for (size_t i = 0, n = (size_t)image->width * 3; i < n; i++) line[i] = row[i];
}

static void read_rgba_premultiplied(const void *source, int y, float *line) {
    const pct_image *image = source;
    const unsigned char *p = pct_image_row(image, y);
    for (int x = 0; x < image->width; x++, p += 4, line += 4) {
        float alpha = (float)p[3] * (1.0f / 255);
        line[0] = p[0] * alpha;
        line[1] = p[1] * alpha;
        line[2] = p[2] * alpha;
        line[3] = p[3];
    }
}

static void read_mask(const void *source, int y, float *line) {
    const pct_mask *mask = source;
    const unsigned char *row = pct_mask_row(mask, y);
    for (int x = 0; x < mask->width; x++) line[x] = row[x];
}

static unsigned char round_byte(float v) { return (unsigned char)pct_clamp_f32(v + 0.5f, 0, 255); }

static void write_row(const float *line, int width, int channels, unsigned char *out) {
    if (channels == 3) {
        for (int i = 0; i < width * 3; i++) out[i] = round_byte(line[i]);
        return;
    }
    for (int x = 0; x < width; x++, line += 4, out += 4) {
        out[3] = round_byte(line[3]);
        float back = out[3] ? 255 / line[3] : 0;
        for (int c = 0; c < 3; c++) out[c] = round_byte(line[c] * back);
    }
}

percept_status pct_resize_bilinear(pct_image *out, const pct_image *in, int width, int height, percept_error *error) {
    *out = (pct_image){0};
    PCT_TRY(check_target(width, height, error));
    pct_taps taps[2] = {{0}};
    struct triangle_job job = {
        .source = in, .read = in->channels == 4 ? read_rgba_premultiplied : read_rgb, .channels = in->channels};
    percept_status status = triangle_begin(&job, taps, in->width, in->height, width, height, error);
    float *line = malloc((size_t)width * (size_t)in->channels * sizeof(float));
    if (status == PERCEPT_OK && !line) status = pct_fail_memory(error, "resizing");
    if (status == PERCEPT_OK) status = pct_image_new(out, width, height, in->channels, error);
    for (int y = 0; y < height && status == PERCEPT_OK; y++) {
        triangle_column(&job, y, line);
        write_row(line, width, in->channels, pct_image_row(out, y));
    }
    free(line);
    triangle_end(&job, taps);
    return status;
}

percept_status pct_resize_coverage(float *out, const pct_mask *in, int width, int height, percept_error *error) {
    PCT_TRY(check_target(width, height, error));
    pct_taps taps[2] = {{0}};
    struct triangle_job job = {.source = in, .read = read_mask, .channels = 1};
    percept_status status = triangle_begin(&job, taps, in->width, in->height, width, height, error);
    for (int y = 0; y < height && status == PERCEPT_OK; y++) triangle_column(&job, y, out + (size_t)y * (size_t)width);
    triangle_end(&job, taps);
    return status;
}

percept_status pct_resize_mask(pct_mask *out, const pct_mask *in, int width, int height, percept_error *error) {
    *out = (pct_mask){0};
    PCT_TRY(check_target(width, height, error));
    size_t pixels = (size_t)width * (size_t)height;
    float *share = malloc(pixels * sizeof(*share));
    percept_status status =
        share ? pct_resize_coverage(share, in, width, height, error) : pct_fail_memory(error, "resizing a mask");
    if (status == PERCEPT_OK) status = pct_mask_new(out, width, height, error);
    for (size_t i = 0; i < pixels && status == PERCEPT_OK; i++) out->data[i] = share[i] >= 0.5f;
    free(share);
    return status;
}
