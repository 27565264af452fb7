/* backgrounds.h: which pictures are backgrounds, which of them belong together, and what each shows.
 *
 * From a list, a line a group:  PART-OF-PATH [PART ...] : name, name | -
 * Of the packages' pictures (share/scenes/backgrounds.list) those that no line matches are not used; of a user's own
 * folder (backgrounds.list in it, if there is one) they are, as pictures that show nothing a cut-out's name is for.
 * Groups whose pictures look alike (perceptual hash) are joined, so that near-duplicates stay in one split whatever
 * they are called. */
#ifndef PCT_DATA_BACKGROUNDS_H
#define PCT_DATA_BACKGROUNDS_H

#include "base/log.h"
#include "data/names.h"
#include "image/image.h"

#define PCT_BACKGROUNDS_LIST       "backgrounds.list"
#define PCT_BACKGROUNDS_LIST_LIMIT ((size_t)1 << 20) /* bytes */

/* A list's lines; all text is borrowed from the list. */
struct background_line {
    char *parts; /* "gnome/adwaita- gnome/blobs-"; names the group */
    const char *shows;
};
struct background_lines {
    struct background_line *items;
    int count;
    char *text;
};
/* INPUT names file and line. Free in any case that succeeded. */
percept_status pct_background_lines_read(struct background_lines *lines, const char *path, percept_error *error);
void pct_background_lines_free(struct background_lines *lines);
/* The first line that has a part of this path; NULL: none. */
const struct background_line *pct_background_lines_find(const struct background_lines *lines, const char *inside);

struct background_file {
    char *path, *label; /* owned */
    const char *group;  /* the line's parts; borrowed from the lines */
    const char *shows;  /* the line's names; borrowed */
};
struct background_list {
    struct background_file *items; /* sorted by label within a package */
    size_t count, capacity;
    struct background_lines lines;
};
void pct_background_list_free(struct background_list *list);
percept_status pct_backgrounds_collect(struct background_list *list, const char *folder, const char *list_path,
                                       const pct_log *log, percept_error *error);

/* Indices, ascending, of the names that a background with this list may be taken to show: the names themselves, names
 * that share a word with them, and names the rules relate to them. `out` holds name_count. Returns how many. */
int32_t pct_background_names(const char *shows, const char *const *names, int32_t name_count,
                             const pct_name_rules *rules, int32_t *out);

/* RGB, longest side at most `side`. */
percept_status pct_background_read(pct_image *out, const char *path, int side, percept_error *error);

#endif
