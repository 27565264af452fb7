/* conv_private.h: what conv.c and conv_back.c share: a convolution as blocked products over gathered rows. */
#ifndef PCT_KERNELS_CONV_PRIVATE_H
#define PCT_KERNELS_CONV_PRIVATE_H

#include "kernels/kernels_private.h"

#define PCT_CONV_CHUNK 128 /* gathered rows at a time: they stay in the second cache */

typedef struct pct_conv_shape {
    const pct_conv *conv;
    const pct_tile *tile;
    int64_t out_height, out_width;
    int64_t rows;  /* positions of the output, all pictures */
    int64_t depth; /* kernel*kernel*in */
    int64_t size;  /* bytes of an operand's element: 2 for BF16 */
} pct_conv_shape;

pct_conv_shape pct_conv_shape_of(const pct_compute *compute, const pct_conv *conv);
/* Rows a chunk so that every thread has a few, a multiple of the tile's mr. */
int64_t pct_conv_chunk(const pct_compute *compute, const pct_tile *tile, int64_t rows);
/* Output positions [r0, r0+count) as rows of `stride` elements (>= depth; the rest zero): the input under the kernel,
 * zero outside of the picture. x in the operand's type. */
void pct_conv_gather(const pct_conv_shape *shape, void *to, int64_t stride, const void *x, int64_t r0, int64_t count);
/* Gathered rows (k_padded elements each) as the tile wants them: themselves, or packed into `to`. */
const void *pct_conv_rows(const pct_tile *tile, void *to, const void *gathered, int64_t count, int64_t k_padded,
                          int64_t size);
/* x as the operands' type: itself, or converted into `to`, split over the pool. */
const void *pct_conv_operand(pct_compute *compute, const pct_conv *conv, void *to, const pct_real *x, int64_t count);
/* Bytes that pct_conv_operand needs, rounded up to 64. */
size_t pct_conv_operand_bytes(const pct_conv *conv, int64_t count);
/* conv_plane.c: one channel to one, stride 1. dx and dw, each may be NULL, are added to. */
bool pct_plane_serves(const pct_conv *conv);
void pct_plane_run(pct_compute *compute, const pct_conv *conv, pct_real *y, const pct_real *x, const pct_real *w,
                   const pct_real *bias);
void pct_plane_back(pct_compute *compute, const pct_conv *conv, pct_real *dx, pct_real *dw, const pct_real *dy,
                    const pct_real *x, const pct_real *w);
static inline size_t pct_round64(size_t size) { return (size + 63) & ~(size_t)63; }

#endif
