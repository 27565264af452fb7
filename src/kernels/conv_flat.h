/* conv_flat.h: 3 x 3 convolutions as products without gathered rows. Only for the files of kernels/.
 *
 * Pictures are laid in a flat row of places, (out_height+1) x (out_width+1) a picture, so that a tap of the kernel is a
 * fixed distance: the place after a row and the row after a picture are zero and serve as the border of both sides. A
 * stride of two splits the picture into four such fields, by odd and even rows and columns. Every tap is then a product
 * whose rows stand one after the other in memory, and the tile instructions read them where they are.
 *
 * What an instruction set brings is a pct_flat_inner; there is one, for AMX. Refused: kernels other than 3, padding
 * other than 1, strides above 2, and fewer than 16 channels on either side unless nine times the channels in fit 32
 * (pixels: those are gathered, 32 numbers a place, and seen as one tap). */
#ifndef PCT_KERNELS_CONV_FLAT_H
#define PCT_KERNELS_CONV_FLAT_H

#include "kernels/conv_private.h"

#define PCT_FLAT_TAPS  9
#define PCT_FLAT_BLOCK 32 /* places, channels out and depth of a step of the inner parts */

typedef struct pct_flat_inner {
    /* sum[32][32] = over taps t and channels c: at[t][row*channels + c] * panel, packed as the tile packs B with
     * k = (tap, channel); channels a multiple of 32 */
    void (*meet)(float *sum, const uint16_t *const *at, int taps, int64_t channels, const uint16_t *panel);
    /* sum[32][32] (+)= turned rows times pairs over `steps` of 32 places: turned as `turn` leaves it, `turned_step`
     * elements a step; pairs as `pair` does, 32 channels of one block */
    void (*weigh)(float *sum, bool add, const uint16_t *turned, int64_t turned_step, const uint16_t *pairs,
                  int64_t steps);
    /* 32 places of `channels` (a multiple of 32) to [channel/16][16 channels][32 places] */
    void (*turn)(uint16_t *to, const uint16_t *from, int64_t channels);
    /* Places 2i and 2i+1 of 32 channels, `channels` apart, to [i][channel][2]; i < count */
    void (*pair)(uint16_t *to, const uint16_t *from, int64_t channels, int64_t count);
    /* Nine times `in` <= 32 numbers around pixel (y,x) of a picture, zero outside, to 32 elements */
    void (*around)(uint16_t *to, const float *picture, int64_t height, int64_t width, int64_t in, int64_t y, int64_t x);
    void (*begin)(void);
    void (*end)(void);
} pct_flat_inner;

bool pct_flat_serves(const pct_compute *compute, const pct_conv *conv);
void pct_flat_run(pct_compute *compute, const pct_conv *conv, pct_real *y, const pct_real *x, const pct_real *w,
                  const pct_real *bias);
/* dx (stored when conv->fresh, else added to) and dw (added to) may be NULL. */
void pct_flat_back(pct_compute *compute, const pct_conv *conv, pct_real *dx, pct_real *dw, const pct_real *dy,
                   const pct_real *x, const pct_real *w);

/* ---- what conv_flat.c and conv_flat_back.c share ---------------------------------------------------------------- */

typedef struct pct_flat {
    const pct_conv *conv;
    const pct_kernels *kernels;
    const pct_tile *tile;
    const pct_flat_inner *inner;
    int64_t out_height, out_width, pitch, rows, places; /* rows of a picture, places in all */
    int64_t lead, span;                                 /* zero places before; places of a field with what surrounds */
    bool gathered;                                      /* pixels: one tap of 32 numbers */
    int taps, fields;                                   /* fields of x */
    int64_t depth, in, out;                             /* numbers a tap and output (not padded); padded to 32 */
    int field[PCT_FLAT_TAPS];
    int64_t distance[PCT_FLAT_TAPS]; /* of a tap, in places */
} pct_flat;

pct_flat pct_flat_of(const pct_compute *compute, const pct_conv *conv);
/* Elements of the fields of x; and rows of x to fill them with, the unit in which the work is split. */
static inline int64_t pct_flat_elements(const pct_flat *f) { return f->fields * f->span * f->in; }
static inline int64_t pct_flat_rows(const pct_flat *f) { return f->fields * f->conv->batch * f->rows; }
void pct_flat_fill(const pct_flat *f, uint16_t *to, const pct_real *x, int64_t begin, int64_t end);
/* Row `row` of a field of `channels` (padded), pixels (i*step+first_y, j*step+first_x) of a map, zero outside. */
typedef struct pct_flat_source {
    const pct_real *map;
    const uint16_t *half; /* the map in BF16, instead */
    int64_t height, width, channels, padded, step, first_y, first_x;
} pct_flat_source;
void pct_flat_row(const pct_flat *f, uint16_t *to, const pct_flat_source *source, int64_t row);
/* Zeroes what surrounds the places of a field. */
void pct_flat_border(const pct_flat *f, uint16_t *field, int64_t channels);

/* A product of places with packed weights: columns at pixels (i*step+first_y, j*step+first_x) of a map. */
typedef struct pct_flat_product {
    const uint16_t *field[PCT_FLAT_TAPS]; /* place 0 of each tap, its distance added */
    int taps;
    int64_t depth; /* padded channels of a tap */
    const uint16_t *panels;
    pct_real *map;
    int64_t height, width, columns, step, first_y, first_x;
    bool add;
    const pct_real *bias;
} pct_flat_product;
#define PCT_FLAT_CHUNK 8 /* blocks of places that meet a panel before the next */
/* Blocks of places [begin, end) of pct_parts(places, 32). */
void pct_flat_multiply(const pct_flat *f, const pct_flat_product *p, int64_t begin, int64_t end);

extern const pct_flat_inner pct_amx_flat;

#endif
