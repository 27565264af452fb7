/* safetensors.h: safetensors files, alone or as the shards of a "….safetensors.index.json", read through maps.
 *
 * The header is checked whole when a file is opened: its length against the file's, every shape's product for overflow,
 * every tensor's bytes against its shape and type, the tensors' ranges for gaps and overlaps, names for duplicates,
 * over all shards. What a tensor gives afterwards can be used without further checks, except that its data need not be
 * aligned. It refuses: headers above 32 MB, shards outside the index's folder, tensors that the index places elsewhere
 * than they are, types that percept has no use for, more than 8 dimensions. No model is named here. */
#ifndef PCT_FORMATS_SAFETENSORS_H
#define PCT_FORMATS_SAFETENSORS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define PCT_SAFETENSORS_MAX_DIMS 8

enum pct_safetensors_type {
    PCT_SAFETENSORS_F64,
    PCT_SAFETENSORS_F32,
    PCT_SAFETENSORS_F16,
    PCT_SAFETENSORS_BF16,
    PCT_SAFETENSORS_I64,
    PCT_SAFETENSORS_I32,
    PCT_SAFETENSORS_I16,
    PCT_SAFETENSORS_I8,
    PCT_SAFETENSORS_U8,
    PCT_SAFETENSORS_BOOL,
};
const char *pct_safetensors_type_name(enum pct_safetensors_type type); /* "F32", ... */
size_t pct_safetensors_type_size(enum pct_safetensors_type type);      /* bytes an element */

typedef struct pct_safetensor {
    const char *name; /* NUL-terminated, borrowed until close */
    enum pct_safetensors_type type;
    int dims;                                /* 0..8; 0 is a single number */
    int64_t shape[PCT_SAFETENSORS_MAX_DIMS]; /* row-major, the last is contiguous; 0 is allowed */
    int64_t elements;                        /* product of the shape */
    const unsigned char *data;               /* in the map, little-endian, NOT aligned; borrowed until close */
    size_t size;                             /* bytes */
    const char *file;                        /* the shard it lies in; borrowed until close */
} pct_safetensor;

typedef struct pct_safetensors pct_safetensors;

/* A .safetensors file, or an index (a name that ends in ".json") whose shards lie beside it. Missing or unreadable:
 * PERCEPT_ERROR_INPUT; malformed: PERCEPT_ERROR_MODEL; the message begins with the path. Close with
 * pct_safetensors_close, which accepts NULL and nulls the handle. */
percept_status pct_safetensors_open(pct_safetensors **file, const char *path, percept_error *error);
/* One file's bytes that the caller keeps until close. `name` stands in messages. */
percept_status pct_safetensors_open_memory(pct_safetensors **file, const char *name, const void *data, size_t size,
                                           percept_error *error);
void pct_safetensors_close(pct_safetensors **file);

int64_t pct_safetensors_count(const pct_safetensors *file);
const pct_safetensor *pct_safetensors_at(const pct_safetensors *file, int64_t index);      /* sorted by name */
const pct_safetensor *pct_safetensors_find(const pct_safetensors *file, const char *name); /* NULL: not there */
/* A string of the header's "__metadata__" ("format"), of the first shard that has it; NULL: none. Borrowed. */
const char *pct_safetensors_metadata(const pct_safetensors *file, const char *key);

#endif
