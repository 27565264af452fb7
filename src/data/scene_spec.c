/* scene_spec.c: "scenes:SPLIT:COUNT:SEED[:SIDE]", the data set that is made while it is read. */
#include "data/scene.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define PREFIX    "scenes:"
#define MAX_COUNT 10000000
#define QUESTIONS 6 /* a picture */

bool pct_scene_is_spec(const char *text) { return !strncmp(text, PREFIX, strlen(PREFIX)); }

/* The text up to the next colon or the end, and moves past it. False: empty or too long. */
static bool next_field(const char **at, char *out, size_t capacity) {
    size_t length = strcspn(*at, ":");
    if (length == 0 || length >= capacity) return false;
    memcpy(out, *at, length);
    out[length] = 0;
    *at += length;
    if (**at == ':') ++*at;
    return true;
}

percept_status pct_scene_spec_parse(const char *text, pct_scene_spec *spec, percept_error *error) {
    char split[32], number[32];
    const char *at = text + strlen(PREFIX);
    int64_t value;
    *spec = (pct_scene_spec){.split = PCT_SPLIT_TRAINING};
    if (!pct_scene_is_spec(text))
        return pct_fail(error, PERCEPT_ERROR_USAGE, "'%.80s': expected scenes:SPLIT:COUNT:SEED[:SIDE]", text);
    if (!next_field(&at, split, sizeof split) || !pct_split_from_text(split, &spec->split))
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "'%.80s': SPLIT must be training, calibration, arrangements or cutouts", text);
    if (!next_field(&at, number, sizeof number) || !pct_parse_i64(number, &value) || value < 1 || value > MAX_COUNT)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "'%.80s': COUNT must lie in 1 ... %d", text, MAX_COUNT);
    spec->count = value;
    if (!next_field(&at, number, sizeof number) || !pct_parse_i64(number, &value) || value < 0)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "'%.80s': SEED must be a whole number of at least 0", text);
    spec->seed = (uint64_t)value;
    if (at[-1] != ':') return PERCEPT_OK;
    if (!next_field(&at, number, sizeof number) || !pct_parse_i64(number, &value) || value < PCT_SCENE_MIN_SIDE ||
        value > PCT_SCENE_MAX_SIDE || at[-1] == ':')
        return pct_fail(error, PERCEPT_ERROR_USAGE, "'%.80s': SIDE must lie in %d ... %d pixels, and be the last", text,
                        PCT_SCENE_MIN_SIDE, PCT_SCENE_MAX_SIDE);
    spec->side = (int32_t)value;
    return PERCEPT_OK;
}

void pct_scene_spec_write(const pct_scene_spec *spec, char *out, size_t size) {
    const int length = snprintf(out, size, PREFIX "%s:%lld:%llu", pct_split_text(spec->split), (long long)spec->count,
                                (unsigned long long)spec->seed);
    if (spec->side && length > 0 && (size_t)length < size)
        snprintf(out + length, size - (size_t)length, ":%d", spec->side);
}

pct_scene_request pct_scene_test_request(int32_t side) {
    return (pct_scene_request){.width = side, .height = side, .questions = QUESTIONS};
}
