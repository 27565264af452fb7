/* spelling.h: regions as text: boxes as four coordinate tokens, masks as polygons of them. The rival of the object
 * token, for `language.regions: text` and `both`.
 *
 * The square is cut into N bins an axis; <bin_k> stands for [k/N, (k+1)/N) and is read as its middle, so that what was
 * read and is written again gives the same token. A region is
 *     <bin x0> <bin y0> <bin x1> <bin y1>                                              a box
 *     ... <poly> x y x y x y ... [<part> x y x y x y ...] </poly>                      and the mask in it
 * Boxes in bins are Pix2Seq's (arXiv 2109.10852), in an answer's words Shikra's (arXiv 2306.15195); outlines of the
 * mask's parts, clockwise as seen and from the vertex nearest the picture's top left corner on, are PolyFormer's
 * (arXiv 2302.07387). Parts come largest first; holes are not told. A writer and a reader; neither knows a model. What
 * the reader is given may be any ids whatever. */
#ifndef PCT_MODEL_SPELLING_H
#define PCT_MODEL_SPELLING_H

#include "image/image.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "tokenizer/tokenizer.h"

#include <stdint.h>

/* Ids of the longest region: the box, <poly>, the vertices, <part> between parts of 3 at least, </poly>. */
#define PCT_SPELLED_MOST (4 + 2 + 2 * PCT_MOST_VERTICES + PCT_MOST_VERTICES / 3)

typedef struct pct_spelling {
    int32_t bins, vertices; /* vertices 0: boxes alone */
    int32_t vocabulary;
    int32_t poly, part, end; /* their ids */
    int32_t *id;             /* (bins) of <bin_k>; owned */
    int16_t *bin;            /* (vocabulary) what an id stands for: k, or -1; owned */
} pct_spelling;

/* The tokens that a config wants beside those of its template, in order: texts[i] points into `room`. None for
 * PCT_REGIONS_TOKEN. Returns how many. */
#define PCT_SPELLING_MOST_TOKENS (1024 + 3)
typedef struct pct_spelling_tokens {
    char room[PCT_SPELLING_MOST_TOKENS][24];
    const char *texts[PCT_SPELLING_MOST_TOKENS];
    int32_t count;
} pct_spelling_tokens;
void pct_spelling_list(pct_spelling_tokens *tokens, const pct_model_config *config);
/* *tokenizer with the tokens that it lacks added as its next ids; the same one when it has them all. */
percept_status pct_spelling_extend(pct_tokenizer **tokenizer, const pct_model_config *config, percept_error *error);

/* Nothing for PCT_REGIONS_TOKEN. PERCEPT_ERROR_MODEL when the tokenizer lacks a token. The caller frees it. */
percept_status pct_spelling_init(pct_spelling *spelling, const pct_model_config *config, const pct_tokenizer *tokenizer,
                                 percept_error *error);
void pct_spelling_free(pct_spelling *spelling);
/* Whether the id is one of a region's: a coordinate or a mark around a polygon. */
bool pct_spelling_has(const pct_spelling *spelling, int32_t id);

/* ---- writing ------------------------------------------------------------------------------------------------------
 */

/* The bin of a coordinate in 0..1 (clamped), and what a bin is read as. */
int32_t pct_spelling_bin(const pct_spelling *spelling, float value);
float pct_spelling_value(const pct_spelling *spelling, int32_t bin);

/* A region's ids, at most PCT_SPELLED_MOST. box: x0,y0,x1,y1 of the square, 0..1. mask: NULL for the box alone; else
 * what is seen of the object, over `frame` of the square (x0,y0,x1,y1). Its outer rings become at most `vertices`
 * vertices (image/polygon.h's reduce); parts below a fiftieth of the mask are left out; a mask too small for a ring
 * is told as its box. RESOURCE when memory is out. */
percept_status pct_spelling_write(const pct_spelling *spelling, const float box[4], const pct_mask *mask,
                                  const float frame[4], int32_t *ids, int32_t *count, percept_error *error);

/* A region that a user gives: its box, and of a mask (NULL: the box alone) the shares of side x side cells of the whole
 * square. */
percept_status pct_spelling_write_given(const pct_spelling *spelling, const pct_real box[4], const pct_real *mask,
                                        int32_t side, int32_t *ids, int32_t *count, percept_error *error);

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

enum pct_spelled {
    PCT_SPELLED_OTHER,  /* not of a region: the text's own */
    PCT_SPELLED_INSIDE, /* taken; the region goes on */
    PCT_SPELLED_DONE,   /* taken; the region is complete */
    PCT_SPELLED_BROKEN  /* against the grammar: not taken, and the region is given up */
};

/* A region on its way. Zero-initialise. */
typedef struct pct_spelling_reader {
    int32_t count; /* of its ids */
    int32_t ring;  /* numbers of the polygon's ring so far */
    int32_t vertices;
    bool done;
    int32_t ids[PCT_SPELLED_MOST];
} pct_spelling_reader;

/* One id more. Broken: a mark where none may stand, a ring of an odd number of coordinates or of fewer than 3 vertices,
 * more vertices than the spelling has, a box without its polygon, any other id inside a region. */
enum pct_spelled pct_spelling_read(const pct_spelling *spelling, pct_spelling_reader *reader, int32_t id);
/* Whether a region is begun and not complete. */
static inline bool pct_spelling_inside(const pct_spelling_reader *reader) { return reader->count > 0 && !reader->done; }

/* The box of a complete region, as it was told; the corners may be in any order. */
void pct_spelling_box(const pct_spelling *spelling, const int32_t *ids, float box[4]);
/* Its polygon's coverage minus 0.5, so that 0 is the mask's edge: logits[side][side]. False, and nothing written, for a
 * box alone or when memory is out. */
bool pct_spelling_mask(const pct_spelling *spelling, const int32_t *ids, int32_t count, int32_t side, float *logits);

#endif
