/* exif.c: the orientation out of an EXIF block: TIFF header, first directory, tag 0x0112. Nothing else is read. */
#include "base/cursor.h"
#include "image/decode_private.h"

#include <string.h>

static uint16_t read_u16(pct_cursor *cursor, bool big) {
    return big ? pct_cursor_u16_be(cursor) : pct_cursor_u16(cursor);
}

static uint32_t read_u32(pct_cursor *cursor, bool big) {
    return big ? pct_cursor_u32_be(cursor) : pct_cursor_u32(cursor);
}

int pct_exif_orientation(const unsigned char *tiff, size_t size) {
    enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3 };
    if (size >= 6 && memcmp(tiff, "Exif\0\0", 6) == 0) { /* some writers keep JPEG's prefix in PNG and WebP */
        tiff += 6;
        size -= 6;
    }
    pct_cursor cursor = pct_cursor_over(tiff, size);
    const unsigned char *order = pct_cursor_take(&cursor, 2);
    if (!order || (memcmp(order, "II", 2) != 0 && memcmp(order, "MM", 2) != 0)) return 1;
    bool big = order[0] == 'M';
    if (read_u16(&cursor, big) != 42 || !pct_cursor_seek(&cursor, read_u32(&cursor, big))) return 1;
    for (uint16_t entries = read_u16(&cursor, big); entries && !cursor.failed; entries--) {
        uint16_t tag = read_u16(&cursor, big), type = read_u16(&cursor, big);
        uint32_t count = read_u32(&cursor, big);
        uint16_t value = read_u16(&cursor, big); /* a single short stands at the head of the value field */
        pct_cursor_skip(&cursor, 2);
        if (tag != TAG_ORIENTATION || cursor.failed) continue;
        return type == TYPE_SHORT && count == 1 && value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
}
