/* things.c: see things.h. */
#include "base/file.h"
#include "base/random.h"
#include "base/size.h"
#include "base/text.h"
#include "data/assets_private.h"
#include "data/cutouts.h"
#include "data/scene_user.h"
#include "data/things_private.h"
#include "image/encode.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NAME_FILE   4096           /* bytes of a .txt */
#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* which some editors begin a .txt with */

struct reading {
    pct_things *things;
    const pct_log *log;
    struct things_problems problems;
    int32_t thing_capacity, picture_capacity;
    const char *folder;
};

void pct_things_free(pct_things *things) {
    for (int32_t i = 0; i < things->picture_count; i++) {
        free(things->pictures[i].path);
        pct_image_free(&things->pictures[i].image);
    }
    for (int32_t i = 0; i < things->count; i++) free(things->things[i].folder);
    free(things->pictures);
    free(things->things);
    *things = (pct_things){0};
}

/* The .txt beside a picture; *there when it exists. False: it says no name. */
static bool name_beside(const char *path, char name[PCT_NAME_MAX_BYTES], bool *there, percept_status *status,
                        percept_error *error) {
    const char *dot = strrchr(path, '.');
    size_t stem = dot ? (size_t)(dot - path) : strlen(path), size = 0;
    char *beside = malloc(stem + 5), *text = NULL;
    *there = false;
    if (!beside) {
        *status = pct_fail_memory(error, "paths");
        return false;
    }
    memcpy(beside, path, stem);
    memcpy(beside + stem, ".txt", 5);
    bool good = false;
    if (pct_file_exists(beside)) {
        percept_error ignored = {0};
        *there = true;
        if (pct_file_read(beside, MAX_NAME_FILE, &text, &size, &ignored) == PERCEPT_OK) {
            const char *line = text + (strncmp(text, BYTE_ORDER_MARK, 3) == 0 ? 3 : 0);
            text[strcspn(text, "\r\n")] = 0;
            good = pct_name_from_caption(NULL, NULL, line, name);
        }
    }
    free(text);
    free(beside);
    return good;
}

/* Room for one more of `size` bytes each. */
static bool grow(void **items, int32_t count, int32_t *capacity, size_t size) {
    if (count < *capacity) return true;
    int32_t wanted = *capacity ? 2 * *capacity : 64;
    void *larger = realloc(*items, (size_t)wanted * size);
    if (!larger) return false;
    *items = larger;
    *capacity = wanted;
    return true;
}

/* The thing of that name, made when it is new; -1: memory is out. A second sub-folder for one name is a problem. */
static int32_t find_thing(struct reading *in, const char *name, const char *inside, bool by_text) {
    pct_things *things = in->things;
    const char *slash = by_text ? NULL : strrchr(inside, '/');
    int32_t at = 0;
    while (at < things->count && strcmp(things->things[at].text, name) != 0) at++;
    if (at == things->count) {
        if (!grow((void **)&things->things, things->count, &in->thing_capacity, sizeof *things->things)) return -1;
        pct_thing *made = &things->things[things->count++];
        *made = (pct_thing){0};
        memcpy(made->text, name, strlen(name) + 1);
    }
    pct_thing *thing = &things->things[at];
    if (!slash) return at;
    size_t length = (size_t)(slash - inside);
    if (!thing->folder) {
        thing->folder = strndup(inside, length);
        return thing->folder ? at : -1;
    }
    if (strlen(thing->folder) == length && strncmp(thing->folder, inside, length) == 0) return at;
    /* Said once a folder: its first file meets this one's name. */
    things_problem(&in->problems, "%s/%.*s: means \"%s\" as %s/%s does; put pictures of one thing into one folder",
                   in->folder, (int)length, inside, name, in->folder, thing->folder);
    char *again = strndup(inside, length);
    if (!again) return -1;
    free(thing->folder);
    thing->folder = again;
    return at;
}

static percept_status add_picture(struct reading *in, const char *path, int32_t thing, pct_image *image,
                                  percept_error *error) {
    pct_things *things = in->things;
    if (!grow((void **)&things->pictures, things->picture_count, &in->picture_capacity, sizeof *things->pictures))
        return pct_fail_memory(error, "list of pictures");
    pct_thing_picture *one = &things->pictures[things->picture_count];
    uint64_t size = (uint64_t)image->width << 32 | (uint64_t)image->height;
    *one = (pct_thing_picture){.path = strdup(path), .thing = thing, .image = *image};
    one->pixels = pct_hash_u64(size ^ pct_hash_bytes(image->data, pct_image_bytes(image)));
    if (!one->path) return pct_fail_memory(error, "list of pictures");
    *image = (pct_image){0};
    things->picture_count++;
    things->things[thing].pictures++;
    return PERCEPT_OK;
}

/* So that a name is not said to have too few pictures because of one whose own fault was told. */
static percept_status refuse(struct reading *in, const char *name, const char *inside, percept_error *error) {
    int32_t thing = find_thing(in, name, inside, true);
    if (thing < 0) return pct_fail_memory(error, "list of names");
    in->things->things[thing].refused++;
    return PERCEPT_OK;
}

/* A background that cannot be read, or whose list has changed since a run began, is seen here. */
static percept_status visit_ground(struct reading *in, const char *path, const char *inside, percept_error *error) {
    uint64_t *hash = &in->things->ground_hash;
    percept_error why = {0};
    if (strcmp(inside, PCT_THINGS_BACKGROUNDS "/" PCT_BACKGROUNDS_LIST) == 0) {
        char *text = NULL;
        size_t size;
        PCT_TRY(pct_file_read(path, PCT_BACKGROUNDS_LIST_LIMIT, &text, &size, error));
        *hash = pct_hash_u64(*hash ^ pct_hash_bytes(text, size));
        free(text);
    } else if (pct_is_picture(path)) {
        pct_image image = {0};
        const percept_status status = pct_background_read(&image, path, SCENE_USER_GROUND_SIDE, &why);
        if (status == PERCEPT_ERROR_RESOURCE) return pct_fail(error, status, "%s", why.message);
        if (status != PERCEPT_OK)
            things_problem(&in->problems, "%s", why.message);
        else
            *hash = pct_hash_u64(*hash ^ pct_hash_bytes(inside, strlen(inside)) ^
                                 pct_hash_bytes(image.data, pct_image_bytes(&image)));
        pct_image_free(&image);
    }
    return PERCEPT_OK;
}

static percept_status visit(void *context, const char *path, const char *inside, percept_error *error) {
    struct reading *in = context;
    char name[PCT_NAME_MAX_BYTES];
    bool beside = false, jpeg = pct_has_ending(path, ".jpg") || pct_has_ending(path, ".jpeg");
    if (strncmp(inside, PCT_THINGS_BACKGROUNDS "/", strlen(PCT_THINGS_BACKGROUNDS "/")) == 0)
        return visit_ground(in, path, inside, error);
    if (!pct_is_picture(path) && !jpeg) return PERCEPT_OK;
    percept_status status = PERCEPT_OK;
    bool named = name_beside(path, name, &beside, &status, error);
    if (status != PERCEPT_OK) return status;
    if (beside && !named) {
        things_problem(&in->problems, "%s: the .txt beside it gives no name; write one to %d English words", path,
                       PCT_NAME_MAX_WORDS);
        return scene_user_name(inside, name) ? refuse(in, name, inside, error) : PERCEPT_OK;
    }
    if (!beside && !scene_user_name(inside, name)) {
        things_problem(&in->problems,
                       "%s: gives no name; call it, its folder or a .txt beside it by one to %d English words", path,
                       PCT_NAME_MAX_WORDS);
        return PERCEPT_OK;
    }
    if (in->things->picture_count >= PCT_THINGS_MAX_PICTURES) return PERCEPT_OK; /* said at the end */
    pct_image image = {0};
    percept_error why = {0};
    status = jpeg ? pct_fail(&why, PERCEPT_ERROR_INPUT,
                             "%s: a JPEG has no transparent parts; cut the thing out and save it as PNG", path)
                  : pct_cutout_read(&image, path, SCENE_USER_CUTOUT_SIDE, true, &why);
    if (status == PERCEPT_ERROR_RESOURCE) return pct_fail(error, status, "%s", why.message);
    if (status != PERCEPT_OK) {
        things_problem(&in->problems, "%s", why.message);
        return refuse(in, name, inside, error);
    }
    int32_t thing = find_thing(in, name, inside, beside);
    status = thing < 0 ? pct_fail_memory(error, "list of names") : add_picture(in, path, thing, &image, error);
    pct_image_free(&image);
    return status;
}

static int by_text(const void *a, const void *b) {
    return strcmp(((const pct_thing *)a)->text, ((const pct_thing *)b)->text);
}
static int by_thing(const void *a, const void *b) {
    const pct_thing_picture *one = a, *other = b;
    return one->thing != other->thing ? (one->thing > other->thing) - (one->thing < other->thing)
                                      : strcmp(one->path, other->path);
}

/* Sorts the things and brings the pictures along. */
static percept_status sort(pct_things *things, percept_error *error) {
    char(*old)[PCT_NAME_MAX_BYTES] = malloc(((size_t)things->count + 1) * sizeof *old);
    if (!old) return pct_fail_memory(error, "list of names");
    for (int32_t i = 0; i < things->count; i++) memcpy(old[i], things->things[i].text, sizeof *old);
    if (things->count) qsort(things->things, (size_t)things->count, sizeof *things->things, by_text);
    for (int32_t i = 0; i < things->picture_count; i++) {
        pct_thing key;
        memcpy(key.text, old[things->pictures[i].thing], sizeof key.text);
        const pct_thing *at = bsearch(&key, things->things, (size_t)things->count, sizeof key, by_text);
        things->pictures[i].thing = (int32_t)(at - things->things);
    }
    if (things->picture_count)
        qsort(things->pictures, (size_t)things->picture_count, sizeof *things->pictures, by_thing);
    free(old);
    return PERCEPT_OK;
}

/* One problem is the error; of several each is a line in the log. */
static percept_status verdict(const struct reading *in, percept_error *error) {
    const char *line = in->problems.lines.data;
    if (in->problems.lines.failed) return pct_fail_memory(error, "list of problems");
    if (in->problems.count == 0) return PERCEPT_OK;
    if (in->problems.count == 1) return pct_fail(error, PERCEPT_ERROR_INPUT, "%s", line);
    for (int32_t i = 0; i < in->problems.count; i++, line += strlen(line) + 1)
        pct_log_write(in->log, PCT_LOG_WARNING, "%s", line);
    return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: %d things are wrong, nothing was written; the first: %.700s",
                    in->folder, (int)in->problems.count, in->problems.lines.data);
}

static percept_status read_all(struct reading *in, percept_error *error) {
    pct_things *things = in->things;
    PCT_TRY(pct_walk_files(in->folder, visit, in, error));
    PCT_TRY(sort(things, error));
    if (things->count > PCT_THINGS_MAX_NAMES || things->picture_count >= PCT_THINGS_MAX_PICTURES)
        things_problem(&in->problems, "%s: more than %d names or %d pictures; teach fewer at a time", in->folder,
                       PCT_THINGS_MAX_NAMES, PCT_THINGS_MAX_PICTURES - 1);
    else
        things_check(things, &in->problems);
    if (things->picture_count == 0 && in->problems.count == 0)
        things_problem(&in->problems,
                       "%s: holds no cut-out; put PNG, WebP or SVG pictures with transparent parts there", in->folder);
    return verdict(in, error);
}

percept_status pct_things_read(pct_things *things, const char *folder, const pct_log *log, percept_error *error) {
    *things = (pct_things){0};
    if (!pct_is_directory(folder)) return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: is not a folder", folder);
    char *grounds = pct_path_join(folder, PCT_THINGS_BACKGROUNDS);
    if (!grounds) return pct_fail_memory(error, "paths");
    things->backgrounds = pct_is_directory(grounds);
    free(grounds);
    struct reading in = {.things = things, .log = log, .folder = folder};
    percept_status status = read_all(&in, error);
    pct_text_free(&in.problems.lines);
    return status;
}

static percept_status write_one(const pct_things *things, int32_t index, int32_t number, const char *folder,
                                percept_error *error) {
    const pct_thing_picture *picture = &things->pictures[index];
    char name[16];
    snprintf(name, sizeof name, "%03d.png", (int)number);
    char *inner = pct_path_join(folder, things->things[picture->thing].text);
    char *path = inner ? pct_path_join(inner, name) : NULL;
    percept_status status = path ? pct_make_directory(inner, error) : pct_fail_memory(error, "paths");
    if (status == PERCEPT_OK) status = pct_png_write(path, &picture->image, error);
    free(path);
    free(inner);
    return status;
}

percept_status pct_things_write(const pct_things *things, const char *folder, percept_error *error) {
    for (int32_t i = 0, number = 0; i < things->picture_count; i++) {
        number = i && things->pictures[i].thing == things->pictures[i - 1].thing ? number + 1 : 0;
        PCT_TRY(write_one(things, i, number, folder, error));
    }
    return PERCEPT_OK;
}

void pct_things_remove(const pct_things *things, const char *folder) {
    for (int32_t i = 0, number = 0; i < things->picture_count; i++) {
        number = i && things->pictures[i].thing == things->pictures[i - 1].thing ? number + 1 : 0;
        char name[PCT_NAME_MAX_BYTES + 16];
        snprintf(name, sizeof name, "%s/%03d.png", things->things[things->pictures[i].thing].text, (int)number);
        char *path = pct_path_join(folder, name);
        if (path) remove(path);
        free(path);
    }
    for (int32_t i = 0; i < things->count; i++) {
        char *path = pct_path_join(folder, things->things[i].text);
        if (path) remove(path);
        free(path);
    }
    remove(folder);
}

uint64_t pct_things_hash(const pct_things *things) {
    uint64_t hash = 0x7468696e6773u ^ things->ground_hash;
    for (int32_t i = 0; i < things->picture_count; i++) {
        const char *name = things->things[things->pictures[i].thing].text;
        hash = pct_hash_u64(hash ^ pct_hash_bytes(name, strlen(name)) ^ things->pictures[i].pixels);
    }
    return hash;
}
