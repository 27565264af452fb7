/* tape.h: define-by-run differentiation.
 *
 * An operation computes at once. When the tape records and one of its inputs needs a gradient, it also leaves a node
 * that knows the way back. Inference is the same code with recording off. All memory comes from the tape's arena, which
 * the caller resets after each step; running out of memory is sticky: pct_tape_status() is checked once a step, and
 * operations on a failed tape return a valid zero tensor of the right shape when they can, else the tape's dummy. */
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
    pct_tensor *input[6];
    int inputs;
    void *saved; /* the operation's own, in the arena */
};

struct pct_tape {
    pct_compute *compute; /* borrowed */
    pct_arena *arena;     /* borrowed; activations, nodes, gradients */
    bool record;          /* training */
    pct_dtype product;    /* PCT_BF16 or PCT_REAL: what matrix products run in */
    pct_random random;    /* dropout */
    pct_node *last;
    percept_status status; /* sticky */
};

void pct_tape_init(pct_tape *tape, pct_compute *compute, pct_arena *arena, bool record, pct_dtype product);
/* Forgets all nodes; the caller resets the arena. */
void pct_tape_clear(pct_tape *tape);
percept_status pct_tape_status(const pct_tape *tape, percept_error *error);

/* A tensor in the arena, contents undefined (zeroed by _zeros). Never NULL. */
pct_tensor *pct_tape_tensor(pct_tape *tape, pct_dtype type, int rank, const int64_t *dim);
pct_tensor *pct_tape_zeros(pct_tape *tape, int rank, const int64_t *dim);
/* Over the caller's memory, borrowed until the tape is cleared. */
pct_tensor *pct_tape_input(pct_tape *tape, pct_dtype type, int rank, const int64_t *dim, const void *data);
/* The tensor's gradient buffer, zeroed when new. */
pct_real *pct_tape_grad(pct_tape *tape, pct_tensor *tensor);
/* Appends a node when recording and an input needs a gradient, and marks the output; returns it, else NULL.
 * saved_size bytes are taken zeroed for node->saved. */
pct_node *pct_tape_record(pct_tape *tape, const char *operation, void (*back)(pct_tape *, pct_node *),
                          pct_tensor *output, pct_tensor *const *inputs, int count, size_t saved_size);
/* From a scalar, in reverse order of recording. Parameters' gradients are added to (the optimiser zeroes them). */
void pct_tape_back(pct_tape *tape, pct_tensor *loss);

#endif
