/* gguf.c: opening and checking; see gguf.h. The getters are in gguf_get.c, the writer in gguf_write.c. */
#include "formats/gguf_private.h"

#include "base/cursor.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    uint32_t type;
    int block, bytes; /* 0: known by name only, refused */
    const char *name;
} tensor_types[] = {
    {0, 1, 4, "F32"},       {1, 1, 2, "F16"},       {2, 32, 18, "Q4_0"},    {3, 32, 20, "Q4_1"},  {6, 32, 22, "Q5_0"},
    {7, 32, 24, "Q5_1"},    {8, 32, 34, "Q8_0"},    {9, 0, 0, "Q8_1"},      {10, 0, 0, "Q2_K"},   {11, 0, 0, "Q3_K"},
    {12, 256, 144, "Q4_K"}, {13, 256, 176, "Q5_K"}, {14, 256, 210, "Q6_K"}, {15, 0, 0, "Q8_K"},   {16, 0, 0, "IQ2_XXS"},
    {17, 0, 0, "IQ2_XS"},   {18, 0, 0, "IQ3_XXS"},  {19, 0, 0, "IQ1_S"},    {20, 0, 0, "IQ4_NL"}, {21, 0, 0, "IQ3_S"},
    {22, 0, 0, "IQ2_S"},    {23, 0, 0, "IQ4_XS"},   {24, 1, 1, "I8"},       {25, 1, 2, "I16"},    {26, 1, 4, "I32"},
    {27, 0, 0, "I64"},      {28, 0, 0, "F64"},      {29, 0, 0, "IQ1_M"},    {30, 1, 2, "BF16"},   {34, 0, 0, "TQ1_0"},
    {35, 0, 0, "TQ2_0"},    {39, 0, 0, "MXFP4"},
};

bool pct_gguf_type_layout(uint32_t type, int *block, int *bytes) {
    for (size_t i = 0; i < PCT_COUNT(tensor_types); i++) {
        if (tensor_types[i].type != type || !tensor_types[i].block) continue;
        *block = tensor_types[i].block;
        *bytes = tensor_types[i].bytes;
        return true;
    }
    return false;
}

const char *pct_gguf_type_name(uint32_t type) {
    for (size_t i = 0; i < PCT_COUNT(tensor_types); i++) {
        if (tensor_types[i].type == type) return tensor_types[i].name;
    }
    return "unknown";
}

const char *pct_gguf_value_name(enum pct_gguf_value type) {
    static const char *const names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                        "bool", "string", "array", "u64", "i64", "f64"};
    return (unsigned)type < PCT_COUNT(names) ? names[type] : "unknown";
}

int pct_gguf_value_size(uint32_t type) {
    static const unsigned char sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < PCT_COUNT(sizes) ? sizes[type] : 0;
}

static percept_status bad(percept_error *error, const char *format, ...) PCT_PRINTF(2, 3);
static percept_status bad(percept_error *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pct_fail_v(error, PERCEPT_ERROR_MODEL, format, args);
    va_end(args);
    return PERCEPT_ERROR_MODEL;
}

static percept_status cut_off(percept_error *error, const char *where) {
    return bad(error, "ends in the middle of %s: the file is cut off; fetch or write it again", where);
}

/* A length-prefixed name, copied with a NUL. `what` is "key" or "tensor". */
static percept_status read_name(pct_gguf *file, pct_cursor *at, const char *what, size_t cap, const char **out,
                                percept_error *error) {
    uint64_t length = pct_cursor_u64(at);
    if (at->failed) return cut_off(error, what);
    if (length == 0 || length > cap) {
        return bad(error, "a %s's name of %llu bytes; 1 to %zu are allowed: the file is damaged", what,
                   (unsigned long long)length, cap);
    }
    const unsigned char *bytes = pct_cursor_take(at, (size_t)length);
    if (!bytes) return cut_off(error, what);
    if (memchr(bytes, 0, (size_t)length)) return bad(error, "a %s's name holds a NUL byte: the file is damaged", what);
    *out = pct_arena_text(&file->arena, (const char *)bytes, (size_t)length);
    return *out ? PERCEPT_OK : pct_fail_memory(error, what);
}

static percept_status read_array(pct_gguf *file, pct_cursor *at, struct gguf_key *key, percept_error *error) {
    uint32_t item = pct_cursor_u32(at);
    uint64_t count = pct_cursor_u64(at);
    if (at->failed) return cut_off(error, key->name);
    if (item == PCT_GGUF_ARRAY) return bad(error, "key '%s': arrays in arrays are not supported", key->name);
    if (item != PCT_GGUF_STRING && !pct_gguf_value_size(item)) {
        return bad(error, "key '%s': unknown item type %u; %s", key->name, item, PCT_GGUF_MEND);
    }
    size_t least = item == PCT_GGUF_STRING ? 8 : (size_t)pct_gguf_value_size(item);
    if (count > pct_cursor_left(at) / least) {
        return bad(error,
                   "key '%s': %llu items cannot fit into the %zu bytes that are left: the file is cut off or "
                   "damaged; fetch it again",
                   key->name, (unsigned long long)count, pct_cursor_left(at));
    }
    key->item = item;
    key->count = (int64_t)count;
    key->payload = at->offset;
    if (item != PCT_GGUF_STRING) {
        pct_cursor_skip(at, (size_t)count * least);
        return PERCEPT_OK;
    }
    uint64_t *offsets = pct_arena_take(&file->arena, (size_t)count * sizeof *offsets);
    if (!offsets) return pct_fail_memory(error, key->name);
    for (uint64_t i = 0; i < count; i++) {
        offsets[i] = at->offset;
        uint64_t length = pct_cursor_u64(at);
        if (length > pct_cursor_left(at) || !pct_cursor_skip(at, (size_t)length)) {
            return bad(error,
                       "key '%s': string %llu runs past the end of the file: it is cut off or damaged; fetch it "
                       "again",
                       key->name, (unsigned long long)i);
        }
    }
    key->offsets = offsets;
    return PERCEPT_OK;
}

static percept_status read_key(pct_gguf *file, pct_cursor *at, struct gguf_key *key, percept_error *error) {
    PCT_TRY(read_name(file, at, "key", PCT_GGUF_MAX_KEY, &key->name, error));
    uint32_t type = pct_cursor_u32(at);
    if (at->failed) return cut_off(error, key->name);
    if (type > PCT_GGUF_F64) return bad(error, "key '%s': unknown type %u; %s", key->name, type, PCT_GGUF_MEND);
    key->type = type;
    key->start = at->offset;
    if (type == PCT_GGUF_ARRAY) {
        PCT_TRY(read_array(file, at, key, error));
    } else if (type == PCT_GGUF_STRING) {
        uint64_t length = pct_cursor_u64(at);
        if (at->failed) return cut_off(error, key->name);
        key->payload = at->offset;
        if (length > pct_cursor_left(at)) {
            return bad(error,
                       "key '%s': a string of %llu bytes runs past the end of the file: it is cut off or "
                       "damaged; fetch it again",
                       key->name, (unsigned long long)length);
        }
        const unsigned char *bytes = pct_cursor_take(at, (size_t)length);
        key->count = (int64_t)length;
        key->text = pct_arena_text(&file->arena, (const char *)bytes, (size_t)length);
        if (!key->text) return pct_fail_memory(error, key->name);
    } else {
        key->payload = at->offset;
        pct_cursor_skip(at, (size_t)pct_gguf_value_size(type));
    }
    if (at->failed) return cut_off(error, key->name);
    if (type == PCT_GGUF_BOOL && file->data[key->payload] > 1) {
        return bad(error, "key '%s': a bool of value %u; %s", key->name, file->data[key->payload], PCT_GGUF_MEND);
    }
    key->end = at->offset;
    return PERCEPT_OK;
}

static percept_status check_shape(pct_gguf_tensor *tensor, uint32_t type, percept_error *error) {
    int block, bytes;
    if (!pct_gguf_type_layout(type, &block, &bytes)) {
        return bad(error, "tensor '%s': type %u (%s) is not supported; convert the model to F16 or Q8_0, for example",
                   tensor->name, type, pct_gguf_type_name(type));
    }
    int64_t elements = 1;
    for (int i = 0; i < tensor->dims; i++) {
        if (tensor->ne[i] < 1 || __builtin_mul_overflow(elements, tensor->ne[i], &elements)) {
            return bad(error, "tensor '%s': size %lld along dimension %d makes no sense; %s", tensor->name,
                       (long long)tensor->ne[i], i, PCT_GGUF_MEND);
        }
    }
    if (tensor->ne[0] % block) {
        return bad(error, "tensor '%s': rows of %lld elements are not whole blocks of %d (%s); %s", tensor->name,
                   (long long)tensor->ne[0], block, pct_gguf_type_name(type), PCT_GGUF_MEND);
    }
    tensor->type = type;
    tensor->elements = elements;
    if (!pct_size_mul((size_t)(elements / block), (size_t)bytes, &tensor->size)) {
        return bad(error, "tensor '%s': its size overflows; %s", tensor->name, PCT_GGUF_MEND);
    }
    return PERCEPT_OK;
}

/* data holds the offset within the data section until place_tensors has seen where that starts. */
static percept_status read_tensor(pct_gguf *file, pct_cursor *at, pct_gguf_tensor *tensor, uint64_t *offset,
                                  percept_error *error) {
    PCT_TRY(read_name(file, at, "tensor", PCT_GGUF_MAX_TENSOR_NAME, &tensor->name, error));
    uint32_t dims = pct_cursor_u32(at);
    if (at->failed) return cut_off(error, tensor->name);
    if (dims < 1 || dims > 4) {
        return bad(error, "tensor '%s': %u dimensions; 1 to 4 are allowed; %s", tensor->name, dims, PCT_GGUF_MEND);
    }
    tensor->dims = (int)dims;
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t size = i < dims ? pct_cursor_u64(at) : 1;
        tensor->ne[i] = size > INT64_MAX ? -1 : (int64_t)size;
    }
    uint32_t type = pct_cursor_u32(at);
    *offset = pct_cursor_u64(at);
    if (at->failed) return cut_off(error, tensor->name);
    return check_shape(tensor, type, error);
}

static percept_status place_tensors(pct_gguf *file, size_t header_end, const uint64_t *offsets, percept_error *error) {
    size_t start;
    if (!pct_size_align(header_end, file->alignment, &start)) return bad(error, "the header's size overflows");
    for (int64_t i = 0; i < file->tensor_count; i++) {
        pct_gguf_tensor *tensor = &file->tensors[i];
        size_t from, to;
        if (offsets[i] % file->alignment) {
            return bad(error, "tensor '%s': stands at %llu, which is not a multiple of the alignment %zu; %s",
                       tensor->name, (unsigned long long)offsets[i], file->alignment, PCT_GGUF_MEND);
        }
        if (!pct_size_add(start, (size_t)offsets[i], &from) || !pct_size_add(from, tensor->size, &to) ||
            to > file->size) {
            return bad(error,
                       "tensor '%s': its %zu bytes at %llu reach beyond the file's end (%zu bytes): the file is "
                       "cut off or damaged; fetch it again",
                       tensor->name, tensor->size, (unsigned long long)offsets[i], file->size);
        }
        tensor->data = file->data + from;
    }
    return PERCEPT_OK;
}

/* Both structs begin with the name. */
static int by_name(const void *a, const void *b) {
    return strcmp(**(const char *const *const *)a, **(const char *const *const *)b);
}

static percept_status index_names(pct_gguf *file, percept_error *error) {
    file->keys_by_name = pct_arena_take_zeroed(&file->arena, (size_t)file->key_count, sizeof *file->keys_by_name);
    file->tensors_by_name =
        pct_arena_take_zeroed(&file->arena, (size_t)file->tensor_count, sizeof *file->tensors_by_name);
    if (!file->keys_by_name || !file->tensors_by_name) return pct_fail_memory(error, "index of names");
    for (int64_t i = 0; i < file->key_count; i++) file->keys_by_name[i] = &file->keys[i];
    for (int64_t i = 0; i < file->tensor_count; i++) file->tensors_by_name[i] = &file->tensors[i];
    qsort(file->keys_by_name, (size_t)file->key_count, sizeof *file->keys_by_name, by_name);
    qsort(file->tensors_by_name, (size_t)file->tensor_count, sizeof *file->tensors_by_name, by_name);
    for (int64_t i = 1; i < file->key_count; i++) {
        const char *name = file->keys_by_name[i]->name;
        if (strcmp(name, file->keys_by_name[i - 1]->name) == 0) {
            return bad(error, "key '%s' stands twice; %s", name, PCT_GGUF_MEND);
        }
    }
    for (int64_t i = 1; i < file->tensor_count; i++) {
        const char *name = file->tensors_by_name[i]->name;
        if (strcmp(name, file->tensors_by_name[i - 1]->name) == 0) {
            return bad(error, "tensor '%s' stands twice; %s", name, PCT_GGUF_MEND);
        }
    }
    return PERCEPT_OK;
}

static percept_status read_head(pct_gguf *file, pct_cursor *at, percept_error *error) {
    const unsigned char *magic = pct_cursor_take(at, 4);
    if (!magic || memcmp(magic, "GGUF", 4) != 0) {
        return bad(error, "not a GGUF file (it does not begin with \"GGUF\"); a model for percept ends in .gguf");
    }
    file->version = pct_cursor_u32(at);
    uint64_t tensors = pct_cursor_u64(at), keys = pct_cursor_u64(at);
    if (file->version && !(file->version & 0xffff)) {
        return bad(error, "a big-endian GGUF file; convert it to little-endian");
    }
    if (at->failed) return cut_off(error, "its header");
    if (file->version < 2 || file->version > 3) {
        return bad(error, "GGUF version %u; this program reads 2 and 3: convert the model again", file->version);
    }
    /* The least a key or a tensor takes: name's length, one byte of name, type (and value; dimension, offset). */
    if (keys > pct_cursor_left(at) / 14 || tensors > pct_cursor_left(at) / 33) {
        return bad(error,
                   "%llu keys and %llu tensors cannot fit into %zu bytes: the file is cut off or damaged; fetch "
                   "it again",
                   (unsigned long long)keys, (unsigned long long)tensors, pct_cursor_left(at));
    }
    if (keys > GGUF_MAX_KEYS || tensors > GGUF_MAX_TENSORS) {
        return bad(error, "%llu keys and %llu tensors; at most %d and %d are allowed", (unsigned long long)keys,
                   (unsigned long long)tensors, GGUF_MAX_KEYS, GGUF_MAX_TENSORS);
    }
    file->key_count = (int64_t)keys;
    file->tensor_count = (int64_t)tensors;
    return PERCEPT_OK;
}

static percept_status parse(pct_gguf *file, percept_error *error) {
    pct_cursor at = pct_cursor_over(file->data, file->size);
    PCT_TRY(read_head(file, &at, error));
    file->keys = pct_arena_take_zeroed(&file->arena, (size_t)file->key_count, sizeof *file->keys);
    file->tensors = pct_arena_take_zeroed(&file->arena, (size_t)file->tensor_count, sizeof *file->tensors);
    uint64_t *offsets = pct_arena_take_zeroed(&file->arena, (size_t)file->tensor_count, sizeof *offsets);
    if (!file->keys || !file->tensors || !offsets) return pct_fail_memory(error, "table of keys and tensors");
    for (int64_t i = 0; i < file->key_count; i++) PCT_TRY(read_key(file, &at, &file->keys[i], error));
    for (int64_t i = 0; i < file->tensor_count; i++) {
        PCT_TRY(read_tensor(file, &at, &file->tensors[i], &offsets[i], error));
    }
    PCT_TRY(index_names(file, error));
    uint32_t alignment;
    PCT_TRY(pct_gguf_get_u32_or(file, "general.alignment", 8, PCT_GGUF_MAX_ALIGNMENT, PCT_GGUF_ALIGNMENT, &alignment,
                                error));
    if (alignment & (alignment - 1)) return bad(error, "key 'general.alignment': %u is not a power of two", alignment);
    file->alignment = alignment;
    return place_tensors(file, at.offset, offsets, error);
}

static percept_status open_bytes(pct_gguf **out, const char *name, pct_map map, const void *data, size_t size,
                                 percept_error *error) {
    pct_gguf *file = calloc(1, sizeof *file);
    char *path = strdup(name);
    if (!file || !path) {
        free(file);
        free(path);
        pct_map_close(&map);
        return pct_fail_memory(error, name);
    }
    file->path = path;
    file->map = map;
    file->data = data;
    file->size = size;
    pct_arena_init(&file->arena, 0);
    percept_status status = parse(file, error);
    if (status == PERCEPT_OK) {
        *out = file;
        return PERCEPT_OK;
    }
    /* Getters name the file themselves. */
    size_t length = strlen(name);
    if (error && (strncmp(error->message, name, length) != 0 || error->message[length] != ':')) {
        pct_error_prefix(error, "%s", name);
    }
    pct_gguf_close(&file);
    return status;
}

percept_status pct_gguf_open(pct_gguf **file, const char *path, percept_error *error) {
    *file = NULL;
    pct_map map;
    PCT_TRY(pct_map_open(&map, path, error));
    return open_bytes(file, path, map, map.data, map.size, error);
}

percept_status pct_gguf_open_memory(pct_gguf **file, const char *name, const void *data, size_t size,
                                    percept_error *error) {
    PCT_ASSERT((uintptr_t)data % 8 == 0);
    *file = NULL;
    return open_bytes(file, name, (pct_map){0}, data, size, error);
}

void pct_gguf_close(pct_gguf **handle) {
    pct_gguf *file = *handle;
    if (!file) return;
    pct_arena_free(&file->arena);
    pct_map_close(&file->map);
    free(file->path);
    free(file);
    *handle = NULL;
}
