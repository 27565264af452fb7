/* export_labelme.c: files that the annotation program Labelme opens.
 *
 * One shape of type "polygon" a connected part, the parts of an object bound by `group_id`; holes are entered and left
 * along a seam, because the format has no holes. Objects without mask are rectangles. The picture itself is not put in:
 * imagePath leads to it from where the file stands. */
#include "base/file.h"
#include "engine/answer_json.h"
#include "engine/export.h"
#include "engine/slug.h"
#include "formats/json.h"
#include "image/polygon.h"

#include <stdlib.h>
#include <string.h>

static void begin_shape(pct_text *text, bool first, const char *label) {
    pct_text_puts(text, first ? "\n    {\"label\": " : ",\n    {\"label\": ");
    pct_json_add_text(text, label);
    pct_text_puts(text, ", \"points\": [");
}

static void end_shape(pct_text *text, size_t group, const char *type, float score) {
    pct_text_printf(text, "], \"group_id\": %zu, \"description\": \"score ", group);
    pct_json_add_score(text, score);
    pct_text_printf(text, "\", \"shape_type\": \"%s\", \"flags\": {}, \"mask\": null}", type);
}

static void add_point(pct_text *text, bool first, double x, double y) {
    pct_text_puts(text, first ? "[" : ", [");
    pct_json_add_fixed(text, x, 1);
    pct_text_puts(text, ", ");
    pct_json_add_fixed(text, y, 1);
    pct_text_puts(text, "]");
}

static percept_status add_parts(pct_text *text, const percept_answer *answer, size_t index, size_t group, bool first,
                                percept_error *error) {
    pct_mask mask = {0};
    pct_polygon polygon = {0};
    PCT_TRY(pct_answer_mask(answer, index, &mask, error));
    percept_status status = pct_polygon_from_mask(&polygon, &mask, error);
    pct_mask_free(&mask);
    for (int32_t part = 0; status == PERCEPT_OK && part < polygon.parts; part++) {
        float *points = NULL;
        size_t count = 0;
        status = pct_polygon_join(&polygon, part, false, &points, &count, error);
        begin_shape(text, first && part == 0, pct_export_label(answer, index));
        for (size_t p = 0; status == PERCEPT_OK && p < count; p++) {
            add_point(text, p == 0, (double)points[2 * p], (double)points[2 * p + 1]);
        }
        end_shape(text, group, "polygon", answer->objects[index].score);
        free(points);
    }
    pct_polygon_free(&polygon);
    return status;
}

static percept_status add_object(pct_text *text, const percept_answer *answer, size_t index, size_t group,
                                 percept_error *error) {
    const percept_object *object = &answer->objects[index];
    if (object->mask_rle) return add_parts(text, answer, index, group, group == 0, error);
    begin_shape(text, group == 0, pct_export_label(answer, index));
    add_point(text, true, (double)object->box.x0, (double)object->box.y0);
    add_point(text, false, (double)object->box.x1, (double)object->box.y1);
    end_shape(text, group, "rectangle", object->score);
    return PERCEPT_OK;
}

/* How `target` is reached from `folder`; malloc'd. Where one of them cannot be resolved (a picture that came from
 * memory), the picture's bare name. */
static char *relative_path(const char *folder, const char *target) {
    char *from = realpath(folder, NULL), *to = realpath(target, NULL), *result = NULL;
    if (from && to) {
        size_t same = 0; /* up to and with the last '/' that both have */
        for (size_t i = 0; from[i] && to[i] && from[i] == to[i]; i++) {
            if (from[i] == '/') same = i + 1;
        }
        size_t length = strlen(from);
        if (length > 1 && strncmp(from, to, length) == 0 && to[length] == '/') same = length + 1;
        pct_text text = {0};
        for (size_t i = same; length > 1 && i < length; i++) {
            if (i == same || from[i] == '/') pct_text_puts(&text, "../");
        }
        pct_text_puts(&text, to + same);
        result = pct_text_take(&text);
    } else {
        result = strdup(pct_last_part(target));
    }
    free(from);
    free(to);
    return result;
}

static percept_status add_picture(pct_text *text, const pct_export *job, size_t p, const char *folder,
                                  percept_error *error) {
    const pct_picture *picture = job->pictures[p];
    size_t group = 0;
    pct_text_puts(text, "{\n  \"version\": \"7.0.0\",\n  \"flags\": {},\n  \"shapes\": [");
    for (size_t a = 0; a < job->count; a++) {
        if (job->picture_of[a] != p) continue;
        for (size_t i = 0; i < job->answers[a]->object_count; i++) {
            PCT_TRY(add_object(text, job->answers[a], i, group++, error));
        }
    }
    char *path = relative_path(folder, picture->name);
    if (!path) return pct_fail_memory(error, "path");
    pct_text_puts(text, "],\n  \"imagePath\": ");
    pct_json_add_text(text, path);
    pct_text_printf(text, ",\n  \"imageData\": null,\n  \"imageHeight\": %d,\n  \"imageWidth\": %d\n}\n",
                    picture->height, picture->width);
    free(path);
    return PERCEPT_OK;
}

static percept_status write_picture(const pct_export *job, size_t p, const char *folder, const char *path,
                                    percept_error *error) {
    pct_text text = {0};
    percept_status status = add_picture(&text, job, p, folder, error);
    if (status == PERCEPT_OK && text.failed) status = pct_fail_memory(error, path);
    if (status == PERCEPT_OK) status = pct_file_write(path, text.data, text.length, error);
    pct_text_free(&text);
    return status;
}

static percept_status write_folder(const pct_export *job, const char *folder, percept_error *error) {
    char **stems = NULL;
    PCT_TRY(pct_make_directory(folder, error));
    percept_status status = pct_export_stems(job, &stems, error);
    for (size_t p = 0; p < job->picture_count && status == PERCEPT_OK; p++) {
        pct_text path = {0};
        pct_text_printf(&path, "%s/%s.json", folder, stems[p]);
        status = path.failed ? pct_fail_memory(error, folder) : write_picture(job, p, folder, path.data, error);
        pct_text_free(&path);
    }
    pct_export_free_stems(job, stems);
    return status;
}

percept_status pct_export_labelme(const pct_export *job, const char *path, percept_error *error) {
    size_t length = strlen(path);
    bool is_file = length > 5 && strcmp(path + length - 5, ".json") == 0 && !pct_is_directory(path);
    if (is_file && job->picture_count == 0)
        return PERCEPT_OK; /* no picture could be read: a folder of that name helps nobody */
    if (job->picture_count != 1 || !is_file) return write_folder(job, path, error);
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    percept_status status = folder ? write_picture(job, 0, folder, path, error) : pct_fail_memory(error, path);
    free(folder);
    return status;
}
