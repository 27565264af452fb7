/* sample.c: see sample.h. */
#include "data/sample.h"

#include <string.h>

static const char *const task_text[PCT_TASK_COUNT_] = {"refer", "all",      "absent",   "name",    "box2mask",
                                                       "count", "relation", "describe", "dialogue"};
static const char *const style_text[PCT_STYLE_COUNT] = {"photo", "drawing", "noto", "openmoji", "fluent", "user"};

const char *pct_task_text(enum pct_task task) { return task_text[task]; }
const char *pct_style_text(enum pct_style style) { return style_text[style]; }

bool pct_task_from_text(const char *text, enum pct_task *task) {
    for (int i = 0; i < PCT_TASK_COUNT_; i++)
        if (!strcmp(text, task_text[i])) {
            *task = (enum pct_task)i;
            return true;
        }
    return false;
}

bool pct_style_from_text(const char *text, enum pct_style *style) {
    for (int i = 0; i < PCT_STYLE_COUNT; i++)
        if (!strcmp(text, style_text[i])) {
            *style = (enum pct_style)i;
            return true;
        }
    return false;
}

void pct_sample_mask(const pct_sample *sample, int32_t object, uint8_t *mask) {
    size_t pixels = (size_t)sample->image.width * (size_t)sample->image.height;
    if (sample->objects[object].mask) {
        memcpy(mask, sample->objects[object].mask, pixels);
        return;
    }
    for (size_t i = 0; i < pixels; i++) mask[i] = sample->owner[i] == object + 1;
}

bool pct_sample_absent(const pct_sample *sample, int32_t name) {
    for (int32_t i = 0; i < sample->object_count; i++)
        if (sample->objects[i].name == name) return false;
    int32_t low = 0, high = sample->unsure_count; /* the first at or above name */
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (sample->unsure[middle] < name)
            low = middle + 1;
        else
            high = middle;
    }
    return low == sample->unsure_count || sample->unsure[low] != name;
}
