/* export.h: answers in the formats of other tools. One writer a file; what they share is gathered here first. */
#ifndef PCT_ENGINE_EXPORT_H
#define PCT_ENGINE_EXPORT_H

#include "base/text.h"
#include "engine/engine_private.h"

/* Pictures and categories of all answers, numbered in order of first appearance. */
typedef struct pct_export {
    const percept_answer *const *answers; /* borrowed */
    size_t count;
    percept_mask_format masks;
    const pct_picture **pictures;
    size_t picture_count;
    int64_t *picture_ids; /* 1, 2, ...; or the numbers that the names are, when all are different numbers */
    size_t *picture_of;   /* (count) answer -> picture */
    const char **categories;
    size_t category_count;
} pct_export;

/* The category of an object: its phrase, else the question. */
const char *pct_export_label(const percept_answer *answer, size_t index);
size_t pct_export_category(const pct_export *job, const char *label);
/* File names without extension, all different; malloc'd array of malloc'd strings, freed with pct_export_free_stems. */
percept_status pct_export_stems(const pct_export *job, char ***stems, percept_error *error);
void pct_export_free_stems(const pct_export *job, char **stems);

percept_status pct_export_coco(const pct_export *job, const char *path, percept_error *error);
percept_status pct_export_coco_results(const pct_export *job, const char *path, percept_error *error);
percept_status pct_export_yolo_seg(const pct_export *job, const char *path, percept_error *error);
percept_status pct_export_labelme(const pct_export *job, const char *path, percept_error *error);

#endif
