/* zip.c: see zip.h. Layout and names of fields after PKWARE's APPNOTE 6.3.10. */
#include "formats/zip.h"

#include "base/cursor.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>

#define END_SIZE     22
#define LOCATOR_SIZE 20
#define MAX_COMMENT  65535
#define MAX_ENTRIES  1048576
#define MAX_NAME     4096
#define MEND         "the file is damaged; fetch it again or save it again with torch.save"

enum { LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50, END64 = 0x06064b50, LOCATOR64 = 0x07064b50 };
enum { UNKNOWN16 = 0xffff };
static const uint32_t unknown32 = 0xffffffffu;

static percept_status bad(percept_error *error, const char *what) {
    return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: %s", what, MEND);
}

/* Where the central directory lies. */
typedef struct directory {
    uint64_t offset, size, count;
    size_t end; /* of what may be entries or directory: where the end records begin */
} directory;

static pct_cursor cursor_at(const void *data, size_t size, uint64_t offset) {
    pct_cursor at = pct_cursor_over(data, size);
    if (offset > size || !pct_cursor_seek(&at, (size_t)offset)) at.failed = true;
    return at;
}

/* The last end record, which only a comment may follow. False: none. */
static bool find_end(const unsigned char *data, size_t size, size_t *out) {
    if (size < END_SIZE) return false;
    const size_t last = size - END_SIZE, first = last > MAX_COMMENT ? last - MAX_COMMENT : 0;
    for (size_t at = last + 1; at-- > first;) {
        pct_cursor c = cursor_at(data, size, at);
        if (pct_cursor_u32(&c) != END) continue;
        pct_cursor_skip(&c, 16);
        if (pct_cursor_u16(&c) != last - at) continue;
        *out = at;
        return true;
    }
    return false;
}

static percept_status read_end64(const void *data, size_t size, size_t end, directory *d, percept_error *error) {
    if (end < LOCATOR_SIZE) return bad(error, "a zip64 archive without its locator");
    pct_cursor c = cursor_at(data, size, end - LOCATOR_SIZE);
    if (pct_cursor_u32(&c) != LOCATOR64) return bad(error, "a zip64 archive without its locator");
    pct_cursor_skip(&c, 4);
    const uint64_t place = pct_cursor_u64(&c);
    if (place > end - LOCATOR_SIZE) return bad(error, "a zip64 end record outside the file");
    c = cursor_at(data, size, place);
    if (pct_cursor_u32(&c) != END64) return bad(error, "a zip64 locator that points to no end record");
    pct_cursor_skip(&c, 8 + 2 + 2 + 4 + 4 + 8);
    d->count = pct_cursor_u64(&c);
    d->size = pct_cursor_u64(&c);
    d->offset = pct_cursor_u64(&c);
    d->end = (size_t)place;
    return c.failed ? bad(error, "a zip64 end record that is cut off") : PERCEPT_OK;
}

static percept_status find_directory(const void *data, size_t size, directory *d, percept_error *error) {
    size_t end;
    if (!find_end(data, size, &end)) return bad(error, "no zip archive, or cut off");
    pct_cursor c = cursor_at(data, size, end + 4);
    const unsigned disk = pct_cursor_u16(&c), first = pct_cursor_u16(&c);
    const unsigned here = pct_cursor_u16(&c), count = pct_cursor_u16(&c);
    const uint32_t bytes = pct_cursor_u32(&c), offset = pct_cursor_u32(&c);
    const bool long_form = count == UNKNOWN16 || bytes == unknown32 || offset == unknown32;
    *d = (directory){.offset = offset, .size = bytes, .count = count, .end = end};
    if (long_form) {
        PCT_TRY(read_end64(data, size, end, d, error));
    } else if (disk != 0 || first != 0 || here != count) {
        return bad(error, "an archive in several parts");
    }
    if (d->offset > d->end || d->size > d->end - d->offset) return bad(error, "a directory outside the file");
    if (d->count > MAX_ENTRIES || d->count > d->size / 46)
        return bad(error, "more entries than the directory can hold");
    return PERCEPT_OK;
}

/* The fields of a central header that matter here. */
typedef struct header {
    unsigned flags, method, name_size, extra_size, comment_size;
    uint64_t stored, size, offset;
} header;

/* Sizes and offset that did not fit 32 bits stand in the extra field 1, in this order. */
static bool read_long_fields(pct_cursor extra, header *h) {
    if (h->size != unknown32 && h->stored != unknown32 && h->offset != unknown32) return true;
    while (pct_cursor_left(&extra) >= 4) {
        const unsigned kind = pct_cursor_u16(&extra), size = pct_cursor_u16(&extra);
        const unsigned char *bytes = pct_cursor_take(&extra, size);
        if (!bytes) return false;
        if (kind != 1) continue;
        pct_cursor field = pct_cursor_over(bytes, size);
        if (h->size == unknown32) h->size = pct_cursor_u64(&field);
        if (h->stored == unknown32) h->stored = pct_cursor_u64(&field);
        if (h->offset == unknown32) h->offset = pct_cursor_u64(&field);
        return !field.failed;
    }
    return false;
}

/* The entry's bytes lie behind its local header, whose name must be the same and whose extra field may be another. */
static percept_status find_bytes(const unsigned char *data, size_t size, const directory *d, const header *h,
                                 const unsigned char *name, pct_zip_entry *entry, percept_error *error) {
    pct_cursor c = cursor_at(data, size, h->offset);
    if (pct_cursor_u32(&c) != LOCAL) return bad(error, "an entry without its local header");
    pct_cursor_skip(&c, 22);
    const unsigned name_size = pct_cursor_u16(&c), extra_size = pct_cursor_u16(&c);
    const unsigned char *again = pct_cursor_take(&c, name_size);
    if (!again || name_size != h->name_size || memcmp(again, name, name_size) != 0)
        return bad(error, "an entry that its local header calls otherwise");
    pct_cursor_skip(&c, extra_size);
    if (c.failed || c.offset > d->offset || h->size > d->offset - c.offset)
        return bad(error, "an entry that runs into the directory");
    entry->data = data + c.offset;
    entry->size = (size_t)h->size;
    return PERCEPT_OK;
}

static percept_status read_entry(const unsigned char *data, size_t size, const directory *d, pct_cursor *c,
                                 char *name_out, pct_zip_entry *entry, percept_error *error) {
    header h;
    if (pct_cursor_u32(c) != CENTRAL) return bad(error, "a directory with fewer entries than it says");
    pct_cursor_skip(c, 4);
    h.flags = pct_cursor_u16(c);
    h.method = pct_cursor_u16(c);
    pct_cursor_skip(c, 8);
    h.stored = pct_cursor_u32(c);
    h.size = pct_cursor_u32(c);
    h.name_size = pct_cursor_u16(c);
    h.extra_size = pct_cursor_u16(c);
    h.comment_size = pct_cursor_u16(c);
    pct_cursor_skip(c, 8);
    h.offset = pct_cursor_u32(c);
    const unsigned char *name = pct_cursor_take(c, h.name_size), *extra = pct_cursor_take(c, h.extra_size);
    pct_cursor_skip(c, h.comment_size);
    if (c->failed || !name || !extra) return bad(error, "a directory that is cut off");
    if (h.name_size == 0 || h.name_size > MAX_NAME || memchr(name, 0, h.name_size))
        return bad(error, "an entry's name that is empty, too long, or has a NUL in it");
    if (!read_long_fields(pct_cursor_over(extra, h.extra_size), &h))
        return bad(error, "an entry without its long sizes");
    if (h.flags & 1 || h.method != 0 || h.stored != h.size)
        return bad(error, "an entry that is compressed or encrypted");
    memcpy(name_out, name, h.name_size);
    name_out[h.name_size] = 0;
    entry->name = name_out;
    return find_bytes(data, size, d, &h, name, entry, error);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const pct_zip_entry *)a)->name, ((const pct_zip_entry *)b)->name);
}

static percept_status read_directory(pct_zip *zip, const void *data, size_t size, percept_error *error) {
    directory d = {0};
    PCT_TRY(find_directory(data, size, &d, error));
    if (d.count == 0) return bad(error, "an empty archive");
    /* Names are shorter than the headers that they stand in, so that the directory's size is room enough. */
    zip->entries = calloc((size_t)d.count, sizeof *zip->entries);
    zip->names = malloc((size_t)d.size);
    if (!zip->entries || !zip->names) return pct_fail_memory(error, "zip directory");
    pct_cursor c = pct_cursor_over((const unsigned char *)data + d.offset, (size_t)d.size);
    char *name = zip->names;
    for (uint64_t i = 0; i < d.count; i++) {
        PCT_TRY(read_entry(data, size, &d, &c, name, &zip->entries[i], error));
        name += strlen(name) + 1;
        zip->count++;
    }
    qsort(zip->entries, (size_t)zip->count, sizeof *zip->entries, by_name);
    for (int64_t i = 1; i < zip->count; i++)
        if (!strcmp(zip->entries[i - 1].name, zip->entries[i].name)) return bad(error, "two entries of one name");
    return PERCEPT_OK;
}

percept_status pct_zip_open(pct_zip *zip, const void *data, size_t size, percept_error *error) {
    *zip = (pct_zip){0};
    percept_status status = read_directory(zip, data, size, error);
    if (status != PERCEPT_OK) pct_zip_close(zip);
    return status;
}

void pct_zip_close(pct_zip *zip) {
    free(zip->entries);
    free(zip->names);
    *zip = (pct_zip){0};
}

const pct_zip_entry *pct_zip_find(const pct_zip *zip, const char *name) {
    const pct_zip_entry wanted = {.name = name};
    if (zip->count == 0) return NULL;
    return bsearch(&wanted, zip->entries, (size_t)zip->count, sizeof wanted, by_name);
}
