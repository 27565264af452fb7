/* dataset_names.c: the names of a data set: an open-addressing set while lines are read, a sorted list afterwards. */
#include "base/random.h"
#include "data/dataset_private.h"

#include <stdlib.h>
#include <string.h>

static int32_t slot_of(char *const *items, int32_t capacity, const char *text) {
    uint32_t slot = (uint32_t)pct_hash_bytes(text, strlen(text)) & (uint32_t)(capacity - 1);
    while (items[slot] && strcmp(items[slot], text)) slot = (slot + 1) & (uint32_t)(capacity - 1);
    return (int32_t)slot;
}

static percept_status grow(struct dataset_names *names, percept_error *error) {
    int32_t capacity = names->capacity ? names->capacity * 2 : 256;
    char **items = calloc((size_t)capacity, sizeof *items);
    if (!items) return pct_fail_memory(error, "names");
    for (int32_t i = 0; i < names->capacity; i++)
        if (names->items[i]) items[slot_of(items, capacity, names->items[i])] = names->items[i];
    free(names->items);
    names->items = items;
    names->capacity = capacity;
    return PERCEPT_OK;
}

static percept_status add_name(struct dataset_names *names, const char *text, percept_error *error) {
    if (names->count * 2 >= names->capacity) PCT_TRY(grow(names, error));
    int32_t slot = slot_of(names->items, names->capacity, text);
    if (names->items[slot]) return PERCEPT_OK;
    if (names->count == DATASET_MAX_NAMES)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "more than %d different names", DATASET_MAX_NAMES);
    if (!(names->items[slot] = strdup(text))) return pct_fail_memory(error, "names");
    names->count++;
    return PERCEPT_OK;
}

/* Types are checked by dataset_make_sample; what is no text here is passed over. */
percept_status dataset_collect_names(const json_t *line, struct dataset_names *names, percept_error *error) {
    size_t index;
    json_t *one;
    json_array_foreach(json_object_get(line, "objects"), index, one) {
        const char *text = json_string_value(json_object_get(one, "name"));
        if (text) PCT_TRY(add_name(names, text, error));
    }
    json_array_foreach(json_object_get(line, "unsure"), index, one) {
        const char *text = json_string_value(one);
        if (text) PCT_TRY(add_name(names, text, error));
    }
    return PERCEPT_OK;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

void dataset_sort_names(struct dataset_names *names) {
    int32_t count = 0;
    for (int32_t i = 0; i < names->capacity; i++)
        if (names->items[i]) names->items[count++] = names->items[i];
    names->capacity = count;
    if (count) qsort(names->items, (size_t)count, sizeof *names->items, by_text);
}

void dataset_free_names(struct dataset_names *names) {
    for (int32_t i = 0; i < names->capacity; i++) free(names->items[i]);
    free(names->items);
    *names = (struct dataset_names){0};
}

int32_t dataset_find_name(const struct dataset_names *names, const char *text) {
    int32_t low = 0, high = names->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2, order = strcmp(names->items[middle], text);
        if (order == 0) return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
