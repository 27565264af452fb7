/* sheet.c: one picture that shows what was learned: a tile a name, with the model's answer drawn. See teach.h. */
#include "base/size.h"
#include "image/encode.h"
#include "image/overlay.h"
#include "image/resize.h"
#include "teach/teach.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TILE    240
#define GAP     6
#define COLUMNS 4

percept_status teach_sheet_open(teach_sheet *sheet, int32_t count, percept_error *error) {
    *sheet = (teach_sheet){.count = count, .tiles = calloc((size_t)count + 1, sizeof *sheet->tiles)};
    return sheet->tiles ? PERCEPT_OK : pct_fail_memory(error, "contact sheet");
}

void teach_sheet_close(teach_sheet *sheet) {
    for (int32_t i = 0; sheet->tiles && i < sheet->count; i++) pct_image_free(&sheet->tiles[i]);
    free(sheet->tiles);
    *sheet = (teach_sheet){0};
}

/* The regions of the answer; or, where there is none, a dashed box round what was missed. */
static percept_status draw(pct_image *tile, const char *name, pct_box truth, const pct_judge_region *regions,
                           int32_t count, percept_error *error) {
    pct_overlay_region shown[PCT_JUDGE_MAX_REGIONS];
    char missed[PCT_NAME_MAX_BYTES + 16];
    snprintf(missed, sizeof missed, "%s: missed", name);
    for (int32_t i = 0; i < count; i++)
        shown[i] = (pct_overlay_region){regions[i].mask.data ? &regions[i].mask : NULL, regions[i].box, name,
                                        regions[i].score};
    if (count == 0) shown[0] = (pct_overlay_region){NULL, truth, missed, -1};
    return pct_overlay_draw(tile, shown, count ? (size_t)count : 1, NULL, error);
}

percept_status teach_sheet_add(teach_sheet *sheet, int32_t index, const char *name, const pct_image *picture,
                               pct_box truth, const pct_judge_region *regions, int32_t count, percept_error *error) {
    pct_image *tile = &sheet->tiles[index], full = {0};
    if (tile->data) return PERCEPT_OK;
    PCT_TRY(pct_image_new(&full, picture->width, picture->height, 3, error));
    memcpy(full.data, picture->data, pct_image_bytes(picture));
    percept_status status = draw(&full, name, truth, regions, count, error);
    if (status == PERCEPT_OK) status = pct_resize_bilinear(tile, &full, TILE, TILE, error);
    pct_image_free(&full);
    return status;
}

percept_status teach_sheet_write(const teach_sheet *sheet, const char *path, percept_error *error) {
    int32_t used = 0, rows, columns;
    for (int32_t i = 0; i < sheet->count; i++) used += sheet->tiles[i].data != NULL;
    if (used == 0) return PERCEPT_OK;
    columns = used < COLUMNS ? used : COLUMNS;
    rows = (used + columns - 1) / columns;
    pct_image all = {0};
    PCT_TRY(pct_image_new(&all, columns * (TILE + GAP) + GAP, rows * (TILE + GAP) + GAP, 3, error));
    memset(all.data, 255, pct_image_bytes(&all));
    for (int32_t i = 0, at = 0; i < sheet->count; i++) {
        const pct_image *tile = &sheet->tiles[i];
        if (!tile->data) continue;
        int x = GAP + at % columns * (TILE + GAP), y = GAP + at / columns * (TILE + GAP);
        for (int row = 0; row < TILE; row++)
            memcpy(pct_image_row(&all, y + row) + (size_t)x * 3, pct_image_row(tile, row), (size_t)TILE * 3);
        at++;
    }
    percept_status status = pct_png_write(path, &all, error);
    pct_image_free(&all);
    return status;
}
