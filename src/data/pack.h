/* pack.h: prepared cut-outs and backgrounds in one file that is mapped, so that opening it costs no decoding.
 *
 * Made by pct_assets_prepare from the asset packages and the lists under share/scenes; deterministic bytes. Holds every
 * cut-out as a sprite (premultiplied RGBA with its halved copies), every background as RGB, the names with their
 * grammar and relations, and what each background shows. Refuses files of another version and tables that point
 * outside.
 *
 * A small pack that is passed on holds its cut-outs as WebP files instead (`levels` 0 in the table, at most
 * PCT_PACK_CODED_SIDE pixels a side): their sprites are made when it opens.
 *
 * Layout, little-endian: 64 bytes of header (magic "PCTSCENE", version, counts, table and text ranges), pixels in
 * 64-byte units, the tables, the text (NUL-terminated strings that the tables point into). */
#ifndef PCT_DATA_PACK_H
#define PCT_DATA_PACK_H

#include "base/file.h"
#include "data/names.h"
#include "data/sample.h"
#include "image/compose.h"

#define PCT_PACK_VERSION    1
#define PCT_PACK_CODED_SIDE 96

typedef struct pct_pack_name {
    const char *text, *plural;
    enum pct_number number;
    const char *article; /* "a", "an", "the" or "" */
} pct_pack_name;

typedef struct pct_pack_cutout {
    int32_t name;
    const char *label; /* "noto/1f34e", "stamps/food/fruit/apple_red" */
    enum pct_style style;
    uint64_t hash, mirrored; /* perceptual: few bits differ between near-duplicates */
    pct_sprite sprite;       /* pixels are the map's, or the pack's own when they were coded */
    bool coded;
} pct_pack_cutout;

typedef struct pct_pack_background {
    const char *label, *group; /* pictures of one group stay in one split */
    pct_image image;           /* RGB; pixels are the map's */
    const int32_t *shows;      /* names it shows or may be taken to show; ascending */
    int32_t shows_count;
} pct_pack_background;

typedef struct pct_pack_relation {
    int32_t a, b; /* a < b */
    unsigned relation;
} pct_pack_relation;

typedef struct pct_pack {
    pct_map map;
    pct_arena arena; /* the tables below */
    pct_pack_name *names;
    pct_pack_cutout *cutouts;
    pct_pack_background *backgrounds;
    pct_pack_relation *relations;
    int32_t name_count, cutout_count, background_count, relation_count;
} pct_pack;

/* Immutable afterwards. Caller closes. */
percept_status pct_pack_open(pct_pack *pack, const char *path, percept_error *error);
/* The same over bytes that the caller keeps; `name` stands in messages. */
percept_status pct_pack_over(pct_pack *pack, const char *name, const void *data, size_t size, percept_error *error);
void pct_pack_close(pct_pack *pack);

/* 64-bit difference hash of a picture (RGBA counts laid over grey), and of its mirror image. */
void pct_image_hashes(const pct_image *image, uint64_t *hash, uint64_t *mirrored);

/* ---- writing, in this order: begin, every cut-out and background, finish ---- */
typedef struct pct_pack_writer pct_pack_writer;
percept_status pct_pack_writer_open(pct_pack_writer **writer, const char *path, percept_error *error);
percept_status pct_pack_writer_name(pct_pack_writer *writer, const pct_pack_name *name, percept_error *error);
percept_status pct_pack_writer_cutout(pct_pack_writer *writer, const pct_pack_cutout *cutout, percept_error *error);
percept_status pct_pack_writer_background(pct_pack_writer *writer, const pct_pack_background *background,
                                          percept_error *error);
percept_status pct_pack_writer_relation(pct_pack_writer *writer, const pct_pack_relation *relation,
                                        percept_error *error);
/* The same, coded: `picture` is the cut-out as RGBA; the sprite is not looked at. `quality` 1..100, lossy colours,
 * exact alpha. */
percept_status pct_pack_writer_coded(pct_pack_writer *writer, const pct_pack_cutout *cutout, const pct_image *picture,
                                     int quality, percept_error *error);
/* Writes tables and header and gives the file its name. The writer is freed in any case. */
percept_status pct_pack_writer_finish(pct_pack_writer **writer, percept_error *error);
void pct_pack_writer_abort(pct_pack_writer **writer);

#endif
