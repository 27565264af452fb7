/* check_quantised.c: block types against plain C, plain C against values worked out by hand, one-row products.
 *
 * Widening is exact, so bits must agree. Products with a vector in int8 blocks sum the same integers; their F32 sums
 * differ in order: 5e-6 of the sum of magnitudes. */
#include "check.h"

#include <math.h>
#include <string.h>

/* Random blocks with scales that are finite. */
static void *random_rows(check *c, pct_dtype type, size_t bytes) {
    static const struct {
        int first, count; /* places of F16 scales in the block */
    } halves[PCT_DTYPE_COUNT] = {[PCT_Q8_0] = {0, 1}, [PCT_Q4_0] = {0, 1}, [PCT_Q4_1] = {0, 2}, [PCT_Q5_0] = {0, 1},
                                 [PCT_Q5_1] = {0, 2}, [PCT_Q4_K] = {0, 2}, [PCT_Q5_K] = {0, 2}, [PCT_Q6_K] = {208, 1}};
    unsigned char *data = check_memory(c, bytes);
    const size_t block = pct_dtype_block_bytes(type);
    if (type == PCT_REAL)
        check_fill(c, (float *)data, (int64_t)bytes / 4, 1);
    else if (type == PCT_BF16 || type == PCT_F16)
        for (size_t i = 0; i < bytes; i += 2) {
            const float value = check_value(c, 1);
            const uint16_t bits = type == PCT_BF16 ? pct_bf16_of_float(value) : pct_half_of_float(value);
            memcpy(data + i, &bits, 2);
        }
    else
        for (size_t i = 0; i < bytes; i++) {
            const size_t place = i % block, first = (size_t)halves[type].first;
            data[i] = (unsigned char)check_below(c, 256);
            if (place >= first && place < first + 2 * (size_t)halves[type].count && (place - first) % 2 == 1)
                data[i] = (unsigned char)(0x20 | (data[i] & 0x87)); /* exponents of about 2^-7 */
        }
    return data;
}

static void check_widening(check *c) {
    for (int t = 0; t < PCT_DTYPE_COUNT; t++) {
        const pct_dtype type = (pct_dtype)t;
        if (!check_begin(c, "dequantise")) return;
        if (type == PCT_I32) continue;
        for (int round = 0; round < 10; round++) {
            const int64_t n = pct_dtype_block(type) * check_size(c, 40);
            size_t bytes;
            check_true(c, "row size", pct_dtype_row_bytes(type, n, &bytes));
            void *rows = random_rows(c, type, bytes);
            float *y = check_floats(c, n), *r = check_floats(c, n);
            c->now->dequantise[t](y, rows, n);
            c->ref->dequantise[t](r, rows, n);
            check_same(c, pct_dtype_name(type), y, r, (size_t)n * 4);
            check_end(c);
        }
    }
}

/* One block of each kind whose values follow from llama.cpp's layout by hand. */
static void check_known_blocks(check *c) {
    unsigned char block[256] = {0};
    float y[256];
    if (!check_begin(c, "known blocks")) return;
    block[1] = 0x3c; /* scale 1.0 */
    block[2] = 0x80; /* -128 */
    block[33] = 127;
    c->now->dequantise[PCT_Q8_0](y, block, 32);
    check_true(c, "Q8_0", y[0] == -128 && y[1] == 0 && y[31] == 127);
    block[2] = 0xf3; /* low 3, high 15 */
    c->now->dequantise[PCT_Q4_0](y, block, 32);
    check_true(c, "Q4_0", y[0] == -5 && y[16] == 7 && y[1] == -8);
    block[2] = 0, block[3] = 0xc0, block[4] = 0xf3; /* minimum -2 */
    c->now->dequantise[PCT_Q4_1](y, block, 32);
    check_true(c, "Q4_1", y[0] == 1 && y[16] == 13 && y[1] == -2);
    block[2] = 1, block[3] = 0, block[4] = 2, block[5] = 0, block[6] = 0xf3; /* fifth bits of elements 0 and 17 */
    c->now->dequantise[PCT_Q5_0](y, block, 32);
    check_true(c, "Q5_0", y[0] == 3 && y[16] == -1 && y[17] == 0 && y[1] == -16);
    memset(block, 0, sizeof block);
    block[1] = 0x3c, block[3] = 0x3c, block[4] = 1, block[5 + 3] = 2, block[8] = 0, block[9] = 3;
    block[4 + 4] = 5;      /* minimum of sub-block 0 */
    block[16] = 0x74;      /* element 0: 4, element 32: 7 */
    block[4 + 8] = 0x21;   /* sub-block 4: scale 1, minimum 2 */
    block[16 + 64] = 0x09; /* element 128: 9 */
    c->now->dequantise[PCT_Q4_K](y, block, 256);
    check_true(c, "Q4_K", y[0] == 4 * 1 - 5 && y[1] == -5 && y[32] == -3 && y[128] == 9 - 2);
    memset(block, 0, sizeof block);
    block[209] = 0x3c, block[192] = 2, block[193] = 0xff, block[0] = 0x0f, block[128] = 0x03; /* element 0: 63 */
    c->now->dequantise[PCT_Q6_K](y, block, 256);
    check_true(c, "Q6_K", y[0] == 2 * 31 && y[1] == -64 && y[16] == 32);
    check_end(c);
}

static void check_halves(check *c) {
    if (!check_begin(c, "half precision")) return;
    for (uint32_t bits = 0; bits < 65536; bits++) {
        const float value = pct_float_of_half((uint16_t)bits);
        const uint16_t back = pct_half_of_float(value);
        if (isnan(value))
            check_true(c, "NaN", (back & 0x7c00) == 0x7c00 && (back & 0x3ff) != 0);
        else
            check_true(c, "there and back", back == bits);
        if (isnan(value) || isinf(value) || (bits & 0x7fff) >= 0x7bff) continue;
        const float next = pct_float_of_half((uint16_t)(bits + 1)); /* the midpoint goes to the even one */
        check_true(c, "ties", pct_half_of_float((value + next) / 2) == (bits & 1 ? bits + 1 : bits));
    }
    check_true(c, "overflow", pct_half_of_float(65519) == 0x7bff && pct_half_of_float(65520) == 0x7c00);
    check_end(c);
}

static void check_quantising(check *c) {
    if (!check_begin(c, "quantise")) return;
    for (int round = 0; round < 30; round++) {
        const int64_t n = 32 * check_size(c, 40);
        const size_t bytes = (size_t)n / 32 * 34;
        float *x = check_floats(c, n), *back = check_floats(c, n);
        unsigned char *y = check_memory(c, bytes), *r = check_memory(c, bytes);
        check_fill_extreme(c, x, n, false);
        memset(x, 0, 32 * sizeof *x); /* a block of zeros */
        c->now->quantise[PCT_Q8_0](y, x, n);
        c->ref->quantise[PCT_Q8_0](r, x, n);
        check_same(c, "Q8_0", y, r, bytes);
        c->ref->dequantise[PCT_Q8_0](back, y, n);
        for (int64_t b = 0; b < n; b += 32) {
            float top = 0;
            for (int i = 0; i < 32; i++) top = fmaxf(top, fabsf(x[b + i]));
            /* half a step, and the scale's own rounding (2^-11, or 2^-25 where it is subnormal) on 127 steps */
            check_near(c, "there and back", back + b, x + b, 32, (double)top * (0.5 / 127 + 0.0005) + 127 * 0x1p-25, 0);
        }
        check_end(c);
    }
}

/* The vector's form against plain C's: the very same bytes, or for VNNI the same numbers elsewhere. */
static void check_input(check *c, pct_dtype type, const void *now, const void *ref, int64_t columns) {
    const pct_input_q8 *block = ref;
    const pct_input_group *group = now;
    if (pct_dtype_block(type) == 1) check_same(c, "input", now, ref, (size_t)columns * 4);
    if (pct_dtype_block(type) == 1) return;
    if (!(c->now->cpu_flags & PCT_CPU_AVX512_VNNI)) {
        check_same(c, "input", now, ref, (size_t)columns / 32 * sizeof *block);
        return;
    }
    for (int64_t b = 0; b < pct_round_up(columns / 32, 4); b++) {
        static const pct_input_q8 nothing;
        const pct_input_group *here = group + b / 4;
        const pct_input_q8 *wanted = b < columns / 32 ? block + b : &nothing;
        float sum = 0, all = wanted->scale * (float)wanted->sum;
        check_same(c, "first half", here->low + 16 * (b % 4), wanted->q, 16);
        check_same(c, "second half", here->high + 16 * (b % 4), wanted->q + 16, 16);
        for (int t = 0; t < 4; t++) {
            check_near(c, "scale", &here->scale[4 * (b % 4) + t], &wanted->scale, 1, 0, 0);
            sum += here->weighted[4 * (b % 4) + t];
        }
        check_near(c, "weighted sum", &sum, &all, 1, 32 * 127 * 3e-7 * (double)wanted->scale, 1e-6);
    }
}

/* A vector with something that is no number in it: every product is NaN, whatever the type. */
static void check_strange(check *c, pct_dtype type) {
    const int64_t columns = 512;
    size_t row_bytes;
    check_true(c, "row size", pct_dtype_row_bytes(type, columns, &row_bytes));
    void *w = random_rows(c, type, 3 * row_bytes);
    float *x = check_floats(c, columns), y[3];
    check_fill(c, x, columns, 1);
    x[check_below(c, columns)] = check_below(c, 2) ? NAN : -INFINITY;
    pct_matvec_run(c->compute, type, y, w, x, 3, columns, NULL);
    for (int i = 0; i < 3; i++) check_true(c, "not a number", !isfinite(y[i]));
    check_end(c);
}

/* Several matrices of different types with one vector, against one at a time. */
static void check_many(check *c) {
    static const pct_dtype types[] = {PCT_Q4_K, PCT_BF16, PCT_Q6_K, PCT_Q8_0, PCT_REAL};
    for (int round = 0; round < 10; round++) {
        const int64_t columns = 256 * check_size(c, 4);
        pct_matvec many[PCT_COUNT(types)];
        float *x = check_floats(c, columns), *alone = check_floats(c, 90);
        check_fill(c, x, columns, 1);
        for (size_t i = 0; i < PCT_COUNT(types); i++) {
            size_t row_bytes;
            const int64_t rows = check_size(c, 90);
            check_true(c, "row size", pct_dtype_row_bytes(types[i], columns, &row_bytes));
            float *bias = check_below(c, 2) ? check_floats(c, rows) : NULL;
            if (bias) check_fill(c, bias, rows, 1);
            many[i] = (pct_matvec){types[i], check_floats(c, rows), random_rows(c, types[i], row_bytes * (size_t)rows),
                                   bias, rows};
        }
        pct_matvec_many_run(c->compute, many, (int)PCT_COUNT(types), x, columns);
        for (size_t i = 0; i < PCT_COUNT(types); i++) {
            pct_matvec_run(c->compute, types[i], alone, many[i].w, x, many[i].rows, columns, many[i].bias);
            check_near(c, "many", many[i].y, alone, many[i].rows, 1e-4, 1e-4);
        }
        check_end(c);
    }
}

static void check_matvec(check *c) {
    if (check_begin(c, "matvec many")) check_many(c);
    for (int t = 0; t < PCT_DTYPE_COUNT; t++) {
        const pct_dtype type = (pct_dtype)t;
        if (!check_begin(c, "matvec")) return;
        if (!c->ref->matvec[t]) continue;
        check_strange(c, type);
        for (int round = 0; round < 12; round++) {
            const int64_t columns = pct_dtype_block(type) * check_size(c, pct_dtype_block(type) > 32 ? 5 : 40);
            const int64_t rows = 1 + check_below(c, 40), r0 = check_below(c, rows),
                          r1 = r0 + 1 + check_below(c, rows - r0);
            size_t row_bytes;
            check_true(c, "row size", pct_dtype_row_bytes(type, columns, &row_bytes));
            void *w = random_rows(c, type, row_bytes * (size_t)rows),
                 *in = check_memory(c, pct_matvec_input_bytes(type, columns));
            void *in_ref = check_memory(c, pct_matvec_input_bytes(type, columns));
            float *x = check_floats(c, columns), *y = check_floats(c, rows), *r = check_floats(c, rows);
            float *wide = check_floats(c, columns);
            check_fill(c, x, columns, 1);
            memset(y, 0, (size_t)rows * 4);
            memset(r, 0, (size_t)rows * 4);
            c->now->matvec_input[t](in, x, columns);
            c->ref->matvec_input[t](in_ref, x, columns);
            check_input(c, type, in, in_ref, columns);
            c->now->matvec[t](y, w, row_bytes, in, columns, r0, r1);
            c->ref->matvec[t](r, w, row_bytes, in_ref, columns, r0, r1);
            for (int64_t i = 0; i < rows; i++) {
                double sum = 0, size = 0;
                c->ref->dequantise[t](wide, (char *)w + (size_t)i * row_bytes, columns);
                for (int64_t k = 0; k < columns; k++) {
                    sum += (double)wide[k] * (double)x[k];
                    size += fabs((double)wide[k] * (double)x[k]);
                }
                check_near(c, pct_dtype_name(type), y + i, r + i, 1, 5e-6 * size, 1e-6);
                /* the vector in int8: each block of it off by at most 1/254 of its largest, which is < 5 here */
                if (i >= r0 && i < r1) check_near_double(c, "true product", y + i, &sum, 1, 0.02 * size + 1e-4, 0);
            }
            check_end(c);
        }
    }
}

void check_quantised(check *c) {
    check_widening(c);
    check_known_blocks(c);
    check_halves(c);
    check_quantising(c);
    check_matvec(c);
}
