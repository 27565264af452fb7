/* canvas.h: cairo, loaded when something is drawn. Shared by overlay, plot and svg; not for other folders.
 *
 * percept links no drawing library: the table below is filled from libcairo.so.2 by name. Prototypes and constants are
 * those of cairo's stable C interface (cairo.h 1.16). */
#ifndef PCT_IMAGE_CANVAS_H
#define PCT_IMAGE_CANVAS_H

#include "image/image.h"

#include <stdint.h>

typedef struct cairo_surface pct_cairo_surface; /* cairo's own structs, never looked into */
typedef struct cairo_context pct_cairo;

typedef struct pct_text_extents { /* cairo_text_extents_t */
    double x_bearing, y_bearing, width, height, x_advance, y_advance;
} pct_text_extents;

enum { PCT_CAIRO_ARGB32 = 0, PCT_CAIRO_RGB24 = 1, PCT_CAIRO_ROUND = 1, PCT_CAIRO_MAX_SIDE = 32767 };

typedef struct pct_cairo_table {
    pct_cairo_surface *(*image_surface_create_for_data)(unsigned char *, int, int, int, int);
    int (*format_stride_for_width)(int, int);
    int (*surface_status)(pct_cairo_surface *);
    void (*surface_flush)(pct_cairo_surface *);
    void (*surface_destroy)(pct_cairo_surface *);
    pct_cairo *(*create)(pct_cairo_surface *);
    int (*status)(pct_cairo *);
    void (*destroy)(pct_cairo *);
    void (*save)(pct_cairo *);
    void (*restore)(pct_cairo *);
    void (*translate)(pct_cairo *, double, double);
    void (*rotate)(pct_cairo *, double);
    void (*set_source_rgba)(pct_cairo *, double, double, double, double);
    void (*set_line_width)(pct_cairo *, double);
    void (*set_line_join)(pct_cairo *, int);
    void (*set_line_cap)(pct_cairo *, int);
    void (*set_dash)(pct_cairo *, const double *, int, double);
    void (*new_path)(pct_cairo *);
    void (*new_sub_path)(pct_cairo *);
    void (*move_to)(pct_cairo *, double, double);
    void (*line_to)(pct_cairo *, double, double);
    void (*arc)(pct_cairo *, double, double, double, double, double);
    void (*rectangle)(pct_cairo *, double, double, double, double);
    void (*close_path)(pct_cairo *);
    void (*stroke)(pct_cairo *);
    void (*stroke_preserve)(pct_cairo *);
    void (*fill)(pct_cairo *);
    void (*fill_preserve)(pct_cairo *);
    void (*paint)(pct_cairo *);
    void (*clip)(pct_cairo *);
    void (*select_font_face)(pct_cairo *, const char *, int, int);
    void (*set_font_size)(pct_cairo *, double);
    void (*text_extents)(pct_cairo *, const char *, pct_text_extents *);
    void (*show_text)(pct_cairo *, const char *);
} pct_cairo_table;

/* One drawing: cairo, a context, and the pixels under it, native-endian 0xAARRGGBB. */
typedef struct pct_canvas {
    pct_cairo_table c;
    pct_cairo *cr;
    pct_cairo_surface *surface;
    int width, height, stride; /* stride in bytes */
    uint32_t *pixels;
} pct_canvas;

/* WORK, naming the package, when cairo cannot be loaded. */
percept_status pct_cairo_load(pct_cairo_table *table, percept_error *error);
/* Fills function pointers from a library; `names[i]` goes to *slots[i]. Never unloads it. */
percept_status pct_library_load(const char *library, const char *package, const char *const *names, void **slots,
                                size_t count, percept_error *error);

/* Transparent black (format ARGB32) or black (RGB24). pct_canvas_close in any case. */
percept_status pct_canvas_open(pct_canvas *canvas, int width, int height, int format, percept_error *error);
void pct_canvas_close(pct_canvas *canvas);
/* Copies an RGB picture of the canvas's size in or out. `get` fails when cairo met an error on the way. */
void pct_canvas_put_rgb(pct_canvas *canvas, const pct_image *image);
percept_status pct_canvas_get_rgb(pct_canvas *canvas, pct_image *image, percept_error *error);
/* As above into RGBA, colours divided by alpha. */
percept_status pct_canvas_get_rgba(pct_canvas *canvas, pct_image *image, percept_error *error);

/* Copies valid UTF-8; other bytes and control characters become '?'. Cairo refuses to draw anything else. */
void pct_canvas_clean_text(const char *text, char *out, size_t size);

#endif
