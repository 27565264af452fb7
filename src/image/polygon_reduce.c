/* polygon_reduce.c: polygons of few points, and how much of each pixel they cover; see polygon.h. */
#include "base/size.h"
#include "image/polygon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rings with more points are thinned by Douglas-Peucker first: the search below looks at every point every time. */
enum { MANY = 1024 };

/* One point of a ring, linked to its neighbours; `cost` is the triangle it makes with them. */
struct corner {
    float x, y, cost;
    size_t before, after;
    size_t ring;
};

static float triangle(const struct corner *all, size_t i) {
    const struct corner *p = &all[all[i].before], *q = &all[i], *r = &all[all[i].after];
    return 0.5f * fabsf((q->x - p->x) * (r->y - p->y) - (r->x - p->x) * (q->y - p->y));
}

/* The cheapest corner of a ring that can spare one; `count` when there is none. */
static size_t cheapest(const struct corner *all, size_t count, const size_t *left) {
    size_t best = count;
    for (size_t i = 0; i < count; i++) {
        if (all[i].cost < 0 || left[all[i].ring] <= 3) continue;
        if (best == count || all[i].cost < all[best].cost) best = i;
    }
    return best;
}

static void drop(struct corner *all, size_t i) {
    struct corner *p = &all[all[i].before], *r = &all[all[i].after];
    const float least = all[i].cost;
    p->after = all[i].after;
    r->before = all[i].before;
    all[i].cost = -1;
    /* A neighbour never becomes cheaper than what was dropped before it (Visvalingam's rule). */
    p->cost = fmaxf(triangle(all, r->before), least);
    r->cost = fmaxf(triangle(all, p->after), least);
}

static void link_rings(const pct_polygon *polygon, struct corner *all, size_t *left) {
    size_t first = 0;
    for (size_t k = 0; k < polygon->count; k++) {
        const pct_ring *ring = &polygon->rings[k];
        const size_t n = left[k] = ring->count;
        for (size_t i = 0; i < n; i++)
            all[first + i] = (struct corner){.x = ring->points[2 * i],
                                             .y = ring->points[2 * i + 1],
                                             .before = first + (i + n - 1) % n,
                                             .after = first + (i + 1) % n,
                                             .ring = k};
        first += n;
    }
    for (size_t i = 0; i < first; i++) all[i].cost = triangle(all, i);
}

percept_status pct_polygon_reduce(pct_polygon *polygon, size_t points, float area, percept_error *error) {
    size_t count = 0, kept, next = 0;
    for (size_t k = 0; k < polygon->count; k++) count += polygon->rings[k].count;
    for (float tolerance = 0.75f; count > MANY && tolerance < 1e6f; tolerance *= 2) {
        PCT_TRY(pct_polygon_simplify(polygon, tolerance, error));
        count = 0;
        for (size_t k = 0; k < polygon->count; k++) count += polygon->rings[k].count;
    }
    if (count == 0) return PERCEPT_OK;
    struct corner *all = malloc(count * sizeof *all);
    size_t *left = calloc(polygon->count, sizeof *left);
    if (!all || !left) {
        free(all);
        free(left);
        return pct_fail_memory(error, "contours of a mask");
    }
    link_rings(polygon, all, left);
    for (kept = count;; kept--) {
        const size_t i = cheapest(all, count, left);
        if (i == count || (kept <= points && all[i].cost >= area)) break;
        left[all[i].ring]--;
        drop(all, i);
    }
    for (size_t k = 0; k < polygon->count; k++) {
        pct_ring *ring = &polygon->rings[k];
        const size_t n = ring->count;
        ring->count = 0;
        for (size_t i = next; i < next + n; i++) {
            if (all[i].cost < 0) continue;
            ring->points[2 * ring->count] = all[i].x;
            ring->points[2 * ring->count++ + 1] = all[i].y;
        }
        next += n;
    }
    free(all);
    free(left);
    return PERCEPT_OK;
}

/* Adds what the edge from (x0,y0) to (x1,y1), y0 < y1, does to one row: to the right of it all is inside. `row` holds
 * differences, so that their running sum is the coverage. */
static void edge_in_row(float *row, int width, float x0, float x1, float height) {
    const float low = fminf(x0, x1), high = fmaxf(x0, x1);
    const int first = (int)pct_clamp_i64((int64_t)low, 0, width - 1);
    const int last = (int)pct_clamp_i64((int64_t)ceilf(high) - 1, first, width - 1);
    if (first == last) {
        const float inside = 1 - (0.5f * (low + high) - (float)first);
        row[first] += height * inside;
        row[first + 1] += height * (1 - inside);
        return;
    }
    /* The part of the pixel to the right of a slanted edge, pixel by pixel: integrals of the edge's ramp. */
    const float slope = 1 / (high - low);
    float before = 0;
    for (int c = first; c <= last; c++) {
        const float from = fmaxf(low, (float)c), to = c == last ? high : (float)(c + 1);
        const float share = 0.5f * ((from - low) + (to - low)) * slope * (to - from) + ((float)(c + 1) - to);
        row[c] += height * (share - before);
        before = share;
    }
    row[last + 1] += height * (1 - before);
}

static void edge(float *rows, int width, int height, const float *a, const float *b) {
    const float sign = a[1] < b[1] ? 1 : -1;
    const float *top = a[1] < b[1] ? a : b, *low = a[1] < b[1] ? b : a;
    if (a[1] == b[1]) return;
    const float dx = (low[0] - top[0]) / (low[1] - top[1]);
    const int from = (int)pct_clamp_i64((int64_t)floorf(top[1]), 0, height);
    const int to = (int)pct_clamp_i64((int64_t)ceilf(low[1]), 0, height);
    for (int y = from; y < to; y++) {
        const float y0 = fmaxf(top[1], (float)y), y1 = fminf(low[1], (float)(y + 1));
        if (y1 <= y0) continue;
        const float x0 = pct_clamp_f32(top[0] + (y0 - top[1]) * dx, 0, (float)width);
        const float x1 = pct_clamp_f32(top[0] + (y1 - top[1]) * dx, 0, (float)width);
        edge_in_row(rows + (size_t)y * ((size_t)width + 2), width, x0, x1, sign * (y1 - y0));
    }
}

percept_status pct_polygon_cover(float *cover, int width, int height, const float *points, size_t count,
                                 percept_error *error) {
    const size_t stride = (size_t)width + 2; /* an edge on the right border leaves its sums beyond it */
    for (size_t i = 0; i < 2 * count; i++)
        if (!(fabsf(points[i]) <= 1e6f))
            return pct_fail(error, PERCEPT_ERROR_INPUT, "polygon point %zu lies far outside the picture", i / 2);
    float *rows = calloc(stride * (size_t)height, sizeof *rows);
    if (!rows) return pct_fail_memory(error, "polygon");
    for (size_t i = 0; i < count; i++) edge(rows, width, height, points + 2 * i, points + 2 * ((i + 1) % count));
    for (int y = 0; y < height; y++) {
        float sum = 0;
        for (int x = 0; x < width; x++) {
            float *to = &cover[(size_t)y * (size_t)width + (size_t)x];
            sum += rows[(size_t)y * stride + (size_t)x];
            *to = fmaxf(*to, fminf(fabsf(sum), 1));
        }
    }
    free(rows);
    return PERCEPT_OK;
}
