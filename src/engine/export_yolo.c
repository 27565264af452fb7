/* export_yolo.c: labels as Ultralytics' segmentation trainers read them.
 *
 * FOLDER/labels/NAME.txt has one line an object: class and one closed ring, x and y as shares of the picture. The
 * format has one ring an object: parts are joined by seams and holes are filled. A picture without objects gets an
 * empty file, which means "nothing here". data.yaml is written last, so that a folder with it is whole. */
#include "base/file.h"
#include "engine/answer_json.h"
#include "engine/export.h"
#include "formats/json.h"
#include "image/mask.h"
#include "image/polygon.h"

#include <math.h>
#include <stdlib.h>

static void add_share(pct_text *text, double value, double whole) {
    double share = whole > 0 ? value / whole : 0;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    pct_text_puts(text, " ");
    pct_text_number(text, rint(share * 1e6) / 1e6);
}

static percept_status add_ring(pct_text *text, const percept_answer *answer, size_t index, percept_error *error) {
    pct_mask mask = {0};
    pct_polygon polygon = {0};
    float *points = NULL;
    size_t count = 0;
    PCT_TRY(pct_answer_mask(answer, index, &mask, error));
    percept_status status = pct_mask_fill_holes(&mask, error);
    if (status == PERCEPT_OK) status = pct_polygon_from_mask(&polygon, &mask, error);
    if (status == PERCEPT_OK) status = pct_polygon_join(&polygon, -1, true, &points, &count, error);
    for (size_t p = 0; status == PERCEPT_OK && p < count; p++) {
        add_share(text, (double)points[2 * p], mask.width);
        add_share(text, (double)points[2 * p + 1], mask.height);
    }
    free(points);
    pct_polygon_free(&polygon);
    pct_mask_free(&mask);
    return status;
}

static percept_status add_line(pct_text *text, const pct_export *job, const percept_answer *answer, size_t index,
                               percept_error *error) {
    const percept_object *object = &answer->objects[index];
    pct_text_printf(text, "%zu", pct_export_category(job, pct_export_label(answer, index)));
    if (object->mask_rle) {
        PCT_TRY(add_ring(text, answer, index, error));
    } else {
        const float xs[4] = {object->box.x0, object->box.x1, object->box.x1, object->box.x0};
        const float ys[4] = {object->box.y0, object->box.y0, object->box.y1, object->box.y1};
        for (int i = 0; i < 4; i++) {
            add_share(text, (double)xs[i], answer->picture->width);
            add_share(text, (double)ys[i], answer->picture->height);
        }
    }
    pct_text_puts(text, "\n");
    return PERCEPT_OK;
}

static percept_status write_text(const char *folder, const char *name, const char *extension, pct_text *text,
                                 percept_error *error) {
    pct_text path = {0};
    pct_text_printf(&path, "%s/%s%s", folder, name, extension);
    percept_status status = PERCEPT_OK;
    if (path.failed || text->failed) status = pct_fail_memory(error, folder);
    if (status == PERCEPT_OK) status = pct_file_write(path.data, text->data ? text->data : "", text->length, error);
    pct_text_free(&path);
    pct_text_clear(text);
    return status;
}

static percept_status write_labels(const pct_export *job, const char *folder, char *const *stems,
                                   percept_error *error) {
    pct_text text = {0};
    percept_status status = PERCEPT_OK;
    for (size_t p = 0; p < job->picture_count && status == PERCEPT_OK; p++) {
        for (size_t a = 0; a < job->count && status == PERCEPT_OK; a++) {
            if (job->picture_of[a] != p) continue;
            const percept_answer *answer = job->answers[a];
            for (size_t i = 0; i < answer->object_count && status == PERCEPT_OK; i++) {
                status = add_line(&text, job, answer, i, error);
            }
        }
        if (status == PERCEPT_OK) status = write_text(folder, stems[p], ".txt", &text, error);
    }
    pct_text_free(&text);
    return status;
}

static percept_status write_index(const pct_export *job, const char *folder, percept_error *error) {
    pct_text text = {0};
    pct_text_puts(&text, "# Written by percept. Put the pictures into images/ beside labels/.\n"
                         "path: .\ntrain: images\nval: images\nnames:\n");
    for (size_t i = 0; i < job->category_count; i++) {
        pct_text_printf(&text, "  %zu: ", i);
        pct_json_add_text(&text, job->categories[i]); /* a JSON string is a YAML string */
        pct_text_puts(&text, "\n");
    }
    if (job->category_count == 0) pct_text_puts(&text, "  {}\n");
    percept_status status = write_text(folder, "data", ".yaml", &text, error);
    pct_text_free(&text);
    return status;
}

percept_status pct_export_yolo_seg(const pct_export *job, const char *path, percept_error *error) {
    char **stems = NULL;
    char *labels = pct_path_join(path, "labels");
    percept_status status = labels ? pct_make_directory(labels, error) : pct_fail_memory(error, path);
    if (status == PERCEPT_OK) status = pct_export_stems(job, &stems, error);
    if (status == PERCEPT_OK) status = write_labels(job, labels, stems, error);
    if (status == PERCEPT_OK) status = write_index(job, path, error);
    pct_export_free_stems(job, stems);
    free(labels);
    return status;
}
