/* guard.c: see guard.h. */
#include "base/guard.h"

#include "base/error.h"

#define MAX_DEPTH 8
static _Thread_local const char *stack[MAX_DEPTH];
static _Thread_local int depth;

void pct_guard_enter(const char *where) {
    PCT_ASSERT(depth < MAX_DEPTH);
    stack[depth++] = where;
}

void pct_guard_leave(void) {
    PCT_ASSERT(depth > 0);
    depth--;
}

const char *pct_guard_where(void) { return depth ? stack[depth - 1] : (const char *)0; }
