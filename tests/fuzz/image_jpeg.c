/* image_jpeg.c: hostile JPEG files. */
#include "image_decode.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    decode_in_all_ways(data, size, PCT_IMAGE_JPEG);
    return 0;
}
