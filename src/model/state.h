/* state.h: the mutable part of a session, for state.c, answer.c and their tests. */
#ifndef PCT_MODEL_STATE_H
#define PCT_MODEL_STATE_H

#include "model/model_private.h"

struct pct_state {
    pct_model *model;
    pct_compute *compute;
    pct_tape tape;
    pct_arena step;    /* one pass of the network */
    pct_arena picture; /* what is kept of a picture */
    pct_arena reply;   /* what the replies point to */
    pct_cache cache;   /* the prefix's rows, then a run of rows for each prompt */
    bool seen;         /* a picture is encoded */
    int64_t prefix;    /* its rows in the cache */
    pct_mask_keys keys;
    pct_res_keys res; /* PCT_HEADS_RES, in place of keys */
    pct_ground ground;
    pct_tensor *cell_boxes; /* pct_model_cell_boxes */
    pct_real *probability;  /* (vocabulary) */
    int32_t *order;         /* (vocabulary) */
};

#endif
