/* fill.h: the parts of batch.c: one sample's text and regions, and the names of a batch. Not for other folders. */
#ifndef PCT_DATA_FILL_H
#define PCT_DATA_FILL_H

#include "base/random.h"
#include "data/batch.h"
#include "model/spelling.h"

/* A segment before it has its place in the batch: rows count from its own start. */
typedef struct pct_fill_segment {
    int32_t count;
    int32_t *ids;
    unsigned char *target;
    int32_t object_count;
    pct_batch_object *objects;
} pct_fill_segment;

/* What one sample gives; in its worker's arena. */
typedef struct pct_fill_part {
    pct_fit fit;
    pct_fill_segment *segments;
    int32_t segment_count, rows, objects, dropped;
    percept_status status;
    percept_error error;
} pct_fill_part;

/* What one thread needs. */
typedef struct pct_fill_worker {
    pct_arena arena;
    pct_token_scratch scratch;
    pct_rendered rendered;
} pct_fill_worker;

/* What all threads read. */
typedef struct pct_fill_setup {
    pct_model_config config;
    pct_batcher_options options;
    pct_template template;
    pct_spelling spelling; /* bins 0: regions are tokens */
} pct_fill_setup;

/* Fills part->segments; status and error in the part. `random` decides box or mask. */
void pct_fill_text(const pct_fill_setup *setup, pct_fill_worker *worker, const pct_sample *sample, pct_random *random,
                   pct_fill_part *part);

/* What answers tell of an object in text; ids in the worker's arena, NULL: nobody has asked yet. */
typedef struct pct_fill_told {
    int32_t *ids, count;
} pct_fill_told;

/* The rendered segment with its regions in text: each object's ids in place of its <obj> (which is then none of the
 * segment's objects) or, with PCT_REGIONS_BOTH, after it. which: the sample's object of each; told: of each of the
 * sample's objects. The segment's ids and targets have room for PCT_SPELLED_MOST more an object. */
percept_status pct_fill_regions(const pct_fill_setup *setup, pct_fill_worker *worker, const pct_sample *sample,
                                const pct_fit *fit, const int32_t *which, pct_fill_told *told,
                                pct_fill_segment *segment, percept_error *error);

/* The table of names, tokenised; and the list of the batch being made. */
typedef struct pct_fill_names {
    int32_t count;         /* of the table */
    int32_t *ids, *offset; /* tokens of name i: ids[offset[i]..offset[i+1]) */
    int32_t *place;        /* of each name in the batch's list, -1: not in it */
    int32_t *chosen;       /* the batch's list */
    int32_t chosen_count;
} pct_fill_names;

percept_status pct_fill_names_create(pct_fill_names *names, const pct_tokenizer *tokenizer, const char *const *texts,
                                     int32_t count, int32_t most, percept_error *error);
void pct_fill_names_free(pct_fill_names *names);
/* The names of the samples' objects in order of appearance, then names at random. */
void pct_fill_names_choose(pct_fill_names *names, const pct_sample *samples, int32_t count, int32_t most,
                           pct_random *random);
/* owners (grid, grid) and their boxes (grid, grid, 4) of one picture; counts: scratch of grid*grid*(objects+1). */
void pct_fill_owners(const pct_fill_names *names, const pct_fit *fit, const pct_sample *sample, int32_t grid,
                     int32_t *owners, pct_real *boxes, uint32_t *counts);
/* presence and weights, chosen_count each, of one picture. */
void pct_fill_presence(const pct_fill_names *names, const pct_sample *sample, pct_real *presence, pct_real *weights);

#endif
