/* quantise.h: a model file again with its weights in another type. Works on any GGUF that percept can read: its own
 * files and llama.cpp's language models alike; keys and names stay. */
#ifndef PCT_CONVERT_QUANTISE_H
#define PCT_CONVERT_QUANTISE_H

#include "convert/rows.h"
#include "percept/progress.h"

typedef struct pct_quantise_report {
    int64_t tensors, changed;         /* in all; whose type became another */
    size_t bytes_before, bytes_after; /* of the files */
    double worst;                     /* largest share of a changed tensor's numbers that was lost */
    char worst_name[PCT_GGUF_MAX_TENSOR_NAME + 1];
    int64_t of_type[PCT_DTYPE_COUNT]; /* tensors of each type that was written */
} pct_quantise_report;

/* Reads `from`, writes `to` (atomically; another file than `from`). INPUT: missing; MODEL: malformed, or a number that
 * is not finite or does not fit the type; USAGE: a type without a rounding, or the same file; INTERRUPTED: the callback
 * asked to stop. */
percept_status pct_quantise_file(const char *from, const char *to, pct_dtype type, pct_pool *pool,
                                 percept_progress_fn *progress, void *context, pct_quantise_report *report,
                                 percept_error *error);

#endif
