/* bench.h: what the files of the speed measurement share; nothing here is part of answering. Stages are timed by
 * bench_answer.c, bench_tower.c and bench_train.c as bench_shapes.c lists them, their operations and bytes counted by
 * bench_count.c, set beside what the machine can do (bench_peak.c) and written by bench_report.c.
 *
 * A stage's share is of the roofline (Williams, Waterman & Patterson, CACM 2009): the least time in which this machine
 * could do its operations and read its weights, whichever takes longer, over the time that it took. */
#ifndef PCT_ENGINE_BENCH_H
#define PCT_ENGINE_BENCH_H

#include "base/progress.h"
#include "base/text.h"
#include "engine/bench_file.h"
#include "model/model.h"
#include "percept/jobs.h"
#include "vision/tower.h"

/* Multiplications and additions of each part, attention included, norms and activations not; and the bytes of its
 * weights as they lie in memory. */
typedef struct pct_bench_work {
    double encode;        /* flop: tower, connector, mask keys, the language model over the prefix; a picture */
    double row;           /* flop: the language model over one text row, without its attention and its output */
    double row_attention; /* flop a text row and row it sees */
    double output;        /* flop: logits of one row */
    double region;        /* flop: mask, box and quality of one region */
    double row_stored, output_stored, region_stored; /* the part of these that multiplies quantised weights, ... */
    double encode_stored; /* ... and of encode, the prefix included: INT8 products, where the engine takes them */
    double encode_bytes;  /* of the encoder, without the language model over the prefix */
    double row_bytes;     /* of the language model's layers */
    double output_bytes;
    double region_bytes;
    int64_t parameters; /* of the whole model */
} pct_bench_work;
pct_bench_work pct_bench_count(pct_model *model);

#define PCT_BENCH_STAGES 8 /* of a shape, at most */

typedef struct pct_bench_result {
    double ms;    /* median of a run; 0: not measured */
    double flop;  /* of a run */
    double int8;  /* the part of flop that is done in INT8 */
    double bytes; /* of weights that a run must read, and in training of what the optimiser writes */
    double rate;  /* of what `unit` says, a second */
    const char *unit;
    bool bf16;         /* its other products are in BF16 */
    bool from_memory;  /* its data does not stay in a cache from one run to the next */
    bool memory_bound; /* reading takes the machine longer than computing */
    double share;      /* of the roofline */
} pct_bench_result;

/* What the machine does at best, a second, all threads together. */
typedef struct pct_bench_peak {
    double f32, bf16, int8; /* flop; 0 where there is no such instruction */
    double memory;          /* bytes read, beyond all caches */
    double cached;          /* the same again and again over as many as the model's weights are */
} pct_bench_peak;

typedef struct pct_bench pct_bench;

/* What is measured under a name, and how: `measure` fills *result, or leaves it (ms 0) where there is nothing to time.
 */
typedef struct pct_bench_stage {
    const char *name, *what;
    percept_status (*measure)(pct_bench *bench, pct_bench_result *result, percept_error *error);
} pct_bench_stage;

/* A shape of random weights (bench_shapes.c). */
typedef struct pct_bench_shape {
    const char *name;
    bool whole; /* a model is opened first: random weights, or the model file's that was asked for */
    void (*describe)(pct_bench_file *file);   /* of its random weights; NULL: percept-nano's */
    pct_bench_stage stages[PCT_BENCH_STAGES]; /* those with a name */
} pct_bench_shape;
/* USAGE for an unknown name. */
percept_status pct_bench_find_shape(const pct_bench_shape **shape, const char *name, percept_error *error);
int pct_bench_stage_count(const pct_bench_shape *shape);

struct pct_bench {
    const percept_bench_options *options;
    const pct_bench_shape *shape;
    pct_pool *pool;
    pct_compute *compute;
    pct_model *model;
    double open_seconds; /* that opening the model took */
    pct_state *state;    /* NULL for a language model alone, as pixels */
    pct_real *pixels;    /* noise, a square of the model's side */
    pct_bench_work work;
    pct_meter meter;
    int64_t done;
    int64_t resident; /* bytes, the most that the stages took */
    pct_bench_peak peak;
    pct_bench_result results[PCT_BENCH_STAGES]; /* of the shape's stages */
};

/* Times `run` again and again for `seconds`, at least three times, after one to warm up. median and best (of a run, in
 * seconds) may be NULL. INTERRUPTED when the progress callback says so. */
typedef percept_status pct_bench_run_fn(pct_bench *bench, void *context, percept_error *error);
percept_status pct_bench_time(pct_bench *bench, pct_bench_run_fn *run, void *context, double seconds, double *median,
                              double *best, percept_error *error);

percept_status pct_bench_measure_peak(pct_bench *bench, percept_error *error);
/* Stages of a whole model. */
percept_status pct_bench_tower(pct_bench *bench, pct_bench_result *result, percept_error *error);
percept_status pct_bench_prefill(pct_bench *bench, pct_bench_result *result, percept_error *error);
percept_status pct_bench_decode(pct_bench *bench, pct_bench_result *result, percept_error *error);
percept_status pct_bench_heads(pct_bench *bench, pct_bench_result *result, percept_error *error);
percept_status pct_bench_train(pct_bench *bench, pct_bench_result *result, percept_error *error);
/* A tower by itself, weights of `type` (PCT_BF16; PCT_Q8_0: INT8 products where the engine takes them). */
percept_status pct_bench_tower_alone(pct_bench *bench, const pct_tower_options *options, pct_dtype type,
                                     pct_bench_result *result, percept_error *error);

/* From opening the model to the first token of its first question; only as the first stage. */
percept_status pct_bench_first(pct_bench *bench, pct_bench_result *result, percept_error *error);
/* One question of MLLMSeg-1B's shape about a picture of 1280 x 720, weights of `type`. */
percept_status pct_bench_question(pct_bench *bench, pct_dtype type, pct_bench_result *result, percept_error *error);
/* Stages of a language model alone. */
percept_status pct_bench_words_first(pct_bench *bench, pct_bench_result *result, percept_error *error);
percept_status pct_bench_words_prefill(pct_bench *bench, pct_bench_result *result, percept_error *error);
percept_status pct_bench_words_decode(pct_bench *bench, pct_bench_result *result, percept_error *error);

/* Published families in their full sizes (bench_files.c). */
void pct_bench_smollm2_135m(pct_bench_file *file);
void pct_bench_perceptiongpt_7b(pct_bench_file *file);
void pct_bench_mllmseg_1b(pct_bench_file *file);
/* Ordinary tokens one after the other. */
void pct_bench_fill_ids(const pct_model *model, int32_t *ids, int32_t count);

/* Fills in the share and what bounds it. */
void pct_bench_compare(const pct_bench_peak *peak, pct_bench_result *result);
void pct_bench_json(const pct_bench *bench, pct_text *text);
void pct_bench_table(const pct_bench *bench, pct_text *text);

/* A model of percept-nano's shape with random weights, as Q8_0 through a file that is gone again, so that it takes the
 * very way of a real one. Special tokens are never said. */
percept_status pct_bench_random_model(pct_model **model, percept_error *error);

/* A training batch of noise in the shape of the trainer's: `pictures` with six questions each. In the arena; rows NULL
 * when memory is out. */
pct_batch pct_bench_batch(pct_arena *arena, const pct_model_config *config, int32_t pictures);

#endif
