/* feed.c: see feed.h. */
#include "eval/feed.h"

percept_status pct_feed_get(const pct_feed *feed, int64_t index, pct_arena *arena, pct_sample *sample,
                            percept_error *error) {
    return pct_scene_compose(feed->source, feed->split, feed->seed, (uint64_t)index, &feed->request, arena, sample,
                             error);
}

int32_t pct_feed_names(const pct_feed *feed) { return pct_scene_names(feed->source); }

const char *pct_feed_name(const pct_feed *feed, int32_t name) { return pct_scene_name(feed->source, name); }
