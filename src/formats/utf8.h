/* utf8.h: reading and writing one UTF-8 character, strictly (RFC 3629: no overlong forms, no surrogates). */
#ifndef PCT_FORMATS_UTF8_H
#define PCT_FORMATS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length 1..4 of the valid character at the start of `text` and its code point; 0 when the bytes are not one (*code is
 * U+FFFD then). A character cut off by the end gives 0 too. */
int pct_utf8_read(const char *text, size_t length, uint32_t *code);
/* Whether `length` bytes (1..3) could be the start of a valid character that needs more. */
bool pct_utf8_partial(const char *text, size_t length);
/* 1..4 bytes, not NUL-terminated; code points that are not characters are written as U+FFFD. */
int pct_utf8_write(uint32_t code, char out[4]);
bool pct_utf8_valid(const char *text, size_t length);

#endif
