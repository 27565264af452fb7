/* overlay.c: see overlay.h. Order: all fills, all outlines, all labels, so that no fill hides another's label. */
#include "image/overlay.h"

#include "base/size.h"
#include "image/boxes.h"
#include "image/canvas.h"
#include "image/polygon.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pct_overlay_colour(size_t index, unsigned char rgb[3]) {
    /* Okabe and Ito's palette without black, ordered so that neighbours differ most. */
    static const unsigned char palette[][3] = {{213, 94, 0},    {86, 180, 233}, {240, 228, 66}, {0, 158, 115},
                                               {204, 121, 167}, {230, 159, 0},  {0, 114, 178}};
    size_t n = PCT_COUNT(palette), round = index / n % 3;
    for (int c = 0; c < 3; c++) {
        int v = palette[index % n][c];
        if (round == 1) v = v + (255 - v) / 2; /* the second seven paler, the third darker */
        if (round == 2) v = v * 3 / 5;
        rgb[c] = (unsigned char)v;
    }
}

/* One overlay being drawn. */
struct drawing {
    pct_canvas canvas;
    pct_image *image;
    const pct_overlay_region *regions;
    size_t count;
    pct_overlay_options options;
    double line, text; /* width of outlines, size of letters */
    pct_box *placed;   /* labels so far */
    size_t placed_count;
};

static void fill_mask(pct_image *image, const pct_mask *mask, const unsigned char rgb[3], float opacity) {
    unsigned over = (unsigned)(pct_clamp_f32(opacity, 0, 1) * 256 + 0.5f), under = 256 - over;
    for (int y = 0; y < image->height; y++) {
        const unsigned char *inside = pct_mask_row(mask, y);
        unsigned char *p = pct_image_row(image, y);
        for (int x = 0; x < image->width; x++, p += 3)
            for (int c = 0; c < 3 && inside[x]; c++) p[c] = (unsigned char)((p[c] * under + rgb[c] * over + 128) >> 8);
    }
}

/* Strokes the current path dark, light, and in colour on top, so that one of them stands out on any ground. */
static void stroke_haloed(struct drawing *d, const unsigned char rgb[3], double line) {
    const pct_cairo_table *c = &d->canvas.c;
    pct_cairo *cr = d->canvas.cr;
    c->set_source_rgba(cr, 0, 0, 0, 0.55);
    c->set_line_width(cr, line * 2.6);
    c->stroke_preserve(cr);
    c->set_source_rgba(cr, 1, 1, 1, 0.95);
    c->set_line_width(cr, line * 1.9);
    c->stroke_preserve(cr);
    c->set_source_rgba(cr, rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0, 1);
    c->set_line_width(cr, line);
    c->stroke(cr);
}

static percept_status outline_mask(struct drawing *d, const pct_mask *mask, const unsigned char rgb[3],
                                   percept_error *error) {
    const pct_cairo_table *c = &d->canvas.c;
    pct_polygon polygon;
    PCT_TRY(pct_polygon_from_mask(&polygon, mask, error));
    percept_status status = pct_polygon_simplify(&polygon, 0.75f, error);
    c->new_path(d->canvas.cr);
    for (size_t i = 0; i < polygon.count; i++) {
        const pct_ring *ring = &polygon.rings[i];
        for (size_t k = 0; k < ring->count; k++)
            (k ? c->line_to : c->move_to)(d->canvas.cr, (double)ring->points[2 * k], (double)ring->points[2 * k + 1]);
        c->close_path(d->canvas.cr);
    }
    stroke_haloed(d, rgb, d->line);
    pct_polygon_free(&polygon);
    return status;
}

static void draw_box(struct drawing *d, pct_box box, const unsigned char rgb[3], bool has_mask) {
    const pct_cairo_table *c = &d->canvas.c;
    double inset = d->line / 2, dash[2] = {d->line * 4, d->line * 4};
    double line = has_mask ? fmax(1, d->line * 0.5) : d->line;
    double width = (double)(box.x1 - box.x0) - 2 * inset, height = (double)(box.y1 - box.y0) - 2 * inset;
    c->new_path(d->canvas.cr);
    c->rectangle(d->canvas.cr, (double)box.x0 + inset, (double)box.y0 + inset, fmax(1, width), fmax(1, height));
    if (has_mask) c->set_dash(d->canvas.cr, dash, 2, 0);
    stroke_haloed(d, rgb, line);
    c->set_dash(d->canvas.cr, NULL, 0, 0);
}

/* Cuts the last character (of several bytes, perhaps) and puts an ellipsis. False when nothing is left to cut. */
static bool shorten(char *text) {
    static const char ellipsis[] = "\xe2\x80\xa6";
    size_t n = strlen(text);
    if (n >= 3 && memcmp(text + n - 3, ellipsis, 3) == 0) n -= 3;
    if (n < 2) return false;
    do n--;
    while (n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80);
    while (n > 1 && text[n - 1] == ' ') n--;
    memcpy(text + n, ellipsis, sizeof(ellipsis)); /* the buffer has room for four bytes more */
    return true;
}

static float overlap_with_placed(const struct drawing *d, pct_box plate) {
    float sum = 0;
    for (size_t i = 0; i < d->placed_count; i++) sum += pct_box_area(pct_box_intersect(plate, d->placed[i]));
    return sum;
}

static pct_box plate_at(const struct drawing *d, float x, float y, float width, float height) {
    float most_x = (float)d->image->width - width, most_y = (float)d->image->height - height;
    x = floorf(pct_clamp_f32(x, 0, most_x > 0 ? most_x : 0));
    y = floorf(pct_clamp_f32(y, 0, most_y > 0 ? most_y : 0));
    return (pct_box){x, y, x + width, y + height};
}

/* Above the box, below it, beside it, inside it, then ever further up and down: the first place where no other label
 * stands, else the one with the least in common. */
static pct_box place_label(const struct drawing *d, pct_box box, float width, float height) {
    float gap = (float)d->line, centre = (box.x0 + box.x1 - width) / 2;
    const float spots[][2] = {
        {box.x0, box.y0 - height - gap}, {box.x0, box.y1 + gap},          {box.x1 - width, box.y0 - height - gap},
        {box.x1 - width, box.y1 + gap},  {box.x1 + gap, box.y0},          {box.x0 - width - gap, box.y0},
        {box.x0 + gap, box.y0 + gap},    {centre, (box.y0 + box.y1) / 2}, {box.x0 + gap, box.y1 - height - gap},
    };
    pct_box best = {0};
    float least = INFINITY;
    int steps = (int)((float)d->image->height / height) + 1;
    for (int i = 0; i < (int)PCT_COUNT(spots) + 2 * steps && least > 0; i++) {
        int step = i - (int)PCT_COUNT(spots);
        float x = step < 0 ? spots[i][0] : box.x0;
        float y = step < 0 ? spots[i][1] : box.y0 + (float)(step / 2 + 1) * (step & 1 ? 1.0f : -1.0f) * (height + 1);
        pct_box plate = plate_at(d, x, y, width, height);
        /* A spot that had to be pushed into the picture counts a little worse than one that fits. */
        float pushed = (fabsf(plate.x0 - floorf(x)) + fabsf(plate.y0 - floorf(y))) * 0.01f;
        float cost = overlap_with_placed(d, plate) + (step < 0 && pushed > height * 0.005f ? pushed : 0);
        if (cost < least) {
            least = cost;
            best = plate;
        }
    }
    return best;
}

static void rounded(const struct drawing *d, pct_box box, double radius) {
    const pct_cairo_table *c = &d->canvas.c;
    pct_cairo *cr = d->canvas.cr;
    double x0 = (double)box.x0, y0 = (double)box.y0, x1 = (double)box.x1, y1 = (double)box.y1, quarter = M_PI / 2;
    c->new_path(cr);
    c->arc(cr, x1 - radius, y0 + radius, radius, -quarter, 0);
    c->arc(cr, x1 - radius, y1 - radius, radius, 0, quarter);
    c->arc(cr, x0 + radius, y1 - radius, radius, quarter, 2 * quarter);
    c->arc(cr, x0 + radius, y0 + radius, radius, 2 * quarter, 3 * quarter);
    c->close_path(cr);
}

static void draw_label(struct drawing *d, const pct_overlay_region *region, const unsigned char rgb[3]) {
    const pct_cairo_table *c = &d->canvas.c;
    pct_cairo *cr = d->canvas.cr;
    char text[256] = "", score[32] = "", line[300];
    if (region->phrase) pct_canvas_clean_text(region->phrase, text, sizeof(text) - 4);
    if (region->score >= 0) snprintf(score, sizeof(score), "%.0f%%", (double)pct_clamp_f32(region->score, 0, 1) * 100);
    if (!text[0] && !score[0]) return;
    double pad = d->text * 0.35;
    pct_text_extents extents;
    for (;;) {
        snprintf(line, sizeof(line), "%s%s%s", text, text[0] && score[0] ? "  " : "", score);
        c->text_extents(cr, line, &extents);
        if (extents.x_advance + 2 * pad <= d->image->width || !shorten(text)) break;
    }
    float width = (float)ceil(extents.x_advance + 2 * pad), height = (float)ceil(d->text * 1.5);
    pct_box box = pct_box_clamp(region->box, (float)d->image->width, (float)d->image->height);
    pct_box plate = place_label(d, box, width, height);
    d->placed[d->placed_count++] = plate;
    double light = (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) / 255, ink = light > 0.45 ? 0 : 1;
    rounded(d, plate, fmin(d->text * 0.25, (double)height / 2));
    c->set_source_rgba(cr, 1 - ink, 1 - ink, 1 - ink, 0.8);
    c->set_line_width(cr, fmax(1, d->text * 0.1));
    c->stroke_preserve(cr);
    c->set_source_rgba(cr, rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0, 0.95);
    c->fill(cr);
    c->set_source_rgba(cr, ink, ink, ink, 1);
    c->move_to(cr, (double)plate.x0 + pad, (double)plate.y0 + d->text * 1.1);
    c->show_text(cr, line);
}

static percept_status draw_regions(struct drawing *d, percept_error *error) {
    const pct_cairo_table *c = &d->canvas.c;
    unsigned char rgb[3];
    pct_canvas_put_rgb(&d->canvas, d->image);
    c->set_line_join(d->canvas.cr, PCT_CAIRO_ROUND);
    for (size_t i = 0; i < d->count; i++) {
        const pct_overlay_region *region = &d->regions[i];
        pct_overlay_colour(i, rgb);
        pct_box box = pct_box_clamp(region->box, (float)d->image->width, (float)d->image->height);
        if (pct_box_area(box) > 0 && !(region->mask && d->options.hide_boxes))
            draw_box(d, box, rgb, region->mask != NULL);
        if (region->mask) PCT_TRY(outline_mask(d, region->mask, rgb, error));
    }
    c->select_font_face(d->canvas.cr, "sans-serif", 0, 1);
    c->set_font_size(d->canvas.cr, d->text);
    for (size_t i = 0; i < d->count && !d->options.hide_labels; i++) {
        pct_overlay_colour(i, rgb);
        draw_label(d, &d->regions[i], rgb);
    }
    return pct_canvas_get_rgb(&d->canvas, d->image, error);
}

percept_status pct_overlay_draw(pct_image *image, const pct_overlay_region *regions, size_t count,
                                const pct_overlay_options *options, percept_error *error) {
    if (image->channels != 3) return pct_fail(error, PERCEPT_ERROR_USAGE, "an overlay is drawn on RGB pictures only");
    for (size_t i = 0; i < count; i++)
        if (regions[i].mask && (regions[i].mask->width != image->width || regions[i].mask->height != image->height))
            return pct_fail(error, PERCEPT_ERROR_USAGE, "overlay: mask %zu is %d x %d, the picture %d x %d", i,
                            regions[i].mask->width, regions[i].mask->height, image->width, image->height);
    struct drawing d = {.image = image, .regions = regions, .count = count};
    if (options) d.options = *options;
    float opacity = d.options.opacity == 0 ? 0.35f : d.options.opacity;
    double side = image->width > image->height ? image->width : image->height;
    d.line = fmax(1, side * 0.0028);
    d.text = fmax(9, side * 0.019) * (d.options.text_scale > 0 ? (double)d.options.text_scale : 1);
    percept_status status = pct_canvas_open(&d.canvas, image->width, image->height, PCT_CAIRO_RGB24, error);
    if (status == PERCEPT_OK && !(d.placed = calloc(count + 1, sizeof(*d.placed))))
        status = pct_fail_memory(error, "overlay");
    if (status == PERCEPT_OK) {
        unsigned char rgb[3];
        for (size_t i = 0; i < count && opacity > 0; i++) {
            pct_overlay_colour(i, rgb);
            if (regions[i].mask) fill_mask(image, regions[i].mask, rgb, opacity);
        }
        status = draw_regions(&d, error);
    }
    free(d.placed);
    pct_canvas_close(&d.canvas);
    return status;
}
