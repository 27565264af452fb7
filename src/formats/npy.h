/* npy.h: NumPy's .npy arrays (format 1.0 and 2.0), little-endian, C order.
 *
 * Written: F32. Read: F32, F64, I32, I64, all of them, of at most 8 dimensions; the shape must fit the file's size
 * exactly. It refuses Fortran order, big-endian, other types and pickled objects, by name. */
#ifndef PCT_FORMATS_NPY_H
#define PCT_FORMATS_NPY_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define PCT_NPY_MAX_DIMS 8

enum pct_npy_type { PCT_NPY_F32, PCT_NPY_F64, PCT_NPY_I32, PCT_NPY_I64 };

typedef struct pct_npy {
    enum pct_npy_type type;
    int dims;                        /* 0..8; 0 is a single number */
    int64_t shape[PCT_NPY_MAX_DIMS]; /* row-major, last is contiguous; 0 is allowed */
    int64_t count;                   /* product of the shape */
    void *data;                      /* malloc'd, aligned for its type; owned: pct_npy_free */
} pct_npy;

/* A file of at most `limit` bytes. Errors are PERCEPT_ERROR_INPUT and begin with the path. */
percept_status pct_npy_read(pct_npy *array, const char *path, size_t limit, percept_error *error);
percept_status pct_npy_read_memory(pct_npy *array, const char *name, const void *data, size_t size,
                                   percept_error *error);
void pct_npy_free(pct_npy *array);
/* Item `index` as a double. */
double pct_npy_at(const pct_npy *array, int64_t index);

/* Atomic. shape has `dims` entries (0..8), each >= 0. */
percept_status pct_npy_write_f32(const char *path, const float *data, int dims, const int64_t *shape,
                                 percept_error *error);

/* The header alone, for writers that stream rows and learn the first dimension at the end: 128 bytes whatever the
 * shape (as far as that fits), so that it can be written again over itself. */
#define PCT_NPY_HEADER_SIZE 128
percept_status pct_npy_header_f32(char header[PCT_NPY_HEADER_SIZE], int dims, const int64_t *shape,
                                  percept_error *error);

#endif
