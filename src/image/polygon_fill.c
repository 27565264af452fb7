/* polygon_fill.c: filling a polygon by COCO's rule; see polygon.h.
 *
 * The rule (cocoapi, rleFrPoly): points are rounded to a grid of five steps a pixel, edges walked in whole steps along
 * their longer direction. Wherever an edge crosses the middle of a pixel column, the first row whose middle lies at or
 * below the crossing changes sides; a column is read from the top, and each change switches between out and in. COCO
 * sorts the changes into run lengths; here they are bits on the columns, which costs the same memory whatever the
 * polygon. */
#include "base/size.h"
#include "image/polygon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 5 };
#define MAX_WORK ((int64_t)1 << 30) /* steps along edges; some seconds */

struct columns {
    unsigned char *change; /* [last - first + 1][height], and one more; 1: the value changes here */
    int first, last;       /* columns */
    int width, height;
};

/* An edge crosses the middle of a column where its x goes from 5k+2 to 5k+3. */
static void cross(struct columns *columns, int64_t lower_u, int64_t lower_v) {
    int64_t x = (lower_u - 2) / STEPS;
    double y = ((double)lower_v + 0.5) / STEPS - 0.5;
    if (x < columns->first || x > columns->last) return;
    y = ceil(y < 0 ? 0 : y > columns->height ? columns->height : y);
    columns->change[(size_t)(x - columns->first) * (size_t)columns->height + (size_t)y] ^= 1;
}

static int64_t walk_flat(struct columns *columns, int64_t xs, int64_t ys, int64_t dx, double slope) {
    int64_t t = pct_max_i64(0, (int64_t)columns->first * STEPS + 2 - xs);
    int64_t phase = (xs + t - 2) % STEPS; /* xs + t >= 2 here */
    if (phase) t += STEPS - phase;
    int64_t end = pct_min_i64(dx, (int64_t)columns->last * STEPS + 3 - xs), work = 1;
    for (; t < end; t += STEPS, work++) {
        int v0 = (int)((double)ys + slope * (double)t + 0.5), v1 = (int)((double)ys + slope * (double)(t + 1) + 0.5);
        cross(columns, xs + t, v0 < v1 ? v0 : v1);
    }
    return work;
}

static int64_t walk_steep(struct columns *columns, int64_t xs, int64_t ys, int64_t dy, double slope) {
    int before = (int)((double)xs + 0.5);
    for (int64_t t = 1; t <= dy && slope != 0; t++) {
        int now = (int)((double)xs + slope * (double)t + 0.5);
        int lower = now < before ? now : before;
        if (now != before && lower >= 2 && (lower - 2) % STEPS == 0) cross(columns, lower, ys + t - 1);
        before = now;
    }
    return slope != 0 ? dy + 1 : 1;
}

static int64_t walk_edge(struct columns *columns, const int a[2], const int b[2]) {
    int64_t dx = llabs((int64_t)b[0] - a[0]), dy = llabs((int64_t)b[1] - a[1]);
    bool flat = dx >= dy;
    if (flat ? a[0] > b[0] : a[1] > b[1]) {
        const int *t = a;
        a = b;
        b = t;
    }
    if (dx == 0 && dy == 0) return 1;
    if (flat) return walk_flat(columns, a[0], a[1], dx, (double)(b[1] - a[1]) / (double)dx);
    return walk_steep(columns, a[0], a[1], dy, (double)(b[0] - a[0]) / (double)dy);
}

static int to_grid(double v) { return (int)(STEPS * v + 0.5); }

/* Checks the points and finds the columns that they touch. */
static percept_status measure(const pct_mask *mask, const double *points, size_t count, struct columns *columns,
                              percept_error *error) {
    double far = 8.0 * (mask->width > mask->height ? mask->width : mask->height) + 1000;
    double low = INFINITY, high = -INFINITY;
    if (count < 3) return pct_fail(error, PERCEPT_ERROR_INPUT, "polygon of %zu points: at least 3 are needed", count);
    for (size_t i = 0; i < count; i++) {
        double x = points[2 * i], y = points[2 * i + 1];
        if (!(fabs(x) <= far) || !(fabs(y) <= far))
            return pct_fail(error, PERCEPT_ERROR_INPUT,
                            "polygon point %zu (%g, %g) is not a number or lies far outside the %d x %d picture", i, x,
                            y, mask->width, mask->height);
        low = fmin(low, x);
        high = fmax(high, x);
    }
    *columns = (struct columns){.width = mask->width, .height = mask->height};
    columns->first = (int)fmin(fmax(0, floor(low) - 1), mask->width);
    columns->last = (int)fmax(-1, fmin(mask->width - 1, ceil(high) + 1));
    return PERCEPT_OK;
}

percept_status pct_polygon_fill(pct_mask *mask, const double *points, size_t count, enum pct_fill how,
                                percept_error *error) {
    struct columns columns = {0};
    PCT_TRY(measure(mask, points, count, &columns, error));
    if (columns.first > columns.last) return PERCEPT_OK;
    size_t height = (size_t)mask->height, width = (size_t)mask->width;
    size_t cells = (size_t)(columns.last - columns.first + 1) * height;
    columns.change = calloc(cells + 1, 1);
    if (!columns.change) return pct_fail_memory(error, "polygon");
    int64_t work = 0;
    for (size_t i = 0; i < count && work < MAX_WORK; i++) {
        size_t k = i + 1 < count ? i + 1 : 0;
        int a[2] = {to_grid(points[2 * i]), to_grid(points[2 * i + 1])};
        int b[2] = {to_grid(points[2 * k]), to_grid(points[2 * k + 1])};
        work += walk_edge(&columns, a, b);
    }
    unsigned char value = 0;
    for (size_t i = 0; i < cells && work < MAX_WORK; i++) {
        value ^= columns.change[i];
        if (!value) continue;
        unsigned char *at = mask->data + (i % height) * width + (size_t)columns.first + i / height;
        *at = how == PCT_FILL_XOR ? *at ^ 1 : 1;
    }
    free(columns.change);
    if (work >= MAX_WORK)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "polygon of %zu points: its edges are too long to be an outline",
                        count);
    return PERCEPT_OK;
}

percept_status pct_polygon_to_mask(pct_mask *out, const pct_polygon *polygon, int width, int height,
                                   percept_error *error) {
    PCT_TRY(pct_mask_new(out, width, height, error));
    size_t largest = 0;
    for (size_t i = 0; i < polygon->count; i++)
        if (polygon->rings[i].count > largest) largest = polygon->rings[i].count;
    double *points = malloc((largest + 1) * 2 * sizeof(*points));
    percept_status status = points ? PERCEPT_OK : pct_fail_memory(error, "polygon");
    for (size_t i = 0; i < polygon->count && status == PERCEPT_OK; i++) {
        const pct_ring *ring = &polygon->rings[i];
        for (size_t k = 0; k < ring->count * 2; k++) points[k] = (double)ring->points[k];
        status = pct_polygon_fill(out, points, ring->count, PCT_FILL_XOR, error);
    }
    free(points);
    if (status != PERCEPT_OK) pct_mask_free(out);
    return status;
}
