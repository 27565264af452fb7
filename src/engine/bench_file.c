/* bench_file.c: see bench_file.h. */
#include "engine/bench_file.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "base/size.h"
#include "kernels/kernels.h"
#include "model/stored.h"
#include "tokenizer/template.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL_VOCABULARY 1024              /* of words that are ever said; the others only fill the table */
#define DIFFERENT_ROWS   64                /* of a matrix, before they repeat */
#define PIECE            ((size_t)4 << 20) /* bytes that are written at once, about */

/* ---- words ------------------------------------------------------------------------------------------------------ */

/* A vocabulary that knows the template's own texts well, as a published one does, with its special tokens. */
static percept_status small_vocabulary(pct_tokenizer **out, const pct_template_style *style, percept_error *error) {
    pct_bpe_train_options options = pct_template_train_options(SMALL_VOCABULARY);
    pct_bpe_trainer *trainer = NULL;
    const char *const texts[] = {style ? style->lead : " the", style ? style->first : " a"};
    PCT_TRY(pct_bpe_trainer_create(&trainer, &options, error));
    percept_status status = PERCEPT_OK;
    for (size_t i = 0; i < PCT_COUNT(texts) && status == PERCEPT_OK; i++)
        status = pct_bpe_trainer_add(trainer, texts[i], strlen(texts[i]), 100, error);
    pct_random random;
    pct_random_init(&random, 1, 0, 0);
    for (int i = 0; i < 4 * SMALL_VOCABULARY && status == PERCEPT_OK; i++) {
        char word[4] = " ??";
        word[1] = "bdfgklmnprstvz"[pct_random_below(&random, 14)];
        word[2] = "aeiou"[pct_random_below(&random, 5)];
        status = pct_bpe_trainer_add(trainer, word, 3, 2, error);
    }
    if (status == PERCEPT_OK) status = pct_bpe_trainer_finish(trainer, out, error);
    pct_bpe_trainer_destroy(&trainer);
    return status;
}

static percept_status make_vocabulary(pct_tokenizer **out, const pct_bench_file *file, percept_error *error) {
    static const char *const specials[] = {
        "<s>",         "</s>",        "<im_patch>",   "<im_start>",   "<im_end>",      "<loc>",
        "<obj_vis_s>", "<obj_vis_e>", "<obj_text_s>", "<obj_text_e>", "<|im_start|>",  "<|im_end|>",
        "<img>",       "</img>",      "[SEG]",        "[REJ]",        "<|endoftext|>", "<IMG_CONTEXT>"};
    const pct_template_style *style = NULL;
    if (file->config.kind != PCT_MODEL_LANGUAGE)
        style = pct_template_style_find(pct_model_template_name(file->config.language.template));
    pct_tokenizer *small = NULL;
    PCT_TRY(small_vocabulary(&small, style, error));
    percept_status status =
        pct_tokenizer_extend(out, small, specials, (int32_t)PCT_COUNT(specials), file->vocabulary, error);
    pct_tokenizer_destroy(&small);
    return status;
}

/* ---- structure -------------------------------------------------------------------------------------------------- */

/* Matrices have a place and no numbers; what is small is made as for training. */
static percept_status take(void *context, const pct_weight_spec *spec, pct_parameters *set, pct_parameter **parameter,
                           percept_error *error) {
    if (spec->plain || spec->rank < 2) return PERCEPT_OK;
    *parameter = pct_parameters_add_stored(set, spec->name, PCT_REAL, spec->rank, spec->dim, context, error);
    return *parameter ? PERCEPT_OK : PERCEPT_ERROR_RESOURCE;
}

typedef struct layout {
    int dims;
    int64_t rows, width;
    pct_dtype type;
} layout;

static layout layout_of(const pct_parameter *parameter, pct_dtype wanted) {
    const pct_tensor *tensor = &parameter->tensor;
    layout l = {1, 1, tensor->dim[0], PCT_REAL};
    if (tensor->rank > 1) l = (layout){2, tensor->dim[0], pct_tensor_count(tensor) / tensor->dim[0], PCT_REAL};
    l.type = pct_stored_type(parameter->name, l.dims, l.rows, l.width, wanted);
    return l;
}

/* ---- weights ---------------------------------------------------------------------------------------------------- */

typedef struct writing {
    const pct_bench_file *file;
    const pct_model *model;
    pct_kernels kernels;
    pct_gguf_writer *writer;
    const void *drawn; /* the data pointer of matrices that are drawn */
    int64_t low, high; /* ids of words that are said: the output's other rows are zero */
    pct_random random;
} writing;

static percept_status put(writing *w, const void *rows, size_t bytes, int64_t times, percept_error *error) {
    for (int64_t i = 0; i < times; i++) PCT_TRY(pct_gguf_writer_data(w->writer, rows, bytes, error));
    return PERCEPT_OK;
}

/* Rows low..high-1 are drawn, the others zero. */
static percept_status write_rows(writing *w, const layout *l, int64_t low, int64_t high, percept_error *error) {
    size_t row = 0;
    PCT_ASSERT(pct_dtype_row_bytes(l->type, l->width, &row) && w->kernels.quantise[l->type]);
    const int64_t different = l->rows < DIFFERENT_ROWS ? l->rows : DIFFERENT_ROWS;
    const int64_t copies = (size_t)different * row < PIECE ? (int64_t)(PIECE / ((size_t)different * row)) : 1;
    const int64_t piece = different * copies, drawn = high - low;
    unsigned char *stored = malloc((size_t)piece * row), *zero = malloc(row);
    pct_real *plain = malloc((size_t)l->width * sizeof *plain);
    percept_status status = stored && zero && plain ? PERCEPT_OK : pct_fail_memory(error, "bench");
    if (status == PERCEPT_OK) {
        memset(plain, 0, (size_t)l->width * sizeof *plain);
        w->kernels.quantise[l->type](zero, plain, l->width);
    }
    for (int64_t i = 0; i < different && status == PERCEPT_OK; i++) {
        const float size = 1.7f / sqrtf((float)l->width);
        for (int64_t k = 0; k < l->width; k++) plain[k] = (pct_real)pct_random_between(&w->random, -size, size);
        w->kernels.quantise[l->type](stored + (size_t)i * row, plain, l->width);
    }
    for (int64_t i = 1; i < copies && status == PERCEPT_OK; i++)
        memcpy(stored + (size_t)(i * different) * row, stored, (size_t)different * row);
    if (status == PERCEPT_OK) status = put(w, zero, row, low, error);
    if (status == PERCEPT_OK) status = put(w, stored, (size_t)piece * row, drawn / piece, error);
    if (status == PERCEPT_OK) status = put(w, stored, row * (size_t)(drawn % piece), drawn % piece > 0, error);
    if (status == PERCEPT_OK) status = put(w, zero, row, l->rows - high, error);
    free(plain);
    free(zero);
    free(stored);
    return status;
}

static percept_status write_one(writing *w, const pct_parameter *parameter, percept_error *error) {
    const layout l = layout_of(parameter, w->file->type);
    const bool output = !strcmp(parameter->name, w->file->config.language.tied ? "token_embd.weight" : "output.weight");
    if (pct_tensor_data(&parameter->tensor) == w->drawn)
        return write_rows(w, &l, output ? w->low : 0, output ? w->high : l.rows, error);
    const pct_real *data = pct_tensor_data(&parameter->tensor);
    size_t row = 0;
    PCT_ASSERT(pct_dtype_row_bytes(l.type, l.width, &row));
    unsigned char *stored = malloc(row);
    if (!stored) return pct_fail_memory(error, "bench");
    percept_status status = PERCEPT_OK;
    for (int64_t i = 0; i < l.rows && status == PERCEPT_OK; i++) {
        w->kernels.quantise[l.type](stored, data + i * l.width, l.width);
        status = pct_gguf_writer_data(w->writer, stored, row, error);
    }
    free(stored);
    return status;
}

static percept_status write_all(writing *w, const char *path, pct_meter *meter, int64_t done, percept_error *error) {
    const pct_parameters *set = pct_model_get_parameters((pct_model *)w->model);
    PCT_TRY(pct_model_write_keys(w->model, w->writer, error));
    for (size_t i = 0; i < set->count; i++) {
        const layout l = layout_of(set->list[i], w->file->type);
        pct_gguf_writer_declare(w->writer, set->list[i]->name, pct_gguf_of_dtype(l.type), l.dims,
                                (int64_t[]){l.width, l.rows});
    }
    PCT_TRY(pct_gguf_writer_begin(w->writer, path, error));
    for (size_t i = 0; i < set->count; i++) {
        PCT_TRY(write_one(w, set->list[i], error));
        if (pct_meter_update(meter, done, NULL)) return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted");
    }
    return pct_gguf_writer_end(w->writer, error);
}

/* Special tokens stand at the ends of the small vocabulary, and after it. */
static void find_words(writing *w, const pct_tokenizer *tokenizer) {
    w->high = pct_tokenizer_special(tokenizer, "<s>");
    while (w->high > 0 && pct_tokenizer_is_special(tokenizer, (int32_t)w->high - 1)) w->high--;
    for (w->low = w->high; w->low > 0 && !pct_tokenizer_is_special(tokenizer, (int32_t)w->low - 1);) w->low--;
}

static percept_status write_file(const pct_bench_file *file, const char *path, pct_meter *meter, int64_t done,
                                 percept_error *error) {
    static const pct_real drawn;
    writing w = {.file = file, .drawn = &drawn};
    pct_tokenizer *tokenizer = NULL;
    pct_model *model = NULL;
    pct_model_config config = file->config;
    pct_kernels_init(&w.kernels, 0);
    pct_random_init(&w.random, 1, 0, 0);
    PCT_TRY(make_vocabulary(&tokenizer, file, error));
    config.language.vocabulary = pct_tokenizer_size(tokenizer);
    find_words(&w, tokenizer);
    const pct_model_card card = {.name = file->name, .provenance = "random", .threshold = 0.5f};
    percept_status status = pct_model_config_check(&config, error);
    if (status == PERCEPT_OK) status = pct_model_plan(&model, &config, &tokenizer, take, (void *)&drawn, 1, error);
    if (status == PERCEPT_OK) status = pct_model_set_card(model, &card, error);
    if (status == PERCEPT_OK) status = pct_gguf_writer_create(&w.writer, error);
    w.model = model;
    if (status == PERCEPT_OK) status = write_all(&w, path, meter, done, error);
    pct_gguf_writer_destroy(&w.writer);
    pct_model_close(&model);
    pct_tokenizer_destroy(&tokenizer);
    return status;
}

percept_status pct_bench_open_file(pct_model **model, const pct_bench_file *file, pct_meter *meter, int64_t done,
                                   double *seconds, percept_error *error) {
    char folder[] = "/tmp/percept-bench-XXXXXX";
    if (!mkdtemp(folder)) return pct_fail(error, PERCEPT_ERROR_RESOURCE, "/tmp: no folder can be made there");
    char *path = pct_path_join(folder, "random.gguf");
    percept_status status = path ? write_file(file, path, meter, done, error) : pct_fail_memory(error, "path");
    const double started = pct_clock_seconds();
    if (status == PERCEPT_OK) status = pct_model_open(model, path, false, error);
    *seconds = pct_clock_seconds() - started;
    if (path) unlink(path);
    rmdir(folder);
    free(path);
    return status;
}
