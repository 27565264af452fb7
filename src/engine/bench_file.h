/* bench_file.h: model files of random weights for the speed measurement, of any size: blocks of the wanted type are
 * made once for a row's width and written again and again. See bench.h. */
#ifndef PCT_ENGINE_BENCH_FILE_H
#define PCT_ENGINE_BENCH_FILE_H

#include "base/progress.h"
#include "model/model.h"

/* A structure whose weights are drawn: `config` without a vocabulary's words, which are made up. */
typedef struct pct_bench_file {
    const char *name;
    pct_model_config config;
    int32_t vocabulary;
    pct_dtype type; /* of matrices */
} pct_bench_file;

/* Writes it to a temporary file, opens that mapped and removes it: it is gone when the model is closed, or the program
 * ends, however it ends. *seconds: what opening took. RESOURCE: no room; INTERRUPTED: the meter says so. */
percept_status pct_bench_open_file(pct_model **model, const pct_bench_file *file, pct_meter *meter, int64_t done,
                                   double *seconds, percept_error *error);

#endif
