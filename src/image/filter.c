/* filter.c: noise and colour; see filter.h. */
#include "image/filter.h"

#include "base/size.h"

#include <math.h>
#include <string.h>

static unsigned char to_byte(int32_t v) { return (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v); }

/* Four bytes of one word: mean 510, deviation sqrt(4 (256^2 - 1) / 12) = 147.8. */
static int32_t draw(pct_random *random, int32_t scale) {
    uint32_t word = pct_random_u32(random);
    int32_t sum = (int32_t)((word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24));
    return ((sum - 510) * scale + (1 << 15)) >> 16;
}

void pct_filter_noise(pct_image *image, float sigma, bool grey, pct_random *random) {
    if (!(sigma > 0)) return;
    int32_t scale = (int32_t)(pct_clamp_f32(sigma, 0, 64) * (65536.0f / 147.80054f) + 0.5f);
    unsigned char *p = image->data;
    int channels = image->channels;
    for (size_t i = 0, n = (size_t)image->width * (size_t)image->height; i < n; i++, p += channels) {
        int32_t noise = draw(random, scale);
        for (int c = 0; c < 3; c++) {
            if (c && !grey) noise = draw(random, scale);
            p[c] = to_byte(p[c] + noise);
        }
    }
}

/* Luma of the sRGB primaries, as in SVG's feColorMatrix, so that turning the hue keeps greys grey. */
static const float luma[3] = {0.213f, 0.715f, 0.072f};

/* out = hue turn after saturation, as one matrix. */
static void colour_matrix(const pct_colour_change *change, float out[3][3]) {
    float cosine = cosf(change->hue), sine = sinf(change->hue), s = change->saturation;
    const float turn[3][3] = {{-0.213f, -0.715f, 0.928f}, {0.143f, 0.140f, -0.283f}, {-0.787f, 0.715f, 0.072f}};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            float sum = 0;
            for (int k = 0; k < 3; k++) {
                float hue = luma[k] + cosine * ((float)(i == k) - luma[k]) + sine * turn[i][k];
                sum += hue * (luma[j] * (1 - s) + (float)(k == j) * s);
            }
            out[i][j] = sum;
        }
}

void pct_filter_colour(pct_image *image, const pct_colour_change *change) {
    enum { BITS = 12 };
    float matrix[3][3];
    int32_t fixed[3][3], offset, table[256];
    colour_matrix(change, matrix);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            fixed[i][j] = (int32_t)lrintf(pct_clamp_f32(matrix[i][j] * change->contrast, -100, 100) * (1 << BITS));
    float shift = 127.5f * (1 - change->contrast) + 255 * change->brightness;
    offset = (int32_t)lrintf((pct_clamp_f32(shift, -30000, 30000) + 0.5f) * (1 << BITS));
    bool gamma = change->gamma > 0 && change->gamma != 1;
    for (int v = 0; v < 256; v++) table[v] = gamma ? (int32_t)lrintf(255 * powf((float)v / 255, change->gamma)) : v;
    unsigned char *p = image->data;
    int channels = image->channels;
    for (size_t i = 0, n = (size_t)image->width * (size_t)image->height; i < n; i++, p += channels) {
        int32_t r = table[p[0]], g = table[p[1]], b = table[p[2]];
        for (int c = 0; c < 3; c++)
            p[c] = to_byte((fixed[c][0] * r + fixed[c][1] * g + fixed[c][2] * b + offset) >> BITS);
    }
}
