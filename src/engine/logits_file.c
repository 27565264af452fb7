/* logits_file.c: see logits_file.h. */
#include "engine/logits_file.h"

#include "formats/npy.h"

static percept_status write_header(pct_logits_file *file, percept_error *error) {
    char header[PCT_NPY_HEADER_SIZE];
    PCT_TRY(pct_npy_header_f32(header, 2, (int64_t[]){file->rows, file->width}, error));
    if (fwrite(header, 1, sizeof header, file->writer.file) == sizeof header) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot be written; is the disk full?", file->writer.path);
}

percept_status pct_logits_file_open(pct_logits_file *file, const char *path, int64_t width, percept_error *error) {
    *file = (pct_logits_file){.width = width};
    PCT_TRY(pct_writer_open(&file->writer, path, error));
    return write_header(file, error);
}

percept_status pct_logits_file_add(pct_logits_file *file, const pct_real *row, percept_error *error) {
    _Static_assert(sizeof *row == sizeof(float), "rows are F32");
    file->rows++;
    if (fwrite(row, sizeof *row, (size_t)file->width, file->writer.file) == (size_t)file->width) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot be written; is the disk full?", file->writer.path);
}

percept_status pct_logits_file_close(pct_logits_file *file, percept_error *error) {
    if (fseek(file->writer.file, 0, SEEK_SET) != 0)
        return pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot be written from its start; give a file",
                        file->writer.path);
    PCT_TRY(write_header(file, error));
    return pct_writer_commit(&file->writer, error);
}

void pct_logits_file_abort(pct_logits_file *file) { pct_writer_abort(&file->writer); }
