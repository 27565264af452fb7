/* model.h: the joined model: tower, connector, language model, heads. Built from a config or from a model file.
 *
 * One forward path: pct_model_loss (training and scoring) and the state functions (answering) call the same parts. A
 * model is immutable while it answers and may be shared by states; one compute, one thread at a time. */
#ifndef PCT_MODEL_MODEL_H
#define PCT_MODEL_MODEL_H

#include "formats/gguf.h"
#include "model/batch.h"
#include "model/config.h"
#include "nn/build.h"
#include "tensor/ops.h"
#include "tokenizer/template.h"

typedef struct pct_model pct_model;

/* A fresh model for training, initialised from the seed. The tokenizer is moved in (owned) on success. */
percept_status pct_model_create(pct_model **model, const pct_model_config *config, pct_tokenizer *tokenizer,
                                uint64_t seed, percept_error *error);
/* Opens a model file (mapped; weights stay in their stored types until used): percept's own, or a language model alone
 * as llama.cpp has it (architecture llama or qwen2). trainable: weights become F32 parameters.
 * Every tensor that the config asks for must be there with its shape; nothing is believed unchecked. A missing or
 * unreadable file is PERCEPT_ERROR_INPUT, one that is malformed or not for this program PERCEPT_ERROR_MODEL. */
percept_status pct_model_open(pct_model **model, const char *path, bool trainable, percept_error *error);
/* The same over bytes that the caller keeps until close (8-byte aligned), not trainable. `name` stands in messages. */
percept_status pct_model_open_memory(pct_model **model, const char *name, const void *data, size_t size,
                                     percept_error *error);
/* For fine-tuning by LoRA (Hu et al., arXiv 2106.09685): opens for training and gives the language model fresh matrices
 * as `lora` has them, A random from the seed and B zero, so that the model says what it said before. Matrices that the
 * file has already are added to its weights first. INPUT where no layer's name ends like one of the targets. */
percept_status pct_model_open_adapted(pct_model **model, const char *path, const pct_model_lora *lora, uint64_t seed,
                                      percept_error *error);
/* For fine-tuning all of a model whose language model was frozen beside it (pct_model_create_on): opens for training,
 * the language model's weights become ones that learn like any other's, the rows of added tokens part of its tables;
 * LoRA that the file has is added to its weights first. */
percept_status pct_model_open_thawed(pct_model **model, const char *path, percept_error *error);
/* A fresh model on a language model that is there: `base`, a file of llama.cpp's (architecture llama or qwen2), gives
 * structure, weights and tokenizer, and is mapped as long as the model lives. Its weights never learn and stay as they
 * are stored; with `config->lora` matrices beside them learn. Tokens of the template that the tokenizer lacks are
 * added, with rows of their own that learn. Of config->language connector, prefix, cells, grounding and copying count,
 * and context where it is the smaller one. INPUT where no layer's name ends like one of LoRA's targets. */
percept_status pct_model_create_on(pct_model **model, const char *base, const pct_model_config *config, uint64_t seed,
                                   percept_error *error);
/* For a fresh model with grounding: the tokens that are in names (heads/grounding.h). */
void pct_model_begin_names(pct_model *model, const int32_t *ids, int64_t count);
/* The same beside those it knows already. */
void pct_model_add_names(pct_model *model, const int32_t *ids, int64_t count);
/* A warm start: what the file (a model's or a checkpoint's) has under the name and with the shape of one
 * of the model's tensors, and is wanted, replaces that tensor's numbers; *taken counts them. A table of tokens may be
 * shorter there; places of the cells of another square are resampled (bicubic). For a trainable model.
 * MODEL where a tensor's type holds no weights. */
percept_status pct_model_take(pct_model *model, const pct_gguf *file, bool (*wanted)(void *context, const char *name),
                              void *context, int64_t *taken, percept_error *error);
void pct_model_close(pct_model **model);
/* Refuses a language model alone (PCT_MODEL_LANGUAGE) where a picture comes in: MODEL, with what it can do. */
percept_status pct_model_check_sees(const pct_model *model, percept_error *error);

/* How a score comes from what the model says about a region: sigmoid(scale*quality + token*log p(<obj>) + offset). */
typedef struct pct_calibration {
    bool fitted;
    float quality, token, offset;
} pct_calibration;

/* What the file says beside structure and weights; strings are borrowed from the model. */
typedef struct pct_model_card {
    const char *name, *version, *description, *domain, *licence, *data_licences, *provenance, *figures;
    pct_calibration calibration;
    float threshold; /* default of --threshold */
} pct_model_card;
const pct_model_card *pct_model_get_card(const pct_model *model);
percept_status pct_model_set_card(pct_model *model, const pct_model_card *card, percept_error *error); /* copies */

const pct_model_config *pct_model_get_config(const pct_model *model);
pct_parameters *pct_model_get_parameters(pct_model *model);
/* How its talk becomes ids; style NULL for a language model alone. */
const pct_template *pct_model_get_template(const pct_model *model);
const pct_tokenizer *pct_model_get_tokenizer(const pct_model *model);
/* SHA-256 of the file in hex, made when first asked for; "" for a model that has no file yet. */
const char *pct_model_get_hash(const pct_model *model);
/* Names of the file's tensors that the model has no use for, "a, b"; "" when there are none. Borrowed. */
const char *pct_model_get_unused(const pct_model *model);

/* A model whose weights come from elsewhere, for who writes it: the structure with every weight asked from `source`
 * (nn/build.h), nothing to answer with. The tokenizer is moved in (*tokenizer NULL) on success. */
percept_status pct_model_plan(pct_model **model, const pct_model_config *config, pct_tokenizer **tokenizer,
                              pct_weight_source *source, void *context, uint64_t seed, percept_error *error);
/* The keys of its file: structure, card, tokenizer. A language model alone gets those that llama.cpp reads. */
percept_status pct_model_write_keys(const pct_model *model, pct_gguf_writer *writer, percept_error *error);

/* Writes the file atomically: matrices whose rows allow it in `type` (PCT_Q8_0, PCT_F16, PCT_REAL), the rest in F32.
 * weights: NULL, or replacements for the parameters' data in their order (EMA). */
percept_status pct_model_save(const pct_model *model, const char *path, pct_dtype type, const pct_real *const *weights,
                              percept_error *error);

/* The same of a model whose LoRA matrices are added to the weights that they adapt: a file without LoRA. */
percept_status pct_model_save_merged(const pct_model *model, const char *path, pct_dtype type, percept_error *error);

/* ---- training and scoring ------------------------------------------------------------------------------------- */

typedef struct pct_loss_weights {
    float language, box_l1, box_giou, mask_bce, mask_dice, quality, presence, naming, cell_box, smoothing;
    float background; /* of a cell without an object in the naming loss; an object's cell counts 1 */
    /* A region is charged for the best fitting of those of its phrase that are still to come and whose middles are less
     * than this share of the width from its own; 0: for its own. From left to right is no order where one stands above
     * the other: charged for one of the two, a region comes to lie over both. Learning of several choices
     * (Guzman-Rivera et al., NIPS 2012). */
    float any_order;
} pct_loss_weights;
void pct_loss_weights_default(pct_loss_weights *weights);

typedef struct pct_losses {
    double total, language, box_l1, box_giou, mask_bce, mask_dice, quality, presence, naming, cell_box;
    double token_accuracy;    /* of the supervised tokens */
    double naming_accuracy;   /* of the cells that an object owns: whose name among all of the batch is the right one */
    double mask_iou, box_iou; /* means over supervised objects, teacher-forced */
    int32_t objects, tokens;
} pct_losses;

/* The scalar to go back from; figures are written to *losses after the forward pass. Dropout and such from
 * tape->random. */
pct_tensor *pct_model_loss(pct_model *model, pct_tape *tape, const pct_batch *batch, const pct_loss_weights *weights,
                           pct_losses *losses);

/* ---- answering ----------------------------------------------------------------------------------------------------
 */

/* A session's mutable part: features of one picture, cache of keys and values, scratch. Grows in warm-up only. */
typedef struct pct_state pct_state;
percept_status pct_state_create(pct_state **state, pct_model *model, pct_compute *compute, percept_error *error);
void pct_state_destroy(pct_state **state);

/* Tower, connector and the language model's prefix for one picture: pixels (side, side, 3), normalised. */
percept_status pct_state_encode(pct_state *state, const pct_real *pixels, percept_error *error);
/* Drops the picture: what follows is talk without one. Prompts then begin with <bos> themselves, and no region can be
 * answered. A new state has no picture either. */
void pct_state_forget(pct_state *state);

typedef struct pct_region_in {
    enum pct_region_source source;
    int32_t picture;      /* in a batch of them; else 0 */
    pct_real box[4];      /* of the square, 0..1; for PCT_REGION_BOX and PCT_REGION_PLACE */
    const pct_real *mask; /* heads.mask_encoder_side squared; for PCT_REGION_MASK */
    /* How an earlier answer told of it in text, which a dialogue repeats; NULL: it is written anew. */
    const int32_t *told;
    int32_t told_count;
} pct_region_in;

typedef struct pct_region_out {
    pct_real box[4]; /* of the square, 0..1, ordered */
    pct_real *mask;  /* logits (PCT_HEADS_RES: probabilities), mask_side squared; in the state until the next answer;
                        NULL when masks were not asked for. Not in the token callback: there it may be unfinished */
    float quality;   /* logit */
    float token_log_probability; /* of <obj> where it was chosen; of a region in text the mean of its tokens' */
    float score;                 /* calibrated when the card says so; else sigmoid(quality), without a quality head
                                    exp(token_log_probability), of PCT_HEADS_RES the mask's mean probability */
    int32_t token;               /* its index in the answer's ids */
    /* The ids that told of it in text, in the state until the next answer; NULL: none did. */
    const int32_t *told;
    int32_t told_count;
} pct_region_out;

/* How a region of an earlier answer stands in a later prompt. */
static inline enum pct_region_source pct_model_reads_back(const pct_model_config *config) {
    return config->heads.feedback == PCT_FEEDBACK_NONE ? PCT_REGION_PLACE : PCT_REGION_BOX;
}

/* One question: ids as the template renders them up to where the answer begins (dialogue turns included). */
typedef struct pct_prompt {
    const int32_t *ids;
    int32_t count;
    int32_t begun; /* so many ids at the end are the answer's own, for a model that is made to speak: they open
                      the reply, its region and `end` follow. Other models: 0 */
    const int32_t *end;
    int32_t end_count;
    const pct_region_in *regions; /* one for each <obj> in ids, in order */
    int32_t region_count;
    /* Ids that are chosen one after the other in place of the sampler's choice, as the model itself would say them (a
     * region in text by its tokens, the end token too): an answer of known length to measure or to test with. What
     * comes after them is the model's own. NULL: none. Not for a model that is made to speak. */
    const int32_t *forced;
    int32_t forced_count;
} pct_prompt;

enum pct_finish { PCT_FINISH_STOP, PCT_FINISH_LENGTH, PCT_FINISH_TIME, PCT_FINISH_UNPARSABLE };

typedef struct pct_reply {
    int32_t
        *ids; /* generated, without the end token, each region being one <obj>; in the state until the next answer */
    int32_t count;
    int32_t tokens;        /* that were generated: more than `count` where regions are text */
    int32_t region_tokens; /* of them, those that are regions */
    int32_t prompt_tokens; /* of the question, its regions written out */
    pct_region_out *regions;
    int32_t region_count;
    bool broken; /* a region in text was begun that nothing can be made of: it breaks the grammar, or a limit cut it */
    enum pct_finish finish;
    double log_probability; /* of all generated tokens */
} pct_reply;

typedef struct pct_answer_options {
    int32_t max_tokens; /* 0: what fits the context */
    int32_t max_ids;    /* of a reply's ids, so that a region counts once however it is told; 0: no limit of its own */
    double deadline;    /* pct_clock_seconds() after which it stops, 0: none */
    bool masks;         /* false: boxes and text only, where the box head allows it */
    bool scores_now;    /* the callback wants each region's final score, even if masks could wait until the end */
    float temperature;  /* 0: greedy */
    float top_p;
    uint64_t seed;
    /* Called for every generated token of every prompt; true stops all (finish = stop). May be NULL. */
    bool (*token)(void *context, int32_t prompt, int32_t id, const pct_region_out *region);
    void *context;
} pct_answer_options;

/* Answers all prompts about the encoded picture as one batch; replies (count of them) point into the state. Each prompt
 * sees the picture and itself, so its reply does not depend on the others (but for rounding). PERCEPT_ERROR_USAGE when
 * a prompt is empty, leaves no room in the context, has another number of <obj> than regions, or forces an id that is
 * not of the vocabulary. finish is unparsable
 * when the model chose a token that no answer can hold (a control token, or <obj> without a picture); that token is
 * left out. Where regions are text: also when a region breaks the grammar (spelling.h); the reply then has no regions.
 * A region that the limit cuts is left out. */
percept_status pct_state_answer(pct_state *state, const pct_prompt *prompts, int32_t count,
                                const pct_answer_options *options, pct_reply *replies, percept_error *error);
/* Bytes of keys and values that the prompt and its answer take at most (pct_answer_options.max_tokens). */
size_t pct_state_answer_bytes(const pct_state *state, const pct_prompt *prompt, int32_t max_tokens);
/* Whether the prompt, its regions written out where they are text, leaves room for an answer in the context. */
percept_status pct_state_fits(const pct_state *state, const pct_prompt *prompt, bool *fits, percept_error *error);

#endif
