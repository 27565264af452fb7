/* things_private.h: what things.c and things_check.c share. */
#ifndef PCT_DATA_THINGS_PRIVATE_H
#define PCT_DATA_THINGS_PRIVATE_H

#include "base/text.h"
#include "data/things.h"

/* What is wrong with a folder: lines, the first of them also apart. Free `lines`. */
struct things_problems {
    pct_text lines; /* each with its NUL */
    int32_t count;
};
void things_problem(struct things_problems *problems, const char *format, ...) PCT_PRINTF(2, 3);

/* Names and pictures against each other, once all are read and sorted. */
void things_check(const pct_things *things, struct things_problems *problems);

#endif
