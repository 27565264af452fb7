/* boxes.c: see boxes.h. */
#include "image/boxes.h"

#include <math.h>

float pct_box_area(pct_box box) {
    float width = box.x1 - box.x0, height = box.y1 - box.y0;
    return width > 0 && height > 0 ? width * height : 0;
}

pct_box pct_box_intersect(pct_box a, pct_box b) {
    pct_box box = {fmaxf(a.x0, b.x0), fmaxf(a.y0, b.y0), fminf(a.x1, b.x1), fminf(a.y1, b.y1)};
    if (box.x1 <= box.x0 || box.y1 <= box.y0) return (pct_box){0};
    return box;
}

pct_box pct_box_hull(pct_box a, pct_box b) {
    return (pct_box){fminf(a.x0, b.x0), fminf(a.y0, b.y0), fmaxf(a.x1, b.x1), fmaxf(a.y1, b.y1)};
}

float pct_box_iou(pct_box a, pct_box b) {
    float area_a = pct_box_area(a), area_b = pct_box_area(b);
    if (area_a <= 0 || area_b <= 0) return 0;
    float common = pct_box_area(pct_box_intersect(a, b));
    return common / (area_a + area_b - common);
}

float pct_box_giou(pct_box a, pct_box b) {
    float common = pct_box_area(pct_box_intersect(a, b));
    float joined = pct_box_area(a) + pct_box_area(b) - common;
    float hull = pct_box_area(pct_box_hull(a, b));
    if (hull <= 0) return -1;
    return (joined > 0 ? common / joined : 0) - (hull - joined) / hull;
}

static float hold(float v, float high) { return v > 0 ? (v < high ? v : high) : 0; /* NaN fails v > 0 */ }

pct_box pct_box_clamp(pct_box box, float width, float height) {
    pct_box out = {hold(box.x0, width), hold(box.y0, height), hold(box.x1, width), hold(box.y1, height)};
    if (out.x0 > out.x1) {
        float x = out.x0;
        out.x0 = out.x1;
        out.x1 = x;
    }
    if (out.y0 > out.y1) {
        float y = out.y0;
        out.y0 = out.y1;
        out.y1 = y;
    }
    return out;
}

pct_box pct_box_normalise(pct_box box, float width, float height) {
    return (pct_box){box.x0 / width, box.y0 / height, box.x1 / width, box.y1 / height};
}

pct_box pct_box_scale(pct_box box, float width, float height) {
    return (pct_box){box.x0 * width, box.y0 * height, box.x1 * width, box.y1 * height};
}

pct_box pct_box_to_centre(pct_box box) {
    return (pct_box){(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, box.x1 - box.x0, box.y1 - box.y0};
}

pct_box pct_box_from_centre(pct_box box) {
    return (pct_box){box.x0 - box.x1 / 2, box.y0 - box.y1 / 2, box.x0 + box.x1 / 2, box.y0 + box.y1 / 2};
}

bool pct_box_valid(pct_box box) {
    return isfinite(box.x0) && isfinite(box.y0) && isfinite(box.x1) && isfinite(box.y1) && pct_box_area(box) > 0;
}
