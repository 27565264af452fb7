/* dataset.h: a data set in a folder: images/, data.jsonl with a line a picture, annotations.json in COCO form.
 *
 * A line: {"image","width","height","split","objects":[{"name","phrases","box":[x0,y0,x1,y1],"mask":{"size":[h,w],
 * "counts"},"cutout","style","visible","asked"}],"turns":[{"task","q","a","regions_in","regions_out","target","follows",
 * "held_out"}],"unsure":[names]}. Everything after "mask" in an object, after "regions_out" in a turn, and "unsure" may
 * be missing; without "unsure" no name that the picture lacks counts as certainly absent. Boxes are pixel edges.
 *
 * The reader is strict: unknown keys, wrong types, boxes and regions out of range, an <obj> without its region, masks
 * of another size and paths that leave the folder are refused with file, line and key. It holds one line at a time. */
#ifndef PCT_DATA_DATASET_H
#define PCT_DATA_DATASET_H

#include "data/sample.h"
#include "data/scene.h"

/* ---- writing ---- */

typedef struct pct_dataset_writer pct_dataset_writer;

/* Makes folder and folder/images. jpeg_quality 0 writes PNG. `source` names the unsure names; NULL leaves them out. */
percept_status pct_dataset_writer_open(pct_dataset_writer **writer, const char *folder, int jpeg_quality,
                                       const pct_scene_source *source, percept_error *error);
percept_status pct_dataset_writer_add(pct_dataset_writer *writer, const pct_sample *sample, percept_error *error);
/* Gives data.jsonl and annotations.json their names (they are written under others until then). Freed in any case. */
percept_status pct_dataset_writer_finish(pct_dataset_writer **writer, percept_error *error);
void pct_dataset_writer_abort(pct_dataset_writer **writer);

/* ---- reading ---- */

typedef struct pct_dataset pct_dataset;

/* Checks every line. Immutable afterwards, for any number of threads. Caller closes. */
percept_status pct_dataset_open(pct_dataset **dataset, const char *folder, percept_error *error);
/* The lines alone, from bytes that the caller keeps; pictures are looked for in `folder` (fuzzing, tests). */
percept_status pct_dataset_over(pct_dataset **dataset, const char *folder, const char *data, size_t size,
                                percept_error *error);
void pct_dataset_close(pct_dataset **dataset);

int64_t pct_dataset_count(const pct_dataset *dataset);
/* Sorted by byte; the names of objects and those in "unsure". */
int32_t pct_dataset_names(const pct_dataset *dataset);
const char *pct_dataset_name(const pct_dataset *dataset, int32_t name);

/* Sample `index` with its picture, everything in the arena. `cutout` is -1; masks are kept apart where they overlap. */
percept_status pct_dataset_read(const pct_dataset *dataset, int64_t index, pct_arena *arena, pct_sample *sample,
                                percept_error *error);
/* The same without the picture's pixels (image.data NULL). */
percept_status pct_dataset_read_words(const pct_dataset *dataset, int64_t index, pct_arena *arena, pct_sample *sample,
                                      percept_error *error);

#endif
