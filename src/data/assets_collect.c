/* assets_collect.c: which pictures of the packages are cut-outs, and what each is called. */
#include "base/file.h"
#include "base/size.h"
#include "data/assets_private.h"
#include "formats/json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STAMPS       "packages/tuxpaint-stamps-default/usr/share/tuxpaint/stamps"
#define EMOJI        "packages/emoji-datasource-google/package"
#define OPENMOJI     "packages/openmoji/package/color/svg"
#define FLUENT       "packages/fluent-emoji-3d/package/assets"
#define MAX_DEPTH    16
#define MAX_CAPTION  4096
#define MAX_METADATA ((size_t)64 << 20)

void pct_asset_list_free(struct asset_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].path);
        free(list->items[i].label);
    }
    free(list->items);
    *list = (struct asset_list){0};
}

bool pct_has_ending(const char *path, const char *ending) {
    size_t length = strlen(path), n = strlen(ending);
    return length >= n && !strcasecmp(path + length - n, ending);
}

bool pct_is_picture(const char *path) {
    static const char *const endings[] = {".png", ".webp", ".svg", ".jpg", ".jpeg"};
    for (size_t i = 0; i < PCT_COUNT(endings); i++)
        if (pct_has_ending(path, endings[i])) return true;
    return false;
}

static percept_status walk(const char *folder, const char *inside, int depth, pct_file_visit *visit, void *context,
                           percept_error *error) {
    char **names = NULL;
    size_t count = 0;
    if (depth > MAX_DEPTH) return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: folders nest too deep", folder);
    PCT_TRY(pct_directory_list(folder, &names, &count, error));
    percept_status status = PERCEPT_OK;
    for (size_t i = 0; i < count && status == PERCEPT_OK; i++) {
        if (names[i][0] == '.') continue;
        char *path = pct_path_join(folder, names[i]);
        char *below = *inside ? pct_path_join(inside, names[i]) : strdup(names[i]);
        if (!path || !below)
            status = pct_fail_memory(error, "paths");
        else if (pct_is_directory(path))
            status = walk(path, below, depth + 1, visit, context, error);
        else
            status = visit(context, path, below, error);
        free(path);
        free(below);
    }
    free(names);
    return status;
}

percept_status pct_walk_files(const char *folder, pct_file_visit *visit, void *context, percept_error *error) {
    return walk(folder, "", 0, visit, context, error);
}

struct collecting {
    struct asset_list *list;
    const pct_name_rules *rules;
};

/* Takes path over, in any case. */
static percept_status add_asset(struct asset_list *list, char *path, const char *label, const char *name,
                                enum pct_style style, percept_error *error) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 1024;
        struct asset *items = realloc(list->items, capacity * sizeof *items);
        if (!items) {
            free(path);
            return pct_fail_memory(error, "list of pictures");
        }
        list->items = items;
        list->capacity = capacity;
    }
    struct asset *item = &list->items[list->count];
    *item = (struct asset){.path = path, .label = strdup(label), .style = style};
    if (!item->path || !item->label) {
        free(path);
        free(item->label);
        return pct_fail_memory(error, "list of pictures");
    }
    memcpy(item->name, name, strlen(name) + 1);
    list->count++;
    return PERCEPT_OK;
}

/* A stamp is NAME.txt with its caption in the first line, beside NAME.png or NAME.svg. */
static percept_status visit_stamp(void *context, const char *path, const char *inside, percept_error *error) {
    struct collecting *in = context;
    if (!pct_has_ending(path, ".txt")) return PERCEPT_OK;
    static const char *const endings[] = {".png", ".svg"};
    size_t stem = strlen(path) - 4;
    char *picture = NULL;
    for (size_t i = 0; i < PCT_COUNT(endings) && !picture; i++) {
        picture = malloc(stem + 5);
        if (!picture) return pct_fail_memory(error, "paths");
        memcpy(picture, path, stem);
        memcpy(picture + stem, endings[i], 5);
        if (pct_file_exists(picture)) break;
        free(picture);
        picture = NULL;
    }
    if (!picture) return PERCEPT_OK;
    char *caption = NULL, place[512], name[PCT_NAME_MAX_BYTES];
    size_t size = 0;
    if (pct_file_read(path, (size_t)1 << 20, &caption, &size, NULL) != PERCEPT_OK) {
        free(picture);
        return PERCEPT_OK; /* a stamp without a readable caption has no name */
    }
    caption[strcspn(caption, "\n")] = 0;
    in->list->captions++;
    snprintf(place, sizeof place, "stamps/%.*s", (int)(strlen(inside) - 4), inside);
    bool named = pct_name_from_caption(in->rules, place, caption, name);
    free(caption);
    if (!named) {
        free(picture);
        return PERCEPT_OK;
    }
    bool drawn = strstr(inside, "cartoon/") || pct_has_ending(picture, ".svg");
    return add_asset(in->list, picture, place, name, drawn ? PCT_STYLE_DRAWING : PCT_STYLE_PHOTO, error);
}

/* The file of a set for a code such as "2764-FE0F": with and without the variation selector FE0F; NULL if none. */
static char *find_emoji(const char *folder, const char *set, const char *code, bool upper, const char *ending) {
    for (int attempt = 0; attempt < 2; attempt++) {
        char file[128];
        size_t length = 0;
        for (const char *at = code; *at && length < 100; at++) {
            if (attempt == 1 && !strncasecmp(at, "-fe0f", 5)) {
                at += 4;
                continue;
            }
            file[length++] = (char)(upper ? toupper((unsigned char)*at) : tolower((unsigned char)*at));
        }
        snprintf(file + length, sizeof file - length, "%s", ending);
        char *base = pct_path_join(folder, set), *path = base ? pct_path_join(base, file) : NULL;
        free(base);
        if (path && pct_file_exists(path)) return path;
        free(path);
    }
    return NULL;
}

static percept_status add_emoji(struct collecting *in, const char *folder, const char *code, const char *name,
                                percept_error *error) {
    static const struct {
        const char *set, *ending, *label;
        bool upper;
        enum pct_style style;
    } sets[] = {{EMOJI "/img/google/64", ".png", "noto", false, PCT_STYLE_NOTO},
                {OPENMOJI, ".svg", "openmoji", true, PCT_STYLE_OPENMOJI},
                {FLUENT, ".webp", "fluent", false, PCT_STYLE_FLUENT}};
    for (size_t i = 0; i < PCT_COUNT(sets); i++) {
        char *path = find_emoji(folder, sets[i].set, code, sets[i].upper, sets[i].ending), label[160];
        if (!path) continue;
        snprintf(label, sizeof label, "%s/%.100s", sets[i].label, code);
        for (char *at = label; *at; at++) *at = (char)tolower((unsigned char)*at);
        PCT_TRY(add_asset(in->list, path, label, name, sets[i].style, error));
    }
    return PERCEPT_OK;
}

/* All three sets take their names from the one list that comes with emoji-datasource-google. */
static percept_status collect_emoji(struct collecting *in, const char *folder, const char *path, percept_error *error) {
    json_t *all = NULL, *one;
    size_t index;
    PCT_TRY(pct_json_load(&all, path, MAX_METADATA, error));
    percept_status status =
        json_is_array(all) ? PERCEPT_OK : pct_fail(error, PERCEPT_ERROR_INPUT, "%s: expected a list", path);
    json_array_foreach(all, index, one) {
        const char *code, *caption, *group, *subgroup;
        char place[512], name[PCT_NAME_MAX_BYTES];
        if (status != PERCEPT_OK) break;
        status = pct_json_get_string(one, "unified", &code, error);
        if (status == PERCEPT_OK) status = pct_json_get_string(one, "name", &caption, error);
        if (status == PERCEPT_OK) status = pct_json_get_string(one, "category", &group, error);
        if (status == PERCEPT_OK) status = pct_json_get_string(one, "subcategory", &subgroup, error);
        if (status != PERCEPT_OK) {
            pct_error_prefix(error, "%s: entry %zu", path, index);
            break;
        }
        in->list->captions++;
        /* Skin variants stand inside their entry and are never looked at. */
        snprintf(place, sizeof place, "emoji/%s/%s/%s", group, subgroup, caption);
        if (pct_name_from_caption(in->rules, place, caption, name)) status = add_emoji(in, folder, code, name, error);
    }
    json_decref(all);
    return status;
}

static int by_label(const void *a, const void *b) {
    return strcmp(((const struct asset *)a)->label, ((const struct asset *)b)->label);
}

percept_status pct_assets_collect(struct asset_list *list, const char *folder, const pct_name_rules *rules,
                                  const pct_log *log, percept_error *error) {
    struct collecting in = {list, rules};
    *list = (struct asset_list){0};
    char *stamps = pct_path_join(folder, STAMPS), *emoji = pct_path_join(folder, EMOJI "/emoji.json");
    percept_status status = stamps && emoji ? PERCEPT_OK : pct_fail_memory(error, "paths");
    if (status == PERCEPT_OK && pct_is_directory(stamps))
        status = pct_walk_files(stamps, visit_stamp, &in, error);
    else if (status == PERCEPT_OK)
        pct_log_write(log, PCT_LOG_WARNING, "no stamps: %s is missing", stamps);
    if (status == PERCEPT_OK && pct_file_exists(emoji))
        status = collect_emoji(&in, folder, emoji, error);
    else if (status == PERCEPT_OK)
        pct_log_write(log, PCT_LOG_WARNING, "no emoji: %s is missing", emoji);
    free(stamps);
    free(emoji);
    if (status == PERCEPT_OK && list->count == 0)
        status =
            pct_fail(error, PERCEPT_ERROR_INPUT, "%s: no cut-outs; fetch the packages with tools/fetch-data", folder);
    if (status == PERCEPT_OK)
        qsort(list->items, list->count, sizeof *list->items, by_label);
    else
        pct_asset_list_free(list);
    return status;
}
