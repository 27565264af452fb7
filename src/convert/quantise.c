#include "convert/quantise.h"

#include "base/progress.h"
#include "model/stored.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Tensors that hold weights: the rest (tables of ids) is copied as it is. */
typedef struct one_tensor {
    const pct_gguf_tensor *tensor;
    pct_dtype from;
    size_t row_bytes;
    const pct_kernels *kernels;
} one_tensor;

static void make_row(void *context, int64_t row, pct_real *out) {
    const one_tensor *t = context;
    const unsigned char *data = (const unsigned char *)t->tensor->data + (size_t)row * t->row_bytes;
    t->kernels->dequantise[t->from](out, data, t->tensor->ne[0]);
}

/* What the tensor becomes; false: it is copied. */
static bool new_type(const pct_gguf_tensor *t, pct_dtype wanted, pct_dtype *from, pct_dtype *to) {
    if (!pct_dtype_of_gguf(t->type, from)) return false;
    *to = pct_stored_type(t->name, t->dims, t->elements / t->ne[0], t->ne[0], wanted);
    return *to != *from;
}

static percept_status declare_all(pct_gguf_writer *writer, const pct_gguf *file, pct_dtype wanted,
                                  percept_error *error) {
    for (int64_t i = 0; i < pct_gguf_tensor_count(file); i++) {
        const pct_gguf_tensor *t = pct_gguf_tensor_at(file, i);
        pct_dtype from, to;
        if (strlen(t->name) > PCT_GGUF_MAX_WRITTEN_NAME)
            return pct_fail(error, PERCEPT_ERROR_MODEL,
                            "%s: tensor '%s' has a name of %zu bytes; at most %d can be written: give it a shorter one",
                            pct_gguf_path(file), t->name, strlen(t->name), PCT_GGUF_MAX_WRITTEN_NAME);
        const enum pct_gguf_type type = new_type(t, wanted, &from, &to) ? pct_gguf_of_dtype(to) : t->type;
        pct_gguf_writer_declare(writer, t->name, type, t->dims, t->ne);
    }
    return PERCEPT_OK;
}

static percept_status write_tensor(pct_rows *rows, const pct_gguf *file, const pct_gguf_tensor *t, pct_dtype wanted,
                                   pct_quantise_report *report, percept_error *error) {
    one_tensor one = {.tensor = t, .kernels = &rows->kernels};
    pct_dtype to = PCT_REAL;
    double lost;
    report->tensors++;
    if (!new_type(t, wanted, &one.from, &to)) {
        pct_dtype same;
        if (pct_dtype_of_gguf(t->type, &same)) report->of_type[same]++;
        return pct_gguf_writer_data(rows->writer, t->data, t->size, error);
    }
    PCT_ASSERT(pct_dtype_row_bytes(one.from, t->ne[0], &one.row_bytes));
    percept_status status =
        pct_rows_write(rows, t->name, to, t->elements / t->ne[0], t->ne[0], make_row, &one, &lost, error);
    if (status == PERCEPT_ERROR_MODEL) pct_error_prefix(error, "%s", pct_gguf_path(file));
    if (status != PERCEPT_OK) return status;
    report->changed++;
    report->of_type[to]++;
    if (lost >= report->worst) {
        report->worst = lost;
        strcpy(report->worst_name, t->name);
    }
    return PERCEPT_OK;
}

/* Rounded up: every tensor counts. */
static int64_t kilobytes(const pct_gguf_tensor *tensor) { return (int64_t)(tensor->size >> 10) + 1; }

static percept_status write_all(pct_rows *rows, const pct_gguf *file, const char *to, pct_dtype wanted,
                                percept_progress_fn *progress, void *context, pct_quantise_report *report,
                                percept_error *error) {
    pct_meter meter;
    int64_t total = 0, done = 0;
    for (int64_t i = 0; i < pct_gguf_key_count(file); i++) pct_gguf_set_copy(rows->writer, file, i);
    PCT_TRY(declare_all(rows->writer, file, wanted, error));
    for (int64_t i = 0; i < pct_gguf_tensor_count(file); i++) total += kilobytes(pct_gguf_tensor_at(file, i));
    PCT_TRY(pct_gguf_writer_begin(rows->writer, to, error));
    pct_meter_start(&meter, progress, context, "quantize", "kB", 0, total);
    for (int64_t i = 0; i < pct_gguf_tensor_count(file); i++) {
        const pct_gguf_tensor *t = pct_gguf_tensor_at(file, i);
        PCT_TRY(write_tensor(rows, file, t, wanted, report, error));
        done += kilobytes(t);
        if (pct_meter_update(&meter, done, NULL))
            return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted: %s was not written", to);
    }
    return pct_gguf_writer_end(rows->writer, error);
}

static bool same_file(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

percept_status pct_quantise_file(const char *from, const char *to, pct_dtype type, pct_pool *pool,
                                 percept_progress_fn *progress, void *context, pct_quantise_report *report,
                                 percept_error *error) {
    pct_gguf *file = NULL;
    pct_gguf_writer *writer = NULL;
    pct_rows rows = {0};
    struct stat written;
    *report = (pct_quantise_report){0};
    if (same_file(from, to))
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: would be written over itself; name another file with -o", to);
    percept_status status = pct_gguf_open(&file, from, error);
    if (status == PERCEPT_OK) status = pct_gguf_writer_create(&writer, error);
    if (status == PERCEPT_OK) status = pct_rows_init(&rows, pool, writer, error);
    if (status == PERCEPT_OK && !rows.kernels.quantise[type])
        status = pct_fail(error, PERCEPT_ERROR_USAGE, "type %s cannot be written", pct_dtype_name(type));
    if (status == PERCEPT_OK) status = write_all(&rows, file, to, type, progress, context, report, error);
    if (status == PERCEPT_OK) {
        report->bytes_before = pct_gguf_file_size(file);
        report->bytes_after = stat(to, &written) == 0 ? (size_t)written.st_size : 0;
    }
    pct_rows_free(&rows);
    pct_gguf_writer_destroy(&writer);
    pct_gguf_close(&file);
    return status;
}
