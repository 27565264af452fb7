/* batch.h: what a training or scoring step is fed: pictures, packed text, regions, targets. Filled by data/.
 *
 * Shared-prefix packing (docs/model.md, "Packing"): each picture's image tokens are a prefix; each segment (a
 * question with its answer, or a dialogue of two) sees its picture's prefix and itself. Text rows of all segments stand
 * one after the other, picture by picture. Everything lies in the caller's arena. */
#ifndef PCT_MODEL_BATCH_H
#define PCT_MODEL_BATCH_H

#include "kernels/kernels.h"

#include <stdint.h>

/* What an <obj> token's input embedding is made from. place: nothing, it keeps the token's own; where the region lies
 * is still known (box). */
enum pct_region_source { PCT_REGION_BOX, PCT_REGION_MASK, PCT_REGION_PLACE };

/* One <obj> token. */
typedef struct pct_batch_object {
    int32_t row; /* its text row; the state that predicts it is row-1 */
    int32_t picture;
    bool answer;                   /* supervised; else it is a region the user gives */
    enum pct_region_source source; /* of its input embedding */
    pct_real box[4];               /* x0,y0,x1,y1 in 0..1 of the model's square */
    /* Its target (or given) mask at the side of the model's logits, 0..1, pct_model_config_mask_side squared values;
     * NULL when only the box is known (then no mask loss). */
    const pct_real *mask;
    /* The same mask at heads.mask_encoder_side, when source is PCT_REGION_MASK; else NULL. */
    const pct_real *mask_in;
} pct_batch_object;

typedef struct pct_batch_segment {
    int32_t picture, row, count; /* its text rows; picture -1: words alone (then ids begin with <bos>) */
} pct_batch_segment;

typedef struct pct_batch {
    int32_t pictures;
    const pct_real *pixels; /* (pictures, side, side, 3), normalised */

    int32_t rows;            /* text rows */
    const int32_t *ids;      /* (rows) token ids; the embedding of <obj> rows is replaced */
    const int32_t *targets;  /* (rows) id that follows, or -1 where nothing is learned */
    const pct_real *weights; /* (rows) weight of each target, or NULL */
    int32_t segment_count;
    const pct_batch_segment *segments;
    int32_t object_count;
    const pct_batch_object *objects; /* ascending rows */

    /* Dense supervision: names of this batch, as token ids of their text. name_count 0: none. */
    int32_t name_count;
    const int32_t *name_ids;          /* tokens of all names, one after the other */
    const int32_t *name_offsets;      /* (name_count+1) */
    const int32_t *owners;            /* (pictures, grid, grid): index into names, name_count = background, -1 unsure */
    const pct_real *cell_boxes;       /* (pictures, grid, grid, 4): the owner's box in 0..1; zeros: no object's cell */
    const pct_real *presence;         /* (pictures, name_count): 1 present, 0 absent */
    const pct_real *presence_weights; /* same shape: 0 where it is not certain */
} pct_batch;

#endif
