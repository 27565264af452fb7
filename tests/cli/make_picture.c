/* make_picture: writes the test picture (red and blue areas on grey), or a mask of its middle.
 * usage: make_picture OUT.png|OUT.jpg WIDTH HEIGHT [mask] */
#include "image/encode.h"
#include "image/mask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    percept_error error = {0};
    if (argc < 4) return 2;
    int width = atoi(argv[2]), height = atoi(argv[3]);
    size_t length = strlen(argv[1]);
    percept_status status;
    if (argc > 4) {
        pct_mask mask = {0};
        status = pct_mask_new(&mask, width, height, &error);
        if (status == PERCEPT_OK) {
            pct_mask_fill_box(
                &mask, (pct_box){(float)width / 4, (float)height / 4, (float)width * 3 / 4, (float)height * 3 / 4});
            status = pct_mask_write_png(argv[1], &mask, &error);
        }
        pct_mask_free(&mask);
    } else {
        pct_image image = {0};
        status = pct_image_new(&image, width, height, 3, &error);
        for (int y = 0; status == PERCEPT_OK && y < height; y++) {
            for (int x = 0; x < width; x++) {
                unsigned char *pixel = pct_image_row(&image, y) + 3 * x;
                bool red = x < width / 2 && y < height / 2, blue = x >= width / 2 && y >= height / 2;
                pixel[0] = red ? 220 : 90;
                pixel[1] = (unsigned char)(90 + (x * 40) / width);
                pixel[2] = blue ? 220 : 90;
            }
        }
        bool jpeg = length > 4 && strcmp(argv[1] + length - 4, ".jpg") == 0;
        if (status == PERCEPT_OK) {
            status = jpeg ? pct_jpeg_write(argv[1], &image, 90, &error) : pct_png_write(argv[1], &image, &error);
        }
        pct_image_free(&image);
    }
    if (status != PERCEPT_OK) fprintf(stderr, "make_picture: %s\n", error.message);
    return status == PERCEPT_OK ? 0 : 1;
}
