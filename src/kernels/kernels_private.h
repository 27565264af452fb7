/* kernels_private.h: what the files of kernels/ share among themselves. Not for other folders.
 *
 * Products are blocked here and multiplied by a pct_tile: an instruction set's register tile with the packing that it
 * wants. Blocking and threads know nothing of instruction sets, tiles know nothing of threads. */
#ifndef PCT_KERNELS_PRIVATE_H
#define PCT_KERNELS_PRIVATE_H

#include "base/cpu.h"
#include "base/size.h"
#include "kernels/kernels.h"

#include <string.h>

typedef void pct_dequantise(pct_real *y, const void *x, int64_t count);

/* 32 elements of a vector that meets quantised weights: value = scale*q; sum of the q's for types with a minimum. */
typedef struct pct_input_q8 {
    float scale;
    int32_t sum;
    int8_t q[32];
} pct_input_q8;

/* The same for 128 elements as AVX-512 VNNI wants them (x86/matvec_vnni.c): of blocks b = 0..3 the elements 0..15 in
 * low[16b..], 16..31 in high[16b..]. Lane 4b+t has block b's scale, and that times the sum of its four of low and high.
 */
typedef struct pct_input_group {
    int8_t low[64], high[64];
    float scale[16], weighted[16];
} pct_input_group;

/* ---- numbers -------------------------------------------------------------------------------------------------- */

static inline float pct_float_of_bf16(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Nearest, ties to even; a NaN keeps its sign and becomes quiet. */
static inline uint16_t pct_bf16_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline float pct_float_of_half(uint16_t bits) {
    const uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
    uint32_t wide;
    float value;
    if (exponent == 0) {
        value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    wide = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static inline uint16_t pct_half_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x3ff));
    if (bits >= 0x477ff000u) return (uint16_t)(sign | 0x7c00); /* 65520 and more round to infinity */
    if (bits < 0x38800000u) {                                  /* below 2^-14: subnormal, in units of 2^-24 */
        float small;
        memcpy(&small, &bits, sizeof small);
        small += 0.5f; /* 0.5's last bit is 2^-24: the addition rounds to even for us */
        memcpy(&bits, &small, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000u));
    }
    bits += 0xfffu + (bits >> 13 & 1);
    return (uint16_t)(sign | (bits - 0x38000000u) >> 13);
}

/* ---- the table's parts, in the order in which they are laid over each other -------------------------------------- */

void pct_ref_loops(pct_kernels *kernels);
void pct_ref_norms(pct_kernels *kernels);
void pct_ref_activations(pct_kernels *kernels);
void pct_ref_quantised(pct_kernels *kernels);
void pct_ref_quantise(pct_kernels *kernels);
void pct_ref_int8(pct_kernels *kernels);

/* ---- blocked products ------------------------------------------------------------------------------------------- */

typedef struct pct_tile {
    const char *name;
    pct_dtype type; /* of the operands as the caller has them */
    int mr, nr;     /* rows and columns that `multiply` does at most */
    int kr;         /* k is padded with zeros to a multiple of this */
    int kc;         /* k's block, a multiple of kr: a panel of B of this depth stays in the first cache */
    int element;    /* bytes of an element of a packed panel */
    bool a_direct;  /* rows of A in the caller's layout will do, if k is a multiple of kr */
    /* For at most mr rows: to[r][0..k_padded), rows `k_padded` elements apart = rows of op(A); ld in elements of the
     * caller's */
    void (*pack_a)(void *to, const void *a, int64_t ld, bool transposed, int64_t rows, int64_t k, int64_t k_padded);
    /* One panel: `columns` (<= nr, padded to nr with zeros) of op(B), k_padded*nr elements in the tile's own order,
     * in which the part for k >= k0 begins at k0*nr (k0 a multiple of kr). */
    void (*pack_b)(void *to, const void *b, int64_t ld, bool transposed, int64_t columns, int64_t k, int64_t k_padded);
    /* c[rows,columns] = (add ? c : 0) + (bias ? bias[column] : 0) + a*b over k (a multiple of kr); lda in elements */
    void (*multiply)(pct_real *c, int64_t ldc, int64_t rows, int64_t columns, const void *a, int64_t lda, const void *b,
                     int64_t k, bool add, const pct_real *bias);
    /* Around the multiplications of one thread; may be NULL. */
    void (*begin)(void);
    void (*end)(void);
} pct_tile;

extern const pct_tile pct_ref_tile_real, pct_ref_tile_bf16;

static inline int64_t pct_round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }
static inline int64_t pct_parts(int64_t value, int64_t unit) { return (value + unit - 1) / unit; }
static inline const void *pct_step(const void *base, int64_t elements, int64_t size) {
    return (const char *)base + elements * size;
}
static inline int64_t pct_dtype_plain_bytes(pct_dtype type) { return (int64_t)pct_dtype_block_bytes(type); }

/* Bytes of op(B)[k,n] packed for the tile. */
size_t pct_tile_b_bytes(const pct_tile *tile, int64_t k, int64_t n);
/* Packs all of op(B), panels split over the pool. */
void pct_tile_pack_b(pct_pool *pool, const pct_tile *tile, void *to, const void *b, int64_t ldb, bool transposed,
                     int64_t k, int64_t n);
/* Rows [m0,m1) x columns [n0,n1) of C on this thread, A in rows (direct or packed), B packed whole; n0 is a multiple of
 * the tile's nr, m0 of its mr. start: what C begins with, laid out as C, or NULL. */
void pct_tile_block(const pct_tile *tile, pct_real *c, int64_t ldc, const void *a, int64_t lda, const void *b,
                    int64_t k_padded, int64_t m0, int64_t m1, int64_t n0, int64_t n1, bool add, const pct_real *bias,
                    const pct_real *start);
/* All of C, split over the pool. */
void pct_tile_product(pct_pool *pool, const pct_tile *tile, pct_real *c, int64_t ldc, const void *a, int64_t lda,
                      const void *b, int64_t k_padded, int64_t m, int64_t n, bool add, const pct_real *bias,
                      const pct_real *start);

/* At least `size` bytes, 64-byte aligned, contents undefined, valid until the next call. Grows in warm-up only. Out of
 * memory ends the process: callers' sizes are those of their own tensors, which have been allocated before. */
void *pct_compute_scratch(pct_compute *compute, size_t size);

/* At least `bytes` (a multiple of 64) at *memory, of which *room are there already; the contents are lost where it
 * grows. */
bool pct_packed_room(void **memory, size_t *room, size_t bytes);

/* ---- depthwise convolution ------------------------------------------------------------------------------------ */

void pct_depthwise_run(pct_compute *compute, const pct_conv *conv, pct_real *y, const pct_real *x, const pct_real *w,
                       const pct_real *bias);
void pct_depthwise_back(pct_compute *compute, const pct_conv *conv, pct_real *dx, pct_real *dw, const pct_real *dy,
                        const pct_real *x, const pct_real *w);
/* Sums dy over all positions into dbias, split over channels. */
void pct_conv_bias_back(pct_compute *compute, const pct_conv *conv, pct_real *dbias, const pct_real *dy);

#endif
