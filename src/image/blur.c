/* blur.c: gaussian and box blur of interleaved 8-bit rows; see filter.h.
 *
 * Everything works on rows as flat bytes, so the same loops serve 1, 3 and 4 channels and vectorise: a neighbour in x
 * is `channels` bytes away, a neighbour in y one row. Small kernels have weights that sum to 256, so a sum of 16 bits
 * never overflows. */
#include "image/filter.h"

#include "base/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RADIUS = 8 }; /* of the exact kernel: 3 deviations of at most 2, and some room */

struct grid {
    unsigned char *data; /* [height][width * channels] */
    int width, height, channels;
    bool edges_repeat; /* else outside is 0 */
};

/* A gaussian in 1/256; weight[0] is the middle, weight[k] both k-th neighbours. Returns the radius. */
static int make_kernel(float sigma, uint16_t weight[MAX_RADIUS + 1]) {
    int radius = (int)ceilf(3 * sigma), sum = 0;
    if (radius > MAX_RADIUS) radius = MAX_RADIUS;
    double exact[MAX_RADIUS + 1], total = 0;
    for (int k = 0; k <= radius; k++) {
        exact[k] = exp(-0.5 * k * k / ((double)sigma * (double)sigma));
        total += k ? 2 * exact[k] : exact[k];
    }
    for (int k = 1; k <= radius; k++) {
        weight[k] = (uint16_t)lround(256 * exact[k] / total);
        sum += 2 * weight[k];
    }
    weight[0] = (uint16_t)(256 - sum);
    while (radius > 0 && weight[radius] == 0) radius--;
    return radius;
}

/* line[-pad .. n+pad) around a copy of a row; pad in pixels. */
static void pad_row(const struct grid *grid, const unsigned char *row, int pad, unsigned char *line) {
    size_t channels = (size_t)grid->channels, bytes = (size_t)grid->width * channels;
    memcpy(line, row, bytes);
    for (int k = 1; k <= pad; k++) {
        unsigned char *before = line - (size_t)k * channels, *after = line + bytes + (size_t)(k - 1) * channels;
        for (size_t c = 0; c < channels; c++) {
            before[c] = grid->edges_repeat ? row[c] : 0;
            after[c] = grid->edges_repeat ? row[bytes - channels + c] : 0;
        }
    }
}

static void kernel_rows(struct grid *grid, const uint16_t *weight, int radius, unsigned char *line) {
    size_t bytes = (size_t)grid->width * (size_t)grid->channels;
    for (int y = 0; y < grid->height; y++) {
        unsigned char *row = grid->data + (size_t)y * bytes;
        pad_row(grid, row, radius, line);
        for (size_t i = 0; i < bytes; i++) row[i] = 0;
        /* Blocks keep the sums in registers or the first cache. */
        for (size_t start = 0; start < bytes; start += 256) {
            size_t n = bytes - start < 256 ? bytes - start : 256;
            const unsigned char *at = line + start;
            uint16_t sum[256];
            for (size_t i = 0; i < n; i++) sum[i] = (uint16_t)(128 + at[i] * weight[0]);
            for (int k = 1; k <= radius; k++) {
                const unsigned char *left = at - (size_t)k * (size_t)grid->channels;
                const unsigned char *right = at + (size_t)k * (size_t)grid->channels;
                uint16_t w = weight[k];
                for (size_t i = 0; i < n; i++) sum[i] = (uint16_t)(sum[i] + (left[i] + right[i]) * w);
            }
            for (size_t i = 0; i < n; i++) row[start + i] = (unsigned char)(sum[i] >> 8);
        }
    }
}

/* Row y of the copy, repeated beyond the edges; NULL stands for a row of 0s. */
static const unsigned char *row_at(const struct grid *grid, const unsigned char *copy, int y) {
    if (!grid->edges_repeat && (y < 0 || y >= grid->height)) return NULL;
    y = y < 0 ? 0 : y >= grid->height ? grid->height - 1 : y;
    return copy + (size_t)y * (size_t)grid->width * (size_t)grid->channels;
}

static void kernel_columns(struct grid *grid, const uint16_t *weight, int radius, const unsigned char *copy,
                           uint16_t *sum) {
    size_t bytes = (size_t)grid->width * (size_t)grid->channels;
    for (int y = 0; y < grid->height; y++) {
        for (size_t i = 0; i < bytes; i++) sum[i] = 128;
        for (int k = -radius; k <= radius; k++) {
            const unsigned char *row = row_at(grid, copy, y + k);
            uint16_t w = weight[k < 0 ? -k : k];
            for (size_t i = 0; row && i < bytes; i++) sum[i] = (uint16_t)(sum[i] + row[i] * w);
        }
        unsigned char *out = grid->data + (size_t)y * bytes;
        for (size_t i = 0; i < bytes; i++) out[i] = (unsigned char)(sum[i] >> 8);
    }
}

/* Mean over 2 radius + 1 pixels along rows, by a running sum. */
static void box_rows(struct grid *grid, int radius, unsigned char *line) {
    size_t channels = (size_t)grid->channels, bytes = (size_t)grid->width * channels;
    uint32_t span = 2 * (uint32_t)radius + 1, scale = (uint32_t)(((1u << 24) + span / 2) / span);
    for (int y = 0; y < grid->height; y++) {
        unsigned char *row = grid->data + (size_t)y * bytes;
        pad_row(grid, row, radius + 1, line);
        for (size_t c = 0; c < channels; c++) {
            const unsigned char *head = line + c + (size_t)radius * channels;
            const unsigned char *tail = line + c - (size_t)(radius + 1) * channels;
            uint32_t sum = 0;
            for (int k = -radius - 1; k < radius; k++) sum += line[(ptrdiff_t)c + k * (ptrdiff_t)channels];
            for (size_t i = c; i < bytes; i += channels, head += channels, tail += channels) {
                sum += *head;
                sum -= *tail;
                uint64_t mean = ((uint64_t)sum * scale + (1u << 23)) >> 24;
                row[i] = (unsigned char)(mean > 255 ? 255 : mean);
            }
        }
    }
}

static void box_columns(struct grid *grid, int radius, const unsigned char *copy, uint32_t *sum) {
    size_t bytes = (size_t)grid->width * (size_t)grid->channels;
    float scale = 1 / (2 * (float)radius + 1);
    memset(sum, 0, bytes * sizeof(*sum));
    for (int y = -radius; y < radius; y++) {
        const unsigned char *row = row_at(grid, copy, y);
        for (size_t i = 0; row && i < bytes; i++) sum[i] += row[i];
    }
    for (int y = 0; y < grid->height; y++) {
        const unsigned char *head = row_at(grid, copy, y + radius), *tail = row_at(grid, copy, y - radius);
        unsigned char *out = grid->data + (size_t)y * bytes;
        for (size_t i = 0; head && i < bytes; i++) sum[i] += head[i];
        for (size_t i = 0; i < bytes; i++) out[i] = (unsigned char)((float)(int32_t)sum[i] * scale + 0.5f);
        for (size_t i = 0; tail && i < bytes; i++) sum[i] -= tail[i];
    }
}

/* Scratch: a padded line, a copy of the grid, a row of sums, in one block. */
struct scratch {
    unsigned char *line, *copy;
    void *sum, *block;
};

static percept_status take_scratch(struct scratch *scratch, const struct grid *grid, int pad, percept_error *error) {
    size_t row = (size_t)grid->width * (size_t)grid->channels, side = (size_t)pad * (size_t)grid->channels;
    scratch->block = malloc(row * sizeof(uint32_t) + row + 2 * side + row * (size_t)grid->height);
    if (!scratch->block) return pct_fail_memory(error, "blur");
    scratch->sum = scratch->block;
    scratch->line = (unsigned char *)scratch->block + row * sizeof(uint32_t) + side;
    scratch->copy = scratch->line + row + side;
    return PERCEPT_OK;
}

static void copy_grid(const struct grid *grid, unsigned char *copy) {
    memcpy(copy, grid->data, (size_t)grid->width * (size_t)grid->channels * (size_t)grid->height);
}

static percept_status box_passes(struct grid *grid, const int *radius, int passes, percept_error *error) {
    int widest = 0;
    for (int i = 0; i < passes; i++) widest = radius[i] > widest ? radius[i] : widest;
    struct scratch scratch = {0};
    PCT_TRY(take_scratch(&scratch, grid, widest + 1, error));
    for (int i = 0; i < passes; i++) {
        if (radius[i] < 1) continue;
        box_rows(grid, radius[i], scratch.line);
        copy_grid(grid, scratch.copy);
        box_columns(grid, radius[i], scratch.copy, scratch.sum);
    }
    free(scratch.block);
    return PERCEPT_OK;
}

/* Three box passes whose variances add up to the gaussian's as nearly as whole radii can. */
static percept_status blur_wide(struct grid *grid, float sigma, percept_error *error) {
    int radius[3];
    double wanted = (double)sigma * (double)sigma;
    for (int i = 0; i < 3; i++) { /* what is left, spread over the passes that are left: (w^2 - 1) / 12 each */
        double width = sqrt(12 * (wanted > 0 ? wanted : 0) / (3 - i) + 1);
        radius[i] = (int)lround((width - 1) / 2);
        double whole = 2.0 * radius[i] + 1;
        wanted -= (whole * whole - 1) / 12;
    }
    return box_passes(grid, radius, 3, error);
}

static percept_status blur(struct grid *grid, float sigma, percept_error *error) {
    if (!(sigma > 0)) return PERCEPT_OK;
    if (sigma > 10000) sigma = 10000;
    if (sigma > 2) return blur_wide(grid, sigma, error);
    uint16_t weight[MAX_RADIUS + 1];
    int radius = make_kernel(sigma, weight);
    if (radius == 0) return PERCEPT_OK;
    struct scratch scratch = {0};
    PCT_TRY(take_scratch(&scratch, grid, radius, error));
    kernel_rows(grid, weight, radius, scratch.line);
    copy_grid(grid, scratch.copy);
    kernel_columns(grid, weight, radius, scratch.copy, scratch.sum);
    free(scratch.block);
    return PERCEPT_OK;
}

percept_status pct_filter_blur(pct_image *image, float sigma, percept_error *error) {
    struct grid grid = {image->data, image->width, image->height, image->channels, true};
    return blur(&grid, sigma, error);
}

percept_status pct_filter_box_blur(pct_image *image, int radius, percept_error *error) {
    struct grid grid = {image->data, image->width, image->height, image->channels, true};
    if (radius < 0 || radius > 10000)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "box blur of radius %d: 0 to 10000 are possible", radius);
    return box_passes(&grid, &radius, 1, error);
}

percept_status pct_filter_blur_plane(unsigned char *plane, int width, int height, float sigma, percept_error *error) {
    struct grid grid = {plane, width, height, 1, false};
    return blur(&grid, sigma, error);
}
