/* layers.h: the layers a model is made of. Each is a struct of pointers to its weights, and a function from tensor to
 * tensor. Weights are bound once, by name, when the model is built; nothing is looked up afterwards. */
#ifndef PCT_NN_LAYERS_H
#define PCT_NN_LAYERS_H

#include "nn/build.h"
#include "tensor/ops.h"

/* y = x W^T + b, and with LoRA (Hu et al., arXiv 2106.09685) + alpha/rank * B(A(dropout(x))). */
typedef struct pct_linear {
    pct_parameter *weight, *bias;   /* (out,in); (out) or NULL */
    pct_parameter *lora_a, *lora_b; /* (rank,in), (out,rank), or NULL */
    pct_real lora_scale, lora_dropout;
} pct_linear;
/* `name` without ".weight". scale: of PCT_INIT_FAN; 0 gives zeros. */
void pct_linear_build(pct_linear *linear, pct_builder *builder, int64_t in, int64_t out, bool bias, double scale,
                      const char *name, ...) PCT_PRINTF(7, 8);
pct_tensor *pct_linear_apply(pct_tape *tape, const pct_linear *linear, pct_tensor *x); /* (rows,in) -> (rows,out) */
/* y[i] = the i-th layer's, of 1..PCT_MATVEC_MANY layers that read one x: pct_op_linear_many. */
void pct_linear_apply_many(pct_tape *tape, const pct_linear *const *layers, int count, pct_tensor *x, pct_tensor **y);
/* start + the layer's; start (rows,out) */
pct_tensor *pct_linear_apply_onto(pct_tape *tape, const pct_linear *linear, pct_tensor *start, pct_tensor *x);
/* Whether all that reads the layer's input are products, so that BF16 will do: not with LoRA's dropout. */
bool pct_linear_takes_half(const pct_linear *linear);

/* LayerNorm, or RMSNorm where `rms` is set. Over maps (B,H,W,C) this is LayerNorm2d: over the channels of a pixel. */
typedef struct pct_norm {
    pct_parameter *gamma, *beta; /* beta NULL for RMSNorm */
    pct_real epsilon;
    bool rms;
} pct_norm;
void pct_norm_build(pct_norm *norm, pct_builder *builder, int64_t width, double epsilon, bool rms, const char *name,
                    ...) PCT_PRINTF(6, 7);
pct_tensor *pct_norm_apply(pct_tape *tape, const pct_norm *norm, pct_tensor *x);
/* In BF16 alone (pct_op_norm_half) where `half`: only products read it. */
pct_tensor *pct_norm_apply_half(pct_tape *tape, const pct_norm *norm, pct_tensor *x, bool half);

/* BatchNorm after training: statistics a channel that never change, gamma and beta that may learn. Names:
 * <name>.weight, .bias, .mean, .variance. */
typedef struct pct_batch_norm {
    pct_parameter *gamma, *beta, *mean, *variance;
    pct_real epsilon;
} pct_batch_norm;
void pct_batch_norm_build(pct_batch_norm *norm, pct_builder *builder, int64_t width, double epsilon, const char *name,
                          ...) PCT_PRINTF(5, 6);
pct_tensor *pct_batch_norm_apply(pct_tape *tape, const pct_batch_norm *norm, pct_tensor *x);

/* Square convolution without groups, NHWC; the weight is (out,k,k,in), initialised after He et al. (arXiv 1502.01852).
 */
typedef struct pct_conv_layer {
    pct_parameter *weight, *bias;
    int stride, pad;
} pct_conv_layer;
void pct_conv_build(pct_conv_layer *conv, pct_builder *builder, int64_t in, int64_t out, int kernel, int stride,
                    int pad, bool bias, const char *name, ...) PCT_PRINTF(9, 10);
pct_tensor *pct_conv_apply(pct_tape *tape, const pct_conv_layer *conv, pct_tensor *x);

/* conv -> LayerNorm2d -> activation. Names: <name>.weight and <name>_norm.{weight,bias}. */
typedef struct pct_conv_block {
    pct_conv_layer conv;
    pct_norm norm;
    pct_batch_norm batch; /* instead of norm; gamma NULL: none */
    enum pct_activation activation;
} pct_conv_block;
void pct_conv_block_build(pct_conv_block *block, pct_builder *builder, int64_t in, int64_t out, int kernel, int stride,
                          int pad, enum pct_activation activation, const char *name, ...) PCT_PRINTF(9, 10);
/* conv -> BatchNorm -> activation. bias: of the convolution. Names: <name>.{weight,bias} and <name>_norm.*. */
void pct_conv_block_build_batch(pct_conv_block *block, pct_builder *builder, int64_t in, int64_t out, int kernel,
                                int stride, int pad, bool bias, enum pct_activation activation, const char *name, ...)
    PCT_PRINTF(10, 11);
pct_tensor *pct_conv_block_apply(pct_tape *tape, const pct_conv_block *block, pct_tensor *x);
/* For an output that only convolutions read: BF16 alone where pct_tape_halves(). */
pct_tensor *pct_conv_block_apply_half(pct_tape *tape, const pct_conv_block *block, pct_tensor *x);
/* start + the block's; start shaped like its output */
pct_tensor *pct_conv_block_apply_onto(pct_tape *tape, const pct_conv_block *block, pct_tensor *start, pct_tensor *x);

/* Linear layers with an activation between them (none after the last). Names <name>.0, .1, ... */
#define PCT_MLP_MAX 4
typedef struct pct_mlp {
    pct_linear layer[PCT_MLP_MAX];
    int count;
    enum pct_activation activation;
} pct_mlp;
/* widths: count+1 of them. last: scale of the last layer's initial weights (0: it starts at its bias, 0). */
void pct_mlp_build(pct_mlp *mlp, pct_builder *builder, const int64_t *widths, int count, enum pct_activation activation,
                   double last, const char *name, ...) PCT_PRINTF(7, 8);
pct_tensor *pct_mlp_apply(pct_tape *tape, const pct_mlp *mlp, pct_tensor *x);

/* ---- small tools for parts ------------------------------------------------------------------------------------- */

/* A view (rows, width) and (batch, height, width, channels) of the same numbers. */
pct_tensor *pct_as_rows(pct_tape *tape, pct_tensor *x, int64_t width);
pct_tensor *pct_as_map(pct_tape *tape, pct_tensor *x, int64_t batch, int64_t height, int64_t width);
/* `count` int32 in the tape's arena; on memory failure a NULL that makes the tape fail. */
int32_t *pct_tape_ints(pct_tape *tape, int64_t count);
void *pct_tape_array(pct_tape *tape, int64_t count, size_t size);
/* Adds a learned scalar (1) to every element. */
pct_tensor *pct_add_scalar(pct_tape *tape, pct_tensor *x, pct_tensor *scalar);
/* The same numbers without a way back. */
pct_tensor *pct_detach(pct_tape *tape, pct_tensor *x);

/* ---- operations that only models need -------------------------------------------------------------------------- */

/* log(x/(1-x)) with x held in [epsilon, 1-epsilon], where the slope ends. */
pct_tensor *pct_op_logit(pct_tape *tape, pct_tensor *x, pct_real epsilon);

/* A fixed sparse matrix of `rows` x `columns`: row i is the taps offset[i]..offset[i+1]-1. Arrays in the arena. */
typedef struct pct_taps {
    int64_t rows, columns;
    const int32_t *offset, *index;
    const pct_real *weight;
} pct_taps;
/* Resampling of a square grid of side from -> to, rows and columns alike: bilinear with corners aligned (patch
 * kernels), or bicubic, a = -0.75, corners not aligned, neighbours held at the border (positions). */
pct_taps pct_taps_bilinear_aligned(pct_tape *tape, int from, int to);
pct_taps pct_taps_bicubic(pct_tape *tape, int from, int to);
/* y[b] = M x[b]: x (B, columns, D) -> (B, rows, D). Differentiable in x. */
pct_tensor *pct_op_apply_taps(pct_tape *tape, pct_tensor *x, const pct_taps *taps);

#endif
