/* config.h: everything that decides a model's structure. It is stored in the model file's metadata and nowhere else.
 *
 * The same fields are the `model:` section of a training config. Defaults are percept-nano. A published family fills
 * the same struct with its own numbers. */
#ifndef PCT_MODEL_CONFIG_H
#define PCT_MODEL_CONFIG_H

#include "base/error.h"
#include "image/fit.h"

#include <stdint.h>

enum pct_stem { PCT_STEM_CONV, PCT_STEM_PATCH };
/* Where the finer features for the masks come from. stem: the tower's merge, brought to the fine stride, plus the
 * convolutional stem's features there. second: the paper's pass B, the same tower with patch kernel and positions
 * resampled to the fine stride. none: the merge itself. */
enum pct_fine { PCT_FINE_STEM, PCT_FINE_SECOND, PCT_FINE_NONE };
enum pct_prefix { PCT_PREFIX_FULL, PCT_PREFIX_CAUSAL };
/* norm_mlp: InternVL's, a LayerNorm before the MLP and GELU in its exact form. */
enum pct_connector { PCT_CONNECTOR_LINEAR, PCT_CONNECTOR_MLP, PCT_CONNECTOR_NORM_MLP };
enum pct_vision_activation { PCT_VISION_GELU, PCT_VISION_GELU_ERF, PCT_VISION_QUICK_GELU };
enum pct_resample { PCT_RESAMPLE_BICUBIC }; /* as Pillow's (image/resize.h) */
/* Where a picture's cells are, to the language model. rotary: each row of the prefix has the next rotary position.
 * learned: all cells stand at one, so that no angle lies between a word and one cell more than another, and a learned
 * table is added to them. */
enum pct_cell_positions { PCT_CELLS_ROTARY, PCT_CELLS_LEARNED };
enum { PCT_MOST_VERTICES = 120 }; /* language.vertices */
enum { PCT_GROUNDING_REST = 2 };  /* language.grounding: the highest */
/* How a fresh language model starts. mimetic: queries that already look for what is like them, learned places of cells
 * that already tell rows and columns. */
enum pct_language_init { PCT_LANGUAGE_PLAIN, PCT_LANGUAGE_MIMETIC };
/* The family whose key names, rotary pairs and biases the language model has (interleaved without; halves with). */
enum pct_architecture { PCT_LLAMA, PCT_QWEN2 };
const char *pct_architecture_name(enum pct_architecture architecture); /* as in general.architecture; static */
/* A language model alone, as llama.cpp has them, completes, chats and scores text: no tower, no heads. */
enum pct_model_kind { PCT_MODEL_JOINED, PCT_MODEL_LANGUAGE };
/* plain: the paper's MLP on the hidden state. moments: the same MLP also sees the mask's soft position and extent and
 * corrects that extent. */
enum pct_box_head { PCT_BOX_MOMENTS, PCT_BOX_PLAIN };
/* What an answer's <obj> becomes when the model reads on. drawn: in training its true box's or mask's encoding, drawn
 * for each (data.mask_share); its predicted box's when answering. box, mask: always that, but that the regions of
 * earlier turns are always read by their boxes: a dialogue keeps no masks. none: the token's own embedding, so that
 * what follows does not know the region. */
enum pct_feedback { PCT_FEEDBACK_DRAWN, PCT_FEEDBACK_BOX, PCT_FEEDBACK_MASK, PCT_FEEDBACK_NONE };
/* How the mask decoder's grid is brought to the masks' side. plain: as in the paper's code, ReLU. refined: GELU, and
 * one convolution more at the end. */
enum pct_mask_upscaling { PCT_UPSCALING_REFINED, PCT_UPSCALING_PLAIN };
/* Positions in the mask decoder. as-coded: what the paper's code computes, its arguments being in the wrong order. */
enum pct_mask_positions { PCT_POSITIONS_SINE, PCT_POSITIONS_AS_CODED };
/* Norms of the mask encoder. mixed: as in the paper's code, BatchNorm (frozen) in every second block. */
enum pct_mask_norm { PCT_MASK_NORM_LAYER, PCT_MASK_NORM_MIXED };

/* What gives a region. perception: the paper's heads and ours, box and mask of any number of regions that the model
 * chooses to speak of. res: MLLMSeg's mask decoder (heads/res_decoder.h), whose answers are begun for it. */
enum pct_region_heads { PCT_HEADS_PERCEPTION, PCT_HEADS_RES };
/* How answers and questions hold regions. token: <obj>, whose box and mask the heads decode. text: coordinate tokens
 * (model/spelling.h), no heads and no region encoders. both: <obj>, then the same region in text beside it. */
enum pct_regions_mode { PCT_REGIONS_TOKEN, PCT_REGIONS_TEXT, PCT_REGIONS_BOTH };
/* How talk becomes ids (tokenizer/template.h), by the name that pct_model_template_name gives. */
enum pct_template_kind { PCT_TEMPLATE_PERCEPT, PCT_TEMPLATE_PERCEPTIONGPT, PCT_TEMPLATE_MLLMSEG };

typedef struct pct_model_lora {
    int32_t rank; /* 0: none */
    float alpha, dropout;
    char targets[64]; /* comma-separated ends of layers' names: "attn_q,attn_v" */
} pct_model_lora;

typedef struct pct_model_config {
    enum pct_model_kind kind; /* PCT_MODEL_LANGUAGE: all but `language` is 0 */
    struct {
        int32_t side; /* the model's square, pixels */
        enum pct_fit_mode fit;
        enum pct_resample resample;
        int32_t reduced;             /* 1: a JPEG may be decoded at a fraction of its size that is still above `side` */
        float mean[3], deviation[3]; /* of 0..1 RGB */
    } image;
    struct {
        enum pct_stem stem;
        int32_t stem_width;  /* channels of the stem at the fine stride; halved at each finer stage */
        int32_t stem_blocks; /* residual convolution blocks at the fine stride */
        int32_t cell_blocks; /* the same at the stride, before the transformer */
        int32_t stride;      /* pixels a cell of the language model's grid */
        int32_t fine_stride; /* pixels a cell of the masks' grid */
        int32_t width, layers, heads, mlp;
        enum pct_fine fine;
        int32_t merge;      /* 1: learned merge of all hidden layers; 0: the last layer alone */
        int32_t merge_norm; /* 1: a LayerNorm after it; 0: as in the paper */
        enum pct_vision_activation activation;
        float norm_epsilon;
        int32_t pre_norm;    /* 1: a LayerNorm before the first layer */
        int32_t patch_bias;  /* 1: the patch stem's convolution has a bias */
        int32_t layer_scale; /* 1: what attention and MLP add is scaled channel by channel */
        int32_t qk_norm;     /* 1: RMSNorm of queries and keys, over all heads together */
        int32_t class_row;   /* 1: the connector sees the class token too; 0: the cells alone (no grounding then) */
        int32_t shuffle;     /* so many x so many cells are one row of the connector's input; 1: each is */
    } vision;
    struct {
        enum pct_connector connector;
        int32_t vocabulary; /* set by the tokenizer */
        int32_t width, layers, heads, kv_heads, mlp, context;
        enum pct_architecture architecture;
        int32_t head_width;   /* of an attention head; 0: width/heads */
        int32_t rotary;       /* of its numbers are turned by positions; 0: all */
        int32_t rope_factors; /* 1: each pair's angle has its own divisor (rope_freqs.weight) */
        int32_t bias;         /* 1: of queries, keys and values; PCT_QWEN2 has them in any case */
        float rope_theta, norm_epsilon;
        float rope_slow; /* positions are divided by it ("linear" scaling); 0: by 1 */
        int32_t tied;    /* 1: the output matrix is the embedding */
        int32_t added;   /* of the vocabulary, its last ids: tokens beside those of the frozen language model that the
                          * file was trained on (pct_model_create_on); their rows are tables of their own. 0: none */
        enum pct_prefix prefix;
        enum pct_template_kind template;
        enum pct_cell_positions cell_positions;
        int32_t grounding; /* 1: phrases and regions begin with what they find among the cells (heads/grounding.h);
                            * PCT_GROUNDING_REST: the regions of a phrase also with what else it finds */
        int32_t copying;   /* 1: words are copied from what the last region shows (heads/copy.h); wants grounding */
        enum pct_regions_mode regions;
        int32_t bins;                /* of regions in text: coordinate tokens an axis */
        int32_t vertices;            /* most of a region's polygon in text; 0: boxes alone */
        enum pct_language_init init; /* read by pct_model_create alone, in no file; 0 in a model's own config */
    } language;
    struct {
        enum pct_region_heads kind; /* PCT_HEADS_RES: of the fields below mask_width, _heads, _mlp alone count */
        enum pct_box_head box;
        enum pct_feedback feedback;
        int32_t box_width;  /* of the box encoder's and decoder's MLPs */
        int32_t mask_width; /* of the mask decoder's transformer */
        int32_t mask_heads, mask_layers, mask_mlp;
        int32_t mask_queries;  /* an object's queries in the mask decoder; the paper has 1 */
        int32_t mask_channels; /* of the upscaled map that masks are read from */
        int32_t mask_stride;   /* pixels a cell of the mask logits */
        enum pct_mask_upscaling mask_upscaling;
        enum pct_mask_positions mask_positions;
        int32_t mask_encoder_side, mask_encoder_width;
        enum pct_mask_norm mask_encoder_norm;
        int32_t quality;  /* 1: a head that predicts the region's quality */
        int32_t presence; /* 1: which names are in the picture, from the class token */
        int32_t naming;   /* 1: every patch names its owner */
        int32_t cell_box; /* 1: every patch says where its owner's box is (heads/cell_box.h) */
        int32_t commit;   /* 1: a region that lies over two objects becomes one of them, by the cells' boxes
                           * (pct_region_commit); wants cell_box */
    } heads;
    pct_model_lora lora; /* of the language model */
} pct_model_config;

/* "percept", "perceptiongpt", "mllmseg". */
const char *pct_model_template_name(enum pct_template_kind kind);
void pct_model_config_default(pct_model_config *config);
/* What fields mean in files of before their keys, where that is not 0. */
void pct_model_config_before(pct_model_config *config);
/* Ranges and agreement between fields; the message names the key ("vision.heads: 7 does not divide vision.width 256").
 */
percept_status pct_model_config_check(const pct_model_config *config, percept_error *error);
/* Numbers of an attention head of the language model. */
static inline int32_t pct_model_config_head(const pct_model_config *config) {
    const int32_t own = config->language.head_width;
    return own > 0 ? own : config->language.width / config->language.heads;
}
/* Cells of the tower's grid a side, of the fine grid, of the masks of a reply (regions in text: the square's pixels).
 */
int32_t pct_model_config_grid(const pct_model_config *config);
/* Rows of a picture that the connector makes of its cells, without the class token's. */
int32_t pct_model_config_image_tokens(const pct_model_config *config);
int32_t pct_model_config_fine_grid(const pct_model_config *config);
int32_t pct_model_config_mask_side(const pct_model_config *config);

#endif
