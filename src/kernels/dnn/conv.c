/* conv.c: BF16 convolutions through oneDNN: pictures stay NHWC, weights are brought into the library's order. */
#include "kernels/conv_private.h"
#include "kernels/dnn/library.h"

enum { FORWARD, TO_INPUTS, TO_WEIGHTS };

struct shapes {
    pct_dnn_layout x, y, weights, plain, bias;
    dnnl_dims_t strides, dilates, pads;
};

/* x and y NHWC; plain: weights as we keep them, (out, kernel, kernel, in). */
static bool lay_out(pct_dnn *dnn, struct shapes *s, const pct_conv *c, int what) {
    const int64_t oh = pct_conv_out(c->height, c->kernel, c->stride, c->pad);
    const int64_t ow = pct_conv_out(c->width, c->kernel, c->stride, c->pad);
    const int64_t x[4] = {c->batch, c->in, c->height, c->width}, y[4] = {c->batch, c->out, oh, ow};
    const int64_t w[4] = {c->out, c->in, c->kernel, c->kernel}, bias[1] = {c->out}, one[1] = {1};
    const int64_t xs[4] = {c->height * c->width * c->in, 1, c->width * c->in, c->in};
    const int64_t ys[4] = {oh * ow * c->out, 1, ow * c->out, c->out};
    const int64_t ws[4] = {c->kernel * c->kernel * c->in, 1, c->kernel * c->in, c->in};
    const dnnl_data_type_t w_type = what == TO_WEIGHTS ? dnnl_f32 : dnnl_bf16;
    for (int i = 0; i < 2; i++) s->strides[i] = c->stride, s->pads[i] = c->pad, s->dilates[i] = 0;
    return pct_dnn_strided(dnn, &s->x, 4, x, what == TO_INPUTS ? dnnl_f32 : dnnl_bf16, xs) &&
           pct_dnn_strided(dnn, &s->y, 4, y, what == FORWARD ? dnnl_f32 : dnnl_bf16, ys) &&
           pct_dnn_any(dnn, &s->weights, 4, w, w_type) && pct_dnn_strided(dnn, &s->plain, 4, w, w_type, ws) &&
           pct_dnn_strided(dnn, &s->bias, 1, bias, dnnl_f32, one);
}

static void free_shapes(pct_dnn *dnn, struct shapes *s) {
    pct_dnn_layout_free(dnn, &s->x);
    pct_dnn_layout_free(dnn, &s->y);
    pct_dnn_layout_free(dnn, &s->weights);
    pct_dnn_layout_free(dnn, &s->plain);
    pct_dnn_layout_free(dnn, &s->bias);
}

static dnnl_primitive_desc_t describe(pct_dnn *dnn, const struct shapes *s, int what, bool bias,
                                      dnnl_primitive_desc_t hint) {
    const pct_dnn_layout_view x = pct_dnn_view(&s->x), y = pct_dnn_view(&s->y), w = pct_dnn_view(&s->weights);
    const pct_dnn_layout_view b = bias ? pct_dnn_view(&s->bias) : NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_attr_t attr = NULL;
    if (dnn->call.dnnl_primitive_attr_create(&attr) != dnnl_success) return NULL;
    dnnl_status_t status = dnn->call.dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
#if DNNL_VERSION_MAJOR >= 3
    if (status == dnnl_success && what == FORWARD)
        status = dnn->call.dnnl_convolution_forward_primitive_desc_create(
            &desc, dnn->engine, dnnl_forward_training, dnnl_convolution_direct, x, w, b, y, s->strides, s->dilates,
            s->pads, s->pads, attr);
    if (status == dnnl_success && what == TO_INPUTS)
        status = dnn->call.dnnl_convolution_backward_data_primitive_desc_create(
            &desc, dnn->engine, dnnl_convolution_direct, x, w, y, s->strides, s->dilates, s->pads, s->pads, hint, attr);
    if (status == dnnl_success && what == TO_WEIGHTS)
        status = dnn->call.dnnl_convolution_backward_weights_primitive_desc_create(
            &desc, dnn->engine, dnnl_convolution_direct, x, w, NULL, y, s->strides, s->dilates, s->pads, s->pads, hint,
            attr);
#else
    dnnl_convolution_desc_t op;
    if (status == dnnl_success && what == FORWARD)
        status = dnn->call.dnnl_convolution_forward_desc_init(&op, dnnl_forward_training, dnnl_convolution_direct, x, w,
                                                              b, y, s->strides, s->pads, s->pads);
    if (status == dnnl_success && what == TO_INPUTS)
        status = dnn->call.dnnl_convolution_backward_data_desc_init(&op, dnnl_convolution_direct, x, w, y, s->strides,
                                                                    s->pads, s->pads);
    if (status == dnnl_success && what == TO_WEIGHTS)
        status = dnn->call.dnnl_convolution_backward_weights_desc_init(&op, dnnl_convolution_direct, x, w, NULL, y,
                                                                       s->strides, s->pads, s->pads);
    if (status == dnnl_success) status = dnn->call.dnnl_primitive_desc_create(&desc, &op, attr, dnn->engine, hint);
#endif
    dnn->call.dnnl_primitive_attr_destroy(attr);
    return status == dnnl_success ? desc : NULL;
}

/* Arguments in the order x, weights, y[, bias], scratchpad. */
static bool fill_main(pct_dnn *dnn, pct_dnn_entry *entry, const struct shapes *s, int what, bool bias,
                      dnnl_primitive_desc_t desc) {
    static const int names[3][3] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
                                    {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
                                    {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}};
    const dnnl_query_t query = what == TO_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
    const pct_dnn_layout_view blocked = dnn->call.dnnl_primitive_desc_query_md(desc, query, 0);
    const pct_dnn_layout_view plain = pct_dnn_view(&s->plain);
    if (!blocked) return false;
    entry->blocked_bytes = dnn->call.dnnl_memory_desc_get_size(blocked);
    return pct_dnn_add(dnn, &entry->main, names[what][0], pct_dnn_view(&s->x)) &&
           pct_dnn_add(dnn, &entry->main, names[what][1], blocked) &&
           pct_dnn_add(dnn, &entry->main, names[what][2], pct_dnn_view(&s->y)) &&
           (!bias || pct_dnn_add(dnn, &entry->main, DNNL_ARG_BIAS, pct_dnn_view(&s->bias))) &&
           pct_dnn_make(dnn, entry, &entry->main, desc) &&
           (what == TO_WEIGHTS ? pct_dnn_make_reorder(dnn, &entry->reorder, blocked, plain)
                               : pct_dnn_make_reorder(dnn, &entry->reorder, plain, blocked));
}

/* Version 2.6 gives wrong weight gradients (memory that it never wrote) for pictures one or two pixels wide with a
 * stride; pictures that small are not worth a primitive in any case. */
#define SMALLEST_SIDE 8

/* It also gives wrong outputs where the stride steps over pixels (kernel 2, stride 3), which no model here does. */
static bool is_served(const pct_conv *c) {
    return c->width >= SMALLEST_SIDE && c->height >= SMALLEST_SIDE && c->stride <= c->kernel;
}

static pct_dnn_entry *entry_of(pct_dnn *dnn, const pct_conv *c, int what, bool bias) {
    if (!is_served(c)) return NULL;
    const pct_dnn_key key = {
        {2 + what, c->batch, c->height, c->width, c->in, c->out, c->kernel, c->stride, c->pad, bias}};
    bool fresh;
    pct_dnn_entry *entry = pct_dnn_find(dnn, &key, &fresh);
    if (!entry || !fresh) return entry && !entry->refused ? entry : NULL;
    struct shapes forward, s;
    dnnl_primitive_desc_t hint = NULL, desc = NULL;
    memset(&forward, 0, sizeof forward);
    memset(&s, 0, sizeof s);
    entry->refused = true;
    if (lay_out(dnn, &s, c, what) && lay_out(dnn, &forward, c, FORWARD)) {
        if (what != FORWARD) {
            /* the hint must be of the same types in x and y: dst in BF16 */
            pct_dnn_layout_free(dnn, &forward.y);
            forward.y = s.y;
            hint = describe(dnn, &forward, FORWARD, false, NULL);
            memset(&forward.y, 0, sizeof forward.y);
        }
        if (what == FORWARD || hint) desc = describe(dnn, &s, what, bias, hint);
        if (desc) entry->refused = !fill_main(dnn, entry, &s, what, bias, desc);
    }
    if (desc) dnn->call.dnnl_primitive_desc_destroy(desc);
    if (hint) dnn->call.dnnl_primitive_desc_destroy(hint);
    free_shapes(dnn, &forward);
    free_shapes(dnn, &s);
    return entry->refused ? NULL : entry;
}

bool pct_dnn_conv(pct_compute *compute, const pct_conv *conv, pct_real *y, const pct_real *x, const pct_real *w,
                  const pct_real *bias) {
    const int64_t x_count = conv->batch * conv->height * conv->width * conv->in;
    const int64_t w_count = conv->out * conv->kernel * conv->kernel * conv->in;
    pct_dnn_entry *entry = entry_of(compute->dnn, conv, FORWARD, bias != NULL);
    if (!entry) return false;
    const size_t x_bytes = pct_conv_operand_bytes(conv, x_count), w_bytes = pct_conv_operand_bytes(conv, w_count);
    const size_t blocked = pct_round64(entry->blocked_bytes);
    char *memory = pct_compute_scratch(compute, x_bytes + w_bytes + blocked + entry->scratch_bytes + 64);
    char *weights = memory + x_bytes + w_bytes;
    pct_conv_operand(compute, conv, memory, x, x_count);
    pct_conv_operand(compute, conv, memory + x_bytes, w, w_count);
    void *const order[] = {memory + x_bytes, weights};
    void *places[5] = {memory, weights, y};
    int count = 3;
    if (bias) places[count++] = (void *)(uintptr_t)bias;
    places[count] = weights + blocked;
    return pct_dnn_run(compute->dnn, &entry->reorder, order) && pct_dnn_run(compute->dnn, &entry->main, places);
}

struct sum {
    const pct_kernels *kernels;
    pct_real *to;
    const pct_real *from;
};

static void sum_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct sum *s = context;
    s->kernels->add(s->to + begin, s->to + begin, s->from + begin, end - begin);
}

static bool back_to_inputs(pct_compute *compute, const pct_conv *conv, pct_real *dx, const pct_real *dy,
                           const pct_real *w) {
    pct_dnn_entry *entry = entry_of(compute->dnn, conv, TO_INPUTS, false);
    if (!entry) return false;
    const int64_t x_count = conv->batch * conv->height * conv->width * conv->in;
    const int64_t w_count = conv->out * conv->kernel * conv->kernel * conv->in;
    const int64_t y_count = pct_conv_shape_of(compute, conv).rows * conv->out;
    const size_t y_bytes = pct_conv_operand_bytes(conv, y_count), w_bytes = pct_conv_operand_bytes(conv, w_count);
    const size_t blocked = pct_round64(entry->blocked_bytes), x_bytes = pct_round64((size_t)x_count * sizeof *dx);
    char *memory = pct_compute_scratch(compute, y_bytes + w_bytes + blocked + x_bytes + entry->scratch_bytes + 64);
    char *weights = memory + y_bytes + w_bytes;
    pct_real *product = (pct_real *)(void *)(weights + blocked);
    pct_conv_operand(compute, conv, memory, dy, y_count);
    pct_conv_operand(compute, conv, memory + y_bytes, w, w_count);
    void *const order[] = {memory + y_bytes, weights};
    void *const places[] = {product, weights, memory, (char *)product + x_bytes};
    if (!pct_dnn_run(compute->dnn, &entry->reorder, order) || !pct_dnn_run(compute->dnn, &entry->main, places))
        return false;
    struct sum s = {&compute->kernels, dx, product};
    pct_parallel_for(compute->pool, x_count, 4096, sum_part, &s);
    return true;
}

static bool back_to_weights(pct_compute *compute, const pct_conv *conv, pct_real *dw, const pct_real *dy,
                            const pct_real *x) {
    pct_dnn_entry *entry = entry_of(compute->dnn, conv, TO_WEIGHTS, false);
    if (!entry) return false;
    const int64_t x_count = conv->batch * conv->height * conv->width * conv->in;
    const int64_t w_count = conv->out * conv->kernel * conv->kernel * conv->in;
    const int64_t y_count = pct_conv_shape_of(compute, conv).rows * conv->out;
    const size_t y_bytes = pct_conv_operand_bytes(conv, y_count), x_bytes = pct_conv_operand_bytes(conv, x_count);
    const size_t blocked = pct_round64(entry->blocked_bytes), w_bytes = pct_round64((size_t)w_count * sizeof *dw);
    char *memory = pct_compute_scratch(compute, y_bytes + x_bytes + blocked + w_bytes + entry->scratch_bytes + 64);
    char *weights = memory + y_bytes + x_bytes;
    pct_real *plain = (pct_real *)(void *)(weights + blocked);
    pct_conv_operand(compute, conv, memory, dy, y_count);
    pct_conv_operand(compute, conv, memory + y_bytes, x, x_count);
    void *const places[] = {memory + y_bytes, weights, memory, (char *)plain + w_bytes};
    void *const order[] = {weights, plain};
    if (!pct_dnn_run(compute->dnn, &entry->main, places) || !pct_dnn_run(compute->dnn, &entry->reorder, order))
        return false;
    compute->kernels.add(dw, dw, plain, w_count);
    return true;
}

bool pct_dnn_conv_back(pct_compute *compute, const pct_conv *conv, pct_real *dx, pct_real *dw, const pct_real *dy,
                       const pct_real *x, const pct_real *w) {
    return dx ? back_to_inputs(compute, conv, dx, dy, w) : back_to_weights(compute, conv, dw, dy, x);
}
