/* scene_dataset.c: hostile data.jsonl files: opened, and every picture's words read. */
#include "data/dataset.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    pct_dataset *dataset = NULL;
    if (size > 20000) return 0;
    if (pct_dataset_over(&dataset, "folder", (const char *)data, size, NULL) != PERCEPT_OK) return 0;
    pct_arena arena;
    pct_arena_init(&arena, 0);
    for (int64_t i = 0; i < pct_dataset_count(dataset); i++) {
        pct_sample sample;
        pct_arena_reset(&arena);
        if (pct_dataset_read_words(dataset, i, &arena, &sample, NULL) != PERCEPT_OK) __builtin_trap();
    }
    pct_arena_free(&arena);
    pct_dataset_close(&dataset);
    return 0;
}
