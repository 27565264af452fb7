/* sampling.h: what decides how a text goes on: its ranges, and how the model is told, for all calls that take it. */
#ifndef PCT_ENGINE_SAMPLING_H
#define PCT_ENGINE_SAMPLING_H

#include "model/text.h"

typedef struct pct_sampling_fields {
    int32_t max_tokens, top_k, repeat_last;
    double time_limit;
    float temperature, top_p, min_p, repeat_penalty;
    uint64_t seed;
} pct_sampling_fields;
/* Those of percept_ask_options or percept_complete_options. */
#define PCT_SAMPLING_FIELDS(o)                                                                                         \
    ((pct_sampling_fields){(o)->max_tokens, (o)->top_k, (o)->repeat_last, (o)->time_limit, (o)->temperature,           \
                           (o)->top_p, (o)->min_p, (o)->repeat_penalty, (o)->seed})

/* USAGE: names the field and its range. */
percept_status pct_sampling_check(const pct_sampling_fields *fields, percept_error *error);
/* For pct_sequence_generate; deadline as there. No callbacks yet. */
pct_generate_options pct_sampling_options(const pct_sampling_fields *fields, double deadline);

#endif
