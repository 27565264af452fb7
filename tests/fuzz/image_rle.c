/* image_rle.c: hostile run-length strings, and polygons made of the same bytes. The first two bytes are the size. */
#include "image/mask.h"
#include "image/polygon.h"
#include "image/rle.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void round_trip(const pct_rle *rle) {
    pct_mask mask;
    pct_rle again;
    if (pct_rle_decode(&mask, rle, NULL) != PERCEPT_OK || pct_rle_encode(&again, &mask, NULL) != PERCEPT_OK) abort();
    if (pct_rle_area(rle) != pct_mask_area(&mask) || pct_rle_area(&again) != pct_mask_area(&mask)) abort();
    if (pct_rle_area(rle) && pct_rle_iou(rle, &again, false) != 1) abort();
    pct_box a = pct_rle_box(rle), b = pct_mask_box(&mask);
    pct_polygon polygon;
    pct_mask back;
    /* Boxes of run lengths count a run that turns a corner as whole columns: never smaller than the mask's. */
    if (a.x0 > b.x0 || a.y0 > b.y0 || a.x1 < b.x1 || a.y1 < b.y1) abort();
    if (pct_polygon_from_mask(&polygon, &mask, NULL) != PERCEPT_OK) abort();
    if (pct_polygon_to_mask(&back, &polygon, mask.width, mask.height, NULL) != PERCEPT_OK) abort();
    if (memcmp(back.data, mask.data, pct_mask_bytes(&mask)) != 0) abort();
    pct_polygon_free(&polygon);
    pct_mask_free(&back);
    pct_mask_free(&mask);
    pct_rle_free(&again);
}

static void fill_polygon(const unsigned char *data, size_t size) {
    double points[64];
    size_t count = size / 4 < 32 ? size / 4 : 32;
    pct_mask mask;
    for (size_t i = 0; i < 2 * count; i++) points[i] = (int16_t)(data[2 * i] | data[2 * i + 1] << 8) / 16.0;
    if (pct_mask_new(&mask, 37, 29, NULL) != PERCEPT_OK) return;
    if (pct_polygon_fill(&mask, points, count, PCT_FILL_XOR, NULL) == PERCEPT_OK && pct_mask_area(&mask) > 37 * 29)
        abort();
    pct_mask_free(&mask);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    pct_rle rle;
    if (size < 2) return 0;
    percept_status status = pct_rle_from_string(&rle, (const char *)data + 2, size - 2, data[0] + 1, data[1] + 1, NULL);
    if (status == PERCEPT_OK) round_trip(&rle);
    pct_rle_free(&rle);
    fill_polygon(data, size);
    return 0;
}
