/* zip.h: the directory of a zip archive whose entries are stored, not compressed (PyTorch's checkpoints), over mapped
 * bytes.
 *
 * Zip64 is read. Everything is checked once, when the archive is opened: the end record, every entry's place against
 * the file and against its local header, names for length and duplicates. It refuses compressed or encrypted entries,
 * archives in several parts and entries that overlap the directory. Checksums are not verified: they say nothing about
 * intent. */
#ifndef PCT_FORMATS_ZIP_H
#define PCT_FORMATS_ZIP_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct pct_zip_entry {
    const char *name;          /* NUL-terminated, owned by the archive */
    const unsigned char *data; /* borrowed from the bytes, NOT aligned */
    size_t size;
} pct_zip_entry;

typedef struct pct_zip {
    pct_zip_entry *entries; /* sorted by name */
    int64_t count;
    char *names; /* owned */
} pct_zip;

/* Malformed: PERCEPT_ERROR_MODEL, without the archive's name. The bytes are the caller's until close. */
percept_status pct_zip_open(pct_zip *zip, const void *data, size_t size, percept_error *error);
void pct_zip_close(pct_zip *zip);
const pct_zip_entry *pct_zip_find(const pct_zip *zip, const char *name); /* NULL: not there */

#endif
