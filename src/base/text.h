/* text.h: a growing string. Numbers are written in the C locale whatever the program's locale is. */
#ifndef PCT_BASE_TEXT_H
#define PCT_BASE_TEXT_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct pct_text {
    char *data; /* NUL-terminated once anything was added, else NULL; owned */
    size_t length, capacity;
    bool failed; /* sticky: memory ran out; later adds do nothing */
} pct_text;

void pct_text_add(pct_text *text, const char *bytes, size_t length);
void pct_text_puts(pct_text *text, const char *string);
void pct_text_printf(pct_text *text, const char *format, ...) PCT_PRINTF(2, 3);
/* Shortest decimal that reads back as the same double, e.g. 0.5, 12, 1e-07; nan and infinities give null (for JSON). */
void pct_text_number(pct_text *text, double value);
/* The same, rounded to so many significant digits (17 at most). */
void pct_text_digits(pct_text *text, double value, int digits);
void pct_text_clear(pct_text *text); /* keeps the memory */
void pct_text_free(pct_text *text);
/* Hands the string over (caller frees); "" when nothing was added; NULL when memory ran out. The text is left empty. */
char *pct_text_take(pct_text *text);

/* Reads a whole string as a number in the C locale; false for anything else, for nan and for infinities. */
bool pct_parse_double(const char *string, double *out);
bool pct_parse_i64(const char *string, int64_t *out);

#endif
