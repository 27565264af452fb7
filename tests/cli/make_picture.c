/* make_picture: writes the test picture (red and blue areas on grey), a mask of its middle, or a cut-out with alpha.
 * usage: make_picture OUT.png|OUT.jpg WIDTH HEIGHT [mask|RRGGBB] */
#include "image/encode.h"
#include "image/mask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static percept_status write_mask(const char *path, int width, int height, percept_error *error) {
    pct_mask mask = {0};
    percept_status status = pct_mask_new(&mask, width, height, error);
    if (status == PERCEPT_OK) {
        float w = (float)width, h = (float)height;
        pct_mask_fill_box(&mask, (pct_box){w / 4, h / 4, w * 3 / 4, h * 3 / 4});
        status = pct_mask_write_png(path, &mask, error);
    }
    pct_mask_free(&mask);
    return status;
}

/* A disc of one colour, transparent around it. */
static percept_status write_cutout(const char *path, int width, int height, unsigned long colour,
                                   percept_error *error) {
    pct_image image = {0};
    percept_status status = pct_image_new(&image, width, height, 4, error);
    for (int y = 0; status == PERCEPT_OK && y < height; y++) {
        for (int x = 0; x < width; x++) {
            unsigned char *pixel = pct_image_row(&image, y) + 4 * x;
            double dx = (2 * x + 1.0) / width - 1, dy = (2 * y + 1.0) / height - 1;
            pixel[0] = (unsigned char)(colour >> 16);
            pixel[1] = (unsigned char)(colour >> 8);
            pixel[2] = (unsigned char)colour;
            pixel[3] = dx * dx + dy * dy < 0.8 ? 255 : 0;
        }
    }
    if (status == PERCEPT_OK) status = pct_png_write(path, &image, error);
    pct_image_free(&image);
    return status;
}

static percept_status write_picture(const char *path, int width, int height, percept_error *error) {
    size_t length = strlen(path);
    pct_image image = {0};
    percept_status status = pct_image_new(&image, width, height, 3, error);
    for (int y = 0; status == PERCEPT_OK && y < height; y++) {
        for (int x = 0; x < width; x++) {
            unsigned char *pixel = pct_image_row(&image, y) + 3 * x;
            bool red = x < width / 2 && y < height / 2, blue = x >= width / 2 && y >= height / 2;
            pixel[0] = red ? 220 : 90;
            pixel[1] = (unsigned char)(90 + (x * 40) / width);
            pixel[2] = blue ? 220 : 90;
        }
    }
    bool jpeg = length > 4 && strcmp(path + length - 4, ".jpg") == 0;
    if (status == PERCEPT_OK) {
        status = jpeg ? pct_jpeg_write(path, &image, 90, error) : pct_png_write(path, &image, error);
    }
    pct_image_free(&image);
    return status;
}

int main(int argc, char **argv) {
    percept_error error = {0};
    if (argc < 4) return 2;
    int width = atoi(argv[2]), height = atoi(argv[3]);
    percept_status status;
    if (argc == 4) {
        status = write_picture(argv[1], width, height, &error);
    } else if (strcmp(argv[4], "mask") == 0) {
        status = write_mask(argv[1], width, height, &error);
    } else {
        status = write_cutout(argv[1], width, height, strtoul(argv[4], NULL, 16), &error);
    }
    if (status != PERCEPT_OK) fprintf(stderr, "make_picture: %s\n", error.message);
    return status == PERCEPT_OK ? 0 : 1;
}
