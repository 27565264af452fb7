/* tape.h: define-by-run differentiation.
 *
 * An operation computes at once. When the tape records and one of its inputs needs a gradient, it also leaves a node
 * that knows the way back. Inference is the same code with recording off. All memory comes from the tape's arena, which
 * the caller resets after each step; running out of memory is sticky: pct_tape_status() is checked once a step, and
 * operations on a failed tape do nothing and return a tensor that has a shape but whose data may be NULL, so whoever
 * reads or writes data itself checks pct_tape_failed() first.
 *
 * The forward pass reuses memory where it is told to: pct_tape_done() gives back what no recorded operation needs.
 * The way back reuses memory: a tensor's gradient is given back as soon as its maker has read it, so only inputs and
 * parameters keep theirs. With `recycle` set, activations are given back too, and peak memory is that of the forward
 * pass; whoever wants to read one (not a loss: small tensors stay) reads it before pct_tape_back(). */
#ifndef PCT_TENSOR_TAPE_H
#define PCT_TENSOR_TAPE_H

#include "base/random.h"
#include "tensor/tensor.h"

typedef struct pct_node pct_node;
typedef struct pct_tape pct_tape;

struct pct_node {
    const char *operation;                /* static text: "linear" */
    void (*back)(pct_tape *, pct_node *); /* reads output->grad, adds to the inputs' grad */
    pct_node *previous;                   /* made before this one */
    pct_tensor *output;
    pct_tensor **input;
    int inputs;
    void *saved; /* the operation's own, in the arena */
};

struct pct_spare;  /* memory that came back during the way back */
struct pct_rotary; /* angle tables that rotate shares between layers */

struct pct_tape {
    pct_compute *compute; /* borrowed */
    pct_arena *arena;     /* borrowed; activations, nodes, gradients */
    bool record;          /* training */
    bool recycle;         /* see above; false after init */
    pct_dtype product;    /* PCT_BF16 or PCT_REAL: what matrix products run in */
    pct_random random;    /* dropout */
    pct_node *last;
    percept_status status; /* sticky until clear */
    struct pct_spare *spare;
    size_t spare_smallest; /* bytes; smaller blocks are not worth the search, and losses stay readable */
    struct pct_rotary *rotary;
    /* Told of a part's named steps as they are computed, for comparison with other programs; NULL: nobody looks. */
    void (*watch)(void *context, const char *step, const pct_tensor *x);
    void *watch_context;
    pct_tensor dummy; /* what is returned when not even a tensor's header fits */
};

void pct_tape_init(pct_tape *tape, pct_compute *compute, pct_arena *arena, bool record, pct_dtype product);
/* Forgets all nodes and a failure; the caller resets the arena. */
void pct_tape_clear(pct_tape *tape);
percept_status pct_tape_status(const pct_tape *tape, percept_error *error);
static inline bool pct_tape_failed(const pct_tape *tape) { return tape->status != PERCEPT_OK; }

/* A tensor in the arena, contents undefined (zeroed by _zeros). Never NULL. */
pct_tensor *pct_tape_tensor(pct_tape *tape, pct_dtype type, int rank, const int64_t *dim);
/* A tensor of BF16 values alone, for outputs that nothing but products will read: type PCT_REAL, data NULL, the twin
 * undefined. Only where pct_tape_halves(). */
pct_tensor *pct_tape_half(pct_tape *tape, int rank, const int64_t *dim);
static inline bool pct_tape_halves(const pct_tape *tape) { return tape->record && tape->product == PCT_BF16; }
pct_tensor *pct_tape_zeros(pct_tape *tape, int rank, const int64_t *dim);
/* Over the caller's memory, borrowed until the tape is cleared. */
pct_tensor *pct_tape_input(pct_tape *tape, pct_dtype type, int rank, const int64_t *dim, const void *data);
/* The same data under another shape; gradient and twin are shared with x. */
pct_tensor *pct_tape_view(pct_tape *tape, pct_tensor *x, int rank, const int64_t *dim);
/* The caller will not hand this tensor, nor a view of it, to another operation: its memory is given back now, unless an
 * operation recorded so far reads it on the way back. data is NULL afterwards if it was. Say it of the last name of
 * some data: of the view or of dropout's result, not of what they were made from. Inputs and parameters are left alone.
 */
void pct_tape_done(pct_tape *tape, pct_tensor *tensor);
/* The tensor's gradient buffer, zeroed when new. NULL when memory is out, as for all below. */
pct_real *pct_tape_grad(pct_tape *tape, pct_tensor *tensor);
/* As above, but a new buffer is left undefined and *fresh set: the caller stores every element instead of adding. */
pct_real *pct_tape_grad_fresh(pct_tape *tape, pct_tensor *tensor, bool *fresh);
/* Hands the gradient of `from` over to `to` of equal size when `to` has none yet: no copy. False when it has one. */
bool pct_tape_grad_pass(pct_tape *tape, pct_tensor *from, pct_tensor *to);
/* As grad_fresh, for an operation that keeps the tensor and can write its gradient over its data: on a recycling tape
 * they then share memory, unless another operation keeps the data too. Call it last: tensor->data may be NULL after. */
pct_real *pct_tape_grad_onto(pct_tape *tape, pct_tensor *tensor, bool *fresh);
/* Memory for the length of a call, reused by later ones; `size` is the same at both. */
void *pct_tape_take(pct_tape *tape, size_t size);
void pct_tape_give(pct_tape *tape, void *data, size_t size);
/* The BF16 copy of a PCT_REAL tensor or of a parameter of any type, shared by all who ask. */
const uint16_t *pct_tape_twin(pct_tape *tape, pct_tensor *tensor);
/* The values as pct_real: the data itself, or a stored parameter's plain form. */
const pct_real *pct_tape_plain(pct_tape *tape, pct_tensor *tensor);
/* Appends a node when recording and an input (NULL ones are skipped) needs a gradient, and marks the output; returns
 * it, else NULL. The list of inputs is copied. saved_size bytes are taken zeroed for node->saved. */
pct_node *pct_tape_record(pct_tape *tape, const char *operation, void (*back)(pct_tape *, pct_node *),
                          pct_tensor *output, pct_tensor *const *inputs, int count, size_t saved_size);
/* The part's step `step` is x: passed to tape->watch, when it is set, while x->data still stands. Returns x. */
static inline pct_tensor *pct_tape_step(pct_tape *tape, const char *step, pct_tensor *x) {
    if (tape->watch && !pct_tape_failed(tape)) tape->watch(tape->watch_context, step, x);
    return x;
}
/* From a scalar, in reverse order of recording. Parameters' gradients are added to (the optimiser zeroes them). */
void pct_tape_back(pct_tape *tape, pct_tensor *loss);

#endif
