/* image_decode.h: what the three picture targets do with an input: everything a picture can ask of the decoder. */
#ifndef PCT_TESTS_FUZZ_IMAGE_DECODE_H
#define PCT_TESTS_FUZZ_IMAGE_DECODE_H

#include "image/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static inline void decode_in_all_ways(const unsigned char *data, size_t size, pct_image_format format) {
    pct_decode_options options = {.max_pixels = 1 << 20};
    pct_decode_info header, info;
    pct_image image;
    percept_error error = {0};
    percept_status probed = pct_image_probe(data, size, "input", &options, &header, &error);
    if (header.format != format) return;
    for (int way = 0; way < 2; way++) {
        percept_status status = pct_image_decode(&image, data, size, "input", &options, &info, &error);
        if (status == PERCEPT_OK) {
            /* A decoded picture has the probed size, and the memory it claims. */
            if (probed != PERCEPT_OK || info.width <= 0 || info.width * (int64_t)info.height > options.max_pixels)
                abort();
            if (image.channels != (options.keep_alpha ? 4 : 3)) abort();
            volatile unsigned char last = image.data[pct_image_bytes(&image) - 1];
            (void)last;
            pct_image_free(&image);
        } else if (image.data || !error.message[0]) {
            abort();
        }
        options.keep_alpha = true;
        options.min_side = 8;
    }
}

#endif
