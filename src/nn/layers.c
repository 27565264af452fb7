#include "nn/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Formats a layer's name, leaving room for what the layer adds to it. */
static void layer_name(char *out, const char *format, va_list args) {
    int length = vsnprintf(out, PCT_NAME_SIZE, format, args);
    PCT_ASSERT(length > 0 && length < PCT_NAME_SIZE - 8);
}
#define LAYER_NAME(buffer, format)                                                                                     \
    char buffer[PCT_NAME_SIZE];                                                                                        \
    do {                                                                                                               \
        va_list args_;                                                                                                 \
        va_start(args_, format);                                                                                       \
        layer_name(buffer, format, args_);                                                                             \
        va_end(args_);                                                                                                 \
    } while (0)

static pct_tensor *tensor_of(pct_parameter *parameter) { return parameter ? &parameter->tensor : NULL; }

void pct_linear_build(pct_linear *linear, pct_builder *builder, int64_t in, int64_t out, bool bias, double scale,
                      const char *name, ...) {
    LAYER_NAME(base, name);
    *linear = (pct_linear){0};
    linear->weight = pct_build_weight(builder, scale == 0 ? PCT_INIT_CONSTANT : PCT_INIT_FAN, scale, 2,
                                      (int64_t[]){out, in}, true, false, "%s.weight", base);
    if (linear->weight) linear->weight->matrix = true;
    if (bias) linear->bias = pct_build_vector(builder, 0, out, "%s.bias", base);
    if (!pct_build_adapts(builder, base)) return;
    bool frozen = builder->frozen;
    builder->frozen = false;
    int64_t rank = builder->lora.rank;
    linear->lora_a =
        pct_build_weight(builder, PCT_INIT_FAN, 1, 2, (int64_t[]){rank, in}, false, false, "%s.weight.lora_a", base);
    linear->lora_b = pct_build_weight(builder, PCT_INIT_CONSTANT, 0, 2, (int64_t[]){out, rank}, false, false,
                                      "%s.weight.lora_b", base);
    linear->lora_scale = (pct_real)builder->lora.alpha / (pct_real)rank;
    linear->lora_dropout = (pct_real)builder->lora.dropout;
    builder->frozen = frozen;
}

/* y, which is given up, with LoRA's part. The few numbers in the middle are scaled, and the last product begins with y:
 * nothing else of the output's width is made. */
static pct_tensor *adapted(pct_tape *tape, const pct_linear *linear, pct_tensor *x, pct_tensor *y) {
    if (!linear->lora_a) return y;
    pct_tensor *in = linear->lora_dropout > 0 ? pct_op_dropout(tape, x, linear->lora_dropout) : x;
    pct_tensor *low = pct_op_linear(tape, in, &linear->lora_a->tensor, NULL);
    pct_tensor *scaled = pct_op_scale(tape, low, linear->lora_scale);
    pct_tensor *sum = pct_op_linear_onto(tape, y, scaled, &linear->lora_b->tensor, NULL);
    if (in != x) pct_tape_done(tape, in);
    pct_tape_done(tape, low);
    pct_tape_done(tape, scaled);
    pct_tape_done(tape, y);
    return sum;
}

pct_tensor *pct_linear_apply(pct_tape *tape, const pct_linear *linear, pct_tensor *x) {
    return adapted(tape, linear, x, pct_op_linear(tape, x, &linear->weight->tensor, tensor_of(linear->bias)));
}

void pct_linear_apply_many(pct_tape *tape, const pct_linear *const *layers, int count, pct_tensor *x, pct_tensor **y) {
    pct_tensor *weights[PCT_MATVEC_MANY], *biases[PCT_MATVEC_MANY];
    PCT_ASSERT(count >= 1 && count <= PCT_MATVEC_MANY);
    for (int i = 0; i < count; i++) {
        weights[i] = &layers[i]->weight->tensor;
        biases[i] = tensor_of(layers[i]->bias);
    }
    pct_op_linear_many(tape, x, count, weights, biases, y);
    for (int i = 0; i < count; i++) y[i] = adapted(tape, layers[i], x, y[i]);
}

pct_tensor *pct_linear_apply_onto(pct_tape *tape, const pct_linear *linear, pct_tensor *start, pct_tensor *x) {
    if (!linear->lora_a) return pct_op_linear_onto(tape, start, x, &linear->weight->tensor, tensor_of(linear->bias));
    return adapted(tape, linear, x,
                   pct_op_linear_onto(tape, start, x, &linear->weight->tensor, tensor_of(linear->bias)));
}

bool pct_linear_takes_half(const pct_linear *linear) { return !linear->lora_a || linear->lora_dropout <= 0; }

void pct_norm_build(pct_norm *norm, pct_builder *builder, int64_t width, double epsilon, bool rms, const char *name,
                    ...) {
    LAYER_NAME(base, name);
    *norm = (pct_norm){.epsilon = (pct_real)epsilon, .rms = rms};
    norm->gamma = pct_build_vector(builder, 1, width, "%s.weight", base);
    if (!rms) norm->beta = pct_build_vector(builder, 0, width, "%s.bias", base);
}

pct_tensor *pct_norm_apply(pct_tape *tape, const pct_norm *norm, pct_tensor *x) {
    if (norm->rms) return pct_op_rms_norm(tape, x, &norm->gamma->tensor, norm->epsilon);
    return pct_op_layer_norm(tape, x, &norm->gamma->tensor, tensor_of(norm->beta), norm->epsilon);
}

pct_tensor *pct_norm_apply_half(pct_tape *tape, const pct_norm *norm, pct_tensor *x, bool half) {
    if (!half) return pct_norm_apply(tape, norm, x);
    return pct_op_norm_half(tape, x, &norm->gamma->tensor, tensor_of(norm->beta), norm->epsilon, norm->rms);
}

void pct_batch_norm_build(pct_batch_norm *norm, pct_builder *builder, int64_t width, double epsilon, const char *name,
                          ...) {
    LAYER_NAME(base, name);
    *norm = (pct_batch_norm){.epsilon = (pct_real)epsilon};
    norm->gamma = pct_build_vector(builder, 1, width, "%s.weight", base);
    norm->beta = pct_build_vector(builder, 0, width, "%s.bias", base);
    const bool frozen = builder->frozen;
    builder->frozen = true;
    norm->mean = pct_build_vector(builder, 0, width, "%s.mean", base);
    norm->variance = pct_build_vector(builder, 1, width, "%s.variance", base);
    builder->frozen = frozen;
}

pct_tensor *pct_batch_norm_apply(pct_tape *tape, const pct_batch_norm *norm, pct_tensor *x) {
    return pct_op_batch_norm(tape, x, &norm->gamma->tensor, &norm->beta->tensor, &norm->mean->tensor,
                             &norm->variance->tensor, norm->epsilon);
}

void pct_conv_build(pct_conv_layer *conv, pct_builder *builder, int64_t in, int64_t out, int kernel, int stride,
                    int pad, bool bias, const char *name, ...) {
    LAYER_NAME(base, name);
    *conv = (pct_conv_layer){.stride = stride, .pad = pad};
    conv->weight = pct_build_weight(builder, PCT_INIT_FAN, sqrt(2.0), 4, (int64_t[]){out, kernel, kernel, in}, true,
                                    false, "%s.weight", base);
    if (conv->weight) conv->weight->matrix = true;
    if (bias) conv->bias = pct_build_vector(builder, 0, out, "%s.bias", base);
}

pct_tensor *pct_conv_apply(pct_tape *tape, const pct_conv_layer *conv, pct_tensor *x) {
    return pct_op_conv(tape, x, &conv->weight->tensor, tensor_of(conv->bias), conv->stride, conv->pad, 1);
}

void pct_conv_block_build(pct_conv_block *block, pct_builder *builder, int64_t in, int64_t out, int kernel, int stride,
                          int pad, enum pct_activation activation, const char *name, ...) {
    LAYER_NAME(base, name);
    *block = (pct_conv_block){.activation = activation};
    pct_conv_build(&block->conv, builder, in, out, kernel, stride, pad, false, "%s", base);
    pct_norm_build(&block->norm, builder, out, 1e-6, false, "%s_norm", base);
}

void pct_conv_block_build_batch(pct_conv_block *block, pct_builder *builder, int64_t in, int64_t out, int kernel,
                                int stride, int pad, bool bias, enum pct_activation activation, const char *name, ...) {
    LAYER_NAME(base, name);
    *block = (pct_conv_block){.activation = activation};
    pct_conv_build(&block->conv, builder, in, out, kernel, stride, pad, bias, "%s", base);
    pct_batch_norm_build(&block->batch, builder, out, 1e-5, "%s_norm", base);
}

/* f(batch norm(map)), added to start where there is one; the map is given back. */
static pct_tensor *apply_batch(pct_tape *tape, const pct_conv_block *block, pct_tensor *map, pct_tensor *start) {
    pct_tensor *y = pct_batch_norm_apply(tape, &block->batch, map), *before = y;
    pct_tape_done(tape, map);
    if (block->activation != PCT_IDENTITY) {
        y = pct_op_activate(tape, before, block->activation);
        pct_tape_done(tape, before);
    }
    return start ? pct_op_add(tape, start, y) : y;
}

static pct_tensor *apply_block(pct_tape *tape, const pct_conv_block *block, pct_tensor *x, pct_tensor *start,
                               bool half) {
    const pct_norm *norm = &block->norm;
    pct_tensor *map = pct_conv_apply(tape, &block->conv, x);
    if (block->batch.gamma) return apply_batch(tape, block, map, start);
    pct_tensor *y = pct_op_norm_activate(tape, map, &norm->gamma->tensor, tensor_of(norm->beta), norm->epsilon,
                                         block->activation, start, half);
    pct_tape_done(tape, map);
    return y;
}

pct_tensor *pct_conv_block_apply(pct_tape *tape, const pct_conv_block *block, pct_tensor *x) {
    return apply_block(tape, block, x, NULL, false);
}

pct_tensor *pct_conv_block_apply_half(pct_tape *tape, const pct_conv_block *block, pct_tensor *x) {
    return apply_block(tape, block, x, NULL, true);
}

pct_tensor *pct_conv_block_apply_onto(pct_tape *tape, const pct_conv_block *block, pct_tensor *start, pct_tensor *x) {
    return apply_block(tape, block, x, start, false);
}

void pct_mlp_build(pct_mlp *mlp, pct_builder *builder, const int64_t *widths, int count, enum pct_activation activation,
                   double last, const char *name, ...) {
    LAYER_NAME(base, name);
    PCT_ASSERT(count >= 1 && count <= PCT_MLP_MAX);
    *mlp = (pct_mlp){.count = count, .activation = activation};
    for (int i = 0; i < count; i++)
        pct_linear_build(&mlp->layer[i], builder, widths[i], widths[i + 1], true, i == count - 1 ? last : sqrt(2.0),
                         "%s.%d", base, i);
}

pct_tensor *pct_mlp_apply(pct_tape *tape, const pct_mlp *mlp, pct_tensor *x) {
    for (int i = 0; i < mlp->count; i++) {
        pct_tensor *before = x, *y = pct_linear_apply(tape, &mlp->layer[i], x);
        x = i + 1 < mlp->count ? pct_op_activate(tape, y, mlp->activation) : y;
        if (x != y) pct_tape_done(tape, y);
        if (i > 0) pct_tape_done(tape, before);
    }
    return x;
}

pct_tensor *pct_as_rows(pct_tape *tape, pct_tensor *x, int64_t width) {
    return pct_op_reshape(tape, x, 2, (int64_t[]){pct_tensor_count(x) / width, width});
}

pct_tensor *pct_as_map(pct_tape *tape, pct_tensor *x, int64_t batch, int64_t height, int64_t width) {
    return pct_op_reshape(tape, x, 4,
                          (int64_t[]){batch, height, width, pct_tensor_count(x) / (batch * height * width)});
}

void *pct_tape_array(pct_tape *tape, int64_t count, size_t size) {
    void *data = pct_arena_take_zeroed(tape->arena, (size_t)count, size);
    if (!data && tape->status == PERCEPT_OK) tape->status = PERCEPT_ERROR_RESOURCE;
    return data;
}

int32_t *pct_tape_ints(pct_tape *tape, int64_t count) { return pct_tape_array(tape, count, sizeof(int32_t)); }

pct_tensor *pct_add_scalar(pct_tape *tape, pct_tensor *x, pct_tensor *scalar) {
    pct_tensor *column = pct_as_rows(tape, x, 1);
    return pct_op_reshape(tape, pct_op_add_rows(tape, column, scalar), x->rank, x->dim);
}

pct_tensor *pct_detach(pct_tape *tape, pct_tensor *x) {
    return pct_tape_input(tape, x->type, x->rank, x->dim, x->data);
}
