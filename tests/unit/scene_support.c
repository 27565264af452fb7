/* scene_support.c: see scene_support.h. */
#include "scene_support.h"

#include "base/file.h"
#include "base/size.h"
#include "data/scene_private.h"
#include "image/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const things[] = {"ball",  "cup",    "kite",  "lamp",   "drum",     "fork", "gate",  "harp",
                                     "igloo", "jar",    "key",   "ladder", "moose",    "nest", "onion", "piano",
                                     "quilt", "rocket", "spoon", "table",  "umbrella", "vase", "wagon", "zebra"};
static const struct {
    const char *name;
    unsigned char rgb[3];
} paints[] = {{"red", {214, 24, 24}}, {"green", {40, 190, 50}}, {"blue", {30, 70, 220}}, {"yellow", {250, 225, 30}}};

/* Inside of a disc less a round hole whose place depends on thing and colour, so that no two pictures are
 * near-duplicates. */
static bool solid(int thing, int paint, int x, int y, int side, bool disc) {
    float u = ((float)x + 0.5f) / (float)side * 2 - 1, v = ((float)y + 0.5f) / (float)side * 2 - 1;
    if (u * u + v * v > 1) return false;
    if (disc) return true;
    float hx = (float)(thing % 5) * 0.1f - 0.2f + (paint % 2 ? 0.4f : -0.4f);
    float hy = (float)(thing / 5) * 0.1f - 0.2f + (paint / 2 ? 0.4f : -0.4f);
    return (u - hx) * (u - hx) + (v - hy) * (v - hy) > 0.1f;
}

static bool draw(const char *path, int thing, int paint, bool disc) {
    enum { SIDE = 96 };
    pct_image image = {0};
    if (pct_image_new(&image, SIDE, SIDE, 4, NULL) != PERCEPT_OK) return false;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            unsigned char *p = pct_image_row(&image, y) + x * 4;
            memcpy(p, paints[paint].rgb, 3);
            p[3] = solid(thing, paint, x, y, SIDE, disc) ? 255 : 0;
        }
    bool written = pct_png_write(path, &image, NULL) == PERCEPT_OK;
    pct_image_free(&image);
    return written;
}

char *scene_folder_make(bool discs) {
    char *folder = strdup("/tmp/percept-scenes-XXXXXX"), path[200];
    if (!folder || !mkdtemp(folder)) return NULL;
    for (size_t thing = 0; thing < PCT_COUNT(things); thing++) {
        snprintf(path, sizeof path, "%s/%s", folder, things[thing]);
        if (pct_make_directory(path, NULL) != PERCEPT_OK) return NULL;
        for (size_t paint = 0; paint < PCT_COUNT(paints); paint++) {
            snprintf(path, sizeof path, "%s/%s/%s.png", folder, things[thing], paints[paint].name);
            if (!draw(path, (int)thing, (int)paint, discs)) return NULL;
        }
    }
    return folder;
}

void scene_folder_remove(char **folder) {
    char command[300];
    if (!*folder) return;
    snprintf(command, sizeof command, "rm -rf '%s'", *folder);
    if (system(command) != 0) fprintf(stderr, "could not remove %s\n", *folder);
    free(*folder);
    *folder = NULL;
}

int scene_label_colour(const char *label) {
    for (int c = 0; c < SCENE_COLOURS; c++) {
        char part[32];
        snprintf(part, sizeof part, "/%s.", scene_colour_text[c]);
        if (strstr(label, part)) return c;
    }
    return -1;
}

pct_scene_source *scene_folder_source(const char *folder) {
    pct_scene_source *source = NULL;
    pct_scene_options options;
    percept_error error = {0};
    pct_scene_options_default(&options);
    options.cutouts = folder;
    if (pct_scene_source_open(&source, &options, &error) != PERCEPT_OK) fprintf(stderr, "%s\n", error.message);
    return source;
}

char *scene_folder;
pct_scene_source *scene_source;

int scene_group_open(void **state) {
    (void)state;
    scene_folder = scene_folder_make(false);
    scene_source = scene_folder ? scene_folder_source(scene_folder) : NULL;
    return scene_source ? 0 : -1;
}

int scene_group_close(void **state) {
    (void)state;
    pct_scene_source_close(&scene_source);
    scene_folder_remove(&scene_folder);
    return 0;
}
