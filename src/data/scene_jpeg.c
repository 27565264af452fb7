/* scene_jpeg.c: the damage that JPEG does, without writing and reading a JPEG: colours to YCbCr, chroma halved, 8 x 8
 * cosine transform, division by the quantisation tables of ITU T.81 annex K scaled as libjpeg does, and back. */
#include "base/size.h"
#include "data/scene_private.h"

#include <math.h>
#include <string.h>

static const uint8_t luma_steps[64] = {16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
                                       14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
                                       18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
                                       49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
static const uint8_t chroma_steps[64] = {17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
                                         24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
                                         99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                         99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

/* basis[k][x] = c(k)/2 cos((2x+1) k pi / 16) */
struct transform {
    float basis[8][8], luma[64], chroma[64];
};

static void prepare(struct transform *t, int quality) {
    int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    for (int k = 0; k < 8; k++)
        for (int x = 0; x < 8; x++)
            t->basis[k][x] = (k ? 0.5f : 0.35355339f) * cosf((float)(2 * x + 1) * (float)k * 3.14159265f / 16);
    for (int i = 0; i < 64; i++) {
        t->luma[i] = pct_clamp_f32((float)((luma_steps[i] * scale + 50) / 100), 1, 255);
        t->chroma[i] = pct_clamp_f32((float)((chroma_steps[i] * scale + 50) / 100), 1, 255);
    }
}

/* out = B in B^T, or with `back` B^T in B. */
static void rotate(const struct transform *t, const float in[64], float out[64], bool back) {
    float half[64];
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) {
            float sum = 0;
            for (int k = 0; k < 8; k++) sum += (back ? t->basis[k][j] : t->basis[j][k]) * in[i * 8 + k];
            half[i * 8 + j] = sum;
        }
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) {
            float sum = 0;
            for (int k = 0; k < 8; k++) sum += (back ? t->basis[k][i] : t->basis[i][k]) * half[k * 8 + j];
            out[i * 8 + j] = sum;
        }
}

/* plane[height][width], both multiples of 8. */
static void damage_plane(const struct transform *t, const float *steps, float *plane, int width, int height) {
    float block[64], terms[64];
    for (int y = 0; y < height; y += 8)
        for (int x = 0; x < width; x += 8) {
            for (int i = 0; i < 8; i++) memcpy(block + i * 8, plane + (size_t)(y + i) * (size_t)width + x, 32);
            rotate(t, block, terms, false);
            for (int i = 0; i < 64; i++) terms[i] = rintf(terms[i] / steps[i]) * steps[i];
            rotate(t, terms, block, true);
            for (int i = 0; i < 8; i++) memcpy(plane + (size_t)(y + i) * (size_t)width + x, block + i * 8, 32);
        }
}

/* Planes are padded by repeating edges: luma to a multiple of 16, chroma to half of that. */
static void split(const pct_image *image, float *luma, float *blue, float *red, int width, int height) {
    for (int y = 0; y < height; y++) {
        const unsigned char *row = pct_image_row(image, y < image->height ? y : image->height - 1);
        for (int x = 0; x < width; x++) {
            const unsigned char *p = row + (size_t)(x < image->width ? x : image->width - 1) * 3;
            float r = p[0], g = p[1], b = p[2];
            luma[(size_t)y * (size_t)width + x] = 0.299f * r + 0.587f * g + 0.114f * b - 128;
            size_t at = (size_t)(y / 2) * (size_t)(width / 2) + (size_t)(x / 2);
            if ((x | y) % 2 == 0) blue[at] = red[at] = 0;
            blue[at] += (-0.168736f * r - 0.331264f * g + 0.5f * b) / 4;
            red[at] += (0.5f * r - 0.418688f * g - 0.081312f * b) / 4;
        }
    }
}

static void join(pct_image *image, const float *luma, const float *blue, const float *red, int width) {
    for (int y = 0; y < image->height; y++) {
        unsigned char *row = pct_image_row(image, y);
        for (int x = 0; x < image->width; x++) {
            size_t at = (size_t)(y / 2) * (size_t)(width / 2) + (size_t)(x / 2);
            float light = luma[(size_t)y * (size_t)width + x] + 128;
            row[x * 3] = (unsigned char)(pct_clamp_f32(light + 1.402f * red[at], 0, 255) + 0.5f);
            row[x * 3 + 1] =
                (unsigned char)(pct_clamp_f32(light - 0.344136f * blue[at] - 0.714136f * red[at], 0, 255) + 0.5f);
            row[x * 3 + 2] = (unsigned char)(pct_clamp_f32(light + 1.772f * blue[at], 0, 255) + 0.5f);
        }
    }
}

percept_status scene_jpeg(pct_image *image, int quality, pct_arena *scratch, percept_error *error) {
    int width = (image->width + 15) / 16 * 16, height = (image->height + 15) / 16 * 16;
    size_t size = (size_t)width * (size_t)height;
    pct_arena_mark mark = pct_arena_save(scratch);
    float *luma = pct_arena_take(scratch, size * sizeof *luma);
    float *blue = pct_arena_take(scratch, size / 4 * sizeof *blue),
          *red = pct_arena_take(scratch, size / 4 * sizeof *red);
    if (!luma || !blue || !red) return pct_fail_memory(error, "scene");
    struct transform transform;
    prepare(&transform, quality);
    split(image, luma, blue, red, width, height);
    damage_plane(&transform, transform.luma, luma, width, height);
    damage_plane(&transform, transform.chroma, blue, width / 2, height / 2);
    damage_plane(&transform, transform.chroma, red, width / 2, height / 2);
    join(image, luma, blue, red, width);
    pct_arena_release(scratch, mark);
    return PERCEPT_OK;
}
