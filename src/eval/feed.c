/* feed.c: see feed.h. */
#include "eval/feed.h"

#include "base/random.h"

#include <stdlib.h>
#include <string.h>

static percept_status read_line(const pct_feed *feed, int64_t index, bool words, pct_arena *arena, pct_sample *sample,
                                percept_error *error) {
    if (feed->draw) {
        pct_random random;
        pct_random_init(&random, feed->seed, (uint64_t)feed->split, (uint64_t)index);
        index = (int64_t)pct_random_below(&random, (uint32_t)feed->count);
    }
    if (feed->lines) index = feed->lines[index];
    return words ? pct_dataset_read_words(feed->dataset, index, arena, sample, error)
                 : pct_dataset_read(feed->dataset, index, arena, sample, error);
}

percept_status pct_feed_get(const pct_feed *feed, int64_t index, bool words, pct_arena *arena, pct_sample *sample,
                            percept_error *error) {
    if (feed->dataset) return read_line(feed, index, words, arena, sample, error);
    return pct_scene_compose(feed->source, feed->split, feed->seed, (uint64_t)index, &feed->request, arena, sample,
                             error);
}

int32_t pct_feed_names(const pct_feed *feed) {
    return feed->dataset ? pct_dataset_names(feed->dataset) : pct_scene_names(feed->source);
}

const char *pct_feed_name(const pct_feed *feed, int32_t name) {
    return feed->dataset ? pct_dataset_name(feed->dataset, name) : pct_scene_name(feed->source, name);
}

percept_status pct_feed_lines(const pct_dataset *dataset, enum pct_split split, int64_t **lines, int64_t *count,
                              percept_error *error) {
    int64_t all = pct_dataset_count(dataset);
    *count = 0;
    *lines = malloc((size_t)(all ? all : 1) * sizeof **lines);
    if (!*lines) return pct_fail_memory(error, "data set");
    pct_arena arena;
    pct_arena_init(&arena, 0);
    percept_status status = PERCEPT_OK;
    for (int64_t i = 0; i < all && status == PERCEPT_OK; i++) {
        pct_sample sample;
        pct_arena_reset(&arena);
        status = pct_dataset_read_words(dataset, i, &arena, &sample, error);
        if (status != PERCEPT_OK) break;
        enum pct_split own = PCT_SPLIT_TRAINING;
        if (sample.split && sample.split[0] && !pct_split_from_text(sample.split, &own)) own = PCT_SPLIT_TRAINING;
        if (own == split) (*lines)[(*count)++] = i;
    }
    pct_arena_free(&arena);
    if (status != PERCEPT_OK) {
        free(*lines);
        *lines = NULL;
    }
    return status;
}
