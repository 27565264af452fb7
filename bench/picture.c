/* picture: writes a JPEG of 1280 x 720 that costs as much to decode as a photograph does: `picture OUT.jpg`.
 *
 * Smooth light, a few hundred discs with edges, and the grain of a sensor; always the same bytes. */
#include "base/random.h"
#include "image/encode.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 1280, HEIGHT = 720, DISCS = 300 };

static void draw_light(pct_image *image) {
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            unsigned char *pixel = pct_image_row(image, y) + 3 * x;
            for (int c = 0; c < 3; c++)
                pixel[c] = (unsigned char)(128 + 70 * sin(x * 0.003 + c) * cos(y * 0.004 + 0.7 * c));
        }
}

static void draw_disc(pct_image *image, pct_random *random) {
    const int radius = 6 + (int)pct_random_below(random, 60), left = (int)pct_random_below(random, WIDTH),
              top = (int)pct_random_below(random, HEIGHT);
    unsigned char colour[3];
    for (int c = 0; c < 3; c++) colour[c] = (unsigned char)(30 + pct_random_below(random, 196));
    for (int y = top < radius ? 0 : top - radius; y < HEIGHT && y <= top + radius; y++)
        for (int x = left < radius ? 0 : left - radius; x < WIDTH && x <= left + radius; x++)
            if ((x - left) * (x - left) + (y - top) * (y - top) <= radius * radius)
                for (int c = 0; c < 3; c++) pct_image_row(image, y)[3 * x + c] = colour[c];
}

static void draw_grain(pct_image *image, pct_random *random) {
    for (int y = 0; y < HEIGHT; y++)
        for (int i = 0; i < 3 * WIDTH; i++) {
            unsigned char *value = pct_image_row(image, y) + i;
            *value = (unsigned char)(*value + (int)lrintf(2.5f * pct_random_normal(random)));
        }
}

int main(int argc, char **argv) {
    pct_image image = {0};
    percept_error error = {0};
    pct_random random;
    if (argc != 2) return fprintf(stderr, "usage: picture OUT.jpg\n"), 2;
    pct_random_init(&random, 1, 0, 0);
    if (pct_image_new(&image, WIDTH, HEIGHT, 3, &error) != PERCEPT_OK) return fprintf(stderr, "%s\n", error.message), 1;
    draw_light(&image);
    for (int i = 0; i < DISCS; i++) draw_disc(&image, &random);
    draw_grain(&image, &random);
    const percept_status status = pct_jpeg_write(argv[1], &image, 90, &error);
    if (status != PERCEPT_OK) fprintf(stderr, "%s\n", error.message);
    pct_image_free(&image);
    return status != PERCEPT_OK;
}
