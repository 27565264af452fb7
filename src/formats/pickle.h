/* pickle.h: PyTorch's pickles as plain values; see pytorch.h for what is refused. Not for other folders. */
#ifndef PCT_FORMATS_PICKLE_H
#define PCT_FORMATS_PICKLE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum pct_pickle_kind {
    PCT_PICKLE_NONE,
    PCT_PICKLE_BOOL,
    PCT_PICKLE_INT,
    PCT_PICKLE_FLOAT,
    PCT_PICKLE_STRING,
    PCT_PICKLE_TUPLE,
    PCT_PICKLE_LIST,
    PCT_PICKLE_DICT,    /* items: key, value, key, value, ... */
    PCT_PICKLE_GLOBAL,  /* text: "module name" */
    PCT_PICKLE_STORAGE, /* items: the persistent id's */
    PCT_PICKLE_TENSOR,  /* items: storage, offset, size, stride */
};

typedef struct pct_pickle_value {
    enum pct_pickle_kind kind;
    int64_t integer;  /* of a bool too */
    const char *text; /* NUL-terminated; strings have no NUL inside */
    struct pct_pickle_value **items;
    int64_t count, capacity;
} pct_pickle_value;

/* The one value of the pickle, in the arena. Lists and dicts may be shared and may hold themselves. */
percept_status pct_pickle_read(const void *data, size_t size, pct_arena *arena, pct_pickle_value **out,
                               percept_error *error);

#endif
