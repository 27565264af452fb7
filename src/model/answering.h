/* answering.h: prompts on their way to answers, for answer.c and answer_begun.c. */
#ifndef PCT_MODEL_ANSWERING_H
#define PCT_MODEL_ANSWERING_H

#include "model/state.h"

/* One prompt on its way. Its rows in the cache: begin..begin+used-1. */
typedef struct pct_runner {
    const pct_prompt *prompt;
    pct_reply *reply;
    int64_t begin, used, room; /* room: rows it may use in all */
    int32_t limit;             /* tokens it may generate */
    bool done;
    pct_sampler sampler;
    int32_t last;             /* the token chosen last */
    int32_t region;           /* its region in the reply, which the heads decode and the encoders give back, or -1 */
    int32_t shown;            /* the region that it completes, for the caller, or -1 */
    pct_spelling_reader told; /* the region in text that is being heard */
    double told_log;          /* its tokens' log probability so far */
    pct_real *fed;  /* (mask_encoder_side squared): the last region's mask as it is read; PCT_FEEDBACK_MASK alone */
    pct_real *view; /* (width): what the last region it has read shows; NULL: the model does not copy */
} pct_runner;

typedef struct pct_answering {
    pct_state *state;
    const pct_answer_options *options;
    pct_runner *runners;
    int32_t count;
    int32_t eos;
    bool stopped;
    int64_t cache_used;
} pct_answering;

/* Rows of the pass: for each of the prompts in `who`, `counts` rows. States come back for the last row of each. */
typedef struct pct_pass {
    int32_t *who, *counts;
    int32_t prompts, rows;
    int32_t *ids;
    pct_region_in *regions;
    int32_t *region_rows, region_count;
} pct_pass;

/* The prompts' rows through the language model: the states of their last rows, (count, width); NULL when memory is out
 * (the tape says so). */
pct_tensor *pct_answering_read(pct_answering *a, pct_pass *p);
/* MLLMSeg's models do not choose their own object token. */
static inline bool pct_model_begins(const pct_model *model) { return model->config.heads.kind == PCT_HEADS_RES; }
static inline bool pct_answering_begun(const pct_answering *a) { return pct_model_begins(a->state->model); }
/* Regions in text. The prompt with its regions written out, its ids in the arena. */
percept_status pct_answering_write(const pct_state *state, const pct_prompt *given, pct_arena *arena, pct_prompt *out,
                                   percept_error *error);
/* One chosen token: *taken when it belongs to a region in text (or broke one: then the runner is done). */
percept_status pct_answering_hear(pct_answering *a, pct_runner *r, int32_t id, double log_probability, bool *taken,
                                  percept_error *error);
/* Ends an answer with a token that none can hold. */
void pct_answering_refuse(pct_answering *a, pct_runner *r);
/* At the end: which regions in text stayed unfinished, and the masks of the others. */
percept_status pct_answering_draw(pct_answering *a, percept_error *error);
float pct_region_score(const pct_model *model, const pct_region_out *region);
/* heads.commit: regions over two objects become one of them, but for what the user points at himself. prompts: those
 * that the regions answer, one for each. */
void pct_answering_commit(pct_answering *a, const pct_regions *made, const pct_prompt *const *prompts, int32_t count);
/* All of an answer that is begun in its prompt. */
percept_status pct_answering_point(pct_answering *a, percept_error *error);

static inline void pct_runner_finish(pct_runner *r, enum pct_finish how) {
    r->done = true;
    r->reply->finish = how;
}
static inline pct_real pct_held(pct_real value, pct_real low, pct_real high) {
    return value >= low && value <= high ? value : value > high ? high : low;
}

/* Into the square, its corners in order. */
static inline void pct_region_set_box(pct_region_out *out, const pct_real *box) {
    pct_real b[4];
    for (int i = 0; i < 4; i++) b[i] = pct_held(box[i], 0, 1);
    for (int i = 0; i < 2; i++) {
        out->box[i] = b[i] < b[i + 2] ? b[i] : b[i + 2];
        out->box[i + 2] = b[i] < b[i + 2] ? b[i + 2] : b[i];
    }
}

#endif
