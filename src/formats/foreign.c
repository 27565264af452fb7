#include "formats/foreign.h"

#include "base/file.h"
#include "base/size.h"
#include "formats/json.h"
#include "formats/pytorch.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PARTS 1024
#define MAX_INDEX ((size_t)64 << 20)
#define MEND      "the checkpoint is damaged or incomplete; fetch it again"

struct pct_foreign {
    char *path;
    pct_safetensors *safe; /* or NULL */
    pct_pytorch **parts;
    char **paths; /* of the parts */
    int part_count;
    pct_foreign_tensor *tensors;
    int64_t count;
};

static bool ends_with(const char *text, const char *end) {
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

static bool is_torch(const char *name) {
    return ends_with(name, ".bin") || ends_with(name, ".pt") || ends_with(name, ".pth");
}

/* ---- which file ------------------------------------------------------------------------------------------------- */

static const char *const known_names[] = {
    "model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin",
    "adapter_model.safetensors",    "adapter_model.bin",
};
#define KNOWN_NAMES    (sizeof known_names / sizeof *known_names)
#define ADAPTERS_BEGIN 4 /* the names of adapters stand last */

/* The one file of the folder that looks like a checkpoint; NULL with the error set. */
static char *only_file(const char *folder, percept_error *error) {
    char **names = NULL, *path = NULL;
    const char *found = NULL;
    size_t count = 0, matches = 0;
    if (pct_directory_list(folder, &names, &count, error) != PERCEPT_OK) return NULL;
    for (size_t i = 0; i < count; i++) {
        if (!ends_with(names[i], ".safetensors") && !is_torch(names[i])) continue;
        found = names[i];
        matches++;
    }
    if (matches != 1)
        pct_fail(error, PERCEPT_ERROR_INPUT,
                 "%s: %s; wanted model.safetensors, pytorch_model.bin, or one of them in shards with its index", folder,
                 matches ? "several files might be the checkpoint" : "no checkpoint in this folder");
    else if (!(path = pct_path_join(folder, found)))
        pct_fail_memory(error, "path");
    free(names);
    return path;
}

static char *choose_file(const char *path, bool adapters, percept_error *error) {
    char *chosen;
    if (!pct_is_directory(path)) {
        chosen = strdup(path);
        if (!chosen) pct_fail_memory(error, "path");
        return chosen;
    }
    for (size_t i = 0; i < KNOWN_NAMES; i++) {
        chosen = pct_path_join(path, known_names[(i + (adapters ? ADAPTERS_BEGIN : 0)) % KNOWN_NAMES]);
        if (!chosen) {
            pct_fail_memory(error, "path");
            return NULL;
        }
        if (pct_file_exists(chosen)) return chosen;
        free(chosen);
    }
    return only_file(path, error);
}

/* ---- PyTorch's parts -------------------------------------------------------------------------------------------- */

static percept_status open_part(pct_foreign *c, const char *path, percept_error *error) {
    if (c->part_count == MAX_PARTS)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: more than %d shards: " MEND, c->path, MAX_PARTS);
    if (!c->parts) {
        c->parts = calloc(MAX_PARTS, sizeof *c->parts);
        c->paths = calloc(MAX_PARTS, sizeof *c->paths);
        if (!c->parts || !c->paths) return pct_fail_memory(error, "shards");
    }
    char *copy = strdup(path);
    if (!copy) return pct_fail_memory(error, "path");
    c->paths[c->part_count++] = copy;
    return pct_pytorch_open(&c->parts[c->part_count - 1], path, error);
}

/* A shard lies beside its index: no folders in its name. */
static percept_status open_named(pct_foreign *c, const char *index, const char *name, percept_error *error) {
    if (!*name || strchr(name, '/') || strchr(name, '\\') || !strcmp(name, ".") || !strcmp(name, ".."))
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: shard '%s' is not the name of a file beside the index: " MEND,
                        index, name);
    const char *slash = strrchr(index, '/');
    char *folder = slash ? strndup(index, (size_t)(slash - index) + (slash == index)) : strdup(".");
    char *path = folder ? pct_path_join(folder, name) : NULL;
    percept_status status = path ? PERCEPT_OK : pct_fail_memory(error, "path");
    bool open = false;
    for (int i = 0; path && i < c->part_count; i++) open = open || !strcmp(c->paths[i], path);
    if (status == PERCEPT_OK && !open) status = open_part(c, path, error);
    free(folder);
    free(path);
    return status;
}

static percept_status open_index(pct_foreign *c, const char *path, percept_error *error) {
    json_t *index = NULL, *map, *value;
    const char *name;
    percept_status status = pct_json_load(&index, path, MAX_INDEX, error);
    if (status == PERCEPT_OK) {
        status = pct_json_get_object(index, "weight_map", &map, error);
        if (status != PERCEPT_OK) pct_error_prefix(error, "%s", path);
    }
    if (status == PERCEPT_ERROR_INPUT && pct_file_exists(path)) { /* what the JSON reader finds wrong */
        status = PERCEPT_ERROR_MODEL;
        if (error) error->status = status;
    }
    if (status == PERCEPT_OK) {
        json_object_foreach(map, name, value) {
            if (status != PERCEPT_OK) break;
            if (!json_is_string(value))
                status =
                    pct_fail(error, PERCEPT_ERROR_MODEL, "%s: weight_map: '%.80s' names no file: " MEND, path, name);
            else
                status = open_named(c, path, json_string_value(value), error);
        }
        if (status == PERCEPT_OK && c->part_count == 0)
            status = pct_fail(error, PERCEPT_ERROR_MODEL, "%s: no shards in its weight_map: " MEND, path);
    }
    json_decref(index);
    return status;
}

/* ---- one list --------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
    return strcmp(((const pct_foreign_tensor *)a)->name, ((const pct_foreign_tensor *)b)->name);
}

static void list_safe(pct_foreign *c) {
    for (int64_t i = 0; i < pct_safetensors_count(c->safe); i++) {
        const pct_safetensor *t = pct_safetensors_at(c->safe, i);
        pct_foreign_tensor *to = &c->tensors[c->count++];
        *to = (pct_foreign_tensor){t->name, t->type, t->dims, {0}, t->elements, t->file, t, false};
        memcpy(to->shape, t->shape, sizeof to->shape);
    }
}

static void list_part(pct_foreign *c, int part) {
    for (int64_t i = 0; i < pct_pytorch_count(c->parts[part]); i++) {
        const pct_pytorch_tensor *t = pct_pytorch_at(c->parts[part], i);
        pct_foreign_tensor *to = &c->tensors[c->count++];
        *to = (pct_foreign_tensor){t->name, t->type, t->dims, {0}, t->elements, c->paths[part], t, true};
        memcpy(to->shape, t->shape, sizeof to->shape);
    }
}

static percept_status list_tensors(pct_foreign *c, percept_error *error) {
    int64_t total = c->safe ? pct_safetensors_count(c->safe) : 0;
    for (int i = 0; i < c->part_count; i++) total += pct_pytorch_count(c->parts[i]);
    c->tensors = calloc((size_t)total + 1, sizeof *c->tensors);
    if (!c->tensors) return pct_fail_memory(error, "list of tensors");
    if (c->safe) list_safe(c);
    for (int i = 0; i < c->part_count; i++) list_part(c, i);
    qsort(c->tensors, (size_t)c->count, sizeof *c->tensors, by_name);
    for (int64_t i = 1; i < c->count; i++)
        if (!strcmp(c->tensors[i - 1].name, c->tensors[i].name))
            return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: tensor '%s' is there twice, in %s and %s: " MEND, c->path,
                            c->tensors[i].name, c->tensors[i - 1].file, c->tensors[i].file);
    return PERCEPT_OK;
}

static percept_status open_file(pct_foreign *c, const char *file, percept_error *error) {
    if (ends_with(file, ".bin.index.json"))
        PCT_TRY(open_index(c, file, error));
    else if (is_torch(file))
        PCT_TRY(open_part(c, file, error));
    else
        PCT_TRY(pct_safetensors_open(&c->safe, file, error));
    return list_tensors(c, error);
}

static percept_status open_path(pct_foreign **out, const char *path, bool adapters, percept_error *error) {
    *out = NULL;
    char *file = choose_file(path, adapters, error);
    if (!file) return error ? error->status : PERCEPT_ERROR_INPUT;
    pct_foreign *c = calloc(1, sizeof *c);
    percept_status status = PERCEPT_OK;
    if (c) c->path = strdup(path);
    if (!c || !c->path) status = pct_fail_memory(error, "checkpoint");
    if (status == PERCEPT_OK) status = open_file(c, file, error);
    free(file);
    if (status != PERCEPT_OK) pct_foreign_close(&c);
    *out = c;
    return status;
}

percept_status pct_foreign_open(pct_foreign **out, const char *path, percept_error *error) {
    return open_path(out, path, false, error);
}

percept_status pct_foreign_open_adapters(pct_foreign **out, const char *path, percept_error *error) {
    return open_path(out, path, true, error);
}

void pct_foreign_close(pct_foreign **handle) {
    pct_foreign *c = *handle;
    if (!c) return;
    pct_safetensors_close(&c->safe);
    for (int i = 0; i < c->part_count; i++) {
        pct_pytorch_close(&c->parts[i]);
        free(c->paths[i]);
    }
    free(c->parts);
    free(c->paths);
    free(c->tensors);
    free(c->path);
    free(c);
    *handle = NULL;
}

const char *pct_foreign_path(const pct_foreign *checkpoint) { return checkpoint->path; }
int64_t pct_foreign_count(const pct_foreign *checkpoint) { return checkpoint->count; }

const pct_foreign_tensor *pct_foreign_at(const pct_foreign *checkpoint, int64_t index) {
    PCT_ASSERT(index >= 0 && index < checkpoint->count);
    return &checkpoint->tensors[index];
}

const pct_foreign_tensor *pct_foreign_find(const pct_foreign *checkpoint, const char *name) {
    const pct_foreign_tensor wanted = {.name = name};
    return bsearch(&wanted, checkpoint->tensors, (size_t)checkpoint->count, sizeof wanted, by_name);
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

bool pct_foreign_is_float(const pct_foreign_tensor *tensor) {
    return tensor->type == PCT_SAFETENSORS_F64 || tensor->type == PCT_SAFETENSORS_F32 ||
           tensor->type == PCT_SAFETENSORS_F16 || tensor->type == PCT_SAFETENSORS_BF16;
}

static float from_half(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = (half >> 10) & 31, mantissa = half & 1023;
    union {
        uint32_t bits;
        float value;
    } out;
    if (exponent == 0) { /* zero and subnormals: mantissa * 2^-24 */
        const float value = (float)mantissa * 0x1p-24f;
        return sign ? -value : value;
    }
    out.bits = sign | (exponent == 31 ? 0x7F800000u : (exponent + 112) << 23) | mantissa << 13;
    return out.value;
}

/* `count` elements of that type, from bytes that need not be aligned. */
static void widen(enum pct_safetensors_type type, const unsigned char *from, int64_t count, float *out) {
    for (int64_t i = 0; i < count; i++) {
        if (type == PCT_SAFETENSORS_F64) {
            double value;
            memcpy(&value, from + 8 * i, 8);
            out[i] = (float)value;
        } else if (type == PCT_SAFETENSORS_F32) {
            memcpy(out + i, from + 4 * i, 4);
        } else {
            uint16_t half;
            memcpy(&half, from + 2 * i, 2);
            const uint32_t wide = (uint32_t)half << 16;
            if (type == PCT_SAFETENSORS_F16)
                out[i] = from_half(half);
            else
                memcpy(out + i, &wide, 4);
        }
    }
}

void pct_foreign_floats(const pct_foreign_tensor *tensor, int64_t begin, int64_t count, float *out) {
    const size_t size = pct_safetensors_type_size(tensor->type);
    unsigned char piece[4096];
    const int64_t each = (int64_t)(sizeof piece / size);
    PCT_ASSERT(pct_foreign_is_float(tensor));
    PCT_ASSERT(begin >= 0 && count >= 0 && begin <= tensor->elements && count <= tensor->elements - begin);
    if (!tensor->torch) {
        widen(tensor->type, ((const pct_safetensor *)tensor->inside)->data + (size_t)begin * size, count, out);
        return;
    }
    const pct_pytorch_tensor *torch = tensor->inside;
    if (torch->contiguous) {
        widen(tensor->type, torch->data + (size_t)begin * size, count, out);
        return;
    }
    for (int64_t done = 0; done < count; done += each) {
        const int64_t now = count - done < each ? count - done : each;
        pct_pytorch_copy(torch, begin + done, now, piece);
        widen(tensor->type, piece, now, out + done);
    }
}
