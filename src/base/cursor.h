/* cursor.h: the one way in which percept reads bytes that came from outside.
 *
 * A cursor never reads past its end. The first read that would do so marks it as failed; from then on every read gives
 * zeros and moves nothing, so that a parser may read a whole structure and check once. Little-endian. */
#ifndef PCT_BASE_CURSOR_H
#define PCT_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pct_cursor {
    const unsigned char *data; /* borrowed */
    size_t size, offset;
    bool failed;
} pct_cursor;

pct_cursor pct_cursor_over(const void *data, size_t size);
static inline size_t pct_cursor_left(const pct_cursor *cursor) {
    return cursor->failed ? 0 : cursor->size - cursor->offset;
}
/* The next `size` bytes, and moves past them; NULL (and failed) when there are not as many. */
const unsigned char *pct_cursor_take(pct_cursor *cursor, size_t size);
bool pct_cursor_skip(pct_cursor *cursor, size_t size);
bool pct_cursor_seek(pct_cursor *cursor, size_t offset);
uint8_t pct_cursor_u8(pct_cursor *cursor);
uint16_t pct_cursor_u16(pct_cursor *cursor);
uint32_t pct_cursor_u32(pct_cursor *cursor);
uint64_t pct_cursor_u64(pct_cursor *cursor);
float pct_cursor_f32(pct_cursor *cursor);
double pct_cursor_f64(pct_cursor *cursor);
uint16_t pct_cursor_u16_be(pct_cursor *cursor);
uint32_t pct_cursor_u32_be(pct_cursor *cursor);

#endif
