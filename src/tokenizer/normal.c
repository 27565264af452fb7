/* normal.c: Unicode's form NFC through utf8proc, and white space around tokens. */
#include "tokenizer/bpe_private.h"

#include "formats/utf8.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#define NFC_BLOCK 65536 /* bytes after which the next ASCII character ends a block */
#define MAX_MARKS 256   /* combining marks in a row; longer runs are cut, since sorting them takes their square */

/* Bytes below this begin characters below U+0300, which are in NFC already. */
#define FIRST_LEAD 0xcc

static percept_status reserve_codes(struct pct_bpe_scratch *own, size_t count, percept_error *error) {
    if (count <= own->code_capacity) return PERCEPT_OK;
    int32_t *larger = count > SIZE_MAX / 8 ? NULL : realloc(own->codes, count * sizeof *larger);
    if (!larger) return pct_fail_memory(error, "text");
    own->codes = larger;
    own->code_capacity = count;
    return PERCEPT_OK;
}

/* Valid UTF-8 whose form does not depend on what stands around it. */
static percept_status add_block(struct pct_bpe_scratch *own, const char *text, size_t length, percept_error *error) {
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t count = utf8proc_decompose(bytes, (utf8proc_ssize_t)length, NULL, 0, options);
    if (count < 0) return pct_fail(error, PERCEPT_ERROR_INPUT, "a text cannot be normalised (NFC)");
    PCT_TRY(reserve_codes(own, (size_t)count + 1, error)); /* re-encoding writes a NUL behind */
    count = utf8proc_decompose(bytes, (utf8proc_ssize_t)length, own->codes, count, options);
    if (count >= 0) count = utf8proc_reencode(own->codes, count, options);
    if (count < 0) return pct_fail(error, PERCEPT_ERROR_INPUT, "a text cannot be normalised (NFC)");
    pct_text_add(&own->normal, (const char *)own->codes, (size_t)count);
    return PERCEPT_OK;
}

/* Bytes of the block at the start of the text: it ends before an ASCII character, which nothing before it changes, at
 * bytes that are not UTF-8 (*valid: it has none), or in an absurd run of combining marks. */
static size_t block(const char *text, size_t length, bool *valid) {
    size_t end = 0, marks = 0;
    uint32_t code;
    *valid = pct_utf8_read(text, length, &code) > 0;
    if (!*valid) {
        while (end < length && !pct_utf8_read(text + end, length - end, &code)) end++;
        return end;
    }
    while (end < length) {
        const int size = pct_utf8_read(text + end, length - end, &code);
        if (!size || (end >= NFC_BLOCK && code < 0x80)) break;
        marks = utf8proc_get_property((utf8proc_int32_t)code)->combining_class ? marks + 1 : 0;
        if (marks > MAX_MARKS) break;
        end += (size_t)size;
    }
    return end;
}

percept_status pct_token_nfc(struct pct_bpe_scratch *own, const char **text, size_t *length, percept_error *error) {
    size_t plain = 0;
    while (plain < *length && (unsigned char)(*text)[plain] < FIRST_LEAD) plain++;
    if (plain == *length) return PERCEPT_OK;
    pct_text_clear(&own->normal);
    for (size_t at = 0, size; at < *length; at += size) {
        bool valid;
        size = block(*text + at, *length - at, &valid);
        if (valid)
            PCT_TRY(add_block(own, *text + at, size, error));
        else
            pct_text_add(&own->normal, *text + at, size);
    }
    if (own->normal.failed) return pct_fail_memory(error, "text");
    *text = own->normal.data;
    *length = own->normal.length;
    return PERCEPT_OK;
}

/* Unicode's White_Space. */
static bool is_space(uint32_t code, bool ascii) {
    if (ascii && code >= 0x80) return false;
    return (code >= 9 && code <= 13) || code == ' ' || code == 0x85 || code == 0xa0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f ||
           code == 0x3000;
}

size_t pct_token_space_before(const char *text, size_t length, bool ascii) {
    size_t at = 0;
    uint32_t code;
    for (int size; at < length && (size = pct_utf8_read(text + at, length - at, &code)) && is_space(code, ascii);)
        at += (size_t)size;
    return at;
}

/* The bytes of the whole character that ends the text; 0: none. */
static size_t last_character(const char *text, size_t length, uint32_t *code) {
    size_t size = 1;
    while (size < 4 && size < length && ((unsigned char)text[length - size] & 0xc0) == 0x80) size++;
    return length && pct_utf8_read(text + length - size, size, code) == (int)size ? size : 0;
}

size_t pct_token_space_after(const char *text, size_t length, bool ascii) {
    size_t end = length;
    uint32_t code;
    for (size_t size; (size = last_character(text, end, &code)) && is_space(code, ascii);) end -= size;
    return length - end;
}

/* Letters, marks, digits and connectors: \w of Unicode. */
static bool is_word(uint32_t code) {
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO) || category == UTF8PROC_CATEGORY_PC;
}

bool pct_token_word_ends(const char *text, size_t length) {
    uint32_t code;
    return last_character(text, length, &code) && is_word(code);
}

bool pct_token_word_begins(const char *text, size_t length) {
    uint32_t code;
    return pct_utf8_read(text, length, &code) && is_word(code);
}
