/* dataset_read.c: a mapped data.jsonl, where its lines begin, and its names. One line is parsed at a time. */
#include "base/file.h"
#include "base/size.h"
#include "data/dataset_private.h"
#include "image/decode.h"

#include <stdlib.h>
#include <string.h>

struct line {
    const char *data; /* in the map */
    uint32_t size;
    uint32_t number; /* from 1, blank lines counted */
};
struct pct_dataset {
    char *folder, *path;
    pct_map map;
    struct line *lines;
    int64_t count, capacity;
    struct dataset_names names;
};

static percept_status add_line(pct_dataset *dataset, const char *data, size_t size, int64_t number,
                               percept_error *error) {
    if (size > DATASET_MAX_LINE || number > UINT32_MAX)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "%s:%lld: line of more than %d MB", dataset->path,
                        (long long)number, DATASET_MAX_LINE >> 20);
    if (dataset->count == dataset->capacity) {
        int64_t capacity = dataset->capacity ? dataset->capacity * 2 : 1024;
        struct line *lines = realloc(dataset->lines, (size_t)capacity * sizeof *lines);
        if (!lines) return pct_fail_memory(error, "data set");
        dataset->lines = lines;
        dataset->capacity = capacity;
    }
    dataset->lines[dataset->count++] = (struct line){data, (uint32_t)size, (uint32_t)number};
    return PERCEPT_OK;
}

static percept_status find_lines(pct_dataset *dataset, const char *data, size_t size, percept_error *error) {
    int64_t number = 0;
    for (const char *at = data, *end = data + size; at < end;) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((next ? next : end) - at), blank = 0;
        number++;
        while (blank < length && strchr(" \t\r", at[blank]) && at[blank]) blank++;
        if (blank < length) PCT_TRY(add_line(dataset, at, length, number, error));
        at = next ? next + 1 : end;
    }
    if (dataset->count) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: no picture in it; write one with 'percept scenes'", dataset->path);
}

/* Every line is parsed twice: once for its names, then, with their final order known, for everything. */
static percept_status check_lines(pct_dataset *dataset, percept_error *error) {
    pct_arena arena;
    percept_status status = PERCEPT_OK;
    pct_arena_init(&arena, 0);
    for (int64_t i = 0; i < dataset->count && status == PERCEPT_OK; i++) {
        json_t *line = NULL;
        pct_sample sample;
        status = dataset_parse(dataset->lines[i].data, dataset->lines[i].size, dataset->path, dataset->lines[i].number,
                               &line, error);
        if (status == PERCEPT_OK) status = dataset_collect_names(line, &dataset->names, error);
        if (status == PERCEPT_OK) {
            pct_arena_reset(&arena);
            status = dataset_make_sample(line, NULL, &arena, &sample, error);
        }
        json_decref(line);
        if (status == PERCEPT_ERROR_INPUT && !strstr(error ? error->message : "", dataset->path))
            pct_error_prefix(error, "%s:%u", dataset->path, dataset->lines[i].number);
    }
    pct_arena_free(&arena);
    if (status == PERCEPT_OK) dataset_sort_names(&dataset->names);
    return status;
}

percept_status pct_dataset_over(pct_dataset **out, const char *folder, const char *data, size_t size,
                                percept_error *error) {
    percept_error own = {0};
    if (!error) error = &own;
    pct_dataset *dataset = *out = calloc(1, sizeof *dataset);
    if (!dataset) return pct_fail_memory(error, "data set");
    dataset->folder = strdup(folder);
    dataset->path = pct_path_join(folder, "data.jsonl");
    percept_status status = dataset->folder && dataset->path ? PERCEPT_OK : pct_fail_memory(error, "data set");
    if (status == PERCEPT_OK) status = find_lines(dataset, data, size, error);
    if (status == PERCEPT_OK) status = check_lines(dataset, error);
    if (status != PERCEPT_OK) pct_dataset_close(out);
    return status;
}

percept_status pct_dataset_open(pct_dataset **out, const char *folder, percept_error *error) {
    *out = NULL;
    char *path = pct_path_join(folder, "data.jsonl");
    if (!path) return pct_fail_memory(error, "data set");
    pct_map map = {0};
    percept_status status = pct_map_open(&map, path, error);
    free(path);
    PCT_TRY(status);
    status = pct_dataset_over(out, folder, (const char *)map.data, map.size, error);
    if (status == PERCEPT_OK)
        (*out)->map = map;
    else
        pct_map_close(&map);
    return status;
}

void pct_dataset_close(pct_dataset **out) {
    pct_dataset *dataset = *out;
    if (!dataset) return;
    if (dataset->map.data) pct_map_close(&dataset->map);
    dataset_free_names(&dataset->names);
    free(dataset->lines);
    free(dataset->folder);
    free(dataset->path);
    free(dataset);
    *out = NULL;
}

int64_t pct_dataset_count(const pct_dataset *dataset) { return dataset->count; }
int32_t pct_dataset_names(const pct_dataset *dataset) { return dataset->names.count; }
const char *pct_dataset_name(const pct_dataset *dataset, int32_t name) {
    return name >= 0 && name < dataset->names.count ? dataset->names.items[name] : NULL;
}

/* The picture's pixels, moved into the arena; its size must be what the line says. */
static percept_status read_picture(const pct_dataset *dataset, pct_arena *arena, pct_sample *sample,
                                   percept_error *error) {
    pct_image image = {0};
    char *path = pct_path_join(dataset->folder, sample->file);
    if (!path) return pct_fail_memory(error, "picture");
    percept_status status = pct_image_read(&image, path, NULL, NULL, error);
    free(path);
    PCT_TRY(status);
    if (image.width != sample->image.width || image.height != sample->image.height)
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "%s/%s: is %d x %d, but its line says %d x %d", dataset->folder,
                          sample->file, image.width, image.height, sample->image.width, sample->image.height);
    if (status == PERCEPT_OK) {
        sample->image.data = pct_arena_take(arena, pct_image_bytes(&image));
        if (sample->image.data)
            memcpy(sample->image.data, image.data, pct_image_bytes(&image));
        else
            status = pct_fail_memory(error, "picture");
    }
    pct_image_free(&image);
    return status;
}

percept_status pct_dataset_read_words(const pct_dataset *dataset, int64_t index, pct_arena *arena, pct_sample *sample,
                                      percept_error *error) {
    json_t *line = NULL;
    if (index < 0 || index >= dataset->count)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: picture %lld of %lld", dataset->path, (long long)index,
                        (long long)dataset->count);
    const struct line *at = &dataset->lines[index];
    PCT_TRY(dataset_parse(at->data, at->size, dataset->path, at->number, &line, error));
    percept_status status = dataset_make_sample(line, &dataset->names, arena, sample, error);
    sample->index = (uint64_t)index;
    json_decref(line);
    return status;
}

percept_status pct_dataset_read(const pct_dataset *dataset, int64_t index, pct_arena *arena, pct_sample *sample,
                                percept_error *error) {
    PCT_TRY(pct_dataset_read_words(dataset, index, arena, sample, error));
    return read_picture(dataset, arena, sample, error);
}
