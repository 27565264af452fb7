/* gguf_get.c: looking things up in an open file; see gguf.h. */
#include "formats/gguf_private.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *pct_gguf_path(const pct_gguf *file) { return file->path; }
uint32_t pct_gguf_version(const pct_gguf *file) { return file->version; }
size_t pct_gguf_file_size(const pct_gguf *file) { return file->size; }
int64_t pct_gguf_key_count(const pct_gguf *file) { return file->key_count; }
int64_t pct_gguf_tensor_count(const pct_gguf *file) { return file->tensor_count; }

const char *pct_gguf_key_name(const pct_gguf *file, int64_t index) {
    PCT_ASSERT(index >= 0 && index < file->key_count);
    return file->keys[index].name;
}

enum pct_gguf_value pct_gguf_key_type(const pct_gguf *file, int64_t index) {
    PCT_ASSERT(index >= 0 && index < file->key_count);
    return file->keys[index].type;
}

const pct_gguf_tensor *pct_gguf_tensor_at(const pct_gguf *file, int64_t index) {
    PCT_ASSERT(index >= 0 && index < file->tensor_count);
    return &file->tensors[index];
}

const struct gguf_key *pct_gguf_key(const pct_gguf *file, const char *name) {
    int64_t low = 0, high = file->key_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = strcmp(name, file->keys_by_name[middle]->name);
        if (order == 0) return file->keys_by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool pct_gguf_has(const pct_gguf *file, const char *key) { return pct_gguf_key(file, key) != NULL; }

const pct_gguf_tensor *pct_gguf_find(const pct_gguf *file, const char *name) {
    int64_t low = 0, high = file->tensor_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = strcmp(name, file->tensors_by_name[middle]->name);
        if (order == 0) return file->tensors_by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static percept_status missing(const pct_gguf *file, const char *key, const char *wanted, percept_error *error) {
    return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: key '%s' is missing (expected %s); %s", file->path, key, wanted,
                    PCT_GGUF_MEND);
}

static percept_status wrong_type(const pct_gguf *file, const struct gguf_key *key, const char *wanted,
                                 percept_error *error) {
    bool array = key->type == PCT_GGUF_ARRAY;
    return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: key '%s' is %s%s, expected %s; %s", file->path, key->name,
                    array ? "an array of " : "of type ", pct_gguf_value_name(array ? key->item : key->type), wanted,
                    PCT_GGUF_MEND);
}

/* Any integer type or bool at `bytes`, unaligned. u64 beyond the range of i64 saturates. False: not an integer type. */
static bool read_integer(enum pct_gguf_value type, const unsigned char *bytes, int64_t *out) {
    uint64_t raw = 0;
    int size = pct_gguf_value_size(type);
    for (int i = size; i-- > 0;) raw = raw << 8 | bytes[i];
    switch (type) {
    case PCT_GGUF_U8:
    case PCT_GGUF_U16:
    case PCT_GGUF_U32:
    case PCT_GGUF_BOOL:
        *out = (int64_t)raw;
        return true;
    case PCT_GGUF_I8:
        *out = (int8_t)raw;
        return true;
    case PCT_GGUF_I16:
        *out = (int16_t)raw;
        return true;
    case PCT_GGUF_I32:
        *out = (int32_t)raw;
        return true;
    case PCT_GGUF_U64:
        *out = raw > INT64_MAX ? INT64_MAX : (int64_t)raw;
        return true;
    case PCT_GGUF_I64:
        *out = (int64_t)raw;
        return true;
    case PCT_GGUF_F32:
    case PCT_GGUF_F64:
    case PCT_GGUF_STRING:
    case PCT_GGUF_ARRAY:
        break;
    }
    return false;
}

static bool read_number(enum pct_gguf_value type, const unsigned char *bytes, double *out) {
    if (type == PCT_GGUF_F32) {
        float value;
        memcpy(&value, bytes, sizeof value);
        *out = value;
        return true;
    }
    if (type == PCT_GGUF_F64) {
        memcpy(out, bytes, sizeof *out);
        return true;
    }
    int64_t integer;
    if (type == PCT_GGUF_BOOL || !read_integer(type, bytes, &integer)) return false;
    *out = (double)integer;
    return true;
}

static percept_status integer(const pct_gguf *file, const struct gguf_key *key, int64_t min, int64_t max, int64_t *out,
                              percept_error *error) {
    int64_t value;
    if (key->type == PCT_GGUF_BOOL || !read_integer(key->type, file->data + key->payload, &value)) {
        return wrong_type(file, key, "an integer", error);
    }
    if (value < min || value > max) {
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "%s: key '%s' is %" PRId64 ", allowed are %" PRId64 " to %" PRId64 "; %s", file->path,
                        key->name, value, min, max, PCT_GGUF_MEND);
    }
    *out = value;
    return PERCEPT_OK;
}

percept_status pct_gguf_get_i64(const pct_gguf *file, const char *name, int64_t min, int64_t max, int64_t *out,
                                percept_error *error) {
    const struct gguf_key *key = pct_gguf_key(file, name);
    return key ? integer(file, key, min, max, out, error) : missing(file, name, "an integer", error);
}

percept_status pct_gguf_get_i64_or(const pct_gguf *file, const char *name, int64_t min, int64_t max, int64_t fallback,
                                   int64_t *out, percept_error *error) {
    const struct gguf_key *key = pct_gguf_key(file, name);
    *out = fallback;
    return key ? integer(file, key, min, max, out, error) : PERCEPT_OK;
}

percept_status pct_gguf_get_i32(const pct_gguf *file, const char *name, int32_t min, int32_t max, int32_t *out,
                                percept_error *error) {
    int64_t value = 0;
    PCT_TRY(pct_gguf_get_i64(file, name, min, max, &value, error));
    *out = (int32_t)value;
    return PERCEPT_OK;
}

percept_status pct_gguf_get_i32_or(const pct_gguf *file, const char *name, int32_t min, int32_t max, int32_t fallback,
                                   int32_t *out, percept_error *error) {
    int64_t value = 0;
    PCT_TRY(pct_gguf_get_i64_or(file, name, min, max, fallback, &value, error));
    *out = (int32_t)value;
    return PERCEPT_OK;
}

percept_status pct_gguf_get_u32(const pct_gguf *file, const char *name, uint32_t min, uint32_t max, uint32_t *out,
                                percept_error *error) {
    int64_t value = 0;
    PCT_TRY(pct_gguf_get_i64(file, name, min, max, &value, error));
    *out = (uint32_t)value;
    return PERCEPT_OK;
}

percept_status pct_gguf_get_u32_or(const pct_gguf *file, const char *name, uint32_t min, uint32_t max,
                                   uint32_t fallback, uint32_t *out, percept_error *error) {
    int64_t value = 0;
    PCT_TRY(pct_gguf_get_i64_or(file, name, min, max, fallback, &value, error));
    *out = (uint32_t)value;
    return PERCEPT_OK;
}

percept_status pct_gguf_get_f32(const pct_gguf *file, const char *name, float min, float max, float *out,
                                percept_error *error) {
    const struct gguf_key *key = pct_gguf_key(file, name);
    if (!key) return missing(file, name, "a number", error);
    double value = 0;
    if ((key->type != PCT_GGUF_F32 && key->type != PCT_GGUF_F64) ||
        !read_number(key->type, file->data + key->payload, &value)) {
        return wrong_type(file, key, "a floating-point number", error);
    }
    if (!(value >= (double)min && value <= (double)max)) { /* false for NaN too */
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: key '%s' is %g, allowed are %g to %g; %s", file->path, name,
                        value, (double)min, (double)max, PCT_GGUF_MEND);
    }
    *out = (float)value;
    return PERCEPT_OK;
}

percept_status pct_gguf_get_f32_or(const pct_gguf *file, const char *name, float min, float max, float fallback,
                                   float *out, percept_error *error) {
    *out = fallback;
    return pct_gguf_has(file, name) ? pct_gguf_get_f32(file, name, min, max, out, error) : PERCEPT_OK;
}

percept_status pct_gguf_get_bool(const pct_gguf *file, const char *name, bool *out, percept_error *error) {
    const struct gguf_key *key = pct_gguf_key(file, name);
    if (!key) return missing(file, name, "a bool", error);
    if (key->type != PCT_GGUF_BOOL) return wrong_type(file, key, "a bool", error);
    *out = file->data[key->payload] != 0;
    return PERCEPT_OK;
}

percept_status pct_gguf_get_bool_or(const pct_gguf *file, const char *name, bool fallback, bool *out,
                                    percept_error *error) {
    *out = fallback;
    return pct_gguf_has(file, name) ? pct_gguf_get_bool(file, name, out, error) : PERCEPT_OK;
}

percept_status pct_gguf_get_string(const pct_gguf *file, const char *name, const char **out, percept_error *error) {
    const struct gguf_key *key = pct_gguf_key(file, name);
    if (!key) return missing(file, name, "a string", error);
    if (key->type != PCT_GGUF_STRING) return wrong_type(file, key, "a string", error);
    if (strlen(key->text) != (size_t)key->count) {
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: key '%s' is a string with a NUL byte inside; %s", file->path,
                        name, PCT_GGUF_MEND);
    }
    *out = key->text;
    return PERCEPT_OK;
}

percept_status pct_gguf_get_string_or(const pct_gguf *file, const char *name, const char *fallback, const char **out,
                                      percept_error *error) {
    *out = fallback;
    return pct_gguf_has(file, name) ? pct_gguf_get_string(file, name, out, error) : PERCEPT_OK;
}

static pct_gguf_array array_of(const pct_gguf *file, const struct gguf_key *key) {
    return (pct_gguf_array){.type = key->item,
                            .count = key->count,
                            .data = file->data + key->payload,
                            .offsets = key->offsets,
                            .file = file->data};
}

percept_status pct_gguf_get_array(const pct_gguf *file, const char *name, enum pct_gguf_value type, int64_t min_count,
                                  int64_t max_count, pct_gguf_array *out, percept_error *error) {
    const struct gguf_key *key = pct_gguf_key(file, name);
    char wanted[40];
    snprintf(wanted, sizeof wanted, "an array of %s", pct_gguf_value_name(type));
    if (!key) return missing(file, name, wanted, error);
    if (key->type != PCT_GGUF_ARRAY || key->item != type) return wrong_type(file, key, wanted, error);
    if (key->count < min_count || key->count > max_count) {
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "%s: key '%s' has %" PRId64 " items, allowed are %" PRId64 " to %" PRId64 "; %s", file->path,
                        name, key->count, min_count, max_count, PCT_GGUF_MEND);
    }
    *out = array_of(file, key);
    return PERCEPT_OK;
}

percept_status pct_gguf_get_array_or(const pct_gguf *file, const char *name, enum pct_gguf_value type,
                                     int64_t max_count, pct_gguf_array *out, percept_error *error) {
    *out = (pct_gguf_array){.type = type};
    return pct_gguf_has(file, name) ? pct_gguf_get_array(file, name, type, 0, max_count, out, error) : PERCEPT_OK;
}

percept_status pct_gguf_get_floats(const pct_gguf *file, const char *name, int64_t count, float *out,
                                   percept_error *error) {
    const struct gguf_key *key = pct_gguf_key(file, name);
    if (!key) return missing(file, name, "an array of numbers", error);
    if (key->type != PCT_GGUF_ARRAY || key->item == PCT_GGUF_STRING || key->item == PCT_GGUF_BOOL) {
        return wrong_type(file, key, "an array of numbers", error);
    }
    if (key->count != count) {
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: key '%s' has %" PRId64 " items, expected %" PRId64 "; %s",
                        file->path, name, key->count, count, PCT_GGUF_MEND);
    }
    pct_gguf_array array = array_of(file, key);
    for (int64_t i = 0; i < count; i++) {
        out[i] = (float)pct_gguf_array_f64(&array, i);
        if (!isfinite(out[i])) {
            return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: key '%s': item %" PRId64 " is not a finite number; %s",
                            file->path, name, i, PCT_GGUF_MEND);
        }
    }
    return PERCEPT_OK;
}

pct_gguf_string pct_gguf_array_string(const pct_gguf_array *array, int64_t index) {
    PCT_ASSERT(array->type == PCT_GGUF_STRING && index >= 0 && index < array->count);
    const unsigned char *at = array->file + array->offsets[index];
    int64_t length;
    read_integer(PCT_GGUF_U64, at, &length); /* checked against the file when it was opened */
    return (pct_gguf_string){(const char *)at + 8, (size_t)length};
}

int64_t pct_gguf_array_i64(const pct_gguf_array *array, int64_t index) {
    PCT_ASSERT(index >= 0 && index < array->count);
    int64_t value = 0;
    bool good = read_integer(array->type, array->data + index * pct_gguf_value_size(array->type), &value);
    PCT_ASSERT(good);
    return value;
}

double pct_gguf_array_f64(const pct_gguf_array *array, int64_t index) {
    PCT_ASSERT(index >= 0 && index < array->count);
    double value = 0;
    bool good = read_number(array->type, array->data + index * pct_gguf_value_size(array->type), &value);
    PCT_ASSERT(good);
    return value;
}
