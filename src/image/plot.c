/* plot.c: see plot.h. */
#include "image/plot.h"

#include "base/size.h"
#include "base/text.h"
#include "image/canvas.h"
#include "image/encode.h"
#include "image/overlay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TICKS = 32 };

int pct_plot_ticks(double low, double high, int limit, double *ticks) {
    if (!(high > low) || !isfinite(low) || !isfinite(high) || limit < 2) return 0;
    double power = pow(10, floor(log10((high - low) / limit))), step = 0;
    static const double nice[] = {1, 2, 5, 10, 20, 50};
    int n = 0;
    for (size_t i = 0; i < PCT_COUNT(nice); i++) {
        step = nice[i] * power;
        n = (int)(floor(high / step + 1e-9) - ceil(low / step - 1e-9)) + 1;
        if (n <= limit) break;
    }
    if (n > limit) n = limit;
    double first = ceil(low / step - 1e-9);
    for (int i = 0; i < n; i++) ticks[i] = (first + i) * step;
    return n;
}

struct axis {
    double low, high; /* as drawn: of the logarithms on a log axis */
    bool log;
    double start, length; /* pixels; y's length is negative, for it grows upwards */
    double ticks[MAX_TICKS];
    int count;
};

struct picture {
    pct_canvas canvas;
    const pct_plot *plot;
    const pct_series *series;
    size_t count;
    struct axis x, y;
    double unit; /* one "point": all sizes are multiples of it */
    double left, top, right, bottom;
};

static bool to_axis(const struct axis *axis, double value, double *out) {
    if (!isfinite(value) || (axis->log && value <= 0)) return false;
    *out = axis->log ? log10(value) : value;
    return true;
}

static double to_pixel(const struct axis *axis, double at) {
    return axis->start + (at - axis->low) / (axis->high - axis->low) * axis->length;
}

/* Range of all points that can be drawn on both axes. */
static void find_range(struct picture *p) {
    struct axis *x = &p->x, *y = &p->y;
    x->low = y->low = INFINITY;
    x->high = y->high = -INFINITY;
    for (size_t s = 0; s < p->count; s++)
        for (size_t i = 0; i < p->series[s].count; i++) {
            double u, v;
            if (!to_axis(x, p->series[s].x[i], &u) || !to_axis(y, p->series[s].y[i], &v)) continue;
            x->low = fmin(x->low, u);
            x->high = fmax(x->high, u);
            y->low = fmin(y->low, v);
            y->high = fmax(y->high, v);
        }
}

/* Room round the values; something sensible where there is one value or none. */
static void settle_range(struct axis *axis, double margin) {
    if (axis->low > axis->high) axis->low = 0, axis->high = 1;
    double span = axis->high - axis->low;
    if (span <= fabs(axis->high) * 1e-9 || span <= 1e-300) {
        double room = axis->log ? 0.5 : fmax(fabs(axis->high) * 0.1, 1e-3);
        axis->low -= room;
        axis->high += room;
        return;
    }
    bool from_zero = !axis->log && axis->low >= 0 && axis->low < 0.25 * span; /* nearly 0: show the 0 */
    axis->low = from_zero ? 0 : axis->low - margin * span;
    axis->high += margin * span;
}

/* Powers of ten, and 2 and 5 times them where there is room. */
static void log_ticks(struct axis *axis, int limit) {
    int first = (int)floor(axis->low), last = (int)floor(axis->high + 1e-9), decades = last - first + 1;
    bool thirds = (axis->high - axis->low) * 3 < limit;
    int every = thirds ? 1 : (decades + limit - 1) / limit;
    for (int k = first; k <= last; k += every)
        for (int m = 0; m < (thirds ? 3 : 1); m++) {
            double value = pow(10, k) * (m == 0 ? 1 : m == 1 ? 2 : 5), at = log10(value);
            if (at >= axis->low - 1e-9 && at <= axis->high + 1e-9 && axis->count < MAX_TICKS)
                axis->ticks[axis->count++] = value;
        }
}

static void find_ticks(struct axis *axis, int limit) {
    if (limit > MAX_TICKS) limit = MAX_TICKS;
    if (limit < 2) limit = 2;
    axis->count = 0;
    if (axis->log) log_ticks(axis, limit);
    if (axis->count >= 3) return;
    double low = axis->log ? pow(10, axis->low) : axis->low, high = axis->log ? pow(10, axis->high) : axis->high;
    axis->count = pct_plot_ticks(low, high, limit, axis->ticks);
}

/* 0.25, 20k, 1.5M, 1e-05; always with a point, whatever the locale. */
static void tick_text(double value, char *out, size_t size) {
    pct_text text = {0};
    double magnitude = fabs(value);
    if (magnitude >= 1e9 || (magnitude > 0 && magnitude < 1e-4))
        pct_text_printf(&text, "%.3g", value);
    else if (magnitude >= 1e6)
        pct_text_printf(&text, "%.6gM", value / 1e6);
    else if (magnitude >= 1e4)
        pct_text_printf(&text, "%.6gk", value / 1e3);
    else
        pct_text_printf(&text, "%.6g", magnitude < 1e-12 ? 0.0 : value);
    size_t n = text.length < size - 1 ? text.length : size - 1;
    if (n) memcpy(out, text.data, n);
    out[n] = 0;
    pct_text_free(&text);
}

static void ink(struct picture *p, double grey, double alpha) {
    p->canvas.c.set_source_rgba(p->canvas.cr, grey, grey, grey, alpha);
}

static double text_width(struct picture *p, const char *text) {
    pct_text_extents extents;
    p->canvas.c.text_extents(p->canvas.cr, text, &extents);
    return extents.x_advance;
}

/* `anchor` 0 = the text begins at x, 0.5 = is centred on it, 1 = ends there. */
static void put_text(struct picture *p, double x, double y, double anchor, const char *text) {
    p->canvas.c.move_to(p->canvas.cr, x - anchor * text_width(p, text), y);
    p->canvas.c.show_text(p->canvas.cr, text);
}

static void line_between(struct picture *p, double x0, double y0, double x1, double y1) {
    p->canvas.c.move_to(p->canvas.cr, x0, y0);
    p->canvas.c.line_to(p->canvas.cr, x1, y1);
    p->canvas.c.stroke(p->canvas.cr);
}

static void draw_axes(struct picture *p) {
    const pct_cairo_table *c = &p->canvas.c;
    pct_cairo *cr = p->canvas.cr;
    char text[64];
    c->set_font_size(cr, p->unit * 12);
    c->set_line_width(cr, fmax(1, p->unit * 0.8));
    for (int i = 0; i < p->x.count; i++) {
        double x = round(to_pixel(&p->x, p->x.log ? log10(p->x.ticks[i]) : p->x.ticks[i])) + 0.5;
        ink(p, 0.9, 1);
        line_between(p, x, p->top, x, p->bottom);
        tick_text(p->x.ticks[i], text, sizeof(text));
        ink(p, 0.25, 1);
        put_text(p, x, p->bottom + p->unit * 18, 0.5, text);
    }
    for (int i = 0; i < p->y.count; i++) {
        double y = round(to_pixel(&p->y, p->y.log ? log10(p->y.ticks[i]) : p->y.ticks[i])) + 0.5;
        ink(p, 0.9, 1);
        line_between(p, p->left, y, p->right, y);
        tick_text(p->y.ticks[i], text, sizeof(text));
        ink(p, 0.25, 1);
        put_text(p, p->left - p->unit * 7, y + p->unit * 4, 1, text);
    }
    ink(p, 0.45, 1);
    c->rectangle(cr, p->left + 0.5, p->top + 0.5, p->right - p->left, p->bottom - p->top);
    c->stroke(cr);
}

static void draw_words(struct picture *p) {
    const pct_cairo_table *c = &p->canvas.c;
    pct_cairo *cr = p->canvas.cr;
    char text[256];
    ink(p, 0.1, 1);
    if (p->plot->x_label) {
        c->set_font_size(cr, p->unit * 13);
        pct_canvas_clean_text(p->plot->x_label, text, sizeof(text));
        put_text(p, (p->left + p->right) / 2, p->bottom + p->unit * 40, 0.5, text);
    }
    if (p->plot->y_label) {
        c->set_font_size(cr, p->unit * 13);
        pct_canvas_clean_text(p->plot->y_label, text, sizeof(text));
        c->save(cr);
        c->translate(cr, p->unit * 20, (p->top + p->bottom) / 2);
        c->rotate(cr, -M_PI / 2);
        put_text(p, 0, 0, 0.5, text);
        c->restore(cr);
    }
    if (p->plot->title) {
        c->select_font_face(cr, "sans-serif", 0, 1);
        c->set_font_size(cr, p->unit * 15);
        pct_canvas_clean_text(p->plot->title, text, sizeof(text));
        put_text(p, (p->left + p->right) / 2, p->top - p->unit * 14, 0.5, text);
        c->select_font_face(cr, "sans-serif", 0, 0);
    }
}

/* The colour of series s: a faint one shares the colour of the next that is not faint. When all colours have been used
 * they come again in dashes. */
static void series_style(const struct picture *p, size_t s, double alpha) {
    /* Darker than the overlay's, for thin lines on white: Okabe and Ito's blue first. */
    static const unsigned char colours[][3] = {{0, 114, 178}, {213, 94, 0},   {0, 158, 115}, {204, 121, 167},
                                               {230, 159, 0}, {86, 180, 233}, {90, 90, 90}};
    size_t index = 0;
    for (size_t i = 0; i < s; i++) index += !p->series[i].faint;
    const unsigned char *rgb = colours[index % PCT_COUNT(colours)];
    p->canvas.c.set_source_rgba(p->canvas.cr, rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0, alpha);
    const double dashes[][2] = {{p->unit * 8, p->unit * 3}, {p->unit * 2, p->unit * 2}};
    const size_t round = index / PCT_COUNT(colours);
    p->canvas.c.set_dash(p->canvas.cr, round ? dashes[(round - 1) % PCT_COUNT(dashes)] : NULL, round ? 2 : 0, 0);
}

static void draw_series(struct picture *p, size_t s) {
    const pct_cairo_table *c = &p->canvas.c;
    pct_cairo *cr = p->canvas.cr;
    const pct_series *series = &p->series[s];
    bool drawing = false;
    double x, y;
    series_style(p, s, series->faint ? 0.3 : 1);
    c->set_line_width(cr, p->unit * (series->faint ? 1 : 2));
    c->new_path(cr);
    for (size_t i = 0; i < series->count; i++) {
        bool there = to_axis(&p->x, series->x[i], &x) && to_axis(&p->y, series->y[i], &y);
        if (there) (drawing ? c->line_to : c->move_to)(cr, to_pixel(&p->x, x), to_pixel(&p->y, y));
        drawing = there;
    }
    c->stroke(cr);
    c->set_dash(cr, NULL, 0, 0);
    for (size_t i = 0; i < series->count && (series->points || series->count == 1); i++) {
        if (!to_axis(&p->x, series->x[i], &x) || !to_axis(&p->y, series->y[i], &y)) continue;
        c->new_sub_path(cr);
        c->arc(cr, to_pixel(&p->x, x), to_pixel(&p->y, y), p->unit * 3, 0, 2 * M_PI);
        c->fill(cr);
    }
}

/* How much of the lines lies under a legend placed there: points on the way between neighbours, evenly. */
static size_t hidden_by(const struct picture *p, double x0, double y0, double x1, double y1) {
    enum { STEPS = 16 };
    size_t n = 0;
    for (size_t s = 0; s < p->count; s++) {
        const pct_series *series = &p->series[s];
        bool joined = false;
        double from_x = 0, from_y = 0, x, y;
        for (size_t i = 0; i < series->count; i++) {
            bool there = to_axis(&p->x, series->x[i], &x) && to_axis(&p->y, series->y[i], &y);
            if (there) {
                x = to_pixel(&p->x, x);
                y = to_pixel(&p->y, y);
                for (int k = joined ? 1 : STEPS; k <= STEPS; k++) {
                    double u = from_x + (x - from_x) * k / STEPS, v = from_y + (y - from_y) * k / STEPS;
                    n += u > x0 && u < x1 && v > y0 && v < y1;
                }
                from_x = x;
                from_y = y;
            }
            joined = there;
        }
    }
    return n;
}

/* In the corner that hides the least. */
static void draw_legend(struct picture *p) {
    const pct_cairo_table *c = &p->canvas.c;
    pct_cairo *cr = p->canvas.cr;
    double unit = p->unit, widest = 0, row = unit * 19, gap = unit * 10;
    char text[128];
    int rows = 0;
    c->set_font_size(cr, unit * 12);
    for (size_t s = 0; s < p->count; s++) {
        if (!p->series[s].label) continue;
        pct_canvas_clean_text(p->series[s].label, text, sizeof(text));
        widest = fmax(widest, text_width(p, text));
        rows++;
    }
    if (!rows) return;
    double width = widest + unit * 46, height = rows * row + unit * 8, x = 0, y = 0;
    size_t least = SIZE_MAX;
    for (int corner = 0; corner < 4; corner++) {
        double cx = corner & 1 ? p->left + gap : p->right - gap - width;
        double cy = corner & 2 ? p->bottom - gap - height : p->top + gap;
        size_t hidden = hidden_by(p, cx, cy, cx + width, cy + height);
        if (hidden >= least) continue;
        least = hidden;
        x = cx;
        y = cy;
    }
    c->rectangle(cr, floor(x) + 0.5, floor(y) + 0.5, floor(width), floor(height));
    ink(p, 1, 0.88);
    c->fill_preserve(cr);
    ink(p, 0.75, 1);
    c->set_line_width(cr, 1);
    c->stroke(cr);
    double at = y + unit * 4 + row / 2;
    for (size_t s = 0; s < p->count; s++) {
        if (!p->series[s].label) continue;
        series_style(p, s, p->series[s].faint ? 0.4 : 1);
        c->set_line_width(cr, unit * (p->series[s].faint ? 1.2 : 2.4));
        line_between(p, x + unit * 8, at, x + unit * 30, at);
        c->set_dash(cr, NULL, 0, 0);
        pct_canvas_clean_text(p->series[s].label, text, sizeof(text));
        ink(p, 0.1, 1);
        put_text(p, x + unit * 37, at + unit * 4, 0, text);
        at += row;
    }
}

static void lay_out(struct picture *p) {
    double width = p->canvas.width, height = p->canvas.height;
    p->unit = fmax(0.5, fmin(width / 960, height / 600));
    p->left = floor(p->unit * (p->plot->y_label ? 80 : 60));
    p->right = floor(width - p->unit * 24);
    p->top = floor(p->unit * (p->plot->title ? 44 : 20));
    p->bottom = floor(height - p->unit * (p->plot->x_label ? 54 : 32));
    p->x = (struct axis){.log = p->plot->log_x, .start = p->left, .length = p->right - p->left};
    p->y = (struct axis){.log = p->plot->log_y, .start = p->bottom, .length = p->top - p->bottom};
    find_range(p);
    settle_range(&p->x, 0);
    settle_range(&p->y, 0.05);
    double low, high;
    if (p->plot->y_min < p->plot->y_max && to_axis(&p->y, p->plot->y_min, &low) &&
        to_axis(&p->y, p->plot->y_max, &high)) {
        p->y.low = low;
        p->y.high = high;
    }
    find_ticks(&p->x, (int)(p->x.length / (p->unit * 80)));
    find_ticks(&p->y, (int)(-p->y.length / (p->unit * 45)));
}

static void draw(struct picture *p) {
    const pct_cairo_table *c = &p->canvas.c;
    pct_cairo *cr = p->canvas.cr;
    ink(p, 1, 1);
    c->paint(cr);
    c->select_font_face(cr, "sans-serif", 0, 0);
    lay_out(p);
    draw_axes(p);
    draw_words(p);
    c->save(cr);
    c->rectangle(cr, p->left, p->top, p->right - p->left, p->bottom - p->top);
    c->clip(cr);
    c->set_line_join(cr, PCT_CAIRO_ROUND);
    for (size_t s = 0; s < p->count; s++)
        if (p->series[s].faint) draw_series(p, s);
    for (size_t s = 0; s < p->count; s++)
        if (!p->series[s].faint) draw_series(p, s);
    c->restore(cr);
    draw_legend(p);
}

percept_status pct_plot_draw(pct_image *out, const pct_plot *plot, const pct_series *series, size_t count,
                             percept_error *error) {
    struct picture p = {.plot = plot, .series = series, .count = count};
    int width = plot->width ? plot->width : 960, height = plot->height ? plot->height : 600;
    *out = (pct_image){0};
    if (width < 160 || height < 120)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a plot of %d x %d pixels: at least 160 x 120 are needed", width,
                        height);
    percept_status status = pct_canvas_open(&p.canvas, width, height, PCT_CAIRO_RGB24, error);
    if (status == PERCEPT_OK) status = pct_image_new(out, width, height, 3, error);
    if (status == PERCEPT_OK) {
        draw(&p);
        status = pct_canvas_get_rgb(&p.canvas, out, error);
    }
    if (status != PERCEPT_OK) pct_image_free(out);
    pct_canvas_close(&p.canvas);
    return status;
}

percept_status pct_plot_write(const char *path, const pct_plot *plot, const pct_series *series, size_t count,
                              percept_error *error) {
    pct_image image;
    PCT_TRY(pct_plot_draw(&image, plot, series, count, error));
    percept_status status = pct_png_write(path, &image, error);
    pct_image_free(&image);
    return status;
}
