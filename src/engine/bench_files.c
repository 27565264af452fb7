/* bench_files.c: the published families' full sizes, for shapes that are measured from files of random weights. See
 * bench.h and bench_file.h. */
#include "convert/family.h"
#include "engine/bench.h"

void pct_bench_smollm2_135m(pct_bench_file *file) {
    *file = (pct_bench_file){.name = "random-smollm2-135m", .vocabulary = 49152, .type = PCT_Q4_1};
    pct_model_config *c = &file->config;
    c->kind = PCT_MODEL_LANGUAGE;
    c->language.architecture = PCT_LLAMA;
    c->language.prefix = PCT_PREFIX_CAUSAL;
    c->language.width = 576;
    c->language.layers = 30;
    c->language.heads = 9;
    c->language.kv_heads = 3;
    c->language.mlp = 1536;
    c->language.context = 8192;
    c->language.rope_theta = 1e5f;
    c->language.norm_epsilon = 1e-5f;
    c->language.tied = 1;
}

/* Vicuna-7B and CLIP ViT-L/14 at 224 pixels. */
void pct_bench_perceptiongpt_7b(pct_bench_file *file) {
    *file = (pct_bench_file){.name = "random-perceptiongpt-7b", .vocabulary = 32008, .type = PCT_Q4_0};
    pct_model_config *c = &file->config;
    pct_family_begin(c);
    c->image.side = 224;
    c->vision.stem = PCT_STEM_PATCH;
    c->vision.stride = 14;
    c->vision.width = 1024;
    c->vision.layers = 24;
    c->vision.heads = 16;
    c->vision.mlp = 4096;
    c->vision.activation = PCT_VISION_QUICK_GELU;
    c->vision.norm_epsilon = 1e-5f;
    c->vision.pre_norm = 1;
    c->vision.shuffle = 1;
    c->language.architecture = PCT_LLAMA;
    c->language.prefix = PCT_PREFIX_CAUSAL;
    c->language.width = 4096;
    c->language.layers = 32;
    c->language.heads = c->language.kv_heads = 32;
    c->language.mlp = 11008;
    c->language.context = 2048;
    c->language.rope_theta = 1e4f;
    c->language.norm_epsilon = 1e-6f;
    pct_family_perceptiongpt_sizes(c, true);
}

/* InternVL2.5-1B's parts: InternViT-300M at 448 pixels, Qwen2.5-0.5B, and the mask decoder. */
void pct_bench_mllmseg_1b(pct_bench_file *file) {
    *file = (pct_bench_file){.name = "random-mllmseg-1b", .vocabulary = 151676, .type = PCT_BF16};
    pct_model_config *c = &file->config;
    pct_family_begin(c);
    c->image.side = 448;
    c->image.fit = PCT_FIT_STRETCH;
    c->vision.stem = PCT_STEM_PATCH;
    c->vision.stride = c->vision.fine_stride = 14;
    c->vision.fine = PCT_FINE_NONE;
    c->vision.width = 1024;
    c->vision.layers = 24;
    c->vision.heads = 16;
    c->vision.mlp = 4096;
    c->vision.activation = PCT_VISION_GELU_ERF;
    c->vision.norm_epsilon = 1e-6f;
    c->vision.patch_bias = 1;
    c->vision.layer_scale = 1;
    c->vision.shuffle = 2;
    c->language.architecture = PCT_QWEN2;
    c->language.prefix = PCT_PREFIX_CAUSAL;
    c->language.template = PCT_TEMPLATE_MLLMSEG;
    c->language.connector = PCT_CONNECTOR_NORM_MLP;
    c->language.width = 896;
    c->language.layers = 24;
    c->language.heads = 14;
    c->language.kv_heads = 2;
    c->language.mlp = 4864;
    c->language.context = 4096;
    c->language.bias = 1;
    c->language.rope_theta = 1e6f;
    c->language.norm_epsilon = 1e-6f;
    c->language.tied = 0;
    c->heads.kind = PCT_HEADS_RES;
    c->heads.mask_width = 1024;
    c->heads.mask_heads = 8;
    c->heads.mask_mlp = 1024;
    c->heads.mask_stride = 14;
}
