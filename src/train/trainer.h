/* trainer.h: what the parts of a run share. Not for other folders. */
#ifndef PCT_TRAIN_TRAINER_H
#define PCT_TRAIN_TRAINER_H

#include "base/progress.h"
#include "data/batch.h"
#include "eval/feed.h"
#include "eval/run.h"
#include "train/checkpoint.h"
#include "train/metrics.h"
#include "train/optimiser.h"
#include "train/run.h"

/* Keys of the random numbers. Validation sets are the same for every run, so that runs can be compared. */
#define PCT_SEED_VALIDATION  1009
#define PCT_SEED_CALIBRATION 2003
#define PCT_SEED_TEST        1

typedef struct pct_trainer {
    const pct_train_options *options;
    pct_train_config config;
    pct_config reader;  /* keeps the config's strings */
    int lock;           /* of run.out; -1: none */
    pct_text effective; /* the config as it is, YAML */
    pct_pool *pool;
    pct_compute *compute;
    pct_scene_source *source;        /* scenes, or NULL */
    pct_dataset *dataset;            /* a folder, or NULL */
    int64_t *lines[PCT_SPLIT_COUNT]; /* its samples of each split */
    int64_t line_count[PCT_SPLIT_COUNT];
    pct_model *model;
    pct_optimiser optimiser;
    pct_batcher *batcher;
    pct_metrics metrics;
    pct_meter meter;
    pct_checkpoint_state state;
    pct_scene_request request;

    int32_t batch;    /* pictures */
    pct_arena *slots; /* one a picture of the batch */
    pct_sample *samples;
    percept_error *slot_errors;
    pct_arena arena; /* of a step: batch and tape */
    pct_tape tape;
} pct_trainer;

/* setup.c: everything up to the first step. */
percept_status pct_trainer_setup(pct_trainer *trainer, const pct_train_options *options, percept_error *error);
void pct_trainer_free(pct_trainer *trainer);
/* vocabulary.c: a tokenizer from the texts of the training split and all names. */
percept_status pct_trainer_tokenizer(pct_trainer *trainer, pct_tokenizer **tokenizer, percept_error *error);
/* Tells the model which tokens name things: a fresh one all of them, another one what the data has beside its own. */
percept_status pct_trainer_names(pct_trainer *trainer, bool fresh, percept_error *error);

/* parts.c: whether a tensor belongs to a part of the model. */
bool pct_train_belongs(const char *tensor, const char *part);
/* Tensors of those parts learn at `scale` of the rate; 0: not at all. `key` stands in messages. */
percept_status pct_trainer_treat_parts(pct_trainer *trainer, const char *key, const pct_config_texts *wanted,
                                       float scale, percept_error *error);
/* run.warm: the file's weights wherever they fit, but for the parts of run.fresh. */
percept_status pct_trainer_warm_start(pct_trainer *trainer, const pct_gguf *file, percept_error *error);

/* `count` samples of a split; a data set folder may hold fewer, or none. Training goes on without end. */
pct_feed pct_trainer_feed(const pct_trainer *trainer, enum pct_split split, uint64_t seed, int64_t count);
/* Samples first..first+batch-1 of the feed as a batch in trainer->arena, which is reset. */
percept_status pct_trainer_batch(pct_trainer *trainer, const pct_feed *feed, int64_t first, int32_t count,
                                 uint64_t seed, uint64_t index, pct_batch *batch, percept_error *error);

/* measure.c: the numbers of the model. */
void pct_trainer_count(const pct_trainer *trainer, pct_train_cost *cost);
/* run.c: one step of training. The feed is that of the training split without end. */
percept_status pct_trainer_step(pct_trainer *trainer, const pct_feed *feed, percept_error *error);

/* finish.c: validation on the way, but for the splits in `done` (bit 0: arrangements, 1: calibration), and the model
 * file with its calibration and figures at the end. */
percept_status pct_trainer_validate(pct_trainer *trainer, unsigned done, percept_error *error);
percept_status pct_trainer_finish(pct_trainer *trainer, percept_progress_fn *progress, void *context,
                                  percept_error *error);

#endif
