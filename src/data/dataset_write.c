/* dataset_write.c: see dataset.h. */
#include "base/file.h"
#include "base/text.h"
#include "data/dataset.h"
#include "formats/json.h"
#include "image/encode.h"
#include "image/rle.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 64 }; /* of a picture's file */

struct pct_dataset_writer {
    char *folder;
    int jpeg_quality;
    const pct_scene_source *source;
    pct_writer lines, coco;
    pct_text line;     /* reused */
    pct_text pictures; /* COCO "images" */
    pct_text names;    /* COCO "categories" */
    char **categories; /* in order of first appearance; owned */
    int32_t category_count, category_capacity;
    int64_t count, begun; /* pictures with their line; pictures that may have a file */
    int64_t annotation_count;
    bool folder_made, finished;
    unsigned char *mask; /* reused */
    size_t mask_capacity;
};

static percept_status open_file(pct_writer *out, const char *folder, const char *name, percept_error *error) {
    char *path = pct_path_join(folder, name);
    if (!path) return pct_fail_memory(error, "data set");
    percept_status status = pct_writer_open(out, path, error);
    free(path);
    return status;
}

percept_status pct_dataset_writer_open(pct_dataset_writer **out, const char *folder, int jpeg_quality,
                                       const pct_scene_source *source, percept_error *error) {
    pct_dataset_writer *writer = *out = calloc(1, sizeof *writer);
    if (!writer) return pct_fail_memory(error, "data set");
    writer->folder = strdup(folder);
    writer->jpeg_quality = jpeg_quality;
    writer->source = source;
    char *images = pct_path_join(folder, "images");
    percept_status status = writer->folder && images ? PERCEPT_OK : pct_fail_memory(error, "data set");
    if (status == PERCEPT_OK && (jpeg_quality < 0 || jpeg_quality > 100))
        status = pct_fail(error, PERCEPT_ERROR_USAGE, "JPEG quality %d: must lie in 1 ... 100, or be 0 for PNG",
                          jpeg_quality);
    writer->folder_made = status == PERCEPT_OK && !pct_file_exists(folder);
    if (status == PERCEPT_OK) status = pct_make_directory(images, error);
    if (status == PERCEPT_OK) status = open_file(&writer->lines, folder, "data.jsonl", error);
    if (status == PERCEPT_OK) status = open_file(&writer->coco, folder, "annotations.json", error);
    if (status == PERCEPT_OK) fputs("{\"annotations\":[", writer->coco.file);
    free(images);
    if (status != PERCEPT_OK) pct_dataset_writer_abort(out);
    return status;
}

static percept_status category(pct_dataset_writer *writer, const char *name, int32_t *id, percept_error *error) {
    for (*id = 0; *id < writer->category_count; ++*id)
        if (!strcmp(writer->categories[*id], name)) return PERCEPT_OK;
    if (writer->category_count == writer->category_capacity) {
        int32_t capacity = writer->category_capacity ? writer->category_capacity * 2 : 64;
        char **categories = realloc(writer->categories, (size_t)capacity * sizeof *categories);
        if (!categories) return pct_fail_memory(error, "data set");
        writer->categories = categories;
        writer->category_capacity = capacity;
    }
    if (!(writer->categories[*id] = strdup(name))) return pct_fail_memory(error, "data set");
    writer->category_count++;
    pct_text_printf(&writer->names, "%s{\"id\":%d,\"name\":", *id ? "," : "", *id + 1);
    pct_json_add_text(&writer->names, name);
    pct_text_puts(&writer->names, "}");
    return PERCEPT_OK;
}

static void add_numbers(pct_text *text, const char *key, const uint8_t *numbers, int count) {
    pct_text_printf(text, ",\"%s\":[", key);
    for (int i = 0; i < count; i++) pct_text_printf(text, "%s%d", i ? "," : "", numbers[i]);
    pct_text_puts(text, "]");
}

static void add_box(pct_text *text, const char *key, float a, float b, float c, float d) {
    const float numbers[4] = {a, b, c, d};
    pct_text_printf(text, ",\"%s\":[", key);
    for (int i = 0; i < 4; i++) {
        if (i) pct_text_puts(text, ",");
        pct_text_number(text, (double)numbers[i]);
    }
    pct_text_puts(text, "]");
}

static percept_status add_object(pct_dataset_writer *writer, const pct_sample *sample, int32_t k,
                                 percept_error *error) {
    const pct_object *object = &sample->objects[k];
    pct_mask mask = {sample->image.width, sample->image.height, writer->mask};
    pct_text *line = &writer->line;
    char *counts = NULL;
    int32_t id;
    pct_sample_mask(sample, k, writer->mask);
    PCT_TRY(category(writer, object->text, &id, error));
    PCT_TRY(pct_mask_to_rle_string(&mask, &counts, error));
    pct_text_puts(line, k ? ",{\"name\":" : "{\"name\":");
    pct_json_add_text(line, object->text);
    pct_text_puts(line, ",\"phrases\":[]");
    add_box(line, "box", object->box.x0, object->box.y0, object->box.x1, object->box.y1);
    pct_text_printf(line, ",\"mask\":{\"size\":[%d,%d],\"counts\":", mask.height, mask.width);
    pct_json_add_text(line, counts);
    pct_text_puts(line, "},\"cutout\":");
    pct_json_add_text(line, object->label);
    pct_text_printf(line, ",\"style\":\"%s\",\"visible\":", pct_style_text(object->style));
    pct_text_number(line, (double)object->visible);
    pct_text_printf(line, ",\"asked\":%s}", object->asked ? "true" : "false");

    pct_text coco = {0};
    pct_text_printf(&coco, "%s\n{\"id\":%lld,\"image_id\":%lld,\"category_id\":%d,\"area\":%d,\"iscrowd\":0",
                    writer->annotation_count ? "," : "", (long long)writer->annotation_count + 1,
                    (long long)writer->count + 1, id + 1, object->area);
    add_box(&coco, "bbox", object->box.x0, object->box.y0, object->box.x1 - object->box.x0,
            object->box.y1 - object->box.y0);
    pct_text_printf(&coco, ",\"segmentation\":{\"size\":[%d,%d],\"counts\":", mask.height, mask.width);
    pct_json_add_text(&coco, counts);
    pct_text_puts(&coco, "}}");
    if (!coco.failed) fwrite(coco.data, 1, coco.length, writer->coco.file);
    percept_status status = coco.failed ? pct_fail_memory(error, "data set") : PERCEPT_OK;
    pct_text_free(&coco);
    free(counts);
    writer->annotation_count++;
    return status;
}

static void add_turn(pct_text *line, const pct_turn *turn, bool first) {
    pct_text_printf(line, "%s{\"task\":\"%s\",\"q\":", first ? "" : ",", pct_task_text(turn->task));
    pct_json_add_text(line, turn->question);
    pct_text_puts(line, ",\"a\":");
    pct_json_add_text(line, turn->answer);
    add_numbers(line, "regions_in", turn->regions_in, turn->in_count);
    add_numbers(line, "regions_out", turn->regions_out, turn->out_count);
    pct_text_puts(line, ",\"target\":");
    pct_json_add_text(line, turn->target);
    pct_text_printf(line, ",\"follows\":%d,\"held_out\":%s}", turn->follows, turn->held_out ? "true" : "false");
}

static percept_status add_line(pct_dataset_writer *writer, const pct_sample *sample, const char *file,
                               percept_error *error) {
    pct_text *line = &writer->line;
    pct_text_clear(line);
    pct_text_puts(line, "{\"image\":");
    pct_json_add_text(line, file);
    pct_text_printf(line, ",\"width\":%d,\"height\":%d,\"split\":", sample->image.width, sample->image.height);
    pct_json_add_text(line, sample->split ? sample->split : "");
    pct_text_puts(line, ",\"objects\":[");
    for (int32_t k = 0; k < sample->object_count; k++) PCT_TRY(add_object(writer, sample, k, error));
    pct_text_puts(line, "],\"turns\":[");
    for (int32_t i = 0; i < sample->turn_count; i++) add_turn(line, &sample->turns[i], i == 0);
    pct_text_puts(line, "]");
    if (writer->source) {
        pct_text_puts(line, ",\"unsure\":[");
        for (int32_t i = 0; i < sample->unsure_count; i++) {
            if (i) pct_text_puts(line, ",");
            pct_json_add_text(line, pct_scene_name(writer->source, sample->unsure[i]));
        }
        pct_text_puts(line, "]");
    }
    pct_text_puts(line, "}\n");
    if (line->failed) return pct_fail_memory(error, "data set");
    fwrite(line->data, 1, line->length, writer->lines.file);
    return PERCEPT_OK;
}

static void picture_name(const pct_dataset_writer *writer, int64_t index, char name[NAME_SIZE]) {
    snprintf(name, NAME_SIZE, "images/%06lld.%s", (long long)index, writer->jpeg_quality ? "jpg" : "png");
}

percept_status pct_dataset_writer_add(pct_dataset_writer *writer, const pct_sample *sample, percept_error *error) {
    char file[NAME_SIZE];
    size_t pixels = (size_t)sample->image.width * (size_t)sample->image.height;
    if (pixels > writer->mask_capacity) {
        free(writer->mask);
        writer->mask = malloc(pixels);
        writer->mask_capacity = writer->mask ? pixels : 0;
        if (!writer->mask) return pct_fail_memory(error, "data set");
    }
    picture_name(writer, writer->count, file);
    writer->begun = writer->count + 1;
    char *path = pct_path_join(writer->folder, file);
    if (!path) return pct_fail_memory(error, "data set");
    percept_status status = writer->jpeg_quality ? pct_jpeg_write(path, &sample->image, writer->jpeg_quality, error)
                                                 : pct_png_write(path, &sample->image, error);
    free(path);
    PCT_TRY(status);
    PCT_TRY(add_line(writer, sample, file, error));
    pct_text_printf(&writer->pictures, "%s\n{\"id\":%lld,\"file_name\":\"%s\",\"width\":%d,\"height\":%d}",
                    writer->count ? "," : "", (long long)writer->count + 1, file, sample->image.width,
                    sample->image.height);
    writer->count++;
    return PERCEPT_OK;
}

percept_status pct_dataset_writer_finish(pct_dataset_writer **out, percept_error *error) {
    pct_dataset_writer *writer = *out;
    percept_status status = PERCEPT_OK;
    if (writer->pictures.failed || writer->names.failed) status = pct_fail_memory(error, "data set");
    if (status == PERCEPT_OK) {
        fprintf(writer->coco.file, "],\n\"images\":[%s],\n\"categories\":[%s]}\n",
                writer->pictures.data ? writer->pictures.data : "", writer->names.data ? writer->names.data : "");
        status = pct_writer_commit(&writer->coco, error);
    }
    if (status == PERCEPT_OK) status = pct_writer_commit(&writer->lines, error);
    writer->finished = status == PERCEPT_OK;
    pct_dataset_writer_abort(out);
    return status;
}

static void remove_below(const pct_dataset_writer *writer, const char *name) {
    char *path = pct_path_join(writer->folder, name);
    if (path) remove(path);
    free(path);
}

/* The pictures so far, and the folders unless others put something into them. */
static void remove_pictures(const pct_dataset_writer *writer) {
    char name[NAME_SIZE];
    for (int64_t i = 0; i < writer->begun; i++) {
        picture_name(writer, i, name);
        remove_below(writer, name);
    }
    remove_below(writer, "images");
    if (writer->folder_made) remove(writer->folder);
}

void pct_dataset_writer_abort(pct_dataset_writer **out) {
    pct_dataset_writer *writer = *out;
    if (!writer) return;
    pct_writer_abort(&writer->lines);
    pct_writer_abort(&writer->coco);
    if (writer->folder && !writer->finished) remove_pictures(writer);
    pct_text_free(&writer->line);
    pct_text_free(&writer->pictures);
    pct_text_free(&writer->names);
    for (int32_t i = 0; i < writer->category_count; i++) free(writer->categories[i]);
    free(writer->categories);
    free(writer->mask);
    free(writer->folder);
    free(writer);
    *out = NULL;
}
