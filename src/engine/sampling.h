/* sampling.h: the ranges of what decides how a text goes on, for all calls that take it. */
#ifndef PCT_ENGINE_SAMPLING_H
#define PCT_ENGINE_SAMPLING_H

#include "base/error.h"

#include <stdint.h>

typedef struct pct_sampling_fields {
    int32_t max_tokens, top_k, repeat_last;
    double time_limit;
    float temperature, top_p, min_p, repeat_penalty;
} pct_sampling_fields;

/* USAGE: names the field and its range. */
percept_status pct_sampling_check(const pct_sampling_fields *fields, percept_error *error);

#endif
