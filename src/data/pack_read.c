/* pack_read.c: opening a pack: every count, offset and size is checked against the file before it is used. */
#include "base/cursor.h"
#include "base/size.h"
#include "data/pack.h"
#include "image/decode.h"

#include <stdlib.h>
#include <string.h>

#define MAX_COUNT 1000000u
#define MAX_SIDE  16384u

struct reading {
    pct_pack *pack;
    const char *name;
    pct_cursor table;
    const char *text;
    uint64_t text_size, pixels_end;
    percept_error *error;
};

static percept_status malformed(struct reading *in, const char *what) {
    return pct_fail(in->error, PERCEPT_ERROR_INPUT,
                    "%s: not a usable scene pack: %s; make it again with 'percept scenes --prepare'", in->name, what);
}

static const char *read_text(struct reading *in) {
    uint32_t offset = pct_cursor_u32(&in->table);
    return offset < in->text_size ? in->text + offset : NULL;
}

/* Pixels at an offset of the file; NULL when they lie outside. */
static unsigned char *pixels(struct reading *in, uint64_t offset, uint64_t size) {
    if (offset > in->pixels_end || size > in->pixels_end - offset) return NULL;
    return (unsigned char *)(uintptr_t)in->pack->map.data + offset; /* read-only by contract: sprites are immutable */
}

static bool read_image(struct reading *in, int channels, pct_image *image) {
    uint32_t width = pct_cursor_u32(&in->table), height = pct_cursor_u32(&in->table);
    uint64_t offset = pct_cursor_u64(&in->table);
    if (width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE) return false;
    unsigned char *data = pixels(in, offset, (uint64_t)width * height * (uint64_t)channels);
    *image = (pct_image){(int)width, (int)height, channels, data};
    return data != NULL;
}

static percept_status read_names(struct reading *in) {
    static const char *const articles[] = {"", "a", "an", "the"};
    pct_pack *pack = in->pack;
    for (int32_t i = 0; i < pack->name_count; i++) {
        pct_pack_name *name = &pack->names[i];
        name->text = read_text(in);
        name->plural = read_text(in);
        uint8_t number = pct_cursor_u8(&in->table);
        uint8_t article = pct_cursor_u8(&in->table);
        if (!name->text || !name->plural || number > PCT_NUMBER_MASS || article > 3 ||
            strlen(name->text) >= PCT_NAME_MAX_BYTES || strlen(name->plural) >= PCT_NAME_MAX_BYTES + 8)
            return malformed(in, "a name");
        name->number = (enum pct_number)number;
        name->article = articles[article];
        if (i && strcmp(pack->names[i - 1].text, name->text) >= 0) return malformed(in, "names out of order");
    }
    return PERCEPT_OK;
}

/* Most cut-outs of a coded pack: with PCT_PACK_CODED_SIDE it bounds what a small file can ask for. */
#define MAX_CODED 4096

/* A WebP file in place of the levels; the sprite is made of it. */
static percept_status read_coded(struct reading *in, pct_pack_cutout *cutout, int width, int height) {
    uint64_t offset = pct_cursor_u64(&in->table);
    uint32_t size = pct_cursor_u32(&in->table);
    const unsigned char *data = pixels(in, offset, size);
    if (!data || width > PCT_PACK_CODED_SIDE || height > PCT_PACK_CODED_SIDE || in->pack->cutout_count > MAX_CODED)
        return malformed(in, "a coded cut-out");
    const pct_decode_options options = {.keep_alpha = true,
                                        .max_pixels = (int64_t)PCT_PACK_CODED_SIDE * PCT_PACK_CODED_SIDE};
    pct_image image = {0};
    if (pct_image_decode(&image, data, size, in->name, &options, NULL, NULL) != PERCEPT_OK)
        return malformed(in, "a coded cut-out's picture");
    percept_status status = image.width == width && image.height == height
                                ? pct_sprite_make(&cutout->sprite, &image, in->error)
                                : malformed(in, "a coded cut-out's size");
    cutout->coded = status == PERCEPT_OK;
    pct_image_free(&image);
    return status;
}

static percept_status read_cutouts(struct reading *in) {
    pct_pack *pack = in->pack;
    for (int32_t i = 0; i < pack->cutout_count; i++) {
        pct_pack_cutout *cutout = &pack->cutouts[i];
        uint32_t name = pct_cursor_u32(&in->table);
        cutout->label = read_text(in);
        uint8_t style = pct_cursor_u8(&in->table), levels = pct_cursor_u8(&in->table);
        cutout->hash = pct_cursor_u64(&in->table);
        cutout->mirrored = pct_cursor_u64(&in->table);
        uint32_t width = pct_cursor_u32(&in->table), height = pct_cursor_u32(&in->table);
        if (name >= (uint32_t)pack->name_count || !cutout->label || style >= PCT_STYLE_COUNT ||
            levels > PCT_SPRITE_LEVELS || width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE)
            return malformed(in, "a cut-out");
        cutout->name = (int32_t)name;
        cutout->style = (enum pct_style)style;
        if (levels == 0) {
            PCT_TRY(read_coded(in, cutout, (int)width, (int)height));
            continue;
        }
        cutout->sprite.width = (int)width;
        cutout->sprite.height = (int)height;
        cutout->sprite.levels = levels;
        for (int level = 0; level < levels; level++) {
            pct_image *image = &cutout->sprite.level[level];
            if (!read_image(in, 4, image)) return malformed(in, "a cut-out's pixels");
            /* Each level is half the one before, rounded up, and has a border of one pixel on every side. */
            if (image->width != (int)width + 2 || image->height != (int)height + 2)
                return malformed(in, "a cut-out's sizes");
            width = (width + 1) / 2;
            height = (height + 1) / 2;
        }
    }
    return PERCEPT_OK;
}

static percept_status read_backgrounds(struct reading *in) {
    pct_pack *pack = in->pack;
    for (int32_t i = 0; i < pack->background_count; i++) {
        pct_pack_background *background = &pack->backgrounds[i];
        background->label = read_text(in);
        background->group = read_text(in);
        if (!background->label || !background->group || !read_image(in, 3, &background->image))
            return malformed(in, "a background");
        uint32_t count = pct_cursor_u32(&in->table);
        if (count > (uint32_t)pack->name_count || count > pct_cursor_left(&in->table) / 4)
            return malformed(in, "what a background shows");
        int32_t *shows = pct_arena_take(&pack->arena, (size_t)count * sizeof *shows);
        if (!shows) return pct_fail_memory(in->error, "scene pack");
        for (uint32_t k = 0; k < count; k++) {
            uint32_t name = pct_cursor_u32(&in->table);
            if (name >= (uint32_t)pack->name_count || (k && (int32_t)name <= shows[k - 1]))
                return malformed(in, "what a background shows");
            shows[k] = (int32_t)name;
        }
        background->shows = shows;
        background->shows_count = (int32_t)count;
    }
    return PERCEPT_OK;
}

static percept_status read_relations(struct reading *in) {
    pct_pack *pack = in->pack;
    for (int32_t i = 0; i < pack->relation_count; i++) {
        uint32_t a = pct_cursor_u32(&in->table), b = pct_cursor_u32(&in->table);
        uint8_t relation = pct_cursor_u8(&in->table);
        if (a >= b || b >= (uint32_t)pack->name_count || relation > 3) return malformed(in, "a relation of names");
        pack->relations[i] = (pct_pack_relation){(int32_t)a, (int32_t)b, relation};
    }
    return PERCEPT_OK;
}

static percept_status read_header(struct reading *in) {
    pct_pack *pack = in->pack;
    pct_cursor head = pct_cursor_over(pack->map.data, pack->map.size);
    const unsigned char *magic = pct_cursor_take(&head, 8);
    if (!magic || memcmp(magic, "PCTSCENE", 8)) return malformed(in, "the magic is missing");
    if (pct_cursor_u32(&head) != PCT_PACK_VERSION) return malformed(in, "another version");
    uint32_t counts[4];
    for (int i = 0; i < 4; i++) counts[i] = pct_cursor_u32(&head);
    pct_cursor_skip(&head, 4);
    uint64_t table = pct_cursor_u64(&head), table_size = pct_cursor_u64(&head);
    uint64_t text = pct_cursor_u64(&head), text_size = pct_cursor_u64(&head), size = pack->map.size;
    if (head.failed || table > size || table_size > size - table || text > size || text_size > size - text ||
        text_size == 0 || pack->map.data[text + text_size - 1] != 0)
        return malformed(in, "it ends early");
    /* The smallest record of each table bounds its count by the table's size. */
    static const uint32_t smallest[4] = {10, 4 + 4 + 2 + 16 + 8 + 12, 8 + 16 + 4, 9};
    for (int i = 0; i < 4; i++)
        if (counts[i] > MAX_COUNT || counts[i] > table_size / smallest[i]) return malformed(in, "a count");
    pack->name_count = (int32_t)counts[0];
    pack->cutout_count = (int32_t)counts[1];
    pack->background_count = (int32_t)counts[2];
    pack->relation_count = (int32_t)counts[3];
    in->table = pct_cursor_over(pack->map.data + table, table_size);
    in->text = (const char *)pack->map.data + text;
    in->text_size = text_size;
    in->pixels_end = table;
    return PERCEPT_OK;
}

static percept_status read_all(pct_pack *pack, const char *name, percept_error *error) {
    struct reading in = {.pack = pack, .name = name, .error = error};
    pct_arena_init(&pack->arena, 0);
    PCT_TRY(read_header(&in));
    pack->names = pct_arena_take_zeroed(&pack->arena, (size_t)pack->name_count, sizeof *pack->names);
    pack->cutouts = pct_arena_take_zeroed(&pack->arena, (size_t)pack->cutout_count, sizeof *pack->cutouts);
    pack->backgrounds = pct_arena_take_zeroed(&pack->arena, (size_t)pack->background_count, sizeof *pack->backgrounds);
    pack->relations = pct_arena_take_zeroed(&pack->arena, (size_t)pack->relation_count, sizeof *pack->relations);
    if (!pack->names || !pack->cutouts || !pack->backgrounds || !pack->relations)
        return pct_fail_memory(error, "scene pack");
    PCT_TRY(read_names(&in));
    PCT_TRY(read_cutouts(&in));
    PCT_TRY(read_backgrounds(&in));
    PCT_TRY(read_relations(&in));
    if (in.table.failed) return malformed(&in, "a table ends early");
    return PERCEPT_OK;
}

percept_status pct_pack_open(pct_pack *pack, const char *path, percept_error *error) {
    *pack = (pct_pack){0};
    percept_status status = pct_map_open(&pack->map, path, error);
    if (status == PERCEPT_OK)
        status = read_all(pack, path, error);
    else
        pct_error_prefix(error, "scene pack (make it with 'percept scenes --prepare')");
    if (status != PERCEPT_OK) pct_pack_close(pack);
    return status;
}

percept_status pct_pack_over(pct_pack *pack, const char *name, const void *data, size_t size, percept_error *error) {
    *pack = (pct_pack){0};
    pack->map = (pct_map){data, size, false};
    percept_status status = read_all(pack, name, error);
    if (status != PERCEPT_OK) pct_pack_close(pack);
    return status;
}

void pct_pack_close(pct_pack *pack) {
    for (int32_t i = 0; pack->cutouts && i < pack->cutout_count; i++)
        if (pack->cutouts[i].coded) pct_sprite_free(&pack->cutouts[i].sprite);
    pct_arena_free(&pack->arena);
    if (pack->map.mapped) pct_map_close(&pack->map);
    *pack = (pct_pack){0};
}
