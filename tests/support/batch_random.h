/* batch_random.h: batches of noise in the shape of real ones, for tests and benches of the model. */
#ifndef PCT_TESTS_BATCH_RANDOM_H
#define PCT_TESTS_BATCH_RANDOM_H

#include "base/arena.h"
#include "model/batch.h"
#include "model/config.h"

typedef struct batch_shape {
    int32_t pictures, segments; /* segments a picture */
    int32_t question, answer;   /* tokens a segment */
    int32_t objects;            /* answer objects a segment, at most answer/2; each segment's question has one more
                                   when `given` */
    bool given;
    int32_t names;
} batch_shape;

/* Everything in the arena; the same for the same seed. Ids avoid nothing: the model does not look at them. */
pct_batch batch_random(pct_arena *arena, const pct_model_config *config, const batch_shape *shape, uint64_t seed);

#endif
