/* guard_malloc.c: malloc and its kin for programs that prove that a loop does not allocate; see guard.h.
 *
 * Linked into such programs as an object of its own, never into the library. Forwards to glibc's allocator. */
#include "base/guard.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
extern void *__libc_memalign(size_t, size_t);

static void check(const char *call) {
    const char *where = pct_guard_where();
    if (!where) return;
    const char *parts[] = {"percept: ", call, " inside the guarded loop '", where, "'\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (write(2, parts[i], strlen(parts[i])) < 0) break;
    }
    abort();
}

void *malloc(size_t size) {
    check("malloc");
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
    check("calloc");
    return __libc_calloc(count, size);
}
void *realloc(void *block, size_t size) {
    check("realloc");
    return __libc_realloc(block, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    check("aligned_alloc");
    return __libc_memalign(alignment, size);
}
void free(void *block) {
    if (block) check("free");
    __libc_free(block);
}
