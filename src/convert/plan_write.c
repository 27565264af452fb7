/* plan_write.c: a plan's tensors, row by row, into a file. */
#include "convert/plan_private.h"

#include "base/progress.h"
#include "model/stored.h"

#include <stdlib.h>
#include <string.h>

/* A parameter's rows as the file has them: a convolution's kernel for one output is one row; a vector is one. */
typedef struct layout {
    int dims;
    int64_t rows, width;
} layout;

static layout layout_of(const pct_tensor *tensor) {
    if (tensor->rank == 1) return (layout){1, 1, tensor->dim[0]};
    return (layout){2, tensor->dim[0], pct_tensor_count(tensor) / tensor->dim[0]};
}

void pct_plan_declare(const pct_plan *plan, const pct_parameters *set, pct_gguf_writer *writer, pct_dtype type) {
    PCT_ASSERT(plan->count == set->count);
    for (size_t i = 0; i < set->count; i++) {
        const layout l = layout_of(&set->list[i]->tensor);
        const pct_dtype stored = pct_stored_type(set->list[i]->name, l.dims, l.rows, l.width, type);
        pct_gguf_writer_declare(writer, set->list[i]->name, pct_gguf_of_dtype(stored), l.dims,
                                (int64_t[]){l.width, l.rows});
    }
}

/* One tensor on its way. */
typedef struct making {
    const pct_plan_origin *o;
    const pct_real *own; /* of a fresh parameter */
    int64_t rows, width;
    pct_real *a; /* LoRA's A, plain; owned */
    int64_t rank;
    pct_real *mean; /* PCT_RULE_TABLE with more rows than the source: the mean of its rows; owned */
} making;

static percept_status take_mean(making *m, percept_error *error) {
    const int64_t rows = m->o->tensor->shape[0];
    double *sum = calloc((size_t)m->width, sizeof *sum);
    m->mean = malloc((size_t)m->width * sizeof *m->mean);
    if (!sum || !m->mean) {
        free(sum);
        return pct_fail_memory(error, "mean of a table");
    }
    for (int64_t row = 0; row < rows; row++) {
        pct_foreign_floats(m->o->tensor, row * m->width, m->width, m->mean);
        for (int64_t i = 0; i < m->width; i++) sum[i] += (double)m->mean[i];
    }
    for (int64_t i = 0; i < m->width; i++) m->mean[i] = (pct_real)(sum[i] / (double)rows);
    free(sum);
    return PERCEPT_OK;
}

/* Row `row` of pairs from rows of halves: (2, head/2) of a head becomes (head/2, 2). */
static int64_t rotary_row(int64_t row, int64_t head) {
    const int64_t in_head = row % head;
    return row - in_head + in_head % 2 * (head / 2) + in_head / 2;
}

/* y += scale * row of B * A */
static void add_lora(const making *m, int64_t row, pct_real *y) {
    float b[4096];
    pct_foreign_floats(m->o->b, row * m->rank, m->rank, b);
    for (int64_t r = 0; r < m->rank; r++) {
        const pct_real share = (pct_real)m->o->scale * (pct_real)b[r];
        for (int64_t i = 0; i < m->width; i++) y[i] += share * m->a[r * m->width + i];
    }
}

/* (in, h*w) of one output becomes (h*w, in). */
static void turn_kernel(const pct_foreign_tensor *tensor, int64_t begin, int64_t inner, int64_t width, pct_real *out) {
    const int64_t places = width / inner;
    float piece[256];
    for (int64_t c = 0; c < inner; c++) {
        for (int64_t p = 0; p < places; p += 256) {
            const int64_t count = places - p < 256 ? places - p : 256;
            pct_foreign_floats(tensor, begin + c * places + p, count, piece);
            for (int64_t i = 0; i < count; i++) out[(p + i) * inner + c] = piece[i];
        }
    }
}

static void make_row(void *context, int64_t row, pct_real *out) {
    const making *m = context;
    const pct_plan_origin *o = m->o;
    if (!o->tensor) {
        memcpy(out, m->own + row * m->width, (size_t)m->width * sizeof *out);
        return;
    }
    if (m->mean && row >= o->tensor->shape[0]) {
        memcpy(out, m->mean, (size_t)m->width * sizeof *out);
        return;
    }
    int64_t from = o->first + row;
    if (o->how == PCT_RULE_ROTARY && m->rows > 1) from = rotary_row(row, m->rows / o->heads);
    if (o->how == PCT_RULE_KERNEL)
        turn_kernel(o->tensor, from * m->width, o->inner, m->width, out);
    else
        pct_foreign_floats(o->tensor, from * m->width, m->width, out);
    if (o->a) add_lora(m, from, out);
}

/* A vector of the fused or rotary kind is one row of the file: its numbers are picked one by one. */
static void make_vector(void *context, int64_t row, pct_real *out) {
    const making *m = context;
    const pct_plan_origin *o = m->o;
    (void)row;
    if (!o->tensor) {
        memcpy(out, m->own, (size_t)m->width * sizeof *out);
        return;
    }
    for (int64_t i = 0; i < m->width; i++) {
        const int64_t from = o->how == PCT_RULE_ROTARY ? rotary_row(i, m->width / o->heads) : i;
        pct_foreign_floats(o->tensor, o->first + from, 1, out + i);
    }
}

static percept_status write_one(const pct_parameter *parameter, const pct_plan_origin *o, pct_rows *rows,
                                pct_dtype type, pct_convert_report *report, percept_error *error) {
    const layout l = layout_of(&parameter->tensor);
    making m = {o, pct_tensor_data(&parameter->tensor), l.rows, l.width, NULL, 0, NULL};
    const pct_dtype stored = pct_stored_type(parameter->name, l.dims, l.rows, l.width, type);
    if (o->a) {
        m.rank = o->a->shape[0];
        m.a = malloc((size_t)o->a->elements * sizeof *m.a);
        if (!m.a) return pct_fail_memory(error, "LoRA");
        pct_foreign_floats(o->a, 0, o->a->elements, m.a);
    }
    percept_status status = PERCEPT_OK;
    if (o->how == PCT_RULE_TABLE && o->tensor && o->tensor->shape[0] < l.rows) status = take_mean(&m, error);
    if (status == PERCEPT_OK)
        status = pct_rows_write(rows, o->tensor ? o->tensor->name : parameter->name, stored, l.rows, l.width,
                                l.dims == 1 ? make_vector : make_row, &m, NULL, error);
    if (status == PERCEPT_ERROR_MODEL && o->tensor) pct_error_prefix(error, "%s", o->tensor->file);
    free(m.a);
    free(m.mean);
    report->of_type[stored]++;
    report->written++;
    return status;
}

percept_status pct_plan_write(const pct_plan *plan, const pct_parameters *set, pct_rows *rows, pct_dtype type,
                              percept_progress_fn *progress, void *context, pct_convert_report *report,
                              percept_error *error) {
    pct_meter meter;
    int64_t total = 0, done = 0;
    for (size_t i = 0; i < set->count; i++) total += pct_tensor_count(&set->list[i]->tensor) / 1000 + 1;
    pct_meter_start(&meter, progress, context, "convert", "thousand weights", 0, total);
    for (size_t i = 0; i < set->count; i++) {
        PCT_TRY(write_one(set->list[i], &plan->origins[i], rows, type, report, error));
        done += pct_tensor_count(&set->list[i]->tensor) / 1000 + 1;
        if (pct_meter_update(&meter, done, NULL))
            return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted: no file was written");
    }
    return PERCEPT_OK;
}
