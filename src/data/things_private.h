/* things_private.h: what things.c and things_check.c share. */
#ifndef PCT_DATA_THINGS_PRIVATE_H
#define PCT_DATA_THINGS_PRIVATE_H

#include "data/things.h"

/* What is wrong with a folder, counted; the first is kept for when it is the only one. */
struct things_problems {
    const pct_log *log;
    int32_t count;
    char first[600];
};
void things_problem(struct things_problems *problems, const char *format, ...) PCT_PRINTF(2, 3);

/* Names and pictures against each other, once all are read and sorted. */
void things_check(const pct_things *things, struct things_problems *problems);

#endif
