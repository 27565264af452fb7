/* feed.h: samples one by one, whatever they come from: composed scenes of a split, or a data set folder.
 *
 * Used by training (any number of threads at once, an arena each) and by evaluation. */
#ifndef PCT_EVAL_FEED_H
#define PCT_EVAL_FEED_H

#include "data/dataset.h"
#include "data/scene.h"

typedef struct pct_feed {
    const pct_scene_source *source; /* borrowed; scenes, or NULL */
    enum pct_split split;
    uint64_t seed;
    pct_scene_request request;

    const pct_dataset *dataset; /* borrowed; a folder, or NULL */
    const int64_t *lines;       /* borrowed; which of its samples; NULL: all */
    bool draw;                  /* index picks a line at random by (seed, index): training; else in order */

    int64_t count; /* samples; 0 of scenes: without end */
} pct_feed;

/* Sample `index` (>= 0) into the arena. Thread-safe. `words`: the picture may be left out (image.data NULL). */
percept_status pct_feed_get(const pct_feed *feed, int64_t index, bool words, pct_arena *arena, pct_sample *sample,
                            percept_error *error);
int32_t pct_feed_names(const pct_feed *feed);
const char *pct_feed_name(const pct_feed *feed, int32_t name);

/* The lines of a data set that belong to the split; those that name no split count as training. *lines is malloc'd,
 * the caller frees it. */
percept_status pct_feed_lines(const pct_dataset *dataset, enum pct_split split, int64_t **lines, int64_t *count,
                              percept_error *error);

#endif
