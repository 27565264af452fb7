/* pack_write.c: pixels go to the file as they come, the tables are kept in memory and follow at the end. */
#include "base/text.h"
#include "data/pack.h"
#include "image/encode.h"

#include <stdlib.h>
#include <string.h>

enum table { TABLE_NAMES, TABLE_CUTOUTS, TABLE_BACKGROUNDS, TABLE_RELATIONS, TABLE_COUNT };

struct pct_pack_writer {
    pct_writer out;
    uint64_t offset; /* bytes written */
    pct_text tables[TABLE_COUNT];
    uint32_t counts[TABLE_COUNT];
    pct_text text;
};

static void put_u8(pct_text *text, unsigned value) {
    char byte = (char)value;
    pct_text_add(text, &byte, 1);
}
static void put_u32(pct_text *text, uint32_t value) {
    for (int i = 0; i < 4; i++) put_u8(text, value >> (8 * i) & 255);
}
static void put_u64(pct_text *text, uint64_t value) {
    put_u32(text, (uint32_t)value);
    put_u32(text, (uint32_t)(value >> 32));
}
static void put_text(pct_pack_writer *writer, enum table table, const char *string) {
    put_u32(&writer->tables[table], (uint32_t)writer->text.length);
    pct_text_add(&writer->text, string, strlen(string) + 1);
}

static void write_bytes(pct_pack_writer *writer, const void *data, size_t size) {
    if (size) fwrite(data, 1, size, writer->out.file); /* a failure is noticed at commit */
    writer->offset += size;
}
static void write_padding(pct_pack_writer *writer) {
    static const char zeros[64];
    write_bytes(writer, zeros, (64 - writer->offset % 64) % 64);
}

static void put_image(pct_pack_writer *writer, enum table table, const pct_image *image) {
    write_padding(writer);
    put_u32(&writer->tables[table], (uint32_t)image->width);
    put_u32(&writer->tables[table], (uint32_t)image->height);
    put_u64(&writer->tables[table], writer->offset);
    write_bytes(writer, image->data, pct_image_bytes(image));
}

static percept_status check(const pct_pack_writer *writer, enum table table, percept_error *error) {
    return writer->tables[table].failed || writer->text.failed ? pct_fail_memory(error, "scene pack") : PERCEPT_OK;
}

percept_status pct_pack_writer_open(pct_pack_writer **out, const char *path, percept_error *error) {
    pct_pack_writer *writer = calloc(1, sizeof *writer);
    *out = writer;
    if (!writer) return pct_fail_memory(error, "scene pack");
    percept_status status = pct_writer_open(&writer->out, path, error);
    if (status != PERCEPT_OK) {
        pct_pack_writer_abort(out);
        return status;
    }
    static const char header[64];
    write_bytes(writer, header, sizeof header); /* its place; the real one is written last */
    return PERCEPT_OK;
}

percept_status pct_pack_writer_name(pct_pack_writer *writer, const pct_pack_name *name, percept_error *error) {
    put_text(writer, TABLE_NAMES, name->text);
    put_text(writer, TABLE_NAMES, name->plural);
    put_u8(&writer->tables[TABLE_NAMES], name->number);
    put_u8(&writer->tables[TABLE_NAMES], *name->article == 0     ? 0
                                         : *name->article == 't' ? 3
                                         : name->article[1]      ? 2
                                                                 : 1);
    writer->counts[TABLE_NAMES]++;
    return check(writer, TABLE_NAMES, error);
}

percept_status pct_pack_writer_cutout(pct_pack_writer *writer, const pct_pack_cutout *cutout, percept_error *error) {
    pct_text *table = &writer->tables[TABLE_CUTOUTS];
    put_u32(table, (uint32_t)cutout->name);
    put_text(writer, TABLE_CUTOUTS, cutout->label);
    put_u8(table, cutout->style);
    put_u8(table, (unsigned)cutout->sprite.levels);
    put_u64(table, cutout->hash);
    put_u64(table, cutout->mirrored);
    put_u32(table, (uint32_t)cutout->sprite.width);
    put_u32(table, (uint32_t)cutout->sprite.height);
    for (int i = 0; i < cutout->sprite.levels; i++) put_image(writer, TABLE_CUTOUTS, &cutout->sprite.level[i]);
    writer->counts[TABLE_CUTOUTS]++;
    return check(writer, TABLE_CUTOUTS, error);
}

percept_status pct_pack_writer_coded(pct_pack_writer *writer, const pct_pack_cutout *cutout, const pct_image *picture,
                                     int quality, percept_error *error) {
    pct_text *table = &writer->tables[TABLE_CUTOUTS];
    void *data = NULL;
    size_t size = 0;
    PCT_TRY(pct_webp_encode(picture, quality, &data, &size, error));
    put_u32(table, (uint32_t)cutout->name);
    put_text(writer, TABLE_CUTOUTS, cutout->label);
    put_u8(table, cutout->style);
    put_u8(table, 0);
    put_u64(table, cutout->hash);
    put_u64(table, cutout->mirrored);
    put_u32(table, (uint32_t)picture->width);
    put_u32(table, (uint32_t)picture->height);
    put_u64(table, writer->offset);
    put_u32(table, (uint32_t)size);
    write_bytes(writer, data, size);
    free(data);
    writer->counts[TABLE_CUTOUTS]++;
    return check(writer, TABLE_CUTOUTS, error);
}

percept_status pct_pack_writer_background(pct_pack_writer *writer, const pct_pack_background *background,
                                          percept_error *error) {
    pct_text *table = &writer->tables[TABLE_BACKGROUNDS];
    put_text(writer, TABLE_BACKGROUNDS, background->label);
    put_text(writer, TABLE_BACKGROUNDS, background->group);
    put_image(writer, TABLE_BACKGROUNDS, &background->image);
    put_u32(table, (uint32_t)background->shows_count);
    for (int32_t i = 0; i < background->shows_count; i++) put_u32(table, (uint32_t)background->shows[i]);
    writer->counts[TABLE_BACKGROUNDS]++;
    return check(writer, TABLE_BACKGROUNDS, error);
}

percept_status pct_pack_writer_relation(pct_pack_writer *writer, const pct_pack_relation *relation,
                                        percept_error *error) {
    pct_text *table = &writer->tables[TABLE_RELATIONS];
    put_u32(table, (uint32_t)relation->a);
    put_u32(table, (uint32_t)relation->b);
    put_u8(table, relation->relation);
    writer->counts[TABLE_RELATIONS]++;
    return check(writer, TABLE_RELATIONS, error);
}

percept_status pct_pack_writer_finish(pct_pack_writer **out, percept_error *error) {
    pct_pack_writer *writer = *out;
    write_padding(writer);
    uint64_t table = writer->offset;
    for (int i = 0; i < TABLE_COUNT; i++) write_bytes(writer, writer->tables[i].data, writer->tables[i].length);
    uint64_t text = writer->offset;
    put_u8(&writer->text, 0);
    write_bytes(writer, writer->text.data, writer->text.length);
    pct_text header = {0};
    pct_text_add(&header, "PCTSCENE", 8);
    put_u32(&header, PCT_PACK_VERSION);
    for (int i = 0; i < TABLE_COUNT; i++) put_u32(&header, writer->counts[i]);
    put_u32(&header, 0);
    put_u64(&header, table);
    put_u64(&header, text - table);
    put_u64(&header, text);
    put_u64(&header, writer->text.length);
    percept_status status = PERCEPT_OK;
    if (header.failed || writer->text.failed)
        status = pct_fail_memory(error, "scene pack");
    else if (fseeko(writer->out.file, 0, SEEK_SET) != 0)
        status = pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot write the header", writer->out.path);
    if (status == PERCEPT_OK) {
        write_bytes(writer, header.data, header.length);
        status = pct_writer_commit(&writer->out, error);
    }
    pct_text_free(&header);
    pct_pack_writer_abort(out);
    return status;
}

void pct_pack_writer_abort(pct_pack_writer **out) {
    pct_pack_writer *writer = *out;
    if (!writer) return;
    pct_writer_abort(&writer->out);
    for (int i = 0; i < TABLE_COUNT; i++) pct_text_free(&writer->tables[i]);
    pct_text_free(&writer->text);
    free(writer);
    *out = NULL;
}

/* Mean grey of one cell of a columns x rows grid; transparent pixels count as mid grey. */
static int cell_grey(const pct_image *image, int column, int row, int columns, int rows) {
    int x0 = column * image->width / columns, x1 = (column + 1) * image->width / columns;
    int y0 = row * image->height / rows, y1 = (row + 1) * image->height / rows;
    int64_t sum = 0, count = 0;
    for (int y = y0; y < y1 || y == y0; y++)
        for (int x = x0; x < x1 || x == x0; x++) {
            const unsigned char *p = pct_image_row(image, y) + (size_t)x * (size_t)image->channels;
            int grey = (p[0] * 77 + p[1] * 150 + p[2] * 29) >> 8, alpha = image->channels == 4 ? p[3] : 255;
            sum += grey * alpha + 128 * (255 - alpha);
            count += 255;
        }
    return (int)(sum * 16 / (count / 255) / 255);
}

void pct_image_hashes(const pct_image *image, uint64_t *hash, uint64_t *mirrored) {
    *hash = *mirrored = 0;
    for (int row = 0; row < 8; row++) {
        int grey[9];
        for (int column = 0; column < 9; column++) grey[column] = cell_grey(image, column, row, 9, 8);
        for (int column = 0; column < 8; column++) {
            if (grey[column] > grey[column + 1]) *hash |= 1ull << (row * 8 + column);
            if (grey[8 - column] > grey[7 - column]) *mirrored |= 1ull << (row * 8 + column);
        }
    }
}
