/* check_int8.c: INT8 products. Everything up to the integer sums must be the same bits as in plain C; what is scaled
 * back to F32 may differ by the roundings of three operations. */
#include "check.h"

#include "kernels/int8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_rows(check *c) {
    for (int round = 0; round < 60; round++) {
        const int64_t n = check_size(c, 700);
        float *x = check_floats(c, n);
        int8_t *y = check_memory(c, (size_t)n), *y_ref = check_memory(c, (size_t)n);
        check_fill_extreme(c, x, n, round % 3 == 0);
        if (round % 7 == 1)
            for (int64_t i = 0; i < n; i++) x[i] *= 1e-33f; /* some of it below what has a scale */
        if (round % 7 == 2) memset(x, 0, (size_t)n * 4);
        const float scale = c->now->to_int8(y, x, n), scale_ref = c->ref->to_int8(y_ref, x, n);
        check_same(c, "bytes", y, y_ref, (size_t)n);
        check_near(c, "scale", &scale, &scale_ref, 1, 0, 0);
        for (int64_t i = 0; i < n && !isnan(scale) && scale > 0; i++) {
            const float back = scale * (float)y[i];
            check_near(c, "there and back", &back, x + i, 1, 0.50001 * (double)scale, 0);
        }
        check_end(c);
    }
}

/* 64-byte aligned, as the product's own buffers are; freed by the caller. */
static void *aligned(size_t size) {
    void *memory = aligned_alloc(64, (size + 63) & ~(size_t)63);
    if (!memory) abort();
    return memory;
}

/* Mostly small numbers, or nothing but the ends of the range, where 16-bit sums would overflow. */
static void fill_bytes(check *c, int8_t *q, int64_t count, bool ends) {
    for (int64_t i = 0; i < count; i++)
        q[i] = (int8_t)(ends ? 127 - 254 * check_below(c, 2) : check_below(c, 255) - 127);
}

static void check_tile(check *c) {
    const pct_int8_tile *tile = pct_int8_tile_for(c->now->cpu_flags), *ref = &pct_ref_tile_int8;
    for (int round = 0; round < 40; round++) {
        const int64_t rows = 1 + check_below(c, tile->mr), k = 64 * (1 + check_below(c, round < 20 ? 4 : 40));
        const int64_t lda = k + 64 * check_below(c, 2), columns = 1 + check_below(c, 32), ldc = 32 + check_below(c, 9);
        const size_t quads = (size_t)k * 32;
        pct_int8_head *panel = aligned(sizeof *panel + quads), *panel_ref = aligned(sizeof *panel + quads);
        int8_t *b = aligned(quads), *a = check_memory(c, (size_t)((rows - 1) * lda + k));
        int32_t *sum = aligned(sizeof *sum * 32 * PCT_INT8_MAX_MR), sum_ref[32];
        fill_bytes(c, b, (int64_t)quads, round % 4 == 1);
        fill_bytes(c, a, (rows - 1) * lda + k, round % 4 == 1);
        tile->pack((int8_t *)(panel + 1), b, k, k);
        ref->pack((int8_t *)(panel_ref + 1), b, k, k);
        check_same(c, "quads", panel + 1, panel_ref + 1, quads);
        for (int j = 0; j < 32; j++) {
            int32_t all = 0;
            for (int64_t i = 0; i < k; i++) all += b[j * k + i];
            panel_ref->start[j] = 0;
            panel->start[j] = tile->flip ? -128 * all : 0;
            panel->scale[j] = panel_ref->scale[j] = fabsf(check_value(c, 0.01f));
        }
        int8_t *own = check_memory(c, (size_t)((rows - 1) * lda + k)); /* a as the tile wants it */
        for (int64_t i = 0; i < (rows - 1) * lda + k; i++) own[i] = (int8_t)((uint8_t)a[i] ^ tile->flip);
        float *y = check_floats(c, (rows - 1) * ldc + columns), *y_ref = check_floats(c, columns);
        float *scale = check_floats(c, rows), *bias = check_below(c, 2) ? check_floats(c, columns) : NULL;
        check_fill(c, scale, rows, 0.1f);
        if (bias) check_fill(c, bias, columns, 1);
        if (tile->begin) tile->begin();
        tile->multiply(sum, rows, own, lda, panel, k);
        if (tile->end) tile->end();
        tile->finish(y, ldc, rows, columns, sum, scale, panel, bias);
        for (int64_t r = 0; r < rows; r++) {
            ref->multiply(sum_ref, 1, a + r * lda, lda, panel_ref, k);
            check_same(c, "sums", sum + 32 * r, sum_ref, sizeof sum_ref);
            ref->finish(y_ref, columns, 1, columns, sum_ref, scale + r, panel_ref, bias);
            check_near(c, "scaled", y + r * ldc, y_ref, columns, 1e-5, 1e-6);
        }
        check_end(c);
        free(panel), free(panel_ref), free(b), free(sum);
    }
}

/* Weights and rows through the whole of it, against whole numbers in 64 bits. */
static void check_whole(check *c, pct_dtype stored) {
    const int64_t rows = check_size(c, 90), out = check_size(c, 130);
    const int64_t in = stored == PCT_Q8_0 ? 32 * check_size(c, 20) : check_size(c, 300);
    const int64_t ldx = in + check_below(c, 5), ldy = out + check_below(c, 5), x_count = (rows - 1) * ldx + in;
    float *w = check_floats(c, out * in), *x = check_floats(c, x_count), *y = check_floats(c, (rows - 1) * ldy + out);
    float *bias = check_below(c, 2) ? check_floats(c, out) : NULL, *scale = check_floats(c, out);
    int8_t *q = check_memory(c, (size_t)(out * in)), *row = check_memory(c, (size_t)in);
    size_t row_bytes;
    pct_packed *packed;
    percept_error error;
    check_fill(c, w, out * in, 0.3f);
    check_fill(c, x, x_count, 1);
    if (bias) check_fill(c, bias, out, 1);
    check_true(c, "row size", pct_dtype_row_bytes(stored, in, &row_bytes));
    unsigned char *data = check_memory(c, row_bytes * (size_t)out);
    double off = 0, all = 0;
    for (int64_t r = 0; r < out; r++) {
        c->ref->quantise[stored](data + (size_t)r * row_bytes, w + r * in, in);
        c->ref->dequantise[stored](w + r * in, data + (size_t)r * row_bytes, in);
        scale[r] = c->ref->to_int8(q + r * in, w + r * in, in);
        for (int64_t i = 0; i < in; i++) {
            const double d = (double)w[r * in + i] - (double)scale[r] * q[r * in + i];
            off += d * d, all += (double)w[r * in + i] * (double)w[r * in + i];
        }
    }
    bool made = pct_packed_create(&packed, c->compute, PCT_BF16, data, stored, out, in, &error) == PERCEPT_OK;
    check_true(c, "size", pct_packed_bytes(packed) == pct_packed_size(c->compute, PCT_BF16, out, in));
    /* over another type's memory, and its own again */
    for (int i = 0; i < 2; i++)
        made = made && pct_packed_renew(&packed, c->compute, PCT_I8, data, stored, out, in, &error) == PERCEPT_OK;
    check_true(c, "size", pct_packed_bytes(packed) == pct_packed_size(c->compute, PCT_I8, out, in));
    check_true(c, "create", made);
    if (made) pct_packed_run(c->compute, packed, y, ldy, x, ldx, rows, bias);
    for (int64_t i = 0; made && i < rows; i++) {
        const double row_scale = (double)c->ref->to_int8(row, x + i * ldx, in);
        for (int64_t j = 0; j < out; j++) {
            int64_t sum = 0;
            for (int64_t p = 0; p < in; p++) sum += (int64_t)q[j * in + p] * row[p];
            const double wanted = (double)sum * row_scale * (double)scale[j] + (bias ? (double)bias[j] : 0);
            check_near_double(c, "y", &y[i * ldy + j], &wanted, 1, 1e-6, 1e-6);
        }
    }
    const double lost = pct_int8_error(c->now, data, stored, out, in), wanted = sqrt(off / all);
    check_true(c, "what is lost", fabs(lost - wanted) <= 1e-9 && lost < 0.05);
    pct_packed_destroy(&packed);
    check_end(c);
}

static void check_above(check *c) {
    for (int round = 0; round < 40; round++) {
        const int64_t n = check_size(c, 300), most = 1 + check_below(c, 20);
        float *x = check_floats(c, n);
        int32_t *now = check_memory(c, (size_t)most * 4), *ref = check_memory(c, (size_t)most * 4);
        check_fill_extreme(c, x, n, true);
        memset(now, 0, (size_t)most * 4), memset(ref, 0, (size_t)most * 4);
        const int64_t found = c->now->above(now, x, n, 0.5f, most);
        check_true(c, "count", found == c->ref->above(ref, x, n, 0.5f, most));
        if (found <= most) check_same(c, "places", now, ref, (size_t)most * 4);
        check_end(c);
    }
}

static double cosine(const float *a, const double *b, int64_t count) {
    double aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < count; i++) aa += (double)a[i] * (double)a[i], bb += b[i] * b[i], ab += (double)a[i] * b[i];
    return ab / sqrt(aa * bb + 1e-300);
}

/* Eight channels a hundred times as large as the others: of x, of the weights, of both; and more of them over the rows
 * than can be apart. Against the true product (0.9995 and less were nothing apart), against plain C, and each row
 * against itself alone. */
static void check_large_channels(check *c) {
    enum { IN_X = 1, IN_W = 2, MOVING = 4 };
    static const int kinds[] = {IN_X, IN_W, IN_X | IN_W, IN_X | MOVING, 0};
    for (unsigned kind = 0; kind < PCT_COUNT(kinds); kind++) {
        const int64_t rows = 1 + check_below(c, 80), in = 400 + check_below(c, 400), out = 1 + check_below(c, 120);
        float *w = check_floats(c, out * in), *x = check_floats(c, rows * in), *y = check_floats(c, rows * out);
        float *plain = check_floats(c, rows * out), *alone = check_floats(c, out);
        double *wanted = aligned(sizeof *wanted * (size_t)(rows * out));
        check_fill(c, w, out * in, 0.05f), check_fill(c, x, rows * in, 1);
        for (int64_t i = 0; i < 8; i++) {
            const int64_t fixed = (i * 19 + 3) % in;
            for (int64_t r = 0; r < rows && kinds[kind] & IN_X; r++)
                x[r * in + (kinds[kind] & MOVING ? check_below(c, in) : fixed)] *= 100;
            const int64_t column = kinds[kind] == IN_W ? fixed : fixed + 1; /* both: beside each other */
            for (int64_t r = 0; r < out && kinds[kind] & IN_W; r++) w[r * in + column] *= 100;
        }
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < out; j++) {
                wanted[r * out + j] = 0;
                for (int64_t k = 0; k < in; k++) wanted[r * out + j] += (double)x[r * in + k] * (double)w[j * in + k];
            }
        pct_compute *simple;
        pct_packed *packed, *packed_simple;
        percept_error error;
        if (pct_compute_create(&simple, NULL, 0, &error) != PERCEPT_OK ||
            pct_packed_create(&packed, c->compute, PCT_I8, w, PCT_REAL, out, in, &error) != PERCEPT_OK ||
            pct_packed_create(&packed_simple, simple, PCT_I8, w, PCT_REAL, out, in, &error) != PERCEPT_OK)
            abort();
        pct_packed_run(c->compute, packed, y, out, x, in, rows, NULL);
        pct_packed_run(simple, packed_simple, plain, out, x, in, rows, NULL);
        check_near(c, "against plain C", y, plain, rows * out, 1e-5, 1e-5);
        check_true(c, "cosine of all", cosine(y, wanted, rows * out) > (kinds[kind] & MOVING ? 0.998 : 0.9998));
        float *first = check_floats(c, rows * out), *second = check_floats(c, rows * out);
        const pct_packed_product twice[2] = {{packed, first, out, NULL}, {packed, second, out, NULL}};
        pct_packed_many_run(c->compute, twice, 2, x, in, rows);
        check_same(c, "first of two", first, y, (size_t)(rows * out) * 4);
        check_same(c, "second of two", second, y, (size_t)(rows * out) * 4);
        if (!(kinds[kind] & MOVING)) {
            const int64_t r = check_below(c, rows);
            pct_packed_run(c->compute, packed, alone, out, x + r * in, in, 1, NULL);
            check_same(c, "a row alone", alone, y + r * out, (size_t)out * 4);
        }
        pct_packed_destroy(&packed);
        pct_packed_destroy(&packed_simple);
        pct_compute_destroy(&simple);
        free(wanted);
        check_end(c);
    }
}

void check_int8(check *c) {
    if (check_begin(c, "above")) check_above(c);
    for (int round = 0; round < 4; round++)
        if (check_begin(c, "packed int8, large channels")) check_large_channels(c);
    if (check_begin(c, "int8 rows")) check_rows(c);
    if (check_begin(c, "int8 tile")) check_tile(c);
    for (int round = 0; round < 12; round++) {
        static const pct_dtype stored[] = {PCT_REAL, PCT_BF16, PCT_Q8_0, PCT_F16};
        if (check_begin(c, "packed int8")) check_whole(c, stored[round % 4]);
    }
}
