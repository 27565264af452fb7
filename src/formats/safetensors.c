/* safetensors.c: see safetensors.h. The format: the header's length in 8 bytes, the header as JSON, the tensors' bytes.
 */
#include "formats/safetensors.h"

#include "base/arena.h"
#include "base/cursor.h"
#include "base/file.h"
#include "base/size.h"
#include "formats/json_reader.h"

#include <stdlib.h>
#include <string.h>

#define MAX_HEADER  ((size_t)32 << 20)
#define MAX_INDEX   ((size_t)64 << 20)
#define MAX_TENSORS 262144
#define MAX_SHARDS  1024
#define MAX_NAME    1024 /* bytes */
#define MEND        "the file is damaged; fetch it again or write it again with safetensors"

static const struct {
    const char *name;
    size_t size; /* 0: known by name only, refused */
} types[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
             {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U8", 1},   {"BOOL", 1}};

typedef struct metadata {
    const char *key, *value;
    struct metadata *next;
} metadata;

typedef struct shard {
    const char *path; /* in messages, and of pct_safetensor.file */
    const char *name; /* in the index */
    pct_map map;
    const unsigned char *data;
    size_t size;
} shard;

struct pct_safetensors {
    pct_arena arena; /* names, metadata, paths */
    shard *shards;
    int32_t shard_count;
    pct_safetensor *tensors; /* sorted by name once open */
    int64_t count, capacity;
    metadata *first, **last;
};

const char *pct_safetensors_type_name(enum pct_safetensors_type type) { return types[type].name; }
size_t pct_safetensors_type_size(enum pct_safetensors_type type) { return types[type].size; }

/* ---- one header ------------------------------------------------------------------------------------------------- */

/* A tensor's description as it is read: which keys there were, and its bytes' place after the header. */
typedef struct described {
    pct_safetensor tensor;
    bool have_type, have_shape, have_place;
    uint64_t begin, end;
} described;

static percept_status keep_text(pct_safetensors *file, const char *text, size_t length, const char *what,
                                const char **out, percept_error *error) {
    if (length == 0 || length > MAX_NAME || memchr(text, 0, length))
        return pct_fail(error, PERCEPT_ERROR_MODEL, "a %s of %zu bytes, or with a NUL in it; 1 to %d are allowed: %s",
                        what, length, MAX_NAME, MEND);
    *out = pct_arena_text(&file->arena, text, length);
    return *out ? PERCEPT_OK : pct_fail_memory(error, what);
}

static percept_status read_type(pct_json_reader *reader, described *d, percept_error *error) {
    const char *text;
    size_t length;
    PCT_TRY(pct_json_read_string(reader, &text, &length, error));
    for (size_t i = 0; i < PCT_COUNT(types); i++) {
        if (strlen(types[i].name) != length || memcmp(text, types[i].name, length) != 0) continue;
        d->tensor.type = (enum pct_safetensors_type)i;
        d->have_type = true;
        return PERCEPT_OK;
    }
    return pct_fail(error, PERCEPT_ERROR_MODEL,
                    "tensor '%s': type '%.*s' is not supported; convert it to F32, F16 or BF16", d->tensor.name,
                    (int)(length > 16 ? 16 : length), text);
}

static percept_status read_shape(pct_json_reader *reader, described *d, percept_error *error) {
    pct_safetensor *tensor = &d->tensor;
    PCT_TRY(pct_json_enter_array(reader, error));
    tensor->dims = 0;
    while (pct_json_next_item(reader, error)) {
        if (tensor->dims == PCT_SAFETENSORS_MAX_DIMS)
            return pct_fail(error, PERCEPT_ERROR_MODEL, "tensor '%s': more than %d dimensions", tensor->name,
                            PCT_SAFETENSORS_MAX_DIMS);
        PCT_TRY(pct_json_read_i64(reader, 0, INT64_MAX, &tensor->shape[tensor->dims++], error));
    }
    d->have_shape = true;
    return pct_json_reader_status(reader);
}

static percept_status read_place(pct_json_reader *reader, described *d, percept_error *error) {
    int64_t place[2];
    int count = 0;
    PCT_TRY(pct_json_enter_array(reader, error));
    while (pct_json_next_item(reader, error)) {
        if (count == 2)
            return pct_fail(error, PERCEPT_ERROR_MODEL, "tensor '%s': data_offsets has more than 2 numbers: %s",
                            d->tensor.name, MEND);
        PCT_TRY(pct_json_read_i64(reader, 0, INT64_MAX, &place[count++], error));
    }
    PCT_TRY(pct_json_reader_status(reader));
    if (count != 2)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "tensor '%s': data_offsets wants 2 numbers: %s", d->tensor.name,
                        MEND);
    d->begin = (uint64_t)place[0];
    d->end = (uint64_t)place[1];
    d->have_place = true;
    return PERCEPT_OK;
}

/* Bytes of the shape against those between the offsets, and both against what the file holds. */
static percept_status place_tensor(described *d, const unsigned char *data, size_t size, percept_error *error) {
    pct_safetensor *tensor = &d->tensor;
    if (!d->have_type || !d->have_shape || !d->have_place)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "tensor '%s': dtype, shape or data_offsets is missing: %s",
                        tensor->name, MEND);
    size_t bytes = types[tensor->type].size;
    bool fits = true;
    tensor->elements = 1;
    for (int i = 0; i < tensor->dims; i++) {
        fits = fits && pct_size_mul(bytes, (size_t)tensor->shape[i], &bytes);
        fits = fits && !__builtin_mul_overflow(tensor->elements, tensor->shape[i], &tensor->elements);
    }
    if (d->begin > d->end || d->end > size)
        return pct_fail(
            error, PERCEPT_ERROR_MODEL,
            "tensor '%s': bytes %llu to %llu of %zu that the file has: it is cut off or damaged; fetch it again",
            tensor->name, (unsigned long long)d->begin, (unsigned long long)d->end, size);
    if (!fits || bytes != d->end - d->begin)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "tensor '%s': its shape and type do not fit its %llu bytes: %s",
                        tensor->name, (unsigned long long)(d->end - d->begin), MEND);
    tensor->data = data + d->begin;
    tensor->size = bytes;
    return PERCEPT_OK;
}

static percept_status add_tensor(pct_safetensors *file, const pct_safetensor *tensor, percept_error *error) {
    if (file->count == MAX_TENSORS)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "more than %d tensors: %s", MAX_TENSORS, MEND);
    if (file->count == file->capacity) {
        int64_t capacity = file->capacity ? 2 * file->capacity : 64;
        pct_safetensor *larger = realloc(file->tensors, (size_t)capacity * sizeof *larger);
        if (!larger) return pct_fail_memory(error, "tensors");
        file->tensors = larger;
        file->capacity = capacity;
    }
    file->tensors[file->count++] = *tensor;
    return PERCEPT_OK;
}

static percept_status read_tensor(pct_safetensors *file, pct_json_reader *reader, const shard *part,
                                  const unsigned char *data, size_t size, percept_error *error) {
    described d = {.tensor = {.file = part->path}};
    PCT_TRY(keep_text(file, reader->string, reader->length, "tensor's name", &d.tensor.name, error));
    PCT_TRY(pct_json_enter_object(reader, error));
    while (pct_json_next_key(reader, error)) {
        if (pct_json_key_is(reader, "dtype")) {
            PCT_TRY(read_type(reader, &d, error));
        } else if (pct_json_key_is(reader, "shape")) {
            PCT_TRY(read_shape(reader, &d, error));
        } else if (pct_json_key_is(reader, "data_offsets")) {
            PCT_TRY(read_place(reader, &d, error));
        } else {
            PCT_TRY(pct_json_skip(reader, error));
        }
    }
    PCT_TRY(pct_json_reader_status(reader));
    PCT_TRY(place_tensor(&d, data, size, error));
    return add_tensor(file, &d.tensor, error);
}

static percept_status read_metadata(pct_safetensors *file, pct_json_reader *reader, percept_error *error) {
    PCT_TRY(pct_json_enter_object(reader, error));
    while (pct_json_next_key(reader, error)) {
        metadata *entry = pct_arena_take_zeroed(&file->arena, 1, sizeof *entry);
        const char *text;
        size_t length;
        if (!entry) return pct_fail_memory(error, "metadata");
        entry->key = pct_arena_text(&file->arena, reader->string, reader->length);
        PCT_TRY(pct_json_read_string(reader, &text, &length, error));
        entry->value = pct_arena_text(&file->arena, text, length);
        if (!entry->key || !entry->value) return pct_fail_memory(error, "metadata");
        *file->last = entry;
        file->last = &entry->next;
    }
    return pct_json_reader_status(reader);
}

static int by_place(const void *a, const void *b) {
    const pct_safetensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size); /* empty ones first */
}

/* The tensors follow each other without gap or overlap, and end with the file. */
static percept_status check_places(pct_safetensor *tensors, int64_t count, const unsigned char *data, size_t size,
                                   percept_error *error) {
    const unsigned char *next = data;
    if (count > 1) qsort(tensors, (size_t)count, sizeof *tensors, by_place);
    for (int64_t i = 0; i < count; i++) {
        if (tensors[i].data != next)
            return pct_fail(error, PERCEPT_ERROR_MODEL,
                            "tensor '%s': its bytes overlap another's, or nobody's lie before them: %s",
                            tensors[i].name, MEND);
        next += tensors[i].size;
    }
    if (next != data + size)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%zu bytes after the last tensor: %s", (size_t)(data + size - next),
                        MEND);
    return PERCEPT_OK;
}

static percept_status read_header(pct_safetensors *file, const shard *part, percept_error *error) {
    pct_cursor at = pct_cursor_over(part->data, part->size);
    const uint64_t length = pct_cursor_u64(&at);
    if (at.failed) return pct_fail(error, PERCEPT_ERROR_MODEL, "not a safetensors file: it has fewer than 8 bytes");
    if (length > MAX_HEADER || length > pct_cursor_left(&at))
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "not a safetensors file, or cut off: a header of %llu bytes in a file of %zu",
                        (unsigned long long)length, part->size);
    const unsigned char *header = pct_cursor_take(&at, (size_t)length), *data = header + length;
    const size_t size = pct_cursor_left(&at);
    const int64_t before = file->count;
    if (length == 0 || header[0] != '{')
        return pct_fail(error, PERCEPT_ERROR_MODEL, "not a safetensors file: its header is no JSON object");
    pct_json_reader reader;
    pct_json_reader_init(&reader, "header", header, (size_t)length);
    percept_status status = pct_json_enter_object(&reader, error);
    while (status == PERCEPT_OK && pct_json_next_key(&reader, error))
        status = pct_json_key_is(&reader, "__metadata__") ? read_metadata(file, &reader, error)
                                                          : read_tensor(file, &reader, part, data, size, error);
    if (status == PERCEPT_OK) status = pct_json_reader_status(&reader);
    if (status == PERCEPT_OK && pct_json_more(&reader))
        status = pct_fail(error, PERCEPT_ERROR_MODEL, "text after the header's object: %s", MEND);
    pct_json_reader_free(&reader);
    PCT_TRY(status);
    pct_safetensor *own = file->tensors ? file->tensors + before : NULL;
    return check_places(own, file->count - before, data, size, error);
}

/* What the JSON reader finds wrong is wrong with the model. */
static percept_status read_shard(pct_safetensors *file, const shard *part, percept_error *error) {
    percept_status status = read_header(file, part, error);
    if (status == PERCEPT_OK) return status;
    pct_error_prefix(error, "%s", part->path);
    return pct_error_of_model(status, error);
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b) {
    return strcmp(((const pct_safetensor *)a)->name, ((const pct_safetensor *)b)->name);
}

static percept_status sort_names(pct_safetensors *file, const char *path, percept_error *error) {
    if (file->count > 0) qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, by_name);
    for (int64_t i = 1; i < file->count; i++) {
        const pct_safetensor *a = &file->tensors[i - 1], *b = &file->tensors[i];
        if (!strcmp(a->name, b->name))
            return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: tensor '%s' is there twice, in %s and %s: %s", path,
                            a->name, a->file, b->file, MEND);
    }
    return PERCEPT_OK;
}

int64_t pct_safetensors_count(const pct_safetensors *file) { return file->count; }

const pct_safetensor *pct_safetensors_at(const pct_safetensors *file, int64_t index) {
    PCT_ASSERT(index >= 0 && index < file->count);
    return &file->tensors[index];
}

const pct_safetensor *pct_safetensors_find(const pct_safetensors *file, const char *name) {
    const pct_safetensor wanted = {.name = name};
    if (file->count == 0) return NULL;
    return bsearch(&wanted, file->tensors, (size_t)file->count, sizeof wanted, by_name);
}

const char *pct_safetensors_metadata(const pct_safetensors *file, const char *key) {
    for (const metadata *entry = file->first; entry; entry = entry->next)
        if (!strcmp(entry->key, key)) return entry->value;
    return NULL;
}

/* ---- shards ----------------------------------------------------------------------------------------------------- */

/* One line of the index: in which shard a tensor is said to be. */
typedef struct said {
    const char *tensor;
    int32_t shard;
    struct said *next;
} said;

/* A file's name without any folder. */
static bool plain_name(const char *name) {
    return *name && !strchr(name, '/') && !strchr(name, '\\') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* The shard of that name, a new one where there is none yet: only then is the name kept. */
static percept_status find_shard(pct_safetensors *file, const char *text, size_t length, int32_t *out,
                                 percept_error *error) {
    const char *name = "";
    for (*out = 0; *out < file->shard_count; ++*out) {
        const char *known = file->shards[*out].name;
        if (strlen(known) == length && !memcmp(known, text, length)) return PERCEPT_OK;
    }
    PCT_TRY(keep_text(file, text, length, "shard's name", &name, error));
    if (!plain_name(name))
        return pct_fail(error, PERCEPT_ERROR_MODEL, "shard '%s' is not the name of a file beside the index: %s", name,
                        MEND);
    if (file->shard_count == MAX_SHARDS)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "more than %d shards: %s", MAX_SHARDS, MEND);
    if (!file->shards) file->shards = calloc(MAX_SHARDS, sizeof *file->shards);
    if (!file->shards) return pct_fail_memory(error, "shards");
    file->shards[file->shard_count++].name = name;
    return PERCEPT_OK;
}

static percept_status read_map(pct_safetensors *file, pct_json_reader *reader, said **lines, percept_error *error) {
    const char *text;
    size_t length;
    int64_t count = 0;
    PCT_TRY(pct_json_enter_object(reader, error));
    while (pct_json_next_key(reader, error)) {
        if (count++ == MAX_TENSORS)
            return pct_fail(error, PERCEPT_ERROR_MODEL, "more than %d tensors in its weight_map: %s", MAX_TENSORS,
                            MEND);
        said *line = pct_arena_take_zeroed(&file->arena, 1, sizeof *line);
        if (!line) return pct_fail_memory(error, "index");
        PCT_TRY(keep_text(file, reader->string, reader->length, "tensor's name", &line->tensor, error));
        PCT_TRY(pct_json_read_string(reader, &text, &length, error));
        PCT_TRY(find_shard(file, text, length, &line->shard, error));
        line->next = *lines;
        *lines = line;
    }
    return pct_json_reader_status(reader);
}

static percept_status read_index(pct_safetensors *file, const char *path, said **lines, percept_error *error) {
    char *data;
    size_t size;
    PCT_TRY(pct_file_read(path, MAX_INDEX, &data, &size, error));
    pct_json_reader reader;
    pct_json_reader_init(&reader, path, data, size);
    percept_status status = pct_json_enter_object(&reader, error);
    while (status == PERCEPT_OK && pct_json_next_key(&reader, error))
        status = pct_json_key_is(&reader, "weight_map") ? read_map(file, &reader, lines, error)
                                                        : pct_json_skip(&reader, error);
    if (status == PERCEPT_OK) status = pct_json_reader_status(&reader);
    const bool named = status == PERCEPT_ERROR_INPUT; /* the JSON reader says where */
    if (status == PERCEPT_OK && file->shard_count == 0)
        status = pct_fail(error, PERCEPT_ERROR_MODEL, "no shards in its weight_map: %s", MEND);
    pct_json_reader_free(&reader);
    free(data);
    if (status != PERCEPT_OK && !named) pct_error_prefix(error, "%s", path);
    if (named) status = PERCEPT_ERROR_MODEL;
    if (error && status != PERCEPT_OK) error->status = status;
    return status;
}

static percept_status open_shard(pct_safetensors *file, shard *part, const char *index, percept_error *error) {
    const char *slash = strrchr(index, '/');
    const size_t folder = slash ? (size_t)(slash - index) + 1 : 0, length = strlen(part->name);
    char *path = pct_arena_take(&file->arena, folder + length + 1);
    if (!path) return pct_fail_memory(error, "path");
    memcpy(path, index, folder);
    memcpy(path + folder, part->name, length + 1);
    part->path = path;
    PCT_TRY(pct_map_open(&part->map, path, error));
    part->data = part->map.data;
    part->size = part->map.size;
    return read_shard(file, part, error);
}

static percept_status open_index(pct_safetensors *file, const char *path, percept_error *error) {
    said *lines = NULL;
    PCT_TRY(read_index(file, path, &lines, error));
    for (int32_t i = 0; i < file->shard_count; i++) PCT_TRY(open_shard(file, &file->shards[i], path, error));
    PCT_TRY(sort_names(file, path, error));
    for (const said *line = lines; line; line = line->next) {
        const pct_safetensor *tensor = pct_safetensors_find(file, line->tensor);
        const char *where = file->shards[line->shard].path;
        if (!tensor || strcmp(tensor->file, where) != 0)
            return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: tensor '%s' is not in %s: fetch that file again", path,
                            line->tensor, where);
    }
    return PERCEPT_OK;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static percept_status open_one(pct_safetensors *file, const char *name, pct_map map, const void *data, size_t size,
                               percept_error *error) {
    file->shards = calloc(1, sizeof *file->shards);
    if (!file->shards) {
        pct_map_close(&map);
        return pct_fail_memory(error, "safetensors");
    }
    file->shard_count = 1;
    shard *part = &file->shards[0];
    *part = (shard){.map = map, .data = data, .size = size};
    part->path = part->name = pct_arena_text(&file->arena, name, strlen(name));
    if (!part->path) return pct_fail_memory(error, "path");
    PCT_TRY(read_shard(file, part, error));
    return sort_names(file, name, error);
}

static pct_safetensors *create(percept_error *error) {
    pct_safetensors *file = calloc(1, sizeof *file);
    if (!file) {
        pct_fail_memory(error, "safetensors");
        return NULL;
    }
    pct_arena_init(&file->arena, (size_t)64 << 10);
    file->last = &file->first;
    return file;
}

percept_status pct_safetensors_open(pct_safetensors **out, const char *path, percept_error *error) {
    const size_t length = strlen(path);
    const bool index = length > 5 && !strcmp(path + length - 5, ".json");
    pct_map map = {0};
    *out = NULL;
    if (!index) PCT_TRY(pct_map_open(&map, path, error));
    pct_safetensors *file = create(error);
    if (!file) {
        pct_map_close(&map);
        return PERCEPT_ERROR_RESOURCE;
    }
    percept_status status =
        index ? open_index(file, path, error) : open_one(file, path, map, map.data, map.size, error);
    if (status != PERCEPT_OK) pct_safetensors_close(&file);
    *out = file;
    return status;
}

percept_status pct_safetensors_open_memory(pct_safetensors **out, const char *name, const void *data, size_t size,
                                           percept_error *error) {
    pct_safetensors *file = *out = create(error);
    if (!file) return PERCEPT_ERROR_RESOURCE;
    percept_status status = open_one(file, name, (pct_map){0}, data, size, error);
    if (status != PERCEPT_OK) pct_safetensors_close(out);
    return status;
}

void pct_safetensors_close(pct_safetensors **handle) {
    pct_safetensors *file = *handle;
    if (!file) return;
    for (int32_t i = 0; i < file->shard_count; i++) pct_map_close(&file->shards[i].map);
    free(file->shards);
    free(file->tensors);
    pct_arena_free(&file->arena);
    free(file);
    *handle = NULL;
}
