/* batch.h: from samples (a picture, its objects, questions in words) to what the model is fed (batch.h of model/).
 *
 * Every chain of turns becomes one packed segment; answers are what is learned, those that two chains share in both.
 * With language.regions: text each <obj> is replaced by its region's coordinate tokens, with both these follow it
 * (model/spelling.h). Regions become boxes of the model's square and area-averaged masks. For the dense losses each
 * batch has its own short list of names: those in its pictures, then others drawn at random. The same samples, seed and
 * index give the same batch whatever the number of threads. It knows nothing of losses and draws no scenes. It refuses
 * samples with more <obj> marks than regions.
 */
#ifndef PCT_DATA_BATCH_H
#define PCT_DATA_BATCH_H

#include "data/sample.h"
#include "model/batch.h"
#include "model/config.h"
#include "tokenizer/template.h"

typedef struct pct_batcher_options {
    int32_t names;       /* most names in a batch's list; 0: no dense supervision */
    float object_weight; /* weight of an <obj> target; other tokens have 1 */
    float mask_share;    /* how often an object's embedding is made from its mask instead of its box, 0..1 */
    /* Neighbours among a phrase's regions, their middles less than this share of the width apart, change places in half
     * of the cases: losses.any_order, for models that answer in tokens alone. 0: answers keep their order. */
    float any_order;
} pct_batcher_options;
void pct_batcher_options_default(pct_batcher_options *options);

typedef struct pct_batcher pct_batcher;

/* Keeps what is needed of config and names (tokenised once); borrows tokenizer and pool. `names` is the table that
 * pct_object.name indexes; it may be empty. Caller destroys. */
percept_status pct_batcher_create(pct_batcher **batcher, const pct_model_config *config, const pct_tokenizer *tokenizer,
                                  const pct_batcher_options *options, const char *const *names, int32_t name_count,
                                  pct_pool *pool, percept_error *error);
void pct_batcher_destroy(pct_batcher **batcher);

/* Fills *batch; all it points to is the arena's, or the batcher's until the next call. Random choices (box or mask,
 * names that are absent) are keyed by (seed, index). A segment that does not fit the model's context is left out.
 * Allocates nothing once its memory has grown, provided that pictures have the model's own size and that no contours
 * are traced (language.regions: token). */
percept_status pct_batcher_make(pct_batcher *batcher, const pct_sample *samples, int32_t count, uint64_t seed,
                                uint64_t index, pct_arena *arena, pct_batch *batch, percept_error *error);

/* Segments left out so far because they were longer than the context. */
int64_t pct_batcher_dropped(const pct_batcher *batcher);

/* Share of each cell of a grid over the model's square that an object's visible pixels cover: out[grid][grid], 0..1,
 * averaged by area. */
void pct_batch_mask(const pct_fit *fit, const pct_sample *sample, int32_t object, int32_t grid, pct_real *out);

/* The picture as the model wants it: out[side][side][3]. Faster than pct_fit_normalise where sizes agree. */
percept_status pct_batch_pixels(const pct_model_config *config, const pct_fit *fit, const pct_image *image,
                                pct_real *out, percept_error *error);

#endif
