/* pytorch.c: see pytorch.h. The archive holds PREFIX/data.pkl, and PREFIX/data/KEY for every storage. */
#include "formats/pytorch.h"

#include "base/file.h"
#include "base/size.h"
#include "base/text.h"
#include "formats/pickle.h"
#include "formats/zip.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TENSORS 262144
#define MAX_VISITS  4194304 /* values looked at: shared dicts in shared dicts could multiply */
#define MAX_DEPTH   32
#define MAX_NAME    1024
#define MEND        "the file is damaged; fetch it again or save it again with torch.save"

struct pct_pytorch {
    pct_map map;
    pct_zip zip;
    pct_arena arena;
    char prefix[256];
    pct_pytorch_tensor *tensors; /* sorted by name once open */
    int64_t count, capacity, visits;
};

/* ---- one tensor ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *storage;
    enum pct_safetensors_type type;
} storages[] = {{"DoubleStorage", PCT_SAFETENSORS_F64}, {"FloatStorage", PCT_SAFETENSORS_F32},
                {"HalfStorage", PCT_SAFETENSORS_F16},   {"BFloat16Storage", PCT_SAFETENSORS_BF16},
                {"LongStorage", PCT_SAFETENSORS_I64},   {"IntStorage", PCT_SAFETENSORS_I32},
                {"ShortStorage", PCT_SAFETENSORS_I16},  {"CharStorage", PCT_SAFETENSORS_I8},
                {"ByteStorage", PCT_SAFETENSORS_U8},    {"BoolStorage", PCT_SAFETENSORS_BOOL}};

static percept_status find_storage(const pct_pytorch *file, const pct_pickle_value *storage, pct_pytorch_tensor *tensor,
                                   const pct_zip_entry **entry, percept_error *error) {
    bool known = false;
    for (size_t i = 0; i < PCT_COUNT(storages); i++) {
        if (strcmp(storage->items[0]->text, storages[i].storage) != 0) continue;
        tensor->type = storages[i].type;
        known = true;
    }
    if (!known)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "tensor '%s': its storage is a '%.64s': %s", tensor->name,
                        storage->items[0]->text, MEND);
    char name[512];
    const int length = snprintf(name, sizeof name, "%sdata/%s", file->prefix, storage->items[1]->text);
    *entry = length < (int)sizeof name ? pct_zip_find(&file->zip, name) : NULL;
    if (!*entry)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "tensor '%s': the archive lacks its storage '%.64s': %s",
                        tensor->name, storage->items[1]->text, MEND);
    return PERCEPT_OK;
}

/* Shape and strides, and the last element's place after the first. */
static bool read_layout(const pct_pickle_value *size, const pct_pickle_value *stride, pct_pytorch_tensor *tensor,
                        int64_t *last) {
    if (size->count != stride->count || size->count > PCT_SAFETENSORS_MAX_DIMS) return false;
    tensor->dims = (int)size->count;
    tensor->elements = 1;
    *last = 0;
    for (int i = 0; i < tensor->dims; i++) {
        int64_t far;
        tensor->shape[i] = size->items[i]->integer;
        tensor->stride[i] = stride->items[i]->integer;
        if (tensor->shape[i] < 0 || tensor->stride[i] < 0) return false;
        if (__builtin_mul_overflow(tensor->elements, tensor->shape[i], &tensor->elements)) return false;
        if (tensor->shape[i] == 0) continue;
        if (__builtin_mul_overflow(tensor->shape[i] - 1, tensor->stride[i], &far)) return false;
        if (__builtin_add_overflow(*last, far, last)) return false;
    }
    tensor->contiguous = true;
    if (tensor->elements == 0) return true; /* and the other dimensions' product may be anything */
    int64_t next = 1;
    for (int i = tensor->dims; i-- > 0; next *= tensor->shape[i])
        if (tensor->shape[i] != 1 && tensor->stride[i] != next) tensor->contiguous = false;
    return true;
}

static percept_status add_tensor(pct_pytorch *file, const char *name, const pct_pickle_value *value,
                                 percept_error *error) {
    pct_pytorch_tensor tensor = {.name = pct_arena_text(&file->arena, name, strlen(name))};
    const int64_t offset = value->items[1]->integer;
    const pct_zip_entry *entry;
    int64_t last, end;
    if (!tensor.name) return pct_fail_memory(error, "tensor's name");
    PCT_TRY(find_storage(file, value->items[0], &tensor, &entry, error));
    if (!read_layout(value->items[2], value->items[3], &tensor, &last))
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "tensor '%s': a shape or strides that make no sense, or more than %d dimensions: %s", name,
                        PCT_SAFETENSORS_MAX_DIMS, MEND);
    const size_t each = pct_safetensors_type_size(tensor.type);
    const int64_t held = (int64_t)(entry->size / each);
    if (offset < 0 || offset > held ||
        (tensor.elements > 0 && (__builtin_add_overflow(offset, last, &end) || end >= held)))
        return pct_fail(
            error, PERCEPT_ERROR_MODEL,
            "tensor '%s': its elements lie outside its storage of %lld: it is cut off or damaged; fetch it again", name,
            (long long)held);
    tensor.data = entry->data + (size_t)offset * each;
    if (file->count == MAX_TENSORS)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "more than %d tensors: %s", MAX_TENSORS, MEND);
    if (file->count == file->capacity) {
        const int64_t capacity = file->capacity ? 2 * file->capacity : 64;
        pct_pytorch_tensor *larger = realloc(file->tensors, (size_t)capacity * sizeof *larger);
        if (!larger) return pct_fail_memory(error, "tensors");
        file->tensors = larger;
        file->capacity = capacity;
    }
    file->tensors[file->count++] = tensor;
    return PERCEPT_OK;
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

static percept_status visit(pct_pytorch *file, const pct_pickle_value *value, char *name, size_t length, int depth,
                            percept_error *error);

/* The value under the container's name and a point, which stand in name[0..length). */
static percept_status visit_item(pct_pytorch *file, const pct_pickle_value *key, int64_t index,
                                 const pct_pickle_value *value, char *name, size_t length, int depth,
                                 percept_error *error) {
    const char *point = length > 0 ? "." : "";
    int added = 0;
    if (!key || key->kind == PCT_PICKLE_INT)
        added = snprintf(name + length, MAX_NAME - length, "%s%lld", point, (long long)(key ? key->integer : index));
    else if (key->kind == PCT_PICKLE_STRING)
        added = snprintf(name + length, MAX_NAME - length, "%s%s", point, key->text);
    else
        return PERCEPT_OK; /* a key that makes no name */
    if (added < 0 || (size_t)added >= MAX_NAME - length)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "a tensor's name of more than %d bytes: %s", MAX_NAME - 1, MEND);
    return visit(file, value, name, length + (size_t)added, depth + 1, error);
}

static percept_status visit(pct_pytorch *file, const pct_pickle_value *value, char *name, size_t length, int depth,
                            percept_error *error) {
    if (++file->visits > MAX_VISITS || depth > MAX_DEPTH)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "dicts in dicts without end: %s", MEND);
    name[length] = 0;
    switch (value->kind) {
    case PCT_PICKLE_TENSOR:
        return add_tensor(file, name, value, error);
    case PCT_PICKLE_DICT:
        for (int64_t i = 0; i + 1 < value->count; i += 2)
            PCT_TRY(visit_item(file, value->items[i], 0, value->items[i + 1], name, length, depth, error));
        return PERCEPT_OK;
    case PCT_PICKLE_LIST:
    case PCT_PICKLE_TUPLE:
        for (int64_t i = 0; i < value->count; i++)
            PCT_TRY(visit_item(file, NULL, i, value->items[i], name, length, depth, error));
        return PERCEPT_OK;
    default:
        return PERCEPT_OK;
    }
}

/* PREFIX/data.pkl; the prefix is the archive's one folder. */
static const pct_zip_entry *find_pickle(pct_pytorch *file) {
    for (int64_t i = 0; i < file->zip.count; i++) {
        const char *name = file->zip.entries[i].name, *slash = strchr(name, '/');
        if (!slash || strcmp(slash + 1, "data.pkl") != 0) continue;
        const size_t length = (size_t)(slash - name) + 1;
        if (length >= sizeof file->prefix) return NULL;
        memcpy(file->prefix, name, length);
        return &file->zip.entries[i];
    }
    return NULL;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const pct_pytorch_tensor *)a)->name, ((const pct_pytorch_tensor *)b)->name);
}

static percept_status read_archive(pct_pytorch *file, const unsigned char *data, size_t size, percept_error *error) {
    char order[300], name[MAX_NAME];
    if (size >= 2 && data[0] == 0x80 && data[1] <= 5)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "a checkpoint of PyTorch before 1.6: load it and save it again with torch.save");
    PCT_TRY(pct_zip_open(&file->zip, data, size, error));
    const pct_zip_entry *pickle = find_pickle(file);
    if (!pickle)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "no data.pkl in the archive: it is no checkpoint of torch.save");
    snprintf(order, sizeof order, "%sbyteorder", file->prefix);
    const pct_zip_entry *byteorder = pct_zip_find(&file->zip, order);
    if (byteorder && (byteorder->size != 6 || memcmp(byteorder->data, "little", 6) != 0))
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "its numbers are not little-endian: save it again on such a machine");
    pct_pickle_value *value;
    PCT_TRY(pct_pickle_read(pickle->data, pickle->size, &file->arena, &value, error));
    PCT_TRY(visit(file, value, name, 0, 0, error));
    if (file->count > 0) qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, by_name);
    for (int64_t i = 1; i < file->count; i++)
        if (!strcmp(file->tensors[i - 1].name, file->tensors[i].name))
            return pct_fail(error, PERCEPT_ERROR_MODEL, "tensor '%s' is there twice: %s", file->tensors[i].name, MEND);
    return PERCEPT_OK;
}

static percept_status open_bytes(pct_pytorch **out, const char *name, pct_map map, const void *data, size_t size,
                                 percept_error *error) {
    pct_pytorch *file = *out = calloc(1, sizeof *file);
    if (!file) {
        pct_map_close(&map);
        return pct_fail_memory(error, "checkpoint");
    }
    file->map = map;
    pct_arena_init(&file->arena, (size_t)64 << 10);
    percept_status status = read_archive(file, data, size, error);
    if (status != PERCEPT_OK) {
        pct_error_prefix(error, "%s", name);
        pct_pytorch_close(out);
    }
    return status;
}

percept_status pct_pytorch_open(pct_pytorch **file, const char *path, percept_error *error) {
    pct_map map;
    *file = NULL;
    PCT_TRY(pct_map_open(&map, path, error));
    return open_bytes(file, path, map, map.data, map.size, error);
}

percept_status pct_pytorch_open_memory(pct_pytorch **file, const char *name, const void *data, size_t size,
                                       percept_error *error) {
    return open_bytes(file, name, (pct_map){0}, data, size, error);
}

void pct_pytorch_close(pct_pytorch **handle) {
    pct_pytorch *file = *handle;
    if (!file) return;
    pct_zip_close(&file->zip);
    pct_map_close(&file->map);
    pct_arena_free(&file->arena);
    free(file->tensors);
    free(file);
    *handle = NULL;
}

int64_t pct_pytorch_count(const pct_pytorch *file) { return file->count; }

const pct_pytorch_tensor *pct_pytorch_at(const pct_pytorch *file, int64_t index) {
    PCT_ASSERT(index >= 0 && index < file->count);
    return &file->tensors[index];
}

const pct_pytorch_tensor *pct_pytorch_find(const pct_pytorch *file, const char *name) {
    const pct_pytorch_tensor wanted = {.name = name};
    if (file->count == 0) return NULL;
    return bsearch(&wanted, file->tensors, (size_t)file->count, sizeof wanted, by_name);
}

void pct_pytorch_copy(const pct_pytorch_tensor *tensor, int64_t begin, int64_t count, void *out) {
    const size_t each = pct_safetensors_type_size(tensor->type);
    PCT_ASSERT(begin >= 0 && count >= 0 && begin <= tensor->elements && count <= tensor->elements - begin);
    if (count == 0) return;
    if (tensor->contiguous) {
        memcpy(out, tensor->data + (size_t)begin * each, (size_t)count * each);
        return;
    }
    int64_t index[PCT_SAFETENSORS_MAX_DIMS], left = begin, at = 0;
    for (int d = tensor->dims; d-- > 0; left /= tensor->shape[d]) {
        index[d] = left % tensor->shape[d];
        at += index[d] * tensor->stride[d];
    }
    for (unsigned char *to = out; count-- > 0; to += each) {
        memcpy(to, tensor->data + (size_t)at * each, each);
        for (int d = tensor->dims; d-- > 0;) {
            at += tensor->stride[d];
            if (++index[d] < tensor->shape[d]) break;
            at -= index[d] * tensor->stride[d];
            index[d] = 0;
        }
    }
}
