#include "convert/rows.h"

#include "base/size.h"

#include <math.h>
#include <stdlib.h>

#define BLOCK_NUMBERS ((int64_t)1 << 20) /* of a block of rows, about */

percept_status pct_rows_init(pct_rows *rows, pct_pool *pool, pct_gguf_writer *writer, percept_error *error) {
    *rows = (pct_rows){.pool = pool, .writer = writer};
    pct_kernels_init(&rows->kernels, 0);
    rows->lost = calloc((size_t)BLOCK_NUMBERS * 2, sizeof *rows->lost);
    if (!rows->lost) return pct_fail_memory(error, "rows of weights");
    rows->whole = rows->lost + BLOCK_NUMBERS;
    return PERCEPT_OK;
}

void pct_rows_free(pct_rows *rows) {
    free(rows->plain);
    free(rows->stored);
    free(rows->lost);
    *rows = (pct_rows){0};
}

static bool grow(void **data, size_t *size, size_t wanted) {
    if (*size >= wanted) return true;
    free(*data);
    *data = malloc(wanted);
    *size = *data ? wanted : 0;
    return *data != NULL;
}

struct block {
    pct_rows *rows;
    pct_row_maker *maker;
    void *context;
    pct_dtype type;
    int64_t first, width;
    size_t row_bytes;
};

/* A row, its stored form, and what that lost (not finite when a number is not, before or after). */
static void block_part(void *context, int64_t begin, int64_t end, int worker) {
    struct block *b = context;
    const pct_kernels *k = &b->rows->kernels;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        pct_real *plain = b->rows->plain + i * 2 * b->width, *back = plain + b->width;
        unsigned char *stored = b->rows->stored + (size_t)i * b->row_bytes;
        double lost = 0, whole = 0;
        b->maker(b->context, b->first + i, plain);
        k->quantise[b->type](stored, plain, b->width);
        k->dequantise[b->type](back, stored, b->width);
        for (int64_t j = 0; j < b->width; j++) {
            const double x = (double)plain[j], d = x - (double)back[j];
            lost += d * d;
            whole += x * x;
        }
        b->rows->lost[i] = lost;
        b->rows->whole[i] = whole;
    }
}

percept_status pct_rows_write(pct_rows *rows, const char *name, pct_dtype type, int64_t count, int64_t width,
                              pct_row_maker *maker, void *context, double *error_share, percept_error *error) {
    struct block b = {rows, maker, context, type, 0, width, 0};
    PCT_ASSERT(rows->kernels.quantise[type] && pct_dtype_row_bytes(type, width, &b.row_bytes));
    int64_t each = BLOCK_NUMBERS / width < 1 ? 1 : BLOCK_NUMBERS / width;
    if (each > count) each = count;
    size_t plain;
    if (!pct_size_mul((size_t)each * 2 * sizeof *rows->plain, (size_t)width, &plain) ||
        !grow((void **)&rows->plain, &rows->plain_size, plain) ||
        !grow((void **)&rows->stored, &rows->stored_size, (size_t)each * b.row_bytes))
        return pct_fail_memory(error, "rows of weights");
    double lost = 0, whole = 0;
    for (b.first = 0; b.first < count; b.first += each) {
        const int64_t now = count - b.first < each ? count - b.first : each;
        pct_parallel_for(rows->pool, now, 1, block_part, &b);
        for (int64_t i = 0; i < now; i++) {
            if (!isfinite(rows->whole[i]))
                return pct_fail(error, PERCEPT_ERROR_MODEL,
                                "tensor '%s' has a number that is not finite in row %lld; fetch the checkpoint again",
                                name, (long long)(b.first + i));
            /* a number, or a block's scale, beyond the largest of a half */
            if (!isfinite(rows->lost[i]))
                return pct_fail(error, PERCEPT_ERROR_MODEL,
                                "tensor '%s' has a number in row %lld that does not fit type %s; take bf16 or f32",
                                name, (long long)(b.first + i), pct_dtype_name(type));
            lost += rows->lost[i];
            whole += rows->whole[i];
        }
        PCT_TRY(pct_gguf_writer_data(rows->writer, rows->stored, (size_t)now * b.row_bytes, error));
    }
    if (error_share) *error_share = whole > 0 ? sqrt(lost / whole) : 0;
    return PERCEPT_OK;
}
