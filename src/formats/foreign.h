/* foreign.h: the tensors of a published checkpoint, whatever form it has: safetensors (one file, shards with an
 * index), PyTorch zip files (one, shards with an index), or a folder that holds one of these.
 *
 * A view over formats/safetensors.h and formats/pytorch.h, which check everything: one sorted list of names, and
 * numbers as F32. In a folder the first of these counts: model.safetensors(.index.json),
 * pytorch_model.bin(.index.json), adapter_model.safetensors, adapter_model.bin, else the only file that ends in
 * .safetensors, .bin, .pt or .pth. It refuses folders without such a file or with several. No model is named here. */
#ifndef PCT_FORMATS_FOREIGN_H
#define PCT_FORMATS_FOREIGN_H

#include "formats/safetensors.h" /* its types */

typedef struct pct_foreign_tensor {
    const char *name; /* borrowed until close, as all below */
    enum pct_safetensors_type type;
    int dims; /* 0..8 */
    int64_t shape[PCT_SAFETENSORS_MAX_DIMS];
    int64_t elements;
    const char *file;   /* that it lies in, for messages */
    const void *inside; /* the format's own record */
    bool torch;         /* which format's */
} pct_foreign_tensor;

typedef struct pct_foreign pct_foreign;

/* A folder or a file. Missing or unreadable: PERCEPT_ERROR_INPUT; malformed: PERCEPT_ERROR_MODEL; the message begins
 * with a path. Close with pct_foreign_close, which accepts NULL and nulls the handle. */
percept_status pct_foreign_open(pct_foreign **checkpoint, const char *path, percept_error *error);
/* The same for peft's adapters: in a folder adapter_model.* counts first, whatever base model lies beside it. */
percept_status pct_foreign_open_adapters(pct_foreign **checkpoint, const char *path, percept_error *error);
void pct_foreign_close(pct_foreign **checkpoint);

const char *pct_foreign_path(const pct_foreign *checkpoint); /* as it was given; borrowed */
int64_t pct_foreign_count(const pct_foreign *checkpoint);
const pct_foreign_tensor *pct_foreign_at(const pct_foreign *checkpoint, int64_t index);      /* sorted by name */
const pct_foreign_tensor *pct_foreign_find(const pct_foreign *checkpoint, const char *name); /* NULL: none */

/* Whether the type holds numbers that weights are made of: F64, F32, F16, BF16. */
bool pct_foreign_is_float(const pct_foreign_tensor *tensor);
/* Elements begin..begin+count-1 of the row-major order (asserted to be there, of a float type) as F32. */
void pct_foreign_floats(const pct_foreign_tensor *tensor, int64_t begin, int64_t count, float *out);

#endif
