/* svg.c: see svg.h. */
#include "image/svg.h"

#include "base/file.h"
#include "base/size.h"
#include "image/canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* librsvg's and GLib's stable C interface, as far as it is used here. */
struct rsvg_rectangle {
    double x, y, width, height;
};
struct rsvg_length {
    double length;
    int unit;
};
struct g_error; /* never looked into: its text is not ours to show */
struct rsvg_handle;

struct rsvg {
    struct rsvg_handle *(*new_from_data)(const unsigned char *, size_t, struct g_error **);
    int (*intrinsic_size)(struct rsvg_handle *, double *, double *);
    void (*intrinsic_dimensions)(struct rsvg_handle *, int *, struct rsvg_length *, int *, struct rsvg_length *, int *,
                                 struct rsvg_rectangle *);
    int (*render_document)(struct rsvg_handle *, pct_cairo *, const struct rsvg_rectangle *, struct g_error **);
    void (*unref)(void *);
    void (*error_free)(struct g_error *);
};

static percept_status load(struct rsvg *rsvg, percept_error *error) {
    static const char *const names[] = {
        "rsvg_handle_new_from_data",
        "rsvg_handle_get_intrinsic_size_in_pixels",
        "rsvg_handle_get_intrinsic_dimensions",
        "rsvg_handle_render_document",
        "g_object_unref",
        "g_error_free",
    };
    void *slots[PCT_COUNT(names)];
    _Static_assert(sizeof(slots) == sizeof(*rsvg), "the table has one pointer a name, in the same order");
    memset(rsvg, 0, sizeof(*rsvg));
    PCT_TRY(pct_library_load("librsvg-2.so.2", "librsvg2-2", names, slots, PCT_COUNT(names), error));
    memcpy(rsvg, slots, sizeof(slots));
    return PERCEPT_OK;
}

/* The picture's own size, or its view box's where it is given in shares of the page. */
static bool find_size(const struct rsvg *rsvg, struct rsvg_handle *svg, double *width, double *height) {
    if (!rsvg->intrinsic_size(svg, width, height)) {
        struct rsvg_length across, down;
        struct rsvg_rectangle box = {0};
        int has_width, has_height, has_box = 0;
        rsvg->intrinsic_dimensions(svg, &has_width, &across, &has_height, &down, &has_box, &box);
        if (!has_box) return false;
        *width = box.width;
        *height = box.height;
    }
    return isfinite(*width) && isfinite(*height) && *width > 0 && *height > 0;
}

static percept_status draw(const struct rsvg *rsvg, struct rsvg_handle *svg, const char *name, int side, pct_image *out,
                           percept_error *error) {
    double width, height;
    if (!find_size(rsvg, svg, &width, &height))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: the SVG has neither a size nor a viewBox", name);
    double scale = side / fmax(width, height);
    int across = (int)lround(fmax(1, width * scale)), down = (int)lround(fmax(1, height * scale));
    struct rsvg_rectangle view = {0, 0, across, down};
    pct_canvas canvas;
    percept_status status = pct_canvas_open(&canvas, across, down, PCT_CAIRO_ARGB32, error);
    struct g_error *failure = NULL;
    if (status == PERCEPT_OK && !rsvg->render_document(svg, canvas.cr, &view, &failure)) {
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "%s: the SVG cannot be drawn", name);
        if (failure) rsvg->error_free(failure);
    }
    if (status == PERCEPT_OK) status = pct_image_new(out, across, down, 4, error);
    if (status == PERCEPT_OK) status = pct_canvas_get_rgba(&canvas, out, error);
    if (status != PERCEPT_OK) pct_image_free(out);
    pct_canvas_close(&canvas);
    return status;
}

percept_status pct_svg_decode(pct_image *out, const void *data, size_t size, const char *name, int side,
                              percept_error *error) {
    *out = (pct_image){0};
    if (side < 1 || side > 8192)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: an SVG of %d pixels a side: 1 to 8192 are possible", name,
                        side);
    struct rsvg rsvg;
    PCT_TRY(load(&rsvg, error));
    struct g_error *failure = NULL;
    struct rsvg_handle *svg = size ? rsvg.new_from_data(data, size, &failure) : NULL;
    if (!svg) {
        if (failure) rsvg.error_free(failure);
        return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: not an SVG file, or a damaged one", name);
    }
    percept_status status = draw(&rsvg, svg, name, side, out, error);
    rsvg.unref(svg);
    return status;
}

percept_status pct_svg_read(pct_image *out, const char *path, int side, percept_error *error) {
    enum { LIMIT = 64 << 20 };
    char *data;
    size_t size;
    *out = (pct_image){0};
    PCT_TRY(pct_file_read(path, LIMIT, &data, &size, error));
    percept_status status = pct_svg_decode(out, data, size, path, side, error);
    free(data);
    return status;
}
