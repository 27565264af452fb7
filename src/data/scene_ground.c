/* scene_ground.c: backgrounds: crops of pictures, and generated ones that show nothing nameable. */
#include "base/size.h"
#include "data/scene_private.h"

#include <math.h>
#include <string.h>

const struct scene_background *scene_ground_pick(const pct_scene_source *source, enum pct_split split,
                                                 pct_random *random) {
    const struct scene_ids *grounds = &source->grounds[split];
    if (grounds->count == 0 || pct_random_float(random) < source->generated) return NULL;
    return &source->backgrounds[grounds->items[pct_random_below(random, (uint32_t)grounds->count)]];
}

/* Mean of n x n samples spread over the source rectangle of one canvas pixel. */
static void sample_pixel(const pct_image *from, float x, float y, float step_x, float step_y, int n,
                         unsigned char out[3]) {
    unsigned sum[3] = {0, 0, 0};
    for (int j = 0; j < n; j++) {
        int v = (int)(y + step_y * ((float)j + 0.5f) / (float)n);
        const unsigned char *row = pct_image_row(from, v < from->height ? v : from->height - 1);
        for (int i = 0; i < n; i++) {
            int u = (int)(x + step_x * ((float)i + 0.5f) / (float)n);
            const unsigned char *p = row + (size_t)(u < from->width ? u : from->width - 1) * 3;
            for (int c = 0; c < 3; c++) sum[c] += p[c];
        }
    }
    for (int c = 0; c < 3; c++) out[c] = (unsigned char)(sum[c] / (unsigned)(n * n));
}

/* A crop of the canvas's aspect, between 35 % and all of the largest that fits, half of them mirrored. */
static void paint_crop(const pct_image *from, pct_image *canvas, pct_random *random) {
    float aspect = (float)canvas->width / (float)canvas->height;
    float most_width = fminf((float)from->width, (float)from->height * aspect);
    float width = most_width * pct_random_between(random, 0.35f, 1), height = width / aspect;
    float x0 = pct_random_float(random) * ((float)from->width - width);
    float y0 = pct_random_float(random) * ((float)from->height - height);
    float step_x = width / (float)canvas->width, step_y = height / (float)canvas->height;
    bool mirrored = pct_random_u32(random) & 1;
    int n = step_x > 2 ? 3 : 2;
    for (int y = 0; y < canvas->height; y++) {
        unsigned char *row = pct_image_row(canvas, y);
        for (int x = 0; x < canvas->width; x++) {
            int at = mirrored ? canvas->width - 1 - x : x;
            sample_pixel(from, x0 + step_x * (float)at, y0 + step_y * (float)y, step_x, step_y, n, row + x * 3);
        }
    }
}

static void pick_colour(pct_random *random, float colour[3]) {
    float grey = pct_random_float(random) * 255, strength = pct_random_float(random);
    for (int c = 0; c < 3; c++)
        colour[c] = pct_clamp_f32(grey + strength * pct_random_between(random, -130, 130), 0, 255);
}

static void put_mix(unsigned char *pixel, const float a[3], const float b[3], float t) {
    t = pct_clamp_f32(t, 0, 1);
    for (int c = 0; c < 3; c++) pixel[c] = (unsigned char)(a[c] + (b[c] - a[c]) * t + 0.5f);
}

/* Smooth noise in about [0, 1]: values on a lattice of `cell` pixels, joined by smoothstep, three octaves. */
static float lattice(uint64_t seed, int x, int y) {
    return (float)(pct_hash_u64(seed ^ ((uint64_t)(uint32_t)x << 32 | (uint32_t)y)) >> 40) / 16777216.0f;
}
static float smooth_noise(uint64_t seed, float x, float y) {
    float fx = floorf(x), fy = floorf(y), u = x - fx, v = y - fy;
    int ix = (int)fx, iy = (int)fy;
    u = u * u * (3 - 2 * u);
    v = v * v * (3 - 2 * v);
    float top = lattice(seed, ix, iy) * (1 - u) + lattice(seed, ix + 1, iy) * u;
    float bottom = lattice(seed, ix, iy + 1) * (1 - u) + lattice(seed, ix + 1, iy + 1) * u;
    return top * (1 - v) + bottom * v;
}

enum { GROUND_FLAT, GROUND_LINEAR, GROUND_RADIAL, GROUND_CLOUDS, GROUND_STRIPES, GROUND_CHECKS, GROUND_GRAIN, GROUNDS };

struct pattern {
    int kind;
    float a[3], b[3];
    float angle_x, angle_y, centre_x, centre_y, period;
    uint64_t seed;
};

static float pattern_at(const struct pattern *pattern, float x, float y) {
    float along = x * pattern->angle_x + y * pattern->angle_y;
    float across = y * pattern->angle_x - x * pattern->angle_y;
    switch (pattern->kind) {
    case GROUND_LINEAR:
        return along + 0.5f;
    case GROUND_RADIAL:
        return hypotf(x - pattern->centre_x, y - pattern->centre_y) * 1.2f;
    case GROUND_CLOUDS:
        return 0.57f * smooth_noise(pattern->seed, x / pattern->period, y / pattern->period) +
               0.29f * smooth_noise(pattern->seed + 1, 2 * x / pattern->period, 2 * y / pattern->period) +
               0.14f * smooth_noise(pattern->seed + 2, 4 * x / pattern->period, 4 * y / pattern->period);
    case GROUND_STRIPES:
        return 0.5f + 0.5f * sinf(along * 6.2831853f / pattern->period);
    case GROUND_CHECKS:
        return (float)(((int)floorf(along / pattern->period) + (int)floorf(across / pattern->period)) & 1);
    case GROUND_GRAIN:
        return smooth_noise(pattern->seed, along / pattern->period * 9, across / pattern->period);
    default:
        return 0;
    }
}

static void paint_pattern(pct_image *canvas, pct_random *random) {
    struct pattern pattern = {.kind = (int)pct_random_below(random, GROUNDS)};
    pick_colour(random, pattern.a);
    pick_colour(random, pattern.b);
    /* Patterns with hard edges are softened, else they drown the objects. */
    float share =
        pattern.kind == GROUND_CHECKS || pattern.kind == GROUND_STRIPES ? pct_random_between(random, 0.1f, 0.55f) : 1;
    for (int c = 0; c < 3; c++) pattern.b[c] = pattern.a[c] + (pattern.b[c] - pattern.a[c]) * share;
    float angle = pct_random_float(random) * 6.2831853f;
    pattern.angle_x = cosf(angle);
    pattern.angle_y = sinf(angle);
    pattern.centre_x = pct_random_between(random, -0.5f, 0.5f);
    pattern.centre_y = pct_random_between(random, -0.5f, 0.5f);
    pattern.period = pct_random_between(random, 0.06f, 0.5f);
    pattern.seed = pct_random_u64(random);
    float unit = 1.0f / (float)(canvas->width > canvas->height ? canvas->width : canvas->height);
    for (int y = 0; y < canvas->height; y++) {
        unsigned char *row = pct_image_row(canvas, y);
        for (int x = 0; x < canvas->width; x++)
            put_mix(row + x * 3, pattern.a, pattern.b,
                    pattern_at(&pattern, ((float)x - (float)canvas->width / 2) * unit,
                               ((float)y - (float)canvas->height / 2) * unit));
    }
}

void scene_ground_paint(const struct scene_background *background, pct_image *canvas, pct_random *random) {
    if (background)
        paint_crop(background->image, canvas, random);
    else
        paint_pattern(canvas, random);
}
