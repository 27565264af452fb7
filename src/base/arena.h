/* arena.h: memory that is given back all at once.
 *
 * A step of training or of decoding takes what it needs from an arena and resets it; after the first steps the arena
 * has grown to its working size and no call reaches malloc. Pointers stay valid until reset, release to a mark, or
 * free. Not thread-safe: one arena, one thread. */
#ifndef PCT_BASE_ARENA_H
#define PCT_BASE_ARENA_H

#include <stddef.h>

#define PCT_ARENA_ALIGN 64 /* a cache line, and the widest vector */

struct pct_arena_chunk;
typedef struct pct_arena {
    struct pct_arena_chunk *first, *current;
    size_t chunk_size; /* smallest chunk that is asked of malloc */
    size_t used;       /* bytes handed out since the last reset, alignment included */
    size_t peak;       /* the most `used` has been */
    size_t reserved;   /* bytes held from malloc */
} pct_arena;

typedef struct pct_arena_mark {
    struct pct_arena_chunk *chunk;
    size_t offset, used;
} pct_arena_mark;

/* chunk_size 0 means 1 MiB. Takes no memory yet. */
void pct_arena_init(pct_arena *arena, size_t chunk_size);

/* 64-byte aligned, contents undefined; NULL when memory is out or `size` is absurd. Size 0 gives a valid pointer. */
void *pct_arena_take(pct_arena *arena, size_t size);
/* As pct_arena_take for count*size bytes, zeroed; NULL also when the product overflows. */
void *pct_arena_take_zeroed(pct_arena *arena, size_t count, size_t size);
/* A NUL-terminated copy of `length` bytes. */
char *pct_arena_text(pct_arena *arena, const char *text, size_t length);

/* Everything taken after the mark is given back. Marks nest. */
pct_arena_mark pct_arena_save(const pct_arena *arena);
void pct_arena_release(pct_arena *arena, pct_arena_mark mark);

/* Everything is given back to the arena; the chunks are kept. */
void pct_arena_reset(pct_arena *arena);
/* Everything is given back to the system. The arena can be used again. */
void pct_arena_free(pct_arena *arena);

/* Asks the system for large pages for memory that is not touched yet and begins at the border of a (small) page. */
void pct_use_huge_pages(void *memory, size_t size);

#endif
