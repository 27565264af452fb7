/* backgrounds.h: which pictures are backgrounds, which of them belong together, and what each shows.
 *
 * From the list share/scenes/backgrounds.list, a line a group:  PART-OF-PATH [PART ...] : name, name | -
 * A picture no line matches is not used. Groups whose pictures look alike (perceptual hash) are joined, so that
 * near-duplicates stay in one split whatever they are called. */
#ifndef PCT_DATA_BACKGROUNDS_H
#define PCT_DATA_BACKGROUNDS_H

#include "base/log.h"
#include "data/names.h"
#include "image/image.h"

struct background_file {
    char *path, *label; /* owned */
    char *group;        /* the line's first part; borrowed from the list's text */
    const char *shows;  /* the line's names; borrowed */
};
struct background_list {
    struct background_file *items; /* sorted by label */
    size_t count, capacity;
    int32_t groups; /* lines */
    char *text;     /* the list's own copy */
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
