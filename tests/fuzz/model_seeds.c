/* model_seeds: writes the seeds of model_file's corpus: tiny models of random weights. usage: model_seeds FOLDER */
#include "../support/tiny_language.h"
#include "../support/tiny_model.h"
#include "../support/toy.h"

#include <stdio.h>

int main(int argc, char **argv) {
    static const char *const names[TINY_KINDS] = {"nano", "paper", "coarse", "intern"};
    static const pct_dtype types[TINY_KINDS] = {PCT_Q8_0, PCT_F16, PCT_BF16, PCT_F16};
    for (int kind = 0; kind < TINY_KINDS && argc > 1; kind++) {
        char path[256];
        toy_set toy;
        pct_model *model = NULL;
        percept_error error = {0};
        pct_model_config config = tiny_config((enum tiny_kind)kind);
        snprintf(path, sizeof path, "%s/%s", argv[1], names[kind]);
        if (!toy_create(&toy, &config) || pct_model_create(&model, &toy.config, toy.tokenizer, 1, &error) ||
            pct_model_save(model, path, types[kind], NULL, &error)) {
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
    return argc > 1 ? 0 : 2;
}
