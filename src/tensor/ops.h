/* ops.h: every differentiable operation. One file each in ops/: shape rule, forward, backward, formula.
 *
 * Shapes: letters are B batch (pictures), T rows of tokens, D width, H heads, Q objects, N grid cells. "rows" stands
 * for any leading dimensions. Inputs are not const because gradients are left in them. All return tensors in the tape's
 * arena. */
#ifndef PCT_TENSOR_OPS_H
#define PCT_TENSOR_OPS_H

#include "tensor/tape.h"

/* ---- shape and rows ---------------------------------------------------------------------------------------- */
/* Same data, other shape (no copy; the gradient is shared). */
pct_tensor *pct_op_reshape(pct_tape *tape, pct_tensor *x, int rank, const int64_t *dim);
/* (rows_i, D)... -> (sum rows_i, D) */
pct_tensor *pct_op_concat_rows(pct_tape *tape, pct_tensor *const *parts, int count);
/* (rows, D_i)... -> (rows, sum D_i) */
pct_tensor *pct_op_concat_columns(pct_tape *tape, pct_tensor *const *parts, int count);
/* (rows, D) -> (rows, end-begin) */
pct_tensor *pct_op_slice_columns(pct_tape *tape, pct_tensor *x, int64_t begin, int64_t end);
/* y[i] = x[index[i]]; index (borrowed until cleared) in 0..rows-1, may repeat. Also the embedding look-up. x may be a
 * stored type when it needs no gradient. -> (count, D) */
pct_tensor *pct_op_gather_rows(pct_tape *tape, pct_tensor *x, const int32_t *index, int64_t count);
/* y = x with row index[i] replaced by rows[i]; indices differ. x (T,D), rows (count,D) */
pct_tensor *pct_op_replace_rows(pct_tape *tape, pct_tensor *x, pct_tensor *rows, const int32_t *index, int64_t count);
/* Means of groups of rows: y[g] = mean of x[index[offset[g]..offset[g+1])]; an empty group gives zeros. -> (groups, D)
 */
pct_tensor *pct_op_mean_rows(pct_tape *tape, pct_tensor *x, const int32_t *index, const int32_t *offset,
                             int64_t groups);

/* ---- arithmetic ------------------------------------------------------------------------------------------------ */
pct_tensor *pct_op_add(pct_tape *tape, pct_tensor *a, pct_tensor *b); /* same shape */
pct_tensor *pct_op_add_rows(pct_tape *tape, pct_tensor *x,
                            pct_tensor *bias); /* bias (D), or (n,D) with rows % n == 0: repeats */
pct_tensor *pct_op_mul(pct_tape *tape, pct_tensor *a, pct_tensor *b); /* same shape */
pct_tensor *pct_op_scale(pct_tape *tape, pct_tensor *x, pct_real factor);
pct_tensor *pct_op_scale_by(pct_tape *tape, pct_tensor *x, pct_tensor *scalar); /* scalar (1), learned */
/* start + x * scale; start and x of one shape, scale (D) for every row */
pct_tensor *pct_op_add_scaled(pct_tape *tape, pct_tensor *start, pct_tensor *x, pct_tensor *scale);
pct_tensor *pct_op_activate(pct_tape *tape, pct_tensor *x, enum pct_activation f);
pct_tensor *pct_op_swiglu(pct_tape *tape, pct_tensor *gate, pct_tensor *up); /* silu(gate)*up */
/* The same for outputs that only products read: BF16 alone (data NULL) where pct_tape_halves(), else as above. */
pct_tensor *pct_op_activate_half(pct_tape *tape, pct_tensor *x, enum pct_activation f);
pct_tensor *pct_op_swiglu_half(pct_tape *tape, pct_tensor *gate, pct_tensor *up);
pct_tensor *pct_op_dropout(pct_tape *tape, pct_tensor *x, pct_real rate); /* identity unless recording */
/* sum_i softmax(coef)[i]*x_i over `count` tensors of one shape; coef (count): the learned merge of hidden layers
 * (PerceptionGPT, arXiv 2311.06612) */
pct_tensor *pct_op_mix(pct_tape *tape, pct_tensor *const *x, int count, pct_tensor *coef);

/* ---- products -------------------------------------------------------------------------------------------------- */
/* x (rows,in) W^T + bias; W (out,in), bias (out) or NULL -> (rows,out). W may be a parameter of any stored type. */
pct_tensor *pct_op_linear(pct_tape *tape, pct_tensor *x, pct_tensor *weight, pct_tensor *bias);
/* start + x W^T + bias; start (rows,out) */
pct_tensor *pct_op_linear_onto(pct_tape *tape, pct_tensor *start, pct_tensor *x, pct_tensor *weight, pct_tensor *bias);
/* y[i] = x W_i^T + bias_i for 1..PCT_MATVEC_MANY weights over one x (q, k and v; gate and up): as that many linear ops,
 * but one pass where a few rows meet weights as stored. A bias may be NULL. */
void pct_op_linear_many(pct_tape *tape, pct_tensor *x, int count, pct_tensor *const *weights, pct_tensor *const *biases,
                        pct_tensor **y);
/* Batched: a (B,M,K), b (B,N,K) -> (B,M,N) = a b^T. rank 2 = one batch */
pct_tensor *pct_op_matmul_nt(pct_tape *tape, pct_tensor *a, pct_tensor *b);
/* x (B,H,W,Cin), weight (Cout,k,k,Cin) or (C,k,k,1) depthwise, bias (Cout) or NULL -> (B,H',W',Cout) */
pct_tensor *pct_op_conv(pct_tape *tape, pct_tensor *x, pct_tensor *weight, pct_tensor *bias, int stride, int pad,
                        int groups);
/* Fused attention; q (Tq, heads*head_dim), k and v (Tk, kv_heads*head_dim); spans borrowed until cleared */
pct_tensor *pct_op_attention(pct_tape *tape, pct_tensor *q, pct_tensor *k, pct_tensor *v, int heads, int kv_heads,
                             const pct_span *spans, int64_t span_count);
/* Rotary positions (Su et al., RoFormer): x (T, heads*head_dim), positions (T) */
typedef struct pct_rotary_form {
    int count;               /* of a head's numbers that are turned, its first ones; even */
    bool interleaved;        /* pairs (2i, 2i+1); else (i, i+count/2) */
    double theta;            /* pair i turns by position * theta^(-2i/count) */
    double slow;             /* every angle is divided by it; 0: by 1 */
    const pct_real *factors; /* (count/2) each pair's angle is divided by its own; NULL: none */
} pct_rotary_form;
pct_tensor *pct_op_rotate(pct_tape *tape, pct_tensor *x, int heads, const pct_rotary_form *form,
                          const int32_t *positions);

/* ---- norms ------------------------------------------------------------------------------------------------------- */
/* Over the last dimension; on NHWC maps this is LN2d. beta may be NULL. */
pct_tensor *pct_op_layer_norm(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_real epsilon);
pct_tensor *pct_op_rms_norm(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_real epsilon);
/* As layer_norm, or rms_norm where `rms`; for outputs that only products read: BF16 alone (data NULL) where
 * pct_tape_halves(). */
pct_tensor *pct_op_norm_half(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_real epsilon,
                             bool rms);
/* start + f(layer_norm(x)), in one pass each way and without the norm's output in memory; start (shaped like x) or
 * NULL. half: as norm_half, not with start. */
pct_tensor *pct_op_norm_activate(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_real epsilon,
                                 enum pct_activation f, pct_tensor *start, bool half);
/* BatchNorm whose statistics stand still; on NHWC maps BatchNorm2d after training. mean and variance carry no gradient.
 */
pct_tensor *pct_op_batch_norm(pct_tape *tape, pct_tensor *x, pct_tensor *gamma, pct_tensor *beta, pct_tensor *mean,
                              pct_tensor *variance, pct_real epsilon);
/* Rows scaled to length 1: x / max(|x|, epsilon) */
pct_tensor *pct_op_unit_rows(pct_tape *tape, pct_tensor *x, pct_real epsilon);

/* ---- maps ----------------------------------------------------------------------------------------------------------
 */
/* Bilinear, align_corners = false; x (B,H,W,C) -> (B,h,w,C) */
pct_tensor *pct_op_resize(pct_tape *tape, pct_tensor *x, int64_t height, int64_t width);
pct_tensor *pct_op_max_pool(pct_tape *tape, pct_tensor *x, int kernel, int stride, int pad);
/* Means over k x k cells: (B,H,W,C) -> (B,H/k,W/k,C) */
pct_tensor *pct_op_mean_pool(pct_tape *tape, pct_tensor *x, int kernel);
/* (B,H,W,C) -> (B,H/k,W/k,k*k*C), channel order (dy,dx,c); and back */
pct_tensor *pct_op_pixel_unshuffle(pct_tape *tape, pct_tensor *x, int factor);
pct_tensor *pct_op_pixel_shuffle(pct_tape *tape, pct_tensor *x, int factor);
/* Twice the side, by samples that are moved: x (B,H,W,C), moves (B*H*W, 8*groups) -> (B,2H,2W,C), C % groups == 0.
 * Channel of a move: c*4*groups + g*4 + a*2 + b, c 0 across and 1 down, a and b the new pixel's row and column in its
 * cell; a move of 4 is one cell of x: see ops/dysample.c */
pct_tensor *pct_op_dysample(pct_tape *tape, pct_tensor *x, pct_tensor *moves, int groups);
/* Moments of a mask: logits (Q,H,W) -> (Q,8) = soft centre x, y, deviation x, y, soft extent x0, y0, x1, y1, all in
 * 0..1 of the map; p = sigmoid(logit). The extent is a soft first and last position: see ops/moments.c */
pct_tensor *pct_op_mask_moments(pct_tape *tape, pct_tensor *logits);

/* ---- losses: scalars (1)
 * --------------------------------------------------------------------------------------------- */
/* mean over rows of weight[i] * -log softmax(logits[i])[target[i]] / sum(weight); target < 0 is left out.
 * smoothing in [0,1). weight may be NULL (ones) */
pct_tensor *pct_op_cross_entropy(pct_tape *tape, pct_tensor *logits, const int32_t *target, const pct_real *weight,
                                 pct_real smoothing);
/* mean of weight*bce(logits, target); target same shape; weight same shape or NULL; divided by sum(weight) */
pct_tensor *pct_op_bce(pct_tape *tape, pct_tensor *logits, const pct_real *target, const pct_real *weight);
/* mean over Q masks of 1-(2*sum(p t)+e)/(sum p + sum t + e); logits (Q, n); weight (Q) or NULL */
pct_tensor *pct_op_dice(pct_tape *tape, pct_tensor *logits, const pct_real *target, const pct_real *weight,
                        pct_real epsilon);
/* mean |x-target|; x (Q,n); weight (Q) or NULL */
pct_tensor *pct_op_l1(pct_tape *tape, pct_tensor *x, const pct_real *target, const pct_real *weight);
/* mean (1-GIoU); boxes (Q,4) as x0,y0,x1,y1, corners ordered inside; weight (Q) or NULL */
pct_tensor *pct_op_giou(pct_tape *tape, pct_tensor *box, const pct_real *target, const pct_real *weight);
/* sum_i factor[i]*loss_i */
pct_tensor *pct_op_weighted_sum(pct_tape *tape, pct_tensor *const *loss, const pct_real *factor, int count);
/* sum of all elements */
pct_tensor *pct_op_sum(pct_tape *tape, pct_tensor *x);

#endif
