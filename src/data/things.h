/* things.h: a folder of named cut-outs that a model is to be taught, read as a whole and checked strictly.
 *
 * A picture (PNG, WebP or SVG with transparent parts) is called what the first line of a .txt beside it says ("mug.txt"
 * for "mug.png"), else what its sub-folder or its file is called ("red mug/1.png", "red_mug-2.png"). Pictures in the
 * folder `backgrounds` are looked at whether they can be read, and not kept. Other files are left alone. Unlike
 * data/scene_user.h, which takes what it can, everything that is wrong is refused and nothing is left out in silence:
 * pictures that cannot be read or are no cut-outs, names that are empty or no English words, the same picture twice,
 * one thing under two names (a plural, two sub-folders), a name with a single picture. */
#ifndef PCT_DATA_THINGS_H
#define PCT_DATA_THINGS_H

#include "base/log.h"
#include "data/names.h"
#include "image/image.h"

#include <stdint.h>

#define PCT_THINGS_BACKGROUNDS   "backgrounds"
#define PCT_THINGS_MAX_NAMES     200
#define PCT_THINGS_MAX_PICTURES  1000
#define PCT_THINGS_LEAST         2 /* pictures of a name */
#define PCT_THINGS_LEAST_TO_TEST 3 /* from so many on one is held back */

typedef struct pct_thing {
    char text[PCT_NAME_MAX_BYTES];
    char *folder;              /* the sub-folder that gave the name, or NULL; owned */
    int32_t pictures, refused; /* that can be used; that would be its, but for what is wrong with them */
} pct_thing;

typedef struct pct_thing_picture {
    char *path; /* owned */
    int32_t thing;
    pct_image image; /* RGBA, trimmed */
    uint64_t pixels; /* hash of size and bytes */
} pct_thing_picture;

typedef struct pct_things {
    pct_thing *things; /* sorted by text */
    int32_t count;
    pct_thing_picture *pictures; /* sorted by thing, then by path */
    int32_t picture_count;
    bool backgrounds;     /* the folder has one of that name */
    uint64_t ground_hash; /* over the backgrounds' places and pixels, and their list */
} pct_things;

/* Every problem is a warning in the log with file and mend; then PERCEPT_ERROR_INPUT says how many there were, or what
 * it was when there was one. Free in any case. */
percept_status pct_things_read(pct_things *things, const char *folder, const pct_log *log, percept_error *error);
void pct_things_free(pct_things *things);
/* The pictures as "FOLDER/NAME/000.png" and on. */
percept_status pct_things_write(const pct_things *things, const char *folder, percept_error *error);
/* Takes those away again, and the folders if nothing else is in them. */
void pct_things_remove(const pct_things *things, const char *folder);
/* Over names, pictures, their order and the backgrounds: two folders with the same hash teach the same. */
uint64_t pct_things_hash(const pct_things *things);

#endif
