/* npy.c: see npy.h. The format: "\x93NUMPY", version, header length, a Python dictionary as text, the array. */
#include "formats/npy.h"

#include "base/cursor.h"
#include "base/file.h"
#include "base/size.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER 65536

static const struct {
    const char *code;
    enum pct_npy_type type;
    size_t size;
} types[] = {{"<f4", PCT_NPY_F32, 4}, {"<f8", PCT_NPY_F64, 8}, {"<i4", PCT_NPY_I32, 4}, {"<i8", PCT_NPY_I64, 8}};

/* The dictionary's text, read from left to right. */
struct dictionary {
    const char *at, *end;
};

static void blanks(struct dictionary *d) {
    while (d->at < d->end && (*d->at == ' ' || *d->at == '\n')) d->at++;
}

static bool sign(struct dictionary *d, char wanted) {
    blanks(d);
    if (d->at == d->end || *d->at != wanted) return false;
    d->at++;
    return true;
}

/* A quoted word without escapes into `out`; false when there is none or it is too long. */
static bool quoted(struct dictionary *d, char *out, size_t capacity) {
    blanks(d);
    if (d->at == d->end || (*d->at != '\'' && *d->at != '"')) return false;
    char quote = *d->at++;
    size_t length = 0;
    while (d->at < d->end && *d->at != quote) {
        if (length + 1 == capacity || *d->at == '\\') return false;
        out[length++] = *d->at++;
    }
    out[length] = 0;
    return sign(d, quote);
}

static bool word(struct dictionary *d, const char *wanted) {
    blanks(d);
    size_t length = strlen(wanted);
    if ((size_t)(d->end - d->at) < length || memcmp(d->at, wanted, length) != 0) return false;
    d->at += length;
    return true;
}

/* "(3, 4,)"; false for anything else, too many dimensions or numbers that overflow. */
static bool shape(struct dictionary *d, pct_npy *array) {
    if (!sign(d, '(')) return false;
    while (!sign(d, ')')) {
        blanks(d);
        int64_t size = 0;
        const char *start = d->at;
        for (; d->at < d->end && *d->at >= '0' && *d->at <= '9'; d->at++) {
            if (__builtin_mul_overflow(size, 10, &size) || __builtin_add_overflow(size, *d->at - '0', &size))
                return false;
        }
        if (d->at == start || array->dims == PCT_NPY_MAX_DIMS) return false;
        array->shape[array->dims++] = size;
        if (sign(d, ',')) continue;
        return sign(d, ')');
    }
    return true;
}

static percept_status bad(percept_error *error, const char *what) {
    return pct_fail(error, PERCEPT_ERROR_INPUT, "%s; write it with numpy.save as float32, float64, int32 or int64",
                    what);
}

static percept_status read_dictionary(struct dictionary d, pct_npy *array, size_t *item, percept_error *error) {
    bool have_type = false, have_order = false, have_shape = false;
    if (!sign(&d, '{')) return bad(error, "its header is not a dictionary");
    while (!sign(&d, '}')) {
        char key[32], code[32];
        if (!quoted(&d, key, sizeof key) || !sign(&d, ':')) return bad(error, "its header is malformed");
        if (strcmp(key, "descr") == 0 && !have_type) {
            if (!quoted(&d, code, sizeof code)) return bad(error, "its element type is not supported");
            for (size_t i = 0; i < PCT_COUNT(types); i++) {
                if (strcmp(code, types[i].code) != 0) continue;
                have_type = true;
                array->type = types[i].type;
                *item = types[i].size;
            }
            if (!have_type) return bad(error, "its element type is not supported");
        } else if (strcmp(key, "fortran_order") == 0 && !have_order) {
            have_order = true;
            if (!word(&d, "False")) return bad(error, "its order is not C (row-major)");
        } else if (strcmp(key, "shape") == 0 && !have_shape) {
            have_shape = true;
            if (!shape(&d, array)) return bad(error, "its shape is malformed or has more than 8 dimensions");
        } else {
            return bad(error, "its header has an unknown or repeated key");
        }
        if (sign(&d, ',')) continue;
        if (!sign(&d, '}')) return bad(error, "its header is malformed");
        break;
    }
    if (!have_type || !have_order || !have_shape) return bad(error, "its header lacks descr, fortran_order or shape");
    return PERCEPT_OK;
}

static percept_status read_array(pct_npy *array, const void *data, size_t size, percept_error *error) {
    pct_cursor at = pct_cursor_over(data, size);
    const unsigned char *magic = pct_cursor_take(&at, 6);
    if (!magic || memcmp(magic, "\x93NUMPY", 6) != 0) return bad(error, "not a .npy file");
    int major = pct_cursor_u8(&at), minor = pct_cursor_u8(&at);
    if (!at.failed && (major < 1 || major > 2 || minor != 0)) return bad(error, "a .npy version that is not supported");
    size_t header = major == 1 ? pct_cursor_u16(&at) : pct_cursor_u32(&at);
    const char *text = header > MAX_HEADER ? NULL : (const char *)pct_cursor_take(&at, header);
    if (at.failed || !text) return bad(error, "its header is cut off or too long");
    size_t item = 0;
    PCT_TRY(read_dictionary((struct dictionary){text, text + header}, array, &item, error));
    size_t bytes = item;
    array->count = 1;
    bool fits = true;
    for (int i = 0; i < array->dims; i++) {
        fits = fits && pct_size_mul(bytes, (size_t)array->shape[i], &bytes);
        fits = fits && !__builtin_mul_overflow(array->count, array->shape[i], &array->count);
    }
    if (!fits || bytes != pct_cursor_left(&at)) return bad(error, "its size does not fit its shape");
    array->data = malloc(bytes ? bytes : 1);
    if (!array->data) return pct_fail_memory(error, "array");
    if (bytes) memcpy(array->data, pct_cursor_take(&at, bytes), bytes);
    return PERCEPT_OK;
}

percept_status pct_npy_read_memory(pct_npy *array, const char *name, const void *data, size_t size,
                                   percept_error *error) {
    *array = (pct_npy){0};
    percept_status status = read_array(array, data, size, error);
    if (status != PERCEPT_OK) {
        pct_error_prefix(error, "%s", name);
        *array = (pct_npy){0};
    }
    return status;
}

percept_status pct_npy_read(pct_npy *array, const char *path, size_t limit, percept_error *error) {
    *array = (pct_npy){0};
    char *data;
    size_t size;
    PCT_TRY(pct_file_read(path, limit, &data, &size, error));
    percept_status status = pct_npy_read_memory(array, path, data, size, error);
    free(data);
    return status;
}

void pct_npy_free(pct_npy *array) {
    free(array->data);
    *array = (pct_npy){0};
}

double pct_npy_at(const pct_npy *array, int64_t index) {
    PCT_ASSERT(index >= 0 && index < array->count);
    switch (array->type) {
    case PCT_NPY_F32:
        return ((const float *)array->data)[index];
    case PCT_NPY_F64:
        return ((const double *)array->data)[index];
    case PCT_NPY_I32:
        return ((const int32_t *)array->data)[index];
    case PCT_NPY_I64:
        break;
    }
    return (double)((const int64_t *)array->data)[index];
}

percept_status pct_npy_header_f32(char header[PCT_NPY_HEADER_SIZE], int dims, const int64_t *sizes,
                                  percept_error *error) {
    char text[PCT_NPY_HEADER_SIZE * 2];
    PCT_ASSERT(dims >= 0 && dims <= PCT_NPY_MAX_DIMS);
    int used = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < dims; i++) {
        PCT_ASSERT(sizes[i] >= 0);
        used += snprintf(text + used, sizeof text - (size_t)used, "%" PRId64 "%s", sizes[i],
                         dims == 1      ? ","
                         : i + 1 < dims ? ", "
                                        : "");
    }
    used += snprintf(text + used, sizeof text - (size_t)used, "), }");
    if (used > PCT_NPY_HEADER_SIZE - 11) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a shape too long for a .npy header of %d bytes",
                        PCT_NPY_HEADER_SIZE);
    }
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = PCT_NPY_HEADER_SIZE - 10;
    header[9] = 0;
    memset(header + 10, ' ', PCT_NPY_HEADER_SIZE - 11);
    memcpy(header + 10, text, (size_t)used);
    header[PCT_NPY_HEADER_SIZE - 1] = '\n';
    return PERCEPT_OK;
}

percept_status pct_npy_write_f32(const char *path, const float *data, int dims, const int64_t *sizes,
                                 percept_error *error) {
    char header[PCT_NPY_HEADER_SIZE];
    PCT_TRY(pct_npy_header_f32(header, dims, sizes, error));
    size_t count = 1;
    for (int i = 0; i < dims; i++) {
        if (!pct_size_mul(count, (size_t)sizes[i], &count)) {
            return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: the array's size overflows", path);
        }
    }
    pct_writer writer;
    PCT_TRY(pct_writer_open(&writer, path, error));
    fwrite(header, 1, sizeof header, writer.file);
    if (count) fwrite(data, sizeof *data, count, writer.file);
    return pct_writer_commit(&writer, error);
}
