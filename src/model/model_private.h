/* model_private.h: the model's parts, for the files of this folder. */
#ifndef PCT_MODEL_MODEL_PRIVATE_H
#define PCT_MODEL_MODEL_PRIVATE_H

#include "heads/box.h"
#include "heads/cell_box.h"
#include "heads/copy.h"
#include "heads/grounding.h"
#include "heads/losses.h"
#include "heads/mask_decoder.h"
#include "heads/mask_encoder.h"
#include "heads/naming.h"
#include "heads/quality.h"
#include "heads/res_decoder.h"
#include "language/language.h"
#include "model/model.h"
#include "model/spelling.h"
#include "vision/tower.h"

#include <string.h>

/* Ids of the marks around phrases and questions; -1: none. */
typedef struct pct_model_marks {
    int32_t begin, end, user, assistant; /* <p> </p> <user> <assistant> */
} pct_model_marks;

struct pct_model {
    pct_model_config config;
    pct_parameters parameters;
    pct_tokenizer *tokenizer; /* owned; NULL only in tests of the structure */
    int32_t object;           /* its token's id; -1: none */
    pct_model_marks marks;
    pct_template template; /* style NULL: a language model alone, or no tokenizer */
    pct_spelling spelling; /* bins 0: regions are tokens */
    int32_t *lead;         /* ids before a picture's tokens; owned */
    int32_t lead_count;

    pct_tower tower;
    pct_connector_layers connector;
    pct_parameter *cell_position; /* (cells, width of the language model), or NULL */
    pct_fine_layers fine;
    pct_language language;
    pct_grounding grounding;
    pct_copy copy;
    pct_box_encoder box_encoder;
    pct_box_decoder box_decoder;
    pct_mask_encoder mask_encoder;
    pct_mask_decoder mask_decoder;
    pct_quality_head quality;
    pct_naming_head naming;
    pct_cell_box_head cell_box;
    pct_presence_head presence;
    pct_res_decoder res;

    pct_model_card card; /* strings owned */
    pct_gguf *file;      /* the map that stored weights lie in; NULL for a new model and for a trainable one */
    bool based;          /* `file` is the base of a new model: a language model's, which is frozen */
    char *path;          /* of the file it was opened from; NULL for a new one */
    char hash[65];       /* made when first asked for, under the parameters' lock */
    pct_text unused;     /* tensors of the file that the model has no use for, "a, b, c" */
};

/* Builds every part through the builder: the one list of a model's weights. */
void pct_model_build(pct_model *model, pct_builder *builder);
/* An empty model of that config. NULL when memory is out. */
pct_model *pct_model_new(const pct_model_config *config);
/* The template that the config names, and what it puts before pictures. Nothing for a language model alone. */
percept_status pct_model_take_template(pct_model *model, const pct_tokenizer *tokenizer, percept_error *error);
/* One weight of a file for a builder: as it is stored where it does not learn and is a matrix, else in F32. */
percept_status pct_model_take_weight(const pct_gguf *file, const pct_weight_spec *spec, pct_parameters *set,
                                     pct_parameter **parameter, percept_error *error);
/* A tensor of a file as plain numbers, tensor->elements of them. MODEL where its type holds no weights. */
percept_status pct_model_read_tensor(const pct_gguf *file, const pct_gguf_tensor *tensor, pct_real *out,
                                     percept_error *error);
/* Refuses a language model alone with tensors that this program does not compute with. */
percept_status pct_model_check_all_used(const pct_model *model, const pct_gguf *file, percept_error *error);
/* Whether a parameter is one of a base's, with which all else has learned: it is written as it is stored. */
bool pct_model_keeps_stored(const pct_model *model, const pct_parameter *parameter);
/* Regions in text alone: neither heads that decode one nor encoders that read one. */
static inline bool pct_model_has_heads(const pct_model *model) {
    return model->config.language.regions != PCT_REGIONS_TEXT;
}
/* The builder's LoRA fields and flags from the config. */
pct_builder pct_model_builder(pct_model *model, bool trainable, uint64_t seed, percept_error *error);

/* Rows of a picture in the language model: <bos>, where there is one, and its image tokens. */
int64_t pct_model_prefix_rows(const pct_model *model);
/* Rotary position of a sequence's row, whose first `prefix` rows are a picture's (0: talk without one), words after. */
int32_t pct_model_position(const pct_model *model, int64_t prefix, int64_t row);

/* What a batch of pictures gives. */
typedef struct pct_sight {
    int64_t pictures;
    pct_tensor *prefix;  /* (P*prefix rows, width of the language model): <bos>, and the cells with their places */
    pct_tensor *cells;   /* (P*rows, width): the connector's output, class rows included where it has them */
    pct_tensor *classes; /* (P, width of the tower), when asked for */
    pct_mask_keys keys;
    pct_tensor *vision; /* PCT_HEADS_RES: the tower's cells (P*cells, width of the tower) */
    pct_ground ground;
} pct_sight;
pct_sight pct_model_see(pct_tape *tape, const pct_model *model, pct_tensor *pixels, bool classes);
/* Only what the tower's own losses need: neither prefix nor keys. */
pct_sight pct_model_see_cells(pct_tape *tape, const pct_model *model, pct_tensor *pixels, bool classes,
                              pct_tower_output *tower);

/* Of one picture's cells, (grid*grid, 4): the box of the object that each shows, where heads.commit wants them; else
 * NULL. */
pct_tensor *pct_model_cell_boxes(pct_tape *tape, const pct_model *model, pct_tensor *cells);

/* Text on its way to the language model. */
typedef struct pct_model_text {
    const int32_t *ids;
    int64_t count;
    const pct_region_in *regions;
    const int32_t *region_rows; /* the rows of <obj> that they replace */
    int64_t region_count;
    const pct_ground *ground; /* of the pictures that the text is about; NULL: of none */
    const pct_look *looks;    /* of the marks in it */
    int64_t look_count;
} pct_model_text;
/* Whether the token at ids[at] looks (heads/grounding.h), and for what: a mark for what stands before it from <p> or
 * <user> on; an <obj> of a phrase for that phrase, and *regions is how many of its regions there are up to this one
 * (0: a mark). Fills ids and count alone. */
bool pct_model_look(const pct_model *model, const int32_t *ids, int32_t at, pct_look *look, int32_t *regions);
/* The look leaves out what `count` regions of its picture cover. */
void pct_model_leave_out(pct_tape *tape, const pct_model *model, const pct_region_in *regions, int32_t count,
                         pct_look *look);
/* Embeddings of the ids, rows of <obj> replaced by their regions' encodings; both with what they find in the picture.
 */
pct_tensor *pct_model_embed(pct_tape *tape, const pct_model *model, const pct_model_text *text);

/* What every region of the text shows, in order: the mean of its cells, each of length 1 -> (region_count, width).
 * NULL: without copying, without a picture, without regions. */
pct_tensor *pct_model_views(pct_tape *tape, const pct_model *model, const pct_model_text *text);

/* A region of each state. box and logits (and quality, when the model has that head) are what the heads say. */
typedef struct pct_regions {
    pct_tensor *boxes, *logits, *quality;
} pct_regions;
pct_regions pct_model_regions(pct_tape *tape, const pct_model *model, const pct_mask_keys *keys, pct_tensor *states,
                              const int32_t *picture);

/* heads.commit. Where an order from left to right, or a word, leaves two objects equally good, what is decoded lies
 * over both: box and mask are means of the two. The cells know better whose they are. When less than 70 % of the box
 * lies in the box that most of the mask's cells name (heads/cell_box.h), the region becomes that object: its box, and
 * of the mask what lies in it. cell_boxes (grid*grid,4), box (4), logits (side,side); true when they were changed.
 * Thresholds were chosen on the calibration split. */
bool pct_region_commit(pct_tape *tape, const pct_real *cell_boxes, int64_t grid, pct_real *box, pct_real *logits,
                       int64_t side);

/* Whether a weight is one of LoRA's two, by its name. */
static inline bool pct_model_is_lora(const char *name) {
    const char *end = strrchr(name, '.');
    return end && (!strcmp(end, ".lora_a") || !strcmp(end, ".lora_b"));
}
/* row of W += scale * row of B * A; a is (rank,in). */
static inline void pct_model_add_lora(pct_real *row, const pct_real *b, const pct_real *a, int64_t rank, int64_t in,
                                      pct_real scale) {
    for (int64_t r = 0; r < rank; r++)
        for (int64_t i = 0; i < in; i++) row[i] += scale * b[r] * a[r * in + i];
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

#define PCT_MODEL_FORMAT 1 /* percept.format_version */

/* The config as keys of a file, and back; the file's values are checked like any config's. */
void pct_model_config_write(const pct_model_config *config, pct_gguf_writer *writer);
percept_status pct_model_config_read(pct_model_config *config, const pct_gguf *file, percept_error *error);
/* What a language model may have beyond the joined model's own table of keys; the heads are known. */
void pct_model_language_write(const pct_model_config *config, pct_gguf_writer *writer);
percept_status pct_model_language_read(pct_model_config *config, const pct_gguf *file, percept_error *error);
/* The config of a file that is a language model alone; vocabulary is left 0. Not checked yet. */
percept_status pct_model_config_read_language(pct_model_config *config, const pct_gguf *file,
                                              enum pct_architecture architecture, percept_error *error);
/* Its keys, as llama.cpp reads them. */
void pct_model_config_write_language(const pct_model_config *config, pct_gguf_writer *writer);
bool pct_architecture_from_name(const char *name, enum pct_architecture *architecture);
void pct_model_card_write(const pct_model_card *card, pct_gguf_writer *writer);
percept_status pct_model_card_read(pct_model *model, const pct_gguf *file, percept_error *error);

/* config.c: MLLMSeg's decoder of a model with heads of that kind. */
pct_res_options pct_model_config_res(const pct_model_config *config);

#endif
