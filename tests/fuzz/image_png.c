/* image_png.c: hostile PNG files. */
#include "image_decode.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    decode_in_all_ways(data, size, PCT_IMAGE_PNG);
    return 0;
}
