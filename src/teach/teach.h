/* teach.h: what the files of teach/ share. Not for other folders. */
#ifndef PCT_TEACH_TEACH_H
#define PCT_TEACH_TEACH_H

#include "data/things.h"
#include "eval/run.h"
#include "teach/run.h"

#define TEACH_MIXED 6 /* answers that a name is mistaken for, kept a name */
/* Pixels of composed pictures, lessons and tests alike: what percept-nano learned from. Sharper or coarser pictures
 * than those teach less and undo more (docs/teach.md). */
#define TEACH_SIDE  320

/* How one name was found and named. */
typedef struct teach_score {
    const pct_thing *thing; /* borrowed */
    bool known;             /* the replay pack has the name too */
    bool held;              /* tested with a picture that was held back; else with views of those it learned from */
    int32_t asked, found;   /* "where is it": a region of mask IoU >= 0.5 */
    int32_t denied;         /* no region */
    int32_t called, right;  /* "what is this" */
    double iou;             /* sum over asked */
    struct {
        char name[PCT_NAME_MAX_BYTES];
        int32_t count;
    } mixed[TEACH_MIXED]; /* what was pointed at or said instead, commonest first */
} teach_score;

/* Figures of names that the model knew before. */
typedef struct teach_old {
    double acc50, miou, absent, named;
    int64_t questions;
} teach_old;

typedef struct teach_result {
    teach_score *scores; /* one a thing; owned */
    int32_t count;
    pct_figures held, views; /* where is it: of pictures held back; of views of known ones, taught names alone */
    double absent;           /* things that are not there, said so */
    teach_old before, after;
    int64_t steps, pictures_taught, pictures_held;
    float ece;
} teach_result;

/* ---- examine.c: the tests ---- */
struct teach_sheet;
typedef struct teach_examiner {
    pct_compute *compute;
    const char *model;
    int64_t pictures; /* 0: by the number of names */
    percept_progress_fn *progress;
    void *context;
} teach_examiner;
/* Old names: scenes of the replay pack alone. */
percept_status teach_examine_old(const teach_examiner *examiner, const char *replay, teach_old *old,
                                 percept_error *error);
/* Taught names; `options` as training composed its scenes. Fills result->scores and figures. */
percept_status teach_examine_new(const teach_examiner *examiner, const pct_scene_options *options, teach_result *result,
                                 struct teach_sheet *sheet, percept_error *error);

/* ---- sheet.c: the contact sheet ---- */
typedef struct teach_sheet {
    int32_t count; /* tiles, one a name */
    pct_image *tiles;
} teach_sheet;
percept_status teach_sheet_open(teach_sheet *sheet, int32_t count, percept_error *error);
void teach_sheet_close(teach_sheet *sheet);
/* The answer to the first question about the name of tile `index`; later ones are left. `truth`: where it is. */
percept_status teach_sheet_add(teach_sheet *sheet, int32_t index, const char *name, const pct_image *picture,
                               pct_box truth, const pct_judge_region *regions, int32_t count, percept_error *error);
percept_status teach_sheet_write(const teach_sheet *sheet, const char *path, percept_error *error);

/* ---- report.c ---- */
void teach_report_json(const teach_result *result, const pct_teach_options *options, pct_text *out);
void teach_report_table(const teach_result *result, const pct_teach_options *options, pct_text *out);

/* ---- recipe.c: how scenes are composed and the model is tuned ---- */
/* "key=value" settings of train/config.h, owned by `text`; NULL-terminated list, caller frees the list alone. */
percept_status teach_recipe(const pct_teach_options *options, const char *run, const char *cutouts,
                            const char *backgrounds, int64_t steps, pct_text *text, const char ***settings,
                            size_t *count, percept_error *error);
/* The same choices for testing: which cut-outs, held out how. Borrows the paths. */
void teach_scenes(const pct_teach_options *options, const char *cutouts, const char *backgrounds,
                  pct_scene_options *scenes);

#endif
