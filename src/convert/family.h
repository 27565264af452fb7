/* family.h: what a published family needs said of it: its config.json in our terms and the rules for its tensors. Each
 * family is one file that fills a pct_converting; convert.c does the work. */
#ifndef PCT_CONVERT_FAMILY_H
#define PCT_CONVERT_FAMILY_H

#include "convert/convert.h"
#include "formats/json.h"
#include "model/model.h"

#define PCT_CONVERT_SOURCES 3
/* A layer's weight and bias, copied. */
#define PCT_RULE_BOTH(target, source)                                                                                  \
    {target ".weight", source ".weight", PCT_RULE_COPY, 0, 0}, { target ".bias", source ".bias", PCT_RULE_COPY, 0, 0 }

/* A conversion on its way. */
typedef struct pct_converting {
    const pct_convert_options *options;
    json_t *config, *tower_config, *lora_config; /* the folders' JSON; NULL: none */
    pct_foreign *checkpoint, *tower, *lora, *heads;
    pct_tokenizer *tokenizer;
    pct_model_config model;
    pct_plan_source sources[PCT_CONVERT_SOURCES];
    int source_count;
    pct_plan_made made[1];
    int made_count;
    pct_real *rope_factors; /* owned */
    bool fresh;             /* heads may begin anew */
    float threshold;        /* the card's */
    const char *domain;
    char last_layer[2][64]; /* beginnings of the names of a tower's layer that is not wanted */
} pct_converting;

typedef struct pct_family {
    const char *name;
    /* From config.json ("model_type") and the weights. */
    bool (*recognises)(const pct_converting *c);
    /* Opens what it needs besides the checkpoint; fills model, sources and tokens. */
    percept_status (*describe)(pct_converting *c, percept_error *error);
} pct_family;

extern const pct_family pct_family_llama, pct_family_qwen2, pct_family_perceptiongpt, pct_family_mllmseg;

/* ---- parts that families share ---- */

/* config.json of a folder; *out NULL-initialised by the caller. INPUT: missing. */
percept_status pct_family_json(const char *folder, const char *name, json_t **out, percept_error *error);
/* "model_type" of a config, or "". */
const char *pct_family_type(const json_t *config);
/* A joined model without percept's own extensions: what the family does not say keeps percept's defaults. */
void pct_family_begin(pct_model_config *model);
/* A LLaMA-like language model's numbers from its config (or the part of a config that says them) into c->model. */
percept_status pct_family_language(pct_converting *c, const json_t *config, enum pct_architecture architecture,
                                   percept_error *error);
/* Its rules; end with a NULL target. */
const pct_rule *pct_family_language_rules(enum pct_architecture architecture);
/* A tower's numbers and rules. */
percept_status pct_family_clip(pct_converting *c, const json_t *config, percept_error *error);
percept_status pct_family_internvit(pct_converting *c, const json_t *config, percept_error *error);
extern const pct_rule pct_family_clip_rules[], pct_family_internvit_rules[];
/* Opens the tokenizer of the source's folder, with `texts` as special tokens and at least as many tokens as the largest
 * table of words among the sources has rows. MODEL: the tokenizer alone has more than that. */
percept_status pct_family_tokenizer(pct_converting *c, const char *const *texts, int32_t count, percept_error *error);
/* PerceptionGPT's numbers that are in its code and in no config, behind those of tower and language model; trained: the
 * heads come from a checkpoint. */
void pct_family_perceptiongpt_sizes(pct_model_config *model, bool trained);
/* rank and alpha of LoRA matrices. */
percept_status pct_family_lora(pct_converting *c, percept_error *error);
/* They stay apart: the model's own LoRA has that rank, on peft's `modules` (NULL: all seven projections). */
percept_status pct_family_keep_lora(pct_converting *c, int32_t rank, float alpha, const json_t *modules,
                                    percept_error *error);

#endif
