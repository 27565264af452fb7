/* orient.c: turning a picture and laying alpha over a colour; see decode.h. */
#include "image/decode.h"

#include <string.h>

/* Where the new picture's pixel (0,0) lies in the old one, and the steps in bytes for one pixel right and down. */
struct turn {
    ptrdiff_t start, right, down;
    bool swaps; /* width and height change places */
};

static struct turn make_turn(const pct_image *image, int orientation) {
    ptrdiff_t pixel = image->channels, row = pixel * image->width;
    ptrdiff_t last_x = pixel * (image->width - 1), last_y = row * (image->height - 1);
    switch (orientation) {
    case 2:
        return (struct turn){last_x, -pixel, row, false};
    case 3:
        return (struct turn){last_x + last_y, -pixel, -row, false};
    case 4:
        return (struct turn){last_y, pixel, -row, false};
    case 5:
        return (struct turn){0, row, pixel, true};
    case 6:
        return (struct turn){last_y, -row, pixel, true};
    case 7:
        return (struct turn){last_x + last_y, -row, -pixel, true};
    case 8:
        return (struct turn){last_x, row, -pixel, true};
    default:
        return (struct turn){0, pixel, row, false};
    }
}

percept_status pct_image_orient(pct_image *image, int orientation, percept_error *error) {
    if (orientation <= 1 || orientation > 8) return PERCEPT_OK;
    struct turn turn = make_turn(image, orientation);
    pct_image out;
    PCT_TRY(pct_image_new(&out, turn.swaps ? image->height : image->width, turn.swaps ? image->width : image->height,
                          image->channels, error));
    unsigned char *to = out.data;
    for (int y = 0; y < out.height; y++) {
        const unsigned char *from = image->data + turn.start + turn.down * y;
        for (int x = 0; x < out.width; x++, to += out.channels) {
            for (int c = 0; c < out.channels; c++) to[c] = from[c];
            if (x + 1 < out.width) from += turn.right;
        }
    }
    pct_image_free(image);
    *image = out;
    return PERCEPT_OK;
}

static unsigned char mix(unsigned char over, unsigned char under, unsigned char alpha) {
    return (unsigned char)((over * alpha + under * (255 - alpha) + 127) / 255);
}

void pct_image_flatten(pct_image *image, unsigned char red, unsigned char green, unsigned char blue) {
    if (image->channels != 4) return;
    const unsigned char *from = image->data;
    unsigned char *to = image->data;
    for (size_t i = 0, n = (size_t)image->width * (size_t)image->height; i < n; i++, from += 4, to += 3) {
        unsigned char alpha = from[3];
        unsigned char r = mix(from[0], red, alpha), g = mix(from[1], green, alpha), b = mix(from[2], blue, alpha);
        to[0] = r;
        to[1] = g;
        to[2] = b;
    }
    image->channels = 3;
}
