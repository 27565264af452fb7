/* pytorch.h: the tensors of a PyTorch checkpoint (".bin", ".pt", ".pth": torch.save's zip form, since 1.6), read
 * through a map.
 *
 * Its pickle is interpreted by a whitelist: opcodes that build numbers, strings, tuples, lists and dicts, and calls of
 * the few functions that rebuild tensors. Nothing is imported or run; any other function or class is refused by its
 * name. Nested dicts give names joined by points ("model.embed.weight"), lists by their indices; what is neither
 * container nor tensor is passed over. It refuses the form before 1.6, big-endian files, quantised, sparse and nested
 * tensors, storage types that percept has no use for, views that leave their storage, more than 8 dimensions. Time and
 * memory are bounded by the file's size. */
#ifndef PCT_FORMATS_PYTORCH_H
#define PCT_FORMATS_PYTORCH_H

#include "formats/safetensors.h" /* its types */

typedef struct pct_pytorch_tensor {
    const char *name; /* NUL-terminated, borrowed until close */
    enum pct_safetensors_type type;
    int dims;
    int64_t shape[PCT_SAFETENSORS_MAX_DIMS], stride[PCT_SAFETENSORS_MAX_DIMS]; /* strides in elements, at least 0 */
    int64_t elements;                                                          /* product of the shape */
    bool contiguous;           /* row-major: `data` holds the elements one after another */
    const unsigned char *data; /* the first element, in the map, little-endian, NOT aligned; borrowed until close */
} pct_pytorch_tensor;

typedef struct pct_pytorch pct_pytorch;

/* Missing or unreadable: PERCEPT_ERROR_INPUT; malformed or refused: PERCEPT_ERROR_MODEL; the message begins with the
 * path. Close with pct_pytorch_close, which accepts NULL and nulls the handle. */
percept_status pct_pytorch_open(pct_pytorch **file, const char *path, percept_error *error);
/* The same over bytes that the caller keeps until close. `name` stands in messages. */
percept_status pct_pytorch_open_memory(pct_pytorch **file, const char *name, const void *data, size_t size,
                                       percept_error *error);
void pct_pytorch_close(pct_pytorch **file);

int64_t pct_pytorch_count(const pct_pytorch *file);
const pct_pytorch_tensor *pct_pytorch_at(const pct_pytorch *file, int64_t index);      /* sorted by name */
const pct_pytorch_tensor *pct_pytorch_find(const pct_pytorch *file, const char *name); /* NULL: not there */

/* Elements begin..begin+count-1 of the row-major order (asserted to be there), as they stand in the file. */
void pct_pytorch_copy(const pct_pytorch_tensor *tensor, int64_t begin, int64_t count, void *out);

#endif
