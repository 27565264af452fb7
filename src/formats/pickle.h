/* pickle.h: PyTorch's pickles as plain values; see pytorch.h for what is refused. Not for other folders. */
#ifndef PCT_FORMATS_PICKLE_H
#define PCT_FORMATS_PICKLE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT,
    PICKLE_STRING,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,    /* items: key, value, key, value, ... */
    PICKLE_GLOBAL,  /* text: "module name" */
    PICKLE_STORAGE, /* items: the persistent id's */
    PICKLE_TENSOR,  /* items: storage, offset, size, stride */
};

typedef struct pickle_value {
    enum pickle_kind kind;
    int64_t integer;  /* of a bool too */
    const char *text; /* NUL-terminated; strings have no NUL inside */
    struct pickle_value **items;
    int64_t count, capacity;
} pickle_value;

/* The one value of the pickle, in the arena. Lists and dicts may be shared and may hold themselves. */
percept_status pickle_read(const void *data, size_t size, pct_arena *arena, pickle_value **out, percept_error *error);

#endif
