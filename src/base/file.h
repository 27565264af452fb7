/* file.h: reading whole files, mapping them, and writing them so that nothing half-written is ever seen. */
#ifndef PCT_BASE_FILE_H
#define PCT_BASE_FILE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Reads a file ("-" = standard input) of at most `limit` bytes. *data is malloc'd with a NUL after its end that *size
 * does not count; the caller frees it. Missing, a folder, too large: PERCEPT_ERROR_INPUT with the path in the message.
 */
percept_status pct_file_read(const char *path, size_t limit, char **data, size_t *size, percept_error *error);

/* A read-only map of a regular file. Zero-size files map to data = "" and size = 0. */
typedef struct pct_map {
    const unsigned char *data;
    size_t size;
    bool mapped;
} pct_map;
percept_status pct_map_open(pct_map *map, const char *path, percept_error *error);
void pct_map_close(pct_map *map);
/* Gives back the memory of the pages that lie whole in the range, which is in an open map: they come from the file
 * again when somebody reads them. */
void pct_map_release(const void *data, size_t size);

/* A file under a temporary name beside its target, renamed onto it by commit; closed and removed by abort.
 * Zero-initialise; abort after commit, or on an unopened writer, does nothing, so one cleanup path serves. */
typedef struct pct_writer {
    FILE *file; /* write here; errors are noticed at commit */
    char *path, *temporary;
} pct_writer;
percept_status pct_writer_open(pct_writer *writer, const char *path, percept_error *error);
percept_status pct_writer_commit(pct_writer *writer, percept_error *error);
void pct_writer_abort(pct_writer *writer);
/* The three in one. */
percept_status pct_file_write(const char *path, const void *data, size_t size, percept_error *error);

bool pct_file_exists(const char *path);
bool pct_is_directory(const char *path);
/* A device, pipe or socket: an output that is put in place by rename would replace it. */
bool pct_is_device(const char *path);
/* Creates the folder and its parents; fine if it is there. */
percept_status pct_make_directory(const char *path, percept_error *error);
/* Makes the folder and takes its lock, for as long as *lock stays open (a killed process gives it back too). *lock -1:
 * another process has it, or another place of this one. */
percept_status pct_lock_directory(const char *path, int *lock, percept_error *error);
/* Names (not paths) in a folder, sorted by byte, without "." and ".."; *names is one malloc'd block to free(). */
percept_status pct_directory_list(const char *path, char ***names, size_t *count, percept_error *error);
/* "a" + "b" = "a/b", malloc'd; NULL when memory is out. */
char *pct_path_join(const char *folder, const char *name);

#endif
