/* conv_back.c: the gradients of a convolution.
 *
 * dx: every input position gathers the outputs that it went into (zero where the stride skips) and multiplies them with
 * the weights turned to (kernel, kernel, out, in); when kernel = stride and nothing is padded (patch embeddings), each
 * position went into one output only, and rows of dy are multiplied and put where they belong instead.
 * dw: every thread sums its own rows, then the sums are added in the threads' order. */
#include "kernels/conv_flat.h"
#include "kernels/dnn/dnn.h"

struct inputs {
    pct_conv_shape shape;
    pct_real *dx;
    const void *dy, *weights;
    int64_t chunk, depth, k_padded;
    bool apart; /* kernel = stride, no padding */
    char *own;
    size_t own_bytes, gathered_bytes;
};

/* Input positions [r0, r0+count) as rows (kernel, kernel, out) of the outputs that they went into. */
static void gather_outputs(const struct inputs *p, char *to, int64_t r0, int64_t count) {
    const pct_conv *c = p->shape.conv;
    const int64_t run = c->out * p->shape.size;
    for (int64_t r = r0; r < r0 + count; r++) {
        const int64_t picture = r / (c->height * c->width), y = r / c->width % c->height, x = r % c->width;
        for (int64_t ky = 0; ky < c->kernel; ky++)
            for (int64_t kx = 0; kx < c->kernel; kx++, to += run) {
                const int64_t oy = y + c->pad - ky, ox = x + c->pad - kx;
                const bool hit = oy >= 0 && ox >= 0 && oy % c->stride == 0 && ox % c->stride == 0 &&
                                 oy / c->stride < p->shape.out_height && ox / c->stride < p->shape.out_width;
                const int64_t from =
                    (picture * p->shape.out_height + oy / c->stride) * p->shape.out_width + ox / c->stride;
                if (hit)
                    memcpy(to, pct_step(p->dy, from * run, 1), (size_t)run);
                else
                    memset(to, 0, (size_t)run);
            }
        memset(to, 0, (size_t)((p->k_padded - p->depth) * p->shape.size));
        to += (p->k_padded - p->depth) * p->shape.size;
    }
}

/* Rows of dy, padded to the tile's depth. */
static void copy_outputs(const struct inputs *p, char *to, int64_t r0, int64_t count) {
    const int64_t run = p->depth * p->shape.size, padding = (p->k_padded - p->depth) * p->shape.size;
    for (int64_t r = r0; r < r0 + count; r++, to += run + padding) {
        memcpy(to, pct_step(p->dy, r * run, 1), (size_t)run);
        memset(to + run, 0, (size_t)padding);
    }
}

/* Products of output positions [r0, r0+count), rows of (kernel, kernel, in), added to the patches they belong to. */
static void put_patches(const struct inputs *p, const pct_real *products, int64_t r0, int64_t count) {
    const pct_conv *c = p->shape.conv;
    const int64_t run = c->kernel * c->in;
    for (int64_t r = r0; r < r0 + count; r++) {
        const int64_t picture = r / (p->shape.out_height * p->shape.out_width);
        const int64_t top = r / p->shape.out_width % p->shape.out_height * c->stride;
        const int64_t left = r % p->shape.out_width * c->stride;
        for (int64_t ky = 0; ky < c->kernel; ky++, products += run) {
            pct_real *at = p->dx + ((picture * c->height + top + ky) * c->width + left) * c->in;
            for (int64_t i = 0; i < run; i++) at[i] += products[i];
        }
    }
}

static void inputs_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct inputs *p = context;
    const pct_conv *c = p->shape.conv;
    const pct_tile *tile = p->shape.tile;
    const int64_t rows = p->apart ? p->shape.rows : c->batch * c->height * c->width;
    char *gathered = p->own + (size_t)worker * p->own_bytes, *packed = gathered + p->gathered_bytes;
    pct_real *products =
        (pct_real *)(packed + (tile->a_direct ? 0 : pct_round64((size_t)(p->chunk * p->k_padded * tile->element))));
    for (int64_t i = begin; i < end; i++) {
        const int64_t r0 = i * p->chunk, count = pct_min_i64(p->chunk, rows - r0);
        if (p->apart)
            copy_outputs(p, gathered, r0, count);
        else
            gather_outputs(p, gathered, r0, count);
        const void *a = pct_conv_rows(tile, packed, gathered, count, p->k_padded, p->shape.size);
        if (p->apart) {
            pct_tile_block(tile, products, p->shape.depth, a, p->k_padded, p->weights, p->k_padded, 0, count, 0,
                           p->shape.depth, false, NULL, NULL);
            put_patches(p, products, r0, count);
        } else {
            pct_tile_block(tile, p->dx + r0 * c->in, c->in, a, p->k_padded, p->weights, p->k_padded, 0, count, 0, c->in,
                           true, NULL, NULL);
        }
    }
}

/* Weights (out, kernel*kernel, in) to (kernel*kernel, out, in). */
static void turn_weights(const pct_conv *c, char *to, const void *w, int64_t size) {
    const int64_t taps = c->kernel * c->kernel, run = c->in * size;
    for (int64_t t = 0; t < taps; t++)
        for (int64_t o = 0; o < c->out; o++, to += run) memcpy(to, pct_step(w, (o * taps + t) * run, 1), (size_t)run);
}

static void back_to_inputs(pct_compute *compute, const pct_conv *conv, pct_real *dx, const pct_real *dy,
                           const pct_real *w) {
    struct inputs p = {.shape = pct_conv_shape_of(compute, conv), .dx = dx};
    const pct_tile *tile = p.shape.tile;
    p.apart = conv->kernel == conv->stride && conv->pad == 0;
    p.depth = p.apart ? conv->out : conv->kernel * conv->kernel * conv->out;
    p.k_padded = pct_round_up(p.depth, tile->kr);
    const int64_t rows = p.apart ? p.shape.rows : conv->batch * conv->height * conv->width;
    const int64_t columns = p.apart ? p.shape.depth : conv->in;
    const int64_t y_count = p.shape.rows * conv->out, w_count = conv->out * p.shape.depth;
    p.chunk = pct_conv_chunk(compute, tile, rows);
    p.gathered_bytes = pct_round64((size_t)(p.chunk * p.k_padded * p.shape.size));
    p.own_bytes = p.gathered_bytes;
    if (!tile->a_direct) p.own_bytes += pct_round64((size_t)(p.chunk * p.k_padded * tile->element));
    if (p.apart) p.own_bytes += pct_round64((size_t)(p.chunk * p.shape.depth) * sizeof(pct_real));

    const size_t y_bytes = pct_conv_operand_bytes(conv, y_count), w_bytes = pct_conv_operand_bytes(conv, w_count);
    const size_t turned = pct_round64((size_t)(w_count * p.shape.size));
    const size_t panels = pct_round64(pct_tile_b_bytes(tile, p.depth, columns));
    char *memory = pct_compute_scratch(compute, y_bytes + w_bytes + turned + panels +
                                                    p.own_bytes * (size_t)pct_pool_threads(compute->pool));
    p.dy = pct_conv_operand(compute, conv, memory, dy, y_count);
    const void *plain = pct_conv_operand(compute, conv, memory + y_bytes, w, w_count);
    if (!p.apart) {
        turn_weights(conv, memory + y_bytes + w_bytes, plain, p.shape.size);
        plain = memory + y_bytes + w_bytes;
    }
    char *packed = memory + y_bytes + w_bytes + turned;
    pct_tile_pack_b(compute->pool, tile, packed, plain, columns, false, p.depth, columns);
    p.weights = packed;
    p.own = packed + panels;
    pct_parallel_for(compute->pool, pct_parts(rows, p.chunk), 1, inputs_part, &p);
}

struct weights {
    pct_conv_shape shape;
    const void *dy, *x;
    int64_t chunk, parts, part_rows;
    pct_real *dw, *sums; /* sums[part][out][depth] */
    char *own;           /* each part's gathered rows, then dy transposed and packed, then the gathered rows packed */
    size_t own_bytes, gathered_bytes, a_bytes;
};

static void weights_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct weights *p = context;
    const pct_tile *tile = p->shape.tile;
    const int64_t out = p->shape.conv->out, depth = p->shape.depth;
    for (int64_t part = begin; part < end; part++) {
        pct_real *sum = p->sums + part * out * depth;
        char *gathered = p->own + (size_t)part * p->own_bytes, *a = gathered + p->gathered_bytes, *b = a + p->a_bytes;
        const int64_t last = pct_min_i64((part + 1) * p->part_rows, p->shape.rows);
        memset(sum, 0, (size_t)(out * depth) * sizeof *sum);
        for (int64_t r0 = part * p->part_rows; r0 < last; r0 += p->chunk) {
            const int64_t count = pct_min_i64(p->chunk, last - r0), k_padded = pct_round_up(count, tile->kr);
            pct_conv_gather(&p->shape, gathered, depth, p->x, r0, count);
            for (int64_t m = 0; m < out; m += tile->mr)
                tile->pack_a(a + m * k_padded * tile->element, pct_step(p->dy, r0 * out + m, p->shape.size), out, true,
                             pct_min_i64(tile->mr, out - m), count, k_padded);
            for (int64_t n = 0; n < depth; n += tile->nr)
                tile->pack_b(b + n * k_padded * tile->element, pct_step(gathered, n, p->shape.size), depth, false,
                             pct_min_i64(tile->nr, depth - n), count, k_padded);
            pct_tile_block(tile, sum, depth, a, k_padded, b, k_padded, 0, out, 0, depth, true, NULL, NULL);
        }
    }
}

static void weights_sum(void *context, int64_t begin, int64_t end, int worker) {
    const struct weights *p = context;
    const int64_t count = p->shape.conv->out * p->shape.depth;
    for (int64_t part = 0; part < p->parts; part++)
        for (int64_t i = begin; i < end; i++) p->dw[i] += p->sums[part * count + i];
}

static void back_to_weights(pct_compute *compute, const pct_conv *conv, pct_real *dw, const pct_real *dy,
                            const pct_real *x) {
    struct weights p = {.shape = pct_conv_shape_of(compute, conv), .dw = dw};
    const pct_tile *tile = p.shape.tile;
    const int64_t x_count = conv->batch * conv->height * conv->width * conv->in, count = conv->out * p.shape.depth;
    p.chunk = pct_round_up(PCT_CONV_CHUNK, tile->kr);
    p.parts = pct_clamp_i64(pct_parts(p.shape.rows, p.chunk), 1, pct_pool_threads(compute->pool));
    p.part_rows = pct_round_up(pct_parts(p.shape.rows, p.parts), p.chunk);
    p.gathered_bytes = pct_round64((size_t)(p.chunk * p.shape.depth * p.shape.size));
    p.a_bytes = pct_round64((size_t)(p.chunk * pct_round_up(conv->out, tile->mr) * tile->element));
    p.own_bytes = p.gathered_bytes + p.a_bytes + pct_round64(pct_tile_b_bytes(tile, p.chunk, p.shape.depth));

    const size_t x_bytes = pct_conv_operand_bytes(conv, x_count);
    const size_t y_bytes = pct_conv_operand_bytes(conv, p.shape.rows * conv->out);
    const size_t sum_bytes = pct_round64((size_t)(p.parts * count) * sizeof(pct_real));
    char *memory = pct_compute_scratch(compute, x_bytes + y_bytes + sum_bytes + p.own_bytes * (size_t)p.parts);
    p.x = pct_conv_operand(compute, conv, memory, x, x_count);
    p.dy = pct_conv_operand(compute, conv, memory + x_bytes, dy, p.shape.rows * conv->out);
    p.sums = (pct_real *)(memory + x_bytes + y_bytes);
    p.own = memory + x_bytes + y_bytes + sum_bytes;
    pct_parallel_for(compute->pool, p.parts, 1, weights_part, &p);
    pct_parallel_for(compute->pool, count, 1024, weights_sum, &p);
}

void pct_conv_back(pct_compute *compute, const pct_conv *conv, pct_real *dx, pct_real *dw, pct_real *dbias,
                   const pct_real *dy, const pct_real *x, const pct_real *w) {
    PCT_ASSERT(conv->type == PCT_REAL || conv->type == PCT_BF16);
    if (dbias) pct_conv_bias_back(compute, conv, dbias, dy);
    if (pct_flat_serves(compute, conv)) {
        const bool both = 9 * conv->in > PCT_FLAT_BLOCK; /* pixels seldom want a gradient */
        pct_flat_back(compute, conv, both ? dx : NULL, dw, dy, x, w);
        if (both || !dx) return;
        dw = NULL;
    }
    if (dx && conv->fresh) memset(dx, 0, (size_t)(conv->batch * conv->height * conv->width * conv->in) * sizeof *dx);
    if (conv->groups > 1) {
        pct_depthwise_back(compute, conv, dx, dw, dy, x, w);
        return;
    }
    if (pct_plane_serves(conv)) {
        pct_plane_back(compute, conv, dx, dw, dy, x, w);
        return;
    }
#ifdef PCT_HAVE_DNN
    const bool library = conv->type == PCT_BF16 && (compute->library & PCT_LIBRARY_CONV);
    if (library && dx && pct_dnn_conv_back(compute, conv, dx, NULL, dy, x, w)) dx = NULL;
    if (library && dw && pct_dnn_conv_back(compute, conv, NULL, dw, dy, x, w)) dw = NULL;
#endif
    if (dx) back_to_inputs(compute, conv, dx, dy, w);
    if (dw) back_to_weights(compute, conv, dw, dy, x);
}
