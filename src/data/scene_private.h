/* scene_private.h: what the files of the scene generator share. Not for other folders.
 *
 * The way of a sample: scene_layout.c picks cut-outs and places, scene_ground.c paints the background, scene_compose.c
 * draws, measures what is visible and varies the picture, scene_style.c varies how a thing is drawn, question*.c ask
 * about what was measured. */
#ifndef PCT_DATA_SCENE_PRIVATE_H
#define PCT_DATA_SCENE_PRIVATE_H

#include "base/random.h"
#include "data/pack.h"
#include "data/scene.h"
#include "image/compose.h"

#define SCENE_MAX_OBJECTS 8
#define SCENE_STREAM      0x5ce0e5u /* plus the split: the key of a sample's random numbers */

struct scene_name {
    const char *text, *plural;
    enum pct_number number;
    const char *article;          /* "a", "an", "the" or "" */
    int colour;                   /* the colour its text says, or -1 */
    int32_t first, trained_count; /* its trained cut-outs: source->by_name[first ...] */
};
struct scene_cutout {
    int32_t name;
    const char *label;
    enum pct_style style;
    const pct_sprite *sprite;
    uint64_t hash, mirrored;
    bool held_out, used; /* used: its style is asked for */
};
struct scene_background {
    const char *label, *group;
    const pct_image *image;
    const int32_t *shows;
    int32_t shows_count;
};
struct scene_ids {
    int32_t *items, count;
};

struct pct_scene_source {
    pct_arena arena; /* every table below */
    pct_pack pack;
    pct_sprite *sprites; /* of the user's cut-outs; owned */
    pct_image *pictures; /* of the user's backgrounds; owned */
    int32_t sprite_count, picture_count;
    struct scene_name *names;
    struct scene_cutout *cutouts;
    struct scene_background *backgrounds;
    int32_t name_count, cutout_count, background_count;
    int32_t *by_name;          /* trained cut-outs, grouped by name */
    struct scene_ids usable;   /* names with a trained cut-out */
    struct scene_ids taught;   /* those of them that the user's folder has, when they are drawn apart */
    struct scene_ids held_out; /* cut-outs never trained on */
    struct scene_ids grounds[PCT_SPLIT_COUNT];
    uint8_t *relations; /* [name_count][name_count], enum pct_relation */
    float generated, taught_share;
    float weights[PCT_TASK_COUNT_]; /* summed up: the last is the total */
    uint64_t fingerprint;
};
static inline unsigned scene_relation(const pct_scene_source *source, int32_t a, int32_t b) {
    return source->relations[(size_t)a * (size_t)source->name_count + (size_t)b];
}

/* A name of the usable ones; of the taught ones as often as the source's options ask for. */
int32_t scene_pick_name(const pct_scene_source *source, pct_random *random);

/* ---- layout ---- */
struct placed {
    int32_t cutout;
    float centre_x, centre_y, scale, rotation, shear;
    bool flip;
    pct_box box; /* of the turned rectangle, on the canvas, not clipped */
};
/* Fills at most SCENE_MAX_OBJECTS; later ones are drawn over earlier ones. `background` may be NULL. Returns how many.
 */
int scene_layout(const pct_scene_source *source, enum pct_split split, const pct_scene_request *request,
                 const struct scene_background *background, pct_random *random, struct placed placed[]);

/* ---- ground ---- */
/* NULL: a generated one. */
const struct scene_background *scene_ground_pick(const pct_scene_source *source, enum pct_split split,
                                                 pct_random *random);
void scene_ground_paint(const struct scene_background *background, pct_image *canvas, pct_random *random);

/* ---- picture variation ---- */
/* A layer lighter, darker, or of another tint. */
void scene_tint(pct_layer *layer, pct_random *random);
/* Other colourfulness, tones by channel, few levels. */
void scene_restyle(pct_layer *layer, pct_random *random);
/* Stretched by up to 1.28 and leaning by up to 0.3 in the sprite's own axes, about its middle; its area stays. */
void scene_distort(pct_affine *map, int width, int height, pct_random *random);
/* Lines along the edge, lines where tones change, or both; alpha stays. */
percept_status scene_redraw(pct_layer *layer, const pct_image *canvas, pct_random *random, pct_arena *scratch,
                            percept_error *error);
/* What JPEG at this quality does to a picture: blocks, ringing, halved colour resolution; without the coding. */
percept_status scene_jpeg(pct_image *image, int quality, pct_arena *scratch, percept_error *error);

/* ---- colours ---- */
#define SCENE_COLOURS 11
extern const char *const scene_colour_text[SCENE_COLOURS];
/* Share of each object's visible pixels in each colour; shares[object][colour]. Pixels that could be either of two
 * colours count for neither. */
void scene_colours(const pct_sample *sample, float (*shares)[SCENE_COLOURS]);

/* ---- questions ---- */
percept_status scene_questions(const pct_scene_source *source, const pct_scene_request *request,
                               const struct scene_background *background, pct_random *random, pct_arena *arena,
                               pct_sample *sample, percept_error *error);

#endif
