#include "model/model_private.h"

#include <string.h>

void pct_model_config_before(pct_model_config *c) {
    c->vision.norm_epsilon = 1e-5f;
    c->vision.pre_norm = 1;
    c->vision.class_row = 1;
    c->vision.shuffle = 1;
}

void pct_model_config_default(pct_model_config *c) {
    *c = (pct_model_config){0};
    c->image.side = 192;
    c->image.fit = PCT_FIT_STRETCH;
    c->image.reduced = 1;
    for (int i = 0; i < 3; i++) {
        c->image.mean[i] = 0.5f;
        c->image.deviation[i] = 0.25f;
    }
    c->vision.stem = PCT_STEM_CONV;
    c->vision.stem_width = 128;
    c->vision.stem_blocks = 2;
    c->vision.stride = 16;
    c->vision.fine_stride = 8;
    c->vision.width = 256;
    c->vision.layers = 6;
    c->vision.heads = 8;
    c->vision.mlp = 1024;
    c->vision.fine = PCT_FINE_STEM;
    c->vision.merge = 1;
    c->vision.merge_norm = 1;
    pct_model_config_before(c);
    c->language.connector = PCT_CONNECTOR_MLP;
    c->language.vocabulary = 2048;
    c->language.width = 256;
    c->language.layers = 8;
    c->language.heads = 8;
    c->language.kv_heads = 4;
    c->language.mlp = 512;
    c->language.context = 1024;
    c->language.rope_theta = 10000;
    c->language.norm_epsilon = 1e-5f;
    c->language.tied = 1;
    c->language.prefix = PCT_PREFIX_FULL;
    c->language.cell_positions = PCT_CELLS_LEARNED;
    c->language.grounding = PCT_GROUNDING_REST;
    c->language.copying = 1;
    c->language.bins = 160;
    c->language.vertices = 20;
    c->language.init = PCT_LANGUAGE_MIMETIC;
    c->heads.box = PCT_BOX_MOMENTS;
    c->heads.box_width = 256;
    c->heads.mask_width = 128;
    c->heads.mask_heads = 4;
    c->heads.mask_layers = 2;
    c->heads.mask_mlp = 256;
    c->heads.mask_queries = 4;
    c->heads.mask_channels = 16;
    c->heads.mask_stride = 4;
    c->heads.mask_encoder_side = 64;
    c->heads.mask_encoder_width = 16;
    c->heads.quality = 1;
    c->heads.presence = 1;
    c->heads.naming = 1;
    c->heads.cell_box = 1;
    c->lora.rank = 0;
    c->lora.alpha = 64;
    c->lora.dropout = 0.1f;
    strcpy(c->lora.targets, "attn_q,attn_v");
}

int32_t pct_model_config_grid(const pct_model_config *c) { return c->image.side / c->vision.stride; }

int32_t pct_model_config_image_tokens(const pct_model_config *c) {
    const int32_t side = pct_model_config_grid(c) / c->vision.shuffle;
    return side * side;
}

int32_t pct_model_config_fine_grid(const pct_model_config *c) {
    return c->image.side / (c->vision.fine == PCT_FINE_NONE ? c->vision.stride : c->vision.fine_stride);
}

int32_t pct_model_config_mask_side(const pct_model_config *c) {
    if (c->heads.kind == PCT_HEADS_RES) return pct_model_config_grid(c) * c->vision.stride;
    if (c->language.regions == PCT_REGIONS_TEXT) return c->image.side;
    return c->image.side / c->heads.mask_stride;
}

const char *pct_model_template_name(enum pct_template_kind kind) {
    static const char *const names[] = {"percept", "perceptiongpt", "mllmseg"};
    return names[kind];
}

/* ---- checks --------------------------------------------------------------------------------------------------- */

typedef struct limit {
    const char *key;
    int32_t value, low, high;
} limit;

static percept_status check_all(const limit *limits, size_t count, percept_error *error) {
    for (size_t i = 0; i < count; i++) {
        const limit *l = &limits[i];
        if (l->value < l->low || l->value > l->high)
            return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: %d is outside %d..%d", l->key, l->value, l->low, l->high);
    }
    return PERCEPT_OK;
}

static percept_status check_limits(const pct_model_config *c, percept_error *error) {
    const limit limits[] = {
        {"image.side", c->image.side, 16, 1024},
        {"image.fit", (int32_t)c->image.fit, 0, 1},
        {"image.resample", (int32_t)c->image.resample, 0, 0},
        {"image.reduced", c->image.reduced, 0, 1},
        {"vision.stem", (int32_t)c->vision.stem, 0, 1},
        {"vision.stem_width", c->vision.stem_width, 16, 1024},
        {"vision.stem_blocks", c->vision.stem_blocks, 0, 8},
        {"vision.cell_blocks", c->vision.cell_blocks, 0, 8},
        {"vision.stride", c->vision.stride, 4, 64},
        {"vision.fine_stride", c->vision.fine_stride, 2, 64},
        {"vision.width", c->vision.width, 16, 4096},
        {"vision.layers", c->vision.layers, 1, 64},
        {"vision.heads", c->vision.heads, 1, 64},
        {"vision.mlp", c->vision.mlp, 16, 16384},
        {"vision.fine", (int32_t)c->vision.fine, 0, 2},
        {"vision.merge", c->vision.merge, 0, 1},
        {"vision.merge_norm", c->vision.merge_norm, 0, 1},
        {"vision.activation", (int32_t)c->vision.activation, 0, 2},
        {"vision.pre_norm", c->vision.pre_norm, 0, 1},
        {"vision.patch_bias", c->vision.patch_bias, 0, 1},
        {"vision.layer_scale", c->vision.layer_scale, 0, 1},
        {"vision.qk_norm", c->vision.qk_norm, 0, 1},
        {"vision.class_row", c->vision.class_row, 0, 1},
        {"vision.shuffle", c->vision.shuffle, 1, 8},
        {"language.connector", (int32_t)c->language.connector, 0, 2},
        {"language.prefix", (int32_t)c->language.prefix, 0, 1},
        {"language.cell_positions", (int32_t)c->language.cell_positions, 0, 1},
        {"language.grounding", c->language.grounding, 0, PCT_GROUNDING_REST},
        {"language.copying", c->language.copying, 0, 1},
        {"language.regions", (int32_t)c->language.regions, 0, 2},
        {"language.init", (int32_t)c->language.init, 0, 1},
        {"language.template", (int32_t)c->language.template, 0, 2},
        {"heads.kind", (int32_t)c->heads.kind, 0, 1},
        {"heads.box", (int32_t)c->heads.box, 0, 1},
        {"heads.feedback", (int32_t)c->heads.feedback, 0, 3},
        {"heads.box_width", c->heads.box_width, 8, 4096},
        {"heads.mask_width", c->heads.mask_width, 16, 4096},
        {"heads.mask_heads", c->heads.mask_heads, 1, 64},
        {"heads.mask_layers", c->heads.mask_layers, 1, 8},
        {"heads.mask_mlp", c->heads.mask_mlp, 8, 16384},
        {"heads.mask_channels", c->heads.mask_channels, 4, 1024},
        {"heads.mask_queries", c->heads.mask_queries, 1, 16},
        {"heads.mask_stride", c->heads.mask_stride, 1, 64},
        {"heads.mask_upscaling", (int32_t)c->heads.mask_upscaling, 0, 1},
        {"heads.mask_positions", (int32_t)c->heads.mask_positions, 0, 1},
        {"heads.mask_encoder_norm", (int32_t)c->heads.mask_encoder_norm, 0, 1},
        {"heads.mask_encoder_side", c->heads.mask_encoder_side, 32, 512},
        {"heads.mask_encoder_width", c->heads.mask_encoder_width, 4, 256},
        {"heads.quality", c->heads.quality, 0, 1},
        {"heads.presence", c->heads.presence, 0, 1},
        {"heads.naming", c->heads.naming, 0, 1},
        {"heads.cell_box", c->heads.cell_box, 0, 1},
        {"heads.commit", c->heads.commit, 0, 1},
        {"lora.rank", c->lora.rank, 0, 256},
    };
    return check_all(limits, sizeof limits / sizeof *limits, error);
}

static percept_status check_divides(const char *small_key, int32_t small, const char *big_key, int32_t big,
                                    percept_error *error) {
    if (big % small == 0) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: %d does not divide %s %d", small_key, small, big_key, big);
}

static bool power_of_two(int32_t value) { return value > 0 && (value & (value - 1)) == 0; }

static percept_status check_geometry(const pct_model_config *c, percept_error *error) {
    PCT_TRY(check_divides("vision.stride", c->vision.stride, "image.side", c->image.side, error));
    bool fine = c->vision.fine != PCT_FINE_NONE;
    int32_t from = fine ? c->vision.fine_stride : c->vision.stride;
    if (fine) PCT_TRY(check_divides("vision.fine_stride", from, "image.side", c->image.side, error));
    PCT_TRY(check_divides("heads.mask_stride", c->heads.mask_stride, fine ? "vision.fine_stride" : "vision.stride",
                          from, error));
    if (!power_of_two(from / c->heads.mask_stride) || from / c->heads.mask_stride > 32)
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "heads.mask_stride: %d; the masks' features, every %d pixels, are doubled up to it: choose %d "
                        "divided by 1, 2, 4, ... 32",
                        c->heads.mask_stride, from, from);
    if (c->heads.mask_positions == PCT_POSITIONS_AS_CODED)
        PCT_TRY(check_divides("heads.mask_positions: as-coded wants 4, which", 4, "the masks' grid",
                              c->image.side / from, error));
    if (c->vision.stem == PCT_STEM_CONV) {
        if (!power_of_two(c->vision.fine_stride) || !power_of_two(c->vision.stride) || c->vision.fine_stride > 32 ||
            c->vision.fine_stride > c->vision.stride)
            return pct_fail(error, PERCEPT_ERROR_INPUT,
                            "vision.fine_stride: %d and vision.stride: %d must be powers of two in rising order, the "
                            "first at most 32, with vision.stem: conv",
                            c->vision.fine_stride, c->vision.stride);
        PCT_TRY(check_divides("vision.fine_stride", c->vision.fine_stride, "image.side", c->image.side, error));
        if (c->vision.fine == PCT_FINE_SECOND)
            return pct_fail(error, PERCEPT_ERROR_INPUT,
                            "vision.fine: second needs vision.stem: patch (a patch kernel to resample)");
    } else if (c->vision.fine == PCT_FINE_STEM) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "vision.fine: stem needs vision.stem: conv");
    }
    return check_divides("the mask encoder's reduction", 32, "heads.mask_encoder_side", c->heads.mask_encoder_side,
                         error);
}

/* What stands on the class token's row, or wants a row a cell. */
static percept_status check_rows(const pct_model_config *c, percept_error *error) {
    const struct {
        const char *key;
        bool used;
    } users[] = {{"language.grounding", c->language.grounding != 0},
                 {"language.cell_positions: learned", c->language.cell_positions == PCT_CELLS_LEARNED},
                 {"heads.naming", c->heads.naming},
                 {"heads.cell_box", c->heads.cell_box}};
    PCT_TRY(check_divides("vision.shuffle", c->vision.shuffle, "the grid's side", pct_model_config_grid(c), error));
    if (c->vision.class_row && c->vision.shuffle > 1)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "vision.shuffle: %d needs vision.class_row: 0", c->vision.shuffle);
    for (size_t i = 0; i < sizeof users / sizeof *users && !c->vision.class_row; i++)
        if (users[i].used)
            return pct_fail(error, PERCEPT_ERROR_INPUT, "vision.class_row: 0 does not go with %s", users[i].key);
    if (c->vision.patch_bias && c->vision.stem != PCT_STEM_PATCH)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "vision.patch_bias: 1 needs vision.stem: patch");
    return PERCEPT_OK;
}

/* Regions in text: what they are written with, and what they do without. */
static percept_status check_regions(const pct_model_config *c, percept_error *error) {
    const limit limits[] = {{"language.bins", c->language.bins, 16, 1024},
                            {"language.vertices", c->language.vertices, 0, PCT_MOST_VERTICES}};
    if (c->language.regions == PCT_REGIONS_TOKEN) return PERCEPT_OK;
    PCT_TRY(check_all(limits, sizeof limits / sizeof *limits, error));
    if (c->language.vertices > 0 && c->language.vertices < 4)
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "language.vertices: %d; a polygon wants 4 or more, and 0 is for boxes alone",
                        c->language.vertices);
    if (c->language.template != PCT_TEMPLATE_PERCEPT || c->heads.kind != PCT_HEADS_PERCEPTION)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "language.regions: text and both go with percept's template alone");
    if (c->language.regions == PCT_REGIONS_TEXT && (c->language.copying || c->heads.quality))
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "language.regions: text has no region tokens to copy from and no heads: language.copying and "
                        "heads.quality must be 0");
    return PERCEPT_OK;
}

static percept_status check_floats(const pct_model_config *c, percept_error *error) {
    for (int i = 0; i < 3; i++) {
        if (!(c->image.mean[i] >= -1 && c->image.mean[i] <= 2))
            return pct_fail(error, PERCEPT_ERROR_INPUT, "image.mean: %g is outside -1..2", (double)c->image.mean[i]);
        if (!(c->image.deviation[i] >= 1e-3f && c->image.deviation[i] <= 10))
            return pct_fail(error, PERCEPT_ERROR_INPUT, "image.deviation: %g is outside 0.001..10",
                            (double)c->image.deviation[i]);
    }
    if (!(c->vision.norm_epsilon > 0 && c->vision.norm_epsilon <= 0.1f))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "vision.norm_epsilon: %g is outside 0..0.1",
                        (double)c->vision.norm_epsilon);
    if (!(c->lora.dropout >= 0 && c->lora.dropout < 1))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "lora.dropout: %g is outside 0..1", (double)c->lora.dropout);
    if (!(c->lora.alpha >= 0 && c->lora.alpha <= 4096))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "lora.alpha: %g is outside 0..4096", (double)c->lora.alpha);
    return PERCEPT_OK;
}

/* The language model's own fields, which are all that one without a tower has. */
static percept_status check_language(const pct_model_config *c, percept_error *error) {
    const limit limits[] = {
        {"language.vocabulary", c->language.vocabulary, 16, 1 << 20},
        {"language.width", c->language.width, 16, 16384},
        {"language.layers", c->language.layers, 1, 128},
        {"language.heads", c->language.heads, 1, 256},
        {"language.kv_heads", c->language.kv_heads, 1, 256},
        {"language.mlp", c->language.mlp, 16, 65536},
        {"language.context", c->language.context, 16, 1 << 20},
        {"language.architecture", (int32_t)c->language.architecture, 0, 1},
        {"language.head_width", c->language.head_width, 0, 1024},
        {"language.rotary", c->language.rotary, 0, 1024},
        {"language.rope_factors", c->language.rope_factors, 0, 1},
        {"language.bias", c->language.bias, 0, 1},
        {"language.tied", c->language.tied, 0, 1},
        {"language.added", c->language.added, 0, c->language.vocabulary - 1},
    };
    PCT_TRY(check_all(limits, sizeof limits / sizeof *limits, error));
    if (!(c->language.rope_theta >= 1 && c->language.rope_theta <= 1e9f))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "language.rope_theta: %g is outside 1..1e9",
                        (double)c->language.rope_theta);
    if (!(c->language.rope_slow == 0 || (c->language.rope_slow >= 1e-3f && c->language.rope_slow <= 1e3f)))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "language.rope_slow: %g is outside 0.001..1000",
                        (double)c->language.rope_slow);
    if (!(c->language.norm_epsilon > 0 && c->language.norm_epsilon <= 0.1f))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "language.norm_epsilon: %g is outside 0..0.1",
                        (double)c->language.norm_epsilon);
    PCT_TRY(check_divides("language.kv_heads", c->language.kv_heads, "language.heads", c->language.heads, error));
    if (c->language.head_width == 0)
        PCT_TRY(check_divides("language.heads", c->language.heads, "language.width", c->language.width, error));
    const int32_t head = pct_model_config_head(c), rotary = c->language.rotary;
    if (rotary > head)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "language.rotary: %d is more than a head's width, %d", rotary,
                        head);
    if ((rotary > 0 ? rotary : head) % 2)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "language.heads: a head of width %d cannot be rotated in pairs",
                        rotary > 0 ? rotary : head);
    return PERCEPT_OK;
}

/* Of MLLMSeg's code: the groups of its upsampling, and what it drops in training. */
#define RES_GROUPS  4
#define RES_DROPOUT 0.1f

pct_res_options pct_model_config_res(const pct_model_config *c) {
    return (pct_res_options){.width = c->vision.width,
                             .state_width = c->language.width,
                             .mlp = c->heads.mask_mlp,
                             .heads = c->heads.mask_heads,
                             .groups = RES_GROUPS,
                             .patch = c->vision.stride,
                             .dropout = RES_DROPOUT};
}

/* The decoder takes the tower's cells and the language model's, which are two by two of those. */
static percept_status check_res(const pct_model_config *c, percept_error *error) {
    if (c->heads.kind != PCT_HEADS_RES) return PERCEPT_OK;
    const pct_res_options options = pct_model_config_res(c);
    if (c->vision.shuffle != 2)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "vision.shuffle: %d; heads of kind res need 2", c->vision.shuffle);
    return pct_res_options_check(&options, pct_model_config_grid(c), error);
}

percept_status pct_model_config_check(const pct_model_config *c, percept_error *error) {
    PCT_TRY(check_language(c, error));
    if (c->kind == PCT_MODEL_LANGUAGE) return PERCEPT_OK;
    PCT_TRY(check_limits(c, error));
    PCT_TRY(check_floats(c, error));
    PCT_TRY(check_geometry(c, error));
    PCT_TRY(check_rows(c, error));
    PCT_TRY(check_regions(c, error));
    PCT_TRY(check_res(c, error));
    PCT_TRY(check_divides("vision.heads", c->vision.heads, "vision.width", c->vision.width, error));
    PCT_TRY(
        check_divides("heads.mask_heads x 2", 2 * c->heads.mask_heads, "heads.mask_width", c->heads.mask_width, error));
    PCT_TRY(check_divides("the sine form's 4", 4, "heads.mask_width", c->heads.mask_width, error));
    if (c->language.copying && !c->language.grounding)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "language.copying: 1 needs language.grounding: 1");
    if (c->heads.commit && !(c->heads.cell_box && c->language.regions != PCT_REGIONS_TEXT))
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "heads.commit: 1 needs heads.cell_box: 1 and language.regions: token or both");
    int32_t prefix = 1 + pct_model_config_image_tokens(c);
    if (c->language.context <= prefix)
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "language.context: %d leaves no room for words after a picture's %d tokens",
                        c->language.context, prefix);
    if (!memchr(c->lora.targets, 0, sizeof c->lora.targets))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "lora.targets: longer than %zu characters",
                        sizeof c->lora.targets - 1);
    return PERCEPT_OK;
}
