/* sample.h: one picture with its objects and the questions about it: the unit in which training, evaluation and data
 * sets are counted.
 *
 * A sample owns nothing: everything it points to lies in the arena it was made in and goes when that arena is reset.
 * It knows neither models nor tokens: text is plain UTF-8 with the marks <p>, </p> and <obj>, never token ids. */
#ifndef PCT_DATA_SAMPLE_H
#define PCT_DATA_SAMPLE_H

#include "base/arena.h"
#include "base/error.h"
#include "image/image.h"
#include "image/mask.h"

#include <stdbool.h>
#include <stdint.h>

#define PCT_SAMPLE_MAX_OBJECTS 255 /* the owner map is 8 bits a pixel and 0 is the background */

enum pct_task {
    PCT_TASK_REFER,    /* one region by name, colour, size, position or relation */
    PCT_TASK_ALL,      /* every region of a name */
    PCT_TASK_ABSENT,   /* asks for something that is not in the picture; no region out */
    PCT_TASK_NAME,     /* a region in, its name out */
    PCT_TASK_BOX2MASK, /* a region (box) in, the same region out */
    PCT_TASK_COUNT,    /* how many of a name; a word out */
    PCT_TASK_RELATION, /* what stands left/right of, above or below a thing; name and region out */
    PCT_TASK_DESCRIBE, /* the picture in a sentence, a region for everything named */
    PCT_TASK_DIALOGUE, /* the second turn of a dialogue: only meaningful after the turn it follows */
    PCT_TASK_COUNT_,   /* how many tasks there are */
};
/* "refer", "all", ... as in data.jsonl; static text. */
const char *pct_task_text(enum pct_task task);
bool pct_task_from_text(const char *text, enum pct_task *task);

/* Where a cut-out comes from; evaluation reports stamps (the first two) and emoji (the next three) apart. */
enum pct_style {
    PCT_STYLE_PHOTO,    /* tuxpaint-stamps, photographs */
    PCT_STYLE_DRAWING,  /* tuxpaint-stamps, drawings */
    PCT_STYLE_NOTO,     /* emoji-datasource-google */
    PCT_STYLE_OPENMOJI, /* openmoji */
    PCT_STYLE_FLUENT,   /* fluent-emoji-3d */
    PCT_STYLE_USER,     /* a folder of the user's, or a data set that does not say */
    PCT_STYLE_COUNT,
};
/* "photo", "drawing", "noto", ...; static text. */
const char *pct_style_text(enum pct_style style);
bool pct_style_from_text(const char *text, enum pct_style *style);
static inline bool pct_style_is_stamp(enum pct_style style) { return style <= PCT_STYLE_DRAWING; }
static inline bool pct_style_is_emoji(enum pct_style style) {
    return style >= PCT_STYLE_NOTO && style <= PCT_STYLE_FLUENT;
}

typedef struct pct_object {
    int32_t name;      /* index in the source's name table (pct_scene_names, pct_dataset_names) */
    const char *text;  /* that name, e.g. "red apple" */
    const char *label; /* which cut-out: "noto/1f34e"; stable between runs and machines */
    int32_t cutout;    /* index of the cut-out in its source; -1 when the sample came from a data set folder */
    pct_box box;       /* tight around the visible mask, pixel edges */
    int32_t area;      /* visible pixels */
    float visible;     /* visible pixels / pixels the object covers inside the picture, 0..1 */
    bool asked; /* false: too hidden, small or faint, never the subject of a question; its pixels are owned still */
    enum pct_style style;
    const uint8_t
        *mask; /* width*height of 0/1 where masks may overlap (read from data sets), else NULL: the owner map */
} pct_object;

/* One question and its answer. The question holds one <obj> for every region in; the answer one for every region out,
 * after its phrase: "It is here: <p>the red cup</p><obj>." */
typedef struct pct_turn {
    enum pct_task task;
    const char *question, *answer;
    const char *target; /* what evaluation compares with: the name ("name", "relation"), the number word ("count"),
                           "none" ("absent"), else "" */
    const uint8_t *regions_in; /* indices into the sample's objects, in the order of their <obj> */
    const uint8_t *regions_out;
    uint8_t in_count, out_count;
    int16_t follows; /* the earlier turn whose question and answer come before this one's, or -1 */
    uint8_t style;   /* enum pct_style of the first object asked about; PCT_STYLE_COUNT when there is none */
    bool held_out;   /* the object asked about is a cut-out that was never trained on */
} pct_turn;

typedef struct pct_sample {
    pct_image image; /* RGB, 8 bits */
    uint8_t *owner;  /* height*width: 0 background, k+1 object k (the visible one) */
    pct_object *objects;
    int32_t object_count;
    pct_turn *turns; /* a turn that follows another stands after it */
    int32_t turn_count;
    /* Names that are neither certainly present nor certainly absent: what the background may show, and names near to
     * those of the objects. Every other name that no object has is absent. Ascending. */
    const int32_t *unsure;
    int32_t unsure_count;
    uint64_t index;    /* which sample of its split */
    const char *file;  /* the picture's file for samples of a data set folder, else NULL */
    const char *split; /* "training", "arrangements", ...; static or in the arena */
} pct_sample;

/* Writes object's visible mask as width*height bytes of 0/1. */
void pct_sample_mask(const pct_sample *sample, int32_t object, uint8_t *mask);
/* True when a name is certainly not in the picture. */
bool pct_sample_absent(const pct_sample *sample, int32_t name);

#endif
