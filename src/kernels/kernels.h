/* kernels.h: the table of inner loops, and the products that everything heavy goes through.
 *
 * Kernels take pointers, sizes and strides, never tensors or models, so that each can be checked, timed and replaced
 * alone. The table is filled with plain C first (ref/), then overridden by instruction set in rising order (x86/), as
 * far as the processor and the caller's mask allow. Matrix products and convolutions go to oneDNN (dnn/) where the
 * build has it, else to ref/ and x86/. Rows are contiguous, matrices row-major, pictures NHWC.
 *
 * pct_real is float. A second build of kernels/ and tensor/ with PCT_REAL_DOUBLE makes it double, with ref/ alone:
 * gradients are checked there against finite differences. */
#ifndef PCT_KERNELS_KERNELS_H
#define PCT_KERNELS_KERNELS_H

#include "base/error.h"
#include "base/threads.h"

#include <stddef.h>
#include <stdint.h>

#ifdef PCT_REAL_DOUBLE
typedef double pct_real;
#else
typedef float pct_real;
#endif

/* Element types. The numbers of the first block are ours; pct_dtype_from_gguf maps files' numbers. */
typedef enum pct_dtype {
    PCT_REAL, /* pct_real: F32 except in the double build */
    PCT_BF16,
    PCT_F16,
    PCT_I32,
    PCT_U8,
    PCT_Q8_0, /* blocks of 32: F16 scale, 32 int8 */
    PCT_Q4_0,
    PCT_Q4_1,
    PCT_Q5_0,
    PCT_Q5_1,
    PCT_Q4_K, /* superblocks of 256 */
    PCT_Q5_K,
    PCT_Q6_K,
    PCT_I8, /* of packed weights: an F32 scale for each output channel; not stored in files */
    PCT_DTYPE_COUNT
} pct_dtype;

const char *pct_dtype_name(pct_dtype type);
int64_t pct_dtype_block(pct_dtype type);      /* elements a block: 1 for plain types */
size_t pct_dtype_block_bytes(pct_dtype type); /* bytes a block */
/* Bytes of a row of `count` elements (a multiple of the block); false on overflow or a ragged row. */
bool pct_dtype_row_bytes(pct_dtype type, int64_t count, size_t *bytes);

/* ---- inner loops --------------------------------------------------------------------------------------------- */

enum pct_activation {
    PCT_IDENTITY,
    PCT_RELU,
    PCT_GELU /* tanh form */,
    PCT_GELU_ERF,
    PCT_QUICK_GELU,
    PCT_SILU,
    PCT_SIGMOID,
    PCT_ACTIVATION_COUNT
};

/* Every entry works on one thread, on as many rows as it is given; callers split rows over the pool. */
typedef struct pct_kernels {
    uint32_t cpu_flags; /* what this table was filled for */

    /* y = BF16(x), round to nearest even, NaN kept */
    void (*to_bf16)(uint16_t *y, const pct_real *x, int64_t count);
    void (*from_bf16)(pct_real *y, const uint16_t *x, int64_t count);
    /* y = whole numbers in -127..127 with x close to scale*y; returns the scale, largest magnitude/127. NaN for a row
     * with a NaN or an infinity, 0 for one with nothing above 1e-30; y is all 0 then. */
    pct_real (*to_int8)(int8_t *y, const pct_real *x, int64_t count);
    /* The first `most` places i in rising order with |x[i]| > limit, to index; returns how many there are, most + 1 if
     * there are more. NaN is not above anything. */
    int64_t (*above)(int32_t *index, const pct_real *x, int64_t count, pct_real limit, int64_t most);
    /* y += a*x */
    void (*axpy)(pct_real *y, pct_real a, const pct_real *x, int64_t count);
    void (*add)(pct_real *y, const pct_real *a, const pct_real *b, int64_t count);
    void (*mul)(pct_real *y, const pct_real *a, const pct_real *b, int64_t count);
    /* y += a*b */
    void (*mul_add)(pct_real *y, const pct_real *a, const pct_real *b, int64_t count);
    double (*sum_squares)(const pct_real *x, int64_t count); /* fixed order */
    pct_real (*dot)(const pct_real *a, const pct_real *b, int64_t count);

    /* y = (x-mean)*rstd*gamma+beta a row of `width`; statistics a row are kept for the way back; beta may be NULL */
    void (*layer_norm)(pct_real *y, pct_real *mean, pct_real *rstd, const pct_real *x, const pct_real *gamma,
                       const pct_real *beta, int64_t rows, int64_t width, pct_real epsilon);
    /* dx += ...; dgamma, dbeta (width each, this thread's own, may be NULL) += ... */
    void (*layer_norm_back)(pct_real *dx, pct_real *dgamma, pct_real *dbeta, const pct_real *dy, const pct_real *x,
                            const pct_real *gamma, const pct_real *mean, const pct_real *rstd, int64_t rows,
                            int64_t width);
    /* y = x*rstd*gamma, rstd = 1/sqrt(mean(x^2)+epsilon) */
    void (*rms_norm)(pct_real *y, pct_real *rstd, const pct_real *x, const pct_real *gamma, int64_t rows, int64_t width,
                     pct_real epsilon);
    void (*rms_norm_back)(pct_real *dx, pct_real *dgamma, const pct_real *dy, const pct_real *x, const pct_real *gamma,
                          const pct_real *rstd, int64_t rows, int64_t width);

    /* y = f(x); dx += f'(x)*dy */
    void (*activate[PCT_ACTIVATION_COUNT])(pct_real *y, const pct_real *x, int64_t count);
    void (*activate_back[PCT_ACTIVATION_COUNT])(pct_real *dx, const pct_real *dy, const pct_real *x, int64_t count);
    /* y = silu(gate)*up; the way back adds into dgate and dup */
    void (*swiglu)(pct_real *y, const pct_real *gate, const pct_real *up, int64_t count);
    void (*swiglu_back)(pct_real *dgate, pct_real *dup, const pct_real *dy, const pct_real *gate, const pct_real *up,
                        int64_t count);
    /* One row: p = softmax(x) (may be in place); returns log(sum exp(x)) */
    pct_real (*softmax)(pct_real *p, const pct_real *x, int64_t count);

    /* The pieces of attention. The largest of count >= 1 elements: */
    pct_real (*top)(const pct_real *x, int64_t count);
    /* p = exp(scale*x - shift) (may be in place); returns the sum of p */
    pct_real (*exp_row)(pct_real *p, const pct_real *x, int64_t count, pct_real scale, pct_real shift);
    /* ds = p*(ds - delta)*scale */
    void (*softmax_back)(pct_real *ds, const pct_real *p, int64_t count, pct_real delta, pct_real scale);
    /* Of BF16 attention, all in one pass; NULL where the pieces above are as good. p = BF16(exp(scale*x - shift)),
     * zeros from count to padded (a multiple of 32); returns the sum before rounding. */
    pct_real (*exp_half)(uint16_t *p, const pct_real *x, int64_t count, int64_t padded, pct_real scale, pct_real shift);
    /* The same p, and ds = BF16(p*(dp - delta)*scale) */
    void (*slopes_half)(uint16_t *p, uint16_t *ds, const pct_real *x, const pct_real *dp, int64_t count, int64_t padded,
                        pct_real scale, pct_real shift, pct_real delta);
    /* out[j] = q . row j of k; then out[d] += sum_j p[j]*v[j][d] */
    void (*scores)(pct_real *out, const pct_real *q, const pct_real *k, int64_t ldk, int64_t count, int64_t dim);
    void (*mix)(pct_real *out, const pct_real *p, const pct_real *v, int64_t ldv, int64_t count, int64_t dim);

    /* Rotates `heads` heads of width `head_dim` in each row by position[row]; sign -1 turns back (the gradient).
     * interleaved: pairs (2i, 2i+1), as llama.cpp's LLaMA files; else halves (i, i+head_dim/2). table holds
     * cos,sin of angle position*theta^(-2i/rotary_dim): [position][rotary_dim/2][2]. */
    void (*rotate)(pct_real *y, const pct_real *x, int64_t rows, int64_t row_stride_y, int64_t row_stride_x, int heads,
                   int head_dim, int rotary_dim, bool interleaved, const int32_t *positions, const pct_real *table,
                   int sign);

    /* AdamW (Loshchilov & Hutter, ICLR 2019), bias-corrected; step >= 1; decay is decoupled */
    void (*adamw)(pct_real *weight, pct_real *m, pct_real *v, const pct_real *gradient, int64_t count, double rate,
                  double beta1, double beta2, double epsilon, double decay, double gradient_scale, int64_t step);

    /* y = the elements of `count` (whole blocks) of a stored row */
    void (*dequantise[PCT_DTYPE_COUNT])(pct_real *y, const void *x, int64_t count);
    /* The other way, whole blocks, rounding as llama.cpp's reference does (the K types: its plan, errors within 2 % of
     * its). NULL for PCT_I32, PCT_U8 and PCT_I8. */
    void (*quantise[PCT_DTYPE_COUNT])(void *y, const pct_real *x, int64_t count);
    /* y = x in the form that matvec wants beside weights of this type, pct_matvec_input_bytes(type, count) bytes: int8
     * with scales for all block types (one form, whichever the type), pct_real for the others. count is a multiple of
     * the type's block. A NaN or infinity makes every product with it NaN. */
    void (*matvec_input[PCT_DTYPE_COUNT])(void *y, const pct_real *x, int64_t count);
    /* out[r] = sum_k w[r,k]*x[k] for stored rows r0..r1-1 (bytes `row_bytes` apart), x already in the form that
     * matvec_input gives for this type: one-token decode at the memory's speed.
     * columns is a multiple of the type's block. NULL for PCT_I32 and PCT_U8. */
    void (*matvec[PCT_DTYPE_COUNT])(pct_real *out, const void *w, size_t row_bytes, const void *x, int64_t columns,
                                    int64_t r0, int64_t r1);
} pct_kernels;

/* Bytes of a vector of `count` elements in the form of matvec_input; count a multiple of the type's block. */
size_t pct_matvec_input_bytes(pct_dtype type, int64_t count);

/* Fills the table for the flags (pct_cpu_flags() narrowed by a mask). */
void pct_kernels_init(pct_kernels *kernels, uint32_t cpu_flags);

/* ---- the heavy parts: threaded inside, oneDNN where it is there ------------------------------------------------- */

/* What kernels run on: one for an engine or a trainer; used by one thread at a time. */
typedef struct pct_compute pct_compute;
/* What goes to oneDNN, where the build and the machine have it. */
enum pct_library_use { PCT_LIBRARY_GEMM = 1, PCT_LIBRARY_CONV = 2 };
struct pct_dnn;  /* kernels/dnn: primitive cache */
struct pct_tile; /* kernels_private.h: the inner part of a blocked product for one instruction set */
struct pct_compute {
    pct_kernels kernels;
    pct_pool *pool;      /* borrowed */
    struct pct_dnn *dnn; /* NULL without oneDNN */
    void *scratch;       /* grows in warm-up only */
    size_t scratch_size;
    unsigned library;                             /* enum pct_library_use */
    const struct pct_tile *tile_real, *tile_bf16; /* of the products */
    bool int8;                                    /* pct_compute_use_int8 */
    bool exact;                                   /* pct_compute_use_exact */
    struct pct_packed *panel;                     /* of a matrix that has no place in its set's budget; reused */
};
percept_status pct_compute_create(pct_compute **compute, pct_pool *pool, uint32_t cpu_flags, percept_error *error);
void pct_compute_destroy(pct_compute **compute);
/* True when BF16 products are faster than F32 ones here (AVX-512 BF16 or AMX, with a library that uses them), and may
 * be used (pct_compute_use_exact). */
bool pct_compute_prefers_bf16(const pct_compute *compute);

/* For processes that live long (training, evaluation, serving): BF16 products for which oneDNN is faster go to it from
 * now on, at the price of loading it (tens of ms) and of preparing each new shape (about one). Without the call, and
 * where the library is missing, our own kernels do everything. Results of the two differ in their last bits, so a
 * program decides once, at its start. Returns whether the library is in use. */
bool pct_compute_use_library(pct_compute *compute);

/* From now on, parameters that are stored quantised are packed in PCT_I8 whatever type is asked for
 * (pct_parameter_packed; but those that are `fine`): products with them are faster and their packed form half as large,
 * at the price of rounding x row by row. Called before anything is packed. Returns whether INT8 is faster than what
 * prefers_bf16 says; without that nothing changes. */
bool pct_compute_use_int8(pct_compute *compute);

/* From now on products are in F32, of rows as they are: not in BF16, not in INT8, and not rounded to 8-bit blocks where
 * one row meets quantised weights (matvec_input). Slow, for comparisons. */
void pct_compute_use_exact(pct_compute *compute);

/* C[m,n] = (accumulate ? C : start or 0) + op(A)[m,k] * op(B)[k,n] + bias[n]. a_transposed: A is stored (k,m);
 * b_transposed: B is stored (n,k), as the weight of a Linear (out,in). A and B are both PCT_REAL or both PCT_BF16; C is
 * pct_real, accumulated in F32. Strides are in elements. */
typedef struct pct_gemm {
    int64_t m, n, k;
    const void *a, *b;
    pct_dtype type;
    bool a_transposed, b_transposed, accumulate;
    int64_t lda, ldb, ldc;
    pct_real *c;
    const pct_real *bias;  /* n, or NULL */
    const pct_real *start; /* as C, or NULL; not with accumulate */
} pct_gemm;
void pct_gemm_run(pct_compute *compute, const pct_gemm *gemm);

/* The gradients of y[rows,out] = x[rows,in] W[out,in]^T + b from dy: dx = dy W, dw = dy^T x, db = column sums of dy.
 * Each may be NULL; all are added to, but dx and dw where they are fresh. x (for dw) and w (for dx) are of `type`. */
typedef struct pct_linear_back {
    int64_t rows, in, out;
    pct_dtype type;
    const pct_real *dy;
    const void *x, *w;
    pct_real *dx, *dw, *db;
    bool dx_fresh, dw_fresh;
} pct_linear_back;
/* half: memory for rows*out elements in BF16, which may be used; NULL in PCT_REAL. */
void pct_linear_back_run(pct_compute *compute, const pct_linear_back *back, uint16_t *half);

/* Weights (out,in) packed once for many products, in PCT_BF16, PCT_REAL or PCT_I8; any other compute_type is refused.
 * In PCT_I8 the weights are rounded anew, one scale for each output channel, and x is rounded row by row; input
 * channels that are far above a row's others keep 14 bits, and so do those that are in the weights' rows
 * (kernels/int8.h). */
typedef struct pct_packed pct_packed;
percept_status pct_packed_create(pct_packed **packed, pct_compute *compute, pct_dtype compute_type, const void *weights,
                                 pct_dtype stored_type, int64_t out, int64_t in, percept_error *error);
/* The same in the memory of *packed (NULL: new) where it suffices; what *packed was is lost, and on failure NULL. */
percept_status pct_packed_renew(pct_packed **packed, pct_compute *compute, pct_dtype compute_type, const void *weights,
                                pct_dtype stored_type, int64_t out, int64_t in, percept_error *error);
void pct_packed_destroy(pct_packed **packed);
/* What pct_packed_bytes() would say. */
size_t pct_packed_size(const pct_compute *compute, pct_dtype compute_type, int64_t out, int64_t in);
size_t pct_packed_bytes(const pct_packed *packed);
/* What PCT_I8 loses of stored weights (out,in): root of the sum of squared differences over the sum of squares; NaN
 * when memory is out. */
double pct_int8_error(const pct_kernels *kernels, const void *weights, pct_dtype stored_type, int64_t out, int64_t in);
/* y[rows,out] = x[rows,in] W^T + bias; x and y PCT_REAL (conversion inside, in scratch). */
void pct_packed_run(pct_compute *compute, const pct_packed *packed, pct_real *y, int64_t ldy, const pct_real *x,
                    int64_t ldx, int64_t rows, const pct_real *bias);

/* The same for up to PCT_MATVEC_MANY packed weights of one `in` over one x: x is converted once where they allow. */
#define PCT_MATVEC_MANY 8
typedef struct pct_packed_product {
    const pct_packed *packed;
    pct_real *y;
    int64_t ldy;
    const pct_real *bias;
} pct_packed_product;
void pct_packed_many_run(pct_compute *compute, const pct_packed_product *products, int count, const pct_real *x,
                         int64_t ldx, int64_t rows);

/* y[rows] = W[rows,columns] x + bias for stored weights of any type that has a matvec: rows are split over the pool. */
void pct_matvec_run(pct_compute *compute, pct_dtype type, pct_real *y, const void *w, const pct_real *x, int64_t rows,
                    int64_t columns, const pct_real *bias);

/* The same for several matrices that meet one vector (q, k and v; gate and up): x is rounded once, the threads meet
 * once. columns is a multiple of every type's block. */
typedef struct pct_matvec {
    pct_dtype type;
    pct_real *y;          /* rows */
    const void *w;        /* stored (rows,columns) */
    const pct_real *bias; /* rows, or NULL */
    int64_t rows;
} pct_matvec;
void pct_matvec_many_run(pct_compute *compute, const pct_matvec *products, int count, const pct_real *x,
                         int64_t columns);

/* Convolution, NHWC; weights (out, kh, kw, in) so that ref is a row of dots; groups 1 or = in = out (depthwise). */
typedef struct pct_conv {
    int64_t batch, height, width, in, out, kernel, stride, pad, groups;
    pct_dtype type;         /* PCT_BF16: x, w (and dy) are converted inside; PCT_REAL */
    bool fresh;             /* on the way back dx is stored, not added to */
    const uint16_t *x_half; /* x in BF16, read instead of x; only where pct_conv_takes_half() */
} pct_conv;
bool pct_conv_takes_half(const pct_compute *compute, const pct_conv *conv);
int64_t pct_conv_out(int64_t size, int64_t kernel, int64_t stride, int64_t pad);
void pct_conv_run(pct_compute *compute, const pct_conv *conv, pct_real *y, const pct_real *x, const pct_real *w,
                  const pct_real *bias);
/* Each output may be NULL; all are added to, but dx where conv says that it is fresh. */
void pct_conv_back(pct_compute *compute, const pct_conv *conv, pct_real *dx, pct_real *dw, pct_real *dbias,
                   const pct_real *dy, const pct_real *x, const pct_real *w);

/* Fused attention over packed rows. A span says which key rows a run of query rows sees: rows
 * [shared_begin, +shared_count) in full (the picture's prefix, or nothing), then rows [own_begin, +own_count), in full
 * or, when causal, query i (of q_count) up to own row own_count-q_count+i. No span has zero keys. Query rows belong to
 * one span; key rows may be shared by many. */
typedef struct pct_span {
    int32_t q_begin, q_count;
    int32_t shared_begin, shared_count;
    int32_t own_begin, own_count;
    int32_t causal;
} pct_span;
typedef struct pct_attention {
    int heads, kv_heads, head_dim; /* heads % kv_heads == 0 */
    pct_real scale;                /* usually 1/sqrt(head_dim) */
    const pct_span *spans;
    int64_t span_count;
    const pct_real *q, *k, *v; /* rows of heads*head_dim, kv_heads*head_dim */
    int64_t ldq, ldk, ldv, ldo;
    pct_real *out;
    pct_real *lse;  /* log-sum-exp [q row][heads] for the way back; may be NULL in inference */
    pct_dtype type; /* PCT_BF16: products in BF16, softmax in F32; PCT_REAL */
} pct_attention;
void pct_attention_run(pct_compute *compute, const pct_attention *attention);
/* dq, dk, dv (strides as q, k, v) are added to. */
void pct_attention_back(pct_compute *compute, const pct_attention *attention, const pct_real *dout, pct_real *dq,
                        pct_real *dk, pct_real *dv);

#endif
