/* json_reader.c: see json_reader.h. A state machine over the grammar; the stack holds one byte a level. */
#include "formats/json_reader.h"

#include "formats/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum state {
    START,      /* the first value or the end */
    TOP,        /* after a value at the top: white space and another, or the end */
    FIRST_KEY,  /* after '{': a key or '}' */
    VALUE,      /* after a key's ':': its value */
    FIRST_ITEM, /* after '[': a value or ']' */
    AFTER,      /* after a value inside something: ',' or the closing bracket */
};

void pct_json_reader_init(pct_json_reader *reader, const char *name, const void *data, size_t size) {
    *reader = (pct_json_reader){.name = name, .cursor = pct_cursor_over(data, size), .state = START};
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) pct_cursor_skip(&reader->cursor, 3);
}

void pct_json_reader_free(pct_json_reader *reader) { pct_text_free(&reader->scratch); }

percept_status pct_json_reader_status(const pct_json_reader *reader) { return reader->status; }

/* Line and column are counted only when something went wrong. */
static void place(const pct_json_reader *reader, percept_error *error) {
    const unsigned char *start = reader->cursor.data, *end = start + reader->cursor.offset;
    size_t line = 1;
    for (const unsigned char *next; start < end && (next = memchr(start, '\n', (size_t)(end - start))); line++) {
        start = next + 1;
    }
    pct_error_prefix(error, "%s:%zu:%zu", reader->name, line, (size_t)(end - start) + 1);
}

percept_status pct_json_reader_fail(pct_json_reader *reader, percept_error *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pct_fail_v(error, PERCEPT_ERROR_INPUT, format, args);
    va_end(args);
    place(reader, error);
    reader->status = PERCEPT_ERROR_INPUT;
    return reader->status;
}

static enum pct_json_event bad(pct_json_reader *reader, percept_error *error, const char *what) {
    pct_json_reader_fail(reader, error, "not valid JSON: %s", what);
    return PCT_JSON_ERROR;
}

/* The byte that comes next without taking it; -1 at the end. */
static int peek(const pct_json_reader *reader) {
    return pct_cursor_left(&reader->cursor) ? reader->cursor.data[reader->cursor.offset] : -1;
}

static void blanks(pct_json_reader *reader) {
    pct_cursor *at = &reader->cursor;
    while (at->offset < at->size) {
        unsigned char c = at->data[at->offset];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r') break;
        at->offset++;
    }
}

static int hex4(pct_json_reader *reader) {
    const unsigned char *digits = pct_cursor_left(&reader->cursor) >= 4 ? pct_cursor_take(&reader->cursor, 4) : NULL;
    int value = 0;
    for (int i = 0; digits && i < 4; i++) {
        int c = digits[i] | 0x20;
        int digit = digits[i] >= '0' && digits[i] <= '9' ? digits[i] - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return digits ? value : -1;
}

/* After the backslash. False: malformed. */
static bool escape(pct_json_reader *reader) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = (char)pct_cursor_u8(&reader->cursor);
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        pct_text_add(&reader->scratch, &to[found - from], 1);
        return true;
    }
    if (c != 'u') return false;
    int code = hex4(reader);
    if (code < 0 || (code >= 0xdc00 && code <= 0xdfff)) return false;
    if (code >= 0xd800 && code <= 0xdbff) {
        if (pct_cursor_left(&reader->cursor) < 6 || pct_cursor_u8(&reader->cursor) != '\\' ||
            pct_cursor_u8(&reader->cursor) != 'u') {
            return false;
        }
        int low = hex4(reader);
        if (low < 0xdc00 || low > 0xdfff) return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    char bytes[4];
    pct_text_add(&reader->scratch, bytes, (size_t)pct_utf8_write((uint32_t)code, bytes));
    return true;
}

/* Moves over characters that stand for themselves. False: bytes that are not UTF-8. */
static bool plain_run(pct_json_reader *reader) {
    pct_cursor *at = &reader->cursor;
    while (at->offset < at->size) {
        unsigned char c = at->data[at->offset];
        if (c < 0x20 || c == '"' || c == '\\') break;
        uint32_t code;
        int size = c < 0x80 ? 1 : pct_utf8_read((const char *)at->data + at->offset, at->size - at->offset, &code);
        if (!size) return false;
        at->offset += (size_t)size;
    }
    return true;
}

/* After the opening quote. Points into the data when nothing was escaped. */
static enum pct_json_event read_string(pct_json_reader *reader, enum pct_json_event event, percept_error *error) {
    bool copied = false;
    pct_text_clear(&reader->scratch);
    for (;;) {
        const char *run = (const char *)reader->cursor.data + reader->cursor.offset;
        if (!plain_run(reader)) return bad(reader, error, "a string with bytes that are not UTF-8");
        size_t length = (size_t)((const char *)reader->cursor.data + reader->cursor.offset - run);
        int c = peek(reader);
        if (c == '"' && !copied) {
            reader->string = run;
            reader->length = length;
        } else {
            copied = true;
            pct_text_add(&reader->scratch, run, length);
        }
        if (c < 0) return bad(reader, error, "a string without closing quote; is the file cut off?");
        pct_cursor_skip(&reader->cursor, 1);
        if (c == '"') break;
        if (c != '\\') return bad(reader, error, "a control character in a string; escape it");
        if (!escape(reader)) return bad(reader, error, "a malformed escape in a string");
        if (reader->scratch.length > PCT_JSON_MAX_STRING) return bad(reader, error, "a string of more than 64 MiB");
    }
    if (copied) {
        if (reader->scratch.failed) {
            reader->status = pct_fail_memory(error, reader->name);
            return PCT_JSON_ERROR;
        }
        reader->string = reader->scratch.data;
        reader->length = reader->scratch.length;
    }
    if (reader->length > PCT_JSON_MAX_STRING) return bad(reader, error, "a string of more than 64 MiB");
    return event;
}

static size_t digits(const unsigned char *s, size_t length, size_t from) {
    size_t i = from;
    while (i < length && s[i] >= '0' && s[i] <= '9') i++;
    return i - from;
}

/* Length of the number at the start by RFC 8259's grammar; 0 when there is none. */
static size_t number_length(const unsigned char *s, size_t length, bool *integer) {
    size_t i = length && s[0] == '-' ? 1 : 0, more;
    *integer = true;
    if (i < length && s[i] == '0') {
        i++;
    } else {
        if (!(more = digits(s, length, i))) return 0;
        i += more;
    }
    if (i < length && s[i] == '.') {
        if (!(more = digits(s, length, i + 1))) return 0;
        i += 1 + more;
        *integer = false;
    }
    if (i < length && (s[i] == 'e' || s[i] == 'E')) {
        size_t signs = i + 1 < length && (s[i + 1] == '+' || s[i + 1] == '-');
        if (!(more = digits(s, length, i + 1 + signs))) return 0;
        i += 1 + signs + more;
        *integer = false;
    }
    return i;
}

static enum pct_json_event read_number(pct_json_reader *reader, percept_error *error) {
    const unsigned char *start = reader->cursor.data + reader->cursor.offset;
    size_t length = number_length(start, pct_cursor_left(&reader->cursor), &reader->integer);
    char text[128];
    if (!length) return bad(reader, error, "a value was expected");
    if (length >= sizeof text) return bad(reader, error, "a number of more than 127 characters");
    memcpy(text, start, length);
    text[length] = 0;
    char *end;
    errno = 0;
    reader->i64 = reader->integer ? strtoll(text, &end, 10) : 0;
    if (errno) reader->integer = false;
    char *point = strchr(text, '.');
    const char *local = localeconv()->decimal_point;
    if (point && local[0] && !local[1]) *point = local[0];
    reader->number = strtod(text, &end);
    if (*end || !isfinite(reader->number)) return bad(reader, error, "a number out of range");
    pct_cursor_skip(&reader->cursor, length);
    return PCT_JSON_NUMBER;
}

static enum pct_json_event read_word(pct_json_reader *reader, const char *word, enum pct_json_event event,
                                     percept_error *error) {
    size_t length = strlen(word);
    if (pct_cursor_left(&reader->cursor) < length ||
        memcmp(reader->cursor.data + reader->cursor.offset, word, length) != 0) {
        return bad(reader, error, "a value was expected");
    }
    pct_cursor_skip(&reader->cursor, length);
    return event;
}

static enum pct_json_event open_level(pct_json_reader *reader, char bracket, percept_error *error) {
    if (reader->depth == PCT_JSON_MAX_DEPTH) return bad(reader, error, "nested deeper than 64 levels");
    reader->stack[reader->depth++] = (unsigned char)bracket;
    pct_cursor_skip(&reader->cursor, 1);
    reader->state = bracket == '{' ? FIRST_KEY : FIRST_ITEM;
    return bracket == '{' ? PCT_JSON_OBJECT_BEGIN : PCT_JSON_ARRAY_BEGIN;
}

static enum pct_json_event close_level(pct_json_reader *reader) {
    bool object = reader->stack[--reader->depth] == '{';
    pct_cursor_skip(&reader->cursor, 1);
    reader->state = reader->depth ? AFTER : TOP;
    return object ? PCT_JSON_OBJECT_END : PCT_JSON_ARRAY_END;
}

static enum pct_json_event read_value(pct_json_reader *reader, percept_error *error) {
    int c = peek(reader);
    if (c == '{' || c == '[') return open_level(reader, (char)c, error);
    reader->state = reader->depth ? AFTER : TOP;
    switch (c) {
    case '"':
        pct_cursor_skip(&reader->cursor, 1);
        return read_string(reader, PCT_JSON_STRING, error);
    case 't':
        return read_word(reader, "true", PCT_JSON_TRUE, error);
    case 'f':
        return read_word(reader, "false", PCT_JSON_FALSE, error);
    case 'n':
        return read_word(reader, "null", PCT_JSON_NULL, error);
    case -1:
        return bad(reader, error, "it ends in the middle; is the file cut off?");
    default:
        return read_number(reader, error);
    }
}

static enum pct_json_event read_key(pct_json_reader *reader, percept_error *error) {
    if (peek(reader) != '"') return bad(reader, error, "a key in quotes was expected");
    pct_cursor_skip(&reader->cursor, 1);
    if (read_string(reader, PCT_JSON_KEY, error) == PCT_JSON_ERROR) return PCT_JSON_ERROR;
    blanks(reader);
    if (peek(reader) != ':') return bad(reader, error, "':' was expected after the key");
    pct_cursor_skip(&reader->cursor, 1);
    reader->state = VALUE;
    return PCT_JSON_KEY;
}

enum pct_json_event pct_json_next(pct_json_reader *reader, percept_error *error) {
    if (reader->status != PERCEPT_OK) {
        pct_fail(error, reader->status, "%s: reading goes on after an error", reader->name);
        return PCT_JSON_ERROR;
    }
    blanks(reader);
    int c = peek(reader);
    if (reader->state <= TOP && c < 0) return PCT_JSON_END;
    if (reader->state == TOP && !strchr(" \t\r\n", reader->cursor.data[reader->cursor.offset - 1])) {
        return bad(reader, error, "white space was expected after a value");
    }
    if (reader->state == AFTER) {
        bool object = reader->stack[reader->depth - 1] == '{';
        if (c == (object ? '}' : ']')) return close_level(reader);
        if (c != ',') {
            return bad(reader, error,
                       c < 0    ? "it ends in the middle; is the file cut off?"
                       : object ? "',' or '}' was expected"
                                : "',' or ']' was expected");
        }
        pct_cursor_skip(&reader->cursor, 1);
        blanks(reader);
        return object ? read_key(reader, error) : read_value(reader, error);
    }
    if (reader->state == FIRST_KEY) return c == '}' ? close_level(reader) : read_key(reader, error);
    if (reader->state == FIRST_ITEM && c == ']') return close_level(reader);
    return read_value(reader, error);
}

bool pct_json_more(pct_json_reader *reader) {
    if (reader->status != PERCEPT_OK || reader->state > TOP) return false;
    blanks(reader);
    return peek(reader) >= 0;
}

static enum pct_json_event kind_of(int c) {
    switch (c) {
    case '{':
        return PCT_JSON_OBJECT_BEGIN;
    case '[':
        return PCT_JSON_ARRAY_BEGIN;
    case '"':
        return PCT_JSON_STRING;
    case 't':
        return PCT_JSON_TRUE;
    case 'f':
        return PCT_JSON_FALSE;
    case 'n':
        return PCT_JSON_NULL;
    default:
        return c == '-' || (c >= '0' && c <= '9') ? PCT_JSON_NUMBER : PCT_JSON_ERROR;
    }
}

enum pct_json_event pct_json_peek(pct_json_reader *reader) {
    if (reader->status != PERCEPT_OK) return PCT_JSON_ERROR;
    blanks(reader);
    size_t offset = reader->cursor.offset;
    if (reader->state == AFTER && peek(reader) == ',') {
        pct_cursor_skip(&reader->cursor, 1);
        blanks(reader);
    }
    enum pct_json_event kind = kind_of(peek(reader));
    reader->cursor.offset = offset;
    return kind;
}

static percept_status expected(pct_json_reader *reader, enum pct_json_event event, const char *what,
                               percept_error *error) {
    static const char *const kinds[] = {"",          "the end",
                                        "an object", "the end of an object",
                                        "an array",  "the end of an array",
                                        "a key",     "a string",
                                        "a number",  "true",
                                        "false",     "null"};
    if (event == PCT_JSON_ERROR) return reader->status;
    return pct_json_reader_fail(reader, error, "%s was expected, %s stands here", what, kinds[event]);
}

percept_status pct_json_enter_object(pct_json_reader *reader, percept_error *error) {
    enum pct_json_event event = pct_json_next(reader, error);
    return event == PCT_JSON_OBJECT_BEGIN ? PERCEPT_OK : expected(reader, event, "an object", error);
}

percept_status pct_json_enter_array(pct_json_reader *reader, percept_error *error) {
    enum pct_json_event event = pct_json_next(reader, error);
    return event == PCT_JSON_ARRAY_BEGIN ? PERCEPT_OK : expected(reader, event, "an array", error);
}

bool pct_json_next_key(pct_json_reader *reader, percept_error *error) {
    enum pct_json_event event = pct_json_next(reader, error);
    if (event != PCT_JSON_KEY && event != PCT_JSON_OBJECT_END) expected(reader, event, "a key", error);
    return event == PCT_JSON_KEY;
}

bool pct_json_next_item(pct_json_reader *reader, percept_error *error) {
    if (reader->status != PERCEPT_OK || !reader->depth || reader->stack[reader->depth - 1] != '[') {
        if (reader->status == PERCEPT_OK) pct_json_reader_fail(reader, error, "an array was expected");
        return false;
    }
    blanks(reader);
    if (peek(reader) != ']') return true;
    pct_json_next(reader, error);
    return false;
}

bool pct_json_key_is(const pct_json_reader *reader, const char *key) {
    size_t length = strlen(key);
    return length == reader->length && memcmp(key, reader->string, length) == 0;
}

percept_status pct_json_read_i64(pct_json_reader *reader, int64_t min, int64_t max, int64_t *out,
                                 percept_error *error) {
    enum pct_json_event event = pct_json_next(reader, error);
    if (event != PCT_JSON_NUMBER) return expected(reader, event, "an integer", error);
    if (!reader->integer || reader->i64 < min || reader->i64 > max) {
        return pct_json_reader_fail(reader, error, "an integer from %" PRId64 " to %" PRId64 " was expected, not %g",
                                    min, max, reader->number);
    }
    *out = reader->i64;
    return PERCEPT_OK;
}

percept_status pct_json_read_f64(pct_json_reader *reader, double min, double max, double *out, percept_error *error) {
    enum pct_json_event event = pct_json_next(reader, error);
    if (event != PCT_JSON_NUMBER) return expected(reader, event, "a number", error);
    if (!(reader->number >= min && reader->number <= max)) {
        return pct_json_reader_fail(reader, error, "a number from %g to %g was expected, not %g", min, max,
                                    reader->number);
    }
    *out = reader->number;
    return PERCEPT_OK;
}

percept_status pct_json_read_bool(pct_json_reader *reader, bool *out, percept_error *error) {
    enum pct_json_event event = pct_json_next(reader, error);
    if (event != PCT_JSON_TRUE && event != PCT_JSON_FALSE) return expected(reader, event, "true or false", error);
    *out = event == PCT_JSON_TRUE;
    return PERCEPT_OK;
}

percept_status pct_json_read_string(pct_json_reader *reader, const char **out, size_t *length, percept_error *error) {
    enum pct_json_event event = pct_json_next(reader, error);
    if (event != PCT_JSON_STRING) return expected(reader, event, "a string", error);
    *out = reader->string;
    *length = reader->length;
    return PERCEPT_OK;
}

percept_status pct_json_skip(pct_json_reader *reader, percept_error *error) {
    int depth = reader->depth;
    do {
        enum pct_json_event event = pct_json_next(reader, error);
        if (event == PCT_JSON_ERROR) return reader->status;
        bool value =
            event != PCT_JSON_END && reader->depth >= depth && !(event == PCT_JSON_KEY && reader->depth == depth);
        if (!value) return expected(reader, event, "a value", error);
    } while (reader->depth > depth);
    return PERCEPT_OK;
}
