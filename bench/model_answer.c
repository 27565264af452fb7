/* model_answer: times one process that opens a model file, encodes a picture and answers, as `ask` does.
 * usage: model_answer FILE [questions] [tokens]; with "make" as FILE's extra third argument it writes such a file of
 * random weights first: model_answer FILE make */
#include "base/clock.h"
#include "base/cpu.h"
#include "model/state.h"
#include "toy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int make(const char *path) {
    toy_set toy;
    pct_model *model = NULL;
    percept_error error = {0};
    pct_model_config config;
    pct_model_config_default(&config);
    if (!toy_create(&toy, &config) || pct_model_create(&model, &toy.config, toy.tokenizer, 1, &error) ||
        pct_model_save(model, path, PCT_Q8_0, NULL, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 2 && !strcmp(argv[2], "make")) return make(argv[1]);
    int questions = argc > 2 ? atoi(argv[2]) : 1, tokens = argc > 3 ? atoi(argv[3]) : 10;
    double t0 = pct_clock_seconds();
    percept_error error = {0};
    pct_pool *pool = NULL;
    pct_compute *compute = NULL;
    pct_model *model = NULL;
    pct_state *state = NULL;
    if (pct_pool_create(&pool, 0, &error) || pct_compute_create(&compute, pool, pct_cpu_flags(), &error) ||
        pct_model_open(&model, argv[1], false, &error) || pct_state_create(&state, model, compute, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    pct_compute_use_int8(compute);
    double t1 = pct_clock_seconds();
    int32_t side = model->config.image.side, ids[16];
    float *pixels = calloc((size_t)(side * side * 3), sizeof *pixels);
    for (int32_t i = 0; i < 16; i++) ids[i] = 20 + i;
    pct_prompt prompts[64];
    pct_reply replies[64];
    for (int i = 0; i < questions && i < 64; i++) prompts[i] = (pct_prompt){.ids = ids, .count = 16};
    for (int round = 0; round < 4; round++) {
        double t2 = pct_clock_seconds();
        if (pct_state_encode(state, pixels, &error)) return 1;
        double t3 = pct_clock_seconds();
        pct_answer_options options = {.max_tokens = tokens, .masks = true};
        if (pct_state_answer(state, prompts, questions, &options, replies, &error)) return 1;
        double t4 = pct_clock_seconds();
        /* One region for each question, as a trained model would give. */
        int32_t picture[64] = {0};
        pct_tensor *states = pct_tape_zeros(&state->tape, 2, (int64_t[]){questions, model->config.language.width});
        pct_model_regions(&state->tape, model, &state->keys, states, picture);
        pct_tape_clear(&state->tape);
        pct_arena_reset(&state->step);
        double t5 = pct_clock_seconds();
        printf("round %d: open %.1f ms, encode %.1f ms, %d questions x %d tokens %.1f ms, regions %.1f ms\n", round,
               (t1 - t0) * 1e3, (t3 - t2) * 1e3, questions, replies[0].count, (t4 - t3) * 1e3, (t5 - t4) * 1e3);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("resident %ld MB, pass arena %zu MB, picture arena %zu kB\n", usage.ru_maxrss >> 10,
           state->step.reserved >> 20, state->picture.reserved >> 10);
    return 0;
}
