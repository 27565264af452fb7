/* plot.h: line plots as PNG (training curves), drawn with cairo, loaded when the first plot is drawn. */
#ifndef PCT_IMAGE_PLOT_H
#define PCT_IMAGE_PLOT_H

#include "image/image.h"

#include <stddef.h>

typedef struct pct_series {
    const char *label;   /* in the legend; NULL: left out of it */
    const double *x, *y; /* `count` points; those that are not finite (or <= 0 on a log axis) break the line */
    size_t count;
    bool points; /* draw a dot at every point too */
    bool faint;  /* thin and pale: raw values under their smoothed line; takes the colour of the next series */
} pct_series;

typedef struct pct_plot {
    const char *title, *x_label, *y_label; /* may be NULL */
    bool log_x, log_y;
    int width, height;   /* pixels; 0 means 960 x 600 */
    double y_min, y_max; /* fixed range when y_min < y_max */
} pct_plot;

/* A plot without a single finite point is drawn with empty axes. WORK when cairo cannot be loaded. */
percept_status pct_plot_draw(pct_image *out, const pct_plot *plot, const pct_series *series, size_t count,
                             percept_error *error);
percept_status pct_plot_write(const char *path, const pct_plot *plot, const pct_series *series, size_t count,
                              percept_error *error);

/* Round positions for an axis over low..high, at most `limit` (>= 2) of them; returns how many. Exposed for tests. */
int pct_plot_ticks(double low, double high, int limit, double *ticks);

#endif
