/* convert.h: other people's checkpoints to one model file.
 *
 * What comes out is a language model as llama.cpp stores it (families llama and qwen2) or a whole percept file
 * (perceptiongpt from its pieces, mllmseg). A family is recognised by the config.json beside the weights. */
#ifndef PCT_CONVERT_CONVERT_H
#define PCT_CONVERT_CONVERT_H

#include "convert/plan.h"

typedef struct pct_convert_options {
    const char *source; /* folder with config.json, tokenizer and weights */
    const char *out;
    const char *family; /* "llama", "qwen2", "perceptiongpt", "mllmseg"; NULL: as the config says */
    const char *tower;  /* perceptiongpt: folder of the CLIP tower */
    const char *heads;  /* perceptiongpt: checkpoint of merge, projector and heads; NULL: they begin anew */
    const char *lora;   /* folder of peft adapters that are added to the language model; NULL: none */
    bool keep_lora;     /* adapters stay apart in a percept file; else they are added to the weights */
    pct_dtype type;     /* of matrices */
    uint64_t seed;      /* of what begins anew */
} pct_convert_options;

/* Frees nothing of *report's on failure that the caller would have to: call pct_convert_report_free in any case.
 * INPUT: a folder or file is missing; MODEL: the checkpoint is damaged, of another family, or lacks a tensor; USAGE:
 * options that do not go with the family; INTERRUPTED. */
percept_status pct_convert(const pct_convert_options *options, pct_pool *pool, percept_progress_fn *progress,
                           void *context, pct_convert_report *report, percept_error *error);
void pct_convert_report_free(pct_convert_report *report);

#endif
