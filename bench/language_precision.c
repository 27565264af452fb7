/* language_precision: what products in BF16 and INT8 do to a language model's logits and times, beside F32.
 * usage: language_precision MODEL.gguf TEXT [THREADS]
 *
 * The first 512 tokens of the text are read in one pass in each type. Printed: cosine of all logits to F32's, the
 * lowest of a row's; rows whose likeliest token is another; tokens/s of the pass, the best of five (the first one
 * packs), and tokens/s of 64 tokens read one by one behind it. */
#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "model/model_private.h"
#include "model/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 512, MORE = 64, F32 = 0, BF16, INT8, TYPES };
static const char *const names[TYPES] = {"F32", "BF16", "INT8"};

static percept_error error;

static void need(bool good) {
    if (!good) exit((fprintf(stderr, "language_precision: %s\n", error.message), 1));
}

typedef struct logits {
    pct_real *rows; /* [ROWS][vocabulary] */
    int64_t vocabulary;
} logits;

static bool keep(void *context, int32_t row, const pct_real *values) {
    logits *l = context;
    memcpy(l->rows + row * l->vocabulary, values, (size_t)l->vocabulary * sizeof *values);
    return true;
}
static bool pass(void *context, int32_t row, const pct_real *values) { return true; }

static double cosine(const pct_real *a, const pct_real *b, int64_t count) {
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < count; i++) {
        const double x = (double)a[i], y = (double)b[i];
        ab += x * y, aa += x * x, bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

static int64_t top(const pct_real *x, int64_t count) {
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

static void compare(const logits *l, const logits *f32) {
    double lowest = 2;
    int others = 0, low = 0, below = 0;
    for (int64_t r = 0; r < ROWS; r++) {
        const pct_real *a = l->rows + r * l->vocabulary, *b = f32->rows + r * l->vocabulary;
        const double c = cosine(a, b, l->vocabulary);
        if (c < lowest) lowest = c, low = (int)r;
        below += c < 0.999;
        others += top(a, l->vocabulary) != top(b, l->vocabulary);
    }
    printf("cosine %.6f (%d rows below 0.999, lowest %.6f: row %d), %d of %d tokens differ",
           cosine(l->rows, f32->rows, ROWS * l->vocabulary), below, lowest, low, others, ROWS);
}

static void run(const char *path, const char *text, size_t size, int threads, int type, logits *all) {
    pct_pool *pool;
    pct_compute *compute;
    pct_model *model;
    pct_sequence *sequence;
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    need(!pct_pool_create(&pool, threads, &error) && !pct_compute_create(&compute, pool, pct_cpu_flags(), &error) &&
         !pct_model_open(&model, path, false, &error));
    need(!pct_tokenizer_encode(pct_model_get_tokenizer(model), &scratch, text, size, 0, &ids, &error));
    if (ids.count < ROWS + MORE) exit((fprintf(stderr, "language_precision: give a longer text\n"), 1));
    if (type == INT8 && !pct_compute_use_int8(compute)) printf("(INT8 is not faster here, and left out) ");
    need(!pct_sequence_create(&sequence, model, compute, PCT_F16, type == F32 ? PCT_REAL : PCT_BF16, &error));
    logits *l = &all[type];
    l->vocabulary = model->config.language.vocabulary;
    l->rows = malloc((size_t)(ROWS * l->vocabulary) * sizeof *l->rows);
    need(l->rows && !pct_sequence_read(sequence, ids.data, ROWS, 0, keep, NULL, l, &error));
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        pct_sequence_rewind(sequence, 0);
        const double begin = pct_clock_seconds();
        need(!pct_sequence_read(sequence, ids.data, ROWS, ROWS - 1, pass, NULL, NULL, &error));
        best = fmin(best, pct_clock_seconds() - begin);
    }
    const double begin = pct_clock_seconds();
    for (int i = 0; i < MORE; i++)
        need(!pct_sequence_read(sequence, ids.data + ROWS + i, 1, 0, pass, NULL, NULL, &error));
    const double each = (pct_clock_seconds() - begin) / MORE;
    printf("%-5s", names[type]);
    compare(l, &all[F32]);
    printf(", %.0f tokens/s in one pass, %.1f one by one\n", ROWS / best, 1 / each);
    pct_sequence_destroy(&sequence);
    pct_model_close(&model);
    pct_compute_destroy(&compute);
    pct_pool_destroy(&pool);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
}

int main(int argc, char **argv) {
    char *text;
    size_t size;
    logits all[TYPES] = {0};
    if (argc < 3) return fprintf(stderr, "usage: language_precision MODEL.gguf TEXT [THREADS]\n"), 2;
    need(!pct_file_read(argv[2], (size_t)1 << 20, &text, &size, &error));
    for (int type = 0; type < TYPES; type++) run(argv[1], text, size, argc > 3 ? atoi(argv[3]) : 2, type, all);
    for (int type = 0; type < TYPES; type++) free(all[type].rows);
    free(text);
    return 0;
}
