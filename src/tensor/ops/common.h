/* common.h: what the operations share: shape assertions, elementwise loops, flow of gradients. Not for other folders.
 */
#ifndef PCT_TENSOR_OPS_COMMON_H
#define PCT_TENSOR_OPS_COMMON_H

#include "base/size.h"
#include "tensor/ops.h"
#include "tensor/real.h"

/* A wrong shape is our own bug, except after a failure, when shapes mean nothing. */
#define PCT_SHAPE(tape, condition)                                                                                     \
    do {                                                                                                               \
        if (!pct_tape_failed(tape)) PCT_ASSERT(condition);                                                             \
    } while (0)

#define PCT_GRAIN   16384 /* elements that are worth a thread */
#define PCT_OP_HALF 1024  /* elements that go through the stack on their way to BF16 */
#define PCT_BLOCK   4096  /* elements a partial sum, whatever the thread count; also fits the first cache */

/* Rows of `width` elements that are worth a thread. */
static inline int64_t pct_op_grain(int64_t width) { return pct_max_i64(1, PCT_GRAIN / pct_max_i64(width, 1)); }
static inline size_t pct_op_bytes(int64_t count) { return (size_t)count * sizeof(pct_real); }

bool pct_op_same_shape(const pct_tensor *a, const pct_tensor *b);
/* An undefined tensor shaped like x. */
pct_tensor *pct_op_like(pct_tape *tape, const pct_tensor *x);
/* As x with another last dimension. */
pct_tensor *pct_op_like_width(pct_tape *tape, const pct_tensor *x, int64_t width);
pct_tensor *pct_op_scalar(pct_tape *tape, double value);

/* Adds g (count of `to`) to the gradient of `to`, when it wants one. */
void pct_op_flow(pct_tape *tape, pct_tensor *to, const pct_real *g);
/* The gradient of the node's output goes to `to` unchanged: handed over when possible. The caller reads the gradient's
 * address before, since the output may lose it. */
void pct_op_pass(pct_tape *tape, pct_node *node, pct_tensor *to);
/* Adds the column sums of g (rows,width) to the gradient of `to` (width). */
void pct_op_flow_columns(pct_tape *tape, pct_tensor *to, const pct_real *g, int64_t rows, int64_t width);
/* Adds the workers' sums, one each `stride` numbers of `partial`, in their order to the gradient of `to` (width; may be
 * NULL), when it wants one. */
void pct_op_flow_partials(pct_tape *tape, pct_tensor *to, const pct_real *partial, int64_t stride, int workers,
                          int64_t width);

/* The way back of a norm over rows: where dx goes, and the workers' sums of dgamma and dbeta. */
typedef struct pct_op_norm_flow {
    pct_real *dx;
    pct_real *partial; /* [worker][2][width]; NULL when gamma and beta are frozen */
    bool fresh;        /* dx holds nothing yet */
} pct_op_norm_flow;
/* Fills the flow, which lies in `job`, runs `rows` over x's rows with the job, and adds the workers' sums to the
 * gradients of gamma and beta (NULL: none) in their order, so that the result depends on the thread count alone. */
void pct_op_norm_back(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_op_norm_flow *flow,
                      pct_parallel_body *rows, void *job);

/* The node, when there is one, will read x's data on the way back: pct_tape_done() leaves it. */
void pct_op_keep(const pct_node *node, pct_tensor *x);
/* The same for the form that products read: the twin of BF16 products, the data else. */
void pct_op_keep_form(const pct_tape *tape, const pct_node *node, pct_tensor *x);

/* Sums body(context, block) over `blocks` blocks in their order: the same whatever the thread count. NAN when memory
 * is out (the tape has failed then). */
typedef double pct_op_block_sum(const void *context, int64_t block);
double pct_op_sum_blocks(pct_tape *tape, int64_t blocks, int64_t grain, pct_op_block_sum *body, const void *context);
/* The dot product of two arrays, summed so. */
double pct_op_dot(pct_tape *tape, const pct_real *a, const pct_real *b, int64_t count);

#endif
