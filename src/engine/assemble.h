/* assemble.h: what the model replied, made into an answer: text, objects in picture pixels, masks, scores. */
#ifndef PCT_ENGINE_ASSEMBLE_H
#define PCT_ENGINE_ASSEMBLE_H

#include "engine/engine_private.h"

typedef struct pct_assembly {
    const pct_template *template;
    pct_pool *pool;       /* of the engine; its gate is held */
    float threshold;      /* regions below are dropped */
    bool masks;           /* false: none were asked for */
    int32_t mask_side;    /* of a region's logits */
    const char *fallback; /* phrase of objects without marks, in the answer's arena; NULL: none */
} pct_assembly;

/* Fills text, finish, objects, dropped of an answer whose picture is set. Boxes are clamped and rounded to 0.1; a
 * mask's logits are resized to the picture first and thresholded last; a mask without a pixel is NULL. */
percept_status pct_assemble(percept_answer *answer, const pct_reply *reply, const pct_assembly *how,
                            percept_error *error);

/* In steps of 0.1 inside width x height, corners in order. */
percept_box pct_box_rounded(pct_box box, int width, int height);

#endif
