/* text.c: see text.h. */
#include "base/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(pct_text *text, size_t extra) {
    if (text->failed) return false;
    if (extra > SIZE_MAX / 4 || text->length > SIZE_MAX / 4) {
        text->failed = true;
        return false;
    }
    size_t need = text->length + extra + 1;
    if (need <= text->capacity) return true;
    size_t capacity = text->capacity ? text->capacity : 64;
    while (capacity < need) capacity *= 2;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void pct_text_add(pct_text *text, const char *bytes, size_t length) {
    if (!reserve(text, length)) return;
    if (length) memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = 0;
}

void pct_text_puts(pct_text *text, const char *string) { pct_text_add(text, string, strlen(string)); }

void pct_text_printf(pct_text *text, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length >= 0 && reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

/* The library never changes the locale, but a program that uses it may have: numbers are formatted with '.' by
 * replacing whatever the locale uses. */
/* Whatever the locale's decimal sign is. */
static void add_with_point(pct_text *text, const char *number) {
    for (; *number; number++) pct_text_add(text, *number == ',' ? "." : number, 1);
}

void pct_text_number(pct_text *text, double value) {
    if (!isfinite(value)) {
        pct_text_puts(text, "null");
        return;
    }
    char buffer[64];
    if (value == rint(value) && fabs(value) < 1e15) {
        snprintf(buffer, sizeof buffer, "%.0f", value == 0 ? 0.0 : value);
    } else {
        for (int digits = 6; digits <= 17; digits++) {
            snprintf(buffer, sizeof buffer, "%.*g", digits, value);
            if (strtod(buffer, NULL) == value) break;
        }
    }
    add_with_point(text, buffer);
}

void pct_text_digits(pct_text *text, double value, int digits) {
    char buffer[64];
    snprintf(buffer, sizeof buffer, "%.*g", digits, value);
    add_with_point(text, isfinite(value) ? buffer : "null");
}

void pct_text_clear(pct_text *text) {
    text->length = 0;
    text->failed = false;
    if (text->data) text->data[0] = 0;
}

void pct_text_free(pct_text *text) {
    free(text->data);
    *text = (pct_text){0};
}

char *pct_text_take(pct_text *text) {
    if (!text->data) pct_text_add(text, "", 0);
    char *data = text->failed ? NULL : text->data;
    if (text->failed) free(text->data);
    *text = (pct_text){0};
    return data;
}

bool pct_parse_double(const char *string, double *out) {
    static const char allowed[] = "+-.0123456789eE";
    size_t length = strlen(string);
    if (length == 0 || length > 60 || strspn(string, allowed) != length) return false;
    char buffer[64];
    const struct lconv *locale = localeconv();
    for (size_t i = 0; i <= length; i++) {
        buffer[i] = string[i] == '.' && locale->decimal_point[0] ? locale->decimal_point[0] : string[i];
    }
    char *end;
    errno = 0;
    double value = strtod(buffer, &end);
    if (*end || end == buffer || !isfinite(value)) return false;
    *out = value;
    return true;
}

bool pct_parse_i64(const char *string, int64_t *out) {
    size_t length = strlen(string);
    if (length == 0 || length > 20 || strspn(string, "+-0123456789") != length) return false;
    char *end;
    errno = 0;
    long long value = strtoll(string, &end, 10);
    if (*end || end == string || errno) return false;
    *out = value;
    return true;
}
