/* export_coco.c: COCO's annotation file and its list of results (cocodataset.org/#format-data, #format-results).
 *
 * `iscrowd` is 0 whatever the encoding of the mask: these are single things. Run lengths and polygons are read back by
 * pycocotools; run lengths give the very same mask. */
#include "base/file.h"
#include "engine/answer_json.h"
#include "engine/export.h"
#include "formats/json.h"
#include "image/polygon.h"

#include <stdlib.h>

static void add_bbox(pct_text *text, const percept_box *box) {
    const double values[4] = {(double)box->x0, (double)box->y0, (double)box->x1 - (double)box->x0,
                              (double)box->y1 - (double)box->y0};
    pct_text_puts(text, "\"bbox\": [");
    for (int i = 0; i < 4; i++) {
        if (i) pct_text_puts(text, ", ");
        pct_json_add_fixed(text, values[i], 1);
    }
    pct_text_puts(text, "]");
}

/* One ring a part, holes entered and left along a seam: COCO's polygons know no holes. */
static percept_status add_rings(pct_text *text, const percept_answer *answer, size_t index, percept_error *error) {
    pct_mask mask = {0};
    pct_polygon polygon = {0};
    PCT_TRY(pct_answer_mask(answer, index, &mask, error));
    percept_status status = pct_polygon_from_mask(&polygon, &mask, error);
    pct_mask_free(&mask);
    pct_text_puts(text, "[");
    for (int32_t part = 0; status == PERCEPT_OK && part < polygon.parts; part++) {
        float *points = NULL;
        size_t count = 0;
        status = pct_polygon_join(&polygon, part, false, &points, &count, error);
        pct_text_puts(text, part ? ", [" : "[");
        for (size_t p = 0; status == PERCEPT_OK && p < count * 2; p++) {
            if (p) pct_text_puts(text, ", ");
            pct_text_number(text, (double)points[p]);
        }
        pct_text_puts(text, "]");
        free(points);
    }
    pct_text_puts(text, "]");
    pct_polygon_free(&polygon);
    return status;
}

/* The mask with its key and a comma after it; nothing for a box alone. */
static percept_status add_segmentation(pct_text *text, const pct_export *job, const percept_answer *answer,
                                       size_t index, percept_error *error) {
    const percept_object *object = &answer->objects[index];
    if (!object->mask_rle) return PERCEPT_OK; /* a box alone */
    pct_text_puts(text, "\"segmentation\": ");
    if (job->masks == PERCEPT_MASK_POLYGON) {
        PCT_TRY(add_rings(text, answer, index, error));
    } else {
        pct_text_printf(text, "{\"size\": [%d, %d], \"counts\": ", answer->picture->height, answer->picture->width);
        pct_json_add_text(text, object->mask_rle);
        pct_text_puts(text, "}");
    }
    pct_text_puts(text, ", ");
    return PERCEPT_OK;
}

static percept_status add_annotation(pct_text *text, const pct_export *job, size_t a, size_t index, int64_t id,
                                     percept_error *error) {
    const percept_answer *answer = job->answers[a];
    const percept_object *object = &answer->objects[index];
    size_t category = pct_export_category(job, pct_export_label(answer, index));
    double area = object->mask_rle ? (double)object->mask_area
                                   : ((double)object->box.x1 - (double)object->box.x0) *
                                         ((double)object->box.y1 - (double)object->box.y0);
    pct_text_printf(text, "%s\n{\"id\": %lld, \"image_id\": %lld, \"category_id\": %zu, ", id > 1 ? "," : "",
                    (long long)id, (long long)job->picture_ids[job->picture_of[a]], category + 1);
    add_bbox(text, &object->box);
    pct_text_puts(text, ", \"area\": ");
    pct_json_add_fixed(text, area, 1);
    pct_text_puts(text, ", \"iscrowd\": 0, ");
    PCT_TRY(add_segmentation(text, job, answer, index, error));
    pct_text_puts(text, "\"score\": ");
    pct_json_add_score(text, object->score);
    pct_text_puts(text, "}");
    return PERCEPT_OK;
}

static void add_head(pct_text *text, const pct_export *job) {
    pct_text_puts(text, "{\"info\": {\"description\": \"percept\"}, \"images\": [");
    for (size_t i = 0; i < job->picture_count; i++) {
        const pct_picture *picture = job->pictures[i];
        pct_text_printf(text, "%s\n{\"id\": %lld, \"file_name\": ", i ? "," : "", (long long)job->picture_ids[i]);
        pct_json_add_text(text, picture->name);
        pct_text_printf(text, ", \"width\": %d, \"height\": %d}", picture->width, picture->height);
    }
    pct_text_puts(text, "],\n\"categories\": [");
    for (size_t i = 0; i < job->category_count; i++) {
        pct_text_printf(text, "%s\n{\"id\": %zu, \"name\": ", i ? "," : "", i + 1);
        pct_json_add_text(text, job->categories[i]);
        pct_text_puts(text, "}");
    }
    pct_text_puts(text, "],\n\"annotations\": [");
}

static percept_status finish(pct_text *text, const char *path, percept_status status, percept_error *error) {
    if (status == PERCEPT_OK && text->failed) status = pct_fail_memory(error, path);
    if (status == PERCEPT_OK) status = pct_file_write(path, text->data, text->length, error);
    pct_text_free(text);
    return status;
}

percept_status pct_export_coco(const pct_export *job, const char *path, percept_error *error) {
    pct_text text = {0};
    percept_status status = PERCEPT_OK;
    int64_t id = 1;
    add_head(&text, job);
    for (size_t a = 0; a < job->count; a++) {
        for (size_t i = 0; i < job->answers[a]->object_count && status == PERCEPT_OK; i++) {
            status = add_annotation(&text, job, a, i, id++, error);
        }
    }
    pct_text_puts(&text, "]}\n");
    return finish(&text, path, status, error);
}

static percept_status add_result(pct_text *text, const pct_export *job, size_t a, size_t index, bool first,
                                 percept_error *error) {
    const percept_answer *answer = job->answers[a];
    const percept_object *object = &answer->objects[index];
    size_t category = pct_export_category(job, pct_export_label(answer, index));
    pct_text_printf(text, "%s\n{\"image_id\": %lld, \"category_id\": %zu, ", first ? "" : ",",
                    (long long)job->picture_ids[job->picture_of[a]], category + 1);
    add_bbox(text, &object->box);
    pct_text_puts(text, ", ");
    PCT_TRY(add_segmentation(text, job, answer, index, error));
    pct_text_puts(text, "\"score\": ");
    pct_json_add_score(text, object->score);
    pct_text_puts(text, "}");
    return PERCEPT_OK;
}

percept_status pct_export_coco_results(const pct_export *job, const char *path, percept_error *error) {
    pct_text text = {0};
    percept_status status = PERCEPT_OK;
    bool first = true;
    pct_export runs = *job;
    runs.masks = PERCEPT_MASK_RLE; /* the evaluation takes nothing else */
    pct_text_puts(&text, "[");
    for (size_t a = 0; a < runs.count; a++) {
        for (size_t i = 0; i < runs.answers[a]->object_count && status == PERCEPT_OK; i++, first = false) {
            status = add_result(&text, &runs, a, i, first, error);
        }
    }
    pct_text_puts(&text, "]\n");
    return finish(&text, path, status, error);
}
