/* The one list of a model's parts, and a fresh model. */
#include "model/model_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum pct_activation tower_activation(enum pct_vision_activation activation) {
    static const enum pct_activation is[] = {PCT_GELU, PCT_GELU_ERF, PCT_QUICK_GELU};
    return is[activation];
}

static pct_tower_options tower_options(const pct_model_config *c) {
    bool conv = c->vision.stem == PCT_STEM_CONV, heads = c->language.regions != PCT_REGIONS_TEXT;
    return (pct_tower_options){
        .side = c->image.side,
        .stride = c->vision.stride,
        .fine_stride = c->vision.fine_stride,
        .skip_stride = heads && conv && c->vision.fine == PCT_FINE_STEM ? c->heads.mask_stride : 0,
        .width = c->vision.width,
        .layers = c->vision.layers,
        .heads = c->vision.heads,
        .mlp = c->vision.mlp,
        .stem_width = c->vision.stem_width,
        .stem_blocks = c->vision.stem_blocks,
        .cell_blocks = c->vision.cell_blocks,
        .conv_stem = conv,
        .second = c->vision.fine == PCT_FINE_SECOND,
        .merge = c->vision.merge,
        .merge_norm = c->vision.merge_norm,
        .mask_merge = heads && c->heads.kind == PCT_HEADS_PERCEPTION,
        .no_pre_norm = !c->vision.pre_norm,
        .patch_bias = c->vision.patch_bias,
        .layer_scale = c->vision.layer_scale,
        .qk_norm = c->vision.qk_norm,
        .activation = tower_activation(c->vision.activation),
        .epsilon = (double)c->vision.norm_epsilon,
    };
}

static pct_language_options language_options(const pct_model_config *c) {
    return (pct_language_options){
        .vocabulary = c->language.vocabulary,
        .width = c->language.width,
        .layers = c->language.layers,
        .heads = c->language.heads,
        .kv_heads = c->language.kv_heads,
        .mlp = c->language.mlp,
        .head_width = c->language.head_width,
        .rotary = c->language.rotary,
        .halves = c->language.architecture == PCT_QWEN2,
        .rope_factors = c->language.rope_factors,
        .bias = c->language.bias || c->language.architecture == PCT_QWEN2,
        .rope_theta = (double)c->language.rope_theta,
        .rope_slow = (double)c->language.rope_slow,
        .norm_epsilon = (double)c->language.norm_epsilon,
        .tied = c->language.tied,
        .mimetic = c->language.init == PCT_LANGUAGE_MIMETIC,
        .added = c->language.added,
    };
}

static void build_res(pct_model *model, pct_builder *builder) {
    const pct_res_options options = pct_model_config_res(&model->config);
    pct_res_decoder_build(&model->res, builder, &options);
}

/* What teaches the tower, whatever an answer's regions are. */
static void build_dense(pct_model *model, pct_builder *builder) {
    const pct_model_config *c = &model->config;
    const int64_t width = c->language.width;
    if (c->heads.naming) pct_naming_build(&model->naming, builder, width);
    if (c->heads.cell_box) pct_cell_box_build(&model->cell_box, builder, width);
    if (c->heads.presence) pct_presence_build(&model->presence, builder, c->vision.width, width);
}

static void build_heads(pct_model *model, pct_builder *builder) {
    const pct_model_config *c = &model->config;
    int64_t width = c->language.width;
    bool joined = c->vision.fine == PCT_FINE_STEM;
    pct_tower_options tower = tower_options(c);
    int skip = tower.skip_stride < tower.fine_stride && tower.skip_stride > 1 ? tower.skip_stride : 0;
    pct_fine_build(&model->fine, builder, joined, c->vision.width, c->vision.stem_width, c->heads.mask_width);
    pct_mask_decoder_options mask = {
        .state_width = width,
        .fine_width = joined ? c->heads.mask_width : c->vision.width,
        .skip_width = skip ? pct_tower_stem_channels(&tower, skip) : 0,
        .width = c->heads.mask_width,
        .mlp = c->heads.mask_mlp,
        .channels = c->heads.mask_channels,
        .heads = c->heads.mask_heads,
        .layers = c->heads.mask_layers,
        .queries = c->heads.mask_queries,
        .fine_stride = c->vision.fine == PCT_FINE_NONE ? c->vision.stride : c->vision.fine_stride,
        .mask_stride = c->heads.mask_stride,
        .skip_stride = skip,
        .plain = c->heads.mask_upscaling == PCT_UPSCALING_PLAIN,
        .as_coded = c->heads.mask_positions == PCT_POSITIONS_AS_CODED,
    };
    pct_mask_decoder_build(&model->mask_decoder, builder, &mask);
    pct_mask_encoder_build(&model->mask_encoder, builder, c->heads.mask_encoder_side, c->heads.mask_encoder_width,
                           c->heads.box_width, width, c->heads.mask_encoder_norm == PCT_MASK_NORM_MIXED);
    pct_box_encoder_build(&model->box_encoder, builder, c->heads.box_width, width);
    pct_box_decoder_build(&model->box_decoder, builder, c->heads.box == PCT_BOX_MOMENTS, width, c->heads.mask_width,
                          c->heads.box_width);
    if (c->heads.quality) pct_quality_build(&model->quality, builder, width, c->heads.mask_width, c->heads.mask_width);
}

/* The table of places begins as sinusoids, half of the channels for the row and half for the column, of wavelengths
 * from 3 cells to four times the grid; as strong as half of what a cell shows. Small random numbers would drown in it.
 */
static void begin_places(pct_tensor *table, int64_t grid) {
    pct_real *data = pct_tensor_data(table);
    const int64_t width = table->dim[1], half = width / 2, waves = half / 2;
    for (int64_t cell = 0; cell < grid * grid; cell++) {
        for (int64_t i = 0; i < 2 * half; i++) {
            const double place = (double)(i < half ? cell / grid : cell % grid);
            const double share = waves > 1 ? (double)(i % half / 2) / (double)(waves - 1) : 0;
            const double angle = 2 * acos(-1.0) * place / (3 * pow(4.0 * (double)grid / 3, share));
            data[cell * width + i] = (pct_real)(0.7 * (i % 2 ? cos(angle) : sin(angle)));
        }
    }
}

void pct_model_build(pct_model *model, pct_builder *builder) {
    const pct_model_config *c = &model->config;
    pct_language_options language = language_options(c);
    if (c->kind == PCT_MODEL_LANGUAGE) {
        pct_language_build(&model->language, builder, &language);
        pct_language_keep_fine(&model->language);
        return;
    }
    pct_tower_options tower = tower_options(c);
    const char *targets = builder->lora.targets;
    int32_t rank = builder->lora.rank;
    builder->lora.rank = 0; /* LoRA adapts the language model alone */
    pct_tower_build(&model->tower, builder, &tower);
    pct_connector_build(&model->connector, builder, c->language.connector != PCT_CONNECTOR_LINEAR,
                        c->language.connector == PCT_CONNECTOR_NORM_MLP,
                        (int64_t)c->vision.width * c->vision.shuffle * c->vision.shuffle, c->language.width);
    if (c->language.cell_positions == PCT_CELLS_LEARNED) {
        const int64_t cells = pct_model_prefix_rows(model) - 1;
        model->cell_position =
            pct_build_weight(builder, PCT_INIT_NORMAL, 0.02, 2, (int64_t[]){cells, c->language.width}, false, true,
                             "percept.cell_position");
        if (language.mimetic && model->cell_position)
            begin_places(&model->cell_position->tensor, pct_model_config_grid(c));
    }
    builder->lora.rank = rank;
    builder->lora.targets = targets;
    language.mimetic = language.mimetic && !model->based; /* weights that are there already */
    pct_language_build(&model->language, builder, &language);
    builder->lora.rank = 0;
    if (c->language.grounding)
        pct_grounding_build(&model->grounding, builder, c->language.vocabulary, c->language.width);
    if (c->language.copying) pct_copy_build(&model->copy, builder, c->language.width);
    if (c->heads.kind == PCT_HEADS_RES)
        build_res(model, builder);
    else if (pct_model_has_heads(model))
        build_heads(model, builder);
    if (c->heads.kind == PCT_HEADS_PERCEPTION) build_dense(model, builder);
    builder->lora.rank = rank;
}

pct_model *pct_model_new(const pct_model_config *config) {
    pct_model *model = calloc(1, sizeof *model);
    if (!model) return NULL;
    model->config = *config;
    model->object = -1;
    model->marks = (pct_model_marks){.begin = -1, .end = -1, .user = -1, .assistant = -1};
    pct_parameters_init(&model->parameters);
    return model;
}

percept_status pct_model_take_template(pct_model *model, const pct_tokenizer *tokenizer, percept_error *error) {
    pct_template *t = &model->template;
    pct_token_scratch scratch = {0};
    pct_ids lead = {0};
    if (!tokenizer || model->config.kind == PCT_MODEL_LANGUAGE) return PERCEPT_OK;
    PCT_TRY(pct_template_init(t, pct_model_template_name(model->config.language.template), tokenizer, error));
    PCT_TRY(pct_spelling_init(&model->spelling, &model->config, tokenizer, error));
    model->object = t->object;
    model->marks = (pct_model_marks){t->phrase_begin, t->phrase_end, t->user, t->assistant};
    percept_status status = pct_template_prefix(t, &scratch, 0, &lead, error);
    pct_token_scratch_free(&scratch);
    model->lead = lead.data;
    model->lead_count = (int32_t)lead.count;
    if (status == PERCEPT_OK && model->config.vision.class_row && model->lead_count != 1)
        status = pct_fail(error, PERCEPT_ERROR_MODEL,
                          "vision.class_row: 1 has room for one token before a picture; template %s puts %d there",
                          t->style->name, model->lead_count);
    return status;
}

const pct_template *pct_model_get_template(const pct_model *model) { return &model->template; }

pct_builder pct_model_builder(pct_model *model, bool trainable, uint64_t seed, percept_error *error) {
    const pct_model_config *c = &model->config;
    return (pct_builder){
        .set = &model->parameters,
        .seed = seed,
        .trainable = trainable,
        .lora = {c->lora.rank, c->lora.alpha, c->lora.dropout, c->lora.targets},
        .error = error,
    };
}

percept_status pct_model_create(pct_model **out, const pct_model_config *config, pct_tokenizer *tokenizer,
                                uint64_t seed, percept_error *error) {
    *out = NULL;
    PCT_TRY(pct_model_config_check(config, error));
    if (tokenizer && pct_tokenizer_size(tokenizer) != config->language.vocabulary)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "language.vocabulary: %d, but the tokenizer has %d ids",
                        config->language.vocabulary, pct_tokenizer_size(tokenizer));
    pct_model *model = pct_model_new(config);
    if (!model) return pct_fail_memory(error, "model");
    pct_builder builder = pct_model_builder(model, true, seed, error);
    builder.status = pct_model_take_template(model, tokenizer, error);
    pct_model_build(model, &builder);
    if (builder.status != PERCEPT_OK) {
        pct_model_close(&model);
        return builder.status;
    }
    model->tokenizer = tokenizer;
    model->config.language.init = PCT_LANGUAGE_PLAIN; /* done: a start is no part of the structure */
    *out = model;
    return PERCEPT_OK;
}

percept_status pct_model_plan(pct_model **out, const pct_model_config *config, pct_tokenizer **tokenizer,
                              pct_weight_source *source, void *context, uint64_t seed, percept_error *error) {
    *out = NULL;
    pct_model *model = pct_model_new(config);
    if (!model) return pct_fail_memory(error, "model");
    pct_builder builder = pct_model_builder(model, false, seed, error);
    builder.source = source;
    builder.context = context;
    builder.status = pct_model_take_template(model, *tokenizer, error);
    pct_model_build(model, &builder);
    if (builder.status != PERCEPT_OK) {
        pct_model_close(&model);
        return builder.status;
    }
    model->tokenizer = *tokenizer;
    *tokenizer = NULL;
    *out = model;
    return PERCEPT_OK;
}

void pct_model_begin_names(pct_model *model, const int32_t *ids, int64_t count) {
    if (model->config.language.grounding) pct_grounding_begin(&model->grounding, ids, count);
}

void pct_model_add_names(pct_model *model, const int32_t *ids, int64_t count) {
    if (model->config.language.grounding) pct_grounding_add(&model->grounding, ids, count);
}

void pct_model_close(pct_model **model) {
    if (!model || !*model) return;
    pct_model_card none = {0};
    pct_model_set_card(*model, &none, NULL);
    pct_parameters_free(&(*model)->parameters);
    pct_tokenizer_destroy(&(*model)->tokenizer);
    pct_gguf_close(&(*model)->file);
    pct_text_free(&(*model)->unused);
    free((*model)->path);
    pct_spelling_free(&(*model)->spelling);
    free((*model)->lead);
    free(*model);
    *model = NULL;
}

const pct_model_config *pct_model_get_config(const pct_model *model) { return &model->config; }
pct_parameters *pct_model_get_parameters(pct_model *model) { return &model->parameters; }
const pct_tokenizer *pct_model_get_tokenizer(const pct_model *model) { return model->tokenizer; }
int64_t pct_model_prefix_rows(const pct_model *model) {
    return pct_model_config_image_tokens(&model->config) +
           (model->config.vision.class_row ? 1 : (int64_t)model->lead_count);
}

int32_t pct_model_position(const pct_model *model, int64_t prefix, int64_t row) {
    if (model->config.language.cell_positions == PCT_CELLS_ROTARY || prefix == 0 || row == 0) return (int32_t)row;
    return row < prefix ? 1 : (int32_t)(2 + row - prefix);
}
