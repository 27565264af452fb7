/* scene_support.h: cut-outs that the tests draw themselves, and a source made of them. No asset package is needed. */
#ifndef TESTS_SCENE_SUPPORT_H
#define TESTS_SCENE_SUPPORT_H

#include "data/scene.h"

/* Coloured discs with a hole of another shape each: names "ball", "cup", ... in sub-folders, pictures by colour
 * ("ball/red.png"). The folder is made under the system's temporary folder; NULL on failure; free with
 * scene_folder_remove. With `discs` every picture is a whole disc, for exact geometry. */
char *scene_folder_make(bool discs);
void scene_folder_remove(char **folder);
/* The picture's one colour, from its label: an index into scene_colour_text. */
int scene_label_colour(const char *label);
pct_scene_source *scene_folder_source(const char *folder);

/* Such a folder and its source, which all tests of a group share: the group's setup and teardown. */
extern char *scene_folder;
extern pct_scene_source *scene_source;
int scene_group_open(void **state);
int scene_group_close(void **state);

#endif
