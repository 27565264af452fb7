/* scene.h: training and test pictures composed from cut-outs with alpha over backgrounds, with their questions.
 *
 * A source is opened once, never changes and may be used by any number of threads at the same time. Sample `index` of
 * a (seed, split) depends on nothing else than these three, the assets and the request: not on threads, order or the
 * samples before it. Splits never share what they test: see pct_split. Composing takes its memory from the
 * arena, but for what filters and codecs take and give back.
 */
#ifndef PCT_DATA_SCENE_H
#define PCT_DATA_SCENE_H

#include "data/sample.h"
#include "percept/progress.h"

/* Which pictures (cut-outs) and which backgrounds a sample may be made of. Backgrounds are divided between training and
 * the three others by groups of near-duplicates; the others differ by the key of their random numbers. */
enum pct_split {
    PCT_SPLIT_TRAINING,
    PCT_SPLIT_CALIBRATION,  /* trained cut-outs; backgrounds of its own */
    PCT_SPLIT_ARRANGEMENTS, /* trained cut-outs in new arrangements; backgrounds never trained on */
    PCT_SPLIT_CUTOUTS,      /* at least one object is a cut-out that was never trained on, and questions ask about it */
    PCT_SPLIT_COUNT,
};
/* "training", "calibration", "arrangements", "cutouts"; static text. */
const char *pct_split_text(enum pct_split split);
bool pct_split_from_text(const char *text, enum pct_split *split);

typedef struct pct_scene_source pct_scene_source;

typedef struct pct_scene_options {
    const char *pack;               /* the prepared pack (pct_assets_prepare); NULL: none, then `cutouts` is needed */
    const char *cutouts;            /* a folder of the user's cut-outs, named by file or sub-folder; NULL: none */
    const char *backgrounds;        /* a folder of the user's backgrounds (data/scene_user.h); NULL: none */
    uint32_t styles;                /* bit mask 1u << enum pct_style of the pack's styles to use; 0: all */
    int32_t names;                  /* trained scenes show only this many names, drawn once; 0: all (a curriculum) */
    float taught;                   /* share of names drawn among the user's; 0: drawn like all others */
    bool hold_taught;               /* held out: one picture of every user's name with three or more, no others */
    float generated;                /* share of generated backgrounds, 0..1; negative: the default 0.3 */
    float weights[PCT_TASK_COUNT_]; /* relative frequency of each task; all 0: the default mix */
} pct_scene_options;
void pct_scene_options_default(pct_scene_options *options);

/* Caller closes. A missing or malformed pack: PERCEPT_ERROR_INPUT, with how to make it. */
percept_status pct_scene_source_open(pct_scene_source **source, const pct_scene_options *options, percept_error *error);
void pct_scene_source_close(pct_scene_source **source);

/* The name table, in an order fixed by the assets (sorted by byte): for presence and patch-naming losses. */
int32_t pct_scene_names(const pct_scene_source *source);
const char *pct_scene_name(const pct_scene_source *source, int32_t name);
/* Cut-outs of every split, and backgrounds of one. */
int32_t pct_scene_cutouts(const pct_scene_source *source);
int32_t pct_scene_backgrounds(const pct_scene_source *source, enum pct_split split);
/* Cut-out of the source (pct_object.cutout): whether it is never trained on. The pack's come first, in its order. */
bool pct_scene_held_out(const pct_scene_source *source, int32_t cutout);
int32_t pct_scene_cutout_name(const pct_scene_source *source, int32_t cutout); /* -1 outside */
/* A hash over names, cut-outs and backgrounds, not over the options: two sources of the same options with the same
 * fingerprint make the same samples. */
uint64_t pct_scene_fingerprint(const pct_scene_source *source);

#define PCT_SCENE_MIN_SIDE 64
#define PCT_SCENE_MAX_SIDE 2048

typedef struct pct_scene_request {
    int32_t width, height; /* PCT_SCENE_MIN_SIDE..PCT_SCENE_MAX_SIDE each */
    int32_t questions;     /* turns wanted, 1..32; a picture that does not offer as many gives fewer, never none */
    int32_t objects_min;   /* 0: 1 */
    int32_t objects_max;   /* 0: 8 */
    float augment;         /* share of a training scene's objects that are distorted, and redrawn in lines; 0..1 */
    bool plain;            /* no shadow, blur, noise, colour or JPEG variation (tests, card pictures) */
} pct_scene_request;

/* Makes sample `index`. *sample and all it points to are the arena's. After warm-up the arena does not grow.
 * PERCEPT_ERROR_USAGE for a request out of range, PERCEPT_ERROR_RESOURCE out of memory. */
percept_status pct_scene_compose(const pct_scene_source *source, enum pct_split split, uint64_t seed, uint64_t index,
                                 const pct_scene_request *request, pct_arena *arena, pct_sample *sample,
                                 percept_error *error);

/* "scenes:SPLIT:COUNT:SEED[:SIDE]": test questions that anyone can have again; COUNT 1..10 million, SIDE 64..2048
 * pixels of the composed squares. */
typedef struct pct_scene_spec {
    enum pct_split split;
    int64_t count;
    uint64_t seed;
    int32_t side; /* 0: the model's own */
} pct_scene_spec;
bool pct_scene_is_spec(const char *text);
/* PERCEPT_ERROR_USAGE names the field that is wrong. */
percept_status pct_scene_spec_parse(const char *text, pct_scene_spec *spec, percept_error *error);
/* The same as text, cut at `size`. */
void pct_scene_spec_write(const pct_scene_spec *spec, char *out, size_t size);
/* What every test asks of a square of `side` pixels: 6 questions. */
pct_scene_request pct_scene_test_request(int32_t side);

#endif
