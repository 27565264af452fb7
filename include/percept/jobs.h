/* jobs.h: the long jobs: training, evaluation, experiments, composing scenes, changing a file's types, measuring speed.
 *
 * Each takes options, a progress callback (may be NULL) with its context, and an error. The callback runs on the thread
 * that works; when it returns true the job ends cleanly with PERCEPT_ERROR_INTERRUPTED: training keeps a checkpoint to
 * resume from, other jobs leave nothing half-written. Jobs are independent of engines and may run beside them. Reports
 * are malloc'd texts: the caller frees them with percept_free. */
#ifndef PERCEPT_JOBS_H
#define PERCEPT_JOBS_H

#include "percept/api.h"
#include "percept/percept.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct percept_train_options {
    size_t size;
    const char *config;          /* YAML; percept_train_keys tells the keys. NULL: defaults and settings alone */
    const char *const *settings; /* "key=value", each beats the file */
    size_t setting_count;
    bool resume;         /* go on from the newest checkpoint of the run's folder */
    int32_t threads;     /* 0: as the config says */
    uint32_t cpu_mask;   /* as percept_engine_options */
    const char *command; /* stands in the model's card as what made it; NULL: "percept train" */
    percept_log_fn *log; /* warnings; NULL: dropped */
    void *log_context;
} percept_train_options;
PERCEPT_API void percept_train_options_init(percept_train_options *options);
/* USAGE: a setting that makes no sense; INPUT: config or data; RESOURCE: memory, disk; WORK: the run diverged (its last
 * good checkpoint stays); INTERRUPTED: stopped, can be resumed. */
PERCEPT_API percept_status percept_train_run(const percept_train_options *options, percept_progress_fn *progress,
                                             void *context, percept_error *error);
/* Every key of a training config with type, range, default and meaning, one a line; malloc'd, NULL: out of memory. */
PERCEPT_API char *percept_train_keys(void);

typedef struct percept_teach_options {
    size_t size;
    const char *folder; /* named cut-outs; docs/teach.md says how they are named */
    const char *out;    /* the model file that is written at the end; "OUT.run" beside it is the run's folder */
    const char *model;  /* what is taught: a percept model file */
    const char *replay; /* pack of names that it shall keep (share/teach/replay.pack) */
    const char *sheet;  /* contact sheet, PNG; NULL: "-sheet.png" in place of the ending of `out` */
    double minutes;     /* the budget on two cores, as a number of steps; 10 */
    int64_t steps;      /* 0: as minutes say */
    uint64_t seed;
    bool resume; /* go on with the run that was interrupted */
    int32_t threads;
    uint32_t cpu_mask;
    int64_t pictures;    /* of each test and of the calibration; 0: as many as the names ask for */
    percept_log_fn *log; /* everything that is wrong with the folder, a line each; warnings. NULL: dropped */
    void *log_context;
} percept_teach_options;
PERCEPT_API void percept_teach_options_init(percept_teach_options *options);
/* A folder of cut-outs to a model that finds them. *json (one line), *table (for people): what it finds, mixes up and
 * still knows; either may be NULL, percept_free frees them. INPUT: the folder (each problem is logged), model, pack;
 * nothing was written. USAGE: `out.run` holds another run. INTERRUPTED: can be resumed; `out` is written at the end
 * alone. */
PERCEPT_API percept_status percept_teach_run(const percept_teach_options *options, percept_progress_fn *progress,
                                             void *context, char **json, char **table, percept_error *error);

typedef struct percept_eval_options {
    size_t size;
    const char *model; /* a model file */
    const char *data;  /* a data set folder, or "scenes:SPLIT:COUNT:SEED[:SIDE]" */
    const char *pack;  /* prepared cut-outs for "scenes:"; NULL: assets/scenes.pack */
    float threshold;   /* regions below are dropped; negative: the model's default */
    int64_t limit;     /* at most so many pictures; 0: all */
    int32_t threads;
    uint32_t cpu_mask;
} percept_eval_options;
PERCEPT_API void percept_eval_options_init(percept_eval_options *options);
/* *json: the figures as one line (docs/interface.md); *table: the same for people. Either may be NULL. */
PERCEPT_API percept_status percept_eval_run(const percept_eval_options *options, percept_progress_fn *progress,
                                            void *context, char **json, char **table, percept_error *error);

typedef struct percept_experiment_options {
    size_t size;
    const char *folder; /* of the experiment: holds list.yaml and configs (docs/experiments.md) */
    const char *out;    /* gets runs/, results/, calibration.json, answers.json; NULL: the experiment's own folder */
    const char *const *only; /* names of runs, of series or of groups; with what they begin with */
    size_t only_count;       /* 0: the whole list */
    const char *pack;        /* prepared cut-outs, in place of data.pack of the configs; NULL: as they say */
    double minutes;          /* above 0: of every run in place of the list's, as a rehearsal; wants `out` */
    uint32_t cpu_mask;       /* as percept_engine_options */
    percept_log_fn *log;     /* runs that failed, warnings; NULL: dropped */
    void *log_context;
} percept_experiment_options;
PERCEPT_API void percept_experiment_options_init(percept_experiment_options *options);
/* Makes every run of the list that has no result yet, one at a time. Any number of processes may work on one list.
 * INPUT: list, config, or a folder that holds another run; WORK: some runs failed, the others were made; INTERRUPTED:
 * stopped, the same call goes on. */
PERCEPT_API percept_status percept_experiment_run(const percept_experiment_options *options,
                                                  percept_progress_fn *progress, void *context, percept_error *error);
/* How long answers take with 1, 2, 4, ... 32 objects, for the series of `only` (none: those of the group "main"):
 * answers.json. Trains nothing. INTERRUPTED: stopped, nothing is written. */
PERCEPT_API percept_status percept_experiment_answers(const percept_experiment_options *options,
                                                      percept_progress_fn *progress, void *context,
                                                      percept_error *error);
/* The list for people, with what is done; malloc'd, percept_free frees it. */
PERCEPT_API percept_status percept_experiment_list(const percept_experiment_options *options, char **table,
                                                   percept_error *error);
/* folder/NAME.md, plots in folder/pictures, and tables.json beside results/: tables, verdicts and curves of the results
 * that are there. Trains nothing. */
PERCEPT_API percept_status percept_experiment_report(const percept_experiment_options *options, const char *folder,
                                                     const char *name, percept_error *error);

typedef struct percept_scenes_options {
    size_t size;
    const char *out;   /* folder of the data set; must not exist, or be empty */
    const char *split; /* "training", "calibration", "arrangements", "cutouts" */
    int64_t count;     /* pictures, 1 to 10 million */
    uint64_t seed;
    int32_t width, height;            /* 64..2048 */
    int32_t questions;                /* a picture, 1..32 */
    int32_t objects_min, objects_max; /* a picture, 1..8 */
    const char *pack;                 /* prepared cut-outs; NULL: assets/scenes.pack, or none when `cutouts` is given */
    const char *cutouts;              /* a folder of the caller's own, named by file or sub-folder; NULL: none */
    const char *backgrounds;          /* a folder; NULL: none */
    int32_t threads;
} percept_scenes_options;
PERCEPT_API void percept_scenes_options_init(percept_scenes_options *options);
PERCEPT_API percept_status percept_scenes_run(const percept_scenes_options *options, percept_progress_fn *progress,
                                              void *context, percept_error *error);
typedef struct percept_prepare_options {
    size_t size;
    const char *assets; /* folder that holds packages/, as `./dev data` fetches them */
    const char *lists;  /* folder of names.list and backgrounds.list (share/scenes) */
    const char *pack;   /* what is written; NULL: scenes.pack in the assets' folder */
    int32_t threads;
    percept_log_fn *log; /* packages that are not there, pictures that cannot be read, what was taken; NULL: dropped */
    void *log_context;
} percept_prepare_options;
PERCEPT_API void percept_prepare_options_init(percept_prepare_options *options);
/* Makes the pack of cut-outs and backgrounds that scenes are composed from. */
PERCEPT_API percept_status percept_scenes_prepare(const percept_prepare_options *options, percept_progress_fn *progress,
                                                  void *context, percept_error *error);

typedef struct percept_convert_options {
    size_t size;
    const char *source; /* a checkpoint's folder: config.json, tokenizer, weights (safetensors or PyTorch's zips) */
    const char *out;    /* the model file that is written */
    const char *family; /* "llama", "qwen2", "perceptiongpt", "mllmseg"; NULL: as config.json says */
    const char *type;   /* of matrices, as percept_quantize_options has them */
    const char *tower;  /* perceptiongpt: the folder of the CLIP vision tower */
    const char *heads;  /* perceptiongpt: a checkpoint of merges, projector and heads; NULL: they begin anew */
    const char *lora;   /* a folder of peft adapters, added to the language model; NULL: none */
    bool keep_lora;     /* adapters stay apart, in a percept file; else they are added to the weights */
    uint64_t seed;      /* of what begins anew */
    int32_t threads;
} percept_convert_options;
PERCEPT_API void percept_convert_options_init(percept_convert_options *options);
/* Other people's checkpoints to a model file: language models to what llama.cpp reads too, PerceptionGPT and MLLMSeg to
 * a percept file. *json, *table (either may be NULL): every tensor that was used, unused, missing or made anew;
 * percept_free frees them. MODEL: the checkpoint is damaged, of another family, or lacks a tensor. */
PERCEPT_API percept_status percept_convert_run(const percept_convert_options *options, percept_progress_fn *progress,
                                               void *context, char **json, char **table, percept_error *error);

typedef struct percept_quantize_options {
    size_t size;
    const char *model; /* a model file: percept's own, or a language model as llama.cpp stores it */
    const char *out;   /* what is written; another file */
    const char *type;  /* of matrices: "f32", "f16", "bf16", "q8_0", "q6_k", "q5_k", "q4_k", "q5_1", "q5_0", "q4_1",
                          "q4_0" */
    int32_t threads;
} percept_quantize_options;
PERCEPT_API void percept_quantize_options_init(percept_quantize_options *options);
/* The model again with its weights in another type. Vectors and tables that are read as they are stay F32, the table of
 * words and the output matrix keep at least 6 bits, rows that do not fit a type's blocks take the nearest that they
 * fit. *json, *table (either may be NULL): what became of the tensors, and the largest relative error; percept_free
 * frees them. */
PERCEPT_API percept_status percept_quantize_run(const percept_quantize_options *options, percept_progress_fn *progress,
                                                void *context, char **json, char **table, percept_error *error);

typedef struct percept_bench_options {
    size_t size;
    const char *model;  /* a model file; NULL: random weights */
    const char *shape;  /* of the random weights: "nano", "vit-l-14", "internvit-300m", "smollm2-135m",
                         * "perceptiongpt-7b", "mllmseg-1b" */
    const char *stages; /* comma-separated, those that the shape has of "peak,first,tower,prefill,decode,heads,train,
                         * tower-bf16,tower-int8,question-bf16,question-int8"; NULL: all */
    double seconds;     /* of measuring, each stage */
    int32_t threads;
    uint32_t cpu_mask;
} percept_bench_options;
PERCEPT_API void percept_bench_options_init(percept_bench_options *options);
/* Speed and memory of each stage and its share of the machine's peak, which is measured on the spot: multiplications
 * and additions in the type that the stage uses, or reading, whichever takes the machine longer. Either report may be
 * NULL; percept_free frees them. */
PERCEPT_API percept_status percept_bench_run(const percept_bench_options *options, percept_progress_fn *progress,
                                             void *context, char **json, char **table, percept_error *error);

#ifdef __cplusplus
}
#endif
#endif
