/* scene_pack.c: hostile scene packs. */
#include "data/pack.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    pct_pack pack;
    if (pct_pack_over(&pack, "pack", data, size, NULL) != PERCEPT_OK) return 0;
    uint64_t sum = 0;
    for (int32_t i = 0; i < pack.cutout_count; i++) /* every level lies inside */
        for (int k = 0; k < pack.cutouts[i].sprite.levels; k++) {
            const pct_image *level = &pack.cutouts[i].sprite.level[k];
            sum += level->data[0] + level->data[pct_image_bytes(level) - 1];
        }
    for (int32_t i = 0; i < pack.background_count; i++)
        sum += pack.backgrounds[i].image.data[pct_image_bytes(&pack.backgrounds[i].image) - 1];
    volatile uint64_t kept = sum;
    (void)kept;
    pct_pack_close(&pack);
    return 0;
}
