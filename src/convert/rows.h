/* rows.h: tensors on their way into a file: made row by row in F32, rounded to their stored type, written.
 *
 * A block of rows at a time over the pool, so that memory stays small however large a tensor is. What rounding loses is
 * measured on the way. */
#ifndef PCT_CONVERT_ROWS_H
#define PCT_CONVERT_ROWS_H

#include "formats/gguf.h"
#include "kernels/kernels.h"

/* Makes one row. Called by several threads, each with a row of its own. */
typedef void pct_row_maker(void *context, int64_t row, pct_real *out);

typedef struct pct_rows {
    pct_kernels kernels;     /* plain C: the same bits everywhere */
    pct_pool *pool;          /* borrowed */
    pct_gguf_writer *writer; /* borrowed */
    /* scratch of one block, grown as needed */
    pct_real *plain;
    unsigned char *stored;
    double *lost, *whole; /* sums of squares a row: of the differences, of the numbers */
    size_t plain_size, stored_size;
} pct_rows;

percept_status pct_rows_init(pct_rows *rows, pct_pool *pool, pct_gguf_writer *writer, percept_error *error);
void pct_rows_free(pct_rows *rows);
/* Writes `count` rows of `width` numbers as `type`, whose rows they fit (asserted). *error_share (may be NULL): root of
 * the lost squares over the squares; 0 for an empty tensor. A number that is not finite, or that the
 * type makes so, is refused with `name` (MODEL). */
percept_status pct_rows_write(pct_rows *rows, const char *name, pct_dtype type, int64_t count, int64_t width,
                              pct_row_maker *maker, void *context, double *error_share, percept_error *error);

#endif
