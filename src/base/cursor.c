/* cursor.c: see cursor.h. */
#include "base/cursor.h"

#include <string.h>

pct_cursor pct_cursor_over(const void *data, size_t size) { return (pct_cursor){.data = data, .size = size}; }

const unsigned char *pct_cursor_take(pct_cursor *cursor, size_t size) {
    if (size > pct_cursor_left(cursor) || cursor->failed) {
        cursor->failed = true;
        return NULL;
    }
    const unsigned char *bytes = cursor->data + cursor->offset;
    cursor->offset += size;
    return bytes;
}

bool pct_cursor_skip(pct_cursor *cursor, size_t size) {
    pct_cursor_take(cursor, size);
    return !cursor->failed;
}

bool pct_cursor_seek(pct_cursor *cursor, size_t offset) {
    if (offset > cursor->size) cursor->failed = true;
    if (!cursor->failed) cursor->offset = offset;
    return !cursor->failed;
}

static uint64_t little_endian(pct_cursor *cursor, size_t size) {
    const unsigned char *bytes = pct_cursor_take(cursor, size);
    uint64_t value = 0;
    if (!bytes) return 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | bytes[i];
    return value;
}

static uint32_t big_endian(pct_cursor *cursor, size_t size) {
    const unsigned char *bytes = pct_cursor_take(cursor, size);
    uint32_t value = 0;
    if (!bytes) return 0;
    for (size_t i = 0; i < size; i++) value = value << 8 | bytes[i];
    return value;
}

uint8_t pct_cursor_u8(pct_cursor *cursor) { return (uint8_t)little_endian(cursor, 1); }
uint16_t pct_cursor_u16(pct_cursor *cursor) { return (uint16_t)little_endian(cursor, 2); }
uint32_t pct_cursor_u32(pct_cursor *cursor) { return (uint32_t)little_endian(cursor, 4); }
uint64_t pct_cursor_u64(pct_cursor *cursor) { return little_endian(cursor, 8); }
uint16_t pct_cursor_u16_be(pct_cursor *cursor) { return (uint16_t)big_endian(cursor, 2); }
uint32_t pct_cursor_u32_be(pct_cursor *cursor) { return big_endian(cursor, 4); }

float pct_cursor_f32(pct_cursor *cursor) {
    uint32_t bits = pct_cursor_u32(cursor);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double pct_cursor_f64(pct_cursor *cursor) {
    uint64_t bits = pct_cursor_u64(cursor);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
