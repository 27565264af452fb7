/* model_file.c: hostile model files: structure, tokenizer and weights. What opens, and is small, must also answer:
 * weights may be anything, NaN included. */
#include "base/cpu.h"
#include "model/model.h"
#include "model/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static volatile float sink;

static void answer(pct_model *model, pct_compute *compute) {
    percept_error error = {0};
    pct_state *state = NULL;
    const pct_model_config *config = pct_model_get_config(model);
    size_t count = (size_t)config->image.side * (size_t)config->image.side * 3;
    pct_real *pixels = calloc(count, sizeof *pixels);
    int32_t ids[3] = {7, config->language.vocabulary - 1, 8};
    pct_prompt prompts[2] = {{.ids = ids, .count = 3}, {.ids = ids, .count = 1}};
    pct_reply replies[2];
    pct_answer_options options = {.max_tokens = 4, .masks = true, .temperature = 1, .top_p = 0.9f};
    if (ids[1] != 4 && pixels && pct_state_create(&state, model, compute, &error) == PERCEPT_OK &&
        pct_state_encode(state, pixels, &error) == PERCEPT_OK &&
        pct_state_answer(state, prompts, 2, &options, replies, &error) == PERCEPT_OK) {
        for (int i = 0; i < 2; i++)
            for (int32_t k = 0; k < replies[i].region_count; k++) {
                const pct_region_out *region = &replies[i].regions[k];
                /* Whatever the weights are, a box is ordered and lies in the square. */
                if (!(region->box[0] >= 0 && region->box[0] <= region->box[2] && region->box[2] <= 1)) abort();
                sink += region->mask[0];
            }
    }
    pct_state_destroy(&state);
    free(pixels);
}

/* A language model alone reads, goes on, is cut back and forked. */
static void go_on(pct_model *model, pct_compute *compute) {
    percept_error error = {0};
    pct_sequence *sequence = NULL, *fork = NULL;
    pct_generated generated;
    const int32_t ids[6] = {1, 7, pct_model_get_config(model)->language.vocabulary - 1, 8, 2, 3};
    pct_generate_options options = {
        .max_tokens = 3, .temperature = 1, .top_k = 5, .top_p = 0.9f, .min_p = 0.1f, .repeat_penalty = 1.1f};
    options.repeat_last = 4;
    if (pct_sequence_create(&sequence, model, compute, PCT_Q8_0, PCT_BF16, &error) == PERCEPT_OK &&
        pct_sequence_generate(sequence, ids, 6, &options, &generated, &error) == PERCEPT_OK) {
        pct_sequence_rewind(sequence, 2);
        if (pct_sequence_fork(&fork, sequence, &error) == PERCEPT_OK &&
            pct_sequence_generate(fork, ids, 3, &options, &generated, &error) == PERCEPT_OK)
            sink += (float)generated.count;
    }
    pct_sequence_destroy(&fork);
    pct_sequence_destroy(&sequence);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    static pct_compute *compute;
    percept_error error = {0};
    if (!compute && pct_compute_create(&compute, NULL, pct_cpu_flags(), &error) != PERCEPT_OK) return 0;
    unsigned char *aligned = aligned_alloc(8, (size + 8) / 8 * 8);
    if (!aligned) return 0;
    memcpy(aligned, data, size);
    pct_model *model = NULL;
    if (pct_model_open_memory(&model, "input", aligned, size, &error) == PERCEPT_OK) {
        const pct_model_config *config = pct_model_get_config(model);
        if (config->kind == PCT_MODEL_LANGUAGE)
            go_on(model, compute);
        else if (config->image.side <= 64 && config->language.vocabulary > 16)
            answer(model, compute);
    } else if (model || !error.message[0]) {
        abort();
    }
    pct_model_close(&model);
    free(aligned);
    return 0;
}
