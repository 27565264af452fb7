/* plan.h: how the tensors of a model file come to be from other people's checkpoints.
 *
 * A family (family.h) says with rules which tensor of which checkpoint becomes which of ours, and what is done to it on
 * the way. The list of what is wanted, with every shape, is the model's own: the plan is a source of a builder
 * (nn/build.h) that notes where each weight would come from instead of reading it. Writing goes row by row, so that a
 * model of any size is converted in little memory. */
#ifndef PCT_CONVERT_PLAN_H
#define PCT_CONVERT_PLAN_H

#include "base/text.h"
#include "convert/rows.h"
#include "formats/foreign.h"
#include "nn/build.h"
#include "percept/progress.h"

enum pct_rule_how {
    PCT_RULE_COPY,   /* the same numbers in the same order */
    PCT_RULE_ROTARY, /* a head's rows from the order of halves into that of pairs, as llama.cpp stores LLaMA's Q and K
                      */
    PCT_RULE_PART,   /* a run of rows of a fused matrix or vector: part `part` of `parts` equal ones */
    PCT_RULE_TABLE,  /* a table of words: where ours has more rows, they are the mean of the others */
    PCT_RULE_KERNEL, /* a convolution's (out,in,h,w) becomes (out,h,w,in); so do a matrix's columns, which are
                        (in,h*w) with `parts` for in */
};

/* "#" in target stands for a number; the source's "#"s are the same numbers in the same order. Source may have several
 * spellings, divided by "|". */
typedef struct pct_rule {
    const char *target, *source;
    enum pct_rule_how how;
    int part, parts; /* PCT_RULE_PART */
} pct_rule;

/* One checkpoint with the rules that read it. */
typedef struct pct_plan_source {
    pct_foreign *checkpoint; /* borrowed */
    const pct_rule *rules;   /* ends with a NULL target */
    const char *prefixes[4]; /* of the names in the checkpoint, tried in turn; NULL ends ("" is one too) */
    bool first;              /* asked before the others, whatever its place */
    const char *ignored[8];  /* beginnings or ends of names that are known and not wanted; NULL ends */
    pct_foreign *lora;       /* peft's layout (A in `…lora_A.weight`, B in `…lora_B.weight`), or NULL; borrowed */
    double lora_scale;       /* alpha/rank */
    int64_t lora_rank;       /* that every adapter must have; 0: any */
    bool lora_inside;        /* …lora_A.default.weight and base_layer stand in `checkpoint` itself */
} pct_plan_source;

/* A vector that the family works out itself. */
typedef struct pct_plan_made {
    const char *name; /* ours */
    const pct_real *data;
    int64_t count;
} pct_plan_made;

typedef struct pct_plan pct_plan;

typedef struct pct_plan_options {
    const pct_plan_source *sources; /* a weight comes from the first that has it */
    int source_count;               /* at most 4 */
    const pct_plan_made *made;
    int made_count;
    int32_t heads, kv_heads; /* of the language model: PCT_RULE_ROTARY */
    bool fresh;              /* weights under percept.* and mm.* that no source has begin anew */
    bool keep_lora;          /* LoRA stays apart: the model's own lora_a and lora_b come from the adapters */
    const char *name;        /* of what is converted, for messages */
} pct_plan_options;

typedef struct pct_convert_report {
    int64_t used, fresh, ignored, unused; /* tensors of the checkpoints; `fresh`: of ours, made at random */
    int64_t adapted;                      /* weights that a LoRA was added to */
    int64_t written;                      /* tensors of the file */
    pct_text unused_names;                /* "a, b"; the caller frees */
    pct_text fresh_names;
    size_t bytes;
    int64_t of_type[PCT_DTYPE_COUNT];
} pct_convert_report;

percept_status pct_plan_create(pct_plan **plan, const pct_plan_options *options, percept_error *error);
void pct_plan_destroy(pct_plan **plan);
/* A pct_weight_source, context the plan. MODEL: a weight that no source has or that has another shape; the message
 * names the tensor as the checkpoint would call it. */
percept_status pct_plan_take(void *plan, const pct_weight_spec *spec, pct_parameters *set, pct_parameter **parameter,
                             percept_error *error);
/* After the build: MODEL when a tensor of a layer that the rules read found no place and is not ignored (a bias that
 * the model has no room for would be left out silently), or when no adapter of a given LoRA was used. */
percept_status pct_plan_check(const pct_plan *plan, percept_error *error);
/* After the build: what of the checkpoints was used. */
percept_status pct_plan_report(const pct_plan *plan, pct_convert_report *report, percept_error *error);
/* The set's parameters in order: declared, and (between begin and end) written. `type`: pct_stored_type's wanted. */
void pct_plan_declare(const pct_plan *plan, const pct_parameters *set, pct_gguf_writer *writer, pct_dtype type);
percept_status pct_plan_write(const pct_plan *plan, const pct_parameters *set, pct_rows *rows, pct_dtype type,
                              percept_progress_fn *progress, void *context, pct_convert_report *report,
                              percept_error *error);

#endif
