/* components.c: connected parts of a mask and what can be done with them; see mask.h.
 *
 * Parts are found on horizontal runs, joined to the runs of the row above by a union-find: memory and time go with the
 * number of runs, not pixels, and nothing recurses. */
#include "image/mask.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

struct run {
    int32_t x0, x1, y; /* pixels x0..x1-1 of row y */
    int32_t parent;    /* union-find; a root points to itself and is the smallest index of its set */
};

struct runs {
    struct run *items;
    size_t count, capacity;
};

static int32_t find_root(struct run *items, int32_t i) {
    while (items[i].parent != i) {
        items[i].parent = items[items[i].parent].parent;
        i = items[i].parent;
    }
    return i;
}

static void join(struct run *items, int32_t a, int32_t b) {
    a = find_root(items, a);
    b = find_root(items, b);
    if (a < b)
        items[b].parent = a;
    else
        items[a].parent = b;
}

static bool add_run(struct runs *runs, int x0, int x1, int y) {
    if (runs->count == runs->capacity) {
        size_t capacity = runs->capacity ? runs->capacity * 2 : 256;
        struct run *items = capacity <= INT32_MAX ? realloc(runs->items, capacity * sizeof(*items)) : NULL;
        if (!items) return false;
        runs->items = items;
        runs->capacity = capacity;
    }
    runs->items[runs->count] = (struct run){x0, x1, y, (int32_t)runs->count};
    runs->count++;
    return true;
}

/* Runs of `value` in reading order, joined across rows; `reach` 1 joins diagonal neighbours too, 0 does not. */
static bool find_runs(const pct_mask *mask, unsigned char value, int reach, struct runs *runs) {
    size_t above = 0, above_end = 0;
    for (int y = 0; y < mask->height; y++) {
        const unsigned char *row = pct_mask_row(mask, y);
        size_t first = runs->count;
        for (int x = 0; x < mask->width;) {
            const unsigned char *start = memchr(row + x, value, (size_t)(mask->width - x));
            if (!start) break;
            int x0 = (int)(start - row);
            const unsigned char *stop = memchr(start, value ^ 1, (size_t)(mask->width - x0));
            x = stop ? (int)(stop - row) : mask->width;
            if (!add_run(runs, x0, x, y)) return false;
            struct run *items = runs->items;
            while (above < above_end && items[above].x1 + reach <= x0) above++;
            for (size_t k = above; k < above_end && items[k].x0 < x + reach; k++)
                join(items, (int32_t)k, (int32_t)runs->count - 1);
        }
        above = first;
        above_end = runs->count;
    }
    return true;
}

/* Numbers the roots 0, 1, ... in reading order and leaves each run's number in `parent`. */
static int32_t number_parts(struct runs *runs) {
    int32_t parts = 0;
    for (size_t i = 0; i < runs->count; i++) {
        struct run *run = &runs->items[i];
        /* A root is the first of its set, so the parent of any other run has been numbered already. */
        if (run->parent == (int32_t)i)
            run->parent = parts++;
        else
            run->parent = runs->items[run->parent].parent;
    }
    return parts;
}

static void measure_parts(const struct runs *runs, pct_component *parts) {
    for (size_t i = 0; i < runs->count; i++) {
        const struct run *run = &runs->items[i];
        pct_component *part = &parts[run->parent];
        if (part->area == 0) *part = (pct_component){.x0 = run->x0, .y0 = run->y, .x1 = run->x1};
        part->area += run->x1 - run->x0;
        if (run->x0 < part->x0) part->x0 = run->x0;
        if (run->x1 > part->x1) part->x1 = run->x1;
        part->y1 = run->y + 1;
    }
}

percept_status pct_mask_components(const pct_mask *mask, int32_t **labels, pct_component **components, int32_t *count,
                                   percept_error *error) {
    struct runs runs = {0};
    int32_t *map = NULL;
    pct_component *parts = NULL;
    if (labels) *labels = NULL;
    if (components) *components = NULL;
    *count = 0;
    if (!find_runs(mask, 1, 1, &runs)) goto no_memory;
    int32_t n = number_parts(&runs);
    if (labels) {
        if (!(map = calloc(pct_mask_bytes(mask), sizeof(*map)))) goto no_memory;
        for (size_t i = 0; i < runs.count; i++) {
            const struct run *run = &runs.items[i];
            int32_t *row = map + (size_t)run->y * (size_t)mask->width;
            for (int x = run->x0; x < run->x1; x++) row[x] = run->parent + 1;
        }
    }
    if (components && n > 0) {
        if (!(parts = calloc((size_t)n, sizeof(*parts)))) goto no_memory;
        measure_parts(&runs, parts);
    }
    free(runs.items);
    if (labels) *labels = map;
    if (components) *components = parts;
    *count = n;
    return PERCEPT_OK;
no_memory:
    free(runs.items);
    free(map);
    return pct_fail_memory(error, "connected parts of a mask");
}

percept_status pct_mask_fill_holes(pct_mask *mask, percept_error *error) {
    struct runs runs = {0};
    bool *open = NULL;
    bool ok = find_runs(mask, 0, 0, &runs);
    int32_t parts = ok ? number_parts(&runs) : 0;
    if (!ok || (parts > 0 && !(open = calloc((size_t)parts, sizeof(*open))))) {
        free(runs.items);
        return pct_fail_memory(error, "holes of a mask");
    }
    for (size_t i = 0; i < runs.count; i++) {
        const struct run *run = &runs.items[i];
        if (run->x0 == 0 || run->y == 0 || run->x1 == mask->width || run->y == mask->height - 1)
            open[run->parent] = true;
    }
    for (size_t i = 0; i < runs.count; i++) {
        const struct run *run = &runs.items[i];
        if (!open[run->parent]) memset(pct_mask_row(mask, run->y) + run->x0, 1, (size_t)(run->x1 - run->x0));
    }
    free(open);
    free(runs.items);
    return PERCEPT_OK;
}

percept_status pct_mask_drop_specks(pct_mask *mask, int64_t min_area, int32_t *removed, percept_error *error) {
    struct runs runs = {0};
    pct_component *parts = NULL;
    if (removed) *removed = 0;
    bool ok = find_runs(mask, 1, 1, &runs);
    int32_t n = ok ? number_parts(&runs) : 0;
    if (!ok || (n > 0 && !(parts = calloc((size_t)n, sizeof(*parts))))) {
        free(runs.items);
        return pct_fail_memory(error, "specks of a mask");
    }
    if (n > 0) measure_parts(&runs, parts);
    for (size_t i = 0; i < runs.count; i++) {
        const struct run *run = &runs.items[i];
        if (parts[run->parent].area < min_area)
            memset(pct_mask_row(mask, run->y) + run->x0, 0, (size_t)(run->x1 - run->x0));
    }
    if (removed)
        for (int32_t i = 0; i < n; i++) *removed += parts[i].area < min_area;
    free(parts);
    free(runs.items);
    return PERCEPT_OK;
}
