/* assets_private.h: what assets.c and assets_collect.c share. Not for other files. */
#ifndef PCT_DATA_ASSETS_PRIVATE_H
#define PCT_DATA_ASSETS_PRIVATE_H

#include "data/assets.h"
#include "data/names.h"
#include "data/sample.h"

struct asset {
    char *path;  /* owned */
    char *label; /* owned; the key they are sorted by */
    char name[PCT_NAME_MAX_BYTES];
    enum pct_style style;
};
struct asset_list {
    struct asset *items; /* owned */
    size_t count, capacity;
    int32_t captions;
};
void pct_asset_list_free(struct asset_list *list);

/* Every picture of the packages that has a name, sorted by label. */
percept_status pct_assets_collect(struct asset_list *list, const char *folder, const pct_name_rules *rules,
                                  const pct_log *log, percept_error *error);

/* Calls `visit` for every file under `folder`, depth first, in byte order; `inside` is the path below `folder`. Hidden
 * files and folders are passed over: they are what systems leave behind ("._mug.png"), no pictures of a user's. */
typedef percept_status pct_file_visit(void *context, const char *path, const char *inside, percept_error *error);
percept_status pct_walk_files(const char *folder, pct_file_visit *visit, void *context, percept_error *error);

/* "x.png" ends with ".png", whatever the case. */
bool pct_has_ending(const char *path, const char *ending);

/* By its ending, whatever the case: PNG, JPEG, WebP or SVG. */
bool pct_is_picture(const char *path);

#endif
