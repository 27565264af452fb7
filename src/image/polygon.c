/* polygon.c: contours of a mask, their simplification and joining; see polygon.h. */
#include "image/polygon.h"

#include "base/size.h"
#include "image/mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void pct_polygon_free(pct_polygon *polygon) {
    if (!polygon) return;
    free(polygon->rings);
    free(polygon->block);
    *polygon = (pct_polygon){0};
}

/* Rings while they are being found: points in one growing block, so rings hold offsets until the end. */
struct trace {
    const pct_mask *mask;
    unsigned char *seen; /* [height][width]: the top edge of this pixel is part of a ring */
    float *points;
    size_t count, capacity;
    pct_ring *rings;
    size_t *starts;
    size_t ring_count, ring_capacity;
};

static bool pixel(const pct_mask *mask, int x, int y) {
    return x >= 0 && y >= 0 && x < mask->width && y < mask->height && pct_mask_row(mask, y)[x];
}

static bool add_point(struct trace *trace, int x, int y) {
    if (trace->count == trace->capacity) {
        size_t capacity = trace->capacity ? trace->capacity * 2 : 128;
        float *points = realloc(trace->points, capacity * 2 * sizeof(*points));
        if (!points) return false;
        trace->points = points;
        trace->capacity = capacity;
    }
    trace->points[trace->count * 2] = (float)x;
    trace->points[trace->count * 2 + 1] = (float)y;
    trace->count++;
    return true;
}

static bool add_ring(struct trace *trace, pct_ring ring, size_t start) {
    if (trace->ring_count == trace->ring_capacity) {
        size_t capacity = trace->ring_capacity ? trace->ring_capacity * 2 : 16;
        pct_ring *rings = realloc(trace->rings, capacity * sizeof(*rings));
        if (rings) trace->rings = rings;
        size_t *starts = realloc(trace->starts, capacity * sizeof(*starts));
        if (starts) trace->starts = starts;
        if (!rings || !starts) return false;
        trace->ring_capacity = capacity;
    }
    trace->starts[trace->ring_count] = start;
    trace->rings[trace->ring_count++] = ring;
    return true;
}

/* Follows the ring that begins with the top edge of pixel (x, y), inside on the right hand. Where two pixels touch at a
 * corner it turns left, onto the other pixel, which is what makes parts 8-connected and holes 4-connected. */
static bool follow(struct trace *trace, int x, int y, int32_t part) {
    static const int step_x[4] = {1, 0, -1, 0}, step_y[4] = {0, 1, 0, -1}; /* right, down, left, up */
    /* The pixels ahead of a vertex, as offsets from it. */
    static const int left_x[4] = {0, 0, -1, -1}, left_y[4] = {-1, 0, 0, -1};
    static const int right_x[4] = {0, -1, -1, 0}, right_y[4] = {0, 0, -1, -1};
    size_t start = trace->count;
    int vx = x, vy = y, direction = 0;
    int64_t area = 0; /* twice the area, positive for clockwise as seen */
    if (!add_point(trace, vx, vy)) return false;
    for (;;) {
        if (direction == 0) trace->seen[(size_t)vy * (size_t)trace->mask->width + (size_t)vx] = 1;
        area += (int64_t)vx * step_y[direction] - (int64_t)vy * step_x[direction];
        vx += step_x[direction];
        vy += step_y[direction];
        int next = direction;
        if (pixel(trace->mask, vx + left_x[direction], vy + left_y[direction]))
            next = (direction + 3) & 3;
        else if (!pixel(trace->mask, vx + right_x[direction], vy + right_y[direction]))
            next = (direction + 1) & 3;
        if (vx == x && vy == y && next == 0) break;
        if (next != direction && !add_point(trace, vx, vy)) return false;
        direction = next;
    }
    return add_ring(trace, (pct_ring){.count = trace->count - start, .hole = area < 0, .part = part}, start);
}

percept_status pct_polygon_from_mask(pct_polygon *out, const pct_mask *mask, percept_error *error) {
    struct trace trace = {.mask = mask};
    int32_t *labels = NULL, parts = 0;
    *out = (pct_polygon){0};
    PCT_TRY(pct_mask_components(mask, &labels, NULL, &parts, error));
    bool ok = (trace.seen = calloc(pct_mask_bytes(mask), 1)) != NULL;
    size_t width = (size_t)mask->width;
    for (int y = 0; y < mask->height && ok; y++) {
        const unsigned char *row = pct_mask_row(mask, y), *above = y ? row - width : NULL;
        const unsigned char *seen = trace.seen + (size_t)y * width;
        for (int x = 0; x < mask->width && ok; x++)
            if (row[x] && !(above && above[x]) && !seen[x])
                ok = follow(&trace, x, y, labels[(size_t)y * width + (size_t)x] - 1);
    }
    for (size_t i = 0; i < trace.ring_count; i++) trace.rings[i].points = trace.points + trace.starts[i] * 2;
    free(labels);
    free(trace.seen);
    free(trace.starts);
    *out = (pct_polygon){.rings = trace.rings, .count = trace.ring_count, .parts = parts, .block = trace.points};
    if (ok) return PERCEPT_OK;
    pct_polygon_free(out);
    return pct_fail_memory(error, "contours of a mask");
}

/* Squared distance of p from the segment a-b. */
static float distance2(const float *p, const float *a, const float *b) {
    float dx = b[0] - a[0], dy = b[1] - a[1], length2 = dx * dx + dy * dy;
    float t = length2 > 0 ? ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length2 : 0;
    t = pct_clamp_f32(t, 0, 1);
    float ex = p[0] - a[0] - t * dx, ey = p[1] - a[1] - t * dy;
    return ex * ex + ey * ey;
}

/* Marks what to keep between points first and last (last may be `count`, the first point again). */
static void keep_between(const pct_ring *ring, unsigned char *keep, size_t (*stack)[2], size_t first, size_t last,
                         float limit2) {
    size_t depth = 0;
    stack[depth][0] = first;
    stack[depth++][1] = last;
    while (depth) {
        first = stack[--depth][0];
        last = stack[depth][1];
        float worst = limit2;
        size_t at = 0;
        for (size_t i = first + 1; i < last; i++) {
            float d =
                distance2(ring->points + 2 * i, ring->points + 2 * first, ring->points + 2 * (last % ring->count));
            if (d > worst) {
                worst = d;
                at = i;
            }
        }
        if (!at) continue;
        keep[at] = 1;
        stack[depth][0] = first;
        stack[depth++][1] = at;
        stack[depth][0] = at;
        stack[depth++][1] = last;
    }
}

percept_status pct_polygon_simplify(pct_polygon *polygon, float tolerance, percept_error *error) {
    size_t largest = 0;
    for (size_t i = 0; i < polygon->count; i++)
        if (polygon->rings[i].count > largest) largest = polygon->rings[i].count;
    if (largest < 4 || !(tolerance > 0)) return PERCEPT_OK;
    unsigned char *keep = malloc(largest);
    size_t(*stack)[2] = malloc((largest + 2) * sizeof(*stack));
    if (!keep || !stack) {
        free(keep);
        free(stack);
        return pct_fail_memory(error, "contours of a mask");
    }
    for (size_t i = 0; i < polygon->count; i++) {
        pct_ring *ring = &polygon->rings[i];
        size_t far = 0, kept = 0;
        float best = -1;
        for (size_t k = 1; k < ring->count; k++) {
            float dx = ring->points[2 * k] - ring->points[0], dy = ring->points[2 * k + 1] - ring->points[1];
            if (dx * dx + dy * dy > best) {
                best = dx * dx + dy * dy;
                far = k;
            }
        }
        memset(keep, 0, ring->count);
        keep[0] = keep[far] = 1;
        keep_between(ring, keep, stack, 0, far, tolerance * tolerance);
        keep_between(ring, keep, stack, far, ring->count, tolerance * tolerance);
        for (size_t k = 0; k < ring->count; k++) kept += keep[k];
        if (kept < 3) continue;
        kept = 0;
        for (size_t k = 0; k < ring->count; k++)
            if (keep[k]) {
                ring->points[2 * kept] = ring->points[2 * k];
                ring->points[2 * kept + 1] = ring->points[2 * k + 1];
                kept++;
            }
        ring->count = kept;
    }
    free(keep);
    free(stack);
    return PERCEPT_OK;
}

/* A closed chain of points under construction: nodes in the order they were added, linked in drawing order. */
struct chain {
    float *points; /* [count][2] */
    size_t *next;
    size_t count;
};

static size_t add_node(struct chain *chain, const float *point, size_t next) {
    chain->points[2 * chain->count] = point[0];
    chain->points[2 * chain->count + 1] = point[1];
    chain->next[chain->count] = next;
    return chain->count++;
}

/* The chain's node nearest to a point, among at most 4096 of them: rings may be many. */
static size_t nearest_node(const struct chain *chain, const float *point) {
    size_t best = 0, stride = chain->count / 4096 + 1;
    float least = INFINITY;
    for (size_t i = 0; i < chain->count; i += stride) {
        float dx = chain->points[2 * i] - point[0], dy = chain->points[2 * i + 1] - point[1];
        if (dx * dx + dy * dy < least) {
            least = dx * dx + dy * dy;
            best = i;
        }
    }
    return best;
}

static void add_to_chain(struct chain *chain, const pct_ring *ring) {
    bool first = chain->count == 0;
    size_t anchor = first ? 0 : nearest_node(chain, ring->points);
    size_t after = first ? 0 : chain->next[anchor], begin = chain->count;
    for (size_t i = 0; i < ring->count; i++) add_node(chain, ring->points + 2 * i, chain->count + 1);
    if (first) {
        chain->next[chain->count - 1] = 0;
        return;
    }
    /* ... anchor, ring, ring's first point again, anchor again, what followed the anchor ... */
    float back[2] = {chain->points[2 * anchor], chain->points[2 * anchor + 1]};
    add_node(chain, ring->points, chain->count + 1);
    add_node(chain, back, after);
    chain->next[anchor] = begin;
}

percept_status pct_polygon_join(const pct_polygon *polygon, int32_t part, bool skip_holes, float **points,
                                size_t *count, percept_error *error) {
    size_t total = 0;
    *points = NULL;
    *count = 0;
    for (size_t i = 0; i < polygon->count; i++) total += polygon->rings[i].count + 2;
    if (!total) return PERCEPT_OK;
    struct chain chain = {.points = malloc(total * 2 * sizeof(float)), .next = malloc(total * sizeof(size_t))};
    float *out = malloc(total * 2 * sizeof(float));
    if (!chain.points || !chain.next || !out) {
        free(chain.points);
        free(chain.next);
        free(out);
        return pct_fail_memory(error, "contours of a mask");
    }
    for (size_t i = 0; i < polygon->count; i++) {
        const pct_ring *ring = &polygon->rings[i];
        if ((part < 0 || ring->part == part) && !(skip_holes && ring->hole)) add_to_chain(&chain, ring);
    }
    for (size_t i = 0, node = 0; i < chain.count; i++, node = chain.next[node])
        memcpy(out + 2 * i, chain.points + 2 * node, 2 * sizeof(float));
    *count = chain.count;
    free(chain.points);
    free(chain.next);
    if (chain.count)
        *points = out;
    else
        free(out);
    return PERCEPT_OK;
}
