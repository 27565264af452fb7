/* gguf_write.c: making a file; see gguf.h. Keys and the tensor directory are gathered in memory, data is streamed. */
#include "formats/gguf_private.h"

#include "base/size.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

struct declared {
    char *name; /* in the arena */
    size_t size, offset;
};

struct pct_gguf_writer {
    pct_text keys, directory; /* as they stand in the file */
    pct_arena arena;
    char **key_names;
    int64_t key_count, key_capacity;
    struct declared *tensors;
    int64_t tensor_count, tensor_capacity;
    size_t data_size; /* of all tensors, padding included */
    percept_status status;
    percept_error failure; /* of the first bad call */
    pct_writer out;
    bool begun;
    int64_t current; /* tensor that takes the next bytes */
    size_t filled;   /* of it */
};

percept_status pct_gguf_writer_create(pct_gguf_writer **writer, percept_error *error) {
    *writer = calloc(1, sizeof **writer);
    if (!*writer) return pct_fail_memory(error, "GGUF writer");
    pct_arena_init(&(*writer)->arena, 0);
    return PERCEPT_OK;
}

void pct_gguf_writer_destroy(pct_gguf_writer **handle) {
    pct_gguf_writer *writer = *handle;
    if (!writer) return;
    pct_writer_abort(&writer->out);
    pct_text_free(&writer->keys);
    pct_text_free(&writer->directory);
    pct_arena_free(&writer->arena);
    free(writer->key_names);
    free(writer->tensors);
    free(writer);
    *handle = NULL;
}

static void remember(pct_gguf_writer *writer, percept_status status, const char *format, ...) PCT_PRINTF(3, 4);
static void remember(pct_gguf_writer *writer, percept_status status, const char *format, ...) {
    if (writer->status != PERCEPT_OK) return;
    va_list args;
    va_start(args, format);
    writer->status = pct_fail_v(&writer->failure, status, format, args);
    va_end(args);
}

static void put(pct_text *text, uint64_t value, int size) {
    char bytes[8];
    for (int i = 0; i < size; i++) bytes[i] = (char)(value >> 8 * i);
    pct_text_add(text, bytes, (size_t)size);
}

static void put_string(pct_text *text, const char *string, size_t length) {
    put(text, length, 8);
    pct_text_add(text, string, length);
}

/* Makes room for one more; false (and the writer fails) without memory. */
static bool grow(pct_gguf_writer *writer, void **items, int64_t count, int64_t *capacity, size_t size) {
    if (count < *capacity) return true;
    int64_t wanted = *capacity ? *capacity * 2 : 64;
    void *larger = realloc(*items, (size_t)wanted * size);
    if (!larger) {
        remember(writer, PERCEPT_ERROR_RESOURCE, "out of memory: GGUF writer");
        return false;
    }
    *items = larger;
    *capacity = wanted;
    return true;
}

/* Writes name and type; false when the writer has failed. */
static bool start_key(pct_gguf_writer *writer, const char *key, enum pct_gguf_value type) {
    PCT_ASSERT(!writer->begun);
    if (writer->status != PERCEPT_OK) return false;
    size_t length = strlen(key);
    if (!length || length > PCT_GGUF_MAX_KEY) {
        remember(writer, PERCEPT_ERROR_USAGE, "key '%s': names have 1 to %d bytes", key, PCT_GGUF_MAX_KEY);
        return false;
    }
    if (!grow(writer, (void **)&writer->key_names, writer->key_count, &writer->key_capacity, sizeof(char *))) {
        return false;
    }
    char *copy = pct_arena_text(&writer->arena, key, length);
    if (!copy) {
        remember(writer, PERCEPT_ERROR_RESOURCE, "out of memory: GGUF writer");
        return false;
    }
    writer->key_names[writer->key_count++] = copy;
    put_string(&writer->keys, key, length);
    put(&writer->keys, type, 4);
    return true;
}

static void set_scalar(pct_gguf_writer *writer, const char *key, enum pct_gguf_value type, uint64_t bits) {
    if (start_key(writer, key, type)) put(&writer->keys, bits, pct_gguf_value_size(type));
}

void pct_gguf_set_u32(pct_gguf_writer *writer, const char *key, uint32_t value) {
    set_scalar(writer, key, PCT_GGUF_U32, value);
}
void pct_gguf_set_i32(pct_gguf_writer *writer, const char *key, int32_t value) {
    set_scalar(writer, key, PCT_GGUF_I32, (uint32_t)value);
}
void pct_gguf_set_u64(pct_gguf_writer *writer, const char *key, uint64_t value) {
    set_scalar(writer, key, PCT_GGUF_U64, value);
}
void pct_gguf_set_i64(pct_gguf_writer *writer, const char *key, int64_t value) {
    set_scalar(writer, key, PCT_GGUF_I64, (uint64_t)value);
}
void pct_gguf_set_bool(pct_gguf_writer *writer, const char *key, bool value) {
    set_scalar(writer, key, PCT_GGUF_BOOL, value);
}
void pct_gguf_set_f32(pct_gguf_writer *writer, const char *key, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    set_scalar(writer, key, PCT_GGUF_F32, bits);
}
void pct_gguf_set_f64(pct_gguf_writer *writer, const char *key, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    set_scalar(writer, key, PCT_GGUF_F64, bits);
}
void pct_gguf_set_small(pct_gguf_writer *writer, const char *key, enum pct_gguf_value type, int64_t value) {
    PCT_ASSERT(type <= PCT_GGUF_I16);
    set_scalar(writer, key, type, (uint64_t)value);
}

void pct_gguf_set_string(pct_gguf_writer *writer, const char *key, const char *value) {
    if (start_key(writer, key, PCT_GGUF_STRING)) put_string(&writer->keys, value, strlen(value));
}

static bool start_array(pct_gguf_writer *writer, const char *key, enum pct_gguf_value type, int64_t count) {
    PCT_ASSERT(count >= 0);
    if (!start_key(writer, key, PCT_GGUF_ARRAY)) return false;
    put(&writer->keys, type, 4);
    put(&writer->keys, (uint64_t)count, 8);
    return true;
}

void pct_gguf_set_array(pct_gguf_writer *writer, const char *key, enum pct_gguf_value type, int64_t count,
                        const void *items) {
    int size = pct_gguf_value_size(type);
    PCT_ASSERT(size);
    if (start_array(writer, key, type, count)) pct_text_add(&writer->keys, items, (size_t)count * (size_t)size);
}

void pct_gguf_set_strings(pct_gguf_writer *writer, const char *key, int64_t count, const pct_gguf_string *items) {
    if (!start_array(writer, key, PCT_GGUF_STRING, count)) return;
    for (int64_t i = 0; i < count; i++) put_string(&writer->keys, items[i].data, items[i].length);
}

void pct_gguf_set_copy(pct_gguf_writer *writer, const pct_gguf *file, int64_t index) {
    PCT_ASSERT(index >= 0 && index < file->key_count);
    const struct gguf_key *key = &file->keys[index];
    if (strcmp(key->name, "general.alignment") == 0) return; /* says how that file was laid out, not this one */
    if (!start_key(writer, key->name, key->type)) return;
    pct_text_add(&writer->keys, (const char *)file->data + key->start, key->end - key->start);
}

void pct_gguf_writer_declare(pct_gguf_writer *writer, const char *name, enum pct_gguf_type type, int dims,
                             const int64_t *ne) {
    PCT_ASSERT(!writer->begun && dims >= 1 && dims <= 4);
    if (writer->status != PERCEPT_OK) return;
    size_t length = strlen(name);
    if (!length || length > PCT_GGUF_MAX_WRITTEN_NAME) {
        remember(writer, PERCEPT_ERROR_USAGE, "tensor '%s': names have 1 to %d bytes", name, PCT_GGUF_MAX_WRITTEN_NAME);
        return;
    }
    int block, bytes;
    bool good = pct_gguf_type_layout(type, &block, &bytes);
    PCT_ASSERT(good);
    size_t elements = 1, size = 0, padded = 0;
    for (int i = 0; i < dims; i++) good = good && ne[i] >= 1 && pct_size_mul(elements, (size_t)ne[i], &elements);
    good = good && ne[0] % block == 0 && pct_size_mul(elements / (size_t)block, (size_t)bytes, &size) &&
           pct_size_align(size, PCT_GGUF_ALIGNMENT, &padded) && padded <= INT64_MAX - writer->data_size;
    if (!good) {
        remember(writer, PERCEPT_ERROR_USAGE,
                 "tensor '%s': its shape does not fit type %s (rows of whole blocks of %d)", name,
                 pct_gguf_type_name(type), block);
        return;
    }
    if (!grow(writer, (void **)&writer->tensors, writer->tensor_count, &writer->tensor_capacity,
              sizeof *writer->tensors)) {
        return;
    }
    char *copy = pct_arena_text(&writer->arena, name, length);
    if (!copy) {
        remember(writer, PERCEPT_ERROR_RESOURCE, "out of memory: GGUF writer");
        return;
    }
    writer->tensors[writer->tensor_count++] = (struct declared){copy, size, writer->data_size};
    put_string(&writer->directory, name, length);
    put(&writer->directory, (uint64_t)dims, 4);
    for (int i = 0; i < dims; i++) put(&writer->directory, (uint64_t)ne[i], 8);
    put(&writer->directory, type, 4);
    put(&writer->directory, writer->data_size, 8);
    writer->data_size += padded;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void refuse_duplicates(pct_gguf_writer *writer, char **names, int64_t count, const char *what) {
    if (count) qsort(names, (size_t)count, sizeof *names, by_text);
    for (int64_t i = 1; i < count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            remember(writer, PERCEPT_ERROR_USAGE, "%s '%s' was given twice", what, names[i]);
    }
}

static void check_names(pct_gguf_writer *writer) {
    if (writer->keys.failed || writer->directory.failed) {
        remember(writer, PERCEPT_ERROR_RESOURCE, "out of memory: GGUF writer");
    }
    if (writer->key_count > GGUF_MAX_KEYS || writer->tensor_count > GGUF_MAX_TENSORS) {
        remember(writer, PERCEPT_ERROR_USAGE, "too many keys or tensors for one file");
    }
    refuse_duplicates(writer, writer->key_names, writer->key_count, "key");
    char **names = pct_arena_take(&writer->arena, (size_t)writer->tensor_count * sizeof *names);
    if (!names) {
        remember(writer, PERCEPT_ERROR_RESOURCE, "out of memory: GGUF writer");
        return;
    }
    for (int64_t i = 0; i < writer->tensor_count; i++) names[i] = writer->tensors[i].name;
    refuse_duplicates(writer, names, writer->tensor_count, "tensor");
}

static void pad(FILE *file, size_t written) {
    static const char zeros[PCT_GGUF_ALIGNMENT];
    size_t over = written % PCT_GGUF_ALIGNMENT;
    if (over) fwrite(zeros, 1, PCT_GGUF_ALIGNMENT - over, file);
}

percept_status pct_gguf_writer_begin(pct_gguf_writer *writer, const char *path, percept_error *error) {
    PCT_ASSERT(!writer->begun);
    check_names(writer);
    if (writer->status != PERCEPT_OK) {
        return pct_fail(error, writer->status, "%s: cannot be written: %s", path, writer->failure.message);
    }
    PCT_TRY(pct_writer_open(&writer->out, path, error));
    writer->begun = true;
    pct_text head = {0};
    pct_text_add(&head, "GGUF", 4);
    put(&head, 3, 4);
    put(&head, (uint64_t)writer->tensor_count, 8);
    put(&head, (uint64_t)writer->key_count, 8);
    if (head.failed) {
        pct_text_free(&head);
        return pct_fail_memory(error, path);
    }
    FILE *file = writer->out.file;
    fwrite(head.data, 1, head.length, file);
    if (writer->keys.length) fwrite(writer->keys.data, 1, writer->keys.length, file);
    if (writer->directory.length) fwrite(writer->directory.data, 1, writer->directory.length, file);
    if (writer->tensor_count) pad(file, head.length + writer->keys.length + writer->directory.length);
    pct_text_free(&head);
    return PERCEPT_OK;
}

percept_status pct_gguf_writer_data(pct_gguf_writer *writer, const void *data, size_t size, percept_error *error) {
    PCT_ASSERT(writer->begun && writer->out.file);
    if (writer->current == writer->tensor_count || size > writer->tensors[writer->current].size - writer->filled) {
        return pct_fail(
            error, PERCEPT_ERROR_USAGE, "%s: tensor '%s' got more bytes than it was declared with", writer->out.path,
            writer->current < writer->tensor_count ? writer->tensors[writer->current].name : "after the last");
    }
    if (size && fwrite(data, 1, size, writer->out.file) != size) {
        return pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot be written; is the disk full?", writer->out.path);
    }
    writer->filled += size;
    if (writer->filled == writer->tensors[writer->current].size) {
        pad(writer->out.file, writer->filled);
        writer->current++;
        writer->filled = 0;
    }
    return PERCEPT_OK;
}

percept_status pct_gguf_writer_end(pct_gguf_writer *writer, percept_error *error) {
    PCT_ASSERT(writer->begun && writer->out.file);
    if (writer->current < writer->tensor_count) {
        percept_status status =
            pct_fail(error, PERCEPT_ERROR_USAGE, "%s: tensor '%s' got only %zu of its %zu bytes", writer->out.path,
                     writer->tensors[writer->current].name, writer->filled, writer->tensors[writer->current].size);
        pct_writer_abort(&writer->out);
        return status;
    }
    return pct_writer_commit(&writer->out, error);
}
