/* arena.c: a list of chunks, filled in order; see arena.h. */
#include "base/arena.h"

#include "base/size.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

/* Large chunks ask for large pages: touching fresh memory 4 kB at a time was a third of the time of one answer. */
#define HUGE_PAGE ((size_t)2 << 20)

void pct_use_huge_pages(void *memory, size_t size) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    madvise(memory, size, MADV_HUGEPAGE); /* where it is refused, small pages do */
#else
    (void)memory;
    (void)size;
#endif
}

struct pct_arena_chunk {
    struct pct_arena_chunk *next;
    size_t size, offset; /* bytes of payload; bytes of it in use */
    _Alignas(PCT_ARENA_ALIGN) unsigned char data[];
};

void pct_arena_init(pct_arena *arena, size_t chunk_size) {
    *arena = (pct_arena){.chunk_size = chunk_size ? chunk_size : (size_t)1 << 20};
}

static struct pct_arena_chunk *new_chunk(pct_arena *arena, size_t size) {
    size_t payload = size > arena->chunk_size ? size : arena->chunk_size;
    size_t total;
    if (!pct_size_add(payload, sizeof(struct pct_arena_chunk), &total)) return NULL;
    const bool huge = total >= HUGE_PAGE;
    if (!pct_size_align(total, huge ? HUGE_PAGE : PCT_ARENA_ALIGN, &total)) return NULL;
    if (huge) payload = total - sizeof(struct pct_arena_chunk);
    struct pct_arena_chunk *chunk = aligned_alloc(huge ? HUGE_PAGE : PCT_ARENA_ALIGN, total);
    if (!chunk) return NULL;
    if (huge) pct_use_huge_pages(chunk, total);
    chunk->next = NULL;
    chunk->size = payload;
    chunk->offset = 0;
    arena->reserved += total;
    return chunk;
}

/* The next chunk with room for `size` bytes: one that is kept from before a reset, else a new one put in after the
 * current one. Chunks that are too small are passed over and stay empty until the next reset. */
static struct pct_arena_chunk *chunk_with_room(pct_arena *arena, size_t size) {
    struct pct_arena_chunk *chunk = arena->current ? arena->current : arena->first;
    struct pct_arena_chunk *last = NULL;
    for (; chunk; last = chunk, chunk = chunk->next) {
        if (chunk->size - chunk->offset >= size) return chunk;
        if (chunk != arena->current && chunk->offset != 0) break;
    }
    chunk = new_chunk(arena, size);
    if (!chunk) return NULL;
    if (!last) {
        arena->first = chunk;
    } else {
        chunk->next = last->next;
        last->next = chunk;
    }
    return chunk;
}

void *pct_arena_take(pct_arena *arena, size_t size) {
    if (size > SIZE_MAX / 2 || !pct_size_align(size ? size : 1, PCT_ARENA_ALIGN, &size)) return NULL;
    struct pct_arena_chunk *chunk = chunk_with_room(arena, size);
    if (!chunk) return NULL;
    arena->current = chunk;
    void *result = chunk->data + chunk->offset;
    chunk->offset += size;
    arena->used += size;
    if (arena->used > arena->peak) arena->peak = arena->used;
    return result;
}

void *pct_arena_take_zeroed(pct_arena *arena, size_t count, size_t size) {
    size_t total;
    if (!pct_size_mul(count, size, &total)) return NULL;
    void *result = pct_arena_take(arena, total);
    if (result) memset(result, 0, total);
    return result;
}

char *pct_arena_text(pct_arena *arena, const char *text, size_t length) {
    char *copy = pct_arena_take(arena, length + 1);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

pct_arena_mark pct_arena_save(const pct_arena *arena) {
    return (pct_arena_mark){arena->current, arena->current ? arena->current->offset : 0, arena->used};
}

void pct_arena_release(pct_arena *arena, pct_arena_mark mark) {
    struct pct_arena_chunk *chunk = mark.chunk ? mark.chunk->next : arena->first;
    for (; chunk; chunk = chunk->next) chunk->offset = 0;
    if (mark.chunk) mark.chunk->offset = mark.offset;
    arena->current = mark.chunk;
    arena->used = mark.used;
}

void pct_arena_reset(pct_arena *arena) { pct_arena_release(arena, (pct_arena_mark){0}); }

void pct_arena_free(pct_arena *arena) {
    for (struct pct_arena_chunk *chunk = arena->first, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    pct_arena_init(arena, arena->chunk_size);
}
