/* conv.c: convolution forward, as products of gathered rows with the packed weights, a chunk of rows at a time. */
#include "kernels/conv_flat.h"
#include "kernels/dnn/dnn.h"

int64_t pct_conv_out(int64_t size, int64_t kernel, int64_t stride, int64_t pad) {
    return (size + 2 * pad - kernel) / stride + 1;
}

bool pct_conv_takes_half(const pct_compute *compute, const pct_conv *conv) {
    return pct_flat_serves(compute, conv) && 9 * conv->in > PCT_FLAT_BLOCK;
}

pct_conv_shape pct_conv_shape_of(const pct_compute *compute, const pct_conv *conv) {
    pct_conv_shape s = {.conv = conv, .tile = conv->type == PCT_BF16 ? compute->tile_bf16 : compute->tile_real};
    s.out_height = pct_conv_out(conv->height, conv->kernel, conv->stride, conv->pad);
    s.out_width = pct_conv_out(conv->width, conv->kernel, conv->stride, conv->pad);
    s.rows = conv->batch * s.out_height * s.out_width;
    s.depth = conv->kernel * conv->kernel * conv->in;
    s.size = pct_dtype_plain_bytes(conv->type);
    return s;
}

int64_t pct_conv_chunk(const pct_compute *compute, const pct_tile *tile, int64_t rows) {
    const int64_t fair = pct_parts(rows, 4 * pct_pool_threads(compute->pool));
    return pct_round_up(pct_clamp_i64(fair, 1, PCT_CONV_CHUNK), tile->mr);
}

void pct_conv_gather(const pct_conv_shape *shape, void *to, int64_t stride, const void *x, int64_t r0, int64_t count) {
    const pct_conv *c = shape->conv;
    const int64_t size = shape->size, run = c->kernel * c->in;
    char *row = to;
    for (int64_t r = r0; r < r0 + count; r++, row += stride * size) {
        const int64_t picture = r / (shape->out_height * shape->out_width);
        const int64_t top = r / shape->out_width % shape->out_height * c->stride - c->pad;
        const int64_t left = r % shape->out_width * c->stride - c->pad;
        /* columns of the kernel that lie inside the picture */
        const int64_t k0 = pct_clamp_i64(-left, 0, c->kernel), k1 = pct_clamp_i64(c->width - left, k0, c->kernel);
        char *at = row;
        for (int64_t ky = 0; ky < c->kernel; ky++, at += run * size) {
            const int64_t y = top + ky;
            if (y < 0 || y >= c->height || k0 == k1) {
                memset(at, 0, (size_t)(run * size));
                continue;
            }
            const int64_t from = ((picture * c->height + y) * c->width + left + k0) * c->in;
            if (k0 > 0) memset(at, 0, (size_t)(k0 * c->in * size));
            memcpy(at + k0 * c->in * size, pct_step(x, from, size), (size_t)((k1 - k0) * c->in * size));
            if (k1 < c->kernel) memset(at + k1 * c->in * size, 0, (size_t)((c->kernel - k1) * c->in * size));
        }
        memset(at, 0, (size_t)((stride - shape->depth) * size));
    }
}

const void *pct_conv_rows(const pct_tile *tile, void *to, const void *gathered, int64_t count, int64_t k_padded,
                          int64_t size) {
    if (tile->a_direct) return gathered;
    for (int64_t m = 0; m < count; m += tile->mr)
        tile->pack_a((char *)to + m * k_padded * tile->element, pct_step(gathered, m * k_padded, size), k_padded, false,
                     pct_min_i64(tile->mr, count - m), k_padded, k_padded);
    return to;
}

struct conversion {
    const pct_kernels *kernels;
    uint16_t *to;
    const pct_real *from;
};

static void conversion_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct conversion *job = context;
    job->kernels->to_bf16(job->to + begin, job->from + begin, end - begin);
}

size_t pct_conv_operand_bytes(const pct_conv *conv, int64_t count) {
    return conv->type == PCT_BF16 ? pct_round64((size_t)count * 2) : 0;
}

const void *pct_conv_operand(pct_compute *compute, const pct_conv *conv, void *to, const pct_real *x, int64_t count) {
    if (conv->type != PCT_BF16) return x;
    struct conversion job = {&compute->kernels, to, x};
    pct_parallel_for(compute->pool, count, 4096, conversion_part, &job);
    return to;
}

struct forward {
    pct_conv_shape shape;
    pct_real *y;
    const void *x, *weights; /* weights packed for the tile */
    const pct_real *bias;
    int64_t chunk, k_padded;
    char *own; /* each worker's gathered rows, and the same packed where the tile needs that */
    size_t own_bytes, gathered_bytes;
};

static void forward_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct forward *f = context;
    const pct_tile *tile = f->shape.tile;
    char *gathered = f->own + (size_t)worker * f->own_bytes, *packed = gathered + f->gathered_bytes;
    for (int64_t i = begin; i < end; i++) {
        const int64_t r0 = i * f->chunk, count = pct_min_i64(f->chunk, f->shape.rows - r0);
        const int64_t out = f->shape.conv->out;
        pct_conv_gather(&f->shape, gathered, f->k_padded, f->x, r0, count);
        const void *a = pct_conv_rows(tile, packed, gathered, count, f->k_padded, f->shape.size);
        pct_tile_block(tile, f->y + r0 * out, out, a, f->k_padded, f->weights, f->k_padded, 0, count, 0, out, false,
                       f->bias, NULL);
    }
}

void pct_conv_run(pct_compute *compute, const pct_conv *conv, pct_real *y, const pct_real *x, const pct_real *w,
                  const pct_real *bias) {
    PCT_ASSERT(conv->type == PCT_REAL || conv->type == PCT_BF16);
    if (conv->groups > 1) {
        pct_depthwise_run(compute, conv, y, x, w, bias);
        return;
    }
    if (pct_plane_serves(conv)) {
        pct_plane_run(compute, conv, y, x, w, bias);
        return;
    }
    if (pct_flat_serves(compute, conv)) {
        pct_flat_run(compute, conv, y, x, w, bias);
        return;
    }
#ifdef PCT_HAVE_DNN
    if (conv->type == PCT_BF16 && (compute->library & PCT_LIBRARY_CONV) && pct_dnn_conv(compute, conv, y, x, w, bias))
        return;
#endif
    struct forward f = {.shape = pct_conv_shape_of(compute, conv), .y = y, .bias = bias};
    const pct_tile *tile = f.shape.tile;
    const int64_t x_count = conv->batch * conv->height * conv->width * conv->in, w_count = conv->out * f.shape.depth;
    if (f.shape.rows <= 0) return;
    f.chunk = pct_conv_chunk(compute, tile, f.shape.rows);
    f.k_padded = pct_round_up(f.shape.depth, tile->kr);
    f.gathered_bytes = pct_round64((size_t)(f.chunk * f.k_padded * f.shape.size));
    f.own_bytes = f.gathered_bytes;
    if (!tile->a_direct) f.own_bytes += pct_round64((size_t)(f.chunk * f.k_padded * tile->element));

    const size_t x_bytes = pct_conv_operand_bytes(conv, x_count), w_bytes = pct_conv_operand_bytes(conv, w_count);
    const size_t panels = pct_round64(pct_tile_b_bytes(tile, f.shape.depth, conv->out));
    char *memory = pct_compute_scratch(compute, x_bytes + w_bytes + panels +
                                                    f.own_bytes * (size_t)pct_pool_threads(compute->pool));
    f.x = pct_conv_operand(compute, conv, memory, x, x_count);
    const void *plain = pct_conv_operand(compute, conv, memory + x_bytes, w, w_count);
    f.weights = memory + x_bytes + w_bytes;
    f.own = memory + x_bytes + w_bytes + panels;
    pct_tile_pack_b(compute->pool, tile, memory + x_bytes + w_bytes, plain, f.shape.depth, true, f.shape.depth,
                    conv->out);
    pct_parallel_for(compute->pool, pct_parts(f.shape.rows, f.chunk), 1, forward_part, &f);
}
