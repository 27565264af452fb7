/* scene_colour.c: what colour an object has, measured on the finished picture, and only where a person would agree. */
#include "data/scene_private.h"

#include <string.h>

const char *const scene_colour_text[SCENE_COLOURS] = {"red",  "orange", "yellow", "green", "blue", "purple",
                                                      "pink", "brown",  "black",  "white", "grey"};
enum { RED, ORANGE, YELLOW, GREEN, BLUE, PURPLE, PINK, BROWN, BLACK, WHITE, GREY };

/* The colour of a pixel, or -1 between two colours. Hue in degrees; the gaps between the ranges are on purpose. */
static int colour_of(const unsigned char *p) {
    int r = p[0], g = p[1], b = p[2];
    int high = r > g ? (r > b ? r : b) : (g > b ? g : b), low = r < g ? (r < b ? r : b) : (g < b ? g : b);
    int range = high - low;
    if (high < 55) return BLACK;
    float saturation = (float)range / (float)high;
    if (saturation < 0.12f || (high < 75 && saturation < 0.3f))
        return high > 215 ? WHITE : high < 75 ? BLACK : high > 95 && high < 190 ? GREY : -1;
    if (saturation < 0.24f) return -1;
    float hue = high == r   ? 60 * (float)(g - b) / (float)range
                : high == g ? 60 * (float)(b - r) / (float)range + 120
                            : 60 * (float)(r - g) / (float)range + 240;
    if (hue < 0) hue += 360;
    if (hue >= 345 || hue < 12)
        return high > 190 && saturation < 0.55f ? PINK : high > 120 && saturation > 0.55f ? RED : -1;
    if (hue < 42) {
        if (high < 165 && saturation > 0.35f) return BROWN;
        return hue > 18 && hue < 38 && high > 205 && saturation > 0.6f ? ORANGE : -1;
    }
    if (hue >= 46 && hue < 64) return high > 175 && saturation > 0.4f ? YELLOW : -1;
    if (hue >= 78 && hue < 165) return saturation > 0.28f ? GREEN : -1;
    if (hue >= 190 && hue < 250) return saturation > 0.3f ? BLUE : -1;
    if (hue >= 262 && hue < 300) return PURPLE;
    if (hue >= 310 && hue < 345) return high > 170 ? PINK : -1;
    return -1;
}

void scene_colours(const pct_sample *sample, float (*shares)[SCENE_COLOURS]) {
    int32_t total[PCT_SAMPLE_MAX_OBJECTS] = {0};
    size_t pixels = (size_t)sample->image.width * (size_t)sample->image.height;
    memset(shares, 0, (size_t)sample->object_count * sizeof *shares);
    for (size_t i = 0; i < pixels; i++) {
        int object = sample->owner[i] - 1;
        if (object < 0) continue;
        int colour = colour_of(sample->image.data + i * 3);
        total[object]++;
        if (colour >= 0) shares[object][colour] += 1;
    }
    for (int32_t k = 0; k < sample->object_count; k++)
        for (int c = 0; c < SCENE_COLOURS; c++) shares[k][c] /= (float)(total[k] ? total[k] : 1);
}
