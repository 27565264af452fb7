/* model_precision: what products in BF16 and INT8 do to a model's numbers and times, beside F32.
 * usage: model_precision MODEL.gguf PICTURE...
 *
 * Each picture is encoded in the three types; of what the encoding leaves (keys and values of the language model's
 * first and last layer over the picture's tokens, the masks' grid, mask logits of some states) the cosine to F32 is
 * printed: the lowest over the pictures. Times are processor time of one thread, the best of all pictures but the
 * first. */
#include "base/cpu.h"
#include "image/decode.h"
#include "image/fit.h"
#include "model/state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { F32, BF16, INT8, TYPES, PARTS = 6 };
static const char *const type_names[TYPES] = {"F32", "BF16", "INT8"};
static const char *const part_names[PARTS] = {"first keys",  "first values", "last keys",
                                              "last values", "mask grid",    "mask logits"};

typedef struct outcome {
    pct_real *part[PARTS];
    int64_t count[PARTS];
    double seconds;
} outcome;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void keep(outcome *o, int part, const pct_real *data, int64_t count) {
    o->part[part] = malloc((size_t)count * sizeof *data);
    o->count[part] = count;
    if (!o->part[part]) abort();
    memcpy(o->part[part], data, (size_t)count * sizeof *data);
}

/* Mask logits of three states that the picture itself suggests: some of its own last values. */
static void keep_masks(outcome *o, pct_state *state, const pct_real *values) {
    const int64_t width = state->model->config.language.width;
    pct_tape *tape = &state->tape;
    int32_t *picture = pct_tape_ints(tape, 3);
    pct_tensor *states = pct_tape_zeros(tape, 2, (int64_t[]){3, width});
    for (int64_t i = 0; i < 3 * width; i++) pct_tensor_data(states)[i] = values[i % (state->cache.width * 3)];
    const pct_regions made = pct_model_regions(tape, state->model, &state->keys, states, picture);
    keep(o, 5, pct_tensor_data(made.logits), pct_tensor_count(made.logits));
    pct_tape_clear(tape);
    pct_arena_reset(&state->step);
}

static void encode(pct_state *state, const pct_real *pixels, outcome *o, const outcome *f32) {
    percept_error error;
    const double begin = now();
    if (pct_state_encode(state, pixels, &error)) exit((fprintf(stderr, "%s\n", error.message), 1));
    o->seconds = now() - begin;
    const pct_cache *c = &state->cache;
    const int64_t each = c->capacity * c->width, rows = state->prefix * c->width;
    keep(o, 0, c->memory, rows);
    keep(o, 1, c->memory + each, rows);
    keep(o, 2, c->memory + (2 * c->layers - 2) * each, rows);
    keep(o, 3, c->memory + (2 * c->layers - 1) * each, rows);
    keep(o, 4, pct_tensor_data(state->keys.grid), pct_tensor_count(state->keys.grid));
    keep_masks(o, state, f32 ? f32->part[3] : o->part[3]); /* the same states for all */
}

static double cosine(const outcome *a, const outcome *b, int part) {
    double dot = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < a->count[part]; i++) {
        const double x = (double)a->part[part][i], y = (double)b->part[part][i];
        dot += x * y, aa += x * x, bb += y * y;
    }
    return dot / sqrt(aa * bb);
}

static pct_real *pixels_of(const pct_model *model, const char *path) {
    const pct_model_config *c = &model->config;
    pct_image image = {0};
    pct_fit fit;
    percept_error error;
    pct_real *pixels = malloc((size_t)c->image.side * (size_t)c->image.side * 3 * sizeof *pixels);
    if (pct_image_read(&image, path, NULL, NULL, &error) ||
        pct_fit_make(&fit, c->image.fit, c->image.side, image.width, image.height, &error) ||
        pct_fit_normalise(&fit, &image, c->image.mean, c->image.deviation, pixels, NULL, &error))
        exit((fprintf(stderr, "%s\n", error.message), 1));
    pct_image_free(&image);
    return pixels;
}

/* All pictures in one type. */
static void run(const char *path, int type, char **pictures, int count, outcome *out, const outcome *f32) {
    percept_error error;
    pct_pool *pool = NULL;
    pct_compute *compute = NULL;
    pct_model *model = NULL;
    pct_state *state = NULL;
    if (pct_pool_create(&pool, 1, &error) || pct_compute_create(&compute, pool, pct_cpu_flags(), &error) ||
        pct_model_open(&model, path, false, &error))
        exit((fprintf(stderr, "%s\n", error.message), 1));
    if (type == INT8 && !pct_compute_use_int8(compute)) printf("INT8 is not faster here: it is left out\n");
    if (pct_state_create(&state, model, compute, &error)) exit((fprintf(stderr, "%s\n", error.message), 1));
    state->tape.product = type == F32 ? PCT_REAL : PCT_BF16;
    for (int i = 0; i < count; i++) {
        pct_real *pixels = pixels_of(model, pictures[i]);
        encode(state, pixels, &out[i], f32 ? &f32[i] : NULL);
        free(pixels);
    }
    pct_state_destroy(&state);
    pct_model_close(&model);
    pct_compute_destroy(&compute);
    pct_pool_destroy(&pool);
}

int main(int argc, char **argv) {
    const int count = argc - 2;
    if (count < 1) return fprintf(stderr, "usage: model_precision MODEL.gguf PICTURE...\n"), 2;
    outcome *all = calloc((size_t)count * TYPES, sizeof *all);
    if (!all) return 1;
    for (int type = 0; type < TYPES; type++) run(argv[1], type, argv + 2, count, all + type * count, type ? all : NULL);
    for (int type = 0; type < TYPES; type++) {
        double best = 1e9;
        printf("%-5s", type_names[type]);
        for (int part = 0; part < PARTS; part++) {
            double lowest = 1;
            for (int i = 0; i < count; i++) lowest = fmin(lowest, cosine(&all[type * count + i], &all[i], part));
            printf(" %s %.5f", part_names[part], lowest);
        }
        for (int i = 1; i < count; i++) best = fmin(best, all[type * count + i].seconds);
        printf(" encode %.2f ms, first %.2f ms\n", best * 1e3, all[type * count].seconds * 1e3);
    }
    for (int i = 0; i < count * TYPES; i++)
        for (int part = 0; part < PARTS; part++) free(all[i].part[part]);
    free(all);
    return 0;
}
