/* model_seeds: writes the seeds of model_file's corpus: tiny models of random weights. usage: model_seeds FOLDER */
#include "../support/tiny_language.h"
#include "../support/tiny_model.h"
#include "../support/toy.h"

#include <stdio.h>

/* MLLMSeg's structure: InternViT's tower, causal rows of a system text before the picture, its mask decoder. */
static percept_status write_mllmseg(const char *path, percept_error *error) {
    static const char *const specials[] = {"<|endoftext|>", "<|im_start|>",  "<|im_end|>", "<img>",
                                           "</img>",        "<IMG_CONTEXT>", "[SEG]"};
    const pct_bpe_train_options options = {
        .vocabulary = 256 + 7, .specials = specials, .special_count = 7, .eos = "<|im_end|>", .pad = "<|endoftext|>"};
    pct_bpe_trainer *trainer = NULL;
    pct_tokenizer *tokenizer = NULL;
    pct_model *model = NULL;
    pct_model_config config = tiny_config(TINY_INTERN);
    config.language.vocabulary = 256 + 7;
    config.language.context = 512;
    config.language.template = PCT_TEMPLATE_MLLMSEG;
    config.language.prefix = PCT_PREFIX_CAUSAL;
    config.heads.kind = PCT_HEADS_RES;
    config.heads.quality = config.heads.presence = 0;
    PCT_TRY(pct_bpe_trainer_create(&trainer, &options, error));
    percept_status status = pct_bpe_trainer_finish(trainer, &tokenizer, error);
    pct_bpe_trainer_destroy(&trainer);
    if (status == PERCEPT_OK) status = pct_model_create(&model, &config, tokenizer, 1, error);
    if (status == PERCEPT_OK) status = pct_model_save(model, path, PCT_Q8_0, NULL, error);
    pct_model_close(&model);
    return status;
}

int main(int argc, char **argv) {
    static const char *const names[TINY_KINDS + 1] = {"nano", "paper", "coarse", "intern", "added"};
    static const pct_dtype types[TINY_KINDS + 1] = {PCT_Q8_0, PCT_F16, PCT_BF16, PCT_F16, PCT_Q8_0};
    for (int i = 0; i <= TINY_KINDS && argc > 1; i++) {
        char path[256];
        toy_set toy;
        pct_model *model = NULL;
        percept_error error = {0};
        pct_model_config config = tiny_config(i < TINY_KINDS ? (enum tiny_kind)i : TINY_PAPER);
        if (i == TINY_KINDS) config.language.added = 4; /* words beside a base's */
        snprintf(path, sizeof path, "%s/%s", argv[1], names[i]);
        if (!toy_create(&toy, &config) || pct_model_create(&model, &toy.config, toy.tokenizer, 1, &error) ||
            pct_model_save(model, path, types[i], NULL, &error)) {
            fprintf(stderr, "%s\n", error.message);
            return 1;
        }
        toy.tokenizer = NULL;
        pct_model_close(&model);
        toy_free(&toy);
    }
    static const char *const language[] = {"llama", "qwen2"};
    for (int i = 0; i < 2 && argc > 1; i++) {
        char path[256];
        percept_error error = {0};
        tiny_language t = tiny_language_default();
        t.qwen2 = t.factors = t.output = i == 1;
        t.type = i ? PCT_Q8_0 : PCT_F16;
        snprintf(path, sizeof path, "%s/language_%s", argv[1], language[i]);
        if (tiny_language_write(path, &t, &error)) {
            fprintf(stderr, "%s\n", error.message);
            return 1;
        }
    }
    if (argc > 1) {
        char path[256];
        percept_error error = {0};
        snprintf(path, sizeof path, "%s/mllmseg", argv[1]);
        if (write_mllmseg(path, &error)) {
            fprintf(stderr, "%s\n", error.message);
            return 1;
        }
    }
    return argc > 1 ? 0 : 2;
}
