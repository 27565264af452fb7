/* language_precision: what products in BF16 and INT8 do to a language model's logits and times, beside F32.
 * usage: language_precision MODEL.gguf THREADS TEXT...
 *
 * The first 512 tokens of each text are read in one pass in each type. Printed a text: cosine of all logits to F32's,
 * the lowest of a row's; rows whose likeliest token is another. Printed a type: tokens/s of a pass, the best of five
 * over the first text (weights are packed by then), and tokens/s of 64 tokens read one by one behind it. Exits with 1
 * where the cosine of INT8 is below 0.999 for one of the texts. bench/texts/ has some. */
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

static double compare(const logits *l, const logits *f32) {
    const double all = cosine(l->rows, f32->rows, ROWS * l->vocabulary);
    double lowest = 2;
    int others = 0, low = 0, below = 0;
    for (int64_t r = 0; r < ROWS; r++) {
        const pct_real *a = l->rows + r * l->vocabulary, *b = f32->rows + r * l->vocabulary;
        const double c = cosine(a, b, l->vocabulary);
        if (c < lowest) lowest = c, low = (int)r;
        below += c < 0.999;
        others += top(a, l->vocabulary) != top(b, l->vocabulary);
    }
    printf("cosine %.6f (%d rows below 0.999, lowest %.6f: row %d), %d of %d tokens differ\n", all, below, lowest, low,
           others, ROWS);
    return all;
}

/* Tokens/s of whole passes, and one by one. */
static void time_passes(pct_sequence *sequence, const int32_t *ids, int type) {
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        pct_sequence_rewind(sequence, 0);
        const double begin = pct_clock_seconds();
        need(!pct_sequence_read(sequence, ids, ROWS, ROWS - 1, pass, NULL, NULL, &error));
        best = fmin(best, pct_clock_seconds() - begin);
    }
    const double begin = pct_clock_seconds();
    for (int i = 0; i < MORE; i++) need(!pct_sequence_read(sequence, ids + ROWS + i, 1, 0, pass, NULL, NULL, &error));
    const double each = (pct_clock_seconds() - begin) / MORE;
    printf("%s: %.0f tokens/s in one pass, %.1f one by one\n", names[type], ROWS / best, 1 / each);
}

/* All texts in one type; f32: of each text, filled when that is the type. Returns the lowest cosine. */
static double run(const char *path, int threads, int type, char **texts, int count, logits *f32) {
    pct_pool *pool = NULL;
    pct_compute *compute = NULL;
    pct_model *model = NULL;
    pct_sequence *sequence = NULL;
    pct_token_scratch scratch = {0};
    double lowest = 1;
    need(!pct_pool_create(&pool, threads, &error) && !pct_compute_create(&compute, pool, pct_cpu_flags(), &error) &&
         !pct_model_open(&model, path, false, &error));
    if (type == INT8 && !pct_compute_use_int8(compute)) printf("(INT8 is not faster here, and left out) ");
    need(!pct_sequence_create(&sequence, model, compute, PCT_F16, type == F32 ? PCT_REAL : PCT_BF16, &error));
    const int64_t vocabulary = model->config.language.vocabulary;
    for (int i = 0; i < count; i++) {
        pct_ids ids = {0};
        char *text;
        size_t size;
        need(!pct_file_read(texts[i], (size_t)1 << 20, &text, &size, &error));
        need(!pct_tokenizer_encode(pct_model_get_tokenizer(model), &scratch, text, size, 0, &ids, &error));
        if (ids.count < ROWS + MORE)
            exit((fprintf(stderr, "language_precision: %s: %zu tokens; give a text of %d\n", texts[i], ids.count,
                          ROWS + MORE),
                  2));
        logits l = {malloc((size_t)(ROWS * vocabulary) * sizeof(pct_real)), vocabulary};
        pct_sequence_rewind(sequence, 0);
        need(l.rows && !pct_sequence_read(sequence, ids.data, ROWS, 0, keep, NULL, &l, &error));
        if (i == 0) time_passes(sequence, ids.data, type);
        if (type == F32) {
            f32[i] = l;
        } else {
            printf("  %s, %s: ", texts[i], names[type]);
            lowest = fmin(lowest, compare(&l, &f32[i]));
            free(l.rows);
        }
        free(text);
        pct_ids_free(&ids);
    }
    pct_sequence_destroy(&sequence);
    pct_model_close(&model);
    pct_compute_destroy(&compute);
    pct_pool_destroy(&pool);
    pct_token_scratch_free(&scratch);
    return lowest;
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: language_precision MODEL.gguf THREADS TEXT...\n"), 2;
    logits *f32 = calloc((size_t)argc, sizeof *f32);
    double lowest = 1;
    need(f32 != NULL);
    for (int type = 0; type < TYPES; type++) lowest = run(argv[1], atoi(argv[2]), type, argv + 3, argc - 3, f32);
    for (int i = 0; i < argc; i++) free(f32[i].rows);
    free(f32);
    return lowest < 0.999;
}
