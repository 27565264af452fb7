/* outline.c: a region's box and mask as the ids that tell of it. See spelling.h. */
#include "model/spelling.h"

#include "base/size.h"
#include "image/mask.h"
#include "image/polygon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TINY (1.0f / 50) /* of the mask: a part below it is left out */

static float ring_area(const pct_ring *ring) {
    double twice = 0;
    for (size_t i = 0; i < ring->count; i++) {
        const float *a = ring->points + 2 * i, *b = ring->points + 2 * ((i + 1) % ring->count);
        twice += (double)a[0] * (double)b[1] - (double)b[0] * (double)a[1];
    }
    return (float)fabs(twice / 2);
}

static int larger_first(const void *a, const void *b) {
    const float area_a = ring_area(a), area_b = ring_area(b);
    if (area_a != area_b) return area_a > area_b ? -1 : 1;
    const float *p = ((const pct_ring *)a)->points, *q = ((const pct_ring *)b)->points; /* the same on every machine */
    return p[1] != q[1] ? (p[1] < q[1] ? -1 : 1) : (p[0] > q[0]) - (p[0] < q[0]);
}

/* The outer rings, largest first, without tiny ones and so few that each can have 4 of the vertices. The others' points
 * stay in the block. */
static void keep_rings(pct_polygon *polygon, int32_t vertices) {
    size_t kept = 0;
    float all = 0;
    for (size_t i = 0; i < polygon->count; i++)
        if (!polygon->rings[i].hole) polygon->rings[kept++] = polygon->rings[i];
    polygon->count = kept;
    for (size_t i = 0; i < kept; i++) all += ring_area(&polygon->rings[i]);
    qsort(polygon->rings, kept, sizeof *polygon->rings, larger_first);
    const size_t most = (size_t)pct_max_i64(1, vertices / 4);
    if (polygon->count > most) polygon->count = most;
    while (polygon->count > 1 && ring_area(&polygon->rings[polygon->count - 1]) < TINY * all) polygon->count--;
}

/* One ring as pairs of bins, in place of `out`'s end; neighbours that share both bins become one. Returns the pairs. */
static int32_t ring_bins(const pct_spelling *s, const pct_ring *ring, const pct_mask *mask, const float frame[4],
                         int16_t (*out)[2]) {
    int32_t count = 0, first = 0;
    for (size_t i = 0; i < ring->count; i++) {
        const float across = ring->points[2 * i] / (float)mask->width;
        const float down = ring->points[2 * i + 1] / (float)mask->height;
        const int16_t x = (int16_t)pct_spelling_bin(s, frame[0] + across * (frame[2] - frame[0]));
        const int16_t y = (int16_t)pct_spelling_bin(s, frame[1] + down * (frame[3] - frame[1]));
        if (count > 0 && out[count - 1][0] == x && out[count - 1][1] == y) continue;
        out[count][0] = x;
        out[count++][1] = y;
    }
    while (count > 1 && out[0][0] == out[count - 1][0] && out[0][1] == out[count - 1][1]) count--;
    for (int32_t i = 1; i < count; i++) {
        const int32_t far = out[i][0] * out[i][0] + out[i][1] * out[i][1];
        const int32_t best = out[first][0] * out[first][0] + out[first][1] * out[first][1];
        if (far < best || (far == best && out[i][1] < out[first][1])) first = i;
    }
    for (int32_t turned = 0; turned < first; turned++) { /* few and short: one step at a time */
        const int16_t x = out[0][0], y = out[0][1];
        memmove(out, out + 1, (size_t)(count - 1) * sizeof *out);
        out[count - 1][0] = x;
        out[count - 1][1] = y;
    }
    return count;
}

static void add_ring(const pct_spelling *s, int16_t (*pairs)[2], int32_t pair_count, int32_t *ids, int32_t *count) {
    for (int32_t i = 0; i < pair_count; i++) {
        ids[(*count)++] = s->id[pairs[i][0]];
        ids[(*count)++] = s->id[pairs[i][1]];
    }
}

/* The box as a ring: of a mask that is too small for one of its own. */
static void add_box_ring(const pct_spelling *s, const float box[4], int32_t *ids, int32_t *count) {
    const int16_t x0 = (int16_t)pct_spelling_bin(s, box[0]), y0 = (int16_t)pct_spelling_bin(s, box[1]);
    const int16_t x1 = (int16_t)pct_spelling_bin(s, box[2]), y1 = (int16_t)pct_spelling_bin(s, box[3]);
    int16_t pairs[4][2] = {{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}};
    add_ring(s, pairs, 4, ids, count);
}

static void add_rings(const pct_spelling *s, const pct_polygon *polygon, const float box[4], const pct_mask *mask,
                      const float frame[4], int32_t *ids, int32_t *count) {
    int16_t pairs[PCT_MOST_VERTICES][2];
    int32_t left = s->vertices, told = 0;
    for (size_t i = 0; i < polygon->count; i++) {
        if ((int32_t)polygon->rings[i].count > left) continue; /* rings of 3 points that could not be reduced */
        const int32_t found = ring_bins(s, &polygon->rings[i], mask, frame, pairs);
        if (found < 3) continue;
        if (told++ > 0) ids[(*count)++] = s->part;
        add_ring(s, pairs, found, ids, count);
        left -= found;
    }
    if (!told) add_box_ring(s, box, ids, count);
}

percept_status pct_spelling_write(const pct_spelling *s, const float box[4], const pct_mask *mask, const float frame[4],
                                  int32_t *ids, int32_t *count, percept_error *error) {
    pct_polygon polygon = {0};
    *count = 0;
    for (int i = 0; i < 4; i++) ids[(*count)++] = s->id[pct_spelling_bin(s, box[i])];
    if (!mask || s->vertices == 0) return PERCEPT_OK;
    PCT_TRY(pct_polygon_from_mask(&polygon, mask, error));
    keep_rings(&polygon, s->vertices);
    /* Corners smaller than half a cell of bins are none: steps of the pixels, or lost in rounding. */
    const float wide = (float)mask->width / ((frame[2] - frame[0]) * (float)s->bins);
    const float high = (float)mask->height / ((frame[3] - frame[1]) * (float)s->bins);
    const float area = isfinite(wide * high) ? fmaxf(0.75f, 0.5f * wide * high) : 0.75f;
    percept_status status = pct_polygon_reduce(&polygon, (size_t)s->vertices, area, error);
    if (status == PERCEPT_OK) {
        ids[(*count)++] = s->poly;
        add_rings(s, &polygon, box, mask, frame, ids, count);
        ids[(*count)++] = s->end;
    }
    pct_polygon_free(&polygon);
    return status;
}

percept_status pct_spelling_write_given(const pct_spelling *s, const pct_real box[4], const pct_real *mask,
                                        int32_t side, int32_t *ids, int32_t *count, percept_error *error) {
    const float own[4] = {(float)box[0], (float)box[1], (float)box[2], (float)box[3]};
    if (!mask || s->vertices == 0) return pct_spelling_write(s, own, NULL, NULL, ids, count, error);
    pct_mask cells;
    PCT_TRY(pct_mask_new(&cells, side, side, error));
    for (size_t i = 0; i < pct_mask_bytes(&cells); i++) cells.data[i] = mask[i] >= (pct_real)0.5;
    percept_status status = pct_spelling_write(s, own, &cells, (float[4]){0, 0, 1, 1}, ids, count, error);
    pct_mask_free(&cells);
    return status;
}
