/* bench.h: what the files of the speed measurement share. The report's numbers are counted (operations, bytes) by
 * bench_count.c and timed by bench.c; nothing here is part of answering. */
#ifndef PCT_ENGINE_BENCH_H
#define PCT_ENGINE_BENCH_H

#include "model/model.h"

/* Multiplications and additions of each part, and bytes; attention included, norms and activations not. */
typedef struct pct_bench_work {
    double encode;         /* flop: tower, connector, mask keys, the language model over the prefix; a picture */
    double row;            /* flop: the language model over one text row, without its attention and its output */
    double row_attention;  /* flop a text row and row it sees */
    double output;         /* flop: logits of one row */
    double region;         /* flop: mask, box and quality of one region */
    double language_bytes; /* weights that a step of one token reads */
} pct_bench_work;
pct_bench_work pct_bench_count(pct_model *model);

/* A model of the shape ("nano") with random weights, as Q8_0 through a file that is gone again, so that it takes the
 * very way of a real one. Special tokens are never said. USAGE for an unknown shape. */
percept_status pct_bench_random_model(pct_model **model, const char *shape, percept_error *error);

/* A training batch of noise in the shape of the trainer's: `pictures` with six questions each. In the arena; rows NULL
 * when memory is out. */
pct_batch pct_bench_batch(pct_arena *arena, const pct_model_config *config, int32_t pictures);

#endif
