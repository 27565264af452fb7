/* engine_private.h: what stands behind the handles of percept.h. Only for files of this folder.
 *
 * Who owns what: an engine owns the model, the threads and the lock; a session owns the model's mutable state and one
 * reference to its picture; an answer owns all its text in an arena and one reference to its picture, so that it
 * outlives session and engine. */
#ifndef PCT_ENGINE_PRIVATE_H
#define PCT_ENGINE_PRIVATE_H

#include "base/log.h"
#include "base/threads.h"
#include "engine/fingerprint.h"
#include "engine/gate.h"
#include "image/fit.h"
#include "image/mask.h"
#include "image/rle.h"
#include "model/model.h"
#include "model/text.h"
#include "percept/percept.h"
#include "tokenizer/chat.h"
#include "tokenizer/template.h"

#include <stdatomic.h>

struct percept_engine {
    pct_pool *pool;
    pct_compute *compute;
    pct_model *model;
    pct_template template; /* the model's */
    pct_ids begun_end;     /* what closes an answer that is begun for the model; none else */
    pct_gate gate;
    bool gate_made;
    pct_log log;
    percept_log_fn *log_callback;
    void *log_context;
    pct_fingerprint *fingerprint;
    int32_t image_tokens;
    int64_t weight_bytes, parameter_count;
    double load_ms;
    pct_dtype cache; /* of a language model alone */
    pct_chat chat;   /* the same's, where options name one; format NULL: as the file says */
    atomic_int sessions;
};

/* A picture as answers refer to it; immutable once a session holds it. */
typedef struct pct_picture {
    atomic_int references;
    char *name;
    int width, height;
    pct_fit fit;
    pct_image pixels; /* full size RGB; empty unless the caller asked to keep it */
    double decode_ms, encode_ms;
} pct_picture;
pct_picture *pct_picture_share(pct_picture *picture);
void pct_picture_drop(pct_picture **picture);
/* A picture of 0 x 0 pixels with an empty name; NULL when memory is out. */
pct_picture *pct_picture_none(void);

struct percept_session {
    percept_engine *engine;
    pct_state *state;       /* NULL for a language model alone */
    pct_sequence *sequence; /* words alone; made when first needed */
    pct_picture *picture;   /* NULL: none */
    atomic_bool cancelled;
    pct_real *input; /* (side, side, 3): the encoded picture's pixels */
    pct_token_scratch scratch;
};

/* One finished turn of a dialogue, as the next one needs it. */
typedef struct pct_spoken {
    const char *question, *frame; /* as pct_template_turn's; the frame is static text, or NULL */
    const char *answer;           /* the model's own text, with marks */
    const pct_region_in *regions; /* question's, then answer's */
    int32_t question_regions, answer_regions;
} pct_spoken;

struct percept_answer {
    pct_arena arena; /* everything below */
    pct_picture *picture;
    const char *model_name;
    const char *model_hash;       /* NULL: the fingerprint says it */
    pct_fingerprint *fingerprint; /* a reference; may be NULL when model_hash is not */
    const char *question, *text;
    percept_finish finish;
    const char *flaw; /* static; NULL: not unparsable */
    percept_object *objects;
    size_t object_count;
    int32_t dropped;
    bool calibrated;
    percept_usage usage;
    percept_timings timings;
    const pct_spoken *spoken; /* the dialogue up to and with this answer */
    int32_t spoken_count;
    const int32_t *talk_ids; /* the same of a language model alone: all tokens, but what ends the answer */
    int32_t talk_count;
};

/* A zeroed answer that holds a reference to the picture (NULL: it is about none, and gets an empty one); NULL when
 * memory is out. */
percept_answer *pct_answer_new(pct_picture *picture);

/* An object's mask at the picture's size; all 0 when it has none. index < object_count. */
percept_status pct_answer_mask(const percept_answer *answer, size_t index, pct_mask *out, percept_error *error);

/* The session's sequence of words, made if it is not there yet. */
percept_status pct_session_sequence(percept_session *session, pct_sequence **sequence, percept_error *error);

/* PERCEPT_ERROR_INTERRUPTED with its message. */
percept_status pct_fail_cancelled(percept_error *error);

#endif
