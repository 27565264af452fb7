/* canvas.c: see canvas.h. */
#include "image/canvas.h"

#include "base/size.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

percept_status pct_library_load(const char *library, const char *package, const char *const *names, void **slots,
                                size_t count, percept_error *error) {
    /* Libraries of fonts keep state of their threads, so they stay loaded. */
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return pct_fail(error, PERCEPT_ERROR_WORK, "drawing needs %s; install the package %s", library, package);
    for (size_t i = 0; i < count; i++) {
        slots[i] = dlsym(handle, names[i]);
        if (!slots[i]) {
            dlclose(handle);
            return pct_fail(error, PERCEPT_ERROR_WORK, "%s has no %s; install a newer %s", library, names[i], package);
        }
    }
    dlclose(handle);
    return PERCEPT_OK;
}

percept_status pct_cairo_load(pct_cairo_table *table, percept_error *error) {
    static const char *const names[] = {
        "cairo_image_surface_create_for_data",
        "cairo_format_stride_for_width",
        "cairo_surface_status",
        "cairo_surface_flush",
        "cairo_surface_destroy",
        "cairo_create",
        "cairo_status",
        "cairo_destroy",
        "cairo_save",
        "cairo_restore",
        "cairo_translate",
        "cairo_rotate",
        "cairo_set_source_rgba",
        "cairo_set_line_width",
        "cairo_set_line_join",
        "cairo_set_line_cap",
        "cairo_set_dash",
        "cairo_new_path",
        "cairo_new_sub_path",
        "cairo_move_to",
        "cairo_line_to",
        "cairo_arc",
        "cairo_rectangle",
        "cairo_close_path",
        "cairo_stroke",
        "cairo_stroke_preserve",
        "cairo_fill",
        "cairo_fill_preserve",
        "cairo_paint",
        "cairo_clip",
        "cairo_select_font_face",
        "cairo_set_font_size",
        "cairo_text_extents",
        "cairo_show_text",
    };
    void *slots[PCT_COUNT(names)];
    _Static_assert(sizeof(slots) == sizeof(*table), "the table has one pointer a name, in the same order");
    memset(table, 0, sizeof(*table));
    PCT_TRY(pct_library_load("libcairo.so.2", "libcairo2", names, slots, PCT_COUNT(names), error));
    memcpy(table, slots, sizeof(slots)); /* POSIX lets a symbol's address be a function's */
    return PERCEPT_OK;
}

percept_status pct_canvas_open(pct_canvas *canvas, int width, int height, int format, percept_error *error) {
    *canvas = (pct_canvas){.width = width, .height = height};
    if (width < 1 || height < 1 || width > PCT_CAIRO_MAX_SIDE || height > PCT_CAIRO_MAX_SIDE)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a drawing of %d x %d pixels: sides must be 1 to %d", width, height,
                        PCT_CAIRO_MAX_SIDE);
    PCT_TRY(pct_cairo_load(&canvas->c, error));
    canvas->stride = canvas->c.format_stride_for_width(format, width);
    canvas->pixels = calloc((size_t)height, (size_t)canvas->stride);
    if (!canvas->pixels) return pct_fail_memory(error, "drawing");
    canvas->surface =
        canvas->c.image_surface_create_for_data((unsigned char *)canvas->pixels, format, width, height, canvas->stride);
    canvas->cr = canvas->c.create(canvas->surface);
    if (canvas->c.status(canvas->cr) != 0) return pct_fail_memory(error, "drawing");
    return PERCEPT_OK;
}

void pct_canvas_close(pct_canvas *canvas) {
    if (canvas->cr) canvas->c.destroy(canvas->cr);
    if (canvas->surface) canvas->c.surface_destroy(canvas->surface);
    free(canvas->pixels);
    *canvas = (pct_canvas){0};
}

static uint32_t *row_of(const pct_canvas *canvas, int y) {
    return canvas->pixels + (size_t)y * ((size_t)canvas->stride / sizeof(uint32_t));
}

void pct_canvas_put_rgb(pct_canvas *canvas, const pct_image *image) {
    for (int y = 0; y < canvas->height; y++) {
        const unsigned char *from = pct_image_row(image, y);
        uint32_t *to = row_of(canvas, y);
        for (int x = 0; x < canvas->width; x++, from += 3)
            to[x] = 0xff000000u | (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
    }
}

static percept_status finish(pct_canvas *canvas, percept_error *error) {
    int code = canvas->c.status(canvas->cr);
    canvas->c.surface_flush(canvas->surface);
    if (code == 0) return PERCEPT_OK;
    return pct_fail(error, code == 1 ? PERCEPT_ERROR_RESOURCE : PERCEPT_ERROR_WORK,
                    "drawing failed (cairo's status %d)", code);
}

percept_status pct_canvas_get_rgb(pct_canvas *canvas, pct_image *image, percept_error *error) {
    PCT_TRY(finish(canvas, error));
    for (int y = 0; y < canvas->height; y++) {
        const uint32_t *from = row_of(canvas, y);
        unsigned char *to = pct_image_row(image, y);
        for (int x = 0; x < canvas->width; x++, to += 3) {
            to[0] = (unsigned char)(from[x] >> 16);
            to[1] = (unsigned char)(from[x] >> 8);
            to[2] = (unsigned char)from[x];
        }
    }
    return PERCEPT_OK;
}

static unsigned char divide(uint32_t colour, uint32_t alpha) {
    uint32_t v = alpha ? ((colour & 255) * 255 + alpha / 2) / alpha : 0;
    return (unsigned char)(v > 255 ? 255 : v);
}

percept_status pct_canvas_get_rgba(pct_canvas *canvas, pct_image *image, percept_error *error) {
    PCT_TRY(finish(canvas, error));
    for (int y = 0; y < canvas->height; y++) {
        const uint32_t *from = row_of(canvas, y);
        unsigned char *to = pct_image_row(image, y);
        for (int x = 0; x < canvas->width; x++, to += 4) {
            uint32_t alpha = from[x] >> 24;
            to[0] = divide(from[x] >> 16, alpha);
            to[1] = divide(from[x] >> 8, alpha);
            to[2] = divide(from[x], alpha);
            to[3] = (unsigned char)alpha;
        }
    }
    return PERCEPT_OK;
}

/* Length of the valid UTF-8 sequence at p, 0 when there is none. */
static size_t utf8_length(const unsigned char *p) {
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : 4;
    if (p[0] >= 0x80 && (p[0] < 0xc2 || p[0] > 0xf4)) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0;
    return n;
}

void pct_canvas_clean_text(const char *text, char *out, size_t size) {
    const unsigned char *p = (const unsigned char *)text;
    size_t used = 0;
    while (*p) {
        size_t n = utf8_length(p);
        if (used + (n ? n : 1) >= size) break;
        if (n == 0 || *p < 0x20 || *p == 0x7f)
            out[used++] = '?';
        else
            memcpy(out + used, p, n), used += n;
        p += n ? n : 1;
    }
    out[used] = 0;
}
