/* perceptiongpt.c: see perceptiongpt.h. */
#include "perceptiongpt.h"

#include "base/file.h"
#include "base/text.h"
#include "formats/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    state = PCT_TINY_STATE,
    width = 64, /* of the tower and of the mask decoder */
    mlp = 96,
    layers = PCT_TINY_LAYERS,
    rank_ = PCT_TINY_RANK,
    tower_layers = 4,
    pieces = 500, /* of the vocabulary in vectors/tokenizer/spm */
    added = 8,
    boxes = 512,   /* width of the box MLPs; constant in the released code, as all below */
    channels = 128 /* of the map that masks are read from */
};

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static bool ends(const char *name, const char *end) {
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

/* Vectors that something normalised is multiplied with: around 1. */
static bool is_norm(const char *name) {
    if (!ends(name, ".weight")) return false;
    const char *last = strrchr(name, '.'), *part = last;
    while (part > name && part[-1] != '.') part--;
    const char *at = strstr(part, "norm");
    if (at && at < last) return true;
    return ends(name, "layer1.1.weight") || ends(name, "layer2.1.weight") || ends(name, "layer3.1.weight") ||
           ends(name, "downsample.1.weight");
}

float pct_tiny_weight(const char *name, int rank, const int64_t *dim, int64_t index) {
    uint32_t x = 2166136261u;
    for (const char *c = name; *c; c++) x = (x ^ (unsigned char)*c) * 16777619u;
    x += (uint32_t)index * 0x9E3779B9u;
    x = (x ^ x >> 16) * 0x7FEB352Du;
    x = (x ^ x >> 15) * 0x846CA68Bu;
    const float value = ((float)(x >> 24) - 128) / 128;
    if (ends(name, "running_var")) return 0.75f + value / 4;
    if (strstr(name, "merge_coef") || strstr(name, "embed_tokens") || strstr(name, "class_embedding")) return value;
    if (rank == 1) return (is_norm(name) ? 1.0f : 0.0f) + value / 4;
    int bits = 0;
    int64_t fan = 1;
    for (int i = 1; i < rank; i++) fan *= dim[i];
    while (fan >> bits) bits++;
    return ldexpf(value, 1 - bits / 2);
}

/* ---- a file ----------------------------------------------------------------------------------------------------- */

typedef struct writing {
    pct_text header;
    float *data;
    int64_t count, capacity; /* numbers */
    const pct_safetensors *golden;
} writing;

/* What the golden file says in place of the made numbers. */
static void force(const writing *w, const char *name, float *data) {
    if (!w->golden) return;
    const pct_safetensor *ids = pct_safetensors_find(w->golden, "forced.ids");
    const pct_safetensor *rows = pct_safetensors_find(w->golden, "forced.rows");
    const pct_safetensor *box = pct_safetensors_find(w->golden, "forced.box");
    if (!strcmp(name, "bbox_decoder.layers.2.bias") && box) memcpy(data, box->data, 4 * sizeof *data);
    if (strcmp(name, "lm_head.weight") != 0 || !ids || !rows) return;
    for (int64_t i = 0; i < ids->elements; i++) {
        float id;
        memcpy(&id, ids->data + i * 4, 4);
        if (id < pieces + added) memcpy(data + (int64_t)id * state, rows->data + i * state * 4, state * sizeof *data);
    }
}

static void add(writing *w, const char *name, int rank, const int64_t *dim) {
    int64_t count = 1;
    char shape[64] = "";
    for (int i = 0; i < rank; i++) {
        count *= dim[i];
        sprintf(shape + strlen(shape), i ? ",%lld" : "%lld", (long long)dim[i]);
    }
    if (w->count + count > w->capacity) {
        w->capacity = 2 * (w->count + count);
        w->data = realloc(w->data, (size_t)w->capacity * sizeof *w->data);
        if (!w->data) abort();
    }
    pct_text_printf(&w->header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%lld,%lld]}",
                    w->count ? "," : "{", name, shape, (long long)w->count * 4, (long long)(w->count + count) * 4);
    for (int64_t i = 0; i < count; i++) w->data[w->count + i] = pct_tiny_weight(name, rank, dim, i);
    force(w, name, w->data + w->count);
    w->count += count;
}

static void vector(writing *w, const char *prefix, const char *name, int64_t n) {
    char whole[768];
    snprintf(whole, sizeof whole, "%s%s", prefix, name);
    add(w, whole, 1, &n);
}

static void matrix(writing *w, const char *prefix, const char *name, int64_t out, int64_t in) {
    char whole[256];
    snprintf(whole, sizeof whole, "%s%s.weight", prefix, name);
    add(w, whole, 2, (int64_t[]){out, in});
}

static void linear(writing *w, const char *prefix, const char *name, int64_t out, int64_t in) {
    char bias[256];
    matrix(w, prefix, name, out, in);
    snprintf(bias, sizeof bias, "%s.bias", name);
    vector(w, prefix, bias, out);
}

static void kernel(writing *w, const char *prefix, const char *name, int64_t out, int64_t in, int64_t side) {
    char whole[256];
    snprintf(whole, sizeof whole, "%s%s.weight", prefix, name);
    add(w, whole, 4, (int64_t[]){out, in, side, side});
}

/* A norm; `running`: with what BatchNorm keeps. */
static void norm(writing *w, const char *prefix, const char *name, int64_t n, bool running) {
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < (running ? 4 : 2); i++) {
        char whole[256];
        snprintf(whole, sizeof whole, "%s.%s", name, parts[i]);
        vector(w, prefix, whole, n);
    }
}

static percept_status finish(writing *w, const char *path, percept_error *error) {
    pct_text_puts(&w->header, "}");
    while (w->header.length % 8) pct_text_puts(&w->header, " ");
    const uint64_t length = w->header.length;
    const size_t bytes = (size_t)w->count * sizeof *w->data;
    char *whole = malloc(8 + length + bytes);
    if (!whole || w->header.failed) abort();
    memcpy(whole, &length, 8);
    memcpy(whole + 8, w->header.data, length);
    memcpy(whole + 8 + length, w->data, bytes);
    percept_status status = pct_file_write(path, whole, 8 + length + bytes, error);
    free(whole);
    free(w->data);
    pct_text_free(&w->header);
    *w = (writing){.golden = w->golden};
    return status;
}

/* ---- the three checkpoints -------------------------------------------------------------------------------------- */

static void add_llama(writing *w) {
    matrix(w, "model.", "embed_tokens", pieces, state);
    for (int i = 0; i < layers; i++) {
        char at[64];
        snprintf(at, sizeof at, "model.layers.%d.", i);
        static const char *const attention[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                                "self_attn.o_proj"};
        for (int k = 0; k < 4; k++) matrix(w, at, attention[k], state, state);
        matrix(w, at, "mlp.gate_proj", mlp, state);
        matrix(w, at, "mlp.up_proj", mlp, state);
        matrix(w, at, "mlp.down_proj", state, mlp);
        vector(w, at, "input_layernorm.weight", state);
        vector(w, at, "post_attention_layernorm.weight", state);
    }
    vector(w, "model.", "norm.weight", state);
    matrix(w, "", "lm_head", pieces, state);
}

static void add_clip(writing *w) {
    const char *base = "vision_model.";
    vector(w, base, "embeddings.class_embedding", width);
    kernel(w, base, "embeddings.patch_embedding", width, 3, 14);
    matrix(w, base, "embeddings.position_embedding", 257, width);
    norm(w, base, "pre_layrnorm", width, false);
    for (int i = 0; i < tower_layers; i++) {
        char at[64];
        static const char *const attention[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                                "self_attn.out_proj"};
        snprintf(at, sizeof at, "vision_model.encoder.layers.%d.", i);
        for (int k = 0; k < 4; k++) linear(w, at, attention[k], width, width);
        norm(w, at, "layer_norm1", width, false);
        norm(w, at, "layer_norm2", width, false);
        linear(w, at, "mlp.fc1", mlp, width);
        linear(w, at, "mlp.fc2", width, mlp);
    }
    norm(w, base, "post_layernorm", width, false);
}

static void add_attention(writing *w, const char *at, const char *name, int64_t inside) {
    static const char *const in[] = {"q_proj", "k_proj", "v_proj"};
    char prefix[192];
    snprintf(prefix, sizeof prefix, "%s%s.", at, name);
    for (int i = 0; i < 3; i++) linear(w, prefix, in[i], inside, width);
    linear(w, prefix, "out_proj", width, inside);
}

static void add_mask_decoder(writing *w) {
    linear(w, "", "decoder_mapping", width, state);
    linear(w, "visual_adaptor.", "shortcut", width, width);
    linear(w, "visual_adaptor.", "linear1", width, width);
    linear(w, "visual_adaptor.", "linear2", width, width);
    for (int i = 0; i < 2; i++) {
        char at[64];
        snprintf(at, sizeof at, "mask_decoder.transformer.layers.%d.", i);
        add_attention(w, at, "self_attn", width);
        add_attention(w, at, "cross_attn_token_to_image", width / 2);
        add_attention(w, at, "cross_attn_image_to_token", width / 2);
        linear(w, at, "mlp.lin1", 2 * width, width);
        linear(w, at, "mlp.lin2", width, 2 * width);
        norm(w, at, "norm1", width, false);
        norm(w, at, "norm2", width, false);
        norm(w, at, "norm3", width, false);
        norm(w, at, "norm4", width, false);
    }
    add_attention(w, "mask_decoder.transformer.", "final_attn_token_to_image", width / 2);
    norm(w, "mask_decoder.transformer.", "norm_final_attn", width, false);
    const char *up = "mask_decoder.output_upscaling.";
    kernel(w, up, "layer1.0", channels, width, 3); /* 256 at the full width */
    norm(w, up, "layer1.1", channels, false);
    kernel(w, up, "layer2.0", channels, channels, 3);
    norm(w, up, "layer2.1", channels, false);
    kernel(w, up, "layer3.0", channels, channels, 3);
    norm(w, up, "layer3.1", channels, false);
    kernel(w, up, "conv", channels, channels, 1);
    vector(w, up, "conv.bias", channels);
    const char *hyper = "mask_decoder.output_hypernetworks_mlp.layers.";
    linear(w, hyper, "0", width, width);
    linear(w, hyper, "1", width, width);
    linear(w, hyper, "2", channels, width);
}

static void add_mask_encoder(writing *w) {
    const char *base = "mask_encoder.";
    kernel(w, base, "conv1", 32, 1, 7);
    norm(w, base, "norm1", 32, false);
    for (int stage = 0; stage < 4; stage++)
        for (int block = 0; block < 2; block++) {
            const int in = stage == 0 && block == 0 ? 32 : 64;
            char at[64];
            snprintf(at, sizeof at, "mask_encoder.dlayer%d.%d.", stage + 1, block);
            kernel(w, at, "conv1", 32, in, 1);
            norm(w, at, "norm1", 32, block > 0);
            kernel(w, at, "conv2", 32, 32, 3);
            norm(w, at, "norm2", 32, block > 0);
            kernel(w, at, "conv3", 64, 32, 1);
            norm(w, at, "norm3", 64, block > 0);
            if (block) continue;
            kernel(w, at, "downsample.0", 64, in, 1);
            norm(w, at, "downsample.1", 64, false);
        }
    linear(w, base, "linear_enc", 512, 4096);
    linear(w, base, "linear_dec", state, 512);
}

static void add_heads(writing *w) {
    const char *body = "model.base_model.model.";
    matrix(w, body, "embed_tokens", pieces + added, state);
    matrix(w, "", "lm_head", pieces + added, state);
    linear(w, body, "mm_projector", state, width);
    for (int i = 0; i < layers; i++)
        for (int v = 0; v < 2; v++) {
            char at[128];
            snprintf(at, sizeof at, "%slayers.%d.self_attn.%c_proj.", body, i, v ? 'v' : 'q');
            matrix(w, at, "lora_A.default", rank_, state);
            matrix(w, at, "lora_B.default", state, rank_);
        }
    vector(w, "", "merge_coef_lower", tower_layers);
    vector(w, "", "merge_coef_higher", tower_layers);
    linear(w, "bbox_decoder.layers.", "0", boxes, state);
    linear(w, "bbox_decoder.layers.", "1", boxes, boxes);
    linear(w, "bbox_decoder.layers.", "2", 4, boxes);
    linear(w, "bbox_encoder.layers.", "0", boxes, 4);
    linear(w, "bbox_encoder.layers.", "1", boxes, boxes);
    linear(w, "bbox_encoder.layers.", "2", state, boxes);
    add_mask_decoder(w);
    add_mask_encoder(w);
}

/* ---- folders ---------------------------------------------------------------------------------------------------- */

static const char llama_config[] =
    "{\"model_type\":\"llama\",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,"
    "\"num_key_value_heads\":4,\"intermediate_size\":96,\"rms_norm_eps\":1e-6,\"max_position_embeddings\":1024,"
    "\"tie_word_embeddings\":false,\"hidden_act\":\"silu\",\"vocab_size\":500}\n";
static const char clip_config[] =
    "{\"model_type\":\"clip\",\"vision_config\":{\"model_type\":\"clip_vision_model\",\"hidden_size\":64,"
    "\"num_hidden_layers\":4,\"num_attention_heads\":4,\"intermediate_size\":96,\"image_size\":224,\"patch_size\":14,"
    "\"hidden_act\":\"quick_gelu\",\"layer_norm_eps\":1e-5}}\n";

static const char *in(const char *folder, const char *name) {
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static percept_status copy_vocabulary(const char *folder, const char *vectors, percept_error *error) {
    char *data;
    size_t size;
    PCT_TRY(pct_file_read(in(vectors, "tokenizer/spm/tokenizer.model"), 1 << 20, &data, &size, error));
    percept_status status = pct_file_write(in(folder, "llama/tokenizer.model"), data, size, error);
    free(data);
    return status;
}

percept_status pct_tiny_perceptiongpt(const char *folder, const char *vectors, percept_error *error) {
    pct_safetensors *golden = NULL;
    PCT_TRY(pct_make_directory(in(folder, "llama"), error));
    PCT_TRY(pct_make_directory(in(folder, "clip"), error));
    PCT_TRY(copy_vocabulary(folder, vectors, error));
    PCT_TRY(pct_file_write(in(folder, "llama/config.json"), llama_config, sizeof llama_config - 1, error));
    PCT_TRY(pct_file_write(in(folder, "clip/config.json"), clip_config, sizeof clip_config - 1, error));
    PCT_TRY(pct_safetensors_open(&golden, in(vectors, "families/perceptiongpt/expected.safetensors"), error));
    static void (*const parts[])(writing *) = {add_llama, add_clip, add_heads};
    static const char *const files[] = {"llama/model.safetensors", "clip/model.safetensors", "heads.safetensors"};
    writing w = {.golden = golden};
    percept_status status = PERCEPT_OK;
    for (int i = 0; i < 3 && status == PERCEPT_OK; i++) {
        w.golden = i == 2 ? golden : NULL;
        parts[i](&w);
        status = finish(&w, in(folder, files[i]), error);
    }
    pct_safetensors_close(&golden);
    return status;
}

void pct_tiny_perceptiongpt_remove(const char *folder) {
    static const char *const files[] = {"llama/tokenizer.model", "llama/config.json",      "llama/model.safetensors",
                                        "clip/config.json",      "clip/model.safetensors", "heads.safetensors"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlink(in(folder, files[i]));
    rmdir(in(folder, "llama"));
    rmdir(in(folder, "clip"));
}
