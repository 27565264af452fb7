/* measured.c: what calibration and answer times have in common: the middle of rounds, and a file of numbers. */
#include "base/file.h"
#include "experiment/experiment_private.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double pct_experiment_median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

percept_status pct_experiment_write_json(const char *path, const json_t *root, percept_error *error) {
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) : NULL;
    percept_status status = text ? pct_file_write(path, text, strlen(text), error) : pct_fail_memory(error, path);
    free(text);
    return status;
}
