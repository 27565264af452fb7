/* compose.c: see compose.h. */
#include "image/compose.h"

#include "base/size.h"
#include "image/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static unsigned div255(unsigned v) { return (v + 128 + ((v + 128) >> 8)) >> 8; } /* rounded, v <= 255 * 255 */

void pct_sprite_free(pct_sprite *sprite) {
    if (!sprite) return;
    for (int i = 0; i < PCT_SPRITE_LEVELS; i++) pct_image_free(&sprite->level[i]);
    *sprite = (pct_sprite){0};
}

static percept_status new_level(pct_image *level, int width, int height, percept_error *error) {
    PCT_TRY(pct_image_new(level, width + 2, height + 2, 4, error));
    memset(level->data, 0, pct_image_bytes(level));
    return PERCEPT_OK;
}

static void premultiply(const pct_image *from, pct_image *level) {
    for (int y = 0; y < from->height; y++) {
        const unsigned char *in = pct_image_row(from, y);
        unsigned char *out = pct_image_row(level, y + 1) + 4;
        for (int x = 0; x < from->width; x++, in += from->channels, out += 4) {
            unsigned alpha = from->channels == 4 ? in[3] : 255;
            for (int c = 0; c < 3; c++) out[c] = (unsigned char)div255(in[c] * alpha);
            out[3] = (unsigned char)alpha;
        }
    }
}

/* Means of 2 x 2 pixels. Where the larger level's side is odd, the border's transparent pixels take part, so that a
 * pixel edge at x stays at x / 2. */
static void halve(const pct_image *large, pct_image *small) {
    for (int y = 0; y < small->height - 2; y++) {
        const unsigned char *upper = pct_image_row(large, 2 * y + 1) + 4, *lower = pct_image_row(large, 2 * y + 2) + 4;
        unsigned char *out = pct_image_row(small, y + 1) + 4;
        for (int x = 0; x < small->width - 2; x++, upper += 8, lower += 8, out += 4)
            for (int c = 0; c < 4; c++)
                out[c] = (unsigned char)((upper[c] + upper[c + 4] + lower[c] + lower[c + 4] + 2) >> 2);
    }
}

percept_status pct_sprite_make(pct_sprite *sprite, const pct_image *cutout, percept_error *error) {
    *sprite = (pct_sprite){.width = cutout->width, .height = cutout->height};
    int width = cutout->width, height = cutout->height;
    percept_status status = PERCEPT_OK;
    for (int i = 0; i < PCT_SPRITE_LEVELS && status == PERCEPT_OK; i++) {
        status = new_level(&sprite->level[i], width, height, error);
        if (status != PERCEPT_OK) break;
        if (i == 0)
            premultiply(cutout, &sprite->level[0]);
        else
            halve(&sprite->level[i - 1], &sprite->level[i]);
        sprite->levels = i + 1;
        if (width == 1 && height == 1) break;
        width = (width + 1) / 2;
        height = (height + 1) / 2;
    }
    if (status != PERCEPT_OK) pct_sprite_free(sprite);
    return status;
}

pct_affine pct_affine_make(int width, int height, float centre_x, float centre_y, float scale, float rotation,
                           float shear, bool flip) {
    float cosine = cosf(rotation) * scale, sine = sinf(rotation) * scale, side = flip ? -1.0f : 1.0f;
    pct_affine map = {.a = cosine * side, .b = cosine * shear - sine, .c = sine * side, .d = sine * shear + cosine};
    float x = (float)width / 2, y = (float)height / 2;
    map.tx = centre_x - map.a * x - map.b * y;
    map.ty = centre_y - map.c * x - map.d * y;
    return map;
}

void pct_layer_free(pct_layer *layer) {
    if (!layer) return;
    free(layer->rgba);
    *layer = (pct_layer){0};
}

/* Room for the window, zeroed; the buffer only grows. */
static percept_status set_window(pct_layer *layer, int x, int y, int width, int height, size_t pixel,
                                 percept_error *error) {
    size_t bytes;
    if (!pct_size_mul((size_t)width * (size_t)height, pixel, &bytes)) return pct_fail_memory(error, "layer");
    if (bytes > layer->capacity) {
        free(layer->rgba);
        layer->capacity = 0;
        if (!(layer->rgba = malloc(bytes))) {
            layer->width = layer->height = 0;
            return pct_fail_memory(error, "layer");
        }
        layer->capacity = bytes;
    }
    memset(layer->rgba, 0, bytes);
    layer->x = x;
    layer->y = y;
    layer->width = width;
    layer->height = height;
    return PERCEPT_OK;
}

/* Canvas -> level pixels, in 16.16 fixed point: (u, v) is the position in the bordered level of the sample's upper
 * left neighbour's middle. */
struct sampler {
    const pct_image *level;
    int64_t u0, v0;   /* at the middle of canvas pixel (0, 0) */
    int64_t u_x, u_y; /* change of u for a step right, down */
    int64_t v_x, v_y;
    float pixel; /* side of the level's pixels, in sprite pixels */
    bool fine;   /* four samples a pixel: the level is finer than the canvas */
};

/* Held within 2^bits, so that sums of products with canvas positions cannot overflow. */
static int64_t to_fixed(double v, int bits) {
    double limit = ldexp(1, bits), fixed = floor(v * 65536 + 0.5);
    return (int64_t)(fixed > limit ? limit : fixed < -limit ? -limit : fixed);
}

static bool make_sampler(const pct_sprite *sprite, const pct_affine *map, struct sampler *sampler) {
    double a = (double)map->a, b = (double)map->b, c = (double)map->c, d = (double)map->d;
    double determinant = a * d - b * c;
    if (!isfinite(determinant) || !isfinite(map->tx) || !isfinite(map->ty) || fabs(determinant) < 1e-9 ||
        fabs(map->tx) > 1e7f || fabs(map->ty) > 1e7f)
        return false;
    double step = 1 / sqrt(fabs(determinant)); /* sprite pixels a canvas pixel */
    int at = 0;
    while (at + 1 < sprite->levels && step / (1 << (at + 1)) >= 1) at++;
    double shrink = 1.0 / (1 << at);
    double u_x = d / determinant * shrink, u_y = -b / determinant * shrink;
    double v_x = -c / determinant * shrink, v_y = a / determinant * shrink;
    double x = 0.5 - (double)map->tx, y = 0.5 - (double)map->ty;
    *sampler = (struct sampler){.level = &sprite->level[at],
                                .u0 = to_fixed(u_x * x + u_y * y + 0.5, 60),
                                .v0 = to_fixed(v_x * x + v_y * y + 0.5, 60),
                                .u_x = to_fixed(u_x, 40),
                                .u_y = to_fixed(u_y, 40),
                                .v_x = to_fixed(v_x, 40),
                                .v_y = to_fixed(v_y, 40),
                                .pixel = (float)(1 << at),
                                .fine = step * shrink > 1.01};
    return true;
}

/* The part of the canvas that the sprite and half a pixel of its level round it can touch. False: nothing. */
static bool find_window(const pct_sprite *sprite, const pct_affine *map, const struct sampler *sampler, int width,
                        int height, int window[4]) {
    float border = sampler->pixel;
    float right = (float)sprite->width + border, bottom = (float)sprite->height + border;
    float low_x = INFINITY, low_y = INFINITY, high_x = -INFINITY, high_y = -INFINITY;
    for (int corner = 0; corner < 4; corner++) {
        float x = corner & 1 ? right : -border, y = corner & 2 ? bottom : -border;
        float to_x = map->a * x + map->b * y + map->tx, to_y = map->c * x + map->d * y + map->ty;
        low_x = fminf(low_x, to_x);
        high_x = fmaxf(high_x, to_x);
        low_y = fminf(low_y, to_y);
        high_y = fmaxf(high_y, to_y);
    }
    window[0] = (int)pct_clamp_f32(floorf(low_x), 0, (float)width);
    window[1] = (int)pct_clamp_f32(floorf(low_y), 0, (float)height);
    window[2] = (int)pct_clamp_f32(ceilf(high_x), 0, (float)width);
    window[3] = (int)pct_clamp_f32(ceilf(high_y), 0, (float)height);
    return window[0] < window[2] && window[1] < window[3];
}

/* Adds one bilinear sample: channels 0 and 2 into *even, 1 and 3 into *odd, 16 bits each (memory order, so this is the
 * same on either endianness). Outside the bordered level nothing is added. */
static inline void add_sample(const struct sampler *sampler, int64_t u, int64_t v, uint32_t *even, uint32_t *odd) {
    const pct_image *level = sampler->level;
    uint64_t x = (uint64_t)(u >> 16), y = (uint64_t)(v >> 16);
    if (x >= (uint64_t)(level->width - 1) || y >= (uint64_t)(level->height - 1)) return;
    const uint32_t mask = 0x00ff00ff, half = 0x00800080;
    size_t stride = (size_t)level->width * 4;
    const unsigned char *p = level->data + y * stride + x * 4;
    uint32_t p00, p01, p10, p11;
    memcpy(&p00, p, 4);
    memcpy(&p01, p + 4, 4);
    memcpy(&p10, p + stride, 4);
    memcpy(&p11, p + stride + 4, 4);
    uint32_t fx = (uint32_t)(u >> 8) & 255, fy = (uint32_t)(v >> 8) & 255;
    uint32_t w11 = (fx * fy + 128) >> 8, w01 = fx - w11, w10 = fy - w11, w00 = 256 - fx - fy + w11;
    *even += ((p00 & mask) * w00 + (p01 & mask) * w01 + (p10 & mask) * w10 + (p11 & mask) * w11 + half) >> 8 & mask;
    *odd += ((p00 >> 8 & mask) * w00 + (p01 >> 8 & mask) * w01 + (p10 >> 8 & mask) * w10 + (p11 >> 8 & mask) * w11 +
             half) >>
                8 &
            mask;
}

static void render_row(const struct sampler *sampler, int64_t u, int64_t v, int width, unsigned char *out) {
    int64_t du = sampler->u_x, dv = sampler->v_x;
    if (!sampler->fine) {
        for (int x = 0; x < width; x++, u += du, v += dv, out += 4) {
            uint32_t even = 0, odd = 0;
            add_sample(sampler, u, v, &even, &odd);
            uint32_t pixel = even | odd << 8;
            memcpy(out, &pixel, 4);
        }
        return;
    }
    int64_t ax = (du + sampler->u_y) / 4, ay = (dv + sampler->v_y) / 4; /* quarter steps along both diagonals */
    int64_t bx = (du - sampler->u_y) / 4, by = (dv - sampler->v_y) / 4;
    for (int x = 0; x < width; x++, u += du, v += dv, out += 4) {
        uint32_t even = 0x00020002, odd = 0x00020002;
        add_sample(sampler, u - ax, v - ay, &even, &odd);
        add_sample(sampler, u + bx, v + by, &even, &odd);
        add_sample(sampler, u - bx, v - by, &even, &odd);
        add_sample(sampler, u + ax, v + ay, &even, &odd);
        uint32_t pixel = (even >> 2 & 0x00ff00ff) | (odd >> 2 & 0x00ff00ff) << 8;
        memcpy(out, &pixel, 4);
    }
}

/* Pixels begin..end of a row of n may have u within 0..limit; the rest need no sampling. */
static void clip_span(double u, double step, double limit, int n, int *begin, int *end) {
    double first = 0, last = n;
    if (fabs(step) < 1e-6) {
        if (u < -2 || u > limit + 2) *end = *begin;
        return;
    }
    first = (step > 0 ? -2 - u : limit + 2 - u) / step - 1;
    last = (step > 0 ? limit + 2 - u : -2 - u) / step + 2;
    if (first > *begin) *begin = first < n ? (int)first : n;
    if (last < *end) *end = last > 0 ? (int)last : 0;
}

percept_status pct_sprite_render(const pct_sprite *sprite, const pct_affine *map, int width, int height,
                                 pct_layer *layer, percept_error *error) {
    struct sampler sampler;
    int window[4];
    layer->x = layer->y = layer->width = layer->height = 0;
    if (!make_sampler(sprite, map, &sampler) || !find_window(sprite, map, &sampler, width, height, window))
        return PERCEPT_OK;
    PCT_TRY(set_window(layer, window[0], window[1], window[2] - window[0], window[3] - window[1], 4, error));
    for (int y = 0; y < layer->height; y++) {
        int64_t u = sampler.u0 + sampler.u_x * layer->x + sampler.u_y * (layer->y + y);
        int64_t v = sampler.v0 + sampler.v_x * layer->x + sampler.v_y * (layer->y + y);
        int begin = 0, end = layer->width;
        clip_span((double)u / 65536, (double)sampler.u_x / 65536, sampler.level->width, end, &begin, &end);
        clip_span((double)v / 65536, (double)sampler.v_x / 65536, sampler.level->height, layer->width, &begin, &end);
        if (begin >= end) continue;
        render_row(&sampler, u + sampler.u_x * begin, v + sampler.v_x * begin, end - begin,
                   layer->rgba + ((size_t)y * (size_t)layer->width + (size_t)begin) * 4);
    }
    return PERCEPT_OK;
}

void pct_layer_over(const pct_layer *layer, pct_image *canvas) {
    PCT_ASSERT(layer->width == 0 || (layer->x >= 0 && layer->y >= 0 && layer->x + layer->width <= canvas->width &&
                                     layer->y + layer->height <= canvas->height));
    for (int y = 0; y < layer->height; y++) {
        const unsigned char *from = layer->rgba + (size_t)y * (size_t)layer->width * 4;
        unsigned char *to = pct_image_row(canvas, layer->y + y) + (size_t)layer->x * (size_t)canvas->channels;
        for (int x = 0; x < layer->width; x++, from += 4, to += canvas->channels) {
            if (!from[3]) continue;
            unsigned rest = 255u - from[3];
            for (int c = 0; c < 3; c++) {
                unsigned sum = from[c] + div255(to[c] * rest);
                to[c] = (unsigned char)(sum > 255 ? 255 : sum);
            }
        }
    }
}

percept_status pct_layer_shadow(const pct_layer *layer, pct_image *canvas, float dx, float dy, float sigma,
                                float strength, pct_layer *scratch, percept_error *error) {
    if (layer->width == 0 || !(strength > 0) || !isfinite(dx) || !isfinite(dy)) return PERCEPT_OK;
    sigma = pct_clamp_f32(sigma, 0, 1000);
    int margin = (int)ceilf(3 * sigma), width = layer->width + 2 * margin, height = layer->height + 2 * margin;
    int move_x = (int)lrintf(pct_clamp_f32(dx, -1e6f, 1e6f)), move_y = (int)lrintf(pct_clamp_f32(dy, -1e6f, 1e6f));
    PCT_TRY(set_window(scratch, layer->x + move_x - margin, layer->y + move_y - margin, width, height, 1, error));
    unsigned char *plane = scratch->rgba;
    for (int y = 0; y < layer->height; y++) {
        const unsigned char *from = layer->rgba + (size_t)y * (size_t)layer->width * 4;
        unsigned char *to = plane + (size_t)(y + margin) * (size_t)width + margin;
        for (int x = 0; x < layer->width; x++) to[x] = from[4 * x + 3];
    }
    PCT_TRY(pct_filter_blur_plane(plane, width, height, sigma, error));
    unsigned dark = (unsigned)(pct_clamp_f32(strength, 0, 1) * 255 + 0.5f);
    int x0 = scratch->x > 0 ? scratch->x : 0, y0 = scratch->y > 0 ? scratch->y : 0;
    int x1 = (int)pct_min_i64(canvas->width, (int64_t)scratch->x + width);
    int y1 = (int)pct_min_i64(canvas->height, (int64_t)scratch->y + height);
    for (int y = y0; y < y1; y++) {
        const unsigned char *from = plane + (size_t)(y - scratch->y) * (size_t)width;
        unsigned char *to = pct_image_row(canvas, y);
        for (int x = x0; x < x1; x++) {
            unsigned light = 255 - div255(from[x - scratch->x] * dark);
            for (int c = 0; c < 3; c++)
                to[x * canvas->channels + c] = (unsigned char)div255(to[x * canvas->channels + c] * light);
        }
    }
    scratch->width = scratch->height = 0; /* it holds a plane, not a layer */
    return PERCEPT_OK;
}

percept_status pct_layer_mask(const pct_layer *layer, int width, int height, pct_mask *out, percept_error *error) {
    PCT_TRY(pct_mask_new(out, width, height, error));
    PCT_ASSERT(layer->width == 0 || (layer->x >= 0 && layer->y >= 0 && layer->x + layer->width <= width &&
                                     layer->y + layer->height <= height));
    for (int y = 0; y < layer->height; y++) {
        const unsigned char *from = layer->rgba + (size_t)y * (size_t)layer->width * 4;
        unsigned char *to = pct_mask_row(out, layer->y + y) + layer->x;
        for (int x = 0; x < layer->width; x++) to[x] = from[4 * x + 3] >= 128;
    }
    return PERCEPT_OK;
}
