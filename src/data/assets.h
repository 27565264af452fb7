/* assets.h: from the asset packages, as tools/fetch-data lays them out, to one scene pack.
 *
 * Reads FOLDER/packages/{tuxpaint-stamps-default, emoji-datasource-google, openmoji, fluent-emoji-3d, mate-backgrounds,
 * plasma-workspace-wallpapers, gnome-backgrounds}; a package that is not there is left out and said so. Single pictures
 * that cannot be read are left out and counted. Never reads emoji-datasource-twitter: that style is for testing.
 * The same packages and lists give the same bytes. */
#ifndef PCT_DATA_ASSETS_H
#define PCT_DATA_ASSETS_H

#include "base/log.h"
#include "base/threads.h"
#include "percept/progress.h"

#define PCT_ASSETS_PACK_NAME "scenes.pack" /* beside packages/ */

typedef struct pct_assets_options {
    const char *folder;  /* holds packages/ */
    const char *lists;   /* holds names.list and backgrounds.list (share/scenes) */
    const char *output;  /* NULL: folder/scenes.pack */
    int cutout_side;     /* 0: 160 */
    int background_side; /* 0: 640 */
} pct_assets_options;

typedef struct pct_assets_summary {
    int32_t names, cutouts, backgrounds, groups;
    int32_t styles[8]; /* cut-outs a style */
    int32_t captions;  /* pictures with a caption, before the rules */
    int32_t unreadable;
} pct_assets_summary;

/* `log` and `summary` may be NULL. Progress counts pictures, stage "prepare". */
percept_status pct_assets_prepare(const pct_assets_options *options, pct_pool *pool, percept_progress_fn *progress,
                                  void *context, const pct_log *log, pct_assets_summary *summary, percept_error *error);

#endif
