/* mask.c: see mask.h. */
#include "image/mask.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

int64_t pct_mask_area(const pct_mask *mask) {
    int64_t area = 0;
    for (int y = 0; y < mask->height; y++) {
        const unsigned char *row = pct_mask_row(mask, y);
        int32_t sum = 0;
        for (int x = 0; x < mask->width; x++) sum += row[x];
        area += sum;
    }
    return area;
}

pct_box pct_mask_box(const pct_mask *mask) {
    int x0 = mask->width, x1 = 0, y0 = -1, y1 = 0;
    size_t width = (size_t)mask->width;
    for (int y = 0; y < mask->height; y++) {
        const unsigned char *row = pct_mask_row(mask, y);
        const unsigned char *first = memchr(row, 1, width);
        if (!first) continue;
        int left = (int)(first - row);
        int right = (int)((const unsigned char *)memrchr(row, 1, width) - row);
        if (left < x0) x0 = left;
        if (right + 1 > x1) x1 = right + 1;
        if (y0 < 0) y0 = y;
        y1 = y + 1;
    }
    if (y0 < 0) return (pct_box){0};
    return (pct_box){(float)x0, (float)y0, (float)x1, (float)y1};
}

void pct_mask_overlap(const pct_mask *a, const pct_mask *b, int64_t *intersection, int64_t *union_area) {
    PCT_ASSERT(pct_mask_same_size(a, b));
    int64_t both = 0, either = 0;
    for (int y = 0; y < a->height; y++) {
        const unsigned char *p = pct_mask_row(a, y), *q = pct_mask_row(b, y);
        int32_t row_both = 0, row_either = 0;
        for (int x = 0; x < a->width; x++) {
            row_both += p[x] & q[x];
            row_either += p[x] | q[x];
        }
        both += row_both;
        either += row_either;
    }
    if (intersection) *intersection = both;
    if (union_area) *union_area = either;
}

float pct_mask_iou(const pct_mask *a, const pct_mask *b) {
    int64_t both, either;
    pct_mask_overlap(a, b, &both, &either);
    return either ? (float)((double)both / (double)either) : 0;
}

void pct_mask_and(pct_mask *a, const pct_mask *b) {
    PCT_ASSERT(pct_mask_same_size(a, b));
    for (size_t i = 0, n = pct_mask_bytes(a); i < n; i++) a->data[i] &= b->data[i];
}

void pct_mask_or(pct_mask *a, const pct_mask *b) {
    PCT_ASSERT(pct_mask_same_size(a, b));
    for (size_t i = 0, n = pct_mask_bytes(a); i < n; i++) a->data[i] |= b->data[i];
}

void pct_mask_subtract(pct_mask *a, const pct_mask *b) {
    PCT_ASSERT(pct_mask_same_size(a, b));
    for (size_t i = 0, n = pct_mask_bytes(a); i < n; i++) a->data[i] &= (unsigned char)(b->data[i] ^ 1);
}

static int edge(float v, int high) { return v > 0 ? (v < (float)high ? (int)(v + 0.5f) : high) : 0; }

void pct_mask_fill_box(pct_mask *mask, pct_box box) {
    int x0 = edge(box.x0, mask->width), x1 = edge(box.x1, mask->width);
    int y0 = edge(box.y0, mask->height), y1 = edge(box.y1, mask->height);
    for (int y = y0; y < y1 && x0 < x1; y++) memset(pct_mask_row(mask, y) + x0, 1, (size_t)(x1 - x0));
}

percept_status pct_mask_from_logits(pct_mask *out, const float *logits, int width, int height, float threshold,
                                    percept_error *error) {
    PCT_TRY(pct_mask_new(out, width, height, error));
    for (size_t i = 0, n = pct_mask_bytes(out); i < n; i++) out->data[i] = logits[i] > threshold;
    return PERCEPT_OK;
}
