/* backgrounds.c: see backgrounds.h. */
#include "data/backgrounds.h"

#include "base/file.h"
#include "base/size.h"
#include "data/assets_private.h"
#include "image/decode.h"
#include "image/resize.h"
#include "image/svg.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LINES 1024

void pct_background_lines_free(struct background_lines *lines) {
    free(lines->items);
    free(lines->text);
    *lines = (struct background_lines){0};
}

void pct_background_list_free(struct background_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].path);
        free(list->items[i].label);
    }
    free(list->items);
    pct_background_lines_free(&list->lines);
    *list = (struct background_list){0};
}

static char *trim(char *text) {
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length && strchr(" \t\r", text[length - 1])) text[--length] = 0;
    return text;
}

static percept_status parse(struct background_lines *lines, const char *name, percept_error *error) {
    int number = 0;
    for (char *at = lines->text; at && *at;) {
        char *next = strchr(at, '\n');
        if (next) *next++ = 0;
        char *text = trim(at);
        at = next;
        number++;
        if (!*text || *text == '#') continue;
        char *colon = strstr(text, " : ");
        if (!colon || lines->count == MAX_LINES)
            return pct_fail(error, PERCEPT_ERROR_INPUT, "%s:%d: expected 'PART-OF-PATH : names' (at most %d lines)",
                            name, number, MAX_LINES);
        *colon = 0;
        char *shows = trim(colon + 3);
        lines->items[lines->count++] = (struct background_line){trim(text), strcmp(shows, "-") ? shows : shows + 1};
    }
    return PERCEPT_OK;
}

percept_status pct_background_lines_read(struct background_lines *lines, const char *path, percept_error *error) {
    size_t size = 0;
    *lines = (struct background_lines){.items = calloc(MAX_LINES, sizeof *lines->items)};
    percept_status status = lines->items ? PERCEPT_OK : pct_fail_memory(error, "list of backgrounds");
    if (status == PERCEPT_OK) status = pct_file_read(path, PCT_BACKGROUNDS_LIST_LIMIT, &lines->text, &size, error);
    if (status == PERCEPT_OK) status = parse(lines, path, error);
    if (status != PERCEPT_OK) pct_background_lines_free(lines);
    return status;
}

/* Whether one of the blank-separated parts stands in the path. The parts are ended by NUL for the search and put back.
 */
static bool matches(char *parts, const char *path) {
    for (char *at = parts; *at;) {
        size_t length = strcspn(at, " ");
        char end = at[length];
        at[length] = 0;
        bool found = strstr(path, at) != NULL;
        at[length] = end;
        if (found) return true;
        at += length;
        at += strspn(at, " ");
    }
    return false;
}

const struct background_line *pct_background_lines_find(const struct background_lines *lines, const char *inside) {
    for (int i = 0; i < lines->count; i++)
        if (matches(lines->items[i].parts, inside)) return &lines->items[i];
    return NULL;
}

static percept_status visit(void *context, const char *path, const char *inside, percept_error *error) {
    struct background_list *list = context;
    if (!pct_is_picture(path) || strstr(inside, "screenshot")) return PERCEPT_OK;
    const struct background_line *line = pct_background_lines_find(&list->lines, inside);
    if (!line) return PERCEPT_OK;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct background_file *items = realloc(list->items, capacity * sizeof *items);
        if (!items) return pct_fail_memory(error, "list of backgrounds");
        list->items = items;
        list->capacity = capacity;
    }
    struct background_file *item = &list->items[list->count];
    *item = (struct background_file){strdup(path), strdup(inside), line->parts, line->shows};
    if (!item->path || !item->label) {
        free(item->path);
        free(item->label);
        return pct_fail_memory(error, "list of backgrounds");
    }
    list->count++;
    return PERCEPT_OK;
}

percept_status pct_backgrounds_collect(struct background_list *list, const char *folder, const char *list_path,
                                       const pct_log *log, percept_error *error) {
    static const char *const packages[] = {"packages/gnome-backgrounds", "packages/mate-backgrounds",
                                           "packages/plasma-workspace-wallpapers"};
    *list = (struct background_list){0};
    percept_status status = pct_background_lines_read(&list->lines, list_path, error);
    for (size_t i = 0; i < PCT_COUNT(packages) && status == PERCEPT_OK; i++) {
        char *path = pct_path_join(folder, packages[i]);
        if (!path)
            status = pct_fail_memory(error, "paths");
        else if (pct_is_directory(path))
            status = pct_walk_files(path, visit, list, error);
        else
            pct_log_write(log, PCT_LOG_WARNING, "no backgrounds: %s is missing", path);
        free(path);
    }
    if (status != PERCEPT_OK) pct_background_list_free(list);
    return status;
}

int32_t pct_background_names(const char *shows, const char *const *names, int32_t name_count,
                             const pct_name_rules *rules, int32_t *out) {
    int32_t count = 0;
    for (int32_t i = 0; i < name_count; i++) {
        bool shown = false;
        for (const char *at = shows; *at && !shown;) {
            char one[PCT_NAME_MAX_BYTES];
            at += strspn(at, " ,");
            size_t length = strcspn(at, ",");
            if (length && length < sizeof one) {
                memcpy(one, at, length);
                one[length] = 0;
                trim(one);
                shown = !strcmp(one, names[i]) || pct_names_related_by_words(one, names[i]) ||
                        pct_names_related_by_rules(rules, one, names[i]);
            }
            at += length;
        }
        if (shown) out[count++] = i;
    }
    return count;
}

percept_status pct_background_read(pct_image *out, const char *path, int side, percept_error *error) {
    pct_image full = {0};
    *out = full;
    pct_decode_options options = {.min_long = side};
    if (pct_has_ending(path, ".svg")) {
        PCT_TRY(pct_svg_read(&full, path, side, error));
        pct_image_flatten(&full, 255, 255, 255);
    } else {
        PCT_TRY(pct_image_read(&full, path, &options, NULL, error));
    }
    int longest = full.width > full.height ? full.width : full.height;
    if (longest <= side) {
        *out = full;
        return PERCEPT_OK;
    }
    int width = (int)((int64_t)full.width * side / longest), height = (int)((int64_t)full.height * side / longest);
    percept_status status = pct_resize_bilinear(out, &full, width ? width : 1, height ? height : 1, error);
    pct_image_free(&full);
    return status;
}
