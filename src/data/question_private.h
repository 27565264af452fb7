/* question_private.h: what the files that make questions share. Not for other files.
 *
 * question.c measures and mixes, question_express.c finds expressions that mean exactly one object, question_tasks.c
 * has one maker a task family, phrases.c the many ways to ask and the few ways to answer. */
#ifndef PCT_DATA_QUESTION_PRIVATE_H
#define PCT_DATA_QUESTION_PRIVATE_H

#include "data/scene_private.h"

#define QUESTION_MAX_BYTES 640
#define QUESTION_MAX_TURNS 33 /* one more than can be asked for: a dialogue brings two */

struct facts {
    const pct_scene_source *source;
    const pct_scene_request *request;
    const struct scene_background *background;
    pct_random *random;
    pct_arena *arena;
    pct_sample *sample;
    int count; /* objects */
    float width, height;
    float x[SCENE_MAX_OBJECTS], y[SCENE_MAX_OBJECTS]; /* middles of the boxes, pixels */
    float size[SCENE_MAX_OBJECTS];                    /* root of the visible area, pixels */
    int same[SCENE_MAX_OBJECTS];                      /* objects of that name, itself counted, hidden ones too */
    bool clear[SCENE_MAX_OBJECTS];                    /* every object of that name can be asked about */
    bool all_clear;                                   /* every object can */
    int colour[SCENE_MAX_OBJECTS];                    /* the dominant one, or -1 */
    float shares[SCENE_MAX_OBJECTS][SCENE_COLOURS];
    uint64_t asked[QUESTION_MAX_TURNS]; /* hashes of the questions so far */
    int asked_count;
};
static inline const struct scene_name *fact_name(const struct facts *facts, int object) {
    return &facts->source->names[facts->sample->objects[object].name];
}
static inline bool chance(const struct facts *facts, float share) { return pct_random_float(facts->random) < share; }
static inline uint32_t pick(const struct facts *facts, size_t count) {
    return pct_random_below(facts->random, (uint32_t)count);
}
/* An object that may be asked about; of held-out cut-outs more often. -1: none. */
int fact_pick_object(const struct facts *facts);

/* ---- expressions ---- */
struct expression {
    char the[128];  /* "the red cup on the left" */
    char a[128];    /* "a red cup", or "" where only the definite form means what it should */
    char said[128]; /* what the answer calls it: "the red cup" */
    bool plural;    /* "are" */
};
/* Exactly `object`, and nothing else in the picture, is meant. False: none found. */
bool express(const struct facts *facts, int object, struct expression *out);

enum direction { DIRECTION_LEFT, DIRECTION_RIGHT, DIRECTION_ABOVE, DIRECTION_BELOW, DIRECTIONS };
/* Clearly in that direction of the anchor: far enough, rather along than across, boxes hardly overlapping. */
bool clearly(const struct facts *facts, int object, int anchor, enum direction direction);
/* Might be said to be in that direction by somebody. */
bool perhaps(const struct facts *facts, int object, int anchor, enum direction direction);
/* "left of", "to the left of", ...: one of the ways to say it. */
const char *direction_text(const struct facts *facts, enum direction direction);

/* ---- phrases ---- */
enum phrases {
    PHRASES_REFER, /* {the} {is} */
    PHRASES_EXIST, /* {a} {is} */
    PHRASES_ALL,   /* {plural} {name} */
    PHRASES_ALL_BARE,
    PHRASES_NAME,     /* <obj> */
    PHRASES_BOX2MASK, /* <obj> */
    PHRASES_COUNT,    /* {plural} */
    PHRASES_COUNT_ALL,
    PHRASES_RELATION, /* {where} {the} */
    PHRASES_DESCRIBE,
    PHRASES_FOLLOW_RELATION, /* {where}, "it" for the thing before */
    PHRASES_FOLLOW_AND,      /* {the} */
    PHRASES_FOLLOW_COUNT,
    PHRASES_COUNT_,
};
struct fields {
    const char *the, *a, *plural, *name, *where;
    bool are;
};
/* One of the ways, filled in, with the case of the first letter and the mark at its end varied. */
void phrase_question(const struct facts *facts, enum phrases phrases, const struct fields *fields,
                     char question[QUESTION_MAX_BYTES]);
/* Bare text as a question: case and marks varied. */
void phrase_bare(const struct facts *facts, const char *text, char question[QUESTION_MAX_BYTES]);
/* How many ways a family has (tests). */
int phrase_count(enum phrases phrases);
/* "a cup", "an apple", "glasses", "bread". */
void phrase_indefinite(const struct scene_name *name, const char *adjective, char *out, size_t capacity);
/* "one" ... "eight", "none" for 0. */
const char *phrase_number(int number);

/* ---- tasks ---- */
struct draft {
    enum pct_task task;
    char question[QUESTION_MAX_BYTES], answer[QUESTION_MAX_BYTES];
    char target[PCT_NAME_MAX_BYTES];
    uint8_t in[SCENE_MAX_OBJECTS], out[SCENE_MAX_OBJECTS];
    uint8_t in_count, out_count;
    bool followed; /* a second draft follows: the turn after it */
};
/* False: this picture does not offer it (or not with what was drawn; another try may succeed). */
bool draft_task(const struct facts *facts, enum pct_task task, struct draft *draft, struct draft *second);

#endif
