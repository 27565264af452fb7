/* gguf.h: GGUF files (versions 2 and 3, little-endian), read through a map and written atomically.
 *
 * The reader checks everything once, when the file is opened: every count against the bytes that are left, every
 * product and sum for overflow, every tensor's place against the file's end, names for length and duplicates. What a
 * getter or a tensor gives afterwards can be used without further checks. Memory is at most a small multiple of the
 * header's size, time O(n log n) in it (names are found by binary search in a sorted index: no hash that a file could
 * flood). It refuses: version 1, big-endian files, arrays in arrays, tensor types that percept has no use for, more
 * than 4 dimensions, dimensions of 0, unaligned tensors. No model is named here and nothing is dequantised here. */
#ifndef PCT_FORMATS_GGUF_H
#define PCT_FORMATS_GGUF_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define PCT_GGUF_MAX_KEY          1024  /* bytes of a key's name */
#define PCT_GGUF_MAX_TENSOR_NAME  127   /* bytes the reader takes */
#define PCT_GGUF_MAX_WRITTEN_NAME 63    /* bytes the writer takes: ggml's limit, so that its tools open our files */
#define PCT_GGUF_ALIGNMENT        32    /* of tensor data in files we write */
#define PCT_GGUF_MAX_ALIGNMENT    65536 /* in files we read; at least 8 */

/* Types of key values, numbered as in the file. */
enum pct_gguf_value {
    PCT_GGUF_U8 = 0,
    PCT_GGUF_I8 = 1,
    PCT_GGUF_U16 = 2,
    PCT_GGUF_I16 = 3,
    PCT_GGUF_U32 = 4,
    PCT_GGUF_I32 = 5,
    PCT_GGUF_F32 = 6,
    PCT_GGUF_BOOL = 7,
    PCT_GGUF_STRING = 8,
    PCT_GGUF_ARRAY = 9,
    PCT_GGUF_U64 = 10,
    PCT_GGUF_I64 = 11,
    PCT_GGUF_F64 = 12,
};
const char *pct_gguf_value_name(enum pct_gguf_value type); /* "u32", ...; "unknown" */

/* Types of tensors, numbered as in the file; blocks as ggml lays them out. */
enum pct_gguf_type {
    PCT_GGUF_TYPE_F32 = 0,
    PCT_GGUF_TYPE_F16 = 1,
    PCT_GGUF_TYPE_Q4_0 = 2,
    PCT_GGUF_TYPE_Q4_1 = 3,
    PCT_GGUF_TYPE_Q5_0 = 6,
    PCT_GGUF_TYPE_Q5_1 = 7,
    PCT_GGUF_TYPE_Q8_0 = 8,
    PCT_GGUF_TYPE_Q4_K = 12,
    PCT_GGUF_TYPE_Q5_K = 13,
    PCT_GGUF_TYPE_Q6_K = 14,
    PCT_GGUF_TYPE_I8 = 24,
    PCT_GGUF_TYPE_I16 = 25,
    PCT_GGUF_TYPE_I32 = 26,
    PCT_GGUF_TYPE_BF16 = 30,
};
/* False for a type percept does not know. `block`: elements a block; `bytes`: bytes a block. */
bool pct_gguf_type_layout(uint32_t type, int *block, int *bytes);
const char *pct_gguf_type_name(uint32_t type); /* "Q8_0", ...; also names types that are refused; "unknown" */

typedef struct pct_gguf_tensor {
    const char *name; /* NUL-terminated, borrowed from the file object */
    enum pct_gguf_type type;
    int dims;         /* 1..4 */
    int64_t ne[4];    /* GGUF order: ne[0] is contiguous (a matrix's columns); 1 beyond dims */
    int64_t elements; /* product of ne */
    const void *data; /* in the map, aligned to at least 8 bytes; borrowed until close */
    size_t size;      /* bytes */
} pct_gguf_tensor;

typedef struct pct_gguf_string {
    const char *data; /* in the map, not NUL-terminated, any bytes; borrowed until close */
    size_t length;
} pct_gguf_string;

typedef struct pct_gguf_array {
    enum pct_gguf_value type; /* of the items; never PCT_GGUF_ARRAY */
    int64_t count;
    const unsigned char *data; /* items one after another, NOT aligned; use the calls below */
    const uint64_t *offsets;   /* strings only: where each starts in the file */
    const unsigned char *file;
} pct_gguf_array;

typedef struct pct_gguf pct_gguf;

/* Maps and checks the file. Missing or unreadable: PERCEPT_ERROR_INPUT; malformed: PERCEPT_ERROR_MODEL; the message
 * begins with the path. Close with pct_gguf_close, which accepts NULL and nulls the handle. */
percept_status pct_gguf_open(pct_gguf **file, const char *path, percept_error *error);
/* The same over bytes that the caller keeps until close; data must be 8-byte aligned. `name` stands in messages. */
percept_status pct_gguf_open_memory(pct_gguf **file, const char *name, const void *data, size_t size,
                                    percept_error *error);
void pct_gguf_close(pct_gguf **file);

const char *pct_gguf_path(const pct_gguf *file);
uint32_t pct_gguf_version(const pct_gguf *file);
size_t pct_gguf_file_size(const pct_gguf *file);

int64_t pct_gguf_key_count(const pct_gguf *file);
const char *pct_gguf_key_name(const pct_gguf *file, int64_t index); /* in file order */
enum pct_gguf_value pct_gguf_key_type(const pct_gguf *file, int64_t index);
bool pct_gguf_has(const pct_gguf *file, const char *key);

int64_t pct_gguf_tensor_count(const pct_gguf *file);
const pct_gguf_tensor *pct_gguf_tensor_at(const pct_gguf *file, int64_t index); /* in file order */
const pct_gguf_tensor *pct_gguf_find(const pct_gguf *file, const char *name);   /* NULL: not there */

/* Getters of a key that must be there. Failure is PERCEPT_ERROR_MODEL and says file, key, what was wanted and the mend.
 * Integers of any width count, inside min..max (inclusive); f32 takes f32 and f64, finite and inside min..max. */
percept_status pct_gguf_get_i64(const pct_gguf *file, const char *key, int64_t min, int64_t max, int64_t *out,
                                percept_error *error);
percept_status pct_gguf_get_i32(const pct_gguf *file, const char *key, int32_t min, int32_t max, int32_t *out,
                                percept_error *error);
percept_status pct_gguf_get_u32(const pct_gguf *file, const char *key, uint32_t min, uint32_t max, uint32_t *out,
                                percept_error *error);
percept_status pct_gguf_get_f32(const pct_gguf *file, const char *key, float min, float max, float *out,
                                percept_error *error);
percept_status pct_gguf_get_bool(const pct_gguf *file, const char *key, bool *out, percept_error *error);
/* NUL-terminated, borrowed until close; a string with a NUL inside is refused. */
percept_status pct_gguf_get_string(const pct_gguf *file, const char *key, const char **out, percept_error *error);
/* An array whose items have the type `type` (integers: exactly that width), with min..max items. */
percept_status pct_gguf_get_array(const pct_gguf *file, const char *key, enum pct_gguf_value type, int64_t min_count,
                                  int64_t max_count, pct_gguf_array *out, percept_error *error);
/* Exactly `count` numbers of any numeric type into the caller's array; finite. */
percept_status pct_gguf_get_floats(const pct_gguf *file, const char *key, int64_t count, float *out,
                                   percept_error *error);

/* The same for keys that may be missing: *out is `fallback` then. A key that is there with another type or out of range
 * is still an error. For arrays, a missing key gives count 0. */
percept_status pct_gguf_get_i64_or(const pct_gguf *file, const char *key, int64_t min, int64_t max, int64_t fallback,
                                   int64_t *out, percept_error *error);
percept_status pct_gguf_get_i32_or(const pct_gguf *file, const char *key, int32_t min, int32_t max, int32_t fallback,
                                   int32_t *out, percept_error *error);
percept_status pct_gguf_get_u32_or(const pct_gguf *file, const char *key, uint32_t min, uint32_t max, uint32_t fallback,
                                   uint32_t *out, percept_error *error);
percept_status pct_gguf_get_f32_or(const pct_gguf *file, const char *key, float min, float max, float fallback,
                                   float *out, percept_error *error);
percept_status pct_gguf_get_bool_or(const pct_gguf *file, const char *key, bool fallback, bool *out,
                                    percept_error *error);
percept_status pct_gguf_get_string_or(const pct_gguf *file, const char *key, const char *fallback, const char **out,
                                      percept_error *error);
percept_status pct_gguf_get_array_or(const pct_gguf *file, const char *key, enum pct_gguf_value type, int64_t max_count,
                                     pct_gguf_array *out, percept_error *error);

/* Item `index` (0 <= index < count, asserted) of an array of that kind. */
pct_gguf_string pct_gguf_array_string(const pct_gguf_array *array, int64_t index);
int64_t pct_gguf_array_i64(const pct_gguf_array *array, int64_t index); /* any integer type or bool; u64 saturates */
double pct_gguf_array_f64(const pct_gguf_array *array, int64_t index);  /* any numeric type */

/* The mend every "missing or wrong" message ends with; for callers' own checks of tensors, so that texts agree. */
#define PCT_GGUF_MEND "the file is damaged or of another kind; fetch it again or convert the model again"

/* ---- Writing. Equal calls give equal bytes. ---------------------------------------------------------------------
 * create → set keys → declare tensors → begin(path) → data in the order declared, in pieces of any size → end. The file
 * appears under its name only at end. A bad call (a duplicate, a name too long, no memory) is kept and reported by
 * begin. Keys are written in the order set, general.alignment is not written (32 is the default). */
typedef struct pct_gguf_writer pct_gguf_writer;
percept_status pct_gguf_writer_create(pct_gguf_writer **writer, percept_error *error);
void pct_gguf_writer_destroy(pct_gguf_writer **writer); /* also drops an unfinished file; accepts NULL */

void pct_gguf_set_u32(pct_gguf_writer *writer, const char *key, uint32_t value);
void pct_gguf_set_i32(pct_gguf_writer *writer, const char *key, int32_t value);
void pct_gguf_set_u64(pct_gguf_writer *writer, const char *key, uint64_t value);
void pct_gguf_set_i64(pct_gguf_writer *writer, const char *key, int64_t value);
void pct_gguf_set_f32(pct_gguf_writer *writer, const char *key, float value);
void pct_gguf_set_f64(pct_gguf_writer *writer, const char *key, double value);
void pct_gguf_set_bool(pct_gguf_writer *writer, const char *key, bool value);
void pct_gguf_set_string(pct_gguf_writer *writer, const char *key, const char *value);
/* Small integers (u8, i8, u16, i16), for copying foreign files. */
void pct_gguf_set_small(pct_gguf_writer *writer, const char *key, enum pct_gguf_value type, int64_t value);
/* `items` in the machine's (little-endian) layout of the type, bools one byte each; not for strings. */
void pct_gguf_set_array(pct_gguf_writer *writer, const char *key, enum pct_gguf_value type, int64_t count,
                        const void *items);
void pct_gguf_set_strings(pct_gguf_writer *writer, const char *key, int64_t count, const pct_gguf_string *items);
/* Copies the key `index` of a file as it is; general.alignment is passed over. */
void pct_gguf_set_copy(pct_gguf_writer *writer, const pct_gguf *file, int64_t index);

/* ne in GGUF order, `dims` of them. ne[0] must be a multiple of the type's block. */
void pct_gguf_writer_declare(pct_gguf_writer *writer, const char *name, enum pct_gguf_type type, int dims,
                             const int64_t *ne);
percept_status pct_gguf_writer_begin(pct_gguf_writer *writer, const char *path, percept_error *error);
/* The next bytes of the current tensor; may not cross into the next one. Padding is added here. */
percept_status pct_gguf_writer_data(pct_gguf_writer *writer, const void *data, size_t size, percept_error *error);
/* Fails when bytes are missing. The writer can only be destroyed afterwards. */
percept_status pct_gguf_writer_end(pct_gguf_writer *writer, percept_error *error);

#endif
