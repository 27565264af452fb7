/* error.c: see error.h. */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void one_line(char *text) {
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
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

void pct_error_prefix(percept_error *error, const char *format, ...) {
    if (!error) return;
    char prefix[512];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    one_line(prefix);
    char joined[sizeof error->message];
    size_t length = strlen(prefix);
    memcpy(joined, prefix, length);
    snprintf(joined + length, sizeof joined - length, ": %s", error->message);
    memcpy(error->message, joined, sizeof joined);
}

percept_status pct_fail_memory(percept_error *error, const char *what) {
    return pct_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory: %s", what);
}

void pct_assert_failed(const char *expression, const char *file, int line) {
    fprintf(stderr, "percept: internal error at %s:%d: %s\n", file, line, expression);
    abort();
}
