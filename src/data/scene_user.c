/* scene_user.c: see scene_user.h. */
#include "data/scene_user.h"

#include "base/file.h"
#include "base/size.h"
#include "data/assets_private.h"
#include "data/cutouts.h"
#include "data/pack.h"

#include <stdlib.h>
#include <string.h>

#define SAME_BITS 3 /* of the hash, as in assets.c */

void scene_user_free(struct scene_user_list *list) {
    for (int32_t i = 0; i < list->count; i++) {
        free(list->items[i].path);
        free(list->items[i].label);
    }
    free(list->items);
    pct_background_lines_free(&list->lines);
    *list = (struct scene_user_list){0};
}

/* "red_apple-2.png" or "red apple/photo.png" -> "red apple". */
bool scene_user_name(const char *inside, char name[PCT_NAME_MAX_BYTES]) {
    char caption[256];
    const char *slash = strrchr(inside, '/'), *start = inside;
    size_t length = strlen(inside);
    if (slash) {
        length = (size_t)(slash - inside);
        while (length && memchr(start, '/', length)) {
            const char *next = (const char *)memchr(start, '/', length) + 1;
            length -= (size_t)(next - start);
            start = next;
        }
    } else {
        const char *dot = strrchr(inside, '.');
        if (dot) length = (size_t)(dot - inside);
        while (length && strchr("0123456789-_ ()", start[length - 1])) length--;
    }
    snprintf(caption, sizeof caption, "%.*s", (int)length, start);
    return pct_name_from_caption(NULL, NULL, caption, name);
}

static percept_status read_user_file(struct scene_user_list *list, struct scene_user_file *file, const char *path,
                                     percept_error *error) {
    if (list->grounds) {
        PCT_TRY(pct_background_read(&file->picture, path, SCENE_USER_GROUND_SIDE, error));
        pct_image_hashes(&file->picture, &file->hash, &file->mirrored);
        return PERCEPT_OK;
    }
    pct_image image = {0};
    PCT_TRY(pct_cutout_read(&image, path, SCENE_USER_CUTOUT_SIDE, true, error));
    pct_image_hashes(&image, &file->hash, &file->mirrored);
    percept_status status = pct_sprite_make(&file->sprite, &image, error);
    pct_image_free(&image);
    return status;
}

static percept_status visit_user(void *context, const char *path, const char *inside, percept_error *error) {
    struct scene_user_list *list = context;
    if (!pct_is_picture(path)) return PERCEPT_OK;
    if (list->count == list->capacity) {
        int32_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct scene_user_file *items = realloc(list->items, (size_t)capacity * sizeof *items);
        if (!items) return pct_fail_memory(error, "list of pictures");
        list->items = items;
        list->capacity = capacity;
    }
    struct scene_user_file *file = &list->items[list->count];
    *file = (struct scene_user_file){0};
    if (!list->grounds && !scene_user_name(inside, file->name)) {
        snprintf(list->refused, sizeof list->refused, "%s: gives no name of at most %d English words", path,
                 PCT_NAME_MAX_WORDS);
        return PERCEPT_OK;
    }
    percept_error why = {0};
    percept_status status = read_user_file(list, file, path, &why);
    if (status == PERCEPT_ERROR_RESOURCE) return pct_fail(error, status, "%s", why.message);
    if (status != PERCEPT_OK) {
        snprintf(list->refused, sizeof list->refused, "%.380s", why.message);
        return PERCEPT_OK;
    }
    file->path = strdup(path);
    file->label = malloc(strlen(inside) + 6);
    if (file->label) sprintf(file->label, "user/%s", inside);
    list->count++;
    const struct background_line *line = pct_background_lines_find(&list->lines, inside);
    file->group = line ? line->parts : file->label;
    file->shows = line ? line->shows : "";
    return file->path && file->label ? PERCEPT_OK : pct_fail_memory(error, "list of pictures");
}

/* Those that look alike are brought into the earlier one's group, with all of the later one's. Pictures with next to no
 * structure (plain colours, gradients) have hashes that say nothing and are left apart. */
static void join_alike(struct scene_user_list *list) {
    for (int32_t i = 0; i < list->count; i++) {
        int structure = __builtin_popcountll(list->items[i].hash);
        for (int32_t k = 0; k < i && structure >= 4 && structure <= 60; k++) {
            if (__builtin_popcountll(list->items[i].hash ^ list->items[k].hash) > SAME_BITS) continue;
            const char *from = list->items[i].group, *to = list->items[k].group;
            for (int32_t j = 0; j < list->count; j++)
                if (list->items[j].group == from) list->items[j].group = to;
        }
    }
}

percept_status scene_user_read(struct scene_user_list *list, const char *folder, bool grounds, percept_error *error) {
    *list = (struct scene_user_list){.grounds = grounds};
    if (!folder) return PERCEPT_OK;
    if (!pct_is_directory(folder)) return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: is not a folder", folder);
    char *shown = grounds ? pct_path_join(folder, PCT_BACKGROUNDS_LIST) : NULL;
    percept_status status = grounds && !shown ? pct_fail_memory(error, "paths") : PERCEPT_OK;
    if (shown && pct_file_exists(shown)) status = pct_background_lines_read(&list->lines, shown, error);
    free(shown);
    PCT_TRY(status);
    PCT_TRY(pct_walk_files(folder, visit_user, list, error));
    if (grounds) join_alike(list);
    if (list->count) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: holds no usable %s (PNG, WebP or SVG%s)%s%s", folder,
                    grounds ? "background" : "cut-out", grounds ? ", JPEG" : " with transparent parts",
                    *list->refused ? "; last refused: " : "", list->refused);
}
