/* tensor.h: the array that operations work on, and the parameters that are trained.
 *
 * Row-major, contiguous, at most four dimensions; pictures are (batch, height, width, channels). A tensor lives in an
 * arena (activations) or in a parameter set (weights) and is never freed by itself. */
#ifndef PCT_TENSOR_TENSOR_H
#define PCT_TENSOR_TENSOR_H

#include "base/arena.h"
#include "kernels/kernels.h"

#include <pthread.h>

#define PCT_MAX_RANK  4
#define PCT_NAME_SIZE 64 /* tensor names, NUL included */

typedef struct pct_tensor pct_tensor;
struct pct_parameters;
struct pct_tensor {
    pct_dtype type; /* PCT_REAL for anything with a gradient; PCT_I32 ids; stored types for frozen weights */
    int rank;
    int64_t dim[PCT_MAX_RANK];
    void *data;
    pct_real *grad; /* same shape, or NULL as long as nothing flowed back */
    uint16_t *twin; /* BF16 copy of data, made when a product first asks for it; NULL before */
    bool needs_grad;
    bool owned;                      /* data is the tape's: pct_tape_done() may give it back */
    uint16_t keeps, twin_keeps;      /* recorded operations that read data, or the twin, on the way back */
    pct_tensor *base;                /* set for views: data, gradient and twin are this one's; NULL else */
    struct pct_node *maker;          /* the operation it came from; NULL for inputs, parameters and views */
    struct pct_parameter *parameter; /* set for parameters */
};

/* A weight. Trainable ones hold F32 data, a gradient, and optimiser moments (train/ owns those); frozen ones may be
 * held in a stored type (mapped from a file) and are used through `packed`. */
typedef struct pct_parameter {
    char name[PCT_NAME_SIZE]; /* as in the model file, e.g. "blk.3.attn_q.weight" */
    pct_tensor tensor;
    bool trainable;
    bool decay;         /* weight decay applies: matrices yes; norms, biases, embeddings no */
    bool mapped;        /* its data lie in a map of a file, whose pages are given back once they are packed */
    bool fine;          /* packed in what is asked for, also where the compute would have INT8 */
    bool matrix;        /* maps a layer's input to its output: (out,in) or a kernel; not a table of rows */
    float rate_scale;   /* multiplies the learning rate; 1 */
    pct_packed *packed; /* owned; frozen weights, made on first use */
    pct_real *plain;    /* owned; a small stored weight (norm, bias) as pct_real, made on first use */
    uint64_t version;   /* raised by whoever changes data, so that twins are made anew */
    uint64_t twin_version, packed_version, plain_version;
    uint64_t hash;              /* of the name */
    struct pct_parameters *set; /* that it lives in */
} pct_parameter;

/* What packed forms of a set may take together, unless its owner says otherwise: a 7B model in 4 bits stays within
 * 8 GB. */
#define PCT_PACKED_BUDGET ((size_t)5 << 29)

/* All parameters of a model in the order they were added (= file order). Memory is owned by the set, which must not be
 * moved after the first add. The derived forms (twin, packed, plain) are made under the lock, so that sessions on
 * several threads may share frozen parameters; whoever changes data does so while nobody else uses the set. */
typedef struct pct_parameters {
    pct_parameter **list; /* pointers are stable */
    size_t count, capacity;
    pct_arena arena;
    size_t packed_budget, packed_bytes; /* of packed forms: allowed (PCT_PACKED_BUDGET at first), taken */
    pthread_mutex_t lock;
} pct_parameters;

void pct_parameters_init(pct_parameters *set);
void pct_parameters_free(pct_parameters *set);
/* A new F32 parameter, zero-filled, its gradient buffer made when trainable. Names are unique: asserted. */
pct_parameter *pct_parameters_add(pct_parameters *set, const char *name, int rank, const int64_t *dim, bool trainable,
                                  percept_error *error);
/* A frozen parameter over borrowed bytes of a stored type (mapped file); dim as PyTorch, e.g. (out,in). */
pct_parameter *pct_parameters_add_stored(pct_parameters *set, const char *name, pct_dtype type, int rank,
                                         const int64_t *dim, const void *data, percept_error *error);
pct_parameter *pct_parameters_find(const pct_parameters *set, const char *name);

/* Derived forms of a parameter, made anew when its version has changed. NULL when memory is out.
 * The BF16 copy (the data itself where they are stored so): what training products read. */
const uint16_t *pct_parameter_twin(pct_parameter *parameter, pct_compute *compute);
/* As pct_real (the data itself where they are): norms, biases, convolutions. */
const pct_real *pct_parameter_plain(pct_parameter *parameter, pct_compute *compute);
/* Packed for products in `type` (PCT_BF16 or PCT_REAL; the type of the first call stays): a matrix (out,in). Made once
 * as long as the set's budget lasts; beyond, at each call, in a panel of the compute's that the next call overwrites.
 */
const pct_packed *pct_parameter_packed(pct_parameter *parameter, pct_compute *compute, pct_dtype type);

int64_t pct_tensor_count(const pct_tensor *tensor); /* elements */
int64_t pct_tensor_rows(const pct_tensor *tensor);  /* elements / last dimension */
static inline int64_t pct_tensor_width(const pct_tensor *tensor) { return tensor->dim[tensor->rank - 1]; }
static inline pct_real *pct_tensor_data(const pct_tensor *tensor) { return (pct_real *)tensor->data; }

#endif
