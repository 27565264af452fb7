/* dataset_line.c: one line of data.jsonl, checked key by key. */
#include "base/size.h"
#include "data/dataset_private.h"
#include "image/mask.h"
#include "image/rle.h"

#include <math.h>
#include <string.h>

struct making {
    const struct dataset_names *names;
    pct_arena *arena;
    pct_sample *sample;
    percept_error *error;
};

percept_status dataset_parse(const char *data, size_t size, const char *path, uint32_t number, json_t **line,
                             percept_error *error) {
    char name[600];
    snprintf(name, sizeof name, "%.560s:%u", path, number); /* jansson's own line within the line is 1 */
    *line = NULL;
    PCT_TRY(pct_json_parse(line, name, data, size, error));
    if (json_is_object(*line)) return PERCEPT_OK;
    json_decref(*line);
    *line = NULL;
    return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: expected an object, {\"image\": ...}", name);
}

static const char *keep(struct making *in, const char *text) { return pct_arena_text(in->arena, text, strlen(text)); }

static percept_status no_memory(struct making *in) { return pct_fail_memory(in->error, "sample"); }

static percept_status expect_objects(struct making *in, const json_t *array, const char *key) {
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!json_is_object(json_array_get(array, i)))
            return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key '%s': entry %zu is no object", key, i);
    return PERCEPT_OK;
}

static percept_status read_box(struct making *in, const json_t *object, pct_box *box) {
    json_t *array;
    double v[4];
    PCT_TRY(pct_json_get_array(object, "box", &array, in->error));
    if (json_array_size(array) != 4)
        return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key 'box': expected four numbers");
    for (size_t i = 0; i < 4; i++) {
        const json_t *number = json_array_get(array, i);
        if (!json_is_number(number))
            return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key 'box': expected four numbers");
        v[i] = json_number_value(number);
    }
    if (!(v[0] >= 0 && v[1] >= 0 && v[0] < v[2] && v[1] < v[3] && v[2] <= in->sample->image.width &&
          v[3] <= in->sample->image.height))
        return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key 'box': expected x0 < x1 and y0 < y1 within 0,0 ... %d,%d",
                        in->sample->image.width, in->sample->image.height);
    *box = (pct_box){(float)v[0], (float)v[1], (float)v[2], (float)v[3]};
    return PERCEPT_OK;
}

/* Boxes that people rounded or drew by hand are a little off; one that is of something else is a mistake. */
#define BOX_SLACK 2 /* pixels */

static percept_status compare_box(struct making *in, pct_box given, pct_box tight) {
    const float apart[] = {given.x0 - tight.x0, given.y0 - tight.y0, given.x1 - tight.x1, given.y1 - tight.y1};
    for (int i = 0; i < 4; i++)
        if (fabsf(apart[i]) > BOX_SLACK)
            return pct_fail(in->error, PERCEPT_ERROR_INPUT,
                            "key 'box': [%g, %g, %g, %g] is more than %d pixels off the mask, which fills [%g, %g, %g, "
                            "%g]; give the mask's own box",
                            (double)given.x0, (double)given.y0, (double)given.x1, (double)given.y1, BOX_SLACK,
                            (double)tight.x0, (double)tight.y0, (double)tight.x1, (double)tight.y1);
    return PERCEPT_OK;
}

/* Decodes the mask into the arena; *box: what it fills. */
static percept_status read_mask(struct making *in, const json_t *object, uint8_t **out, pct_box *box, int32_t *area) {
    static const char *const known[] = {"size", "counts", NULL};
    pct_sample *sample = in->sample;
    json_t *mask = NULL, *size = NULL;
    const char *counts;
    PCT_TRY(pct_json_get_object(object, "mask", &mask, in->error));
    PCT_TRY(pct_json_refuse_unknown(mask, known, in->error));
    PCT_TRY(pct_json_get_array(mask, "size", &size, in->error));
    PCT_TRY(pct_json_get_string(mask, "counts", &counts, in->error));
    if (json_array_size(size) != 2 || json_integer_value(json_array_get(size, 0)) != sample->image.height ||
        json_integer_value(json_array_get(size, 1)) != sample->image.width)
        return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key 'mask.size': expected [%d, %d], the picture's",
                        sample->image.height, sample->image.width);
    pct_mask bits = {0};
    PCT_TRY(
        pct_mask_from_rle_string(&bits, counts, strlen(counts), sample->image.width, sample->image.height, in->error));
    int64_t set = pct_mask_area(&bits);
    *box = pct_mask_box(&bits);
    *area = (int32_t)set;
    *out = pct_arena_take(in->arena, pct_mask_bytes(&bits));
    if (*out) memcpy(*out, bits.data, pct_mask_bytes(&bits));
    pct_mask_free(&bits);
    if (!*out) return no_memory(in);
    return set ? PERCEPT_OK : pct_fail(in->error, PERCEPT_ERROR_INPUT, "key 'mask': is empty; leave the object out");
}

/* The pixels become the object's. Where they have an owner already, every mask is kept apart. */
static bool own(pct_sample *sample, int32_t k, const uint8_t *mask) {
    size_t pixels = (size_t)sample->image.width * (size_t)sample->image.height;
    bool overlap = false;
    for (size_t i = 0; i < pixels; i++) {
        if (!mask[i]) continue;
        overlap |= sample->owner[i] != 0;
        sample->owner[i] = (uint8_t)(k + 1);
    }
    return overlap;
}

static percept_status read_object(struct making *in, const json_t *from, int32_t k, bool *overlap) {
    static const char *const known[] = {"name", "phrases", "box", "mask", "cutout", "style", "visible", "asked", NULL};
    pct_object *object = &in->sample->objects[k];
    const char *name, *label, *style;
    double visible;
    json_t *phrases;
    uint8_t *mask = NULL;
    PCT_TRY(pct_json_refuse_unknown(from, known, in->error));
    PCT_TRY(pct_json_get_string(from, "name", &name, in->error));
    PCT_TRY(pct_json_get_array_or_null(from, "phrases", &phrases, in->error));
    PCT_TRY(pct_json_get_string_or(from, "cutout", "", &label, in->error));
    PCT_TRY(pct_json_get_string_or(from, "style", "user", &style, in->error));
    PCT_TRY(pct_json_get_f64_or(from, "visible", 0, 1, 1, &visible, in->error));
    PCT_TRY(pct_json_get_bool_or(from, "asked", true, &object->asked, in->error));
    if (!*name || strlen(name) >= DATASET_NAME_BYTES)
        return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key 'name': expected 1 to %d bytes", DATASET_NAME_BYTES - 1);
    if (!pct_style_from_text(style, &object->style))
        return pct_fail(in->error, PERCEPT_ERROR_INPUT,
                        "key 'style': expected photo, drawing, noto, openmoji, fluent or user");
    PCT_TRY(read_box(in, from, &object->box));
    pct_box tight;
    PCT_TRY(read_mask(in, from, &mask, &tight, &object->area));
    PCT_TRY(compare_box(in, object->box, tight));
    object->visible = (float)visible;
    object->cutout = -1;
    object->name = in->names ? dataset_find_name(in->names, name) : -1;
    object->text = keep(in, name);
    object->label = keep(in, label);
    object->mask = mask;
    *overlap |= own(in->sample, k, mask);
    return object->text && object->label ? PERCEPT_OK : no_memory(in);
}

static percept_status read_objects(struct making *in, const json_t *line) {
    pct_sample *sample = in->sample;
    json_t *array;
    bool overlap = false;
    PCT_TRY(pct_json_get_array(line, "objects", &array, in->error));
    size_t count = json_array_size(array);
    if (count > PCT_SAMPLE_MAX_OBJECTS)
        return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key 'objects': %zu of them; at most %d", count,
                        PCT_SAMPLE_MAX_OBJECTS);
    if ((int64_t)count * sample->image.width * sample->image.height > DATASET_MAX_MASK_PIXELS)
        return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key 'objects': their masks have more than %d pixels",
                        DATASET_MAX_MASK_PIXELS);
    PCT_TRY(expect_objects(in, array, "objects"));
    sample->owner = pct_arena_take_zeroed(in->arena, (size_t)sample->image.width, (size_t)sample->image.height);
    sample->objects = pct_arena_take_zeroed(in->arena, count, sizeof *sample->objects);
    if (!sample->owner || !sample->objects) return no_memory(in);
    for (size_t k = 0; k < count; k++) {
        percept_status status = read_object(in, json_array_get(array, k), (int32_t)k, &overlap);
        if (status == PERCEPT_ERROR_INPUT) pct_error_prefix(in->error, "objects[%zu]", k);
        PCT_TRY(status);
    }
    sample->object_count = (int32_t)count;
    for (int32_t k = 0; !overlap && k < sample->object_count; k++) sample->objects[k].mask = NULL;
    return PERCEPT_OK;
}

static size_t count_marks(const char *text) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, "<obj>")); at += 5) count++;
    return count;
}

static percept_status read_regions(struct making *in, const json_t *turn, const char *key, const char *text,
                                   const uint8_t **out, uint8_t *out_count) {
    json_t *array;
    PCT_TRY(pct_json_get_array(turn, key, &array, in->error));
    size_t count = json_array_size(array);
    if (count > PCT_SAMPLE_MAX_OBJECTS || count != count_marks(text))
        return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key '%s': %zu regions for %zu <obj> in its text", key, count,
                        count_marks(text));
    uint8_t *regions = pct_arena_take(in->arena, count);
    if (!regions) return no_memory(in);
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i);
        json_int_t region = json_integer_value(value);
        if (!json_is_integer(value) || region < 0 || region >= in->sample->object_count)
            return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key '%s': entry %zu is not the index of an object", key,
                            i);
        regions[i] = (uint8_t)region;
    }
    *out = regions;
    *out_count = (uint8_t)count;
    return PERCEPT_OK;
}

static percept_status read_turn(struct making *in, const json_t *from, int32_t index) {
    static const char *const known[] = {"task",   "q",       "a",        "regions_in", "regions_out",
                                        "target", "follows", "held_out", NULL};
    pct_turn *turn = &in->sample->turns[index];
    const char *task, *question, *answer, *target;
    int64_t follows;
    PCT_TRY(pct_json_refuse_unknown(from, known, in->error));
    PCT_TRY(pct_json_get_string(from, "task", &task, in->error));
    PCT_TRY(pct_json_get_string(from, "q", &question, in->error));
    PCT_TRY(pct_json_get_string(from, "a", &answer, in->error));
    PCT_TRY(pct_json_get_string_or(from, "target", "", &target, in->error));
    PCT_TRY(pct_json_get_i64_or(from, "follows", -1, index - 1, -1, &follows, in->error));
    PCT_TRY(pct_json_get_bool_or(from, "held_out", false, &turn->held_out, in->error));
    if (!pct_task_from_text(task, &turn->task))
        return pct_fail(in->error, PERCEPT_ERROR_INPUT,
                        "key 'task': expected refer, all, absent, name, box2mask, count, relation, describe or "
                        "dialogue");
    PCT_TRY(read_regions(in, from, "regions_in", question, &turn->regions_in, &turn->in_count));
    PCT_TRY(read_regions(in, from, "regions_out", answer, &turn->regions_out, &turn->out_count));
    turn->follows = (int16_t)follows;
    turn->question = keep(in, question);
    turn->answer = keep(in, answer);
    turn->target = keep(in, target);
    int subject = turn->in_count ? turn->regions_in[0] : turn->out_count ? turn->regions_out[0] : -1;
    turn->style = (uint8_t)(subject < 0 ? PCT_STYLE_COUNT : in->sample->objects[subject].style);
    return turn->question && turn->answer && turn->target ? PERCEPT_OK : no_memory(in);
}

static percept_status read_turns(struct making *in, const json_t *line) {
    pct_sample *sample = in->sample;
    json_t *array;
    PCT_TRY(pct_json_get_array(line, "turns", &array, in->error));
    size_t count = json_array_size(array);
    if (count > DATASET_MAX_TURNS)
        return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key 'turns': %zu of them; at most %d", count,
                        DATASET_MAX_TURNS);
    PCT_TRY(expect_objects(in, array, "turns"));
    if (!(sample->turns = pct_arena_take_zeroed(in->arena, count, sizeof *sample->turns))) return no_memory(in);
    for (size_t i = 0; i < count; i++) {
        percept_status status = read_turn(in, json_array_get(array, i), (int32_t)i);
        if (status == PERCEPT_ERROR_INPUT) pct_error_prefix(in->error, "turns[%zu]", i);
        PCT_TRY(status);
    }
    sample->turn_count = (int32_t)count;
    return PERCEPT_OK;
}

/* Ascending, as sample.h promises. Without the list nothing that is not drawn is certain. */
static percept_status read_unsure(struct making *in, const json_t *line) {
    json_t *array;
    PCT_TRY(pct_json_get_array_or_null(line, "unsure", &array, in->error));
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text || !*text || strlen(text) >= DATASET_NAME_BYTES)
            return pct_fail(in->error, PERCEPT_ERROR_INPUT, "key 'unsure': entry %zu is no name", i);
    }
    if (!in->names) return PERCEPT_OK;
    int32_t count = in->names->count, found = 0;
    uint8_t *unsure = pct_arena_take_zeroed(in->arena, (size_t)count, 1);
    int32_t *list = pct_arena_take(in->arena, (size_t)count * sizeof *list);
    if (!unsure || !list) return no_memory(in);
    if (!array) memset(unsure, 1, (size_t)count);
    for (size_t i = 0; i < json_array_size(array); i++) {
        int32_t name = dataset_find_name(in->names, json_string_value(json_array_get(array, i)));
        if (name >= 0) unsure[name] = 1;
    }
    for (int32_t k = 0; k < in->sample->object_count; k++)
        if (in->sample->objects[k].name >= 0) unsure[in->sample->objects[k].name] = 0;
    for (int32_t name = 0; name < count; name++)
        if (unsure[name]) list[found++] = name;
    in->sample->unsure = list;
    in->sample->unsure_count = found;
    return PERCEPT_OK;
}

/* Relative, and never out of the folder. */
static bool safe_path(const char *path) {
    if (!*path || *path == '/' || strlen(path) > 1024) return false;
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, "/");
        if (length == 2 && at[0] == '.' && at[1] == '.') return false;
        at += length;
        if (*at) at++;
    }
    return true;
}

percept_status dataset_make_sample(const json_t *line, const struct dataset_names *names, pct_arena *arena,
                                   pct_sample *sample, percept_error *error) {
    static const char *const known[] = {"image", "width", "height", "split", "objects", "turns", "unsure", NULL};
    struct making in = {names, arena, sample, error};
    const char *file, *split;
    int64_t width, height;
    *sample = (pct_sample){.turns = NULL};
    PCT_TRY(pct_json_refuse_unknown(line, known, error));
    PCT_TRY(pct_json_get_string(line, "image", &file, error));
    PCT_TRY(pct_json_get_i64(line, "width", 1, DATASET_MAX_SIDE, &width, error));
    PCT_TRY(pct_json_get_i64(line, "height", 1, DATASET_MAX_SIDE, &height, error));
    PCT_TRY(pct_json_get_string_or(line, "split", "", &split, error));
    if (width * height > DATASET_MAX_PIXELS)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "keys 'width' and 'height': more than %d pixels",
                        DATASET_MAX_PIXELS);
    if (!safe_path(file))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "key 'image': expected a path inside the data set's folder");
    sample->image = (pct_image){(int)width, (int)height, 3, NULL};
    sample->file = keep(&in, file);
    sample->split = keep(&in, split);
    if (!sample->file || !sample->split) return no_memory(&in);
    PCT_TRY(read_objects(&in, line));
    PCT_TRY(read_turns(&in, line));
    return read_unsure(&in, line);
}
