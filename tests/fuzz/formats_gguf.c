/* formats_gguf.c: hostile GGUF headers; everything that an accepted file promises is then touched. */
#include "formats/gguf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static volatile unsigned sink;

static void touch_key(const pct_gguf *file, const char *name) {
    int64_t integer;
    float number;
    bool flag;
    const char *text;
    pct_gguf_array array;
    percept_error error = {0};
    pct_gguf_get_i64(file, name, INT64_MIN, INT64_MAX, &integer, &error);
    pct_gguf_get_f32(file, name, -1e30f, 1e30f, &number, &error);
    pct_gguf_get_bool(file, name, &flag, &error);
    if (pct_gguf_get_string(file, name, &text, &error) == PERCEPT_OK) sink += (unsigned)strlen(text);
    for (int type = 0; type <= PCT_GGUF_F64; type++) {
        if (pct_gguf_get_array(file, name, (enum pct_gguf_value)type, 0, INT64_MAX, &array, &error) != PERCEPT_OK)
            continue;
        for (int64_t i = 0; i < array.count; i++) {
            if (type == PCT_GGUF_STRING) {
                pct_gguf_string item = pct_gguf_array_string(&array, i);
                for (size_t k = 0; k < item.length; k++) sink += (unsigned char)item.data[k];
            } else if (type == PCT_GGUF_BOOL || (type != PCT_GGUF_F32 && type != PCT_GGUF_F64)) {
                sink += (unsigned)pct_gguf_array_i64(&array, i);
            } else {
                sink += pct_gguf_array_f64(&array, i) > 0;
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    unsigned char *aligned = aligned_alloc(8, (size + 8) / 8 * 8);
    if (!aligned) return 0;
    if (size) memcpy(aligned, data, size);
    pct_gguf *file;
    percept_error error = {0};
    if (pct_gguf_open_memory(&file, "fuzz", aligned, size, &error) == PERCEPT_OK) {
        for (int64_t i = 0; i < pct_gguf_key_count(file); i++) touch_key(file, pct_gguf_key_name(file, i));
        for (int64_t i = 0; i < pct_gguf_tensor_count(file); i++) {
            const pct_gguf_tensor *tensor = pct_gguf_tensor_at(file, i);
            if (pct_gguf_find(file, tensor->name) != tensor) abort();
            for (size_t k = 0; k < tensor->size; k++) sink += ((const unsigned char *)tensor->data)[k];
        }
        pct_gguf_close(&file);
    } else if (!error.message[0]) {
        abort(); /* a refusal without words */
    }
    free(aligned);
    return 0;
}
