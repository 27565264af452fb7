/* config.h: what a training run is told: the keys of its YAML file, their ranges, defaults and meaning.
 *
 * One table (formats/yaml.h) gives the reader, `--key=value`, the help text and the effective config that a run leaves
 * in its folder. Agreement between keys is checked here; whether files exist is found out when they are opened. */
#ifndef PCT_TRAIN_CONFIG_H
#define PCT_TRAIN_CONFIG_H

#include "data/scene.h"
#include "formats/yaml.h"
#include "model/config.h"
#include "model/model.h"

/* The model's structure, section by section. I: whole numbers I(section, field, min, max, default, doc); K: choices
 * K(section, field, type, names, default, doc), names being tables in config.c. Defaults are percept-nano's. */
#define PCT_TRAIN_IMAGE(I, K)                                                                                          \
    I(image, side, 32, 1024, "192", "the model's square, pixels")                                                      \
    K(image, fit, enum pct_fit_mode, fits, "stretch", "how a picture becomes the model's square")
#define PCT_TRAIN_VISION(I, K)                                                                                         \
    I(vision, stem_width, 16, 1024, "128", "channels of the convolutional stem at the fine stride")                    \
    I(vision, stem_blocks, 0, 8, "2", "residual blocks of the stem at the fine stride")                                \
    I(vision, cell_blocks, 0, 8, "0", "residual convolution blocks at the stride, before the transformer")             \
    I(vision, stride, 4, 64, "16", "pixels a cell of the language model's grid")                                       \
    I(vision, fine_stride, 2, 64, "8", "pixels a cell of the masks' grid")                                             \
    I(vision, width, 16, 2048, "256", "width of the tower")                                                            \
    I(vision, layers, 1, 48, "6", "transformer layers of the tower")                                                   \
    I(vision, heads, 1, 64, "8", "attention heads of the tower")                                                       \
    I(vision, mlp, 16, 8192, "1024", "hidden width of the tower's MLPs")                                               \
    I(vision, merge, 0, 1, "1", "1: learned merge of all hidden layers; 0: the last layer alone")                      \
    I(vision, merge_norm, 0, 1, "1", "1: a LayerNorm after the merge; 0: as in the paper")                             \
    I(vision, pre_norm, 0, 1, "1", "1: a LayerNorm before the first layer")                                            \
    I(vision, patch_bias, 0, 1, "0", "1: the patch stem has a bias")                                                   \
    I(vision, layer_scale, 0, 1, "0", "1: what attention and MLP add is scaled channel by channel")                    \
    I(vision, qk_norm, 0, 1, "0", "1: RMSNorm of queries and keys")                                                    \
    I(vision, class_row, 0, 1, "1", "1: the connector sees the class token too; 0: the cells alone")                   \
    I(vision, shuffle, 1, 8, "1", "so many by so many cells become one image token")                                   \
    K(vision, activation, enum pct_vision_activation, activations, "gelu", "of the tower's MLPs")                      \
    K(vision, stem, enum pct_stem, stems, "conv", "what makes the first features")                                     \
    K(vision, fine, enum pct_fine, fines, "stem", "where the masks' finer features come from")
#define PCT_TRAIN_LANGUAGE(I, K)                                                                                       \
    I(language, vocabulary, 16, 1048576, "2048", "ids of the tokenizer that a fresh run trains")                       \
    I(language, width, 16, 4096, "256", "width of the language model")                                                 \
    I(language, layers, 1, 64, "8", "layers of the language model")                                                    \
    I(language, heads, 1, 64, "8", "attention heads of the language model")                                            \
    I(language, kv_heads, 1, 64, "4", "heads of keys and values")                                                      \
    I(language, mlp, 16, 16384, "512", "hidden width of its gated MLPs")                                               \
    I(language, context, 64, 32768, "1024", "longest picture, question and answer in tokens")                          \
    I(language, tied, 0, 1, "1", "1: the output matrix is the embedding")                                              \
    I(language, grounding, 0, 2, "2",                                                                                  \
      "1: phrases and regions begin with what they find among the cells; 2: regions also with what else there is")     \
    I(language, copying, 0, 1, "1", "1: words are copied from what the last region shows; wants grounding")            \
    I(language, bins, 16, 1024, "160", "coordinate tokens an axis of regions in text")                                 \
    I(language, vertices, 0, 120, "20", "most vertices of a region's polygon in text; 0: boxes alone")                 \
    K(language, regions, enum pct_regions_mode, regions, "token",                                                      \
      "token: <obj> and heads; text: coordinate tokens, no heads, no copying; both: <obj>, then the text")             \
    K(language, connector, enum pct_connector, connectors, "mlp", "between tower and language model")                  \
    K(language, prefix, enum pct_prefix, prefixes, "full", "how image tokens see each other")                          \
    K(language, cell_positions, enum pct_cell_positions, cell_positions, "learned",                                    \
      "where cells lie: a rotary position each, or a learned table and one position for all")                          \
    K(language, init, enum pct_language_init, inits, "mimetic",                                                        \
      "start of fresh queries and cell positions; mimetic: queries like their keys, positions as sinusoids")
#define PCT_TRAIN_HEADS(I, K)                                                                                          \
    I(heads, box_width, 16, 4096, "256", "hidden width of box encoder and decoder")                                    \
    I(heads, mask_width, 16, 1024, "128", "width of the mask decoder")                                                 \
    I(heads, mask_heads, 1, 32, "4", "attention heads of the mask decoder")                                            \
    I(heads, mask_layers, 1, 8, "2", "two-way layers of the mask decoder")                                             \
    I(heads, mask_mlp, 16, 4096, "256", "hidden width of the mask decoder's MLPs")                                     \
    I(heads, mask_queries, 1, 16, "4", "queries a region in the mask decoder")                                         \
    I(heads, mask_channels, 4, 1024, "16", "channels of the map that masks are read from")                             \
    I(heads, mask_stride, 1, 64, "4", "pixels a cell of the mask logits")                                              \
    I(heads, mask_encoder_side, 32, 512, "64", "side of the masks that the mask encoder reads")                        \
    I(heads, mask_encoder_width, 4, 512, "16", "channels of the mask encoder")                                         \
    I(heads, quality, 0, 1, "1", "1: a head predicts each region's quality")                                           \
    I(heads, presence, 0, 1, "1", "1: a head says which names are in the picture")                                     \
    I(heads, naming, 0, 1, "1", "1: every patch names its owner")                                                      \
    I(heads, cell_box, 0, 1, "1", "1: every patch says where its owner's box is")                                      \
    I(heads, commit, 0, 1, "0", "1: an answer's region over two things becomes one of them, by the patches' boxes")    \
    K(heads, box, enum pct_box_head, boxes, "moments", "what the box head sees beside the hidden state")               \
    K(heads, feedback, enum pct_feedback, feedbacks, "drawn",                                                          \
      "what an answer's <obj> is read as: its region's box or mask encoded, drawn for each, or nothing of it")         \
    K(heads, mask_upscaling, enum pct_mask_upscaling, upscalings, "refined",                                           \
      "how the masks' grid grows; plain: as in the paper's code")                                                      \
    K(heads, mask_positions, enum pct_mask_positions, mask_positions, "sine-2d",                                       \
      "of the masks' grid; as-coded: what the paper's code computes")                                                  \
    K(heads, mask_encoder_norm, enum pct_mask_norm, mask_norms, "layer",                                               \
      "of the mask encoder; mixed: BatchNorm in every second block, as in the paper's code")
#define PCT_TRAIN_LORA(I, K) I(lora, rank, 0, 256, "0", "rank of LoRA; 0: none")
#define PCT_TRAIN_MODEL(I, K)                                                                                          \
    PCT_TRAIN_IMAGE(I, K)                                                                                              \
    PCT_TRAIN_VISION(I, K)                                                                                             \
    PCT_TRAIN_LANGUAGE(I, K)                                                                                           \
    PCT_TRAIN_HEADS(I, K)                                                                                              \
    PCT_TRAIN_LORA(I, K)

typedef struct pct_train_config {
    pct_model_config model; /* filled by pct_train_config_finish from `wanted` */
    struct {
#define PCT_NUMBER(section, field, ...) int64_t section##_##field;
#define PCT_CHOICE(section, field, ...) int section##_##field;
        PCT_TRAIN_MODEL(PCT_NUMBER, PCT_CHOICE)
#undef PCT_NUMBER
#undef PCT_CHOICE
        pct_config_numbers mean, deviation;
        float rope_theta, norm_epsilon, vision_epsilon, lora_alpha, lora_dropout;
        const char *lora_targets;
    } wanted;
    const char *base;
    struct {
        const char *folder, *pack, *cutouts, *backgrounds;
        pct_config_texts styles;
        float generated, taught, augment, object_weight, mask_share;
        int64_t hold_taught, side, questions, objects_min, objects_max, names, scene_names;
        pct_config_numbers weights;
    } data;
    pct_loss_weights losses;
    struct {
        int kind; /* enum pct_optimiser_kind */
        float momentum, rate, beta1, beta2, epsilon, decay, clip, ema, slow_rate;
        int64_t accumulate;
        pct_config_texts freeze, slow;
    } optimiser;
    struct {
        int64_t steps, batch, warmup;
        float final;
    } schedule;
    struct {
        const char *out, *name, *from, *warm, *date, *licence, *data_licences, *description, *domain, *version;
        pct_config_texts fresh;
        int64_t seed, threads, log_every, validate_every, validate_pictures, validate_splits, checkpoint_every, keep,
            spike_steps;
        int64_t calibrate, test;
        float spike, blend, blend_vision;
        int64_t merge, thaw;
        int precision, type;
    } run;
} pct_train_config;

enum pct_train_precision { PCT_TRAIN_AUTO, PCT_TRAIN_F32, PCT_TRAIN_BF16 };
enum pct_train_type { PCT_TRAIN_Q8_0, PCT_TRAIN_TYPE_F16, PCT_TRAIN_TYPE_F32 };

/* The table, for help and for the command line. */
const pct_config_field *pct_train_config_fields(size_t *count);

/* Every default, and a reader that can write them; nothing is checked. pct_config_free(reader). */
void pct_train_config_init(pct_train_config *config, pct_config *reader);
/* Reads the file (NULL: defaults alone), then the settings ("key=value"), checks all. On success `reader` keeps the
 * strings and can write the effective config; pct_config_free(reader) in any case. */
percept_status pct_train_config_load(pct_train_config *config, pct_config *reader, const char *path,
                                     const char *const *settings, size_t setting_count, percept_error *error);
/* The same from YAML text: a checkpoint's own config. */
percept_status pct_train_config_load_text(pct_train_config *config, pct_config *reader, const char *name,
                                          const char *text, size_t size, percept_error *error);

/* The model that is written lies between the one that was begun with and the trained one. */
bool pct_train_blends(const pct_train_config *config);

/* What the source of scenes is opened with. Borrows the config's strings. */
percept_status pct_train_scene_options(const pct_train_config *config, pct_scene_options *options,
                                       percept_error *error);

#endif
