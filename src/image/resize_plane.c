/* resize_plane.c: one plane of floats to another size, for mask logits; see resize.h.
 *
 * Each source row is stretched to the new width once and kept while new rows between it and its neighbour are mixed, so
 * the inner loop is a straight multiply-add over a row that lies in cache. */
#include "image/resize.h"

#include "base/size.h"

#include <math.h>
#include <stdlib.h>

struct plane_job {
    const float *in;
    int in_width, in_height, height;
    int left, top, width;  /* the window's corner and width; new rows are counted from top */
    const int32_t *column; /* [width]: left neighbour of each new column */
    const float *part;     /* [width]: share of the right neighbour */
    float *scratch;        /* [workers][3][width] */
    float *out;            /* [rows][width], or */
    unsigned char *mask;   /* [rows][width] */
    float threshold;
};

/* Source position of a new pixel's middle: index of the left neighbour and share of the right one. */
static int32_t source_of(int at, int length, int in_length, float *share) {
    double position = (at + 0.5) * ((double)in_length / length) - 0.5;
    if (position < 0) position = 0;
    int32_t index = (int32_t)position;
    if (index >= in_length - 1) {
        *share = 0;
        return in_length - 1;
    }
    *share = (float)(position - index);
    return index;
}

static void stretch_row(const struct plane_job *job, int row, float *out) {
    const float *in = job->in + (size_t)row * (size_t)job->in_width;
    int last = job->in_width - 1;
    for (int x = 0; x < job->width; x++) {
        int32_t i = job->column[x];
        float a = in[i], b = in[i < last ? i + 1 : last];
        out[x] = a + (b - a) * job->part[x];
    }
}

static void plane_rows(void *context, int64_t begin, int64_t end, int worker) {
    const struct plane_job *job = context;
    size_t width = (size_t)job->width;
    float *upper = job->scratch + (size_t)worker * 3 * width, *lower = upper + width, *line = lower + width;
    int upper_row = -1, lower_row = -1;
    for (int64_t y = begin; y < end; y++) {
        float share;
        int32_t row = source_of(job->top + (int)y, job->height, job->in_height, &share);
        int32_t next = row + 1 < job->in_height ? row + 1 : row;
        if (lower_row == row) { /* one step down: the lower row becomes the upper one */
            float *swap = upper;
            upper = lower;
            lower = swap;
            int row_swap = upper_row;
            upper_row = lower_row;
            lower_row = row_swap;
        }
        if (upper_row != row) stretch_row(job, upper_row = row, upper);
        if (lower_row != next) stretch_row(job, lower_row = next, lower);
        float *out = job->out ? job->out + (size_t)y * width : line;
        for (size_t x = 0; x < width; x++) out[x] = upper[x] + (lower[x] - upper[x]) * share;
        if (!job->mask) continue;
        unsigned char *mask = job->mask + (size_t)y * width;
        for (size_t x = 0; x < width; x++) mask[x] = out[x] > job->threshold;
    }
}

/* Fills in the job's column table and scratch, and runs `rows` new rows. */
static percept_status run_plane(struct plane_job *job, int full_width, int rows, pct_pool *pool, percept_error *error) {
    size_t width = (size_t)job->width, workers = (size_t)pct_pool_threads(pool);
    int32_t *column = malloc(width * sizeof(*column));
    float *part = malloc(width * sizeof(*part));
    job->scratch = malloc(workers * 3 * width * sizeof(float));
    percept_status status = PERCEPT_OK;
    if (column && part && job->scratch) {
        for (int x = 0; x < job->width; x++) column[x] = source_of(job->left + x, full_width, job->in_width, &part[x]);
        job->column = column;
        job->part = part;
        pct_parallel_for(pool, rows, 32, plane_rows, job);
    } else {
        status = pct_fail_memory(error, "resizing a mask");
    }
    free(column);
    free(part);
    free(job->scratch);
    return status;
}

static percept_status check_plane(int width, int height, int in_width, int in_height, percept_error *error) {
    if (width < 1 || height < 1 || in_width < 1 || in_height < 1 || width > PCT_IMAGE_MAX_SIDE ||
        height > PCT_IMAGE_MAX_SIDE || in_width > PCT_IMAGE_MAX_SIDE || in_height > PCT_IMAGE_MAX_SIDE)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "resizing a plane of %d x %d to %d x %d: sides must be 1 to %d",
                        in_width, in_height, width, height, PCT_IMAGE_MAX_SIDE);
    return PERCEPT_OK;
}

percept_status pct_resize_plane(float *out, int width, int height, const float *in, int in_width, int in_height,
                                pct_pool *pool, percept_error *error) {
    PCT_TRY(check_plane(width, height, in_width, in_height, error));
    struct plane_job job = {
        .in = in, .in_width = in_width, .in_height = in_height, .height = height, .width = width, .out = out};
    return run_plane(&job, width, height, pool, error);
}

percept_status pct_resize_plane_threshold(pct_mask *out, int width, int height, int window_left, int window_top,
                                          int window_width, int window_height, const float *in, int in_width,
                                          int in_height, float threshold, pct_pool *pool, percept_error *error) {
    *out = (pct_mask){0};
    PCT_TRY(check_plane(width, height, in_width, in_height, error));
    PCT_ASSERT(window_left >= 0 && window_top >= 0 && window_width <= width - window_left &&
               window_height <= height - window_top);
    PCT_TRY(pct_mask_new(out, window_width, window_height, error));
    struct plane_job job = {.in = in,
                            .in_width = in_width,
                            .in_height = in_height,
                            .height = height,
                            .left = window_left,
                            .top = window_top,
                            .width = window_width,
                            .mask = out->data,
                            .threshold = threshold};
    percept_status status = run_plane(&job, width, window_height, pool, error);
    if (status != PERCEPT_OK) pct_mask_free(out);
    return status;
}
