/* guard.h: proof that a hot loop does not allocate.
 *
 * Between enter and leave, any malloc, calloc, realloc or free on the guarded thread, or on a pool's threads inside a
 * parallel loop that it runs, aborts the process with a message.
 * Works in programs that link guard_malloc.c (debug builds' tests and the benches); elsewhere the calls only count. */
#ifndef PCT_BASE_GUARD_H
#define PCT_BASE_GUARD_H

#include <stdbool.h>

/* Guards nest. `where` names the loop in the message; static text. */
void pct_guard_enter(const char *where);
void pct_guard_leave(void);
/* The innermost guard's name on this thread, or NULL. */
const char *pct_guard_where(void);

#endif
