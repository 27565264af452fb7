/* logits_file.h: rows of logits into a NumPy file as they come; the file appears whole or not at all. */
#ifndef PCT_ENGINE_LOGITS_FILE_H
#define PCT_ENGINE_LOGITS_FILE_H

#include "base/file.h"
#include "kernels/kernels.h"

typedef struct pct_logits_file {
    pct_writer writer;
    int64_t rows, width;
} pct_logits_file;

percept_status pct_logits_file_open(pct_logits_file *file, const char *path, int64_t width, percept_error *error);
/* The next row: `width` numbers. */
percept_status pct_logits_file_add(pct_logits_file *file, const pct_real *row, percept_error *error);
percept_status pct_logits_file_close(pct_logits_file *file, percept_error *error);
/* Drops a file that was not closed; else nothing. */
void pct_logits_file_abort(pct_logits_file *file);

#endif
