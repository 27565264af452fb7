/* sampling.c: see sampling.h. */
#include "engine/sampling.h"

static percept_status refuse(const char *name, double value, const char *range, percept_error *error) {
    return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: %g is out of range; give %s", name, value, range);
}

percept_status pct_sampling_check(const pct_sampling_fields *f, percept_error *error) {
    if (f->max_tokens < 0) return refuse("max_tokens", (double)f->max_tokens, "1 and more, or 0 for what fits", error);
    if (!(f->time_limit >= 0.0)) return refuse("time_limit", f->time_limit, "seconds above 0, or 0 for none", error);
    if (!(f->temperature >= 0.0f && f->temperature <= 10.0f))
        return refuse("temperature", (double)f->temperature, "0 to 10", error);
    if (f->top_k < 0) return refuse("top_k", (double)f->top_k, "1 and more, or 0 for all", error);
    if (!(f->top_p > 0.0f && f->top_p <= 1.0f))
        return refuse("top_p", (double)f->top_p, "more than 0, at most 1", error);
    if (!(f->min_p >= 0.0f && f->min_p <= 1.0f)) return refuse("min_p", (double)f->min_p, "0 to 1", error);
    if (!(f->repeat_penalty >= 1.0f && f->repeat_penalty <= 10.0f))
        return refuse("repeat_penalty", (double)f->repeat_penalty, "1 (none) to 10", error);
    if (f->repeat_last < 0) return refuse("repeat_last", (double)f->repeat_last, "0 and more", error);
    return PERCEPT_OK;
}

pct_generate_options pct_sampling_options(const pct_sampling_fields *f, double deadline) {
    return (pct_generate_options){
        .max_tokens = f->max_tokens,
        .deadline = deadline,
        .temperature = f->temperature,
        .top_p = f->top_p,
        .min_p = f->min_p,
        .repeat_penalty = f->repeat_penalty,
        .top_k = f->top_k,
        .repeat_last = f->repeat_last,
        .seed = f->seed,
    };
}
