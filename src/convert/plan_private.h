/* plan_private.h: a plan from the inside, for plan.c (what comes from where) and plan_write.c (how it is written). */
#ifndef PCT_CONVERT_PLAN_PRIVATE_H
#define PCT_CONVERT_PLAN_PRIVATE_H

#include "convert/plan.h"

/* Where one of ours comes from. */
typedef struct pct_plan_origin {
    const pct_foreign_tensor *tensor; /* NULL: the parameter has numbers of its own (fresh) */
    const pct_foreign_tensor *a, *b;  /* LoRA that is added: (rank,in), (out,rank); or NULL */
    double scale;
    enum pct_rule_how how;
    int64_t first; /* row of the source that is row 0 of ours */
    int32_t heads; /* PCT_RULE_ROTARY */
    int64_t inner; /* PCT_RULE_KERNEL: channels that go in */
} pct_plan_origin;

struct pct_plan {
    pct_plan_options options;
    pct_plan_origin *origins; /* in the order in which weights were asked for: that of the set */
    size_t count, capacity;
    bool *used[8]; /* a source's tensors that found a place, by their index */
    int64_t adapted, fresh;
    pct_text fresh_names;
};

#endif
