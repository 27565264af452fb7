/* error.c: see error.h. */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Control characters, C1 among them (U+0080 to U+009F), which a terminal obeys too, become blanks. */
static void one_line(char *text) {
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
        const unsigned char next = (unsigned char)c[1];
        if ((unsigned char)*c == 0xc2 && next >= 0x80 && next < 0xa0) c[0] = c[1] = ' ';
    }
}

percept_status pct_fail_v(percept_error *error, percept_status status, const char *format, va_list args) {
    if (error) {
        error->status = status;
        vsnprintf(error->message, sizeof error->message, format, args);
        one_line(error->message);
    }
    return status;
}

percept_status pct_fail(percept_error *error, percept_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pct_fail_v(error, status, format, args);
    va_end(args);
    return status;
}

percept_status pct_error_of_model(percept_status status, percept_error *error) {
    if (status != PERCEPT_ERROR_INPUT) return status;
    if (error) error->status = PERCEPT_ERROR_MODEL;
    return PERCEPT_ERROR_MODEL;
}

void pct_error_prefix(percept_error *error, const char *format, ...) {
    if (!error) return;
    char prefix[512];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    one_line(prefix);
    size_t length = strlen(prefix), room = sizeof error->message - length - 3; /* ": " and the end */
    size_t kept = strnlen(error->message, sizeof error->message - 1);
    if (kept > room) kept = room;
    memmove(error->message + length + 2, error->message, kept);
    error->message[length + 2 + kept] = 0;
    memcpy(error->message, prefix, length);
    memcpy(error->message + length, ": ", 2);
}

percept_status pct_fail_memory(percept_error *error, const char *what) {
    return pct_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory: %s", what);
}

void pct_assert_failed(const char *expression, const char *file, int line) {
    fprintf(stderr, "percept: internal error at %s:%d: %s\n", file, line, expression);
    abort();
}
