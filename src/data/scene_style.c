/* scene_style.c: one thing as other cameras see it and other artists draw it. All but the tint is for training alone,
 * so that things are known by their shapes in styles that were never seen, too. */
#include "data/scene_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SOLID 128 /* alpha */

/* Lighter, darker, or of another tint: premultiplied colours stay at or below their alpha. */
void scene_tint(pct_layer *layer, pct_random *random) {
    unsigned gain[3];
    float light = pct_random_between(random, 0.78f, 1.18f);
    for (int c = 0; c < 3; c++) gain[c] = (unsigned)(256 * light * pct_random_between(random, 0.95f, 1.05f));
    size_t pixels = (size_t)layer->width * (size_t)layer->height;
    for (size_t i = 0; i < pixels; i++) {
        unsigned char *p = layer->rgba + i * 4;
        for (int c = 0; c < 3; c++) {
            unsigned value = p[c] * gain[c] >> 8;
            p[c] = (unsigned char)(value < p[3] ? value : p[3]);
        }
    }
}

/* As another artist might have drawn or another camera seen it: other colourfulness, tones by channel, few levels. */
void scene_restyle(pct_layer *layer, pct_random *random) {
    unsigned char tone[3][256];
    const float saturation = pct_random_between(random, 0, 1.6f), light = pct_random_between(random, -0.6f, 0.6f);
    const int levels = pct_random_float(random) < 0.3f ? 3 + (int)pct_random_below(random, 4) : 256;
    for (int c = 0; c < 3; c++) {
        const float gamma = expf(light + pct_random_between(random, -0.3f, 0.3f));
        for (int v = 0; v < 256; v++) {
            const float share = powf((float)v / 255, gamma), steps = (float)(levels - 1);
            tone[c][v] = (unsigned char)lrintf(255 * (levels < 256 ? rintf(share * steps) / steps : share));
        }
    }
    size_t pixels = (size_t)layer->width * (size_t)layer->height;
    for (size_t i = 0; i < pixels; i++) {
        unsigned char *p = layer->rgba + i * 4; /* premultiplied */
        if (p[3] == 0) continue;
        const float whole = 255 / (float)p[3];
        const float grey = (0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2]) * whole;
        for (int c = 0; c < 3; c++) {
            const float v = grey + saturation * ((float)p[c] * whole - grey);
            p[c] = (unsigned char)(tone[c][v <= 0 ? 0 : v >= 255 ? 255 : (int)v] * p[3] / 255);
        }
    }
}

void scene_distort(pct_affine *map, int width, int height, pct_random *random) {
    const float x = (float)width / 2, y = (float)height / 2;
    const float centre_x = map->a * x + map->b * y + map->tx, centre_y = map->c * x + map->d * y + map->ty;
    const float stretch = expf(pct_random_between(random, -0.25f, 0.25f)),
                lean = pct_random_between(random, -0.3f, 0.3f);
    const pct_affine was = *map;
    map->a = was.a * stretch;
    map->c = was.c * stretch;
    map->b = was.a * lean + was.b / stretch;
    map->d = was.c * lean + was.d / stretch;
    map->tx = centre_x - map->a * x - map->b * y;
    map->ty = centre_y - map->c * x - map->d * y;
}

/* Least alpha within `reach` pixels along one axis. What is outside the canvas counts as more of the thing. */
static void erode(const unsigned char *from, unsigned char *to, int count, int step, int lines, int line_step,
                  int reach, bool open_low, bool open_high) {
    for (int l = 0; l < lines; l++)
        for (int i = 0; i < count; i++) {
            unsigned char least = 255;
            for (int k = i - reach; k <= i + reach; k++) {
                const bool outside = k < 0 || k >= count;
                const unsigned char v = !outside                         ? from[l * line_step + k * step]
                                        : (k < 0 ? open_low : open_high) ? 0
                                                                         : 255;
                if (v < least) least = v;
            }
            to[l * line_step + i * step] = least;
        }
}

/* A line of one colour along the inside of the edge: its mask stays as it is. */
static void outline(pct_layer *layer, const pct_image *canvas, pct_random *random, unsigned char *alpha,
                    unsigned char *inner) {
    const int width = layer->width, height = layer->height, side = width < height ? width : height;
    const int reach = 1 + (int)pct_random_below(random, (uint32_t)(1 + side / 40));
    const float strength = pct_random_between(random, 0.6f, 1), shade = pct_random_float(random);
    const int colour = shade < 0.8f ? (int)(shade * 80) : 235;
    for (int i = 0; i < width * height; i++) alpha[i] = layer->rgba[(size_t)i * 4 + 3];
    erode(alpha, inner, width, 1, height, width, reach, layer->x > 0, layer->x + width < canvas->width);
    erode(inner, alpha, height, width, width, 1, reach, layer->y > 0, layer->y + height < canvas->height);
    for (int i = 0; i < width * height; i++) {
        unsigned char *p = layer->rgba + (size_t)i * 4;
        const float share = strength * (1 - (float)alpha[i] / 255);
        for (int c = 0; c < 3; c++) p[c] = (unsigned char)((1 - share) * p[c] + share * (float)(colour * p[3] / 255));
    }
}

/* Dark lines where the tone changes, and paler between them. */
static void line_drawing(pct_layer *layer, pct_random *random, unsigned char *tone) {
    const int width = layer->width, height = layer->height;
    const float pale = pct_random_between(random, 0, 0.8f), dark = pct_random_between(random, 0.4f, 1);
    for (int i = 0; i < width * height; i++) {
        const unsigned char *p = layer->rgba + (size_t)i * 4;
        const int sum = 77 * p[0] + 150 * p[1] + 29 * p[2]; /* of 256, times alpha */
        tone[i] = p[3] >= SOLID ? (unsigned char)(sum / 256 * 255 / p[3] > 255 ? 255 : sum / 256 * 255 / p[3]) : 255;
    }
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            unsigned char *p = layer->rgba + ((size_t)y * (size_t)width + (size_t)x) * 4;
            if (p[3] == 0) continue;
            const unsigned char *t = tone + y * width + x;
            const int across = (x + 1 < width ? t[1] : t[0]) - (x > 0 ? t[-1] : t[0]);
            const int down = (y + 1 < height ? t[width] : t[0]) - (y > 0 ? t[-width] : t[0]);
            const float edge = fminf(fmaxf((float)(abs(across) + abs(down) - 24) / 72, 0), 1) * dark;
            for (int c = 0; c < 3; c++)
                p[c] = (unsigned char)(((float)p[c] + pale * (float)(p[3] - p[c])) * (1 - edge));
        }
}

percept_status scene_redraw(pct_layer *layer, const pct_image *canvas, pct_random *random, pct_arena *scratch,
                            percept_error *error) {
    const float kind = pct_random_float(random);
    if (layer->width <= 0 || layer->height <= 0) return PERCEPT_OK;
    pct_arena_mark mark = pct_arena_save(scratch);
    const size_t pixels = (size_t)layer->width * (size_t)layer->height;
    unsigned char *planes = pct_arena_take(scratch, pixels * 2);
    if (!planes) return pct_fail_memory(error, "scene");
    if (kind < 0.7f) line_drawing(layer, random, planes);
    if (kind > 0.3f) outline(layer, canvas, random, planes, planes + pixels);
    pct_arena_release(scratch, mark);
    return PERCEPT_OK;
}
