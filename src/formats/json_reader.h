/* json_reader.h: a pull reader for JSON data sets of any size: one pass, memory for one string and the nesting.
 *
 * Strict (RFC 8259): UTF-8 is checked, escapes with surrogate pairs are decoded, numbers follow the grammar, nesting is
 * capped. Several values one after another (JSON lines) are read as a sequence. It refuses duplicate-key checks (the
 * caller sees each key as it comes) and numbers that a double cannot hold. Errors are PERCEPT_ERROR_INPUT and begin
 * "name:LINE:COLUMN: "; after one, every call fails in the same way.
 *
 *     pct_json_reader reader;
 *     pct_json_reader_init(&reader, "data.jsonl", map.data, map.size);
 *     while (pct_json_more(&reader)) {                       // for every line
 *         PCT_TRY(pct_json_enter_object(&reader, error));
 *         while (pct_json_next_key(&reader, error)) {
 *             if (pct_json_key_is(&reader, "width")) status = pct_json_read_i64(&reader, 1, 65535, &width, error);
 *             else status = pct_json_skip(&reader, error);
 *         }
 *         PCT_TRY(pct_json_reader_status(&reader));          // next_key also ends on an error
 *     } */
#ifndef PCT_FORMATS_JSON_READER_H
#define PCT_FORMATS_JSON_READER_H

#include "base/cursor.h"
#include "base/error.h"
#include "base/text.h"

#define PCT_JSON_MAX_DEPTH  64
#define PCT_JSON_MAX_STRING (64u << 20) /* bytes of one string after decoding */

enum pct_json_event {
    PCT_JSON_ERROR,
    PCT_JSON_END, /* no more values */
    PCT_JSON_OBJECT_BEGIN,
    PCT_JSON_OBJECT_END,
    PCT_JSON_ARRAY_BEGIN,
    PCT_JSON_ARRAY_END,
    PCT_JSON_KEY,
    PCT_JSON_STRING,
    PCT_JSON_NUMBER,
    PCT_JSON_TRUE,
    PCT_JSON_FALSE,
    PCT_JSON_NULL,
};

typedef struct pct_json_reader {
    const char *name; /* borrowed; for messages */
    pct_cursor cursor;
    percept_status status;
    int depth;
    unsigned char stack[PCT_JSON_MAX_DEPTH]; /* '{' or '[' a level */
    unsigned char state;                     /* what may come next (json_reader.c) */
    /* The last KEY or STRING: valid until the next call, not NUL-terminated, valid UTF-8, may hold U+0000. */
    const char *string;
    size_t length;
    /* The last NUMBER. */
    double number;
    bool integer; /* written without fraction and exponent, and inside int64 */
    int64_t i64;
    pct_text scratch; /* strings that had escapes */
} pct_json_reader;

/* Data is borrowed until pct_json_reader_free. A byte order mark at the start is passed over. */
void pct_json_reader_init(pct_json_reader *reader, const char *name, const void *data, size_t size);
void pct_json_reader_free(pct_json_reader *reader);
percept_status pct_json_reader_status(const pct_json_reader *reader);

/* The next event; PCT_JSON_ERROR fills `error`. */
enum pct_json_event pct_json_next(pct_json_reader *reader, percept_error *error);
/* Whether another value follows at the top level (white space is passed over). */
bool pct_json_more(pct_json_reader *reader);

/* Each reads one whole value of its kind and fails, naming what was found, on any other. */
percept_status pct_json_enter_object(pct_json_reader *reader, percept_error *error);
percept_status pct_json_enter_array(pct_json_reader *reader, percept_error *error);
/* True: reader->string is the key, its value comes next. False: the object has ended, or an error (see status). */
bool pct_json_next_key(pct_json_reader *reader, percept_error *error);
/* True: another item comes next. False: the array has ended (and was left), or an error (see status). */
bool pct_json_next_item(pct_json_reader *reader, percept_error *error);
bool pct_json_key_is(const pct_json_reader *reader, const char *key);
percept_status pct_json_read_i64(pct_json_reader *reader, int64_t min, int64_t max, int64_t *out, percept_error *error);
percept_status pct_json_read_f64(pct_json_reader *reader, double min, double max, double *out, percept_error *error);
percept_status pct_json_read_bool(pct_json_reader *reader, bool *out, percept_error *error);
/* Borrowed until the next call. */
percept_status pct_json_read_string(pct_json_reader *reader, const char **out, size_t *length, percept_error *error);
/* Passes over one value of any kind. */
percept_status pct_json_skip(pct_json_reader *reader, percept_error *error);
/* The kind of value that comes next, without reading it; PCT_JSON_ERROR when none can. */
enum pct_json_event pct_json_peek(pct_json_reader *reader);

/* For the caller's own complaints about a value: "name:LINE:COLUMN: " and the text; the reader fails from then on. */
percept_status pct_json_reader_fail(pct_json_reader *reader, percept_error *error, const char *format, ...)
    PCT_PRINTF(3, 4);

#endif
