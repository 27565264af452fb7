/* stored.h: in which type a weight lies in a file. */
#ifndef PCT_MODEL_STORED_H
#define PCT_MODEL_STORED_H

#include "formats/gguf.h"
#include "kernels/kernels.h"

/* Types of files as kernels' and back; false: a type that holds no weights. */
bool pct_dtype_of_gguf(enum pct_gguf_type from, pct_dtype *to);
enum pct_gguf_type pct_gguf_of_dtype(pct_dtype type);
/* The type of that name, as `percept quantize --type` takes it: "q4_k", any case. */
bool pct_dtype_from_name(const char *name, pct_dtype *type);

/* The type that a matrix takes in a file whose weights are wanted in `wanted`: tables that are read as they are and
 * single rows stay F32; the table of words and the output matrix keep at least 6 bits; rows that do not fit the type's
 * blocks take the nearest type whose blocks they fit. `rows` and `width` as in the file. */
pct_dtype pct_stored_type(const char *name, int dims, int64_t rows, int64_t width, pct_dtype wanted);

#endif
