/* feed.h: samples one by one, whatever they come from: composed scenes of a split, or a data set folder.
 *
 * Used by training (any number of threads at once, an arena each) and by evaluation. */
#ifndef PCT_EVAL_FEED_H
#define PCT_EVAL_FEED_H

#include "data/scene.h"

typedef struct pct_feed {
    const pct_scene_source *source; /* borrowed; scenes */
    enum pct_split split;
    uint64_t seed;
    pct_scene_request request;
    int64_t count; /* samples; 0: without end */
} pct_feed;

/* Sample `index` (>= 0) into the arena. Thread-safe. */
percept_status pct_feed_get(const pct_feed *feed, int64_t index, pct_arena *arena, pct_sample *sample,
                            percept_error *error);
int32_t pct_feed_names(const pct_feed *feed);
const char *pct_feed_name(const pct_feed *feed, int32_t name);

#endif
