/* image_webp.c: hostile WebP files. */
#include "image_decode.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    decode_in_all_ways(data, size, PCT_IMAGE_WEBP);
    return 0;
}
