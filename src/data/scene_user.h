/* scene_user.h: the user's own folders, of cut-outs and of backgrounds. Not for other folders.
 *
 * A cut-out is named by its file ("red_apple-2.png") or by its sub-folder ("red apple/photo.png"). A background shows
 * what a line of the folder's backgrounds.list says (data/backgrounds.h), or nothing that a cut-out's name is for;
 * those of a line and those that look alike are one group. Files that cannot be used are left out; a folder without any
 * that can is refused with the reason for the last one. */
#ifndef PCT_DATA_SCENE_USER_H
#define PCT_DATA_SCENE_USER_H

#include "data/backgrounds.h"
#include "image/compose.h"

#define SCENE_USER_CUTOUT_SIDE 224 /* pixels; larger pictures are made smaller */
#define SCENE_USER_GROUND_SIDE 640

struct scene_user_file {
    char *path, *label;            /* owned */
    char name[PCT_NAME_MAX_BYTES]; /* of a cut-out */
    pct_sprite sprite;             /* of a cut-out; moved out by who takes it */
    pct_image picture;             /* of a background; likewise */
    uint64_t hash, mirrored;
    const char *group, *shows; /* of a background; borrowed from this list */
};
struct scene_user_list {
    struct scene_user_file *items; /* sorted by path */
    int32_t count, capacity;
    bool grounds;
    struct background_lines lines;
    char refused[400]; /* the last file that was refused, for when none is left */
};

/* The name that a cut-out's path inside the folder gives; false: none. */
bool scene_user_name(const char *inside, char name[PCT_NAME_MAX_BYTES]);
/* An empty list for folder NULL. Free the list in any case; sprites and pictures are the caller's to take or free. */
percept_status scene_user_read(struct scene_user_list *list, const char *folder, bool grounds, percept_error *error);
void scene_user_free(struct scene_user_list *list);

#endif
