/* gguf_private.h: what the reader's files share. Not for other folders. */
#ifndef PCT_FORMATS_GGUF_PRIVATE_H
#define PCT_FORMATS_GGUF_PRIVATE_H

#include "base/arena.h"
#include "base/file.h"
#include "formats/gguf.h"

/* More than any model has; together they bound what a file can make us keep. */
#define GGUF_MAX_KEYS    65536
#define GGUF_MAX_TENSORS 262144

struct gguf_key {
    const char *name; /* NUL-terminated */
    enum pct_gguf_value type, item;
    int64_t count;           /* items of an array; bytes of a string */
    size_t start, end;       /* the value's bytes in the file, from after its type */
    size_t payload;          /* where the scalar, the string's bytes, or the first item stands */
    const uint64_t *offsets; /* arrays of strings: where each length stands */
    const char *text;        /* strings: a copy with a NUL after `count` bytes */
};

struct pct_gguf {
    char *path;
    pct_map map;
    const unsigned char *data;
    size_t size;
    uint32_t version;
    size_t alignment;
    pct_arena arena; /* names, offsets, tables */
    struct gguf_key *keys;
    int64_t key_count;
    struct gguf_key **keys_by_name; /* sorted */
    pct_gguf_tensor *tensors;
    int64_t tensor_count;
    pct_gguf_tensor **tensors_by_name; /* sorted */
};

/* Bytes of a value of this type; 0 for strings, arrays and unknown types. */
int pct_gguf_value_size(uint32_t type);
const struct gguf_key *pct_gguf_key(const pct_gguf *file, const char *name);

#endif
